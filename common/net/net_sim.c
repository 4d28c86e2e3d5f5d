/* net_sim.c - a sorted list of arrivals, a clock, inboxes and tasks.
 *
 *     send --> on_the_way, by (due time, order of sending) --clock reaches due--> inbox of the receiver --> receive
 *
 * In-order delivery per pair is the due time itself: never before the due time of the link's message before. A message that is
 * late is the exception: it neither waits for those before nor holds up those after. A task that waits has the time at which
 * it goes on by itself; an arrival brings that forward. The clock moves to whatever comes first.                          */
#include "common/net/net_sim.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/process/fiber.h"

/* From two processes of one host to two hosts with a busy switch: enough to mix the messages of different senders. */
#define DELAY_NS_MIN 20000
#define DELAY_NS_MAX 2000000
#define LOOK_NS 2000 /* a task's look for a message */
#define LETTERS 64   /* of a node that may be answered yet */
#define RUN_AT 8     /* of a header: where run and incarnation are */
#define RUN_BYTES 12

typedef struct sim_parcel {
    int64_t due_ns;
    struct sim_node *to;
    int peer; /* the sender, as the receiver numbers it */
    uint8_t head[64];
    int frames;
    wire_frame_t frame[WIRE_FRAMES];
    void *copy[WIRE_FRAMES];
    void (*release)(void *context);
    void *context;
    bool is_letter, has_key;
    struct sim_parcel *next;
} sim_parcel_t;

typedef struct link {
    int peer;
    struct sim_node *far; /* NULL: closed */
    int far_peer;         /* what the far node calls this one */
    int64_t last_due_ns;
    bool is_dialled; /* by the far node */
} link_t;

/* What an ERROR repeats of the letter that it answers. */
typedef struct taken_letter {
    int peer;
    uint64_t run_id, sequence;
    int64_t step;
} taken_letter_t;

/* A node's loop. */
typedef struct sim_task {
    net_sim_world_t *world;
    struct sim_node *node; /* or NULL */
    fiber_t *fiber;
    void (*run)(void *context);
    void *context;
    int64_t wake_ns, paused_ns; /* when it goes on, unless something comes before; not before paused_ns */
    bool receives;              /* an arrival wakes it */
    struct sim_task *next;
} sim_task_t;

typedef struct sim_node {
    net_t base;
    net_sim_world_t *world;
    int self;
    link_t *links;
    size_t links_capacity;
    int n_links;
    sim_parcel_t *inbox, **inbox_end;
    void (*serve)(void *context);
    void *serve_context;
    bool serving, dead;
    sim_task_t *task;
    void (*tamper)(void *context, net_message_t *message);
    void *tamper_context;
    taken_letter_t letters[LETTERS]; /* a ring of those that came last */
    int64_t n_letters;
    uint8_t run[RUN_BYTES]; /* of the node's last message of a run */
    uint64_t draws;
} sim_node_t;

struct net_sim_world {
    uint64_t seed, draws;
    int64_t now_ns, deadline_ns;
    sim_parcel_t *on_the_way;
    int nodes;
    sim_task_t *tasks, *running;
    net_sim_faults_t faults;
    uint64_t apart; /* ranks on the one side of a partition */
    int64_t apart_until_ns;
    net_sim_see_fn *see;
    void *see_context;
    net_sim_mistake_t mistake;
    net_sim_counts_t counts;
};

enum { STREAM_NET = 1, STREAM_NODE = 1000 };

static double draw(net_sim_world_t *world)
{
    return rng_uniform(world->seed, STREAM_NET, world->draws++);
}

static link_t *link_find(sim_node_t *node, int peer)
{
    for (int i = 0; i < node->n_links; i++)
        if (node->links[i].peer == peer)
            return &node->links[i];
    return NULL;
}

static void link_add(sim_node_t *node, int peer, sim_node_t *far, int far_peer, bool is_dialled)
{
    ASSERT(!link_find(node, peer));
    MEM_GROW(node->links, node->links_capacity, (size_t)node->n_links + 1);
    node->links[node->n_links++] = (link_t){.peer = peer, .far = far, .far_peer = far_peer, .is_dialled = is_dialled};
}

static void copy_frames(sim_parcel_t *parcel)
{
    for (int i = 0; i < parcel->frames; i++) {
        parcel->copy[i] = MEM_ARRAY(uint8_t, parcel->frame[i].bytes);
        if (parcel->frame[i].bytes > 0)
            memcpy(parcel->copy[i], parcel->frame[i].data, (size_t)parcel->frame[i].bytes);
        parcel->frame[i].data = parcel->copy[i];
    }
}

