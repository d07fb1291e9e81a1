"""Layers that prepare data inside the model."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import config, ops
from ..errors import check_array, check_flag, check_integer, check_number, invalid, show
from ..ops.table import Shape
from ..variable import Variable, allowed
from .base import Layer, undone_on_error

LEAST_DEVIATION = 1e-7  # Keras' epsilon: what does not vary is not divided by 0
ADAPT_ROWS = 4096  # that are looked at in float64 at a time


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


class Normalization(Layer):
    """Give features mean 0 and variance 1 by numbers that are known before the training: ``(x - mean) / deviation``.

    The deviation is the root of the variance, or 1e-7 if that is larger. `adapt` takes both numbers from data, before
    the training; the layer is then a part of the model, which can be given raw data.

    Parameters
    ----------
    axis : int, tuple of int or None, default -1
        The axes that have a mean and variance for each position, such as the features; None for one of both for all.
    mean, variance : float or array_like, optional
        Numbers that are known; they are broadcast to the shape of these axes. By default `adapt` finds them.
    invert : bool, default False
        Compute ``x * deviation + mean`` instead.
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layer = layers.Normalization()
    >>> layer.adapt(np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0]]))
    >>> layer(np.array([[0.0, 9.0, 5.0]]))
    array([[-1.,  1.,  0.]])
    >>> layers.Normalization(mean=3.0, variance=4.0)(np.array([[1.0], [5.0]]))
    array([[-1.],
           [ 1.]])
    """

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any):
        axes = () if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
        expected, fix = "an integer, a tuple of integers or None", "pass -1 for the last axis"
        self.axis = tuple(check_integer("axis", i, -(2**31), expected, fix, 2**31) for i in axes)
        if (mean is None) != (variance is None):
            fix = "pass mean and variance, or neither and call adapt()"
            raise invalid("mean and variance", f"{show(mean)} and {show(variance)}", "both or none", fix)
        self.given = None
        if mean is not None:
            self.given = check_array("mean", mean, np.float64), check_array("variance", variance, np.float64)
            if self.given[0].shape != self.given[1].shape or self.given[0].ndim > len(self.axis):
                expected = f"arrays of one shape, of at most as many axes as axis names ({len(self.axis)})"
                raise invalid("mean and variance", f"{show(mean)} and {show(variance)}", expected, "pass such arrays")
            if not (np.isfinite(self.given).all() and (self.given[1] >= 0).all()):
                received, fix = f"{show(mean)} and {show(variance)}", "correct them"
                raise invalid("mean and variance", received, "finite numbers, no variance below 0", fix)
        self.invert = check_flag("invert", invert)
        super().__init__(**kwargs)

    mean: Any  # variables, or arrays where the numbers are given
    variance: Any

    def build(self, input_shape: Shape) -> None:
        axes = len(input_shape)
        kept = sorted(i + axes if i < 0 else i for i in self.axis)
        if len(set(kept)) < len(kept) or not all(0 < i < axes for i in kept):
            expected = f"different axes of inputs of shape {input_shape}, not that of the batch"
            raise invalid(f"axis of layer {self.name!r}", self.axis, expected, "pass -1 for the features, or None")
        self._kept = tuple(kept)
        shape = tuple(input_shape[i] for i in kept)
        if self.given is not None:
            allowed.spend(f"mean of layer {self.name!r}", (4, *shape), "float64")
            try:  # no weights, as in Keras
                given = [np.broadcast_to(value, shape).astype(config.floatx()) for value in self.given]
            except ValueError:
                fix = "pass one number for all, or one for each position"
                raise invalid(f"mean of layer {self.name!r}", self.given[0], f"what fits shape {shape}", fix) from None
            self.mean, self.variance = given
            return
        self.mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
        self.variance = self.add_weight(shape, "ones", trainable=False, name="variance")
        self.count = Variable(0, False, "count", "int32")  # of no use but to have the weights that Keras has
        self.count.path = f"{self.name}/count"

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data, computed in float64.

        Parameters
        ----------
        data : array_like of shape (samples, ...), or iterable of such arrays
            All samples, or batches of them, one after the other; of a batch ``(x, y)`` the first array.

        Raises
        ------
        ValueError, TypeError
            The data do not fit the layer; nothing is changed.
        """
        argument, fix = f"data for layer {self.name!r}", "pass the arrays that the model is trained on"
        if self.given is not None:
            raise invalid(argument, "a call of adapt()", "a layer without mean and variance", "leave these two out")
        known = self.build_shape
        count, mean, squares = 0, np.float64(0), np.float64(0)
        with undone_on_error([self]):
            for batch in batches(data):
                x = check_array(argument, batch, np.float64)
                if x.ndim == 0:
                    raise invalid(argument, x, "an array with the samples along axis 0", fix)
                self.ensure_built((None, *x.shape[1:]))
                shape = known = known or self.build_shape
                assert shape is not None
                if len(shape) != x.ndim or any(shape[i] != x.shape[i] for i in self._kept):
                    raise invalid(argument, x, f"shape {shape}", fix)
                axes = tuple(i for i in range(x.ndim) if i not in self._kept)
                for rows in (x[i : i + ADAPT_ROWS] for i in range(0, len(x), ADAPT_ROWS)):
                    # Chan, Golub and LeVeque (1983): what has been seen, joined with these rows.
                    n = rows.size // max(self.mean.value.size, 1)
                    if not n:
                        continue
                    with np.errstate(all="ignore"):  # what is not finite is refused below
                        here = rows.mean(axes)
                        squares = squares + rows.var(axes) * n + (here - mean) ** 2 * (count * n / (count + n))
                        mean, count = mean + (here - mean) * (n / (count + n)), count + n
            if not count:
                raise invalid(argument, "no samples", "at least one", fix)
            if not (np.isfinite(mean).all() and np.isfinite(squares).all()):
                raise invalid(argument, "NaN or infinity", "finite numbers", "leave out or replace what is missing")
        self.mean.assign(mean)
        self.variance.assign(squares / count)

    def call(self, x: Any) -> Any:
        shape = [x.shape[i] if i in self._kept else 1 for i in range(len(x.shape))]
        mean, variance = (ops.reshape(v, tuple(shape)) for v in (self.mean, self.variance))
        deviation = ops.maximum(ops.sqrt(variance), LEAST_DEVIATION)
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        axis: Any = self.axis[0] if len(self.axis) == 1 else self.axis or None
        mean, variance = (None, None) if self.given is None else (a.tolist() for a in self.given)
        return super().get_config() | {"axis": axis, "mean": mean, "variance": variance, "invert": self.invert}


def batches(data: Any) -> Iterator[Any]:
    """The arrays that data consist of: the items of an iterable of arrays; else the data are one array themselves."""
    several = isinstance(data, Iterable) and not isinstance(data, (str, dict)) and not hasattr(data, "shape")
    if several and not (isinstance(data, (list, tuple)) and not any(map(is_batch, data))):
        for item in data:
            yield item[0] if isinstance(item, tuple) and is_batch(item) else item
    else:
        yield data


def is_batch(item: Any) -> bool:
    """Whether an item of data is an array, or a pair ``(x, y)`` of arrays, and no number or list of numbers."""
    return hasattr(item, "shape") or (isinstance(item, tuple) and len(item) > 1 and hasattr(item[0], "shape"))
