/* program.c: the executor. One parallel region for all batches of a call; inside it every thread
 * goes through the same list of sweeps and takes its share of each. */
#define _GNU_SOURCE /* syscall(), clock_gettime() */

#include "fastnn.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <sched.h>

/* Linux lets a thread sleep for as long as a number keeps its value; elsewhere it only lets others run. */
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
static void sleep_while(atomic_uint *number, unsigned value)
{
    syscall(SYS_futex, number, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
static void wake_sleepers(atomic_uint *number)
{
    syscall(SYS_futex, number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
static int current_cpu(void) { return sched_getcpu(); }

/* Has the calling thread go on on another CPU: the system may let a new thread share one for tens of milliseconds while
 * another one idles. The CPUs that it may use are the same afterwards. */
static void leave_cpu(int cpu, int team)
{
    cpu_set_t allowed, others;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < team || !CPU_ISSET(cpu, &allowed))
        return;
    others = allowed;
    CPU_CLR(cpu, &others);
    if (sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
static int current_cpu(void) { return -1; }
static void leave_cpu(int cpu, int team) { (void)cpu, (void)team; }
static void sleep_while(atomic_uint *number, unsigned value)
{
    if (atomic_load(number) == value)
        sched_yield();
}
static void wake_sleepers(atomic_uint *number) { (void)number; }
#endif

/* Tells the processor that this is a waiting loop. */
#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

/* Where the threads of a team meet. They come within a microsecond of each other unless the machine is busy with
 * something else; then a thread that has waited long enough sleeps, so that the one it waits for can have its CPU. */
typedef struct {
    _Alignas(64) atomic_uint arrived;
    _Alignas(64) atomic_uint generation; /* counts how often they met; it may wrap around */
    _Alignas(64) atomic_uint sleepers;
    atomic_int sleeper_cpu;              /* on which one of them waited */
    _Atomic int64_t slept;               /* nanoseconds, summed over the threads */
    _Alignas(64) int32_t nonfinite[2];   /* whether a check of this batch has failed, and the same of the next one */
} barrier;

enum { SPINS_BEFORE_SLEEP = 2000 };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void wait_at(barrier *b, int team)
{
    if (team == 1)
        return;
    const unsigned generation = atomic_load_explicit(&b->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) + 1 == (unsigned)team) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store(&b->generation, generation + 1); /* before the look at sleepers, who look at it after they */
        if (atomic_load(&b->sleepers)) {              /* have counted themselves: one of the two sees the other */
            const int cpu = current_cpu();
            if (cpu >= 0 && atomic_load(&b->sleeper_cpu) == cpu)
                leave_cpu(cpu, team);
            wake_sleepers(&b->generation);
        }
        return;
    }
    for (int spins = 0; spins < SPINS_BEFORE_SLEEP; spins++) {
        if (atomic_load_explicit(&b->generation, memory_order_acquire) != generation)
            return;
        RELAX();
    }
    const int64_t began = now();
    atomic_store(&b->sleeper_cpu, current_cpu());
    while (atomic_load_explicit(&b->generation, memory_order_acquire) == generation) {
        atomic_fetch_add(&b->sleepers, 1);
        sleep_while(&b->generation, generation);
        atomic_fetch_sub(&b->sleepers, 1);
    }
    atomic_fetch_add_explicit(&b->slept, now() - began, memory_order_relaxed);
}

/* A part of a step's work: rows `at` to `at + rows` of the axis of its sweep, and the thread of how many that does it. */
typedef struct {
    int64_t at, rows;
    int thread, threads;
} part;

static void run_step(const fnn_run *run, const fnn_step *step, int64_t batch, part p, int thread, uint64_t iteration,
                     int32_t *nonfinite)
{
    const int64_t batch_rows = run->row_counts[batch], first_row = run->first_rows[batch];
    int64_t dims[FNN_MAX_DIMS];
    for (int64_t i = 0; i < step->dim_count; i++) {
        dims[i] = step->dims[i];
        if (step->batch_dims >> i & 1)
            dims[i] *= batch_rows;
        if (step->row_dims >> i & 1)
            dims[i] *= p.rows;
    }
    const fnn_row *epilogue = step->epilogue < 0 ? NULL : &run->table->rows[step->epilogue];
    const int more = batch + 1 < run->batch_count && (step->batch_dims | step->row_dims) & 1; /* has rows of the batch */
    fnn_call call = {
        .dims = dims,
        .first_row = p.at,
        .next_batch = more ? run->first_rows[batch + 1] - first_row : 0,
        .next_rows = more ? run->row_counts[batch + 1] - p.at : 0,
        .attrs = step->attrs,
        .thread = p.thread,
        .threads = p.threads,
        .epilogue = epilogue ? epilogue->map : NULL,
        .epilogue_attrs = step->epilogue_attrs,
        .seed = run->seed,
        .iteration = iteration,
        .nonfinite = nonfinite,
        .workspace = run->workspace + thread * run->table->workspace_floats,
    };
    for (int64_t i = 0; i < step->arg_count; i++) {
        const fnn_arg *arg = &step->args[i];
        if (arg->area >= 0) {
            const fnn_area *area = &run->areas[arg->area];
            call.args[i] = area->base + first_row * area->per_row + batch * area->per_step + thread * area->per_thread
                           + arg->offset + p.at * step->row_bytes[i];
        }
    }
    const int64_t began = run->nanoseconds ? now() : 0;
    run->table->rows[step->kernel].run(&call);
    if (run->nanoseconds)
        __atomic_fetch_add(&run->nanoseconds[step - run->steps], now() - began, __ATOMIC_RELAXED);
}

/* Where part `i` of `parts` equal parts of n items begins, equal up to one item; part `parts` begins at the end. */
static int64_t begin_of(int64_t n, int64_t parts, int64_t i)
{
    const int64_t rest = n % parts;
    return n / parts * i + (i < rest ? i : rest);
}

/* The share of thread `thread` of `team` of one sweep. */
static void run_sweep(const fnn_run *run, const fnn_sweep *sweep, int64_t batch, int thread, int team,
                      uint64_t iteration, int32_t *nonfinite)
{
    const fnn_step *first = run->steps + sweep->first, *end = first + sweep->count;
    const int threads = sweep->threads < team ? sweep->threads : team;
    const int number = (thread + team - sweep->leader % team) % team;
    if (number >= threads)
        return;
    if (sweep->rows == 0) {
        for (const fnn_step *step = first; step < end; step++)
            run_step(run, step, batch, (part){0, 0, number, threads}, thread, iteration, nonfinite);
        return;
    }
    const int64_t rows = sweep->rows == FNN_BATCH_ROWS ? run->row_counts[batch] : sweep->rows;
    const int64_t low = begin_of(rows, threads, number), own = begin_of(rows, threads, number + 1) - low;
    const int64_t blocks = (own + sweep->block - 1) / sweep->block;
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t at = begin_of(own, blocks, block), rows_here = begin_of(own, blocks, block + 1) - at;
        for (const fnn_step *step = first; step < end; step++)
            run_step(run, step, batch, (part){low + at, rows_here, 0, 1}, thread, iteration, nonfinite);
    }
}

/* What thread `thread` of `team` does: the same control flow in every thread, because all of it depends only on
 * the sweeps and on `nonfinite`, which is read behind a barrier. Batches take turns with two such flags: while one is
 * in use the other one is cleared, so that no batch needs a barrier for that. */
static void run_batches(fnn_run *run, int thread, int team, barrier *b)
{
    int32_t *const flags = b->nonfinite;
    int64_t iteration = *run->iteration, batch = 0, skipped = 0;
    int stop = 0;
    for (; batch < run->batch_count && !stop; batch++) {
        int32_t *const nonfinite = &flags[batch & 1];
        int updates = 0, skip = 0;
        if (thread == 0)
            flags[(batch + 1) & 1] = 0;
        for (int64_t s = 0; s < run->sweep_count; s++) {
            const fnn_sweep *sweep = &run->sweeps[s];
            if (sweep->barrier)
                wait_at(b, team);
            if (sweep->stage == FNN_UPDATE && !updates) {
                updates = 1;
                skip = *nonfinite;
            }
            if (sweep->stage == FNN_UPDATE && skip)
                continue; /* what comes later may be no update */
            run_sweep(run, sweep, batch, thread, team, (uint64_t)iteration, nonfinite);
        }
        wait_at(b, team);
        if (run->part)
            break;
        stop = skip && run->on_nonfinite == FNN_ON_NONFINITE_RAISE;
        iteration += (updates || run->count_all) && !stop;
        skipped += skip && !stop;
    }
    if (thread == 0 && !run->part) {
        *run->iteration = iteration;
        run->batches_done = batch - stop;
        run->batches_skipped = skipped;
    }
}

void fnn_execute(fnn_run *run)
{
    barrier b = {.nonfinite = {run->nonfinite, 0}};
    run->team = 1;
    run->batches_done = run->batches_skipped = run->slept = 0;
#ifdef _OPENMP
    if (run->threads > 1) {
#pragma omp parallel num_threads(run->threads)
        {
            const int team = omp_get_num_threads();
#pragma omp master
            run->team = team;
            run_batches(run, omp_get_thread_num(), team, &b);
        }
    } else
#endif
        run_batches(run, 0, 1, &b);
    run->slept = b.slept;
    run->nonfinite = b.nonfinite[0];
}

int fnn_execute_all(fnn_run *runs, int64_t count, int threads)
{
    int team = 1;
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        {
#pragma omp master
            team = omp_get_num_threads();
#pragma omp for schedule(dynamic, 1)
            for (int64_t i = 0; i < count; i++)
                fnn_execute(&runs[i]);
        }
        return team;
    }
#endif
    (void)threads;
    for (int64_t i = 0; i < count; i++)
        fnn_execute(&runs[i]);
    return team;
}
