"""Layers that change the shape of a sample; they move no data."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import invalid, show
from ..ops.table import Shape
from .base import Layer


class Flatten(Layer):
    """Make each sample a vector: ``(batch, a, b, ...) -> (batch, a * b * ...)``.

    Parameters
    ----------
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Flatten()(np.zeros((2, 28, 28))).shape
    (2, 784)
    """

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (-1, *self.compute_output_shape(x.shape)[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], math.prod(input_shape[1:]))


class Reshape(Layer):
    """Give each sample another shape.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one entry may be -1.
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Reshape((2, -1))(np.zeros((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, target_shape: tuple[int, ...], **kwargs: Any):
        if not isinstance(target_shape, (tuple, list)) or not all(
            isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in target_shape
        ):
            raise invalid(
                "target_shape", show(target_shape), "a tuple of integers", "pass the shape of one sample", TypeError
            )
        if sum(n == -1 for n in target_shape) > 1 or any(n == 0 or n < -1 or n >= 2**31 for n in target_shape):
            raise invalid(
                "target_shape", target_shape, "positive sizes, and -1 at most once", "pass the shape of one sample"
            )
        super().__init__(**kwargs)
        self.target_shape = tuple(int(n) for n in target_shape)

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (-1, *self.compute_output_shape(x.shape)[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size = math.prod(input_shape[1:])
        known = math.prod(n for n in self.target_shape if n != -1)
        free = size // known
        target = tuple(free if n == -1 else n for n in self.target_shape)
        if math.prod(target) != size:
            raise invalid(
                f"input of layer {self.name!r}",
                f"shape {input_shape}",
                f"samples that fit target_shape {self.target_shape}",
                "pass a target_shape of as many elements",
            )
        return (input_shape[0], *target)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_shape": self.target_shape}
