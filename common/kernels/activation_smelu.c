/* SmeLU, the smooth ReLU of Shamir and Lin (2022), eq. (7): ReLU convolved with a box of width 2 beta.
 *
 *     f(x) = 0                     x <= -beta        f'(x) = 0
 *            (x + beta)^2/(4 beta) |x| <= beta               (x + beta)/(2 beta)
 *            x                     x >= beta                 1
 *
 * Without branches: t = max(x + beta, 0) is 0 in the first piece, so t^2/(4 beta) serves the first two; the third piece is
 * selected rather than built from t, so that it is exactly x. The slope is t/(2 beta) cut to [0, 1].
 *
 * Where clip is above beta, as it should be, only the third piece reaches it, where f(x) = x: backward then compares x and
 * need not compute f. The margin keeps clear of the rounding of f at the joint.                                       */
#include "common/kernels/activation_loop.h"

#define MARGIN 1.00001f /* many roundings of f32 */

static inline float value_at(float x, float beta, float scale, float zero)
{
    const float sum = x + beta, t = sum < zero ? zero : sum;
    return x >= beta ? x : t * t * scale;
}

static void forward(float *y, const float *x, int64_t n, const activation_shape_t *shape)
{
    const float beta = (float)shape->beta, clip = (float)shape->clip, scale = 0.25f / beta, zero = HIDDEN_ZERO(beta);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float f = value_at(x[i], beta, scale, zero);
        y[i] = f > clip ? clip : f;
    }
}

static void backward(float *dx, const float *dy, const float *x, int64_t n, const activation_shape_t *shape)
{
    const float beta = (float)shape->beta, clip = (float)shape->clip, scale = 0.25f / beta, twice = 0.5f / beta;
    const float zero = HIDDEN_ZERO(beta), one = HIDDEN_ONE(beta);
    if (clip > beta * MARGIN) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) {
            const float passed = dy[i] * clamp((x[i] + beta) * twice, zero, one);
            dx[i] = x[i] >= clip ? 0.0f : passed;
        }
    } else {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) {
            const float slope = clamp((x[i] + beta) * twice, zero, one);
            dx[i] = value_at(x[i], beta, scale, zero) >= clip ? 0.0f : dy[i] * slope;
        }
    }
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double beta = shape->beta;
    if (x <= -beta) {
        *value = 0.0;
        *slope = 0.0;
    } else if (x < beta) {
        *value = (x + beta) * (x + beta) / (4.0 * beta);
        *slope = (x + beta) / (2.0 * beta);
    } else {
        *value = x;
        *slope = 1.0;
    }
}

const activation_t activation_smelu = {"smelu", BETA_WIDTH, forward, backward, exact, NULL};
