"""Gradients of any function of arrays and variables that is written with `fastnn.ops`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import config, ops
from .errors import check_array, check_integer, invalid, show
from .execute import NativeExecutor, NumpyExecutor, current_isa, make_executor
from .ops.layout import Shape
from .program import ROWS, STEP
from .record import Recorder, Symbolic
from .registry import function_name
from .variable import Variable


def value_and_grad(
    function: Callable[..., Any], wrt: Sequence[Variable | int]
) -> Callable[..., tuple[Any, list[np.ndarray]]]:
    """A function that computes what `function` does, and its gradients.

    It is recorded at the first call with arguments of these shapes, and runs in C from then on; batches of
    other lengths use the same program.

    Parameters
    ----------
    function : callable
        ``function(*arrays)`` is written with `fastnn.ops`, layers and models. Axis 0 of each of its arguments
        is the batch; a number is the same for the whole batch.
    wrt : sequence of Variable or int
        What to differentiate by: variables, such as ``model.trainable_variables``, and arguments by position.

    Returns
    -------
    callable
        Called with NumPy arrays, it returns the value of `function` and a list with one gradient for each
        entry of `wrt`. The gradient of an array is that of the sum of its elements.

    Raises
    ------
    ValueError, TypeError
        Arguments of different lengths, or a function that does not return an array made with `fastnn.ops`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> from fastnn import ops
    >>> w = fastnn.Variable([[3.0], [4.0]])
    >>> step = fastnn.value_and_grad(lambda x, y: ops.mean(ops.square(ops.matmul(x, w) - y)), [w, 0])
    >>> value, (dw, dx) = step(np.array([[1.0, 0.0]]), np.array([[1.0]]))
    >>> float(value), dw.tolist(), dx.tolist()
    (4.0, [[4.0], [0.0]], [[12.0, 16.0]])
    """
    return ValueAndGrad(function, wrt)


class ValueAndGrad:
    """See `value_and_grad`."""

    def __init__(self, function: Callable[..., Any], wrt: Sequence[Variable | int]):
        if not callable(function):
            raise invalid("function", show(function), "a function of arrays", "pass a function", TypeError)
        if not isinstance(wrt, (list, tuple)) or not wrt:
            fix = "pass for example model.trainable_variables"
            raise invalid("wrt", show(wrt), "a list of variables and positions of arguments", fix, TypeError)
        for entry in wrt:
            if not isinstance(entry, Variable):
                check_integer("wrt", entry, 0, "variables and positions of arguments", "count arguments from 0")
        self.function, self.wrt = function, list(wrt)
        self._positions = {entry for entry in wrt if not isinstance(entry, Variable)}
        self.calls = 0  # the masks of dropout differ from call to call
        self._executors: dict[Any, NativeExecutor | NumpyExecutor] = {}

    def __call__(self, *args: Any) -> tuple[Any, list[np.ndarray]]:
        arrays = [self._array(i, value) for i, value in enumerate(args)]
        lengths = {len(a) for a in arrays if a.ndim}
        if len(lengths) > 1 or 0 in lengths:
            raise invalid(
                "arguments",
                f"arrays of {' and '.join(map(str, sorted(lengths)))} rows",
                "arrays of equal length, at least 1",
                "pass one row per sample in each; a number is the same for all",
            )
        rows = lengths.pop() if lengths else 1
        executor = self._executor(arrays, rows)
        data = {f"argument {i}": a for i, a in enumerate(arrays)}
        results = {}
        for area in executor.program.areas:
            if area.name.startswith(("value", "gradient")):
                shape = (rows, *area.shape[1:]) if area.kind == ROWS else (1, *area.shape)
                results[area.name] = np.empty(shape, area.dtype)
        one = np.zeros(1, np.int64)
        executor.run(data | results, one, one + rows, seed=config.seed(), iteration=one + self.calls)
        executor.print_timings()
        self.calls += 1
        found = {
            a.name: results[a.name] if a.kind == ROWS else results[a.name][0]
            for a in executor.program.areas
            if a.name in results
        }
        return found["value"][()], [found[f"gradient {i}"] for i in range(len(self.wrt))]

    def _array(self, i: int, value: Any) -> np.ndarray:
        array = check_array(f"argument {i}", value)
        integers = array.dtype.kind in "iu" and array.ndim > 0 and i not in self._positions
        if integers and array.size and not -(2**31) <= array.min() <= array.max() < 2**31:
            raise invalid(f"argument {i}", array, "integers of 32 bits", "convert large numbers to float32")
        converted = check_array(f"argument {i}", array, np.int32 if integers else config.floatx())
        return np.ascontiguousarray(converted).reshape(array.shape)

    def _executor(self, arrays: list[np.ndarray], rows: int) -> NativeExecutor | NumpyExecutor:
        planned = max(32, 1 << (rows - 1).bit_length())
        shapes = tuple((a.shape[1:] if a.ndim else None, str(a.dtype)) for a in arrays)
        key = planned, shapes, config.floatx(), current_isa(), config.force_threads(), config.debug()
        if key not in self._executors:
            with Recorder(planned, config.floatx()) as recorder:
                self._record(recorder, shapes)
            self._executors[key] = make_executor(recorder, function_name(self.function))
        return self._executors[key]

    def _record(self, recorder: Recorder, shapes: Sequence[tuple[Shape | None, str]]) -> None:
        symbols = [
            recorder.value_input(f"argument {i}", dtype)
            if shape is None
            else recorder.rows_input(f"argument {i}", shape, dtype)
            for i, (shape, dtype) in enumerate(shapes)
        ]
        value = self.function(*symbols)
        if not isinstance(value, Symbolic):
            raise invalid(
                f"result of {function_name(self.function)}",
                show(value),
                "an array made with fastnn.ops from the arguments",
                "use its functions instead of NumPy's",
                TypeError,
            )
        targets = []
        for entry in self.wrt:
            if not isinstance(entry, Variable) and entry >= len(symbols):
                raise invalid("wrt", f"argument {entry}", f"0 to {len(symbols) - 1}", "count arguments from 0")
            targets.append(recorder.variable(entry) if isinstance(entry, Variable) else symbols[entry])
        gradients = recorder.gradients([(value, ops.ones_like(value))], targets)
        for name, symbol in [("value", value), *((f"gradient {i}", g) for i, g in enumerate(gradients))]:
            recorder.output(symbol, name, ROWS if symbol.shape[:1] == (None,) else STEP)
        if recorder.assigns:
            for symbol in (value, *gradients):
                ops.check_finite(symbol)
            recorder.check_assignments()
            recorder.write_assignments()
