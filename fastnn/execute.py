"""The two executors of a planned Program: NumPy (the oracle) and C (the product)."""

import functools
import os
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from . import _native, config
from .errors import unknown
from .ops.table import OPS, concrete
from .plan import lowered_dims
from .program import ARENA, DATA, ROWS, STEP, VARIABLE, Program
from .variable import Variable, aligned_empty

STEP_DTYPE = np.dtype(
    [
        ("kernel", "i4"),
        ("epilogue", "i4"),
        ("barrier", "i4"),
        ("threads", "i4"),
        ("stage", "i4"),
        ("batch_dims", "i4"),
        ("dims", "i8", _native.MAX_DIMS),
        ("attrs", "f8", _native.MAX_ATTRS),
        ("epilogue_attrs", "f8", _native.MAX_ATTRS),
        ("args", [("area", "i8"), ("offset", "i8")], _native.MAX_ARGS),
    ],
    align=True,
)
AREA_DTYPE = np.dtype([("base", "u8"), ("per_row", "i8"), ("per_step", "i8")], align=True)
assert STEP_DTYPE.itemsize == _native.STEP_SIZE and AREA_DTYPE.itemsize == _native.AREA_SIZE

NO_THREAD_LIMIT = 2**31 - 1


@dataclass
class Run:
    """What a run did.

    Attributes
    ----------
    batches : int
        Batches completed; fewer than asked when one was not finite and the policy is "raise".
    skipped : int
        Batches that changed no weight because they were not finite.
    team : int
        Threads that ran.
    """

    batches: int
    skipped: int
    team: int


def available_isas() -> list[str]:
    """Instruction sets this build can use on this machine, best first."""
    return _native.isas()


def has_openmp() -> bool:
    """Whether the extension was built with OpenMP; without it everything runs on one thread."""
    return _native.has_openmp()


def current_isa() -> str:
    """The instruction set in use: the best one, unless ``FASTNN_ISA`` caps it."""
    wanted, isas = os.environ.get("FASTNN_ISA", "").strip(), available_isas()
    if not wanted:
        return isas[0]
    if wanted not in isas:
        raise unknown("environment variable FASTNN_ISA", wanted, isas, "unset it or use one that this machine has")
    return wanted


def team_size() -> int:
    """Threads a run asks for: the configured number, less where OpenMP was limited since import."""
    threads, limit = config.num_threads(), _native.max_threads()
    if limit < OPENMP_THREADS_AT_IMPORT:  # threadpoolctl or omp_set_num_threads
        threads = min(threads, limit)
    return threads if _native.has_openmp() else 1


OPENMP_THREADS_AT_IMPORT = _native.max_threads()


