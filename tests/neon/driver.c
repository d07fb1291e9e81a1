/* driver.c: repeats recorded runs of fnn_execute() on one instruction set of the machine that it runs on.
 *
 *     driver ISA THREADS < recorded > results
 *
 * Both files are lists of blocks: a length in bytes (int64), then so many bytes as they lay in memory; AArch64 and
 * x86-64 lay out the structs of fastnn.h alike. First come the names of the kernels, in the order of the table that the
 * steps refer to; then, until the end, for each run
 *
 *     in   steps, sweeps, areas (addresses do not count), the contents of each area, first rows, row counts,
 *          (skip non-finite, seed, iteration) as int64
 *     out  (batches done, batches skipped, iteration, team) as int64, the contents of each area
 *
 * Memory that each thread has a part of is as large as its own threads need, whatever was recorded, and comes out so.
 * Every block ends right before a page that must not be touched. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include "fastnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    char *map;
    size_t mapped;
    void *at;
    int64_t bytes;
} block;

static void give_up(const char *why)
{
    fprintf(stderr, "driver: %s\n", why);
    exit(1);
}

/* A block of so many bytes. */
static block new_block(int64_t size)
{
    block made = {.bytes = size}, *b = &made;
    const size_t bytes = (size_t)size, page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room = (bytes + page - 1) / page * page;
    b->mapped = room + page;
    b->map = mmap(NULL, b->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->map == MAP_FAILED || mprotect(b->map + room, page, PROT_NONE) != 0)
        give_up("no memory");
    b->at = b->map + room - bytes;
    return made;
}

/* The next block; 0 at the end of the file. */
static int read_block(block *b)
{
    int64_t bytes;
    if (fread(&bytes, sizeof bytes, 1, stdin) != 1)
        return 0;
    *b = new_block(bytes);
    if (fread(b->at, 1, (size_t)bytes, stdin) != (size_t)bytes)
        give_up("a block is shorter than its length");
    return 1;
}

static block next_block(void)
{
    block b;
    if (!read_block(&b))
        give_up("a block is missing");
    return b;
}

static void write_block(const void *at, int64_t bytes)
{
    fwrite(&bytes, sizeof bytes, 1, stdout);
    fwrite(at, 1, (size_t)bytes, stdout);
}

static void forget(block b) { munmap(b.map, b.mapped); }

static const fnn_table *table_of(const char *isa)
{
    for (const fnn_table *const *table = fnn_tables(); *table; table++)
        if (strcmp((*table)->isa, isa) == 0)
            return *table;
    give_up("no such instruction set");
    return NULL;
}

/* A step names its kernel by the row, so the rows must be the same. */
static void compare_names(const fnn_table *table, block names)
{
    const char *name = names.at, *end = name + names.bytes;
    int64_t row = 0;
    for (; name < end; name += strlen(name) + 1, row++)
        if (row >= table->count || strcmp(name, table->rows[row].name) != 0)
            give_up("the tables differ");
    if (row != table->count)
        give_up("the tables differ");
}

static void repeat(const fnn_table *table, int threads, float *workspace, block steps)
{
    block sweeps = next_block(), areas = next_block();
    fnn_area *area = areas.at;
    const int64_t count = areas.bytes / (int64_t)sizeof *area;
    block *contents = malloc((size_t)(count + 1) * sizeof *contents);
    if (!contents)
        give_up("no memory");
    for (int64_t i = 0; i < count; i++) {
        contents[i] = next_block();
        if (area[i].per_thread) {
            forget(contents[i]);
            contents[i] = new_block(threads * area[i].per_thread);
            memset(contents[i].at, 0xFF, (size_t)contents[i].bytes); /* NaN */
        }
        area[i].base = contents[i].at;
    }
    block first_rows = next_block(), row_counts = next_block(), numbers = next_block();
    const int64_t *number = numbers.at;
    int64_t iteration = number[2];
    fnn_run run = {
        .table = table,
        .steps = steps.at,
        .sweeps = sweeps.at,
        .sweep_count = sweeps.bytes / (int64_t)sizeof(fnn_sweep),
        .areas = area,
        .first_rows = first_rows.at,
        .row_counts = row_counts.at,
        .batch_count = row_counts.bytes / (int64_t)sizeof(int64_t),
        .workspace = workspace,
        .threads = threads,
        .on_nonfinite = number[0] ? FNN_ON_NONFINITE_SKIP : FNN_ON_NONFINITE_RAISE,
        .seed = (uint64_t)number[1],
        .iteration = &iteration,
    };
    fnn_execute(&run);

    const int64_t done[] = {run.batches_done, run.batches_skipped, iteration, run.team};
    write_block(done, sizeof done);
    for (int64_t i = 0; i < count; i++) {
        write_block(contents[i].at, contents[i].bytes);
        forget(contents[i]);
    }
    free(contents);
    forget(sweeps);
    forget(areas);
    forget(first_rows);
    forget(row_counts);
    forget(numbers);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        give_up("expected an instruction set and a number of threads");
    const fnn_table *table = table_of(argv[1]);
    const int threads = atoi(argv[2]);
    float *workspace = aligned_alloc(64, (size_t)(threads * table->workspace_floats) * sizeof *workspace);
    if (threads < 1 || !workspace)
        give_up("no memory, or no threads");
    block names = next_block(), steps;
    compare_names(table, names);
    forget(names);
    while (read_block(&steps)) {
        repeat(table, threads, workspace, steps);
        forget(steps);
    }
    free(workspace);
    return fflush(stdout) != 0 || ferror(stdout);
}
