/* Proves PD by slice: counts and means equal loops over the examples of each value, for several models and for examples under
 * several values; the worst slices equal a search through all of them; deciles are ten parts of nearly equal size in which
 * equal numbers stay together. */
#include "tests/lib/testing.h"

#include <math.h>

#include "common/base/rng.h"
#include "common/metrics/slices.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { EXAMPLES = 3000, VALUES = 90, MODELS = 3 };

/* Small values are frequent; they are spread over 64 bits. */
static uint64_t value_of(int64_t i, int which)
{
    const uint64_t number = rng_u64(1, 5 + (uint64_t)which, (uint64_t)i) % VALUES;
    return rng_u64(2, 0, number * number / VALUES);
}

static double number_of(int64_t i, int model)
{
    return rng_uniform(3, (uint64_t)model, (uint64_t)i);
}

/* Every third example is under two values. */
static slices_t *make_slices(void)
{
    slices_t *slices = slices_create(MODELS);
    for (int64_t i = 0; i < EXAMPLES; i++) {
        double number[MODELS];
        for (int m = 0; m < MODELS; m++)
            number[m] = number_of(i, m);
        slices_put(slices, value_of(i, 0), 1.0, number);
        if (i % 3 == 0)
            slices_put(slices, value_of(i, 1), 1.0, number);
    }
    return slices;
}

static void test_means_equal_loops(void **state)
{
    (void)state;
    slices_t *slices = make_slices();
    int64_t examples = 0;
    for (int64_t s = 0; s < slices_count(slices); s++)
        for (int m = 0; m < MODELS; m++) {
            const slice_t slice = slices_get(slices, s, m);
            long double sum = 0;
            int64_t count = 0;
            for (int64_t i = 0; i < EXAMPLES; i++)
                for (int which = 0; which < (i % 3 == 0 ? 2 : 1); which++)
                    if (value_of(i, which) == slice.value) {
                        sum += number_of(i, m);
                        count++;
                    }
            assert_int_equal(slice.examples, count);
            assert_near(slice.mean, sum / count, 1e-13);
            assert_int_equal(slices_find(slices, slice.value), s);
            examples += m == 0 ? count : 0;
        }
    assert_int_equal(examples, EXAMPLES + EXAMPLES / 3);
    assert_int_equal(slices_find(slices, 12345), -1);
    slices_destroy(&slices);
    assert_null(slices);
}

static void test_worst_equal_a_search(void **state)
{
    (void)state;
    slices_t *slices = make_slices();
    for (int m = 0; m < MODELS; m++)
        for (int64_t least = 1; least <= 81; least += 40) {
            slice_t worst[12];
            const int got = slices_worst(slices, m, least, worst, 12);
            double last = INFINITY;
            int64_t qualified = 0;
            for (int64_t s = 0; s < slices_count(slices); s++)
                qualified += slices_get(slices, s, m).examples >= least;
            assert_int_equal(got, qualified < 12 ? qualified : 12);
            for (int i = 0; i < got; i++) {
                double highest = -1; /* of those below the one before */
                for (int64_t s = 0; s < slices_count(slices); s++) {
                    const slice_t slice = slices_get(slices, s, m);
                    if (slice.examples >= least && slice.mean < last && slice.mean > highest)
                        highest = slice.mean;
                }
                assert_true(worst[i].mean == highest);
                assert_true(worst[i].examples >= least);
                last = highest;
            }
        }
    slices_destroy(&slices);
}

static void test_nan_stays_in_its_slice(void **state)
{
    (void)state;
    slices_t *slices = slices_create(1);
    slices_put(slices, 1, 1.0, (const double[]){0.5});
    slices_put(slices, 2, 1.0, (const double[]){NAN});
    slices_put(slices, 1, 1.0, (const double[]){0.25});
    slice_t worst[3];
    assert_true(isnan(slices_get(slices, 1, 0).mean));
    assert_int_equal(slices_worst(slices, 0, 1, worst, 3), 1);
    assert_true(worst[0].value == 1 && worst[0].mean == 0.375 && worst[0].examples == 2);
    assert_int_equal(slices_worst(slices, 0, 3, worst, 3), 0);
    slices_destroy(&slices);
}

static void test_deciles(void **state)
{
    (void)state;
    static float number[EXAMPLES], sorted[EXAMPLES];
    float edge[SLICES_DECILES - 1];
    for (int64_t n = 1; n <= EXAMPLES; n += 37) {
        int64_t count[SLICES_DECILES] = {0};
        for (int64_t i = 0; i < n; i++)
            sorted[i] = number[i] = (float)rng_normal(4, 1, (uint64_t)i);
        slices_edges(sorted, n, edge);
        for (int64_t i = 0; i < n; i++)
            count[slices_bucket(edge, number[i])]++;
        for (int d = 0; d < SLICES_DECILES && n >= 10; d++)
            assert_true(count[d] >= n / 10 && count[d] <= n / 10 + 1);
    }
    for (int64_t i = 0; i < EXAMPLES; i++)
        sorted[i] = i % 2 ? 7.0f : -1.0f;
    slices_edges(sorted, EXAMPLES, edge);
    assert_int_equal(slices_bucket(edge, -1.0f), 0);
    assert_int_equal(slices_bucket(edge, 7.0f), 5);
    for (int64_t i = 0; i < EXAMPLES; i++)
        sorted[i] = 3.0f;
    slices_edges(sorted, EXAMPLES, edge);
    assert_int_equal(slices_bucket(edge, 3.0f), 0); /* one part where all are equal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means_equal_loops),
        cmocka_unit_test(test_worst_equal_a_search),
        cmocka_unit_test(test_nan_stays_in_its_slice),
        cmocka_unit_test(test_deciles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
