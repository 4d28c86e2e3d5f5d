/* test_fm - the second order of a factorisation machine equals its double twin, which goes pair by pair and whose gradients
 * equal finite differences; dx is set or added to, as asked. */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/kernels/fm.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"

#define ROWS 5
#define FLOATS_MOST 400

static const fm_shape_t shapes[] = {{3, 2, 2}, {1, 5, 1}, {0, 4, 3}, {4, 8, 0}, {2, 8, 2}, {3, 16, 1}, {2, 17, 2}, {6, 1, 1}};

static void widen(double *out, const float *in, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (double)in[i];
}

static void assert_close(const float *got, const double *expected, int n)
{
    for (int i = 0; i < n; i++)
        assert_true(fabs((double)got[i] - expected[i]) <= 2e-5 * (1.0 + fabs(expected[i])));
}

static double total(const double *x, const double *v, const double *dz, fm_shape_t s)
{
    double z[ROWS], sum = 0.0;
    ref_fm_forward(z, x, v, ROWS, s.fields, s.dim, s.numeric);
    for (int r = 0; r < ROWS; r++)
        sum += dz[r] * z[r];
    return sum;
}

/* The logit is a quadratic of each input and each parameter: central differences are exact but for rounding. */
static void check_differences(double *x, double *v, const double *dz, const double *dx, const double *dv, fm_shape_t s)
{
    const int inputs = ROWS * (s.fields * s.dim + s.numeric), n = inputs + s.numeric * s.dim;
    for (int i = 0; i < n; i++) {
        double *at = i < inputs ? &x[i] : &v[i - inputs], value = *at, h = 0.125;
        *at = value + h;
        const double right = total(x, v, dz, s);
        *at = value - h;
        const double left = total(x, v, dz, s), difference = (right - left) / (2.0 * h);
        *at = value;
        assert_true(fabs(difference - (i < inputs ? dx[i] : dv[i - inputs])) < 1e-9);
    }
}

static void test_fm(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const fm_shape_t s = shapes[k];
        const int columns = s.fields * s.dim + s.numeric, inputs = ROWS * columns, weights = s.numeric * s.dim;
        float x[FLOATS_MOST], v[FLOATS_MOST], z[ROWS], dz[ROWS], sums[FLOATS_MOST], dx[FLOATS_MOST], dv[FLOATS_MOST],
            scratch[FLOATS_MOST];
        double xd[FLOATS_MOST], vd[FLOATS_MOST], zd[ROWS], dzd[ROWS], dxd[FLOATS_MOST], dvd[FLOATS_MOST];
        assert_true(inputs <= FLOATS_MOST && weights <= FLOATS_MOST && fm_scratch(ROWS, s) <= FLOATS_MOST);
        rng_fill_normal(x, inputs, 1.0f, 1, k, 0);
        rng_fill_normal(v, weights, 1.0f, 2, k, 0);
        rng_fill_normal(dz, ROWS, 1.0f, 3, k, 0);
        widen(xd, x, inputs);
        widen(vd, v, weights);
        widen(dzd, dz, ROWS);
        matrix_t *vectors = s.numeric ? matrix_create(NULL, s.dim, s.numeric) : NULL;
        if (vectors)
            matrix_set(vectors, v);
        ref_fm_forward(zd, xd, vd, ROWS, s.fields, s.dim, s.numeric);
        ref_fm_backward(dvd, dxd, dzd, xd, vd, ROWS, s.fields, s.dim, s.numeric);
        check_differences(xd, vd, dzd, dxd, dvd, s);
        fm_forward(z, sums, x, v, ROWS, s, scratch);
        assert_close(z, zd, ROWS);
        memset(dx, 0xff, sizeof dx);
        fm_backward(dv, dx, false, dz, sums, x, v, ROWS, s, vectors, scratch);
        assert_close(dv, dvd, weights);
        assert_close(dx, dxd, inputs);
        for (int i = 0; i < inputs; i++) {
            dx[i] = 0.5f;
            dxd[i] += 0.5;
        }
        fm_backward(dv, dx, true, dz, sums, x, v, ROWS, s, vectors, scratch);
        assert_close(dx, dxd, inputs);
        memset(dv, 0xff, sizeof dv);
        fm_backward(dv, NULL, false, dz, sums, x, v, ROWS, s, vectors, scratch);
        assert_close(dv, dvd, weights);
        matrix_destroy(&vectors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
