/* Proves what docs/MATH.md says about significance over replicas: p-values and quantiles of Student's t against the integral of
 * its density; Holm's correction (eq. 47) against its definition, that of every set of differences that could all be chance the
 * smallest p times their number; the number of replicas (eq. 48) is the least that its inequality allows. */
#include "common/metrics/t_test.h"

#include <math.h>

#include "common/base/rng.h"
#include "tests/lib/testing.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

/* By x = tan u, which makes the tail finite: Simpson's rule. */
static double tails_by_integration(double t, double degrees)
{
    enum { STEPS = 20000 };
    const double scale = exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / sqrt(degrees * acos(-1.0));
    const double low = atan(t), high = acos(0.0), step = (high - low) / STEPS;
    double sum = 0.0;
    for (int i = 0; i < STEPS; i++) { /* the density at the far end is 0, or for one degree finite */
        const double u = low + i * step, x = tan(u),
                     density = scale * pow(1 + x * x / degrees, -(degrees + 1) / 2) * (1 + x * x);
        sum += density * (i == 0 ? 1 : i % 2 ? 4 : 2);
    }
    if (degrees == 1)
        sum += scale;
    return 2 * sum * step / 3;
}

static void test_tails(void **state)
{
    (void)state;
    static const double ts[] = {0.0, 0.1, 0.7, 1.0, 2.0, 4.5, 20.0};
    static const int replicas[] = {2, 3, 4, 8, 11, 31, 200};
    for (size_t i = 0; i < sizeof ts / sizeof *ts; i++)
        for (size_t j = 0; j < sizeof replicas / sizeof *replicas; j++) {
            const double wanted = tails_by_integration(ts[i], replicas[j] - 1.0);
            assert_near(t_test_p(2.0 * ts[i], 2.0, replicas[j]), wanted, 1e-9);
            assert_near(t_test_p(-ts[i], 1.0, replicas[j]), wanted, 1e-9);
        }
    assert_true(isnan(t_test_p(1.0, 1.0, 1)) && isnan(t_test_p(NAN, 1.0, 5)) && isnan(t_test_p(1.0, NAN, 5)));
    assert_true(t_test_p(0.0, 0.0, 5) == 1.0 && t_test_p(1.0, 0.0, 5) == 0.0);
}

static void test_quantiles(void **state)
{
    (void)state;
    assert_near(t_test_quantile(0.975, 1), 12.7062047362, 1e-9);
    assert_near(t_test_quantile(0.975, 2), 4.3026527297, 1e-9);
    assert_near(t_test_quantile(0.8, 30), 0.8537665, 1e-6);
    assert_near(t_test_quantile(0.975, 1e6), 1.9599640, 1e-5);
    assert_near(t_test_quantile(0.025, 7), -t_test_quantile(0.975, 7), 1e-12);
    assert_near(t_test_quantile(0.5, 4), 0.0, 1e-12);
}

static void check_holm(const double *p, int n)
{
    double adjusted[8];
    t_test_holm(p, n, adjusted);
    for (int i = 0; i < n; i++) {
        double wanted = 0.0;
        for (int set = 1; set < 1 << n; set++) {
            double least = INFINITY;
            int size = 0;
            for (int k = 0; k < n; k++)
                if (set >> k & 1 && !isnan(p[k])) {
                    least = fmin(least, p[k]);
                    size++;
                }
            if (set >> i & 1)
                wanted = fmax(wanted, fmin(1.0, size * least));
        }
        if (isnan(p[i]))
            assert_true(isnan(adjusted[i]));
        else
            assert_near(adjusted[i], wanted, 1e-15);
    }
}

static void test_holm(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++) {
        double p[8];
        const int n = 1 + (int)(round % 8);
        for (int i = 0; i < n; i++) {
            p[i] = pow(rng_uniform(5, round, (uint64_t)i), 3.0);
            if (round % 3 == 1)
                p[i] = rint(8 * p[i]) / 8; /* ties */
            if (rng_uniform(6, round, (uint64_t)i) < 0.1)
                p[i] = NAN;
        }
        check_holm(p, n);
    }
    double textbook[] = {0.01, 0.04, 0.03, 0.005};
    t_test_holm(textbook, 4, textbook); /* in place */
    assert_near(textbook[0], 0.03, 1e-15);
    assert_near(textbook[1], 0.06, 1e-15);
    assert_near(textbook[2], 0.06, 1e-15);
    assert_near(textbook[3], 0.02, 1e-15);
}

static bool is_enough(double n, double ratio)
{
    return (t_test_quantile(0.975, n - 1) + t_test_quantile(0.8, n - 1)) * ratio <= sqrt(n);
}

static void test_replicas(void **state)
{
    (void)state;
    for (double ratio = 0.01; ratio < 40; ratio *= 1.17) {
        const double n = t_test_replicas(0.002 * ratio, 0.002);
        assert_true(is_enough(n, ratio));
        assert_true(n == 2 || !is_enough(n - 1, ratio));
    }
    assert_true(t_test_replicas(0.0, 0.002) == 2);
    assert_true(isinf(t_test_replicas(1000, 0.002)));
    assert_true(isnan(t_test_replicas(NAN, 0.002)) && isnan(t_test_replicas(1, 0.0)));
}

/* The share of made-up experiments of that many replicas that find the difference is the power that is promised. */
static void test_power(void **state)
{
    (void)state;
    enum { ROUNDS = 4000 };
    const int n = (int)t_test_replicas(1.0, 0.8);
    int found = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        double sum = 0, squares = 0;
        for (int r = 0; r < n; r++) {
            double x = 0.8 - 6.0; /* normal enough: a sum of twelve */
            for (uint64_t k = 0; k < 12; k++)
                x += rng_uniform(9, round, 12 * (uint64_t)r + k);
            sum += x;
            squares += x * x;
        }
        const double mean = sum / n, error = sqrt((squares - n * mean * mean) / (n - 1) / n);
        found += t_test_p(mean, error, n) <= T_TEST_LEVEL;
    }
    assert_true((double)found / ROUNDS > 0.78 && (double)found / ROUNDS < 0.87);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tails),    cmocka_unit_test(test_quantiles), cmocka_unit_test(test_holm),
        cmocka_unit_test(test_replicas), cmocka_unit_test(test_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
