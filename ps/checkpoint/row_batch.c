#include "ps/checkpoint/row_batch.h"

#include <string.h>

#include "common/base/memory.h"

#define BATCH_BYTES ((int64_t)1 << 20) /* of all copies, unless that is less than a row for each table */

typedef struct waiting {
    table_row_t *rows; /* [most]; allocated with the first row */
    float *payload;    /* [most][payload floats] */
    int64_t payload_floats, n, most;
} waiting_t;

struct row_batch {
    table_t *const *tables;
    uint32_t n_tables;
    bool replaces;
    waiting_t waiting[]; /* [n_tables] */
};

row_batch_t *row_batch_create(table_t *const *tables, uint32_t n, bool replaces)
{
    row_batch_t *batch = mem_alloc(1, sizeof *batch + n * sizeof *batch->waiting);
    batch->tables = tables;
    batch->n_tables = n;
    batch->replaces = replaces;
    for (uint32_t t = 0; t < n; t++) {
        const int64_t floats = table_payload_floats(tables[t]);
        const int64_t most = BATCH_BYTES / (int64_t)(n * (sizeof(table_row_t) + (size_t)floats * sizeof(float)));
        batch->waiting[t] = (waiting_t){
            .payload_floats = floats,
            .most = most < 1                ? 1
                    : most < ROW_BATCH_MOST ? most
                                            : ROW_BATCH_MOST,
        };
    }
    return batch;
}

void row_batch_destroy(row_batch_t **batch)
{
    row_batch_t *b = *batch;
    if (!b)
        return;
    for (uint32_t t = 0; t < b->n_tables; t++) {
        mem_free(b->waiting[t].rows);
        mem_free(b->waiting[t].payload);
    }
    mem_free(b);
    *batch = NULL;
}

static status_t put_waiting(row_batch_t *batch, uint32_t table)
{
    waiting_t *w = &batch->waiting[table];
    const int64_t n = w->n;
    w->n = 0;
    return batch->replaces ? table_put_latest(batch->tables[table], w->rows, n) : table_put(batch->tables[table], w->rows, n);
}

status_t row_batch_put(row_batch_t *batch, uint32_t table, const table_row_t *row)
{
    ASSERT(table < batch->n_tables);
    waiting_t *w = &batch->waiting[table];
    if (!w->rows) {
        w->rows = MEM_ARRAY(table_row_t, w->most);
        w->payload = MEM_ARRAY(float, w->most * w->payload_floats);
    }
    float *payload = w->payload + w->n * w->payload_floats;
    memcpy(payload, row->payload, (size_t)w->payload_floats * sizeof *payload);
    w->rows[w->n] = *row;
    w->rows[w->n].payload = payload;
    return ++w->n < w->most ? ST_OK : put_waiting(batch, table);
}

status_t row_batch_flush(row_batch_t *batch)
{
    for (uint32_t t = 0; t < batch->n_tables; t++)
        if (batch->waiting[t].n > 0)
            TRY(put_waiting(batch, t));
    return ST_OK;
}
