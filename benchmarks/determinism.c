// What our kernels would gain if sums might be done in any order: each against the best of many others of the same work.
// determinism.py compiles this file with the kernels of one instruction set (ISA_SOURCE) and asks it on standard input, a
// line each; the answers are nanoseconds on one thread, a line of three: our kernel, the best that keeps its bits (ours or
// with other tiles), and the best of all orders; then the names of these two.
//
//   product M K N TRANSPOSED      y (M, N) = a (M, K) b (K, N); if TRANSPOSED, a lies in memory as (K, M)
//   loss ROWS N                   softmax and cross-entropy with labels
//   rows ROWS N                   the sum of each row
//   total ROWS                    the sum of the losses of a batch, in float64
//   biases ROWS N ...             gradients of the biases of layers with N units each, on two threads that have made half
//                                 of the rows each: the time between the steps before and after, of both threads

#define _GNU_SOURCE
#include ISA_SOURCE

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __linux__
#include <sched.h>
#endif

enum { ROUNDS = 9, MOST_CANDIDATES = 96, MOST_LAYERS = 8, TWO = 2 };
static const double ROUND_SECONDS = 100e-6;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *zeros(size_t bytes) {
    bytes = (bytes + 4096) / 64 * 64;
    void *p = aligned_alloc(64, bytes);
    if (!p)
        abort();
    return memset(p, 0, bytes);
}

