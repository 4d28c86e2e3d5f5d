/* CELU: f(x) = x right of 0, beta (e^(x / beta) - 1) left of it: ELU with a continuous slope for every beta (Barron 2017). */
#include <math.h>

#include "common/kernels/activation_loop.h"
#include "common/kernels/vector_math.h"
#include "common/math/real.h"

typedef struct constants {
    float beta, inverse;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    return (constants_t){(float)shape->beta, (float)(1.0 / shape->beta)};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    const float left = x > 0.0f ? 0.0f : x * k.inverse;
    return (value_slope_t){x > 0.0f ? x : k.beta * vm_expm1(left), x > 0.0f ? 1.0f : vm_exp(left)};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    *value = x > 0.0 ? x : shape->beta * real_expm1(x / shape->beta);
    *slope = x > 0.0 ? 1.0 : real_exp(x / shape->beta);
}

ACTIVATION_DEFINE(celu, BETA_WIDTH);