static void let_go(sim_parcel_t *parcel)
{
    if (parcel->release)
        parcel->release(parcel->context);
    parcel->release = NULL;
}

static void parcel_free(sim_parcel_t *parcel)
{
    let_go(parcel);
    for (int i = 0; i < parcel->frames; i++)
        mem_free(parcel->copy[i]);
    mem_free(parcel);
}

static void put_on_the_way(net_sim_world_t *world, sim_parcel_t *parcel)
{
    sim_parcel_t **at = &world->on_the_way;
    while (*at && (*at)->due_ns <= parcel->due_ns)
        at = &(*at)->next;
    parcel->next = *at;
    *at = parcel;
}

/* When a message that is sent now arrives. */
static int64_t due_of(net_sim_world_t *world, link_t *link, int from, int to, bool faulty)
{
    int64_t due = world->now_ns + DELAY_NS_MIN + (int64_t)(draw(world) * (DELAY_NS_MAX - DELAY_NS_MIN));
    const bool crosses = (world->apart >> from & 1) != (world->apart >> to & 1);
    if (crosses && world->now_ns < world->apart_until_ns) {
        due += world->apart_until_ns - world->now_ns;
        world->counts.held++;
    }
    if (faulty && world->faults.late > 0 && draw(world) < world->faults.late) {
        world->counts.late++;
        return due + (int64_t)(draw(world) * (double)world->faults.late_ns);
    }
    if (due < link->last_due_ns)
        due = link->last_due_ns;
    link->last_due_ns = due;
    return due;
}

static void duplicate(net_sim_world_t *world, const sim_parcel_t *parcel, link_t *link, int from)
{
    sim_parcel_t *copy = MEM_NEW(sim_parcel_t);
    *copy = *parcel;
    copy->release = NULL;
    copy_frames(copy);
    copy->due_ns = due_of(world, link, from, link->far->self, true);
    put_on_the_way(world, copy);
    world->counts.duplicated++;
}

static status_t not_connected(sim_node_t *node, int peer, const wire_header_t *header)
{
    char what[128];
    node->world->now_ns += node->world->deadline_ns;
    wire_describe(header, what, sizeof what);
    return FAIL(ST_TIMEOUT, "peer %d is not connected after %.1f s; it did not get: %s", peer,
                1e-9 * (double)node->world->deadline_ns, what);
}

/* Is it the refusal of a letter, whose sender is gone? */
static bool answers_letter(sim_node_t *node, int peer, const wire_header_t *header)
{
    for (int i = 0; i < LETTERS && i < node->n_letters && header->type == WIRE_ERROR; i++) {
        taken_letter_t *letter = &node->letters[i];
        if (letter->peer == peer && letter->run_id == header->run_id && letter->sequence == header->sequence &&
            letter->step == header->step) {
            *letter = (taken_letter_t){.peer = -1};
            node->world->counts.refused++;
            return true;
        }
    }
    return false;
}

static bool is_open(const sim_node_t *node, const link_t *link)
{
    return !node->dead && link && link->far;
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
    const bool faulty = world->faults.types >> full.type & 1;
    const bool lost = faulty && world->faults.drop > 0 && draw(world) < world->faults.drop;
    if (node->dead || !link || !link->far || link->far->dead || lost || answers_letter(node, peer, &full)) {
        if (release)
            release(context);
        world->counts.dropped += lost && is_open(node, link);
        return node->dead ? ST_PEER : is_open(node, link) ? ST_OK : not_connected(node, peer, &full);
    }
    sim_parcel_t *parcel = MEM_NEW(sim_parcel_t);
    *parcel = (sim_parcel_t){.to = link->far, .peer = link->far_peer, .frames = n, .release = release, .context = context};
    wire_encode(&full, parcel->head);
    for (int i = 0; i < n; i++)
        parcel->frame[i] = frames[i];
    if (!release)
        copy_frames(parcel);
    parcel->due_ns = due_of(world, link, node->self, link->far->self, faulty);
    put_on_the_way(world, parcel);
    if (faulty && world->faults.duplicate > 0 && draw(world) < world->faults.duplicate)
        duplicate(world, parcel, link, node->self);
    world->counts.sent++;
    base->messages_sent++;
    base->bytes_sent += 64 + full.payload_bytes;
    return ST_OK;
}

