/* column_bins.h - the bins of a column of an import: a number becomes the key and the text of its bin. */
#ifndef SMELTER_COLUMN_BINS_H
#define SMELTER_COLUMN_BINS_H

#include "common/config/bins.h"
#include "common/data/dataset.h"

typedef struct column_bins {
    bins_t bins;                  /* edges NULL: quantiles that are looked for once all rows are there */
    char (*text)[BIN_TEXT_BYTES]; /* [bins.count] **owned**, as key; NULL as long as edges are */
    uint64_t *key;
} column_bins_t;

/* column_bins_init - as a schema's column says it, which has none: bins.count is 0 then.  column_bins_settle - the edges of
 * quantiles, **taken over**. */
void column_bins_init(column_bins_t *columns, const schema_column_t *column);
void column_bins_settle(column_bins_t *columns, bins_t *bins);
void column_bins_fini(column_bins_t *columns);

/* column_bins_put - a finite number's bin; the text is borrowed, as long as the bins. Edges are known. */
void column_bins_put(const column_bins_t *columns, double number, uint64_t *key, dataset_text_t *text);

#endif
