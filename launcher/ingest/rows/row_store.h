/* row_store.h - rows of a dataset to be, kept until all are there: they come back any number of times, as they were put or
 * sorted by time. Beyond a bound of memory they go to a file without a name in TMPDIR (or /var/tmp), which is gone with the
 * process, however that ends.
 *
 * Rows are put, all of them, before the first comes back. One thread.
 * Memory: `memory`, and 24 bytes for each row that it holds; later as much for the pieces of the file that are read side by
 * side. */
#ifndef SMELTER_ROW_STORE_H
#define SMELTER_ROW_STORE_H

#include "common/data/dataset.h"

typedef struct row_store row_store_t;

/* What a row has, beside what all have. */
typedef struct row_shape {
    int numeric, single, multi, labels;
    int numbers; /* that go with the row, and are in no dataset */
    bool is_sorted;
} row_shape_t;

row_store_t *row_store_create(const row_shape_t *shape, size_t memory);
void row_store_destroy(row_store_t **store);

/* row_store_put - a row, and its numbers; copied, with the texts of its values.  ST_INPUT, ST_SYSTEM: the file. */
WARN_UNUSED status_t row_store_put(row_store_t *store, const dataset_row_t *row, const double *numbers);

/* row_store_scale_times - all times so far times `factor`; false, and nothing done, where one of them is out of range then, or
 * not in memory any more. */
WARN_UNUSED bool row_store_scale_times(row_store_t *store, int64_t factor);

/* row_store_begin - the next row is the first.  row_store_next - the row is borrowed until the next one; false: there is none
 * any more.  numbers [numbers] likewise. */
WARN_UNUSED status_t row_store_begin(row_store_t *store);
WARN_UNUSED status_t row_store_next(row_store_t *store, dataset_row_t *row, const double **numbers, bool *end);

#endif
