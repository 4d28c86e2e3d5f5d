/* level.h - replicas brought to one level: what they differ in, once it is not how high they predict on average
 * (docs/MATH.md eq. 42).
 *
 * The level of a replica is its mean prediction. Which examples a training saw last moves it, all predictions together; such
 * a difference goes away with any calibration after training, and no ranking sees it. Pure functions, any thread. */
#ifndef SMELTER_LEVEL_H
#define SMELTER_LEVEL_H

#include <stdint.h>

#include "common/metrics/scores.h"

/* level_shift - the constant c that, added to all logits, makes the mean prediction `level`:
 *
 *   (1/n) sum_t sigmoid(logit p_t + c) = level                                             (docs/MATH.md eq. 42)
 *
 * p       in each in [0, 1]; 0 and 1 have no finite logit and stay what they are
 * w       in what each example counts in the mean, [p->n]; NULL: 1. So in all that follow
 * shift   out; NaN where no constant does it: without an example, or where too many predictions are 0 or 1
 * Errors of reading p.  Cost: about 5 passes of a division each. */
WARN_UNUSED status_t level_shift(const scores_t *p, const float *w, double level, double *shift);

/* level_factors - what brings every replica to the mean level of all: factor[r], for level_moved. All are NaN where a
 * prediction of any replica is not in [0, 1], or a level is out of reach.  p in [replicas].  Errors of reading p. */
WARN_UNUSED status_t level_factors(const scores_t *p, int32_t replicas, const float *w, double *factor);

/* level_moved - predictions of a replica, by its factor.  out [n] := .. of p [n]. */
void level_moved(const float *p, int64_t n, double factor, float *out);

/* level_predictions - every replica's predictions at the mean level of all replicas.
 *
 * p    in   [replicas][n]
 * out  out  [replicas][n], row-major; all NaN where level_factors are
 * Cannot fail. */
void level_predictions(const float *const *p, int32_t replicas, const float *w, int64_t n, float *out);

#endif
