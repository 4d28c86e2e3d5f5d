/* cut.h - a shard's part of a checkpoint, from the moment of the cut to a durable file, while training goes on.
 *
 *     cut_freeze        O(1): the rows that changed since the cut before are to be saved as they are now
 *     cut_push          pending pushes: what workers send in the steps before the checkpoint's and no row has seen
 *     cut_pushed        one sender's of one step are complete
 *     cut_work          a slice of those rows, now and then
 *     cut_prepared      true once when the file is durable
 *
 * A row that is about to change is handed over first (ps/table.h). Files are written by a thread of the cut's own (ps/io.h),
 * which also folds deltas into the base (ps/fold.h). The shard's thread owns a cut; between checkpoints it costs nothing. */
#ifndef SMELTER_CUT_H
#define SMELTER_CUT_H

#include <stdbool.h>

#include "common/base/disk.h"
#include "common/net/message.h"
#include "ps/table.h"

typedef struct cut cut_t;

typedef struct cut_options {
    disk_t *disk;        /* borrowed */
    bool threaded;       /* false: files are written inside cut_work */
    int64_t slice_bytes; /* of rows that a call of cut_work saves; 0: what costs some tens of microseconds */
    bool sweeps;         /* removes what all shards of older epochs have left on this host, once nothing of it is kept */
    const char *run_dir; /* borrowed */
    uint64_t identity; /* of the run */
    uint32_t epoch;
    int shard;
    int64_t depth;          /* steps whose pushes are pending at a cut */
    table_t *const *tables; /* [n_tables] borrowed; tracked from now on */
    uint32_t n_tables;
} cut_options_t;

/* cut_create - make the shard's folder of this epoch, and empty it. Errors as disk.h. **owned**: cut_destroy, which gives up
 * what is under way and waits for the disk. */
WARN_UNUSED status_t cut_create(const cut_options_t *options, cut_t **out);
void cut_destroy(cut_t **cut);

/* cut_is_saving - a checkpoint is under way, from its freeze to cut_prepared; the next one must wait.
 * cut_has_work - cut_work should be called: it is saving, or folding. */
bool cut_is_saving(const cut_t *cut);
bool cut_has_work(const cut_t *cut);

/* cut_freeze - the cut before `step`. Pushes of steps below step - depth are in the tables, later ones are not. `pushes`: how
 * many times cut_pushed will be called before this cut is complete. */
void cut_freeze(cut_t *cut, int64_t step, int64_t pushes, int64_t now_ns);

/* cut_takes_push - pushes of this step belong to the cut under way.
 * cut_push - one gradient [dim] of such a push. cut_pushed - that was all of this sender's in this step. */
bool cut_takes_push(const cut_t *cut, int64_t step);
void cut_push(cut_t *cut, int64_t step, int sender, uint32_t table, uint64_t key, const float *g);
void cut_pushed(cut_t *cut);

/* cut_work - a slice: some rows, bounded to a tenth of a millisecond or so. *again: false when there is nothing to do but to
 * wait for the disk. Anything but ST_OK: a file could not be written (logged). */
WARN_UNUSED status_t cut_work(cut_t *cut, bool *again);

/* cut_prepared - true once when the checkpoint before *step is durable here. */
bool cut_prepared(cut_t *cut, int64_t now_ns, int64_t *step, message_prepared_t *out);

/* cut_fold - begin to fold the deltas up to that of `step` into the base; NULL, or why that is not possible.
 * cut_folded - true once when that is done, and those deltas are gone. */
const char *cut_fold(cut_t *cut, int64_t step);
bool cut_folded(cut_t *cut, int64_t *step);

#endif
