"""Quotients, shrinkage, thresholds, and what has no family."""

import math

import numpy as np

from ...errors import invalid
from ..activation import activation, with_attributes
from ..table import EPSILON, TINY


def quotient_bounded(x):
    """x where its quotients below are still finite, and already their limits."""
    return np.clip(x, -(2.0**100), 2.0**100)


@activation(slope=lambda x: (1 / (1 + np.abs(x))) ** 2, flops=5, tol=1.0, slope_tol=2.5)
def softsign(x):
    """``x / (1 + |x|)``.

    Examples
    --------
    >>> softsign(np.array([-np.inf, -1.0, 0.0, 3.0]))
    array([-1.  , -0.5 ,  0.  ,  0.75])
    """
    z = quotient_bounded(x)
    return z / (1 + np.abs(z))


def squareplus_shape(x, b=4.0):
    if not 0 <= b <= 2.0**90:
        raise invalid("b", b, "a number from 0 to 2^90", "use the usual 4, or 0 for relu")
    return x


def squareplus_slope(x, b=4.0):
    z = quotient_bounded(x)
    return squareplus.op.reference(z, b=b) / np.maximum(np.hypot(z, math.sqrt(b)), TINY)


# Of the root 1.0: b, the multiply-add, the square root, and its own; of the value above 0 another 0.5, below 0 the
# other sum, b / 4 and the quotient.
@activation(
    slope=squareplus_slope, flops=8, tol=2.5, slope_tol=4.0, example=with_attributes(b=2.7), shape=squareplus_shape
)
def squareplus(x, *, b=4.0):
    """``(x + sqrt(x^2 + b)) / 2``, a smooth rectifier.

    Barron, Squareplus: A Softplus-Like Algebraic Rectifier (2021).

    Parameters
    ----------
    x : ndarray
    b : float, default 4.0
        How smooth, from 0 (`relu`) to 2^90.

    Raises
    ------
    ValueError
        For any other `b`.

    Examples
    --------
    >>> squareplus(np.array([-1.5, 0.0, 1.5]))
    array([0.5, 1. , 2. ])
    """
    half = 0.5 * np.abs(x) + 0.5 * np.hypot(x, x.dtype.type(math.sqrt(b)))
    return np.where(x < 0, 0.25 * b / np.maximum(half, TINY), half)


@activation(slope=lambda x: np.clip(0.5 * x + 0.5, 0, 1), flops=4, tol=1.5, slope_tol=0.5)
def sparse_plus(x):
    """0 up to -1, ``(x + 1)^2 / 4`` up to 1, then ``x``; its derivative is `sparse_sigmoid`.

    Blondel, Martins & Niculae, Learning Classifiers with Fenchel-Young Losses (2019).

    Examples
    --------
    >>> sparse_plus(np.array([-2.0, 0.0, 3.0]))
    array([0.  , 0.25, 3.  ])
    """
    return np.where(x <= -1, x.dtype.type(0), np.where(x < 1, (0.5 * np.minimum(x, 1) + 0.5) ** 2, x))


def tanh_shrink_bound(x):
    """Below 0.65 the fit, 2^-25, and roundings of the square, of two products and of the polynomial's last step.

    From there on tanh is within 2 epsilons, and the difference is rounded.
    """
    y = np.abs(tanh_shrink.op.reference(x))
    return EPSILON * np.where(np.abs(x) < 0.65, 2.6 * y, 2 * np.abs(np.tanh(x)) + 0.5 * y) + TINY


def tanh_series(z):
    """``(a - tanh a) / a^3 = 1/3 - 2/15 z + 17/315 z^2 ...`` in ``z = a^2``, as far as needed for a below 0.1."""
    total = np.zeros_like(z)
    for c in (-929569 / 638512875, 21844 / 6081075, -1382 / 155925, 62 / 2835, -17 / 315, 2 / 15, -1 / 3):
        total = total * z - c
    return total


