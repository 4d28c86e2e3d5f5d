/* resend_queue.h - the pushes of a worker that shards have not acknowledged, kept to be sent again.
 *
 * Pushes are numbered from 1, the same number at every shard. Buffers are pooled and never copied: the queue is one of their
 * holders, the transport another. One thread. */
#ifndef SMELTER_RESEND_QUEUE_H
#define SMELTER_RESEND_QUEUE_H

#include <stdint.h>

#include "common/net/wire.h"

#define PUSH_LOG_MOST 32 /* kept per shard; half of the numbers that a shard's window has */

typedef struct sent_push {
    int64_t step, keys;
    uint64_t sequence;
    uint64_t pulls; /* pulls numbered above it were sent later */
    void *buffer;   /* from a pool */
    wire_frame_t frame[3];
} sent_push_t;

typedef struct resend_queue {
    int shards;
    uint64_t last;          /* number of the newest push */
    uint64_t *acknowledged; /* [shards] pushes that the shard has taken without a gap */
    sent_push_t *pushes;    /* [shards][PUSH_LOG_MOST] at place sequence % PUSH_LOG_MOST; buffer NULL: free */
} resend_queue_t;

void resend_queue_init(resend_queue_t *log, int shards);
void resend_queue_fini(resend_queue_t *log);
/* resend_queue_clear - forget all; numbers begin anew. */
void resend_queue_clear(resend_queue_t *log);

/* resend_queue_put - keep push number log->last, takes over one hold of its buffer. Borrowed until it is acknowledged. */
sent_push_t *resend_queue_put(resend_queue_t *log, int shard, const sent_push_t *push);

/* resend_queue_get - push `sequence`, not acknowledged by the shard; NULL where it was never put. */
sent_push_t *resend_queue_get(const resend_queue_t *log, int shard, uint64_t sequence);

/* resend_queue_acknowledge - the shard has taken this number of pushes without a gap, modulo 2^32; an old number changes
 * nothing. How many more than were put it claims to have: 0, or the shard is wrong and nothing was changed. */
uint64_t resend_queue_acknowledge(resend_queue_t *log, int shard, uint32_t taken);

#endif
