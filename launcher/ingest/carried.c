#include "launcher/ingest/carried.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/dataset_meta.h"
#include "common/texts/shown_values.h"
#include "launcher/ingest/input_format.h"
#include "launcher/ingest/sources.h"

#define COLUMNS_MOST 64

struct carried {
    char *names; /* with NULs between */
    const char *name[COLUMNS_MOST];
    int columns;
    char *text; /* of all rows, with a NUL behind each */
    size_t bytes, capacity;
    size_t *first; /* [rows * columns] in text */
    int64_t rows;
    size_t first_capacity;
};

void carried_destroy(carried_t **carried)
{
    carried_t *c = *carried;
    if (!c)
        return;
    mem_free(c->names);
    mem_free(c->text);
    mem_free(c->first);
    mem_free(c);
    *carried = NULL;
}

static status_t split_names(carried_t *c, const char *names)
{
    c->names = mem_strdup(names);
    for (char *at = c->names, *rest = at; rest;) {
        at = strsep(&rest, ",");
        if (!*at)
            return FAIL(ST_INPUT, "--columns is \"%s\"; it must be names of columns with commas between", names);
        if (c->columns == COLUMNS_MOST)
            return FAIL(ST_INPUT, "--columns has more than %d names", COLUMNS_MOST);
        c->name[c->columns++] = at;
    }
    return ST_OK;
}

static status_t find_columns(const carried_t *c, const char *path, char *const *names, int count, int at[COLUMNS_MOST])
{
    for (int i = 0; i < c->columns; i++) {
        at[i] = -1;
        for (int k = 0; k < count && at[i] < 0; k++)
            if (strcmp(names[k], c->name[i]) == 0)
                at[i] = k;
        if (at[i] < 0)
            return FAIL(ST_INPUT, "%s: no column %s, which --columns wants; the columns begin with %s", path, c->name[i],
                        names[0]);
    }
    return ST_OK;
}

static void add_text(carried_t *c, const text_field_t *field)
{
    const size_t bytes = field ? (size_t)field->bytes : 0;
    MEM_GROW(c->first, c->first_capacity, (size_t)(c->rows + 1) * (size_t)c->columns);
    MEM_GROW(c->text, c->capacity, c->bytes + bytes + 1);
    if (bytes > 0)
        memcpy(c->text + c->bytes, field->text, bytes);
    for (size_t i = 0; i < bytes; i++) /* a value ends with a NUL, and a text of bytes may have some */
        if (!c->text[c->bytes + i])
            c->text[c->bytes + i] = field->is_list && i + 1 == bytes ? '\0' : field->is_list ? '|' : ' ';
    c->text[c->bytes + bytes] = 0;
    c->bytes += bytes + 1;
}

static void add_row(carried_t *c, const text_row_t *row, const int at[COLUMNS_MOST])
{
    for (int i = 0; i < c->columns; i++) {
        const size_t first = c->bytes;
        add_text(c, at[i] < row->count ? &row->fields[at[i]] : NULL);
        c->first[(size_t)c->rows * (size_t)c->columns + (size_t)i] = first;
    }
    c->rows++;
}

static status_t want_columns(const column_format_t *format, void *opened, int column)
{
    if (!format->want)
        return ST_OK;
    return format->want(opened, column, COLUMN_AS_MANY); /* one value is as good */
}

static status_t read_rows(carried_t *c, text_reader_t *reader, const schema_t *schema)
{
    const input_format_t *format;
    char *const *names;
    void *opened = NULL;
    int count, at[COLUMNS_MOST];
    text_row_t row;
    bool end = false;
    status_t status;
    TRY(input_format_of(reader, schema, &format));
    if (format->features.parse)
        return FAIL(ST_INPUT, "%s: --columns is for files with columns, and %s has features", text_reader_path(reader),
                    format->name);
    TRY_DONE(format->columns.open(reader, schema, &opened, &names, &count));
    TRY_DONE(find_columns(c, text_reader_path(reader), names, count, at));
    for (int i = 0; i < c->columns; i++)
        TRY_DONE(want_columns(&format->columns, opened, at[i]));
    TRY_DONE(format->columns.next(opened, &row, &end));
    while (!end) {
        add_row(c, &row, at);
        TRY_DONE(format->columns.next(opened, &row, &end));
    }
done:
    format->columns.close(&opened);
    return status;
}

status_t carried_read(const char *const *specs, int n, const schema_t *schema, const char *names, carried_t **out)
{
    carried_t *c = MEM_NEW(carried_t);
    sources_t sources = {0};
    text_reader_t *reader = NULL;
    status_t status;
    TRY_DONE(split_names(c, names));
    TRY_DONE(sources_find(specs, n, &sources));
    for (int i = 0; i < sources.count; i++) {
        TRY_DONE(text_reader_open(sources.paths[i], sources.count > 1, &reader));
        if (sources.count == 1 || !text_reader_is_empty(reader))
            TRY_DONE(read_rows(c, reader, schema));
        text_reader_close(&reader);
    }
    *out = c;
    c = NULL;
done:
    text_reader_close(&reader);
    sources_fini(&sources);
    carried_destroy(&c);
    return status;
}

/* ---- of a dataset ---- */

