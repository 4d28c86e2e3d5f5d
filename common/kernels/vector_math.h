/* vector_math.h - exp, log and the normal tail in f32 as straight-line code that the compiler turns into vectors.
 *
 * No calls, no branches, no tables: every function is a few multiplications, one division at most and a select, so a loop over
 * it vectorises whole, and gives the same bits on every vector width. NaN in is NaN out. Results whose size would be below
 * 1.7e-38 are 0. The errors named are relative, for the argument as given; tests/kernels/test_vector_math.c holds them to it
 * (1 ulp is 1.2e-7 at most).                                                                                          */
#ifndef SMELTER_VECTOR_MATH_H
#define SMELTER_VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

#define VM_EXP_LEAST (-87.0f) /* e^-87 is just above the smallest normal f32 */

/* e^x in two parts: e^x = power (1 + rest), power = 2^k, |rest| <= sqrt(2) - 1. For -87 <= x <= 88.
 *
 * x = k ln 2 + r with |r| <= ln 2 / 2; rest = r + r^2 q(r), q the minimax polynomial of (e^r - 1 - r) / r^2, off by 6.5e-8.
 * Adding 1.5 2^23 rounds to an integer in the low mantissa bits, which are k in two's complement, and go to the exponent.
 * k times the high part of ln 2 (15 bits) is exact. */
typedef struct vm_power {
    float power, rest;
} vm_power_t;

static inline vm_power_t vm_exp_parts(float x)
{
    const float rounded = x * 0x1.715476p+0f + 0x1.8p23f;
    const float k = rounded - 0x1.8p23f;
    const float r = (x - k * 0x1.62e4p-1f) - k * 0x1.7f7d1cp-20f;
    float q = 0x1.6d10fcp-10f;
    q = q * r + 0x1.120b62p-7f;
    q = q * r + 0x1.55551ap-5f;
    q = q * r + 0x1.5554dep-3f;
    q = q * r + 0.5f;
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    bits = (bits + 127) << 23;
    vm_power_t e;
    memcpy(&e.power, &bits, sizeof bits);
    e.rest = r + r * r * q;
    return e;
}

/* e^x for x <= 88; error below 1.3e-7. */
static inline float vm_exp(float x)
{
    const vm_power_t e = vm_exp_parts(x < VM_EXP_LEAST ? VM_EXP_LEAST : x);
    return x < VM_EXP_LEAST ? 0.0f : e.power + e.power * e.rest;
}

/* e^x - 1 for x <= 88, exact to rounding around 0; error below 3e-7. */
static inline float vm_expm1(float x)
{
    const vm_power_t e = vm_exp_parts(x < VM_EXP_LEAST ? VM_EXP_LEAST : x);
    return e.power * e.rest + (e.power - 1.0f);
}

/* log(1 + e) for e in [0, 1]: 2 atanh(t), t = e / (2 + e) <= 1/3, by its minimax polynomial in t^2; error below 2.5e-7. */
static inline float vm_log1p(float e)
{
    const float t = e / (2.0f + e), t2 = t * t;
    float g = 0x1.12f598p-3f;
    g = g * t2 + 0x1.21249ap-3f;
    g = g * t2 + 0x1.99ad6cp-3f;
    g = g * t2 + 0x1.55554cp-2f;
    return 2.0f * (t + t * t2 * g);
}

/* The upper tail of the normal distribution for a >= 0: Q(a) = erfc(a / sqrt(2)) / 2, and e^(-a^2/2), which goes into it and
 * which derivatives want too. Q(a) = e^(-a^2/2) t N(u), t = 1 / (1 + 0.35 a), u = 1 - t, N the minimax polynomial on a <= 14,
 * beyond which the exponential is 0; in u rather than t, because at u = 0, where N(u) falls fast, u has no rounding.
 * Error below 2.5e-7 (1 + a^2): the square in the exponent is rounded. */
typedef struct vm_tail {
    float tail, bell;
} vm_tail_t;

static inline vm_tail_t vm_normal_tail(float a)
{
    const float near = a > 14.0f ? 14.0f : a, ahead = 0.35f * near, t = 1.0f / (1.0f + ahead), u = ahead * t;
    float n = -0x1.bf2828p-8f;
    n = n * u - 0x1.c2a45ap-9f;
    n = n * u + 0x1.8f528ap-5f;
    n = n * u - 0x1.e49548p-6f;
    n = n * u - 0x1.1072a6p-5f;
    n = n * u - 0x1.e455e4p-5f;
    n = n * u + 0x1.a0f9d4p-4f;
    n = n * u + 0x1.0b61ep-2f;
    n = n * u - 0x1.47985cp-1f;
    n = n * u + 0.5f;
    vm_tail_t q;
    q.bell = vm_exp(-0.5f * (near * near));
    q.tail = q.bell * t * n;
    return q;
}

#endif
