/* test_row_step - (21b) to (21d) of docs/MATH.md against a step of the optimizer alone on a gradient that was shaped by hand,
 * for every optimizer; and that settings which ask for nothing cost nothing: apply is the optimizer's own. */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/row_step.h"
#include "tests/lib/testing.h"

#define N 19

static const optimizer_settings_t plain = {.learning_rate = 0.1f,
                                           .initial_accumulator = 0.01f,
                                           .epsilon = 1e-3f,
                                           .momentum = 0.9f,
                                           .beta1 = 0.9f,
                                           .beta2 = 0.99f,
                                           .ftrl_beta = 1.0f};

static void test_nothing_asked_for(void **state)
{
    (void)state;
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        row_step_t step;
        row_step_init(&step, optimizer_get(kind), &plain, false, NULL);
        assert_true(step.apply == optimizer_get(kind)->apply);
    }
    optimizer_settings_t l2 = plain, decay = plain, clip = plain;
    l2.l2 = decay.weight_decay = clip.clip_norm = 1.0f;
    assert_true(row_step_is_plain(&plain));
    assert_false(row_step_is_plain(&l2) || row_step_is_plain(&decay) || row_step_is_plain(&clip));
}

/* g: what comes; scale: what (21b) and (21c) make of it. */
static void compare(const optimizer_settings_t *settings, const float *g, float scale_given, float scale)
{
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        const optimizer_t *optimizer = optimizer_get(kind);
        float w[2][N], s[2][4 * N], shaped[N], scratch[N];
        rng_fill_normal(w[0], N, 0.5f, 1, 1, 0);
        optimizer->init(s[0], w[0], N, settings);
        memcpy(w[1], w[0], sizeof w[0]);
        memcpy(s[1], s[0], sizeof *s[0] * (size_t)optimizer->state_floats(N));
        row_step_t step;
        row_step_init(&step, optimizer, settings, true, scratch);
        step.scale = scale_given;
        step.apply(w[0], s[0], g, N, &step.settings);
        for (int i = 0; i < N; i++) {
            shaped[i] = scale * g[i] + settings->l2 * w[1][i];
            w[1][i] *= 1.0f - settings->learning_rate * settings->weight_decay;
        }
        optimizer->apply(w[1], s[1], shaped, N, settings);
        for (int i = 0; i < N; i++)
            assert_true(fabsf(w[0][i] - w[1][i]) < 1e-6f);
    }
}

static void test_shaped(void **state)
{
    (void)state;
    float g[N] = {0};
    g[3] = 3.0f, g[17] = -4.0f; /* norm 5 */
    optimizer_settings_t settings = plain;
    settings.clip_norm = 5.5f;
    compare(&settings, g, 1.0f, 1.0f);
    settings.clip_norm = 2.0f;
    compare(&settings, g, 1.0f, 0.4f);
    compare(&settings, g, 0.5f, 0.4f); /* 2.5 is still too long */
    compare(&settings, g, 0.25f, 0.25f);
    settings.l2 = 0.3f;
    settings.weight_decay = 0.7f;
    compare(&settings, g, 1.0f, 0.4f);
    settings.clip_norm = 0.0f;
    compare(&settings, g, 1.0f, 1.0f);
    g[3] = 3e30f, g[17] = -4e30f; /* whose squares no float holds */
    settings = plain;
    settings.clip_norm = 1.0f;
    compare(&settings, g, 1.0f, 2e-31f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_asked_for),
        cmocka_unit_test(test_shaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
