/* slices.h - means of a number over the examples that share a value, each by its weight: where in the data models differ most.
 *
 * One slices_t is one column with M numbers per example (one per model compared). Values are put example by example, in the
 * order of the examples; an example may be put under several values (a multi-valued column) or under none. One owner, one
 * thread. */
#ifndef SMELTER_SLICES_H
#define SMELTER_SLICES_H

#include <stdint.h>

typedef struct slices slices_t;

slices_t *slices_create(int32_t models); /* **owned** */
void slices_destroy(slices_t **slices);

/* slices_put - an example under `value`; number [models], times its weight, is added to the value's sums. */
void slices_put(slices_t *slices, uint64_t value, double weight, const double *number);

/* slices_count - distinct values, numbered from 0 in the order in which they came; slices_find - number of a value, or -1. */
int64_t slices_count(const slices_t *slices);
int64_t slices_find(const slices_t *slices, uint64_t value);

/* One value's slice, for one model. */
typedef struct slice {
    uint64_t value;
    int64_t examples;
    double mean; /* NaN where a number of the slice is, and where all its weights are 0 */
} slice_t;

slice_t slices_get(const slices_t *slices, int64_t number, int32_t model);

/* slices_worst - the slices of a model with the highest means, highest first (ties in the order of their numbers), among
 * those of at least `least` examples; means that are NaN are left out.  out [most].  Returns how many there are. */
int slices_worst(const slices_t *slices, int32_t model, int64_t least, slice_t *out, int most);

#define SLICES_DECILES 10

/* slices_edges - the nine edges that cut `n` numbers into ten parts of about equal size. Reorders the numbers; n >= 1, no NaN.
 * slices_bucket - 0 .. 9: the part of a number, which is how many edges are below it. Equal numbers share a part. */
void slices_edges(float *number, int64_t n, float edge[SLICES_DECILES - 1]);
int slices_bucket(const float edge[SLICES_DECILES - 1], float number);

#endif
