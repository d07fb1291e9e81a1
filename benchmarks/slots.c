/* The vector instructions that a kernel needs: all kernels, compiled on a vocabulary that counts its words.
 *
 * slots.py compiles this file as a library and asks it. A word counts one slot of the multiply-add pipes for each vector of
 * 16 lanes: add, subtract, multiply and multiply-add, minimum and maximum, comparison, selection, conversion from integers.
 * Division and square root are counted by themselves, since a unit of their own does them. Loads, stores, constants and
 * whatever works on bits count nothing. A sum of the lanes of one vector is four additions. */

#include "vec/portable.h"

static int64_t slots, divisions;

#define COUNTED(result, name, parameters, arguments, counter, n) \
    INLINE result counted_##name parameters                      \
    {                                                            \
        counter += n;                                            \
        return name arguments;                                   \
    }
#define ONE(result, name) COUNTED(result, name, (vf a), (a), slots, 1)
#define TWO(result, name) COUNTED(result, name, (vf a, vf b), (a, b), slots, 1)
#define THREE(result, name, type) COUNTED(result, name, (type a, vf b, vf c), (a, b, c), slots, 1)

TWO(vf, vf_add)
TWO(vf, vf_sub)
TWO(vf, vf_mul)
TWO(vf, vf_min)
TWO(vf, vf_max)
TWO(vm, vf_lt)
TWO(vm, vf_le)
TWO(vm, vf_eq)
THREE(vf, vf_fma, vf)
THREE(vf, vf_fma_low, vf)
THREE(vf, vf_fnma, vf)
THREE(vf, vf_select, vm)
COUNTED(vf, vi_to_float, (vi a), (a), slots, 1)
COUNTED(float, vf_sum, (vf a), (a), slots, 4)
COUNTED(float, vf_largest, (vf a), (a), slots, 4)
COUNTED(vf, vf_div, (vf a, vf b), (a, b), divisions, 1)
COUNTED(vf, vf_sqrt, (vf a), (a), divisions, 1)

#define vf_add counted_vf_add
#define vf_sub counted_vf_sub
#define vf_mul counted_vf_mul
#define vf_min counted_vf_min
#define vf_max counted_vf_max
#define vf_lt counted_vf_lt
#define vf_le counted_vf_le
#define vf_eq counted_vf_eq
#define vf_fma counted_vf_fma
#define vf_fma_low counted_vf_fma_low
#define vf_fnma counted_vf_fnma
#define vf_select counted_vf_select
#define vi_to_float counted_vi_to_float
#define vf_sum counted_vf_sum
#define vf_largest counted_vf_largest
#define vf_div counted_vf_div
#define vf_sqrt counted_vf_sqrt

#define FNN_TABLE counting
#define FNN_ISA "counting"
#include "kernels/all.inc"

/* Runs a step on one thread. counts: slots, divisions. Returns -1 if there is no such kernel. */
__attribute__((visibility("default"))) int count(const char *name, const fnn_step *step, void *const *args, int n, int64_t *counts)
{
    static _Alignas(64) float workspace[GEMM_WORKSPACE_FLOATS];
    int32_t nonfinite = 0;
    fnn_call call = {.dims = step->dims, .attrs = step->attrs, .threads = 1, .nonfinite = &nonfinite, .workspace = workspace};
    memcpy(call.args, args, (size_t)n * sizeof *args);
    for (int64_t i = 0; i < counting.count; i++)
        if (!strcmp(counting.rows[i].name, name)) {
            slots = divisions = 0;
            counting.rows[i].run(&call);
            counts[0] = slots;
            counts[1] = divisions;
            return 0;
        }
    return -1;
}
