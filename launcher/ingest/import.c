/* Import: an input format's rows, of columns or of features, feed a dataset_writer.
 *
 * A row is read whole into `row` before it is put, so a bad row leaves no trace but its message and its count. Numeric
 * fields come first, then single, then multi, as in the dataset; `slots` maps each to its column of the text.            */
#include "launcher/ingest/import.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/data/field_text.h"
#include "common/data/remarks.h"
#include "common/data/time_text.h"
#include "launcher/ingest/input_format.h"

#define PROGRESS_NS 3000000000ll
#define BUCKET_BYTES 16
#define LOGS 1024          /* whole numbers whose logarithms are kept: 8 KB */
#define PROGRESS_ROWS 1024 /* rows between two looks at the clock */

typedef struct slot {
    const schema_column_t *column;
    int at; /* column of the text, from 0 */
} slot_t;

typedef struct import {
    const char *input;
    const schema_t *schema;
    const input_format_t *format;
    text_reader_t *reader;
    void *opened; /* the format's state, where it has columns */
    dataset_writer_t *writer;

    /* Columns of the text; -1: not used. */
    int label, group, time, split;
    char *const *names; /* the format's */
    int columns;
    slot_t *slots; /* [numeric + single + multi] */
    int numeric, single, multi;

    /* The row that is being read. */
    dataset_row_t row;
    float *numeric_values;
    double logs[LOGS]; /* of the first counts */
    uint64_t *single_keys;
    dataset_text_t *single_text;
    char (*bucket)[BUCKET_BYTES]; /* [single] texts that are in no line */
    int32_t *multi_count;
    uint64_t *multi_key;
    float *multi_weight;
    dataset_text_t *multi_text;
    size_t multi_key_capacity, multi_weight_capacity, multi_text_capacity;

    time_form_t time_form; /* of the row that is being read; its value is in row.time */
    time_unit_t unit;      /* what the times so far count, */
    bool has_unit;         /* once there is one */

    int64_t rows, train_rows, bad_rows;
    int64_t word_groups;    /* rows whose query id is a word for nothing, */
    const char *word_group; /* the last of which was this */
    bool progress;
    int64_t started_ns, shown_ns;
} import_t;

/* ---- messages ---- */

/* report_bad - count a bad row; ST_INPUT where it is one too many. column NULL: the row as a whole. */
static status_t report_bad(import_t *im, int64_t line, const char *column, const char *what, const char *text, int bytes)
{
    char quoted[FIELD_QUOTE_BYTES];
    im->bad_rows++;
    const bool over = im->bad_rows > im->schema->max_bad_rows;
    log_write(over ? LOG_ERROR : LOG_WARN, "%s:%" PRId64 ": %s%s%s%s%s%s", im->input, line, column ? "column " : "",
              column ? column : "", column ? ": " : "", what, text ? ", value seen " : "",
              text ? field_quote(quoted, text, bytes) : "");
    if (!over)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s: %" PRId64 " bad row%s after %" PRId64 " good ones, more than max_bad_rows (%" PRId64
                ") allows; correct the input, or raise "
                "max_bad_rows in the schema to leave bad rows out",
                im->input, im->bad_rows, im->bad_rows == 1 ? "" : "s", im->rows, im->schema->max_bad_rows);
}

static void show_progress(import_t *im)
{
    if (!im->progress || (im->rows + im->bad_rows) % PROGRESS_ROWS != 0)
        return;
    const int64_t now = clock_now_ns();
    if (now - im->shown_ns < PROGRESS_NS)
        return;
    im->shown_ns = now;
    log_info("import %s: %" PRId64 " rows, %.0f %%, %.0f rows/s", im->input, im->rows, 100.0 * text_reader_share(im->reader),
             (double)im->rows / ((double)(now - im->started_ns) * 1e-9));
}

/* ---- columns ---- */

/* Levenshtein distance of two names, up to 64 bytes of each, without regard to case. */
static int name_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    int row[MOST + 1];
    const int n = (int)strnlen(a, MOST), m = (int)strnlen(b, MOST);
    for (int j = 0; j <= m; j++)
        row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            const int replace = diagonal + ((a[i - 1] | 32) != (b[j - 1] | 32));
            const int shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < shift ? replace : shift;
        }
    }
    return row[m];
}

