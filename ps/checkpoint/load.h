/* load.h - rows of a finished run, or of a checkpoint, into a shard's tables, whatever the number of shards that stored them.
 *
 * A run leaves one store per shard, RUN/store/shard-N, a checkpoint one folder per shard with a base and deltas
 * (ps/checkpoint/compaction.h). A shard of another cluster owns other slots, so it reads every store that holds some of them
 * and takes the rows that are its own. Which of a finished run's tables goes where is the caller's decision; a checkpoint's go
 * where they were. */
#ifndef SMELTER_LOAD_H
#define SMELTER_LOAD_H

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/files/disk.h"
#include "ps/checkpoint/pending_gradients.h"
#include "ps/table/table.h"

typedef struct load_plan {
    const char *run_dir; /* of the finished run */
    int folders;         /* shards that stored it */
    int shard, shards;   /* which shard loads, and how many there are */
    const int32_t *map;  /* [maps] for each of the run's tables, the table here that takes its rows, or -1 */
    int32_t maps;
    table_t *const *tables; /* [n_tables] filled; empty before, or with other keys */
    uint32_t n_tables;
    uint32_t n_companions;       /* of theirs, behind them (ps/table/frequency_filter.h); 0 where the run here has none */
    uint64_t identity;           /* of the run (common/base/identity.h); 0: not recorded */
    uint32_t incarnation;        /* of the start that stored it */
    int64_t *missing;            /* set to the shard whose part is not on this host, where one is not; or NULL */
    const hash_digest_t *stores; /* [folders] of the rows that each shard stored, by the run's manifest; NULL: not recorded */
} load_plan_t;

typedef struct load_sum {
    int64_t rows;         /* taken */
    hash_digest_t digest; /* of the rows taken, under the run's table numbers: all shards' together are the run's own digest,
                           * dense parameters aside, where no table was left out */
} load_sum_t;

/* load_tables - take the rows with their optimizer state, version and count.
 *
 * ST_INPUT: a store is not on this host; the run has a table that the map does not know, or rows of another width.
 * ST_CORRUPT: a store is damaged, is not the one of this run, start and shard, does not hold the rows that the manifest says,
 * or a key comes twice. The tables hold a part of the rows then. Thread: any. Cost: one pass over the stores that hold slots
 * of this shard. */
WARN_UNUSED status_t load_tables(const load_plan_t *plan, load_sum_t *out);

typedef struct restore_plan {
    disk_t *disk;
    const char *run_dir;
    uint32_t incarnation; /* that wrote the checkpoint */
    int64_t step;
    int64_t depth;
    int folders;           /* shards that wrote it */
    int shard, shards;     /* which shard restores, and how many there are */
    const int64_t *deltas; /* [n_deltas] ascending steps of the incarnation's checkpoints, the one to restore last */
    int n_deltas;
    table_t *const *tables; /* [n_tables] filled; empty before */
    uint32_t n_tables;
    pending_gradients_t *pending; /* filled: steps max(0, step - depth) .. step - 1 */
    uint64_t identity;            /* of the run (common/base/identity.h); 0: not recorded */
    int64_t *missing;             /* set to the shard of which a file is not on this host, where one is not; or NULL */
    const hash128_t *ends; /* [folders] checksum of the delta of `step` of each shard, by the manifest; NULL: not known */
} restore_plan_t;

/* restore_tables - the rows of a checkpoint, and the pushes that they have not seen.
 *
 * A base that was taking in a delta may hold rows of a delta that is not wholly in it; the delta's file is there then, and its
 * rows replace them. Rows that come later replace those that came before.
 * Every file is checked before its rows are counted on: run, incarnation, shard, step, its own checksums, and, back from the
 * one in the manifest, those by which each file names the one before it.
 * ST_INPUT: a file is not on this host; ST_CORRUPT: one is damaged, of another format, run or checkpoint, missing in the
 * chain of deltas, or the base has gone past the checkpoint. The tables hold a part of the rows then. Thread: any. Cost: two
 * passes over the deltas and one over the bases of folders with slots of this shard. */
WARN_UNUSED status_t restore_tables(const restore_plan_t *plan);

#endif
