/* Gradient descent with momentum: v := mu v + g; w -= lr v   (Polyak 1964), or, with nesterov,
 *     w -= lr (g + mu v)   (Nesterov 1983, as Sutskever et al. 2013 write it for the point ahead) */
#include "common/base/vectors.h"
#include "common/kernels/optimizer.h"

static int64_t state_floats(int64_t n)
{
    return n;
}

static void init(float *s, const float *w, int64_t n, const optimizer_settings_t *settings)
{
    (void)w, (void)settings;
    for (int64_t i = 0; i < n; i++)
        s[i] = 0.0f;
}

WIDE static void apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                       const optimizer_settings_t *settings)
{
    const float rate = settings->learning_rate, decay = settings->momentum;
    const float of_g = settings->nesterov ? 1.0f : 0.0f, of_s = settings->nesterov ? decay : 1.0f;
    for (int64_t i = 0; i < n; i++) {
        s[i] = decay * s[i] + g[i];
        w[i] -= rate * (of_g * g[i] + of_s * s[i]);
    }
}

static void exact(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings)
{
    for (int64_t i = 0; i < n; i++) {
        s[i] = settings->momentum * s[i] + g[i];
        w[i] -= settings->learning_rate * (settings->nesterov ? g[i] + settings->momentum * s[i] : s[i]);
    }
}

const optimizer_t optimizer_momentum = {"momentum", "momentum nesterov weight_decay ", state_floats, init, apply, exact, true};
