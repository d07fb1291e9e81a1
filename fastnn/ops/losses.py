"""Losses, softmax and metrics: operations along the last axis.

A loss or metric has one value per row: predictions and targets of shape (..., n) give shape (...), and
integer labels have shape (...). Only predictions have gradients. A loss that is the mean of a function of
single elements is one function here with its slope, and two inline functions plus a row in
``csrc/kernels/losses.inc``.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import invalid
from .activations import TINY, logistic
from .reduce import ROUNDING, lane_roundings, lane_sum_bound
from .table import by_row, op, per_element, same

# Keras' bounds for probabilities, as float32 has them: then 1 - HIGH, and with it the largest loss, is the
# same number in float64.
LOW, HIGH = float(np.float32(1e-7)), float(np.float32(1 - 1e-7))

# Shapes


def row_shape(y, *more, **attrs):
    """Shape rule: arrays alike, with a last axis that is not empty; the output is like them."""
    if not same(y, *more) or y == (None,) or y[-1] == 0:
        raise invalid(
            "prediction",
            f"shape {y}",
            "a last axis of at least one element, along which to work",
            "give the predictions a last axis of size 1",
        )
    return y


def pair_shape(y, t, **attrs):
    """Shape rule: predictions and targets alike; the output has one value per row."""
    return row_shape(y, t)[:-1]


def label_shape(y, labels, **attrs):
    """Shape rule: integer labels, one per row of the predictions; the output has one value per row."""
    if labels != row_shape(y)[:-1]:
        raise invalid(
            "labels",
            f"shape {labels} for predictions of shape {y}",
            "one integer label per row",
            f"reshape the labels to {y[:-1]}, or use the loss for one-hot targets",
        )
    return labels


def grad_shape(target_shape):
    """Shape rule of a gradient ``(dl, y, target)``: one number from above per row, the output like y."""

    def rule(dl, y, target):
        if dl != target_shape(y, target):
            raise invalid("dl", f"shape {dl}", f"shape {y[:-1]}", "pass one number per row")
        return y

    return rule


def by_output_row(ins, outs):
    return by_row(outs, ins)


def column(x):
    """One number per row, to be broadcast along the row."""
    return x[..., np.newaxis]


# Means of functions of (prediction, target)


def mean_loss(
    slope: Callable[..., Any],
    error: Callable[..., Any],
    slope_error: Callable[..., Any],
    flops: float,
    example: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Enter the mean of ``f(y, t)`` along the last axis, and its gradient, as two rows.

    The loss ``<name>(y, t)`` has a value per row, the gradient ``<name>_grad(dl, y, t)`` is
    ``dl * slope(y, t) / n`` for rows of n elements.

    Parameters
    ----------
    slope : callable
        ``slope(y, t)``, the derivative of f by y.
    error, slope_error : callable
        ``error(y, t)``, absolute bounds on the error of one f and one slope in C.
    flops : float
        Operations per element.
    example : callable, optional
        As in `Op`; the default draws normal predictions and targets.
    """

    def draw_normal(rng: Any, rows: int, width: int) -> Any:
        return (rng.standard_normal((rows, width)), rng.standard_normal((rows, width))), {}

    draw = example or draw_normal

    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def reference(y: np.ndarray, t: np.ndarray) -> np.ndarray:
            return f(y, t).mean(axis=-1)

        def grad_reference(dl: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
            return column(dl / dl.dtype.type(y.shape[-1])) * slope(y, t)

        def bound(y: np.ndarray, t: np.ndarray) -> np.ndarray:
            total = lane_sum_bound(f(y, t), error(y, t))
            return total / y.shape[-1] + ROUNDING * np.abs(reference(y, t))

        def grad_bound(dl: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
            # Quotient dl / n and product.
            scale = np.abs(column(dl / y.shape[-1]))
            return scale * (1.01 * slope_error(y, t) + 2 * ROUNDING * np.abs(slope(y, t))) + TINY

        def draw_gradient(rng: Any, rows: int, width: int) -> Any:
            (y, t), attrs = draw(rng, rows, width)
            return (rng.standard_normal(rows), y, t), attrs

        grad_reference.__name__ = f"{f.__name__}_grad"
        grad_reference.__doc__ = f"Gradient of `{f.__name__}` by the predictions: ``dl * slope(y, t) / n``."
        gradient = op(
            shape=grad_shape(pair_shape),
            dims=by_output_row,
            kind="loss_grad",
            flops=per_output(flops + 1),
            tol=grad_bound,
            example=draw_gradient,
        )(grad_reference)
        return op(
            shape=pair_shape,
            dims=by_row,
            grad=lambda step, dl: [gradient(dl, *step.ins), None],
            kind="loss",
            flops=per_element(flops),
            tol=bound,
            example=draw,
        )(reference)

    return enter


def per_output(flops: float) -> Callable[..., float]:
    """Cost rule: so many operations for each element of the first output."""
    return lambda ins, outs: per_element(flops)(outs, ins)


@mean_loss(
    slope=lambda y, t: 2 * (y - t),
    error=lambda y, t: 3 * ROUNDING * (y - t) ** 2,  # the difference, squared, and the square
    slope_error=lambda y, t: 2 * ROUNDING * np.abs(y - t),
    flops=3,
)
def mean_squared_error(y, t):
    """Mean squared error: the mean of ``(y - t)^2`` along the last axis.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> mean_squared_error(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))
    array([2.5])
    """
    return (y - t) ** 2


@mean_loss(
    slope=lambda y, t: np.sign(y - t),
    error=lambda y, t: ROUNDING * np.abs(y - t),
    slope_error=lambda y, t: 0.0,
    flops=3,
)
def mean_absolute_error(y, t):
    """Mean absolute error: the mean of ``|y - t|`` along the last axis; its slope where y = t is 0.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> mean_absolute_error(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))
    array([1.5])
    """
    return np.abs(y - t)


def clipped(p):
    return np.clip(p, LOW, HIGH)


def clips(p):
    """Where clipping changes p, so that nothing flows back; false for NaN."""
    return (p < LOW) | (p > HIGH)


def binary_entropy_slope(y, t):
    p = clipped(y)
    return np.where(clips(y), y.dtype.type(0), (p - t) / (p * (1 - p)))


def binary_entropy_error(y, t):
    # log1p within 2 ulp, log within 1.5; 1 - t, the product, the fused sum.
    p = clipped(y)
    return 7 * ROUNDING * (np.abs(t * np.log(p)) + np.abs((1 - t) * np.log1p(-p)))


def draw_probabilities(rng, rows, width):
    return (rng.uniform(-0.2, 1.2, (rows, width)), rng.uniform(0, 1, (rows, width))), {}


@mean_loss(
    slope=binary_entropy_slope,
    error=binary_entropy_error,
    slope_error=lambda y, t: 4 * ROUNDING * np.abs(binary_entropy_slope(y, t)),
    flops=60,
    example=draw_probabilities,
)
def binary_crossentropy(y, t):
    """Binary cross-entropy on probabilities: the mean of ``-t log p - (1 - t) log(1 - p)``.

    p is y clipped to [1e-7, 1 - 1e-7] as in Keras; the slope is 0 where that changes y.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predicted probabilities, and targets from 0 to 1.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> binary_crossentropy(np.array([[0.9, 0.2]]), np.array([[1.0, 0.0]])).round(4)
    array([0.1643])
    """
    p = clipped(y)
    return -(t * np.log(p) + (1 - t) * np.log1p(-p))


def logits_error(z, t):
    # exp within 1.5 ulp, log1p within 2; the fused sum, the sum.
    linear, rest = np.maximum(z, 0) - z * t, np.log1p(np.exp(-np.abs(z)))
    return 8 * ROUNDING * (np.abs(linear) + rest) + TINY


@mean_loss(
    slope=lambda z, t: logistic(z) - t,
    error=logits_error,
    # sigmoid within 2 ulp, the difference
    slope_error=lambda z, t: ROUNDING * (4 * logistic(z) + np.abs(logistic(z) - t)) + TINY,
    flops=60,
    example=lambda rng, rows, width: ((3 * rng.standard_normal((rows, width)), rng.uniform(0, 1, (rows, width))), {}),
)
def binary_crossentropy_from_logits(z, t):
    """Binary cross-entropy on logits: the mean of ``max(z, 0) - z t + log(1 + e^-|z|)``.

    That is ``-t log p - (1 - t) log(1 - p)`` with ``p = sigmoid(z)``, without overflow and without
    cancellation.

    Parameters
    ----------
    z, t : ndarray of shape (..., n)
        Logits, and targets from 0 to 1.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> binary_crossentropy_from_logits(np.array([[1000.0]]), np.array([[0.0]]))
    array([1000.])
    """
    return np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))


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


