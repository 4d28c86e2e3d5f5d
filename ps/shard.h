/* shard.h - one shard: a set of tables, the order in which pulls and pushes take effect, and the answers.
 *
 * One thread owns a shard and its net_t; nothing is shared with other shards. The logic is pure: messages and time come from
 * the net_t, so that tests run shards in a simulated network. Levels (docs/PROTOCOL.md): at sync and invariant a pull of step t
 * is answered when exactly the pushes of steps < t - d are applied, and those of step t - d wait until every pull of step t was
 * answered; at bounded a pull of step t waits for all pushes of steps < t - staleness; at async nothing waits. The cut before a
 * step s (ps/checkpoint/shard_snapshot.h) holds what the pulls of steps < s have created and the pushes of steps < s - d have
 * changed, at bounded and async those of all steps < s, no more and no less. */
#ifndef SMELTER_SHARD_H
#define SMELTER_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/config/run_folders.h"
#include "common/files/disk.h"
#include "common/net/net.h"

typedef struct shard shard_t;

typedef struct shard_options {
    int shard, shards;              /* number in the cluster, of so many */
    bool first_of_process;          /* reports the process's CPU time and memory */
    int rank;                       /* of the server */
    int first_worker, workers;      /* ranks of the workers */
    const experiment_t *experiment; /* borrowed; must outlive the shard */
    const run_folders_t *folders;   /* of the job's runs, borrowed likewise */
    net_t *net;                     /* borrowed; listening; used by this shard's thread alone */
    disk_t *disk;                   /* borrowed; for checkpoints. NULL: the system's */
    bool single_threaded;           /* files of checkpoints are written in shard_work, not by a thread (simulations) */
    int64_t slice_bytes; /* of rows saved for a checkpoint between two looks for messages; 0: the usual (simulations: few) */
    int64_t row_bytes;   /* of rows in memory; 0: cluster.memory_mb (simulations: few) */
} shard_options_t;

WARN_UNUSED status_t shard_create(const shard_options_t *options, shard_t **out);
void shard_destroy(shard_t **shard);

/* shard_handle - take one message; may answer several. Takes over the message (releases it now or later).
 * Bad messages are answered with ERROR, counted, and change nothing. Anything but ST_OK ends the shard: ST_STOPPED after
 * STOP, else a fatal error that was logged. */
WARN_UNUSED status_t shard_handle(shard_t *shard, net_message_t *message);

/* shard_work - a slice of what a shard does beside messages, which is to save a checkpoint or to compact one: at most some
 * hundred microseconds. For the time between messages. *again: false when there is nothing to do, or nothing but to wait for
 * the disk. Anything but ST_OK ends the shard. shard_has_work - whether it should be called soon; cheap. */
WARN_UNUSED status_t shard_work(shard_t *shard, bool *again);
bool shard_has_work(const shard_t *shard);

/* shard_run - receive and handle until STOP or a fatal error, or until *stop becomes true. ST_OK after STOP. */
WARN_UNUSED status_t shard_run(shard_t *shard, const atomic_bool *stop);

#endif
