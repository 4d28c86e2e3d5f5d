/* reply_cache.h - answers to pulls, kept until they must have arrived: a pull that is sent again gets the very same bytes,
 * although rows may have changed since (docs/PROTOCOL.md, "Exactly once").
 *
 * A worker's push of a step says that its rows have arrived. Workers are at most a few steps ahead of their pushes, so there
 * are that many replies per worker. Weights stay in the pooled buffer that the transport sends: nothing is copied. One
 * thread. */
#ifndef SMELTER_REPLY_CACHE_H
#define SMELTER_REPLY_CACHE_H

#include <stdint.h>

#include "common/net/pieces.h"

typedef struct reply_cache reply_cache_t;

typedef struct reply {
    int64_t step;
    uint64_t sequence; /* of the pull */
    pieces_t pieces;
    float *weights; /* of all pieces, from a pool; a reply is one of its holders */
} reply_t;

/* reply_cache_create - places for the replies of `steps` consecutive steps per worker; **owned**. */
reply_cache_t *reply_cache_create(int workers, int steps);
void reply_cache_destroy(reply_cache_t **replies);

/* reply_cache_clear - let go of all. */
void reply_cache_clear(reply_cache_t *replies);

/* reply_cache_put - keep a reply; its weights get one holder more. Its place, step modulo `steps`, must be free. */
void reply_cache_put(reply_cache_t *replies, int worker, const reply_t *reply);

/* reply_cache_get - the reply of a step, borrowed; NULL where none is kept. */
const reply_t *reply_cache_get(const reply_cache_t *replies, int worker, int64_t step);

/* reply_cache_drop - the reply of a step, if there is one, has arrived. */
void reply_cache_drop(reply_cache_t *replies, int worker, int64_t step);

#endif
