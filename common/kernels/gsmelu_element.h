/* gsmelu_element.h - gSmeLU at one point, for the kernel with fixed numbers and the one with learned ones.
 *
 * With s = x + alpha, w = alpha + beta, c = s cut to [0, w] and o = s - c, the outer part, the three pieces are one:
 *
 *     f(x)  = t + c (g- + h c) + g o ,   h = (g+ - g-) / (2 w) ,   g = g- where o < 0, else g+
 *     f'(x) = g- + 2 h c
 *
 * Nothing large cancels anywhere: c and o are 0 in the pieces they do not belong to.                                */
#ifndef SMELTER_GSMELU_ELEMENT_H
#define SMELTER_GSMELU_ELEMENT_H

#include "common/kernels/activation_loop.h"

typedef struct gsmelu_point {
    float inner, outer; /* c and o */
    value_slope_t f;
} gsmelu_point_t;

static inline gsmelu_point_t gsmelu_point(float x, float alpha, float width, float left, float right, float half_bend,
                                          float level)
{
    const float s = x + alpha, c = clamp(s, HIDDEN_ZERO(width), width), o = s - c;
    const float bent = half_bend * c;
    return (gsmelu_point_t){c, o, {level + c * (left + bent) + (o < 0.0f ? left : right) * o, left + (bent + bent)}};
}

#endif
