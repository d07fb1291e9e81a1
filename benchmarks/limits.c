// What this machine can do: multiply-adds and read-modify-write per second, on any number of threads.
// limits.py compiles this file and asks it on standard input, a line each; the answers are one number a line:
//
//   caches                        sizes of L2 and L3 by sysconf, in bytes, 0 if unknown (two numbers)
//   fma THREADS SECONDS           GFLOP/s of multiply-adds in float32, which count as two operations
//   div THREADS SECONDS           the same of divisions, which count as one
//   rmw THREADS BYTES SECONDS     GB/s of w = w * a + b over BYTES for each thread, counted once read and once written
//   mix READS WRITES UPDATES THREADS BYTES SECONDS
//                                 GB/s where arrays of BYTES for each thread, all together, are read, written, and updated,
//                                 which counts as once read and once written; 0 for a mix that is not in the list below
//   probe THREADS SECONDS         as fma, quickly: once, and with the widest vectors only

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/mman.h>
#endif

enum { MOST = 1024, FMAS = 4096 }; // threads; rounds of twelve independent multiply-adds between two looks at the clock

static volatile float factor = 0.999F, summand = 0.001F; // unknown to the compiler, and never denormal
static volatile float sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Twelve sums in registers hide the latency of the multiply-add on every processor we know, and fit in 16 registers.
#define TWELVE(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11)
#define BEGIN(i) V s##i = b + (float)i;
#define STEP(i) s##i = s##i * a + b;
#define DIVIDE(i) s##i = a / s##i;
#define END(i) +s##i[0]

// Arrays of a kernel: so many that it reads, that it writes, and that it updates in place. A mix is one number.
enum { MOST_ARRAYS = 8, HUGE_PAGE = 1 << 21 };
#define MIX(reads, writes, updates) (100 * (reads) + 10 * (writes) + (updates))
#define MIXES(ONE)                                                                                                     \
    ONE(1, 0, 0) ONE(1, 1, 0) ONE(1, 2, 0) ONE(2, 0, 0) ONE(2, 1, 0) ONE(2, 2, 0) ONE(3, 0, 0) ONE(3, 1, 0)            \
    ONE(4, 0, 0) ONE(4, 1, 0) ONE(0, 1, 0) ONE(0, 0, 1) ONE(1, 0, 1) ONE(1, 0, 2) ONE(1, 0, 3) ONE(1, 0, 4)            \
    ONE(1, 0, 5) ONE(2, 0, 1) ONE(2, 0, 2) ONE(2, 0, 3)
#define CASE(reads, writes, updates)                                                                                   \
    case MIX(reads, writes, updates):                                                                                  \
        PASS(reads, writes, updates);                                                                                  \
        break;
#define KNOWN(reads, writes, updates)                                                                                  \
    case MIX(reads, writes, updates):                                                                                  \
        return 1;

static int known_mix(int mix) {
    switch (mix) { MIXES(KNOWN) }
    return 0;
}

// One pass: vector n of each array. The counts are constants wherever it is used, so the inner loops disappear.
#define PASS(reads, writes, updates)                                                                                   \
    for (size_t n = 0; n < count; n++) {                                                                               \
        V sum = b;                                                                                                     \
        for (int k = 0; k < (reads); k++)                                                                              \
            sum += ((V *)arrays[k])[n];                                                                                \
        for (int k = (reads); k < (reads) + (writes); k++)                                                             \
            ((V *)arrays[k])[n] = sum;                                                                                 \
        for (int k = (reads) + (writes); k < (reads) + (writes) + (updates); k++)                                      \
            ((V *)arrays[k])[n] = ((V *)arrays[k])[n] * a + sum;                                                       \
        if ((writes) + (updates) == 0)                                                                                 \
            *(n & 1 ? &odd : &even) += sum;                                                                            \
    }

