#include "common/kernels/linear.h"

#include <string.h>

#include "common/base/vectors.h"
#include "common/kernels/reduce.h"

WIDE void linear_forward(float *restrict z, const float *restrict x, const float *restrict w, float bias, int rows, int columns,
                         int64_t stride)
{
    for (int r = 0; r < rows; r++) {
        const float *row = x + r * stride;
        float sum;
#define PRODUCT(AT) (AT(row) * AT(w))
        REDUCE_SUM(sum, columns, PRODUCT);
        z[r] = bias + sum;
    }
}

/* Four rows at once, so that w and dw are read once for all; the order of additions is that of one row after the other. */
static inline __attribute__((always_inline)) void add_four(float *restrict dw, const float *restrict dz,
                                                           const float *restrict x, int columns, int64_t stride)
{
    const float *restrict x1 = x + stride, *restrict x2 = x1 + stride, *restrict x3 = x2 + stride;
    const float d0 = dz[0], d1 = dz[1], d2 = dz[2], d3 = dz[3];
    for (int i = 0; i < columns; i++)
        dw[i] = (((dw[i] + d0 * x[i]) + d1 * x1[i]) + d2 * x2[i]) + d3 * x3[i];
}

WIDE static void weight_gradient(float *restrict dw, const float *restrict dz, const float *restrict x, int rows, int columns,
                                 int64_t stride)
{
    int r = 0;
    for (; r + 4 <= rows; r += 4)
        add_four(dw, dz + r, x + r * stride, columns, stride);
    for (; r < rows; r++)
        for (int i = 0; i < columns; i++)
            dw[i] += dz[r] * x[r * stride + i];
}

WIDE void linear_backward(float *restrict dw, float *restrict dbias, float *restrict dx, bool adds, const float *restrict dz,
                          const float *restrict x, const float *restrict w, int rows, int columns, int64_t stride)
{
    memset(dw, 0, (size_t)columns * sizeof *dw);
    *dbias = 0.0f;
    for (int r = 0; r < rows; r++)
        *dbias += dz[r];
    weight_gradient(dw, dz, x, rows, columns, stride);
    for (int r = 0; dx && r < rows; r++) {
        float *restrict drow = dx + r * stride;
        const float d = dz[r];
        if (adds)
            for (int i = 0; i < columns; i++)
                drow[i] += d * w[i];
        else
            for (int i = 0; i < columns; i++)
                drow[i] = d * w[i];
    }
}
