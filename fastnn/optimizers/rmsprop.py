"""RMSprop."""

from typing import Any

from .. import ops
from ..errors import check_flag
from .optimizer import Optimizer, fraction, small


class RMSprop(Optimizer):
    """Divide by a running root mean square of the gradients (Tieleman and Hinton 2012).

    ``v = rho v + (1 - rho) g^2;  w -= lr g / sqrt(v + epsilon)``; `centered` subtracts the square of
    the gradients' running mean from v (Graves 2013).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    rho : float, default 0.9
    momentum : float, default 0.0
    epsilon : float, default 1e-7
    centered : bool, default False
    name : str, optional
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.rho, self.momentum = fraction("rho", rho), fraction("momentum", momentum)
        self.epsilon, self.centered = small(epsilon), check_flag("centered", centered)
        super().__init__(learning_rate, name=name, **kwargs)
        self.slot_names = ("velocity", *("momentum",) * bool(self.momentum), *("average",) * self.centered)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.rmsprop(
            w,
            g,
            slots["velocity"],
            slots.get("momentum"),
            slots.get("average"),
            scalars,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
