/* test_loss - every loss of the table equals its exact form in double, whose slope is its derivative, and stays finite for
 * every logit; probability and logistic loss equal the C library's double results to the last bits of a float and satisfy
 * the symmetries of the logistic function. */
#include <math.h>

#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/loss.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"

#define N 40001

static float z[N], y[N], p[N], loss[N], dz[N];

static void fill(void)
{
    for (int i = 0; i < N; i++) {
        z[i] = (float)(i - N / 2) * 0.0055f; /* -110 .. 110: past the ends of f32's exp */
        y[i] = i % 3 == 0 ? 0.0f : i % 3 == 1 ? 1.0f : (float)rng_uniform(1, 1, (uint64_t)i);
    }
}

static void test_table_matches_the_configuration(void **state)
{
    (void)state;
#define CHECK_WORD(word, constant, meaning) assert_string_equal(loss_get(constant)->name, #word);
    WORDS_LOSS(CHECK_WORD)
}

static void test_kernels_equal_the_exact_form(void **state)
{
    (void)state;
    fill();
    loss_probability(p, z, N);
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        const loss_t *f = loss_get(kind);
        f->value(loss, z, y, N);
        f->gradient(dz, z, p, y, N, 0.25f);
        for (int i = 0; i < N; i++) {
            double value, slope;
            f->exact(z[i], y[i], &value, &slope);
            if (!(fabs(loss[i] - value) <= 1e-6 * (1.0 + fabs(value))) || !(fabs(dz[i] - 0.25 * slope) <= 1e-6))
                fail_msg("%s at %g, target %g: %.9g, exactly %.12g; gradient %.9g, exactly %.12g", f->name, z[i], y[i], loss[i],
                         value, dz[i], 0.25 * slope);
            assert_true(loss[i] >= 0.0f);
        }
        loss_probability(loss, z, N);
        f->gradient(loss, z, loss, y, N, 0.25f); /* in place */
        assert_memory_equal(loss, dz, sizeof dz);
    }
}

static void test_exact_slopes_are_derivatives(void **state)
{
    (void)state;
    const double h = 1e-5;
    fill();
    for (int kind = 0; kind < LOSS_COUNT; kind++)
        for (int i = 0; i < N; i++) {
            const loss_t *f = loss_get(kind);
            double right, left, slope, other;
            f->exact(z[i] + h, y[i], &right, &other);
            f->exact(z[i] - h, y[i], &left, &other);
            f->exact(z[i], y[i], &slope, &slope);
            if (!(fabs((right - left) / (2.0 * h) - slope) < 1e-7))
                fail_msg("%s at %g, target %g: slope %.12g, by differences %.12g", f->name, z[i], y[i], slope,
                         (right - left) / (2.0 * h));
        }
}

/* Finite for every finite logit, and a model that has diverged shows. */
static void test_every_loss_has_a_value_everywhere(void **state)
{
    (void)state;
    const float logits[] = {0.0f, 1e30f, -1e30f, 800.0f, -800.0f, NAN};
    for (int kind = 0; kind < LOSS_COUNT; kind++)
        for (int target = 0; target < 3; target++) {
            const float t = 0.5f * (float)target, targets[] = {t, t, t, t, t, t};
            float values[6], probability[6], gradient[6];
            loss_probability(probability, logits, 6);
            loss_get(kind)->value(values, logits, targets, 6);
            loss_get(kind)->gradient(gradient, logits, probability, targets, 6, 1.0f);
            for (int i = 0; i < 5; i++)
                assert_true(isfinite(values[i]) && isfinite(gradient[i]));
            assert_true(isnan(values[5]) && isnan(gradient[5]));
        }
}

/* ---- the logistic loss and the probability ---- */

static void test_values_equal_the_library(void **state)
{
    (void)state;
    fill();
    loss_probability(p, z, N);
    loss_logistic.value(loss, z, y, N);
    for (int i = 0; i < N; i++) {
        double expected_p = ref_probability(z[i]), expected_loss, slope;
        loss_logistic.exact(z[i], y[i], &expected_loss, &slope);
        assert_true(fabs(p[i] - expected_p) <= 0x1.01p-24 * expected_p + 1e-45);
        /* Rounding to f32 is the only error; with y near 1 the terms of the double sum cancel, hence the absolute part. */
        assert_true(fabs(loss[i] - expected_loss) <= 0x1.01p-24 * expected_loss + 1e-14 * fabs(z[i]) + 1e-45);
        assert_true(p[i] >= 0.0f && p[i] <= 1.0f && loss[i] >= 0.0f);
    }
}

static void test_symmetries(void **state)
{
    (void)state;
    float minus[N], q[N], mirrored[N], other[N];
    fill();
    for (int i = 0; i < N; i++) {
        minus[i] = -z[i];
        y[i] = (float)(i % 3 == 0);
        other[i] = 1.0f - y[i];
    }
    loss_probability(p, z, N);
    loss_probability(q, minus, N);
    loss_logistic.value(loss, z, y, N);
    loss_logistic.value(mirrored, minus, other, N);
    for (int i = 0; i < N; i++) {
        assert_true(fabsf(p[i] + q[i] - 1.0f) <= 0x1p-24f);
        assert_true(fabsf(loss[i] - mirrored[i]) <= 1e-6f * loss[i]);
        assert_true(i == 0 || p[i] >= p[i - 1]);
    }
    loss_probability(z, z, N); /* in place */
    assert_memory_equal(z, p, sizeof p);
}

static void test_extremes(void **state)
{
    (void)state;
    float logits[] = {0.0f, -0.0f, INFINITY, -INFINITY, 1e30f, -1e30f, 800.0f, -800.0f, NAN};
    float targets[] = {0.5f, 0.5f, 1.0f, 0.0f, 0.0f, 1.0f, 1.0f, 0.0f, 1.0f};
    float probability[9], losses[9];
    loss_probability(probability, logits, 9);
    loss_logistic.value(losses, logits, targets, 9);
    const float expected[] = {0.5f, 0.5f, 1.0f, 0.0f, 1.0f, 0.0f, 1.0f, 0.0f};
    for (int i = 0; i < 8; i++)
        assert_true(probability[i] == expected[i]);
    assert_true(losses[0] == (float)log(2.0) && losses[1] == losses[0]);
    assert_true(losses[4] == 1e30f && losses[5] == 1e30f && losses[6] == 0.0f && losses[7] == 0.0f);
    assert_true(isnan(probability[8]) && isnan(losses[8])); /* a diverged model shows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_matches_the_configuration),
        cmocka_unit_test(test_kernels_equal_the_exact_form),
        cmocka_unit_test(test_exact_slopes_are_derivatives),
        cmocka_unit_test(test_every_loss_has_a_value_everywhere),
        cmocka_unit_test(test_values_equal_the_library),
        cmocka_unit_test(test_symmetries),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
