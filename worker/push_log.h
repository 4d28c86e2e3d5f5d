/* push_log.h - the pushes of a worker that shards have not acknowledged, kept to be sent again.
 *
 * Pushes are numbered from 1, the same number at every shard. Buffers are pooled and never copied: the log is one of their
 * holders, the transport another. One thread. */
#ifndef SMELTER_PUSH_LOG_H
#define SMELTER_PUSH_LOG_H

#include <stdint.h>

#include "common/net/wire.h"

#define PUSH_LOG_MOST 32 /* kept per shard; half of the numbers that a shard's window has */

typedef struct push {
    int64_t step, keys;
    uint64_t sequence;
    uint64_t pulls; /* pulls numbered above it were sent later */
    void *buffer;   /* from a pool */
    wire_frame_t frame[3];
} push_t;

typedef struct push_log {
    int shards;
    uint64_t last;          /* number of the newest push */
    uint64_t *acknowledged; /* [shards] pushes that the shard has taken without a gap */
    push_t *pushes;         /* [shards][PUSH_LOG_MOST] at place sequence % PUSH_LOG_MOST; buffer NULL: free */
} push_log_t;

void push_log_init(push_log_t *log, int shards);
void push_log_fini(push_log_t *log);
/* push_log_clear - forget all; numbers begin anew. */
void push_log_clear(push_log_t *log);

/* push_log_put - keep push number log->last, takes over one hold of its buffer. Borrowed until it is acknowledged. */
push_t *push_log_put(push_log_t *log, int shard, const push_t *push);

/* push_log_get - push `sequence`, not acknowledged by the shard; NULL where it was never put. */
push_t *push_log_get(const push_log_t *log, int shard, uint64_t sequence);

/* push_log_acknowledge - the shard has taken so many pushes without a gap, modulo 2^32; an old number changes nothing. How many more
 * than were put it claims to have: 0, or the shard is wrong and nothing was changed. */
uint64_t push_log_acknowledge(push_log_t *log, int shard, uint32_t taken);

#endif
