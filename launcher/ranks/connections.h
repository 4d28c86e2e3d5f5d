/* connections.h - the sockets of a rank: transport, keys and endpoints, agreed on over MPI, and everybody connected.
 *
 * MPI and the launcher are what the job trusts: cards of keys (common/net/net_keys.h), the folder of Unix sockets and
 * endpoints come by it, and by nothing else. */
#ifndef SMELTER_CONNECTIONS_H
#define SMELTER_CONNECTIONS_H

#include "common/cluster/cluster.h"
#include "common/config/config.h"
#include "common/net/net.h"
#include "common/net/net_keys.h"
#include "launcher/ranks/roster.h"

typedef struct connections {
    net_keys_t *keys;
    net_t **shards; /* [n_shards] on servers: listening, one per shard thread; NULL elsewhere */
    int n_shards;
    net_t *control; /* the coordinator's listens and is dialled to all shards; a worker's is dialled to both; a server's to the
                     * coordinator */
    net_t *pulse; /* the coordinator's: listens to the ranks that ask for its sign of life (common/net/pulse.h), and which dial
                     * it as PEER_PULSE of `control`; NULL elsewhere */
} connections_t;

/* connections_open - make this rank's keys and sockets, exchange cards and endpoints, dial, and wait until all that listens
 * was dialled by all that should; then the Unix sockets' folder is removed again. Collective; after an error, too, out is to
 * be closed. Rank 0 says what is the same on all ranks. */
WARN_UNUSED status_t connections_open(const roster_t *roster, cluster_t *cluster, const config_t *config, connections_t *out);

/* connections_close - the sockets, ZeroMQ and the keys. */
void connections_close(connections_t *connections);

#endif
