/* All go through sums of two f64 where the first digits are made, and through one where the rest is small beside them (Dekker
 * 1971; the reductions are those of fdlibm). Rejected: tables, which are a cache line or two per call and hundreds of lines
 * here; fused multiply-adds, which are a call into the C library where the processor has none; correct rounding, which costs
 * several times as much and which nobody would see (docs/DETERMINISM.md). */
#include "common/math/real.h"

#include <math.h>
#include <stdbool.h>

#define LN2_LOWEST 0x1.cc01f97b57a08p-87 /* ln 2 - REAL_LN2_HIGH - REAL_LN2_LOW */
#define EXP_MOST 709.782712893384        /* e^x is finite to here, */
#define EXP_LEAST (-745.1332191019411)   /* and 0 below */

/* ---- sums of two ------------------------------------------------------------------------------------------------------ */

static real_pair_t pair_plus(real_pair_t a, real_pair_t b)
{
    real_pair_t sum = real_sum(a.hi, b.hi);
    return real_sum(sum.hi, sum.lo + (a.lo + b.lo));
}

static real_pair_t pair_times(real_pair_t a, real_pair_t b)
{
    real_pair_t product = real_product(a.hi, b.hi);
    return real_sum(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi));
}

static real_pair_t pair_over(real_pair_t a, real_pair_t b)
{
    const double q = a.hi / b.hi;
    const real_pair_t back = real_product(q, b.hi);
    return real_sum(q, (((a.hi - back.hi) - back.lo) + a.lo - q * b.lo) / b.hi);
}

/* ---- e^x -------------------------------------------------------------------------------------------------------------- */

/* x 2^k; by two products, as 2^k alone may be too large or too small. */
static double scale(double x, int k)
{
    const int half = k / 2, power[2] = {half, k - half};
    for (int i = 0; i < 2; i++) {
        const uint64_t bits = (uint64_t)(1023 + power[i]) << 52;
        double factor;
        memcpy(&factor, &bits, sizeof factor);
        x *= factor;
    }
    return x;
}

/* e^x = 2^k (1 + q), q in [-0.3, 0.42]; k ln 2 is taken away in three parts. With r what is left, |r| <= ln 2 / 2,
 * q = r + r^2 / 2 + r^3 (1/3! + r/4! + .. + r^12/15!), the first two terms as sums of two; |x| <= 1100. */
static real_pair_t exp_parts(real_pair_t x, int *k)
{
    const double n = (x.hi * 0x1.71547652b82fep0 + 0x1.8p52) - 0x1.8p52;
    const real_pair_t low = real_product(n, REAL_LN2_LOW);
    real_pair_t r = real_sum(x.hi - n * REAL_LN2_HIGH, -low.hi);
    r = real_sum(r.hi, r.lo + (x.lo - low.lo - n * LN2_LOWEST));
    real_pair_t square = real_product(r.hi, r.hi);
    square.lo += 2.0 * r.hi * r.lo;
    double sum = 1.0 / 1307674368000.0;
    sum = sum * r.hi + 1.0 / 87178291200.0;
    sum = sum * r.hi + 1.0 / 6227020800.0;
    sum = sum * r.hi + 1.0 / 479001600.0;
    sum = sum * r.hi + 1.0 / 39916800.0;
    sum = sum * r.hi + 1.0 / 3628800.0;
    sum = sum * r.hi + 1.0 / 362880.0;
    sum = sum * r.hi + 1.0 / 40320.0;
    sum = sum * r.hi + 1.0 / 5040.0;
    sum = sum * r.hi + 1.0 / 720.0;
    sum = sum * r.hi + 1.0 / 120.0;
    sum = sum * r.hi + 1.0 / 24.0;
    sum = sum * r.hi + 1.0 / 6.0;
    *k = (int)n;
    const real_pair_t q = real_sum(r.hi, 0.5 * square.hi);
    return real_sum(q.hi, q.lo + (r.lo + 0.5 * square.lo + square.hi * r.hi * sum));
}

