/* NEON (Advanced SIMD of AArch64): a vector is four 128-bit registers. */
#include "../vec/neon.h"
#define FNN_TABLE fnn_neon
#define FNN_ISA "neon"
#include "../kernels/all.inc"
