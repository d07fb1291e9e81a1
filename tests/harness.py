"""Runs single rows of the table of operations: reference and kernel on the same inputs."""

import ctypes
import mmap
import os
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.execute import NativeExecutor, available_isas, has_openmp
from fastnn.ops.table import OPS, Op, concrete
from fastnn.plan import plan
from fastnn.program import DATA, STEP
from fastnn.program import ROWS as ROWS_AREA
from fastnn.record import Recorder
from fastnn.variable import Variable

ISAS = available_isas()
KERNEL_ROWS = sorted(name for name, row in OPS.items() if row.kernel is not None)
PAGE = mmap.PAGESIZE
ROOT = Path(__file__).parent.parent

# Sizes around the 16 lanes and the tiles of the matrix kernels: 0, 1, t-1, t, t+1, 2t+1, a prime.
WIDTHS = (0, 1, 15, 16, 17, 33, 48, 53)
ROWS = (0, 1, 5, 6, 7, 13, 31)

_libc = ctypes.CDLL(None, use_errno=True)


class Guarded:
    """Memory between two pages that must not be touched.

    Parameters
    ----------
    nbytes : int
    at_end : bool
        Whether the last byte lies right before the upper guard page, else the first byte right
        behind the lower one.
    copies : int, default 1
        So many pieces of this kind, `stride` bytes apart, a guard page between each and the next.
    """

    def __init__(self, nbytes: int, at_end: bool, copies: int = 1):
        pages = max(1, -(-nbytes // PAGE))
        self.stride = (pages + 1) * PAGE
        self.map = mmap.mmap(-1, copies * self.stride + PAGE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        for page in range(base, base + copies * self.stride + 1, self.stride):
            assert _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
        offset = PAGE + (pages * PAGE - nbytes if at_end else 0)
        self.pieces = [np.frombuffer(self.map, np.uint8, nbytes, offset + i * self.stride) for i in range(copies)]
        self.memory = self.pieces[0]

    def array(self, like: np.ndarray) -> np.ndarray:
        """A copy of an array in this memory."""
        copy = self.memory.view(like.dtype).reshape(like.shape)
        copy[...] = like
        return copy


def shifted(array: np.ndarray, floats: int) -> np.ndarray:
    """A copy that begins so many floats behind a cache line."""
    memory = np.empty(array.nbytes + 128 + 4 * floats, np.uint8)
    start = -memory.ctypes.data % 64 + (4 if array.dtype.itemsize <= 4 else 8) * floats
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def as_float32(args: Any) -> list[np.ndarray | None]:
    """Arguments as the kernel gets them: float64 becomes float32."""
    return [
        None if a is None else np.asarray(a, np.float32) if np.asarray(a).dtype == np.float64 else np.asarray(a)
        for a in args
    ]


def as_float64(args: Any) -> list[np.ndarray | None]:
    """The same values in float64, for the reference."""
    return [None if a is None else a.astype(np.float64) if a.dtype == np.float32 else a for a in as_float32(args)]


def reference(row: Op, args: Any, attrs: dict[str, Any], seed: int = 5, iteration: int = 3) -> list[np.ndarray]:
    """Outputs of the reference in float64."""
    extra = {"seed": seed, "iteration": iteration} if row.random else {}
    with np.errstate(all="ignore"):
        result = row.reference(*as_float64(args), **row.bind(attrs), **extra)
    outs = result if isinstance(result, tuple) else (result,)
    return [np.asarray(out) for out in outs if out is not None]


# How a row is planned: by itself, so that its kernel shares the work among the threads; or as a sweep over the rows
# that it may be cut into, a number of them or those of the batch, so that its kernel gets blocks of them.
ALONE, ROWWISE, BATCHWISE = "alone", "by row", "by row of the batch"


def ways(row: Op, args: Any, attrs: dict[str, Any]) -> list[str]:
    """Those in which these arguments can be planned."""
    axes = axes_of(row, args, attrs)
    if row.view or row.serial or axes is None:
        return [ALONE]
    return [ALONE, ROWWISE, BATCHWISE] if set(axes) <= {0, None} and 0 in axes else [ALONE, ROWWISE]


def axes_of(row: Op, args: Any, attrs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Along which axis each argument is cut with the rows of what is made, None if not; None if nothing can be cut."""
    shapes = [None if a is None else np.shape(a) for a in args]
    made = [shape for shape in row.output_shapes(*shapes, **attrs) if shape is not None] or shapes[:1]
    if row.access is None or () in made or made[0][0] == 0:
        return None
    axes = row.access(shapes, made, **attrs)
    if axes is None:
        return None
    cut = [shape[axis] for shape, axis in zip(shapes, axes, strict=True) if shape is not None and axis is not None]
    return axes if {made[0][0], *cut} == {made[0][0]} else None


def kernel(
    row: Op,
    args: Any,
    attrs: dict[str, Any],
    isa: str = ISAS[0],
    threads: int = 1,
    place: Any = lambda array: array.copy(),
    seed: int = 5,
    iteration: int = 3,
    way: str = ALONE,
) -> list[np.ndarray]:
    """Outputs of the C kernel. `place` copies each operand to where it shall lie."""
    arrays = as_float32(args)
    axes = (axes_of(row, args, attrs) if way == BATCHWISE else None) or (None,) * len(arrays)
    rows = next((len(a) for a, axis in zip(arrays, axes, strict=True) if a is not None and axis == 0), 1)
    recorder = Recorder(rows)
    ins, data = [], {}
    for i, (array, axis) in enumerate(zip(arrays, axes, strict=True)):
        if array is None:
            ins.append(None)
            continue
        data[f"in{i}"] = place(array)
        kind, shape = (ROWS_AREA, (None, *array.shape[1:])) if axis == 0 else (DATA, array.shape)
        ins.append(recorder._area(kind, f"in{i}", shape, str(array.dtype)))
    made = recorder.record(row, tuple(ins), attrs)
    made = ops.copy(made) if row.view else made
    outs = list(made) if isinstance(made, tuple) else [] if made is None else [made]
    results = []
    for i, out in enumerate(outs):
        if not row.inplace:
            kind = ROWS_AREA if out.shape[:1] == (None,) else DATA
            recorder.areas.append(type(recorder.areas[0])(kind, f"out{i}", out.shape, out.dtype))
            recorder.buffers[out.index].area = len(recorder.areas) - 1
            fill = np.full(concrete(out.shape, rows), 77, out.dtype)
            data[f"out{i}"] = place(fill)
            results.append(data[f"out{i}"])
        else:
            results.append(data[f"in{row.inplace[i]}" if len(outs) == len(row.inplace) else name_of(ins, out)])
    program = plan(recorder.program(), force_threads=True, stepwise=way == ALONE)
    wanted = {ALONE: [], ROWWISE: [rows_made(row, args, attrs)], BATCHWISE: [None]}[way]
    assert [n for sweep in program.sweeps for n in sweep.shape] == wanted
    executor = NativeExecutor(program, recorder.variables, isa)
    one = np.zeros(1, np.int64)
    run = executor.run(data, one, one + rows, seed=seed, iteration=np.array([iteration]), threads=threads)
    assert run.team == (threads if has_openmp() and not row.serial else 1)
    return results


def rows_made(row: Op, args: Any, attrs: dict[str, Any]) -> int:
    """The rows of what a row makes of its arguments, or of the first one where it makes nothing."""
    shapes = [None if a is None else np.shape(a) for a in args]
    return next(iter((row.output_shapes(*shapes, **attrs) or shapes)[0]), 1)


def computed(function: Any, *arrays: Any, isa: str = ISAS[0], threads: int = 1) -> list[np.ndarray]:
    """Results of a function of variables, in C."""
    recorder, variables = Recorder(1), [Variable(a) for a in arrays]
    with recorder:
        made = function(*variables)
        for i, symbol in enumerate(made if isinstance(made, list) else [made]):
            recorder.output(symbol, f"y{i}", STEP)
    program = plan(recorder.program(), force_threads=True)
    results = [np.full((1, *area.shape), 77, area.dtype) for area in program.areas if area.kind == STEP]
    data, one = {f"y{i}": y for i, y in enumerate(results)}, np.zeros(1, np.int64)
    NativeExecutor(program, recorder.variables, isa).run(data, one, one + 1, threads=threads)
    return [y[0] for y in results]


def gradients(function: Any, *arrays: Any, seed: float = 1.0) -> list[Any]:
    """By each array, as lists."""

    def derived(*variables):
        y = function(*variables)
        recorder = y.recorder
        symbols = [recorder.variable(v) for v in variables]
        return recorder.gradients([(y, recorder.constant(np.full(y.shape, seed)))], symbols)

    return [g.tolist() for g in computed(derived, *arrays)]


def build_flags(machine: str = platform.machine()) -> tuple[list[str], dict[str, list[str]]]:
    """The compiler's flags on a machine: those of all sources and, by instruction set, those of one."""
    text = (ROOT / "setup.py").read_text()  # it is no module
    names: dict[str, Any] = {"os": os, "platform": SimpleNamespace(machine=lambda: machine)}
    exec(text[text.index("COMMON =") : text.index("OPENMP_PROBE =")], names)
    return names["COMMON"], names["VARIANTS"]


def name_of(ins: list[Any], out: Any) -> str:
    """Name of the input area that an in-place output overwrote."""
    return next(f"in{i}" for i, symbol in enumerate(ins) if symbol is not None and symbol.index == out.index)


def bounds(row: Op, args: Any, attrs: dict[str, Any], wanted: list[np.ndarray]) -> list[Any]:
    """How far each output of the kernel may be from the reference."""
    return row.bounds(as_float64(args), attrs, wanted)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the last bit, all NaNs being one."""
    if a.dtype.kind == "f":
        a, b = (np.where(np.isnan(x), np.asarray(np.nan, x.dtype), x) for x in (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


assert ops.dense.op.name in KERNEL_ROWS
