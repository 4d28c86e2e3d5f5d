/* test_product - "the result depends on the operands and on n alone" (common/products/product.h): every kernel that this
 * processor has gives the bits of a chain of fmaf, element by element, whatever the shape, the alignment, the values and the
 * number of rows of a call. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/products/matrix.h"
#include "tests/lib/testing.h"

/* rows, in, out: around tiles, panels and pieces of every kernel, and primes. */
static const int shapes[][3] = {
    {1, 1, 1},    {1, 70, 1},   {70, 1, 70},  {2, 3, 5},     {7, 16, 17},  {13, 31, 33},  {12, 32, 64},   {25, 48, 8},
    {67, 61, 53}, {64, 43, 32}, {61, 67, 1},  {5, 1, 40},    {59, 2, 47},  {3, 1031, 19}, {521, 19, 37},  {1, 37, 523},
    {37, 523, 3}, {241, 8, 13}, {257, 24, 1}, {1025, 3, 40}, {53, 70, 70}, {11, 1543, 6}, {300, 17, 601},
};

typedef struct operands {
    int rows, in, out;
    float *w, *x, *da, *bias, *a, *dx, *dw; /* each somewhere in a block of its own */
} operands_t;

#define BLOCKS 7
#define SLACK 16

/* ---- the twin -------------------------------------------------------------------------------------------------------- */

static void twin_forward(const operands_t *o, float *a, const float *bias)
{
    for (int r = 0; r < o->rows; r++)
        for (int j = 0; j < o->out; j++) {
            float sum = bias ? bias[j] : 0.0f;
            for (int k = 0; k < o->in; k++)
                sum = fmaf(o->x[r * o->in + k], o->w[j * o->in + k], sum);
            a[r * o->out + j] = sum;
        }
}

static void twin_input_gradient(const operands_t *o, float *dx, bool adds)
{
    for (int r = 0; r < o->rows; r++)
        for (int i = 0; i < o->in; i++) {
            float sum = adds ? dx[r * o->in + i] : 0.0f;
            for (int j = 0; j < o->out; j++)
                sum = fmaf(o->da[r * o->out + j], o->w[j * o->in + i], sum);
            dx[r * o->in + i] = sum;
        }
}

static void twin_weight_gradient(const operands_t *o, float *dw)
{
    for (int j = 0; j < o->out; j++)
        for (int i = 0; i < o->in; i++) {
            float sum = 0.0f;
            for (int r = 0; r < o->rows; r++)
                sum = fmaf(o->da[r * o->out + j], o->x[r * o->in + i], sum);
            dw[j * o->in + i] = sum;
        }
}

/* ---- operands -------------------------------------------------------------------------------------------------------- */

/* Any number: mostly of moderate size, and now and then a zero of either sign, the smallest and largest there are, an infinity
 * or no number. */
static float any(uint64_t draw)
{
    static const float odd[] = {0.0f,     -0.0f,     0x1p-149f, -0x1p-149f, 0x1.fffffcp-127f, -0x1p-126f, 0x1.fffffep127f,
                                INFINITY, -INFINITY, NAN,       0x1p-75f,   -0x1.000002p-75f, 1.0f,       -1.0f};
    const uint64_t n = sizeof odd / sizeof *odd;
    if (draw % 64 < n && draw % 5 == 0)
        return odd[draw % 64];
    return ldexpf((float)(int32_t)(draw >> 32), -31 - (int)(draw >> 8 & 15));
}

static float *fill(float *block, int64_t n, int offset, uint64_t seed, bool is_wild)
{
    float *values = block + offset;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t draw = hash_mix(seed + (uint64_t)i);
        values[i] = is_wild ? any(draw) : ldexpf((float)(int32_t)(draw >> 32), -31);
    }
    return values;
}

static void operands_init(operands_t *o, float *blocks[BLOCKS], const int shape[3], int offset, bool is_wild)
{
    *o = (operands_t){.rows = shape[0], .in = shape[1], .out = shape[2]};
    const int64_t w = (int64_t)o->out * o->in, x = (int64_t)o->rows * o->in, a = (int64_t)o->rows * o->out;
    const int64_t sizes[BLOCKS] = {w, x, a, o->out, a, x, w};
    float **places[BLOCKS] = {&o->w, &o->x, &o->da, &o->bias, &o->a, &o->dx, &o->dw};
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = MEM_ARRAY(float, sizes[i] + 2 * SLACK);
        *places[i] = fill(blocks[i], sizes[i], (offset + 3 * i) % SLACK, (uint64_t)(offset * BLOCKS + i) << 32, is_wild);
    }
}

