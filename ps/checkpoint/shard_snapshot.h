/* shard_snapshot.h - a shard's part of a checkpoint, from the moment of the cut to a durable file, while training goes on.
 *
 *     shard_snapshot_freeze        O(1): the rows that changed since the cut before are to be saved as they are now
 *     shard_snapshot_push          pending pushes: what workers send in the steps before the checkpoint's and no row has seen
 *     shard_snapshot_pushed        one sender's of one step are complete
 *     shard_snapshot_work          a slice of those rows, now and then
 *     shard_snapshot_prepared      true once when the file is durable
 *
 * A row that is about to change is handed over first (ps/table/table.h). Files are written by a thread of the cut's own
 * (ps/checkpoint/io.h), which also takes deltas into the base (ps/checkpoint/compaction.h). The shard's thread owns a snapshot;
 * between checkpoints it costs nothing. */
#ifndef SMELTER_SHARD_SNAPSHOT_H
#define SMELTER_SHARD_SNAPSHOT_H

#include <stdbool.h>

#include "common/files/disk.h"
#include "common/net/message.h"
#include "ps/table/table.h"

typedef struct shard_snapshot shard_snapshot_t;

typedef struct shard_snapshot_options {
    disk_t *disk;        /* borrowed */
    bool threaded;       /* false: files are written inside shard_snapshot_work */
    int64_t slice_bytes; /* of rows that a call of shard_snapshot_work saves; 0: what costs some tens of microseconds */
    bool sweeps;         /* removes what all shards of older incarnations have left on this host, once nothing of it is kept */
    const char *run_dir; /* borrowed */
    const char *scratch; /* where the base is made and copied from (ps/checkpoint/compaction.h), borrowed; NULL: nowhere else */
    uint64_t identity;   /* of the run */
    uint32_t incarnation;
    int shard;
    int64_t depth;          /* steps whose pushes are pending at a cut */
    table_t *const *tables; /* [n_tables] borrowed; tracked from now on */
    uint32_t n_tables;
} shard_snapshot_options_t;

/* shard_snapshot_create - make the shard's folder of this incarnation, and empty it. Errors as disk.h. **owned**:
 * shard_snapshot_destroy, which gives up what is under way and waits for the disk. */
WARN_UNUSED status_t shard_snapshot_create(const shard_snapshot_options_t *options, shard_snapshot_t **out);
void shard_snapshot_destroy(shard_snapshot_t **snapshot);

/* shard_snapshot_is_saving - a checkpoint is under way, from its freeze to shard_snapshot_prepared; the next one must wait.
 * shard_snapshot_has_work - shard_snapshot_work should be called: it is saving, or compacting. */
bool shard_snapshot_is_saving(const shard_snapshot_t *snapshot);
bool shard_snapshot_has_work(const shard_snapshot_t *snapshot);

/* shard_snapshot_freeze - the cut before `step`. Pushes of steps below step - depth are in the tables, later ones are not.
 * `pushes`: how many times shard_snapshot_pushed will be called before this cut is complete. */
void shard_snapshot_freeze(shard_snapshot_t *snapshot, int64_t step, int64_t pushes, int64_t now_ns);

/* shard_snapshot_takes_push - pushes of this step belong to the cut under way.
 * shard_snapshot_push - one gradient [dim] of such a push. shard_snapshot_pushed - that was all of this sender's in this
 * step. */
bool shard_snapshot_takes_push(const shard_snapshot_t *snapshot, int64_t step);
void shard_snapshot_push(shard_snapshot_t *snapshot, int64_t step, int sender, uint32_t table, uint64_t key, const float *g);
void shard_snapshot_pushed(shard_snapshot_t *snapshot);

/* shard_snapshot_work - a slice: some rows, bounded to a tenth of a millisecond or so. *again: false when there is nothing to
 * do but to wait for the disk. Anything but ST_OK: a file could not be written (logged). */
WARN_UNUSED status_t shard_snapshot_work(shard_snapshot_t *snapshot, bool *again);

/* shard_snapshot_prepared - true once when the checkpoint before *step is durable here. */
bool shard_snapshot_prepared(shard_snapshot_t *snapshot, int64_t now_ns, int64_t *step, message_prepared_t *out);

/* shard_snapshot_compact - begin to take the deltas up to that of `step` into the base; NULL, or why that is not possible.
 * shard_snapshot_compacted - true once when that is done, and those deltas are gone. */
const char *shard_snapshot_compact(shard_snapshot_t *snapshot, int64_t step);
bool shard_snapshot_compacted(shard_snapshot_t *snapshot, int64_t *step);

#endif
