"""Variable: a trained array that owns its aligned memory."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import config
from .errors import check_array, check_flag, check_name, invalid, is_one_of, show, unknown
from .ops.operators import Operators
from .program import ALIGNMENT

DTYPES = ("float32", "float64", "int32", "int64")


class Recording(threading.local):
    """What this thread is recording: the recorder, or None."""

    recorder: Any = None


recording = Recording()


@contextmanager
def outside_recording() -> Iterator[None]:
    """What is done inside is done at once, and no part of what this thread is recording."""
    recorder, recording.recorder = recording.recorder, None
    try:
        yield
    finally:
        recording.recorder = recorder


class Allowance(threading.local):
    """How many more bytes the weights of new layers may have; None for any number."""

    bytes: int | None = None
    fix = ""

    def spend(self, argument: str, shape: tuple[int, ...], dtype: str) -> None:
        """Take notice of a weight before there is memory for it."""
        if self.bytes is None:
            return
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        if nbytes > self.bytes:
            raise invalid(argument, f"shape {shape}", "arrays no larger than the file says", self.fix)
        self.bytes -= nbytes


allowed = Allowance()


@contextmanager
def allowance(nbytes: int, fix: str) -> Iterator[None]:
    """A ``with`` block in which layers and metrics make arrays of so many bytes at most."""
    before = allowed.bytes, allowed.fix
    allowed.bytes, allowed.fix = nbytes, fix
    try:
        yield
    finally:
        allowed.bytes, allowed.fix = before


def filled(shape: tuple[int, ...], dtype: Any, value: float = 0.0) -> np.ndarray:
    """An array of equal numbers, of which only one is in memory: for variables that begin so."""
    return np.broadcast_to(np.array(value, dtype), shape)


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous array that begins on a cache line."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


class Variable(Operators):
    """An array that layers and optimizers keep between steps.

    It may belong to several models; they see the same memory. It has the operators of arrays, and the
    functions of `fastnn.ops` take it: they compute with its value, and while a model is recorded they record.

    Parameters
    ----------
    value : array_like
        Initial value; copied.
    trainable : bool, default True
        Whether optimizers may change it.
    name : str, default "variable"
    dtype : str, optional
        "float32", "float64", "int32" or "int64"; default: `config.floatx()`, which C computes with.
    constraint : callable, optional
        A function of its value, written with `fastnn.ops`, such as those of `fastnn.constraints`: optimizers end each
        update with ``variable = constraint(variable)``. The initial value, and what is assigned, stay as they are.

    Attributes
    ----------
    path : str
        Name with the owner's name before it (``"dense/kernel"``).

    Examples
    --------
    >>> v = Variable([1.0, 2.0], name="scale")
    >>> v.assign([3.0, 4.0])
    >>> v.numpy()
    array([3., 4.], dtype=float32)
    """

    def __init__(
        self,
        value: Any,
        trainable: bool = True,
        name: str = "variable",
        dtype: str | None = None,
        constraint: Callable[[Any], Any] | None = None,
    ):
        value, dtype = check_array("value", value), config.floatx() if dtype is None else dtype
        if not is_one_of(dtype, DTYPES):
            raise unknown("dtype", dtype, DTYPES)
        self.constraints_set = 0  # how often, so that programs made before know that they are old
        self.constraint = constraint
        self.trainable, self.name = check_flag("trainable", trainable), check_name("name", name) or "variable"
        self._value = aligned_empty(value.shape, dtype)
        self._value[...] = check_array("value", value, dtype)
        self.path = name

    @property
    def value(self) -> np.ndarray:
        """The memory itself: changing it changes the variable."""
        return self._value

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        """What updates end with; None for nothing."""
        return self._constraint

    @constraint.setter
    def constraint(self, constraint: Callable[[Any], Any] | None) -> None:
        if constraint is not None and (not callable(constraint) or isinstance(constraint, type)):
            fix = "pass for example fastnn.constraints.NonNeg()"
            raise invalid("constraint", show(constraint), "a function of an array", fix, TypeError)
        self._constraint, self.constraints_set = constraint, self.constraints_set + 1

    @property
    def recorder(self) -> Any:
        """The recording that this thread is in, or None; `fastnn.ops` asks for it."""
        return recording.recorder

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.shape

    @property
    def dtype(self) -> np.dtype:
        return self._value.dtype

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        return self._value.copy()

    def assign(self, value: Any) -> None:
        """Set the value; the shape must be the variable's own.

        In `call` of a layer while a training step, or a function for `value_and_grad`, is recorded, this is a part of
        the step: the variable gets the value at its end, if loss, gradients and value are finite. Within the `call` it
        keeps the old value; a later call of the layer in the same step sees the new one. Evaluation and prediction
        change no variable: what is recorded for them leaves the assignment out.

        Examples
        --------
        >>> v = Variable([1.0, 2.0])
        >>> v.assign_add([1.0, 1.0])
        >>> v.numpy()
        array([2., 3.], dtype=float32)
        """
        if recording.recorder is not None:
            recording.recorder.assign(self, value)
            return
        value = check_array(f"value of variable {self.path!r}", value, self.dtype)
        if value.shape != self.shape:
            raise invalid(
                f"value of variable {self.path!r}",
                show(value),
                f"shape {self.shape}",
                "pass an array of the variable's shape",
            )
        self._value[...] = value

    def assign_add(self, value: Any) -> None:
        """Add to the value; see `assign`."""
        self.assign(self._latest() + (value if recording.recorder else np.asarray(value)))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value; see `assign`."""
        self.assign(self._latest() - (value if recording.recorder else np.asarray(value)))

    def _latest(self) -> Any:
        """The value with what was assigned before."""
        return recording.recorder.value_of(self) if recording.recorder else self._value

    def __float__(self) -> float:
        return float(self._now("conversion to a number"))

    def __bool__(self) -> bool:
        return bool(self._now("condition"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._now("array conversion"), dtype=dtype, copy=copy)

    def _now(self, use: str) -> np.ndarray:
        """The value, unless a program is being recorded, in which it would become a constant."""
        if recording.recorder is not None:
            raise invalid(
                f"{use} of variable {self.path!r}",
                "a call while a model is recorded",
                "functions of fastnn.ops, which follow the variable",
                "use them instead of NumPy's, or variable.numpy() for its value of this moment",
                TypeError,
            )
        return self._value

    def __repr__(self) -> str:
        return f"<Variable {self.path} shape={self.shape} dtype={self.dtype} trainable={self.trainable}>"