/* e^x of a pair within [EXP_LEAST, EXP_MOST] */
static double exp_of(real_pair_t x)
{
    int k;
    const real_pair_t q = exp_parts(x, &k), whole = real_sum(1.0, q.hi);
    return scale(whole.hi + (whole.lo + q.lo), k);
}

double real_exp(double x)
{
    if (!(x <= EXP_MOST && x >= EXP_LEAST))
        return x > EXP_MOST ? INFINITY : x < EXP_LEAST ? 0.0 : x;
    return exp_of((real_pair_t){x, 0.0});
}

/* e^x - 1 for |x| <= 45 */
static real_pair_t expm1_of(double x)
{
    int k;
    real_pair_t q = exp_parts((real_pair_t){x, 0.0}, &k);
    if (k == 0)
        return q;
    q = (real_pair_t){scale(q.hi, k), scale(q.lo, k)};
    return pair_plus(real_sum(scale(1.0, k), -1.0), q);
}

double real_expm1(double x)
{
    if (!(x <= 45.0 && x >= -45.0))
        return x < 0.0 ? -1.0 : real_exp(x);
    return x == 0.0 ? x : expm1_of(x).hi;
}

double real_tanh(double x)
{
    if (!(fabs(x) <= 22.0))
        return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
    if (fabs(x) < 0x1p-28) /* x^3 / 3 is far below */
        return x;
    const real_pair_t e = expm1_of(2.0 * fabs(x));
    return copysign(pair_over(e, pair_plus(e, (real_pair_t){2.0, 0.0})).hi, x);
}

double real_cosh(double x)
{
    const double e = real_exp(fabs(x));
    return 0.5 * e + 0.5 / e;
}

/* ---- ln x ------------------------------------------------------------------------------------------------------------- */

/* x as m 2^e; a denormal is made a normal number first. */
static double mantissa(double x, double *e)
{
    if (x >= DBL_MIN)
        return real_mantissa(x, e);
    const double m = real_mantissa(x * 0x1p54, e);
    *e -= 54.0;
    return m;
}

/* What a logarithm of x is where it is not in (0, inf). */
static double log_beyond(double x)
{
    return x == 0.0 ? -INFINITY : x < 0.0 ? NAN : x;
}

double real_log(double x)
{
    if (!(x > 0.0 && x <= DBL_MAX))
        return log_beyond(x);
    double e;
    const double m = mantissa(x, &e);
    return real_log_assemble(m, 0.0, e);
}

double real_log1p(double x)
{
    if (!(x > -1.0 && x <= DBL_MAX))
        return log_beyond(x + 1.0);
    if (fabs(x) < 0x1p-54)
        return x;
    const real_pair_t whole = real_sum(1.0, x);
    double e;
    const double m = real_mantissa(whole.hi, &e);
    return real_log_assemble(m, e > 1000.0 ? 0.0 : scale(whole.lo, -(int)e), e);
}

/* ln m as a sum of two, good to 2^-68: two terms more than real_log_assemble's are made of two. */
static real_pair_t log_of_mantissa(double m)
{
    static const real_pair_t third = {2.0 / 3.0, 0x1.5555555555555p-55}, fifth = {2.0 / 5.0, -0x1.999999999999ap-56};
    const real_pair_t s = real_log_argument(m, 0.0), z = pair_times(s, s);
    double rest = 2.0 / 25.0;
    for (int k = 23; k >= 7; k -= 2)
        rest = rest * z.hi + 2.0 / k;
    real_pair_t sum = pair_plus(fifth, (real_pair_t){rest * z.hi, 0.0});
    sum = pair_plus(third, pair_times(sum, z));
    sum = pair_times(sum, pair_times(s, z));
    return pair_plus((real_pair_t){2.0 * s.hi, 2.0 * s.lo}, sum);
}

