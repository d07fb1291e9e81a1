"""Exponential units."""

import math

import numpy as np

from ...errors import invalid
from ..activation import activation, with_attributes
from ..table import EPSILON


def elu_shape(x, alpha=1.0):
    if not alpha >= 0:
        raise invalid("alpha", alpha, "a number of at least 0", "use a positive scale (the usual one is 1.0)")
    return x


@activation(
    slope=lambda y, alpha=1.0: np.where(y > 0, 1.0, y + alpha),
    of="output",
    flops=12,
    tol=3.0,
    # Near the lower end y + alpha cancels: alpha is rounded to float32, then the sum is.
    slope_tol=lambda y, alpha=1.0: EPSILON / 2 * (alpha + np.maximum(1.0, y + alpha)),
    example=with_attributes(alpha=1.7),
    shape=elu_shape,
)
def elu(x, *, alpha=1.0):
    """Exponential linear unit: ``x`` for ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Clevert, Unterthiner & Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear
    Units (2016).

    Parameters
    ----------
    x : ndarray
    alpha : float, default 1.0
        At least 0; also the gradient at 0.

    Raises
    ------
    ValueError
        For a negative `alpha`.

    Examples
    --------
    >>> elu(np.array([-np.inf, 0.0, 3.0]), alpha=0.5)
    array([-0.5,  0. ,  3. ])
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu_shape(x, alpha=1.0):
    if not 0 < alpha < math.inf:
        raise invalid("alpha", alpha, "a positive number", "use the usual 1.0, or relu for no exponential part")
    return x


@activation(
    slope=lambda y, alpha=1.0: np.where(y > 0, 1.0, y / alpha + 1),
    of="output",
    flops=13,
    # As elu; 1 / alpha and its product with x move the exponent by an epsilon of itself, and e^u - 1 by at most that.
    tol=4.0,
    # Near the lower end y / alpha + 1 cancels: 1 / alpha is rounded to float32, then the sum is.
    slope_tol=lambda y, alpha=1.0: EPSILON / 2 * (np.abs(y / alpha) + np.abs(np.minimum(y, 0) / alpha + 1)),
    example=with_attributes(alpha=1.7),
    shape=celu_shape,
)
def celu(x, *, alpha=1.0):
    """Continuously differentiable exponential linear unit: ``x`` for ``x > 0``, else ``alpha * (exp(x / alpha) - 1)``.

    Barron, Continuously Differentiable Exponential Linear Units (2017).

    Parameters
    ----------
    x : ndarray
    alpha : float, default 1.0
        Positive. The gradient at 0 is 1 for all of them.

    Raises
    ------
    ValueError
        For any other `alpha`.

    Examples
    --------
    >>> celu(np.array([-np.inf, 0.0, 3.0]), alpha=0.5)
    array([-0.5,  0. ,  3. ])
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@activation(
    slope=lambda y: np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),
    of="output",
    flops=12,
    tol=3.0,
    slope_tol=lambda y: np.full(y.shape, EPSILON * SELU_SCALE * SELU_ALPHA),
)
def selu(x):
    """Scaled exponential linear unit: ``scale * elu(x, alpha)``.

    With ``scale = 1.05070098...`` and ``alpha = 1.67326324...`` zero mean and unit variance are a
    fixed point from layer to layer (Klambauer et al., Self-Normalizing Neural Networks, 2017).
    The gradient at 0 is ``scale * alpha``.

    Examples
    --------
    >>> selu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-1.1113,  0.    ,  1.0507])
    """
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


@activation(slope=lambda y: y, of="output", flops=12, tol=1.5)
def exponential(x):
    """Exponential function ``exp(x)``.

    Examples
    --------
    >>> exponential(np.array([-np.inf, 0.0]))
    array([0., 1.])
    """
    return np.exp(x)