static status_t find_column(const import_t *im, const char *name, const char *role, int *at)
{
    int found = 0;
    for (int c = im->columns - 1; c >= 0; c--)
        if (strcmp(im->names[c], name) == 0) {
            *at = c;
            found++;
        }
    if (found > 1)
        return FAIL(ST_INPUT, "%s: %d columns of the header are named %s; the schema cannot tell which is meant as %s",
                    im->input, found, name, role);
    if (found == 1)
        return ST_OK;
    char near[256] = "";
    size_t used = 0;
    for (int distance = 0; distance <= 3; distance++)
        for (int c = 0; c < im->columns && used < sizeof near; c++)
            if (name_distance(im->names[c], name) == distance && distance < (int)strlen(name))
                used += (size_t)snprintf(near + used, sizeof near - used, "%s%s", used ? ", " : "", im->names[c]);
    if (!im->schema->header)
        return FAIL(ST_INPUT, "%s: no column %s, which the schema wants as %s; without a header the columns are c1 to c%d",
                    im->input, name, role, im->columns);
    return FAIL(ST_INPUT, "%s: no column %s, which the schema wants as %s; %s%s", im->input, name, role,
                used ? "near it there is " : "the header has no name like it, and begins with ", used ? near : im->names[0]);
}

static status_t find_optional(const import_t *im, const char *name, const char *role, int *at)
{
    *at = -1;
    return name && *name ? find_column(im, name, role, at) : ST_OK;
}

static status_t map_columns(import_t *im)
{
    const schema_t *schema = im->schema;
    TRY(find_column(im, schema->label, "label", &im->label));
    TRY(find_optional(im, schema->group, "group", &im->group));
    TRY(find_optional(im, schema->time, "time", &im->time));
    TRY(find_optional(im, schema->split_column, "split_column", &im->split));
    static const column_kind_t order[] = {COLUMN_NUMERIC, COLUMN_CATEGORICAL, COLUMN_MULTI};
    int *const counts[] = {&im->numeric, &im->single, &im->multi};
    im->slots = MEM_ARRAY(slot_t, schema->columns_count);
    int n = 0;
    for (int k = 0; k < 3; k++)
        for (unsigned c = 0; c < schema->columns_count; c++) {
            const schema_column_t *column = &schema->columns[c];
            if (column->kind != order[k])
                continue;
            int at = 0;
            TRY(find_column(im, column->column ? column->column : column->name, "input", &at));
            if (at == im->label)
                return FAIL(ST_INPUT, "%s: the schema wants column %s both as label and as input", im->input, column->name);
            im->slots[n++] = (slot_t){column, at};
            (*counts[k])++;
        }
    return ST_OK;
}

static status_t create_writer(import_t *im, const char *path, bool compress)
{
    const int n = im->numeric + im->single + im->multi;
    if (n == 0)
        return FAIL(ST_INPUT, "%s: the schema names no input column", im->input);
    dataset_field_t *fields = MEM_ARRAY(dataset_field_t, n);
    bool *standardise = MEM_ARRAY(bool, n);
    status_t status = ST_OK;
    for (int f = 0; f < n; f++) {
        const schema_column_t *column = im->slots[f].column;
        if (strlen(column->name) >= sizeof fields[f].name) {
            status = FAIL(ST_INPUT, "%s: the name of column %s is longer than %zu bytes", im->input, column->name,
                          sizeof fields[f].name - 1);
            goto done;
        }
        strcpy(fields[f].name, column->name);
        fields[f].kind = column->kind;
        fields[f].pooling = column->pooling;
        fields[f].rules = im->format->features.rules ? im->format->features.rules() : field_rules_of(column);
        standardise[f] = column->kind == COLUMN_NUMERIC && column->transform == TRANSFORM_STANDARDISE;
    }
    status = dataset_writer_create(path, fields, n, standardise, im->group >= 0, im->time >= 0, compress, &im->writer);
done:
    mem_free(fields);
    mem_free(standardise);
    return status;
}

/* ---- fields ---- */

/* Counts, which most such numbers are, are looked up. */
static double log_of(const import_t *im, double value)
{
    return value >= 0.0 && value < LOGS && value == (double)(int)value && !signbit(value) ? im->logs[(int)value]
                                                                                          : copysign(log1p(fabs(value)), value);
}

static const char *read_numeric(const import_t *im, const schema_column_t *column, const text_field_t *field, float *out)
{
    if (field->bytes == 0) {
        *out = NAN; /* the dataset's missing value */
        return NULL;
    }
    double value;
    const char *fault = field_number(field->text, field->bytes, &value);
    if (fault)
        return fault;
    if (column->transform == TRANSFORM_LOG1P)
        value = log_of(im, value);
    if (!isfinite((float)value))
        return "out of the range of 32-bit floating point";
    *out = (float)value;
    return NULL;
}

