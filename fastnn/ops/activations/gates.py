"""Gated units, x times a sigmoid."""

import math

import numpy as np

from ..activation import activation
from ..table import EPSILON, TINY
from .sigmoids import logistic

# Beyond +-1000 the gates are 0 or 1 to the last bit; bounding their
# arguments there gives the limits at infinity instead of 0 * inf.


def not_below(x):
    return np.maximum(x, -1000)


def bounded(x):
    return np.clip(x, -1000, 1000)


def gated_slope(v, xdv):
    """Slope of ``x * logistic(v)``, where ``xdv = x dv/dx``."""
    return logistic(v) + xdv * logistic(v) * logistic(-v)


def gated_slope_bound(v, xdv, argument_error):
    """Bound for `gated_slope` in C: the gate s, the product with s (1 - s), and their sum.

    `argument_error` bounds the errors of v and xdv in float32 epsilons; an error of v moves s by
    ``v s (1 - s)`` and the product by at most ``v`` times itself.
    """
    s, product = logistic(v), np.abs(xdv) * logistic(v) * logistic(-v)
    moved = argument_error * (np.abs(v) * logistic(v) * logistic(-v) + product * (1 + np.abs(v)))
    return EPSILON * (3 * s + 3.5 * product + moved) + TINY


@activation(
    slope=lambda x: gated_slope(bounded(x), bounded(x)),
    flops=16,
    tol=2.5,
    slope_tol=lambda x: gated_slope_bound(bounded(x), bounded(x), 0),
)
def silu(x):
    """Sigmoid linear unit, also called swish: ``x * sigmoid(x)``.

    Elfwing, Uchibe & Doya, Sigmoid-Weighted Linear Units (2018).

    Examples
    --------
    >>> silu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return not_below(x) * logistic(x)


def elementwise(function, x):
    """A function of the `math` module on each element; floating types stay."""
    return np.asarray(np.frompyfunc(function, 1, 1)(x), dtype=np.result_type(x, np.float32))


def normal_cdf(x):
    """Distribution function of the normal distribution."""
    return elementwise(math.erfc, -x / math.sqrt(2)) / 2


def normal_density(x):
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu_bound(x):
    """erf is within 2 ulp and its argument within an epsilon; 1 + erf then cancels below 0."""
    return EPSILON * (0.75 * np.abs(not_below(x)) + np.abs(gelu.op.reference(x))) + TINY


def gelu_slope_bound(x):
    """The errors of erf as above, and those of the density: exp, its argument, three products."""
    z = bounded(x)
    density = np.abs(z) * normal_density(z)
    return EPSILON * (1.5 + (2.5 + z * z / 4) * density) + TINY


@activation(
    slope=lambda x: normal_cdf(x) + bounded(x) * normal_density(bounded(x)),
    flops=25,
    tol=gelu_bound,
    slope_tol=gelu_slope_bound,
)
def gelu(x):
    """Gaussian error linear unit: ``x * P(X <= x)`` for normal X, ``x * (1 + erf(x / sqrt(2))) / 2``.

    Hendrycks & Gimpel, Gaussian Error Linear Units (2016).
    """
    return not_below(x) * normal_cdf(x)


GELU_C, GELU_A = 2 * math.sqrt(2 / math.pi), 0.044715


def gelu_gate(x):
    return GELU_C * x * (1 + GELU_A * x * x)


def gelu_gate_slope(x):
    """``x`` times the derivative of `gelu_gate`."""
    return GELU_C * x * (1 + 3 * GELU_A * x * x)


def gelu_tanh_bound(x):
    """The gate and the product; the gate's argument v is within 2 epsilons."""
    z = not_below(x)
    v = gelu_gate(z)
    return EPSILON * np.abs(gelu_tanh.op.reference(x)) * (2.5 + 2 * np.abs(v) * logistic(-v)) + TINY


@activation(
    slope=lambda x: gated_slope(gelu_gate(bounded(x)), gelu_gate_slope(bounded(x))),
    flops=22,
    tol=gelu_tanh_bound,
    slope_tol=lambda x: gated_slope_bound(gelu_gate(bounded(x)), gelu_gate_slope(bounded(x)), 2),
    public="",
)
def gelu_tanh(x):
    """Approximate GELU: ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``.

    Hendrycks & Gimpel, Gaussian Error Linear Units (2016). ``(1 + tanh(u)) / 2 = sigmoid(2 u)``
    keeps the tail below 0 accurate.
    """
    z = not_below(x)
    return z * logistic(gelu_gate(z))


def hard_silu_slope(x):
    return np.where(x <= -3, 0.0, np.where(x < 3, x / 3 + 0.5, 1.0))


def hard_silu_slope_bound(x):
    """Between -3 and 3, 1/3 is rounded to float32, then the multiply-add is."""
    return np.where(np.abs(x) < 3, EPSILON / 2 * (np.minimum(np.abs(x), 3) / 3 + np.abs(hard_silu_slope(x))), 0)


@activation(slope=hard_silu_slope, flops=4, tol=2.0, slope_tol=hard_silu_slope_bound)
def hard_silu(x):
    """``x * hard_sigmoid(x)``, also called hard swish; the gradient is 0 at -3 and 1 at 3.

    Howard et al., Searching for MobileNetV3 (2019).

    Examples
    --------
    >>> hard_silu(np.array([-4.0, -1.5, 0.0, 3.0]))
    array([ 0.   , -0.375,  0.   ,  3.   ])
    """
    return np.where(x <= -3, x.dtype.type(0), np.where(x < 3, x * (x + 3) / 6, x))


def mish_parts(x):
    """``n / (n + 2)`` and its derivative for ``n = e (e + 2)``, ``e = exp(x)``."""
    e = np.exp(x)
    n = e * (e + 2)
    return n / (n + 2), 4 * e * (e + 1) / (n + 2) ** 2


def mish_slope(x):
    z = np.clip(x, -1000, 40)
    gate, growth = mish_parts(z)
    return gate + z * growth


def mish_slope_bound(x):
    """e is within 1.5 epsilons, n and n + 2 within 4, so the gate within 5; the product has 12 of all its factors."""
    z = np.clip(x, -1000, 40)
    gate, growth = mish_parts(z)
    return EPSILON * (5 * gate + 12 * np.abs(z) * growth) + TINY


# e within 1.5 epsilons, e + 2, n; then n + 2, the quotient and the product; the larger n, the less its error matters.
@activation(slope=mish_slope, flops=25, tol=4.0, slope_tol=mish_slope_bound)
def mish(x):
    """``x * tanh(log(1 + exp(x)))``.

    Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2019).

    Examples
    --------
    >>> mish(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.3034,  0.    ,  0.8651])
    """
    return not_below(x) * mish_parts(np.minimum(x, 20))[0]
