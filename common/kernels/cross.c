#include "common/kernels/cross.h"

#include <stdint.h>
#include <string.h>

#include "common/base/vectors.h"

WIDE void cross_forward(float *restrict y, float *restrict a, const float *restrict x0, const float *x, const float *restrict b,
                        int rows, int width)
{
    for (int r = 0; r < rows; r++) {
        const int64_t at = (int64_t)r * width;
        float *restrict ya = y + at, *restrict aa = a + at;
        const float *xa = x + at, *restrict x0a = x0 + at;
        for (int i = 0; i < width; i++) {
            aa[i] += b[i];
            ya[i] = x0a[i] * aa[i] + xa[i];
        }
    }
}

static inline __attribute__((always_inline)) void backward(float *restrict da, float *restrict dx0, bool adds,
                                                           float *restrict db, const float *restrict g,
                                                           const float *restrict x0, const float *restrict a, int rows,
                                                           int width)
{
    memset(db, 0, (size_t)width * sizeof *db);
    for (int64_t at = 0, end = (int64_t)rows * width; at < end; at += width)
        for (int64_t i = 0; i < width; i++) {
            const float d = g[at + i] * x0[at + i];
            da[at + i] = d;
            db[i] += d;
            if (dx0)
                dx0[at + i] = (adds ? dx0[at + i] : 0.0f) + g[at + i] * a[at + i];
        }
}

WIDE void cross_backward(float *restrict da, float *restrict dx0, bool adds, float *restrict db, const float *restrict g,
                         const float *restrict x0, const float *restrict a, int rows, int width)
{
    if (!dx0)
        backward(da, NULL, false, db, g, x0, a, rows, width);
    else if (adds)
        backward(da, dx0, true, db, g, x0, a, rows, width);
    else
        backward(da, dx0, false, db, g, x0, a, rows, width);
}
