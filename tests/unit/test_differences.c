/* Proves that errors over replicas are what they say (docs/MATH.md eq. 43, 46 to 48): those of a number and of a difference of
 * any two variants are those of measuring the experiment again without one replica after the other; a significance is
 * Student's, corrected by Holm's method among all that are set against the same variant; replicas that are no pairs have no
 * error. */
#include "launcher/report/differences.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/t_test.h"
#include "tests/lib/testing.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { EXAMPLES = 200, REPLICAS = 5, VARIANTS = 4, NUMBERS = 6, NOBODY = -1 };

static float prediction(int v, int r, int64_t i)
{
    const double noise = rng_uniform(3, (uint64_t)r, (uint64_t)i) + 0.2 * rng_uniform(4, (uint64_t)(10 * v + r), (uint64_t)i);
    return (float)(1.0 / (1.0 + exp(2.0 - 3.0 * rng_uniform(1, 1, (uint64_t)i) - (1.0 + 0.3 * v) * noise)));
}

/* An order is as good for all variants: what replicas share is larger than what sets them apart. */
static double number(int v, int r, int which)
{
    return 0.5 + 0.1 * rng_uniform(5, (uint64_t)r, (uint64_t)which) +
           0.02 * rng_uniform(6, (uint64_t)(10 * v + r), (uint64_t)which) + 0.01 * v;
}

/* Without replica `out`, or with all. */
static experiment_result_t measured(int replicas, int out)
{
    experiment_result_t e = {.variants = VARIANTS, .eval_examples = EXAMPLES, .variant = MEM_ARRAY(variant_result_t, VARIANTS)};
    for (int v = 0; v < VARIANTS; v++) {
        e.variant[v] = (variant_result_t){.name = "v", .replica = MEM_ARRAY(replica_result_t, replicas)};
        for (int r = 0; r < replicas; r++) {
            if (r == out)
                continue;
            replica_result_t *replica = &e.variant[v].replica[e.variant[v].replicas++];
            replica->quality = (quality_t){.logloss = number(v, r, 0),
                                           .auc_loss = number(v, r, 1),
                                           .pqauc_loss = number(v, r, 2),
                                           .calibration = number(v, r, 3)};
            replica->predictions = MEM_ARRAY(float, EXAMPLES);
            for (int64_t i = 0; i < EXAMPLES; i++)
                replica->predictions[i] = prediction(v, r, i);
        }
    }
    assert_int_equal(result_summarise(&e), ST_OK);
    return e;
}

static compared_t compared_of(int n)
{
    compared_t compared;
    assert_true(differences_compared(n, &compared));
    return compared;
}

static void test_what_is_compared(void **state)
{
    (void)state;
    static const char *const names[NUMBERS] = {"logloss",     "auc_loss",    "pqauc_loss",
                                               "calibration", "pd_relative", "pd_levelled"};
    compared_t compared;
    for (int n = 0; n < NUMBERS; n++) {
        compared = compared_of(n);
        assert_string_equal(differences_metric(&compared)->name, names[n]);
        assert_int_equal(differences_is_loss(&compared), n < 3);
    }
    assert_false(differences_compared(NUMBERS, &compared));
}

/* Eq. 43, written out. */
static double error_by_definition(const double *without, int replicas)
{
    double mean = 0, squares = 0;
    for (int r = 0; r < replicas; r++)
        mean += without[r] / replicas;
    for (int r = 0; r < replicas; r++)
        squares += pow(without[r] - mean, 2);
    return sqrt(squares * (replicas - 1) / replicas);
}

static void check_number(const experiment_result_t *all, const experiment_result_t *less, int replicas, int n)
{
    const compared_t compared = compared_of(n);
    for (int a = 0; a < VARIANTS; a++) {
        double without[REPLICAS], difference[REPLICAS], change[REPLICAS], p[VARIANTS];
        for (int r = 0; r < replicas; r++)
            without[r] = differences_value(&compared, &less[r].variant[a]);
        assert_near(result_error(&all->variant[a], compared.rows, compared.i), error_by_definition(without, replicas), 1e-12);
        for (int b = 0; b < VARIANTS; b++) { /* the others from a: the family of a correction */
            const difference_t *d = differences_of(all, b, a, n);
            for (int r = 0; r < replicas; r++) {
                const double of_b = differences_value(&compared, &less[r].variant[b]);
                difference[r] = of_b - without[r];
                change[r] = of_b / without[r] - 1;
            }
            const double value =
                differences_value(&compared, &all->variant[b]) - differences_value(&compared, &all->variant[a]);
            assert_near(d->value, value, 1e-12);
            assert_near(d->error, error_by_definition(difference, replicas), 1e-12);
            assert_near(d->p, t_test_p(d->value, d->error, replicas), 1e-12);
            p[b] = a == b ? NAN : d->p;
            if (differences_is_loss(&compared)) {
                assert_near(d->change, value / differences_value(&compared, &all->variant[a]), 1e-12);
                assert_near(d->change_error, error_by_definition(change, replicas), 1e-12);
                assert_true(d->replicas == t_test_replicas(d->change_error * sqrt(replicas), DIFFERENCES_DECIDE));
            } else {
                assert_true(isnan(d->change) && isnan(d->change_error) && isnan(d->replicas));
            }
        }
        t_test_holm(p, VARIANTS, p);
        for (int b = 0; b < VARIANTS; b++)
            if (a != b)
                assert_true(differences_of(all, b, a, n)->p_holm == p[b]);
    }
}