static void frames_of(const sim_parcel_t *parcel, wire_frame_t frames[1 + WIRE_FRAMES])
{
    frames[0] = (wire_frame_t){parcel->head, sizeof parcel->head};
    memcpy(frames + 1, parcel->frame, sizeof parcel->frame);
}

/* What net_zmq does with what comes from outside: does the letter reach its receiver? */
static bool admit(sim_node_t *node, sim_parcel_t *parcel)
{
    net_sim_world_t *world = node->world;
    const link_t *link = link_find(node, parcel->peer);
    wire_frame_t frames[1 + WIRE_FRAMES];
    wire_header_t header;
    const char *wrong;
    frames_of(parcel, frames);
    world->counts.strangers += !parcel->has_key;
    if (!link || (!parcel->has_key && world->mistake != NET_SIM_BELIEVES_STRANGERS))
        return false;
    bool is_sound = wire_decode(frames, 1 + parcel->frames, &header, &wrong) == ST_OK;
    if (is_sound && link->is_dialled && header.sender != (uint32_t)parcel->peer) {
        is_sound = world->mistake == NET_SIM_BELIEVES_HEADERS && link_find(node, (int)header.sender);
        parcel->peer = (int)header.sender;
    }
    if (!is_sound) {
        node->base.bad_messages++;
        world->counts.misshapen++;
        return false;
    }
    node->letters[node->n_letters++ % LETTERS] = (taken_letter_t){parcel->peer, header.run_id, header.sequence, header.step};
    if (world->mistake == NET_SIM_FORGETS_RUNS && wire_is_of_run(header.type)) {
        memcpy(parcel->head + RUN_AT, node->run, RUN_BYTES);
        memcpy(&node->letters[(node->n_letters - 1) % LETTERS].run_id, node->run, sizeof header.run_id);
    }
    return true;
}

static void op_offer(net_t *base, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    const link_t *link = link_find((sim_node_t *)base, peer);
    if (link && link->far && op_send(base, peer, header, frames, n, NULL, NULL) != ST_OK)
        log_debug("a dead node offers nothing");
}

/* arrive - the next message reaches its receiver's inbox; the clock follows. */
static sim_node_t *arrive(net_sim_world_t *world)
{
    sim_parcel_t *parcel = world->on_the_way;
    world->on_the_way = parcel->next;
    parcel->next = NULL;
    if (parcel->due_ns > world->now_ns)
        world->now_ns = parcel->due_ns;
    sim_node_t *to = parcel->to;
    if (!to || to->dead) { /* closed or killed meanwhile */
        parcel_free(parcel);
        return NULL;
    }
    if (parcel->release) {
        copy_frames(parcel);
        let_go(parcel);
    }
    if (parcel->is_letter && !admit(to, parcel)) {
        parcel_free(parcel);
        return NULL;
    }
    if (world->see && !parcel->is_letter) {
        net_sim_letter_t seen = {parcel->peer, true, parcel->head, {{0}}, parcel->frames};
        memcpy(seen.frame, parcel->frame, sizeof seen.frame);
        world->see(world->see_context, &to->base, &seen);
    }
    *to->inbox_end = parcel;
    to->inbox_end = &parcel->next;
    if (to->task && to->task->receives && to->task->wake_ns > world->now_ns)
        to->task->wake_ns = world->now_ns;
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
    sim_parcel_t *parcel = node->inbox;
    if (!parcel)
        return false;
    node->inbox = parcel->next;
    if (!node->inbox)
        node->inbox_end = &node->inbox;
    wire_frame_t frames[1 + WIRE_FRAMES];
    frames_of(parcel, frames);
    const char *wrong = "";
    status_t status = wire_decode(frames, 1 + parcel->frames, &message->header, &wrong);
    if (status != ST_OK)
        log_error("a node sent a malformed message: %s", wrong);
    ASSERT(status == ST_OK);
    if (!parcel->is_letter && wire_is_of_run(message->header.type))
        memcpy(node->run, parcel->head + RUN_AT, RUN_BYTES);
    message->peer = parcel->peer;
    message->frames = parcel->frames;
    memcpy(message->frame, parcel->frame, sizeof message->frame);
    message->own = parcel;
    node->base.messages_received++;
    node->base.bytes_received += 64 + message->header.payload_bytes;
    if (node->tamper)
        node->tamper(node->tamper_context, message);
    return true;
}

