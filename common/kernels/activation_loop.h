/* activation_loop.h - forward and backward of an activation from its one-element form.
 *
 * A kernel file defines
 *     constants_t                                       what the loop needs of the shape, in f32
 *     constants_t prepare(const activation_shape_t *)   made once per call
 *     value_slope_t evaluate(float x, constants_t)      straight-line: f(x) and f'(x), NaN for NaN
 *     exact                                             as in activation.h
 * and ends with ACTIVATION_DEFINE, or ACTIVATION_DEFINE_KEEPING where bench_activation says that slopes are worth keeping.
 * forward drops the computation of the slope, since nothing uses it there.                                          */
#ifndef SMELTER_ACTIVATION_LOOP_H
#define SMELTER_ACTIVATION_LOOP_H

#include "common/base/vectors.h"
#include "common/kernels/activation.h"

typedef struct value_slope {
    float value, slope;
} value_slope_t;

/* 0 and 1 as the compiler does not see them (v is finite, and not 0 for 1). A clamp at bounds that it does not know becomes one
 * maximum and one minimum; at constants it becomes a chain of comparisons, twice as slow. */
#define HIDDEN_ZERO(v) ((v) - (v))
#define HIDDEN_ONE(v) ((v) / (v))

/* clamp - x in [least, most]; NaN stays NaN. */
static inline float clamp(float x, float least, float most)
{
    const float above = x < least ? least : x;
    return above > most ? most : above;
}

#define ACTIVATION_DEFINE(word, beta_meaning) ACTIVATION_DEFINE_AS(word, beta_meaning, NULL)

#define ACTIVATION_DEFINE_KEEPING(word, beta_meaning) \
    WIDE static void forward_keeping(float *y, float *slope, const float *x, int64_t n, const activation_shape_t *shape) \
    { \
        const constants_t constants = prepare(shape); \
        const float clip = (float)shape->clip; \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) \
        { \
            const value_slope_t f = evaluate(x[i], constants); \
            y[i] = clamp(f.value, -clip, clip); \
            slope[i] = __builtin_fabsf(f.value) >= clip ? ACTIVATION_CLIPPED : f.slope; \
        } \
    } \
\
    ACTIVATION_DEFINE_AS(word, beta_meaning, forward_keeping)

#define ACTIVATION_DEFINE_AS(word, beta_meaning, keeping) \
    WIDE static void forward(float *y, const float *x, int64_t n, const activation_shape_t *shape) \
    { \
        const constants_t constants = prepare(shape); \
        const float clip = (float)shape->clip; \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) y[i] = clamp(evaluate(x[i], constants).value, -clip, clip); \
    } \
\
    WIDE static void backward(float *dx, const float *dy, const float *x, int64_t n, const activation_shape_t *shape) \
    { \
        const constants_t constants = prepare(shape); \
        const float clip = (float)shape->clip; \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) \
        { \
            const value_slope_t f = evaluate(x[i], constants); \
            dx[i] = __builtin_fabsf(f.value) >= clip ? 0.0f : dy[i] * f.slope; \
        } \
    } \
\
    const activation_t activation_##word = {#word, beta_meaning, forward, backward, exact, keeping}

#endif
