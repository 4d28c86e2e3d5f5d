/* Proves what docs/MATH.md says about replicas: eq. 42 (predictions at one level) against a bisection over written-out
 * logits in long double, and its properties: levels are equal, order is kept, a constant between replicas is all gone; eq. 43
 * (jackknife) against leaving predictions out, and for means of independent numbers against their standard error. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { N = 400, REPLICAS = 5 };

static float predictions[REPLICAS][N];
static const float *const all[REPLICAS] = {predictions[0], predictions[1], predictions[2], predictions[3], predictions[4]};

static double uniform(uint64_t seed, int r, int64_t t)
{
    return (double)(rng_u64(seed, (uint64_t)r, (uint64_t)t) >> 11) * 0x1p-53;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Logits around -1.5, those of replica r above by r * apart, with noise of their own. */
static void fill(uint64_t seed, double apart, double noise)
{
    for (int r = 0; r < REPLICAS; r++)
        for (int64_t t = 0; t < N; t++)
            predictions[r][t] = (float)sigmoid(4.0 * uniform(seed, 100, t) - 3.5 + apart * r + noise * uniform(seed, r, t));
}

static long double mean_at(const float *p, long double c)
{
    long double sum = 0;
    for (int64_t t = 0; t < N; t++) {
        const long double logit = logl((long double)p[t] / (1 - (long double)p[t]));
        sum += 1 / (1 + expl(-(logit + c)));
    }
    return sum / N;
}

static long double mean_of(const float *p, int64_t n)
{
    long double sum = 0;
    for (int64_t t = 0; t < n; t++)
        sum += (long double)p[t];
    return sum / n;
}

static long double shift_by_bisection(const float *p, long double level)
{
    long double low = -60, high = 60;
    for (int i = 0; i < 200; i++) {
        const long double middle = (low + high) / 2;
        if (mean_at(p, middle) > level)
            high = middle;
        else
            low = middle;
    }
    return low;
}

static double shift_of(const float *p, int64_t n, double level)
{
    const scores_t scores = scores_in_memory(p, n);
    double shift;
    assert_int_equal(level_shift(&scores, NULL, level, &shift), ST_OK);
    return shift;
}

static void test_shift_solves_its_equation(void **state)
{
    (void)state;
    static const double levels[] = {1e-6, 0.001, 0.1, 0.2, 0.5, 0.9, 0.99999};
    fill(3, 0.5, 1.0);
    for (int r = 0; r < REPLICAS; r++)
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            assert_near(shift_of(all[r], N, levels[i]), shift_by_bisection(all[r], levels[i]), 1e-9);
    assert_near(shift_of(all[0], N, (double)mean_of(all[0], N)), 0.0, 1e-14);
}

static void test_levels_become_equal_and_order_stays(void **state)
{
    (void)state;
    static float out[REPLICAS][N];
    for (int replicas = 2; replicas <= REPLICAS; replicas++) {
        fill((uint64_t)replicas, 0.3, 2.0);
        long double level = 0;
        for (int r = 0; r < replicas; r++)
            level += mean_of(all[r], N) / replicas;
        level_predictions(all, replicas, NULL, N, out[0]);
        for (int r = 0; r < replicas; r++) {
            const long double c = shift_by_bisection(all[r], level);
            assert_near(mean_of(out[r], N), level, 1e-8);
            for (int64_t t = 0; t < N; t++) {
                const long double logit = logl((long double)all[r][t] / (1 - (long double)all[r][t]));
                assert_near(out[r][t], 1 / (1 + expl(-(logit + c))), 1e-7);
                if (t && all[r][t] > all[r][t - 1])
                    assert_true(out[r][t] >= out[r][t - 1]);
            }
        }
    }
}

/* Replicas that differ in their level only do not differ at one level; as they are, they differ much. */
static void test_a_constant_is_gone(void **state)
{
    (void)state;
    static float out[REPLICAS][N];
    static double term[N * PD_COUNT];
    fill(7, 0.25, 0.0);
    pd_examples(all, REPLICAS, N, term);
    assert_true(pd_mean(term, N, PD_RELATIVE) > 0.3);
    level_predictions(all, REPLICAS, NULL, N, out[0]);
    const float *const levelled[REPLICAS] = {out[0], out[1], out[2], out[3], out[4]};
    pd_examples(levelled, REPLICAS, N, term);
    assert_true(pd_mean(term, N, PD_RELATIVE) < 1e-6);
}

static void test_equal_replicas_stay_equal(void **state)
{
    (void)state;
    static float out[3][N];
    fill(9, 0.1, 1.0);
    const float *const same[] = {all[0], all[0], all[0]};
    level_predictions(same, 3, NULL, N, out[0]);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(out[0], out[2], sizeof out[0]);
}

static void test_ends_and_undefined(void **state)
{
    (void)state;
    const float ends[] = {0.0f, 1.0f, 0.25f, 0.5f}, zeros[4] = {0};
    assert_near(shift_of(ends, 4, 0.4375), 0.0, 1e-14);
    assert_true(isnan(shift_of(ends, 4, 0.2)) && isnan(shift_of(ends, 4, 0.8))); /* the ends alone make 0.25 and 0.75 */
    assert_true(isnan(shift_of(zeros, 4, 0.5)) && shift_of(zeros, 4, 0.0) == 0.0);
    assert_true(isnan(shift_of(ends, 0, 0.5)));

    const float good[] = {0.25f, 0.5f}, higher[] = {0.5f, 0.75f}, bad[][2] = {{NAN, 0.5f}, {1.5f, 0.5f}, {-0.5f, 0.5f}, {0, 0}};
    float out[4];
    const float *const fine[] = {good, higher};
    level_predictions(fine, 2, NULL, 2, out);
    assert_near(out[0] + out[1], 1.0, 1e-7);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const float *const p[] = {good, bad[i]};
        level_predictions(p, 2, NULL, 2, out);
        for (int k = 0; k < 4; k++)
            assert_true(isnan(out[k]));
    }
}

