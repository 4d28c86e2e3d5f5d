/* waiting_rows.h - rows of an import that cannot be written as they come: they are to be sorted by time, or have columns of
 * bins whose edges are quantiles of all training rows. */
#ifndef SMELTER_WAITING_ROWS_H
#define SMELTER_WAITING_ROWS_H

#include "launcher/ingest/rows/column_bins.h"
#include "launcher/ingest/rows/row_store.h"

/* A column of bins whose edges are not known yet. */
typedef struct waiting_bins {
    column_bins_t *columns; /* borrowed */
    int single;             /* which of the single-valued fields it is */
} waiting_bins_t;

typedef struct waiting_rows waiting_rows_t;

#define WAITING_MEMORY ((size_t)64 << 20) /* bytes of rows, and as much for quantiles */

/* waiting_rows_create - bins [shape->numbers], copied: the number of a row that is the i-th of its numbers is put into the
 * i-th. */
waiting_rows_t *waiting_rows_create(const row_shape_t *shape, const waiting_bins_t *bins, size_t memory);
void waiting_rows_destroy(waiting_rows_t **rows);

/* waiting_rows_put, waiting_rows_scale_times - as of a row_store; a number is NaN where it is missing. */
WARN_UNUSED status_t waiting_rows_put(waiting_rows_t *rows, const dataset_row_t *row, const double *numbers);
WARN_UNUSED bool waiting_rows_scale_times(waiting_rows_t *rows, int64_t factor);

/* waiting_rows_release - settle the bins, and hand all rows to the writer, in their order.
 *
 * train_rows  so many rows, from the first on, are the training split; -1: those that say so themselves. Quantiles are of them,
 *             or of all rows where there are none.
 * ST_INPUT, ST_SYSTEM: the disk. */
WARN_UNUSED status_t waiting_rows_release(waiting_rows_t *rows, int64_t train_rows, dataset_writer_t *writer);

#endif
