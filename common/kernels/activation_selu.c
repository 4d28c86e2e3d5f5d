/* SELU: lambda times ELU with the constants that keep mean 0 and variance 1 over layers (Klambauer et al. 2017). At 0 the slope
 * is that of the left side. */
#include <math.h>

#include "common/kernels/activation_loop.h"
#include "common/kernels/vector_math.h"
#include "common/math/real.h"

#define LAMBDA 1.0507009873554804934193349852946
#define ALPHA 1.6732632423543772848170429916717

typedef struct constants {
    float lambda, both;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    (void)shape;
    return (constants_t){(float)LAMBDA, (float)(LAMBDA * ALPHA)};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    const float left = x > 0.0f ? 0.0f : x;
    return (value_slope_t){x > 0.0f ? k.lambda * x : k.both * vm_expm1(left), x > 0.0f ? k.lambda : k.both * vm_exp(left)};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    (void)shape;
    *value = x > 0.0 ? LAMBDA * x : LAMBDA * ALPHA * real_expm1(x);
    *slope = x > 0.0 ? LAMBDA : LAMBDA * ALPHA * real_exp(x);
}

ACTIVATION_DEFINE(selu, BETA_NONE);
