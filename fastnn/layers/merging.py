"""Layers that make one array of several."""

import functools
from collections.abc import Callable
from typing import Any

from .. import ops
from ..errors import check_flag, invalid, show
from ..ops.table import Shape
from .base import Layer, undone_on_error

TINY_NORM = 1e-7  # Keras' epsilon: shorter vectors are not made longer than they would be with this length


class Merge(Layer):
    """What the merging layers share: a list of at least two arrays, element by element with NumPy's broadcasting.

    An array with fewer axes than another one gets new ones behind the batch axis, as in Keras.
    """

    one_input = False
    least = 2

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, (list, tuple)) or not input_shape or not isinstance(input_shape[0], tuple):
            raise self._wrong_inputs("one array")
        if len(input_shape) < self.least:
            raise self._wrong_inputs(f"{len(input_shape)} array")

    def _wrong_inputs(self, received: str) -> Exception:
        number = "a list of at least two arrays" if self.least == 2 else "a list of arrays"
        return invalid(f"input of layer {self.name!r}", received, number, "write layer([a, b])", TypeError)

    def call(self, inputs: list[Any]) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise self._wrong_inputs(show(inputs))
        most = max(x.ndim for x in inputs)
        return self.merge([new_axes(x, most) for x in inputs])

    def merge(self, inputs: list[Any]) -> Any:
        """The inputs, of equal rank, as one array."""
        return functools.reduce(self.pair, inputs)

    @staticmethod
    def pair(a: Any, b: Any) -> Any:
        """Two arrays as one."""
        raise NotImplementedError


def new_axes(x: Any, ndim: int) -> Any:
    """The array with axes of size 1 behind the first, `ndim` in all."""
    return ops.reshape(x, (-1, *(1,) * (ndim - x.ndim), *x.shape[1:])) if x.ndim < ndim else x


class Add(Merge):
    """Sum of the inputs: ``a + b + ...``.

    Called on a list of arrays of shapes that broadcast together.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Add()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[11., 22.]])
    """

    pair = staticmethod(ops.add)


class Subtract(Merge):
    """The first input less the second: ``a - b``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Subtract()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ -9., -18.]])
    """

    pair = staticmethod(ops.subtract)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise invalid(
                f"input of layer {self.name!r}", f"{len(input_shape)} arrays", "two arrays", "write layer([a, b])"
            )


class Multiply(Merge):
    """Product of the inputs, element by element: ``a * b * ...``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Multiply()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[10., 40.]])
    """

    pair = staticmethod(ops.multiply)


class Average(Merge):
    """Mean of the inputs: ``(a + b + ...) / n``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Average()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ 5.5, 11. ]])
    """

    pair = staticmethod(ops.add)

    def merge(self, inputs: list[Any]) -> Any:
        return super().merge(inputs) / len(inputs)


class Maximum(Merge):
    """Largest of the inputs, element by element. Where two are equal, the gradient is shared as `ops.maximum` does.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Maximum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
    array([[10., 20.]])
    """

    pair = staticmethod(ops.maximum)


class Minimum(Merge):
    """Smallest of the inputs, element by element. Where two are equal, the gradient is shared as `ops.minimum` does.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Minimum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
    array([[1., 2.]])
    """

    pair = staticmethod(ops.minimum)


class Concatenate(Merge):
    """The inputs side by side along an axis.

    Parameters
    ----------
    axis : int, default -1
        Not that of the batch, 0.
    **kwargs
        `name`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Concatenate()([np.array([[1.0, 2.0]]), np.array([[10.0]])])
    array([[ 1.,  2., 10.]])
    """

    least = 1

    def __init__(self, axis: int = -1, **kwargs: Any):
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise invalid("axis", show(axis), "an integer", "pass the axis to join along, such as -1", TypeError)
        if axis == 0:
            raise invalid("axis", "0, that of the batch", "an axis of the samples", "pass for example -1")
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: list[Any]) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise self._wrong_inputs(show(inputs))
        if self.axis + inputs[0].ndim == 0:
            raise invalid("axis", f"{self.axis}, that of the batch", "an axis of the samples", "pass for example -1")
        return ops.concatenate(list(inputs), axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}


