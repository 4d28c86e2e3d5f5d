/* base.h - the base of a shard's checkpoints: an LMDB environment of the form of a store (ps/checkpoint/store.h) in which rows
 * are replaced and removed, a durable transaction at a time; the tables' numbers and digests follow exactly.
 *
 * It is made and changed by compaction, in the thread of the shard's disk. Readers open it as a store (store_open) and ask here
 * which checkpoint its rows are of: its mark. */
#ifndef SMELTER_BASE_H
#define SMELTER_BASE_H

#include "ps/checkpoint/store.h"

typedef struct base_mark {
    uint32_t incarnation;
    int32_t shard;
    int64_t step;          /* of the checkpoint that the rows are of; -1: of none */
    int64_t compacting_to; /* rows of the next checkpoint, of this step, may be among them; -1: of none */
    uint64_t identity;     /* of the run; 0: not recorded, and neither is the next */
    hash128_t delta;       /* checksum of the delta of `step` */
} base_mark_t;

/* A row to put in place of the one that is there, if any; payload NULL: to remove. */
typedef struct base_change {
    uint32_t table;
    table_row_t row;
} base_change_t;

typedef struct base base_t;

/* base_create - make an empty base, folder included, whatever was there before. payload_floats: of the rows of tables 0 ..
 * tables - 1. Errors as store_open. */
WARN_UNUSED status_t base_create(const char *path, const int64_t *payload_floats, uint32_t tables, const base_mark_t *mark,
                                 base_t **out);
void base_destroy(base_t **base);

/* base_change - n changes of distinct rows, and the mark, in one transaction that is durable on return; n may be 0. ST_SYSTEM:
 * the disk is full or failing; the base is as it was before then. Reorders changes. */
WARN_UNUSED status_t base_change(base_t *base, base_change_t *changes, int64_t n, const base_mark_t *mark);

/* base_find - the path of a shard's base in a run's folder, of its newest copy where it is made elsewhere, perhaps of none that
 * is there; **owned**, mem_free. */
char *base_find(const char *run_dir, uint32_t incarnation, int shard);

/* base_mark - of a base that was opened to be read; ST_CORRUPT where it has none. base_check_mark - the same, and ST_CORRUPT
 * where the base is not of the run, incarnation and shard of `wanted`, or has gone past the checkpoint before step
 * wanted->step. */
WARN_UNUSED status_t base_mark(store_t *store, base_mark_t *out);
WARN_UNUSED status_t base_check_mark(store_t *store, const base_mark_t *wanted, base_mark_t *out);

/* base_check_delta - ST_CORRUPT where the delta that led to `mark` is recorded and is another than the manifest's. */
WARN_UNUSED status_t base_check_delta(const store_t *store, const base_mark_t *mark, hash128_t wanted);

#endif
