/* net_zmq.c - ZeroMQ behind net_ops.
 *
 *     net_t ── socket 0: ROUTER (if listening)   <──  DEALER "r00000003" of rank 3
 *           │                                    <──  DEALER "r00000004" of rank 4
 *           ├─ socket 1: DEALER "r<self>"  ──>  the ROUTER of peer a
 *           └─ socket 2: DEALER "r<self>"  ──>  the ROUTER of peer b
 *
 *     message = [identity, ROUTER only] [header, 64 bytes] [body]...
 *
 * A DEALER's identity is its owner's rank, so a ROUTER knows every peer as a small integer before the first message is
 * decoded, and a message that claims another sender is refused. ROUTER_MANDATORY turns silent loss into an error that the send
 * waits out; ROUTER_HANDOVER lets a peer that reconnects take its place at once, although the cut connection still lingers.
 *
 * Rejected: one ROUTER-ROUTER socket per process for all directions (no back-pressure per peer, and a dialler must know the
 * listener's identity first); PUB/SUB for control (drops silently); draft sockets (Debian's libzmq has none).            */
#include "common/net/net_zmq.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/net/message.h"
#include "common/process/rank_signals.h"

#define IDENTITY_BYTES 9   /* "r%08x" of the rank */
#define HIGH_WATER 4096    /* messages queued per peer; the protocol has a handful in flight: more means a stuck peer */
#define LINGER_MS 2000     /* what a closed socket may still take to send its last messages */
#define HANDSHAKE_MS 10000 /* a port scanner is dropped after this */
#define HEARTBEAT_MS 2000  /* tcp only: notices a cut wire, which a quiet tcp connection does not */
#define HEARTBEAT_TIMEOUT_MS 8000
#define RECONNECT_MS 50
#define RECONNECT_MAX_MS 1000
#define WAIT_PIECE_MS 100      /* a waiting sender looks this often whether it is to end now */
#define BAD_LINES 8            /* bad messages logged one by one; afterwards only each power of two */
#define RANK_MAX PEER_SHARD(0) /* ranks that dial in lie below the numbers of dialled shards */
#define PEER_NAME_BYTES 80

/* The storage behind a received message; kept in a free list, so that steady traffic does not allocate. */
typedef struct zmq_parcel {
    zmq_msg_t part[1 + WIRE_FRAMES];
    int parts;
    void *aligned[WIRE_FRAMES]; /* copies of frames that arrived at odd addresses */
    struct zmq_parcel *next;
} zmq_parcel_t;

typedef struct peer {
    void *socket; /* DEALER; NULL: reached through the ROUTER */
    char name[PEER_NAME_BYTES];
} peer_t;

typedef struct net_zmq {
    net_t base;
    int self;
    int64_t deadline_ms;
    void *router; /* also in sockets, or NULL */
    void **sockets;
    int *socket_peer; /* the peer of a DEALER, -1 for the ROUTER */
    zmq_pollitem_t *items;
    size_t sockets_capacity, socket_peer_capacity, items_capacity;
    int n_sockets, cursor;
    int *peer_numbers; /* searched from the front: a few hundred at most, once per message */
    peer_t *peers;     /* [n_peers], dialled or named */
    size_t peer_numbers_capacity, peers_capacity;
    int n_peers;
    zmq_parcel_t *free_parcels;
    int64_t parcels_out;
    uint64_t seed, draws;
} net_zmq_t;

static void *process_context;
static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint ipc_paths;

static void *context_get(void)
{
    pthread_mutex_lock(&context_lock);
    if (!process_context) {
        process_context = zmq_ctx_new();
        ASSERT(process_context);
        zmq_ctx_set(process_context, ZMQ_MAX_SOCKETS, 16384);
    }
    void *context = process_context;
    pthread_mutex_unlock(&context_lock);
    return context;
}

void net_zmq_shutdown(void)
{
    pthread_mutex_lock(&context_lock);
    while (process_context && zmq_ctx_term(process_context) != 0 && errno == EINTR)
        ;
    process_context = NULL;
    pthread_mutex_unlock(&context_lock);
}

