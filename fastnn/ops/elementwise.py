"""Arithmetic and functions of single elements, `fill` and `reshape`.

The functions `add`, `subtract`, `multiply` and `divide` take arrays of one shape, or an array and a
number. Each is a row for two arrays; with a number it records one of the rows that have the number
as an attribute. On plain NumPy arrays all of them are NumPy's operators, broadcasting included.
"""

import functools
import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import invalid
from .activations import (
    TINY,
    absolute,
    cosine,
    draw_normal,
    elementwise,
    exponential,
    sine_bound,
    with_attributes,
)
from .table import EPSILON, find_recorder, op

__all__ = [
    "abs",
    "add",
    "affine",
    "cos",
    "divide",
    "divide_by",
    "erf",
    "exp",
    "expm1",
    "fill",
    "log",
    "log1p",
    "multiply",
    "negative",
    "reshape",
    "scalar_divide",
    "sign",
    "sin",
    "sqrt",
    "square",
    "subtract",
]

abs, cos, exp = absolute, cosine, exponential  # NumPy's names


def draw_positive(rng: Any, rows: int, width: int) -> Any:
    return (np.exp(2 * rng.standard_normal((rows, width))),), {}


def draw_two(rng: Any, rows: int, width: int) -> Any:
    return (rng.standard_normal((rows, width)), rng.standard_normal((rows, width))), {}


# Rows with a number as attribute.


def affine_bound(x, scale, offset):
    """The roundings of scale and offset to float32, and that of the result."""
    return EPSILON / 2 * (np.abs(scale * x) + np.abs(offset) + np.abs(scale * x + offset)) + TINY


@op(
    grad=lambda step, dy: [multiply(dy, step.attrs["scale"])],
    tol=affine_bound,
    example=with_attributes(scale=-0.7, offset=1.3),
    maps=True,
)
def affine(x, *, scale, offset):
    """``x * scale + offset``; in C one fused multiply-add, rounded once."""
    return x * scale + offset


@op(
    grad=lambda step, dy: [divide(dy, step.attrs["divisor"])],
    example=with_attributes(divisor=0.7),
    maps=True,
)
def divide_by(x, *, divisor):
    """``x / divisor``."""
    return x / divisor


@op(
    grad=lambda step, dy: [negative(divide(multiply(dy, step.outs[0]), step.ins[0]))],
    example=lambda rng, rows, width: (draw_positive(rng, rows, width)[0], {"numerator": 0.7}),
    maps=True,
)
def scalar_divide(x, *, numerator):
    """``numerator / x``."""
    return numerator / x


# Rows of two arrays.


def is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0)


def arithmetic(
    array_number: Callable[[Any, float], Any], number_array: Callable[[float, Any], Any], **columns: Any
) -> Callable[..., Any]:
    """Enter a row of two arrays; return the function that also takes a number.

    Parameters
    ----------
    array_number, number_array : callable
        What to record when the second or the first operand is a number.
    **columns
        Fields of `Op`.
    """

    def enter(reference: Callable[..., Any]) -> Callable[..., Any]:
        row = op(tol=0.5, **{"example": draw_two, **columns})(reference)

        @functools.wraps(row)
        def call(a: Any, b: Any) -> Any:
            if find_recorder((a, b)) is None:
                return reference(*(v if is_number(v) else np.asarray(v) for v in (a, b)))
            if is_number(b):
                return array_number(a, float(b))
            if is_number(a):
                return number_array(float(a), b)
            return row(a, b)

        return call

    return enter


# An offset of -0 leaves every product as it is, also +0 and -0.


@arithmetic(
    lambda a, n: affine(a, scale=1.0, offset=n),
    lambda n, b: affine(b, scale=1.0, offset=n),
    grad=lambda step, dy: [dy, dy],
)
def add(a, b):
    """Sum ``a + b`` of arrays of one shape, or of an array and a number."""
    return a + b


@arithmetic(
    lambda a, n: affine(a, scale=1.0, offset=-n),
    lambda n, b: affine(b, scale=-1.0, offset=n),
    grad=lambda step, dy: [dy, negative(dy)],
)
def subtract(a, b):
    """Difference ``a - b`` of arrays of one shape, or of an array and a number."""
    return a - b


@arithmetic(
    lambda a, n: affine(a, scale=n, offset=-0.0),
    lambda n, b: affine(b, scale=n, offset=-0.0),
    grad=lambda step, dy: [multiply(dy, step.ins[1]), multiply(dy, step.ins[0])],
)
def multiply(a, b):
    """Product ``a * b`` of arrays of one shape, or of an array and a number."""
    return a * b