class Dot(Merge):
    """Inner products of two arrays, sample by sample: sums over one axis of each.

    Inputs of shapes (batch, n) and (batch, n) give (batch, 1); (batch, a, n) and (batch, n, b) with ``axes=(2, 1)``
    give (batch, a, b).

    Parameters
    ----------
    axes : int or pair of int
        The axis of each input to sum over; not that of the batch.
    normalize : bool, default False
        Divide the vectors along these axes by their lengths first, so that the results are cosines.
    **kwargs
        `name`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[50.]])
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any):
        pair = (axes, axes) if isinstance(axes, int) else axes
        if (
            not isinstance(pair, (list, tuple))
            or len(pair) != 2
            or any(isinstance(axis, bool) or not isinstance(axis, int) for axis in pair)
        ):
            raise invalid("axes", show(axes), "an integer or a pair of integers", "pass for example axes=1", TypeError)
        if 0 in pair:
            raise invalid("axes", show(axes), "axes of the samples, not that of the batch", "pass for example axes=1")
        normalize = check_flag("normalize", normalize)
        super().__init__(**kwargs)
        self.axes, self.normalize = axes, normalize

    def _axes(self, shapes: list[Shape]) -> list[int]:
        """The axes counted from 0."""
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        found = []
        for axis, shape in zip(pair, shapes, strict=True):
            if len(shape) not in (2, 3) or not -len(shape) < axis < len(shape):
                raise invalid(
                    f"input of layer {self.name!r}",
                    f"shape {shape} with axis {axis}",
                    "arrays of two or three axes, of which it is one (not that of the batch)",
                    "reshape the arrays, or choose other axes",
                )
            found.append(axis % len(shape))
        return found

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise invalid(
                f"input of layer {self.name!r}", f"{len(input_shape)} arrays", "two arrays", "write layer([a, b])"
            )
        first, second = (shape[axis] for shape, axis in zip(input_shape, self._axes(input_shape), strict=True))
        if first != second:
            raise invalid(
                f"input of layer {self.name!r}",
                f"shapes {input_shape[0]} and {input_shape[1]}, of which {first} and {second} do not go together",
                "two axes of equal size",
                "choose other axes",
            )

    def call(self, inputs: list[Any]) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise self._wrong_inputs(show(inputs))
        axes = self._axes([x.shape for x in inputs])
        a, b = (unit(x, axis) for x, axis in zip(inputs, axes, strict=True)) if self.normalize else inputs
        if a.ndim == 2 and b.ndim == 2:
            return ops.sum(a * b, axis=-1, keepdims=True)
        # (batch, rows of a, n) and (batch, n, columns of b)
        a = ops.expand_dims(a, 1) if a.ndim == 2 else ops.transpose(a, (0, 2, 1)) if axes[0] == 1 else a
        b = ops.expand_dims(b, 2) if b.ndim == 2 else ops.transpose(b, (0, 2, 1)) if axes[1] == 2 else b
        rows = [n for x, n in zip(inputs, (a.shape[1], b.shape[2]), strict=True) if x.ndim > 2]
        return ops.reshape(ops.matmul(a, b), (-1, *rows))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axes": self.axes, "normalize": self.normalize}


def unit(x: Any, axis: int) -> Any:
    """The vectors along an axis with length 1, or less if they are shorter than `TINY_NORM`."""
    length = ops.sqrt(ops.sum(ops.square(x), axis=axis, keepdims=True))
    return x / ops.maximum(length, TINY_NORM)


def function_of(layer: Callable[..., Layer], name: str) -> Callable[..., Any]:
    """The layer as a function of its inputs, as Keras has it besides."""

    def call(inputs: list[Any], **kwargs: Any) -> Any:
        with undone_on_error():
            return layer(**kwargs)(inputs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``{layer.__name__}(**kwargs)(inputs)``."  # type: ignore[attr-defined]
    return call


add = function_of(Add, "add")
subtract = function_of(Subtract, "subtract")
multiply = function_of(Multiply, "multiply")
average = function_of(Average, "average")
maximum = function_of(Maximum, "maximum")
minimum = function_of(Minimum, "minimum")
concatenate = function_of(Concatenate, "concatenate")
dot = function_of(Dot, "dot")
