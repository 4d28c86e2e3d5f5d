/* The widths that most have are constants to the compiler, so that sums stay in registers over all fields of a row. */
#include "common/kernels/fm.h"

#include <string.h>

#include "common/base/vectors.h"
#include "common/kernels/reduce.h"

/* p += s u ; s += u, with u = scale x */
static inline __attribute__((always_inline)) void add_vector(float *restrict p, float *restrict s, const float *restrict x,
                                                             float scale, int dim)
{
    for (int d = 0; d < dim; d++) {
        const float u = scale * x[d];
        p[d] += s[d] * u;
        s[d] += u;
    }
}

static inline __attribute__((always_inline)) void forward(float *restrict z, float *restrict sums, const float *restrict x,
                                                          const float *restrict v, int rows, fm_shape_t shape, int dim,
                                                          float *restrict p)
{
    const int64_t columns = (int64_t)shape.fields * dim + shape.numeric;
    for (int r = 0; r < rows; r++) {
        const float *row = x + r * columns, *numbers = row + (int64_t)shape.fields * dim;
        float *s = sums + (int64_t)r * dim;
        memset(s, 0, (size_t)dim * sizeof *s);
        memset(p, 0, (size_t)dim * sizeof *p);
        for (int f = 0; f < shape.fields; f++)
            add_vector(p, s, row + (int64_t)f * dim, 1.0f, dim);
        for (int i = 0; i < shape.numeric; i++)
            add_vector(p, s, v + (int64_t)i * dim, numbers[i], dim);
#define PAIRS(AT) (AT(p))
        REDUCE_SUM(z[r], dim, PAIRS);
    }
}

WIDE void fm_forward(float *restrict z, float *restrict s, const float *restrict x, const float *restrict v, int rows,
                     fm_shape_t shape, float *restrict scratch)
{
    float p[16];
    if (shape.dim == 8)
        forward(z, s, x, v, rows, shape, 8, p);
    else if (shape.dim == 16)
        forward(z, s, x, v, rows, shape, 16, p);
    else
        forward(z, s, x, v, rows, shape, shape.dim, scratch);
}

/* du := or += dz (s - u) */
static inline __attribute__((always_inline)) void vector_gradient(float *restrict du, bool adds, const float *restrict s,
                                                                  const float *restrict u, float dz, int dim)
{
    for (int d = 0; d < dim; d++)
        du[d] = (adds ? du[d] : 0.0f) + dz * (s[d] - u[d]);
}

static inline __attribute__((always_inline)) void fields_backward(float *restrict dx, bool adds, const float *restrict dz,
                                                                  const float *restrict sums, const float *restrict x, int rows,
                                                                  fm_shape_t shape, int dim)
{
    const int64_t columns = (int64_t)shape.fields * dim + shape.numeric;
    for (int r = 0; r < rows; r++)
        for (int f = 0; f < shape.fields; f++)
            vector_gradient(dx + r * columns + (int64_t)f * dim, adds, sums + (int64_t)r * dim,
                            x + r * columns + (int64_t)f * dim, dz[r], dim);
}

static inline __attribute__((always_inline)) void fields_backward_of(float *restrict dx, bool adds, const float *restrict dz,
                                                                     const float *restrict s, const float *restrict x, int rows,
                                                                     fm_shape_t shape)
{
    if (shape.dim == 8)
        fields_backward(dx, adds, dz, s, x, rows, shape, 8);
    else if (shape.dim == 16)
        fields_backward(dx, adds, dz, s, x, rows, shape, 16);
    else
        fields_backward(dx, adds, dz, s, x, rows, shape, shape.dim);
}

/* dv_i = sum over rows of dz x_i (s - x_i v_i)  and  dx_i := or += dz <v_i, s - x_i v_i>, each by a product with all sums and
 * what number i has in them itself. scratch: [2 rows + 2][numeric]. */
WIDE static void numbers_backward(float *restrict dv, float *restrict dx, bool adds, const float *restrict dz,
                                  const float *restrict s, const float *restrict x, const float *restrict v, int rows,
                                  fm_shape_t shape, matrix_t *vectors, float *restrict scratch)
{
    const int n = shape.numeric, dim = shape.dim;
    const int64_t columns = (int64_t)shape.fields * dim + n, first = columns - n;
    float *slope = scratch, *product = slope + (int64_t)rows * n, *own = product + (int64_t)rows * n, *square = own + n;
    memset(own, 0, sizeof *own * (size_t)n);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++) {
            const float number = x[r * columns + first + i], dnumber = dz[r] * number;
            slope[(int64_t)r * n + i] = dnumber;
            own[i] += dnumber * number;
        }
    matrix_weight_gradient(vectors, dv, slope, s, rows);
    for (int i = 0; i < n; i++)
        for (int d = 0; d < dim; d++)
            dv[(int64_t)i * dim + d] -= own[i] * v[(int64_t)i * dim + d];
    if (!dx)
        return;
    matrix_forward(vectors, product, s, NULL, rows);
    for (int i = 0; i < n; i++) {
        const float *w = v + (int64_t)i * dim;
#define SQUARE(AT) (AT(w) * AT(w))
        REDUCE_SUM(square[i], dim, SQUARE);
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++) {
            const int64_t at = r * columns + first + i;
            dx[at] = (adds ? dx[at] : 0.0f) + dz[r] * (product[(int64_t)r * n + i] - x[at] * square[i]);
        }
}

int64_t fm_scratch(int rows, fm_shape_t shape)
{
    return (2 * (int64_t)rows + 2) * shape.numeric;
}

WIDE void fm_backward(float *restrict dv, float *restrict dx, bool adds, const float *restrict dz, const float *restrict s,
                      const float *restrict x, const float *restrict v, int rows, fm_shape_t shape, matrix_t *vectors,
                      float *restrict scratch)
{
    if (dx && adds)
        fields_backward_of(dx, true, dz, s, x, rows, shape);
    else if (dx)
        fields_backward_of(dx, false, dz, s, x, rows, shape);
    if (shape.numeric)
        numbers_backward(dv, dx, adds, dz, s, x, v, rows, shape, vectors, scratch);
}