/* The running task waits until the clock reaches wake_ns or, where it receives, a message arrives. */
static void task_wait(sim_task_t *task, int64_t wake_ns, bool receives)
{
    task->wake_ns = wake_ns;
    task->receives = receives;
    fiber_yield(task->fiber);
    task->receives = false;
}

/* A look takes time too, in which others go on: so loops that look and work in turn are interrupted anywhere. */
static status_t task_receive(sim_node_t *node, net_message_t *message, int64_t until_ns)
{
    const int64_t earliest_ns = node->world->now_ns + LOOK_NS;
    bool looked = false;
    while (node->dead || !take(node, message)) {
        if (node->dead) { /* time passes even for a loop that does not look at the status */
            task_wait(node->task, node->world->now_ns + DELAY_NS_MIN, false);
            return ST_PEER;
        }
        if (looked && node->world->now_ns >= until_ns)
            return ST_TIMEOUT;
        task_wait(node->task, until_ns > earliest_ns ? until_ns : earliest_ns, true);
        looked = true;
    }
    return ST_OK;
}

static status_t op_receive(net_t *base, net_message_t *message, int64_t timeout_ms)
{
    sim_node_t *node = (sim_node_t *)base;
    net_sim_world_t *world = node->world;
    int64_t until_ns = world->now_ns + (timeout_ms > 0 ? timeout_ms * 1000000 : 0);
    if (node->task && world->running == node->task)
        return task_receive(node, message, until_ns);
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
    return rng_u64(node->world->seed, STREAM_NODE + (uint64_t)node->self, node->draws++);
}

static void op_close(net_t **out)
{
    sim_node_t *node = (sim_node_t *)*out;
    for (int i = 0; i < node->n_links; i++) {
        link_t *back = node->links[i].far ? link_find(node->links[i].far, node->links[i].far_peer) : NULL;
        if (back)
            back->far = NULL;
    }
    for (sim_parcel_t *parcel = node->world->on_the_way; parcel; parcel = parcel->next)
        if (parcel->to == node)
            parcel->to = NULL;
    while (node->inbox) {
        sim_parcel_t *parcel = node->inbox;
        node->inbox = parcel->next;
        parcel_free(parcel);
    }
    if (node->task)
        node->task->node = NULL;
    node->world->nodes--;
    mem_free(node->links);
    mem_free(node);
    *out = NULL;
}

