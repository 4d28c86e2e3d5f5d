/* metrics.h - quality of predictions and difference between them. Pure functions over arrays; double accumulation; exact by
 * sorting. p in (0,1) f32, y 0/1. Undefined results (no pair, no example) are NaN. Any thread. */
#ifndef SMELTER_METRICS_H
#define SMELTER_METRICS_H

#include <stdint.h>

/* metrics_logloss - mean of -y log p - (1-y) log(1-p); p is kept away from 0 and 1 by 1e-7. */
double metrics_logloss(const float *p, const uint8_t *y, int64_t n);

/* metrics_calibration - sum p / sum y. */
double metrics_calibration(const float *p, const uint8_t *y, int64_t n);

/* metrics_auc_loss - share of (positive, negative) pairs with p_negative > p_positive, ties count 1/2 (PAPER eq. 1). */
double metrics_auc_loss(const float *p, const uint8_t *y, int64_t n);

/* metrics_pqauc_loss - the same over pairs inside one group: sum of wrong pairs / sum of pairs.  per_query_mean (may be
 * NULL) gets the mean of the per-group losses over groups that have a pair. */
double metrics_pqauc_loss(const float *p, const uint8_t *y, const uint64_t *group, int64_t n, double *per_query_mean);

/* metrics_relative_pd - (1/T) sum 2 |p1 - p2| / (p1 + p2) (PAPER eq. 2). */
double metrics_relative_pd(const float *p1, const float *p2, int64_t n);

/* metrics_relative_pd_mean - mean of metrics_relative_pd over all pairs of `replicas` prediction vectors; *pairs gets their
 * number. NaN and 0 below two replicas. */
double metrics_relative_pd_mean(const float *const *p, int replicas, int64_t n, int *pairs);

#endif
