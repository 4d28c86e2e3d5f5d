/* residency.h - which rows of a shard are in memory: a budget for all its tables, and a spill for the rows beyond it.
 *
 * One per shard, borrowed by its tables (table_options_t.residency). Tables report what they hold; when that is more than the
 * budget, a clock goes round all rows of all tables and evicts those that were little used since it last passed, a sixteenth of the
 * budget at a time. So tables compete row by row, and what a table gets follows from how often its rows are used. Tables of
 * little size are passed over: they would save nothing.
 *
 * The budget covers rows, indexes and the marks of changed rows. While a request is served its rows stay, so that memory may
 * exceed the budget by the rows of one request. One owner thread, the shard's.                                      */
#ifndef SMELTER_RESIDENCY_H
#define SMELTER_RESIDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "ps/spill.h"

typedef struct residency residency_t;

/* residency_create - path: a folder for the rows beyond `budget_bytes`; emptied now, removed by residency_destroy, which comes after
 * all tables are gone. Errors: spill_open's. */
WARN_UNUSED status_t residency_create(const char *path, int64_t budget_bytes, residency_t **out);
void residency_destroy(residency_t **residency);

/* residency_status - ST_OK, or the first error of the disk. It was logged; from then on rows may be missing or wrong, and the
 * shard must neither answer nor go on. */
status_t residency_status(const residency_t *residency);

typedef struct residency_counters {
    int64_t evicted, loaded; /* rows written and read so far */
    int64_t memory_bytes;    /* of all tables' rows and indexes now */
    int64_t disk_bytes;
} residency_counters_t;
residency_counters_t residency_counters(const residency_t *residency);

/* ---- for tables ---- */

/* Put up to `rows` rows that were little used into the batch begun, forget them, and report; from where it stopped the last time.
 * *wrapped: it has come to its end, and the next call begins anew. Returns the number of rows. */
typedef int64_t residency_evict_fn(void *table, int64_t rows, bool *wrapped);

typedef struct residency_member {
    void *table; /* NULL: the place is free */
    residency_evict_fn *evict;
    int64_t payload_floats;
    int64_t bytes; /* as reported last */
} residency_member_t;

/* residency_join - a place for a table; residency_leave gives it back. */
int residency_join(residency_t *residency, const residency_member_t *member);
void residency_leave(residency_t *residency, int place);

/* residency_report - the table holds so many bytes now. */
void residency_report(residency_t *residency, int place, int64_t bytes);

/* residency_settle - evict where all tables hold more than the budget, from any of them: no row of any table may be in use. */
void residency_settle(residency_t *residency);

/* residency_batch - number of the last batch of rows written; the first is 1. */
uint32_t residency_batch(const residency_t *residency);

spill_t *residency_spill(residency_t *residency);
/* residency_note - remember an error of the spill; whether all is well so far. */
bool residency_note(residency_t *residency, status_t status);
void residency_count_loaded(residency_t *residency, int64_t rows);

/* residency_keys - [n] places, twice, for whoever works now; contents are lost at the next call that asks for more. */
typedef struct residency_keys {
    spill_key_t *keys, *scratch;
} residency_keys_t;
residency_keys_t residency_keys(residency_t *residency, int64_t n);

#endif
