/* neon.h: the vocabulary of portable.h on quads of 128-bit registers of AArch64 (lanes 0-3, 4-7, 8-11 and 12-15). */
#ifndef FASTNN_VEC_H
#define FASTNN_VEC_H

#include <arm_neon.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define INLINE static inline __attribute__((always_inline, unused))

typedef struct { float32x4_t a, b, c, d; } vf;
typedef struct { uint32x4_t a, b, c, d; } vi;
typedef struct { uint32x4_t a, b, c, d; } vm; /* all bits of a lane on or off */

/* 24 of the 32 registers are accumulators, 4 hold the row of b and 1 a number of a. */
#define GEMM_ROWS 6
#define GEMM_VECS 1
#define ROW_VECS 6

#define QUAD1(type, f) ((type){f(x.a), f(x.b), f(x.c), f(x.d)})
#define QUAD2(type, f) ((type){f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d)})
#define QUAD3(type, f) ((type){f(x.a, y.a, z.a), f(x.b, y.b, z.b), f(x.c, y.c, z.c), f(x.d, y.d, z.d)})

INLINE vf vf_set(float x) { const float32x4_t v = vdupq_n_f32(x); return (vf){v, v, v, v}; }
INLINE vf vf_load(const float *p) { return (vf){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}; }
INLINE void vf_store(float *p, vf x)
{
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}

INLINE vi vi_set(uint32_t x) { const uint32x4_t v = vdupq_n_u32(x); return (vi){v, v, v, v}; }
INLINE vi vi_iota(void)
{
    const uint32x4_t four = vdupq_n_u32(4), a = {0, 1, 2, 3}, b = vaddq_u32(a, four), c = vaddq_u32(b, four);
    return (vi){a, b, c, vaddq_u32(c, four)};
}
INLINE vi vi_add(vi x, vi y) { return QUAD2(vi, vaddq_u32); }
INLINE vi vi_sub(vi x, vi y) { return QUAD2(vi, vsubq_u32); }
INLINE vi vi_and(vi x, vi y) { return QUAD2(vi, vandq_u32); }
INLINE vi vi_or(vi x, vi y) { return QUAD2(vi, vorrq_u32); }
INLINE vi vi_xor(vi x, vi y) { return QUAD2(vi, veorq_u32); }
#define EACH_SHIFTED(f, x, n) ((vi){f((x).a, n), f((x).b, n), f((x).c, n), f((x).d, n)})
#define SHIFT_SIGNED(x, n) vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(x), n))
#define vi_shl(x, n) EACH_SHIFTED(vshlq_n_u32, x, n)
#define vi_shr(x, n) EACH_SHIFTED(vshrq_n_u32, x, n)
#define vi_sar(x, n) EACH_SHIFTED(SHIFT_SIGNED, x, n)
INLINE vi vi_mullo(vi x, vi y) { return QUAD2(vi, vmulq_u32); }
INLINE uint32x4_t mulhi_u32(uint32x4_t x, uint32x4_t y)
{
    const uint64x2_t low = vmull_u32(vget_low_u32(x), vget_low_u32(y)), high = vmull_high_u32(x, y);
    return vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high)); /* the odd halves: little-endian */
}
INLINE vi vi_mulhi(vi x, vi y) { return QUAD2(vi, mulhi_u32); }
INLINE vi vi_max(vi x, vi y) { return QUAD2(vi, vmaxq_u32); } /* unsigned */
INLINE vm vi_lt(vi x, vi y) { return QUAD2(vm, vcltq_u32); }

INLINE vm vm_first(int64_t n)
{
    const int32x4_t count = vdupq_n_s32((int)n), lane = {0, 1, 2, 3};
    return (vm){vcgtq_s32(count, lane), vcgtq_s32(count, vaddq_s32(lane, vdupq_n_s32(4))),
                vcgtq_s32(count, vaddq_s32(lane, vdupq_n_s32(8))), vcgtq_s32(count, vaddq_s32(lane, vdupq_n_s32(12)))};
}

/* There are no masked loads and stores: what is not a whole register goes lane by lane. */
INLINE float32x4_t load_lanes(const float *p, uint32x4_t m)
{
    if (vminvq_u32(m))
        return vld1q_f32(p);
    float32x4_t r = vdupq_n_f32(0.0f);
    if (vgetq_lane_u32(m, 0)) r = vld1q_lane_f32(p, r, 0);
    if (vgetq_lane_u32(m, 1)) r = vld1q_lane_f32(p + 1, r, 1);
    if (vgetq_lane_u32(m, 2)) r = vld1q_lane_f32(p + 2, r, 2);
    if (vgetq_lane_u32(m, 3)) r = vld1q_lane_f32(p + 3, r, 3);
    return r;
}
INLINE void store_lanes(float *p, uint32x4_t m, float32x4_t x)
{
    if (vminvq_u32(m)) {
        vst1q_f32(p, x);
        return;
    }
    if (vgetq_lane_u32(m, 0)) vst1q_lane_f32(p, x, 0);
    if (vgetq_lane_u32(m, 1)) vst1q_lane_f32(p + 1, x, 1);
    if (vgetq_lane_u32(m, 2)) vst1q_lane_f32(p + 2, x, 2);
    if (vgetq_lane_u32(m, 3)) vst1q_lane_f32(p + 3, x, 3);
}
INLINE vf vf_load_m(const float *p, vm m)
{
    return (vf){load_lanes(p, m.a), load_lanes(p + 4, m.b), load_lanes(p + 8, m.c), load_lanes(p + 12, m.d)};
}
INLINE void vf_store_m(float *p, vm m, vf x)
{
    store_lanes(p, m.a, x.a);
    store_lanes(p + 4, m.b, x.b);
    store_lanes(p + 8, m.c, x.c);
    store_lanes(p + 12, m.d, x.d);
}
INLINE vf vf_load_u8(const uint8_t *p)
{
    const uint8x16_t bytes = vld1q_u8(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
    return (vf){vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))), vcvtq_f32_u32(vmovl_high_u16(low)),
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))), vcvtq_f32_u32(vmovl_high_u16(high))};
}

