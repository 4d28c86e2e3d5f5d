/* test_optimizer - every optimizer of the table equals its naive double twin over several steps and all small dimensions, and
 * a case worked by hand; it touches no float beyond its own.                                                              */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/optimizer.h"
#include "tests/lib/testing.h"

#define N_MAX 100
#define STATE_MAX (4 * N_MAX) /* floats that any optimizer keeps for a row of N_MAX */

static const optimizer_settings_t settings = {.learning_rate = 0.1f,
                                              .initial_accumulator = 0.01f,
                                              .epsilon = 1e-3f,
                                              .momentum = 0.9f,
                                              .beta1 = 0.9f,
                                              .beta2 = 0.99f,
                                              .ftrl_beta = 0.5f,
                                              .ftrl_l1 = 0.3f,
                                              .ftrl_l2 = 0.7f};

static void test_table_matches_the_configuration(void **state)
{
    (void)state;
#define CHECK_WORD(word, constant, doc) assert_string_equal(optimizer_get(constant)->name, #word);
    WORDS_OPTIMIZER(CHECK_WORD)
    assert_int_equal(optimizer_get(OPTIMIZER_ADAGRAD)->state_floats(16), 16);
    assert_int_equal(optimizer_get(OPTIMIZER_ADAGRAD_ROW)->state_floats(16), 1);
    assert_int_equal(optimizer_get(OPTIMIZER_SGD)->state_floats(16), 0);
    assert_int_equal(optimizer_get(OPTIMIZER_MOMENTUM)->state_floats(16), 16);
    assert_int_equal(optimizer_get(OPTIMIZER_ADAM)->state_floats(16), 34);
    assert_int_equal(optimizer_get(OPTIMIZER_FTRL)->state_floats(16), 32);
}

static void compare_with_the_twin(const optimizer_settings_t *with)
{
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++)
        for (int n = 1; n <= N_MAX; n++) {
            const optimizer_t *optimizer = optimizer_get(kind);
            const int floats = (int)optimizer->state_floats(n);
            float w[N_MAX + 1], s[STATE_MAX + 1], g[N_MAX];
            double ew[N_MAX], es[STATE_MAX], eg[N_MAX];
            assert_true(floats <= STATE_MAX);
            rng_fill_normal(w, n, 0.5f, 1, (uint64_t)n, 0);
            s[floats] = w[n] = 77.0f;
            optimizer->init(s, w, n, with);
            for (int i = 0; i < n; i++)
                ew[i] = w[i];
            for (int i = 0; i < floats; i++)
                es[i] = s[i];
            for (int step = 0; step < 10; step++) {
                rng_fill_normal(g, n, 0.3f, 2, (uint64_t)(n * 10 + step), 0);
                for (int i = 0; i < n; i++)
                    eg[i] = g[i];
                optimizer->apply(w, s, g, n, with);
                optimizer->exact(ew, es, eg, n, with);
            }
            for (int i = 0; i < n; i++)
                assert_true(fabs(w[i] - ew[i]) < 2e-6 * fmax(fabs(ew[i]), 1.0));
            for (int i = 0; i < floats; i++)
                assert_true(fabs(s[i] - es[i]) < 2e-6 * fmax(fabs(es[i]), 0.2)); /* sums of numbers of about 0.3 */
            assert_true(s[floats] == 77.0f && w[n] == 77.0f);
        }
}

static void test_steps_equal_the_twin(void **state)
{
    (void)state;
    compare_with_the_twin(&settings);
    optimizer_settings_t other = settings;
    other.nesterov = true;
    other.ftrl_l1 = 0.0f;
    compare_with_the_twin(&other);
}

