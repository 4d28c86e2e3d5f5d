/* loss_math.h - exp and log as losses need them, of IEEE additions, products and divisions in double: the same bits with
 * every C library, and loops over them become vectors. */
#ifndef SMELTER_LOSS_MATH_H
#define SMELTER_LOSS_MATH_H

#include <stdint.h>
#include <string.h>

/* exp(x) for x <= 0, relative error below 1e-15; 0 below -700; NaN stays NaN.
 * x = k ln 2 + r with |r| <= ln 2 / 2; exp(r) by its Taylor series, 2^k through the exponent bits. Adding 1.5 2^52 rounds
 * to an integer in the low mantissa bits, which are k in two's complement. */
static inline double exp_of_negative(double x)
{
    double in_range = x < -700.0 ? -700.0 : x;
    double rounded = in_range * 0x1.71547652b82fep0 + 0x1.8p52;
    double k = rounded - 0x1.8p52;
    double r = (in_range - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
    double sum = 1.0 / 6227020800.0;
    sum = sum * r + 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    uint64_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return x < -700.0 ? 0.0 : sum * power;
}

/* log(1 + e) for e in [0, 1]: 2 atanh(t), t = e / (2 + e) <= 1/3, absolute error below 1e-16. */
static inline double log_of_one_plus(double e)
{
    double t = e / (2.0 + e), t2 = t * t, sum = 1.0 / 33.0;
    for (int k = 31; k >= 1; k -= 2)
        sum = sum * t2 + 1.0 / k;
    return 2.0 * t * sum;
}

#endif
