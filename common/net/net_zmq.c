/* net_zmq.c - ZeroMQ behind net_ops.
 *
 *     net_t ── socket 0: ROUTER (if listening)   <──  DEALER of rank 3
 *           │                                    <──  DEALER of rank 4
 *           ├─ socket 1: DEALER  ──>  the ROUTER of peer a
 *           └─ socket 2: DEALER  ──>  the ROUTER of peer b
 *
 *     message = [connection, ROUTER only] [header, 64 bytes] [body]...
 *
 * A ROUTER gives each connection a number. The first message of a connection says whose it is by its User-Id, which comes
 * from what was shown at the door (door.h) and not from the peer; from then on its number is looked up, and a message that
 * claims another sender is refused. So nobody can take another's place: a DEALER that brings a routing id of its own is
 * refused, and numbers are not chosen by peers. A DEALER's first message is an empty one (ZMQ_PROBE_ROUTER), so that a
 * listener knows a peer before it has anything to say. One that reconnects comes by another number, and the higher one of a
 * peer is in use, although the cut connection may still linger. ROUTER_MANDATORY turns silent loss into an error that the
 * send waits out; while it does, it takes what arrives, for the next receives, because the peer's new number may be among
 * that.
 *
 * Rejected: identities of the DEALERs' own with ROUTER_HANDOVER, by which whoever is let in takes any other's connection. One
 * ROUTER-ROUTER socket per process for all directions (no back-pressure per peer, and a dialler must know the listener's
 * identity first); PUB/SUB for control (drops silently); draft sockets (Debian's libzmq has none). */
#include "common/net/net_zmq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/net/door.h"
#include "common/net/message.h"
#include "common/net/parcels.h"
#include "common/net/visitors.h"
#include "common/net/zeromq.h"
#include "common/process/rank_signals.h"

#define EARLY_MOST 4096    /* messages taken while a send waits */
#define HIGH_WATER 4096    /* messages queued per peer; the protocol has a handful in flight: more means a stuck peer */
#define LINGER_MS 2000     /* what a closed socket may still take to send its last messages */
#define HANDSHAKE_MS 10000 /* a port scanner is dropped after this */
#define HEARTBEAT_MS 2000  /* tcp only: notices a cut wire, which a quiet tcp connection does not */
#define HEARTBEAT_TIMEOUT_MS 8000
#define RECONNECT_MS 50
#define RECONNECT_MAX_MS 1000
#define WAIT_PIECE_MS 100 /* a waiting sender looks this often whether it is to end now */
#define BAD_LINES 8       /* bad messages logged one by one; afterwards only each power of two */
#define PEER_NAME_BYTES 80

typedef struct peer {
    void *socket; /* DEALER; NULL: reached through the ROUTER */
    char name[PEER_NAME_BYTES];
} peer_t;

typedef struct net_zmq {
    net_t base;
    int self;
    const net_keys_t *keys;
    bool in_pieces; /* frames travel so (parcels.h) */
    int64_t deadline_ms;
    const char *const *hosts; /* [n_hosts] that may connect over tcp */
    int n_hosts;
    int first_port, last_port;
    void *router; /* also in sockets, or NULL */
    int router_index;
    void **sockets;
    int *socket_peer; /* the peer of a DEALER, -1 for the ROUTER */
    zmq_pollitem_t *items;
    size_t sockets_capacity, socket_peer_capacity, items_capacity;
    int n_sockets, cursor;
    int *peer_numbers; /* searched from the front: a few hundred at most, once per message */
    peer_t *peers;     /* [n_peers], dialled or named */
    size_t peer_numbers_capacity, peers_capacity;
    int n_peers;
    visitors_t visitors;  /* of the ROUTER */
    net_message_t *early; /* [n_early] from first_early on; received while a send waited */
    size_t early_capacity;
    int n_early, first_early;
    parcels_t parcels;
    uint64_t seed, draws;
} net_zmq_t;

static atomic_uint ipc_paths;

void net_zmq_shutdown(void)
{
    door_close();
    zeromq_end();
}

