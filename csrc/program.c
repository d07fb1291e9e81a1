/* program.c: the executor. One parallel region for all batches of a call; inside it every thread
 * walks the same list of steps and takes its share of each. */
#include "fastnn.h"

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* Tells the processor that this is a waiting loop. */
#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

int fnn_has_openmp(void)
{
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

int fnn_max_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Where the threads of a team meet. They come within a microsecond of each other unless the machine is busy with
 * something else; then a thread that keeps waiting lets others run, since one of them may be the one it waits for. */
typedef struct {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int generation;
} meeting;

enum { SPINS_BEFORE_YIELD = 300 };

static void meet(meeting *m, int team)
{
    if (team == 1)
        return;
    const int generation = atomic_load_explicit(&m->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&m->arrived, 1, memory_order_acq_rel) + 1 == team) {
        atomic_store_explicit(&m->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&m->generation, generation + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&m->generation, memory_order_acquire) == generation; spins++) {
        if (spins < SPINS_BEFORE_YIELD)
            RELAX();
        else
            sched_yield();
    }
}

static void run_step(const fnn_run *run, const fnn_step *step, int64_t batch, int thread, int threads,
                     int32_t *nonfinite)
{
    const int64_t rows = run->row_counts[batch];
    int64_t dims[FNN_MAX_DIMS];
    for (int i = 0; i < FNN_MAX_DIMS; i++)
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
static void run_batches(fnn_run *run, int thread, int team, meeting *m, int32_t *nonfinite)
{
    for (int64_t batch = 0; batch < run->batch_count; batch++) {
        int updates = 0, skip = 0;
        for (int64_t s = 0; s < run->step_count && !skip; s++) {
            const fnn_step *step = &run->steps[s];
            if (step->stage == FNN_UPDATE && !updates) {
                updates = 1;
                meet(m, team);
                skip = *nonfinite;
                if (skip)
                    break;
            } else if (step->barrier) {
                meet(m, team);
            }
            const int threads = step->threads < team ? step->threads : team;
            if (thread < threads)
                run_step(run, step, batch, thread, threads, nonfinite);
        }
        meet(m, team);
        const int stop = skip && run->on_nonfinite == FNN_ON_NONFINITE_RAISE;
        if (thread == 0 && !stop) {
            *nonfinite = 0;
            *run->iteration += updates;
            run->batches_done = batch + 1;
            run->batches_skipped += skip;
        }
        meet(m, team);
        if (stop)
            return;
    }
}

void fnn_execute(fnn_run *run)
{
    int32_t nonfinite = 0;
    meeting m = {0};
    run->team = 1;
    run->batches_done = run->batches_skipped = 0;
#ifdef _OPENMP
    if (run->threads > 1) {
#pragma omp parallel num_threads(run->threads)
        {
            const int team = omp_get_num_threads();
#pragma omp single
            run->team = team;
            run_batches(run, omp_get_thread_num(), team, &m, &nonfinite);
        }
        return;
    }
#endif
    run_batches(run, 0, 1, &m, &nonfinite);
}
