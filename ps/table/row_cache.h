/* row_cache.h - which rows of a shard are in memory: a budget for all its tables, and a spill for the rows beyond it.
 *
 * One per shard, borrowed by its tables (table_options_t.row_cache). Tables report what they hold; when that is more than the
 * budget, a clock goes round all rows of all tables and evicts those that were little used since it last passed, a sixteenth of
 * the budget at a time. So tables compete row by row, and what a table gets follows from how often its rows are used. Tables of
 * little size are passed over: they would save nothing.
 *
 * The budget covers rows, indexes, the marks of changed rows and what rows on disk are found by. While a request is served
 * its rows stay, so that memory may exceed the budget by the rows of one request. One owner thread, the shard's. */
#ifndef SMELTER_ROW_CACHE_H
#define SMELTER_ROW_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "ps/table/spill.h"

typedef struct row_cache row_cache_t;

/* row_cache_create - path: a folder for the rows beyond `budget_bytes`; emptied now, removed by row_cache_destroy, which comes
 * after all tables are gone. Errors: spill_open's. */
WARN_UNUSED status_t row_cache_create(const char *path, int64_t budget_bytes, row_cache_t **out);
void row_cache_destroy(row_cache_t **row_cache);

/* row_cache_status - ST_OK, or the first error of the disk. It was logged; from then on rows may be missing or wrong, and the
 * shard must neither answer nor go on. */
status_t row_cache_status(const row_cache_t *row_cache);

typedef struct row_cache_counters {
    int64_t evicted, loaded; /* rows written and read so far */
    int64_t memory_bytes;    /* of all tables' rows and indexes now, and of what rows on disk are found by */
    int64_t disk_bytes;
} row_cache_counters_t;
row_cache_counters_t row_cache_counters(const row_cache_t *row_cache);

/* ---- for tables ---- */

/* Put up to `rows` rows that were little used into the spill, as a batch, forget them, and report; from where it stopped the
 * last time. *wrapped: it has come to its end, and the next call begins anew. Returns the number of rows. */
typedef int64_t row_cache_evict_fn(void *table, int64_t rows, bool *wrapped);

typedef struct row_cache_member {
    void *table; /* NULL: the place is free */
    row_cache_evict_fn *evict;
    int64_t payload_floats;
    int64_t bytes; /* as reported last */
} row_cache_member_t;

/* row_cache_join - a place for a table; row_cache_leave gives it back. */
int row_cache_join(row_cache_t *row_cache, const row_cache_member_t *member);
void row_cache_leave(row_cache_t *row_cache, int place);

/* row_cache_report - the number of bytes that the table holds now. */
void row_cache_report(row_cache_t *row_cache, int place, int64_t bytes);

/* row_cache_settle - evict where all tables hold more than the budget, from any of them: no row of any table may be in use. */
void row_cache_settle(row_cache_t *row_cache);

/* row_cache_batch - number of the batch of rows that is being written, or was last; the first is 1. */
uint32_t row_cache_batch(const row_cache_t *row_cache);

spill_t *row_cache_spill(row_cache_t *row_cache);
/* row_cache_note - remember an error of the spill; whether all is well so far. */
bool row_cache_note(row_cache_t *row_cache, status_t status);
void row_cache_count_loaded(row_cache_t *row_cache, int64_t rows);

/* row_cache_keys - [n] places, twice, for the table that works now; contents are lost at the next call that asks for more. */
typedef struct row_cache_keys {
    placed_key_t *keys, *scratch;
} row_cache_keys_t;
row_cache_keys_t row_cache_keys(row_cache_t *row_cache, int64_t n);

#endif
