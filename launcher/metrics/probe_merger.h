/* probe_merger.h - what each worker predicts for its share of the probe set, put together: one EVENT_PROBE when all workers of
 * the run have told of a step, in the order of steps. */
#ifndef SMELTER_PROBE_MERGER_H
#define SMELTER_PROBE_MERGER_H

#include "common/net/net.h"
#include "launcher/metrics/run_events.h"

typedef struct probe_merger probe_merger_t;

/* probe_merger_create - events: borrowed.  workers: of the run.  examples: of the probe set.  **owned**;
 * probe_merger_destroy. */
probe_merger_t *probe_merger_create(run_events_t *events, int workers, int64_t examples);
void probe_merger_destroy(probe_merger_t **merger);

/* probe_merger_put - a PROBED message of a worker, borrowed. Workers may be any number of steps apart.
 * ST_MESSAGE where it does not fit the run: an example that is not of the probe set or came before, a step twice; or the error
 * of a sink. */
WARN_UNUSED status_t probe_merger_put(probe_merger_t *merger, int worker, const net_message_t *message);

#endif
