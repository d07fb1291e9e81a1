/* The reference: plain C11 with fmaf. Slow without FMA in hardware, but the same bits. */
#include "../vec/portable.h"
#define FNN_TABLE fnn_portable
#define FNN_ISA "portable"
#include "../kernels/all.inc"
