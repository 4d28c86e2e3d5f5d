/* probe_merger.h - what each worker predicts for its share of the probe set, put together: one EVENT_PROBE when all workers of
 * the run have told of a step, in the order of steps. */
#ifndef SMELTER_PROBE_MERGER_H
#define SMELTER_PROBE_MERGER_H

#include "common/net/net.h"
#include "launcher/metrics/run_events.h"

typedef struct probe_merger probe_merger_t;

typedef struct probe_options {
    run_events_t *events; /* borrowed */
    int workers;          /* of the run */
    int64_t examples;     /* of the probe set */
    int64_t every;        /* probes come before its multiples but 0 */
    int64_t first, end;   /* among the steps [first, end) of this start of the run */
} probe_options_t;

/* probe_merger_create - **owned**; probe_merger_destroy. */
probe_merger_t *probe_merger_create(const probe_options_t *options);
void probe_merger_destroy(probe_merger_t **merger);

/* probe_merger_put - a PROBED message of a worker, borrowed. Workers may be any number of steps apart.
 * REFUSEs what does not fit the run: another step than the worker's next, an example that is not of the probe set or came
 * before, all workers' together not all examples; else the error of a sink. */
WARN_UNUSED status_t probe_merger_put(probe_merger_t *merger, int worker, const net_message_t *message);

#endif
