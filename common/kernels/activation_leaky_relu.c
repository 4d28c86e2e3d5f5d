/* Leaky ReLU: f(x) = x right of 0, leak x left of it; at 0 the slope is `leak` (Maas et al. 2013). */
#include "common/kernels/activation_loop.h"

typedef struct constants {
    float leak;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    return (constants_t){(float)shape->leak};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    return (value_slope_t){x <= 0.0f ? k.leak * x : x, x <= 0.0f ? k.leak : 1.0f};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    *value = x > 0.0 ? x : shape->leak * x;
    *slope = x > 0.0 ? 1.0 : shape->leak;
}

ACTIVATION_DEFINE(leaky_relu, BETA_NONE);
