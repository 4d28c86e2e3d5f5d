#include "worker/resend_queue.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/pool.h"

void resend_queue_init(resend_queue_t *log, int shards)
{
    *log = (resend_queue_t){.shards = shards,
                            .acknowledged = MEM_ARRAY(uint64_t, shards),
                            .pushes = MEM_ARRAY(sent_push_t, (int64_t)shards * PUSH_LOG_MOST)};
}

void resend_queue_fini(resend_queue_t *log)
{
    resend_queue_clear(log);
    mem_free(log->acknowledged);
    mem_free(log->pushes);
}

static void let_go(sent_push_t *push)
{
    if (push->buffer)
        pool_give(push->buffer);
    push->buffer = NULL;
}

void resend_queue_clear(resend_queue_t *log)
{
    for (int i = 0; i < log->shards * PUSH_LOG_MOST; i++)
        let_go(&log->pushes[i]);
    memset(log->acknowledged, 0, sizeof *log->acknowledged * (size_t)log->shards);
    log->last = 0;
}

static sent_push_t *place_of(const resend_queue_t *log, int shard, uint64_t sequence)
{
    return &log->pushes[shard * PUSH_LOG_MOST + (int)(sequence % PUSH_LOG_MOST)];
}

sent_push_t *resend_queue_put(resend_queue_t *log, int shard, const sent_push_t *push)
{
    sent_push_t *place = place_of(log, shard, push->sequence);
    ASSERT(!place->buffer && push->buffer && push->sequence == log->last);
    *place = *push;
    return place;
}

sent_push_t *resend_queue_get(const resend_queue_t *log, int shard, uint64_t sequence)
{
    ASSERT(sequence > log->acknowledged[shard] && sequence <= log->last);
    sent_push_t *place = place_of(log, shard, sequence);
    return place->buffer ? place : NULL;
}

uint64_t resend_queue_acknowledge(resend_queue_t *log, int shard, uint32_t taken)
{
    uint64_t *acknowledged = &log->acknowledged[shard];
    const int32_t more = (int32_t)(taken - (uint32_t)*acknowledged);
    const uint64_t kept = log->last - *acknowledged;
    if (more > 0 && (uint64_t)more > kept)
        return (uint64_t)more - kept;
    for (int32_t i = 0; i < more; i++)
        let_go(place_of(log, shard, ++*acknowledged));
    return 0;
}
