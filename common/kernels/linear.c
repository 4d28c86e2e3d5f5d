#include "common/kernels/linear.h"

#include <string.h>

#include "common/kernels/reduce.h"

void linear_forward(float *restrict z, const float *restrict x, const float *restrict w, float bias, int rows, int columns,
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

void linear_backward(float *restrict dw, float *restrict dbias, float *restrict dx, const float *restrict dz,
                     const float *restrict x, const float *restrict w, int rows, int columns, int64_t stride)
{
    memset(dw, 0, (size_t)columns * sizeof *dw);
    *dbias = 0.0f;
    for (int r = 0; r < rows; r++) {
        const float *row = x + r * stride;
        const float d = dz[r];
        *dbias += d;
        for (int i = 0; i < columns; i++)
            dw[i] += d * row[i];
        if (!dx)
            continue;
        float *drow = dx + r * stride;
        for (int i = 0; i < columns; i++)
            drow[i] += d * w[i];
    }
}