@arithmetic(
    lambda a, n: divide_by(a, divisor=n),
    lambda n, b: scalar_divide(b, numerator=n),
    grad=lambda step, dy: [
        divide(dy, step.ins[1]),
        negative(divide(multiply(dy, step.outs[0]), step.ins[1])),
    ],
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)), draw_positive(rng, rows, width)[0][0]), {}),
)
def divide(a, b):
    """Quotient ``a / b``, correctly rounded, of arrays of one shape, or of an array and a number."""
    return a / b


def negative(x):
    """``-x``."""
    return multiply(x, -1)


# Functions of one element.


@op(grad=lambda step, dy: [multiply(dy, multiply(step.ins[0], 2.0))], tol=0.5, example=draw_normal, maps=True)
def square(x):
    """``x * x``."""
    return x * x


@op(grad=lambda step, dy: [divide(dy, multiply(step.outs[0], 2.0))], tol=0.5, example=draw_positive, maps=True)
def sqrt(x):
    """Square root; NaN below 0. Its gradient at 0 is infinite."""
    return np.sqrt(x)


@op(grad=lambda step, dy: [divide(dy, step.ins[0])], tol=1.5, example=draw_positive, maps=True)
def log(x):
    """Natural logarithm; -inf at 0, NaN below."""
    return np.log(x)


@op(
    grad=lambda step, dy: [divide(dy, add(step.ins[0], 1.0))],
    tol=2.0,
    example=lambda rng, rows, width: ((draw_positive(rng, rows, width)[0][0] - 0.99,), {}),
    maps=True,
)
def log1p(x):
    """``log(1 + x)``, accurate near 0."""
    return np.log1p(x)


@op(grad=lambda step, dy: [multiply(dy, add(step.outs[0], 1.0))], tol=2.0, example=draw_normal, maps=True)
def expm1(x):
    """``exp(x) - 1``, accurate near 0."""
    return np.expm1(x)


@op(
    grad=lambda step, dy: [multiply(dy, multiply(exp(negative(square(step.ins[0]))), 2 / math.sqrt(math.pi)))],
    tol=2.0,
    example=draw_normal,
    maps=True,
)
def erf(x):
    """Error function ``2 / sqrt(pi) * integral of exp(-t^2) from 0 to x``."""
    return elementwise(math.erf, x)


@op(grad=lambda step, dy: [multiply(dy, cosine(step.ins[0]))], tol=sine_bound, example=draw_normal, maps=True)
def sin(x):
    """Sine, in radians."""
    return np.sin(x)


@op(grad=lambda step, dy: [None], tol=0.0, example=draw_normal, maps=True)
def sign(x):
    """-1, 0 or 1 as ``x`` is negative, zero or positive; its gradient is 0."""
    return np.sign(x)


# Shape and value.


@op(
    grad=lambda step, dy: [None],
    tol=0.5,
    example=with_attributes(value=0.7),
)
def fill(like, *, value):
    """An array of the shape of `like` with `value` everywhere."""
    dtype = like.dtype if like.dtype.kind == "f" else np.float32
    return np.full(like.shape, value, dtype)


def reshape_shape(x, shape):
    """The shape that `reshape` gives; the batch axis stays what and where it is."""
    shape, batch = tuple(shape), x[:1] == (None,)
    if batch and shape[:1] == (-1,):
        if math.prod(shape[1:]) == math.prod(x[1:]) and all(n >= 0 for n in shape[1:]):
            return (None, *shape[1:])
    elif not batch and sum(n < 0 for n in shape) <= 1 and min(shape, default=0) >= -1:
        total, known = math.prod(x), math.prod(n for n in shape if n >= 0)
        if -1 not in shape and known == total:
            return shape
        if -1 in shape and known and total % known == 0:
            return tuple(total // known if n == -1 else n for n in shape)
    expected = (
        "-1 for the batch, then a shape of as many elements per row"
        if batch
        else (f"a shape of {math.prod(x)} elements, of which one size may be -1")
    )
    fix = "choose sizes with the same product"
    raise invalid("shape", f"{shape} for an array of shape {x}", expected, fix)


@op(
    shape=reshape_shape,
    grad=lambda step, dy: [reshape(dy, shape=tuple(-1 if n is None else n for n in step.ins[0].shape))],
    kernel="copy",
    kind="shape",
    flops=lambda ins, outs: 0.0,
    tol=0.0,
    example=lambda rng, rows, width: (draw_normal(rng, rows, width)[0], {"shape": (-1, width, 1)}),
    alias=True,
)
def reshape(x, *, shape):
    """``x`` with another shape and the same elements in the same order.

    `shape` is the whole new shape; one size may be -1. For a batch it begins with -1.
    """
    return x.reshape(shape)
