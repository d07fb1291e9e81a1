"""The two executors of a planned Program: NumPy (the oracle) and C (the product)."""

import copy
import functools
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from . import _native, config
from .contention import Contention
from .debug import CHECK_STEPS, TIME_STEPS, GuardedMemory, Limits, StepCheck, Times, timings
from .errors import name_layer, unknown
from .memory import Memory
from .ops import philox
from .ops.table import OPS
from .plan import lowered_dims, plan
from .program import ARENA, LOCAL, ROWS, STEP, VARIABLE, Program, Step, Sweep
from .record import Recorder
from .sweeps import arguments, step_cost
from .variable import Variable, aligned_empty

STEP_DTYPE = np.dtype(
    [
        ("kernel", "i4"),
        ("epilogue", "i4"),
        ("batch_dims", "i4"),
        ("row_dims", "i4"),
        ("dim_count", "i8"),
        ("arg_count", "i8"),
        ("dims", "i8", _native.MAX_DIMS),
        ("attrs", "f8", _native.MAX_ATTRS),
        ("epilogue_attrs", "f8", _native.MAX_ATTRS),
        ("args", [("area", "i8"), ("offset", "i8")], _native.MAX_ARGS),
        ("row_bytes", "i8", _native.MAX_ARGS),
    ],
    align=True,
)
SWEEP_DTYPE = np.dtype(
    [
        ("first", "i8"),
        ("count", "i8"),
        ("rows", "i8"),
        ("block", "i8"),
        ("barrier", "i4"),
        ("threads", "i4"),
        ("leader", "i4"),
        ("stage", "i4"),
    ],
    align=True,
)
AREA_DTYPE = np.dtype([("base", "u8"), ("per_row", "i8"), ("per_step", "i8"), ("per_thread", "i8")], align=True)
for dtype, size in (
    (STEP_DTYPE, _native.STEP_SIZE),
    (SWEEP_DTYPE, _native.SWEEP_SIZE),
    (AREA_DTYPE, _native.AREA_SIZE),
):
    assert dtype.itemsize == size

