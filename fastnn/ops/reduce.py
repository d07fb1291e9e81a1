"""Sums and means of whole arrays, and the bound on the error of a sum."""

import math

import numpy as np

from ..errors import invalid
from .activations import TINY
from .table import EPSILON, composition, each, op

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


def sum_bound(x, mean=0):
    roundings = lane_roundings(min(x.size, SUM_CHUNK)) + 1
    return roundings * ROUNDING * np.abs(x).sum() / (x.size if mean and x.size else 1) + TINY


@op(
    shape=lambda x, **attrs: (),
    grad=lambda step, dy: [spread(dy, step.ins[0], **step.attrs)],
    kind="reduction",
    flops=lambda ins, outs: math.prod(ins[0]),
    tol=sum_bound,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {}),
    serial=True,
)
def sum(x, *, mean=0):
    """Sum of all elements, a scalar; with `mean` (not 0) divided by their number.

    Examples
    --------
    >>> float(sum(np.array([1.0, 2.0, 6.0])))
    9.0
    """
    total = x.sum(dtype=np.float64)
    return np.asarray(total / x.size if mean else total, x.dtype)


def spread_shape(dy, like, **attrs):
    if dy != ():
        raise invalid("dy", f"shape {dy}", "a scalar, shape ()", "pass the gradient of a sum")
    return like


@op(
    shape=spread_shape,
    dims=lambda ins, outs: each(outs, ins),
    kind="reduction",
    tol=0.5,
    example=lambda rng, rows, width: ((rng.standard_normal(()), rng.standard_normal((rows, width))), {"mean": 1}),
)
def spread(dy, like, *, mean=0):
    """Gradient of `sum`: an array like `like`, everywhere `dy`, or ``dy / like.size`` with `mean`."""
    return np.full(like.shape, dy / max(like.size, 1) if mean else dy, dy.dtype)


@composition
def mean(x):
    """Mean of all elements, a scalar.

    Examples
    --------
    >>> float(mean(np.array([1.0, 2.0, 6.0])))
    3.0
    """
    return sum(x, mean=1)
