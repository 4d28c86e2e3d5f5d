#include "ps/shard_impl.h"

void shard_begin_digests(shard_t *shard)
{
    const bool on = shard->purpose == RUN_TRAINS && shard_is_ordered(shard) && shard->config->train.step_digests;
    step_batch_begin(&shard->digests, on ? step_digest_words(shard->plan.tables) : 0);
    for (uint32_t t = 0; t < shard->plan.tables && on; t++)
        table_watch(shard->tables[t], &shard->digest);
}

status_t shard_send_digests(shard_t *shard)
{
    const wire_header_t header = shard_header(shard, WIRE_DIGESTS, 0, 0);
    return step_batch_send(&shard->digests, shard->o.net, PEER_COORDINATOR, &header);
}

/* The rows that are updated from here on belong to this step. */
status_t shard_digest_step(shard_t *shard, int64_t step)
{
    if (!step_batch_is_on(&shard->digests))
        return ST_OK;
    if (step_batch_is_full(&shard->digests))
        TRY(shard_send_digests(shard));
    shard->digest = (step_digest_t){.words = step_batch_add(&shard->digests, step), .tables = shard->plan.tables};
    return ST_OK;
}

void shard_digest_end(shard_t *shard)
{
    if (step_batch_is_on(&shard->digests))
        step_digest_end(&shard->digest);
}
