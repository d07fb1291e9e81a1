"""Lion and Rprop: steps by the signs of gradients."""

import math
from typing import Any

from .. import ops
from ..errors import check_number, invalid, show
from .optimizer import Optimizer, fraction, positive


class Lion(Optimizer):
    """Steps of one size, by the sign of a mean of gradients (Chen et al. 2023).

    ``w -= lr sign(beta_1 m + (1 - beta_1) g);  m = beta_2 m + (1 - beta_2) g``

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    beta_1 : float, default 0.9
        Greater than 0.
    beta_2 : float, default 0.99
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0, 1.0])
    >>> optimizers.Lion(0.5).apply_gradients([([3.0, -0.01], v)])
    >>> v.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    slot_names = ("momentum",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        expected, fix = "a number greater than 0 and at most 1", "pass for example 0.9"
        self.beta_1 = check_number("beta_1", beta_1, math.ulp(0.0), expected, fix, 1)
        self.beta_2 = fraction("beta_2", beta_2)
        super().__init__(learning_rate, name=name, **kwargs)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.lion(w, g, slots["momentum"], scalars, beta_1=self.beta_1, beta_2=self.beta_2)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2}


class Rprop(Optimizer):
    """Resilient propagation: a step size for each weight, which grows while its gradient keeps its sign.

    Riedmiller and Braun (1993), in the form without steps back of Igel and Hüsken (2000), as in PyTorch. It is meant
    for ``batch_size="full"``: signs of gradients of small batches change by chance.

    Parameters
    ----------
    learning_rate : float, default 0.01
        The first step size of all weights; neither a schedule nor to be changed later.
    decrease, increase : float, default 0.5 and 1.2
        Factors of a step size where the sign of the gradient changed, and where not.
    min_step_size, max_step_size : float, default 1e-6 and 50.0
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v, rprop = Variable([0.0]), optimizers.Rprop(1.0)
    >>> for gradient in (3.0, 0.1, -2.0):
    ...     rprop.apply_gradients([([gradient], v)])
    >>> v.numpy()
    array([-2.2], dtype=float32)
    """

    slot_names = ("gradient", "step_size")

    def __init__(
        self,
        learning_rate: float = 0.01,
        decrease: float = 0.5,
        increase: float = 1.2,
        min_step_size: float = 1e-6,
        max_step_size: float = 50.0,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.decrease = fraction("decrease", decrease)
        expected, fix = "a finite number greater than 1", "pass for example 1.2"
        self.increase = check_number("increase", increase, math.nextafter(1, 2), expected, fix)
        self.min_step_size, self.max_step_size = (
            positive("min_step_size", min_step_size),
            positive("max_step_size", max_step_size),
        )
        if self.min_step_size > self.max_step_size:
            fix = "exchange them"
            raise invalid("min_step_size", show(min_step_size), f"at most max_step_size={max_step_size}", fix)
        if callable(learning_rate):
            fix = "use another optimizer for a schedule"
            raise invalid(
                "learning_rate", show(learning_rate), "a number, for steps find their own sizes", fix, TypeError
            )
        super().__init__(learning_rate, name=name, **kwargs)
        self.initial_slots = {"step_size": self.learning_rate}

    @property
    def learning_rate(self) -> float:
        """The first step size."""
        return float(self._learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        fix = "make a new optimizer to begin with other step sizes"
        raise invalid(
            "learning_rate", show(value), "no change, for the steps have found their own sizes", fix, TypeError
        )

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.rprop(
            w,
            g,
            slots["gradient"],
            slots["step_size"],
            scalars,
            decrease=self.decrease,
            increase=self.increase,
            smallest=self.min_step_size,
            largest=self.max_step_size,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "decrease": self.decrease,
            "increase": self.increase,
            "min_step_size": self.min_step_size,
            "max_step_size": self.max_step_size,
        }
