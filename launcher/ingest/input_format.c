#include "launcher/ingest/input_format.h"

#include "common/base/memory.h"

#define INPUT_FORMAT_ENTRY(word, constant, rows, meaning) &input_format_##word,
static const input_format_t *const table[] = {TEXT_FORMATS(INPUT_FORMAT_ENTRY)};

const input_format_t *input_format_get(text_format_t format)
{
    ASSERT(format >= 0 && format < (int)(sizeof table / sizeof *table));
    return table[format];
}

status_t input_format_of(text_reader_t *reader, const schema_t *schema, const input_format_t **out)
{
    const input_format_t *format = input_format_get(schema->format);
    if (text_reader_parquet(reader) && format->features.parse)
        return FAIL(ST_INPUT,
                    "%s: a Parquet file has columns, and the schema's format: %s has features; name a schema of columns",
                    text_reader_path(reader), format->name);
    *out = text_reader_parquet(reader) ? &input_format_parquet : format;
    return ST_OK;
}

void feature_row_fini(feature_row_t *row)
{
    mem_free(row->ids);
    mem_free(row->keys);
    mem_free(row->weights);
    mem_free(row->fields);
    *row = (feature_row_t){0};
}
