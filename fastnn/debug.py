"""What ``FASTNN_DEBUG`` shows: the time that each step takes, and the first step that is wrong."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import NonFiniteError, invalid
from .memory import Memory
from .ops.table import OPS, Op
from .program import ARENA, DATA, Program, Step, aligned, counted
from .variable import aligned_empty

# Levels; 1 prints the plan of every program that is made.
TIME_STEPS, CHECK_STEPS = 2, 3

GUARD, GUARD_BYTE = 4096, 0xA5  # so many bytes on both sides of an array
FIX = "run show_config() and report it with the plan (FASTNN_DEBUG=1)"


# Level 2


@dataclass
class Limits:
    """What one thread of the machine can do.

    Attributes
    ----------
    operations : float
        GFLOP/s of multiply-adds in registers, which count as two operations.
    bytes : float
        GB/s where the same memory is read and written, counted once read and once written. It lies in the second
        level of the cache, as most of what the steps touch.
    """

    operations: float
    bytes: float


@dataclass
class Times:
    """What the steps of a program took.

    Attributes
    ----------
    nanoseconds : ndarray of int64, shape (steps,)
        Time of each step in all batches, summed over the threads.
    batches : Counter
        How many batches of how many rows there were.
    seconds : float
        Time of the runs, from call to return.
    turns : int
        Batches, each counted as often as threads ran it.
    """

    nanoseconds: np.ndarray
    batches: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    turns: int = 0

    def note(self, row_counts: np.ndarray, team: int, seconds: float) -> None:
        """Add batches that ran."""
        self.batches.update(row_counts.tolist())
        self.seconds += seconds
        self.turns += len(row_counts) * team


def timings(program: Program, times: Times, limits: Limits) -> str:
    """A table of the steps of a program: where its time goes, and how near to the machine's limit it is spent.

    The columns:

    us, %
        Time of all threads in the step, divided by their number, for one batch; and its part of the whole. What the
        steps leave of a batch's time goes to threads waiting for one another and to calls.
    GFLOP/s, GB/s
        Operations, and bytes of inputs and outputs, over the time of all threads: the rates of one thread.
    limit
        The least time that the limits of one thread leave for the operations, or for the bytes if that is more, over
        the time it took. It can exceed 100 % where the bytes lie nearer than in the second level of the cache.
    """
    count = max(times.batches.total(), 1)
    team = max(times.turns / count, 1)
    total = max(int(times.nanoseconds.sum()), 1)
    table = [["us", "%", "GFLOP/s", "GB/s", "limit", "operation", "layer"]]
    for step, time in zip(program.steps, times.nanoseconds.tolist(), strict=True):
        done = [(n, program.work(step, rows)) for rows, n in times.batches.items()]
        flops, moved = (sum(n * work[k] for n, work in done) / max(time, 1) for k in (0, 1))
        share = max(flops / limits.operations, moved / limits.bytes)
        line = f"{time / count / team / 1000:.2f} {100 * time / total:.1f} {flops:.1f} {moved:.1f} {share:.0%}"
        table.append([*line.split(), step.name, step.label])
    head = (
        f"{counted(count, 'batch', 'batches')}, {times.seconds / count * 1e6:.1f} us each, "
        f"{total / count / team / 1000:.1f} of it in steps on {team:.3g} thread{'s' * (team != 1)}; "
        f"one thread can do {limits.operations:.0f} GFLOP/s, {limits.bytes:.0f} GB/s"
    )
    return "\n".join([head, *aligned(table, right=("us", "%", "GFLOP/s", "GB/s", "limit"))])


# Level 3


def as_float64(array: Any) -> Any:
    """float32 as float64, everything else as it is."""
    return array.astype(np.float64) if array is not None and array.dtype == np.float32 else array


def through_epilogue(name: str, attrs: dict[str, Any], value: np.ndarray, error: Any) -> tuple[np.ndarray, np.ndarray]:
    """Value and bound behind a function of single elements.

    The interval of values is so short that the function is monotone on it, or flat to second order; to the
    distance of the images of its ends comes the function's own tolerance there.
    """
    row, ends = OPS[name], (value - error, value + error)
    middle, low, high = (row.reference(z, **attrs) for z in (value, *ends))
    own = [row.bounds([z], attrs, [image])[0] for z, image in zip(ends, (low, high), strict=True)]
    return middle, np.maximum(np.abs(middle - low), np.abs(high - middle)) + np.maximum(*own)


def expected(
    row: Op, step: Step, ins: list[Any], seed: int, iteration: int
) -> tuple[list[np.ndarray], list[np.ndarray | float]]:
    """Outputs of the reference in float64 on these inputs, and how far the kernel's may be from them."""
    ins = [as_float64(array) for array in ins]
    extra = {"seed": seed, "iteration": iteration} if row.random else {}
    result = row.reference(*ins, **step.attrs, **extra)
    wanted = [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,)) if r is not None]
    allowed = row.bounds(ins, step.attrs, wanted)
    if step.epilogue:
        middle, bound = through_epilogue(*step.epilogue, wanted[0], allowed[0])
        wanted, allowed = [middle], [bound]
    return wanted, allowed