double real_log2(double x)
{
    static const real_pair_t per_ln2 = {0x1.71547652b82fep0, 0x1.777d0ffda0d24p-56};
    if (!(x > 0.0 && x <= DBL_MAX))
        return log_beyond(x);
    double e;
    const double m = mantissa(x, &e);
    const real_pair_t fraction = pair_times(log_of_mantissa(m), per_ln2);
    return pair_plus((real_pair_t){e, 0.0}, fraction).hi;
}

/* ---- x^y -------------------------------------------------------------------------------------------------------------- */

/* x^y where one of them is 0, infinite or NaN, or x is below 0 */
static double pow_beyond(double x, double y)
{
    if (isnan(x) || isnan(y) || x < 0.0)
        return NAN;
    const bool is_large = x > 1.0 ? y > 0.0 : y < 0.0; /* x = 1 was before */
    return is_large ? INFINITY : 0.0;
}

double real_pow(double x, double y)
{
    if (x == 1.0 || y == 0.0)
        return 1.0;
    if (!(x > 0.0 && x <= DBL_MAX && fabs(y) <= 0x1p64))
        return pow_beyond(x, y);
    double e;
    const double m = mantissa(x, &e);
    real_pair_t power = pair_plus(real_product(e, REAL_LN2_LOW), (real_pair_t){e * LN2_LOWEST, 0.0});
    power = pair_plus(real_sum(e * REAL_LN2_HIGH, power.hi), (real_pair_t){power.lo, 0.0});
    power = pair_times(pair_plus(power, log_of_mantissa(m)), (real_pair_t){y, 0.0});
    return power.hi > EXP_MOST ? INFINITY : power.hi < EXP_LEAST ? 0.0 : exp_of(power);
}

/* ---- erfc ------------------------------------------------------------------------------------------------------------- */

#define SERIES_MOST 1.5
#define SERIES_TERMS 40
#define FRACTION_TERMS 120

/* -x^2 as a sum of two */
static real_pair_t minus_square(double x)
{
    const real_pair_t square = real_product(x, x);
    return (real_pair_t){-square.hi, -square.lo};
}

/* erf x = 2/sqrt(pi) x e^(-x^2) (1 + t/3 (1 + t/5 (1 + ..))), t = 2 x^2: all terms above 0. In sums of two, as 1 - erf x
 * has few of the digits of erf x. */
static double erfc_by_series(double x)
{
    static const real_pair_t two_per_root_pi = {0x1.20dd750429b6dp0, 0x1.1ae3a914fed8p-56}, one = {1.0, 0.0};
    real_pair_t t = real_product(x, x), sum = one;
    t = (real_pair_t){2.0 * t.hi, 2.0 * t.lo};
    for (int n = SERIES_TERMS; n >= 1; n--)
        sum = pair_plus(one, pair_times(sum, pair_over(t, (real_pair_t){2.0 * n + 1.0, 0.0})));
    int k;
    const real_pair_t q = exp_parts(minus_square(x), &k);
    real_pair_t bell = pair_plus(one, q);
    bell = (real_pair_t){scale(bell.hi, k), scale(bell.lo, k)};
    sum = pair_times(pair_times(sum, bell), pair_times(two_per_root_pi, (real_pair_t){x, 0.0}));
    return pair_plus(one, (real_pair_t){-sum.hi, -sum.lo}).hi;
}

/* erfc x = e^(-x^2) / sqrt(pi) / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ..)))) for x > SERIES_MOST */
static double erfc_by_fraction(double x)
{
    double below = x;
    for (int n = FRACTION_TERMS; n >= 1; n--)
        below = x + 0.5 * n / below;
    return exp_of(minus_square(x)) * 0x1.20dd750429b6dp-1 / below;
}

double real_erfc(double x)
{
    if (!(x <= 27.2 && x >= -6.0))
        return x > 27.2 ? 0.0 : x < -6.0 ? 2.0 : x;
    if (x > SERIES_MOST)
        return erfc_by_fraction(x);
    return x < -SERIES_MOST ? 2.0 - erfc_by_fraction(-x) : erfc_by_series(x);
}
