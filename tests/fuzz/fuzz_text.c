/* Import's way from a file to rows, without the dataset: compression, lines, CSV, TSV and libsvm (launcher/ingest).
 *
 *     u8 {bits 0-1: format, bit 2: with a header}, the file (input_file.h)                                                   */
#include <string.h>

#include "common/base/memory.h"
#include "launcher/ingest/input_format.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/input_file.h"

#define TEXT_MOST 4096

static void read_columns(const input_format_t *format, text_reader_t *reader, const schema_t *schema)
{
    void *state = NULL;
    char *const *names;
    int count;
    if (format->columns.open(reader, schema, &state, &names, &count) != ST_OK)
        return;
    ASSERT(count > 0);
    size_t sum = 0;
    for (int c = 0; c < count; c++)
        sum += strlen(names[c]);
    text_row_t row;
    bool end = false;
    while (format->columns.next(state, &row, &end) == ST_OK && !end) {
        ASSERT(row.count > 0 && row.line > 0);
        for (int c = 0; c < row.count; c++) {
            ASSERT(row.fields[c].bytes >= 0 && row.fields[c].text[row.fields[c].bytes] == 0);
            sum += strlen(row.fields[c].text);
        }
        ASSERT(!row.fault || row.fault_field < row.count);
    }
    ASSERT(sum <= 64 * TEXT_MOST);
    format->columns.close(&state);
}

static void read_features(const input_format_t *format, text_reader_t *reader, const schema_t *schema)
{
    label_reader_t labels;
    label_reader_init(&labels, "", true);
    feature_row_t row = {.label_reader = &labels};
    char *line;
    size_t bytes;
    while (text_reader_line(reader, &line, &bytes) == ST_OK && line) {
        if (!format->features.is_row(line, bytes))
            continue;
        const bool has_group = format->features.has_group(line, bytes);
        if (format->features.parse(line, bytes, schema, &row)) {
            ASSERT(row.label <= 1 && (!has_group || row.has_group));
            for (int i = 0; i < row.count; i++)
                ASSERT(row.ids[i].at >= line && row.ids[i].at + row.ids[i].bytes <= line + bytes);
        } else {
            ASSERT(row.fault && row.fault_column);
            ASSERT(!row.fault_text || (row.fault_text >= line && row.fault_text + row.fault_bytes <= line + bytes));
        }
    }
    feature_row_fini(&row);
    label_reader_fini(&labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const unsigned what = fuzz_byte(&in);
    const schema_t schema = {
        .format = (text_format_t)((what & 3) % TEXT_FORMAT_COUNT), .header = what & 4, .feature_limit = 1000};
    const input_format_t *format = input_format_get(schema.format);
    text_reader_t *reader = NULL;
    if (text_reader_open(input_file_make(&in, TEXT_MOST), false, &reader) != ST_OK)
        return 0;
    if (text_reader_parquet(reader)) /* of which fuzz_parquet.c sees more */
        ASSERT(text_reader_path(reader));
    else if (format->columns.open)
        read_columns(format, reader, &schema);
    else
        read_features(format, reader, &schema);
    ASSERT(text_reader_share(reader) >= 0.0 && text_reader_number(reader) >= 0);
    text_reader_close(&reader);
    return 0;
}

void fuzz_seeds(void)
{
    static const char csv[] = "y,a,b\n1,x,\"two\nlines\"\n0,\"quote \"\" inside\",\r\n\n1,z,3\n";
    static const char tsv[] = "\xef\xbb\xbfy\ta\n1\t\"x\n0\t\n";
    static const char libsvm[] = "1 qid:3 1:0.5 007:1e-3 # comment\n-1 qid:4\n# none\n0 2:nan\n+1 999:1 1001:1";
    static const char *const names[] = {"plain", "gzip", "zstd", "raw"};
    for (int way = INPUT_PLAIN; way <= INPUT_RAW; way++) {
        static const struct {
            const char *name, *text;
            uint8_t what;
        } texts[] = {{"csv", csv, 4}, {"csv-no-header", csv, 0}, {"tsv", tsv, 5}, {"libsvm", libsvm, 2}};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            char *name = mem_printf("%s-%s", texts[i].name, names[way]);
            input_file_seed(name, &texts[i].what, 1, way, texts[i].text);
            mem_free(name);
        }
    }
    const uint8_t what = 4;
    input_file_seed("parquet", &what, 1, INPUT_RAW, "PAR1....PAR1");
    input_file_seed("skippable", &what, 1, INPUT_RAW, "\x50\x2a\x4d\x18\x04");
}
