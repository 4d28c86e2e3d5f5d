/* store.h - a shard's tables on disk: one LMDB environment (the only user of lmdb.h on the server's side).
 *
 * Key   big-endian slot u16, table u32, key u64: rows of a slot are contiguous, so that slots can move between shards.
 * Value version u32, count u32, payload f32[..].  A record "meta" holds format version, payload width and what the caller gives.
 * The map grows by itself. Writes are batched into large transactions. One writer per environment: its shard's thread.     */
#ifndef SMELTER_STORE_H
#define SMELTER_STORE_H

#include <stdbool.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "ps/table.h"

typedef struct store store_t;

/* store_open - create: make or empty the environment (run start); else open what is there, read-only.
 * ST_INPUT: not there or not writable; ST_CORRUPT: wrong format; ST_SYSTEM: disk. */
WARN_UNUSED status_t store_open(const char *path, bool create, store_t **out);
void store_close(store_t **store);

/* store_put_table - write all rows of a table. store_sync - fsync. */
WARN_UNUSED status_t store_put_table(store_t *store, const table_t *table);
WARN_UNUSED status_t store_sync(store_t *store);

/* store_scan - every row in key order; visit gets table id, payload floats and the row (borrowed), and stops the scan by
 * returning anything but ST_OK. */
typedef status_t store_visit_fn(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row);
WARN_UNUSED status_t store_scan(store_t *store, store_visit_fn *visit, void *context);

/* store_rows - number of rows; store_bytes - size of the environment on disk. */
int64_t store_rows(store_t *store);
int64_t store_bytes(store_t *store);

#endif