static void test_by_hand(void **state)
{
    (void)state;
    const optimizer_settings_t plain = {.learning_rate = 0.5f, .initial_accumulator = 7.0f, .epsilon = 1.0f};
    const float g[2] = {3.0f, 1.0f};
    float w[2] = {1.0f, 1.0f}, s[2];
    const optimizer_t *adagrad = optimizer_get(OPTIMIZER_ADAGRAD);
    adagrad->init(s, w, 2, &plain);
    adagrad->apply(w, s, g, 2, &plain); /* s = 16, 8;  w = 1 - 0.5 * 3 / (4 + 1) */
    assert_true(s[0] == 16.0f && s[1] == 8.0f && fabsf(w[0] - 0.7f) < 1e-7f);

    float row_w[2] = {1.0f, 1.0f}, row_s;
    const optimizer_settings_t row_plain = {.learning_rate = 0.5f, .initial_accumulator = 4.0f, .epsilon = 1.0f};
    const optimizer_t *row = optimizer_get(OPTIMIZER_ADAGRAD_ROW);
    row->init(&row_s, row_w, 2, &row_plain);
    row->apply(row_w, &row_s, g, 2, &row_plain); /* s = 4 + (9 + 1) / 2 = 9;  w = 1 - 0.5 g / (3 + 1) */
    assert_true(row_s == 9.0f && row_w[0] == 0.625f && row_w[1] == 0.875f);

    float sgd_w[2] = {1.0f, 1.0f};
    optimizer_get(OPTIMIZER_SGD)->apply(sgd_w, NULL, g, 2, &plain);
    assert_true(sgd_w[0] == -0.5f && sgd_w[1] == 0.5f);
}

static void test_momentum_by_hand(void **state)
{
    (void)state;
    optimizer_settings_t half = {.learning_rate = 0.5f, .momentum = 0.5f};
    float w = 1.0f, s;
    const optimizer_t *momentum = optimizer_get(OPTIMIZER_MOMENTUM);
    momentum->init(&s, &w, 1, &half);
    for (int i = 0; i < 2; i++)
        momentum->apply(&w, &s, &(float){1.0f}, 1, &half); /* s = 1, 1.5 */
    assert_true(s == 1.5f && w == 1.0f - 0.5f - 0.75f);
    half.nesterov = true;
    momentum->apply(&w, &s, &(float){1.0f}, 1, &half); /* s = 1.75;  w -= 0.5 (1 + 0.875) */
    assert_true(s == 1.75f && w == -0.25f - 0.9375f);
}

/* With a constant gradient both means are the gradient and its square, corrected, from the first step on: each step is the
 * rate, less what epsilon takes of it. A row that makes its first step late makes the same: its count is its own. */
static void test_adam_by_hand(void **state)
{
    (void)state;
    const optimizer_settings_t usual = {.learning_rate = 0.001f, .epsilon = 1e-8f, .beta1 = 0.9f, .beta2 = 0.999f};
    const float g[3] = {4.0f, -0.01f, 0.0f};
    float w[3] = {0}, s[8];
    const optimizer_t *adam = optimizer_get(OPTIMIZER_ADAM);
    adam->init(s, w, 3, &usual);
    for (int t = 1; t <= 2000; t++) {
        adam->apply(w, s, g, 3, &usual);
        assert_true(fabs(w[0] + t * 0.001) < 1e-6 * t && fabs(w[1] - t * 0.001) < 2e-6 * t && w[2] == 0.0f);
        assert_true(fabs(s[6] - (1.0 - pow(0.9f, t))) < 1e-6 && fabs(s[7] / (1.0 - pow(0.999f, t)) - 1.0) < 2e-5);
    }
}

/* Without l1 and l2 FTRL is AdaGrad with beta for epsilon, as long as it goes on; with l1 what saw little is exactly 0, and a
 * gradient as large as the rest of |Z| takes it back. */
