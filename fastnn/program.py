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

    def describe(self) -> str:
        """The plan as text: a line per step, in the order of execution.

        ``|`` marks a step before which the threads meet, ``1`` one that a single thread does, ``P`` one that
        runs in Python and splits the program, ``U`` one that changes weights; then come the operation with what
        was fused into it, the layer,
        inputs, outputs with their place in memory, and attributes.
        """
        segments = sum(1 for in_python, _ in itertools.groupby(s.in_python for s in self.steps) if not in_python)
        lines = [
            f"{len(self.steps)} steps, {segments} segment{'s' * (segments != 1)} in C, on batches of up to "
            f"{self.rows} rows, {sum(s.barrier for s in self.sweeps)} barriers, arena {self.arena_bytes:,} bytes"
        ]
        for sweep, s in [(sweep, step) for sweep, steps in self.grouped() for step in steps]:
            flags = ("|" if sweep.barrier else " ") + ("P" if s.in_python else "1" if sweep.serial else " ")
            flags += "U" if s.update else " "
            name = s.op + (f"+{s.epilogue[0]}" if s.epilogue else "")
            ins = ", ".join("-" if i is None else self._name(i) for i in s.ins)
            outs = ", ".join(self._name(i) for i in s.outs)
            attrs = s.attrs | (s.epilogue[1] if s.epilogue else {})
            attrs = {"function": name_of(attrs["function"])} if s.in_python else attrs
            text = " ".join(f"{k}={v}" for k, v in attrs.items())
            arrow = f" -> {outs}" if outs else ""
            lines.append(f"{flags} {name:<28} {s.label:<12} {ins}{arrow}  {text}".rstrip())
        return "\n".join(lines)

    def _name(self, index: int) -> str:
        buffer = self.buffers[index]
        shape = "x".join("B" if n is None else str(n) for n in buffer.shape) or "scalar"
        if buffer.area is None:
            return f"%{index}:{shape}"
        area = self.areas[buffer.area]
        place = f"@{buffer.offset}" if area.kind == ARENA else area.name
        strides = "" if buffer.layout is None or buffer.layout.contiguous else f" by {buffer.layout.strides}"
        return f"{place}[{shape}{strides}]"
