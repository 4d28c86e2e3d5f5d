/* step_digest_merger.h - digests of single steps, as they come from shards and workers, one EVENT_DIGEST each: of rows when
 * every shard has spoken of the step, in the order of steps; of dense parameters as they come. */
#ifndef SMELTER_STEP_DIGEST_MERGER_H
#define SMELTER_STEP_DIGEST_MERGER_H

#include "common/net/net.h"
#include "launcher/metrics/run_events.h"

typedef struct step_digest_merger step_digest_merger_t;

typedef struct step_digest_options {
    run_events_t *events; /* borrowed */
    int shards;
    uint32_t tables;
    int groups, components;          /* each group's leader tells of components / groups of them */
    int64_t first_rows, first_dense; /* steps that this start of the run tells of, of rows and of dense parameters, */
    int64_t end;                     /* and the one after the last */
} step_digest_options_t;

/* step_digest_merger_create - **owned**; step_digest_merger_destroy. */
step_digest_merger_t *step_digest_merger_create(const step_digest_options_t *options);
void step_digest_merger_destroy(step_digest_merger_t **merger);

/* step_digest_merger_put_rows - a DIGESTS message of a shard; step_digest_merger_put_dense - of the leader of a group.
 * Borrowed. REFUSEs what does not fit the run: other steps than those that come next of the sender; else the error of a sink.
 * */
WARN_UNUSED status_t step_digest_merger_put_rows(step_digest_merger_t *merger, int shard, const net_message_t *message);
WARN_UNUSED status_t step_digest_merger_put_dense(step_digest_merger_t *merger, int group, const net_message_t *message);

#endif
