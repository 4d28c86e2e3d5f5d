/* The widths that most have are constants to the compiler, so that sums stay in registers over all fields of a row. */
#include "common/kernels/fm.h"

#include <string.h>

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

void fm_forward(float *restrict z, float *restrict s, const float *restrict x, const float *restrict v, int rows,
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

static inline __attribute__((always_inline)) void backward(float *restrict dv, float *restrict dx, bool adds,
                                                           const float *restrict dz, const float *restrict sums,
                                                           const float *restrict x, const float *restrict v, int rows,
                                                           fm_shape_t shape, int dim)
{
    const int64_t columns = (int64_t)shape.fields * dim + shape.numeric;
    memset(dv, 0, sizeof *dv * (size_t)shape.numeric * (size_t)dim);
    for (int r = 0; r < rows; r++) {
        const float *row = x + r * columns, *numbers = row + (int64_t)shape.fields * dim, *s = sums + (int64_t)r * dim;
        float *drow = dx ? dx + r * columns : NULL, *dnumbers = drow ? drow + (int64_t)shape.fields * dim : NULL;
        for (int f = 0; drow && f < shape.fields; f++)
            vector_gradient(drow + (int64_t)f * dim, adds, s, row + (int64_t)f * dim, dz[r], dim);
        for (int i = 0; i < shape.numeric; i++) {
            const float *w = v + (int64_t)i * dim;
            const float scale = dz[r] * numbers[i];
            float *dw = dv + (int64_t)i * dim, product;
            for (int d = 0; d < dim; d++)
                dw[d] += scale * (s[d] - numbers[i] * w[d]);
#define SLOPE(AT) (AT(w) * (AT(s) - numbers[i] * AT(w)))
            REDUCE_SUM(product, dim, SLOPE);
            if (dnumbers)
                dnumbers[i] = (adds ? dnumbers[i] : 0.0f) + dz[r] * product;
        }
    }
}

static inline __attribute__((always_inline)) void backward_of(float *restrict dv, float *restrict dx, bool adds,
                                                              const float *restrict dz, const float *restrict s,
                                                              const float *restrict x, const float *restrict v, int rows,
                                                              fm_shape_t shape)
{
    if (shape.dim == 8)
        backward(dv, dx, adds, dz, s, x, v, rows, shape, 8);
    else if (shape.dim == 16)
        backward(dv, dx, adds, dz, s, x, v, rows, shape, 16);
    else
        backward(dv, dx, adds, dz, s, x, v, rows, shape, shape.dim);
}

void fm_backward(float *restrict dv, float *restrict dx, bool adds, const float *restrict dz, const float *restrict s,
                 const float *restrict x, const float *restrict v, int rows, fm_shape_t shape)
{
    if (adds)
        backward_of(dv, dx, true, dz, s, x, v, rows, shape);
    else
        backward_of(dv, dx, false, dz, s, x, v, rows, shape);
}
