/* activation.h - the table of activations: one line here and one kernel each. Stateless, vectorised, any thread. */
#ifndef SMELTER_ACTIVATION_H
#define SMELTER_ACTIVATION_H

#include <stdint.h>

/* A kernel works on n contiguous f32.
 *   forward   y := clip(f(x), -c, c)
 *   backward  dx := dy * f'(x) where |f(x)| < c, else 0     (docs/MATH.md)
 * c is +infinity where clipping is off. y may be x in forward and dx may be dy in backward; otherwise nothing overlaps.
 * NaN passes through both, so that a diverged run shows it. The same element gives the same bits at any place and on any
 * vector width. */
typedef void activation_forward_fn(float *y, const float *x, int64_t n, float beta, float clip);
typedef void activation_backward_fn(float *dx, const float *dy, const float *x, int64_t n, float beta, float clip);
/* The same in double for one element, the oracle: value and derivative (without clipping). */
typedef void activation_exact_fn(double x, double beta, double *value, double *slope);

typedef struct activation {
    const char *name; /* the word of model.activation */
    activation_forward_fn *forward;
    activation_backward_fn *backward;
    activation_exact_fn *exact;
} activation_t;

/* The kernels, one file each; activation.c lists them in the order of activation_kind_t. */
extern const activation_t activation_relu, activation_smelu, activation_identity;

/* activation_get - by the value of activation_kind_t (passed as int: kernels do not know the configuration). */
const activation_t *activation_get(int kind);

#endif
