/* test_loss - probability, logistic loss and gradient from the logit equal the C library's double results to the last bits of
 * a float, stay finite for every logit, and satisfy the symmetries of the logistic function.                             */
#include <math.h>

#include "common/base/rng.h"
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

static void test_values_equal_the_library(void **state)
{
    (void)state;
    fill();
    loss_probability(p, z, N);
    loss_logistic(loss, z, y, N);
    for (int i = 0; i < N; i++) {
        double expected_p = ref_probability(z[i]), expected_loss = ref_loss(z[i], y[i]);
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
    loss_logistic(loss, z, y, N);
    loss_logistic(mirrored, minus, other, N);
    for (int i = 0; i < N; i++) {
        assert_true(fabsf(p[i] + q[i] - 1.0f) <= 0x1p-24f);
        assert_true(fabsf(loss[i] - mirrored[i]) <= 1e-6f * loss[i]);
        assert_true(i == 0 || p[i] >= p[i - 1]);
    }
    loss_probability(z, z, N); /* in place */
    assert_memory_equal(z, p, sizeof p);
}

static void test_gradient_is_the_derivative_of_the_loss(void **state)
{
    (void)state;
    const double h = 1e-5;
    fill();
    loss_probability(p, z, N);
    loss_gradient(dz, p, y, N, 0.25f);
    for (int i = 0; i < N; i++) {
        double slope = (ref_loss(z[i] + h, y[i]) - ref_loss(z[i] - h, y[i])) / (2.0 * h);
        assert_true(fabs(dz[i] - 0.25 * slope) < 1e-7);
    }
    loss_gradient(p, p, y, N, 0.25f); /* in place */
    assert_memory_equal(p, dz, sizeof p);
}

static void test_extremes(void **state)
{
    (void)state;
    float logits[] = {0.0f, -0.0f, INFINITY, -INFINITY, 1e30f, -1e30f, 800.0f, -800.0f, NAN};
    float targets[] = {0.5f, 0.5f, 1.0f, 0.0f, 0.0f, 1.0f, 1.0f, 0.0f, 1.0f};
    float probability[9], losses[9];
    loss_probability(probability, logits, 9);
    loss_logistic(losses, logits, targets, 9);
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
        cmocka_unit_test(test_values_equal_the_library),
        cmocka_unit_test(test_symmetries),
        cmocka_unit_test(test_gradient_is_the_derivative_of_the_loss),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
