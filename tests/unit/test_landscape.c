/* test_landscape - scores of random networks equal a naive evaluation of the same formulas; minima are counted as a second,
 * slower definition counts them, plateaus once; "smoother with larger beta" is a number. */
#include "launcher/figures/landscape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

static const activation_shape_t shape = {.beta = 0.7, .clip = 1.5};

/* ---- scores ---------------------------------------------------------------------------------------------------------- */

#define WIDEST 256

static double clipped_smelu(double x)
{
    const double beta = shape.beta, y = x <= -beta ? 0 : x >= beta ? x : (x + beta) * (x + beta) / (4 * beta);
    return y > shape.clip ? shape.clip : y;
}

/* One point, one unit after the other. */
static double naive_score(const landscape_options_t *o, const double *x)
{
    static const int widths[] = {256, 128, 64, 32, 16, 1};
    double f[WIDEST], a[WIDEST];
    memcpy(f, x, sizeof *x * (size_t)o->inputs);
    for (int l = 0, in = o->inputs; l < 6; in = widths[l++]) {
        for (int j = 0; j < widths[l]; j++) {
            double length = 0;
            a[j] = 0;
            for (int k = 0; k < in; k++) {
                const double w = o->weight_std * rng_normal(o->seed, (uint64_t)(2 * l), (uint64_t)(j * in + k));
                a[j] += w * f[k];
                length += w * w;
            }
            if (o->norm == LANDSCAPE_WEIGHT_NORM)
                a[j] /= sqrt(length);
            a[j] += o->bias_std * rng_normal(o->seed, (uint64_t)(2 * l + 1), (uint64_t)j);
        }
        double mean = 0, square = 0;
        for (int j = 0; j < widths[l]; j++) {
            mean += a[j] / widths[l];
            square += a[j] * a[j] / widths[l];
        }
        for (int j = 0; j < widths[l] && l < 5; j++)
            f[j] = clipped_smelu(o->norm == LANDSCAPE_LAYER_NORM ? (a[j] - mean) / sqrt(square - mean * mean) : a[j]);
    }
    return a[0];
}

static void test_scores(void **state)
{
    (void)state;
    enum { POINTS = 67 }; /* more than a block, and not a multiple of one */
    for (int inputs = 1; inputs <= 2; inputs++)
        for (int norm = LANDSCAPE_WEIGHT_NORM; norm <= LANDSCAPE_LAYER_NORM; norm++) {
            const landscape_options_t o = {5, inputs, 2, 0.5, (landscape_norm_t)norm, activation_smelu.exact, &shape};
            double x[2 * POINTS], s[POINTS];
            for (int i = 0; i < inputs * POINTS; i++)
                x[i] = 3 * rng_normal(9, 0, (uint64_t)i);
            landscape_t *landscape = landscape_create(&o);
            landscape_score(landscape, s, x, POINTS);
            for (int i = 0; i < POINTS; i++)
                assert_true(fabs(s[i] - naive_score(&o, x + i * inputs)) < 1e-9);
            landscape_destroy(&landscape);
            assert_null(landscape);
        }
}

static void test_logistic(void **state)
{
    (void)state;
    for (double s = -20; s <= 20; s += 0.37) {
        const double p = 1 / (1 + exp(-s));
        assert_true(fabs(landscape_logistic(s, 0.3) + 0.3 * log(p) + 0.7 * log(1 - p)) < 1e-6);
    }
    assert_true(landscape_logistic(1e4, 0.25) == 7500 && landscape_logistic(-1e4, 0.25) == 2500);
}

static void test_normalise(void **state)
{
    (void)state;
    double loss[] = {3, -1, 1}, flat[] = {2, 2};
    landscape_normalise(loss, 3);
    assert_true(loss[0] == 1 && loss[1] == 0 && loss[2] == 0.5);
    landscape_normalise(flat, 2);
    assert_true(flat[0] == 0 && flat[1] == 0);
}

/* ---- minima ---------------------------------------------------------------------------------------------------------- */

