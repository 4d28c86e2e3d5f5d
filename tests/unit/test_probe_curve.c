/* test_probe_curve - the curve of a variant's probes is what its definitions say, by brute force: at each step that all
 * replicas have probed alike, and at the end, relative and levelled PD and swaps over pairs of replicas, errors by leaving each
 * replica out and measuring again (common/metrics/spread.h, launcher/report/probe_curve.h). */
#include "launcher/report/probe_curve.h"

#include <math.h>

#include "common/base/rng.h"
#include "common/metrics/level.h"
#include "tests/lib/testing.h"

enum { ALL = 60, EXAMPLES = 38, OF_QUERY = 4, MOST = 4, POINTS = 3, END = 400 };

#define assert_near(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 1e-12)

static float predicted(int r, int64_t step, int64_t i)
{
    const double score = 2.0 * rng_uniform(1, 1, (uint64_t)i) - 1.0,
                 noise = rng_uniform(2, (uint64_t)(r * 1000 + step), (uint64_t)i) + 0.3 * rng_uniform(3, (uint64_t)r, 0);
    return (float)(1.0 / (1.0 + exp(-score - 4.0 * noise * 150.0 / (150.0 + (double)step))));
}

/* ---- brute force ------------------------------------------------------------------------------------------------------ */

static double pd(const float *const *p, int replicas)
{
    double sum = 0;
    int pairs = 0;
    for (int a = 0; a < replicas; a++)
        for (int b = a + 1; b < replicas; b++, pairs++)
            for (int i = 0; i < EXAMPLES; i++)
                sum += 2.0 * fabs((double)p[a][i] - (double)p[b][i]) / ((double)p[a][i] + (double)p[b][i]) / EXAMPLES;
    return sum / pairs;
}

static double levelled(const float *const *p, int replicas)
{
    float out[MOST][EXAMPLES];
    const float *at[MOST];
    level_predictions(p, replicas, NULL, EXAMPLES, out[0]);
    for (int r = 0; r < replicas; r++)
        at[r] = out[r];
    return pd(at, replicas);
}

/* Of the queries that the probe set has all of: the last one is cut. */
static double swapped(const float *const *p, int replicas)
{
    int swaps = 0, all = 0;
    for (int a = 0; a < replicas; a++)
        for (int b = a + 1; b < replicas; b++)
            for (int q = 0; (q + 1) * OF_QUERY <= EXAMPLES; q++, all++) {
                int top[2] = {q * OF_QUERY, q * OF_QUERY};
                for (int i = q * OF_QUERY; i < (q + 1) * OF_QUERY; i++) {
                    top[0] = p[a][i] > p[a][top[0]] ? i : top[0];
                    top[1] = p[b][i] > p[b][top[1]] ? i : top[1];
                }
                swaps += top[0] != top[1];
            }
    return (double)swaps / all;
}

typedef double measure_t(const float *const *p, int replicas);

static double error_of(measure_t *measure, const float *const *p, int replicas)
{
    double without[MOST], mean = 0, squares = 0;
    if (replicas < 3)
        return NAN;
    for (int out = 0; out < replicas; out++) {
        const float *left[MOST];
        for (int r = 0; r + 1 < replicas; r++)
            left[r] = p[r < out ? r : r + 1];
        without[out] = measure(left, replicas - 1);
        mean += without[out] / replicas;
    }
    for (int r = 0; r < replicas; r++)
        squares += (without[r] - mean) * (without[r] - mean);
    return sqrt(squares * (replicas - 1) / replicas);
}

static void expect_number(const spread_number_t *found, measure_t *measure, const float *const *p, int replicas)
{
    const double error = error_of(measure, p, replicas);
    assert_near(found->value, measure(p, replicas));
    assert_true(found->value > 0.001);
    if (isnan(error))
        assert_true(isnan(found->error));
    else
        assert_near(found->error, error);
}

