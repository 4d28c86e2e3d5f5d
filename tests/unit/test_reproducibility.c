/* Proves that an experiment's numbers over replicas are what their definitions say of the whole result: standard errors equal
 * those of measuring the experiment again without one replica after the other, the same one of every variant; levelled PD is
 * that of predictions at one level; and both are unknown where they cannot be known. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"
#include "launcher/report/result.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { EXAMPLES = 600, REPLICAS = 5, VARIANTS = 2, NOBODY = -1 };

/* Replicas share an order: its noise is the same in both variants, and half as strong in variant 1. */
static float prediction(int v, int r, int64_t i)
{
    const double score = 3.0 * rng_uniform(1, 1, (uint64_t)i) - 2.5, level = rng_uniform(2, (uint64_t)r, 0),
                 noise = rng_uniform(3, (uint64_t)r, (uint64_t)i) + 0.1 * rng_uniform(4, (uint64_t)(10 * v + r), (uint64_t)i);
    return (float)(1.0 / (1.0 + exp(-score - (v ? 0.5 : 1.0) * (level + noise))));
}

/* Without replica `out`, or with all. */
static experiment_result_t measured(int replicas, int out)
{
    experiment_result_t e = {.variants = VARIANTS, .eval_examples = EXAMPLES, .variant = MEM_ARRAY(variant_result_t, VARIANTS)};
    for (int v = 0; v < VARIANTS; v++) {
        e.variant[v] = (variant_result_t){.name = v ? "b" : "a", .replica = MEM_ARRAY(replica_result_t, replicas)};
        for (int r = 0; r < replicas; r++) {
            if (r == out)
                continue;
            float *p = e.variant[v].replica[e.variant[v].replicas++].predictions = MEM_ARRAY(float, EXAMPLES);
            for (int64_t i = 0; i < EXAMPLES; i++)
                p[i] = prediction(v, r, i);
        }
    }
    assert_int_equal(result_summarise(&e), ST_OK);
    return e;
}

/* What the errors are of, in the order of REPLICA_ERRORS. */
static void values_of(const variant_result_t *variant, double value[4])
{
    value[0] = variant->reproducibility.pd_relative.value;
    value[1] = variant->reproducibility.pd_levelled.value;
    value[2] = variant->pd_difference.value;
    value[3] = variant->pd_levelled_difference.value;
}

static void test_errors_are_those_of_leaving_replicas_out(void **state)
{
    (void)state;
    for (int replicas = 3; replicas <= REPLICAS; replicas++) {
        experiment_result_t all = measured(replicas, NOBODY);
        double value[VARIANTS][4][REPLICAS];
        for (int out = 0; out < replicas; out++) {
            experiment_result_t left = measured(replicas, out);
            for (int v = 0; v < VARIANTS; v++) {
                double one[4];
                values_of(&left.variant[v], one);
                for (int k = 0; k < 4; k++)
                    value[v][k][out] = one[k];
            }
            result_fini(&left);
        }
        for (int v = 0; v < VARIANTS; v++) {
            const replica_errors_t *error = &all.variant[v].error;
            const double found[] = {error->pd_relative, error->pd_levelled, error->pd_difference,
                                    error->pd_levelled_difference};
            for (int k = 0; k < 4; k++) {
                double mean = 0, squares = 0;
                for (int r = 0; r < replicas; r++)
                    mean += value[v][k][r] / replicas;
                for (int r = 0; r < replicas; r++)
                    squares += (value[v][k][r] - mean) * (value[v][k][r] - mean);
                const double expected = sqrt(squares * (replicas - 1) / replicas);
                assert_near(found[k], expected, 1e-12);
                assert_true(v == 0 ? (k < 2) == (found[k] > 1e-4) : found[k] > 1e-4);
            }
        }
        result_fini(&all);
    }
}

static void test_levelled_is_pd_at_one_level(void **state)
{
    (void)state;
    experiment_result_t e = measured(REPLICAS, NOBODY);
    static float levelled[REPLICAS][EXAMPLES];
    for (int v = 0; v < VARIANTS; v++) {
        const float *p[REPLICAS];
        for (int r = 0; r < REPLICAS; r++)
            p[r] = e.variant[v].replica[r].predictions;
        level_predictions(p, REPLICAS, NULL, EXAMPLES, levelled[0]);
        double sum = 0;
        for (int i = 0; i < REPLICAS; i++)
            for (int j = i + 1; j < REPLICAS; j++)
                sum += pd_of_pair(levelled[i], levelled[j], EXAMPLES);
        const estimate_t found = e.variant[v].reproducibility.pd_levelled;
        assert_near(found.value, sum / pd_pairs(REPLICAS), 1e-12);
        assert_true(found.low < found.value && found.value < found.high);
        assert_true(found.value < 0.9 * e.variant[v].reproducibility.pd_relative.value);
    }
    const estimate_t difference = e.variant[1].pd_levelled_difference;
    assert_near(difference.value,
                e.variant[1].reproducibility.pd_levelled.value - e.variant[0].reproducibility.pd_levelled.value, 1e-12);
    assert_true(difference.low < difference.value && difference.value < difference.high && difference.high < 0);
    result_fini(&e);
}

static void test_two_replicas_have_no_error(void **state)
{
    (void)state;
    experiment_result_t e = measured(2, NOBODY);
    const replica_errors_t *error = &e.variant[1].error;
    assert_true(isnan(error->pd_relative) && isnan(error->pd_levelled) && isnan(error->pd_difference) &&
                isnan(error->pd_levelled_difference));
    assert_true(isfinite(e.variant[1].reproducibility.pd_levelled.value));
    result_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_those_of_leaving_replicas_out),
        cmocka_unit_test(test_levelled_is_pd_at_one_level),
        cmocka_unit_test(test_two_replicas_have_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
