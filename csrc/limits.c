/* limits.c: what one thread of this machine can do, measured in a few milliseconds. */
#define _GNU_SOURCE /* clock_gettime() */

#include "fastnn.h"

#include <time.h>

enum { ROUNDS = 6, LEAST_NANOSECONDS = 300000 }; /* the best round counts: in others the thread may have been disturbed */

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void fnn_limits(const fnn_table *table, float *memory, int64_t count, double *operations, double *bytes)
{
    *operations = *bytes = 0;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        const int products = round < ROUNDS;
        const int64_t began = now();
        int64_t done = 0, took = 0;
        while (took < LEAST_NANOSECONDS) {
            if (products) {
                done += table->multiply_add(256, memory);
            } else {
                table->read_modify_write(count, memory);
                done += 2 * count * (int64_t)sizeof *memory;
            }
            took = now() - began;
        }
        double *best = products ? operations : bytes, rate = (double)done / (double)took;
        *best = rate > *best ? rate : *best;
    }
}
