# cython: language_level=3, boundscheck=True, wraparound=False
"""The only bridge to C. It knows no kernel by name and does not grow when one is added."""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport getenv
from libc.string cimport memset, strcmp


cdef extern from "fastnn.h":
    enum:
        FNN_MAX_DIMS
        FNN_MAX_ATTRS
        FNN_MAX_ARGS
        FNN_BATCH_ROWS
        FNN_ON_NONFINITE_RAISE
        FNN_ON_NONFINITE_SKIP

    ctypedef struct fnn_row:
        const char *name

    ctypedef struct fnn_table:
        const char *isa
        int64_t workspace_floats
        int64_t count
        const fnn_row *rows

    ctypedef struct fnn_area:
        char *base

    ctypedef struct fnn_step:
        int32_t kernel

    ctypedef struct fnn_sweep:
        int64_t first
        int64_t count

    ctypedef struct fnn_run:
        const fnn_table *table
        const fnn_step *steps
        const fnn_sweep *sweeps
        int64_t sweep_count
        const fnn_area *areas
        const int64_t *first_rows
        const int64_t *row_counts
        int64_t batch_count
        float *workspace
        int threads
        int on_nonfinite
        uint64_t seed
        int64_t *iteration
        int count_all
        int part
        int32_t nonfinite
        int64_t *nanoseconds
        int team
        int64_t batches_done
        int64_t batches_skipped
        int64_t slept

    void fnn_execute(fnn_run *run) nogil
    int fnn_execute_all(fnn_run *runs, int64_t count, int threads) nogil
    void fnn_permutation(int64_t *order, uint64_t *scratch, int64_t n, uint64_t seed, uint32_t stream,
                         uint32_t epoch) nogil
    void fnn_permutations(int64_t *orders, uint64_t *scratch, int64_t count, int64_t n, const uint64_t *seeds,
                          uint32_t stream, const uint32_t *epochs, int threads) nogil
    const fnn_table *const *fnn_tables()
    void fnn_limits(const fnn_table *table, float *memory, int64_t count, double *operations, double *bytes) nogil
    int fnn_find(const fnn_table *table, const char *name)
    int fnn_has_openmp()
    int fnn_max_threads()
    int fnn_in_parallel()
    int fnn_try_threads(int count, int64_t stack_bytes) nogil
    int fnn_start_team(int threads) nogil
    void fnn_release_threads()


MAX_DIMS, MAX_ATTRS, MAX_ARGS = FNN_MAX_DIMS, FNN_MAX_ATTRS, FNN_MAX_ARGS
STEP_SIZE, SWEEP_SIZE, AREA_SIZE = sizeof(fnn_step), sizeof(fnn_sweep), sizeof(fnn_area)
BATCH_ROWS = FNN_BATCH_ROWS


cdef const fnn_table *table_of(str isa) except NULL:
    cdef const fnn_table *const *table = fnn_tables()
    while table[0] != NULL:
        if table[0].isa.decode() == isa:
            return table[0]
        table += 1
    raise ValueError(f"no instruction set {isa!r} on this machine")


def isas():
    """Names of the instruction sets that this machine can run, best first."""
    cdef const fnn_table *const *table = fnn_tables()
    names = []
    while table[0] != NULL:
        names.append(table[0].isa.decode())
        table += 1
    return names


def kernels(str isa):
    """Names of all kernels of an instruction set."""
    cdef const fnn_table *table = table_of(isa)
    return [table.rows[i].name.decode() for i in range(table.count)]


def find(str isa, str name):
    """Row of a kernel in the table of an instruction set."""
    cdef int row = fnn_find(table_of(isa), name.encode())
    if row < 0:
        raise KeyError(f"no kernel {name!r} in the table of {isa!r}")
    return row


def workspace_floats(str isa):
    """Scratch memory that each thread needs, in floats."""
    return table_of(isa).workspace_floats


