/* test_linear - first-order terms equal their double twins, whose gradients equal finite differences; what lies between the
 * rows is left alone, and dx is set or added to. */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/kernels/linear.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"

#define ROWS 11
#define COLUMNS_MOST 40
#define GAP 3

static void check(int columns)
{
    static float x[ROWS * (COLUMNS_MOST + GAP)], dx[ROWS * (COLUMNS_MOST + GAP)], again[ROWS * (COLUMNS_MOST + GAP)];
    static double x_exact[ROWS * COLUMNS_MOST], dx_exact[ROWS * COLUMNS_MOST];
    float w[COLUMNS_MOST], dw[COLUMNS_MOST], z[ROWS], dz[ROWS], dbias;
    double w_exact[COLUMNS_MOST], dw_exact[COLUMNS_MOST], z_exact[ROWS], dz_exact[ROWS], dbias_exact;
    const int stride = columns + GAP;
    rng_fill_normal(x, ROWS * stride, 1.0f, 1, (uint64_t)columns, 0);
    rng_fill_normal(w, columns, 1.0f, 2, (uint64_t)columns, 0);
    rng_fill_normal(dz, ROWS, 1.0f, 3, (uint64_t)columns, 0);
    for (int r = 0; r < ROWS; r++) {
        dz_exact[r] = (double)dz[r];
        for (int i = 0; i < columns; i++)
            x_exact[r * columns + i] = (double)x[r * stride + i];
    }
    for (int i = 0; i < columns; i++)
        w_exact[i] = (double)w[i];
    for (int i = 0; i < ROWS * stride; i++)
        dx[i] = 0.5f;
    linear_forward(z, x, w, 0.25f, ROWS, columns, stride);
    linear_backward(dw, &dbias, again, false, dz, x, w, ROWS, columns, stride);
    linear_backward(dw, &dbias, dx, true, dz, x, w, ROWS, columns, stride);
    ref_linear_forward(z_exact, x_exact, w_exact, 0.25, ROWS, columns);
    ref_linear_backward(dw_exact, &dbias_exact, dx_exact, dz_exact, x_exact, w_exact, ROWS, columns);
    assert_true(fabs((double)dbias - dbias_exact) < 1e-5);
    for (int i = 0; i < columns; i++)
        assert_true(fabs((double)dw[i] - dw_exact[i]) < 1e-5);
    for (int r = 0; r < ROWS; r++) {
        assert_true(fabs((double)z[r] - z_exact[r]) < 1e-5);
        for (int i = 0; i < stride; i++)
            assert_true(i >= columns || fabs((double)again[r * stride + i] - dx_exact[r * columns + i]) < 1e-6);
        for (int i = 0; i < stride; i++)
            assert_true(fabs((double)dx[r * stride + i] - 0.5 - (i < columns ? dx_exact[r * columns + i] : 0.0)) < 1e-6);
    }
    /* The logits are linear in each input: a difference of any width is the slope. */
    for (int i = 0; i < ROWS * columns + columns; i++) {
        double *at = i < ROWS * columns ? &x_exact[i] : &w_exact[i - ROWS * columns], value = *at, sum = 0.0, more[ROWS];
        *at = value + 1.0;
        ref_linear_forward(more, x_exact, w_exact, 0.25, ROWS, columns);
        *at = value;
        for (int r = 0; r < ROWS; r++)
            sum += dz_exact[r] * (more[r] - z_exact[r]);
        assert_true(fabs(sum - (i < ROWS * columns ? dx_exact[i] : dw_exact[i - ROWS * columns])) < 1e-9);
    }
}

static void test_linear(void **state)
{
    (void)state;
    static const int columns[] = {0, 1, 2, 15, 16, 17, COLUMNS_MOST};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        check(columns[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