enum { GROUP_ID = -1 };

typedef struct carrying {
    carried_t *carried;
    dataset_t *dataset;
    shown_values_t *shown;
    int at[COLUMNS_MOST]; /* fields, or GROUP_ID */
    char *cell;
    size_t bytes, capacity;
} carrying_t;

static status_t find_fields(carrying_t *c)
{
    const dataset_info_t *info = dataset_info(c->dataset);
    const int fields = info->numeric + info->single + info->multi;
    for (int i = 0; i < c->carried->columns; i++) {
        const char *name = c->carried->name[i];
        int f = 0;
        while (f < fields && strcmp(info->fields[f].name, name) != 0)
            f++;
        c->at[i] = f;
        if (f == fields && info->has_group && strcmp(name, "group_id") == 0)
            c->at[i] = GROUP_ID;
        else if (f == fields)
            return FAIL(ST_INPUT, "dataset %s: no field %s, which --columns wants; the fields begin with %s%s",
                        dataset_path(c->dataset), name, info->fields[0].name, info->has_group ? ", and there is group_id" : "");
        if (c->at[i] >= info->numeric && !shown_values_kept(c->shown))
            return FAIL(ST_INPUT,
                        "dataset %s: the texts of its values are not kept, and --columns wants those of %s; import it again, "
                        "without keep_values: {mb: 0}",
                        dataset_path(c->dataset), name);
    }
    return ST_OK;
}

static void put_cell(carrying_t *c, const char *text, size_t bytes)
{
    MEM_GROW(c->cell, c->capacity, c->bytes + bytes);
    memcpy(c->cell + c->bytes, text, bytes);
    c->bytes += bytes;
}

static void put_key(carrying_t *c, uint64_t key)
{
    char hex[32];
    kept_text_t text;
    if (key == dataset_key("", 0))
        return;
    if (shown_values_find(c->shown, key, &text)) {
        put_cell(c, text.at, text.bytes);
    } else {
        const int digits = snprintf(hex, sizeof hex, "#%016" PRIx64, key);
        put_cell(c, hex, (size_t)digits);
    }
}

static void put_value(carrying_t *c, int f, const dataset_example_t *example)
{
    const dataset_info_t *info = dataset_info(c->dataset);
    const dataset_block_t *block = example->block;
    const size_t r = (size_t)example->row;
    const int single = f - info->numeric, multi = single - info->single;
    char number[64];
    int digits;
    if (f == GROUP_ID && dataset_origin(c->dataset)->kind == ORIGIN_SYNTH) {
        digits = snprintf(number, sizeof number, "%" PRIu64, block->group[r]);
        put_cell(c, number, (size_t)digits);
    } else if (f == GROUP_ID) {
        put_key(c, block->group[r]);
    } else if (single < 0) {
        const float value = block->numeric[r * (size_t)info->numeric + (size_t)f];
        digits = snprintf(number, sizeof number, "%.6g", dataset_meta_number(&info->fields[f], value));
        put_cell(c, number, (size_t)digits);
    } else if (multi < 0) {
        put_key(c, block->single[r * (size_t)info->single + (size_t)single]);
    } else {
        const uint32_t *from = &block->multi_at[r * (size_t)info->multi + (size_t)multi];
        for (uint32_t v = from[0]; v < from[1]; v++) {
            if (v > from[0])
                put_cell(c, "|", 1);
            put_key(c, block->multi_key[v]);
        }
    }
}

static status_t carry_examples(carrying_t *c, split_t split)
{
    carried_t *carried = c->carried;
    const int64_t rows = dataset_split_rows(dataset_info(c->dataset), split);
    for (; carried->rows < rows; carried->rows++) {
        const int64_t position = dataset_position(c->dataset, split, carried->rows);
        dataset_example_t example;
        TRY(dataset_fetch(c->dataset, &position, 1, &example));
        for (int i = 0; i < carried->columns; i++) {
            c->bytes = 0;
            put_value(c, c->at[i], &example);
            const size_t first = carried->bytes;
            add_text(carried, &(text_field_t){.text = c->cell, .bytes = (int)c->bytes});
            carried->first[(size_t)carried->rows * (size_t)carried->columns + (size_t)i] = first;
        }
    }
    return ST_OK;
}

status_t carried_of_dataset(dataset_t *dataset, split_t split, const char *names, carried_t **out)
{
    carrying_t c = {.carried = MEM_NEW(carried_t), .dataset = dataset, .shown = shown_values_create(dataset)};
    status_t status;
    TRY_DONE(split_names(c.carried, names));
    TRY_DONE(find_fields(&c));
    TRY_DONE(carry_examples(&c, split));
    *out = c.carried;
    c.carried = NULL;
done:
    shown_values_destroy(&c.shown);
    mem_free(c.cell);
    carried_destroy(&c.carried);
    return status;
}

/* ---- use ---- */

int carried_columns(const carried_t *carried)
{
    return carried->columns;
}

const char *carried_name(const carried_t *carried, int column)
{
    return carried->name[column];
}

const char *carried_text(const carried_t *carried, int64_t row, int column)
{
    return row < 1 || row > carried->rows ? "" : carried->text + carried->first[(row - 1) * carried->columns + column];
}