// The loops for vectors of BYTES bytes: multiply-adds and divisions done, and passes over memory whose floats divide by 64.
#define LOOPS(NAME, BYTES, TARGET)                                                                                     \
    TARGET static double fma_##NAME(void) {                                                                            \
        typedef float V __attribute__((vector_size(BYTES)));                                                           \
        V zero = {0}, a = zero + factor, b = zero + summand;                                                           \
        TWELVE(BEGIN)                                                                                                  \
        for (int n = 0; n < FMAS; n++) {                                                                               \
            TWELVE(STEP)                                                                                               \
        }                                                                                                              \
        sink = TWELVE(END);                                                                                            \
        return 12.0 * FMAS * (BYTES / 4);                                                                              \
    }                                                                                                                  \
    TARGET static double div_##NAME(void) {                                                                            \
        typedef float V __attribute__((vector_size(BYTES)));                                                           \
        V zero = {0}, a = zero + factor, b = zero + factor;                                                            \
        TWELVE(BEGIN)                                                                                                  \
        for (int n = 0; n < FMAS / 8; n++) {                                                                           \
            TWELVE(DIVIDE)                                                                                             \
        }                                                                                                              \
        sink = TWELVE(END);                                                                                            \
        return 12.0 * (FMAS / 8) * (BYTES / 4);                                                                        \
    }                                                                                                                  \
    TARGET static void mix_##NAME(int mix, float *const *given, size_t floats) {                                       \
        typedef float V __attribute__((vector_size(BYTES)));                                                           \
        V zero = {0}, a = zero + factor, b = zero, even = zero, odd = zero;                                            \
        float *arrays[MOST_ARRAYS];                                                                                    \
        const size_t count = floats / (BYTES / 4);                                                                     \
        memcpy(arrays, given, sizeof arrays);                                                                          \
        switch (mix) { MIXES(CASE) }                                                                                   \
        sink = even[0] + odd[0];                                                                                       \
    }                                                                                                                  \
    TARGET static void rmw_##NAME(float *w, size_t count) {                                                            \
        typedef float V __attribute__((vector_size(BYTES)));                                                           \
        V zero = {0}, a = zero + factor, b = zero + summand, *v = (V *)w;                                              \
        for (V *end = (V *)(w + count); v < end; v += 4) {                                                             \
            v[0] = v[0] * a + b;                                                                                       \
            v[1] = v[1] * a + b;                                                                                       \
            v[2] = v[2] * a + b;                                                                                       \
            v[3] = v[3] * a + b;                                                                                       \
        }                                                                                                              \
    }

LOOPS(plain, 16, ) // SSE2 or NEON: what every compiler of the machine uses unasked
#ifdef __x86_64__
LOOPS(avx2, 32, __attribute__((target("avx2,fma"))))
LOOPS(avx512, 64, __attribute__((target("avx512f"))))
#endif

typedef struct {
    double (*fma)(void), (*div)(void);
    void (*rmw)(float *, size_t);
    void (*mix)(int, float *const *, size_t);
} Loops;

// The instruction sets that may be the best ones on this processor, the widest last.
static int find_loops(Loops *found) {
    int n = 0;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[n++] = (Loops){fma_avx2, div_avx2, rmw_avx2, mix_avx2};
    if (__builtin_cpu_supports("avx512f"))
        found[n++] = (Loops){fma_avx512, div_avx512, rmw_avx512, mix_avx512};
#endif
    if (!n)
        found[n++] = (Loops){fma_plain, div_plain, rmw_plain, mix_plain};
    return n;
}

// One thread's part of a measurement: it counts what it does between the common start and its own end.
typedef struct {
    const Loops *loops;
    size_t bytes; // of its memory, 0 for arithmetic
    int mix;      // how it is used: 0 for rmw; and without memory, 1 for divisions
    int place, threads;
    double seconds, rate;
    atomic_int *ready;
} Part;

static void pin(int place) { // to the CPU of that number among those this process may use
#ifdef __linux__
    static cpu_set_t allowed;
    static int known;
    if (!known)
        known = !sched_getaffinity(getpid(), sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && place-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            return;
        }
#else
    (void)place;
#endif
}

