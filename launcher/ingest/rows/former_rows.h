/* former_rows.h - the rows of a dataset once more: what a dataset to which rows are appended begins with. */
#ifndef SMELTER_FORMER_ROWS_H
#define SMELTER_FORMER_ROWS_H

#include "common/data/dataset.h"

/* former_rows_put - all rows of the dataset at `path`, opened as `dataset`, as they are stored, into a writer of the same
 * fields.  last_time out: of the last row that has one, or DATASET_NO_TIME. Errors are those of dataset_fetch and of
 * dataset_writer_put.  Cost: decoding and encoding; memory: a block for each label. */
WARN_UNUSED status_t former_rows_put(const char *path, const dataset_t *dataset, dataset_writer_t *writer, int64_t *last_time);

#endif
