"""`keras.ops` for Keras' own tests: NumPy on arrays, `fastnn.ops` on what has no values yet."""

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
from backend import cast, convert_to_numpy, convert_to_tensor, is_symbolic, is_tensor, shape

import fastnn

__all__ = ["cast", "convert_to_numpy", "convert_to_tensor", "is_tensor", "shape"]

MADE = "arange eye full linspace ones zeros"  # of numbers: the type is Keras' default one
TAKEN = """
    abs absolute add all any argmax argmin clip concatenate cos count_nonzero divide dot equal exp expand_dims floor
    greater greater_equal isfinite isnan less less_equal log log1p logical_and logical_not logical_or matmul max
    maximum mean min minimum moveaxis multiply negative not_equal ones_like power prod repeat reshape round sign sin
    split sqrt square squeeze stack std subtract sum swapaxes take tanh tile transpose var where zeros_like
"""


def made(name: str) -> Callable[..., Any]:
    def call(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        return convert_to_tensor(getattr(np, name)(*args, **kwargs).tolist(), dtype)

    return call


def taken(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if builtins.any(map(is_symbolic, args)):
            return getattr(fastnn.ops, name)(*args, **kwargs)
        args = tuple(convert_to_tensor(x) if isinstance(x, fastnn.Variable) else x for x in args)
        return getattr(np, name)(*args, **kwargs)

    return call


globals().update({name: made(name) for name in MADE.split()})
globals().update({name: taken(name) for name in TAKEN.split()})
array = convert_to_tensor


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> Any:
    rows = np.asarray(x)[..., None] == np.arange(num_classes)
    return convert_to_tensor(np.moveaxis(rows, -1, axis), dtype or fastnn.config.floatx())
