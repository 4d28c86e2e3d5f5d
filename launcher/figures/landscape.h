/* landscape.h - the loss of a random network against its inputs, in double, and how many local minima it has.
 *
 * The networks of Figs. 2 and 3 of Shamir and Lin: one or two inputs, hidden layers [256, 128, 64, 32, 16], a scalar score
 * s. Numbers of a network depend on its seed alone, not on activation, normalisation or the spread of its weights, so that
 * curves of one seed differ in the activation only. Layers as in docs/MATH.md section 2; the input itself is not activated. */
#ifndef SMELTER_LANDSCAPE_H
#define SMELTER_LANDSCAPE_H

#include <stdint.h>

#include "common/kernels/activation.h"

typedef enum landscape_norm { LANDSCAPE_WEIGHT_NORM, LANDSCAPE_LAYER_NORM } landscape_norm_t;

typedef struct landscape_options {
    uint64_t seed;
    int inputs;                      /* 1 or 2 */
    double weight_std, bias_std;     /* N(0, std^2) */
    landscape_norm_t norm;           /* weight norm: every row has length 1; layer norm: of hidden pre-activations */
    activation_exact_fn *activation; /* of hidden layers */
    const activation_shape_t *shape; /* borrowed during create and score; clip applies */
} landscape_options_t;

typedef struct landscape landscape_t;

landscape_t *landscape_create(const landscape_options_t *options); /* **owned** */
void landscape_destroy(landscape_t **landscape);

/* landscape_score - s of n points, x [n][inputs]. Any thread, one at a time per landscape. Cost: 44,000 multiplications
 * a point. */
void landscape_score(landscape_t *landscape, double *s, const double *x, int64_t n);

/* landscape_logistic - p1 log(1 + e^-s) + (1 - p1) log(1 + e^s), stably. */
double landscape_logistic(double s, double p1);

/* landscape_normalise - to [0, 1] over all n values; all zeros where they are equal. */
void landscape_normalise(double *loss, int64_t n);

/* landscape_minima - local minima of normalised values on a grid of `rows` x `columns` (1 row: a curve).
 *
 * A minimum is a largest connected set of grid points (8 neighbours) of equal value, such that every neighbour outside
 * of it is strictly higher and none of its points lies on the border, where the other side is not known. Values are
 * taken in steps of 1e-9 of the range, which rounding cannot cross and no picture shows. A plateau thus counts once, a
 * slope with flat steps never. */
int64_t landscape_minima(const double *loss, int rows, int columns);

#endif