static bool is_equal(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void check_equal(const char *what, const product_kernel_t *kernel, const operands_t *o, const float *got,
                        const float *wanted, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!is_equal(got[i], wanted[i]))
            fail_msg("%s of %d x %d -> %d by %s: element %ld is %a, not %a", what, o->rows, o->in, o->out, kernel->name,
                     (long)i, (double)got[i], (double)wanted[i]);
}

/* Of all kernels that are here; the next one where the last is not. */
static const product_kernel_t *next_here(int *i)
{
    const product_kernel_t *kernel;
    while ((kernel = product_kernel_at((*i)++)))
        if (kernel->is_here())
            return kernel;
    return NULL;
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

/* In pieces of rows, which must not show: `some` at a time. */
static void run_forward(matrix_t *m, const operands_t *o, const float *bias, int some)
{
    for (int r = 0; r < o->rows; r += some)
        matrix_forward(m, o->a + (int64_t)r * o->out, o->x + (int64_t)r * o->in, bias, o->rows - r < some ? o->rows - r : some);
}

static void check_kernel(const product_kernel_t *kernel, const operands_t *o, float *wanted, float *more)
{
    const int64_t w = (int64_t)o->out * o->in, x = (int64_t)o->rows * o->in, a = (int64_t)o->rows * o->out;
    matrix_t *m = matrix_create(kernel, o->in, o->out);
    matrix_set(m, o->w);
    o->a[a] = o->dx[x] = o->dw[w] = 7.0f; /* what is behind must stay */
    for (int biased = 0; biased < 2; biased++) {
        twin_forward(o, wanted, biased ? o->bias : NULL);
        const int some[] = {o->rows, 1 + o->rows / 3, 1};
        for (int i = 0; i < 3; i++) {
            memset(o->a, 0xff, (size_t)a * sizeof(float)); /* := must not look at what was there */
            run_forward(m, o, biased ? o->bias : NULL, some[i]);
            check_equal(biased ? "forward with bias" : "forward", kernel, o, o->a, wanted, a);
        }
    }
    twin_input_gradient(o, wanted, false);
    memcpy(more, o->dx, (size_t)x * sizeof(float));
    matrix_input_gradient(m, o->dx, o->da, o->rows);
    check_equal("input gradient", kernel, o, o->dx, wanted, x);
    memcpy(o->dx, more, (size_t)x * sizeof(float));
    twin_input_gradient(o, more, true);
    memcpy(wanted, o->dx, (size_t)x * sizeof(float));
    matrix_add_input_gradient(m, o->dx, o->da, o->rows);
    check_equal("added input gradient", kernel, o, o->dx, more, x);
    memcpy(o->dx, wanted, (size_t)x * sizeof(float));
    twin_weight_gradient(o, wanted);
    memset(o->dw, 0xff, (size_t)w * sizeof(float));
    matrix_weight_gradient(m, o->dw, o->da, o->x, o->rows);
    check_equal("weight gradient", kernel, o, o->dw, wanted, w);
    assert_true(o->a[a] == 7.0f && o->dx[x] == 7.0f && o->dw[w] == 7.0f);
    matrix_destroy(&m);
}

static void check_shape(const int shape[3], int offset, bool is_wild)
{
    operands_t o;
    float *blocks[BLOCKS];
    operands_init(&o, blocks, shape, offset, is_wild);
    const int64_t most = (int64_t)(o.rows > o.out ? o.rows : o.out) * (o.in > o.out ? o.in : o.out);
    float *wanted = MEM_ARRAY(float, most), *more = MEM_ARRAY(float, most);
    const product_kernel_t *kernel;
    for (int i = 0; (kernel = next_here(&i));)
        check_kernel(kernel, &o, wanted, more);
    for (int i = 0; i < BLOCKS; i++)
        mem_free(blocks[i]);
    mem_free(wanted);
    mem_free(more);
}

static void test_kernels_equal_their_twin(void **state)
{
    (void)state;
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++) {
        check_shape(shapes[i], i, false);
        check_shape(shapes[i], i + 5, true);
    }
    for (int i = 0; i < 40; i++) {
        const int shape[3] = {1 + (int)(hash_mix((uint64_t)i) % 70), 1 + (int)(hash_mix((uint64_t)i + 100) % 70),
                              1 + (int)(hash_mix((uint64_t)i + 200) % 70)};
        check_shape(shape, i, i % 2);
    }
}

