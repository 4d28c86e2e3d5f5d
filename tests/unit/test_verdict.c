/* Proves that the verdict says what the numbers say: which variant, from and to which PD, at what loss, for what share of
 * whose cost, whether it may be chance, and what the alternatives are; and that a variant that pays with its loss is not
 * the one. */
#include "tests/lib/testing.h"

#include <math.h>

#include "common/base/memory.h"
#include "launcher/verdict.h"

enum { VARIANTS = 4 };

/* A variant by what the verdict reads: PD, logloss, CPU seconds, rows pulled. */
static variant_result_t variant(const char *name, double pd, double logloss, double cpu, double rows)
{
    return (variant_result_t){
        .name = name,
        .quality.logloss = logloss,
        .cost = {.cpu_seconds = cpu, .rows_pulled_per_example = rows},
        .reproducibility.pd_relative = {pd, NAN, NAN},
        .pd_difference = {NAN, NAN, NAN},
    };
}

static void assert_verdict(const variant_result_t *variants, int n, const char *best, const char *expected)
{
    variant_result_t copy[VARIANTS];
    for (int v = 0; v < n; v++)
        copy[v] = variants[v];
    experiment_result_t result = {.variants = n, .variant = copy, .queries = 5};
    char *text = verdict_text(&result);
    assert_string_equal(text, expected);
    mem_free(text);
    assert_string_equal(verdict_best(&result)->name, best);
}

static void test_cheap_road_next_to_the_dear_one(void **state)
{
    (void)state;
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.6, 10, 6),
        variant("smelu3", 0.12, 0.5988, 10.8, 6),
        variant("ensemble3", 0.13, 0.594, 30, 18),
    };
    v[2].pd_difference = (estimate_t){-0.048, -0.05, -0.046};
    assert_verdict(
        v, 4, "smelu3",
        "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss -0.20 %, for 0.36 of ensemble3's CPU time and a "
        "third of its embedding rows. The difference is significant: -5.00 to -4.60 points (95 % interval over queries). "
        "ensemble3 reaches 13.0 % at logloss -1.00 %. Next to relu, smelu3 takes 1.08 times relu's CPU time and all of its "
        "embedding rows.");
}

static void test_dear_road_next_to_the_cheap_one(void **state)
{
    (void)state;
    const variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.6, 10, 6),
        variant("smelu3", 0.12, 0.6, 10, 6),
        variant("ensemble3", 0.11, 0.6, 25, 18),
    };
    assert_verdict(
        v, 4, "ensemble3",
        "ensemble3 cuts relative PD from relu's 16.8 % to 11.0 %, at logloss +0.00 %, for 2.50 times relu's CPU time and 3 "
        "times its embedding rows. smelu3 reaches 12.0 % at logloss +0.00 %, for 0.40 of ensemble3's CPU time and a third of "
        "its embedding rows.");
}

/* CPU time that differs by a few per cent makes no variant the dear one. */
static void test_equal_costs_are_set_against_the_baseline(void **state)
{
    (void)state;
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.6, 11, 6),
        variant("smelu3", 0.12, 0.6, 9.2, 6),
    };
    v[2].pd_difference = (estimate_t){-0.048, -0.1, 0.004};
    assert_verdict(
        v, 3, "smelu3",
        "smelu3 may cut relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, for 0.92 of relu's CPU time and all of "
        "its embedding rows. The difference is not significant: -10.00 to +0.40 points (95 % interval over queries).");
}

static void test_loss_is_not_paid_with(void **state)
{
    (void)state;
    const variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu3", 0.12, 0.6, 10, 6),
        variant("smelu9", 0.05, 0.63, 10, 6),
        variant("broken", NAN, 0.6, 10, 6),
    };
    assert_verdict(
        v, 4, "smelu3",
        "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, for all of relu's CPU time and all of its "
        "embedding rows. Lower still is smelu9, 5.0 %, but at logloss +5.00 %.");
    const variant_result_t lossy[] = {v[0], v[2]};
    assert_verdict(
        lossy, 2, "relu",
        "relu has the lowest relative PD, 16.8 %, at a logloss of at most 0.5 % above its own. Lower still is smelu9, 5.0 %, "
        "but at logloss +5.00 %.");
}

static void test_nothing_to_compare(void **state)
{
    (void)state;
    const variant_result_t v[] = {variant("relu", 0.12, 0.6, 10, 6), variant("smelu", 0.168, 0.6, 10, 6)};
    const variant_result_t single[] = {variant("relu", NAN, 0.6, 10, 6), variant("smelu", 0.1, 0.6, 10, 6)};
    assert_verdict(v, 2, "relu", "relu has the lowest relative PD, 12.0 %; no other variant lowers it.");
    assert_verdict(v, 1, "relu", "relu has a relative PD of 12.0 %.");
    assert_verdict(single, 2, "relu",
                   "No prediction difference for relu: it needs at least two replicas whose predictions are numbers.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cheap_road_next_to_the_dear_one),
        cmocka_unit_test(test_dear_road_next_to_the_cheap_one),
        cmocka_unit_test(test_equal_costs_are_set_against_the_baseline),
        cmocka_unit_test(test_loss_is_not_paid_with),
        cmocka_unit_test(test_nothing_to_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
