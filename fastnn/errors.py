"""The one form of every message about a wrong argument, and the error of a diverged run.

A message has four parts: which argument, what was received, what was expected, what to do. This
module imports nothing of fastnn, so that every floor of the package may use it.
"""

import difflib
import math
import numbers
import sys
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np


class NonFiniteError(FloatingPointError):
    """A loss or a gradient became NaN or infinite while training.

    Weights and optimizer state are those after the last finite step.

    Attributes
    ----------
    step : int
        Optimizer iteration (counted from 0) at which it happened.
    layer : str or None
        Name of the layer whose output or gradient was the first that was not finite.
    member : int or None
        Number of the member of an ensemble.
    """

    def __init__(self, message: str, step: int, layer: str | None, member: int | None = None):
        super().__init__(message)
        self.step = step
        self.layer = layer
        self.member = member


def show(value: object) -> str:
    """Describe a received value: shape and dtype of an array, else a short repr and the type."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and shape and dtype is not None:
        return f"an array of shape {shape} and dtype {dtype}"
    try:
        text = repr(value)
    except Exception:  # an integer of thousands of digits, or a repr of one's own
        text = "something that cannot be shown"
    if len(text) > 80:
        text = text[:77] + "..."
    return f"{text} ({type(value).__name__})"


def invalid(argument: str, received: object, expected: str, fix: str, error: type[Exception] = ValueError) -> Exception:
    """Return the error to raise for a wrong argument, its message made of the four parts.

    Parameters
    ----------
    argument : str
        What was wrong: the argument's name, with the layer's name where there is one.
    received : object
        The value; a string is taken as it is, anything else is described by `show`.
    expected : str
        What would have been right.
    fix : str
        What to do, as an imperative without a full stop.
    error : type, default ValueError
        ``TypeError`` where the type was wrong.

    Examples
    --------
    >>> raise invalid("units", -3, "a positive integer", "pass the number of outputs")
    Traceback (most recent call last):
    ...
    ValueError: units: received -3 (int); expected a positive integer; to fix it, pass the number of outputs.
    """
    got = received if isinstance(received, str) else show(received)
    exception = error(f"{argument}: received {got}; expected {expected}; to fix it, {fix}.")
    exception.parts = True  # type: ignore[attr-defined]
    return exception


def unknown(argument: str, name: object, choices: Iterable[str], fix: str = "") -> Exception:
    """Return the error for a name that is not one of `choices`, with the nearest valid ones."""
    choices = sorted(choices)
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5) if isinstance(name, str) else []
    if not fix:
        fix = f"use {' or '.join(map(repr, near))}" if near else "choose one of these names"
    return invalid(
        argument,
        show(name).removesuffix(f" ({type(name).__name__})"),
        "one of " + ", ".join(map(repr, choices)),
        fix,
        error=ValueError if isinstance(name, str) else TypeError,
    )


def not_provided(*defaults: Any, **arguments: Any) -> None:
    """Refuse those of Keras' arguments that are not provided yet: each must be None or one of the defaults."""
    for argument, value in arguments.items():
        if not is_one_of(value, (None, *defaults)):
            raise invalid(argument, show(value), "its default (not provided yet)", "leave it out")


def missing_method(owner: object, method: str, fix: str = "write it with functions of fastnn.ops") -> Exception:
    """Return the error for a class without a method that its base leaves to it."""
    received = f"a class without a method {method.partition('(')[0]!r}"
    return invalid(f"class {type(owner).__name__}", received, method, fix, NotImplementedError)


def name_layer(error: Exception, layer: str) -> None:
    """Say in a four-part message which layer it happened in, unless it says so already."""
    if getattr(error, "parts", False) and f"layer {layer!r}" not in str(error):
        error.args = (f"layer {layer!r}, {error}",)


NO_NUMBERS = bool, np.timedelta64  # though Python and NumPy count them among the integers


def check_number(
    argument: str, value: Any, low: float, expected: str, fix: str, high: float = sys.float_info.max
) -> float:
    """`value` as a float if it is a number from `low` to `high` (so a finite one), else the error."""
    if isinstance(value, NO_NUMBERS) or not isinstance(value, numbers.Real):
        raise invalid(argument, show(value), expected, fix, TypeError)
    try:
        number = float(value)
    except OverflowError:  # an integer or a fraction beyond every float
        number = math.inf
    if not low <= number <= high:
        raise invalid(argument, value, expected, fix)
    return number


def check_integer(argument: str, value: Any, low: float, expected: str, fix: str, high: float = math.inf) -> int:
    """`value` as an int if it is an integer from `low` to `high`, else the error."""
    if isinstance(value, NO_NUMBERS) or not isinstance(value, numbers.Integral):
        raise invalid(argument, show(value), expected, fix, TypeError)
    if not low <= int(value) <= high:
        raise invalid(argument, show(value), expected, fix)
    return int(value)


def is_one_of(value: Any, choices: Collection[Any]) -> bool:
    """Whether `value` is one of some strings, numbers and None; false where it cannot be compared with them."""
    return isinstance(value, (str, numbers.Number, np.bool_, type(None))) and value in choices


def check_flag(argument: str, value: Any) -> bool:
    """`value` as a bool if it is one (0 and 1 are), else the error."""
    if value is None or not is_one_of(value, (False, True)):
        raise invalid(argument, show(value), "True or False", "pass one of them", TypeError)
    return bool(value)


def check_name(argument: str, value: Any) -> str | None:
    """`value` if it is a string that is not empty, or None, else the error."""
    if value is not None and (not isinstance(value, str) or not value):
        raise invalid(argument, show(value), "a non-empty string", "pass a string or leave it out", TypeError)
    return value


def is_real(array: np.ndarray) -> bool:
    """Whether an array is of a type of real numbers that fastnn reads: integers, bool, float32, float64."""
    return array.dtype.kind in "iub" or (array.dtype.kind == "f" and array.dtype.itemsize in (4, 8))


def check_array(argument: str, value: Any, dtype: Any = None) -> np.ndarray:
    """`value` as an array of real numbers (and of a type, what is too large for it becoming inf), else the error."""
    if value is None:
        raise invalid(argument, "None", "an array", f"pass {argument}", TypeError)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        if getattr(error, "parts", False):  # of a symbolic array
            raise
        got = f"a {type(value).__name__} that is no array ({error})"
        raise invalid(argument, got, "an array of numbers", "make all rows equally long", TypeError) from None
    if not is_real(array):
        expected = "an array of numbers (real ones, no float16)"
        raise invalid(argument, show(array if array.shape else value), expected, "convert it to float32", TypeError)
    if isinstance(value, np.ndarray) and np.any(getattr(value, "mask", False)):
        raise invalid(argument, "an array with masked elements", "an array without", "fill or remove them")
    with np.errstate(over="ignore"):
        return array if dtype is None else array.astype(dtype, copy=False)
