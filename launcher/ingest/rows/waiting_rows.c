#include "launcher/ingest/rows/waiting_rows.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/ingest/rows/quantiles.h"

struct waiting_rows {
    row_store_t *store;
    row_shape_t shape;
    waiting_bins_t *bins; /* [shape.numbers] */
    size_t memory;
    bool has_training; /* rows that say that they are training rows */
};

waiting_rows_t *waiting_rows_create(const row_shape_t *shape, const waiting_bins_t *bins, size_t memory)
{
    waiting_rows_t *w = MEM_NEW(waiting_rows_t);
    w->store = row_store_create(shape, memory);
    w->shape = *shape;
    w->memory = memory;
    w->bins = MEM_ARRAY(waiting_bins_t, shape->numbers);
    if (shape->numbers > 0)
        memcpy(w->bins, bins, (size_t)shape->numbers * sizeof *bins);
    return w;
}

void waiting_rows_destroy(waiting_rows_t **rows)
{
    waiting_rows_t *w = *rows;
    if (!w)
        return;
    row_store_destroy(&w->store);
    mem_free(w->bins);
    mem_free(w);
    *rows = NULL;
}

status_t waiting_rows_put(waiting_rows_t *w, const dataset_row_t *row, const double *numbers)
{
    w->has_training |= row->train;
    return row_store_put(w->store, row, numbers);
}

bool waiting_rows_scale_times(waiting_rows_t *w, int64_t factor)
{
    return row_store_scale_times(w->store, factor);
}

/* ---- bins ---------------------------------------------------------------------------------------------------------------- */

static status_t look_at_rows(waiting_rows_t *w, int64_t train_rows, quantiles_t **quantiles)
{
    const double *numbers;
    dataset_row_t row;
    bool end = false;
    TRY(row_store_begin(w->store));
    for (int64_t position = 0; !end; position++) {
        TRY(row_store_next(w->store, &row, &numbers, &end));
        const bool is_training = train_rows > 0 ? position < train_rows : train_rows < 0 && w->has_training ? row.train : true;
        for (int i = 0; !end && is_training && i < w->shape.numbers; i++)
            if (!isnan(numbers[i]))
                TRY(quantiles_put(quantiles[i], numbers[i]));
    }
    return ST_OK;
}

static status_t settle_bins(waiting_rows_t *w, int64_t train_rows)
{
    const int n = w->shape.numbers;
    if (n == 0)
        return ST_OK;
    quantiles_t **quantiles = MEM_ARRAY(quantiles_t *, n);
    for (int i = 0; i < n; i++)
        quantiles[i] = quantiles_create(w->memory / (size_t)n);
    status_t status = look_at_rows(w, train_rows, quantiles);
    for (int i = 0; i < n; i++) {
        column_bins_t *columns = w->bins[i].columns;
        bins_t bins = {0};
        if (status == ST_OK)
            status = quantiles_bins(quantiles[i], columns->bins.count, &bins);
        if (status == ST_OK)
            column_bins_settle(columns, &bins);
        quantiles_destroy(&quantiles[i]);
    }
    mem_free(quantiles);
    return status;
}

/* ---- out ----------------------------------------------------------------------------------------------------------------- */

status_t waiting_rows_release(waiting_rows_t *w, int64_t train_rows, dataset_writer_t *writer)
{
    const size_t singles = (size_t)w->shape.single;
    uint64_t *keys = MEM_ARRAY(uint64_t, singles);
    dataset_text_t *texts = MEM_ARRAY(dataset_text_t, singles);
    const double *numbers;
    dataset_row_t row;
    bool end = false;
    status_t status;
    TRY_DONE(settle_bins(w, train_rows));
    TRY_DONE(row_store_begin(w->store));
    TRY_DONE(row_store_next(w->store, &row, &numbers, &end));
    while (!end) {
        if (singles > 0) {
            memcpy(keys, row.single, singles * sizeof *keys);
            memcpy(texts, row.single_text, singles * sizeof *texts);
        }
        for (int i = 0; i < w->shape.numbers; i++)
            if (!isnan(numbers[i]))
                column_bins_put(w->bins[i].columns, numbers[i], &keys[w->bins[i].single], &texts[w->bins[i].single]);
        row.single = keys;
        row.single_text = texts;
        TRY_DONE(dataset_writer_put(writer, &row));
        TRY_DONE(row_store_next(w->store, &row, &numbers, &end));
    }
    status = ST_OK;
done:
    mem_free(keys);
    mem_free(texts);
    return status;
}