static void test_ftrl_by_hand(void **state)
{
    (void)state;
    optimizer_settings_t plain = {.learning_rate = 0.1f, .initial_accumulator = 0.25f, .epsilon = 1.0f, .ftrl_beta = 1.0f};
    float w[2][7], ftrl_s[14], adagrad_s[7], g[7];
    rng_fill_normal(w[0], 7, 0.5f, 1, 1, 0);
    memcpy(w[1], w[0], sizeof w[0]);
    const optimizer_t *ftrl = optimizer_get(OPTIMIZER_FTRL), *adagrad = optimizer_get(OPTIMIZER_ADAGRAD);
    ftrl->init(ftrl_s, w[0], 7, &plain);
    adagrad->init(adagrad_s, w[1], 7, &plain);
    for (uint64_t t = 0; t < 100; t++) {
        plain.learning_rate = 0.1f / (float)(1 + t); /* whatever the rates */
        rng_fill_normal(g, 7, 0.5f, 2, t, 0);
        ftrl->apply(w[0], ftrl_s, g, 7, &plain);
        adagrad->apply(w[1], adagrad_s, g, 7, &plain);
        for (int i = 0; i < 7; i++)
            assert_true(fabsf(w[0][i] - w[1][i]) < 1e-5f);
    }
    const optimizer_settings_t sparse = {.learning_rate = 0.5f, .ftrl_beta = 1.0f, .ftrl_l1 = 1.0f, .ftrl_l2 = 2.0f};
    float one = 0.25f, s[2];
    ftrl->init(s, &one, 1, &sparse);                             /* Z = -0.25 */
    ftrl->apply(&one, s, &(float){0.5f}, 1, &sparse);            /* Z = -0.25 + 0.25 - 0.5 * 0.25 = -0.125, within 0.5 */
    assert_true(one == 0.0f && s[0] == -0.125f && s[1] == 0.5f); /* sqrt(q) */
    ftrl->apply(&one, s, &(float){-1.2f}, 1, &sparse);           /* Z = -0.725, q = 1.69;  w = 0.225 / (1 + 1.3 + 1) */
    assert_true(fabsf(s[0] + 0.725f) < 1e-6f && fabsf(one - 0.225f / 3.3f) < 1e-6f);
    const float before[3] = {one, s[0], s[1]};
    ftrl->apply(&one, s, &(float){3.0f}, 1, &(optimizer_settings_t){.ftrl_beta = 1.0f}); /* a rate of 0 moves nothing */
    assert_true(one == before[0] && s[0] == before[1] && s[1] == before[2]);
}

/* initial_accumulator and epsilon may both be 0: nothing seen yet must mean no step, not 0/0. */
static void test_nothing_to_divide_by(void **state)
{
    (void)state;
    const optimizer_settings_t bare = {.learning_rate = 0.1f, .initial_accumulator = 0.0f, .epsilon = 0.0f};
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        float w[19], s[STATE_MAX], g[19] = {0};
        for (int i = 0; i < 19; i++)
            w[i] = 1.0f;
        optimizer_get(kind)->init(s, w, 19, &bare);
        optimizer_get(kind)->apply(w, s, g, 19, &bare);
        for (int i = 0; i < 19; i++)
            assert_true(w[i] == 1.0f);
    }
    float w[9] = {0}, s[9] = {0}, g[9];
    for (int i = 0; i < 9; i++)
        g[i] = 1e-30f; /* its square underflows */
    optimizer_get(OPTIMIZER_ADAGRAD)->apply(w, s, g, 9, &bare);
    for (int i = 0; i < 9; i++)
        assert_true(w[i] == 0.0f);
}

static void test_place_changes_no_bit(void **state)
{
    (void)state;
    float w[64], s[STATE_MAX], g[64], moved_w[80], moved_s[STATE_MAX + 16], moved_g[80];
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++)
        for (int n = 1; n <= 64; n++)
            for (int offset = 1; offset < 16; offset++) {
                const size_t state_bytes = (size_t)optimizer_get(kind)->state_floats(n) * sizeof *s;
                rng_fill_normal(w, n, 1.0f, 1, 1, 0);
                rng_fill_normal(g, n, 1.0f, 1, 2, 0);
                optimizer_get(kind)->init(s, w, n, &settings);
                memcpy(moved_w + offset, w, (size_t)n * sizeof *w);
                memcpy(moved_g + 16 - offset, g, (size_t)n * sizeof *g);
                memcpy(moved_s + offset, s, state_bytes);
                optimizer_get(kind)->apply(w, s, g, n, &settings);
                optimizer_get(kind)->apply(moved_w + offset, moved_s + offset, moved_g + 16 - offset, n, &settings);
                assert_memory_equal(moved_w + offset, w, (size_t)n * sizeof *w);
                assert_memory_equal(moved_s + offset, s, state_bytes);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_matches_the_configuration),
        cmocka_unit_test(test_steps_equal_the_twin),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_momentum_by_hand),
        cmocka_unit_test(test_adam_by_hand),
        cmocka_unit_test(test_ftrl_by_hand),
        cmocka_unit_test(test_nothing_to_divide_by),
        cmocka_unit_test(test_place_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
