/* AVX2 + FMA: a vector is a pair of 256-bit registers. */
#include "../vec/avx2.h"
#define FNN_TABLE fnn_avx2
#define FNN_ISA "avx2"
#include "../kernels/all.inc"
