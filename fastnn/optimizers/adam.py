"""Adam and what was made of it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops, schedules
from ..errors import check_flag, invalid
from .optimizer import Optimizer, fraction, small


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), in the form of the end of its section 2.

    ``m += (g - m)(1 - beta_1);  v += (g^2 - v)(1 - beta_2);  w -= alpha m / (sqrt(v) + epsilon)`` with
    ``alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)``; `amsgrad` uses the largest v so far
    (Reddi et al. 2018).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    beta_1 : float, default 0.9
    beta_2 : float, default 0.999
    epsilon : float, default 1e-7
    amsgrad : bool, default False
    name : str, optional
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.beta_1, self.beta_2 = fraction("beta_1", beta_1), fraction("beta_2", beta_2)
        self.epsilon, self.amsgrad = small(epsilon), check_flag("amsgrad", amsgrad)
        super().__init__(learning_rate, name=name, **kwargs)
        self.slot_names = ("momentum", "velocity", *("velocity_hat",) * self.amsgrad)

    def scalars(self, iteration: int, learning_rate: float) -> float:
        return float(Adam._scalars(self, iteration, [learning_rate])[0])  # type: ignore[arg-type]

    def _scalars(self, first: int, rates: list[float]) -> Sequence[float | Sequence[float]]:
        if type(self).scalars is not Adam.scalars:  # somebody's own
            return super()._scalars(first, rates)
        correction_1, correction_2 = (
            1 - schedules.powers(b, first + 1, len(rates)) for b in (self.beta_1, self.beta_2)
        )
        return np.array(rates) * np.sqrt(correction_2) / correction_1  # type: ignore[return-value]

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.adam(
            w,
            g,
            slots["momentum"],
            slots["velocity"],
            slots.get("velocity_hat"),
            scalars,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """Adam with decoupled weight decay: `Adam` after ``w -= lr * weight_decay * w`` (Loshchilov and Hutter 2019).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    weight_decay : float, default 0.004
    beta_1 : float, default 0.9
    beta_2 : float, default 0.999
    epsilon : float, default 1e-7
    amsgrad : bool, default False
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.AdamW(0.5, weight_decay=0.5).apply_gradients([([0.0], v)])
    >>> v.numpy()
    array([0.75], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        if weight_decay is None:
            raise invalid(
                "weight_decay", "None", "a number of at least 0", "use Adam to have no weight decay", TypeError
            )
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, name=name, weight_decay=weight_decay, **kwargs
        )


class Adamax(Optimizer):
    """Adam with the largest recent gradient in the place of the second moment (Kingma and Ba 2015, section 7.1).

    ``m += (g - m)(1 - beta_1);  u = max(beta_2 u, |g|);  w -= lr / (1 - beta_1^t) m / (u + epsilon)``

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    beta_1 : float, default 0.9
    beta_2 : float, default 0.999
    epsilon : float, default 1e-7
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.Adamax(0.5).apply_gradients([([2.0], v)])
    >>> v.numpy()
    array([0.5], dtype=float32)
    """

    slot_names = ("momentum", "norm")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.beta_1, self.beta_2 = fraction("beta_1", beta_1), fraction("beta_2", beta_2)
        self.epsilon = small(epsilon)
        super().__init__(learning_rate, name=name, **kwargs)

    def scalars(self, iteration: int, learning_rate: float) -> float:
        return learning_rate / (1 - schedules.power(self.beta_1, iteration + 1))

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        constants = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return ops.adamax(w, g, slots["momentum"], slots["norm"], scalars, **constants)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016).

    With ``u_t = beta_1 (1 - 0.96^t / 2)`` and ``U_t = u_1 u_2 ... u_t``, and m, v as in `Adam`,
    ``w -= lr (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)``.

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    beta_1 : float, default 0.9
    beta_2 : float, default 0.999
    epsilon : float, default 1e-7
    name : str, optional
    **kwargs
        As of `Optimizer`.

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.Nadam(0.5).apply_gradients([([2.0], v)])
    >>> v.numpy().round(4)
    array([0.4686], dtype=float32)
    """

    slot_names = ("momentum", "velocity")
    scalar_count = 3

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.beta_1, self.beta_2 = fraction("beta_1", beta_1), fraction("beta_2", beta_2)
        self.epsilon = small(epsilon)
        super().__init__(learning_rate, name=name, **kwargs)
        self._product = 0, 1.0  # U_t of the last t that was asked for

    def momentum(self, t: int) -> float:
        """u_t."""
        return self.beta_1 * (1 - 0.5 * schedules.power(0.96, t))

    def scalars(self, iteration: int, learning_rate: float) -> tuple[float, float, float]:
        t = iteration + 1
        done, product = self._product if self._product[0] <= t else (0, 1.0)
        for i in range(done + 1, t + 1):
            product *= self.momentum(i)
        self._product = t, product
        now, ahead = self.momentum(t), self.momentum(t + 1)
        root = math.sqrt(1 - schedules.power(self.beta_2, t))
        rate = learning_rate * root
        return rate * ahead / (1 - product * ahead), rate * (1 - now) / (1 - product), self.epsilon * root

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        constants = {"beta_1": self.beta_1, "beta_2": self.beta_2}
        return ops.nadam(w, g, slots["momentum"], slots["velocity"], scalars, **constants)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
