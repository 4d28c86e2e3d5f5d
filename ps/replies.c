#include "ps/replies.h"

#include "common/base/memory.h"
#include "common/base/pool.h"

struct replies {
    int workers, steps;
    reply_t *places; /* [workers][steps]; weights NULL: free */
};

static reply_t *place_of(const replies_t *replies, int worker, int64_t step)
{
    return &replies->places[(int64_t)worker * replies->steps + step % replies->steps];
}

replies_t *replies_create(int workers, int steps)
{
    ASSERT(workers > 0 && steps > 0);
    replies_t *replies = MEM_NEW(replies_t);
    *replies = (replies_t){.workers = workers, .steps = steps, .places = MEM_ARRAY(reply_t, (int64_t)workers * steps)};
    return replies;
}

void replies_destroy(replies_t **replies)
{
    if (!*replies)
        return;
    replies_clear(*replies);
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

void replies_clear(replies_t *replies)
{
    for (int i = 0; i < replies->workers * replies->steps; i++)
        let_go(&replies->places[i]);
}

void replies_put(replies_t *replies, int worker, const reply_t *reply)
{
    reply_t *place = place_of(replies, worker, reply->step);
    ASSERT(!place->weights && reply->weights);
    pool_keep(reply->weights);
    *place = *reply;
}

const reply_t *replies_get(const replies_t *replies, int worker, int64_t step)
{
    const reply_t *place = place_of(replies, worker, step);
    return place->weights && place->step == step ? place : NULL;
}

void replies_drop(replies_t *replies, int worker, int64_t step)
{
    reply_t *place = place_of(replies, worker, step);
    if (place->weights && place->step == step)
        let_go(place);
}
