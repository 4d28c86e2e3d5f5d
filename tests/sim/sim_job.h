/* sim_job.h - one start of a job in a simulated world: the real coordinator, shards and workers, each in its own loop, with
 * faults at times of the virtual clock.
 *
 * What is not real: the network (common/net/net_sim.h), disks of checkpoints (tests/lib/disk_sim.h), MPI (sim_mpi.h), the
 * loader's thread (sim_loader.c), the thread of a shard's disk (sim_io.c) and the process around a shard. Stores and the run's
 * other files are real ones below run_dir. */
#ifndef SMELTER_SIM_JOB_H
#define SMELTER_SIM_JOB_H

#include "common/config/config.h"
#include "common/net/net_sim.h"
#include "launcher/run/manifest.h"
#include "tests/lib/disk_sim.h"
#include "tests/sim/sim_malice.h"

#define SIM_SHARDS_MOST 4
#define SIM_WORKERS_MOST 8
#define SIM_DEADLINE_S 5.0

/* Something that happens to a job. Ranks: 0 the coordinator, then servers of one shard each, then workers. */
typedef enum sim_kind {
    SIM_KILL,      /* rank dies */
    SIM_PAUSE,     /* rank stands still for `ns` */
    SIM_PARTITION, /* rank is cut off from the others for `ns` */
    SIM_BOMB,      /* rank dies in its n-th call of its disk from now on, before the call has its effect */
    SIM_SYNC_BOMB, /* the same, counting calls of sync_dir alone: a name has changed and is not durable yet */
    SIM_FULL,      /* the disk has room for n bytes more, to the end of this start */
    SIM_ERROR,     /* the n-th call of rank's disk from now on fails, and the ns calls after it */
    SIM_MEMORY,    /* rank is out of memory at its n-th allocation from now on, which ends a process (common/base/memory.h) */
    SIM_STOP,      /* a signal asks to save and stop */
    SIM_SAVE,      /* a signal asks to save and go on */
    SIM_ROT,       /* n bits of the disk flip */
    SIM_MISDIRECT, /* rank's n-th append from now on lands elsewhere */
    SIM_STRANGER,  /* n letters of a malice_kind_t, in its order, within ns */
    SIM_REPLAY,
    SIM_ROLE,
    SIM_WILD,
    SIM_KIND_COUNT
} sim_kind_t;

typedef struct sim_event {
    int64_t at_ns;
    sim_kind_t kind;
    int rank;
    int64_t ns, n;
} sim_event_t;

typedef struct sim_job_options {
    const experiment_t *experiment; /* borrowed, as all */
    int shards, workers;
    uint64_t seed; /* of delays and faults */
    const char *run_dir;
    disk_sim_t *disk;
    bool resume;                    /* from the last checkpoint */
    int64_t slice_bytes, row_bytes; /* as of shard_options_t */
    int64_t piece_bytes;            /* of answers (pieces_set_bytes) */
    net_sim_faults_t faults;
    const sim_event_t *events; /* [n_events] by time */
    int n_events;
    /* A moment after a rank died the launcher kills the others, as mpirun does; else they find out, unless it was the
     * coordinator. Where that ends without a result, it always does, as MPI_Abort does. */
    bool launcher_kills;
    malice_t *malice; /* who speaks; NULL: nobody */
    /* Mistakes on purpose. */
    bool merges_by_arrival; /* shards number the senders of a step's pushes as they come */
    bool takes_wild;        /* as malice_enter has it */
    bool loses_refused;     /* where memory is refused, what was to be written next is left out */
    bool folds_unsynced;    /* LMDB's commits do not wait for the disk */
    net_sim_mistake_t net_mistake;
} sim_job_options_t;

typedef struct sim_job_result {
    status_t status;     /* of coordinator_train; ST_PEER where the coordinator died */
    manifest_t manifest; /* ST_OK: **owned**, manifest_fini */
    bool stuck;          /* a rank waited past every deadline: */
    int stuck_rank;      /* the first of them */
    bool killed;         /* some rank died */
    int64_t ended_ns;    /* virtual */
    net_sim_counts_t counts;
} sim_job_result_t;

/* sim_job_run - from start to end of all ranks. */
void sim_job_run(const sim_job_options_t *options, sim_job_result_t *result);

#endif
