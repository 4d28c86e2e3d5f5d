/* gSmeLU with fixed numbers, the paper's eq. (8) to (10): slope g- up to -alpha, slope g+ from beta on, a parabola between that
 * meets both with equal value and slope; t is the value at -alpha. With g- = 0, g+ = 1, alpha = beta, t = 0 it is SmeLU. */
#include "common/kernels/activation_loop.h"
#include "common/kernels/gsmelu_element.h"

typedef struct constants {
    float alpha, width, left, right, half_bend, level;
} constants_t;

static constants_t prepare(const activation_shape_t *shape)
{
    const double width = shape->alpha + shape->beta;
    return (constants_t){(float)shape->alpha,
                         (float)width,
                         (float)shape->left,
                         (float)shape->right,
                         (float)((shape->right - shape->left) / (2.0 * width)),
                         (float)shape->level};
}

static inline value_slope_t evaluate(float x, constants_t k)
{
    return gsmelu_point(x, k.alpha, k.width, k.left, k.right, k.half_bend, k.level).f;
}

/* The paper's own form of the pieces. */
static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double alpha = shape->alpha, beta = shape->beta, left = shape->left, right = shape->right, t = shape->level;
    const double a = (right - left) / (2.0 * (alpha + beta)), b = (alpha * right + beta * left) / (alpha + beta);
    const double c = t + (alpha * alpha * (right + left) + 2.0 * alpha * beta * left) / (2.0 * (alpha + beta));
    if (x <= -alpha) {
        *value = left * x + t + left * alpha;
        *slope = left;
    } else if (x < beta) {
        *value = a * x * x + b * x + c;
        *slope = 2.0 * a * x + b;
    } else {
        *value = right * x + t + (alpha + beta) / 2.0 * left + (alpha - beta) / 2.0 * right;
        *slope = right;
    }
}

ACTIVATION_DEFINE(gsmelu, BETA_WIDTH);
