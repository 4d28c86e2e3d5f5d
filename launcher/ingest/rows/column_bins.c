#include "launcher/ingest/rows/column_bins.h"

#include <string.h>

#include "common/base/memory.h"

static void name_all(column_bins_t *columns)
{
    const int n = columns->bins.count;
    columns->text = mem_alloc((size_t)n, sizeof *columns->text);
    columns->key = MEM_ARRAY(uint64_t, n);
    for (int b = 0; b < n; b++) {
        bins_name(&columns->bins, b, columns->text[b]);
        columns->key[b] = dataset_key(columns->text[b], (int)strlen(columns->text[b]));
    }
}

void column_bins_init(column_bins_t *columns, const schema_column_t *column)
{
    *columns = (column_bins_t){0};
    const char *fault = bins_parse(column->bins, &columns->bins);
    ASSERT(!fault); /* the schema was checked */
    if (columns->bins.edge)
        name_all(columns);
}

void column_bins_settle(column_bins_t *columns, bins_t *bins)
{
    ASSERT(!columns->bins.edge && bins->edge);
    columns->bins = *bins;
    *bins = (bins_t){0};
    name_all(columns);
}

void column_bins_fini(column_bins_t *columns)
{
    bins_fini(&columns->bins);
    mem_free(columns->text);
    mem_free(columns->key);
    *columns = (column_bins_t){0};
}

void column_bins_put(const column_bins_t *columns, double number, uint64_t *key, dataset_text_t *text)
{
    const int bin = bins_of(&columns->bins, number);
    *key = columns->key[bin];
    *text = (dataset_text_t){columns->text[bin], (int)strlen(columns->text[bin])};
}
