/* activation.h - the table of activations: one line here and one file, activation_WORD.c, each. Stateless, vectorised, any
 * thread. */
#ifndef SMELTER_ACTIVATION_H
#define SMELTER_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* W(word of model.activation, constant, "meaning"); each is `activation_WORD`. Figures show them in this order. */
#define WORDS_ACTIVATION(W) \
    W(relu, ACTIVATION_RELU, "max(x, 0)") \
    W(leaky_relu, ACTIVATION_LEAKY_RELU, "x, or model.leak x left of 0") \
    W(elu, ACTIVATION_ELU, "x, or beta (e^x - 1) left of 0; smooth where beta is 1") \
    W(selu, ACTIVATION_SELU, "ELU with the self-normalising constants; no beta") \
    W(celu, ACTIVATION_CELU, "x, or beta (e^(x/beta) - 1) left of 0") \
    W(softplus, ACTIVATION_SOFTPLUS, "log(1 + e^(beta x)) / beta; a smaller beta is smoother, as in the next five") \
    W(swish, ACTIVATION_SWISH, "x sigma(beta x)") \
    W(gelu, ACTIVATION_GELU, "x Phi(beta x), by the error function") \
    W(gelu_swish, ACTIVATION_GELU_SWISH, "GELU's approximation by Swish, x sigma(sqrt(8/pi) beta x)") \
    W(mish, ACTIVATION_MISH, "x tanh(log(1 + e^(beta x)))") \
    W(tanhexp, ACTIVATION_TANHEXP, "x tanh(e^(beta x))") \
    W(smelu, ACTIVATION_SMELU, "smooth ReLU, half-width model.beta; a larger beta is smoother") \
    W(gsmelu, ACTIVATION_GSMELU, "generalised SmeLU, joints and slopes by model.gsmelu_*, fixed or learned") \
    W(rescu, ACTIVATION_RESCU, "piecewise parabolas, slopes at knots by model.rescu_*, in units of model.beta") \
    W(identity, ACTIVATION_IDENTITY, "no activation")

/* What a function of the table may depend on; each takes what it knows and ignores the rest (docs/MATH.md section 3).
 * Doubles, so that the exact forms serve as oracles to full precision; the kernels round derived constants to f32 once. */
typedef struct activation_shape {
    double beta; /* > 0: the width */
    double clip; /* > 0: values are kept in [-clip, clip]; INFINITY where clipping is off */
    double leak; /* leaky_relu: slope left of 0 */

    /* gsmelu: slope `left` up to -alpha, where the value is `level`, slope `right` from beta on. alpha, beta > 0,
     * left < right. */
    double alpha, left, right, level;

    /* rescu: at knot[i] beta the slope is slope[i], linear between two knots and constant outside; `rise` beta is the value
     * at the first knot. Borrowed; knots ascend, at least one. */
    int knots;
    const double *knot, *slope;
    double rise;
} activation_shape_t;

/* A kernel works on n contiguous f32.
 *   forward   y := clip(f(x), -c, c)
 *   backward  dx := dy * f'(x) where |f(x)| < c, else 0     (docs/MATH.md)
 * y may be x in forward and dx may be dy in backward; otherwise nothing overlaps. A NaN in x shows in y and one in dy shows
 * in dx, so that a diverged run is seen. The same element gives the same bits at any place and on any vector width. */
typedef void activation_forward_fn(float *y, const float *x, int64_t n, const activation_shape_t *shape);
typedef void activation_backward_fn(float *dx, const float *dy, const float *x, int64_t n, const activation_shape_t *shape);
/* The same in two halves, for functions whose slope costs more than a pass over memory:
 *   forward_keeping           y as of forward, slope := f'(x) where |f(x)| < c, else ACTIVATION_CLIPPED
 *   activation_backward_kept  dx as of backward, bit for bit, from the slopes
 * y may be x and dx may be dy; otherwise nothing overlaps. */
#define ACTIVATION_CLIPPED __builtin_inff() /* no slope is */
typedef void activation_keeping_fn(float *y, float *slope, const float *x, int64_t n, const activation_shape_t *shape);
void activation_backward_kept(float *dx, const float *dy, const float *slope, int64_t n);
/* The same in double for one element, the oracle: value and derivative (without clipping). */
typedef void activation_exact_fn(double x, const activation_shape_t *shape, double *value, double *slope);

typedef enum beta_meaning {
    BETA_NONE,      /* it does not matter */
    BETA_WIDTH,     /* the bend reaches from -beta to beta */
    BETA_SHARPNESS, /* it reaches from -1/beta to 1/beta, on its scale */
} beta_meaning_t;

typedef struct activation {
    const char *name; /* its word */
    beta_meaning_t beta;
    activation_forward_fn *forward;
    activation_backward_fn *backward;
    activation_exact_fn *exact;
    activation_keeping_fn *forward_keeping; /* NULL where slopes are not worth keeping */
} activation_t;

#define ACTIVATION_EXTERN(word, constant, meaning) extern const activation_t activation_##word;
WORDS_ACTIVATION(ACTIVATION_EXTERN)

/* activation_get - by the value of activation_kind_t (passed as int: kernels do not know the configuration). */
const activation_t *activation_get(int kind);

#endif
