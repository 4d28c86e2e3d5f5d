/* test_norm - layer norm and weight norm equal their naive double twins, whose gradients equal finite differences; the
 * properties hold that give them their names; sums have the bits that reduce.h promises, on every vector width.         */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/kernels/norm.h"
#include "common/kernels/reduce.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"

#define N_MAX 300

static const int lengths[] = {1, 2, 7, 15, 16, 17, 31, 48, 240, N_MAX};
#define LENGTHS ((int)(sizeof lengths / sizeof *lengths))

static void widen(double *out, const float *in, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = in[i];
}

static void assert_close(const float *got, const double *expected, int n, double tolerance)
{
    double size = 0.0;
    for (int i = 0; i < n; i++)
        size = fmax(size, fabs(expected[i]));
    for (int i = 0; i < n; i++)
        assert_true(fabs(got[i] - expected[i]) <= tolerance * fmax(size, 1e-3));
}

static void test_reduction_order(void **state)
{
    (void)state;
    float values[N_MAX];
    rng_fill_normal(values, N_MAX, 1.0f, 1, 1, 0);
    int unlike_a_line = 0;
    for (int n = 0; n <= N_MAX; n++) {
        volatile float partial[16] = {0}; /* volatile: one scalar addition after the other */
        volatile float line = 0.0f;
        for (int i = 0; i < n; i++) {
            partial[i % 16] += values[i];
            line += values[i];
        }
        for (int width = 8; width > 0; width /= 2)
            for (int i = 0; i < width; i++)
                partial[i] += partial[i + width];
        float sum;
#define VALUE(AT) (AT(values))
        REDUCE_SUM(sum, n, VALUE);
        assert_true(sum == partial[0]);
        unlike_a_line += sum != line;
    }
    assert_true(unlike_a_line > 50); /* the order shows in the bits of these values */
}

static void test_layer_norm_equals_its_twin(void **state)
{
    (void)state;
    for (int k = 0; k < LENGTHS; k++)
        for (int affine = 0; affine < 2; affine++) {
            const int n = lengths[k];
            float x[N_MAX], gain[N_MAX], shift[N_MAX], dy[N_MAX], xhat[N_MAX], y[N_MAX], d[N_MAX];
            float dgain[N_MAX] = {0}, dshift[N_MAX] = {0};
            rng_fill_normal(x, n, 3.0f, 1, (uint64_t)n, 0);
            rng_fill_normal(gain, n, 1.0f, 2, (uint64_t)n, 0);
            rng_fill_normal(shift, n, 1.0f, 3, (uint64_t)n, 0);
            rng_fill_normal(dy, n, 1.0f, 4, (uint64_t)n, 0);
            for (int i = 0; i < n; i++)
                x[i] += 5.0f;
            double ex[N_MAX], egain[N_MAX], eshift[N_MAX], edy[N_MAX], ey[N_MAX], edx[N_MAX], edgain[N_MAX], edshift[N_MAX];
            widen(ex, x, n);
            widen(egain, gain, n);
            widen(eshift, shift, n);
            widen(edy, dy, n);
            ref_norm_layer_forward(ey, ex, affine ? egain : NULL, affine ? eshift : NULL, n);
            ref_norm_layer_backward(edx, edgain, edshift, edy, ex, affine ? egain : NULL, n);

            float rstd = norm_layer_forward(xhat, x, n);
            memcpy(y, xhat, sizeof y);
            memcpy(d, dy, sizeof d);
            if (affine) {
                norm_affine_forward(y, y, gain, shift, n);
                norm_affine_backward(d, dgain, dshift, d, xhat, gain, n);
                assert_close(dgain, edgain, n, 2e-6);
                assert_close(dshift, edshift, n, 2e-6);
                norm_affine_backward(y, dgain, dshift, dy, xhat, gain, n); /* += */
                for (int i = 0; i < n; i++)
                    assert_true(dshift[i] == 2.0f * dy[i]);
                norm_affine_forward(y, xhat, gain, shift, n);
            }
            assert_close(y, ey, n, 2e-6);
            norm_layer_backward(d, d, xhat, rstd, n);
            if (n > 2) /* one value always becomes 0, two become -1 and 1: their gradient is all cancellation */
                assert_close(d, edx, n, 5e-6);

            if (!affine && n > 2) {
                double mean = 0.0, square = 0.0;
                for (int i = 0; i < n; i++) {
                    mean += xhat[i] / n;
                    square += (double)xhat[i] * xhat[i] / n;
                }
                assert_true(fabs(mean) < 1e-5 && fabs(square - 1.0) < 1e-4);
            }
        }
}

static void test_constant_row_becomes_zeros(void **state)
{
    (void)state;
    float x[33], xhat[33];
    for (int i = 0; i < 33; i++)
        x[i] = 0.5f;
    float rstd = norm_layer_forward(xhat, x, 33);
    for (int i = 0; i < 33; i++)
        assert_true(xhat[i] == 0.0f);
    assert_true(fabsf(rstd - 316.22777f) < 1e-3f);
}

