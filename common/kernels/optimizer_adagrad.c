/* AdaGrad: s += g g; w -= lr g / (sqrt(s) + eps)   (Duchi et al. 2011) */
#include <math.h>

#include "common/kernels/optimizer.h"

static int64_t state_floats(int64_t n)
{
    return n;
}

static void init(float *s, const float *w, int64_t n, const optimizer_settings_t *settings)
{
    (void)w;
    for (int64_t i = 0; i < n; i++)
        s[i] = settings->initial_accumulator;
}

static void apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                  const optimizer_settings_t *settings)
{
    const float rate = settings->learning_rate, epsilon = settings->epsilon;
    for (int64_t i = 0; i < n; i++) {
        s[i] += g[i] * g[i];
        float denominator = sqrtf(s[i]) + epsilon;
        float step = rate * g[i] / denominator;
        w[i] -= denominator == 0.0f ? 0.0f : step;
    }
}

static void exact(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings)
{
    for (int64_t i = 0; i < n; i++) {
        s[i] += g[i] * g[i];
        w[i] -= settings->learning_rate * g[i] / (sqrt(s[i]) + settings->epsilon);
    }
}

const optimizer_t optimizer_adagrad = {"adagrad", "initial_accumulator epsilon weight_decay ", state_floats, init, apply, exact,
                                       true};
