/* compaction.h - take deltas into the base, so that a checkpoint that is kept does not need the files of those that are not.
 *
 *     base = checkpoint b, deltas b+1 .. f .. n        FOLD f        base = checkpoint f, deltas f+1 .. n
 *
 * A delta is taken in by batches, each a durable transaction of the rows of some slots. While that goes on the base's mark says
 * so, and the delta is removed only after the mark says that it is in: at any moment base and files together are every
 * checkpoint from f on. The pending pushes of f, which are no rows, go to a file of their own, in the form of a delta without
 * rows. Work comes in pieces, for a thread that has other things to do between them.
 *
 * Where the run's folder is none that LMDB may write in, the base is made in `scratch`, and with each FOLD all of it is copied
 * to the run's folder, under a name of its own, before deltas and the copy before are removed. It is sequential work, as much
 * as the base is large: a base of which a tenth of the rows changes has nearly all of its pages changed. */
#ifndef SMELTER_COMPACTION_H
#define SMELTER_COMPACTION_H

#include <stdbool.h>

#include "common/files/disk.h"
#include "ps/checkpoint/delta.h"

typedef struct compaction compaction_t;

typedef struct compaction_options {
    disk_t *disk;        /* borrowed, as all that follows */
    const char *run_dir; /* the folder is that of one shard in one incarnation */
    uint64_t identity;   /* of the run */
    uint32_t incarnation;
    int shard;
    const char *scratch; /* folder that the base is made in, and copied from to the run's; NULL: it is made there itself */
    const delta_width_t *widths; /* [tables] */
    uint32_t tables;
    size_t batch_bytes; /* of a transaction, but at least a sixteenth of the delta; 0: 16 MB */
} compaction_options_t;

/* compaction_create - opens nothing yet. **owned**: compaction_destroy. */
compaction_t *compaction_create(const compaction_options_t *options);
void compaction_destroy(compaction_t **compaction);

/* compaction_begin - take in the deltas of these steps, ascending, from now on. None must be under way. */
void compaction_begin(compaction_t *compaction, const int64_t *steps, int n);

/* compaction_some - one piece: the next batch. *more: false when all is done. ST_CORRUPT: a delta is damaged; ST_SYSTEM: the
 * disk is full or failing. The base stays usable then, and the deltas are there. */
WARN_UNUSED status_t compaction_some(compaction_t *compaction, bool *more);

/* compaction_remove_older - delete what shards have left in incarnations before this one, of which nothing is kept. */
WARN_UNUSED status_t compaction_remove_older(compaction_t *compaction);

/* compaction_remove_own - delete what is in the shard's folder of this incarnation, an attempt that came to nothing, and make
 * the folder. */
WARN_UNUSED status_t compaction_remove_own(compaction_t *compaction);

#endif
