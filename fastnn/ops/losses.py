"""Losses that are the mean along the last axis of a function of single elements.

Each is one function here with its slope, and two inline functions plus a row in
``csrc/kernels/losses.inc``. Predictions and targets of shape (..., n) give one value per row, shape (...),
and only predictions have gradients. The shape rules are those of cross-entropies and metrics too.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import invalid
from .activations import logistic
from .layout import cut, every_vector
from .reduce import ROUNDING, lane_sum_bound
from .table import TINY, by_row, op, per_element, same

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


@cut(every_vector)
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


__all__ = [name for name, value in globals().items() if hasattr(value, "op")]
