"""Adagrad and Adadelta."""

from typing import Any

from .. import ops
from .optimizer import Optimizer, fraction, not_negative, small


class Adagrad(Optimizer):
    """Divide by the root of the sum of all squared gradients (Duchi et al. 2011).

    ``a += g^2;  w -= lr g / sqrt(a + epsilon)``

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
        The paper's form is that with 1.0.
    initial_accumulator_value : float, default 0.1
        Of a, at least 0.
    epsilon : float, default 1e-7
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.Adagrad(0.5, initial_accumulator_value=12.0).apply_gradients([([2.0], v)])
    >>> v.numpy()
    array([0.75], dtype=float32)
    """

    slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.initial_accumulator_value = not_negative("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = small(epsilon)
        super().__init__(learning_rate, name=name, **kwargs)
        self.initial_slots = {"accumulator": self.initial_accumulator_value}

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.adagrad(w, g, slots["accumulator"], scalars, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


class Adadelta(Optimizer):
    """Steps of the size of recent steps, by the ratio of gradients to recent gradients (Zeiler 2012).

    ``a = rho a + (1 - rho) g^2;  d = sqrt(b + epsilon) g / sqrt(a + epsilon);  b = rho b + (1 - rho) d^2;  w -= lr d``

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
        The paper's form is that with 1.0.
    rho : float, default 0.95
    epsilon : float, default 1e-7
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.Adadelta(1.0, rho=0.0, epsilon=0.25).apply_gradients([([1.0], v)])
    >>> v.numpy().round(4)
    array([0.5528], dtype=float32)
    """

    slot_names = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.rho, self.epsilon = fraction("rho", rho), small(epsilon)
        super().__init__(learning_rate, name=name, **kwargs)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        kept = (slots[name] for name in self.slot_names)
        return ops.adadelta(w, g, *kept, scalars, rho=self.rho, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rho": self.rho, "epsilon": self.epsilon}
