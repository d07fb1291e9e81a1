/* AVX-512 (F, DQ, BW, VL): a vector is one 512-bit register. */
#include "../vec/avx512.h"
#define FNN_TABLE fnn_avx512
#define FNN_ISA "avx512"
#include "../kernels/all.inc"
