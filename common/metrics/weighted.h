/* weighted.h - the metrics of metrics.h over examples of which each counts by its weight (docs/MATH.md eq. 29a to 33a).
 *
 * w [n] 0 or more; NULL: each counts once, and what comes are the bits of metrics.h. With all weights alike it is the same
 * but for rounding. Sums run in double in the order of the examples, those over pairs in the order of (query,) p and then of
 * the examples. Not defined (NaN) where those of metrics.h are not, and where the weights that would count are all 0. Any
 * thread. */
#ifndef SMELTER_WEIGHTED_H
#define SMELTER_WEIGHTED_H

#include <stdint.h>

#include "common/metrics/queries.h"

/* weighted_of - the weight of example i.  weighted_sum - of all of them. */
static inline double weighted_of(const float *w, int64_t i)
{
    return w ? (double)w[i] : 1.0;
}
double weighted_sum(const float *w, int64_t n);

double weighted_logloss(const float *p, const uint8_t *y, const float *w, int64_t n);
double weighted_base_rate_logloss(const uint8_t *y, const float *w, int64_t n);
double weighted_normalised_entropy(const float *p, const uint8_t *y, const float *w, int64_t n);
double weighted_calibration(const float *p, const uint8_t *y, const float *w, int64_t n);

/* weighted_auc_loss - a pair counts by the product of its weights.  weighted_pqauc_loss - likewise inside of queries, the mean
 * over queries being over those whose pairs count at all. Cost: a sort; 24 bytes an example. */
double weighted_auc_loss(const float *p, const uint8_t *y, const float *w, int64_t n);
double weighted_pqauc_loss(const float *p, const uint8_t *y, const float *w, const uint64_t *group, int64_t n,
                           double *per_query_mean);

/* The parts of the two, as in metrics.h: shares of the weights of the examples of the other label, and sums of products. */
void weighted_auc_examples(const float *p, const uint8_t *y, const float *w, int64_t n, double *wrong);
void weighted_pqauc_queries(const float *p, const uint8_t *y, const float *w, const queries_t *queries, double *wrong,
                            double *pairs);

#endif
