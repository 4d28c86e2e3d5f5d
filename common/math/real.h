/* real.h - elementary functions of f64, made of IEEE additions, products and divisions and of nothing else: the same bits with
 * every C library, compiler and processor. The C library's own differ between its versions and, within one, between processors.
 *
 * Errors are in ulp of the result, as tests/kernels/test_real.c measures them against a wider type. They are not correctly
 * rounded: that they are the same everywhere is what is asked. NaN in is NaN out; infinities, zeros and overflow as in C.
 * Pure; any thread. Cost: 20 to 60 ns, real_pow 100, real_erfc 1000.                                                        */
#ifndef SMELTER_REAL_H
#define SMELTER_REAL_H

#include <float.h>
#include <stdint.h>
#include <string.h>

/* 16: so are f16, which nobody uses. */
_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16, "f32 and f64 are rounded after every operation");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "files and messages hold numbers as they are in memory, little end first");

double real_exp(double x);   /* e^x; 0.55 ulp */
double real_expm1(double x); /* e^x - 1; 0.6 ulp */
double real_log(double x);   /* ln x, -inf at 0, NaN below; 0.55 ulp */
double real_log1p(double x); /* ln(1 + x), -inf at -1, NaN below; 0.55 ulp */
double real_log2(double x);  /* ln x / ln 2, exact at powers of 2; 0.55 ulp */
double real_tanh(double x);  /* 0.55 ulp */
double real_cosh(double x);  /* for |x| <= 709, inf beyond; 1.2 ulp */
double real_erfc(double x);  /* 1 - erf x; 3 ulp, where the result is no denormal */

/* real_pow - x^y for x >= 0, NaN below; x^0 is 1 and 1^y is 1, whatever the other is. 0.55 ulp. */
double real_pow(double x, double y);

/* ---- ln x in parts --------------------------------------------------------------------------------------------------------
 *
 * x = 2^e m with sqrt(1/2) < m <= sqrt(2) or so; with s = (m - 1) / (m + 1), |s| < 0.1716, as a sum of two f64,
 *     ln m = 2 atanh(s) = 2 s + s^3 (2/3 + 2/5 s^2 + .. + 2/25 s^22),
 * whose first term has all the digits and whose others are below 1% of it, so that their roundings count for little; the first
 * that is left out is below 2^-60 of it. e ln 2 is added in two parts, of which the first, of 32 bits, has exact products. */

#define REAL_LN2_HIGH 0x1.62e42feep-1
#define REAL_LN2_LOW 0x1.a39ef35793c76p-33

/* hi + lo, |lo| at most half an ulp of hi. */
typedef struct real_pair {
    double hi, lo;
} real_pair_t;

/* real_sum - a + b without an error (Knuth).  real_product - a b without an error (Dekker; for |a|, |b| < 2^995). */
static inline real_pair_t real_sum(double a, double b)
{
    const double sum = a + b, of_b = sum - a;
    return (real_pair_t){sum, (a - (sum - of_b)) + (b - of_b)};
}

static inline real_pair_t real_product(double a, double b)
{
    const double split = 0x1.0000002p27, product = a * b;
    const double a_high = a * split - (a * split - a), a_low = a - a_high;
    const double b_high = b * split - (b * split - b), b_low = b - b_high;
    return (real_pair_t){product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

/* s of m + low, and e: what x = m 2^e has in [sqrt(1/2), sqrt(2)), for a normal x > 0, in f64 so that loops become vectors. */
static inline double real_mantissa(double x, double *e)
{
    uint64_t bits, exponent;
    memcpy(&bits, &x, sizeof bits);
    bits += 0x3ff0000000000000 - 0x3fe6a09e667f3bcd; /* carries into the exponent from sqrt(1/2) on */
    exponent = (bits >> 52) + 0x4338000000000000;    /* 1.5 2^52 and it, as f64 */
    bits = (bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd;
    double m, number;
    memcpy(&m, &bits, sizeof m);
    memcpy(&number, &exponent, sizeof number);
    *e = number - (0x1.8p52 + 1023.0);
    return m;
}

/* s = (m - 1 + low) / (m + 1 + low) */
static inline real_pair_t real_log_argument(double m, double low)
{
    const real_pair_t above = real_sum(m - 1.0, low), below = real_sum(m, 1.0);
    real_pair_t s;
    s.hi = above.hi / below.hi;
    const real_pair_t back = real_product(s.hi, below.hi);
    s.lo = (((above.hi - back.hi) - back.lo) + above.lo - s.hi * (below.lo + low)) / below.hi;
    return s;
}

/* (ln m - 2 s) / s^3, of z = s^2 */
static inline double real_log_tail(double z)
{
    double sum = 2.0 / 25.0;
    sum = sum * z + 2.0 / 23.0;
    sum = sum * z + 2.0 / 21.0;
    sum = sum * z + 2.0 / 19.0;
    sum = sum * z + 2.0 / 17.0;
    sum = sum * z + 2.0 / 15.0;
    sum = sum * z + 2.0 / 13.0;
    sum = sum * z + 2.0 / 11.0;
    sum = sum * z + 2.0 / 9.0;
    sum = sum * z + 2.0 / 7.0;
    sum = sum * z + 2.0 / 5.0;
    return sum * z + 2.0 / 3.0;
}

/* ln((m + low) 2^e) */
static inline double real_log_assemble(double m, double low, double e)
{
    const real_pair_t s = real_log_argument(m, low), first = real_sum(e * REAL_LN2_HIGH, 2.0 * s.hi);
    const double z = s.hi * s.hi;
    return first.hi + (first.lo + (s.hi * z * real_log_tail(z) + (2.0 * s.lo + e * REAL_LN2_LOW)));
}

/* real_log_of_normal - ln x of a normal, finite x > 0: real_log without the cases, straight code that loops vectorise. */
static inline double real_log_of_normal(double x)
{
    double e;
    const double m = real_mantissa(x, &e);
    return real_log_assemble(m, 0.0, e);
}

#endif