static peer_t *peer_find(const net_zmq_t *net, int peer)
{
    for (int i = 0; i < net->n_peers; i++)
        if (net->peer_numbers[i] == peer)
            return &net->peers[i];
    return NULL;
}

static peer_t *peer_get(net_zmq_t *net, int peer)
{
    ASSERT(peer >= 0);
    peer_t *found = peer_find(net, peer);
    if (found)
        return found;
    size_t need = (size_t)net->n_peers + 1;
    MEM_GROW(net->peer_numbers, net->peer_numbers_capacity, need);
    MEM_GROW(net->peers, net->peers_capacity, need);
    net->peer_numbers[net->n_peers] = peer;
    return &net->peers[net->n_peers++];
}

static const char *peer_name(const net_zmq_t *net, int peer, char text[PEER_NAME_BYTES])
{
    const peer_t *found = peer_find(net, peer);
    if (found && found->name[0])
        return found->name;
    snprintf(text, PEER_NAME_BYTES, "peer %d", peer);
    return text;
}

static status_t set_options(const net_zmq_t *net, void *socket, bool tcp)
{
    ZEROMQ_SET(socket, ZMQ_LINGER, LINGER_MS);
    ZEROMQ_SET(socket, ZMQ_SNDHWM, HIGH_WATER);
    ZEROMQ_SET(socket, ZMQ_RCVHWM, HIGH_WATER);
    ZEROMQ_SET(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    ZEROMQ_SET(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    ZEROMQ_SET(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    const int64_t most = PARCEL_PIECE_MOST;
    if (net->in_pieces && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) != 0)
        return FAIL(ST_SYSTEM, "zeromq refused to bound frames to %" PRId64 " bytes: %s", most, zmq_strerror(errno));
    if (tcp) {
        ZEROMQ_SET(socket, ZMQ_TCP_KEEPALIVE, 1);
        ZEROMQ_SET(socket, ZMQ_TCP_KEEPALIVE_IDLE, 10);
        ZEROMQ_SET(socket, ZMQ_TCP_KEEPALIVE_INTVL, 5);
        ZEROMQ_SET(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
        ZEROMQ_SET(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
        ZEROMQ_SET(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
    }
    return ST_OK;
}

static status_t open_socket(const net_zmq_t *net, int type, bool tcp, void **out)
{
    void *socket;
    TRY(zeromq_socket(type, &socket));
    const status_t status = set_options(net, socket, tcp);
    if (status != ST_OK) {
        zmq_close(socket);
        return status;
    }
    *out = socket;
    return ST_OK;
}

static void add_socket(net_zmq_t *net, void *socket, int peer)
{
    size_t need = (size_t)net->n_sockets + 1;
    MEM_GROW(net->sockets, net->sockets_capacity, need);
    MEM_GROW(net->socket_peer, net->socket_peer_capacity, need);
    MEM_GROW(net->items, net->items_capacity, need);
    net->sockets[net->n_sockets] = socket;
    net->socket_peer[net->n_sockets] = peer;
    net->items[net->n_sockets] = (zmq_pollitem_t){.socket = socket, .events = ZMQ_POLLIN};
    net->n_sockets++;
}

/* ---- sending ---- */

/* wait_writable - after EAGAIN or EHOSTUNREACH of a first frame. A DEALER is polled; a ROUTER's POLLOUT speaks for any of its
 * peers, so it is asked again after a growing pause. False when the deadline has passed. */
static bool wait_writable(void *socket, bool router, int64_t until_ns, int64_t *pause_ns)
{
    int64_t left_ns = until_ns - clock_now_ns();
    if (left_ns <= 0)
        return false;
    if (router) {
        int64_t pause = *pause_ns < left_ns ? *pause_ns : left_ns;
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
        *pause_ns = *pause_ns < 2000000 ? *pause_ns * 2 : *pause_ns;
    } else {
        zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLOUT};
        zmq_poll(&item, 1, left_ns < WAIT_PIECE_MS * 1000000 ? (long)(left_ns / 1000000 + 1) : WAIT_PIECE_MS);
    }
    return true;
}

static void gather_early(net_zmq_t *net);

/* try_first - the frame that decides whether the message goes at all: the header to a DEALER, the peer's connection to a
 * ROUTER. The frames after it never wait, because ZeroMQ counts whole messages. */
static int try_first(const net_zmq_t *net, void *dealer, int peer, const uint8_t head[64], int more)
{
    uint8_t connection[VISITOR_BYTES];
    if (dealer)
        return zmq_send(dealer, head, 64, more | ZMQ_DONTWAIT) < 0 ? errno : 0;
    if (!visitors_connection(&net->visitors, peer, connection))
        return EHOSTUNREACH;
    return zmq_send(net->router, connection, sizeof connection, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ? errno : 0;
}

/* send_first - try until it goes. Returns 0, or the last errno when the deadline passed or the socket failed; ECANCELED where
 * the process is to end now, which does not wait for a peer that may be dead. */
static int send_first(net_zmq_t *net, void *dealer, int peer, const uint8_t head[64], int more, int64_t deadline_ms)
{
    int64_t until_ns = 0, pause_ns = 20000;
    int error;
    while ((error = try_first(net, dealer, peer, head, more)) != 0) {
        if (error == EINTR)
            continue;
        if (error != EAGAIN && error != EHOSTUNREACH)
            return error;
        if (until_ns == 0)
            until_ns = clock_now_ns() + deadline_ms * 1000000;
        if (rank_signals_interrupted())
            return ECANCELED;
        if (!wait_writable(dealer ? dealer : net->router, !dealer, until_ns, &pause_ns))
            return error;
        if (!dealer)
            gather_early(net);
    }
    return 0;
}

/* send_parts - connection (ROUTER), header, body. On failure nothing of the message has left. */
static int send_parts(net_zmq_t *net, int peer, const uint8_t head[64], const wire_frame_t *frames, int n,
                      void (*release)(void *context), void *context, int64_t deadline_ms)
{
    const peer_t *known = peer_find(net, peer);
    void *dealer = known ? known->socket : NULL, *socket = dealer ? dealer : net->router;
    ASSERT(socket); /* neither dialled nor listening: the caller's bug */
    const int more = n > 0 ? ZMQ_SNDMORE : 0;
    int error = send_first(net, dealer, peer, head, more, deadline_ms);
    while (!dealer && error == 0 && zmq_send(socket, head, 64, more) < 0)
        error = errno == EINTR ? 0 : errno;
    return parcels_send(socket, frames, n, net->in_pieces, release, context, error);
}

static status_t op_send(net_t *base, int peer, const wire_header_t *header, const wire_frame_t *frames, int n,
                        void (*release)(void *context), void *context)
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(peer >= 0 && n >= 0 && n <= WIRE_FRAMES);
    wire_header_t full = *header;
    full.sender = (uint32_t)net->self;
    full.payload_bytes = 0;
    wire_frame_t all[1 + WIRE_FRAMES];
    for (int i = 0; i < n; i++) {
        full.payload_bytes += frames[i].bytes;
        all[1 + i] = frames[i];
    }
    uint8_t head[64];
    wire_encode(&full, head);
    all[0] = (wire_frame_t){head, sizeof head};
    wire_header_t back;
    const char *wrong = NULL;
    bool sound = wire_decode(all, 1 + n, &back, &wrong) == ST_OK;
    if (!sound)
        log_error("a %s about to be sent is malformed: %s", wire_type_name(full.type), wrong);
    ASSERT(sound); /* pairs with the check in receive: what the peer would refuse is our bug */

    int error = send_parts(net, peer, head, frames, n, release, context, net->deadline_ms);
    if (error == ECANCELED)
        return ST_STOPPED;
    if (error != 0) {
        char what[128], name[PEER_NAME_BYTES];
        wire_describe(&full, what, sizeof what);
        const char *who = peer_name(net, peer, name);
        if (net->deadline_ms == 0 && (error == EHOSTUNREACH || error == EAGAIN))
            return ST_TIMEOUT;
        double seconds = 1e-3 * (double)net->deadline_ms;
        if (error == EHOSTUNREACH)
            return FAIL(ST_TIMEOUT, "%s is not connected after %.1f s; it did not get: %s", who, seconds, what);
        if (error == EAGAIN)
            return FAIL(ST_TIMEOUT, "%s takes no more messages since %.1f s; it did not get: %s", who, seconds, what);
        return FAIL(ST_SYSTEM, "sending to %s failed: %s; it did not get: %s", who, zmq_strerror(error), what);
    }
    base->messages_sent++;
    base->bytes_sent += 64 + full.payload_bytes;
    if (log_enabled(LOG_TRACE)) {
        char what[128], name[PEER_NAME_BYTES];
        wire_describe(&full, what, sizeof what);
        log_trace("to %s: %s", peer_name(net, peer, name), what);
    }
    return ST_OK;
}

/* What cannot leave at once is dropped. */
static void op_offer(net_t *base, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    net_zmq_t *net = (net_zmq_t *)base;
    wire_header_t full = *header;
    uint8_t head[64];
    full.sender = (uint32_t)net->self;
    full.payload_bytes = 0;
    for (int i = 0; i < n; i++)
        full.payload_bytes += frames[i].bytes;
    wire_encode(&full, head);
    if (send_parts(net, peer, head, frames, n, NULL, NULL, 0) != 0)
        return;
    base->messages_sent++;
    base->bytes_sent += 64 + full.payload_bytes;
}

/* ---- receiving ---- */

/* refuse - count a bad message, say so, and tell its sender why. An ERROR is never answered, or two peers could go on for
 * ever. */
static void refuse(net_zmq_t *net, int peer, const wire_frame_t *frames, int n, const char *reason)
{
    int64_t bad = ++net->base.bad_messages;
    char name[PEER_NAME_BYTES];
    if (bad <= BAD_LINES || (bad & (bad - 1)) == 0)
        log_warn("refused a message from %s: %s (%" PRId64 " bad messages so far)",
                 peer < 0 ? "a stranger" : peer_name(net, peer, name), reason, bad);
    bool is_error = n > 0 && frames[0].bytes >= 8 && ((const uint8_t *)frames[0].data)[6] == WIRE_ERROR &&
                    ((const uint8_t *)frames[0].data)[7] == 0;
    if (peer < 0 || is_error)
        return;
    message_error_t body = {.status = ST_MESSAGE};
    snprintf(body.text, sizeof body.text, "%s", reason);
    const wire_header_t header = wire_header(WIRE_ERROR, 0, 0, 0, 0, 0);
    op_offer(&net->base, peer, &header, &(wire_frame_t){&body, sizeof body}, 1);
}

/* deliver - the message is sound; the parcel is the caller's until net_release. */
static void deliver(net_zmq_t *net, int peer, const wire_frame_t *frames, int n, parcel_t *parcel, net_message_t *message)
{
    message->peer = peer;
    message->frames = n - 1;
    message->own = parcel;
    for (int i = 0; i < n - 1; i++)
        message->frame[i] = frames[1 + i];
    net->base.messages_received++;
    if (log_enabled(LOG_TRACE)) {
        char what[128], name[PEER_NAME_BYTES];
        wire_describe(&message->header, what, sizeof what);
        log_trace("from %s: %s", peer_name(net, peer, name), what);
    }
}

/* is_sound - the checks of the transport, with the reason where it is not. */
static bool is_sound(int peer, bool dialled_us, const wire_frame_t *frames, int n, wire_header_t *header, const char **reason)
{
    *reason = "its connection has a routing id of its own, which no rank of this job has";
    if (peer < 0 || wire_decode(frames, n, header, reason) != ST_OK)
        return false;
    *reason = "the header names another sender than the connection";
    return !dialled_us || header->sender == (uint32_t)peer;
}

/* take_message - one message of a socket: 1 delivered, 0 nothing there, -1 something was there that is for nobody, and is
 * gone. */
static int take_message(net_zmq_t *net, int index, net_message_t *message)
{
    void *socket = net->sockets[index];
    int peer = net->socket_peer[index];
    const bool dialled_us = peer < 0;
    zmq_msg_t first, connection;
    zmq_msg_init(&first);
    if (zmq_msg_recv(&first, socket, ZMQ_DONTWAIT) < 0) {
        ASSERT(errno == EAGAIN || errno == EINTR);
        zmq_msg_close(&first);
        return 0;
    }
    if (dialled_us) {
        zmq_msg_init(&connection);
        zmq_msg_move(&connection, &first);
        while (zmq_msg_recv(&first, socket, 0) < 0)
            ASSERT(errno == EINTR);
        peer = visitors_rank(&net->visitors, &connection, &first);
        zmq_msg_close(&connection);
    }
    parcel_t *parcel = parcels_take(&net->parcels);
    wire_frame_t frames[1 + WIRE_FRAMES];
    int n = parcels_receive(&net->parcels, socket, &first, net->in_pieces, parcel, frames);
    int64_t bytes = 0;
    for (int i = 0; i < parcel->parts; i++)
        bytes += frames[i].bytes;
    net->base.bytes_received += bytes;
    const char *reason;
    const bool is_probe = dialled_us && peer >= 0 && n == 1 && bytes == 0;
    if (is_probe || !is_sound(peer, dialled_us, frames, n, &message->header, &reason)) {
        if (!is_probe)
            refuse(net, peer, frames, parcel->parts, reason);
        parcels_give_back(&net->parcels, parcel);
        return -1;
    }
    deliver(net, peer, frames, n, parcel, message);
    return 1;
}

/* What has arrived at the ROUTER, in its order, for the receives to come. */
static void gather_early(net_zmq_t *net)
{
    net_message_t message;
    int got;
    if (net->first_early > 0)
        memmove(net->early, net->early + net->first_early, (size_t)net->n_early * sizeof *net->early);
    net->first_early = 0;
    while (net->n_early < EARLY_MOST && (got = take_message(net, net->router_index, &message)) != 0) {
        if (got < 0)
            continue;
        MEM_GROW(net->early, net->early_capacity, (size_t)net->n_early + 1);
        net->early[net->n_early++] = message;
    }
}

static bool take_early(net_zmq_t *net, net_message_t *message)
{
    if (net->n_early == 0)
        return false;
    *message = net->early[net->first_early++];
    if (--net->n_early == 0)
        net->first_early = 0;
    return true;
}

static status_t op_receive(net_t *base, net_message_t *message, int64_t timeout_ms)
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(net->n_sockets > 0);
    if (take_early(net, message))
        return ST_OK;
    int64_t until_ns = timeout_ms > 0 ? clock_now_ns() + timeout_ms * 1000000 : 0;
    for (;;) {
        /* Start behind the socket served last, so that no talkative peer starves the others. */
        for (int k = 0; k < net->n_sockets; k++) {
            int index = (net->cursor + k) % net->n_sockets;
            int got;
            while ((got = take_message(net, index, message)) < 0)
                ;
            if (got > 0) {
                net->cursor = (index + 1) % net->n_sockets;
                return ST_OK;
            }
        }
        int64_t left_ns = timeout_ms > 0 ? until_ns - clock_now_ns() : 0;
        if (left_ns <= 0)
            return ST_TIMEOUT;
        if (zmq_poll(net->items, net->n_sockets, (long)((left_ns + 999999) / 1000000)) < 0)
            ASSERT(errno == EINTR);
    }
}

static void op_release(net_t *base, net_message_t *message)
{
    if (message->own)
        parcels_give_back(&((net_zmq_t *)base)->parcels, message->own);
    message->own = NULL;
}

static int64_t op_now_ns(net_t *base)
{
    (void)base;
    return clock_now_ns();
}

static uint64_t op_random(net_t *base)
{
    net_zmq_t *net = (net_zmq_t *)base;
    return rng_u64(net->seed, (uint64_t)net->self, net->draws++);
}

static void op_close(net_t **out)
{
    if (!*out)
        return;
    net_zmq_t *net = (net_zmq_t *)*out;
    net_message_t unread;
    while (take_early(net, &unread))
        op_release(*out, &unread);
    for (int i = 0; i < net->n_sockets; i++)
        zmq_close(net->sockets[i]);
    parcels_fini(&net->parcels);
    visitors_fini(&net->visitors);
    mem_free(net->sockets);
    mem_free(net->socket_peer);
    mem_free(net->items);
    mem_free(net->peer_numbers);
    mem_free(net->peers);
    mem_free(net->early);
    mem_free(net);
    *out = NULL;
}

static const net_ops_t zmq_ops = {.send = op_send,
                                  .offer = op_offer,
                                  .receive = op_receive,
                                  .release = op_release,
                                  .now_ns = op_now_ns,
                                  .random = op_random,
                                  .close = op_close};

status_t net_zmq_create(const net_zmq_options_t *options, net_t **out)
{
    ASSERT(options->keys && options->deadline_s >= 0);
    net_zmq_t *net = MEM_NEW(net_zmq_t);
    if (getrandom(&net->seed, sizeof net->seed, 0) != sizeof net->seed) {
        mem_free(net);
        return FAIL(ST_SYSTEM, "no random numbers from the kernel: %s", strerror(errno));
    }
    net->base.ops = &zmq_ops;
    net->self = net_keys_self(options->keys);
    net->keys = options->keys;
    net->in_pieces = options->in_pieces;
    net->hosts = options->hosts;
    net->n_hosts = options->n_hosts;
    net->first_port = options->first_port;
    net->last_port = options->last_port;
    net->deadline_ms = (int64_t)(options->deadline_s * 1000 + 0.5);
    *out = &net->base;
    return ST_OK;
}

/* ---- endpoints ---- */

static status_t read_back(void *socket, const char *wanted, char endpoint[NET_ENDPOINT_BYTES])
{
    size_t bytes = NET_ENDPOINT_BYTES;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0)
        return FAIL(ST_SYSTEM, "the endpoint bound for %s cannot be read back: %s", wanted, zmq_strerror(errno));
    return ST_OK;
}

static status_t bind_endpoint(void *socket, const char *wanted, char endpoint[NET_ENDPOINT_BYTES])
{
    if (zmq_bind(socket, wanted) != 0)
        return FAIL(ST_SYSTEM, "cannot listen on %s: %s", wanted, zmq_strerror(errno));
    return read_back(socket, wanted, endpoint);
}

/* To the address and the first of the ports that is free. */
static status_t bind_port(const net_zmq_t *net, void *socket, const char *address, char endpoint[NET_ENDPOINT_BYTES])
{
    char wanted[NET_ENDPOINT_BYTES];
    for (int port = net->first_port; port <= net->last_port; port++) {
        snprintf(wanted, sizeof wanted, "tcp://%.100s:%d", address, port);
        if (zmq_bind(socket, wanted) == 0)
            return read_back(socket, wanted, endpoint);
        if (errno != EADDRINUSE)
            return FAIL(ST_SYSTEM, "cannot listen on %s: %s", wanted, zmq_strerror(errno));
    }
    return FAIL(ST_SYSTEM, "cannot listen on %s: the ports %d-%d of cluster.ports are all taken; give a wider range", address,
                net->first_port, net->last_port);
}

static status_t bind_all(const net_zmq_t *net, void *socket, const char *where, char endpoints[NET_ENDPOINT_BYTES])
{
    char wanted[NET_ENDPOINT_BYTES], one[NET_ENDPOINT_BYTES], address[NET_ENDPOINT_BYTES];
    size_t used = 0;
    if (*where == '/') {
        snprintf(wanted, sizeof wanted, "ipc://%s/%x-%x", where, (unsigned)net->self,
                 (unsigned)(atomic_fetch_add(&ipc_paths, 1) & 0xffff));
        return bind_endpoint(socket, wanted, endpoints);
    }
    for (int i = 0; net_zmq_endpoint(where, i, address)[0]; i++) {
        snprintf(wanted, sizeof wanted, "tcp://%.100s:*", address);
        TRY(net->first_port ? bind_port(net, socket, address, one) : bind_endpoint(socket, wanted, one));
        used += (size_t)snprintf(endpoints + used, NET_ENDPOINT_BYTES - used, "%s%s", i ? "," : "", one);
        ASSERT(used < NET_ENDPOINT_BYTES);
    }
    return ST_OK;
}

/* Of processes that can look into the socket's folder, root's are left. */
static status_t admit_own_user(void *socket)
{
    const uid_t user = geteuid();
    if (zmq_setsockopt(socket, ZMQ_IPC_FILTER_UID, &user, sizeof user) == 0)
        return ST_OK;
    return FAIL(ST_SYSTEM, "zeromq refused to look at the users of ipc's peers: %s", zmq_strerror(errno));
}

static status_t admit_hosts(const net_zmq_t *net, void *socket)
{
    for (int i = 0; i < net->n_hosts; i++)
        ZEROMQ_SET_TEXT(socket, ZMQ_TCP_ACCEPT_FILTER, net->hosts[i]);
    return ST_OK;
}

status_t net_zmq_listen(net_t *base, const char *where, char endpoints[NET_ENDPOINT_BYTES])
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(base->ops == &zmq_ops && !net->router);
    const bool tcp = *where != '/';
    void *router;
    TRY(open_socket(net, ZMQ_ROUTER, tcp, &router));
    status_t status;
    char bound[NET_ENDPOINT_BYTES];
    TRY_DONE(zeromq_set(router, ZMQ_ROUTER_MANDATORY, 1, "ZMQ_ROUTER_MANDATORY"));
    TRY_DONE(tcp ? admit_hosts(net, router) : admit_own_user(router));
    TRY_DONE(door_keep(router, net->keys));
    TRY_DONE(bind_all(net, router, where, bound));
    net->router = router;
    net->router_index = net->n_sockets;
    add_socket(net, router, -1);
    memcpy(endpoints, bound, sizeof bound);
done:
    if (status != ST_OK)
        zmq_close(router);
    return status;
}

char *net_zmq_endpoint(const char *endpoints, int number, char endpoint[NET_ENDPOINT_BYTES])
{
    const bool is_list = *endpoints != '/' && strncmp(endpoints, "ipc:", 4) != 0; /* a path may have a comma */
    for (; is_list && number > 0 && *endpoints; number--) {
        endpoints += strcspn(endpoints, ",");
        endpoints += *endpoints == ',';
    }
    const size_t bytes = number > 0 ? 0 : is_list ? strcspn(endpoints, ",") : strlen(endpoints);
    snprintf(endpoint, NET_ENDPOINT_BYTES, "%.*s", (int)bytes, endpoints);
    return endpoint;
}

status_t net_zmq_dial(net_t *base, int peer, int rank, const char *endpoint)
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(base->ops == &zmq_ops);
    peer_t *entry = peer_get(net, peer);
    ASSERT(!entry->socket); /* one connection per peer */
    void *socket;
    TRY(open_socket(net, ZMQ_DEALER, strncmp(endpoint, "tcp:", 4) == 0, &socket));
    status_t status;
    TRY_DONE(zeromq_set(socket, ZMQ_PROBE_ROUTER, 1, "ZMQ_PROBE_ROUTER"));
    TRY_DONE(door_knock(socket, net->keys, rank));
    if (zmq_connect(socket, endpoint) != 0) {
        status = FAIL(ST_INPUT, "cannot connect to \"%s\": %s", endpoint, zmq_strerror(errno));
        goto done;
    }
    add_socket(net, socket, peer);
    entry->socket = socket;
done:
    if (status != ST_OK)
        zmq_close(socket);
    return status;
}

status_t net_zmq_await(net_t *base, const int *ranks, int n, double most_s, int *missing)
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(base->ops == &zmq_ops && net->router);
    const int64_t until_ns = clock_now_ns() + (int64_t)(most_s * 1e9);
    zmq_pollitem_t item = {.socket = net->router, .events = ZMQ_POLLIN};
    for (int i = 0; i < n;) {
        if (visitors_has(&net->visitors, ranks[i])) {
            i++;
            continue;
        }
        *missing = ranks[i];
        if (clock_now_ns() >= until_ns)
            return ST_TIMEOUT;
        if (zmq_poll(&item, 1, WAIT_PIECE_MS) < 0)
            ASSERT(errno == EINTR);
        gather_early(net);
    }
    return ST_OK;
}

void net_zmq_name_peer(net_t *base, int peer, const char *name)
{
    ASSERT(base->ops == &zmq_ops);
    snprintf(peer_get((net_zmq_t *)base, peer)->name, PEER_NAME_BYTES, "%s", name);
}
