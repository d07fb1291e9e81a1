/* order.c: the random order of an epoch's rows. */
#include "fastnn.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { GROUP = 64, COUNTERS = 16, WORDS = 4 }; /* so many numbers, of so many counters, which give four words each */

/* Random numbers of one group of a row, as kernels/random.inc makes them. */
static void random_group(uint32_t out[GROUP], uint32_t group, uint32_t row, uint64_t seed, uint32_t stream,
                         uint32_t iteration)
{
    uint32_t w[WORDS][COUNTERS], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint32_t i = 0; i < COUNTERS; i++) {
        w[0][i] = group * COUNTERS + i;
        w[1][i] = row;
        w[2][i] = iteration;
        w[3][i] = stream;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < COUNTERS; i++) {
            const uint64_t product0 = (uint64_t)0xD2511F53u * w[0][i], product1 = (uint64_t)0xCD9E8D57u * w[2][i];
            w[0][i] = (uint32_t)(product1 >> 32) ^ w[1][i] ^ k0;
            w[1][i] = (uint32_t)product1;
            w[2][i] = (uint32_t)(product0 >> 32) ^ w[3][i] ^ k1;
            w[3][i] = (uint32_t)product0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < GROUP; i++)
        out[i] = w[i / COUNTERS][i % COUNTERS];
}

/* Items are a key and a number: two digits sort by how the key begins, which leaves few items to be put right. */
enum { KEY = 32, DIGITS = 2, DIGIT_BITS = 11, DIGIT_VALUES = 1 << DIGIT_BITS };

/* The last digit is number 0. */
static uint64_t digit(uint64_t item, int number)
{
    return item >> (64 - (DIGITS - number) * DIGIT_BITS) & (DIGIT_VALUES - 1);
}

/* `to` = the n items of `from` in the order of a digit, of which each value occurs `counts` times; items with equal
 * digits in the order they had. */
static void sort_by_digit(const uint64_t *from, uint64_t *to, int64_t n, int number, uint32_t counts[DIGIT_VALUES])
{
    uint32_t before = 0;
    for (int d = 0; d < DIGIT_VALUES; d++) {
        const uint32_t count = counts[d];
        counts[d] = before;
        before += count;
    }
    for (int64_t i = 0; i < n; i++)
        to[counts[digit(from[i], number)]++] = from[i];
}

/* Further 32 bits of the key of an item. */
static uint32_t more_of_key(uint64_t item, uint64_t seed, uint32_t stream, uint32_t epoch)
{
    uint32_t group[GROUP];
    random_group(group, (uint32_t)item / GROUP, 1, seed, stream, epoch);
    return group[item % GROUP];
}

void fnn_permutation(int64_t *order, uint64_t *scratch, int64_t n, uint64_t seed, uint32_t stream, uint32_t epoch)
{
    uint64_t *items = (uint64_t *)order;
    uint32_t counts[DIGITS][DIGIT_VALUES] = {{0}};
    for (int64_t i = 0; i < n; i += GROUP) {
        uint32_t keys[GROUP];
        random_group(keys, (uint32_t)(i / GROUP), 0, seed, stream, epoch);
        for (int64_t k = i; k < n && k < i + GROUP; k++) {
            items[k] = (uint64_t)keys[k - i] << KEY | (uint64_t)k;
            for (int d = 0; d < DIGITS; d++)
                counts[d][digit(items[k], d)]++;
        }
    }
    sort_by_digit(items, scratch, n, 0, counts[0]);
    sort_by_digit(scratch, items, n, 1, counts[1]);
    for (int64_t i = 1; i < n; i++) { /* those that begin with the same digits */
        const uint64_t item = items[i], key = item >> KEY;
        int64_t at = i;
        for (; at > 0 && items[at - 1] >> KEY >= key; at--) {
            if (items[at - 1] >> KEY == key
                && more_of_key(items[at - 1], seed, stream, epoch) <= more_of_key(item, seed, stream, epoch))
                break;
            items[at] = items[at - 1];
        }
        items[at] = item;
    }
    for (int64_t i = 0; i < n; i++)
        order[i] = (int64_t)(uint32_t)items[i];
}

void fnn_permutations(int64_t *orders, uint64_t *scratch, int64_t count, int64_t n, const uint64_t *seeds,
                      uint32_t stream, const uint32_t *epochs, int threads)
{
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
#endif
    for (int64_t i = 0; i < count; i++) {
        int thread = 0;
#ifdef _OPENMP
        thread = omp_get_thread_num();
#endif
        fnn_permutation(orders + i * n, scratch + thread * n, n, seeds[i], stream, epochs[i]);
    }
    (void)threads;
}