/* Operands of one round: any bits at all, or a product just between two floats and a sum that tips the balance from far below
 * the last bit of a double. x is the first of them. */
static void draw_fused(float *x, float *w, float *bias, int n, int round)
{
    *x = round % 2 ? 1.0f + (float)(hash_mix((uint64_t)round) % 4096) * 0x1p-12f : any(hash_mix((uint64_t)round));
    for (int i = 0; i < n; i++) {
        const uint64_t draw = hash_mix((uint64_t)(round * n + i));
        const uint32_t one = (uint32_t)draw, other = (uint32_t)(draw >> 32);
        if (round % 2) {
            w[i] = 1.0f + (float)(one % 4096) * 0x1p-12f;
            bias[i] = ldexpf(other % 2 ? 1.0f : -1.0f, -(int)(other % 80));
        } else {
            memcpy(&w[i], &one, sizeof w[i]);
            memcpy(&bias[i], &other, sizeof bias[i]);
        }
    }
}

/* Also that of the plain kernel, which may have none of the processor's. */
static void test_fused_is_fused(void **state)
{
    (void)state;
    enum { N = 512, ROUNDS = 400 };
    float w[N], bias[N], x, a[N];
    const product_kernel_t *kernel;
    for (int k = 0; (kernel = next_here(&k));) {
        matrix_t *m = matrix_create(kernel, 1, N);
        for (int round = 0; round < ROUNDS; round++) {
            draw_fused(&x, w, bias, N, round);
            matrix_set(m, w);
            matrix_forward(m, a, &x, bias, 1);
            for (int i = 0; i < N; i++)
                if (!is_equal(a[i], fmaf(x, w[i], bias[i])))
                    fail_msg("%s: fma(%a, %a, %a) is %a, not %a", kernel->name, (double)x, (double)w[i], (double)bias[i],
                             (double)a[i], (double)fmaf(x, w[i], bias[i]));
        }
        matrix_destroy(&m);
    }
}

/* "the weights are w, borrowed until the next call": what was packed is packed again. */
static void test_new_weights_count(void **state)
{
    (void)state;
    float w[2] = {2.0f, 3.0f}, x[2] = {5.0f, 7.0f}, a, dx[2], da = 1.0f;
    matrix_t *m = matrix_create(product_kernel_here(), 2, 1);
    for (int i = 0; i < 2; i++) {
        matrix_set(m, w);
        matrix_forward(m, &a, x, NULL, 1);
        matrix_input_gradient(m, dx, &da, 1);
        assert_true(a == 5.0f * w[0] + 7.0f * w[1] && dx[0] == w[0] && dx[1] == w[1]);
        w[1] = 11.0f;
    }
    matrix_destroy(&m);
    assert_null(m);
}

static void test_environment_chooses(void **state)
{
    (void)state;
    unsetenv(PRODUCT_ENVIRONMENT);
    assert_int_equal(product_kernel_check(), ST_OK);
    int first = 0;
    assert_ptr_equal(product_kernel_here(), next_here(&first));
    const product_kernel_t *kernel;
    for (int i = 0; (kernel = product_kernel_at(i)); i++) {
        setenv(PRODUCT_ENVIRONMENT, kernel->name, 1);
        assert_int_equal(product_kernel_check(), kernel->is_here() ? ST_OK : ST_INPUT);
        if (kernel->is_here())
            assert_ptr_equal(product_kernel_here(), kernel);
    }
    setenv(PRODUCT_ENVIRONMENT, "sse9", 1);
    assert_int_equal(product_kernel_check(), ST_INPUT);
    unsetenv(PRODUCT_ENVIRONMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_equal_their_twin),
        cmocka_unit_test(test_fused_is_fused),
        cmocka_unit_test(test_new_weights_count),
        cmocka_unit_test(test_environment_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
