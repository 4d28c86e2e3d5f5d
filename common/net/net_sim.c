/* net_sim.c - a sorted list of arrivals, a clock, and inboxes.
 *
 *     send --> on_the_way, by (due time, order of sending) --clock reaches due--> inbox of the receiver --> receive
 *
 * In-order delivery per pair is the due time itself: never before the due time of the link's message before.              */
#include "common/net/net_sim.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"

/* From two processes of one host to two hosts with a busy switch: enough to mix the messages of different senders. */
#define DELAY_NS_MIN 20000
#define DELAY_NS_MAX 2000000

typedef struct parcel {
    int64_t due_ns;
    struct sim_node *to;
    int peer; /* the sender, as the receiver numbers it */
    uint8_t head[64];
    int frames;
    wire_frame_t frame[WIRE_FRAMES];
    void *copy[WIRE_FRAMES];
    void (*release)(void *context);
    void *context;
    struct parcel *next;
} parcel_t;

typedef struct link {
    int peer;
    struct sim_node *far; /* NULL: closed */
    int far_peer;         /* what the far node calls this one */
    int64_t last_due_ns;
} link_t;

typedef struct sim_node {
    net_t base;
    net_sim_world_t *world;
    int self;
    link_t *links;
    size_t links_capacity;
    int n_links;
    parcel_t *inbox, **inbox_end;
    void (*serve)(void *context);
    void *serve_context;
    bool serving;
    uint64_t draws;
} sim_node_t;

struct net_sim_world {
    uint64_t seed, sent;
    int64_t now_ns, deadline_ns;
    parcel_t *on_the_way;
    int nodes;
};

static link_t *link_find(sim_node_t *node, int peer)
{
    for (int i = 0; i < node->n_links; i++)
        if (node->links[i].peer == peer)
            return &node->links[i];
    return NULL;
}

static void link_add(sim_node_t *node, int peer, sim_node_t *far, int far_peer)
{
    ASSERT(!link_find(node, peer));
    MEM_GROW(node->links, node->links_capacity, (size_t)node->n_links + 1);
    node->links[node->n_links++] = (link_t){.peer = peer, .far = far, .far_peer = far_peer};
}

static void copy_frames(parcel_t *parcel)
{
    for (int i = 0; i < parcel->frames; i++) {
        parcel->copy[i] = MEM_ARRAY(uint8_t, parcel->frame[i].bytes);
        if (parcel->frame[i].bytes > 0)
            memcpy(parcel->copy[i], parcel->frame[i].data, (size_t)parcel->frame[i].bytes);
        parcel->frame[i].data = parcel->copy[i];
    }
}

static void let_go(parcel_t *parcel)
{
    if (parcel->release)
        parcel->release(parcel->context);
    parcel->release = NULL;
}

static void parcel_free(parcel_t *parcel)
{
    let_go(parcel);
    for (int i = 0; i < parcel->frames; i++)
        mem_free(parcel->copy[i]);
    mem_free(parcel);
}

static status_t op_send(net_t *base, int peer, const wire_header_t *header, const wire_frame_t *frames, int n,
                        void (*release)(void *context), void *context)
{
    sim_node_t *node = (sim_node_t *)base;
    net_sim_world_t *world = node->world;
    link_t *link = link_find(node, peer);
    ASSERT(n >= 0 && n <= WIRE_FRAMES);
    wire_header_t full = *header;
    full.sender = (uint32_t)node->self;
    full.payload_bytes = 0;
    for (int i = 0; i < n; i++)
        full.payload_bytes += frames[i].bytes;
    if (!link || !link->far) {
        world->now_ns += world->deadline_ns;
        if (release)
            release(context);
        char what[128];
        wire_describe(&full, what, sizeof what);
        return FAIL(ST_TIMEOUT, "peer %d is not connected after %.1f s; it did not get: %s", peer,
                    1e-9 * (double)world->deadline_ns, what);
    }
    parcel_t *parcel = MEM_NEW(parcel_t);
    *parcel = (parcel_t){.to = link->far, .peer = link->far_peer, .frames = n, .release = release, .context = context};
    wire_encode(&full, parcel->head);
    for (int i = 0; i < n; i++)
        parcel->frame[i] = frames[i];
    if (!release)
        copy_frames(parcel);
    double spread = rng_uniform(world->seed, 1, world->sent++) * (DELAY_NS_MAX - DELAY_NS_MIN);
    parcel->due_ns = world->now_ns + DELAY_NS_MIN + (int64_t)spread;
    if (parcel->due_ns < link->last_due_ns)
        parcel->due_ns = link->last_due_ns;
    link->last_due_ns = parcel->due_ns;
    parcel_t **at = &world->on_the_way;
    while (*at && (*at)->due_ns <= parcel->due_ns)
        at = &(*at)->next;
    parcel->next = *at;
    *at = parcel;
    base->messages_sent++;
    base->bytes_sent += 64 + full.payload_bytes;
    return ST_OK;
}

/* arrive - the next message reaches its receiver's inbox; the clock follows. */
static sim_node_t *arrive(net_sim_world_t *world)
{
    parcel_t *parcel = world->on_the_way;
    world->on_the_way = parcel->next;
    parcel->next = NULL;
    if (parcel->due_ns > world->now_ns)
        world->now_ns = parcel->due_ns;
    sim_node_t *to = parcel->to;
    if (!to) { /* closed meanwhile */
        parcel_free(parcel);
        return NULL;
    }
    if (parcel->release) {
        copy_frames(parcel);
        let_go(parcel);
    }
    *to->inbox_end = parcel;
    to->inbox_end = &parcel->next;
    return to;
}

