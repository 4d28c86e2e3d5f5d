/* checkpointer.h - rank 0's part of checkpoints: asks for a cut, gathers what belongs to it, commits it, and drops old ones.
 *
 * A cut before step s comes about in one of two ways. Every checkpoint.every_steps steps the workers make it by themselves.
 * After checkpoint.every_seconds, or on request, SAVE asks the workers from which step on they can, and tells them the latest
 * of their answers. Either way the parts of the cut arrive on their own, in any order between senders:
 *
 *     worker -> CUT         all that it had to say about the steps before s has arrived; counters
 *     worker -> CUT_DENSE   dense parameters of a component, from the first worker of its group, before its CUT
 *     shard  -> PREPARED    its delta is durable
 *
 * When all are here the dense files and the progressive metrics are written, then the manifest: the checkpoint is committed. Of
 * more than `keep` checkpoints the oldest loses its manifest; shards are told to FOLD its delta into their base, and when all
 * have FOLDED its folder goes. Until then no other cut is committed; training waits for none of this. Cuts are committed in the
 * order of their steps. Which cuts there are follows from the period and from the steps that SAVE has named, so a part of
 * another one is refused.
 *
 * Pure: messages and time come in by calls, SAVE and FOLD leave through a net_t, files through a disk_t. One thread. */
#ifndef SMELTER_CHECKPOINTER_H
#define SMELTER_CHECKPOINTER_H

#include <stdbool.h>

#include "common/config/peer_group.h"
#include "common/net/net.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "launcher/checkpoint/checkpoint_manifest.h"
#include "launcher/metrics/progressive.h"

typedef struct checkpointer checkpointer_t;

typedef struct checkpointer_options {
    net_t *net; /* borrowed, as all pointers here */
    disk_t *disk;
    const char *run_dir; /* exists */
    const checkpoint_manifest_t
        *run;             /* what all manifests of this start share: texts but time, hashes, counts but step, config; copied */
    run_events_t *events; /* NULL: no event is told */
    progressive_t *progressive; /* NULL: the run has none */
    uint64_t run_id;
    int first_worker;       /* the peer that worker 0 is */
    int workers;            /* that take part */
    peer_group_t reporting; /* those that send what progressive takes */
    int groups;             /* of workers; the first of each sends the dense parameters of its components */
    int64_t dense_floats;   /* of a component: parameters and optimizer state */
    int64_t period;         /* of the cuts that workers make by themselves; 0: none (worker/checkpoint_schedule.h) */
    bool whole;             /* none of these is left out for one that SAVE names */
    int64_t first_step;     /* of this start */
    int64_t boundary;       /* cuts are made before multiples of this step: objective.exchange_steps of groups; else 1 */
    double every_seconds;   /* 0: off */
    int64_t keep;
    run_totals_t earlier; /* of the starts before this one, up to first_step */
    int64_t start_ns;     /* of this start */
} checkpointer_options_t;

/* checkpointer_create - run->incarnation must be higher than that of any checkpoint in run_dir, else ST_INPUT. Folders of
 * earlier incarnations without checkpoints are removed, and that of this one is made.  **owned**, checkpointer_destroy. */
WARN_UNUSED status_t checkpointer_create(const checkpointer_options_t *options, checkpointer_t **out);
void checkpointer_destroy(checkpointer_t **checkpointer);

/* checkpointer_put_worker - a SAVE, CUT or CUT_DENSE of a worker; checkpointer_put_shard - a PREPARED or FOLDED of a shard; of
 * this run and incarnation. The message stays the caller's. May write files and send. REFUSEs what does not fit: every sender
 * tells of the cuts that there are, in their order, and of each part once;  else the disk refused: what was committed before
 * stays as it is. */
WARN_UNUSED status_t checkpointer_put_worker(checkpointer_t *checkpointer, int worker, const net_message_t *message);
WARN_UNUSED status_t checkpointer_put_shard(checkpointer_t *checkpointer, int shard, const net_message_t *message);

/* checkpointer_trained - a worker has made its last step: it saves nothing any more. */
WARN_UNUSED status_t checkpointer_trained(checkpointer_t *checkpointer, int worker);

/* checkpointer_request - save as soon as it can be done; and stop there. A request that comes while another one is under way is
 * served after it.  checkpointer_tick - call it a few times a second: asks for what was requested, and for what is due. */
void checkpointer_request(checkpointer_t *checkpointer, bool stop);
WARN_UNUSED status_t checkpointer_tick(checkpointer_t *checkpointer);

/* checkpointer_pin - the checkpoint before the step, and those after it, are kept however many there are, until another is
 * pinned; of one that is not committed yet, too.  checkpointer_is_crowded - more cuts are on their way than are good: who can
 * wait should, so that none is passed over. */
void checkpointer_pin(checkpointer_t *checkpointer, int64_t step);
bool checkpointer_is_crowded(const checkpointer_t *checkpointer);

bool checkpointer_is_stopped(const checkpointer_t *checkpointer);   /* the checkpoint is committed that was asked for to stop */
bool checkpointer_is_idle(const checkpointer_t *checkpointer);      /* nothing is on its way: no cut, no FOLD */
int64_t checkpointer_committed(const checkpointer_t *checkpointer); /* checkpoints since create */
int64_t checkpointer_last_step(const checkpointer_t *checkpointer); /* of the last one committed since create; -1: none */

#endif
