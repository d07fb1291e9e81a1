"""Softmax and categorical cross-entropy, from logits and from probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .elementwise import add
from .losses import (
    by_output_row,
    clipped,
    clips,
    column,
    grad_shape,
    label_shape,
    pair_shape,
    per_output,
    row_shape,
)
from .reduce import ROUNDING, lane_roundings, lane_sum_bound
from .table import TINY, by_row, op, per_element

# Softmax


def shifted(z):
    return z - z.max(axis=-1, keepdims=True)


def exp_errors(z):
    """Relative error of each e^(z - top), and of their sum: the difference, then exp within 1.5 ulp."""
    d = shifted(z)
    term = ROUNDING * (np.abs(d) + 3)
    total = (np.exp(d) * term).sum(-1, keepdims=True) / np.exp(d).sum(-1, keepdims=True)
    return term, total + lane_roundings(z.shape[-1]) * ROUNDING


def softmax_bound(z):
    term, total = exp_errors(z)
    return softmax(z) * (1.01 * (term + total) + ROUNDING) + TINY


def draw_logits(rng, rows, width):
    return (3 * rng.standard_normal((rows, width)),), {}


@op(
    shape=row_shape,
    dims=by_row,
    grad=lambda step, dp: [softmax_grad(dp, step.outs[0])],
    kind="softmax",
    flops=per_element(30),
    tol=softmax_bound,
    example=draw_logits,
)
def softmax(z):
    """Softmax along the last axis: ``e^(z - top) / sum of e^(z - top)``, with top the largest z of the row.

    Parameters
    ----------
    z : ndarray of shape (..., n)

    Returns
    -------
    ndarray of the same shape
        Not negative, and each row adds up to 1.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [0.0, 1000.0]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    e = np.exp(shifted(z))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_grad_bound(dp, p):
    dot = (dp * p).sum(-1, keepdims=True)
    return np.abs(p) * (column(lane_sum_bound(dp * p)) + 2 * ROUNDING * np.abs(dp - dot)) + TINY


@op(
    shape=row_shape,
    dims=by_row,
    kind="softmax",
    flops=per_element(4),
    tol=softmax_grad_bound,
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, width)), softmax(draw_logits(rng, rows, width)[0][0])),
        {},
    ),
)
def softmax_grad(dp, p):
    """Gradient of `softmax` by its input: ``p (dp - sum of dp p)``."""
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


# Categorical cross-entropy


def draw_targets(rng, rows, width):
    """Rows of targets that need not add up to 1."""
    return rng.uniform(0, 1, (rows, width))


def draw_labels(rng, rows, width):
    return rng.integers(0, max(width, 1), rows).astype(np.int32)


def draw_pair(draw_prediction, draw_target):
    """Example (predictions, targets or labels)."""
    return lambda rng, rows, width: ((draw_prediction(rng, rows, width)[0][0], draw_target(rng, rows, width)), {})


def draw_grad(draw_prediction, draw_target):
    """Example (dl, predictions, targets or labels)."""
    pair = draw_pair(draw_prediction, draw_target)

    def example(rng, rows, width):
        arrays, attrs = pair(rng, rows, width)
        return (rng.standard_normal(rows), *arrays), attrs

    return example


def draw_softmax(rng, rows, width):
    return (softmax(draw_logits(rng, rows, width)[0][0]),), {}


def is_label(labels, x):
    """Whether each label is the number of an element of its row of x."""
    return (labels >= 0) & (labels < x.shape[-1])


def one_hot(labels, x):
    """Labels as rows of zeros with a one, like the array x."""
    return (column(labels) == np.arange(x.shape[-1])).astype(x.dtype)


def nan_unless(condition, x):
    return np.where(condition, x, x.dtype.type(np.nan))


def pick(x, labels):
    """The element of each row of x at its label; NaN where a label is not in range."""
    valid = is_label(labels, x)
    picked = np.take_along_axis(x, column(np.where(valid, labels, 0)), axis=-1)[..., 0]
    return nan_unless(valid, picked)


def surprisal(z):
    """``-log softmax(z)``."""
    d = shifted(z)
    return np.log(np.exp(d).sum(axis=-1, keepdims=True)) - d


def surprisal_error(z):
    # The sum, its logarithm within 1.5 ulp, z - top, the difference.
    d = shifted(z)
    log_sum = np.log(np.exp(d).sum(axis=-1, keepdims=True))
    return 1.01 * exp_errors(z)[1] + ROUNDING * (3 * log_sum + np.abs(d) + np.abs(log_sum - d))


def weighted_bound(t, x, error):
    """Bound on the error of the sum of ``t * x`` along the last axis: of x, the product and the sum."""
    return lane_sum_bound(t * x, np.abs(t) * (error + ROUNDING * np.abs(x)))