static void serve(sim_node_t *node)
{
    while (node && node->serve && !node->serving && node->inbox) {
        int64_t before = node->base.messages_received;
        node->serving = true;
        node->serve(node->serve_context);
        node->serving = false;
        ASSERT(node->base.messages_received > before); /* it must take the message, or this never ends */
    }
}

static bool take(sim_node_t *node, net_message_t *message)
{
    parcel_t *parcel = node->inbox;
    if (!parcel)
        return false;
    node->inbox = parcel->next;
    if (!node->inbox)
        node->inbox_end = &node->inbox;
    wire_frame_t frames[1 + WIRE_FRAMES] = {{parcel->head, sizeof parcel->head}};
    memcpy(frames + 1, parcel->frame, sizeof parcel->frame);
    const char *wrong = "";
    status_t status = wire_decode(frames, 1 + parcel->frames, &message->header, &wrong);
    if (status != ST_OK)
        log_error("a node sent a malformed message: %s", wrong);
    ASSERT(status == ST_OK);
    message->peer = parcel->peer;
    message->frames = parcel->frames;
    memcpy(message->frame, parcel->frame, sizeof message->frame);
    message->own = parcel;
    node->base.messages_received++;
    node->base.bytes_received += 64 + message->header.payload_bytes;
    return true;
}

static status_t op_receive(net_t *base, net_message_t *message, int64_t timeout_ms)
{
    sim_node_t *node = (sim_node_t *)base;
    net_sim_world_t *world = node->world;
    int64_t until_ns = world->now_ns + (timeout_ms > 0 ? timeout_ms * 1000000 : 0);
    while (!take(node, message)) {
        if (!world->on_the_way || world->on_the_way->due_ns > until_ns) {
            if (world->now_ns < until_ns)
                world->now_ns = until_ns;
            return ST_TIMEOUT;
        }
        sim_node_t *to = arrive(world);
        if (to != node)
            serve(to);
    }
    return ST_OK;
}

static void op_release(net_t *base, net_message_t *message)
{
    (void)base;
    if (message->own)
        parcel_free(message->own);
    message->own = NULL;
}

static int64_t op_now_ns(net_t *base)
{
    return ((sim_node_t *)base)->world->now_ns;
}

static uint64_t op_random(net_t *base)
{
    sim_node_t *node = (sim_node_t *)base;
    return rng_u64(node->world->seed, 1000 + (uint64_t)node->self, node->draws++);
}

static void op_close(net_t **out)
{
    sim_node_t *node = (sim_node_t *)*out;
    for (int i = 0; i < node->n_links; i++) {
        link_t *back = node->links[i].far ? link_find(node->links[i].far, node->links[i].far_peer) : NULL;
        if (back)
            back->far = NULL;
    }
    for (parcel_t *parcel = node->world->on_the_way; parcel; parcel = parcel->next)
        if (parcel->to == node)
            parcel->to = NULL;
    while (node->inbox) {
        parcel_t *parcel = node->inbox;
        node->inbox = parcel->next;
        parcel_free(parcel);
    }
    node->world->nodes--;
    mem_free(node->links);
    mem_free(node);
    *out = NULL;
}

static const net_ops_t sim_ops = {.send = op_send,
                                  .receive = op_receive,
                                  .release = op_release,
                                  .now_ns = op_now_ns,
                                  .random = op_random,
                                  .close = op_close};

net_sim_world_t *net_sim_world_create(uint64_t seed, double deadline_s)
{
    net_sim_world_t *world = MEM_NEW(net_sim_world_t);
    world->seed = seed;
    world->deadline_ns = (int64_t)(deadline_s * 1e9);
    return world;
}

void net_sim_world_destroy(net_sim_world_t **out)
{
    net_sim_world_t *world = *out;
    if (!world)
        return;
    ASSERT(world->nodes == 0);
    while (world->on_the_way) {
        parcel_t *parcel = world->on_the_way;
        world->on_the_way = parcel->next;
        parcel_free(parcel);
    }
    mem_free(world);
    *out = NULL;
}

net_t *net_sim_attach(net_sim_world_t *world, int self)
{
    sim_node_t *node = MEM_NEW(sim_node_t);
    node->base.ops = &sim_ops;
    node->world = world;
    node->self = self;
    node->inbox_end = &node->inbox;
    world->nodes++;
    return &node->base;
}

void net_sim_dial(net_t *net, int peer, net_t *listener)
{
    sim_node_t *from = (sim_node_t *)net, *to = (sim_node_t *)listener;
    ASSERT(net->ops == &sim_ops && listener->ops == &sim_ops && from->world == to->world);
    link_add(from, peer, to, from->self);
    link_add(to, from->self, from, peer);
}

void net_sim_serve(net_t *net, void (*function)(void *context), void *context)
{
    sim_node_t *node = (sim_node_t *)net;
    ASSERT(net->ops == &sim_ops);
    node->serve = function;
    node->serve_context = context;
}

bool net_sim_step(net_sim_world_t *world)
{
    if (!world->on_the_way)
        return false;
    serve(arrive(world));
    return true;
}

int64_t net_sim_now_ns(const net_sim_world_t *world)
{
    return world->now_ns;
}
