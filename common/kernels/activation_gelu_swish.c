/* Swish as an approximation of GELU: beta' = sqrt(8 / pi) beta makes the slopes of sigma and Phi agree at 0. */
#include "common/kernels/activation_swish.h"

#define SQRT_8_OVER_PI 1.5957691216057307117597842397375

typedef struct constants {
    float beta;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    return (constants_t){(float)(SQRT_8_OVER_PI * shape->beta)};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    return swish_evaluate(x, k.beta);
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    swish_exact(x, SQRT_8_OVER_PI * shape->beta, value, slope);
}

ACTIVATION_DEFINE_KEEPING(gelu_swish, BETA_SHARPNESS);
