/* step_batch.h - records of consecutive steps, a few words each, on their way to the coordinator: many to a DIGESTS message.
 *
 * A shard's record is a step_digest of the rows that a step updated, a worker's the hashes of dense parameters after it. */
#ifndef SMELTER_STEP_BATCH_H
#define SMELTER_STEP_BATCH_H

#include <stdbool.h>

#include "common/net/net.h"

#define STEP_BATCH_STEPS WIRE_DIGESTS_MOST /* in one message */

typedef struct step_batch {
    uint64_t *words; /* **owned**, [STEP_BATCH_STEPS][of_step]; NULL: nothing is recorded */
    int64_t of_step;
    int64_t first_step;
    int64_t steps;
} step_batch_t;

/* step_batch_begin - forget what is there; records of `of_step` words from now on, or none at all where it is 0. */
void step_batch_begin(step_batch_t *batch, int64_t of_step);
void step_batch_end(step_batch_t *batch);

static inline bool step_batch_is_on(const step_batch_t *batch)
{
    return batch->words != NULL;
}

/* step_batch_is_full - it has to be sent before the next record. */
static inline bool step_batch_is_full(const step_batch_t *batch)
{
    return batch->steps == STEP_BATCH_STEPS;
}

/* step_batch_add - the record of a step, zeros, to be filled at once; steps come one after the other. */
uint64_t *step_batch_add(step_batch_t *batch, int64_t step);

/* step_batch_send - the records so far, with run, incarnation, sender and table of `header`; nothing where there are none. */
WARN_UNUSED status_t step_batch_send(step_batch_t *batch, net_t *net, int peer, const wire_header_t *header);

#endif