static void test_errors_are_those_of_leaving_replicas_out(void **state)
{
    (void)state;
    for (int replicas = 4; replicas <= REPLICAS; replicas++) {
        experiment_result_t all = measured(replicas, NOBODY), less[REPLICAS];
        for (int r = 0; r < replicas; r++)
            less[r] = measured(replicas, r);
        for (int n = 0; n < NUMBERS; n++)
            check_number(&all, less, replicas, n);
        for (int r = 0; r < replicas; r++)
            result_fini(&less[r]);
        result_fini(&all);
    }
}

/* The error of a mean is the textbook's. Pairs know more than two variants that are taken for independent. */
static void test_means(void **state)
{
    (void)state;
    experiment_result_t e = measured(REPLICAS, NOBODY);
    double mean = 0, squares = 0;
    for (int r = 0; r < REPLICAS; r++)
        mean += number(1, r, 0) / REPLICAS;
    for (int r = 0; r < REPLICAS; r++)
        squares += pow(number(1, r, 0) - mean, 2);
    assert_near(e.variant[1].quality_error.logloss, sqrt(squares / (REPLICAS - 1) / REPLICAS), 1e-12);
    assert_true(differences_of(&e, 1, 0, 0)->error < 0.5 * e.variant[1].quality_error.logloss);
    result_fini(&e);
}

static void test_what_is_not_known(void **state)
{
    (void)state;
    experiment_result_t e = measured(2, NOBODY);
    assert_true(isnan(differences_of(&e, 1, 0, 0)->error) && isnan(differences_of(&e, 1, 0, 0)->p_holm));
    assert_true(isfinite(differences_of(&e, 1, 0, 0)->change) && isnan(e.variant[0].quality_error.logloss));
    result_fini(&e);

    e = measured(REPLICAS, NOBODY);
    mem_free(e.variant[1].replica[REPLICAS - 1].predictions);
    e.variant[1].replicas--;
    e.variant[2].replica[0].quality.pqauc_loss = NAN;
    differences_measure(&e);
    assert_true(isnan(differences_of(&e, 1, 0, 0)->error)); /* another number of replicas: which are pairs? */
    assert_true(isfinite(differences_of(&e, 3, 0, 0)->error));
    assert_true(isnan(differences_of(&e, 2, 0, 2)->error) && isfinite(differences_of(&e, 2, 0, 1)->error));
    result_fini(&e);
}

/* A matrix of very many variants is nothing that anybody reads. */
static void test_many_variants(void **state)
{
    (void)state;
    enum { MANY = DIFFERENCES_MOST_VARIANTS + 1 };
    experiment_result_t e = {.variants = MANY, .baseline = 3, .variant = MEM_ARRAY(variant_result_t, MANY)};
    for (int v = 0; v < MANY; v++) {
        e.variant[v] = (variant_result_t){.name = "v", .replicas = 3, .replica = MEM_ARRAY(replica_result_t, 3)};
        for (int r = 0; r < 3; r++)
            e.variant[v].replica[r].quality.logloss = number(v, r, 0);
    }
    assert_int_equal(result_summarise(&e), ST_OK);
    for (int v = 0; v < MANY; v++)
        assert_int_equal(differences_has_reference(&e, v), v == 3);
    const difference_t *d = differences_of(&e, MANY - 1, 3, 0);
    assert_near(d->value, e.variant[MANY - 1].quality.logloss - e.variant[3].quality.logloss, 1e-12);
    assert_true(d->p_holm >= d->p);
    result_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_compared),
        cmocka_unit_test(test_errors_are_those_of_leaving_replicas_out),
        cmocka_unit_test(test_means),
        cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_many_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
