/* spread.h - how far R replicas of a model lie apart, in three numbers, with their standard errors over replicas. A report has
 * them of the whole evaluation split, and of the probe set as training goes on. Pure functions, any thread. */
#ifndef SMELTER_SPREAD_H
#define SMELTER_SPREAD_H

#include <stdint.h>

#include "common/metrics/queries.h"
#include "common/metrics/scores.h"

/* X(name, "what it is"). */
#define SPREAD_NUMBERS(X) \
    X(pd_relative, "relative prediction difference, mean over pairs of replicas (docs/MATH.md eq. 35)") \
    X(pd_levelled, "the same once all replicas have the same mean prediction (eq. 42)") \
    X(swap_top1, "share of queries whose highest example differs, mean over pairs of replicas (eq. 40)")

typedef struct spread_number {
    double value, error; /* error: eq. 43; NaN below three replicas */
} spread_number_t;

#define SPREAD_MEMBER(name, doc) spread_number_t name;
typedef struct spread {
    SPREAD_NUMBERS(SPREAD_MEMBER)
} spread_t;

/* spread_measure - all numbers of predictions p [replicas][n].  w [n] what each example counts in the prediction differences,
 * NULL: 1; a query counts once.  queries: of the n examples, for swaps; those of one example do
 * not count, and where there are no others, or queries is NULL, swaps are NaN. All is NaN below two replicas, and where a
 * prediction is not in [0, 1].  Cost: replicas^3 / 2 passes. */
void spread_measure(const float *const *p, int32_t replicas, const float *w, int64_t n, const queries_t *queries,
                    spread_t *out);

/* Without one replica after the other: without [replicas] out; w as above. From three replicas on. Errors of reading p
 * [replicas].
 * spread_without - relative PD of those that are left.
 * spread_without_levelled - levelled PD: they are levelled anew, because a level that one of them moved moves PD. */
WARN_UNUSED status_t spread_without(const scores_t *p, int32_t replicas, const float *w, double *without);
WARN_UNUSED status_t spread_without_levelled(const scores_t *p, int32_t replicas, const float *w, double *without);

#endif
