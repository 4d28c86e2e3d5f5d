/* metrics.h - quality of predictions (docs/MATH.md section 9); how they differ between replicas is pd.h.
 *
 * Pure functions over arrays. p is f32 in [0, 1], y is 0 or 1. Sums run in double in the order of the arrays, or in whole
 * numbers, so that a result is the same on every call. A result that is not defined (no example, no pair) is NaN, and so is
 * every metric of predictions that hold a NaN or leave [0, 1]: a diverged model must not get a good number. Any thread. */
#ifndef SMELTER_METRICS_H
#define SMELTER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/metrics/queries.h"

/* metrics_are_labels - is every y 0 or 1? To be asked of numbers that come from a file or a message. */
bool metrics_are_labels(const uint8_t *y, int64_t n);

/* metrics_logloss - mean of -y log p - (1-y) log(1-p) (eq. 29); p is kept away from 0 and 1 by 1e-7, because an f32
 * probability rounds to 0 or 1 long before its logit is infinite. */
double metrics_logloss(const float *p, const uint8_t *y, int64_t n);

/* metrics_logloss_example - the term of one example, of which that is the mean. */
double metrics_logloss_example(float p, uint8_t y);

/* metrics_base_rate_logloss - of predicting the share of positives for every example (eq. 44); 0 where all labels are equal,
 * NaN without an example. */
double metrics_base_rate_logloss(const uint8_t *y, int64_t n);

/* metrics_normalised_entropy - logloss as a share of the base rate's (eq. 45): 1 is a model that has learned nothing. NaN where
 * all labels are equal. */
double metrics_normalised_entropy(const float *p, const uint8_t *y, int64_t n);

/* metrics_calibration - sum p / sum y (eq. 30). NaN without a positive. */
double metrics_calibration(const float *p, const uint8_t *y, int64_t n);

/* metrics_auc_loss - share of (positive, negative) pairs with p_negative > p_positive, ties count 1/2 (eq. 31). Exact.
 * Cost: a radix sort, linear in n, with 8 bytes of scratch memory per example. */
double metrics_auc_loss(const float *p, const uint8_t *y, int64_t n);

/* metrics_pqauc_loss - the same over pairs inside one group: sum of wrong pairs / sum of pairs (eq. 32).  per_query_mean
 * (may be NULL) gets the mean of the per-group losses over groups that have a pair (eq. 33). Examples of group QUERY_NONE
 * (queries.h) are left out. Scratch memory: 16 bytes per example; metrics_pqauc_loss_sorting takes 8, and leaves group
 * sorted. */
double metrics_pqauc_loss(const float *p, const uint8_t *y, const uint64_t *group, int64_t n, double *per_query_mean);
double metrics_pqauc_loss_sorting(const float *p, const uint8_t *y, uint64_t *group, int64_t n, double *per_query_mean);

/* The parts of the two, for who resamples queries:
 *
 * metrics_auc_examples - of each example the share of the examples of the other label that it is wrongly ordered with; over the
 * positives alone, and over the negatives alone, their mean is the AUC loss.  wrong  out [n]; all NaN where AUC loss is.
 * Cost: a sort, and a binary search an example.
 *
 * metrics_pqauc_queries - of each query the number of its pairs, and of those that are wrongly ordered, ties counting 1/2; sum
 * over sum is the PQAUC loss.  wrong, pairs  out [queries->count]; all wrong NaN where a prediction is not in [0, 1]. */
void metrics_auc_examples(const float *p, const uint8_t *y, int64_t n, double *wrong);
void metrics_pqauc_queries(const float *p, const uint8_t *y, const queries_t *queries, double *wrong, double *pairs);

#endif
