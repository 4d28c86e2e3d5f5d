/* GELU, the paper's eq. (5): f(x) = x Phi(beta x), f'(x) = Phi(z) + z phi(z) with z = beta x, Phi and phi the normal
 * distribution and its density (Hendrycks and Gimpel 2016). Not the approximation by tanh. A smaller beta is wider. */
#include <math.h>

#include "common/kernels/activation_loop.h"
#include "common/kernels/vector_math.h"
#include "common/math/real.h"

#define ONE_OVER_SQRT_2_PI 0.39894228040143267793994605993438

typedef struct constants {
    float beta;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    return (constants_t){(float)shape->beta};
}

/* phi is 0 from |z| = 14 on, so z may be cut there. */
static inline value_slope_t evaluate(float x, constants_t k)
{
    const float z = clamp(k.beta * x, -16.0f, 16.0f);
    const vm_tail_t q = vm_normal_tail(__builtin_fabsf(z));
    const float below = z < 0.0f ? q.tail : 1.0f - q.tail;
    return (value_slope_t){x * below, below + z * q.bell * (float)ONE_OVER_SQRT_2_PI};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double z = shape->beta * x, below = 0.5 * real_erfc(-z * M_SQRT1_2);
    *value = x * below;
    *slope = below + (fabs(z) < 40.0 ? z * real_exp(-0.5 * z * z) * ONE_OVER_SQRT_2_PI : 0.0);
}

ACTIVATION_DEFINE_KEEPING(gelu, BETA_SHARPNESS);
