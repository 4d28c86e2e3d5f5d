/* swap.h - swap rate: in how many queries a person would be shown something else (docs/MATH.md eq. 40).
 *
 * A model recommends the k examples of a query that it scores highest, ties in the order of the examples. Two replicas swap
 * a query where these k are not the same set. A query of k examples or fewer cannot swap and does not count. Pure, any
 * thread. */
#ifndef SMELTER_SWAP_H
#define SMELTER_SWAP_H

#include <stdint.h>

#include "common/metrics/queries.h"

/* swap_queries - every query's share of pairs of replicas that swap it; 0 for a query that does not count.
 *
 * p      in   [replicas][n]
 * k      in   1 or more
 * share  out  [queries->count]; NaN below two replicas, and for a query with a prediction outside of [0, 1]
 * Cannot fail.  Cost: n k replicas comparisons at worst, and queries k replicas^2 / 2. */
void swap_queries(const queries_t *queries, const float *const *p, int32_t replicas, int32_t k, double *share);

#endif
