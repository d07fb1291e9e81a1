/* portable.h: the vector vocabulary in plain C11.
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

typedef struct { float l[LANES]; } vf;
typedef struct { uint32_t l[LANES]; } vi;
typedef struct { uint8_t l[LANES]; } vm;

/* Tile of the matrix kernels: rows, and vectors of 16 columns. */
#define GEMM_ROWS 4
#define GEMM_VECS 1

#define EACH for (int i = 0; i < LANES; i++)

INLINE vf vf_set(float x) { vf r; EACH r.l[i] = x; return r; }
INLINE vf vf_load(const float *p) { vf r; memcpy(r.l, p, sizeof r.l); return r; }
INLINE void vf_store(float *p, vf x) { memcpy(p, x.l, sizeof x.l); }
INLINE vm vm_first(int64_t n) { vm r; EACH r.l[i] = i < n; return r; } /* the first n lanes */
INLINE vf vf_load_m(const float *p, vm m) { vf r; EACH r.l[i] = m.l[i] ? p[i] : 0.0f; return r; }
INLINE void vf_store_m(float *p, vm m, vf x) { EACH if (m.l[i]) p[i] = x.l[i]; }
INLINE vf vf_load_u8(const uint8_t *p) { vf r; EACH r.l[i] = (float)p[i]; return r; }

INLINE vf vf_add(vf a, vf b) { EACH a.l[i] = a.l[i] + b.l[i]; return a; }
INLINE vf vf_sub(vf a, vf b) { EACH a.l[i] = a.l[i] - b.l[i]; return a; }
INLINE vf vf_mul(vf a, vf b) { EACH a.l[i] = a.l[i] * b.l[i]; return a; }
INLINE vf vf_div(vf a, vf b) { EACH a.l[i] = a.l[i] / b.l[i]; return a; }
INLINE vf vf_sqrt(vf a) { EACH a.l[i] = sqrtf(a.l[i]); return a; }
INLINE vf vf_fma(vf a, vf b, vf c) { EACH a.l[i] = fmaf(a.l[i], b.l[i], c.l[i]); return a; }   /* a*b + c */
INLINE vf vf_fnma(vf a, vf b, vf c) { EACH a.l[i] = fmaf(-a.l[i], b.l[i], c.l[i]); return a; } /* c - a*b */
INLINE vf vf_max(vf a, vf b) { EACH a.l[i] = a.l[i] > b.l[i] ? a.l[i] : b.l[i]; return a; } /* b for NaN and for equals */
INLINE vf vf_min(vf a, vf b) { EACH a.l[i] = a.l[i] < b.l[i] ? a.l[i] : b.l[i]; return a; } /* likewise */
INLINE vf vf_round(vf a) { EACH a.l[i] = rintf(a.l[i]); return a; } /* to nearest, ties to even */

INLINE vm vf_lt(vf a, vf b) { vm r; EACH r.l[i] = a.l[i] < b.l[i]; return r; }
INLINE vm vf_le(vf a, vf b) { vm r; EACH r.l[i] = a.l[i] <= b.l[i]; return r; }
INLINE vm vf_eq(vf a, vf b) { vm r; EACH r.l[i] = a.l[i] == b.l[i]; return r; }
INLINE vm vm_and(vm a, vm b) { EACH a.l[i] &= b.l[i]; return a; }
INLINE vm vm_or(vm a, vm b) { EACH a.l[i] |= b.l[i]; return a; }
INLINE vm vm_not(vm a) { EACH a.l[i] = !a.l[i]; return a; }
INLINE int vm_any(vm a) { int r = 0; EACH r |= a.l[i]; return r; }
INLINE vf vf_select(vm m, vf a, vf b) { EACH a.l[i] = m.l[i] ? a.l[i] : b.l[i]; return a; }

INLINE vi vf_bits(vf a) { vi r; memcpy(&r, &a, sizeof r); return r; }
INLINE vf vi_bits(vi a) { vf r; memcpy(&r, &a, sizeof r); return r; }
INLINE vi vf_to_int(vf a) { vi r; EACH r.l[i] = (uint32_t)(int32_t)a.l[i]; return r; } /* of whole numbers below 2^31 */
INLINE vf vi_to_float(vi a) { vf r; EACH r.l[i] = (float)(int32_t)a.l[i]; return r; }

INLINE vi vi_set(uint32_t x) { vi r; EACH r.l[i] = x; return r; }
INLINE vi vi_iota(void) { vi r; EACH r.l[i] = (uint32_t)i; return r; }
INLINE vi vi_add(vi a, vi b) { EACH a.l[i] += b.l[i]; return a; }
INLINE vi vi_sub(vi a, vi b) { EACH a.l[i] -= b.l[i]; return a; }
INLINE vi vi_and(vi a, vi b) { EACH a.l[i] &= b.l[i]; return a; }
INLINE vi vi_or(vi a, vi b) { EACH a.l[i] |= b.l[i]; return a; }
INLINE vi vi_xor(vi a, vi b) { EACH a.l[i] ^= b.l[i]; return a; }
#define vi_shl(a, n) vi_shl_(a, n)
INLINE vi vi_shl_(vi a, int n) { EACH a.l[i] <<= n; return a; }
#define vi_shr(a, n) vi_shr_(a, n)
INLINE vi vi_shr_(vi a, int n) { EACH a.l[i] >>= n; return a; } /* zeros come in */
#define vi_sar(a, n) vi_sar_(a, n)
INLINE vi vi_sar_(vi a, int n) { EACH a.l[i] = (uint32_t)((int32_t)a.l[i] >> n); return a; } /* the sign comes in */
INLINE vi vi_mullo(vi a, vi b) { EACH a.l[i] *= b.l[i]; return a; }
INLINE vi vi_mulhi(vi a, vi b) { EACH a.l[i] = (uint32_t)((uint64_t)a.l[i] * b.l[i] >> 32); return a; } /* unsigned */
INLINE vm vi_lt(vi a, vi b) { vm r; EACH r.l[i] = a.l[i] < b.l[i]; return r; } /* unsigned */

/* Sum of the lanes by the one tree: lane i with i + 8, then i + 4, i + 2, i + 1. */
INLINE float vf_sum(vf a)
{
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            a.l[i] = a.l[i] + a.l[i + half];
    return a.l[0];
}

#undef EACH

#endif
