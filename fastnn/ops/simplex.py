"""The relatives of softmax along the last axis: its logarithm, and the sparse distribution nearest to the logits."""

import numpy as np

from .crossentropy import draw_logits, shifted, surprisal_error
from .losses import column, row_shape
from .reduce import ROUNDING, lane_roundings, lane_sum_bound
from .table import TINY, by_row, op, per_element

__all__ = ["log_softmax", "log_softmax_grad", "sparsemax", "sparsemax_grad"]


@op(
    shape=row_shape,
    dims=by_row,
    grad=lambda step, dy: [log_softmax_grad(dy, step.outs[0])],
    kind="softmax",
    flops=per_element(30),
    tol=lambda z: surprisal_error(z) + TINY,
    example=draw_logits,
)
def log_softmax(z):
    """Logarithm of the softmax along the last axis.

    It is ``z - top - log(sum of e^(z - top))``, with top the largest z of the row.

    Parameters
    ----------
    z : ndarray of shape (..., n)

    Returns
    -------
    ndarray of the same shape

    Examples
    --------
    >>> log_softmax(np.log([[1.0, 3.0]])).round(4)
    array([[-1.3863, -0.2877]])
    """
    d = shifted(z)
    return d - np.log(np.exp(d).sum(axis=-1, keepdims=True))


def log_softmax_grad_bound(dy, y):
    """The sum, e^y within 1.5 ulp, the multiply-add."""
    total = dy.sum(-1, keepdims=True)
    return np.exp(y) * (column(lane_sum_bound(dy)) + 3.1 * ROUNDING * np.abs(total)) + ROUNDING * np.abs(
        log_softmax_grad.op.reference(dy, y)
    )


@op(
    shape=row_shape,
    dims=by_row,
    kind="softmax",
    flops=per_element(14),
    tol=log_softmax_grad_bound,
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, width)), log_softmax(draw_logits(rng, rows, width)[0][0])),
        {},
    ),
)
def log_softmax_grad(dy, y):
    """Gradient of `log_softmax` by its input: ``dy - e^y * sum of dy``."""
    return dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)


def sparsemax_bound(z):
    """The threshold is a mean of differences of at most 1, each rounded, in 16 lanes, minus 1, divided.

    That counts twice, for what lies so near to it may be taken for either side. Then there are two differences.
    """
    return np.full(z.shape, ROUNDING * (2 * (lane_roundings(z.shape[-1]) + 4) + 2))


@op(
    shape=row_shape,
    dims=by_row,
    grad=lambda step, dy: [sparsemax_grad(dy, step.outs[0])],
    kind="softmax",
    flops=per_element(20),
    tol=sparsemax_bound,
    example=draw_logits,
)
def sparsemax(z):
    """The distribution that is nearest to the logits along the last axis: ``max(z - tau, 0)`` with sum 1.

    Martins & Astudillo, From Softmax to Sparsemax (2016): with the k largest z of the row, of which each is
    above ``(their sum - 1) / k`` and no other is, tau is that number. The gradient passes through what is above 0.

    Parameters
    ----------
    z : ndarray of shape (..., n)

    Returns
    -------
    ndarray of the same shape
        Not negative, and each row adds up to 1.

    Examples
    --------
    >>> sparsemax(np.array([[0.0, 0.0, -9.0], [0.5, 1.0, 0.0]]))
    array([[0.5 , 0.5 , 0.  ],
           [0.25, 0.75, 0.  ]])
    """
    d = shifted(z)
    largest = -np.sort(-d, axis=-1)
    sums, k = largest.cumsum(axis=-1), np.arange(1, z.shape[-1] + 1)
    inside = largest * k > sums - 1
    count = inside.sum(axis=-1, keepdims=True)
    total = np.where(inside, largest, 0).sum(axis=-1, keepdims=True)
    above = d - ((total - 1) / count).astype(z.dtype)
    return np.where(above <= 0, z.dtype.type(0), above)


def sparsemax_grad_bound(dy, y):
    """The sum over the support, its quotient, the difference."""
    kept = np.where(y > 0, dy, 0)
    count = (y > 0).sum(-1, keepdims=True)
    mean = kept.sum(-1, keepdims=True) / count
    return column(lane_sum_bound(kept)) / count + ROUNDING * (np.abs(mean) + np.abs(kept - mean)) + TINY


@op(
    shape=row_shape,
    dims=by_row,
    kind="softmax",
    flops=per_element(6),
    tol=sparsemax_grad_bound,
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, width)), sparsemax(draw_logits(rng, rows, width)[0][0])),
        {},
    ),
)
def sparsemax_grad(dy, y):
    """Gradient of `sparsemax` by its input: ``dy - mean of dy over the support`` where ``y > 0``, else 0."""
    kept = np.where(y > 0, dy, 0)
    mean = kept.sum(axis=-1, keepdims=True) / (y > 0).sum(axis=-1, keepdims=True)
    return np.where(y <= 0, 0, dy - mean.astype(dy.dtype)).astype(dy.dtype, copy=False)