def surprise(z):
    """``-log softmax(z)``."""
    d = shifted(z)
    return np.log(np.exp(d).sum(axis=-1, keepdims=True)) - d


def surprise_error(z):
    # The sum, its logarithm within 1.5 ulp, z - top, the difference.
    d = shifted(z)
    log_sum = np.log(np.exp(d).sum(axis=-1, keepdims=True))
    return 1.01 * exp_errors(z)[1] + ROUNDING * (3 * log_sum + np.abs(d) + np.abs(log_sum - d))


def weighted_bound(t, x, error):
    """Bound on the error of the sum of ``t * x`` along the last axis: of x, the product and the sum."""
    return lane_sum_bound(t * x, np.abs(t) * (error + ROUNDING * np.abs(x)))


@op(
    shape=lambda z, t: [pair_shape(z, t), z],
    dims=by_row,
    grad=lambda step, dl, dp: [categorical_crossentropy_from_logits_grad(dl, step.outs[1], step.ins[1]), None],
    kind="loss",
    flops=per_element(35),
    tol=lambda z, t: [weighted_bound(t, surprise(z), surprise_error(z)), softmax_bound(z)],
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
    return (t * surprise(z)).sum(axis=-1), softmax(z)


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
    grad=lambda step, dl, dp: [sparse_categorical_crossentropy_from_logits_grad(dl, step.outs[1], step.ins[1]), None],
    kind="loss",
    flops=per_element(30),
    tol=lambda z, labels: [pick(surprise_error(z), labels) + TINY, softmax_bound(z)],
    example=draw_pair(draw_logits, draw_labels),
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
    return pick(surprise(z), labels), softmax(z)


@op(
    shape=grad_shape(label_shape),
    dims=by_output_row,
    kind="loss_grad",
    flops=per_output(2),
    tol=1.0,
    example=draw_grad(draw_softmax, draw_labels),
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
)
def sparse_categorical_crossentropy_grad(dl, p, labels):
    """Gradient of `sparse_categorical_crossentropy` by p: as in the dense form with one-hot targets."""
    return categorical_crossentropy_grad(nan_unless(is_label(labels, p), dl), p, one_hot(labels, p))


# Metrics: one value per row


def metric(shape, tol=0.0, draw_target=draw_labels, attrs=None):
    """Enter a metric ``(p, targets or labels)`` as a row."""
    draw = draw_pair(draw_softmax, draw_target)
    return op(
        shape=shape,
        dims=by_row,
        kind="metric",
        flops=per_element(2),
        tol=tol,
        example=lambda rng, rows, width: (draw(rng, rows, width)[0], attrs or {}),
    )


def hits(condition, like):
    return condition.astype(like.dtype)


@metric(label_shape)
def argmax_equals(p, labels):
    """1 where the first largest of a row of p is at its label, else 0 (sparse categorical accuracy).

    Parameters
    ----------
    p : ndarray of shape (..., n)
    labels : int32 ndarray of shape (...)

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> argmax_equals(np.array([[0.1, 0.7, 0.2], [0.4, 0.3, 0.3]]), np.array([1, 2]))
    array([1., 0.])
    """
    return hits(p.argmax(axis=-1) == labels, p)


@metric(pair_shape, draw_target=draw_targets)
def argmax_agrees(p, t):
    """1 where the first largest of a row is at the same place in p and t, else 0 (categorical accuracy).

    Parameters
    ----------
    p, t : ndarray of shape (..., n)

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> argmax_agrees(np.array([[0.1, 0.7, 0.2]]), np.array([[0.0, 1.0, 0.0]]))
    array([1.])
    """
    return hits(p.argmax(axis=-1) == t.argmax(axis=-1), p)


@metric(
    pair_shape,
    tol=0.5,
    draw_target=lambda rng, rows, width: 1.0 * (rng.uniform(size=(rows, width)) < 0.5),
    attrs={"threshold": 0.3},
)
def threshold_agrees(p, t, *, threshold=0.5):
    """Mean along the last axis of ``(p > threshold) == t`` (binary accuracy).

    Parameters
    ----------
    p, t : ndarray of shape (..., n)
        Predictions, and targets that are 0 or 1.
    threshold : float, default 0.5

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> threshold_agrees(np.array([[0.1, 0.7]]), np.array([[1.0, 1.0]]))
    array([0.5])
    """
    return hits((p > threshold) == t, p).mean(axis=-1)


@metric(label_shape, attrs={"k": 2})
def in_top_k(p, labels, *, k):
    """1 where fewer than k of a row of p are larger than the one at its label, else 0 (top-k accuracy).

    Parameters
    ----------
    p : ndarray of shape (..., n)
    labels : int32 ndarray of shape (...)
        0 results from a label outside [0, n), or one where p is NaN.
    k : int

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> in_top_k(np.array([[0.1, 0.7, 0.2], [0.4, 0.3, 0.3]]), np.array([0, 2]), k=2)
    array([0., 1.])
    """
    at_label = column(pick(p, labels))
    return hits(((p > at_label).sum(axis=-1) < k) & ~np.isnan(at_label[..., 0]), p)


__all__ = [name for name, value in globals().items() if hasattr(value, "op")]
