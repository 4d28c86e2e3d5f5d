/* Element-wise kernels are plain loops over restrict pointers that the compiler turns into vectors. g may be all there is
 * of a row (dim 3 or 8), so there is no set-up before the loop. A zero denominator (no accumulator, no epsilon and a gradient
 * that is zero or whose square underflows) means no step instead of 0/0.                                                    */
#include "common/kernels/optimizer.h"

#include <math.h>

#include "common/base/status.h"
#include "common/kernels/reduce.h"

/* ---- AdaGrad: s += g g; w -= lr g / (sqrt(s) + eps)   (Duchi et al. 2011) -------------------------------------------- */

static int64_t adagrad_state_floats(int64_t n)
{
    return n;
}

static void adagrad_init(float *s, int64_t n, const optimizer_settings_t *settings)
{
    for (int64_t i = 0; i < n; i++)
        s[i] = settings->initial_accumulator;
}

static void adagrad_apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
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

/* ---- AdaGrad with one accumulator per row: s += mean(g g) ------------------------------------------------------------ */

#define NARROW 8 /* below, squares are summed one by one: three times as fast as partial sums that are mostly empty */

static int64_t adagrad_row_state_floats(int64_t n)
{
    (void)n;
    return 1;
}

static void adagrad_row_init(float *s, int64_t n, const optimizer_settings_t *settings)
{
    (void)n;
    s[0] = settings->initial_accumulator;
}

static void adagrad_row_apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
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

/* ---- SGD: w -= lr g -------------------------------------------------------------------------------------------------- */

static int64_t sgd_state_floats(int64_t n)
{
    (void)n;
    return 0;
}

static void sgd_init(float *s, int64_t n, const optimizer_settings_t *settings)
{
    (void)s, (void)n, (void)settings;
}

static void sgd_apply(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                      const optimizer_settings_t *settings)
{
    (void)s;
    const float rate = settings->learning_rate;
    for (int64_t i = 0; i < n; i++)
        w[i] -= rate * g[i];
}

/* In the order of optimizer_kind_t. */
static const optimizer_t table[] = {
    {"adagrad", adagrad_state_floats, adagrad_init, adagrad_apply},
    {"adagrad_row", adagrad_row_state_floats, adagrad_row_init, adagrad_row_apply},
    {"sgd", sgd_state_floats, sgd_init, sgd_apply},
};

const optimizer_t *optimizer_get(int kind)
{
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return &table[kind];
}
