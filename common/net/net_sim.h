/* net_sim.h - a network inside one thread, on a virtual clock: the same net_ops without sockets.
 *
 * A world owns the clock, the messages on their way and the net_t's attached to it. Messages of a pair of peers arrive in
 * order, after delays drawn from the world's seed, so a run repeats exactly. Nothing happens but in calls: a receive that
 * finds nothing moves the clock to the next arrival. A node that is served (a shard) has its function called when a
 * message arrives for it while another node waits, so a client that blocks in its own loop drives a whole cluster.
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

/* net_sim_serve - call serve(context) for every message that arrives while another node waits; it must receive that message
 * (timeout 0) and may send, or wait for other nodes. */
void net_sim_serve(net_t *net, void (*serve)(void *context), void *context);

/* net_sim_step - move the clock to the next arrival and serve it. False: nothing is on its way. */
bool net_sim_step(net_sim_world_t *world);

int64_t net_sim_now_ns(const net_sim_world_t *world);

#endif
