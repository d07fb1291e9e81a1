/* dispatch.c: which instruction sets this machine can run. Compiled without ISA flags. */
#include "fastnn.h"

#include <stddef.h>
#include <string.h>

extern const fnn_table fnn_portable;
#ifdef FNN_BUILD_AVX2
extern const fnn_table fnn_avx2;
#endif
#ifdef FNN_BUILD_AVX512
extern const fnn_table fnn_avx512;
#endif
#ifdef FNN_BUILD_NEON
extern const fnn_table fnn_neon;
#endif

const fnn_table *const *fnn_tables(void)
{
    static const fnn_table *tables[4];
    if (tables[0] == NULL) { /* Python's global lock, held by every caller, makes this the only writer */
        int count = 0;
#ifdef FNN_BUILD_AVX512
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
            tables[count++] = &fnn_avx512;
#endif
#ifdef FNN_BUILD_AVX2
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
            tables[count++] = &fnn_avx2;
#endif
#ifdef FNN_BUILD_NEON
        tables[count++] = &fnn_neon; /* a part of every AArch64 */
#endif
        tables[count] = &fnn_portable;
    }
    return tables;
}

int fnn_find(const fnn_table *table, const char *name)
{
    for (int64_t i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return (int)i;
    return -1;
}
