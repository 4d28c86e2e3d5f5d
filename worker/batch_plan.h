/* batch_plan.h - which examples make up which batch of a worker: a pure function of the plan, so that any thread that prepares
 * batches, a thread ahead of time or a simulation on demand, prepares the same ones. */
#ifndef SMELTER_BATCH_PLAN_H
#define SMELTER_BATCH_PLAN_H

#include "common/config/lanes.h"
#include "common/data/order.h"
#include "worker/batch.h"

typedef struct visit_store visit_store_t; /* worker/visit_store.h */

typedef struct batch_plan {
    split_t split; /* scoring; training is of the training split */
    int worker, workers;
    lanes_t lanes;       /* training: steps and the worker's rows in each */
    order_t order;       /* training */
    int64_t first_step;  /* training: where to begin */
    const char *scratch; /* training: folder for examples in the order of visits (visit_store.h), borrowed; NULL: none */
    const float
        *teacher; /* training: [train_rows] probabilities by number in the split, borrowed until the plan is over; or NULL */
    bool times;   /* training: examples have theirs, which the dataset has */
    int64_t examples; /* scoring: the first ones of the split, at most; 0: all */
    int chunk;        /* scoring: examples per batch; worker w scores chunks w, w + W, .. of the split; 0: training */
} batch_plan_t;

/* batch_plan_batches - how many there are. */
int64_t batch_plan_batches(const batch_plan_t *plan, const dataset_info_t *info);

/* batch_plan_build - batch `index` of the plan, from 0, as batch_build does it, with what a teacher says of its examples.
 * scratch   positions and examples, grown as needed; **owned** by the caller, loader_scratch_fini. `visits` is where the
 *           examples come from, borrowed; NULL: from the dataset. */
typedef struct loader_scratch {
    int64_t *positions;
    dataset_example_t *examples;
    size_t capacity, examples_capacity;
    visit_store_t *visits;
} loader_scratch_t;

void loader_scratch_fini(loader_scratch_t *scratch);

WARN_UNUSED status_t batch_plan_build(const batch_plan_t *plan, int64_t index, dataset_t *dataset, batch_builder_t *builder,
                                      loader_scratch_t *scratch, batch_t *out);

#endif
