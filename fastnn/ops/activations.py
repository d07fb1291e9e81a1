"""Activations: functions of single elements, each with its slope.

A new activation is one function here and two inline functions plus a row in
``csrc/kernels/activations.inc``. NaN stays NaN, and the value at an infinity is the limit.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import invalid
from .layout import elements
from .table import EPSILON, TINY, op, per_element, same

PUBLIC: dict[str, Callable[..., Any]] = {}  # the activations by their public names


def activation(
    slope: Callable[..., Any],
    of: str | Callable[..., str] = "input",
    flops: float = 1,
    tol: Any = 1.0,
    slope_tol: Any = 0.0,
    example: Any = None,
    shape: Callable[..., Any] = same,
    public: str | None = None,
) -> Callable[..., Any]:
    """Enter an activation and its gradient ``<name>_grad(dy, v) = dy * slope(v)`` as two rows.

    Parameters
    ----------
    slope : callable
        ``slope(v, **attributes)``, the derivative in NumPy.
    of : {"input", "output"} or callable
        What `slope` takes: the activation's input, or its output. "output" lets the planner fuse
        the activation into the step before it, because the input need not be kept. A callable
        ``of(**attributes)`` chooses, where one formula serves both.
    flops : float
        Operations per element, for the choice of threads and the benchmarks.
    tol : float or callable
        Tolerance of the value, as in `Op`.
    slope_tol : float or callable
        Tolerance of the slope, in the same form; the product with ``dy`` adds its own rounding.
    example, shape : callable, optional
        As in `Op`; the default example draws normal numbers.
    public : str, optional
        Name in `fastnn.activations`; default the function's own, "" for none.
    """

    def enter(reference: Callable[..., Any]) -> Callable[..., Any]:
        name = reference.__name__
        keep: Callable[..., str] = of if callable(of) else lambda **attrs: of

        def value_and_slope(step: Any, dy: Any) -> list[Any]:
            kept = step.outs[0] if keep(**step.attrs) == "output" else step.ins[0]
            return [gradient(dy, kept, **step.attrs)]

        draw: Callable[..., Any] = example or draw_normal
        forward = op(
            shape=shape,
            dims=elements,
            kind="activation",
            grad=value_and_slope,
            flops=per_element(flops),
            tol=tol,
            example=draw,
            maps=True,
        )(reference)

        def grad_reference(dy: np.ndarray, v: np.ndarray, **attrs: Any) -> np.ndarray:
            return (dy * slope(v, **attrs)).astype(dy.dtype, copy=False)

        def grad_bound(dy: np.ndarray, v: np.ndarray, **attrs: Any) -> np.ndarray:
            return np.abs(dy) * (slope_tol(v, **attrs) + EPSILON / 2 * np.abs(slope(v, **attrs))) + TINY

        def draw_gradient(rng: Any, rows: int, width: int) -> Any:
            (x,), attrs = draw(rng, rows, width)
            known = {**forward.op.attributes, **attrs}
            v = reference(x, **attrs) if keep(**known) == "output" else x
            return (rng.standard_normal(x.shape), v), attrs

        grad_reference.__name__ = f"{name}_grad"
        grad_reference.__doc__ = f"Gradient of `{name}`: ``dy * slope(v)``."
        grad_reference.__signature__ = gradient_signature(reference)  # type: ignore[attr-defined]
        gradient = op(
            dims=elements,
            kind="activation_grad",
            flops=per_element(flops + 1),
            tol=grad_bound if callable(slope_tol) else slope_tol + 0.5,
            example=draw_gradient,
        )(grad_reference)
        if public != "":
            PUBLIC[public or name] = forward
        return forward

    return enter


def draw_normal(rng: Any, rows: int, width: int) -> Any:
    return (3 * rng.standard_normal((rows, width)),), {}


def with_attributes(**attrs: float) -> Callable[..., Any]:
    """The default example with these attributes."""
    return lambda rng, rows, width: (draw_normal(rng, rows, width)[0], attrs)


def gradient_signature(reference: Callable[..., Any]) -> inspect.Signature:
    """Signature ``(dy, v, *, <attributes of the activation>)``."""
    parameters = inspect.signature(reference).parameters.values()
    arrays = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("dy", "v")]
    return inspect.Signature(arrays + [p for p in parameters if p.kind is p.KEYWORD_ONLY])


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


# Others.


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
