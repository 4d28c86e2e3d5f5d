/* swap.h - swap rate: in how many queries a person would be shown something else (docs/MATH.md eq. 40).
 *
 * A model recommends the k examples of a query that it scores highest, ties in the order of the examples. Two replicas swap
 * a query where these k are not the same set. A query of k examples or fewer cannot swap and does not count. Pure, any
 * thread. */
#ifndef SMELTER_SWAP_H
#define SMELTER_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/metrics/queries.h"

/* swap_queries - every query's share of pairs of replicas that swap it; 0 for a query that does not count.
 *
 * p      in   [replicas][n]
 * k      in   1 or more
 * share  out  [queries->count]; NaN below two replicas, and for a query with a prediction outside of [0, 1]
 * Cannot fail.  Cost: n k replicas comparisons at worst, and queries k replicas^2 / 2. */
void swap_queries(const queries_t *queries, const float *const *p, int32_t replicas, int32_t k, double *share);

/* One query whose examples come one after the other. */
typedef struct swap {
    int32_t replicas, most;
    int64_t size;  /* examples so far */
    bool is_bad;   /* a prediction was not in [0, 1] */
    int64_t *top;  /* **owned**, [replicas][most]: the numbers of the highest, highest first */
    float *score;  /* **owned**, [replicas][most]: their predictions */
    int64_t *sets; /* **owned**, [replicas][most]: scratch of swap_share */
} swap_t;

/* swap_create - for shares of the `most` highest and fewer.  **owned**, swap_destroy.  swap_begin - another query.
 * swap_put - its next example: p[r][at] is what replica r predicts for it, number its own, ascending.
 * swap_share - share[q] of swap_queries, 1 <= k <= most. */
swap_t *swap_create(int32_t replicas, int32_t most);
void swap_destroy(swap_t **swap);
void swap_begin(swap_t *swap);
void swap_put(swap_t *swap, const float *const *p, int64_t at, int64_t number);
double swap_share(const swap_t *swap, int32_t k);

#endif
