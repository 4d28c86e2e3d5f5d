/* worker.h - a worker rank: trains its lanes of every run the coordinator begins, then scores its share of the evaluation
 * split. */
#ifndef SMELTER_WORKER_H
#define SMELTER_WORKER_H

#include "common/cluster/cluster.h"
#include "common/config/run_folders.h"
#include "common/net/net.h"

typedef struct worker_options {
    int rank, worker, workers;
    int shards;
    const char *const *shard_names; /* [shards] "server 1 on node2", borrowed */
    const experiment_t *experiment; /* borrowed */
    const run_folders_t *folders;   /* of the job's runs, borrowed */
    const char *coordinator;        /* its name, where its silence ends this rank (PEER_PULSE is dialled); or NULL */
    net_t *net;                     /* borrowed; dialled to the coordinator and to every shard */
    cluster_t *cluster;             /* borrowed; its group is the workers */
} worker_options_t;

/* worker_run - serve until the coordinator says STOP. ST_OK after a successful job, ST_PEER where the job was ended, else the
 * error of this worker (logged, and told to the coordinator). */
WARN_UNUSED status_t worker_run(const worker_options_t *options);

#endif
