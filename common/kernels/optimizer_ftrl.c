/* FTRL-proximal (McMahan et al. 2013, algorithm 1), in numbers of theirs times the learning rate, Z = alpha z:
 *
 *     q := q + g g ;   Z := Z + lr g - (sqrt(q) - sqrt(q before)) w
 *     w := -(Z - sign(Z) lr l1) / (beta + sqrt(q) + lr l2) ,   0 where |Z| <= lr l1
 *
 * With a constant rate this is their algorithm; in this form a rate may also change from step to step, be 0, and needs no
 * division. Theirs starts at w = 0; here the first weights are the centre of the first proximal term, Z = -w (beta + sqrt(q)),
 * so that a network whose weights have to differ can start, and with l1 = l2 = 0 each step is AdaGrad's, with beta for epsilon.
 * The state is Z [n], then sqrt(q) [n], which saves a square root, and costs a rounding, a step. */
#include <math.h>

#include "common/kernels/optimizer.h"

static int64_t state_floats(int64_t n)
{
    return 2 * n;
}

static void init(float *s, const float *w, int64_t n, const optimizer_settings_t *settings)
{
    const float start = sqrtf(settings->initial_accumulator), weight = settings->ftrl_beta + start;
    for (int64_t i = 0; i < n; i++) {
        s[i] = -w[i] * weight;
        s[n + i] = start;
    }
}

static inline void step(float *restrict w, float *restrict z, float *restrict root, const float *restrict g, int64_t n,
                        const optimizer_settings_t *settings)
{
    const float rate = settings->learning_rate, bound = rate * settings->ftrl_l1;
    const float beta = settings->ftrl_beta, l2 = rate * settings->ftrl_l2;
    for (int64_t i = 0; i < n; i++) {
        const float before = root[i];
        root[i] = sqrtf(before * before + g[i] * g[i]);
        z[i] += rate * g[i] - (root[i] - before) * w[i];
        const float denominator = beta + root[i] + l2;
        const float above = fabsf(z[i]) - bound, moved = -copysignf(above, z[i]) / denominator;
        const float shrunk = above > 0.0f ? moved : 0.0f;
        w[i] = denominator == 0.0f ? w[i] : shrunk;
    }
}

static void apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                  const optimizer_settings_t *settings)
{
    if (settings->learning_rate > 0.0f)
        step(w, s, s + n, g, n, settings);
}

static void exact(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings)
{
    const double alpha = settings->learning_rate, l1 = settings->ftrl_l1;
    for (int64_t i = 0; i < n; i++) {
        const double before = s[n + i], root = sqrt(before * before + g[i] * g[i]), sigma = (root - before) / alpha;
        const double z = s[i] / alpha + g[i] - sigma * w[i];
        s[i] = alpha * z;
        s[n + i] = root;
        w[i] = fabs(z) <= l1 ? 0.0 : -(z - (z > 0.0 ? l1 : -l1)) / ((settings->ftrl_beta + root) / alpha + settings->ftrl_l2);
    }
}

const optimizer_t optimizer_ftrl = {"ftrl", "initial_accumulator ftrl_beta ftrl_l1 ftrl_l2 ", state_floats, init, apply, exact,
                                    false};