static const char *read_single(import_t *im, int single, const schema_column_t *column, const text_field_t *field)
{
    dataset_text_t text = {field->text, field->bytes};
    if (column->transform == TRANSFORM_LOG2_BUCKET && text.bytes > 0) {
        double value;
        const char *fault = field_number(text.at, text.bytes, &value);
        if (fault)
            return fault;
        if (value < 0.0)
            return "a negative number has no logarithm bucket";
        text.at = im->bucket[single];
        text.bytes = snprintf(im->bucket[single], BUCKET_BYTES, "%.0f", round(log2(value + 1.0)));
    }
    im->single_keys[single] = dataset_key(text.at, text.bytes);
    im->single_text[single] = text;
    return NULL;
}

static void read_multi(import_t *im, const schema_column_t *column, const text_field_t *field, int32_t *count, size_t *total)
{
    const char *separator = column->separator;
    const char *text = field->text, *end = text + field->bytes;
    const char mark = separator && *separator ? *separator : '|';
    *count = 0;
    while (text < end) {
        const char *stop = memchr(text, mark, (size_t)(end - text));
        const int bytes = (int)((stop ? stop : end) - text);
        if (bytes > 0) { /* nothing between two separators is no value */
            MEM_GROW(im->multi_key, im->multi_key_capacity, *total + 1);
            MEM_GROW(im->multi_weight, im->multi_weight_capacity, *total + 1);
            MEM_GROW(im->multi_text, im->multi_text_capacity, *total + 1);
            im->multi_key[*total] = dataset_key(text, bytes);
            im->multi_text[*total] = (dataset_text_t){text, bytes};
            im->multi_weight[(*total)++] = 1.0f;
            (*count)++;
        }
        text += bytes + 1;
    }
}

/* Blanks alone name no query either. */
static uint64_t read_group(const text_field_t *field)
{
    const bool is_blank = strspn(field->text, " \t") == (size_t)field->bytes;
    return dataset_key(field->text, is_blank ? 0 : field->bytes);
}

/* What other programs write where there is nothing. Any of them may be an id, so it is one, but of all rows together. */
static void count_word_group(import_t *im, const text_field_t *field)
{
    static const char *const words[] = {"NA", "N/A", "NaN", "nan", "null", "NULL", "None", "\\N"};
    for (size_t i = 0; field->bytes <= 4 && i < sizeof words / sizeof *words; i++)
        if (strcmp(field->text, words[i]) == 0) {
            im->word_groups++;
            im->word_group = words[i];
        }
}

/* Bring the row's time to the unit of the dataset, which the first time of a good row decides: NULL, or what is wrong. */
static const char *settle_time(import_t *im)
{
    if (im->time_form == TIME_MISSING)
        return NULL;
    static const time_unit_t units[] = {
        [TIME_WHOLE] = TIME_AS_GIVEN, [TIME_FRACTION] = TIME_MILLIONTHS, [TIME_DATE] = TIME_ISO};
    const time_unit_t unit = units[im->time_form];
    if (im->has_unit && (unit == TIME_ISO) != (im->unit == TIME_ISO))
        return unit == TIME_ISO ? "a date, but the times before it are numbers" : "a number, but the times before it are dates";
    if (im->has_unit && im->unit == TIME_MILLIONTHS && unit == TIME_AS_GIVEN)
        return __builtin_mul_overflow(im->row.time, 1000000, &im->row.time) ? "out of the range of 64 bits" : NULL;
    if (!dataset_writer_time_unit(im->writer, unit))
        return "a fraction, but the first 8,192 times or more are whole numbers; write times in a unit in which all are whole";
    im->unit = unit;
    im->has_unit = true;
    return NULL;
}

/* Read a record into im->row: NULL, or what is wrong, and with which column. */
static const char *read_record(import_t *im, const text_field_t *fields, int *at)
{
    *at = im->label;
    im->time_form = TIME_MISSING;
    const char *fault = field_label(fields[*at].text, fields[*at].bytes, 0, &im->row.label);
    if (!fault && im->group >= 0)
        im->row.group = read_group(&fields[im->group]);
    if (!fault && im->time >= 0) {
        *at = im->time;
        fault = time_read(fields[*at].text, fields[*at].bytes, &im->time_form, &im->row.time);
    }
    im->row.train = true;
    if (!fault && im->split >= 0) {
        double value = 0.0;
        *at = im->split;
        fault = field_number(fields[*at].text, fields[*at].bytes, &value);
        im->row.train = value <= im->schema->split_train_max;
    }
    if (fault)
        return fault;
    size_t total = 0;
    for (int f = 0; f < im->numeric + im->single + im->multi; f++) {
        const schema_column_t *column = im->slots[f].column;
        const text_field_t *field = &fields[ *at = im->slots[f].at];
        if (f < im->numeric)
            fault = read_numeric(im, column, field, &im->numeric_values[f]);
        else if (f < im->numeric + im->single)
            fault = read_single(im, f - im->numeric, column, field);
        else
            read_multi(im, column, field, &im->multi_count[f - im->numeric - im->single], &total);
        if (fault)
            return fault;
    }
    *at = im->time;
    return settle_time(im);
}

