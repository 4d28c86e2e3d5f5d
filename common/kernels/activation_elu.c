/* ELU: f(x) = x right of 0, beta (e^x - 1) left of it (Clevert et al. 2016). Only beta = 1 has a continuous slope; at 0 it is
 * that of the left side. */
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
    const float left = x > 0.0f ? 0.0f : x;
    return (value_slope_t){x > 0.0f ? x : k.beta * vm_expm1(left), x > 0.0f ? 1.0f : k.beta * vm_exp(left)};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    *value = x > 0.0 ? x : shape->beta * real_expm1(x);
    *slope = x > 0.0 ? 1.0 : shape->beta * real_exp(x);
}

ACTIVATION_DEFINE(elu, BETA_WIDTH);
