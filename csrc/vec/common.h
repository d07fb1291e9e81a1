/* common.h: words made of the vocabulary, the same text for every instruction set. */
#ifndef FASTNN_VEC_COMMON_H
#define FASTNN_VEC_COMMON_H

/* The first n lanes (1 <= n; more than 16 means all). A full vector takes the plain load. */
INLINE vf vf_load_n(const float *p, int64_t n) { return n >= LANES ? vf_load(p) : vf_load_m(p, vm_first(n)); }
INLINE void vf_store_n(float *p, int64_t n, vf x)
{
    if (n >= LANES)
        vf_store(p, x);
    else
        vf_store_m(p, vm_first(n), x);
}
INLINE vf vf_load_u8_n(const uint8_t *p, int64_t n)
{
    if (n >= LANES)
        return vf_load_u8(p);
    uint8_t bytes[LANES] = {0};
    memcpy(bytes, p, (size_t)n);
    return vf_load_u8(bytes);
}

INLINE vf vf_zero(void) { return vf_set(0.0f); }
INLINE vf vf_abs(vf a) { return vi_bits(vi_and(vf_bits(a), vi_set(0x7FFFFFFFu))); }
INLINE vf vf_neg(vf a) { return vi_bits(vi_xor(vf_bits(a), vi_set(0x80000000u))); }
INLINE vf vf_copysign(vf magnitude, vf sign)
{
    return vi_bits(vi_or(vi_and(vf_bits(magnitude), vi_set(0x7FFFFFFFu)),
                         vi_and(vf_bits(sign), vi_set(0x80000000u))));
}
INLINE vf vf_where(vm m, vf a) { return vf_select(m, a, vf_zero()); }

/* The share of thread `thread` of n items: whole grains, as even as can be; empty when lo >= hi. */
INLINE void share(int64_t n, int64_t grain, int64_t thread, int64_t threads, int64_t *lo, int64_t *hi)
{
    const int64_t grains = (n + grain - 1) / grain, each = grains / threads, rest = grains % threads;
    const int64_t first = each * thread + (thread < rest ? thread : rest);
    *lo = first * grain;
    *hi = (first + each + (thread < rest)) * grain;
    if (*hi > n)
        *hi = n;
}

#endif
