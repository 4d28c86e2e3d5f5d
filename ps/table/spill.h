/* spill.h - rows that did not fit into memory, on disk: LMDB as the second tier of a shard's tables.
 *
 * Volatile: it is emptied when it is opened and removed when it is closed, and nothing in it survives its run or is meant to;
 * what survives a crash are checkpoints. Two databases:
 *
 *     rows   key    big-endian table u32, slot u16, key u64: the order of ps/checkpoint/store.c within a table
 *            value  batch u32, version u32, count u32, payload f32[..]
 *     log    key    big-endian table u32, batch u32
 *            value  key u64[..]: rows that were put with this batch, in the order of rows
 *
 * Rows are put in batches, one transaction each, sorted by their key; batches are numbered. What a batch number means is the
 * caller's business: with the log it finds what changed since a batch without a walk through all rows.
 * One owner thread. Every error is logged; the caller must not go on with rows it could not read.                     */
#ifndef SMELTER_SPILL_H
#define SMELTER_SPILL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct spill spill_t;

/* A row as it lies there. */
typedef struct spilled {
    uint64_t key;
    uint32_t batch, version, count;
    const float *payload; /* borrowed until the visit returns */
} spilled_t;

/* A key and what the caller wants to find again beside it. */
typedef struct spill_key {
    uint64_t key;
    int64_t at;
} spill_key_t;

/* spill_open - an empty spill in the folder `path`, which is made or emptied. ST_INPUT: not writable; ST_SYSTEM: disk. */
WARN_UNUSED status_t spill_open(const char *path, spill_t **out);
/* spill_close - and remove the folder. */
void spill_close(spill_t **spill);

/* spill_sort - into the order of rows, that of (slot, key). scratch [n]. Cost: about 20 ns a key. */
void spill_sort(spill_key_t *keys, spill_key_t *scratch, int64_t n);
/* spill_compare - the sign of a's place less b's in that order. */
int spill_compare(uint64_t a, uint64_t b);

/* spill_begin - a batch of up to `rows` rows of up to `payload_floats` each; makes room on the disk for them. ST_SYSTEM: the
 * disk is full, or so nearly that it would be. A warning comes long before. */
WARN_UNUSED status_t spill_begin(spill_t *spill, int64_t rows, int64_t payload_floats);
/* spill_put - a row of the batch begun; replaces the one there. Sorted by spill_sort within each table. After an error only
 * spill_close is left. */
WARN_UNUSED status_t spill_put(spill_t *spill, uint32_t table, int64_t payload_floats, const spilled_t *row);
/* spill_log - note [n] keys of the batch begun. */
WARN_UNUSED status_t spill_log(spill_t *spill, uint32_t table, uint32_t batch, const uint64_t *keys, int64_t n);
/* spill_remove - forget rows, if they are there; within a batch. */
WARN_UNUSED status_t spill_remove(spill_t *spill, uint32_t table, const spill_key_t *keys, int64_t n);
WARN_UNUSED status_t spill_commit(spill_t *spill);

/* spill_read - those of [n] sorted keys that are there: visit(context, i, row). Cost: about 1 us a key where the disk's pages
 * are in memory. */
typedef void spill_read_fn(void *context, int64_t i, const spilled_t *row);
WARN_UNUSED status_t spill_read(spill_t *spill, uint32_t table, int64_t payload_floats, const spill_key_t *keys, int64_t n,
                                spill_read_fn *visit, void *context);

/* spill_scan - a table's rows in their order, those behind `after` only unless it is NULL, until visit returns false. */
typedef bool spill_scan_fn(void *context, const spilled_t *row);
WARN_UNUSED status_t spill_scan(spill_t *spill, uint32_t table, int64_t payload_floats, const uint64_t *after,
                                spill_scan_fn *visit, void *context);

/* spill_log_next - the table's first log entry of a batch >= *batch and < end: *batch becomes its number; *keys [*n] is
 * **owned** by the spill, until the next call of this function. *n is 0 where there is none. */
WARN_UNUSED status_t spill_log_next(spill_t *spill, uint32_t table, uint32_t *batch, uint32_t end, const uint64_t **keys,
                                    int64_t *n);
/* spill_log_drop - forget the table's log entries of batches < end. */
WARN_UNUSED status_t spill_log_drop(spill_t *spill, uint32_t table, uint32_t end);

/* spill_is_idle - no transaction is open: nothing keeps replaced pages from being used again. */
bool spill_is_idle(spill_t *spill);

/* spill_bytes - taken on the disk. */
int64_t spill_bytes(const spill_t *spill);

#endif
