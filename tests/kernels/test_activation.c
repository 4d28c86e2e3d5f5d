/* test_activation - every kernel of the table equals its exact double form with clipping on and off; SmeLU has the properties
 * that define it: ReLU convolved with a box of width 2 beta, ReLU in the limit, value and gradient continuous.            */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/activation.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"

#define N 4001

static const double betas[] = {1e-6, 0.1, 0.5, 1.0, 3.0, 100.0};
static const float clips[] = {INFINITY, 6.0f, 0.5f};

static void test_table_matches_the_configuration(void **state)
{
    (void)state;
#define CHECK_WORD(word, constant, doc) assert_string_equal(activation_get(constant)->name, #word);
    WORDS_ACTIVATION(CHECK_WORD)
}

/* Arguments: a sweep, the corners of the pieces and of the clip with their neighbours, huge values, zeros. */
static int fill_arguments(float *x, double beta, float clip)
{
    int n = 0;
    for (int i = -1000; i <= 1000; i++)
        x[n++] = (float)i * 0.0101f * (float)(beta > 1.0 ? beta : 1.0);
    const float corners[] = {0.0f, -0.0f, (float)beta, (float)-beta, isinf(clip) ? 0.0f : clip, isinf(clip) ? 0.0f : -clip};
    for (int i = 0; i < 6; i++) {
        x[n++] = corners[i];
        x[n++] = nextafterf(corners[i], INFINITY);
        x[n++] = nextafterf(corners[i], -INFINITY);
    }
    x[n++] = 3e38f;
    x[n++] = -3e38f;
    x[n++] = 1e-42f;
    return n;
}

static void test_kernels_equal_the_exact_form(void **state)
{
    (void)state;
    static float x[N], dy[N], y[N + 1], dx[N + 1];
    rng_fill_normal(dy, N, 1.0f, 1, 1, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int b = 0; b < 6; b++)
            for (int c = 0; c < 3; c++) {
                const activation_t *f = activation_get(kind);
                /* The kernel's beta is a float: compare with the exact form of that very number. */
                const float beta = (float)betas[b];
                int n = fill_arguments(x, beta, clips[c]);
                y[n] = dx[n] = 77.0f;
                f->forward(y, x, n, beta, clips[c]);
                f->backward(dx, dy, x, n, beta, clips[c]);
                assert_true(y[n] == 77.0f && dx[n] == 77.0f);
                for (int i = 0; i < n; i++) {
                    double value, slope;
                    ref_activate(&value, &slope, x[i], f->exact, beta, clips[c]);
                    assert_true(fabs(y[i] - value) <= 4e-7 * fmax(fabs(value), beta * 0x1p-24));
                    /* One step from the clip f32 may round onto it; there the two may disagree on which side they are. */
                    if (fabs(fabs(value) - clips[c]) > 1e-6)
                        assert_true(fabs(dx[i] - dy[i] * slope) <= 4e-7 * fabs(dy[i]));
                    if (fabsf(y[i]) >= clips[c])
                        assert_true(dx[i] == 0.0f && fabsf(y[i]) == clips[c]);
                }
            }
}

static void test_length_place_and_aliasing_change_no_bit(void **state)
{
    (void)state;
    float x[128], dy[128], y[128], dx[128], moved_x[128 + 16], moved_dy[128 + 16], inplace[128 + 16];
    rng_fill_normal(x, 128, 2.0f, 1, 1, 0);
    rng_fill_normal(dy, 128, 2.0f, 1, 2, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        const activation_t *f = activation_get(kind);
        f->forward(y, x, 128, 0.7f, 1.5f);
        f->backward(dx, dy, x, 128, 0.7f, 1.5f);
        for (int n = 0; n <= 40; n++)
            for (int offset = 0; offset < 16; offset++) {
                memcpy(moved_x + offset, x, (size_t)n * sizeof *x);
                memcpy(inplace + offset, x, (size_t)n * sizeof *x);
                f->forward(inplace + offset, inplace + offset, n, 0.7f, 1.5f);
                assert_memory_equal(inplace + offset, y, (size_t)n * sizeof *y);
                memcpy(moved_dy + offset, dy, (size_t)n * sizeof *dy);
                f->backward(moved_dy + offset, moved_dy + offset, moved_x + offset, n, 0.7f, 1.5f);
                assert_memory_equal(moved_dy + offset, dx, (size_t)n * sizeof *dx);
            }
    }
}

static void test_nan_is_not_hidden(void **state)
{
    (void)state;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int c = 0; c < 3; c++) {
            float x[19], y[19], one[19], dx[19];
            for (int i = 0; i < 19; i++) {
                x[i] = NAN;
                one[i] = 1.0f;
            }
            activation_get(kind)->forward(y, x, 19, 1.0f, clips[c]);
            for (int i = 0; i < 19; i++)
                x[i] = 0.25f;
            one[3] = one[18] = NAN;
            activation_get(kind)->backward(dx, one, x, 19, 1.0f, clips[c]);
            for (int i = 0; i < 19; i++)
                assert_true(isnan(y[i]) && isnan(dx[i]) == (i == 3 || i == 18));
        }
}