/* Not vmaxq and vminq, which know NaN and signed zeros: y for NaN and for equals, as everywhere else. */
INLINE float32x4_t larger_of(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
INLINE float32x4_t smaller_of(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }

INLINE vf vf_add(vf x, vf y) { return QUAD2(vf, vaddq_f32); }
INLINE vf vf_sub(vf x, vf y) { return QUAD2(vf, vsubq_f32); }
INLINE vf vf_mul(vf x, vf y) { return QUAD2(vf, vmulq_f32); }
INLINE vf vf_div(vf x, vf y) { return QUAD2(vf, vdivq_f32); }
INLINE vf vf_max(vf x, vf y) { return QUAD2(vf, larger_of); }
INLINE vf vf_min(vf x, vf y) { return QUAD2(vf, smaller_of); }
INLINE vf vf_sqrt(vf x) { return QUAD1(vf, vsqrtq_f32); }
INLINE vf vf_fma(vf y, vf z, vf x) { return QUAD3(vf, vfmaq_f32); }  /* the instructions take the sum first */
INLINE vf vf_fma_low(vf x, vf y, vf z) { return (vf){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), z.c, z.d}; }
INLINE vf vf_fnma(vf y, vf z, vf x) { return QUAD3(vf, vfmsq_f32); }

INLINE vm vf_lt(vf x, vf y) { return QUAD2(vm, vcltq_f32); }
INLINE vm vf_le(vf x, vf y) { return QUAD2(vm, vcleq_f32); }
INLINE vm vf_eq(vf x, vf y) { return QUAD2(vm, vceqq_f32); }
INLINE vm vm_and(vm x, vm y) { return QUAD2(vm, vandq_u32); }
INLINE vm vm_or(vm x, vm y) { return QUAD2(vm, vorrq_u32); }
INLINE vm vm_not(vm x) { return QUAD1(vm, vmvnq_u32); }
INLINE int vm_any(vm x) { return vmaxvq_u32(vorrq_u32(vorrq_u32(x.a, x.b), vorrq_u32(x.c, x.d))) != 0; }
INLINE vf vf_select(vm x, vf y, vf z) { return QUAD3(vf, vbslq_f32); }

INLINE vi vf_bits(vf x) { return QUAD1(vi, vreinterpretq_u32_f32); }
INLINE vf vi_bits(vi x) { return QUAD1(vf, vreinterpretq_f32_u32); }
INLINE float32x4_t to_float(uint32x4_t x) { return vcvtq_f32_s32(vreinterpretq_s32_u32(x)); }
INLINE vf vi_to_float(vi x) { return QUAD1(vf, to_float); }

INLINE float32x4_t pick(vf x, uint32x4_t index)
{
    const uint8x16x4_t bytes = {{vreinterpretq_u8_f32(x.a), vreinterpretq_u8_f32(x.b), vreinterpretq_u8_f32(x.c),
                                 vreinterpretq_u8_f32(x.d)}};
    const uint32x4_t at = vaddq_u32(vmulq_n_u32(index, 0x04040404u), vdupq_n_u32(0x03020100u));
    return vreinterpretq_f32_u8(vqtbl4q_u8(bytes, vreinterpretq_u8_u32(at)));
}
INLINE vf vf_pick(vf x, vi index)
{
    return (vf){pick(x, index.a), pick(x, index.b), pick(x, index.c), pick(x, index.d)};
}

INLINE float vf_sum(vf x)
{
    const float32x4_t s4 = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    const float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
INLINE float vf_largest(vf x)
{
    const float32x4_t s4 = larger_of(larger_of(x.a, x.c), larger_of(x.b, x.d));
    const float32x4_t s2 = larger_of(s4, vextq_f32(s4, s4, 2));
    return vgetq_lane_f32(larger_of(s2, vextq_f32(s2, s2, 1)), 0);
}

INLINE vf vf_sums(const vf *x)
{
    float sums[LANES];
    for (int i = 0; i < LANES; i++)
        sums[i] = vf_sum(x[i]);
    return vf_load(sums);
}
INLINE vf vf_largests(const vf *x)
{
    float tops[LANES];
    for (int i = 0; i < LANES; i++)
        tops[i] = vf_largest(x[i]);
    return vf_load(tops);
}

#undef QUAD1
#undef QUAD2
#undef QUAD3

#endif
