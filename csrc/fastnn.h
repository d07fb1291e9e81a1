/* fastnn.h: the whole C API. C11, no Python, no allocation.
 *
 * A Program arrives as a flat array of steps on numbered memory areas, grouped into sweeps. fnn_execute() runs it for
 * many batches in one parallel region. Kernels are found by name in the table of one instruction
 * set; nothing here grows when a kernel is added. */
#ifndef FASTNN_H
#define FASTNN_H

#include <stdint.h>

#define FNN_MAX_DIMS 28
#define FNN_MAX_ATTRS 8
#define FNN_MAX_ARGS 10

/* What one thread needs to do its share of one step on one batch. */
typedef struct {
    const int64_t *dims;         /* run-time sizes, in the order of the operation's `dims` rule */
    int64_t first_row;           /* of the whole arrays, where this call gets a block of their rows */
    int64_t next_batch, next_rows; /* how many rows further the same rows of the next batch are, and how many it has */
    const double *attrs;         /* keyword attributes, in the order of the reference's signature */
    void *args[FNN_MAX_ARGS];    /* inputs, then outputs that are not in place; absent ones are NULL */
    int thread, threads;         /* this thread's number in, and the size of, the step's team */
    void (*epilogue)(float *y, int64_t n, const double *attrs); /* NULL, or applied to each output */
    const double *epilogue_attrs;
    uint64_t seed;               /* with `iteration`: the key of the random numbers */
    uint64_t iteration;          /* optimizer iteration of this batch */
    int32_t *nonfinite;          /* set to 1 by check_finite; never cleared by a kernel */
    float *workspace;            /* this thread's scratch: the table's workspace_floats, 64-byte aligned */
} fnn_call;

typedef void (*fnn_kernel)(const fnn_call *call);
typedef void (*fnn_map)(float *y, int64_t n, const double *attrs); /* in place, any n, any alignment */

typedef struct {
    const char *name;
    fnn_kernel run;
    fnn_map map;                 /* NULL unless the kernel is a function of single elements */
} fnn_row;

/* One instruction set: the only symbol that a file in isa/ exports. */
typedef struct {
    const char *isa;
    int64_t workspace_floats;    /* scratch that each thread needs */
    int64_t count;
    const fnn_row *rows;
    int64_t (*multiply_add)(int64_t count, float *y);     /* see kernels/limits.inc */
    void (*read_modify_write)(int64_t n, float *w);
} fnn_table;

/* Where an argument lies. area < 0 means that the argument is absent. */
typedef struct {
    int64_t area, offset;        /* offset in bytes */
} fnn_arg;

/* A memory area; its address is base + first row of the batch * per_row + batch number * per_step
 * + thread * per_thread. */
typedef struct {
    char *base;
    int64_t per_row, per_step, per_thread; /* bytes */
} fnn_area;

typedef struct {
    int32_t kernel;              /* row of the table */
    int32_t epilogue;            /* row of the table, or -1 */
    int32_t batch_dims;          /* bit i: dims[i] is multiplied by the number of rows of the batch */
    int32_t row_dims;            /* bit i: dims[i] is multiplied by the number of rows of the block */
    int64_t dim_count;           /* how many of dims are in use */
    int64_t arg_count;
    int64_t dims[FNN_MAX_DIMS];
    double attrs[FNN_MAX_ATTRS];
    double epilogue_attrs[FNN_MAX_ATTRS];
    fnn_arg args[FNN_MAX_ARGS];
    int64_t row_bytes[FNN_MAX_ARGS]; /* how far a row of the sweep is from the next; 0 where the argument stays */
} fnn_step;

enum { FNN_COMPUTE = 0, FNN_UPDATE = 1 };

/* Steps that the same threads do one after the other without meeting. With rows, each thread takes a share of
 * these, cuts it into blocks, and does all the steps on one block before the next: what a step leaves in a cache, the
 * next one finds there. Without, the kernels share each step among themselves. */
