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

/* What the faults did so far. */
typedef struct net_sim_counts {
    int64_t sent, dropped, duplicated, late, held;
} net_sim_counts_t;
net_sim_counts_t net_sim_counts(const net_sim_world_t *world);

#endif
