"""Program: a recorded computation as pure data.

A flat list of steps on numbered buffers. It holds no pointers and no arrays, so it can be printed,
compared and kept in the tests as text.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .ops.layout import Layout, Shape
from .ops.python import name_of
from .ops.table import OPS, concrete

ALIGNMENT = 64

# Kinds of memory areas. "rows" areas hold one entry per sample and are walked batch by batch, "step" areas hold one
# entry per training step, of the "local" one each thread has its own, the others are the same for every batch.
ARENA, LOCAL, VARIABLE, DATA, ROWS, STEP = "arena", "local", "variable", "data", "rows", "step"


@dataclass
class Area:
    """A piece of memory that the executor binds for each run (arena and local memory it owns itself)."""

    kind: str
    name: str
    shape: Shape
    dtype: str

    @property
    def stride(self) -> int:
        """Bytes of one entry (row or step) of a "rows" or "step" area."""
        shape = self.shape[1:] if self.kind == ROWS else self.shape
        return math.prod(shape) * np.dtype(self.dtype).itemsize


@dataclass
class Buffer:
    """An array of the computation.

    `area` is None until the planner has placed it. A buffer that shows the memory of another one has the
    step that would make it as `view`, which nobody runs, the number of that other buffer as `root`, and a
    `layout` there.
    """

    shape: Shape
    dtype: str
    area: Any = None
    offset: int = 0
    view: "Step | None" = None
    root: int | None = None
    layout: Layout | None = None

    def nbytes(self, rows: int) -> int:
        """Size for a batch of so many rows."""
        return math.prod(concrete(self.shape, rows)) * np.dtype(self.dtype).itemsize


@dataclass
class Step:
    """One call of an operation. Buffers are named by their numbers; an absent input is None."""

    op: str
    ins: tuple[Any, ...]
    outs: tuple[int, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    update: bool = False
    epilogue: tuple[str, dict[str, Any]] | None = None

    @property
    def name(self) -> str:
        """The operation with what was fused into it."""
        return self.op + (f"+{self.epilogue[0]}" if self.epilogue else "")

    @property
    def in_python(self) -> bool:
        """Whether there is no kernel, so that the step runs in Python, between two calls of C."""
        return OPS[self.op].kernel is None


@dataclass
class Sweep:
    """Steps that follow one another and that the same threads do without meeting.

    Attributes
    ----------
    count : int
        Number of steps.
    shape : tuple
        ``(rows,)``, with None for those of the batch, where threads divide the rows of all its arrays and each of them
        does all steps on one block of rows before the next; ``()`` where a kernel divides its own work.
    block : int
        At most so many rows at a time.
    barrier : bool
        Whether the threads meet before it.
    serial : bool
        Whether one thread does all of it.
    leader : int
        The thread that begins, so that several small sweeps do not all meet the same one.
    update : bool
        Whether it runs only while everything is finite.
    """

    count: int
    shape: Shape = ()
    block: int = 0
    barrier: bool = False
    serial: bool = False
    leader: int = 0
    update: bool = False


@dataclass
class Program:
    """Steps, buffers and memory areas of one computation, for batches of up to `rows` rows.

    A recording has no `sweeps` yet; the planner orders the steps and groups them. ``local_bytes`` are those of the
    memory of each thread.
    """

    steps: list[Step]
    buffers: list[Buffer]
    areas: list[Area]
    rows: int
    arena_bytes: int = 0
    local_bytes: int = 0
    sweeps: list[Sweep] = field(default_factory=list)

    def copy(self) -> "Program":
        """A copy whose steps, buffers and areas can be changed without touching this one."""
        return replace(
            self,
            steps=[replace(s) for s in self.steps],
            buffers=[replace(b) for b in self.buffers],
            areas=list(self.areas),
            sweeps=[replace(s) for s in self.sweeps],
        )

    def grouped(self) -> Iterator[tuple[Sweep, list[Step]]]:
        """The sweeps with their steps."""
        first = 0
        for sweep in self.sweeps:
            yield sweep, self.steps[first : first + sweep.count]
            first += sweep.count

    def work(self, step: Step, rows: int) -> tuple[float, int]:
        """Arithmetic operations of a step on so many rows, and the bytes of all its inputs and outputs."""
        ins, outs = ([self.buffers[i] for i in numbers if i is not None] for numbers in (step.ins, step.outs))
        shapes = [[concrete(b.shape, rows) for b in buffers] for buffers in (ins, outs)]
        return OPS[step.op].flops(*shapes), sum(b.nbytes(rows) for b in ins + outs)

    def describe(self) -> str:
        """The plan as text: a line of totals, the names of the columns, and a line per step in the order of execution.

        The columns:

        phase
            A new one begins at each barrier, where the threads meet, as they also do at the end of the batch. Within
            one they never wait.
        sweep
            Steps that the same threads do on the same rows without meeting: its number, then ``|`` for all of its
            other steps. ``U`` marks one that changes weights, and runs only while everything is finite.
        rows
            What the sweep goes over: ``batch by 64`` where each thread takes a share of the rows of the batch and does
            all steps on at most 64 of them before the next 64, ``784 by 40`` the same with 784 rows of weights, ``-``
            where each step is shared out by itself, or not at all.
        threads
            ``1`` if one thread does the sweep alone; the sweeps of one phase that are so take turns, as far
            as there are threads. ``shared`` if all of them do it together. ``Python`` for a step that runs
            in Python and splits the program into segments.
        operation
            With what was fused into it, as in ``dense+relu``.
        layer
            Whose step it is.
        FLOPs, bytes
            Of a full batch: operations as the table of operations counts them, and all inputs and outputs once.
        arrays
            Inputs and outputs as ``place[shape]``, and attributes. B is the rows of the batch, ``@64`` an offset in the
            arena, ``local@64`` one in the memory of each thread, which holds the rows of one block only; everything
            else has a name. ``*`` marks an input that the step overwrites, ``-`` an absent one.
        """
        table = [["phase", "sweep", "rows", "threads", "operation", "layer", "FLOPs", "bytes", "arrays"]]
        phases, flops, moved = 0, 0.0, 0
        for number, (sweep, steps) in enumerate(self.grouped(), 1):
            begins = sweep.barrier or number == 1
            phases += begins
            rows = "batch" if sweep.shape == (None,) else str(sweep.shape[0]) if sweep.shape else "-"
            rows += f" by {min(sweep.block, sweep.shape[0] or self.rows)}" if sweep.shape else ""
            head = [str(phases) * begins, f"{number}{'U' * sweep.update}", rows, "1" if sweep.serial else "shared"]
            for step in steps:
                own_flops, own_bytes = self.work(step, self.rows)
                flops, moved = flops + own_flops, moved + own_bytes
                head[3] = "Python" if step.in_python else head[3]
                work = [f"{own_flops:,.0f}", f"{own_bytes:,}"]
                table.append([*head, step.name, step.label, *work, self._arrays(step)])
                head = ["", "|", "", ""]
        segments = sum(1 for in_python, _ in itertools.groupby(s.in_python for s in self.steps) if not in_python)
        barriers = sum(sweep.barrier for sweep in self.sweeps)
        totals = (
            f"{counted(len(self.steps), 'step')}, {counted(segments, 'segment')} in C, "
            f"{counted(len(self.sweeps), 'sweep')}, {counted(phases, 'phase')}, {counted(barriers, 'barrier')}; "
            f"on {counted(self.rows, 'row')} {flops:,.0f} FLOPs, {moved:,} bytes; "
            f"arena {self.arena_bytes:,} bytes, local {self.local_bytes:,} bytes"
        )
        return "\n".join([totals, *aligned(table, right=("phase", "FLOPs", "bytes"))])

    def _arrays(self, step: Step) -> str:
        """Inputs, outputs and attributes of a step."""
        overwritten = step.outs if OPS[step.op].inplace else ()
        ins = ", ".join("-" if i is None else self._name(i) + "*" * (i in overwritten) for i in step.ins)
        outs = ", ".join(self._name(i) for i in step.outs if i not in overwritten)
        attrs = step.attrs | (step.epilogue[1] if step.epilogue else {})
        attrs = {"function": name_of(attrs["function"])} if step.in_python else attrs
        text = " ".join(f"{k}={v}" for k, v in attrs.items())
        return f"{ins}{' -> ' * bool(outs)}{outs}  {text}"

    def _name(self, index: int) -> str:
        buffer = self.buffers[index]
        shape = "x".join("B" if n is None else str(n) for n in buffer.shape) or "scalar"
        if buffer.area is None:
            return f"%{index}:{shape}"
        area = self.areas[buffer.area]
        place = {ARENA: f"@{buffer.offset}", LOCAL: f"local@{buffer.offset}"}.get(area.kind, area.name)
        strides = "" if buffer.layout is None or buffer.layout.contiguous else f" by {buffer.layout.strides}"
        return f"{place}[{shape}{strides}]"


def counted(n: int, noun: str, several: str = "") -> str:
    """A number with its noun."""
    return f"{n:,} {noun if n == 1 else several or noun + 's'}"


def aligned(table: list[list[str]], right: tuple[str, ...]) -> list[str]:
    """The lines of a table whose first line has the names of the columns; those in `right` end at one place."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(table[0], line, widths, strict=True)
        ).rstrip()
        for line in table
    ]
