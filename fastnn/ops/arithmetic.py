"""Arithmetic and comparisons of arrays, broadcast as in NumPy, and of arrays and numbers.

`add`, `subtract`, `multiply` and `divide` of an array and a number record one of the rows that have the
number as an attribute; elsewhere a number is an array without axes.
"""

import functools
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import check_array
from .activation import draw_normal, with_attributes
from .layout import elements
from .table import EPSILON, TINY, find_recorder, op, together

__all__ = [
    "add",
    "affine",
    "clip",
    "divide",
    "divide_by",
    "equal",
    "greater",
    "greater_equal",
    "larger_grad",
    "less",
    "less_equal",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "scalar_divide",
    "subtract",
    "where",
]


def draw_positive(rng: Any, rows: int, width: int) -> Any:
    return (np.exp(2 * rng.standard_normal((rows, width))),), {}


def draw_two(rng: Any, rows: int, width: int) -> Any:
    return (rng.standard_normal((rows, width)), rng.standard_normal((rows, width))), {}


# Rows with a number as attribute


def affine_bound(x, scale, offset):
    """The roundings of scale and offset to float32, and that of the result."""
    return EPSILON / 2 * (np.abs(scale * x) + np.abs(offset) + np.abs(scale * x + offset)) + TINY


@op(
    dims=elements,
    grad=lambda step, dy: [multiply(dy, step.attrs["scale"])],
    tol=affine_bound,
    example=with_attributes(scale=-0.7, offset=1.3),
    maps=True,
)
def affine(x, *, scale, offset):
    """``x * scale + offset``; in C one fused multiply-add, rounded once."""
    return x * scale + offset


@op(
    dims=elements,
    grad=lambda step, dy: [divide(dy, step.attrs["divisor"])],
    example=with_attributes(divisor=0.7),
    maps=True,
)
def divide_by(x, *, divisor):
    """``x / divisor``."""
    return x / divisor


@op(
    dims=elements,
    grad=lambda step, dy: [negative(divide(multiply(dy, step.outs[0]), step.ins[0]))],
    example=lambda rng, rows, width: (draw_positive(rng, rows, width)[0], {"numerator": 0.7}),
    maps=True,
)
def scalar_divide(x, *, numerator):
    """``numerator / x``."""
    return numerator / x


# Rows of several arrays. The recorder sums each gradient over the axes along which its array was broadcast.

several = functools.partial(op, shape=together, dims=elements)


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
        row = several(tol=0.5, **{"example": draw_two, **columns})(reference)

        @functools.wraps(row)
        def call(a: Any, b: Any) -> Any:
            if find_recorder((a, b)) is not None:
                if is_number(b):
                    return array_number(a, float(check_array("b", b)))
                if is_number(a):
                    return number_array(float(check_array("a", a)), b)
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
    """Sum ``a + b``.

    Examples
    --------
    >>> add(np.array([[1.0], [2.0]]), np.array([10.0, 20.0]))
    array([[11., 21.],
           [12., 22.]])
    """
    return a + b


@arithmetic(
    lambda a, n: affine(a, scale=1.0, offset=-n),
    lambda n, b: affine(b, scale=-1.0, offset=n),
    grad=lambda step, dy: [dy, negative(dy)],
)
def subtract(a, b):
    """Difference ``a - b``."""
    return a - b


@arithmetic(
    lambda a, n: affine(a, scale=n, offset=-0.0),
    lambda n, b: affine(b, scale=n, offset=-0.0),
    grad=lambda step, dy: [multiply(dy, step.ins[1]), multiply(dy, step.ins[0])],
)
def multiply(a, b):
    """Product ``a * b``."""
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
    """Quotient ``a / b``, correctly rounded."""
    return a / b


def negative(x):
    """``-x``."""
    return multiply(x, -1)


# Comparisons: 1 where they hold and 0 elsewhere, in the floating type, so that they serve as factors too.


def comparison(reference: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a comparison as a row; its gradient is 0."""

    @functools.wraps(reference)
    def as_numbers(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(reference(a, b), np.result_type(a, b, np.float32))

    return several(grad=lambda step, dy: [None, None], tol=0.0, example=draw_two)(as_numbers)


@comparison
def equal(a, b):
    """1 where ``a == b``, else 0."""
    return a == b


@comparison
def not_equal(a, b):
    """1 where ``a != b``, else 0."""
    return a != b


@comparison
def less(a, b):
    """1 where ``a < b``, else 0."""
    return a < b


@comparison
def less_equal(a, b):
    """1 where ``a <= b``, else 0."""
    return a <= b


@comparison
def greater(a, b):
    """1 where ``a > b``, else 0.

    Examples
    --------
    >>> greater(np.array([1.0, 2.0, 3.0]), 2)
    array([0., 0., 1.])
    """
    return a > b


@comparison
def greater_equal(a, b):
    """1 where ``a >= b``, else 0."""
    return a >= b


# Choices


@several(
    grad=lambda step, dy: [None, where(step.ins[0], dy, 0.0), where(step.ins[0], 0.0, dy)],
    tol=0.0,
    example=lambda rng, rows, width: ((1.0 * rng.integers(0, 2, (rows, width)), *draw_two(rng, rows, width)[0]), {}),
)
def where(condition, a, b):
    """`a` where the condition is not 0, else `b`.

    Both are computed everywhere. What is not chosen gets a gradient of 0, which an infinite slope before it
    makes NaN: choose valid arguments before a function, not results after it.

    Examples
    --------
    >>> x = np.array([-1.0, 4.0])
    >>> where(greater(x, 0), x, 0.1 * x)
    array([-0.1,  4. ])
    """
    return np.where(condition, a, b)


@several(
    tol=0.0,
    example=lambda rng, rows, width: ((*draw_normal(rng, rows, width)[0], *draw_two(rng, rows, width)[0]), {}),
)
def larger_grad(dy, a, b):
    """Gradient of ``maximum(a, b)`` by `a`: ``dy`` where ``a > b``, half of it where they are equal, else 0."""
    return dy * np.where(a > b, dy.dtype.type(1), np.where(a == b, dy.dtype.type(0.5), dy.dtype.type(0)))


@several(
    grad=lambda step, dy: [larger_grad(dy, *step.ins), larger_grad(dy, *reversed(step.ins))],
    tol=0.0,
    example=draw_two,
)
def maximum(a, b):
    """The larger of `a` and `b`, NaN where one of them is; where they are equal each gets half the gradient."""
    return np.maximum(a, b)


@several(
    grad=lambda step, dy: [larger_grad(dy, *reversed(step.ins)), larger_grad(dy, *step.ins)],
    tol=0.0,
    example=draw_two,
)
def minimum(a, b):
    """The smaller of `a` and `b`, NaN where one of them is; where they are equal each gets half the gradient."""
    return np.minimum(a, b)


def clip(x, x_min, x_max):
    """`x` with what is below `x_min` or above `x_max` set to these bounds.

    Examples
    --------
    >>> clip(np.array([-2.0, 0.5, 2.0]), 0, 1)
    array([0. , 0.5, 1. ])
    """
    return minimum(maximum(x, x_min), x_max)
