/* pool.h - reusable buffers for messages: taken by one thread, given back by any (one lock per buffer, none per key). A buffer
 * may have several holders: a message's may be on its way while its sender keeps it for the case that it has to be sent
 * again. */
#ifndef SMELTER_POOL_H
#define SMELTER_POOL_H

#include <stddef.h>

typedef struct pool pool_t;

pool_t *pool_create(void); /* **owned**; cannot fail */
/* pool_destroy - frees all buffers given back. Buffers that are still out (in the queue of a transport, say) stay valid; the
 * last of them to be given back takes the pool's own memory with it. */
void pool_destroy(pool_t **pool);

/* pool_take - a 64-byte aligned buffer of at least `bytes`, contents undefined; **owned** until pool_give. */
void *pool_take(pool_t *pool, size_t bytes);
/* pool_keep - one holder more, who calls pool_give too. Whoever calls this is a holder. Any thread. */
void pool_keep(void *buffer);
/* pool_give - a holder lets go; the last one's buffer returns to its pool. Any thread; has the shape of a message release
 * callback. */
void pool_give(void *buffer);

#endif