NO_THREAD_LIMIT = 2**31 - 1
LIMITS_BYTES = 1 << 18  # too many for the first level of a cache, and few enough for the second
ONE_THREAD_COST = 5_000_000  # of a single batch, in the unit of fastnn.sweeps: waking a team takes some microseconds
SPARE_THREADS = 4  # that must be creatable beyond those of a team


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
    slept : float
        Seconds that they slept while they waited for one another, all together.
    ended : bool
        Whether more of it would change nothing.
    """

    batches: int
    skipped: int
    team: int
    slept: float = 0.0
    ended: bool = False

    def then(self, other: "Run") -> "Run":
        """This run and one after it as one."""
        team, slept = max(self.team, other.team), self.slept + other.slept
        return Run(self.batches + other.batches, self.skipped + other.skipped, team, slept)


@dataclass
class Call:
    """What C receives besides the steps."""

    areas: np.ndarray
    first_rows: np.ndarray
    row_counts: np.ndarray
    workspace: np.ndarray
    threads: int
    skip: bool
    seed: int
    iteration: np.ndarray

    def arguments(self) -> tuple[Any, Any, Any, Any, int, bool, int, Any]:
        """In the order of `_native.execute`."""
        areas = self.areas.view(np.uint8)
        batches = areas, self.first_rows, self.row_counts
        return *batches, self.workspace, self.threads, self.skip, self.seed, self.iteration

    def one_batch(self, batch: int, strides: np.ndarray) -> "Call":
        """The call for one of the batches."""
        areas = self.areas.copy()
        areas["base"] += np.uint64(batch) * strides["per_step"].astype(np.uint64)
        return replace(
            self,
            areas=areas,
            first_rows=self.first_rows[batch : batch + 1],
            row_counts=self.row_counts[batch : batch + 1],
        )


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


@functools.cache
def limits(isa: str) -> Limits:
    """What one thread of this machine can do, measured once."""
    memory = aligned_empty((LIMITS_BYTES // 4,), np.float32)
    memory[...] = 0
    return Limits(*_native.limits(isa, memory))


def team_size() -> int:
    """Threads a run asks for: the configured number, less where OpenMP was limited."""
    explicit, limit = config.explicit_threads(), _native.max_threads()
    threads = explicit or config.default_threads()
    if limit != OPENMP_THREADS_AT_IMPORT or not explicit:  # threadpoolctl or omp_set_num_threads
        threads = min(threads, limit)
    return threads if _native.has_openmp() else 1


OPENMP_THREADS_AT_IMPORT = _native.max_threads()


def switches() -> list[bytes | None]:
    """The environment variables that decide how a program is made, as they are now."""
    return _native.switches()


class Kept(threading.local):
    """What OpenMP keeps for the calling thread from one parallel region to the next.

    Attributes
    ----------
    team : int
        Threads of its last team, the calling one included; they wait for more work.
    most : int
        The largest team to ask for, since a larger one was refused.
    """

    team = 1
    most = NO_THREAD_LIMIT


kept = Kept()
creating = threading.RLock()  # a signal handler may fork in the middle


def create_team(threads: int) -> int:
    """Have OpenMP create a team of `threads`, or of as many as can be created, for the calling thread.

    OpenMP ends the process when it fails to create a thread. So as many as it is going to create are created and
    ended here first, and some more, for others may be creating threads at the same time. Inside of a parallel region of
    somebody else, where OpenMP would create a team anew each time, the calling thread works alone.
    """
    if threads == 1 or _native.in_parallel():
        return 1
    make_forks_safe()
    threads = min(threads, kept.most)
    if threads > kept.team:
        with creating:  # or what one thread tries would be what another one creates
            missing = threads - kept.team
            found = _native.try_threads(missing + SPARE_THREADS, config.worker_stack_bytes()) - SPARE_THREADS
            kept.team = _native.start_team(kept.team + max(0, min(found, missing)))
            if kept.team < threads:
                threads = kept.most = kept.team
    return threads


@functools.cache
def make_forks_safe() -> None:
    """Have a fork leave no team of threads behind: the child would wait for threads that it does not have."""

    def prepare() -> None:
        creating.acquire()
        _native.release_threads()
        kept.team, kept.most = Kept.team, Kept.most

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=prepare, after_in_parent=creating.release, after_in_child=creating.release)


def permutation(n: int, seed: int, epoch: int, memory: np.ndarray | None = None) -> np.ndarray:
    """`fastnn.ops.philox.permutation`, in C; in the first row of `memory`, int64 of shape (2, n), if it is given."""
    if n >= philox.WORD:
        return philox.permutation(n, seed, epoch)
    order, scratch = np.empty((2, n), np.int64) if memory is None else memory
    _native.permutation(order, scratch.view(np.uint64), seed, philox.PERMUTATION_STREAM, epoch % philox.WORD)
    return order


def permutations(n: int, seeds: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """`permutation` for each of some seeds and epochs, shape (len(seeds), n)."""
    if n >= philox.WORD:
        return np.array([philox.permutation(n, int(s), int(e)) for s, e in zip(seeds, epochs, strict=True)])
    threads = together(len(seeds))
    orders, scratch = np.empty((len(seeds), n), np.int64), np.empty((threads, n), np.uint64)
    given = seeds.astype(np.uint64), philox.PERMUTATION_STREAM, (epochs % philox.WORD).astype(np.uint32)
    _native.permutations(orders, scratch, *given, threads)
    if threads > 1:
        kept.team = threads
    return orders


def pieces(program: Program, single: bool) -> list[tuple[int, int, bool]]:
    """The steps from ... to that run in one call, up to a step in Python or each alone, and whether they update.

    The program is one in which each step is a sweep.
    """
    cuts = {0, len(program.steps)}
    for i, step in enumerate(program.steps):
        if single:
            cuts.add(i)
        if step.in_python:
            cuts |= {i, i + 1}
    return [
        (low, high, any(step.update for step in program.steps[low:high]))
        for low, high in itertools.pairwise(sorted(cuts))
    ]


def run_in_python(step: Step, memory: Memory, batch: int, first: int, rows: int) -> None:
    """A step without a kernel: its reference on views of the memory."""
    ins = [None if i is None else memory.view(i, batch, first, rows) for i in step.ins]
    try:
        results = OPS[step.op].reference(*ins, **step.attrs)
    except ValueError as error:
        if step.label:
            name_layer(error, step.label)
        raise
    for i, result in zip(step.outs, results if isinstance(results, tuple) else (results,), strict=True):
        memory.view(i, batch, first, rows)[...] = result


def allocate_areas(program: Program, threads: int = 1) -> dict[int, np.ndarray]:
    """The memory an executor owns itself."""
    sizes = {ARENA: program.arena_bytes, LOCAL: program.local_bytes * threads}
    return {
        i: aligned_empty((max(sizes[area.kind], 1),), np.uint8)
        for i, area in enumerate(program.areas)
        if area.kind in sizes
    }


def lowered(program: Program, isa: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and sweeps as C takes them."""
    steps, sweeps = np.zeros(len(program.steps), STEP_DTYPE), np.zeros(len(program.sweeps), SWEEP_DTYPE)
    first = 0
    for target, (sweep, own) in zip(sweeps, program.grouped(), strict=True):
        rows = sweep.shape[0] if sweep.shape else 0
        target["first"], target["count"], first = first, sweep.count, first + sweep.count
        target["rows"], target["block"] = _native.BATCH_ROWS if rows is None else rows, sweep.block
        target["barrier"], target["stage"], target["leader"] = sweep.barrier, sweep.update, sweep.leader
        target["threads"] = 1 if sweep.serial else NO_THREAD_LIMIT
        for step, to in zip(own, steps[first - sweep.count : first], strict=True):
            if not step.in_python:
                lower(program, sweep, step, to, isa)
    return steps, sweeps


