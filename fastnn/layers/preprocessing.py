"""Layers that prepare data inside the model."""

import sys
from typing import Any

from .. import ops
from ..errors import check_number
from .base import Layer


class Rescaling(Layer):
    """Compute ``x * scale + offset``; on uint8 images it is part of reading the batch.

    Parameters
    ----------
    scale : float
    offset : float, default 0
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Rescaling(0.5, offset=-1.0)(np.array([[2.0, 4.0]]))
    array([[0., 1.]])
    """

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any):
        for argument, value in (("scale", scale), ("offset", offset)):
            check_number(argument, value, -sys.float_info.max, "a finite number", "pass for example 1 / 255")
        super().__init__(**kwargs)
        self.scale, self.offset = float(scale), float(offset)

    def call(self, x: Any) -> Any:
        return ops.affine(x, scale=self.scale, offset=self.offset)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": self.scale, "offset": self.offset}