/* Slopes are derivatives: central differences of the exact value, away from the corners. */
static void test_exact_slopes_are_derivatives(void **state)
{
    (void)state;
    const double h = 1e-6;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int b = 1; b < 6; b++)
            for (int i = 0; i < 1000; i++) {
                double x = 4.0 * betas[b] * (2.0 * rng_uniform(1, 1, (uint64_t)i) - 1.0), left, right, value, slope, unused;
                if (fabs(x) < 2 * h || fabs(fabs(x) - betas[b]) < 2 * h)
                    continue;
                const activation_t *f = activation_get(kind);
                f->exact(x - h, betas[b], &left, &unused);
                f->exact(x + h, betas[b], &right, &unused);
                f->exact(x, betas[b], &value, &slope);
                assert_true(fabs((right - left) / (2 * h) - slope) < 1e-7);
            }
}

/* f(x) = 1/(2 beta) integral of max(x + t, 0) over |t| <= beta: another definition, summed by the midpoint rule. */
static void test_smelu_is_relu_convolved_with_a_box(void **state)
{
    (void)state;
    enum { STEPS = 20000 };
    for (int b = 1; b < 5; b++)
        for (double x = -2.0 * betas[b]; x <= 2.0 * betas[b]; x += 0.19 * betas[b]) {
            double integral = 0.0, value, slope;
            for (int i = 0; i < STEPS; i++)
                integral += fmax(x + betas[b] * ((2.0 * i + 1.0) / STEPS - 1.0), 0.0) / STEPS;
            activation_smelu.exact(x, betas[b], &value, &slope);
            assert_true(fabs(integral - value) < 1e-8 * betas[b]);
        }
}

static void test_smelu_with_narrow_beta_is_relu(void **state)
{
    (void)state;
    const float beta = 1e-6f;
    float x[N], ones[N], smelu[N], relu[N], dsmelu[N], drelu[N];
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - N / 2) * 1e-3f;
        ones[i] = 1.0f;
    }
    activation_smelu.forward(smelu, x, N, beta, INFINITY);
    activation_relu.forward(relu, x, N, beta, INFINITY);
    activation_smelu.backward(dsmelu, ones, x, N, beta, INFINITY);
    activation_relu.backward(drelu, ones, x, N, beta, INFINITY);
    for (int i = 0; i < N; i++) {
        assert_true(fabsf(smelu[i] - relu[i]) <= beta / 4.0f * 1.0001f);
        assert_true(fabsf(x[i]) <= beta || dsmelu[i] == drelu[i]);
    }
}

/* Across every corner, float by float, value and slope of SmeLU move by no more than the spacing of floats explains; the
 * slope of ReLU jumps by 1 at 0. */
static void test_smelu_has_a_continuous_gradient(void **state)
{
    (void)state;
    enum { HALF = 500, COUNT = 2 * HALF + 1 };
    for (int b = 1; b < 6; b++)
        for (int side = -1; side <= 1; side += 2) {
            const float beta = (float)betas[b];
            float x[COUNT], ones[COUNT], y[COUNT], slope[COUNT];
            x[0] = (float)side * beta;
            for (int i = 0; i < HALF; i++)
                x[0] = nextafterf(x[0], -INFINITY);
            for (int i = 0; i < COUNT; i++) {
                ones[i] = 1.0f;
                if (i > 0)
                    x[i] = nextafterf(x[i - 1], INFINITY);
            }
            assert_true(x[0] < (float)side * beta && x[COUNT - 1] > (float)side * beta);
            activation_smelu.forward(y, x, COUNT, beta, INFINITY);
            activation_smelu.backward(slope, ones, x, COUNT, beta, INFINITY);
            for (int i = 1; i < COUNT; i++) {
                assert_true(fabsf(slope[i] - slope[i - 1]) <= 5e-7f);
                assert_true(fabsf(y[i] - y[i - 1]) <= 5e-7f * beta);
            }
        }
    const float x[2] = {0.0f, 1e-42f}, ones[2] = {1.0f, 1.0f};
    float slope[2];
    activation_relu.backward(slope, ones, x, 2, 1.0f, INFINITY);
    assert_true(slope[0] == 0.0f && slope[1] == 1.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_matches_the_configuration),
        cmocka_unit_test(test_kernels_equal_the_exact_form),
        cmocka_unit_test(test_length_place_and_aliasing_change_no_bit),
        cmocka_unit_test(test_nan_is_not_hidden),
        cmocka_unit_test(test_exact_slopes_are_derivatives),
        cmocka_unit_test(test_smelu_is_relu_convolved_with_a_box),
        cmocka_unit_test(test_smelu_with_narrow_beta_is_relu),
        cmocka_unit_test(test_smelu_has_a_continuous_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