static status_t put_row(import_t *im, const text_row_t *row)
{
    const text_field_t *last = &row->fields[row->count - 1];
    im->row.line = row->fields[0].text;
    im->row.line_bytes = (size_t)(last->text + last->bytes - row->fields[0].text);
    im->row.single_text = im->single_text;
    im->row.multi_text = im->multi_text;
    im->row.input_row = im->rows + im->bad_rows + 1;
    im->row.numeric = im->numeric_values;
    im->row.single = im->single_keys;
    im->row.multi_count = im->multi_count;
    im->row.multi_key = im->multi_key;
    im->row.multi_weight = im->multi_weight;
    TRY(dataset_writer_put(im->writer, &im->row));
    im->rows++;
    im->train_rows += im->row.train;
    show_progress(im);
    return ST_OK;
}

static status_t import_row(import_t *im, const text_row_t *row)
{
    char what[96];
    if (row->fault && row->fault_field < 0)
        return report_bad(im, row->line, NULL, row->fault, NULL, 0);
    if (row->fault) {
        const char *name = row->fault_field < im->columns ? im->names[row->fault_field] : NULL;
        const text_field_t *field = &row->fields[row->fault_field];
        return report_bad(im, row->line, name, row->fault, field->text, field->bytes);
    }
    if (row->count != im->columns) {
        snprintf(what, sizeof what, "too %s columns: %d, %s %d", row->count < im->columns ? "few" : "many", row->count,
                 im->schema->header ? "the header has" : "the first row has", im->columns);
        return report_bad(im, row->line, NULL, what, NULL, 0);
    }
    int at = 0;
    const char *fault = read_record(im, row->fields, &at);
    if (fault)
        return report_bad(im, row->line, im->names[at], fault, row->fields[at].text, row->fields[at].bytes);
    if (im->group >= 0)
        count_word_group(im, &row->fields[im->group]);
    return put_row(im, row);
}

static status_t import_columns(import_t *im, const char *path, bool compress)
{
    const column_format_t *format = &im->format->columns;
    TRY(format->open(im->reader, im->schema, &im->opened, &im->names, &im->columns));
    TRY(map_columns(im));
    TRY(create_writer(im, path, compress));
    im->numeric_values = MEM_ARRAY(float, im->numeric);
    for (int i = 0; i < LOGS; i++)
        im->logs[i] = log1p((double)i);
    im->single_keys = MEM_ARRAY(uint64_t, im->single);
    im->single_text = MEM_ARRAY(dataset_text_t, im->single);
    im->bucket = mem_alloc((size_t)im->single, sizeof *im->bucket);
    im->multi_count = MEM_ARRAY(int32_t, im->multi);
    text_row_t row;
    bool end;
    TRY(format->next(im->opened, &row, &end));
    while (!end) {
        TRY(import_row(im, &row));
        TRY(format->next(im->opened, &row, &end));
    }
    return ST_OK;
}

/* ---- features ---- */

static status_t import_feature_row(import_t *im, feature_row_t *row, char *line, size_t bytes)
{
    const int64_t number = text_reader_number(im->reader);
    if (!im->format->features.parse(line, bytes, im->schema, row))
        return report_bad(im, number, row->fault_column, row->fault, row->fault_text, row->fault_bytes);
    if (row->has_group != (im->group >= 0))
        return report_bad(
            im, number, "qid",
            row->has_group ? "there is one, but the first row has none" : "there is none, but the first row has one", NULL, 0);
    const int32_t count = row->count;
    im->row = (dataset_row_t){.label = row->label,
                              .train = true,
                              .input_row = im->rows + im->bad_rows + 1,
                              .group = row->group,
                              .multi_count = &count,
                              .multi_key = row->keys,
                              .multi_weight = row->weights,
                              .multi_text = row->ids,
                              .line = line,
                              .line_bytes = bytes};
    TRY(dataset_writer_put(im->writer, &im->row));
    im->rows++;
    im->train_rows += im->row.train;
    show_progress(im);
    return ST_OK;
}

