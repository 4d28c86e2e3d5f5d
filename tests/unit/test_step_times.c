/* Proves: the median of step times is that of the sorted times, to a thirty-second of it, for times from nanoseconds to hours;
 * the longest is exact; no steps take no time. */
#include <stdlib.h>

#include "common/base/rng.h"
#include "tests/lib/testing.h"
#include "worker/step_times.h"

#define TIMES 4001

static int compare(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void test_against_sorting(void **state)
{
    (void)state;
    static const double scales[] = {10.0, 1e4, 3e6, 1e9, 2e13};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        step_times_t times = {0};
        int64_t all[TIMES];
        for (int i = 0; i < TIMES; i++) {
            const double u = rng_uniform(7, s, (uint64_t)i);
            all[i] = (int64_t)(scales[s] * (0.1 + 6.0 * u * u * u));
            step_times_add(&times, all[i]);
        }
        qsort(all, TIMES, sizeof *all, compare);
        assert_int_equal(times.longest_ns, all[TIMES - 1]);
        assert_int_equal(times.steps, TIMES);
        const double median = (double)all[TIMES / 2] * 1e-9;
        assert_true(step_times_median(&times) >= median * (1.0 - 1.0 / 32.0));
        assert_true(step_times_median(&times) <= median * (1.0 + 1.0 / 32.0));
    }
}

static void test_edges(void **state)
{
    (void)state;
    step_times_t times = {0};
    assert_true(step_times_median(&times) == 0.0);
    step_times_add(&times, 0);
    assert_true(step_times_median(&times) == 0.0);
    for (int i = 0; i < 3; i++)
        step_times_add(&times, INT64_MAX); /* beyond what is told apart: counted with the longest that are */
    assert_int_equal(times.longest_ns, INT64_MAX);
    assert_true(step_times_median(&times) > 3600.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_sorting), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
