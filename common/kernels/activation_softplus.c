/* SoftPlus, the paper's eq. (3): f(x) = log(1 + e^(beta x)) / beta, f'(x) = sigma(beta x). A smaller beta is wider.
 *
 * f(x) = max(x, 0) + log(1 + e^-|beta x|) / beta is finite for every finite x. */
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
    const float z = k.beta * x, e = vm_exp(-__builtin_fabsf(z));
    return (value_slope_t){(x < 0.0f ? 0.0f : x) + vm_log1p(e) * k.inverse, (z < 0.0f ? e : 1.0f) / (1.0f + e)};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double z = shape->beta * x, e = real_exp(-fabs(z));
    *value = fmax(x, 0.0) + real_log1p(e) / shape->beta;
    *slope = (z < 0.0 ? e : 1.0) / (1.0 + e);
}

ACTIVATION_DEFINE_KEEPING(softplus, BETA_SHARPNESS);
