/* 12 x 32: 24 sums, two vectors of b and a float of a for all of the 32 registers but a few. */
#include "common/products/product_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 16
#define VECTORS 2
#define TILE_ROWS 12
#define TILE_CASES(T) T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12)
#define FUSED(sum, a, b) ((sum) = (vector_t)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)(b), (__m512)(sum)))
#include "common/products/product_tile.h"

static bool is_here(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

PRODUCT_KERNEL(avx512);
#endif
