/* Mish: f(x) = x tanh(log(1 + e^(beta x))) (Misra 2019, beta = 1). A smaller beta is wider.
 *
 * With z = beta x and n = e^z, u = tanh(log(1 + n)) = (n^2 + 2 n) / (n^2 + 2 n + 2), of which both sides are divided by n^2
 * where z > 0: with e = e^-|z| <= 1 nothing overflows. The slope is u + z (1 - u^2) sigma(z), 1 - u^2 = (1 - u)(1 + u) without
 * a difference of equal numbers. */
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
    const float z = clamp(k.beta * x, -128.0f, 128.0f), e = vm_exp(-__builtin_fabsf(z));
    const float most = z < 0.0f ? e * (e + 2.0f) : 1.0f + 2.0f * e, rest = z < 0.0f ? 2.0f : 2.0f * e * e;
    const float inverse = 1.0f / (most + rest), t = most * inverse;
    const float one_minus_square = rest * inverse * (1.0f + t);
    return (value_slope_t){x * t, t + z * one_minus_square * ((z < 0.0f ? e : 1.0f) / (1.0f + e))};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double z = shape->beta * x, e = real_exp(-fabs(z)), t = real_tanh(fmax(z, 0.0) + real_log1p(e));
    const double cosine = real_cosh(fmin(fmax(z, 0.0) + real_log1p(e), 300.0));
    *value = x * t;
    *slope = t + z / (cosine * cosine) * (z < 0.0 ? e : 1.0) / (1.0 + e);
}

ACTIVATION_DEFINE(mish, BETA_SHARPNESS);
