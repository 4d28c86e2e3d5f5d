/* activation_swish.h - Swish at a slope b: f(x) = x sigma(b x), f'(x) = s + b x s (1 - s) with s = sigma(b x). Shared by the
 * two functions of the table that are Swish. */
#ifndef SMELTER_ACTIVATION_SWISH_H
#define SMELTER_ACTIVATION_SWISH_H

#include <math.h>

#include "common/kernels/activation_loop.h"
#include "common/kernels/vector_math.h"
#include "common/math/real.h"

/* With e = e^-|z|, s (1 - s) is e / (1 + e)^2 on both sides. It is 0 from |z| = 88 on, so z may be cut there: an infinite z,
 * for a huge x and beta, makes no NaN. */
static inline value_slope_t swish_evaluate(float x, float b)
{
    const float z = clamp(b * x, -128.0f, 128.0f), e = vm_exp(-__builtin_fabsf(z)), inverse = 1.0f / (1.0f + e);
    const float s = z < 0.0f ? e * inverse : inverse;
    return (value_slope_t){x * s, s + z * e * inverse * inverse};
}

static inline void swish_exact(double x, double b, double *value, double *slope)
{
    const double z = b * x, e = real_exp(-fabs(z)), s = (z < 0.0 ? e : 1.0) / (1.0 + e);
    *value = x * s;
    *slope = s + z * e / ((1.0 + e) * (1.0 + e));
}

#endif
