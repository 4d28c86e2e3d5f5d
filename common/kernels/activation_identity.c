/* No activation; clipping still applies. */
#include "common/kernels/activation.h"

static void forward(float *y, const float *x, int64_t n, float beta, float clip)
{
    (void)beta;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float low = x[i] < -clip ? -clip : x[i];
        y[i] = low > clip ? clip : low;
    }
}

static void backward(float *dx, const float *dy, const float *x, int64_t n, float beta, float clip)
{
    (void)beta;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        dx[i] = __builtin_fabsf(x[i]) >= clip ? 0.0f : dy[i];
}

static void exact(double x, double beta, double *value, double *slope)
{
    (void)beta;
    *value = x;
    *slope = 1.0;
}

const activation_t activation_identity = {"identity", forward, backward, exact};
