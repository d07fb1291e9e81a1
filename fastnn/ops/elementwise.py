"""Functions of single elements, powers, and `fill`."""

import functools
import math

import numpy as np

from .activation import draw_normal, with_attributes
from .activations import absolute, cosine, elementwise, exponential, sine_bound
from .arithmetic import (
    add,
    divide,
    draw_positive,
    equal,
    greater,
    is_number,
    multiply,
    negative,
    several,
    subtract,
    where,
)
from .layout import anywhere, count, cut, elements, reads, unless_broadcast
from .table import find_recorder, op

__all__ = [
    "abs",
    "cos",
    "erf",
    "exp",
    "expm1",
    "fill",
    "log",
    "log1p",
    "ones_like",
    "power",
    "sign",
    "sin",
    "sqrt",
    "square",
    "to_float",
    "zeros_like",
]

abs, cos, exp = absolute, cosine, exponential  # NumPy's names

single = functools.partial(op, dims=elements, maps=True)


@single(grad=lambda step, dy: [multiply(dy, multiply(step.ins[0], 2.0))], tol=0.5, example=draw_normal)
def square(x):
    """``x * x``."""
    return x * x


@single(grad=lambda step, dy: [divide(dy, multiply(step.outs[0], 2.0))], tol=0.5, example=draw_positive)
def sqrt(x):
    """Square root; NaN below 0. Its gradient at 0 is infinite."""
    return np.sqrt(x)


@single(grad=lambda step, dy: [divide(dy, step.ins[0])], tol=1.5, example=draw_positive)
def log(x):
    """Natural logarithm; -inf at 0, NaN below."""
    return np.log(x)


@single(
    grad=lambda step, dy: [divide(dy, add(step.ins[0], 1.0))],
    tol=2.0,
    example=lambda rng, rows, width: ((draw_positive(rng, rows, width)[0][0] - 0.99,), {}),
)
def log1p(x):
    """``log(1 + x)``, accurate near 0."""
    return np.log1p(x)


@single(grad=lambda step, dy: [multiply(dy, add(step.outs[0], 1.0))], tol=2.0, example=draw_normal)
def expm1(x):
    """``exp(x) - 1``, accurate near 0."""
    return np.expm1(x)


@single(
    grad=lambda step, dy: [multiply(dy, multiply(exp(negative(square(step.ins[0]))), 2 / math.sqrt(math.pi)))],
    tol=2.0,
    example=draw_normal,
)
def erf(x):
    """Error function ``2 / sqrt(pi) * integral of exp(-t^2) from 0 to x``."""
    return elementwise(math.erf, x)


@single(grad=lambda step, dy: [multiply(dy, cosine(step.ins[0]))], tol=sine_bound, example=draw_normal)
def sin(x):
    """Sine, in radians."""
    return np.sin(x)


@single(grad=lambda step, dy: [None], tol=0.0, example=draw_normal)
def sign(x):
    """-1, 0 or 1 as ``x`` is negative, zero or positive; its gradient is 0."""
    return np.sign(x)


# Powers


def power_gradient(step, dy):
    """By the base ``b a^(b - 1)``, 0 where b is 0; by the exponent ``a^b log(a)``, 0 where a is not positive."""
    a, b = step.ins
    slope = where(equal(b, 0.0), 0.0, multiply(b, power(a, subtract(b, 1.0))))
    positive = greater(a, 0.0)
    growth = where(positive, multiply(step.outs[0], log(where(positive, a, 1.0))), 0.0)
    return [multiply(dy, slope), multiply(dy, growth)]


def cheaper(row):
    """Record powers of 2 and 1/2 as squares and square roots."""

    @functools.wraps(row)
    def call(a, b):
        if is_number(b) and find_recorder((a,)) is not None and b in (2, 0.5):
            return square(a) if b == 2 else sqrt(a)
        return row(a, b)

    return call


@cheaper
@several(
    grad=power_gradient,
    flops=lambda ins, outs: 70.0 * math.prod(outs[0]),
    tol=1.0,
    example=lambda rng, rows, width: (
        (rng.uniform(0.1, 10, (rows, width)), 2 * rng.standard_normal((rows, width))),
        {},
    ),
)
def power(a, b):
    """``a`` to the power of ``b``; NaN for a negative base and an exponent that is no integer.

    Examples
    --------
    >>> power(np.array([1.0, 2.0, -3.0]), 3)
    array([  1.,   8., -27.])
    """
    return np.power(a, b, dtype=np.result_type(a, b, np.float32))


# Values


@op(
    dims=elements,
    tol=0.5,
    example=lambda rng, rows, width: ((rng.integers(-(2**31), 2**31, (rows, width)).astype(np.int32),), {}),
    integers=(0,),
)
def to_float(x):
    """Integers (int32) as numbers of the floating type; recorded wherever integers meet arithmetic."""
    return x.astype(np.float64)


@cut(unless_broadcast)
@reads(anywhere)
def output_count(ins, outs, **attrs):
    """Dims rule of kernels for which inputs only lend their shape: (number of elements of the output,)."""
    return (count(outs[0]),)


@op(
    dims=output_count,
    grad=lambda step, dy: [None],
    tol=0.5,
    example=with_attributes(value=0.7),
)
def fill(like, *, value):
    """An array of the shape of `like` with `value` everywhere."""
    dtype = like.dtype if like.dtype.kind == "f" else np.float32
    return np.full(like.shape, value, dtype)


def zeros_like(x):
    """An array of the shape of `x` with 0 everywhere."""
    return fill(x, value=0.0)


def ones_like(x):
    """An array of the shape of `x` with 1 everywhere."""
    return fill(x, value=1.0)
