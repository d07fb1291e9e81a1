"""What layers of other units than weighted sums need: parametric ReLU, maxout, distances.

Axis letters: b rows of the batch, i features, o units, k pieces of a unit.
"""

import math

import numpy as np

from ..errors import invalid
from .arithmetic import draw_two, multiply, several, subtract
from .dense import chain_bound, dense_grad_input, dense_grad_kernel, rows_of_first
from .layout import count, cut, every_vector
from .reduce import mean, sum
from .shape import expand_dims
from .table import TINY, op

__all__ = ["maxout", "maxout_grad", "prelu", "prelu_grad_alpha", "prelu_grad_input", "squared_distances"]


# Parametric ReLU


@several(tol=0.5, example=lambda rng, rows, width: ((*draw_two(rng, rows, width)[0], rng.standard_normal(width)), {}))
def prelu_grad_input(dy, x, alpha):
    """Gradient of `prelu` by x: ``dy`` for ``x > 0``, else ``dy * alpha``."""
    return dy * np.where(x > 0, x.dtype.type(1), alpha)


@several(tol=0.5, example=draw_two)
def prelu_grad_alpha(dy, x):
    """Gradient of `prelu` by alpha: ``dy * x`` for ``x < 0``, else 0."""
    return np.where(x < 0, dy * x, x.dtype.type(0))


@several(
    grad=lambda step, dy: [prelu_grad_input(dy, *step.ins), prelu_grad_alpha(dy, step.ins[0])],
    tol=0.5,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)), rng.standard_normal(width)), {}),
)
def prelu(x, alpha):
    """Parametric ReLU: ``x`` for ``x > 0``, else ``alpha * x``; `alpha` is broadcast to `x`.

    The gradient by x at 0 is `alpha`. He et al., "Delving deep into rectifiers" (2015).

    Examples
    --------
    >>> prelu(np.array([-2.0, 0.0, 3.0]), np.array([0.5, 0.5, 0.5]))
    array([-1.,  0.,  3.])
    """
    return np.where(x <= 0, alpha * x, x)


# Maxout


def maxout_shape(z, k):
    if not z or z[-1] is None or not (float(k).is_integer() and 1 <= k < 2**24) or z[-1] % k:
        expected = "k pieces, one after the other, along the last axis"
        raise invalid("input", f"shape {z} for k = {k}", expected, "choose a k that divides the last size")
    return (*z[:-1], int(z[-1] // k))


def pieces(z, k):
    """z_bko, all axes before the last as one."""
    return z.reshape(math.prod(z.shape[:-1]), int(k), int(z.shape[-1] // k))


def draw_pieces(rng, rows, width):
    return rng.standard_normal((rows, 3 * width))


@op(
    shape=lambda dy, z, k: z,
    dims=cut(every_vector)(lambda ins, outs: (count(ins[0][:-1]), ins[0][-1])),
    kind="units",
    flops=lambda ins, outs: 2.0 * math.prod(ins[1]),
    tol=0.0,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)), draw_pieces(rng, rows, width)), {"k": 3}),
)
def maxout_grad(dy, z, *, k):
    """Gradient of `maxout`: ``dy`` for the first of the pieces that are largest, 0 for the others."""
    first = pieces(z, k).argmax(1)[:, np.newaxis]
    each = dy.reshape(first.shape[0], 1, dy.shape[-1])
    return np.where(np.arange(int(k))[:, np.newaxis] == first, each, dy.dtype.type(0)).reshape(z.shape)


@op(
    shape=maxout_shape,
    dims=cut(every_vector)(lambda ins, outs: (count(outs[0][:-1]), outs[0][-1])),
    grad=lambda step, dy: [maxout_grad(dy, step.ins[0], **step.attrs)],
    kind="units",
    flops=lambda ins, outs: math.prod(ins[0]),
    tol=0.0,
    example=lambda rng, rows, width: ((draw_pieces(rng, rows, width),), {"k": 3}),
)
def maxout(z, *, k):
    """Largest of the k pieces of each unit, NaN where one is: ``z_bko -> y_bo``, the axes k and o being one.

    Where pieces are equally large, the first of them gets the gradient.

    Examples
    --------
    >>> maxout(np.array([[1.0, 2.0, 5.0, -5.0]]), k=2)
    array([[5., 2.]])
    """
    return pieces(z, k).max(1).reshape(*z.shape[:-1], int(z.shape[-1] // k))


# Distances


def distances_shape(x, centres):
    if len(x) < 2 or len(centres) != 2 or None in centres or x[-1] != centres[0]:
        raise invalid(
            "input",
            f"shape {x} for centres of shape {centres}",
            "(..., features) and (features, units)",
            "pass as many features as the centres have",
        )
    return (*x[:-1], centres[1])


def distances_gradient(step, dd):
    """By x_bi ``2 sum_o dd_bo (x_bi - c_io)`` and by c_io the same over b, as products of matrices.

    Distances do not depend on where the origin is: with it at the mean of the centres, little cancels.
    """
    x, centres = step.ins
    origin = mean(centres, axis=1)
    x, centres = subtract(x, origin), subtract(centres, expand_dims(origin, 1))
    of_rows = multiply(x, sum(dd, axis=-1, keepdims=True))
    of_units = multiply(centres, sum(dd, axis=tuple(range(len(dd.shape) - 1))))
    by_x = subtract(of_rows, dense_grad_input(dd, centres))
    by_centres = subtract(of_units, dense_grad_kernel(x, dd))
    return [multiply(by_x, 2.0), multiply(by_centres, 2.0)]


@op(
    shape=distances_shape,
    dims=lambda ins, outs: (count(ins[0][:-1]), *ins[1]),
    access=rows_of_first,
    grad=distances_gradient,
    kind="units",
    flops=lambda ins, outs: 3.0 * math.prod(outs[0]) * ins[1][0],
    # Of each term the difference is rounded, which its square has twice.
    tol=lambda x, c: chain_bound(len(c) + 2, ((x[..., np.newaxis] - c) ** 2).sum(-2)) + TINY,
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, width + 3)), rng.standard_normal((width + 3, width))),
        {},
    ),
)
def squared_distances(x, centres):
    """Squared Euclidean distances ``sum_i (x_bi - c_io)^2 -> d_bo`` of rows from centres, which are columns.

    They are sums of squares of differences: never negative, and exactly 0 for a row that is a centre.

    Examples
    --------
    >>> squared_distances(np.array([[1.0, 1.0]]), np.array([[1.0, 4.0], [1.0, 5.0]]))
    array([[ 0., 25.]])
    """
    return ((x[..., np.newaxis] - centres) ** 2).sum(-2)
