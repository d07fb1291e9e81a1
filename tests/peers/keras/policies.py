"""`keras.dtype_policies` as far as fastnn knows it: one float type for everything, `fastnn.config.floatx()`."""

from typing import Any

import fastnn


class DTypePolicy:
    """The name of a float type, which is that of variables and of results."""

    def __init__(self, name: Any):
        self.name = self.compute_dtype = self.variable_dtype = str(getattr(name, "name", name))


def dtype_policy() -> DTypePolicy:
    return DTypePolicy(fastnn.config.floatx())


def set_dtype_policy(policy: Any) -> None:
    fastnn.config.set_floatx(DTypePolicy(policy).name)
