/* 6 x 16: 12 sums, two vectors of b and a float of a for 15 of 16 registers. */
#include "common/products/product_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 8
#define VECTORS 2
#define TILE_ROWS 6
#define TILE_CASES(T) T(1) T(2) T(3) T(4) T(5) T(6)
#define FUSED(sum, a, b) ((sum) = (vector_t)_mm256_fmadd_ps(_mm256_set1_ps(a), (__m256)(b), (__m256)(sum)))
#include "common/products/product_tile.h"

static bool is_here(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

PRODUCT_KERNEL(avx2);
#endif