def from_logits_gradient(loss_grad: Callable[..., Any], step: Any, dl: Any, dp: Any) -> list[Any]:
    """Gradient of a cross-entropy from logits: through the loss, and through the probabilities if they are used."""
    p, target = step.outs[1], step.ins[1]
    dz = None if dl is None else loss_grad(dl, p, target)
    if dp is not None:
        dz = softmax_grad(dp, p) if dz is None else add(dz, softmax_grad(dp, p))
    return [dz, None]


@op(
    shape=lambda z, t: [pair_shape(z, t), z],
    dims=by_row,
    grad=lambda step, dl, dp: from_logits_gradient(categorical_crossentropy_from_logits_grad, step, dl, dp),
    kind="loss",
    flops=per_element(35),
    tol=lambda z, t: [weighted_bound(t, surprisal(z), surprisal_error(z)), softmax_bound(z)],
    example=draw_pair(draw_logits, draw_targets),
    also=(1, "softmax"),
)
def categorical_crossentropy_from_logits(z, t):
    """Cross-entropy of softmax outputs, from logits: ``sum of t (log sum e^(z - top) - (z - top))`` per row.

    Parameters
    ----------
    z, t : ndarray of shape (..., n)
        Logits, and targets that usually add up to 1.

    Returns
    -------
    loss : ndarray of shape (...)
    p : ndarray of shape (..., n)
        ``softmax(z)``, to the last bit. Only the loss passes a gradient on.

    Examples
    --------
    >>> loss, p = categorical_crossentropy_from_logits(np.array([[0.0, 1000.0]]), np.array([[1.0, 0.0]]))
    >>> loss, p
    (array([1000.]), array([[0., 1.]]))
    """
    return (t * surprisal(z)).sum(axis=-1), softmax(z)


def logits_grad_bound(dl, p, t):
    # The sum of t, the fused difference, the product.
    total = column(t.sum(-1))
    return np.abs(column(dl)) * (p * column(lane_sum_bound(t)) + 2 * ROUNDING * np.abs(p * total - t)) + TINY


@op(
    shape=grad_shape(pair_shape),
    dims=by_output_row,
    kind="loss_grad",
    flops=per_output(4),
    tol=logits_grad_bound,
    example=draw_grad(draw_softmax, draw_targets),
)
def categorical_crossentropy_from_logits_grad(dl, p, t):
    """Gradient of `categorical_crossentropy_from_logits` by z: ``dl (p * sum of t - t)``, p the softmax."""
    return column(dl) * (p * t.sum(axis=-1, keepdims=True) - t)


@op(
    shape=lambda z, labels: [label_shape(z, labels), z],
    dims=by_row,
    grad=lambda step, dl, dp: from_logits_gradient(sparse_categorical_crossentropy_from_logits_grad, step, dl, dp),
    kind="loss",
    flops=per_element(30),
    tol=lambda z, labels: [pick(surprisal_error(z), labels) + TINY, softmax_bound(z)],
    example=draw_pair(draw_logits, draw_labels),
    integers=(1,),
    also=(1, "softmax"),
)
def sparse_categorical_crossentropy_from_logits(z, labels):
    """`categorical_crossentropy_from_logits` for one label per row.

    Parameters
    ----------
    z : ndarray of shape (..., n)
        Logits.
    labels : int32 ndarray of shape (...)
        A label outside [0, n) makes loss and gradient of its row NaN.

    Returns
    -------
    loss : ndarray of shape (...)
    p : ndarray of shape (..., n)
        ``softmax(z)``, to the last bit. Only the loss passes a gradient on.

    Examples
    --------
    >>> loss, p = sparse_categorical_crossentropy_from_logits(np.array([[0.0, 1000.0]]), np.array([0]))
    >>> loss, p
    (array([1000.]), array([[0., 1.]]))
    """
    return pick(surprisal(z), labels), softmax(z)


@op(
    shape=grad_shape(label_shape),
    dims=by_output_row,
    kind="loss_grad",
    flops=per_output(2),
    tol=1.0,
    example=draw_grad(draw_softmax, draw_labels),
    integers=(2,),
)
def sparse_categorical_crossentropy_from_logits_grad(dl, p, labels):
    """Gradient of `sparse_categorical_crossentropy_from_logits` by z: ``dl (p - one_hot(labels))``."""
    return column(nan_unless(is_label(labels, p), dl)) * (p - one_hot(labels, p))


# Categorical cross-entropy on probabilities


def draw_weights(rng, rows, width):
    """Rows that need not add up to 1, some elements far enough below 0 to be on the flat side of the clip."""
    p = np.where(rng.uniform(size=(rows, width)) < 0.8, rng.uniform(0.1, 1, (rows, width)), -0.01)
    p[..., :1] = rng.uniform(0.5, 1, (rows, 1))
    return (p,), {}


