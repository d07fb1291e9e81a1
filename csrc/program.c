/* program.c: the executor. One parallel region for all batches of a call; inside it every thread
 * walks the same list of steps and takes its share of each. */
#define _GNU_SOURCE /* syscall(), clock_gettime() */

#include "fastnn.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#endif

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
#else
#include <sched.h>
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
    _Atomic int64_t slept;               /* nanoseconds, summed over the threads */
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
        if (atomic_load(&b->sleepers))                /* have counted themselves: one of the two sees the other */
            wake_sleepers(&b->generation);
        return;
    }
    for (int spins = 0; spins < SPINS_BEFORE_SLEEP; spins++) {
        if (atomic_load_explicit(&b->generation, memory_order_acquire) != generation)
            return;
        RELAX();
    }
    const int64_t began = now();
    while (atomic_load_explicit(&b->generation, memory_order_acquire) == generation) {
        atomic_fetch_add(&b->sleepers, 1);
        sleep_while(&b->generation, generation);
        atomic_fetch_sub(&b->sleepers, 1);
    }
    atomic_fetch_add_explicit(&b->slept, now() - began, memory_order_relaxed);
}

static void run_step(const fnn_run *run, const fnn_step *step, int64_t batch, int thread, int threads,
                     int32_t *nonfinite)
{
    const int64_t rows = run->row_counts[batch];
    int64_t dims[FNN_MAX_DIMS];
    for (int64_t i = 0; i < step->dim_count; i++)
        dims[i] = step->batch_dims >> i & 1 ? step->dims[i] * rows : step->dims[i];

    const fnn_row *epilogue = step->epilogue < 0 ? NULL : &run->table->rows[step->epilogue];
    fnn_call call = {
        .dims = dims,
        .attrs = step->attrs,
        .thread = thread,
        .threads = threads,
        .epilogue = epilogue ? epilogue->map : NULL,
        .epilogue_attrs = step->epilogue_attrs,
        .seed = run->seed,
        .iteration = (uint64_t)*run->iteration,
        .nonfinite = nonfinite,
        .workspace = run->workspace + thread * run->table->workspace_floats,
    };
    for (int i = 0; i < FNN_MAX_ARGS; i++) {
        const fnn_arg *arg = &step->args[i];
        if (arg->area >= 0) {
            const fnn_area *area = &run->areas[arg->area];
            call.args[i] = area->base + run->first_rows[batch] * area->per_row + batch * area->per_step
                           + arg->offset;
        }
    }
    run->table->rows[step->kernel].run(&call);
}

/* What thread `thread` of `team` does: the same control flow in every thread, because all of it
 * depends only on the steps and on `nonfinite`, which is read between two barriers. */
static void run_batches(fnn_run *run, int thread, int team, barrier *b, int32_t *nonfinite)
{
    for (int64_t batch = 0; batch < run->batch_count; batch++) {
        int updates = 0, skip = 0;
        for (int64_t s = 0; s < run->step_count && !skip; s++) {
            const fnn_step *step = &run->steps[s];
            if (step->stage == FNN_UPDATE && !updates) {
                updates = 1;
                wait_at(b, team);
                skip = *nonfinite;
                if (skip)
                    break;
            } else if (step->barrier) {
                wait_at(b, team);
            }
            const int threads = step->threads < team ? step->threads : team;
            const int64_t began = run->nanoseconds ? now() : 0;
            if (thread < threads)
                run_step(run, step, batch, thread, threads, nonfinite);
            if (run->nanoseconds) {
                wait_at(b, team);
                if (thread == 0)
                    run->nanoseconds[s] += now() - began;
            }
        }
        wait_at(b, team);
        if (run->part)
            return;
        const int stop = skip && run->on_nonfinite == FNN_ON_NONFINITE_RAISE;
        if (thread == 0 && !stop) {
            *nonfinite = 0;
            *run->iteration += updates;
            run->batches_done = batch + 1;
            run->batches_skipped += skip;
        }
        wait_at(b, team);
        if (stop)
            return;
    }
}

void fnn_execute(fnn_run *run)
{
    barrier b = {0};
    run->team = 1;
    run->batches_done = run->batches_skipped = run->slept = 0;
#ifdef _OPENMP
    if (run->threads > 1) {
#pragma omp parallel num_threads(run->threads)
        {
            const int team = omp_get_num_threads();
#pragma omp single
            run->team = team;
            run_batches(run, omp_get_thread_num(), team, &b, &run->nonfinite);
        }
        run->slept = b.slept;
        return;
    }
#endif
    run_batches(run, 0, 1, &b, &run->nonfinite);
}