/* ---- the curve ------------------------------------------------------------------------------------------------------- */

typedef struct fixture {
    experiment_result_t result;
    variant_result_t variant;
    replica_result_t replica[MOST];
    probe_reader_t probes[MOST];
    probe_point_t point[MOST][POINTS];
    float p[MOST][POINTS][EXAMPLES], last[MOST][ALL];
    uint64_t group[ALL];
} fixture_t;

static void setup(fixture_t *f, int replicas)
{
    *f = (fixture_t){.result = {.name = "e", .eval_examples = ALL, .variants = 1}};
    f->variant = (variant_result_t){.name = "v", .determinism = "sync", .replicas = replicas, .replica = f->replica};
    f->result.variant = &f->variant;
    for (int i = 0; i < ALL; i++)
        f->group[i] = 7000 + (uint64_t)(i / OF_QUERY);
    f->result.group = f->group;
    for (int r = 0; r < replicas; r++) {
        for (int s = 0; s < POINTS; s++) {
            for (int i = 0; i < EXAMPLES; i++)
                f->p[r][s][i] = predicted(r, 100 * (s + 1), i);
            f->point[r][s] = (probe_point_t){100 * (s + 1), EXAMPLES, f->p[r][s]};
        }
        f->probes[r] = (probe_reader_t){.point = f->point[r], .n = POINTS};
        for (int i = 0; i < ALL; i++)
            f->last[r][i] = predicted(r, END, i);
        f->replica[r].predictions = f->last[r];
    }
}

static void test_curve_is_brute_force(void **state)
{
    (void)state;
    static fixture_t f;
    for (int replicas = 2; replicas <= MOST; replicas++) {
        probe_curve_t curve;
        setup(&f, replicas);
        assert_int_equal(probe_curve_make(&f.result, &f.variant, f.probes, END, &curve), ST_OK);
        assert_int_equal(curve.points, POINTS + 1);
        assert_int_equal(curve.examples, EXAMPLES);
        for (int s = 0; s <= POINTS; s++) {
            const float *p[MOST];
            for (int r = 0; r < replicas; r++)
                p[r] = s < POINTS ? f.p[r][s] : f.last[r];
            assert_int_equal(curve.step[s], 100 * (s + 1));
            expect_number(&curve.spread[s].pd_relative, pd, p, replicas);
            expect_number(&curve.spread[s].pd_levelled, levelled, p, replicas);
            expect_number(&curve.spread[s].swap_top1, swapped, p, replicas);
        }
        probe_curve_fini(&curve);
    }
}

static void test_only_what_all_have(void **state)
{
    (void)state;
    static fixture_t f;
    probe_curve_t curve;
    setup(&f, 3);
    f.point[1][0].step = 101;
    f.point[2][1].examples = EXAMPLES - 1;
    assert_int_equal(probe_curve_make(&f.result, &f.variant, f.probes, 0, &curve), ST_OK);
    assert_int_equal(curve.points, 1);
    assert_int_equal(curve.step[0], 300);
    probe_curve_fini(&curve);
    f.result.group = NULL;
    assert_int_equal(probe_curve_make(&f.result, &f.variant, f.probes, END, &curve), ST_OK);
    assert_int_equal(curve.points, 2);
    assert_true(isnan(curve.spread[0].swap_top1.value) && isnan(curve.spread[0].swap_top1.error));
    probe_curve_fini(&curve);
    f.probes[1].n = 0;
    assert_int_equal(probe_curve_make(&f.result, &f.variant, f.probes, END, &curve), ST_OK);
    assert_int_equal(curve.points, 0);
    probe_curve_fini(&curve);
    setup(&f, 1);
    assert_int_equal(probe_curve_make(&f.result, &f.variant, f.probes, END, &curve), ST_OK);
    assert_int_equal(curve.points, 0);
    probe_curve_fini(&curve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve_is_brute_force),
        cmocka_unit_test(test_only_what_all_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