static status_t import_features(import_t *im, feature_row_t *row, const char *path, bool compress)
{
    static const schema_column_t features = {.name = "features", .kind = COLUMN_MULTI, .pooling = POOLING_SUM};
    slot_t slot = {.column = &features};
    char *line;
    size_t bytes;
    im->group = im->time = im->split = -1;
    for (;;) {
        TRY(text_reader_line(im->reader, &line, &bytes));
        if (!line)
            return ST_OK;
        if (!im->format->features.is_row(line, bytes))
            continue;
        if (!im->writer) {
            im->group = im->format->features.has_group(line, bytes) ? 0 : -1;
            im->multi = 1;
            im->slots = &slot;
            status_t status = create_writer(im, path, compress);
            im->slots = NULL;
            TRY(status);
        }
        TRY(import_feature_row(im, row, line, bytes));
    }
}

/* ---- both ---- */

/* What the dataset is made of, to find out later whether it has changed. */
static void put_origin(import_t *im)
{
    origin_t origin = {.kind = ORIGIN_IMPORT, .settings = schema_text(im->schema)};
    origin.is_file = text_reader_fingerprint(im->reader, &origin.file);
    char *whole = origin.is_file ? realpath(im->input, NULL) : NULL;
    origin.input = mem_strdup(whole ? whole : im->input);
    origin.schema = mem_strdup(im->schema->source ? im->schema->source : "");
    dataset_writer_origin(im->writer, &origin);
    origin_fini(&origin);
    free(whole);
}

static void say_remark(void *context, const char *text)
{
    const import_t *im = context;
    log_warn("%s: %s", im->input, text);
}

/* What is there to say about the new dataset, read back: how a reader gets it is what counts. */
static status_t make_remarks(import_t *im, const char *path)
{
    dataset_t *dataset;
    TRY(dataset_open(path, 0, &dataset));
    remarks_make(dataset_info(dataset), dataset_census(dataset), say_remark, im);
    dataset_close(&dataset);
    return ST_OK;
}

static status_t finish(import_t *im, const char *path)
{
    const schema_t *schema = im->schema;
    if (im->rows == 0)
        return FAIL(ST_INPUT, "%s: there is no %srow in it", im->input, im->bad_rows > 0 ? "good " : "");
    if (im->split >= 0 && im->train_rows == 0)
        return FAIL(ST_INPUT, "%s: no row is in the training split, where %s <= %.15g", im->input, schema->split_column,
                    schema->split_train_max);
    if (im->split < 0) {
        const int64_t train = (int64_t)floor((double)im->rows * schema->train_fraction);
        if (train <= 0)
            return FAIL(ST_INPUT, "%s: train_fraction %g of %" PRId64 " rows leaves no training row", im->input,
                        schema->train_fraction, im->rows);
        dataset_writer_split(im->writer, train);
    }
    const int64_t rows = im->rows;
    put_origin(im);
    TRY(dataset_writer_commit(&im->writer, im->bad_rows));
    if (im->bad_rows > 0)
        log_warn("%s: %" PRId64 " bad row%s left out (max_bad_rows is %" PRId64 ")", im->input, im->bad_rows,
                 im->bad_rows == 1 ? "" : "s", schema->max_bad_rows);
    if (im->word_groups > 0)
        log_warn("%s: %" PRId64
                 " row%s the query id '%s', which is a query like any other; leave the cell empty where a row belongs to "
                 "none",
                 im->input, im->word_groups, im->word_groups == 1 ? " has" : "s have", im->word_group);
    if (im->progress)
        log_info("import %s: %" PRId64 " rows into %s in %.1f s", im->input, rows, path,
                 (double)(clock_now_ns() - im->started_ns) * 1e-9);
    return make_remarks(im, path);
}

status_t import_text(const char *input, const schema_t *schema, const char *path, bool compress, bool progress)
{
    import_t im = {
        .input = input, .schema = schema, .format = input_format_get(schema->format), .progress = progress, .label = -1};
    feature_row_t features = {0};
    im.started_ns = im.shown_ns = clock_now_ns();
    status_t status;
    TRY_DONE(text_reader_open(input, &im.reader));
    if (im.format->features.parse)
        TRY_DONE(import_features(&im, &features, path, compress));
    else
        TRY_DONE(import_columns(&im, path, compress));
    TRY_DONE(finish(&im, path));
done:
    dataset_writer_abort(&im.writer);
    if (im.format->columns.close)
        im.format->columns.close(&im.opened);
    feature_row_fini(&features);
    text_reader_close(&im.reader);
    mem_free(im.slots);
    mem_free(im.numeric_values);
    mem_free(im.single_keys);
    mem_free(im.single_text);
    mem_free(im.bucket);
    mem_free(im.multi_count);
    mem_free(im.multi_key);
    mem_free(im.multi_weight);
    mem_free(im.multi_text);
    return status;
}
