/* avx2.h: the vocabulary of portable.h on pairs of 256-bit registers (lanes 0-7 and 8-15). */
#ifndef FASTNN_VEC_H
#define FASTNN_VEC_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define INLINE static inline __attribute__((always_inline, unused))

typedef struct { __m256 a, b; } vf;
typedef struct { __m256i a, b; } vi;
typedef struct { __m256 a, b; } vm; /* all bits of a lane on or off */

#define GEMM_ROWS 6
#define GEMM_VECS 1
#define ROW_VECS 6

#define PAIR(type, f) ((type){f(x.a, y.a), f(x.b, y.b)})

INLINE vf vf_set(float x) { __m256 v = _mm256_set1_ps(x); return (vf){v, v}; }
INLINE vf vf_load(const float *p) { return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void vf_store(float *p, vf x) { _mm256_storeu_ps(p, x.a); _mm256_storeu_ps(p + 8, x.b); }
INLINE vm vm_first(int64_t n)
{
    const __m256i count = _mm256_set1_epi32((int)n), lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (vm){_mm256_castsi256_ps(_mm256_cmpgt_epi32(count, lane)),
                _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, _mm256_add_epi32(lane, _mm256_set1_epi32(8))))};
}
INLINE vf vf_load_m(const float *p, vm m)
{
    return (vf){_mm256_maskload_ps(p, _mm256_castps_si256(m.a)), _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.b))};
}
INLINE void vf_store_m(float *p, vm m, vf x)
{
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.a), x.a);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.b), x.b);
}
INLINE vf vf_load_u8(const uint8_t *p)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    return (vf){_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
}

INLINE vf vf_add(vf x, vf y) { return PAIR(vf, _mm256_add_ps); }
INLINE vf vf_sub(vf x, vf y) { return PAIR(vf, _mm256_sub_ps); }
INLINE vf vf_mul(vf x, vf y) { return PAIR(vf, _mm256_mul_ps); }
INLINE vf vf_div(vf x, vf y) { return PAIR(vf, _mm256_div_ps); }
INLINE vf vf_max(vf x, vf y) { return PAIR(vf, _mm256_max_ps); }
INLINE vf vf_min(vf x, vf y) { return PAIR(vf, _mm256_min_ps); }
INLINE vf vf_sqrt(vf x) { return (vf){_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
INLINE vf vf_fma(vf x, vf y, vf z) { return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
INLINE vf vf_fma_low(vf x, vf y, vf z) { return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), z.b}; }
INLINE vf vf_fnma(vf x, vf y, vf z) { return (vf){_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)}; }

INLINE vm vf_lt(vf x, vf y) { return (vm){_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)}; }
INLINE vm vf_le(vf x, vf y) { return (vm){_mm256_cmp_ps(x.a, y.a, _CMP_LE_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LE_OQ)}; }
INLINE vm vf_eq(vf x, vf y) { return (vm){_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ)}; }
INLINE vm vm_and(vm x, vm y) { return PAIR(vm, _mm256_and_ps); }
INLINE vm vm_or(vm x, vm y) { return PAIR(vm, _mm256_or_ps); }
INLINE vm vm_not(vm x)
{
    const __m256 y = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return (vm){_mm256_xor_ps(x.a, y), _mm256_xor_ps(x.b, y)};
}
INLINE int vm_any(vm x) { return _mm256_movemask_ps(_mm256_or_ps(x.a, x.b)) != 0; }
INLINE vf vf_select(vm m, vf x, vf y) { return (vf){_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b)}; }

