"""Rectifiers. The slope at a kink is that of the left side."""

import math

import numpy as np

from ..activation import activation, with_attributes
from ..table import EPSILON, TINY


@activation(slope=lambda y: y > 0, of="output", tol=0.0)
def relu(x):
    """Rectified linear unit: ``max(x, 0)``; its gradient at 0 is 0.

    Examples
    --------
    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return np.where(x <= 0, x.dtype.type(0), x)


@activation(slope=lambda y: (y > 0) & (y < 6), of="output", tol=0.0)
def relu6(x):
    """``min(max(x, 0), 6)``; the gradient at both ends is 0.

    Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).

    Examples
    --------
    >>> relu6(np.array([-2.0, 3.0, 7.0]))
    array([0., 3., 6.])
    """
    return np.where(x <= 0, x.dtype.type(0), np.minimum(x, 6))


def scaled(slope, x):
    """``slope * x``; zero for slope 0, where the product with an infinity would be NaN."""
    return slope * x if slope else np.zeros_like(x)


@activation(
    slope=lambda v, negative_slope=0.2: np.where(v > 0, 1.0, negative_slope),
    # The output tells on which side of 0 the input was, unless the slope turns it over.
    of=lambda negative_slope: "output" if negative_slope >= 0 else "input",
    tol=1.0,
    slope_tol=0.5,
)
def leaky_relu(x, *, negative_slope=0.2):
    """Leaky rectifier: ``x`` for ``x > 0``, else ``negative_slope * x``.

    Parameters
    ----------
    x : ndarray
    negative_slope : float, default 0.2
        Also the gradient at 0. With 0 it is `relu`, with -1 the absolute value.

    Examples
    --------
    >>> leaky_relu(np.array([-2.0, 0.0, 3.0]))
    array([-0.4,  0. ,  3. ])
    """
    return np.where(x <= 0, scaled(negative_slope, x), x)


def relu_general_slope(x, negative_slope=0.0, max_value=math.inf, threshold=0.0):
    return np.where(x <= threshold, negative_slope, np.where(x < max_value, 1.0, 0.0))


def relu_general_bound(x, negative_slope=0.0, max_value=math.inf, threshold=0.0):
    """Below the threshold, roundings of both numbers, difference and product; at the end, its own."""
    below = np.abs(negative_slope) * (1.5 * np.abs(x - threshold) + 0.5 * np.abs(threshold))
    above = 0.5 * np.where(x < max_value, 0, np.abs(max_value))
    return EPSILON * np.where(x <= threshold, below, above) + TINY


@activation(
    slope=relu_general_slope,
    tol=relu_general_bound,
    slope_tol=0.5,
    flops=3,
    example=with_attributes(negative_slope=0.3, max_value=2.1, threshold=0.5),
    public="",
)
def relu_general(x, *, negative_slope=0.0, max_value=math.inf, threshold=0.0):
    """Rectifier with all of Keras' options.

    ``min(x, max_value)`` for ``x > threshold``, else ``negative_slope * (x - threshold)``. The
    gradient at `threshold` is `negative_slope`, at `max_value` 0.
    """
    return np.where(x <= threshold, scaled(negative_slope, x - threshold), np.minimum(x, max_value))
