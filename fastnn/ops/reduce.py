"""Sums and means of whole arrays, and bounds on the error of sums."""

import math

import numpy as np

from ..errors import invalid
from .table import EPSILON, composition, op, per_element

SUM_CHUNK = 4096


def lane_sum_bound(terms, error=0.0, extra=0, axis=-1):
    """Bound on the error of a sum along the last axis in 16 lanes.

    Each lane adds a sixteenth of the terms, and a tree of four additions ends it, so a term meets
    ``n/16 + 4`` roundings (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 4.2).

    Parameters
    ----------
    terms : ndarray
        What is added.
    error : ndarray or float
        Absolute error of each term.
    extra : int
        Further relative roundings of the result.
    """
    n = -(-terms.shape[axis] // 16) + 4 + extra
    gamma = n * EPSILON / 2 / (1 - n * EPSILON / 2)
    return (gamma * np.abs(terms) + (1 + gamma) * error).sum(axis) + np.finfo(np.float32).tiny


def sum_bound(x, mean=0):
    chunk = x.reshape(-1)[: SUM_CHUNK]  # the longest chunk: all others meet no more roundings
    n = -(-chunk.size // 16) + 5
    magnitude = np.abs(x).sum() / (x.size if mean else 1)
    return n * EPSILON / 2 * 1.01 * magnitude + np.finfo(np.float32).tiny


def spread_shape(dy, like, mean=0):
    if dy != ():
        raise invalid("dy", f"shape {dy}", "a scalar, shape ()", "pass the gradient of a sum")
    return like


@op(
    shape=lambda dy, like, mean=0: spread_shape(dy, like),
    dims=lambda ins, outs: (element_count(outs[0]),),
    flops=lambda ins, outs: math.prod(outs[0]),
    tol=0.5,
    example=lambda rng, rows, width: (
        (rng.standard_normal(()), rng.standard_normal((rows, width))), {"mean": 1}
    ),
)
def spread(dy, like, *, mean=0):
    """An array like `like` that is `dy` everywhere, or with `mean` ``dy / number of elements``."""
    return np.full_like(like, dy / like.size if mean and like.size else dy)
