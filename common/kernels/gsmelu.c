/* The derivatives of f = t + c (g- + h c) + g o by its five numbers, with q = c / w (docs/MATH.md section 6): each is one
 * expression for all three pieces, since q is 0 left and 1 right of the joints, and continuous at both. */
#include "common/kernels/gsmelu.h"

#include "common/base/vectors.h"
#include "common/kernels/gsmelu_element.h"

void gsmelu_project(float *set, int64_t n)
{
    const float width = (float)GSMELU_LEAST_WIDTH, slope = (float)GSMELU_MOST_SLOPE, rise = (float)GSMELU_LEAST_RISE;
    float *alpha = set + GSMELU_ALPHA * n, *beta = set + GSMELU_BETA * n, *level = set + GSMELU_LEVEL * n;
    float *left = set + GSMELU_LEFT * n, *right = set + GSMELU_RIGHT * n;
    for (int64_t j = 0; j < n; j++) {
        alpha[j] = alpha[j] < width ? width : alpha[j];
        beta[j] = beta[j] < width ? width : beta[j];
        level[j] = level[j] > 0.0f ? 0.0f : level[j];
        /* Too close or crossed, both move to where they would meet and half the least rise away from there. */
        if (right[j] - left[j] < rise) {
            const float middle = clamp(0.5f * (left[j] + right[j]), rise - slope, slope - rise);
            left[j] = middle - 0.5f * rise;
            right[j] = left[j] + 1.0625f * rise; /* rounding of a slope near the most cannot eat the rise */
        }
        left[j] = clamp(left[j], -slope, slope - 2.0f * rise);
        right[j] = clamp(right[j], 2.0f * rise - slope, slope);
    }
}

static inline float half_bend_of(float left, float right, float width)
{
    return (right - left) / (width + width);
}

WIDE void gsmelu_forward(float *y, const float *x, const float *restrict set, int64_t n, float clip)
{
    const float *alpha = set + GSMELU_ALPHA * n, *beta = set + GSMELU_BETA * n, *level = set + GSMELU_LEVEL * n;
    const float *left = set + GSMELU_LEFT * n, *right = set + GSMELU_RIGHT * n;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const float width = alpha[j] + beta[j], half_bend = half_bend_of(left[j], right[j], width);
        y[j] = clamp(gsmelu_point(x[j], alpha[j], width, left[j], right[j], half_bend, level[j]).f.value, -clip, clip);
    }
}

WIDE void gsmelu_backward(float *dx, float *restrict dset, const float *dy, const float *restrict x, const float *restrict set,
                          int64_t n, float clip)
{
    const float *alpha = set + GSMELU_ALPHA * n, *beta = set + GSMELU_BETA * n, *level = set + GSMELU_LEVEL * n;
    const float *left = set + GSMELU_LEFT * n, *right = set + GSMELU_RIGHT * n;
    float *dalpha = dset + GSMELU_ALPHA * n, *dbeta = dset + GSMELU_BETA * n, *dlevel = dset + GSMELU_LEVEL * n;
    float *dleft = dset + GSMELU_LEFT * n, *dright = dset + GSMELU_RIGHT * n;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const float rise = right[j] - left[j], width = alpha[j] + beta[j], half_bend = half_bend_of(left[j], right[j], width);
        const gsmelu_point_t p = gsmelu_point(x[j], alpha[j], width, left[j], right[j], half_bend, level[j]);
        const float d = __builtin_fabsf(p.f.value) >= clip ? 0.0f : dy[j];
        const float q = p.inner / width, half_square = 0.5f * q * q, bent = half_square * width;
        dalpha[j] += d * (left[j] + rise * (q - half_square));
        dbeta[j] -= d * (rise * half_square);
        dleft[j] += d * (p.inner - bent + (p.outer < 0.0f ? p.outer : 0.0f));
        dright[j] += d * (bent + (p.outer > 0.0f ? p.outer : 0.0f));
        dlevel[j] += d;
        dx[j] = d * p.f.slope;
    }
}
