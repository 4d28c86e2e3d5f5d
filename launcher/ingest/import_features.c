/* Rows of features. In libsvm all are values of one field; in libffm every feature says its field, and each is a field of the
 * dataset. How many there are is known before the first row is written: the schema says it, or the rows are held back until
 * there are as many as a block has, and have the largest number among them.                                              */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/block.h"
#include "launcher/ingest/import_impl.h"

#define HELD_BYTES ((size_t)256 << 20) /* of text that is held back, at most */

/* Values of a row, field after field: a counting sort, which keeps the order inside of a field. */
static void sort_by_field(import_t *im, const feature_row_t *row)
{
    const size_t n = (size_t)row->count;
    memset(im->multi_count, 0, (size_t)im->multi * sizeof *im->multi_count);
    for (size_t v = 0; v < n; v++)
        im->multi_count[row->fields[v]]++;
    MEM_GROW(im->multi_key, im->multi_key_capacity, n);
    MEM_GROW(im->multi_weight, im->multi_weight_capacity, n);
    MEM_GROW(im->multi_text, im->multi_text_capacity, n);
    int32_t next = 0;
    for (int f = 0; f < im->multi; f++) {
        im->field_at[f] = next;
        next += im->multi_count[f];
    }
    for (size_t v = 0; v < n; v++) {
        const int32_t to = im->field_at[row->fields[v]]++;
        im->multi_key[to] = row->keys[v];
        im->multi_weight[to] = row->weights[v];
        im->multi_text[to] = row->ids[v];
    }
    im->row.multi_count = im->multi_count;
    im->row.multi_key = im->multi_key;
    im->row.multi_weight = im->multi_weight;
    im->row.multi_text = im->multi_text;
}

static status_t import_row(import_t *im, feature_row_t *row, int64_t number, char *line, size_t bytes)
{
    char what[96];
    if (!im->format->features.parse(line, bytes, im->schema, row))
        return import_bad(im, number, row->fault_column, row->fault, row->fault_text, row->fault_bytes);
    if (row->has_group != (im->group >= 0))
        return import_bad(
            im, number, "qid",
            row->has_group ? "there is one, but the first row has none" : "there is none, but the first row has one", NULL, 0);
    if (im->format->features.has_fields && row->last_field >= im->multi) {
        snprintf(what, sizeof what, "a feature of field %d, and the fields are 0 to %d (see fields in the schema)",
                 row->last_field, im->multi - 1);
        return import_bad(im, number, "features", what, NULL, 0);
    }
    const int32_t count = row->count;
    im->row = (dataset_row_t){.label = row->label, .train = true, .group = row->group, .line = line, .line_bytes = bytes};
    im->row.group_text = row->group_text;
    im->row.multi_count = &count;
    im->row.multi_key = row->keys;
    im->row.multi_weight = row->weights;
    im->row.multi_text = row->ids;
    if (im->format->features.has_fields)
        sort_by_field(im, row);
    return import_put(im);
}

/* ---- the fields ---- */

static status_t create_writer(import_t *im, int fields)
{
    const bool is_one = !im->format->features.has_fields;
    schema_column_t *columns = MEM_ARRAY(schema_column_t, fields);
    im->slots = MEM_ARRAY(slot_t, fields);
    for (int f = 0; f < fields; f++) {
        columns[f] = (schema_column_t){
            .name = is_one ? mem_strdup("features") : mem_printf("f%d", f), .kind = COLUMN_MULTI, .pooling = POOLING_SUM};
        im->slots[f].column = &columns[f];
    }
    im->multi = fields;
    im->multi_count = MEM_ARRAY(int32_t, fields);
    im->field_at = MEM_ARRAY(int32_t, fields);
    const status_t status = import_create_writer(im);
    for (int f = 0; f < fields; f++)
        mem_free(columns[f].name);
    mem_free(columns);
    mem_free(im->slots);
    im->slots = NULL;
    return status;
}

static void hold(import_t *im, const char *line, size_t bytes, int64_t number)
{
    MEM_GROW(im->held_text, im->held_text_capacity, im->held_bytes + bytes + 1);
    MEM_GROW(im->held, im->held_capacity, im->held_count + 1);
    memcpy(im->held_text + im->held_bytes, line, bytes);
    im->held_text[im->held_bytes + bytes] = 0;
    im->held[im->held_count++] = (held_line_t){im->held_bytes, bytes, number, im->file};
    im->held_bytes += bytes + 1;
}

/* The number of fields is that of the rows that are held: write them. */
static status_t release(import_t *im, feature_row_t *row)
{
    int32_t last = 0;
    for (size_t i = 0; i < im->held_count; i++) {
        char *copy = mem_strdup(im->held_text + im->held[i].at);
        if (im->format->features.parse(copy, im->held[i].bytes, im->schema, row))
            last = row->last_field > last ? row->last_field : last;
        mem_free(copy);
    }
    TRY(create_writer(im, last + 1));
    const int file = im->file;
    status_t status = ST_OK;
    for (size_t i = 0; i < im->held_count && status == ST_OK; i++) {
        const held_line_t *held = &im->held[i];
        import_set_file(im, held->file);
        status = import_row(im, row, held->number, im->held_text + held->at, held->bytes);
    }
    import_set_file(im, file);
    im->held_count = im->held_bytes = 0;
    return status;
}

/* The first row says whether rows have a query id. */
static status_t begin(import_t *im, const char *line, size_t bytes)
{
    const feature_format_t *format = &im->format->features;
    im->is_begun = true;
    im->group = format->has_group(line, bytes) ? 0 : -1;
    if (format->has_fields && !im->schema->fields)
        return ST_OK;
    return create_writer(im, format->has_fields ? (int)im->schema->fields : 1);
}

status_t import_features(import_t *im, feature_row_t *row)
{
    char *line;
    size_t bytes;
    for (;;) {
        TRY(text_reader_line(im->reader, &line, &bytes));
        if (!line)
            return ST_OK;
        if (!im->format->features.is_row(line, bytes))
            continue;
        const int64_t number = text_reader_number(im->reader);
        if (!im->is_begun)
            TRY(begin(im, line, bytes));
        if (im->writer)
            TRY(import_row(im, row, number, line, bytes));
        else
            hold(im, line, bytes, number);
        if (!im->writer && (im->held_count == BLOCK_ROWS || im->held_bytes > HELD_BYTES))
            TRY(release(im, row));
    }
}

status_t import_features_finish(import_t *im, feature_row_t *row)
{
    return im->held_count > 0 ? release(im, row) : ST_OK;
}

void import_features_fini(import_t *im)
{
    mem_free(im->held);
    mem_free(im->held_text);
    mem_free(im->field_at);
}
