/* weighted.h - the metrics of metrics.h over examples of which each counts by its weight (docs/MATH.md eq. 29a to 31a). With
 * all weights alike they are those, but for rounding.
 *
 * w [n] 0 or more. Sums run in double in the order of the examples, that of AUC loss in the order of p and then of the
 * examples. Not defined (NaN) where those are not, and where the weights that would count are all 0. Any thread. */
#ifndef SMELTER_WEIGHTED_H
#define SMELTER_WEIGHTED_H

#include <stdint.h>

double weighted_logloss(const float *p, const uint8_t *y, const float *w, int64_t n);
double weighted_base_rate_logloss(const uint8_t *y, const float *w, int64_t n);
double weighted_calibration(const float *p, const uint8_t *y, const float *w, int64_t n);

/* weighted_auc_loss - a pair counts by the product of its weights. Cost: a sort. */
double weighted_auc_loss(const float *p, const uint8_t *y, const float *w, int64_t n);

#endif