static void identity_of(int rank, char text[IDENTITY_BYTES + 1])
{
    snprintf(text, IDENTITY_BYTES + 1, "r%08x", (unsigned)rank);
}

/* identity_parse - the rank of an identity frame, -1 for a stranger's. */
static int identity_parse(const zmq_msg_t *frame)
{
    const char *text = zmq_msg_data((zmq_msg_t *)frame);
    if (zmq_msg_size(frame) != IDENTITY_BYTES || text[0] != 'r')
        return -1;
    int rank = 0;
    for (int i = 1; i < IDENTITY_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, text[i], 16);
        if (!digit || rank >= RANK_MAX)
            return -1;
        rank = rank * 16 + (int)(digit - digits);
    }
    return rank < RANK_MAX ? rank : -1;
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

static status_t set_option(void *socket, int option, int value, const char *name)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) == 0)
        return ST_OK;
    return FAIL(ST_SYSTEM, "zeromq refused the socket option %s = %d: %s", name, value, zmq_strerror(errno));
}
#define SET(socket, option, value) TRY(set_option((socket), (option), (value), #option))

static status_t set_options(void *socket, bool tcp)
{
    SET(socket, ZMQ_LINGER, LINGER_MS);
    SET(socket, ZMQ_SNDHWM, HIGH_WATER);
    SET(socket, ZMQ_RCVHWM, HIGH_WATER);
    SET(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    SET(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    SET(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    if (tcp) {
        SET(socket, ZMQ_TCP_KEEPALIVE, 1);
        SET(socket, ZMQ_TCP_KEEPALIVE_IDLE, 10);
        SET(socket, ZMQ_TCP_KEEPALIVE_INTVL, 5);
        SET(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
        SET(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
        SET(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
    }
    return ST_OK;
}

static status_t open_socket(int type, bool tcp, void **out)
{
    void *socket = zmq_socket(context_get(), type);
    if (!socket)
        return FAIL(ST_SYSTEM, "zeromq cannot open a socket: %s; `ulimit -n` may be too small", zmq_strerror(errno));
    status_t status = set_options(socket, tcp);
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

typedef struct shipment {
    atomic_int left;
    void (*release)(void *context);
    void *context;
} shipment_t;

static void shipment_part_left(void *data, void *hint)
{
    (void)data;
    shipment_t *shipment = hint;
    if (atomic_fetch_sub_explicit(&shipment->left, 1, memory_order_acq_rel) > 1)
        return;
    shipment->release(shipment->context);
    mem_free(shipment);
}

/* pack - frames as ZeroMQ messages; with release, they point at the caller's memory until the last of them has left. */
static void pack(zmq_msg_t *parts, const wire_frame_t *frames, int n, void (*release)(void *), void *context)
{
    shipment_t *shipment = NULL;
    if (release && n > 0) {
        shipment = MEM_NEW(shipment_t);
        atomic_init(&shipment->left, n);
        shipment->release = release;
        shipment->context = context;
    } else if (release) {
        release(context);
    }
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)frames[i].bytes;
        int rc = shipment ? zmq_msg_init_data(&parts[i], (void *)frames[i].data, bytes, shipment_part_left, shipment)
                          : zmq_msg_init_size(&parts[i], bytes);
        ASSERT(rc == 0); /* only memory can be missing here */
        if (!shipment && bytes > 0)
            memcpy(zmq_msg_data(&parts[i]), frames[i].data, bytes);
    }
}

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

/* send_first - the frame that decides whether the message goes at all; the frames after it never wait, because ZeroMQ counts
 * whole messages. Returns 0, or the last errno when the deadline passed or the socket failed; ECANCELED where the process is to
 * end now, which does not wait for a peer that may be dead. */
static int send_first(void *socket, bool router, zmq_msg_t *frame, int flags, int64_t deadline_ms)
{
    int64_t until_ns = 0, pause_ns = 20000;
    while (zmq_msg_send(frame, socket, flags | ZMQ_DONTWAIT) < 0) {
        int error = errno;
        if (error == EINTR)
            continue;
        if (error != EAGAIN && error != EHOSTUNREACH)
            return error;
        if (until_ns == 0)
            until_ns = clock_now_ns() + deadline_ms * 1000000;
        if (rank_signals_interrupted())
            return ECANCELED;
        if (!wait_writable(socket, router, until_ns, &pause_ns))
            return error;
    }
    return 0;
}

/* send_parts - identity (ROUTER), header, body. On failure nothing of the message has left. Consumes parts. */
static int send_parts(net_zmq_t *net, int peer, const uint8_t head[64], zmq_msg_t *parts, int n, int64_t deadline_ms)
{
    const peer_t *known = peer_find(net, peer);
    bool dialled = known && known->socket;
    void *socket = dialled ? known->socket : net->router;
    ASSERT(socket); /* neither dialled nor listening: the caller's bug */
    zmq_msg_t first;
    int error, more = n > 0 ? ZMQ_SNDMORE : 0;
    if (dialled) {
        ASSERT(zmq_msg_init_size(&first, 64) == 0);
        memcpy(zmq_msg_data(&first), head, 64);
        error = send_first(socket, false, &first, more, deadline_ms);
    } else {
        char identity[IDENTITY_BYTES + 1];
        identity_of(peer, identity);
        ASSERT(zmq_msg_init_size(&first, IDENTITY_BYTES) == 0);
        memcpy(zmq_msg_data(&first), identity, IDENTITY_BYTES);
        error = send_first(socket, true, &first, ZMQ_SNDMORE, deadline_ms);
        while (error == 0 && zmq_send(socket, head, 64, more) < 0)
            error = errno == EINTR ? 0 : errno;
    }
    for (int i = 0; i < n; i++) {
        while (error == 0 && zmq_msg_send(&parts[i], socket, i + 1 < n ? ZMQ_SNDMORE : 0) < 0)
            error = errno == EINTR ? 0 : errno;
        if (error != 0)
            zmq_msg_close(&parts[i]);
    }
    if (error != 0)
        zmq_msg_close(&first);
    return error;
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

    zmq_msg_t parts[WIRE_FRAMES];
    pack(parts, frames, n, release, context);
    int error = send_parts(net, peer, head, parts, n, net->deadline_ms);
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

/* ---- receiving ---- */

static zmq_parcel_t *parcel_take(net_zmq_t *net)
{
    zmq_parcel_t *parcel = net->free_parcels;
    if (parcel)
        net->free_parcels = parcel->next;
    else
        parcel = MEM_NEW(zmq_parcel_t);
    parcel->parts = 0;
    net->parcels_out++;
    return parcel;
}

static void parcel_give_back(net_zmq_t *net, zmq_parcel_t *parcel)
{
    for (int i = 0; i < parcel->parts; i++)
        zmq_msg_close(&parcel->part[i]);
    for (int i = 0; i < WIRE_FRAMES; i++) {
        mem_free(parcel->aligned[i]);
        parcel->aligned[i] = NULL;
    }
    parcel->next = net->free_parcels;
    net->free_parcels = parcel;
    net->parcels_out--;
}

/* receive_parts - the frames of one message that has begun to arrive (ZeroMQ delivers whole messages, so this never waits).
 * Returns how many there were; more than fit are read and dropped. */
static int receive_parts(void *socket, zmq_msg_t *first, zmq_parcel_t *parcel)
{
    int n = 0;
    zmq_msg_t rest, *frame = first;
    for (;;) {
        if (n < 1 + WIRE_FRAMES) {
            zmq_msg_init(&parcel->part[n]);
            zmq_msg_move(&parcel->part[n], frame);
            parcel->parts = n + 1;
        }
        n++;
        bool more = n <= 1 + WIRE_FRAMES ? zmq_msg_more(&parcel->part[n - 1]) : zmq_msg_more(frame);
        if (frame == &rest)
            zmq_msg_close(&rest);
        if (!more)
            return n;
        zmq_msg_init(&rest);
        frame = &rest;
        while (zmq_msg_recv(frame, socket, 0) < 0)
            ASSERT(errno == EINTR);
    }
}

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
    wire_header_t header = wire_header(WIRE_ERROR, 0, 0, (uint32_t)net->self, 0, 0);
    header.payload_bytes = sizeof body;
    uint8_t head[64];
    wire_encode(&header, head);
    zmq_msg_t part;
    pack(&part, &(wire_frame_t){&body, sizeof body}, 1, NULL, NULL);
    if (send_parts(net, peer, head, &part, 1, 0) == 0) {
        net->base.messages_sent++;
        net->base.bytes_sent += 64 + header.payload_bytes;
    }
}

/* take_message - one message of a socket: 1 delivered, 0 nothing there, -1 something bad was there and is gone. */
static int take_message(net_zmq_t *net, int index, net_message_t *message)
{
    void *socket = net->sockets[index];
    int peer = net->socket_peer[index];
    zmq_msg_t first;
    zmq_msg_init(&first);
    if (zmq_msg_recv(&first, socket, ZMQ_DONTWAIT) < 0) {
        ASSERT(errno == EAGAIN || errno == EINTR);
        zmq_msg_close(&first);
        return 0;
    }
    if (peer < 0) {
        peer = identity_parse(&first);
        bool more = zmq_msg_more(&first);
        zmq_msg_close(&first);
        zmq_msg_init(&first);
        while (more && zmq_msg_recv(&first, socket, 0) < 0)
            ASSERT(errno == EINTR);
    }
    zmq_parcel_t *parcel = parcel_take(net);
    int n = receive_parts(socket, &first, parcel);
    zmq_msg_close(&first);
    wire_frame_t frames[1 + WIRE_FRAMES];
    int64_t bytes = 0;
    for (int i = 0; i < parcel->parts; i++) {
        frames[i] = (wire_frame_t){zmq_msg_data(&parcel->part[i]), (int64_t)zmq_msg_size(&parcel->part[i])};
        bytes += frames[i].bytes;
    }
    net->base.bytes_received += bytes;
    const char *reason = "its sender is no rank of this job";
    bool good = peer >= 0 && wire_decode(frames, n, &message->header, &reason) == ST_OK;
    if (good && net->socket_peer[index] < 0 && message->header.sender != (uint32_t)peer) {
        reason = "the header names another sender than the connection";
        good = false;
    }
    if (!good) {
        refuse(net, peer, frames, parcel->parts, reason);
        parcel_give_back(net, parcel);
        return -1;
    }
    message->peer = peer;
    message->frames = n - 1;
    message->own = parcel;
    for (int i = 0; i < n - 1; i++) {
        message->frame[i] = frames[1 + i];
        /* ZeroMQ points small frames into its receive buffer, at any address; arrays of u64 want better. */
        if ((uintptr_t)frames[1 + i].data % 8 != 0) {
            parcel->aligned[i] = MEM_ARRAY(uint8_t, frames[1 + i].bytes);
            memcpy(parcel->aligned[i], frames[1 + i].data, (size_t)frames[1 + i].bytes);
            message->frame[i].data = parcel->aligned[i];
        }
    }
    net->base.messages_received++;
    if (log_enabled(LOG_TRACE)) {
        char what[128], name[PEER_NAME_BYTES];
        wire_describe(&message->header, what, sizeof what);
        log_trace("from %s: %s", peer_name(net, peer, name), what);
    }
    return 1;
}

static status_t op_receive(net_t *base, net_message_t *message, int64_t timeout_ms)
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(net->n_sockets > 0);
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
        parcel_give_back((net_zmq_t *)base, message->own);
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
    ASSERT(net->parcels_out == 0); /* a message outlives its transport */
    for (int i = 0; i < net->n_sockets; i++)
        zmq_close(net->sockets[i]);
    while (net->free_parcels) {
        zmq_parcel_t *parcel = net->free_parcels;
        net->free_parcels = parcel->next;
        mem_free(parcel);
    }
    mem_free(net->sockets);
    mem_free(net->socket_peer);
    mem_free(net->items);
    mem_free(net->peer_numbers);
    mem_free(net->peers);
    mem_free(net);
    *out = NULL;
}

static const net_ops_t zmq_ops = {
    .send = op_send, .receive = op_receive, .release = op_release, .now_ns = op_now_ns, .random = op_random, .close = op_close};

status_t net_zmq_create(int self, double deadline_s, net_t **out)
{
    ASSERT(self >= 0 && self < RANK_MAX && deadline_s >= 0);
    net_zmq_t *net = MEM_NEW(net_zmq_t);
    if (getrandom(&net->seed, sizeof net->seed, 0) != sizeof net->seed) {
        mem_free(net);
        return FAIL(ST_SYSTEM, "no random numbers from the kernel: %s", strerror(errno));
    }
    net->base.ops = &zmq_ops;
    net->self = self;
    net->deadline_ms = (int64_t)(deadline_s * 1000 + 0.5);
    *out = &net->base;
    return ST_OK;
}

/* ---- endpoints ---- */

static status_t bind_endpoint(void *socket, const char *wanted, char endpoint[NET_ENDPOINT_BYTES])
{
    if (zmq_bind(socket, wanted) != 0)
        return FAIL(ST_SYSTEM, "cannot listen on %s: %s", wanted, zmq_strerror(errno));
    size_t bytes = NET_ENDPOINT_BYTES;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0)
        return FAIL(ST_SYSTEM, "the endpoint bound for %s cannot be read back: %s", wanted, zmq_strerror(errno));
    return ST_OK;
}

static status_t listen_on(net_zmq_t *net, bool tcp, const char *wanted, char endpoint[NET_ENDPOINT_BYTES])
{
    void *router;
    TRY(open_socket(ZMQ_ROUTER, tcp, &router));
    status_t status;
    char bound[NET_ENDPOINT_BYTES];
    TRY_DONE(set_option(router, ZMQ_ROUTER_MANDATORY, 1, "ZMQ_ROUTER_MANDATORY"));
    TRY_DONE(set_option(router, ZMQ_ROUTER_HANDOVER, 1, "ZMQ_ROUTER_HANDOVER"));
    TRY_DONE(bind_endpoint(router, wanted, bound));
    net->router = router;
    add_socket(net, router, -1);
    memcpy(endpoint, bound, sizeof bound);
done:
    if (status != ST_OK)
        zmq_close(router);
    return status;
}

status_t net_zmq_listen(net_t *base, const char *address, char endpoint[NET_ENDPOINT_BYTES])
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(base->ops == &zmq_ops && !net->router);
    char wanted[NET_ENDPOINT_BYTES];
    if (address) {
        snprintf(wanted, sizeof wanted, "tcp://%s:*", address);
    } else {
        /* Abstract names vanish with the process. The random part keeps containers apart that share a network but not pids. */
        snprintf(wanted, sizeof wanted, "ipc://@smelter-%d-%u-%08x", (int)getpid(), atomic_fetch_add(&ipc_paths, 1),
                 (unsigned)(net->seed & 0xffffffffu));
    }
    return listen_on(net, address != NULL, wanted, endpoint);
}

status_t net_zmq_dial(net_t *base, int peer, const char *endpoint)
{
    net_zmq_t *net = (net_zmq_t *)base;
    ASSERT(base->ops == &zmq_ops);
    peer_t *entry = peer_get(net, peer);
    ASSERT(!entry->socket); /* one connection per peer */
    void *socket;
    TRY(open_socket(ZMQ_DEALER, strncmp(endpoint, "tcp:", 4) == 0, &socket));
    char identity[IDENTITY_BYTES + 1];
    identity_of(net->self, identity);
    if (zmq_setsockopt(socket, ZMQ_ROUTING_ID, identity, IDENTITY_BYTES) != 0 || zmq_connect(socket, endpoint) != 0) {
        int error = errno;
        zmq_close(socket);
        return FAIL(ST_INPUT, "cannot connect to \"%s\": %s", endpoint, zmq_strerror(error));
    }
    add_socket(net, socket, peer);
    entry->socket = socket;
    return ST_OK;
}

void net_zmq_name_peer(net_t *base, int peer, const char *name)
{
    ASSERT(base->ops == &zmq_ops);
    snprintf(peer_get((net_zmq_t *)base, peer)->name, PEER_NAME_BYTES, "%s", name);
}