def normalized(p):
    return p / p.sum(axis=-1, keepdims=True)


def quotient_roundings(p):
    """Roundings of ``p / sum of p``: those of the sum, more where its terms cancel, and the quotient."""
    condition = np.abs(p).sum(-1, keepdims=True) / np.abs(p.sum(-1, keepdims=True))
    return lane_roundings(p.shape[-1]) * condition + 1


def log_loss(p):
    return -np.log(clipped(normalized(p)))


def log_loss_error(p):
    return ROUNDING * (quotient_roundings(p) + 3 * log_loss(p))  # the logarithm within 1.5 ulp


@op(
    shape=pair_shape,
    dims=by_row,
    grad=lambda step, dl: [categorical_crossentropy_grad(dl, *step.ins), None],
    kind="loss",
    flops=per_element(30),
    tol=lambda p, t: weighted_bound(t, log_loss(p), log_loss_error(p)),
    example=draw_pair(draw_weights, draw_targets),
)
def categorical_crossentropy(p, t):
    """Categorical cross-entropy on probabilities: ``-sum of t log q`` per row.

    q is ``p / sum of p`` clipped to [1e-7, 1 - 1e-7], as in Keras; where clipping changes q nothing flows
    back. From logits it is more accurate.

    Parameters
    ----------
    p, t : ndarray of shape (..., n)
        Predictions, each row with a positive sum, and targets.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> categorical_crossentropy(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]])).round(4)
    array([0.2877])
    """
    return (t * log_loss(p)).sum(axis=-1)


def clipped_terms(p, t):
    """The targets that clipping lets through, and these divided by their q."""
    q = normalized(p)
    lost = clips(q)
    u = np.where(lost, p.dtype.type(0), t)
    return u, u / np.where(lost, 1, q)


def entropy_grad_bound(dl, p, t):
    n = quotient_roundings(p)
    u, own = clipped_terms(p, t)
    difference = u.sum(-1, keepdims=True) - own
    # q and u / q; the sum of u; then the difference, dl / sum of p and the product.
    inner = ROUNDING * ((n + 1) * np.abs(own) + (n + 2) * np.abs(difference)) + column(lane_sum_bound(u))
    return 1.01 * np.abs(column(dl) / p.sum(-1, keepdims=True)) * inner + TINY


@op(
    shape=grad_shape(pair_shape),
    dims=by_output_row,
    kind="loss_grad",
    flops=per_output(20),
    tol=entropy_grad_bound,
    example=draw_grad(draw_weights, draw_targets),
)
def categorical_crossentropy_grad(dl, p, t):
    """Gradient of `categorical_crossentropy` by p: ``dl / sum of p * (sum of u - u / q)``.

    u is t, or 0 where clipping changed q: with ``g = -u / q``, the gradient by q, and ``q = p / sum of p``,
    the gradient by p is ``(g - sum of g q) / sum of p``.
    """
    u, own = clipped_terms(p, t)
    return column(dl) / p.sum(axis=-1, keepdims=True) * (u.sum(axis=-1, keepdims=True) - own)


@op(
    shape=label_shape,
    dims=by_row,
    grad=lambda step, dl: [sparse_categorical_crossentropy_grad(dl, *step.ins), None],
    kind="loss",
    flops=per_element(2),
    tol=lambda p, labels: pick(log_loss_error(p), labels) + TINY,
    example=draw_pair(draw_weights, draw_labels),
    integers=(1,),
)
def sparse_categorical_crossentropy(p, labels):
    """`categorical_crossentropy` for one label per row.

    Parameters
    ----------
    p : ndarray of shape (..., n)
        Predictions, each row with a positive sum.
    labels : int32 ndarray of shape (...)
        A label outside [0, n) makes loss and gradient of its row NaN.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> sparse_categorical_crossentropy(np.array([[1.0, 3.0]]), np.array([1])).round(4)
    array([0.2877])
    """
    return pick(log_loss(p), labels)


@op(
    shape=grad_shape(label_shape),
    dims=by_output_row,
    kind="loss_grad",
    flops=per_output(2),
    tol=lambda dl, p, labels: entropy_grad_bound(dl, p, one_hot(labels, p)),
    example=draw_grad(draw_weights, draw_labels),
    integers=(2,),
)
def sparse_categorical_crossentropy_grad(dl, p, labels):
    """Gradient of `sparse_categorical_crossentropy` by p: as in the dense form with one-hot targets."""
    return categorical_crossentropy_grad(nan_unless(is_label(labels, p), dl), p, one_hot(labels, p))


__all__ = [name for name, value in globals().items() if hasattr(value, "op")]
