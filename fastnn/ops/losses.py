"""Losses that are the mean along the last axis of a function of single elements.

Each is one function here with its slope, and two inline functions plus a row in
``csrc/kernels/losses.inc``; numbers such as Huber's delta are attributes. Predictions and targets of
shape (..., n) give one value per row, shape (...), and only predictions have gradients. The shape rules
are those of cross-entropies and metrics too.
"""

import functools
import inspect
import math
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

    def rule(dl, y, target, **attrs):
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
    """Enter the mean of ``f(y, t, **attributes)`` along the last axis, and its gradient, as two rows.

    The loss ``<name>(y, t)`` has a value per row, the gradient ``<name>_grad(dl, y, t)`` is
    ``dl * slope(y, t) / n`` for rows of n elements. Attributes are numbers, the keyword-only parameters of f; slope,
    error and slope_error take them too.

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
    draw = example or draw_normal_pair

    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def reference(y: np.ndarray, t: np.ndarray, **attrs: float) -> np.ndarray:
            return f(y, t, **attrs).mean(axis=-1)

        def grad_reference(dl: np.ndarray, y: np.ndarray, t: np.ndarray, **attrs: float) -> np.ndarray:
            return column(dl / dl.dtype.type(y.shape[-1])) * slope(y, t, **attrs)

        def bound(y: np.ndarray, t: np.ndarray, **attrs: float) -> np.ndarray:
            total = lane_sum_bound(f(y, t, **attrs), error(y, t, **attrs))
            return total / y.shape[-1] + ROUNDING * np.abs(reference(y, t, **attrs))

        def grad_bound(dl: np.ndarray, y: np.ndarray, t: np.ndarray, **attrs: float) -> np.ndarray:
            # Quotient dl / n and product.
            scale = np.abs(column(dl / y.shape[-1]))
            roundings = 2 * ROUNDING * np.abs(slope(y, t, **attrs))
            return scale * (1.01 * slope_error(y, t, **attrs) + roundings) + TINY

        def draw_gradient(rng: Any, rows: int, width: int) -> Any:
            (y, t), attrs = draw(rng, rows, width)
            return (rng.standard_normal(rows), y, t), attrs

        grad_reference.__name__ = f"{f.__name__}_grad"
        grad_reference.__doc__ = f"Gradient of `{f.__name__}` by the predictions: ``dl * slope(y, t) / n``."
        parameters = list(inspect.signature(f).parameters.values())
        above = inspect.Parameter("dl", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        grad_reference.__signature__ = inspect.Signature([above, *parameters])  # type: ignore[attr-defined]
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
            grad=lambda step, dl: [gradient(dl, *step.ins, **step.attrs), None],
            kind="loss",
            flops=per_element(flops),
            tol=bound,
            example=draw,
        )(reference)

    return enter


def draw_normal_pair(rng: Any, rows: int, width: int) -> Any:
    return (rng.standard_normal((rows, width)), rng.standard_normal((rows, width))), {}


def draw_pairs_with(**attrs: float) -> Callable[..., Any]:
    """The default example with these attributes."""
    return lambda rng, rows, width: (draw_normal_pair(rng, rows, width)[0], attrs)


def draw_signs(rng: Any, rows: int, width: int) -> Any:
    """Predictions, and targets of -1 and 1."""
    return (rng.standard_normal((rows, width)), 2.0 * rng.integers(0, 2, (rows, width)) - 1), {}


def draw_counts(rng: Any, rows: int, width: int) -> Any:
    """Predictions and targets of at least 0, as of numbers of events."""
    return (rng.exponential(2, (rows, width)), 1.0 * rng.poisson(2, (rows, width))), {}


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


def relative_to(t):
    """What errors are divided by in percentages: ``max(|t|, 1e-7)``."""
    return np.maximum(np.abs(t), LOW)


@mean_loss(
    slope=lambda y, t: 100 * np.sign(y - t) / relative_to(t),
    error=lambda y, t: 3 * ROUNDING * 100 * np.abs(y - t) / relative_to(t),  # the difference, times 100, the quotient
    slope_error=lambda y, t: ROUNDING * 100 / relative_to(t),
    flops=6,
)
def mean_absolute_percentage_error(y, t):
    """Mean absolute percentage error: the mean of ``100 |y - t| / max(|t|, 1e-7)`` along the last axis.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> mean_absolute_percentage_error(np.array([[1.0, 5.0]]), np.array([[2.0, 4.0]]))
    array([37.5])
    """
    return 100 * np.abs(y - t) / relative_to(t)


def growth(y):
    """Logarithm of 1 + y, for y of at least 1e-7."""
    return np.log1p(np.maximum(y, LOW))


def growth_error(y, t):
    """Error of the difference of two logarithms, each within 2 ulp."""
    return ROUNDING * (4 * (growth(y) + growth(t)) + np.abs(growth(y) - growth(t)))


def squared_growth_slope(y, t):
    return np.where(y < LOW, y.dtype.type(0), 2 * (growth(y) - growth(t)) / (1 + np.maximum(y, LOW)))


@mean_loss(
    slope=squared_growth_slope,
    # d^2 with an error e of d, and the product
    error=lambda y, t: (
        (2 * np.abs(growth(y) - growth(t)) + growth_error(y, t)) * growth_error(y, t)
        + ROUNDING * (growth(y) - growth(t)) ** 2
    ),
    # d, 1 + y and the quotient
    slope_error=lambda y, t: (
        2.02 * growth_error(y, t) / (1 + np.maximum(y, LOW)) + 2 * ROUNDING * np.abs(squared_growth_slope(y, t))
    ),
    flops=60,
    example=draw_counts,
)
def mean_squared_logarithmic_error(y, t):
    """Mean squared logarithmic error: the mean of ``(log(1 + y) - log(1 + t))^2`` along the last axis.

    y and t below 1e-7 count as 1e-7, and the slope by such y is 0.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> mean_squared_logarithmic_error(np.array([[0.0, np.e - 1]]), np.array([[0.0, 0.0]])).round(4)
    array([0.5])
    """
    return (growth(y) - growth(t)) ** 2


def huber_slope(y, t, *, delta):
    return np.clip(y - t, -delta, delta)


@mean_loss(
    slope=huber_slope,
    # With m = min(|e|, delta): e and delta each change at most m |e| < 2 f; the second factor, the product.
    error=lambda y, t, *, delta: 6 * ROUNDING * huber_elements(y, t, delta),
    slope_error=lambda y, t, *, delta: 2 * ROUNDING * np.abs(huber_slope(y, t, delta=delta)),  # e and delta
    flops=6,
    example=draw_pairs_with(delta=0.7),
)
def huber(y, t, *, delta=1.0):
    """Huber loss: the mean of ``e^2 / 2`` for ``|e| <= delta``, else ``delta |e| - delta^2 / 2``, with e = y - t.

    It is ``m (|e| - m / 2)`` with ``m = min(|e|, delta)``. Huber, Robust Estimation of a Location Parameter (1964).

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.
    delta : float, default 1.0
        Positive.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> huber(np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]]), delta=1.0)
    array([1.3125])
    """
    return huber_elements(y, t, delta)


def huber_elements(y, t, delta):
    e = np.abs(y - t)
    m = np.minimum(e, delta)
    return (m * (e - m / 2)).astype(y.dtype, copy=False)


def log_cosh_elements(y, t):
    a = np.abs(y - t)
    m = -np.expm1(-a)
    q = 1 - m
    near = a <= 1
    rest = np.where(near, m * m / (2 * np.where(near, q, 1)), q * q)
    return np.where(near, a.dtype.type(0), a - a.dtype.type(math.log(2))) + np.log1p(rest)


def log_cosh_error(y, t):
    # With R a rounding: expm1 within 2 ulp is 4 R of m. Up to 1: m^2 has 9 R, q = 1 - m at most 8 R, the quotient
    # 1 R, log1p within 2 ulp 4 R, and e, whose error counts a tanh(a) <= 2 f times, 2 R. Beyond: the rest has
    # 10 R q + R q^2, log1p 4 R of it, with q < 0.37; a - log 2 and log 2 and e have R (2 a + 0.7), the sum R f.
    a, f = np.abs(y - t), log_cosh_elements(y, t)
    return ROUNDING * np.where(a <= 1, 25 * f, 6 + 2 * a + f) + TINY


@mean_loss(
    slope=lambda y, t: np.tanh(y - t),
    error=log_cosh_error,
    slope_error=lambda y, t: 5 * ROUNDING * np.abs(np.tanh(y - t)) + TINY,  # the difference, tanh within 2 ulp
    flops=70,
    example=lambda rng, rows, width: ((3 * rng.standard_normal((rows, width)), rng.standard_normal((rows, width))), {}),
)
def log_cosh(y, t):
    """Logarithm of the hyperbolic cosine of the error: the mean of ``log(cosh(y - t))`` along the last axis.

    With ``a = |y - t|`` and ``q = e^-a`` it is ``log1p((1 - q)^2 / (2 q))`` up to a = 1 and
    ``a - log 2 + log1p(q^2)`` beyond: neither loses digits near 0, nor overflows.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> log_cosh(np.array([[1e-4, 1000.0]]), np.array([[0.0, 1000.0]]))
    array([2.5e-09])
    """
    return log_cosh_elements(y, t)


def pinball_slope(y, t, *, quantile):
    e = t - y
    return np.where(e > 0, e.dtype.type(-quantile), np.where(e < 0, e.dtype.type(1 - quantile), e * 0))


def pinball_elements(y, t, quantile):
    e = t - y
    return np.maximum(quantile * e, (quantile - 1) * e)


@mean_loss(
    slope=pinball_slope,
    # the difference, the factor, the product
    error=lambda y, t, *, quantile: 3 * ROUNDING * np.abs(pinball_elements(y, t, quantile)),
    slope_error=lambda y, t, *, quantile: ROUNDING * np.abs(pinball_slope(y, t, quantile=quantile)),  # the factor
    flops=5,
    example=draw_pairs_with(quantile=0.9),
)
def pinball(y, t, *, quantile=0.5):
    """Pinball loss, which a quantile of the targets minimizes: the mean of ``max(q e, (q - 1) e)`` with e = t - y.

    The slope where e = 0 is 0. Koenker & Bassett, Regression Quantiles (1978).

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions and targets.
    quantile : float, default 0.5
        Between 0 and 1; 0.5 gives half of the mean absolute error.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> pinball(np.array([[1.0, 1.0]]), np.array([[3.0, 0.0]]), quantile=0.75)
    array([0.875])
    """
    return pinball_elements(y, t, quantile)


def shortfall(y, t):
    """How far ``t y`` is below 1."""
    return np.maximum(1 - t * y, 0)


@mean_loss(
    slope=lambda y, t: np.where(shortfall(y, t) > 0, -t, shortfall(y, t) * 0),
    error=lambda y, t: ROUNDING * shortfall(y, t),  # a fused multiply-add, which has the right sign
    slope_error=lambda y, t: 0.0,
    flops=3,
    example=draw_signs,
)
def hinge(y, t):
    """Hinge loss: the mean of ``max(1 - t y, 0)`` along the last axis; the slope where t y = 1 is 0.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions, and targets of -1 and 1.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> hinge(np.array([[0.5, 2.0]]), np.array([[1.0, -1.0]]))
    array([1.75])
    """
    return shortfall(y, t)


@mean_loss(
    slope=lambda y, t: -2 * t * shortfall(y, t),
    error=lambda y, t: 3.1 * ROUNDING * shortfall(y, t) ** 2,  # the fused multiply-add, squared, and the square
    slope_error=lambda y, t: 2 * ROUNDING * np.abs(2 * t * shortfall(y, t)),
    flops=4,
    example=draw_signs,
)
def squared_hinge(y, t):
    """Squared hinge loss: the mean of ``max(1 - t y, 0)^2`` along the last axis.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predictions, and targets of -1 and 1.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> squared_hinge(np.array([[0.5, 2.0]]), np.array([[1.0, -1.0]]))
    array([4.625])
    """
    return shortfall(y, t) ** 2


def poisson_error(y, t):
    # y + 1e-7 and the rounding of 1e-7 move the logarithm, which is within 1.5 ulp, by 2 roundings; the fused sum.
    logarithm = np.log(y + LOW)
    return ROUNDING * (np.abs(t) * (2 + 3 * np.abs(logarithm)) + np.abs(y - t * logarithm))


@mean_loss(
    slope=lambda y, t: 1 - t / (y + LOW),
    error=poisson_error,
    slope_error=lambda y, t: ROUNDING * (2 * np.abs(t / (y + LOW)) + np.abs(1 - t / (y + LOW))),
    flops=30,
    example=draw_counts,
)
def poisson(y, t):
    """Poisson loss: the mean of ``y - t log(y + 1e-7)`` along the last axis; NaN for y below -1e-7.

    It is the negative logarithm of the likelihood of t for a Poisson distribution of mean y, without what does not
    depend on y.

    Parameters
    ----------
    y, t : ndarray of shape (..., n)
        Predicted means, and targets of at least 0.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> poisson(np.array([[1.0, 2.0]]), np.array([[3.0, 0.0]])).round(4)
    array([1.5])
    """
    return y - t * np.log(y + LOW)


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