def limits(str isa, float[::1] memory):
    """Operations and bytes per nanosecond of one thread; see `fnn_limits`."""
    cdef const fnn_table *table = table_of(isa)
    cdef double operations, bytes
    cdef int64_t count = memory.shape[0]
    if count == 0 or count % 64:
        raise ValueError("the memory must be a multiple of 64 floats")
    with nogil:
        fnn_limits(table, &memory[0], count, &operations, &bytes)
    return operations, bytes


def has_openmp():
    """Whether the extension was built with OpenMP."""
    return bool(fnn_has_openmp())


def max_threads():
    """Threads that OpenMP would use now (1 without OpenMP)."""
    return fnn_max_threads()


def in_parallel():
    """Whether the caller is in a parallel region already."""
    return bool(fnn_in_parallel())


def try_threads(int count, int64_t stack_bytes):
    """Create `count` threads that live at the same time, and end them; returns how many there were."""
    cdef int made
    with nogil:
        made = fnn_try_threads(count, stack_bytes)
    return made


def start_team(int threads):
    """Have OpenMP create the calling thread's team, which then waits for work; returns its size."""
    cdef int team
    with nogil:
        team = fnn_start_team(threads)
    return team


def release_threads():
    """End the idle threads that earlier runs of the calling thread left waiting for more work."""
    fnn_release_threads()


def permutation(int64_t[::1] order, uint64_t[::1] scratch, uint64_t seed, uint32_t stream, uint32_t epoch):
    """Put a random order of ``range(len(order))`` into `order`; `scratch` is as long."""
    cdef int64_t n = order.shape[0]
    if scratch.shape[0] != n or n >= 1 << 32:
        raise ValueError("arguments of a permutation do not fit together")
    if n:
        with nogil:
            fnn_permutation(&order[0], &scratch[0], n, seed, stream, epoch)


def permutations(int64_t[:, ::1] orders, uint64_t[:, ::1] scratch, const uint64_t[::1] seeds, uint32_t stream,
                 const uint32_t[::1] epochs, int threads):
    """`permutation` for each row of `orders`, each with a seed and an epoch; `scratch` has a row for each thread."""
    cdef int64_t count = orders.shape[0], n = orders.shape[1]
    if scratch.shape[0] < threads or scratch.shape[1] != n or seeds.shape[0] != count or epochs.shape[0] != count \
            or threads < 1 or n >= 1 << 32:
        raise ValueError("arguments of permutations do not fit together")
    if n and count:
        with nogil:
            fnn_permutations(&orders[0, 0], &scratch[0, 0], count, n, &seeds[0], stream, &epochs[0], threads)


