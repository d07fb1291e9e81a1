"""Arguments of fit, evaluate and predict, checked."""

import math
from collections.abc import Callable
from typing import Any

from ..errors import check_integer, check_number, invalid, is_one_of, show
from .sources import DEFAULT_BATCH_SIZE, is_stream


def check_batch_size(argument: str, value: Any, x: Any) -> int | None:
    """The size of batches; None for all samples at once, and for a stream, which has its own."""
    if is_stream(x):
        if value is not None:
            fix = "make batches of that size in the stream"
            raise invalid(argument, show(value), "None for a stream, which has batches already", fix)
        return None
    if is_one_of(value, ("full",)):
        return None
    return whole(argument, DEFAULT_BATCH_SIZE if value is None else value, 1)


def check_steps(argument: str, value: Any) -> int | None:
    """A number of batches, or None for all there are; -1 is None, too."""
    return None if value is None or is_one_of(value, (-1,)) else whole(argument, value, 1)


def frequency(value: Any) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(value, (list, tuple, set, frozenset, range)):
        epochs = {whole("validation_freq", epoch, 1) for epoch in value}
        return lambda epoch: epoch in epochs
    every = whole("validation_freq", value, 1)
    return lambda epoch: epoch % every == 0


def check_split(part: Any) -> float:
    """The part of the data that is for validation, from 0 to below 1."""
    expected = "a number from 0 to below 1"
    return check_number("validation_split", part, 0, expected, "pass for example 0.1", math.nextafter(1, 0))


def whole(argument: str, value: Any, least: int) -> int:
    """An integer of at least `least`."""
    expected = f"an integer from {least} to below 2**31"
    return check_integer(argument, value, least, expected, "pass such an integer", 2**31 - 1)


def as_list(value: Any) -> list[Any]:
    """None as an empty list, a single object as a list of one."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