/* ---- jackknife ------------------------------------------------------------------------------------------------------- */

static double error_of_pairs(const double *pair, int32_t replicas)
{
    double without[16];
    jackknife_pairs(pair, replicas, without);
    return jackknife_error(without, replicas);
}

static void pairs_of(const float *const *p, int replicas, double *pair)
{
    for (int i = 0; i < replicas; i++)
        for (int j = 0; j < replicas; j++)
            pair[i * replicas + j] = i < j ? pd_of_pair(p[i], p[j], N) : NAN; /* what is not read must not matter */
}

/* The definition, on predictions: PD of every set of replicas that one is missing from, by pd_examples. */
static void test_error_is_that_of_leaving_replicas_out(void **state)
{
    (void)state;
    static double term[N * PD_COUNT], pair[REPLICAS * REPLICAS];
    for (int replicas = 3; replicas <= REPLICAS; replicas++) {
        long double value[REPLICAS], mean = 0, squares = 0;
        fill((uint64_t)replicas, 0.2, 1.5);
        for (int out = 0; out < replicas; out++) {
            const float *left[REPLICAS];
            int n = 0;
            for (int r = 0; r < replicas; r++)
                if (r != out)
                    left[n++] = all[r];
            pd_examples(left, n, N, term);
            value[out] = (long double)pd_mean(term, N, PD_RELATIVE);
            mean += value[out] / replicas;
        }
        for (int r = 0; r < replicas; r++)
            squares += (value[r] - mean) * (value[r] - mean);
        pairs_of(all, replicas, pair);
        assert_near(error_of_pairs(pair, replicas), sqrtl(squares * (replicas - 1) / replicas), 1e-14);
        assert_true(error_of_pairs(pair, replicas) > 0.001);
    }
}

/* Pairs that are means of two numbers, one of each replica: the mean over pairs is the mean of the numbers, and its jackknife
 * is their standard error, deviation / sqrt(R), to the last digit. */
static void test_error_of_independent_numbers(void **state)
{
    (void)state;
    enum { R = 12 };
    double x[R], pair[R * R], mean = 0, squares = 0;
    for (int r = 0; r < R; r++) {
        x[r] = uniform(5, r, 0);
        mean += x[r] / R;
    }
    for (int i = 0; i < R; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
        for (int j = 0; j < R; j++)
            pair[i * R + j] = 0.5 * (x[i] + x[j]);
    }
    assert_near(error_of_pairs(pair, R), sqrt(squares / (R - 1) / R), 1e-15);
}

static void test_error_needs_three(void **state)
{
    (void)state;
    const double two[] = {0, 0.5, 0.5, 0}, hole[] = {0, 0.5, NAN, 0, 0, 0.5, 0, 0, 0};
    assert_true(isnan(error_of_pairs(two, 2)) && isnan(error_of_pairs(two, 1)) && isnan(error_of_pairs(hole, 3)));
}

/* Quantiles of Student's t from tables: 4.303 for 2 degrees of freedom, 2.365 for 7, 2.042 for 30. */
static void test_distinct_by_students_t(void **state)
{
    (void)state;
    assert_true(jackknife_is_distinct(-4.31, 1.0, 3) && !jackknife_is_distinct(-4.29, 1.0, 3));
    assert_true(jackknife_is_distinct(2.37, 1.0, 8) && !jackknife_is_distinct(2.36, 1.0, 8));
    assert_true(jackknife_is_distinct(2.05, 1.0, 1000) && !jackknife_is_distinct(2.03, 1.0, 31));
    assert_false(jackknife_is_distinct(9.0, 1.0, 2));
    assert_false(jackknife_is_distinct(9.0, NAN, 8));
    assert_false(jackknife_is_distinct(0.0, 0.0, 8));
}

static void test_pair_is_the_pd_of_two(void **state)
{
    (void)state;
    static double term[N * PD_COUNT];
    fill(11, 0.1, 1.0);
    predictions[0][3] = predictions[1][3] = 0.0f;
    pd_examples(all, 2, N, term);
    assert_near(pd_of_pair(all[0], all[1], N), pd_mean(term, N, PD_RELATIVE), 1e-15);
    assert_true(isnan(pd_of_pair(all[0], all[1], 0)));
    predictions[1][7] = 1.5f;
    assert_true(isnan(pd_of_pair(all[0], all[1], N)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift_solves_its_equation),    cmocka_unit_test(test_levels_become_equal_and_order_stays),
        cmocka_unit_test(test_a_constant_is_gone),           cmocka_unit_test(test_equal_replicas_stay_equal),
        cmocka_unit_test(test_ends_and_undefined),           cmocka_unit_test(test_error_is_that_of_leaving_replicas_out),
        cmocka_unit_test(test_error_of_independent_numbers), cmocka_unit_test(test_error_needs_three),
        cmocka_unit_test(test_distinct_by_students_t),       cmocka_unit_test(test_pair_is_the_pd_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