static float *numbers(int64_t n) { // in [-1, 1]
    float *x = zeros((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(i * 7919 % 2001) / 1000.0F - 1.0F;
    return x;
}

// One thing to do in several ways. A way returns 0 if it does not fit.
typedef struct {
    const char *name;
    int (*run)(void);
    int ours; // keeps the order of our sums
} Way;

static struct {
    Way ways[MOST_CANDIDATES];
    int count;
    const float *result; // of every way
    float *expected;     // of the first one
    int64_t size;
} tried;

static void begin(const float *result, int64_t size) {
    tried.count = 0, tried.result = result, tried.size = size, tried.expected = NULL;
}

static void add(const char *name, int (*run)(void), int ours) {
    if (tried.count == MOST_CANDIDATES)
        abort();
    if (!run())
        return;
    if (!tried.expected) {
        tried.expected = zeros((size_t)tried.size * sizeof(float));
        memcpy(tried.expected, tried.result, (size_t)tried.size * sizeof(float));
    }
    float most = 0, error = 0;
    for (int64_t i = 0; i < tried.size; i++) {
        const float e = tried.expected[i], distance = fabsf(tried.result[i] - e);
        most = fabsf(e) > most ? fabsf(e) : most;
        error = distance <= error ? error : distance;
        if (ours && memcmp(&tried.result[i], &e, sizeof e))
            error = INFINITY;
    }
    if (!(error <= 1e-4F * most)) {
        fprintf(stderr, "%s does other work\n", name);
        exit(1);
    }
    tried.ways[tried.count++] = (Way){name, run, ours};
}

// The best of the rounds of each way, which take turns; the first one is our kernel.
static void compare(void) {
    double best[MOST_CANDIDATES];
    int same = 0, any = 0;
    long repetitions[MOST_CANDIDATES];
    for (int i = 0; i < tried.count; i++) {
        best[i] = 1e9;
        repetitions[i] = 1;
        for (double start = now(), end = start; end - start < ROUND_SECONDS; end = now(), repetitions[i]++)
            tried.ways[i].run();
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < tried.count; i++) {
            double start = now();
            for (long n = 0; n < repetitions[i]; n++)
                tried.ways[i].run();
            double each = (now() - start) / (double)repetitions[i];
            best[i] = each < best[i] ? each : best[i];
        }
    for (int i = 0; i < tried.count; i++) {
        any = best[i] < best[any] ? i : any;
        same = tried.ways[i].ours && best[i] < best[same] ? i : same;
    }
    printf("%.1f %.1f %.1f %s %s\n", best[0] * 1e9, best[same] * 1e9, best[any] * 1e9, tried.ways[same].name,
           tried.ways[any].name);
}

// Products

static struct {
    int64_t m, k, n;
    matrix a;
    const float *b, *bias;
    float *y, *workspace, *b_transposed;
} P;

static int our_product(void) {
    fnn_call c = {.threads = 1, .workspace = P.workspace};
    gemm(&c, P.m, P.n, P.k, P.a, (matrix){P.b, P.n, 1}, P.bias, P.y);
    return 1;
}

// Tiles of so many rows and vectors with so many sums for each element: sum u takes every k that leaves u.
INLINE void one_tile(const int rows, const int vecs, const int sums, const int edge, int64_t i, int64_t j, vm mask) {
#define EACH(index, count) _Pragma("GCC unroll 16") for (int index = 0; index < (count); index++)
#define AT(p, v) (edge && (v) == vecs - 1 ? vf_load_m((p) + (v) * LANES, mask) : vf_load((p) + (v) * LANES))
    const float *a = P.a.at + i * P.a.row, *b = P.b + j;
    vf sum[32];
    EACH(s, rows * vecs * sums) sum[s] = vf_zero();
    int64_t k = 0;
    for (; k + sums <= P.k; k += sums) {
        EACH(u, sums) {
            vf b_k[16];
            EACH(v, vecs) b_k[v] = AT(b + (k + u) * P.n, v);
            EACH(r, rows) {
                const vf a_k = vf_set(a[r * P.a.row + (k + u) * P.a.col]);
                EACH(v, vecs) sum[(u * rows + r) * vecs + v] = vf_fma(a_k, b_k[v], sum[(u * rows + r) * vecs + v]);
            }
        }
    }
    for (; k < P.k; k++)
        EACH(r, rows) EACH(v, vecs)
            sum[r * vecs + v] = vf_fma(vf_set(a[r * P.a.row + k * P.a.col]), AT(b + k * P.n, v), sum[r * vecs + v]);
    EACH(r, rows) EACH(v, vecs) {
        vf total = sum[r * vecs + v];
        EACH(u, sums - 1) total = vf_add(total, sum[((u + 1) * rows + r) * vecs + v]);
        if (P.bias)
            total = vf_add(total, AT(P.bias + j, v));
        float *y = P.y + (i + r) * P.n + j + v * LANES;
        if (edge && v == vecs - 1)
            vf_store_m(y, mask, total);
        else
            vf_store(y, total);
    }
#undef AT
}

INLINE int in_tiles(const int rows, const int vecs, const int sums) {
    const int64_t all = (P.n + LANES - 1) / LANES, panels = (all + vecs - 1) / vecs;
    const int edge = P.n % LANES != 0;
    const vm mask = vm_first(P.n - (all - 1) * LANES);
    if (P.m % rows || all / panels < vecs - 1 || all < vecs)
        return 0;
    for (int64_t panel = 0; panel < panels; panel++) {
        int64_t low, high;
        share(all, 1, panel, panels, &low, &high);
        for (int64_t i = 0; i < P.m; i += rows) {
            if (high - low == vecs) {
                if (edge && high == all)
                    one_tile(rows, vecs, sums, 1, i, low * LANES, mask);
                else
                    one_tile(rows, vecs, sums, 0, i, low * LANES, mask);
            } else if (vecs > 1) {
                if (edge && high == all)
                    one_tile(rows, vecs - 1, sums, 1, i, low * LANES, mask);
                else
                    one_tile(rows, vecs - 1, sums, 0, i, low * LANES, mask);
            }
        }
    }
    return 1;
}

// Rows, vectors, sums: what fits in 32 registers.
#define TILES(WITH)                                                                                                    \
    WITH(1, 1, 1) WITH(1, 1, 2) WITH(1, 1, 4) WITH(1, 1, 8) WITH(1, 1, 16) WITH(1, 2, 1) WITH(1, 2, 2) WITH(1, 2, 4)   \
    WITH(1, 2, 8) WITH(1, 3, 1) WITH(1, 3, 2) WITH(1, 3, 4) WITH(1, 4, 1) WITH(1, 4, 2) WITH(1, 4, 4) WITH(1, 5, 1)    \
    WITH(1, 5, 2) WITH(1, 5, 4) WITH(1, 7, 1) WITH(1, 7, 2) WITH(1, 7, 4) WITH(1, 13, 1) WITH(1, 13, 2) WITH(2, 1, 1)  \
    WITH(2, 1, 2) WITH(2, 1, 4) WITH(2, 1, 8) WITH(2, 2, 1) WITH(2, 2, 2) WITH(2, 2, 4) WITH(2, 4, 1) WITH(2, 4, 2)    \
    WITH(3, 1, 1) WITH(3, 1, 2) WITH(3, 1, 4) WITH(3, 2, 1) WITH(3, 2, 2) WITH(4, 1, 1) WITH(4, 1, 2) WITH(4, 1, 4)    \
    WITH(4, 2, 1) WITH(4, 2, 2) WITH(4, 3, 1) WITH(4, 3, 2) WITH(4, 4, 1) WITH(5, 1, 1) WITH(5, 1, 2) WITH(5, 1, 4)    \
    WITH(5, 2, 1) WITH(5, 2, 2) WITH(6, 1, 1) WITH(6, 1, 2) WITH(6, 1, 4) WITH(6, 2, 1) WITH(6, 2, 2) WITH(6, 4, 1)    \
    WITH(7, 1, 1) WITH(7, 1, 2) WITH(7, 2, 1) WITH(7, 3, 1) WITH(8, 1, 1) WITH(8, 1, 2) WITH(8, 2, 1) WITH(8, 3, 1)
#define DEFINE(R, V, S)                                                                                                \
    static int tiles_##R##_##V##_##S(void) { return in_tiles(R, V, S); }
#define ADD(R, V, S) add("tiles-" #R "x" #V "x" #S, tiles_##R##_##V##_##S, S == 1);
TILES(DEFINE)

// Lanes along k, for narrow outputs: each element is the sum of its lanes. The transposed b is made on the way.
INLINE int in_lanes(const int rows, const int outputs) {
    if (P.a.col != 1 || P.n % outputs || P.m % rows || P.n > LANES)
        return 0;
    pack_columns((matrix){P.b, 1, P.n}, P.n, P.k, P.b_transposed, P.k);
    for (int64_t i = 0; i < P.m; i += rows)
        for (int64_t j = 0; j < P.n; j += outputs) {
            vf sum[32];
            EACH(s, rows * outputs) sum[s] = vf_zero();
            for (int64_t k = 0; k < P.k; k += LANES) {
                vf a[4];
                EACH(r, rows) a[r] = vf_load_n(P.a.at + (i + r) * P.a.row + k, P.k - k);
                EACH(o, outputs) {
                    const vf b = vf_load_n(P.b_transposed + (j + o) * P.k + k, P.k - k);
                    EACH(r, rows) sum[r * outputs + o] = vf_fma(a[r], b, sum[r * outputs + o]);
                }
            }
            EACH(r, rows) EACH(o, outputs)
                P.y[(i + r) * P.n + j + o] = vf_sum(sum[r * outputs + o]) + (P.bias ? P.bias[j + o] : 0.0F);
        }
    return 1;
}
static int lanes_1_10(void) { return in_lanes(1, 10); }
static int lanes_2_10(void) { return in_lanes(2, 10); }
static int lanes_1_5(void) { return in_lanes(1, 5); }
static int lanes_2_5(void) { return in_lanes(2, 5); }
static int lanes_4_5(void) { return in_lanes(4, 5); }

static void products(int64_t m, int64_t k, int64_t n, int transposed) {
    const float *a = numbers(m * k);
    P.m = m, P.k = k, P.n = n;
    P.a = transposed ? (matrix){a, 1, m} : (matrix){a, k, 1};
    P.b = numbers(k * n);
    P.bias = transposed ? NULL : numbers(n);
    P.y = zeros((size_t)(m * n) * sizeof(float));
    P.b_transposed = zeros((size_t)(k * n) * sizeof(float));
    P.workspace = zeros(GEMM_WORKSPACE_FLOATS * sizeof(float));
    begin(P.y, m * n);
    add("ours", our_product, 1);
    TILES(ADD)
    add("lanes-1x10", lanes_1_10, 0), add("lanes-2x10", lanes_2_10, 0), add("lanes-1x5", lanes_1_5, 0);
    add("lanes-2x5", lanes_2_5, 0), add("lanes-4x5", lanes_4_5, 0);
    compare();
}

// Softmax and loss

static struct {
    int64_t rows, n, dims[2];
    float *z, *loss, *p;
    int32_t *labels;
} L;

static int our_loss(void) {
    scce_logits_run(&(fnn_call){.dims = L.dims, .args = {L.z, L.labels, L.loss, L.p}, .threads = 1});
    return 1;
}

// Our sums, but the logarithms of 16 rows together.
static int loss_of_sixteen(void) {
    for (int64_t r = 0; r < L.rows; r += LANES) {
        const int64_t count = L.rows - r < LANES ? L.rows - r : LANES;
        float sum[LANES] = {0}, rest[LANES] = {0};
        for (int64_t i = 0; i < count; i++) {
            const softmax_parts s = softmax_row(L.z + (r + i) * L.n, L.n, L.p + (r + i) * L.n);
            const int32_t label = L.labels[r + i];
            sum[i] = s.sum;
            rest[i] = is_label(label, L.n) ? L.z[(r + i) * L.n + label] - s.top : NAN;
        }
        vf_store_n(L.loss + r, count, vf_sub(vf_log(vf_load(sum)), vf_load(rest)));
    }
    return 1;
}

// A lane for each row: no sum across lanes. A row's exponentials are added in their order.
static int loss_in_lanes(void) {
    float z[LANES * LANES], label[LANES];
    if (L.n > LANES || L.rows % LANES)
        return 0;
    for (int64_t r = 0; r < L.rows; r += LANES) {
        pack_columns((matrix){L.z + r * L.n, 1, L.n}, L.n, LANES, z, LANES);
        for (int64_t i = 0; i < LANES; i++)
            label[i] = is_label(L.labels[r + i], L.n) ? z[L.labels[r + i] * LANES + i] : NAN;
        vf top = vf_load(z), sum = vf_zero();
        for (int64_t j = 1; j < L.n; j++)
            top = larger(top, vf_load(z + j * LANES));
        for (int64_t j = 0; j < L.n; j++) {
            const vf e = vf_exp(vf_sub(vf_load(z + j * LANES), top));
            vf_store(z + j * LANES, e);
            sum = vf_add(sum, e);
        }
        vf_store(L.loss + r, vf_sub(vf_log(sum), vf_sub(vf_load(label), top)));
        for (int64_t j = 0; j < L.n; j++)
            vf_store(z + j * LANES, vf_div(vf_load(z + j * LANES), sum));
        pack_columns((matrix){z, 1, LANES}, LANES, L.n, L.p + r * L.n, L.n);
    }
    return 1;
}

static void losses(int64_t rows, int64_t n) {
    L.rows = L.dims[0] = rows, L.n = L.dims[1] = n;
    L.z = numbers(rows * n), L.p = numbers(rows * n), L.loss = numbers(rows);
    L.labels = zeros((size_t)rows * sizeof *L.labels);
    for (int64_t r = 0; r < rows; r++)
        L.labels[r] = (int32_t)(r % n);
    begin(L.loss, rows);
    add("ours", our_loss, 1), add("logs-of-16", loss_of_sixteen, 1), add("row-a-lane", loss_in_lanes, 0);
    compare();
}

// Sums of rows, and of a batch

static struct {
    int64_t rows, n, dims[4 * AXES], flat[2];
    const float *x;
    float *y;
    double total[2];
} S;

static int our_rows(void) {
    static const double no_mean = 0;
    sum_run(&(fnn_call){.dims = S.dims, .attrs = &no_mean, .args = {(void *)S.x, S.y}, .threads = 1});
    return 1;
}

INLINE int rows_in(const int sums) {
    for (int64_t r = 0; r < S.rows; r++) {
        const float *x = S.x + r * S.n;
        vf sum[8];
        int64_t i = 0;
        EACH(s, sums) sum[s] = vf_zero();
        for (; i + sums * LANES <= S.n; i += sums * LANES)
            EACH(s, sums) sum[s] = vf_add(sum[s], vf_load(x + i + s * LANES));
        for (; i < S.n; i += LANES)
            sum[0] = vf_add(sum[0], vf_load_n(x + i, S.n - i));
        EACH(s, sums - 1) sum[0] = vf_add(sum[0], sum[s + 1]);
        S.y[r] = vf_sum(sum[0]);
    }
    return 1;
}
static int rows_1(void) { return rows_in(1); }
static int rows_2(void) { return rows_in(2); }
static int rows_4(void) { return rows_in(4); }
static int rows_8(void) { return rows_in(8); }

static int our_total(void) {
    weighted_sum_run(&(fnn_call){.dims = S.flat, .args = {(void *)S.x, NULL, S.total}, .threads = 1});
    return 1;
}

static int total_in_lanes(void) {
    typedef double Doubles __attribute__((vector_size(64)));
    typedef float Floats __attribute__((vector_size(32)));
    Doubles sum[4] = {{0}};
    double total = 0;
    int64_t i = 0;
    for (; i + 32 <= S.rows; i += 32)
        EACH(s, 4) {
            Floats x;
            memcpy(&x, S.x + i + 8 * s, sizeof x);
            sum[s] += __builtin_convertvector(x, Doubles);
        }
    for (; i < S.rows; i++)
        total += S.x[i];
    sum[0] += sum[1] + (sum[2] + sum[3]);
    EACH(s, 8) total += sum[0][s];
    S.total[0] = total;
    S.total[1] = (double)S.rows;
    return 1;
}

static void sums(int64_t rows, int64_t n) {
    S.rows = S.flat[0] = rows, S.n = n, S.flat[1] = 1;
    S.x = numbers(rows * n), S.y = numbers(rows);
    for (int i = 0; i < AXES; i++)
        S.dims[i] = S.dims[2 * AXES + i] = 1;
    S.dims[LAST] = rows, S.dims[AXES + LAST] = n;
    S.dims[2 * AXES + LAST] = n, S.dims[3 * AXES + LAST] = 1;
}

// Gradients of biases, on two threads

static struct {
    int64_t rows, n[MOST_LAYERS], repetitions;
    int layers, way;
    float *dz[MOST_LAYERS], *part[MOST_LAYERS][TWO], *db[MOST_LAYERS], *workspace[TWO];
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int generation;
    double seconds;
} B;

static void meet(void) {
    const int generation = atomic_load(&B.generation);
    if (atomic_fetch_add(&B.arrived, 1) + 1 == TWO) {
        atomic_store(&B.arrived, 0);
        atomic_store(&B.generation, generation + 1);
    } else {
        while (atomic_load(&B.generation) == generation) {
        }
    }
}

static void sum_columns(int layer, int64_t low, int64_t high, float *out, int thread) {
    int64_t dims[] = {high - low, B.n[layer]};
    dense_grad_bias_run(&(fnn_call){
        .dims = dims, .args = {B.dz[layer] + low * B.n[layer], out}, .threads = 1, .workspace = B.workspace[thread]});
}

// The rows of a thread are written; then nothing, ours or sums of its own rows first, which one thread then adds.
enum { NOTHING, OURS, SPLIT };
static void *work(void *argument) {
    const int thread = *(int *)argument;
    const int64_t low = B.rows * thread / TWO, high = B.rows * (thread + 1) / TWO;
#ifdef __linux__
    cpu_set_t allowed, one;
    if (!sched_getaffinity(0, sizeof allowed, &allowed))
        for (int cpu = 0, place = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &allowed) && place++ == thread) {
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            }
#endif
    double start = 0;
    for (int64_t n = -10; n < B.repetitions; n++) {
        if (n == 0)
            start = now();
        for (int l = 0; l < B.layers; l++) {
            for (int64_t i = low * B.n[l]; i < high * B.n[l]; i += LANES)
                vf_store_n(B.dz[l] + i, high * B.n[l] - i, vf_set((float)n));
            if (B.way == SPLIT)
                sum_columns(l, low, high, B.part[l][thread], thread);
        }
        meet();
        for (int l = thread; l < B.layers; l += TWO) { // layers in turn, as the planner deals them out
            if (B.way == OURS)
                sum_columns(l, 0, B.rows, B.db[l], thread);
            for (int64_t i = 0; B.way == SPLIT && i < B.n[l]; i += LANES) {
                const int64_t left = B.n[l] - i;
                vf_store_n(B.db[l] + i, left, vf_add(vf_load_n(B.part[l][0] + i, left), vf_load_n(B.part[l][1] + i, left)));
            }
        }
        meet();
    }
    if (thread == 0)
        B.seconds = now() - start;
    return NULL;
}

static void biases(void) {
    double best[3] = {1e9, 1e9, 1e9};
    B.repetitions = 100;
    for (int i = 0; i < TWO; i++)
        B.workspace[i] = zeros(GEMM_WORKSPACE_FLOATS * sizeof(float));
    for (int l = 0; l < B.layers; l++) {
        B.dz[l] = numbers(B.rows * B.n[l]), B.db[l] = numbers(B.n[l]);
        for (int i = 0; i < TWO; i++)
            B.part[l][i] = numbers(B.n[l]);
    }
    for (int round = 0; round < 3 * 50; round++) {
        int places[TWO] = {0, 1};
        pthread_t ids[TWO];
        B.way = round % 3;
        for (int i = 0; i < TWO; i++)
            if (pthread_create(&ids[i], NULL, work, &places[i]))
                abort();
        for (int i = 0; i < TWO; i++)
            pthread_join(ids[i], NULL);
        double each = B.seconds / (double)B.repetitions;
        best[B.way] = each < best[B.way] ? each : best[B.way];
    }
    const double ours = (best[OURS] - best[NOTHING]) * 1e9, split = (best[SPLIT] - best[NOTHING]) * 1e9;
    printf("%.1f %.1f %.1f ours %s\n", ours, ours, split < ours ? split : ours, split < ours ? "split" : "ours");
}

int main(void) {
    char line[128];
    long long m, k, n;
    int transposed, at = 0, used;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "product %lld %lld %lld %d", &m, &k, &n, &transposed) == 4) {
            products(m, k, n, transposed);
        } else if (sscanf(line, "loss %lld %lld", &m, &n) == 2) {
            losses(m, n);
        } else if (sscanf(line, "rows %lld %lld", &m, &n) == 2) {
            sums(m, n);
            begin(S.y, m);
            add("ours", our_rows, 1), add("sums-1", rows_1, 1), add("sums-2", rows_2, 0), add("sums-4", rows_4, 0);
            add("sums-8", rows_8, 0);
            compare();
        } else if (sscanf(line, "total %lld", &m) == 1) {
            sums(m, 1);
            begin((const float *)S.total, 0);
            add("ours", our_total, 1), add("lanes", total_in_lanes, 0);
            compare();
        } else if (sscanf(line, "biases %lld%n", &m, &at) == 1) {
            B.rows = m;
            for (B.layers = 0; B.layers < MOST_LAYERS && sscanf(line + at, "%lld%n", &n, &used) == 1; at += used)
                B.n[B.layers++] = n;
            biases();
        } else {
            fprintf(stderr, "not a command: %s", line);
            return 1;
        }
        fflush(stdout);
    }
    return 0;
}
