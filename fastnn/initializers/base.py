"""What all initializers share: the checks of their arguments, and how many units a weight connects."""

import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ..errors import invalid, show
from ..registry import Configurable

Shape = Sequence[int]

MAX_AXES = 64  # of a NumPy array


def is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def finite_number(argument: str, value: Any) -> float:
    """A finite real number as a float."""
    fix = f"pass {argument} as a float"
    if not is_number(value):
        raise invalid(argument, show(value), "a finite real number", fix, TypeError)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise invalid(argument, value, "a finite real number", fix)
    return number


def index_of(value: object) -> int | None:
    """The int that `value` is, or None; a bool is none."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_shape(shape: Any) -> tuple[int, ...]:
    expected, fix = "a sequence of integers >= 0", "pass a tuple such as (784, 10), or () for a scalar"
    if not isinstance(shape, (tuple, list, range)) and not (isinstance(shape, np.ndarray) and shape.ndim == 1):
        raise invalid("shape", show(shape), expected, fix, TypeError)
    given = tuple(shape)
    dims = tuple(size for size in map(index_of, given) if size is not None)
    if len(dims) < len(given):
        raise invalid("shape", given, expected, fix, TypeError)
    if any(size < 0 for size in dims):
        raise invalid("shape", given, expected, fix)
    if math.prod(max(size, 1) for size in dims) >= 2**60:
        raise invalid("shape", given, "fewer than 2**60 elements", "use smaller dimensions")
    if len(dims) > MAX_AXES:
        raise invalid("shape", f"{len(dims)} axes", f"at most {MAX_AXES}, as in NumPy", "use fewer of them")
    return dims


def check_dtype(dtype: Any) -> np.dtype:
    expected, fix = "'float32' or 'float64'", "leave dtype out for float32"
    try:
        checked = np.dtype(np.float32 if dtype is None else dtype)
    except (TypeError, ValueError):
        raise invalid("dtype", show(dtype), expected, fix, TypeError) from None
    if checked not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise invalid("dtype", str(checked), expected, fix)
    return checked


def finite(values: np.ndarray) -> np.ndarray:
    """The values of a weight, unless their dtype is too small for them."""
    if not np.isfinite(values).all():
        raise invalid("values", "infinity or NaN", f"finite {values.dtype} values", "use smaller numbers")
    return values


def check_axes(input_axes: Any, output_axes: Any) -> tuple[list[int] | None, list[int] | None]:
    """Axes of the units as lists, or None for both."""
    expected, fix = "a list of axes, given together with those of the other side", "pass for example [0] and [1, 2]"
    found: list[list[int] | None] = []
    for argument, axes in (("input_axes", input_axes), ("output_axes", output_axes)):
        if axes is None:
            found.append(None)
            continue
        given = list(axes) if isinstance(axes, (tuple, list, range)) else []
        numbers = [number for number in map(index_of, given) if number is not None]
        if not given or len(numbers) < len(given):
            raise invalid(argument, show(axes), expected, fix, TypeError)
        found.append(numbers)
    if (found[0] is None) != (found[1] is None):
        raise invalid("input_axes" if found[0] is None else "output_axes", "None", expected, fix)
    return found[0], found[1]


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    r"""Return the numbers of input and output units that one weight of this shape connects.

    ======================  ======================  ==================
    shape                   fan_in                  fan_out
    ======================  ======================  ==================
    ()                      1                       1
    (n,)                    n                       n
    (i, o)                  i                       o
    (\*window, i, o)         prod(window) * i        prod(window) * o
    ======================  ======================  ==================

    Parameters
    ----------
    shape : sequence of int
    input_axes, output_axes : sequence of int, optional
        Both or none: then the units are counted along these axes instead.

    Raises
    ------
    ValueError, TypeError
        For a shape or axes that are none, and for axes that the shape does not have.

    Examples
    --------
    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    >>> compute_fans((512, 8, 64), input_axes=[0], output_axes=[1, 2])
    (512, 512)
    """
    dims = check_shape(shape)
    inputs, outputs = check_axes(input_axes, output_axes)
    if inputs is not None and outputs is not None:
        for axis in (*inputs, *outputs):
            if not -len(dims) <= axis < len(dims):
                raise invalid("input_axes, output_axes", f"{axis}", f"axes of the shape {dims}", "leave it out")
        return math.prod(dims[axis] for axis in inputs), math.prod(dims[axis] for axis in outputs)
    if len(dims) < 2:
        return math.prod(dims), math.prod(dims)
    window = math.prod(dims[:-2])
    return window * dims[-2], window * dims[-1]


class Initializer(Configurable):
    """Base class: an object called with a shape that returns the first values of a weight.

    A subclass defines ``__call__`` and, to be saved, ``get_config``.
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        """Return the values.

        Parameters
        ----------
        shape : sequence of int
        dtype : 'float32' or 'float64', default float32

        Raises
        ------
        TypeError, ValueError
            For a shape that is not one, and for any other dtype.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(shape, dtype=None)")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, ready for JSON."""
        return {}

    def clone(self) -> Self:
        """An initializer made with the same arguments; without a seed it draws other values."""
        return self.from_config(self.get_config())
