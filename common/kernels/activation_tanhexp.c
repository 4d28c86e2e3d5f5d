/* TanhExp: f(x) = x tanh(e^(beta x)) (Liu and Di 2020, beta = 1). A smaller beta is wider.
 *
 * With y = e^(beta x) and q = e^(-2 y), tanh(y) = (1 - q) / (1 + q) and 1 - tanh(y)^2 = 4 q / (1 + q)^2. 1 - q comes from
 * the parts of the exponential, so that the tail, where y is small, keeps its digits. From beta x = 4 on tanh(y) is 1 in
 * f32. */
#include <math.h>

#include "common/kernels/activation_loop.h"
#include "common/kernels/vector_math.h"
#include "common/math/real.h"

typedef struct constants {
    float beta;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    return (constants_t){(float)shape->beta};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    const float z = clamp(k.beta * x, -128.0f, 3.75f), y = vm_exp(z);
    const vm_power_t e = vm_exp_parts(-2.0f * y); /* y <= e^3.75 < 43.5 */
    const float q = e.power + e.power * e.rest, one_minus_q = (1.0f - e.power) - e.power * e.rest;
    const float inverse = 1.0f / (1.0f + q), t = one_minus_q * inverse;
    return (value_slope_t){x * t, t + z * y * (4.0f * q * inverse * inverse)};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double z = shape->beta * x, y = real_exp(fmin(z, 5.0)), cosine = real_cosh(y);
    *value = x * real_tanh(y);
    *slope = real_tanh(y) + z * y / (cosine * cosine);
}

ACTIVATION_DEFINE_KEEPING(tanhexp, BETA_SHARPNESS);
