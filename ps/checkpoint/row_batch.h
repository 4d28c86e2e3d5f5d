/* row_batch.h - rows on their way from files into tables, gathered so that a table gets many at a time.
 *
 * Files hold rows in the order of slots, that is in no order of an index, and change from table to table. A table that is
 * handed one row waits for memory once or twice; handed many, it waits for all of them together (ps/table/table.c). So a row is
 * copied to the others of its table, and they are put when there are ROW_BATCH_MOST, or fewer where there are more tables that
 * the copies would leave the cache. Rows of a table are put in the order they came. One thread. */
#ifndef SMELTER_ROW_BATCH_H
#define SMELTER_ROW_BATCH_H

#include "ps/table/table.h"

#define ROW_BATCH_MOST 128 /* a few blocks of the table's own; more gain nothing */

typedef struct row_batch row_batch_t;

/* row_batch_create - for n tables, borrowed. replaces: rows that are there are replaced (table_put_latest), else refused
 * (table_put). **owned**: row_batch_destroy, which drops what was not flushed. */
row_batch_t *row_batch_create(table_t *const *tables, uint32_t n, bool replaces);
void row_batch_destroy(row_batch_t **batch);

/* row_batch_put - a row for a table, copied. Errors: those of table_put for this row or an earlier one. */
WARN_UNUSED status_t row_batch_put(row_batch_t *batch, uint32_t table, const table_row_t *row);

/* row_batch_flush - all rows into their tables. Errors: table_put's. */
WARN_UNUSED status_t row_batch_flush(row_batch_t *batch);

#endif
