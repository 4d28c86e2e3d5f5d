/* server.h - a server rank: shard threads, and one thread that reports them alive to the coordinator. */
#ifndef SMELTER_SERVER_H
#define SMELTER_SERVER_H

#include "common/config/run_folders.h"
#include "common/net/net.h"

typedef struct server_options {
    int rank;
    int first_shard, shards;        /* numbers of this server's shards in the cluster, */
    int all_shards;                 /* which has so many */
    int first_worker, workers;      /* ranks of the workers */
    const experiment_t *experiment; /* borrowed */
    const run_folders_t *folders;   /* of the job's runs, borrowed */
    net_t **shard_nets;             /* [shards] listening, borrowed; each is used by its shard's thread alone */
    const char *coordinator;        /* its name, where its silence ends this rank (PEER_PULSE is dialled); or NULL */
    net_t *control;                 /* dialled to the coordinator, borrowed; used by the calling thread */
} server_options_t;

/* server_run - serve until the coordinator says STOP. ST_STOPPED where a signal asked for the end, ST_PEER where the
 * coordinator went away, else the error of the shard that failed (logged, and told to the coordinator). */
WARN_UNUSED status_t server_run(const server_options_t *options);

#endif