INLINE vi vf_bits(vf x) { return (vi){_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
INLINE vf vi_bits(vi x) { return (vf){_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
INLINE vf vi_to_float(vi x) { return (vf){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }

INLINE vi vi_set(uint32_t x) { __m256i v = _mm256_set1_epi32((int)x); return (vi){v, v}; }
INLINE vi vi_iota(void)
{
    return (vi){_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
}
INLINE vi vi_add(vi x, vi y) { return PAIR(vi, _mm256_add_epi32); }
INLINE vi vi_sub(vi x, vi y) { return PAIR(vi, _mm256_sub_epi32); }
INLINE vi vi_and(vi x, vi y) { return PAIR(vi, _mm256_and_si256); }
INLINE vi vi_or(vi x, vi y) { return PAIR(vi, _mm256_or_si256); }
INLINE vi vi_xor(vi x, vi y) { return PAIR(vi, _mm256_xor_si256); }
#define vi_shl(x, n) ((vi){_mm256_slli_epi32((x).a, n), _mm256_slli_epi32((x).b, n)})
#define vi_shr(x, n) ((vi){_mm256_srli_epi32((x).a, n), _mm256_srli_epi32((x).b, n)})
#define vi_sar(x, n) ((vi){_mm256_srai_epi32((x).a, n), _mm256_srai_epi32((x).b, n)})
INLINE vi vi_mullo(vi x, vi y) { return PAIR(vi, _mm256_mullo_epi32); }
INLINE __m256i mulhi_epu32(__m256i x, __m256i y)
{
    const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(x, y), 32);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(y, 32));
    return _mm256_blend_epi32(even, odd, 0xAA);
}
INLINE vi vi_mulhi(vi x, vi y) { return PAIR(vi, mulhi_epu32); }
INLINE __m256 lt_epu32(__m256i x, __m256i y)
{
    const __m256i flip = _mm256_set1_epi32((int)0x80000000u);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_xor_si256(y, flip), _mm256_xor_si256(x, flip)));
}
INLINE vm vi_lt(vi x, vi y) { return PAIR(vm, lt_epu32); }
INLINE vi vi_max(vi x, vi y) { return PAIR(vi, _mm256_max_epu32); }

INLINE __m256 pick(vf x, __m256i index) /* an index of 8 or more has bit 3, which becomes the sign */
{
    const __m256 low = _mm256_permutevar8x32_ps(x.a, index), high = _mm256_permutevar8x32_ps(x.b, index);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
INLINE vf vf_pick(vf x, vi index) { return (vf){pick(x, index.a), pick(x, index.b)}; }

INLINE float vf_sum(vf x)
{
    const __m256 s8 = _mm256_add_ps(x.a, x.b);
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
INLINE float vf_largest(vf x)
{
    const __m256 s8 = _mm256_max_ps(x.a, x.b);
    const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

/* The trees of 8 vectors at once: each step halves what is left of two of them, and joins the halves. */
#define FOLD(first, second, shuffle, op, low, high) op(shuffle(first, second, low), shuffle(first, second, high))
#define DEFINE_FOLDS(name, of_8, op)                                                                    \
    INLINE __m256 of_8(const vf *x)                                                                     \
    {                                                                                                   \
        __m256 eights[8], fours[4], twos[2];                                                            \
        for (int i = 0; i < 8; i++)                                                                     \
            eights[i] = op(x[i].a, x[i].b);                                                             \
        for (int i = 0; i < 4; i++)                                                                     \
            fours[i] = FOLD(eights[i], eights[i + 4], _mm256_permute2f128_ps, op, 0x20, 0x31);          \
        for (int i = 0; i < 2; i++)                                                                     \
            twos[i] = FOLD(fours[2 * i], fours[2 * i + 1], _mm256_shuffle_ps, op, 0x44, 0xEE);          \
        return FOLD(twos[0], twos[1], _mm256_shuffle_ps, op, 0x88, 0xDD);                               \
    }                                                                                                   \
    INLINE vf name(const vf *x) { return (vf){of_8(x), of_8(x + 8)}; }
DEFINE_FOLDS(vf_sums, sums_of_8, _mm256_add_ps)
DEFINE_FOLDS(vf_largests, largest_of_8, _mm256_max_ps)
#undef FOLD
#undef DEFINE_FOLDS
#undef PAIR

#endif
