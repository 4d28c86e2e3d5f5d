/* door.c - the thread at the door.
 *
 *     ROUTER ── handshake ─> inproc://zeromq.zap.01 ─> answer(): 200 and the rank, or 300: ZeroMQ closes in silence
 *        └──── monitor ─────> inproc://smelter-door-N ──> see(): what did not come as far as that
 *     door_keep ────────────> inproc://smelter-door ──> take_order(): a monitor more
 *
 * It reads nothing that a stranger wrote but the name and the credentials, of which ZeroMQ bounds the sizes, and it does not
 * wait for anybody: ZeroMQ's own threads speak with strangers, and end a handshake that takes longer than ZMQ_HANDSHAKE_IVL.
 *
 * ZeroMQ says of a connection that fails before it has shown anything only that it ended, not which one: see() counts those
 * that came and have neither succeeded nor failed.
 *
 * Rejected: an answer of 400, which tells a stranger that he was understood. */
#include "common/net/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/net/zeromq.h"

#define ZAP "inproc://zeromq.zap.01"
#define ORDERS "inproc://smelter-door"
#define MONITOR "inproc://smelter-door-%d"
#define EVENTS \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED | \
     ZMQ_EVENT_MONITOR_STOPPED)
#define ZAP_FRAMES 8 /* version, request, domain, address, routing id, mechanism, and at most two credentials */
#define ADDRESS_BYTES 64
#define REMEMBERED 256 /* addresses, by descriptor; for what the log says */

/* A listening socket, as the door sees it. */
typedef struct threshold {
    void *monitor;
    int64_t undecided; /* connections that have neither shown who they are nor failed to */
    bool failed;       /* ZeroMQ has said of a connection that it failed, and says next that it ended, */
    bool counted;      /* which answer() has counted */
    char address[REMEMBERED][ADDRESS_BYTES];
} threshold_t;

static struct {
    pthread_mutex_t lock; /* of all but refusals; never held for longer than it takes to look something up */
    pthread_t thread;
    bool is_open;
    void *zap, *orders; /* the thread's */
    const net_keys_t **keys;
    size_t keys_capacity;
    int n_keys, monitors;
    atomic_int_least64_t refusals;
} door = {.lock = PTHREAD_MUTEX_INITIALIZER};

int64_t door_refusals(void)
{
    return atomic_load(&door.refusals);
}

static void refuse(const char *from, const char *reason)
{
    const int64_t n = atomic_fetch_add(&door.refusals, 1) + 1;
    if ((n & (n - 1)) == 0)
        log_warn("refused a connection%s%s: %s (%" PRId64 " refused so far)", *from ? " from " : "", from, reason, n);
}

/* ---- certificates and tokens -------------------------------------------------------------------------------------------- */

typedef struct zap_request {
    zmq_msg_t frame[ZAP_FRAMES];
    int n;
} zap_request_t;

enum { ZAP_VERSION, ZAP_NUMBER, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_ROUTING_ID, ZAP_MECHANISM, ZAP_CREDENTIAL };