static void *work(void *argument) {
    Part *p = argument;
    float *w = NULL;
    size_t bytes = p->bytes / 256 * 256;
    pin(p->place);
    const int counts[] = {p->mix / 100, p->mix / 10 % 10, p->mix % 10}, all = counts[0] + counts[1] + counts[2];
    const double moved = p->mix ? (double)(counts[0] + counts[1] + 2 * counts[2]) / all : 2;
    float *arrays[MOST_ARRAYS] = {NULL};
    if (bytes) {
        // the arrays of a mix begin at different places of a page, so that no write hides a read from the processor
        if (p->mix)
            bytes = bytes / (size_t)all / 256 * 256 * (size_t)all;
        const size_t page = p->mix ? HUGE_PAGE : 256, size = (bytes + MOST_ARRAYS * 256 + page - 1) / page * page;
        w = aligned_alloc(page, size);
        if (!w)
            abort();
#ifdef __linux__
        if (p->mix)
            madvise(w, size, MADV_HUGEPAGE); // as NumPy does with its arrays
#endif
        memset(w, 0, bytes + MOST_ARRAYS * 256);
        for (int k = 0; p->mix && k < all; k++)
            arrays[k] = w + (size_t)k * (bytes / (size_t)all / 4 + 64);
    }
    double (*calculate)(void) = p->mix ? p->loops->div : p->loops->fma;
    if (w && p->mix)
        p->loops->mix(p->mix, arrays, bytes / (size_t)all / 4);
    else if (w)
        p->loops->rmw(w, bytes / 4);
    else
        calculate(); // wakes the wide units
    atomic_fetch_add(p->ready, 1);
    while (atomic_load(p->ready) < p->threads) {
    }
    double start = now(), end = start, done = 0;
    do {
        if (w && p->mix)
            p->loops->mix(p->mix, arrays, bytes / (size_t)all / 4);
        else if (w)
            p->loops->rmw(w, bytes / 4);
        done += w ? moved * (double)bytes : (p->mix ? 1.0 : 2.0) * calculate();
        end = now();
    } while (end - start < p->seconds);
    p->rate = done / (end - start);
    free(w);
    return NULL;
}

// Operations or bytes per second of so many threads together.
static double together(const Loops *loops, int threads, size_t bytes, int mix, double seconds) {
    static Part parts[MOST];
    pthread_t ids[MOST];
    atomic_int ready = 0;
    double sum = 0;
    for (int i = 0; i < threads; i++) {
        parts[i] = (Part){loops, bytes, mix, i, threads, seconds, 0, &ready};
        if (pthread_create(&ids[i], NULL, work, &parts[i]))
            abort();
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum += parts[i].rate;
    }
    return sum;
}

int main(void) {
    Loops loops[2];
    int sets = find_loops(loops), threads, reads, writes, updates;
    size_t bytes;
    double seconds;
    char line[128];
    pin(-1); // reads the set of CPUs before a thread changes its own
    while (fgets(line, sizeof line, stdin)) {
        double best = 0;
        int mix = 0;
        bytes = 0;
        if (!strcmp(line, "caches\n")) {
#ifdef _SC_LEVEL3_CACHE_SIZE
            long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE), l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
            long l2 = 0, l3 = 0;
#endif
            printf("%ld %ld\n", l2 > 0 ? l2 : 0, l3 > 0 ? l3 : 0);
        } else if (sscanf(line, "probe %d %lf", &threads, &seconds) == 2 && threads > 0 && threads <= MOST) {
            printf("%.3f\n", together(&loops[sets - 1], threads, 0, 0, seconds) / 1e9);
        } else if ((sscanf(line, "fma %d %lf", &threads, &seconds) == 2 ||
                    (sscanf(line, "div %d %lf", &threads, &seconds) == 2 && (mix = 1)) ||
                    sscanf(line, "rmw %d %zu %lf", &threads, &bytes, &seconds) == 3 ||
                    (sscanf(line, "mix %d %d %d %d %zu %lf", &reads, &writes, &updates, &threads, &bytes, &seconds) == 6 &&
                     (mix = MIX(reads, writes, updates)))) &&
                   threads > 0 && threads <= MOST) {
            for (int i = 0; i < sets && (!bytes || !mix || known_mix(mix)); i++) {
                double rate = together(&loops[i], threads, bytes, mix, seconds) / 1e9;
                best = rate > best ? rate : best;
            }
            printf("%.3f\n", best);
        } else {
            fprintf(stderr, "not a command: %s", line);
            return 1;
        }
        fflush(stdout);
    }
    return 0;
}
