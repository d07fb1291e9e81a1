"""The recorder: runs a forward computation on symbolic arrays and writes down its steps.

Gradients come from walking the tape backwards over the gradient rules of the table.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import ops, variable
from .errors import check_array, invalid, show
from .ops.layout import Shape
from .ops.operators import Operators
from .ops.table import Op, check_attributes
from .program import DATA, ROWS, STEP, VARIABLE, Area, Buffer, Program, Step
from .variable import Variable

GRADIENT, ASSIGNED = "gradient ", "assigned "  # begin the names of outputs that stand for updates


class Placeholder(Operators):
    """What has a shape and a dtype, and operators, but no values yet."""

    __slots__ = ("dtype", "shape")

    shape: Shape
    dtype: str

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape} dtype={self.dtype}>"

    def __bool__(self) -> bool:
        raise invalid(
            "condition on a symbolic array",
            self,
            "a value that is known while the model is recorded",
            "use functions of fastnn.ops instead of if/while on values",
            TypeError,
        )

    def __float__(self) -> float:
        raise invalid(
            "conversion of a symbolic array to a number",
            self,
            "a value that is known while the model is recorded",
            "use functions of fastnn.ops, not those of math",
            TypeError,
        )

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]

    def __len__(self) -> int:
        fix = "use x.shape; the number of samples is not known"
        raise invalid("length of a symbolic array", self, "an array with values", fix, TypeError)

    def __contains__(self, value: Any) -> bool:
        fix = "compare with functions of fastnn.ops"
        raise invalid("search in a symbolic array", self, "an array with values", fix, TypeError)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise invalid(
            "array conversion",
            self,
            "a NumPy array",
            "use functions of fastnn.ops on symbolic arrays, not NumPy's",
            TypeError,
        )


class Symbolic(Placeholder):
    """An array of a recording.

    Attributes
    ----------
    shape : tuple
        ``None`` as the first entry stands for the rows of the batch.
    dtype : str
    """

    __slots__ = ("index", "recorder")

    def __init__(self, recorder: "Recorder", index: int):
        self.recorder, self.index = recorder, index
        self.shape, self.dtype = recorder.buffers[index].shape, recorder.buffers[index].dtype


def is_integer(symbol: Symbolic) -> bool:
    return np.dtype(symbol.dtype).kind in "iu"


class RecordedStep:
    """A step as gradient rules see it: symbolic inputs and outputs, and attributes."""

    __slots__ = ("attrs", "ins", "label", "outs", "row", "update")

    def __init__(self, row: Op, ins: list[Any], outs: list[Any], attrs: dict[str, Any], label: str, update: bool):
        self.row, self.ins, self.outs, self.attrs, self.label = row, ins, outs, attrs, label
        self.update = update


class Recorder:
    """Writes the steps of one computation.

    Inside ``with recorder:`` variables stand for their symbols in this recording, wherever they are used.

    Parameters
    ----------
    rows : int
        Largest number of rows of a batch.
    dtype : str
        Floating type of the run.
    samples : bool, default False
        Whether layers that drop units do so although this is no training, where their call does not say otherwise.
    """

    def __init__(self, rows: int, dtype: str = "float32", samples: bool = False):
        self.rows, self.dtype, self.samples = rows, dtype, samples
        self.tape: list[RecordedStep] = []
        self.buffers: list[Buffer] = []
        self.areas: list[Area] = []
        self.variables: list[Variable] = []
        self.calls: list[tuple[str, str, Any, Any]] = []  # of layers: name, class, inputs, outputs
        self.losses: list[tuple[Any, Symbolic]] = []  # what layers added to the loss, each with its layer
        self._known: dict[int, Symbolic] = {}
        self._label = ""
        self._updating = False
        # By the ids of variables: what layers assigned to them, what of that in the call that is being recorded, and
        # their values for the calls behind those that assigned them.
        self._assigned: dict[int, tuple[Variable, Symbolic]] = {}
        self._assigned_here: dict[int, Symbolic] = {}
        self._current: dict[int, Symbolic] = {}

    def __enter__(self) -> "Recorder":
        self._outer = variable.recording.recorder
        variable.recording.recorder = self
        return self

    def __exit__(self, *exception: Any) -> None:
        variable.recording.recorder = self._outer

    def forget(self) -> None:
        """Let go of the symbols, which refer to the recorder: in a circle its variables would outlive their model."""
        self.tape.clear()
        self.calls.clear()
        self.losses.clear()
        for symbols in (self._known, self._assigned, self._assigned_here, self._current):
            symbols.clear()

    # Inputs and outputs

    def _area(self, kind: str, name: str, shape: Shape, dtype: str) -> Symbolic:
        self.areas.append(Area(kind, name, shape, dtype))
        self.buffers.append(Buffer(shape, dtype, area=len(self.areas) - 1))
        return Symbolic(self, len(self.buffers) - 1)

    def rows_input(self, name: str, shape: Shape, dtype: str | None = None) -> Symbolic:
        """An array bound at run time of which each batch sees its own rows, in order."""
        return self._area(ROWS, name, (None, *shape), dtype or self.dtype)

    def data_input(self, name: str, shape: Shape, dtype: str) -> Symbolic:
        """An array bound at run time that every batch sees whole (a data set to gather from)."""
        return self._area(DATA, name, (None, *shape), dtype)

    def value_input(self, name: str, dtype: str) -> Symbolic:
        """A number bound at run time, the same for every batch."""
        return self._area(DATA, name, (), dtype)

    def step_input(self, name: str, size: int) -> Symbolic:
        """`size` numbers per training step (learning rates and the like)."""
        return self._area(STEP, name, (size,), self.dtype)

    def variable(self, variable: Variable) -> Symbolic:
        """The symbol of a variable's memory; the same one each time."""
        if id(variable) not in self._known:
            if self.dtype == "float32" and variable.dtype not in (np.float32, np.int32):  # what C reads
                raise invalid(
                    f"variable {variable.path!r}",
                    f"dtype {variable.dtype}",
                    "float32 (or int32), the type of this run",
                    "make it with that dtype, or call config.set_floatx('float64') for the run as well",
                    TypeError,
                )
            symbol = self._area(VARIABLE, variable.path, variable.shape, str(variable.dtype))
            self._known[id(variable)] = symbol
            self.variables.append(variable)
        return self._known[id(variable)]

    def constant(self, value: Any) -> Symbolic:
        """A fixed array, kept with the program."""
        return self.variable(Variable(check_array("constant", value, self.dtype), False, "constant", self.dtype))

    def output(self, symbol: Symbolic, name: str, kind: str = ROWS) -> None:
        """Have `symbol` written to an array bound at run time: by rows, or one entry per step."""
        step = self.producer(symbol)
        if step is None or step.row.view or self.buffers[symbol.index].area is not None:
            symbol = ops.copy(symbol)
        self.areas.append(Area(kind, name, symbol.shape, symbol.dtype))
        self.buffers[symbol.index].area = len(self.areas) - 1

    # Steps

    @contextmanager
    def label(self, name: str) -> Iterator[None]:
        """Steps recorded inside carry this label (a layer's name)."""
        before, self._label = self._label, name
        try:
            yield
        finally:
            self._label = before

    def symbol(self, value: Any) -> Symbolic | None:
        """Any argument of an operation as a symbol of this recording."""
        if value is None:
            return None
        if isinstance(value, Symbolic):
            if value.recorder is not self:
                raise invalid(
                    "symbolic array",
                    value,
                    "one of this recording",
                    "do not keep symbolic arrays from one call of a layer to the next",
                    RuntimeError,
                )
            return value
        if isinstance(value, Variable):
            return self._current[id(value)] if id(value) in self._current else self.variable(value)
        return self.constant(value)

    def record(self, row: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Write one step; returns the symbol of its output, or a tuple of them, or None."""
        unknown = set(attrs) - set(row.attributes)
        if unknown:
            raise invalid(
                row.name,
                f"attribute {sorted(unknown)[0]!r}",
                f"attributes {list(row.attributes)}",
                "leave it out",
                TypeError,
            )
        check_attributes(row, attrs)
        ins = [self.symbol(a) for a in row.bind_inputs(args)]
        for i, symbol in enumerate(ins):
            if symbol is None or row.view or is_integer(symbol) == (i in row.integers):
                continue
            if i in row.integers:
                fix = "pass labels as integers"
                raise invalid(f"input {i} of {row.name}", symbol, "an array of integers", fix, TypeError)
            ins[i] = ops.to_float(symbol)
        shapes = row.output_shapes(*(None if s is None else s.shape for s in ins), **attrs)
        first = getattr(ins[0], "dtype", self.dtype) if ins else self.dtype
        outs = []
        for i, shape in enumerate(shapes):
            if i < len(row.inplace):
                if ins[row.inplace[i]] is not None:
                    outs.append(ins[row.inplace[i]])
            else:
                dtype = row.dtypes[i] if i < len(row.dtypes) else first if row.view else self.dtype
                self.buffers.append(Buffer(shape, dtype))
                outs.append(Symbolic(self, len(self.buffers) - 1))
        self.tape.append(RecordedStep(row, ins, outs, row.bind(attrs), self._label, self._updating))
        return outs[0] if len(outs) == 1 else tuple(outs) if outs else None

    def producer(self, symbol: Symbolic) -> RecordedStep | None:
        """The step that made a symbol; None for inputs and variables."""
        for step in reversed(self.tape):
            if any(out.index == symbol.index for out in step.outs):
                return step
        return None

    # Gradients

    def gradients(self, losses: list[tuple[Symbolic, Any]], wrt: list[Symbolic]) -> list[Symbolic]:
        """Gradients of ``sum(seed * loss)`` with respect to `wrt`.

        Parameters
        ----------
        losses : list of (symbol, seed)
            What to differentiate, each with the gradient that comes in from above (a symbol of
            the same shape).
        wrt : list of Symbolic
            Variables or inputs. One that no loss depends on gets zeros.

        Returns
        -------
        list of Symbolic
        """
        gradients: dict[int, Symbolic] = {}
        wanted = {s.index for s in wrt}
        tape = list(self.tape)
        for step in tape:
            if any(s is not None and s.index in wanted for s in step.ins):
                wanted.update(s.index for s in step.outs)

        def accumulate(symbol: Symbolic, gradient: Symbolic) -> None:
            known = gradients.get(symbol.index)
            gradients[symbol.index] = gradient if known is None else ops.add(known, gradient)

        for symbol, seed in losses:
            accumulate(symbol, seed)
        for step in reversed(tape):
            douts = [gradients.get(out.index) for out in step.outs]
            if not wanted & {out.index for out in step.outs} or all(d is None for d in douts):
                continue
            with self.label(step.label):
                if step.row.grad is None:
                    raise invalid(
                        step.row.name,
                        "a loss that depends on it",
                        "an operation with a gradient",
                        "use it only where no gradient is needed",
                        TypeError,
                    )
                for symbol, gradient in zip(step.ins, step.row.grad(step, *douts), strict=True):
                    if symbol is not None and gradient is not None and symbol.index in wanted:
                        accumulate(symbol, ops.summed_like(gradient, symbol))
        return [gradients[s.index] if s.index in gradients else ops.fill(s, value=0.0) for s in wrt]

    # Assignments

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """The call of a layer, to which variables keep their values; what it assigns is for the calls after it."""
        before, self._assigned_here = self._assigned_here, {}
        try:
            with self.label(name):
                yield
            self._current |= self._assigned_here
        finally:
            self._assigned_here = before

    def value_of(self, variable: Variable) -> Symbolic:
        """What was assigned to a variable last, also in the call that is being recorded; else its symbol."""
        here = self._assigned_here
        return here[id(variable)] if id(variable) in here else self.symbol(variable)  # type: ignore[return-value]

    def assign(self, variable: Variable, value: Any) -> None:
        """Have a variable get a new value at the end of the step; `write_assignments` says when."""
        argument, symbol = f"value of variable {variable.path!r}", self.symbol(value)
        if variable.dtype.kind != "f":
            fix = "make the variable with a floating dtype"
            raise invalid(argument, f"an assignment to {variable.dtype} while a model is recorded", "floats", fix)
        if symbol is None or symbol.shape != variable.shape:
            fix = "reduce or broadcast it to the variable's shape"
            raise invalid(argument, show(value), f"shape {variable.shape}", fix)
        if is_integer(symbol):
            symbol = ops.to_float(symbol)
        self._assigned[id(variable)] = variable, symbol
        self._assigned_here[id(variable)] = symbol

    @property
    def assigns(self) -> bool:
        """Whether any layer assigned a value to a variable."""
        return bool(self._assigned)

    def check_assignments(self) -> None:
        """Have the updates of this step wait for the proof that all values to be assigned are finite."""
        for target, symbol in self._assigned.values():
            with self.label(target.path.rpartition("/")[0]):
                ops.check_finite(symbol)

    def output_gradients(self, gradients: list[Symbolic]) -> None:
        """Have gradients written to outputs, which are named by their numbers."""
        for i, gradient in enumerate(gradients):
            self.output(gradient, f"{GRADIENT}{i}", STEP)

    def output_assignments(self) -> None:
        """Have what layers assigned written to outputs instead, named by the places of the variables in `variables`."""
        for target, symbol in self._assigned.values():
            self.variable(target)
            place = next(i for i, known in enumerate(self.variables) if known is target)
            self.output(symbol, f"{ASSIGNED}{place}", STEP)

    def write_assignments(self) -> None:
        """Write the updates that layers asked for."""
        targets = {self.variable(variable).index for variable, _ in self._assigned.values()}
        with self.updating():
            values = [
                ops.copy(s) if s.index in targets else s for _, s in self._assigned.values()
            ]  # before they change
            for (variable, _), value in zip(self._assigned.values(), values, strict=True):
                with self.label(variable.path.rpartition("/")[0]):
                    ops.assign(self.variable(variable), value)

    @contextmanager
    def updating(self) -> Iterator[None]:
        """Steps recorded inside change variables: they run only while everything is finite."""
        before, self._updating = self._updating, True
        try:
            yield
        finally:
            self._updating = before

    def program(self) -> Program:
        """What was recorded so far, not yet planned."""
        steps = [
            Step(
                op=s.row.name,
                ins=tuple(None if x is None else x.index for x in s.ins),
                outs=tuple(x.index for x in s.outs),
                attrs=s.attrs,
                label=s.label,
                update=s.update,
            )
            for s in self.tape
        ]
        return Program(steps, self.buffers, self.areas, self.rows)
