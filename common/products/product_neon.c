/* 6 x 16: 24 sums, four vectors of b and a float of a for 29 of 32 registers. */
#include "common/products/product_kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define LANES 4
#define VECTORS 4
#define TILE_ROWS 6
#define TILE_CASES(T) T(1) T(2) T(3) T(4) T(5) T(6)
#define FUSED(sum, a, b) ((sum) = (vector_t)vfmaq_n_f32((float32x4_t)(sum), (float32x4_t)(b), a))
#include "common/products/product_tile.h"

static bool is_here(void)
{
    return true;
}

PRODUCT_KERNEL(neon);
#endif
