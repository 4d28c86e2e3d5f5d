/* spill.h - rows that did not fit into memory, on disk: the second tier of a shard's tables.
 *
 * Volatile: it is emptied when it is opened and removed when it is closed, and nothing in it survives its run or is meant to;
 * what survives a crash are checkpoints. In one file of pages (ps/table/page_pool.h) it has
 *
 *     rows   of each table, in buckets that are found by calculation (ps/table/row_buckets.h)
 *     logs   of each table: the keys of changed rows that were put with a batch, in the mixed order of keys
 *
 * Batches are numbered. What a batch number means is the caller's business: with the log it finds what changed since a batch
 * without a walk through all rows. One owner thread. Every error is logged; the caller must not go on with rows it could not
 * read or write.                                                                                                         */
#ifndef SMELTER_SPILL_H
#define SMELTER_SPILL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "ps/table/key_order.h"

typedef struct spill spill_t;

/* A row as it lies there. */
typedef struct spilled {
    uint64_t key;
    uint32_t batch, version, count;
    const float *payload; /* borrowed until the visit returns */
} spilled_t;

/* spill_open - an empty spill in the folder `path`, which is made or emptied. ST_INPUT: not writable; ST_SYSTEM: disk. */
WARN_UNUSED status_t spill_open(const char *path, spill_t **out);
/* spill_close - and remove the folder. */
void spill_close(spill_t **spill);

/* spill_put - rows of [n] keys, each of which give returns in its turn; replaces those that are there. All rows of a table have
 * the same number of floats. Keys in the mixed order find more of what they need in the cache. ST_SYSTEM: the disk is full. A
 * warning comes long before.  Cost: that of a read. */
typedef spilled_t spill_give_fn(void *context, int64_t i);
WARN_UNUSED status_t spill_put(spill_t *spill, uint32_t table, int64_t payload_floats, const placed_key_t *keys, int64_t n,
                               spill_give_fn *give, void *context);
/* spill_log - note [n] keys of a batch, which no note of the table has yet and which is above all that have one. */
WARN_UNUSED status_t spill_log(spill_t *spill, uint32_t table, uint32_t batch, const uint64_t *keys, int64_t n);
/* spill_remove - forget rows, if they are there. */
WARN_UNUSED status_t spill_remove(spill_t *spill, uint32_t table, const uint64_t *keys, int64_t n);

/* spill_read - those of [n] keys that are there: visit(context, i, row). Cost: a few misses of the cache, overlapped, where the
 * disk's pages are in memory. */
typedef void spill_read_fn(void *context, int64_t i, const spilled_t *row);
void spill_read(spill_t *spill, uint32_t table, const placed_key_t *keys, int64_t n, spill_read_fn *visit, void *context);

/* spill_scan - a table's rows in the mixed order of keys, those behind `after` only unless it is NULL, until visit returns
 * false. spill_scan_stored - all in the stored order. Nothing may be put meanwhile. */
typedef bool spill_scan_fn(void *context, const spilled_t *row);
void spill_scan(const spill_t *spill, uint32_t table, const uint64_t *after, spill_scan_fn *visit, void *context);
void spill_scan_stored(const spill_t *spill, uint32_t table, spill_scan_fn *visit, void *context);

/* spill_log_next - the table's first log entry of a batch >= *batch and < end: *batch becomes its number; *keys [*n] is
 * **owned** by the spill, until the next call of this function. *n is 0 where there is none. */
void spill_log_next(spill_t *spill, uint32_t table, uint32_t *batch, uint32_t end, const uint64_t **keys, int64_t *n);
/* spill_log_drop - forget the table's log entries of batches < end. */
void spill_log_drop(spill_t *spill, uint32_t table, uint32_t end);

/* spill_bytes - taken on the disk. spill_memory - in memory, to find rows by. */
int64_t spill_bytes(const spill_t *spill);
int64_t spill_memory(const spill_t *spill);

#endif