static bool frame_is(zmq_msg_t *frame, const char *text)
{
    return zmq_msg_size(frame) == strlen(text) && memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

/* The rank that the credentials are those of, or -1. */
static int rank_of(zap_request_t *request, const net_keys_t *keys)
{
    zmq_msg_t *shown = &request->frame[ZAP_CREDENTIAL];
    if (request->n == ZAP_CREDENTIAL + 1 && frame_is(&request->frame[ZAP_MECHANISM], "CURVE") &&
        zmq_msg_size(shown) == NET_KEY_BYTES)
        return net_keys_rank_of_key(keys, zmq_msg_data(shown));
    if (request->n == ZAP_CREDENTIAL + 2 && frame_is(&request->frame[ZAP_MECHANISM], "PLAIN"))
        return net_keys_rank_of_token(keys, zmq_msg_data(shown), zmq_msg_size(shown), zmq_msg_data(shown + 1),
                                      zmq_msg_size(shown + 1));
    return -1;
}

/* The domain is the number of the keys. */
static int judge(zap_request_t *request)
{
    int number = 0, rank = -1;
    char domain[16] = "";
    if (request->n <= ZAP_CREDENTIAL || zmq_msg_size(&request->frame[ZAP_DOMAIN]) >= sizeof domain)
        return -1;
    memcpy(domain, zmq_msg_data(&request->frame[ZAP_DOMAIN]), zmq_msg_size(&request->frame[ZAP_DOMAIN]));
    if (sscanf(domain, "%d", &number) != 1)
        return -1;
    pthread_mutex_lock(&door.lock);
    if (number >= 0 && number < door.n_keys && door.keys[number])
        rank = rank_of(request, door.keys[number]);
    pthread_mutex_unlock(&door.lock);
    return rank;
}

static void answer(void)
{
    zap_request_t request = {.n = 0};
    bool more = true;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        while (zmq_msg_recv(&frame, door.zap, 0) < 0)
            ASSERT(errno == EINTR);
        more = zmq_msg_more(&frame);
        if (request.n < ZAP_FRAMES) {
            zmq_msg_init(&request.frame[request.n]);
            zmq_msg_move(&request.frame[request.n++], &frame);
        }
        zmq_msg_close(&frame);
    }
    const int rank = judge(&request);
    char name[NET_NAME_TEXT] = "", from[ADDRESS_BYTES] = "";
    if (rank >= 0)
        net_keys_name(rank, name);
    else if (request.n > ZAP_ADDRESS)
        snprintf(from, sizeof from, "%.*s", (int)zmq_msg_size(&request.frame[ZAP_ADDRESS]),
                 (const char *)zmq_msg_data(&request.frame[ZAP_ADDRESS]));
    zmq_send(door.zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(door.zap, request.n > ZAP_NUMBER ? zmq_msg_data(&request.frame[ZAP_NUMBER]) : "",
             request.n > ZAP_NUMBER ? zmq_msg_size(&request.frame[ZAP_NUMBER]) : 0, ZMQ_SNDMORE);
    zmq_send(door.zap, rank >= 0 ? "200" : "300", 3, ZMQ_SNDMORE);
    zmq_send(door.zap, "", 0, ZMQ_SNDMORE);
    zmq_send(door.zap, name, strlen(name), ZMQ_SNDMORE);
    zmq_send(door.zap, "", 0, 0);
    for (int i = 0; i < request.n; i++)
        zmq_msg_close(&request.frame[i]);
    if (rank < 0)
        refuse(from, "what it shows is no certificate or token of this start of this job");
}

/* ---- who does not come as far as that ------------------------------------------------------------------------------- */

static void remember(threshold_t *t, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_storage most;
    } peer = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t bytes = sizeof peer;
    char *text = t->address[fd % REMEMBERED];
    *text = 0;
    if (getpeername(fd, &peer.any, &bytes) == 0 && peer.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &peer.in.sin_addr, text, ADDRESS_BYTES);
}

static void decide(threshold_t *t)
{
    t->undecided -= t->undecided > 0;
}

static void see(threshold_t *t, int event, int value)
{
    const char *from = event == ZMQ_EVENT_DISCONNECTED && value >= 0 ? t->address[value % REMEMBERED] : "";
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        t->undecided++;
        remember(t, value);
        return;
    case ZMQ_EVENT_ACCEPT_FAILED:
        refuse("",
               value == EMFILE || value == ENFILE ? "no more files can be opened" : "it is of no host or no user of this job");
        return;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        decide(t);
        return;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        decide(t);
        t->failed = true;
        t->counted = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
        return;
    case ZMQ_EVENT_DISCONNECTED:
        if (!t->counted && (t->failed || t->undecided > 0))
            refuse(from, "it does not speak as ranks of this job do");
        if (!t->failed)
            decide(t);
        t->failed = t->counted = false;
        return;
    }
}

