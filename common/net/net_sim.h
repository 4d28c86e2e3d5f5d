/* net_sim.h - a network inside one thread, on a virtual clock: the same net_ops without sockets, and with faults.
 *
 * A world owns the clock, the messages on their way and the net_t's attached to it. Messages of a pair of peers arrive in
 * order, after delays drawn from the world's seed, so a run repeats exactly. Nothing happens but in calls. There are two ways
 * to run nodes, which do not mix in a world:
 *
 * - served: a receive that finds nothing moves the clock to the next arrival, and a node that is served (a shard) has its
 *   function called when a message arrives for it while another node waits, so a client that blocks in its own loop drives a
 *   whole cluster;
 * - tasks: every node's own loop runs on a stack of its own; where it waits, the others go on; net_sim_run moves the clock.
 *
 * Memory given to net_send_owned is read at arrival, not at send, so a sender that reuses it early is found out.         */
#ifndef SMELTER_NET_SIM_H
#define SMELTER_NET_SIM_H

#include <stdbool.h>

#include "common/net/net.h"

typedef struct net_sim_world net_sim_world_t;

/* net_sim_world_create - deadline_s bounds a send to a node that is closed. net_sim_world_destroy - after every net_t was
 * closed; releases the memory of messages that never arrived. */
net_sim_world_t *net_sim_world_create(uint64_t seed, double deadline_s);
void net_sim_world_destroy(net_sim_world_t **world);

/* net_sim_attach - a node of rank `self`; **owned**, net_close. It listens by being dialled. */
net_t *net_sim_attach(net_sim_world_t *world, int self);

/* net_sim_dial - connect: `listener` becomes `peer` of net, and net becomes the peer `self` of listener. */
void net_sim_dial(net_t *net, int peer, net_t *listener);

int64_t net_sim_now_ns(const net_sim_world_t *world);

/* ---- served nodes ---- */

/* net_sim_serve - call serve(context) for every message that arrives while another node waits; it must receive that message
 * (timeout 0) and may send, or wait for other nodes. */
void net_sim_serve(net_t *net, void (*serve)(void *context), void *context);

/* net_sim_step - move the clock to the next arrival and serve it. False: nothing is on its way. */
bool net_sim_step(net_sim_world_t *world);

/* ---- tasks ---- */

/* net_sim_spawn - run(context) as a task that owns `net` (NULL: none); it begins inside of net_sim_run. It must return before
 * the world is destroyed. */
void net_sim_spawn(net_sim_world_t *world, net_t *net, void (*run)(void *context), void *context);

/* net_sim_running - the node whose task runs; NULL: none, or one without a node. */
net_t *net_sim_running(const net_sim_world_t *world);

/* net_sim_sleep - a task waits for this long; not at all where its node is dead. net_sim_wait - in any case. Without a task the
 * clock just moves. */
void net_sim_sleep(net_sim_world_t *world, int64_t ns);
void net_sim_wait(net_sim_world_t *world, int64_t ns);

/* net_sim_run - let tasks run and messages arrive until the clock reaches until_ns (true) or all tasks have returned (false).
 * At equal times the seed decides who goes first. */
bool net_sim_run(net_sim_world_t *world, int64_t until_ns);

/* ---- faults; all are drawn from the world's seed ---- */

typedef struct net_sim_faults {
    uint64_t types;               /* bit WIRE_x: messages of this type may be dropped, duplicated and reordered */
    double drop, duplicate, late; /* probability of each, per message; late: by up to late_ns, others overtake it */
    int64_t late_ns;
} net_sim_faults_t;

/* net_sim_set_faults - from now on. net_sim_partition - messages between the ranks of the set (bit r: rank r) and the others
 * that are sent before until_ns arrive after it, as a transport that tries again delivers them. */
void net_sim_set_faults(net_sim_world_t *world, const net_sim_faults_t *faults);
void net_sim_partition(net_sim_world_t *world, uint64_t ranks, int64_t until_ns);

/* net_sim_kill - the node is dead: nothing that it sends leaves, what comes for it vanishes, and its calls fail with ST_PEER at
 * once and unlogged, so that its own error paths free what it holds.
 * net_sim_pause - the node's task does not run before until_ns; what arrives waits. */
void net_sim_kill(net_t *net);
bool net_sim_is_dead(const net_t *net);
bool net_sim_is_running(const net_t *net); /* its task has not returned */
void net_sim_pause(net_t *net, int64_t until_ns);

/* net_sim_tamper - a mistake on purpose: `tamper` may change each message that the node receives before the node sees it. */
void net_sim_tamper(net_t *net, void (*tamper)(void *context, net_message_t *message), void *context);

/* ---- malice ---- */

/* A message that no node sends. It comes by the connection of a rank of the job, whose key it has, or from a stranger without
 * one, who claims to be that rank. The transport does with it what net_zmq does: a stranger's is dropped; one that is
 * malformed, or that names another sender than its connection, is refused with an ERROR; the others reach the receiver. Whoever
 * posts letters is gone before any answer comes: an ERROR that answers a letter is counted, and reaches nobody. */
typedef struct net_sim_letter {
    int peer; /* the connection, or whom the stranger claims to be: as the receiver numbers its peers */
    bool has_key;
    const uint8_t *head; /* 64 bytes */
    wire_frame_t frame[WIRE_FRAMES];
    int frames;
} net_sim_letter_t;

/* net_sim_post - a letter that arrives delay_ns later than a message would; what it points to is copied. */
void net_sim_post(net_t *to, const net_sim_letter_t *letter, int64_t delay_ns);

/* net_sim_peer - the i-th connection of a node; false: it has fewer. */
typedef struct net_sim_peer {
    int peer, rank; /* as the node numbers it; who is at the far end */
    bool dials;     /* the far end dialled, so that the transport knows it by its rank */
} net_sim_peer_t;
bool net_sim_peer(const net_t *net, int i, net_sim_peer_t *out);

/* net_sim_overhear - see(context, receiver, message) for each message of a node that arrives. The letter is borrowed. */
typedef void net_sim_see_fn(void *context, net_t *to, const net_sim_letter_t *message);
void net_sim_overhear(net_sim_world_t *world, net_sim_see_fn *see, void *context);

/* Mistakes on purpose of the transport and of those who receive by it. */
typedef enum net_sim_mistake {
    NET_SIM_CORRECT,
    NET_SIM_BELIEVES_STRANGERS, /* who has no key is who he claims to be */
    NET_SIM_BELIEVES_HEADERS,   /* the sender is the one that the header names */
    NET_SIM_FORGETS_RUNS,       /* a letter of any run is one of the run that the receiver is in */
} net_sim_mistake_t;
void net_sim_set_mistake(net_sim_world_t *world, net_sim_mistake_t mistake);

/* What faults and malice did so far. */
typedef struct net_sim_counts {
    int64_t sent, dropped, duplicated, late, held;
    int64_t strangers; /* letters without a key */
    int64_t misshapen; /* letters that the transport refused */
    int64_t refused;   /* letters that a receiver refused */
} net_sim_counts_t;
net_sim_counts_t net_sim_counts(const net_sim_world_t *world);

#endif
