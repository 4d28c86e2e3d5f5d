/* SmeLU, the smooth ReLU of Shamir and Lin (2022), eq. (7): ReLU convolved with a box of width 2 beta.
 *
 *     f(x) = 0                     x <= -beta        f'(x) = 0
 *            (x + beta)^2/(4 beta) |x| <= beta               (x + beta)/(2 beta)
 *            x                     x >= beta                 1
 *
 * Without branches: t = max(x + beta, 0) is 0 in the first piece, so t^2/(4 beta) serves the first two; the slope is
 * min(t/(2 beta), 1) everywhere. The third piece is selected rather than built from t, so that it is exactly x.       */
#include "common/kernels/activation.h"

static void forward(float *y, const float *x, int64_t n, float beta, float clip)
{
    const float scale = 0.25f / beta;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float t = x[i] <= -beta ? 0.0f : x[i] + beta;
        float f = x[i] >= beta ? x[i] : t * t * scale;
        y[i] = f > clip ? clip : f;
    }
}

static void backward(float *dx, const float *dy, const float *x, int64_t n, float beta, float clip)
{
    const float scale = 0.25f / beta, twice = 0.5f / beta;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float t = x[i] <= -beta ? 0.0f : x[i] + beta;
        float f = x[i] >= beta ? x[i] : t * t * scale;
        float slope = x[i] >= beta ? 1.0f : t * twice;
        dx[i] = f >= clip ? 0.0f : dy[i] * slope;
    }
}

static void exact(double x, double beta, double *value, double *slope)
{
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

const activation_t activation_smelu = {"smelu", forward, backward, exact};