def lower(program: Program, sweep: Sweep, step: Step, target: Any, isa: str) -> None:
    """Write a step as C takes it."""
    row = OPS[step.op]
    target["kernel"] = _native.find(isa, row.kernel or row.name)
    target["epilogue"] = -1
    if step.epilogue:
        name, attrs = step.epilogue
        target["epilogue"] = _native.find(isa, name)
        target["epilogue_attrs"][: len(attrs)] = list(attrs.values())
    numbers = [v for v in step.attrs.values() if isinstance(v, Real)]
    target["attrs"][: len(numbers)] = numbers
    try:
        dims, target["batch_dims"], target["row_dims"] = lowered_dims(program, step, sweep)
    except ValueError as error:  # more axes than a kernel walks over
        if step.label:
            name_layer(error, step.label)
        raise
    target["dims"][: len(dims)], target["dim_count"] = dims, len(dims)
    args = target["args"]
    args["area"] = -1
    given = arguments(program, step, sweep)
    target["arg_count"] = len(given)
    for k, (i, stride) in enumerate(given):
        if i is not None:
            args["area"][k], args["offset"][k] = program.buffers[i].area, program.buffers[i].offset
            target["row_bytes"][k] = stride


class NativeExecutor:
    """Runs a Program in C: many batches in one call, GIL released, one parallel region.

    A program with steps in Python runs batch by batch, in pieces: a call of C for the steps between them.

    Parameters
    ----------
    program : Program
        A planned program.
    variables : list of Variable
        Memory of the program's variable areas, in order.
    isa : str, optional
        Default: `current_isa()`.
    stepwise : callable, optional
        ``stepwise()`` gives the program planned step by step, for batches that this one cannot prove finite.
        By default these count as not finite.
    """

    def __init__(
        self,
        program: Program,
        variables: list[Variable],
        isa: str | None = None,
        stepwise: Callable[[], Program] | None = None,
    ):
        self.program, self.variables = program, variables
        self.isa = isa or current_isa()
        self.stepwise = stepwise or (lambda: program)
        self.steps, self.sweeps = lowered(program, self.isa)
        self.proves = stepwise is not None and any(step.op == "check_product" for step in program.steps)
        self.checked = config.debug() >= CHECK_STEPS
        self.pieces = pieces(program, single=self.checked)
        self.in_pieces = self.checked or any(step.in_python for step in program.steps)
        self.times: Times | None = None
        if config.debug() == TIME_STEPS:
            self.times = Times(np.zeros(len(program.steps), np.int64))
            limits(self.isa)  # measured now, while no thread of ours keeps another CPU busy
        self.serial = all(sweep.serial and not sweep.leader for sweep in program.sweeps)
        self.areas = np.zeros(len(program.areas), AREA_DTYPE)
        self._bound: list[int] = []
        given = iter(variables)
        for i, area in enumerate(program.areas):
            self.areas["per_row"][i] = area.stride if area.kind == ROWS else 0
            self.areas["per_step"][i] = area.stride if area.kind == STEP else 0
            self.areas["per_thread"][i] = program.local_bytes if area.kind == LOCAL else 0
            if area.kind == VARIABLE:
                self.areas["base"][i] = _native.address(next(given).value)
            elif area.kind not in (ARENA, LOCAL):
                self._bound.append(i)
        # Taken by a call and put back after it, so that concurrent calls never share memory.
        self._workspaces: list[tuple[int, dict[int, np.ndarray], np.ndarray]] = []
        self._contention = Contention()
        self._careful: NativeExecutor | None = None
        self.count_all = False  # whether batches that update nothing count as iterations, too

    def sharing(self, variables: list[Variable]) -> "NativeExecutor":
        """An executor of the same plan, which is not made anew, on other variables of the same shapes."""
        other = copy.copy(self)
        other.variables, other.areas, given = variables, self.areas.copy(), iter(variables)
        for i, area in enumerate(self.program.areas):
            if area.kind == VARIABLE:
                other.areas["base"][i] = _native.address(next(given).value)
        other.times = self.times and Times(np.zeros(len(self.program.steps), np.int64))
        other._workspaces, other._contention, other._careful = [], Contention(), None
        return other

    @property
    def whole(self) -> bool:
        """Whether a run is one call of C, of which nothing but the results is asked for."""
        return not (self.in_pieces or self.times)

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
            Default: `team_size()`, or fewer while the machine is busy (see `fastnn.contention`).

        Returns
        -------
        Run
        """
        settings: Any = (seed, iteration, on_nonfinite, threads)
        run = self._run_batches(data, first_rows, row_counts, *settings)
        return self._finished(run, data, first_rows, row_counts, *settings)

    def _finished(
        self, run: Run, data: dict[str, np.ndarray], first_rows: np.ndarray, row_counts: np.ndarray, *settings: Any
    ) -> Run:
        """A run that stopped at a batch, and what comes after it where only the proof that it is finite had failed."""
        while self.proves and run.batches < len(row_counts):  # a batch that could not be proved finite
            done = run.batches
            if self._careful is None:
                self._careful = NativeExecutor(self.stepwise(), self.variables, self.isa)
            one = first_rows[done : done + 1], row_counts[done : done + 1]
            run = run.then(self._careful.run(self._behind(data, done), *one, *settings))
            if run.batches == done:
                break
            rest = first_rows[run.batches :], row_counts[run.batches :]
            run = run.then(self._run_batches(self._behind(data, run.batches), *rest, *settings))
        return run

    def _behind(self, data: dict[str, np.ndarray], batches: int) -> dict[str, np.ndarray]:
        """The arrays of a run without what belongs to its first batches."""
        by_step = {area.name for area in self.program.areas if area.kind == STEP}
        return {name: array[batches:] if name in by_step else array for name, array in data.items()}

    def _run_batches(
        self,
        data: dict[str, np.ndarray],
        first_rows: np.ndarray,
        row_counts: np.ndarray,
        seed: int,
        iteration: np.ndarray | None,
        on_nonfinite: str,
        threads: int | None,
    ) -> Run:
        """Run batches up to one that is not finite."""
        adaptive = not (self.serial or threads or config.force_threads())
        wanted = 1 if self.serial else threads or team_size()
        threads = create_team(self._contention.team(wanted) if adaptive and wanted > 1 else wanted)
        wanted = min(wanted, kept.most)  # no memory for threads that cannot be created
        call, most, own = self._call(data, first_rows, row_counts, seed, iteration, on_nonfinite, wanted)
        call.threads = threads
        began = time.perf_counter()
        try:
            if self.checked:
                run = self._run_checked(call, Memory(self.program, self.variables, data, own))
            elif self.in_pieces:
                run = self._run_in_pieces(call, Memory(self.program, self.variables, data, own))
            else:
                times = self.times and self.times.nanoseconds
                run = self._execute(call, self.steps, self.sweeps, nanoseconds=times)
        finally:
            self._workspaces.append((most, own, call.workspace))
        seconds = time.perf_counter() - began
        if adaptive:
            self._contention.note(run.team, int(row_counts.sum()), seconds, run.slept)
        if self.times:
            self.times.note(row_counts[: run.batches], run.team, seconds)
        return run

    def _call(
        self,
        data: dict[str, np.ndarray],
        first_rows: np.ndarray,
        row_counts: np.ndarray,
        seed: int,
        iteration: np.ndarray | None,
        on_nonfinite: str,
        threads: int,
    ) -> tuple[Call, int, dict[int, np.ndarray]]:
        """What C receives, and what `_workspaces` gets back besides its scratch: for how many threads, and areas."""
        areas, program = self.areas.copy(), self.program
        last_row = int(first_rows[-1] + row_counts[-1]) if len(row_counts) else 0
        for i in self._bound:
            area, array = program.areas[i], data[program.areas[i].name]
            least = {ROWS: last_row, STEP: len(row_counts)}.get(area.kind, 0)
            if array.dtype != area.dtype or (least and len(array) < least):
                raise TypeError(
                    f"{area.name!r} is {array.dtype} of shape {array.shape}; the program needs {area.dtype} x {least}"
                )
            areas["base"][i] = _native.address(array)
        try:
            most, own, scratch = self._workspaces.pop()
        except IndexError:
            most, own, scratch = 0, {}, np.empty(0, np.float32)
        if most < threads:
            most, own = threads, allocate_areas(program, threads)
            scratch = aligned_empty((threads * _native.workspace_floats(self.isa),), np.float32)
        for i, memory in own.items():
            areas["base"][i] = _native.address(memory)
        if iteration is None:
            iteration = np.zeros(1, np.int64)
        skip = on_nonfinite == "skip" and not self.proves
        return Call(areas, first_rows, row_counts, scratch, threads, skip, seed, iteration), most, own

    def _execute(self, call: Call, steps: np.ndarray, sweeps: np.ndarray, **options: Any) -> Run:
        """Run steps in one call of C, on as many threads as there can be."""
        call.threads = create_team(call.threads)
        plan = steps.view(np.uint8), sweeps.view(np.uint8)
        options["count_all"] = self.count_all
        run = Run(*_native.execute(self.isa, self.program.rows, *plan, *call.arguments(), **options))
        if run.team > 1:
            kept.team = run.team  # OpenMP ends the threads that a smaller team leaves over
        return run

    def print_timings(self) -> None:
        """Print what the steps took since the last time, if they are timed."""
        if self.times and self.times.batches:
            print(f"fastnn {timings(self.program, self.times, limits(self.isa))}", file=sys.stderr)
            self.times = Times(np.zeros_like(self.times.nanoseconds))
        if self._careful is not None:
            self._careful.print_timings()

    def _run_checked(self, call: Call, memory: Memory) -> Run:
        """Run step by step on a copy of the memory, and put back what it became."""
        guarded = GuardedMemory(memory)
        for i, array in enumerate(guarded.arrays):
            if array is not None:
                call.areas["base"][i] = _native.address(array)
        try:
            return self._run_in_pieces(call, guarded)
        finally:
            guarded.put_back()

    def _run_in_pieces(self, call: Call, memory: Memory) -> Run:
        """Run batch by batch, C and Python in turn."""
        done, skipped, team, slept = 0, 0, 1, 0.0
        for batch, (first, rows) in enumerate(zip(call.first_rows.tolist(), call.row_counts.tolist(), strict=True)):
            nonfinite, updated = np.zeros(1, np.int32), False
            one = call.one_batch(batch, self.areas)
            check = None
            if isinstance(memory, GuardedMemory):
                check = StepCheck(memory, batch, first, rows, call.seed, int(call.iteration[0]))
            for low, high, updates in self.pieces:
                step = self.program.steps[low]
                updated |= updates
                if step.update and nonfinite[0]:
                    break
                if check:
                    check.before(step)
                times = None if self.times is None else self.times.nanoseconds[low:high]
                if step.in_python:
                    began = time.perf_counter_ns()
                    run_in_python(step, memory, batch, first, rows)
                    if times is not None:
                        times += time.perf_counter_ns() - began
                else:
                    sweeps = self.sweeps[low:high].copy()
                    sweeps["first"] -= low
                    part = self._execute(one, self.steps[low:high], sweeps, nanoseconds=times, nonfinite=nonfinite)
                    team, slept = max(team, part.team), slept + part.slept
                if check:
                    check.after(step)
            skip = updated and bool(nonfinite[0])
            if skip and not call.skip:
                break
            done, skipped = done + 1, skipped + skip
            call.iteration[0] += updated or self.count_all
        return Run(done, skipped, team, slept)


@dataclass
class Job:
    """The arguments of a `run`, and who runs it."""

    executor: "NativeExecutor | NumpyExecutor"
    data: dict[str, np.ndarray]
    first_rows: np.ndarray
    row_counts: np.ndarray
    seed: int
    iteration: np.ndarray | None
    on_nonfinite: str = "raise"

    @property
    def arguments(self) -> tuple[Any, Any, Any, int, Any, str]:
        return self.data, self.first_rows, self.row_counts, self.seed, self.iteration, self.on_nonfinite


def run_side_by_side(jobs: list[Job]) -> list[Run]:
    """Run several jobs in one call of C, as many at a time as there are threads, each on one thread.

    They have at least one batch each, and write to no memory in common. Where their executors do not share one plan, or
    a run is more than one call of C, they run one after the other.
    """
    executors = [job.executor for job in jobs if isinstance(job.executor, NativeExecutor)]
    first = executors[0] if len(executors) == len(jobs) else None
    if first is None or not first.whole or any(other.steps is not first.steps for other in executors):
        return [job.executor.run(*job.arguments) for job in jobs]
    threads = together(len(jobs))
    prepared = [own._call(*job.arguments, 1) for own, job in zip(executors, jobs, strict=True)]
    try:
        plan = first.steps.view(np.uint8), first.sweeps.view(np.uint8)
        calls = [call.arguments() for call, _, _ in prepared]
        team, found = _native.execute_all(first.isa, first.program.rows, *plan, calls, threads, first.count_all)
    finally:
        for own, (call, most, memory) in zip(executors, prepared, strict=True):
            own._workspaces.append((most, memory, call.workspace))
    if team > 1:
        kept.team = team
    runs = [Run(done, skipped, 1) for done, skipped in found]
    return [own._finished(run, *job.arguments, None) for own, job, run in zip(executors, jobs, runs, strict=True)]


def together(jobs: int) -> int:
    """How many of so many jobs run at the same time, each on a thread of the team that then waits for them."""
    return create_team(min(team_size(), jobs))


class OneBatch:
    """A program that makes predictions, ready for single batches of up to as many rows as it was planned for.

    Parameters
    ----------
    executor : NativeExecutor
        With one input, "x", and one output, "y".
    """

    def __init__(self, executor: NativeExecutor):
        program, isa = executor.program, executor.isa
        self.executor, self.forced = executor, config.force_threads()
        self.most_threads = 1 if executor.serial else team_size()
        self.cost = sum(step_cost(program, step) for step in program.steps) / program.rows  # of a row
        areas, self.own = executor.areas.copy(), allocate_areas(program, self.most_threads)
        for i, memory in self.own.items():
            areas["base"][i] = _native.address(memory)
        x, y = (next(i for i, area in enumerate(program.areas) if area.name == name) for name in ("x", "y"))
        self.native = _native.OneBatch(
            isa,
            program.rows,
            executor.steps.view(np.uint8),
            executor.sweeps.view(np.uint8),
            areas.view(np.uint8),
            aligned_empty((self.most_threads * _native.workspace_floats(isa),), np.float32),
            x,
            y,
            program.areas[x].shape[1:],
            program.areas[y].shape[1:],
            functools.partial(np.empty, dtype=np.float32),
        )

    @staticmethod
    def fits(executor: NativeExecutor) -> bool:
        """Whether there is nothing about an executor that needs more preparation."""
        return executor.whole and [area.name for area in executor.program.areas if area.kind == ROWS] == ["x", "y"]

    def __call__(self, x: np.ndarray) -> np.ndarray | None:
        """The outputs; None for an x that has to be converted first, or while another thread uses this object."""
        rows, threads = len(x), 1
        if self.most_threads > 1 and (self.forced or rows * self.cost > ONE_THREAD_COST):
            threads = min(self.most_threads, team_size())
        if threads == 1:
            made = self.native(x, 1)
            return made and made[0]
        contention, adaptive = self.executor._contention, not self.forced
        threads = create_team(contention.team(threads) if adaptive else threads)
        began = time.perf_counter()
        made = self.native(x, threads)
        if made is None:
            return None
        y, team, slept = made
        if team > 1:
            kept.team = team
        if adaptive:
            contention.note(team, rows, time.perf_counter() - began, slept)
        return y


class NumpyExecutor:
    """Runs the same Program with the references, step by step, every buffer its own array.

    Parameters are those of `NativeExecutor`; `dtype` replaces float32 throughout ("float64" makes
    it the oracle), and `trace`, when set, is called with each step and its outputs.
    """

    def __init__(self, program: Program, variables: list[Variable], dtype: str = "float32"):
        self.program, self.variables, self.dtype = program, variables, dtype
        self.stepwise = lambda: program
        self.trace: Any = None
        self.count_all = False

    def print_timings(self) -> None:
        """Nothing: only steps in C are timed."""

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
                iteration[0] += updated or self.count_all
        return Run(done, skipped, 1)

    def _batch(
        self, data: dict[str, np.ndarray], batch: int, first: int, rows: int, seed: int, iteration: int
    ) -> tuple[bool, bool]:
        """Whether the program has updates, and whether they were skipped."""
        program = self.program
        values: dict[int, Any] = {}
        memory = Memory(program, self.variables, data)

        def bound(i: int) -> np.ndarray:
            return memory.view(i, batch, first, rows)

        def read(i: int | None) -> Any:
            if i is None:
                return None
            if i not in values:
                buffer = program.buffers[i]
                if buffer.view is not None:
                    return OPS[buffer.view.op].reference(*map(read, buffer.view.ins), **buffer.view.attrs)
                values[i] = self._cast(bound(i))
            return values[i]

        finite, updated = True, False
        writes: list[tuple[np.ndarray, Any]] = []  # done at the end: an error in between changes no weight
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
                if program.areas[buffer.area].kind not in (ARENA, LOCAL):
                    writes.append((bound(i), value))
                values[i] = value
            if self.trace:
                self.trace(step, [values[i] for i in step.outs])
        for target, value in writes:
            target[...] = value
        return updated, updated and not finite

    def _cast(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self.dtype, copy=False) if array.dtype == np.float32 else array


def make_executor(recorder: Recorder, name: str, in_numpy: bool = False) -> NativeExecutor | NumpyExecutor:
    """Plan what was recorded and make it ready to run: in C, or with NumPy, as float64 is always."""
    recorded = recorder.program()
    in_numpy = in_numpy or recorder.dtype == "float64"
    force, single = config.force_threads(), in_numpy or config.debug() >= CHECK_STEPS
    program = plan(recorded, force, single or any(step.in_python for step in recorded.steps))
    if config.debug():
        print(f"fastnn {name}: {program.describe()}", file=sys.stderr)
    if in_numpy:
        return NumpyExecutor(program, recorder.variables, recorder.dtype)
    return NativeExecutor(program, recorder.variables, current_isa(), lambda: plan(recorded, force, stepwise=True))
