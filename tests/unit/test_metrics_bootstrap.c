/* Proves the bootstrap: "a resample counts unit u c(b, u) times, with c ~ Poisson(1)" (docs/MATH.md section 9). The sums of
 * every resample equal those over examples that are copied as often as drawn; counts follow the distribution and are
 * independent between units and resamples; intervals are the order statistics of the resamples' ratios, cover the truth as
 * often as they say, and are missing where they would mean nothing; differences are paired. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/bootstrap.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { UNITS = 700, COLUMNS = 3, RESAMPLES = 60 }; /* units: more than two blocks of the walk, and not a multiple of four */

static void fill(double *sums, uint64_t seed, int64_t units)
{
    for (int64_t u = 0; u < units; u++) {
        sums[u * COLUMNS] = (double)(1 + rng_u64(seed, 1, (uint64_t)u) % 5);
        sums[u * COLUMNS + 1] = rng_uniform(seed, 2, (uint64_t)u) * sums[u * COLUMNS];
        sums[u * COLUMNS + 2] = sums[u * COLUMNS + 1] + 0.01 * rng_normal(seed, 3, (uint64_t)u);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void test_resamples_equal_copied_units(void **state)
{
    (void)state;
    static double sums[UNITS * COLUMNS];
    fill(sums, 1, UNITS);
    bootstrap_t *bootstrap = bootstrap_create(sums, UNITS, COLUMNS, 42, RESAMPLES);
    double ratio[RESAMPLES];
    for (int b = 0; b <= RESAMPLES; b++) {
        long double want[COLUMNS] = {0};
        for (int64_t u = 0; u < UNITS; u++)
            for (int32_t copy = 0; copy < (b == RESAMPLES ? 1 : bootstrap_count(42, b, u)); copy++)
                for (int c = 0; c < COLUMNS; c++)
                    want[c] += (long double)sums[u * COLUMNS + c];
        for (int c = 0; c < COLUMNS; c++)
            assert_near(bootstrap->total[b * COLUMNS + c], want[c], 1e-10);
        if (b < RESAMPLES)
            ratio[b] = (double)(want[1] / want[0]);
    }
    qsort(ratio, RESAMPLES, sizeof *ratio, by_value);
    estimate_t e = bootstrap_ratio(bootstrap, 1, 0);
    /* 2.5 % of 59 gaps is 1.475 gaps from either end. */
    assert_near(e.low, ratio[1] + 0.475 * (ratio[2] - ratio[1]), 1e-12);
    assert_near(e.high, ratio[58] - 0.475 * (ratio[58] - ratio[57]), 1e-12);
    assert_true(e.low < e.value && e.value < e.high);
    bootstrap_destroy(&bootstrap);
    assert_null(bootstrap);
}

/* Frequencies of counts, their mean over units and resamples, and their correlation between neighbours of either kind. */
static void test_counts_are_poisson(void **state)
{
    (void)state;
    const int64_t n = 400;
    double seen[16] = {0}, along_units = 0, along_resamples = 0;
    int32_t most = 0;
    for (int64_t b = 0; b < n; b++)
        for (int64_t u = 0; u < n; u++) {
            const int32_t count = bootstrap_count(7, b, u);
            assert_true(count >= 0 && count <= 12);
            seen[count]++;
            most = count > most ? count : most;
            along_units += (count - 1.0) * (bootstrap_count(7, b, u + 1) - 1.0);
            along_resamples += (count - 1.0) * (bootstrap_count(7, b + 1, u) - 1.0);
        }
    double probability = exp(-1.0);
    for (int j = 0; j <= 6; j++) {
        const double expected = probability * (double)(n * n);
        assert_near(seen[j], expected, 5 * sqrt(expected));
        probability /= j + 1;
    }
    assert_true(most >= 6);
    /* Sums of n^2 products of variance 1. */
    assert_near(along_units, 0.0, 5.0 * (double)n);
    assert_near(along_resamples, 0.0, 5.0 * (double)n);
    assert_true(bootstrap_count(7, 3, 5) == bootstrap_count(7, 3, 5));
    int differ = 0;
    for (int64_t u = 0; u < 100; u++)
        differ += bootstrap_count(7, 0, u) != bootstrap_count(8, 0, u);
    assert_true(differ > 30);
}

/* 400 samples of a known distribution: the 95 % interval of the mean holds the true mean in about 95 % of them. */
static void test_intervals_cover_the_truth(void **state)
{
    (void)state;
    enum { SAMPLES = 400, SIZE = 150 };
    static double sums[SIZE * 2];
    int covered = 0;
    for (uint64_t sample = 0; sample < SAMPLES; sample++) {
        for (int64_t u = 0; u < SIZE; u++) {
            sums[2 * u] = 1.0;
            sums[2 * u + 1] = 3.0 + rng_normal(sample, 9, (uint64_t)u);
        }
        bootstrap_t *bootstrap = bootstrap_create(sums, SIZE, 2, sample, 300);
        estimate_t e = bootstrap_ratio(bootstrap, 1, 0);
        covered += e.low <= 3.0 && 3.0 <= e.high;
        bootstrap_destroy(&bootstrap);
    }
    assert_true(covered >= 0.91 * SAMPLES && covered <= 0.98 * SAMPLES);
}

/* Two models that rise and fall together: their difference is known much better than either. */
static void test_differences_are_paired(void **state)
{
    (void)state;
    static double sums[UNITS * COLUMNS];
    fill(sums, 3, UNITS);
    bootstrap_t *bootstrap = bootstrap_create(sums, UNITS, COLUMNS, 1, 500);
    estimate_t a = bootstrap_ratio(bootstrap, 1, 0), b = bootstrap_ratio(bootstrap, 2, 0);
    estimate_t difference = bootstrap_difference(bootstrap, 2, 1, 0), same = bootstrap_difference(bootstrap, 1, 1, 0);
    assert_near(difference.value, b.value - a.value, 1e-15);
    assert_true(difference.low <= difference.value && difference.value <= difference.high);
    assert_true(difference.high - difference.low < 0.1 * (a.high - a.low));
    assert_true(same.value == 0.0 && same.low == 0.0 && same.high == 0.0);
    bootstrap_destroy(&bootstrap);
}

static void test_no_interval_where_it_means_nothing(void **state)
{
    (void)state;
    const double one[] = {1, 0.5, 0}, none_counts[] = {0, 0, 0, 0, 0, 0, 0, 0, 0}, bad[] = {1, 0.5, 0, 1, NAN, 0, 1, 0.5, 0};
    bootstrap_t *bootstrap = bootstrap_create(one, 1, COLUMNS, 1, 100);
    estimate_t e = bootstrap_ratio(bootstrap, 1, 0);
    assert_true(e.value == 0.5 && isnan(e.low) && isnan(e.high));
    bootstrap_destroy(&bootstrap);

    bootstrap = bootstrap_create(none_counts, 3, COLUMNS, 1, 100);
    e = bootstrap_ratio(bootstrap, 1, 0);
    assert_true(isnan(e.value) && isnan(e.low) && isnan(e.high));
    bootstrap_destroy(&bootstrap);

    bootstrap = bootstrap_create(bad, 3, COLUMNS, 1, 100);
    e = bootstrap_ratio(bootstrap, 1, 0);
    assert_true(isnan(e.value) && isnan(e.low) && isnan(e.high));
    e = bootstrap_ratio(bootstrap, 2, 0); /* the column of the NaN is its own; resamples of no unit at all are left out */
    assert_true(e.value == 0.0 && e.low == 0.0 && e.high == 0.0);
    bootstrap_destroy(&bootstrap);

    bootstrap = bootstrap_create(bad, 0, COLUMNS, 1, 100);
    assert_true(isnan(bootstrap_ratio(bootstrap, 2, 0).value));
    bootstrap_destroy(&bootstrap);

    bootstrap = bootstrap_create(bad, 3, COLUMNS, 1, 0);
    e = bootstrap_ratio(bootstrap, 2, 0);
    assert_true(e.value == 0.0 && isnan(e.low));
    bootstrap_destroy(&bootstrap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resamples_equal_copied_units),       cmocka_unit_test(test_counts_are_poisson),
        cmocka_unit_test(test_intervals_cover_the_truth),          cmocka_unit_test(test_differences_are_paired),
        cmocka_unit_test(test_no_interval_where_it_means_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
