/* validation_merger.h - what each worker predicts for its share of the evaluation split, put together and measured: one
 * EVENT_VALIDATION when all workers of the run have told of a step, in the order of steps; and whether that was often enough
 * (early_stopping.h). */
#ifndef SMELTER_VALIDATION_MERGER_H
#define SMELTER_VALIDATION_MERGER_H

#include "common/config/config.h"
#include "common/net/net.h"
#include "launcher/coordinator/early_stopping.h"
#include "launcher/metrics/run_events.h"

typedef struct validation_merger validation_merger_t;

typedef struct validation_merger_options {
    run_events_t *events; /* borrowed */
    int workers;          /* of the run */
    int64_t examples;     /* that are evaluated: the first ones of the split */
    int64_t chunk;        /* worker w has chunks w, w + workers, .. of them (worker/batch_plan.h) */
    bool has_group;
    const float *weight; /* [examples] what each counts, borrowed; NULL: 1 */
    int64_t period;      /* evaluations come before its multiples but 0 */
    int64_t first, end;  /* among the steps [first, end) of this start of the run */
    validated_t metric;  /* that early stopping looks at */
    int64_t patience;
    double min_delta;
} validation_merger_options_t;

/* validation_merger_create - **owned**; validation_merger_destroy. */
validation_merger_t *validation_merger_create(const validation_merger_options_t *options);
void validation_merger_destroy(validation_merger_t **merger);

/* validation_merger_before - an evaluation of an earlier start, before its first step; in their order. */
void validation_merger_before(validation_merger_t *merger, const validation_point_t *point);

/* validation_merger_put - a VALIDATED message of a worker, borrowed. Workers may be any number of steps apart.
 * REFUSEs what does not fit the run: another step than the worker's next, another number of examples than its share, a label
 * that is none; else the error of a sink. */
WARN_UNUSED status_t validation_merger_put(validation_merger_t *merger, int worker, const net_message_t *message);

/* validation_merger_final - what the run is worth after its last step; p, label, group [options.examples] in the order of the
 * split, group is sorted on return, or NULL.  Errors of a sink. */
WARN_UNUSED status_t validation_merger_final(validation_merger_t *merger, const float *p, const uint8_t *label,
                                             uint64_t *group);

/* validation_merger_state - what was decided until now; borrowed.  validation_merger_last - the step of the last evaluation
 * that all workers have told of; 0: none yet. */
const early_stopping_t *validation_merger_state(const validation_merger_t *merger);
int64_t validation_merger_last(const validation_merger_t *merger);

#endif