class GuardedMemory(Memory):
    """A copy of a program's memory in which all that a step may write lies between bytes that none may touch."""

    def __init__(self, memory: Memory):
        self.program, self.originals = memory.program, memory.arrays
        self.guards: list[tuple[str, np.ndarray]] = []
        self.arrays = [
            array if array is None or area.kind == DATA else self._guarded(area.name, array)
            for area, array in zip(self.program.areas, memory.arrays, strict=True)
        ]

    def _guarded(self, name: str, array: np.ndarray) -> np.ndarray:
        whole = aligned_empty((array.nbytes + 2 * GUARD,), np.uint8)
        whole[...] = GUARD_BYTE
        copy = whole[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        self.guards += [(name, whole[:GUARD]), (name, whole[GUARD + array.nbytes :])]
        return copy

    def put_back(self) -> None:
        """Have the originals hold what the steps wrote."""
        for original, array in zip(self.originals, self.arrays, strict=True):
            if original is not None and array is not None and original.tobytes() != array.tobytes():
                original[...] = array


class StepCheck:
    """Looks at each step of one batch as it runs alone.

    Every step must find its inputs in the arena as they were written, and write its outputs, within the tolerance
    of its row, and no other byte of the program's memory; and it must not turn finite numbers into NaN or infinity.
    """

    def __init__(self, memory: GuardedMemory, batch: int, first: int, rows: int, seed: int, iteration: int):
        self.memory, self.program = memory, memory.program
        self.place, self.seed, self.iteration = (batch, first, rows), seed, iteration
        self.owners: dict[int, np.ndarray] = {}  # whose each byte of an arena is
        for number, (area, array) in enumerate(zip(self.program.areas, memory.arrays, strict=True)):
            if area.kind == ARENA and array is not None:
                array[...] = 0xFF  # NaN
                self.owners[number] = np.full(array.size, -1, np.int32)

    def _owned(self, i: int) -> tuple[int, np.ndarray]:
        """The buffer that i is or shows, and the owners of its bytes."""
        root = self.program.buffers[i].root
        root = i if root is None else root
        buffer = self.program.buffers[root]
        owners = self.owners.get(buffer.area, np.full(0, root))
        return root, owners[buffer.offset : buffer.offset + buffer.nbytes(self.place[2])]

    def _where(self, step: Step) -> str:
        number = next(n for n, s in enumerate(self.program.steps) if s is step)
        return f"step {number}, {step.name}" + (f" of layer {step.label!r}" if step.label else "")

    def before(self, step: Step) -> None:
        """Keep the inputs, and all memory that a step may write."""
        for i in step.ins:
            root, owners = self._owned(i) if i is not None else (0, np.empty(0))
            if (owners != root).any():
                received = f"an input, %{i}, in memory that nobody wrote, or somebody else after it"
                raise invalid(self._where(step), received, "inputs as they were written", FIX, RuntimeError)
        self.ins = [None if i is None else self.memory.view(i, *self.place).copy() for i in step.ins]
        self.kept = [
            None if array is None or area.kind == DATA else array.copy()
            for area, array in zip(self.program.areas, self.memory.arrays, strict=True)
        ]

    def after(self, step: Step) -> None:
        """Raise the error of the first difference."""
        row, where = OPS[step.op], self._where(step)
        outs = [self.memory.view(i, *self.place).copy() for i in step.outs]

        # Everything but the outputs put back to what it was, nothing else may differ.
        now, self.memory.arrays = self.memory.arrays, self.kept
        for i, out in zip(step.outs, outs, strict=True):
            self.memory.view(i, *self.place)[...] = out
        self.memory.arrays = now
        for area, array, kept in zip(self.program.areas, now, self.kept, strict=True):
            if array is not None and kept is not None and array.tobytes() != kept.tobytes():
                raise invalid(where, f"bytes changed in {area.name!r}", "only its outputs changed", FIX, RuntimeError)
        for name, guard in self.memory.guards:
            if (guard != GUARD_BYTE).any():
                raise invalid(where, f"bytes changed outside {name!r}", "only its outputs changed", FIX, RuntimeError)
        for i in step.outs:
            root, owners = self._owned(i)
            owners[...] = root

        with np.errstate(all="ignore"):
            floats = [a for a in self.ins if a is not None and a.dtype.kind == "f"]
            if all(np.isfinite(a).all() for a in floats) and not all(np.isfinite(o).all() for o in outs):
                error = invalid(
                    where,
                    "NaN or infinity out of finite numbers",
                    "finite numbers",
                    "look at the values that the layer gets, or lower the learning rate",
                    RuntimeError,
                )
                raise NonFiniteError(str(error), self.iteration, step.label or None)
            if step.in_python or not step.outs:
                return
            wanted, allowed = expected(row, step, self.ins, self.seed, self.iteration)
            for out, want, bound in zip(outs, wanted, allowed, strict=True):
                difference = np.abs(as_float64(out) - want)
                same = (out == want) | (np.isnan(out) & np.isnan(want))  # their difference and bound may be NaN
                wrong = ~same & ~(difference <= bound)
                if wrong.any():
                    worst = np.unravel_index(np.argmax(np.where(wrong, difference, -1)), out.shape)
                    raise invalid(
                        where,
                        f"{out[worst]!s} at {tuple(map(int, worst))}, one of {int(wrong.sum())} wrong elements",
                        f"{want[worst]!s} within {np.broadcast_to(bound, out.shape)[worst]:.2g}",
                        FIX,
                        RuntimeError,
                    )
