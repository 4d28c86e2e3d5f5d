/* test_cross - a cross layer, made of products and what cross.h does beside them, equals its double twin, whose gradients equal
 * finite differences; dx0 is set or added to, as asked. */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/kernels/cross.h"
#include "common/kernels/ref.h"
#include "common/products/gemm.h"
#include "tests/lib/testing.h"

#define ROWS 4
#define WIDTH_MOST 19
#define FLOATS (WIDTH_MOST * WIDTH_MOST)

static void draw(float *single, double *twice, int n, uint64_t stream)
{
    rng_fill_normal(single, n, 1.0f, 1, stream, 0);
    for (int i = 0; i < n; i++)
        twice[i] = (double)single[i];
}

static void assert_close(const float *got, const double *expected, int n)
{
    for (int i = 0; i < n; i++)
        assert_true(fabs((double)got[i] - expected[i]) <= 2e-5 * (1.0 + fabs(expected[i])));
}

typedef struct layer_of_doubles {
    double x0[FLOATS], x[FLOATS], w[FLOATS], b[FLOATS], y[FLOATS], dy[FLOATS];
    double dx0[FLOATS], dx[FLOATS], dw[FLOATS], db[FLOATS];
} layer_of_doubles_t;

static double total(layer_of_doubles_t *l, int width)
{
    double sum = 0.0;
    ref_cross_forward(l->y, l->x0, l->x, l->w, l->b, ROWS, width);
    for (int i = 0; i < ROWS * width; i++)
        sum += l->dy[i] * l->y[i];
    return sum;
}

/* y is linear in each input and each parameter: a difference of any width is the slope. */
static void check_differences(layer_of_doubles_t *l, int width)
{
    double *const at[] = {l->x0, l->x, l->w, l->b};
    const double *const slope[] = {l->dx0, l->dx, l->dw, l->db};
    const int n[] = {ROWS * width, ROWS * width, width * width, width};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < n[k]; i++) {
            const double value = at[k][i], before = total(l, width);
            at[k][i] = value + 1.0;
            const double after = total(l, width);
            at[k][i] = value;
            assert_true(fabs(after - before - slope[k][i]) < 1e-9);
        }
}

static void check(int width)
{
    static layer_of_doubles_t l;
    static float x0[FLOATS], x[FLOATS], w[FLOATS], b[FLOATS], dy[FLOATS], y[FLOATS], a[FLOATS], da[FLOATS], dx0[FLOATS],
        dx[FLOATS], dw[FLOATS], db[FLOATS];
    const int n = ROWS * width;
    draw(x0, l.x0, n, 1);
    draw(x, l.x, n, 2);
    draw(w, l.w, width * width, 3);
    draw(b, l.b, width, 4);
    draw(dy, l.dy, n, 5);
    ref_cross_backward(l.dx0, l.dx, l.dw, l.db, l.dy, l.x0, l.x, l.w, l.b, ROWS, width);
    check_differences(&l, width);
    ref_cross_forward(l.y, l.x0, l.x, l.w, l.b, ROWS, width);

    gemm_forward(a, x, w, ROWS, width, width);
    cross_forward(y, a, x0, x, b, ROWS, width);
    assert_close(y, l.y, n);
    memset(dx0, 0xff, sizeof dx0);
    cross_backward(da, dx0, false, db, dy, x0, a, ROWS, width);
    assert_close(dx0, l.dx0, n);
    assert_close(db, l.db, width);
    memcpy(dx, dy, sizeof dx);
    gemm_add_input_gradient(dx, da, w, ROWS, width, width);
    assert_close(dx, l.dx, n);
    gemm_weight_gradient(dw, da, x, ROWS, width, width);
    assert_close(dw, l.dw, width * width);
    for (int i = 0; i < n; i++) {
        dx0[i] = 0.5f;
        l.dx0[i] += 0.5;
    }
    cross_backward(da, dx0, true, db, dy, x0, a, ROWS, width);
    assert_close(dx0, l.dx0, n);
    memset(db, 0xff, sizeof db);
    cross_backward(da, NULL, false, db, dy, x0, a, ROWS, width);
    assert_close(db, l.db, width);
}

static void test_cross(void **state)
{
    (void)state;
    static const int widths[] = {1, 3, 16, WIDTH_MOST};
    gemm_init();
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        check(widths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cross)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
