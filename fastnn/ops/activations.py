"""Activations: functions of single elements, each with its slope.

A new activation is one function here and two inline functions plus a row in
``csrc/kernels/activations.inc``. NaN stays NaN, and the value at an infinity is the limit.
"""

import math

import numpy as np

from ..errors import invalid
from .activation import PUBLIC as PUBLIC
from .activation import activation, with_attributes
from .table import EPSILON, TINY

# The rectifiers. The slope at a kink is that of the left side.


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


# Exponential units.


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


# Sigmoids.


def logistic(x):
    """``1 / (1 + exp(-x))`` without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


@activation(slope=lambda y: y * (1 - y), of="output", flops=15, tol=2.0, slope_tol=0.5)
def sigmoid(x):
    """Logistic function ``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> sigmoid(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.2689, 0.5   , 0.7311])
    """
    return logistic(x)


@activation(slope=lambda y: (1 - y) * (1 + y), of="output", flops=20, tol=2.0, slope_tol=0.5)
def tanh(x):
    """Hyperbolic tangent.

    Examples
    --------
    >>> tanh(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.7616,  0.    ,  0.7616])
    """
    return np.tanh(x)


@activation(slope=lambda y: np.abs(y) < 1, of="output", tol=0.0)
def hard_tanh(x):
    """``x`` brought into [-1, 1]; the gradient at both ends is 0.

    Examples
    --------
    >>> hard_tanh(np.array([-2.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    return np.clip(x, -1, 1)


@activation(slope=logistic, flops=25, tol=3.0, slope_tol=2.0)
def softplus(x):
    """``log(1 + exp(x))``, a smooth rectifier.

    Examples
    --------
    >>> softplus(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.3133, 0.6931, 1.3133])
    """
    return np.logaddexp(x, 0)


@activation(slope=lambda x: logistic(-x), flops=25, tol=3.0, slope_tol=2.0)
def log_sigmoid(x):
    """Logarithm of the logistic function: ``-log(1 + exp(-x))``.

    Examples
    --------
    >>> log_sigmoid(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-1.3133, -0.6931, -0.3133])
    """
    return -np.logaddexp(-x, 0)


@activation(slope=lambda x: (np.abs(x) < 3) / 6, flops=4, tol=1.5, slope_tol=0.5)
def hard_sigmoid(x):
    """``(x + 3) / 6`` brought into [0, 1]; the gradient at both ends is 0.

    Courbariaux, Bengio & David, BinaryConnect (2015), with Keras' slope.

    Examples
    --------
    >>> hard_sigmoid(np.array([-4.0, 0.0, 1.5, 3.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    """
    return np.clip((x + 3) / 6, 0, 1)


@activation(slope=lambda x: 0.5 * (np.abs(x) < 1), flops=3, tol=0.5)
def sparse_sigmoid(x):
    """``(x + 1) / 2`` brought into [0, 1]; the gradient at both ends is 0.

    Blondel, Martins & Niculae, Learning Classifiers with Fenchel-Young Losses (2019).

    Examples
    --------
    >>> sparse_sigmoid(np.array([-2.0, 0.0, 0.5, 2.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    """
    return np.clip(0.5 * x + 0.5, 0, 1)


# Gated units, x times a sigmoid. Beyond +-1000 the gates are 0 or 1 to the last bit; bounding their
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


# Others.


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


__all__ = [name for name, value in globals().items() if hasattr(value, "op")]
