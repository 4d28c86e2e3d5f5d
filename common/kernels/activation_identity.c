/* No activation; clipping still applies. */
#include "common/kernels/activation_loop.h"

typedef struct constants {
    char none;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    (void)shape;
    return (constants_t){0};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    (void)k;
    return (value_slope_t){x, 1.0f};
}

static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    (void)shape;
    *value = x;
    *slope = 1.0;
}

ACTIVATION_DEFINE(identity, BETA_NONE);
