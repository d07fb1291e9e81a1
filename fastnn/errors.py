"""The one form of every message about a wrong argument, and the error of a diverged run.

A message has four parts: which argument, what was received, what was expected, what to do. This
module imports nothing, so that every floor of the package may use it.
"""

import difflib
import math
import numbers
import sys
from collections.abc import Iterable
from typing import Any


class NonFiniteError(FloatingPointError):
    """A loss or a gradient became NaN or infinite while training.

    Weights and optimizer state are those after the last finite step.

    Attributes
    ----------
    step : int
        Optimizer iteration (counted from 0) at which it happened.
    layer : str or None
        Name of the layer whose output or gradient was the first that was not finite.
    """

    def __init__(self, message: str, step: int, layer: str | None):
        super().__init__(message)
        self.step = step
        self.layer = layer


def show(value: object) -> str:
    """Describe a received value: shape and dtype of an array, else a short repr and the type."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None and shape != ():
        return f"an array of shape {tuple(shape)} and dtype {dtype}"
    text = repr(value)
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
    near = difflib.get_close_matches(str(name), choices, n=3, cutoff=0.5)
    if not fix:
        fix = f"use {' or '.join(map(repr, near))}" if near else "choose one of these names"
    return invalid(
        argument,
        repr(name),
        "one of " + ", ".join(map(repr, choices)),
        fix,
        error=ValueError if isinstance(name, str) else TypeError,
    )


def not_provided(**arguments: Any) -> None:
    """Refuse those of Keras' arguments that are not provided yet: each must be None, for its default."""
    for argument, value in arguments.items():
        if value is not None:
            raise invalid(argument, show(value), "its default (not provided yet)", "leave it out")


def missing_method(owner: object, method: str, fix: str = "write it with functions of fastnn.ops") -> Exception:
    """Return the error for a class without a method that its base leaves to it."""
    received = f"a class without a method {method.partition('(')[0]!r}"
    return invalid(f"class {type(owner).__name__}", received, method, fix, NotImplementedError)


def name_layer(error: Exception, layer: str) -> None:
    """Say in a four-part message which layer it happened in, unless it says so already."""
    if getattr(error, "parts", False) and f"layer {layer!r}" not in str(error):
        error.args = (f"layer {layer!r}, {error}",)


def check_number(
    argument: str, value: Any, low: float, expected: str, fix: str, high: float = sys.float_info.max
) -> float:
    """`value` as a float if it is a number from `low` to `high` (so a finite one), else the error."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise invalid(argument, show(value), expected, fix, TypeError)
    try:
        number = float(value)
    except OverflowError:  # an integer or a fraction beyond every float
        number = math.inf
    if not low <= number <= high:
        raise invalid(argument, value, expected, fix)
    return number


def check_integer(argument: str, value: Any, low: int, expected: str, fix: str, high: float = math.inf) -> int:
    """`value` as an int if it is an integer from `low` to `high`, else the error."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise invalid(argument, show(value), expected, fix, TypeError)
    if not low <= int(value) <= high:
        raise invalid(argument, show(value), expected, fix)
    return int(value)