/* False: the socket that is watched is closed. */
static bool look(threshold_t *t)
{
    zmq_msg_t frame;
    int event = 0, value = 0;
    bool more = true;
    for (int i = 0; more; i++) {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, t->monitor, i ? 0 : ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return true;
        }
        const uint8_t *bytes = zmq_msg_data(&frame);
        if (i == 0 && zmq_msg_size(&frame) >= 6) {
            uint16_t kind;
            memcpy(&kind, bytes, sizeof kind);
            memcpy(&value, bytes + 2, sizeof value);
            event = kind;
        }
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    if (event != ZMQ_EVENT_MONITOR_STOPPED)
        see(t, event, value);
    return event != ZMQ_EVENT_MONITOR_STOPPED;
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

typedef struct watch {
    threshold_t **thresholds;
    zmq_pollitem_t *items; /* certificates, orders, monitors */
    size_t thresholds_capacity, items_capacity;
    int n;
} watch_t;

static void watch_add(watch_t *watch, void *monitor)
{
    threshold_t *t = MEM_NEW(threshold_t);
    t->monitor = monitor;
    MEM_GROW(watch->thresholds, watch->thresholds_capacity, (size_t)watch->n + 1);
    MEM_GROW(watch->items, watch->items_capacity, (size_t)watch->n + 3);
    watch->thresholds[watch->n] = t;
    watch->items[2 + watch->n++] = (zmq_pollitem_t){.socket = monitor, .events = ZMQ_POLLIN};
}

static void watch_drop(watch_t *watch, int i)
{
    zmq_close(watch->thresholds[i]->monitor);
    mem_free(watch->thresholds[i]);
    watch->n--;
    watch->thresholds[i] = watch->thresholds[watch->n];
    watch->items[2 + i] = watch->items[2 + watch->n];
}

/* An order is a monitor more, or NULL, the end. */
static bool take_order(watch_t *watch)
{
    void *monitor;
    if (zmq_recv(door.orders, &monitor, sizeof monitor, ZMQ_DONTWAIT) < 0)
        return true;
    if (monitor)
        watch_add(watch, monitor);
    return monitor != NULL;
}

static void *keep(void *unused)
{
    (void)unused;
    watch_t watch = {.n = 0};
    MEM_GROW(watch.items, watch.items_capacity, 2);
    watch.items[0] = (zmq_pollitem_t){.socket = door.zap, .events = ZMQ_POLLIN};
    watch.items[1] = (zmq_pollitem_t){.socket = door.orders, .events = ZMQ_POLLIN};
    for (bool open = true; open;) {
        if (zmq_poll(watch.items, 2 + watch.n, -1) < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        if (watch.items[0].revents)
            answer();
        for (int i = watch.n - 1; i >= 0; i--)
            if (watch.items[2 + i].revents && !look(watch.thresholds[i]))
                watch_drop(&watch, i);
        if (watch.items[1].revents)
            open = take_order(&watch);
    }
    while (watch.n)
        watch_drop(&watch, watch.n - 1);
    mem_free(watch.items);
    mem_free(watch.thresholds);
    zmq_close(door.zap);
    zmq_close(door.orders);
    return NULL;
}

/* Signals are the main thread's. */
static status_t start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int failed = pthread_create(&door.thread, NULL, keep, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? FAIL(ST_SYSTEM, "cannot start the thread that looks at who connects; the limit on threads is too low")
                  : ST_OK;
}

static status_t open_door(void)
{
    if (door.is_open)
        return ST_OK;
    status_t status;
    door.zap = door.orders = NULL;
    TRY_DONE(zeromq_socket(ZMQ_REP, &door.zap));
    TRY_DONE(zeromq_socket(ZMQ_PULL, &door.orders));
    if (zmq_bind(door.zap, ZAP) != 0 || zmq_bind(door.orders, ORDERS) != 0) {
        status = FAIL(ST_SYSTEM, "the door cannot be opened: %s", zmq_strerror(errno));
        goto done;
    }
    TRY_DONE(start_thread());
    door.is_open = true;
done:
    if (status != ST_OK && door.zap)
        zmq_close(door.zap);
    if (status != ST_OK && door.orders)
        zmq_close(door.orders);
    return status;
}

static status_t give_order(void *monitor)
{
    void *socket;
    TRY(zeromq_socket(ZMQ_PUSH, &socket));
    const bool is_given = zmq_connect(socket, ORDERS) == 0 && zmq_send(socket, &monitor, sizeof monitor, 0) >= 0;
    const int error = errno;
    zmq_close(socket);
    return is_given ? ST_OK : FAIL(ST_SYSTEM, "the thread at the door cannot be reached: %s", zmq_strerror(error));
}

static int number_of(const net_keys_t *keys)
{
    for (int i = 0; i < door.n_keys; i++)
        if (door.keys[i] == keys)
            return i;
    MEM_GROW(door.keys, door.keys_capacity, (size_t)door.n_keys + 1);
    door.keys[door.n_keys] = keys;
    return door.n_keys++;
}

/* ---- its callers ---------------------------------------------------------------------------------------------------- */

static status_t set_server(void *socket, const net_keys_t *keys, int number)
{
    char domain[16];
    snprintf(domain, sizeof domain, "%d", number);
    ZEROMQ_SET_TEXT(socket, ZMQ_ZAP_DOMAIN, domain);
    if (!net_keys_encrypt(keys)) {
        ZEROMQ_SET(socket, ZMQ_PLAIN_SERVER, 1);
        return ST_OK;
    }
    ZEROMQ_SET(socket, ZMQ_CURVE_SERVER, 1);
    ZEROMQ_SET_TEXT(socket, ZMQ_CURVE_SECRETKEY, net_keys_secret(keys));
    return ST_OK;
}

/* The thread's end is connected here, because a socket with nobody at the other end would wait with its first event. */
static status_t watch_socket(void *socket, int number)
{
    char name[48];
    void *monitor;
    snprintf(name, sizeof name, MONITOR, number);
    TRY(zeromq_socket(ZMQ_PAIR, &monitor));
    status_t status = ST_OK;
    if (zmq_socket_monitor(socket, name, EVENTS) != 0 || zmq_connect(monitor, name) != 0)
        status = FAIL(ST_SYSTEM, "a socket cannot be watched: %s", zmq_strerror(errno));
    else
        status = give_order(monitor);
    if (status != ST_OK)
        zmq_close(monitor);
    return status;
}

status_t door_keep(void *socket, const net_keys_t *keys)
{
    pthread_mutex_lock(&door.lock);
    const status_t status = open_door();
    const int number = status == ST_OK ? number_of(keys) : 0, monitor = door.monitors++;
    pthread_mutex_unlock(&door.lock);
    TRY(status);
    TRY(set_server(socket, keys, number));
    return watch_socket(socket, monitor);
}

void door_leave(const net_keys_t *keys)
{
    pthread_mutex_lock(&door.lock);
    for (int i = 0; i < door.n_keys; i++)
        if (door.keys[i] == keys)
            door.keys[i] = NULL;
    pthread_mutex_unlock(&door.lock);
}

status_t door_knock(void *socket, const net_keys_t *keys, int rank)
{
    const int self = net_keys_self(keys);
    char name[NET_NAME_TEXT];
    if (!net_keys_encrypt(keys)) {
        ZEROMQ_SET_TEXT(socket, ZMQ_PLAIN_USERNAME, net_keys_name(self, name));
        ZEROMQ_SET_TEXT(socket, ZMQ_PLAIN_PASSWORD, net_keys_card(keys)->token);
        return ST_OK;
    }
    ZEROMQ_SET_TEXT(socket, ZMQ_CURVE_SERVERKEY, net_keys_public(keys, rank));
    ZEROMQ_SET_TEXT(socket, ZMQ_CURVE_PUBLICKEY, net_keys_card(keys)->public_key);
    ZEROMQ_SET_TEXT(socket, ZMQ_CURVE_SECRETKEY, net_keys_secret(keys));
    return ST_OK;
}

void door_close(void)
{
    pthread_mutex_lock(&door.lock);
    const bool was_open = door.is_open;
    door.is_open = false;
    pthread_mutex_unlock(&door.lock);
    if (was_open && give_order(NULL) == ST_OK)
        pthread_join(door.thread, NULL);
    mem_free(door.keys);
    door.keys = NULL;
    door.keys_capacity = 0;
    door.n_keys = 0;
}
