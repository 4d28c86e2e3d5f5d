/* net_zmq.h - the production transport.
 *
 * A listening net_t is a ROUTER socket bound to a free port or path; its endpoint is read back and handed around over MPI. A
 * dialling net_t has one DEALER per peer. One net_t may do both (the coordinator listens and dials the shards). ipc:// lies
 * in a folder of the job's own (ipc_folder.h); tcp:// binds an address of a named interface. Who connects shows that it is a
 * rank of this job, and which (net_keys.h, door.h); with keys that encrypt, all that follows is encrypted, too. */
#ifndef SMELTER_NET_ZMQ_H
#define SMELTER_NET_ZMQ_H

#include <stdbool.h>

#include "common/net/net.h"
#include "common/net/net_keys.h"

#define NET_ENDPOINT_BYTES 128

typedef struct net_zmq_options {
    const net_keys_t *keys;   /* borrowed until the net_t is closed; its rank is the peer number that others see on their
                              * listening net_t, so two net_t that dial the same listener need different ones */
    double deadline_s;        /* bounds every send; with 0 none waits, and one that would have to is dropped: ST_TIMEOUT, not
                              * logged */
    bool in_pieces;           /* frames travel in pieces (parcels.h), and who sends more than one at once is disconnected before
                              * anything is allocated for it; at both ends alike, and wherever strangers can connect */
    const char *const *hosts; /* [n_hosts] IPv4 addresses that may connect over tcp; n_hosts 0: all.  Borrowed until listen */
    int n_hosts;
    int first_port, last_port; /* which a listener over tcp takes the first free one of; 0, 0: any */
} net_zmq_options_t;

/* net_zmq_create - a transport for the rank of `keys`; **owned**, net->ops->close. */
WARN_UNUSED status_t net_zmq_create(const net_zmq_options_t *options, net_t **out);

/* net_zmq_listen - bind: to IPv4 addresses of this host (addresses.h) with commas between them, each with a free port, or to a
 * Unix socket in the folder of that absolute path (ipc_folder.h). What it has become is written to endpoints, with commas as
 * well. net_keys_meet has come before. ST_SYSTEM: none of the ports is free. */
WARN_UNUSED status_t net_zmq_listen(net_t *net, const char *where, char endpoints[NET_ENDPOINT_BYTES]);

/* net_zmq_endpoint - the endpoint of this number among those of a listener; returns endpoint, "" where there are not so many.
 * */
char *net_zmq_endpoint(const char *endpoints, int number, char endpoint[NET_ENDPOINT_BYTES]);

/* net_zmq_dial - connect to a listening net_t of rank `rank` and call it `peer`. Does not wait for it. Where the net_t
 * listens too, choose a number that no dialling rank has (message.h numbers shards so).  ST_INPUT: the endpoint is
 * malformed. */
WARN_UNUSED status_t net_zmq_dial(net_t *net, int peer, int rank, const char *endpoint);

/* net_zmq_await - until all of these n ranks are connected to this listening net_t, for most_s at most; what they send
 * meanwhile is kept for the receives to come. ST_TIMEOUT, not logged: *missing is not. */
WARN_UNUSED status_t net_zmq_await(net_t *net, const int *ranks, int n, double most_s, int *missing);

/* net_zmq_name_peer - what messages call this peer ("server 2 on node3"); copied, at most 79 bytes. Without: "peer 2". */
void net_zmq_name_peer(net_t *net, int peer, const char *name);

/* net_zmq_shutdown - close the door and destroy the process's context after every net_t was closed. Waits at most 2 s for
 * messages still on their way; memory given to net_send_owned must live until then or until its release, whichever is first. */
void net_zmq_shutdown(void);

#endif
