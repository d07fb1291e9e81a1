"""Layers that change the shape of a sample; they move no data, unless the next one has to have it in one piece."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import check_integer, invalid, show
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


class Permute(Layer):
    """Give the axes of each sample another order.

    Parameters
    ----------
    dims : tuple of int
        Which axis of the input comes where, counted from 1, since the batch stays axis 0.
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Permute((2, 1))(np.zeros((5, 10, 64))).shape
    (5, 64, 10)
    """

    def __init__(self, dims: tuple[int, ...], **kwargs: Any):
        expected, fix = "each of the axes 1 to n once", "pass for example (2, 1)"
        if not isinstance(dims, (tuple, list)) or not dims:
            raise invalid("dims", show(dims), expected, fix, TypeError)
        self.dims = tuple(check_integer("dims", axis, 1, expected, fix, len(dims)) for axis in dims)
        if len(set(self.dims)) < len(dims):
            raise invalid("dims", show(dims), expected, fix)
        super().__init__(**kwargs)

    def _order(self, shape: Shape) -> tuple[int, ...]:
        """The order of all axes, or the error of an input that has more or fewer."""
        if len(shape) != len(self.dims) + 1:
            raise invalid(
                f"input of layer {self.name!r}",
                f"shape {shape}",
                f"{len(self.dims) + 1} axes with that of the batch, as dims {self.dims} say",
                "pass dims of as many entries as a sample has axes",
            )
        return (0, *self.dims)

    def call(self, x: Any) -> Any:
        return ops.transpose(x, self._order(x.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape[axis] for axis in self._order(input_shape))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dims": self.dims}


class RepeatVector(Layer):
    """Repeat each sample n times: ``(batch, features) -> (batch, n, features)``.

    Parameters
    ----------
    n : int
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.RepeatVector(2)(np.array([[1.0, 3.0]]))
    array([[[1., 3.],
            [1., 3.]]])
    """

    def __init__(self, n: int, **kwargs: Any):
        expected = "a positive integer below 2**31"
        self.n = check_integer("n", n, 1, expected, "pass how often to repeat", 2**31 - 1)
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return ops.broadcast_to(ops.expand_dims(x, 1), (-1, *self.compute_output_shape(x.shape)[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 2:
            expected, fix = "two axes (batch, features)", "flatten the samples first"
            raise invalid(f"input of layer {self.name!r}", f"shape {input_shape}", expected, fix)
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"n": self.n}
