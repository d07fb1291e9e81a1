"""Sums, means and extremes along axes, and the bound on the error of a sum."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import check_flag, invalid, show
from .arithmetic import divide, equal, multiply
from .layout import Layout, Shape, count, reads, reduction
from .shape import array, broadcast_like, checked_axis, reshape
from .table import EPSILON, TINY, op

__all__ = ["max", "mean", "mean_grad", "min", "sum", "summed_like"]

ROUNDING = EPSILON / 2 * 1.01  # one float32 rounding, with room for the products of such errors
SUM_CHUNK = 4096


def lane_roundings(n):
    """Roundings that a term meets in a sum of n in 16 lanes: those of its lane, then four of the tree.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 4.2.
    """
    return -(-n // 16) + 4


def lane_sum_bound(terms, errors=0.0):
    """Bound on the error of a sum along the last axis in 16 lanes of terms with absolute `errors`."""
    magnitude = lane_roundings(terms.shape[-1]) * ROUNDING * np.abs(terms)
    return (magnitude + 1.01 * errors).sum(-1) + TINY


# Axes


def checked_axes(x, axis):
    """The axes of `axis` (an int, several, or None for all), counted from 0 and in order."""
    axes = range(len(x.shape)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(sorted(checked_axis(i, len(x.shape)) for i in axes))
    if len(set(axes)) < len(axes):
        raise invalid("axis", show(axis), "axes that differ", "name each axis once")
    return axes


def without(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def reduced_shape(x: Shape, *, axes: tuple[int, ...], **attrs: Any) -> Shape:
    """The shape of a reduction along axes that the array has, each named once and in order."""
    if list(axes) != sorted({*axes}) or not all(0 <= i < len(x) for i in axes):
        raise invalid("axes", show(axes), f"axes of an array of shape {x}, in order", "choose axes that it has")
    return without(x, axes)


def along(result: Any, like: Any, axes: tuple[int, ...]) -> Any:
    """The result of a reduction of `like`, with axes of size 1 where it was reduced, so that it broadcasts."""
    return reshape(result, tuple(1 if i in axes else -1 if n is None else n for i, n in enumerate(like.shape)))


def over_axes(**columns: Any) -> Callable[..., Any]:
    """Enter ``reference(x, *, axes, ...)`` as a row; return the function with Keras' `axis` and `keepdims`."""

    def enter(reference: Callable[..., Any]) -> Callable[..., Any]:
        row = op(
            **{"shape": reduced_shape, **columns},
            dims=reduction,
            kind="reduction",
            flops=lambda ins, outs: math.prod(ins[0]),
        )(reference)

        def call(x: Any, axis: Any = None, keepdims: bool = False, **attrs: Any) -> Any:
            x = array(x)
            axes = checked_axes(x, axis)
            result = row(x, axes=axes, **attrs)
            return along(result, x, axes) if check_flag("keepdims", keepdims) else result

        call.__name__, call.__doc__, call.op = reference.__name__, reference.__doc__, row.op  # type: ignore[attr-defined]
        return call

    return enter


# Sums


def sum_bound(x, axes, mean=0):
    """A chain of n additions, the longer of the two orders that the kernel has, and the rounding of the result."""
    n = math.prod(x.shape[i] for i in axes)
    return (n + 1) * ROUNDING * np.abs(x).sum(axes) / (n if mean and n else 1) + TINY


def sum_gradient(step, dy):
    x, axes = step.ins[0], step.attrs["axes"]
    dy = mean_grad(dy, x, axes=axes) if step.attrs["mean"] else dy
    return [broadcast_like(along(dy, x, axes), x)]


@over_axes(
    grad=sum_gradient,
    tol=sum_bound,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {"axes": (1,)}),
)
def sum(x, *, axes, mean=0):
    """Sum of all elements, or of those along `axis`.

    Parameters
    ----------
    x : array
    axis : int or tuple of int, optional
        Default: all axes, also that of the batch.
    keepdims : bool, default False
        Keep the axes, with size 1.

    Examples
    --------
    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=-1)
    array([3., 7.])
    """
    total = x.sum(axes, dtype=np.float64 if x.dtype.kind == "f" else None)
    n = math.prod(x.shape[i] for i in axes)
    with np.errstate(all="ignore"):  # the mean of nothing is NaN
        return np.asarray(total / np.float64(n) if mean else total, np.result_type(x, np.float32))


def mean(x, axis=None, keepdims=False):
    """Mean of all elements, or of those along `axis`; parameters as in `sum`.

    Examples
    --------
    >>> mean(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0, keepdims=True)
    array([[2., 3.]])
    """
    return sum(x, axis, keepdims, mean=1)


@reads(lambda i, layout, **attrs: i == 1)  # of the second input only the size counts
def sizes(ins: list[Layout], outs: list[Shape], *, axes: tuple[int, ...]) -> Any:
    """Dims rule: (number of elements of the first input, number of those of the second along the axes)."""
    return count(ins[0].shape), count(tuple(ins[1].shape[i] for i in axes))


def mean_grad_shape(dy, x, *, axes):
    if dy != without(x, axes):
        raise invalid("dy", f"shape {dy}", f"shape {without(x, axes)}", "pass the gradient of a mean")
    return dy


@op(
    shape=mean_grad_shape,
    dims=sizes,
    grad=lambda step, d: [mean_grad(d, step.ins[1], **step.attrs), None],
    kind="reduction",
    tol=0.5,
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows,)), rng.standard_normal((rows, width))),
        {"axes": (1,)},
    ),
)
def mean_grad(dy, x, *, axes):
    """Gradient of a mean of `x` by each of the elements that it was taken of: ``dy`` divided by their number."""
    return dy / dy.dtype.type(np.maximum(math.prod(x.shape[i] for i in axes), 1))


def summed_like(dy, x):
    """The gradient of an array `x` that was broadcast to the shape of `dy`: its sum over the copies."""
    new = len(dy.shape) - len(x.shape)
    axes = tuple(i for i, n in enumerate(dy.shape) if i < new or x.shape[i - new] != n)
    total = sum(dy, axes) if axes else dy
    return total if total.shape == x.shape else reshape(total, tuple(-1 if n is None else n for n in x.shape))


# Extremes


def extreme_shape(x, *, axes):
    if 0 in [x[i] for i in axes]:
        raise invalid("x", f"shape {x}", "at least one element along each axis", "an empty array has no maximum")
    return without(x, axes)


def extreme_gradient(step, dy):
    """What comes in goes in equal parts to all elements that are the extreme."""
    x, axes = step.ins[0], step.attrs["axes"]
    chosen = equal(x, along(step.outs[0], x, axes))
    return [multiply(chosen, along(divide(dy, sum(chosen, axes)), x, axes))]


extreme = functools.partial(
    over_axes,
    shape=extreme_shape,
    grad=extreme_gradient,
    tol=0.0,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {"axes": (1,)}),
)


@extreme()
def max(x, *, axes):
    """Largest element, or the largest along `axis`, NaN where one is; parameters as in `sum`.

    Elements that are equally large share the gradient.

    Examples
    --------
    >>> max(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=-1)
    array([2., 4.])
    """
    return x.max(axes)


@extreme()
def min(x, *, axes):
    """Smallest element, or the smallest along `axis`; otherwise as `max`."""
    return x.min(axes)
