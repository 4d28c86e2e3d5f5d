/* For processors without the others, and to compare them with. Where there is no fused multiply-add it is made of doubles: the
 * product of two floats is exact in a double; their sum with a third is rounded to odd (Boldo and Melquiond 2008), which a
 * rounding to float after it cannot tell from the exact sum, since a double has more than two bits more than a float. */
#include "common/products/product_kernels.h"

#define LANES 4
#define VECTORS 2
#define TILE_ROWS 4
#define TILE_CASES(T) T(1) T(2) T(3) T(4)

#if defined(__FMA__) || defined(__aarch64__)
#define FUSED(sum, a, b) _Pragma("GCC unroll 4") for (int l = 0; l < LANES; l++)(sum)[l] = __builtin_fmaf(a, (b)[l], (sum)[l])
#else
#define FUSED(sum, a, b) (sum) = fuse(sum, a, b)

typedef float floats_t __attribute__((vector_size(4 * LANES)));
typedef double doubles_t __attribute__((vector_size(8 * LANES)));
typedef int64_t words_t __attribute__((vector_size(8 * LANES)));

static inline __attribute__((always_inline)) floats_t fuse(floats_t sum, float a, floats_t b)
{
    const doubles_t c = __builtin_convertvector(sum, doubles_t), p = (double)a * __builtin_convertvector(b, doubles_t);
    const doubles_t s = p + c, more = s - p, error = (p - (s - more)) + (c - more); /* s + error = p + c (Knuth) */
    const words_t is_inexact = (error > 0.0) | (error < 0.0), is_away = (error > 0.0) ^ (s > 0.0), bits = (words_t)s;
    const words_t step = 1 + 2 * is_away, is_even = (bits & 1) - 1; /* masks are -1 */
    return __builtin_convertvector((doubles_t)(bits + (step & is_inexact & is_even)), floats_t);
}
#endif

#include "common/products/product_tile.h"

static bool is_here(void)
{
    return true;
}

PRODUCT_KERNEL(plain);
