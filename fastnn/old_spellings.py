"""Keras' old spellings of arguments: one table of them, and what lets a function take them.

The table says nothing about functions. An old name is taken where the function has no argument of that name
but has the new one, so `Embedding` keeps its `output_dim`, and layers that are added later need no change here.
"""

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from .errors import check_number, invalid, show

P = ParamSpec("P")
R = TypeVar("R")


def complement(keep_prob: Any) -> float:
    """The part to drop; 0.8 to keep is 0.2 exactly, not the nearest float of ``1 - 0.8``."""
    expected, fix = "a number from 0 to 1", "pass rate, the part of the inputs to drop"
    return round(1 - check_number("keep_prob", keep_prob, 0, expected, fix, 1), 15)


def without_batch(shape: Any) -> Any:
    """The shape of one sample."""
    if not isinstance(shape, (tuple, list)) or not shape or shape[0] is not None:
        fix = "pass input_shape, the shape of one sample; batches may have any size"
        raise invalid("batch_input_shape", show(shape), "a shape that begins with None", fix, TypeError)
    return tuple(shape[1:])


# The new names, the releases of Keras that had the old ones in the comments
RENAMED = {
    "lr": "learning_rate",  # 1, 2
    "nb_epoch": "epochs",  # 1
    "nb_classes": "num_classes",  # 1
    "input": "inputs",  # 1
    "output": "outputs",  # 1
    "output_dim": "units",  # 1
    "init": "kernel_initializer",  # 1
    "W_regularizer": "kernel_regularizer",  # 1
    "b_regularizer": "bias_regularizer",  # 1
    "W_constraint": "kernel_constraint",  # 1
    "b_constraint": "bias_constraint",  # 1
    "bias": "use_bias",  # 1
    "p": "rate",  # 1
    "keep_prob": "rate",  # TensorFlow 1
    "sigma": "stddev",  # 1
    "beta_init": "beta_initializer",  # 1
    "gamma_init": "gamma_initializer",  # 1
    "alpha": "negative_slope",  # 1, 2
    "batch_input_shape": "input_shape",  # 1, 2
}

# How a value changes with its name, and how the new one is written
CONVERTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "keep_prob": ("rate=1 - keep_prob", complement),
    "batch_input_shape": ("input_shape, without the batch axis", without_batch),
}

# Arguments that went without a new name, and what to do instead
GONE = {
    "show_accuracy": 'call compile(..., metrics=["accuracy"])',
    "class_mode": "leave it out; the loss says which classes there are",
    "samples_per_epoch": "pass all samples as x and y, which an epoch goes through once",
    "weights": "call set_weights() when the layer is built",
}

OLD = RENAMED.keys() | GONE.keys()

_warned: set[str] = set()


def warn(old: str, new: str) -> None:
    """Warn once of an old spelling, where the user wrote it."""
    if old in _warned:
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("fastnn."):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{old} is an old spelling; write {new}", DeprecationWarning, stacklevel=level)
    _warned.add(old)


def translated(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments in today's spelling."""
    parameters, result = list(inspect.signature(function).parameters), dict(kwargs)
    for old in (name for name in kwargs if name in OLD and name not in parameters):
        value = kwargs[old]
        if old in GONE:
            received, expected = f"{show(value)}, an argument of the first releases of Keras", "today's arguments"
            raise invalid(old, received, expected, GONE[old], TypeError)
        new = RENAMED[old]
        if new not in parameters:
            continue  # the function itself refuses it
        if new in result or new in parameters[: len(args)]:
            received = f"{show(value)} besides {new}"
            raise invalid(old, received, f"one of the two, which mean the same argument {new}", f"leave out {old}")
        written, convert = CONVERTED.get(old, (new, lambda same: same))
        del result[old]
        result[new] = convert(value)
        warn(old, written)
    return result


def respelled(function: Callable[P, R]) -> Callable[P, R]:
    """The function, taking old spellings of its arguments, too.

    Each of them warns once with ``DeprecationWarning``; both spellings at once are a ``ValueError``.

    Examples
    --------
    >>> @respelled
    ... def fit(x, epochs=1):
    ...     return epochs
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     fit(None, nb_epoch=5)
    5
    """

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        if OLD.isdisjoint(kwargs):
            return function(*args, **kwargs)
        return function(*args, **translated(function, args, kwargs))  # type: ignore[arg-type]

    return called


def accept(owner: type, *methods: str) -> None:
    """Let those methods that a class defines itself take old spellings."""
    for method in methods:
        if method in vars(owner):
            setattr(owner, method, respelled(vars(owner)[method]))
