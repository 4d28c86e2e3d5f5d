/* ReLU: f(x) = max(x, 0). At 0 the slope is 0. */
#include "common/kernels/activation.h"

static void forward(float *y, const float *x, int64_t n, const activation_shape_t *shape)
{
    const float clip = (float)shape->clip;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float f = x[i] <= 0.0f ? 0.0f : x[i];
        y[i] = f > clip ? clip : f;
    }
}

static void backward(float *dx, const float *dy, const float *x, int64_t n, const activation_shape_t *shape)
{
    const float clip = (float)shape->clip;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float passed = x[i] <= 0.0f ? 0.0f : dy[i];
        dx[i] = x[i] >= clip ? 0.0f : passed;
    }
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    (void)shape;
    *value = x > 0.0 ? x : 0.0;
    *slope = x > 0.0 ? 1.0 : 0.0;
}

const activation_t activation_relu = {"relu", BETA_NONE, forward, backward, exact, NULL};