cdef int check_plan(int64_t most_rows, const unsigned char[::1] steps, const unsigned char[::1] sweeps,
                    const int64_t[::1] first_rows, const int64_t[::1] row_counts) except -1:
    """Refuse what would make C read beyond the steps, or more rows than there is memory for."""
    cdef int64_t step = 0
    for i in range(sweeps.shape[0] // <int64_t>sizeof(fnn_sweep)):
        if (<const fnn_sweep *>&sweeps[0])[i].first != step or (<const fnn_sweep *>&sweeps[0])[i].count < 0:
            raise ValueError("sweeps do not follow one another")
        step += (<const fnn_sweep *>&sweeps[0])[i].count
    if step * <int64_t>sizeof(fnn_step) != steps.shape[0]:
        raise ValueError("sweeps and steps do not fit together")
    for i in range(row_counts.shape[0]):
        if not (first_rows[i] >= 0 and 0 <= row_counts[i] <= most_rows):
            raise ValueError(f"batch {i} has {row_counts[i]} rows from row {first_rows[i]}; the plan is for {most_rows}")
    return 0


cdef int prepare(fnn_run *run, int64_t most_rows, const unsigned char[::1] steps, const unsigned char[::1] sweeps,
                 const unsigned char[::1] areas, const int64_t[::1] first_rows, const int64_t[::1] row_counts,
                 float[::1] workspace, int threads, bint skip_nonfinite, uint64_t seed,
                 int64_t[::1] iteration) except -1:
    """What each run has; there is at least one batch and one sweep, and the rest of `run` is zero but its table."""
    if first_rows.shape[0] != row_counts.shape[0] or iteration.shape[0] != 1 \
            or workspace.shape[0] < threads * run.table.workspace_floats:
        raise ValueError("arguments of a run do not fit together")
    check_plan(most_rows, steps, sweeps, first_rows, row_counts)
    run.steps = <const fnn_step *>&steps[0]
    run.sweeps = <const fnn_sweep *>&sweeps[0]
    run.sweep_count = sweeps.shape[0] // <int64_t>sizeof(fnn_sweep)
    run.areas = <const fnn_area *>&areas[0]
    run.first_rows, run.row_counts = &first_rows[0], &row_counts[0]
    run.batch_count = row_counts.shape[0]
    run.workspace = &workspace[0] if workspace.shape[0] else NULL
    run.threads = threads
    run.on_nonfinite = FNN_ON_NONFINITE_SKIP if skip_nonfinite else FNN_ON_NONFINITE_RAISE
    run.seed = seed
    run.iteration = &iteration[0]
    return 0


def execute(str isa, int64_t most_rows, const unsigned char[::1] steps, const unsigned char[::1] sweeps,
            const unsigned char[::1] areas,
            const int64_t[::1] first_rows, const int64_t[::1] row_counts, float[::1] workspace,
            int threads, bint skip_nonfinite, uint64_t seed, int64_t[::1] iteration,
            int64_t[::1] nanoseconds=None, int32_t[::1] nonfinite=None, bint count_all=False):
    """Run a lowered Program; returns (batches done, batches skipped, threads that ran, seconds they slept).

    With `nonfinite`, shape (1,), the steps are a part of one batch: the flag comes in and goes out, and
    whoever has all parts counts the iteration. With `count_all`, batches that update nothing count as iterations, too.
    """
    cdef fnn_run run
    memset(&run, 0, sizeof(fnn_run))
    run.table = table_of(isa)
    if row_counts.shape[0] == 0 or sweeps.shape[0] == 0:
        return row_counts.shape[0], 0, 1, 0.0
    if (nonfinite is not None and row_counts.shape[0] != 1) \
            or (nanoseconds is not None and nanoseconds.shape[0] * <int64_t>sizeof(fnn_step) != steps.shape[0]):
        raise ValueError("arguments of a run do not fit together")
    prepare(&run, most_rows, steps, sweeps, areas, first_rows, row_counts, workspace, threads, skip_nonfinite, seed,
            iteration)
    run.count_all = count_all
    run.part = nonfinite is not None
    run.nonfinite = nonfinite[0] if run.part else 0
    run.nanoseconds = NULL if nanoseconds is None else &nanoseconds[0]
    with nogil:
        fnn_execute(&run)
    if run.part:
        nonfinite[0] = run.nonfinite
    return run.batches_done, run.batches_skipped, run.team, run.slept * 1e-9


def execute_all(str isa, int64_t most_rows, const unsigned char[::1] steps, const unsigned char[::1] sweeps,
                list calls, int threads, bint count_all=False):
    """Run a lowered Program on several sets of memory that share nothing, each on one thread.

    Each of `calls` is a tuple of the arguments `areas` to `iteration` of `execute`, with 1 as `threads`. Returns the threads
    that ran, and (batches done, batches skipped) of each call.
    """
    cdef int64_t count = len(calls)
    cdef int team
    cdef bytearray memory = bytearray(max(count, 1) * sizeof(fnn_run))  # zeros
    cdef fnn_run *runs = <fnn_run *><char *>memory
    if sweeps.shape[0] == 0:
        return 1, [(len(call[2]), 0) for call in calls]
    for i in range(count):
        runs[i].table = table_of(isa)
        areas, first_rows, row_counts, workspace, own_threads, skip_nonfinite, seed, iteration = calls[i]
        if own_threads != 1 or len(row_counts) == 0:
            raise ValueError("arguments of a run do not fit together")
        prepare(&runs[i], most_rows, steps, sweeps, areas, first_rows, row_counts, workspace, 1, skip_nonfinite, seed,
                iteration)
        runs[i].count_all = count_all
    with nogil:
        team = fnn_execute_all(runs, count, threads)
    return team, [(runs[i].batches_done, runs[i].batches_skipped) for i in range(count)]


def address(array):
    """Where a contiguous array begins.

    NumPy's own way, `__array_interface__`, makes and forgets some strings at each call, until Python has to make its
    table of strings anew: a megabyte at once.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS)
    try:
        return <uint64_t>view.buf
    finally:
        PyBuffer_Release(&view)


def switches():
    """The environment variables that decide how a program is made, as they are now."""
    cdef const char *value
    found = []
    for name in (b"FASTNN_ISA", b"FASTNN_FORCE_THREADS", b"FASTNN_DEBUG", b"FASTNN_NUM_THREADS"):
        value = getenv(name)
        found.append(None if value == NULL else <bytes>value)
    return found


cdef class OneBatch:
    """A program with one input and one output, ready to run on single batches.

    It takes a few hundred nanoseconds where `execute` takes some microseconds.

    Parameters
    ----------
    isa, most_rows, steps, sweeps, areas, workspace
        As for `execute`; all areas are bound but those of input and output.
    x, y : int
        Numbers of these two areas.
    x_shape, y_shape : tuple of int
        Their shapes without the rows.
    empty : callable
        ``empty(shape)`` gives a float32 array.
    """

    cdef fnn_run run
    cdef fnn_area *x
    cdef fnn_area *y
    cdef int64_t first_row, rows, iteration, most_rows
    cdef tuple x_shape, y_shape
    cdef object empty, kept
    cdef bint busy

    def __init__(self, str isa, int64_t most_rows, const unsigned char[::1] steps, const unsigned char[::1] sweeps,
                 unsigned char[::1] areas, float[::1] workspace, int x, int y, tuple x_shape, tuple y_shape, empty):
        memset(&self.run, 0, sizeof(fnn_run))
        self.kept = steps, sweeps, areas, workspace
        self.run.table = table_of(isa)
        self.run.steps, self.run.sweeps = <const fnn_step *>&steps[0], <const fnn_sweep *>&sweeps[0]
        self.run.sweep_count = sweeps.shape[0] // <int64_t>sizeof(fnn_sweep)
        self.run.areas = <const fnn_area *>&areas[0]
        self.run.first_rows, self.run.row_counts, self.run.batch_count = &self.first_row, &self.rows, 1
        self.run.workspace = &workspace[0]
        self.run.iteration = &self.iteration
        self.x, self.y = <fnn_area *>&areas[0] + x, <fnn_area *>&areas[0] + y
        self.first_row, self.most_rows = 0, most_rows
        self.x_shape, self.y_shape, self.empty = x_shape, y_shape, empty

    def __call__(self, x, int threads):
        """Return (y, threads that ran, seconds they slept), or None if x is no such batch, or another call is not done.

        Parameters
        ----------
        x : ndarray
        threads : int
            At most as many as there is workspace for.
        """
        if self.busy:
            return None
        self.busy = True  # before anything in which Python may let another thread run
        try:
            return self._run(x, threads)
        finally:
            self.busy = False

    cdef _run(self, x, int threads):
        cdef Py_buffer source, target
        try:
            PyObject_GetBuffer(x, &source, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        except (BufferError, ValueError):
            return None
        try:
            if strcmp(source.format, b"f") != 0 or source.ndim != len(self.x_shape) + 1 \
                    or not 1 <= source.shape[0] <= self.most_rows:
                return None
            for i in range(1, source.ndim):
                if source.shape[i] != <int64_t>self.x_shape[i - 1]:
                    return None
            y = self.empty((source.shape[0], *self.y_shape))
            PyObject_GetBuffer(y, &target, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
            self.rows, self.run.threads = source.shape[0], threads
            self.x.base, self.y.base = <char *>source.buf, <char *>target.buf
            with nogil:
                fnn_execute(&self.run)
            PyBuffer_Release(&target)
            return y, self.run.team, self.run.slept * 1e-9
        finally:
            PyBuffer_Release(&source)
