/* Adam (Kingma and Ba 2015), with the row's own count of steps:
 *
 *     m := b1 m + (1 - b1) g ;   v := b2 v + (1 - b2) g g ;   c1 := b1 c1 + (1 - b1) ;   c2 := b2 c2 + (1 - b2)
 *     w -= lr (m / c1) / (sqrt(v / c2) + eps)
 *
 * c is 1 - b^t after the row's t-th step. The state is m [n], v [n], c1, c2. The loop has sqrt(c2) multiplied out. */
#include <math.h>

#include "common/kernels/optimizer.h"

static int64_t state_floats(int64_t n)
{
    return 2 * n + 2;
}

static void init(float *s, const float *w, int64_t n, const optimizer_settings_t *settings)
{
    (void)w, (void)settings;
    for (int64_t i = 0; i < 2 * n + 2; i++)
        s[i] = 0.0f;
}

static inline void step(float *restrict w, float *restrict m, float *restrict v, const float *restrict g, int64_t n,
                        const optimizer_settings_t *settings, float rate, float epsilon)
{
    const float b1 = settings->beta1, b2 = settings->beta2, a1 = 1.0f - b1, a2 = 1.0f - b2;
    for (int64_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
        const float denominator = sqrtf(v[i]) + epsilon;
        const float change = rate * m[i] / denominator;
        w[i] -= denominator == 0.0f ? 0.0f : change;
    }
}

static void apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                  const optimizer_settings_t *settings)
{
    float *c = s + 2 * n;
    c[0] = settings->beta1 * c[0] + (1.0f - settings->beta1);
    c[1] = settings->beta2 * c[1] + (1.0f - settings->beta2);
    const float root = sqrtf(c[1]);
    step(w, s, s + n, g, n, settings, settings->learning_rate * root / c[0], settings->epsilon * root);
}

static void exact(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings)
{
    const double b1 = settings->beta1, b2 = settings->beta2;
    double *m = s, *v = s + n, *c = s + 2 * n;
    c[0] = b1 * c[0] + (1.0 - b1);
    c[1] = b2 * c[1] + (1.0 - b2);
    for (int64_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (1.0 - b1) * g[i];
        v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
        w[i] -= settings->learning_rate * (m[i] / c[0]) / (sqrt(v[i] / c[1]) + settings->epsilon);
    }
}

const optimizer_t optimizer_adam = {"adam", "beta1 beta2 epsilon weight_decay ", state_floats, init, apply, exact, false};
