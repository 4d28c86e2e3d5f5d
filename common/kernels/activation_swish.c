/* Swish, the paper's eq. (4): f(x) = x sigma(beta x) (Ramachandran et al. 2017). A smaller beta is wider. */
#include "common/kernels/activation_swish.h"

typedef struct constants {
    float beta;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    return (constants_t){(float)shape->beta};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    return swish_evaluate(x, k.beta);
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    swish_exact(x, shape->beta, value, slope);
}

ACTIVATION_DEFINE_KEEPING(swish, BETA_SHARPNESS);
