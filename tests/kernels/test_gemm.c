/* test_gemm - the three products of a dense layer equal their naive double twins within the rounding of f32, for the odd shapes
 * of partial lanes too; and "a worker computes each of its lanes with identical kernel shapes" (docs/MATH.md section 8) is
 * enough for identical bits: they do not depend on where the matrices lie. */
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/ref.h"
#include "common/products/gemm.h"
#include "tests/lib/testing.h"

static const int shapes[][3] = {{1, 1, 1}, {3, 5, 1}, {7, 16, 1}, {17, 13, 33}, {64, 240, 100}, {255, 31, 64}, {256, 64, 16}};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

typedef void fast_fn(float *restrict out, const float *restrict a, const float *restrict b, int rows, int in, int outs);
typedef void slow_fn(double *out, const double *a, const double *b, int rows, int in, int outs);

/* |error| <= terms 2^-24 sum |a_i b_i|, whatever the order of additions; the twin of |a| and |b| gives the sum. */
static void check_product(fast_fn *fast, slow_fn *slow, int rows, int in, int outs, int64_t n_out, int64_t n_a, int64_t n_b,
                          int terms)
{
    float *a = MEM_ARRAY(float, n_a), *b = MEM_ARRAY(float, n_b), *got = MEM_ARRAY(float, n_out + 1);
    double *exact_a = MEM_ARRAY(double, n_a), *exact_b = MEM_ARRAY(double, n_b);
    double *expected = MEM_ARRAY(double, n_out), *size = MEM_ARRAY(double, n_out);
    rng_fill_normal(a, n_a, 1.0f, 1, (uint64_t)terms, 0);
    rng_fill_normal(b, n_b, 1.0f, 2, (uint64_t)terms, 0);
    for (int64_t i = 0; i < n_a; i++)
        exact_a[i] = a[i];
    for (int64_t i = 0; i < n_b; i++)
        exact_b[i] = b[i];
    for (int64_t i = 0; i <= n_out; i++)
        got[i] = NAN; /* := must not look at what was there; the last one must stay */
    fast(got, a, b, rows, in, outs);
    slow(expected, exact_a, exact_b, rows, in, outs);
    for (int64_t i = 0; i < n_a; i++)
        exact_a[i] = fabs(exact_a[i]);
    for (int64_t i = 0; i < n_b; i++)
        exact_b[i] = fabs(exact_b[i]);
    slow(size, exact_a, exact_b, rows, in, outs);
    for (int64_t i = 0; i < n_out; i++)
        assert_true(fabs(got[i] - expected[i]) <= (terms + 1) * 0x1p-24 * size[i]);
    assert_true(isnan(got[n_out]));

    float *moved_a = MEM_ARRAY(float, n_a + 16), *moved_b = MEM_ARRAY(float, n_b + 16), *moved = MEM_ARRAY(float, n_out + 16);
    for (int offset = 1; offset < 16; offset += 3) {
        memcpy(moved_a + offset, a, (size_t)n_a * sizeof *a);
        memcpy(moved_b + 16 - offset, b, (size_t)n_b * sizeof *b);
        fast(moved + offset, moved_a + offset, moved_b + 16 - offset, rows, in, outs);
        assert_memory_equal(moved + offset, got, (size_t)n_out * sizeof *got);
    }
    void *blocks[] = {a, b, got, exact_a, exact_b, expected, size, moved_a, moved_b, moved};
    for (int i = 0; i < 10; i++)
        mem_free(blocks[i]);
}

static void test_products_equal_their_twins(void **state)
{
    (void)state;
    gemm_init();
    for (int i = 0; i < SHAPES; i++) {
        const int rows = shapes[i][0], in = shapes[i][1], out = shapes[i][2];
        const int64_t x = (int64_t)rows * in, w = (int64_t)out * in, a = (int64_t)rows * out;
        check_product(gemm_forward, ref_gemm_forward, rows, in, out, a, x, w, in);
        check_product(gemm_input_gradient, ref_gemm_input_gradient, rows, in, out, x, a, w, out);
        check_product(gemm_weight_gradient, ref_gemm_weight_gradient, rows, in, out, w, a, x, rows);
    }
}

static void test_kernel_has_a_name(void **state)
{
    (void)state;
    assert_non_null(strstr(gemm_kernel_name(), "OpenBLAS"));
    assert_non_null(strstr(gemm_kernel_name(), ", kernel "));
    assert_ptr_equal(gemm_kernel_name(), gemm_kernel_name());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_equal_their_twins),
        cmocka_unit_test(test_kernel_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
