"""Follow the regularized leader."""

from typing import Any

from .. import ops
from ..errors import check_number
from .optimizer import Optimizer, not_negative


class Ftrl(Optimizer):
    """Follow the regularized leader: weights that L1 sets to exactly 0 (McMahan et al. 2013).

    With ``r(n) = n^-learning_rate_power``, ``n += g^2;  z += g + 2 shrinkage w - (r(n) - r(n before)) w / lr;
    w = (clip(z, -l1, l1) - z) / ((r(n) + beta) / lr + 2 l2)``.

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
        Greater than 0.
    learning_rate_power : float, default -0.5
        At most 0; with 0 the rate stays the same.
    initial_accumulator_value : float, default 0.1
        Of n, at least 0.
    l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength : float, default 0.0
        l1, l2 and shrinkage, at least 0.
    beta : float, default 0.0
        At least 0.
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([0.0, 0.0])
    >>> optimizers.Ftrl(0.5, l1_regularization_strength=1.0).apply_gradients([([3.0, 0.5], v)])
    >>> v.numpy().round(4)
    array([-0.3315,  0.    ], dtype=float32)
    """

    slot_names = ("accumulator", "linear")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        expected, fix = "a finite number of at most 0", "pass for example -0.5"
        self.learning_rate_power = check_number("learning_rate_power", learning_rate_power, -1e300, expected, fix, 0)
        self.initial_accumulator_value = not_negative("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = not_negative("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = not_negative("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = not_negative(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = not_negative("beta", beta)
        super().__init__(learning_rate, name=name, **kwargs)
        self.initial_slots = {"accumulator": self.initial_accumulator_value}

    def _rate(self, iteration: int) -> float:
        expected, fix = "a number greater than 0, for Ftrl divides by it", "pass for example 0.001"
        return check_number("learning_rate", super()._rate(iteration), 1e-300, expected, fix)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.ftrl(
            w,
            g,
            slots["accumulator"],
            slots["linear"],
            scalars,
            power=self.learning_rate_power,
            l1=self.l1_regularization_strength,
            l2=self.l2_regularization_strength,
            shrinkage=self.l2_shrinkage_regularization_strength,
            beta=self.beta,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
