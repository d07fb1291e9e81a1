/* portable.h: the vector vocabulary for any machine, on the vector types of GCC and clang.
 *
 * Every instruction set offers the same words on 16 lanes: `vf` holds 16 floats, `vi` 16 32-bit
 * integers, `vm` a yes or no per lane. Kernels see nothing else, so one text serves all, and the
 * lane of an element (hence every bit of a result) does not depend on the width of a register.
 * Comparisons are false for NaN. Masked loads give +0 in lanes that are off and touch no memory
 * there; masked stores leave memory there alone. */
#ifndef FASTNN_VEC_H
#define FASTNN_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(64)));
typedef uint32_t vi __attribute__((vector_size(64)));
typedef int32_t vm __attribute__((vector_size(64))); /* all bits of a lane on or off */

/* Tile of the matrix kernels: rows, and vectors of 16 columns. */
#define GEMM_ROWS 4
#define GEMM_VECS 1
#define ROW_VECS 4

#define EACH for (int i = 0; i < LANES; i++)

INLINE vf vf_set(float x) { return x - (vf){0}; } /* not x + 0, which would lose a negative zero */
INLINE vf vf_load(const float *p) { vf r; memcpy(&r, p, sizeof r); return r; }
INLINE void vf_store(float *p, vf x) { memcpy(p, &x, sizeof x); }
INLINE vm vm_first(int64_t n) /* the first n lanes */
{
    const vm lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lane < (int32_t)n;
}
INLINE vf vf_load_m(const float *p, vm m) { vf r; EACH r[i] = m[i] ? p[i] : 0.0f; return r; }
INLINE void vf_store_m(float *p, vm m, vf x) { EACH if (m[i]) p[i] = x[i]; }
INLINE vf vf_load_u8(const uint8_t *p) { vf r; EACH r[i] = (float)p[i]; return r; }

/* Not inlined: without the instruction it is sixteen calls of libm. */
static __attribute__((noinline, unused)) void fma_lanes(const vf *a, const vf *b, vf *c)
{
    EACH (*c)[i] = fmaf((*a)[i], (*b)[i], (*c)[i]);
}

INLINE vf vf_add(vf a, vf b) { return a + b; }
INLINE vf vf_sub(vf a, vf b) { return a - b; }
INLINE vf vf_mul(vf a, vf b) { return a * b; }
INLINE vf vf_div(vf a, vf b) { return a / b; }
INLINE vf vf_sqrt(vf a) { EACH a[i] = sqrtf(a[i]); return a; }
INLINE vf vf_fma(vf a, vf b, vf c) { fma_lanes(&a, &b, &c); return c; }               /* a*b + c */
INLINE vf vf_fma_low(vf a, vf b, vf c) /* the same in lanes 0 to 7, anything in the others */
{
    for (int i = 0; i < LANES / 2; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
}
INLINE vf vf_fnma(vf a, vf b, vf c) { a = -a; fma_lanes(&a, &b, &c); return c; }      /* c - a*b */

INLINE vm vf_lt(vf a, vf b) { return a < b; }
INLINE vm vf_le(vf a, vf b) { return a <= b; }
INLINE vm vf_eq(vf a, vf b) { return a == b; }
INLINE vm vm_and(vm a, vm b) { return a & b; }
INLINE vm vm_or(vm a, vm b) { return a | b; }
INLINE vm vm_not(vm a) { return ~a; }
INLINE int vm_any(vm a) { int r = 0; EACH r |= a[i]; return r != 0; }
INLINE vf vf_select(vm m, vf a, vf b) { return (vf)((m & (vm)a) | (~m & (vm)b)); }
INLINE vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); } /* b for NaN and for equals */
INLINE vf vf_min(vf a, vf b) { return vf_select(a < b, a, b); } /* likewise */

INLINE vi vf_bits(vf a) { return (vi)a; }
INLINE vf vi_bits(vi a) { return (vf)a; }
INLINE vf vi_to_float(vi a) { vf r; EACH r[i] = (float)(int32_t)a[i]; return r; }

INLINE vi vi_set(uint32_t x) { return x + (vi){0}; }
INLINE vi vi_iota(void) { return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }
INLINE vi vi_add(vi a, vi b) { return a + b; }
INLINE vi vi_sub(vi a, vi b) { return a - b; }
INLINE vi vi_and(vi a, vi b) { return a & b; }
INLINE vi vi_or(vi a, vi b) { return a | b; }
INLINE vi vi_xor(vi a, vi b) { return a ^ b; }
INLINE vi vi_shl(vi a, int n) { return a << n; }
INLINE vi vi_shr(vi a, int n) { return a >> n; }             /* zeros come in */
INLINE vi vi_sar(vi a, int n) { return (vi)((vm)a >> n); }   /* the sign comes in */
INLINE vi vi_mullo(vi a, vi b) { return a * b; }
INLINE vi vi_mulhi(vi a, vi b) { EACH a[i] = (uint32_t)((uint64_t)a[i] * b[i] >> 32); return a; } /* unsigned */
INLINE vm vi_lt(vi a, vi b) { return a < b; } /* unsigned */
INLINE vi vi_max(vi a, vi b) { return vf_bits(vf_select(a > b, vi_bits(a), vi_bits(b))); } /* unsigned */

/* Lane i of the result is lane index_i of a. */
INLINE vf vf_pick(vf a, vi index) { vf r; EACH r[i] = a[index[i]]; return r; }

/* Sum of the lanes by the one tree: lane i with i + 8, then i + 4, i + 2, i + 1. */
INLINE float vf_sum(vf a)
{
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            a[i] = a[i] + a[i + half];
    return a[0];
}

/* The sums of LANES vectors, each by that tree. */
INLINE vf vf_sums(const vf *a) { vf r; EACH r[i] = vf_sum(a[i]); return r; }

/* The largest lane, by the same tree; any number if a lane is NaN. */
INLINE float vf_largest(vf a)
{
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            a[i] = a[i] > a[i + half] ? a[i] : a[i + half];
    return a[0];
}
INLINE vf vf_largests(const vf *a) { vf r; EACH r[i] = vf_largest(a[i]); return r; }

#undef EACH

#endif
