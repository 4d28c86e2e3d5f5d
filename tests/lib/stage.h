/* stage.h - one receiver of messages, a shard or the coordinator in the middle of a training, among peers that are not there:
 * a test or a fuzz target speaks for all of them and sees every answer. No threads, no sockets, no clock but net_fake's.
 *
 * At a shard a peer is the rank that dialled: 0 the coordinator, STAGE_SERVER the server itself, then the workers; any other
 * number is a stranger. At the coordinator ranks are the same, and PEER_SHARD(s) is shard s. */
#ifndef SMELTER_STAGE_H
#define SMELTER_STAGE_H

#include "common/config/run_folders.h"
#include "common/files/disk.h"
#include "common/net/message.h"
#include "tests/lib/net_fake.h"

enum {
    STAGE_SERVER = 1,       /* its rank; it has all shards */
    STAGE_FIRST_WORKER = 2, /* rank of worker 0 */
    STAGE_FIELDS = 2,
    STAGE_DIM = 4,
    STAGE_STEPS = 40,
    STAGE_BATCH = 4,
};

struct shard;
struct coordinator;
struct progress;
struct roster;

typedef struct stage_options {
    const char *level; /* async, bounded, sync or invariant */
    int depth, staleness, workers, shards;
    const char *dir;          /* of the job; what a receiver writes goes below it */
    const char *more;         /* further lines of the configuration; or NULL */
    disk_t *disk;             /* for checkpoints; NULL: the system's */
    experiment_t *experiment; /* borrowed, of stage_experiment, for stages that are many; or NULL */
} stage_options_t;

typedef struct stage {
    stage_options_t o;
    experiment_t *experiment;
    run_folders_t folders;
    net_t *net;
    struct shard *shard;             /* or NULL and */
    struct coordinator *coordinator; /* tests may look inside (coordinator_impl.h) */
    struct progress *progress;
    int progress_fd;
    struct roster *roster;
    uint64_t run_id; /* that stage_header gives */
    uint32_t incarnation;
    /* What the receiver has sent. */
    int64_t sent[WIRE_TYPE_END];
    uint64_t digest;                  /* of all of it but ERRORs, in order: equal digests, equal answers */
    char reason[STATUS_REASON_BYTES]; /* of the last ERROR */
    message_counters_t counters;      /* of the last FLUSHED or LOADED */
    int64_t refused;                  /* messages that the transport would have refused */
} stage_t;

/* stage_experiment - what a stage of these options trains; **owned**, experiment_destroy. */
experiment_t *stage_experiment(const stage_options_t *options);

/* stage_shard - shard 0 of o.shards, without a run.  stage_coordinator - rank 0 while it waits for the workers to train run
 * stage->run_id, with checkpoints, digests of steps and probes.  **owned**; stage_destroy. */
stage_t *stage_shard(const stage_options_t *options);
stage_t *stage_coordinator(const stage_options_t *options);
void stage_destroy(stage_t **stage);

/* stage_begin - a shard gets the coordinator's BEGIN of a run that trains, or one that only scores. What the receiver says:
 * ST_OK, unless it would end. */
WARN_UNUSED status_t stage_begin(stage_t *stage, uint64_t run_id, bool trains);

/* stage_header - of a message of the run.  stage_deliver - it arrives from `peer`, whose rank the header gets;
 * stage_deliver_raw - frames as they are on the wire, the header's first. What the receiver says: ST_OK, ST_STOPPED after STOP,
 * or an error that would end it. What a transport refuses does not reach it.
 * stage_work - what a receiver does between messages; the clock moves on a little. */
wire_header_t stage_header(const stage_t *stage, wire_type_t type, int64_t step, int64_t count);
WARN_UNUSED status_t stage_deliver(stage_t *stage, int peer, const wire_header_t *header, const wire_frame_t *frames, int n);
WARN_UNUSED status_t stage_deliver_raw(stage_t *stage, int peer, const wire_frame_t *frames, int n);
WARN_UNUSED status_t stage_work(stage_t *stage);

#endif
