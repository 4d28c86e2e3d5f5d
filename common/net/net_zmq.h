/* net_zmq.h - the production transport (the only user of zmq.h).
 *
 * A listening net_t is a ROUTER socket bound to a free port or path; its endpoint is read back and handed around over MPI.
 * A dialling net_t has one DEALER per peer. One net_t may do both (the coordinator listens and dials the shards). ipc:// lives
 * in an abstract or temporary path; tcp:// binds a named interface. A process has one ZeroMQ context.                     */
#ifndef SMELTER_NET_ZMQ_H
#define SMELTER_NET_ZMQ_H

#include <stdbool.h>

#include "common/net/net.h"

#define NET_ENDPOINT_BYTES 128

/* net_zmq_create - a transport for rank `self`; **owned**, net->ops->close. `self` is the peer number that others see on their
 * listening net_t, so two net_t that dial the same listener need different ones. deadline_s bounds every send; with 0
 * none waits, and one that would have to is dropped: ST_TIMEOUT, not logged. */
WARN_UNUSED status_t net_zmq_create(int self, double deadline_s, net_t **out);

/* net_zmq_listen - bind: to an IPv4 address of this host (addresses.h) and a free port, or, NULL, to a Unix socket. The
 * endpoint is written to endpoint. */
WARN_UNUSED status_t net_zmq_listen(net_t *net, const char *address, char endpoint[NET_ENDPOINT_BYTES]);

/* net_zmq_dial - connect to a listening net_t and call it `peer`. Does not wait for it. Where the net_t listens too, choose
 * a number that no dialling rank has (message.h numbers shards so).  ST_INPUT: the endpoint is malformed. */
WARN_UNUSED status_t net_zmq_dial(net_t *net, int peer, const char *endpoint);

/* net_zmq_name_peer - what messages call this peer ("server 2 on node3"); copied, at most 79 bytes. Without: "peer 2". */
void net_zmq_name_peer(net_t *net, int peer, const char *name);

/* net_zmq_shutdown - destroy the process's context after every net_t was closed. Waits at most 2 s for messages still on their
 * way; memory given to net_send_owned must live until then or until its release, whichever is first. */
void net_zmq_shutdown(void);

#endif
