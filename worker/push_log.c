#include "worker/push_log.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/pool.h"

void push_log_init(push_log_t *log, int shards)
{
    *log = (push_log_t){.shards = shards,
                        .acknowledged = MEM_ARRAY(uint64_t, shards),
                        .pushes = MEM_ARRAY(push_t, (int64_t)shards * PUSH_LOG_MOST)};
}

void push_log_fini(push_log_t *log)
{
    push_log_clear(log);
    mem_free(log->acknowledged);
    mem_free(log->pushes);
}

static void let_go(push_t *push)
{
    if (push->buffer)
        pool_give(push->buffer);
    push->buffer = NULL;
}

void push_log_clear(push_log_t *log)
{
    for (int i = 0; i < log->shards * PUSH_LOG_MOST; i++)
        let_go(&log->pushes[i]);
    memset(log->acknowledged, 0, sizeof *log->acknowledged * (size_t)log->shards);
    log->last = 0;
}

static push_t *place_of(const push_log_t *log, int shard, uint64_t sequence)
{
    return &log->pushes[shard * PUSH_LOG_MOST + (int)(sequence % PUSH_LOG_MOST)];
}

push_t *push_log_put(push_log_t *log, int shard, const push_t *push)
{
    push_t *place = place_of(log, shard, push->sequence);
    ASSERT(!place->buffer && push->buffer && push->sequence == log->last);
    *place = *push;
    return place;
}

push_t *push_log_get(const push_log_t *log, int shard, uint64_t sequence)
{
    ASSERT(sequence > log->acknowledged[shard] && sequence <= log->last);
    push_t *place = place_of(log, shard, sequence);
    return place->buffer ? place : NULL;
}

uint64_t push_log_acknowledge(push_log_t *log, int shard, uint32_t taken)
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
