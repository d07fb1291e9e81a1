"""Gradient descent."""

from typing import Any

from .. import ops
from ..errors import check_flag
from .optimizer import Optimizer, fraction


class SGD(Optimizer):
    """Gradient descent: ``w -= lr * g``, or with momentum ``m = momentum * m - lr * g; w += m``.

    With `nesterov`, ``w += momentum * m - lr * g`` (Nesterov 1983; Sutskever et al. 2013).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.01
    momentum : float, default 0.0
    nesterov : bool, default False
    name : str, optional

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.SGD(0.5).apply_gradients([([1.0], v)])
    >>> v.numpy()
    array([0.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.momentum = fraction("momentum", momentum)
        self.nesterov = check_flag("nesterov", nesterov)
        super().__init__(learning_rate, name=name, **kwargs)
        if self.momentum:
            self.slot_names = ("momentum",)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.sgd(w, g, slots.get("momentum"), scalars, momentum=self.momentum, nesterov=int(self.nesterov))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}
