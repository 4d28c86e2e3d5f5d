/* Stochastic gradient descent: w -= lr g */
#include "common/base/vectors.h"
#include "common/kernels/optimizer.h"

static int64_t state_floats(int64_t n)
{
    (void)n;
    return 0;
}

static void init(float *s, const float *w, int64_t n, const optimizer_settings_t *settings)
{
    (void)s, (void)w, (void)n, (void)settings;
}

WIDE static void apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                       const optimizer_settings_t *settings)
{
    (void)s;
    const float rate = settings->learning_rate;
    for (int64_t i = 0; i < n; i++)
        w[i] -= rate * g[i];
}

static void exact(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings)
{
    (void)s;
    for (int64_t i = 0; i < n; i++)
        w[i] -= settings->learning_rate * g[i];
}

const optimizer_t optimizer_sgd = {"sgd", "weight_decay ", state_floats, init, apply, exact, true};
