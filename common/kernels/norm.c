/* p = 1 and p = 2 are vectorised; other p are rare and go through real_pow, scaled by the largest weight, so that no
 * power overflows even at p = 1000.                                                                                   */
#include "common/kernels/norm.h"

#include <math.h>

#include "common/base/vectors.h"
#include "common/kernels/reduce.h"
#include "common/math/real.h"

WIDE float norm_layer_forward(float *xhat, const float *x, int64_t n)
{
    float sum, squares;
#define VALUE(AT) (AT(x))
    REDUCE_SUM(sum, n, VALUE);
    const float mean = sum / (float)n;
#define DEVIATION_SQUARED(AT) ((AT(x) - mean) * (AT(x) - mean))
    REDUCE_SUM(squares, n, DEVIATION_SQUARED);
    const float rstd = 1.0f / sqrtf(squares / (float)n + NORM_LAYER_EPSILON);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        xhat[i] = (x[i] - mean) * rstd;
    return rstd;
}

WIDE void norm_layer_backward(float *dx, const float *dxhat, const float *xhat, float rstd, int64_t n)
{
    float sum, product;
#define GRADIENT(AT) (AT(dxhat))
    REDUCE_SUM(sum, n, GRADIENT);
#define GRADIENT_TIMES_VALUE(AT) (AT(dxhat) * AT(xhat))
    REDUCE_SUM(product, n, GRADIENT_TIMES_VALUE);
    const float mean = sum / (float)n, slope = product / (float)n;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        dx[i] = rstd * (dxhat[i] - mean - xhat[i] * slope);
}

WIDE void norm_affine_forward(float *y, const float *xhat, const float *gain, const float *bias, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] = gain[i] * xhat[i] + bias[i];
}

WIDE void norm_affine_backward(float *dxhat, float *restrict dgain, float *restrict dbias, const float *dy,
                               const float *restrict xhat, const float *restrict gain, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float d = dy[i];
        dgain[i] += d * xhat[i];
        dbias[i] += d;
        dxhat[i] = gain[i] * d;
    }
}

static float norm_of_any_order(const float *w, int64_t n, double p)
{
    double largest = 0.0, sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double size = fabs((double)w[i]);
        largest = size > largest ? size : largest; /* gcc 12 cannot make vectors of fmax on ARM, and fails */
    }
    if (largest == 0.0)
        return 0.0f;
    for (int64_t i = 0; i < n; i++)
        sum += real_pow(fabs((double)w[i]) / largest, p);
    return (float)(largest * real_pow(sum, 1.0 / p));
}

/* sum |w|, in the order of REDUCE_SUM. */
static float sum_of_magnitudes(const float *w, int64_t n)
{
    float partial[REDUCE_PARTIALS] = {0};
    int64_t i = 0;
    for (; i + REDUCE_PARTIALS <= n; i += REDUCE_PARTIALS)
        for (int j = 0; j < REDUCE_PARTIALS; j++)
            partial[j] += fabsf(w[i + j]);
    for (int j = 0; i < n; i++, j++)
        partial[j] += fabsf(w[i]);
    return reduce_halve(partial);
}

static float norm_of(const float *w, int64_t n, float p)
{
    if (p == 1.0f)
        return sum_of_magnitudes(w, n);
    if (p != 2.0f)
        return norm_of_any_order(w, n, p);
    float squares;
#define WEIGHT_SQUARED(AT) (AT(w) * AT(w))
    REDUCE_SUM(squares, n, WEIGHT_SQUARED);
    return sqrtf(squares);
}

static float scale_to(float v, float norm)
{
    return norm == 0.0f ? 0.0f : v / norm;
}

WIDE float norm_weight_forward(float *restrict used, const float *restrict w, int64_t n, float v, float p)
{
    const float norm = norm_of(w, n, p), scale = scale_to(v, norm);
    for (int64_t i = 0; i < n; i++)
        used[i] = w[i] * scale;
    return norm;
}

WIDE void norm_weight_project(float *w, int64_t n, float v, float p)
{
    const float scale = scale_to(v, norm_of(w, n, p));
    for (int64_t i = 0; i < n; i++)
        w[i] *= scale;
}

WIDE void norm_weight_backward(float *restrict dw, const float *restrict w, float norm, int64_t n, float v, float p)
{
    if (norm == 0.0f) {
        for (int64_t i = 0; i < n; i++)
            dw[i] = 0.0f;
        return;
    }
    float along;
#define GRADIENT_ALONG(AT) (AT(dw) * AT(w))
    REDUCE_SUM(along, n, GRADIENT_ALONG);
    const float scale = v / norm, share = along / norm;
    if (p == 2.0f) {
        const float pull = share / norm;
        for (int64_t i = 0; i < n; i++)
            dw[i] = scale * (dw[i] - pull * w[i]);
    } else if (p == 1.0f) {
        for (int64_t i = 0; i < n; i++)
            dw[i] = scale * (dw[i] - (w[i] > 0.0f ? share : w[i] < 0.0f ? -share : 0.0f));
    } else {
        for (int64_t i = 0; i < n; i++) {
            double u = copysign(real_pow(fabs((double)w[i]) / norm, (double)p - 1.0), w[i]);
            dw[i] = scale * (dw[i] - share * (float)u);
        }
    }
}