static const net_ops_t sim_ops = {.send = op_send,
                                  .offer = op_offer,
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
    ASSERT(world->nodes == 0 && !world->tasks);
    while (world->on_the_way) {
        sim_parcel_t *parcel = world->on_the_way;
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
    link_add(from, peer, to, from->self, false);
    link_add(to, from->self, from, peer, true);
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

/* ---- tasks ---- */

static void run_task(void *context)
{
    sim_task_t *task = context;
    task->run(task->context);
}

void net_sim_spawn(net_sim_world_t *world, net_t *net, void (*run)(void *context), void *context)
{
    sim_node_t *node = (sim_node_t *)net;
    sim_task_t *task = MEM_NEW(sim_task_t);
    *task = (sim_task_t){.world = world, .node = node, .run = run, .context = context, .wake_ns = world->now_ns};
    task->fiber = fiber_create(run_task, task);
    if (node) {
        ASSERT(!node->task && !node->serve);
        node->task = task;
    }
    sim_task_t **end = &world->tasks;
    while (*end)
        end = &(*end)->next;
    *end = task;
}

net_t *net_sim_running(const net_sim_world_t *world)
{
    return world->running && world->running->node ? &world->running->node->base : NULL;
}

void net_sim_sleep(net_sim_world_t *world, int64_t ns)
{
    const sim_task_t *task = world->running;
    if (!task || !task->node || !task->node->dead)
        net_sim_wait(world, ns);
}

void net_sim_wait(net_sim_world_t *world, int64_t ns)
{
    if (world->running)
        task_wait(world->running, world->now_ns + ns, false);
    else
        world->now_ns += ns;
}

/* When a task goes on; a pause is over sooner where the node was killed meanwhile. */
static int64_t task_due(const sim_task_t *task)
{
    const bool paused = task->paused_ns > task->wake_ns && !(task->node && task->node->dead);
    return paused ? task->paused_ns : task->wake_ns;
}

/* The task that goes on first; among those that could at the same time, any. */
static sim_task_t *next_task(net_sim_world_t *world)
{
    sim_task_t *first = NULL;
    int equal = 0;
    for (sim_task_t *task = world->tasks; task; task = task->next) {
        const int64_t due = task_due(task);
        if (!first || due < task_due(first)) {
            first = task;
            equal = 1;
        } else if (due == task_due(first) && draw(world) * ++equal < 1) {
            first = task;
        }
    }
    return first;
}

static void resume(net_sim_world_t *world, sim_task_t *task)
{
    world->running = task;
    const bool more = fiber_resume(task->fiber);
    world->running = NULL;
    if (more)
        return;
    sim_task_t **at = &world->tasks;
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    if (task->node)
        task->node->task = NULL;
    fiber_destroy(&task->fiber);
    mem_free(task);
}

bool net_sim_run(net_sim_world_t *world, int64_t until_ns)
{
    ASSERT(!world->running);
    while (world->tasks) {
        sim_task_t *task = next_task(world);
        const sim_parcel_t *parcel = world->on_the_way;
        const bool arrives = parcel && parcel->due_ns <= task_due(task);
        const int64_t due = arrives ? parcel->due_ns : task_due(task);
        if (due >= until_ns) {
            world->now_ns = world->now_ns < until_ns ? until_ns : world->now_ns;
            return true;
        }
        world->now_ns = world->now_ns < due ? due : world->now_ns;
        if (arrives)
            arrive(world);
        else
            resume(world, task);
    }
    return false;
}

/* ---- faults ---- */

void net_sim_set_faults(net_sim_world_t *world, const net_sim_faults_t *faults)
{
    world->faults = *faults;
}

void net_sim_partition(net_sim_world_t *world, uint64_t ranks, int64_t until_ns)
{
    world->apart = ranks;
    world->apart_until_ns = until_ns;
}

void net_sim_kill(net_t *net)
{
    sim_node_t *node = (sim_node_t *)net;
    ASSERT(net->ops == &sim_ops);
    node->dead = true;
    while (node->inbox) {
        sim_parcel_t *parcel = node->inbox;
        node->inbox = parcel->next;
        parcel_free(parcel);
    }
    node->inbox_end = &node->inbox;
    if (node->task)
        node->task->wake_ns = node->world->now_ns;
}

bool net_sim_is_dead(const net_t *net)
{
    return ((const sim_node_t *)net)->dead;
}

bool net_sim_is_running(const net_t *net)
{
    return ((const sim_node_t *)net)->task;
}

void net_sim_pause(net_t *net, int64_t until_ns)
{
    sim_node_t *node = (sim_node_t *)net;
    if (node->task)
        node->task->paused_ns = until_ns;
}

void net_sim_tamper(net_t *net, void (*tamper)(void *context, net_message_t *message), void *context)
{
    sim_node_t *node = (sim_node_t *)net;
    node->tamper = tamper;
    node->tamper_context = context;
}

/* ---- malice ---- */

void net_sim_post(net_t *net, const net_sim_letter_t *letter, int64_t delay_ns)
{
    sim_node_t *to = (sim_node_t *)net;
    net_sim_world_t *world = to->world;
    sim_parcel_t *parcel = MEM_NEW(sim_parcel_t);
    ASSERT(net->ops == &sim_ops && letter->frames <= WIRE_FRAMES);
    *parcel =
        (sim_parcel_t){.to = to, .peer = letter->peer, .frames = letter->frames, .is_letter = true, .has_key = letter->has_key};
    memcpy(parcel->head, letter->head, sizeof parcel->head);
    memcpy(parcel->frame, letter->frame, sizeof parcel->frame);
    copy_frames(parcel);
    parcel->due_ns = world->now_ns + DELAY_NS_MIN + delay_ns;
    put_on_the_way(world, parcel);
}

bool net_sim_peer(const net_t *net, int i, net_sim_peer_t *out)
{
    const sim_node_t *node = (const sim_node_t *)net;
    if (i >= node->n_links)
        return false;
    const link_t *link = &node->links[i];
    *out = (net_sim_peer_t){link->peer, link->far ? link->far->self : -1, link->is_dialled};
    return true;
}

void net_sim_overhear(net_sim_world_t *world, net_sim_see_fn *see, void *context)
{
    world->see = see;
    world->see_context = context;
}

void net_sim_set_mistake(net_sim_world_t *world, net_sim_mistake_t mistake)
{
    world->mistake = mistake;
}

net_sim_counts_t net_sim_counts(const net_sim_world_t *world)
{
    return world->counts;
}
