/* net.h - messages, time and randomness behind one table of functions.
 *
 * Shard, client and coordinator logic see only a net_t. Production fills the table with ZeroMQ (net_zmq.c); tests fill it with
 * a simulated network on a virtual clock (net_sim.c). A net_t belongs to one thread. Peers are small integers: on a listening
 * net_t the rank that dialled, on a dialling net_t the number given at dial. Delivery is in order per peer; a message is
 * delivered whole or not at all.                                                                                        */
#ifndef SMELTER_NET_H
#define SMELTER_NET_H

#include <stdint.h>

#include "common/base/status.h"
#include "common/net/wire.h"

typedef struct net net_t;

/* A message received. Frames are borrowed until net_release. */
typedef struct net_message {
    int peer;
    wire_header_t header;
    int frames;
    wire_frame_t frame[WIRE_FRAMES];
    void *own; /* the transport's storage */
} net_message_t;

typedef struct net_ops {
    /* send - frames are copied, unless release is given: then ownership of every frame passes to the transport, which calls
     * release(context) from any thread once, when all frames of the message have left; also when the send fails. The transport
     * fills in the header's sender and payload_bytes. Blocks at most the deadline given at create, then ST_TIMEOUT with a line
     * that names the peer; nothing of the message was sent then. ST_STOPPED, not logged, where it would block and the process
     * is to end now (rank_signals_interrupted). */
    status_t (*send)(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *frames, int n,
                     void (*release)(void *context), void *context);
    /* offer - as send, but what cannot leave at once is dropped, and nobody is told: for answers that their receiver may have
     * to do without, so that one who does not listen keeps nobody waiting. */
    void (*offer)(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *frames, int n);
    /* receive - next valid message; ST_TIMEOUT, not logged, after timeout_ms (0: poll). Bad messages are answered with ERROR,
     * counted and skipped inside. Frames are aligned to 8 bytes. Several messages may be held before net_release. */
    status_t (*receive)(net_t *net, net_message_t *message, int64_t timeout_ms);
    /* release - nothing is done where `own` is NULL: the message's storage was taken over by a copy of it. */
    void (*release)(net_t *net, net_message_t *message);
    int64_t (*now_ns)(net_t *net);
    uint64_t (*random)(net_t *net);
    void (*close)(net_t **net);
} net_ops_t;

/* Every transport's net begins with this. */
struct net {
    const net_ops_t *ops;
    int64_t bytes_sent, bytes_received, messages_sent, messages_received, bad_messages;
};

static inline WARN_UNUSED status_t net_send(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *frames,
                                            int n)
{
    return net->ops->send(net, peer, header, frames, n, 0, 0);
}
/* net_send_owned - zero-copy: the frames' memory stays untouched until release(context) is called. */
static inline WARN_UNUSED status_t net_send_owned(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *frames,
                                                  int n, void (*release)(void *), void *context)
{
    return net->ops->send(net, peer, header, frames, n, release, context);
}
static inline void net_offer(net_t *net, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    net->ops->offer(net, peer, header, frames, n);
}
static inline WARN_UNUSED status_t net_receive(net_t *net, net_message_t *message, int64_t timeout_ms)
{
    return net->ops->receive(net, message, timeout_ms);
}
static inline void net_release(net_t *net, net_message_t *message)
{
    net->ops->release(net, message);
}
static inline int64_t net_now_ns(net_t *net)
{
    return net->ops->now_ns(net);
}
static inline uint64_t net_random(net_t *net)
{
    return net->ops->random(net);
}
/* net_close - accepts NULL inside, sets NULL. Every message must have been released. */
static inline void net_close(net_t **net)
{
    if (*net)
        (*net)->ops->close(net);
}

#endif