static void test_minima_of_curves(void **state)
{
    (void)state;
#define CURVE(WANTED, ...) \
    do { \
        const double curve[] = {__VA_ARGS__}; \
        assert_int_equal(landscape_minima(curve, 1, sizeof curve / sizeof *curve), WANTED); \
    } while (0)
    CURVE(1, 1, 0, 1);
    CURVE(1, 1, 0, 0, 0, 1); /* a plateau is one */
    CURVE(0, 0, 0.5, 1);     /* the border is none */
    CURVE(0, 1, 0.5, 0);
    CURVE(0, 0, 0, 1);        /* nor is a plateau that reaches it */
    CURVE(0, 1, 0.5, 0.5, 0); /* a flat step */
    CURVE(0, 0, 1, 1, 0);     /* a maximum */
    CURVE(2, 1, 0, 0.5, 0.2, 1);
    CURVE(1, 1, 0, 1e-11, 0, 1); /* below rounding */
    CURVE(2, 1, 0, 1e-7, 0, 1);
    CURVE(0, 0.5, 0.5, 0.5);
    CURVE(0, 0.5);
#undef CURVE
}

/* Minima of a grid by the definition, from the other end: give plateaus numbers by spreading the lowest until nothing
 * changes, then strike out the numbers that touch something lower or the border. */
static int64_t slow_minima(const double *loss, int rows, int columns)
{
    const int n = rows * columns;
    int *plateau = MEM_ARRAY(int, n);
    bool *struck = MEM_ARRAY(bool, n), changed = true;
    for (int i = 0; i < n; i++)
        plateau[i] = i;
    while (changed) {
        changed = false;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                if (abs(i / columns - j / columns) <= 1 && abs(i % columns - j % columns) <= 1 && loss[i] == loss[j] &&
                    plateau[j] < plateau[i]) {
                    plateau[i] = plateau[j];
                    changed = true;
                }
    }
    for (int i = 0; i < n; i++) {
        const int row = i / columns, column = i % columns;
        struck[plateau[i]] |= row == 0 || row == rows - 1 || column == 0 || column == columns - 1;
        for (int j = 0; j < n; j++)
            struck[plateau[i]] |= abs(row - j / columns) <= 1 && abs(column - j % columns) <= 1 && loss[j] < loss[i];
    }
    int64_t minima = 0;
    for (int i = 0; i < n; i++)
        minima += plateau[i] == i && !struck[i];
    mem_free(plateau);
    mem_free(struck);
    return minima;
}

static void test_minima_of_surfaces(void **state)
{
    (void)state;
    enum { ROWS = 9, COLUMNS = 13 };
    int64_t all = 0;
    for (int round = 0; round < 300; round++) {
        double loss[ROWS * COLUMNS];
        const uint64_t values = 2 + (uint64_t)round % 7; /* few values: many plateaus */
        for (int i = 0; i < ROWS * COLUMNS; i++)
            loss[i] = (double)(rng_u64(3, (uint64_t)round, (uint64_t)i) % values) / (double)values;
        const int64_t wanted = slow_minima(loss, ROWS, COLUMNS);
        assert_int_equal(landscape_minima(loss, ROWS, COLUMNS), wanted);
        all += wanted;
    }
    assert_true(all > 300);
}

/* The claim of Figs. 2 and 3: wider transitions leave fewer minima. */
static void test_smoother_with_larger_beta(void **state)
{
    (void)state;
    enum { POINTS = 1001, NETWORKS = 6 };
    static const double betas[] = {0, 0.1, 0.5, 1}; /* 0: ReLU */
    static double x[POINTS], s[POINTS];
    int64_t minima[4] = {0};
    for (int i = 0; i < POINTS; i++)
        x[i] = 6 * (2.0 * i / (POINTS - 1) - 1);
    for (int b = 0; b < 4; b++)
        for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
            const activation_shape_t width = {.beta = b ? betas[b] : 1, .clip = 6};
            const landscape_options_t o = {
                seed, 1, 1, 1, LANDSCAPE_LAYER_NORM, b ? activation_smelu.exact : activation_relu.exact, &width};
            landscape_t *landscape = landscape_create(&o);
            landscape_score(landscape, s, x, POINTS);
            for (int i = 0; i < POINTS; i++)
                s[i] = landscape_logistic(s[i], 0.3);
            landscape_normalise(s, POINTS);
            minima[b] += landscape_minima(s, 1, POINTS);
            landscape_destroy(&landscape);
        }
    assert_true(minima[0] > minima[1] && minima[1] > minima[2] && minima[2] >= minima[3]);
    assert_true(minima[0] > 3 * minima[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_logistic),
        cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_minima_of_curves),
        cmocka_unit_test(test_minima_of_surfaces),
        cmocka_unit_test(test_smoother_with_larger_beta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