@activation(slope=lambda x: np.tanh(x) ** 2, flops=25, tol=tanh_shrink_bound, slope_tol=4.5)
def tanh_shrink(x):
    """``x - tanh(x)``.

    Examples
    --------
    >>> tanh_shrink(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2384,  0.    ,  0.2384])
    """
    near = np.clip(x, -0.1, 0.1)
    return np.where(np.abs(x) < 0.1, near**3 * tanh_series(near * near), x - np.tanh(x))


@activation(
    slope=lambda x, threshold=0.5: (np.abs(x) > threshold) * 1.0, tol=0.0, example=with_attributes(threshold=0.75)
)
def hard_shrink(x, *, threshold=0.5):
    """``x`` where ``|x| > threshold``, else 0; the gradient at both thresholds is 0.

    Parameters
    ----------
    x : ndarray
    threshold : float, default 0.5

    Examples
    --------
    >>> hard_shrink(np.array([-2.0, 0.5, 0.6]))
    array([-2. ,  0. ,  0.6])
    """
    return np.where(np.abs(x) <= threshold, x.dtype.type(0), x)


def soft_shrink_bound(x, threshold=0.5):
    """The threshold is rounded to float32, then the difference is."""
    return EPSILON / 2 * (abs(threshold) + np.abs(soft_shrink.op.reference(x, threshold=threshold))) + TINY


@activation(
    slope=lambda x, threshold=0.5: ((x > threshold) | (x < -threshold)) * 1.0,
    tol=soft_shrink_bound,
    flops=3,
    example=with_attributes(threshold=0.75),
)
def soft_shrink(x, *, threshold=0.5):
    """``x`` brought nearer to 0 by `threshold`, and 0 within it; the gradient at both thresholds is 0.

    Parameters
    ----------
    x : ndarray
    threshold : float, default 0.5

    Examples
    --------
    >>> soft_shrink(np.array([-2.0, 0.5, 0.75]))
    array([-1.5 ,  0.  ,  0.25])
    """
    outside = np.where(x > threshold, x - threshold, np.where(x < -threshold, x + threshold, x))
    return np.where((x <= threshold) & (x >= -threshold), x.dtype.type(0), outside)


@activation(
    slope=lambda x, threshold=0.0, default_value=0.0: (x > threshold) * 1.0,
    tol=0.5,
    example=with_attributes(threshold=0.75, default_value=-1.3),
)
def threshold(x, *, threshold=0.0, default_value=0.0):
    """``x`` where ``x > threshold``, else `default_value`; the gradient at the threshold is 0.

    Parameters
    ----------
    x : ndarray
    threshold, default_value : float, default 0.0

    Examples
    --------
    >>> threshold(np.array([-2.0, 0.5, 3.0]), threshold=0.5, default_value=-1.0)
    array([-1., -1.,  3.])
    """
    return np.where(x <= threshold, x.dtype.type(default_value), x)


@activation(slope=np.sign, tol=0.0, public="abs")
def absolute(x):
    """Absolute value ``|x|``; the gradient at 0 is 0.

    Examples
    --------
    >>> absolute(np.array([-2.0, 0.0, 3.0]))
    array([2., 0., 3.])
    """
    return np.abs(x)


def sine_bound(x):
    """sin and cos are within 2^-22 for ``|x| <= 2^13``."""
    return np.full(np.shape(x), 2.0**-22)


@activation(slope=lambda x: -np.sin(x), flops=15, tol=sine_bound, slope_tol=sine_bound, public="cos")
def cosine(x):
    """Cosine, in radians.

    Examples
    --------
    >>> cosine(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    return np.cos(x)


@activation(
    slope=lambda y, theta=0.0: np.zeros_like(y),
    of="output",
    tol=0.0,
    example=with_attributes(theta=0.5),
)
def step(x, *, theta=0.0):
    """Threshold unit: 1 for ``x >= theta``, else 0; its gradient is 0 everywhere.

    Parameters
    ----------
    x : ndarray
    theta : float, default 0.0
        Where the step is.

    Examples
    --------
    >>> step(np.array([0.0, 1.5, 2.0]), theta=1.5)
    array([0., 1., 1.])
    """
    return np.where(np.isnan(x), x, np.where(x >= theta, x.dtype.type(1), x.dtype.type(0)))
