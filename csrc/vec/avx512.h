/* avx512.h: the vocabulary of portable.h on single 512-bit registers (AVX-512 F, DQ, BW, VL). */
#ifndef FASTNN_VEC_H
#define FASTNN_VEC_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define INLINE static inline __attribute__((always_inline, unused))

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

#define GEMM_ROWS 8
#define GEMM_VECS 3
#define ROW_VECS 13

INLINE vf vf_set(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
INLINE vm vm_first(int64_t n) { return (vm)(n >= 16 ? 0xFFFF : n <= 0 ? 0 : (1 << n) - 1); }
INLINE vf vf_load_m(const float *p, vm m) { return _mm512_maskz_loadu_ps(m, p); }
INLINE void vf_store_m(float *p, vm m, vf x) { _mm512_mask_storeu_ps(p, m, x); }
INLINE vf vf_load_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

INLINE vf vf_add(vf x, vf y) { return _mm512_add_ps(x, y); }
INLINE vf vf_sub(vf x, vf y) { return _mm512_sub_ps(x, y); }
INLINE vf vf_mul(vf x, vf y) { return _mm512_mul_ps(x, y); }
INLINE vf vf_div(vf x, vf y) { return _mm512_div_ps(x, y); }
INLINE vf vf_max(vf x, vf y) { return _mm512_max_ps(x, y); }
INLINE vf vf_min(vf x, vf y) { return _mm512_min_ps(x, y); }
INLINE vf vf_sqrt(vf x) { return _mm512_sqrt_ps(x); }
INLINE vf vf_fma(vf x, vf y, vf z) { return _mm512_fmadd_ps(x, y, z); }
INLINE vf vf_fma_low(vf x, vf y, vf z)
{
    return _mm512_castps256_ps512(_mm256_fmadd_ps(_mm512_castps512_ps256(x), _mm512_castps512_ps256(y),
                                                  _mm512_castps512_ps256(z)));
}
INLINE vf vf_fnma(vf x, vf y, vf z) { return _mm512_fnmadd_ps(x, y, z); }

INLINE vm vf_lt(vf x, vf y) { return _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ); }
INLINE vm vf_le(vf x, vf y) { return _mm512_cmp_ps_mask(x, y, _CMP_LE_OQ); }
INLINE vm vf_eq(vf x, vf y) { return _mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ); }
INLINE vm vm_and(vm x, vm y) { return (vm)(x & y); }
INLINE vm vm_or(vm x, vm y) { return (vm)(x | y); }
INLINE vm vm_not(vm x) { return (vm)~x; }
INLINE int vm_any(vm x) { return x != 0; }
INLINE vf vf_select(vm m, vf x, vf y) { return _mm512_mask_blend_ps(m, y, x); }

INLINE vi vf_bits(vf x) { return _mm512_castps_si512(x); }
INLINE vf vi_bits(vi x) { return _mm512_castsi512_ps(x); }
INLINE vf vi_to_float(vi x) { return _mm512_cvtepi32_ps(x); }

INLINE vi vi_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
INLINE vi vi_iota(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
INLINE vi vi_add(vi x, vi y) { return _mm512_add_epi32(x, y); }
INLINE vi vi_sub(vi x, vi y) { return _mm512_sub_epi32(x, y); }
INLINE vi vi_and(vi x, vi y) { return _mm512_and_si512(x, y); }
INLINE vi vi_or(vi x, vi y) { return _mm512_or_si512(x, y); }
INLINE vi vi_xor(vi x, vi y) { return _mm512_xor_si512(x, y); }
#define vi_shl(x, n) _mm512_slli_epi32(x, n)
#define vi_shr(x, n) _mm512_srli_epi32(x, n)
#define vi_sar(x, n) _mm512_srai_epi32(x, n)
INLINE vi vi_mullo(vi x, vi y) { return _mm512_mullo_epi32(x, y); }
INLINE vi vi_mulhi(vi x, vi y)
{
    const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(x, y), 32);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(y, 32));
    return _mm512_mask_blend_epi32(0xAAAA, even, odd);
}
INLINE vm vi_lt(vi x, vi y) { return _mm512_cmplt_epu32_mask(x, y); }
INLINE vi vi_max(vi x, vi y) { return _mm512_max_epu32(x, y); }

INLINE vf vf_pick(vf x, vi index) { return _mm512_permutexvar_ps(index, x); }

INLINE float vf_sum(vf x)
{
    const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
INLINE float vf_largest(vf x)
{
    const __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

/* The trees of 16 vectors at once: each step halves what is left of two of them, and joins the halves. */
#define FOLD(first, second, shuffle, op, low, high) op(shuffle(first, second, low), shuffle(first, second, high))
#define DEFINE_FOLDS(name, op)                                                                        \
    INLINE vf name(const vf *x)                                                                       \
    {                                                                                                 \
        vf eights[8], fours[4], twos[2];                                                              \
        for (int i = 0; i < 4; i++) {                                                                 \
            eights[2 * i] = FOLD(x[i], x[i + 4], _mm512_shuffle_f32x4, op, 0x44, 0xEE);               \
            eights[2 * i + 1] = FOLD(x[i + 8], x[i + 12], _mm512_shuffle_f32x4, op, 0x44, 0xEE);      \
        }                                                                                             \
        for (int i = 0; i < 4; i++)                                                                   \
            fours[i] = FOLD(eights[2 * i], eights[2 * i + 1], _mm512_shuffle_f32x4, op, 0x88, 0xDD);  \
        for (int i = 0; i < 2; i++)                                                                   \
            twos[i] = FOLD(fours[2 * i], fours[2 * i + 1], _mm512_shuffle_ps, op, 0x44, 0xEE);        \
        return FOLD(twos[0], twos[1], _mm512_shuffle_ps, op, 0x88, 0xDD);                             \
    }
DEFINE_FOLDS(vf_sums, _mm512_add_ps)
DEFINE_FOLDS(vf_largests, _mm512_max_ps)
#undef FOLD
#undef DEFINE_FOLDS

#endif
