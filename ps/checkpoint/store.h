/* store.h - a shard's tables on disk: one LMDB environment, and the checksums of its pages.
 *
 * Two named databases in one folder:
 *
 *     rows   key    big-endian slot u16, table u32, key u64: the rows of a slot are contiguous, so that slots can move
 *            value  version u32, count u32, payload f32[..]
 *     meta   "format" -> format version; "table" + big-endian id -> width, number and digest of the table's rows;
 *            "origin" -> which run, start and shard wrote it (of a run's end); "mark" -> which checkpoint it holds (of a base);
 *            "sums" -> there are checksums of pages (common/files/page_sums.h): without them the store is damaged
 *
 * A store is written once, when a run ends, or it is the base of a run's checkpoints (ps/checkpoint/base.h), of the same form.
 *
 * A table's record in meta is marked unfinished before its first row is written and completed with its last, so that a
 * store whose writer died is told from a whole one; the digest tells damaged numbers, of stores of before there were checksums,
 * too. Writes go in large transactions, sorted by key. The map grows by itself. A store_t either writes, or reads what is
 * finished; readers do not use LMDB, and there may be any number of them, each of one thread.                         */
#ifndef SMELTER_STORE_H
#define SMELTER_STORE_H

#include <stdbool.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "ps/table/table.h"

typedef struct store store_t;

/* store_open - create: make or empty the environment (run start), folder included, to be written; else open what is there, to
 * be read.
 * ST_INPUT: not there or not writable; ST_CORRUPT: not a store, damaged, cut short, or of another format; ST_SYSTEM: disk. */
WARN_UNUSED status_t store_open(const char *path, bool create, store_t **out);
void store_close(store_t **store);

/* store_put_table - write all rows of a table, in memory or not; rows stored before under the same keys are replaced. (A table
 * never loses rows.) ST_SYSTEM: the disk is full or failing; the table counts as unfinished then.
 * Durable only after store_finish. Scratch: table_scan's. */
WARN_UNUSED status_t store_put_table(store_t *store, const table_t *table);

/* store_finish - return when all that was put is on the disk, with checksums. Closes the store, also after an error. */
WARN_UNUSED status_t store_finish(store_t **store);

/* Which of a run's stores it is. */
typedef struct store_origin {
    uint64_t identity;    /* of the run (common/base/identity.h); 0: not recorded, and neither is the rest */
    uint32_t incarnation; /* of the start that wrote it */
    int32_t shard;
} store_origin_t;

/* store_put_origin - say where it comes from; before or after its tables.
 * store_check - is it the store that is wanted, with the rows that are wanted? digest: of all of its rows, or NULL. Looks at
 * what the store says of its rows; a scan finds out whether they are so.
 * ST_CORRUPT names the store, what it is of and what is wanted. */
WARN_UNUSED status_t store_put_origin(store_t *store, const store_origin_t *origin);
WARN_UNUSED status_t store_check(store_t *store, const store_origin_t *wanted, const hash_digest_t *digest);

/* store_scan - every row in key order; visit gets table id, payload floats and the row (borrowed until it returns), and stops
 * the scan by returning anything but ST_OK, which store_scan then returns.
 * ST_CORRUPT: a table is unfinished, or its rows are not the ones that were put; the latter is known only after the last
 * visit. */
typedef status_t store_visit_fn(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row);
WARN_UNUSED status_t store_scan(store_t *store, store_visit_fn *visit, void *context);

/* store_verify - check every page, also those that hold no rows. ST_CORRUPT names one. */
WARN_UNUSED status_t store_verify(store_t *store);

/* store_rows - number of rows; store_bytes - size of the environment on disk. */
int64_t store_rows(const store_t *store);
int64_t store_bytes(const store_t *store);

/* store_table_rows - rows that a table should have, as far as the environment has room for them; 0 where it has no such table.
 * For sizing: a scan checks. */
int64_t store_table_rows(store_t *store, uint32_t table);

#endif
