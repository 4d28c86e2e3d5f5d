#include "launcher/ingest/input_format.h"

#include "common/base/memory.h"

#define INPUT_FORMAT_ENTRY(word, constant, rows, meaning) &input_format_##word,
static const input_format_t *const table[] = {TEXT_FORMATS(INPUT_FORMAT_ENTRY)};

const input_format_t *input_format_get(text_format_t format)
{
    ASSERT(format >= 0 && format < (int)(sizeof table / sizeof *table));
    return table[format];
}

void feature_row_fini(feature_row_t *row)
{
    mem_free(row->ids);
    mem_free(row->keys);
    mem_free(row->weights);
    mem_free(row->fields);
    *row = (feature_row_t){0};
}
