#include "common/texts/shown_example.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/printable.h"
#include "common/data/dataset_meta.h"

#define VALUE_BYTES 96

static void put_keys(FILE *out, shown_values_t *shown, int f, const uint64_t *key, int64_t n)
{
    char text[VALUE_BYTES];
    for (int64_t k = 0; k < n; k++) {
        shown_values_put(shown, f, key[k], text, sizeof text);
        fprintf(out, "%s%s", k ? " " : "", text);
    }
}

static char *value_text(const dataset_info_t *info, shown_values_t *shown, int f, const dataset_example_t *example)
{
    const dataset_block_t *block = example->block;
    const int64_t row = example->row;
    const int single = f - info->numeric, multi = single - info->single;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    if (single < 0)
        fprintf(out, "%.6g", dataset_meta_number(&info->fields[f], block->numeric[row * info->numeric + f]));
    else if (multi < 0)
        put_keys(out, shown, f, &block->single[row * info->single + single], 1);
    else {
        const uint32_t *at = &block->multi_at[row * info->multi + multi];
        put_keys(out, shown, f, block->multi_key + at[0], at[1] - at[0]);
    }
    const int failed = fclose(out);
    ASSERT(failed == 0);
    char *copy = mem_strdup(text);
    free(text);
    return copy;
}

status_t shown_example_read(dataset_t *dataset, shown_values_t *shown, split_t split, int64_t i, shown_example_t *out)
{
    const dataset_info_t *info = dataset_info(dataset);
    const int64_t position = dataset_position(dataset, split, i);
    dataset_example_t found;
    char group[VALUE_BYTES];
    TRY(dataset_fetch(dataset, &position, 1, &found));
    *out = (shown_example_t){.row = census_input_row(dataset_census(dataset), position),
                             .fields = info->numeric + info->single + info->multi};
    if (info->has_group) {
        shown_values_group(shown, found.block->group[found.row], group, sizeof group);
        out->group = mem_strdup(group);
    }
    out->value = MEM_ARRAY(char *, out->fields);
    for (int f = 0; f < out->fields; f++)
        out->value[f] = value_text(info, shown, f, &found);
    return ST_OK;
}

void shown_example_fini(shown_example_t *example)
{
    for (int32_t f = 0; f < example->fields; f++)
        mem_free(example->value[f]);
    mem_free(example->value);
    mem_free(example->group);
    *example = (shown_example_t){0};
}

char **shown_field_names(const dataset_t *dataset, int32_t *fields)
{
    const dataset_info_t *info = dataset_info(dataset);
    *fields = info->numeric + info->single + info->multi;
    char **name = MEM_ARRAY(char *, *fields);
    for (int32_t f = 0; f < *fields; f++)
        name[f] = printable_copy(info->fields[f].name);
    return name;
}
