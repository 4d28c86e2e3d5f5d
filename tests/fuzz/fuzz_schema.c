/* An import schema: the input is the YAML file. */
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/config/schema_presets.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"

#define TEXT_MOST 4096
#define PATH "/fuzz-schema.yaml"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    size_t bytes;
    char *text = fuzz_rest_text(&in, TEXT_MOST, &bytes);
    schema_t *schema = NULL;
    fuzz_file(PATH, text, bytes);
    if (schema_load(PATH, &schema) == ST_OK) {
        char *settings = schema_text(schema);
        ASSERT(*settings && schema_rows(schema->format) <= ROWS_OF_FEATURES);
        ASSERT(schema->columns_count > 0 || schema_rows(schema->format) == ROWS_OF_FEATURES);
        for (unsigned c = 0; c < schema->columns_count; c++) {
            const schema_column_t *column = &schema->columns[c];
            ASSERT(*column->name && *column->column && strlen(column->separator) == 1);
            ASSERT(*schema_transform_word(column->transform));
        }
        /* What a dataset keeps of it says the same. */
        schema_t *again = NULL;
        char *yaml = schema_yaml(schema);
        const status_t status = schema_parse(yaml, strlen(yaml), "kept", &again);
        ASSERT(status == ST_OK);
        char *kept = schema_text(again);
        ASSERT(strcmp(kept, settings) == 0);
        mem_free(kept);
        mem_free(yaml);
        schema_destroy(&again);
        mem_free(settings);
    }
    schema_destroy(&schema);
    fuzz_files_forget();
    mem_free(text);
    return 0;
}

void fuzz_seeds(void)
{
    for (const schema_preset_t *preset = schema_presets; preset->name; preset++)
        fuzz_seed_text(preset->name, preset->text);
    fuzz_seed_text("all-keys",
                   "format: csv\nheader: true\nlabel: y\ngroup: q\ntime: t\nmax_bad_rows: 3\nsplit: {column: t, train_max: 7}\n"
                   "columns:\n  - a\n  - {name: b, column: B, kind: numeric, transform: standardise}\n"
                   "  - {name: c, kind: multi, separator: ';', pooling: mean}\n"
                   "  - {kind: categorical, transform: log2_bucket, names: [d, e], columns: [D, E]}\n"
                   "  - {name: f, bins: [-1, 2.5, 1e9], missing: [NA, '']}\n  - {name: g, bins: 10, missing: []}\n");
    fuzz_seed_text("no-header",
                   "format: tsv\nheader: false\nlabel: c1\nsplit: {train_fraction: 0.5}\ncolumns: [{name: x, column: c2}]\n");
    fuzz_seed_text("mistakes", "format: xml\nlabel:\ncolumns: {name: 3}\nsplit: 4\n");
}
