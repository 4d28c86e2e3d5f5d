#include "ps/reply_cache.h"

#include "common/base/memory.h"
#include "common/base/pool.h"

struct reply_cache {
    int workers, steps;
    reply_t *places; /* [workers][steps]; weights NULL: free */
};

static reply_t *place_of(const reply_cache_t *replies, int worker, int64_t step)
{
    return &replies->places[(int64_t)worker * replies->steps + step % replies->steps];
}

reply_cache_t *reply_cache_create(int workers, int steps)
{
    ASSERT(workers > 0 && steps > 0);
    reply_cache_t *replies = MEM_NEW(reply_cache_t);
    *replies = (reply_cache_t){.workers = workers, .steps = steps, .places = MEM_ARRAY(reply_t, (int64_t)workers * steps)};
    return replies;
}

void reply_cache_destroy(reply_cache_t **replies)
{
    if (!*replies)
        return;
    reply_cache_clear(*replies);
    mem_free((*replies)->places);
    mem_free(*replies);
    *replies = NULL;
}

static void let_go(reply_t *reply)
{
    if (reply->weights)
        pool_give(reply->weights);
    reply->weights = NULL;
}

void reply_cache_clear(reply_cache_t *replies)
{
    for (int i = 0; i < replies->workers * replies->steps; i++)
        let_go(&replies->places[i]);
}

void reply_cache_put(reply_cache_t *replies, int worker, const reply_t *reply)
{
    reply_t *place = place_of(replies, worker, reply->step);
    ASSERT(!place->weights && reply->weights);
    pool_keep(reply->weights);
    *place = *reply;
}

const reply_t *reply_cache_get(const reply_cache_t *replies, int worker, int64_t step)
{
    const reply_t *place = place_of(replies, worker, step);
    return place->weights && place->step == step ? place : NULL;
}

void reply_cache_drop(reply_cache_t *replies, int worker, int64_t step)
{
    reply_t *place = place_of(replies, worker, step);
    if (place->weights && place->step == step)
        let_go(place);
}
