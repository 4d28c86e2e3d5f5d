/* Student's distribution is an incomplete beta function, which is a continued fraction that a dozen terms of give all digits
 * (Abramowitz and Stegun 26.5.8, by Lentz' method). Its quantile is a bisection of it: it is asked for a few times a report. */
#include "common/metrics/t_test.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/math/real.h"

#define MOST_TERMS 10000

static double away_from_zero(double x)
{
    return fabs(x) < DBL_MIN ? DBL_MIN : x;
}

/* The fraction of I_x(a, b), for x below (a + 1) / (a + b + 2), where it converges fast. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1.0, d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)), h = d;
    for (int m = 1; m < MOST_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
                     odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        h *= d * c;
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        h *= d * c;
        if (fabs(d * c - 1.0) < 1e-15)
            break;
    }
    return h;
}

/* ln Gamma(x) for x > 0 by Stirling's series, at x or above, where its seventh term is below 1e-16. */
static double log_gamma(double x)
{
    static const double term[] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360};
    double product = 1.0, sum = 0.0;
    for (; x < 14.0; x += 1.0)
        product *= x;
    for (int k = (int)(sizeof term / sizeof *term); k-- > 0;)
        sum = sum / (x * x) + term[k];
    return (x - 0.5) * real_log(x) - x + 0.91893853320467274178 + sum / x - real_log(product); /* ln(2 pi) / 2 */
}

static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0.0 || x >= 1.0)
        return x >= 1.0;
    const double front = real_exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * real_log(x) + b * real_log1p(-x));
    return x < (a + 1.0) / (a + b + 2.0) ? front * beta_fraction(a, b, x) / a : 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/* P(|T| > t). */
static double both_tails(double t, double degrees)
{
    return incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t));
}

double t_test_p(double value, double error, int32_t replicas)
{
    if (replicas < 2 || !isfinite(value) || !isfinite(error))
        return NAN;
    if (error == 0.0)
        return value == 0.0 ? 1.0 : 0.0;
    return both_tails(value / error, replicas - 1.0);
}

double t_test_quantile(double p, double degrees)
{
    ASSERT(p > 0.0 && p < 1.0 && degrees >= 1.0);
    const double tails = 2.0 * fmin(p, 1.0 - p);
    double low = 0.0, high = 1.0;
    while (both_tails(high, degrees) > tails)
        high *= 2.0;
    for (int i = 0; i < 100 && low < high; i++) {
        const double middle = 0.5 * (low + high);
        if (both_tails(middle, degrees) > tails)
            low = middle;
        else
            high = middle;
    }
    return p < 0.5 ? -high : high;
}

/* Is p[i] before p[j] in ascending order, ties by index? */
static bool is_before(const double *p, int32_t i, int32_t j)
{
    const double a = p[i], b = p[j];
    return a < b || (a == b && i < j);
}

void t_test_holm(const double *p, int32_t n, double *adjusted)
{
    double *own = MEM_ARRAY(double, n), *out = MEM_ARRAY(double, n); /* times those that are left when it is its turn */
    for (int32_t j = 0; j < n; j++) {
        int32_t left = 0;
        for (int32_t k = 0; k < n; k++)
            left += !isnan(p[k]) && !is_before(p, k, j);
        own[j] = fmin(1.0, left * p[j]);
    }
    for (int32_t i = 0; i < n; i++) {
        out[i] = isnan(p[i]) ? NAN : 0.0;
        for (int32_t j = 0; j < n && !isnan(p[i]); j++)
            if (!isnan(p[j]) && !is_before(p, i, j)) /* itself, and all before it */
                out[i] = fmax(out[i], own[j]);
    }
    for (int32_t i = 0; i < n; i++)
        adjusted[i] = out[i];
    mem_free(own);
    mem_free(out);
}

double t_test_replicas(double deviation, double difference)
{
    if (!isfinite(deviation) || !(difference > 0.0))
        return NAN;
    const double ratio = deviation / difference, normal = t_test_quantile(1.0 - T_TEST_LEVEL / 2.0, T_TEST_MOST_REPLICAS) +
                                                          t_test_quantile(T_TEST_POWER, T_TEST_MOST_REPLICAS);
    double n = fmax(2.0, floor(normal * normal * ratio * ratio)); /* of infinite degrees of freedom: never too many */
    for (; n <= T_TEST_MOST_REPLICAS; n++) {
        const double needed = t_test_quantile(1.0 - T_TEST_LEVEL / 2.0, n - 1.0) + t_test_quantile(T_TEST_POWER, n - 1.0);
        if (needed * ratio <= sqrt(n))
            return n;
    }
    return INFINITY;
}
