/* step_digest_merger.h - digests of single steps, as they come from shards and workers, one EVENT_DIGEST each: of rows when
 * every shard has spoken of the step, in the order of steps; of dense parameters as they come. */
#ifndef SMELTER_STEP_DIGEST_MERGER_H
#define SMELTER_STEP_DIGEST_MERGER_H

#include "common/net/net.h"
#include "launcher/metrics/run_events.h"

typedef struct step_digest_merger step_digest_merger_t;

/* step_digest_merger_create - events: borrowed.  shards, tables: of the run.  **owned**; step_digest_merger_destroy. */
step_digest_merger_t *step_digest_merger_create(run_events_t *events, int shards, uint32_t tables);
void step_digest_merger_destroy(step_digest_merger_t **merger);

/* step_digest_merger_put_rows - a DIGESTS message of a shard; step_digest_merger_put_dense - of a worker. Borrowed.
 * ST_MESSAGE where it does not fit the run; or the error of a sink. */
WARN_UNUSED status_t step_digest_merger_put_rows(step_digest_merger_t *merger, int shard, const net_message_t *message);
WARN_UNUSED status_t step_digest_merger_put_dense(step_digest_merger_t *merger, const net_message_t *message);

#endif
