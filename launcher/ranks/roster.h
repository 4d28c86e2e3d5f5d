/* roster.h - who is who in a job: roles by rank, hosts and processes, exchanged once over MPI.
 *
 * Rank 0 is the coordinator, ranks 1 .. S are the servers, the rest are the workers. The launcher numbers ranks by hosts; these
 * are the job's own numbers, by which servers lie where cluster.placement wants them (placement.h). Every rank brings the
 * identity of its program and of its configuration; ranks that differ from rank 0 are named and the job does not start.        
 *           */
#ifndef SMELTER_ROSTER_H
#define SMELTER_ROSTER_H

#include <stdint.h>

#include "common/cluster/cluster.h"
#include "common/config/config.h"
#include "common/kernels/processor.h"

typedef enum role { ROLE_COORDINATOR, ROLE_SERVER, ROLE_WORKER } role_t;

typedef struct roster_entry {
    char host[CLUSTER_HOST_BYTES];
    int64_t pid;
    uint64_t build, config; /* of the program file; of the configuration and its overrides */
    uint64_t command;       /* of the folders on the command line */
    uint64_t program;       /* which file of its host the program is */
    int32_t status;         /* status_t of loading the configuration */
    int32_t reserved;
    int64_t open_files; /* how many it may have */
    processor_t processor;
} roster_entry_t;

typedef struct roster {
    int rank, size;
    int servers, shards_per_server, workers;
    roster_entry_t *entries; /* [size] */
    int *numbers;            /* [size] the launcher's of each rank, which messages name; NULL: the same */
} roster_t;

/* roster_ranks - how many ranks a configuration asks for on this number of hosts: 1 + servers + workers (auto: 1 worker). */
int roster_ranks(const config_t *config, int hosts);

/* roster_exchange - gather all ranks' identities. Collective. experiment is NULL where loading it failed with `loaded`;
 * command is a hash of the folders on the command line. Logs, on rank 0 alone, the first rank that failed or differs, or a
 * number of ranks that does not fit (and which does); every rank returns the same status.  *out is filled; roster_fini. The
 * cluster's ranks have the roster's numbers from then on. */
WARN_UNUSED status_t roster_exchange(cluster_t *cluster, const experiment_t *experiment, uint64_t command, status_t loaded,
                                     roster_t *out);
void roster_fini(roster_t *roster);

/* roster_number - the launcher's number of a rank. */
int roster_number(const roster_t *roster, int rank);
role_t roster_role(const roster_t *roster, int rank);
/* roster_index - number of a rank within its role. */
int roster_index(const roster_t *roster, int rank);
int roster_first_worker(const roster_t *roster);
int roster_shards(const roster_t *roster);
/* roster_name - "server 1", "worker 0", "coordinator" of a rank; roster_full_name adds "(rank 2 on node3, pid 4711)". Writes at
 * most `size` bytes and returns text. The first needs only the two counts, so it works outside of the job. */
const char *roster_name(int rank, int servers, char *text, int size);
const char *roster_full_name(const roster_t *roster, int rank, char *text, int size);

/* roster_hosts - "node1, node2": the hosts of all ranks, each once, in the order of ranks; **owned**. */
char *roster_hosts(const roster_t *roster);

/* roster_is_gone - the rank's process has ended. False where that cannot be seen, because it is on another host. */
bool roster_is_gone(const roster_t *roster, int rank);

#endif
