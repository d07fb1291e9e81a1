"""How near a kernel of single elements or rows comes to the limits of the machine.

A kernel is bound by memory or by arithmetic. README.md in this folder says how both are measured and counted.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from limits import MIB, Machine
from slots import Counter

from fastnn.execute import NativeExecutor
from fastnn.ops.table import OPS, Op
from fastnn.plan import plan
from fastnn.program import DATA
from fastnn.record import Recorder
from fastnn.variable import aligned_empty

ENOUGH = 0.7  # of the better of the two bounds
LANES = 16
SECONDS, ROUNDS = 0.01, 3  # of each limit, of which the best counts
LEVELS = ("L2", "DRAM")
COUNTED_WIDTH = 1024  # at which slots are counted: what narrow rows waste is not work that has to be done

# Kinds of rows, and their widths: all of these are measured, and what is added to the table appears by itself.
ELEMENTS = ("activation", "activation_grad", "update")
WIDTHS = (
    dict.fromkeys(ELEMENTS, (1024,)) | {"softmax": (1024, 10)} | dict.fromkeys(("loss", "loss_grad"), (1024, 10, 1))
)


def cases():
    """Row and width of each measurement."""
    return [(row, width) for row in OPS.values() if row.kernel for width in WIDTHS.get(row.kind, ())]


@dataclass
class Prepared:
    """A row on arrays, ready to run."""

    native: NativeExecutor
    data: dict[str, np.ndarray]
    arguments: list[np.ndarray | None]  # of the kernel
    mix: tuple[int, int, int]  # how many large arrays are read, written, updated in place
    moved: int  # bytes, an updated array counting twice

    @property
    def rows(self) -> int:
        return max(len(a) for a in self.arguments if a is not None)

    def call(self, repetitions: int, threads: int) -> None:
        zeros = np.zeros(repetitions, np.int64)
        assert self.native.run(self.data, zeros, zeros + 1, threads=threads).batches == repetitions


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins with a line of the cache, as the arrays of a model do."""
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def prepare(row: Op, width: int, nbytes: int, stepwise: bool = False) -> Prepared:
    """A row on its own example, with as many rows as make some `nbytes` of all arrays, planned in sweeps or not."""
    few = 64
    arrays, attrs = row.example(np.random.default_rng(0), few, width)
    per_row = sum(a.nbytes // (2 if a.dtype == np.float64 else 1) for a in arrays if a is not None) / few
    outs = row.output_shapes(*(None if a is None else a.shape for a in arrays), **row.bind(attrs))
    if not row.inplace:
        per_row += sum(4 * math.prod(shape) for shape in outs) / few
    times = max(1, round(nbytes / per_row / few))
    recorder, data, ins, arguments = Recorder(rows=1), {}, [], []
    for i, array in enumerate(arrays):
        if array is None:
            ins.append(None)
            arguments.append(None)
            continue
        array = np.asarray(array, np.float32 if array.dtype == np.float64 else None)
        if array.shape[:1] == (few,):
            array = np.tile(array, (times, *(1,) * (array.ndim - 1)))
        data[f"in{i}"] = aligned(array)
        arguments.append(data[f"in{i}"])
        ins.append(recorder._area(DATA, f"in{i}", array.shape, str(array.dtype)))
    made = recorder.record(row, tuple(ins), attrs)
    outs = made if isinstance(made, tuple) else () if made is None else (made,)
    for i, out in enumerate(() if row.inplace else outs):
        recorder.output(out, f"out{i}", DATA)
        data[f"out{i}"] = aligned(np.zeros(out.shape, out.dtype))
        arguments.append(data[f"out{i}"])
    sizes = {name: array.nbytes for name, array in data.items()}
    large = [name for name, size in sizes.items() if size > max(sizes.values()) / 8]
    updated = [f"in{i}" for i in row.inplace if f"in{i}" in sizes]
    mix = (
        sum(name.startswith("in") and name not in updated for name in large),
        sum(name.startswith("out") for name in large),
        sum(name in updated for name in large),
    )
    moved = sum(sizes.values()) + sum(sizes[name] for name in updated)
    native = NativeExecutor(plan(recorder.program(), force_threads=True, stepwise=stepwise), recorder.variables)
    return Prepared(native, data, arguments, mix, moved)


class Bounds:
    """The limits of the machine and the slots of kernels; inside a ``with`` block.

    Limits are measured next to what is compared with them, since a machine may be slower at another moment.
    """

    def __enter__(self):
        self.machine = Machine().__enter__()
        self.counter = Counter()
        self.slots = functools.cache(self.slots)
        return self

    def __exit__(self, *exception):
        self.machine.__exit__(*exception)

    def nbytes(self, level: str, threads: int) -> int:
        """Of all arrays of a measurement: half of each thread's L2, or four times the last cache."""
        l2, l3 = self.machine.caches["L2"] or MIB, self.machine.caches["L3"]
        return threads * l2 // 2 if level == "L2" else 4 * max(l3, 4 * l2)

    def limit(self, *question) -> float:
        """The best of some measurements, right now, per second."""
        return 1e9 * max(self.machine.ask(*question, SECONDS)[0] for _ in range(ROUNDS))

    def slots(self, name: str) -> tuple[float, float]:
        """Slots and divisions for each vector of 16 elements."""
        row = OPS[name]
        found = prepare(row, COUNTED_WIDTH, 0, stepwise=True)
        counts = self.counter.count(row.kernel or name, found.native, found.arguments)
        return tuple(count * LANES / (found.rows * COUNTED_WIDTH) for count in counts)

    def figures(
        self, row: Op, width: int, level: str, threads: int, found: Prepared, seconds: float
    ) -> dict[str, float]:
        """The columns of the table for a call that took so long."""
        needed = self.slots(row.name)
        slots, divisions = (found.rows * width * count for count in needed)
        memory = found.moved / self.limit("mix", *found.mix, threads, self.nbytes(level, threads) // threads)
        # the limit counts two operations for a multiply-add, which is one slot in each of 16 lanes
        pipes = slots / (self.limit("fma", threads) / 2)
        divider = divisions / self.limit("div", threads) if divisions else 0.0
        arithmetic = max(pipes, divider)
        return {
            "us": seconds * 1e6,
            "GB/s": found.moved / seconds / 1e9,
            "% of memory": 100 * memory / seconds,
            "slots": needed[0],
            "GFLOP/s": 2 * slots / seconds / 1e9,
            "% of FMA": 100 * pipes / seconds,
            "% of divider": 100 * divider / seconds,
            "% of bound": 100 * max(memory, arithmetic) / seconds,
        }


def below(lines: dict[str, dict[str, float]]) -> str:
    """One line: which measurements do not reach `ENOUGH` of either bound."""
    slow = [
        f"{name} {found['% of bound']:.0f} %" for name, found in lines.items() if found["% of bound"] < 100 * ENOUGH
    ]
    return (
        f"Below {100 * ENOUGH:.0f} % of both bounds: {len(slow)} of {len(lines)}" + ": " * bool(slow) + ", ".join(slow)
    )