@functools.cache
def make_forks_safe() -> None:
    """Have a fork leave no team of threads behind: the child would wait for threads that it does not have."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_native.release_threads)


def allocate_areas(program: Program) -> dict[int, np.ndarray]:
    """The memory an executor owns itself."""
    return {
        i: aligned_empty((max(program.arena_bytes, 1),), np.uint8)
        for i, area in enumerate(program.areas)
        if area.kind == ARENA
    }


class NativeExecutor:
    """Runs a Program in C: many batches in one call, GIL released, one parallel region.

    Parameters
    ----------
    program : Program
        A planned program.
    variables : list of Variable
        Memory of the program's variable areas, in order.
    isa : str, optional
        Default: `current_isa()`.
    """

    def __init__(self, program: Program, variables: list[Variable], isa: str | None = None):
        self.program, self.variables = program, variables
        self.isa = isa or current_isa()
        self.steps = np.zeros(len(program.steps), STEP_DTYPE)
        for lowered, step in zip(self.steps, program.steps, strict=True):
            self._lower(lowered, step)
        self.serial = all(step.serial for step in program.steps)
        self.areas = np.zeros(len(program.areas), AREA_DTYPE)
        self._bound: list[int] = []
        given = iter(variables)
        for i, area in enumerate(program.areas):
            self.areas["per_row"][i] = area.stride if area.kind == ROWS else 0
            self.areas["per_step"][i] = area.stride if area.kind == STEP else 0
            if area.kind == VARIABLE:
                self.areas["base"][i] = address(next(given).value)
            elif area.kind != ARENA:
                self._bound.append(i)
        # Taken by a call and put back after it, so that concurrent calls never share memory.
        self._workspaces: list[tuple[dict[int, np.ndarray], np.ndarray]] = []

    def _lower(self, lowered: Any, step: Any) -> None:
        program, row = self.program, OPS[step.op]
        lowered["kernel"] = _native.find(self.isa, row.kernel or row.name)
        lowered["epilogue"] = -1
        if step.epilogue:
            name, attrs = step.epilogue
            lowered["epilogue"] = _native.find(self.isa, name)
            lowered["epilogue_attrs"][: len(attrs)] = list(attrs.values())
        numbers = [v for v in step.attrs.values() if isinstance(v, Real)]
        lowered["attrs"][: len(numbers)] = numbers
        lowered["barrier"], lowered["stage"] = step.barrier, step.update
        lowered["threads"] = 1 if step.serial else NO_THREAD_LIMIT
        dims, lowered["batch_dims"] = lowered_dims(row, program, step)
        lowered["dims"][: len(dims)] = dims
        args = lowered["args"]
        args["area"] = -1
        for k, i in enumerate((*step.ins, *(i for i in step.outs if not row.inplace))):
            if i is not None:
                args["area"][k], args["offset"][k] = program.buffers[i].area, program.buffers[i].offset

    def run(
        self,
        data: dict[str, np.ndarray],
        first_rows: np.ndarray,
        row_counts: np.ndarray,
        seed: int = 0,
        iteration: np.ndarray | None = None,
        on_nonfinite: str = "raise",
        threads: int | None = None,
    ) -> Run:
        """Run the program for a list of batches.

        Parameters
        ----------
        data : dict of str to ndarray
            The arrays of the program's bound areas, by name. Contiguous, of the area's dtype.
        first_rows, row_counts : ndarray of int64
            Per batch: where its rows begin in "rows" areas, and how many there are.
        seed : int
            Key of the random numbers.
        iteration : ndarray of int64, shape (1,), optional
            Optimizer iteration; counted up in place, batch by batch.
        on_nonfinite : {"raise", "skip"}
            Whether to stop before a batch that is not finite, or to go on without its update.
        threads : int, optional
            Default: `team_size()`.

        Returns
        -------
        Run
        """
        threads = 1 if self.serial else threads or team_size()
        if threads > 1:
            make_forks_safe()
        areas, program = self.areas.copy(), self.program
        last_row = int(first_rows[-1] + row_counts[-1]) if len(row_counts) else 0
        for i in self._bound:
            area, array = program.areas[i], data[program.areas[i].name]
            least = {ROWS: last_row, STEP: len(row_counts)}.get(area.kind, 0)
            if array.dtype != area.dtype or (least and len(array) < least):
                raise TypeError(
                    f"{area.name!r} is {array.dtype} of shape {array.shape}; the program needs {area.dtype} x {least}"
                )
            areas["base"][i] = address(array)
        try:
            own, scratch = self._workspaces.pop()
        except IndexError:
            own, scratch = allocate_areas(program), np.empty(0, np.float32)
        needed = threads * _native.workspace_floats(self.isa)
        if scratch.size < needed:
            scratch = aligned_empty((needed,), np.float32)
        for i, memory in own.items():
            areas["base"][i] = address(memory)
        if iteration is None:
            iteration = np.zeros(1, np.int64)
        result = _native.execute(
            self.isa,
            program.rows,
            self.steps.view(np.uint8),
            areas.view(np.uint8),
            first_rows,
            row_counts,
            scratch,
            threads,
            on_nonfinite == "skip",
            seed,
            iteration,
        )
        self._workspaces.append((own, scratch))
        return Run(*result)


class NumpyExecutor:
    """Runs the same Program with the references, step by step, every buffer its own array.

    Parameters are those of `NativeExecutor`; `dtype` replaces float32 throughout ("float64" makes
    it the oracle), and `trace`, when set, is called with each step and its outputs.
    """

    def __init__(self, program: Program, variables: list[Variable], dtype: str = "float32"):
        self.program, self.variables, self.dtype = program, variables, dtype
        self.trace: Any = None

    def run(
        self,
        data: dict[str, np.ndarray],
        first_rows: np.ndarray,
        row_counts: np.ndarray,
        seed: int = 0,
        iteration: np.ndarray | None = None,
        on_nonfinite: str = "raise",
        threads: int | None = None,
    ) -> Run:
        """Run the program for a list of batches; see `NativeExecutor.run`."""
        iteration = np.zeros(1, np.int64) if iteration is None else iteration
        done = skipped = 0
        with np.errstate(all="ignore"):
            for batch, (first, rows) in enumerate(zip(first_rows, row_counts, strict=True)):
                updated, skip = self._batch(data, batch, int(first), int(rows), seed, int(iteration[0]))
                if skip and on_nonfinite == "raise":
                    break
                done, skipped = done + 1, skipped + skip
                iteration[0] += updated
        return Run(done, skipped, 1)

    def _batch(
        self, data: dict[str, np.ndarray], batch: int, first: int, rows: int, seed: int, iteration: int
    ) -> tuple[bool, bool]:
        """Whether the program has updates, and whether they were skipped."""
        program = self.program
        values: dict[int, Any] = {}
        given = iter(self.variables)
        areas: list[Any] = [next(given).value if a.kind == VARIABLE else data.get(a.name) for a in program.areas]

        def bound(i: int) -> np.ndarray:
            buffer = program.buffers[i]
            area, memory = program.areas[buffer.area], areas[buffer.area]
            if area.kind == STEP:
                memory = memory[batch : batch + 1]  # a view also where an entry is a scalar
            elif area.kind == ROWS:
                memory = memory[first : first + rows]
            batched = area.kind == DATA and buffer.shape[:1] == (None,)
            return memory.reshape(concrete(buffer.shape, len(memory) if batched else rows))

        def read(i: int | None) -> Any:
            if i is None:
                return None
            if i not in values:
                buffer = program.buffers[i]
                if buffer.alias is not None:
                    values[i] = read(buffer.alias).reshape(concrete(buffer.shape, rows))
                else:
                    values[i] = self._cast(bound(i))
            return values[i]

        finite, updated = True, False
        for step in program.steps:
            if step.update:
                updated = True
                if not finite:
                    break
            row = OPS[step.op]
            ins = [read(i) for i in step.ins]
            extra = {"seed": seed, "iteration": iteration} if row.random else {}
            result = row.reference(*ins, **step.attrs, **extra)
            if step.op == "check_finite":
                finite = finite and bool(result)
                continue
            outs = [r for r in (result if isinstance(result, tuple) else (result,)) if r is not None]
            if step.epilogue:
                name, attrs = step.epilogue
                outs = [OPS[name].reference(outs[0], **attrs)]
            for i, value in zip(step.outs, outs, strict=True):
                buffer = program.buffers[i]
                value = np.asarray(value)
                if buffer.dtype == "float32":
                    value = value.astype(self.dtype, copy=False)
                if program.areas[buffer.area].kind != ARENA:
                    target = bound(i)
                    target[...] = value.reshape(target.shape)
                values[i] = value
            if self.trace:
                self.trace(step, [values[i] for i in step.outs])
        return updated, updated and not finite

    def _cast(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self.dtype, copy=False) if array.dtype == np.float32 else array


def address(array: np.ndarray) -> int:
    """Where an array begins."""
    assert array.flags.c_contiguous
    return array.__array_interface__["data"][0]