typedef struct {
    int64_t first, count;        /* its steps */
    int64_t rows;                /* of the axis along which it goes; FNN_BATCH_ROWS, or 0 for none */
    int64_t block;               /* at most so many rows at a time */
    int32_t barrier;             /* the team meets before it */
    int32_t threads;             /* at most so many threads share it */
    int32_t leader;              /* number of the first of these threads; it may exceed the team */
    int32_t stage;               /* FNN_UPDATE sweeps run only while everything is finite */
} fnn_sweep;

enum { FNN_BATCH_ROWS = -1 };

enum { FNN_ON_NONFINITE_RAISE = 0, FNN_ON_NONFINITE_SKIP = 1 };

typedef struct {
    const fnn_table *table;
    const fnn_step *steps;
    const fnn_sweep *sweeps;
    int64_t sweep_count;
    const fnn_area *areas;
    const int64_t *first_rows;   /* per batch */
    const int64_t *row_counts;   /* per batch */
    int64_t batch_count;
    float *workspace;            /* threads * table->workspace_floats */
    int threads;                 /* the team to ask for */
    int on_nonfinite;
    uint64_t seed;
    int64_t *iteration;          /* counted up after each batch that has update steps */
    int count_all;               /* or after each batch */
    int part;                    /* the steps are a part of one batch: flag and iteration are the caller's to settle */
    int32_t nonfinite;           /* in and out: a check of this batch has failed */
    int64_t *nanoseconds;        /* NULL, or for each step the time it took, summed over the team */
    int team;                    /* out: the team that really ran */
    int64_t batches_done;        /* out: smaller than batch_count when a batch was not finite */
    int64_t batches_skipped;     /* out */
    int64_t slept;               /* out: nanoseconds, summed over the team, that threads slept to wait for others */
} fnn_run;

/* Runs every sweep for every batch. Never fails: all sizes were checked before. Between a check and the first update
 * there has to be a sweep with a barrier. */
void fnn_execute(fnn_run *run);

/* Runs several programs that share no memory, each on one thread (`threads` of each run is 1), so many at a time as there
 * are threads; returns how many there were. */
int fnn_execute_all(fnn_run *runs, int64_t count, int threads);

/* order = 0 ... n - 1 in the order of 64-bit random keys, n < 2^32: the permutation of fastnn/ops/philox.py. The scratch
 * has n items. */
void fnn_permutation(int64_t *order, uint64_t *scratch, int64_t n, uint64_t seed, uint32_t stream, uint32_t epoch);

/* `count` of these one behind the other, each with a seed and an epoch of its own. The scratch has n items per thread. */
void fnn_permutations(int64_t *orders, uint64_t *scratch, int64_t count, int64_t n, const uint64_t *seeds,
                      uint32_t stream, const uint32_t *epochs, int threads);

/* The instruction sets this machine can run, best first; NULL ends the list. */
const fnn_table *const *fnn_tables(void);

/* What one thread can do with an instruction set: operations per nanosecond in multiply-adds, which are two, and bytes per
 * nanosecond where it reads and writes the same memory of `count` floats, counted once read and once written. Takes about
 * four milliseconds; count divides by 64, and the memory is overwritten. */
void fnn_limits(const fnn_table *table, float *memory, int64_t count, double *operations, double *bytes);

/* Row number of a kernel, or -1. */
int fnn_find(const fnn_table *table, const char *name);

/* OpenMP and its threads (threads.c). */
int fnn_has_openmp(void);
int fnn_max_threads(void);       /* what OpenMP would use now; 1 without it */
int fnn_in_parallel(void);       /* whether the caller is in a parallel region already */
/* Creates `count` threads, FNN_MOST_TRIALS at most, that live at the same time, and ends them; returns how many there
 * were. A stack of 0 bytes is the default. */
#define FNN_MOST_TRIALS 1056     /* a team of 1024, and some to spare */
int fnn_try_threads(int count, int64_t stack_bytes);
int fnn_start_team(int threads); /* creates the caller's team, which then waits for work; returns its size */
void fnn_release_threads(void);  /* ends the caller's waiting threads; a fork must not copy a team */

#endif