/* The gradients of the twins against central differences of sum(c y). */
static void test_twins_equal_finite_differences(void **state)
{
    (void)state;
    enum { N = 7 };
    const double h = 1e-6;
    double x[N], gain[N], shift[N], c[N], y[N], dx[N], dgain[N], dshift[N];
    for (int i = 0; i < N; i++) {
        x[i] = rng_normal(1, 1, (uint64_t)i);
        gain[i] = rng_normal(1, 2, (uint64_t)i);
        shift[i] = rng_normal(1, 3, (uint64_t)i);
        c[i] = rng_normal(1, 4, (uint64_t)i);
    }
    ref_norm_layer_backward(dx, dgain, dshift, c, x, gain, N);
    double *arguments[] = {x, gain, shift}, *gradients[] = {dx, dgain, dshift};
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < N; i++) {
            double value = arguments[a][i], sides[2];
            for (int side = 0; side < 2; side++) {
                arguments[a][i] = value + (side ? h : -h);
                ref_norm_layer_forward(y, x, gain, shift, N);
                sides[side] = 0.0;
                for (int j = 0; j < N; j++)
                    sides[side] += c[j] * y[j];
            }
            arguments[a][i] = value;
            assert_true(fabs((sides[1] - sides[0]) / (2 * h) - gradients[a][i]) < 1e-7);
        }
    const double orders[] = {1.0, 1.5, 2.0, 3.0, 8.0};
    for (int k = 0; k < 5; k++) {
        ref_norm_weight_backward(dx, c, x, N, 1.7, orders[k]);
        for (int i = 0; i < N; i++) {
            double value = x[i], sides[2];
            for (int side = 0; side < 2; side++) {
                x[i] = value + (side ? h : -h);
                ref_norm_weight_forward(y, x, N, 1.7, orders[k]);
                sides[side] = 0.0;
                for (int j = 0; j < N; j++)
                    sides[side] += c[j] * y[j];
            }
            x[i] = value;
            assert_true(fabs((sides[1] - sides[0]) / (2 * h) - dx[i]) < 1e-7);
        }
    }
}

static void test_weight_norm_equals_its_twin(void **state)
{
    (void)state;
    const float orders[] = {1.0f, 1.5f, 2.0f, 3.0f, 8.0f};
    const float v = 1.7f;
    for (int k = 0; k < LENGTHS; k++)
        for (int o = 0; o < 5; o++) {
            const int n = lengths[k];
            float w[N_MAX], used[N_MAX], dw[N_MAX];
            double ew[N_MAX], eused[N_MAX], edused[N_MAX], edw[N_MAX];
            rng_fill_normal(w, n, 0.3f, 1, (uint64_t)n, 0);
            rng_fill_normal(dw, n, 1.0f, 2, (uint64_t)n, 0);
            widen(ew, w, n);
            widen(edused, dw, n);
            ref_norm_weight_forward(eused, ew, n, v, orders[o]);
            ref_norm_weight_backward(edw, edused, ew, n, v, orders[o]);
            float norm = norm_weight_forward(used, w, n, v, orders[o]);
            assert_close(used, eused, n, 2e-6);
            norm_weight_backward(dw, w, norm, n, v, orders[o]);
            if (n > 1) /* a single weight is always normalised to +-v: its gradient is cancellation */
                assert_close(dw, edw, n, 5e-6);

            double sum = 0.0, along = 0.0, size = 0.0;
            for (int i = 0; i < n; i++) {
                sum += pow(fabs((double)used[i]), orders[o]);
                along += (double)dw[i] * w[i];
                size += fabs((double)dw[i] * w[i]);
            }
            assert_true(fabs(pow(sum, 1.0 / orders[o]) / v - 1.0) < 1e-5); /* ||used||_p = v */
            assert_true(fabs(along) <= 1e-5 * fmax(size, 1.0));            /* the length of w does not matter */
        }
}

static void test_weight_norm_at_the_extremes(void **state)
{
    (void)state;
    float zero[20] = {0}, used[20], dw[20];
    for (int i = 0; i < 20; i++)
        dw[i] = 1.0f;
    const float orders[] = {1.0f, 2.0f, 3.0f};
    for (int o = 0; o < 3; o++) {
        assert_true(norm_weight_forward(used, zero, 20, 2.0f, orders[o]) == 0.0f);
        norm_weight_backward(dw, zero, 0.0f, 20, 2.0f, orders[o]);
        for (int i = 0; i < 20; i++)
            assert_true(used[i] == 0.0f && dw[i] == 0.0f);
    }
    for (int o = 0; o < 3; o++) {
        float w[37], projected[37];
        rng_fill_normal(w, 37, 1.0f, 8, 1, 0);
        float big[37];
        norm_weight_forward(big, w, 37, 2.5f, orders[o]);
        for (int i = 0; i < 37; i++)
            projected[i] = w[i];
        norm_weight_project(projected, 37, 2.5f, orders[o]);
        assert_memory_equal(projected, big, sizeof big);
        norm_weight_project(zero, 20, 2.5f, orders[o]);
        assert_true(zero[0] == 0.0f && zero[19] == 0.0f);
    }
    float w[3] = {1e-3f, -4e-3f, 2e-3f}; /* |w|^1000 underflows a double */
    assert_true(fabsf(norm_weight_forward(used, w, 3, 1.0f, 1000.0f) - 4e-3f) < 1e-8f);
    assert_true(fabsf(used[1] + 1.0f) < 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reduction_order),
        cmocka_unit_test(test_layer_norm_equals_its_twin),
        cmocka_unit_test(test_constant_row_becomes_zeros),
        cmocka_unit_test(test_twins_equal_finite_differences),
        cmocka_unit_test(test_weight_norm_equals_its_twin),
        cmocka_unit_test(test_weight_norm_at_the_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
