/* Rows of columns: a row is read whole into im->row before it is put, so a bad row leaves no trace but its message and its
 * count.
 *
 * Numeric fields come first, then single, then multi, as in the dataset; `slots` maps each to its column of the text. Every
 * file has its own map: the columns of all files are the same, but perhaps not in the same order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/field_text.h"
#include "common/data/time_text.h"
#include "common/math/real.h"
#include "common/metrics/queries.h"
#include "launcher/ingest/import_impl.h"

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

/* The number that a missing one is taken for, as it is stored. */
static float fill_of(const schema_column_t *column)
{
    if (!column->fill || !*column->fill)
        return NAN;
    double value = NAN;
    const char *fault = field_number(column->fill, (int)strlen(column->fill), &value);
    ASSERT(!fault);
    return (float)(column->transform == TRANSFORM_LOG1P ? copysign(real_log1p(fabs(value)), value) : value);
}

static bool is_role(const import_t *im, int at)
{
    bool is = at == im->weight;
    for (int l = 0; l < im->labels; l++)
        is |= at == im->label[l];
    return is;
}

static status_t add_slot(import_t *im, int n, unsigned c)
{
    const schema_column_t *column = &im->schema->columns[c];
    const missing_words_t *own = &im->column_missing[c];
    slot_t *slot = &im->slots[n];
    *slot = (slot_t){.column = column, .fill = fill_of(column), .number = -1};
    slot->bins = im->bins[c].bins.count ? &im->bins[c] : NULL;
    slot->missing = column->missing && *column->missing ? own : &im->missing;
    im->has_missing |= slot->missing->count > 0;
    TRY(find_column(im, column->column ? column->column : column->name, "input", &slot->at));
    if (is_role(im, slot->at))
        return FAIL(ST_INPUT, "%s: the schema wants column %s both as label and as input", im->input, column->name);
    return ST_OK;
}

/* Rows to be scored may have no column of labels. */
static status_t find_label(const import_t *im, const char *name, int *at)
{
    *at = -1;
    for (int c = 0; c < im->columns && im->schema->unlabelled == UNLABELLED_ALLOW; c++)
        if (strcmp(im->names[c], name) == 0)
            return find_column(im, name, "label", at);
    return im->schema->unlabelled == UNLABELLED_ALLOW ? ST_OK : find_column(im, name, "label", at);
}

/* They may have no weights, either. */
static status_t find_weight(const import_t *im, int *at)
{
    const schema_t *schema = im->schema;
    bool is_there = !schema->may_lack_weight;
    for (int c = 0; c < im->columns && schema->weight && !is_there; c++)
        is_there = strcmp(im->names[c], schema->weight) == 0;
    return find_optional(im, is_there ? schema->weight : NULL, "weight", at);
}

static status_t map_columns(import_t *im)
{
    const schema_t *schema = im->schema;
    for (int l = 0; l < im->labels; l++)
        TRY(find_label(im, schema->labels_count ? schema->labels[l].column : schema->label, &im->label[l]));
    TRY(find_weight(im, &im->weight));
    TRY(find_optional(im, schema->group, "group", &im->group));
    TRY(find_optional(im, schema->time, "time", &im->time));
    TRY(find_optional(im, schema->split_column, "split_column", &im->split));
    static const column_kind_t order[] = {COLUMN_NUMERIC, COLUMN_CATEGORICAL, COLUMN_MULTI};
    int *const counts[] = {&im->numeric, &im->single, &im->multi};
    im->has_missing = im->missing.count > 0;
    int n = 0;
    for (int k = 0; k < 3; k++) {
        const int first = n;
        for (unsigned c = 0; c < schema->columns_count; c++) {
            if (schema->columns[c].kind != order[k])
                continue;
            TRY(add_slot(im, n++, c));
            if (!schema->columns[c].indicator)
                continue;
            im->slots[n] = im->slots[n - 1];
            im->slots[n].column = &im->indicators[c];
            im->slots[n++].is_indicator = true;
        }
        *counts[k] = n - first;
    }
    im->has_group_texts = true;
    for (int f = im->numeric; f < im->numeric + im->single; f++)
        im->has_group_texts &=
            im->slots[f].at != im->group || im->slots[f].column->transform != TRANSFORM_NONE || im->slots[f].bins;
    return ST_OK;
}

static bool is_number(const label_rule_t *rule)
{
    return rule->kind == LABEL_PLAIN || rule->kind == LABEL_COMPARE ||
           (rule->kind == LABEL_PAIR && rule->pair == PAIR_MINUS_PLUS);
}

/* Say to a format that wants to know it what columns are for; a column that is a number to one of two uses is one to both. */
static status_t want_columns(const import_t *im, void *opened)
{
    const column_format_t *format = &im->format->columns;
    const struct {
        int at;
        column_use_t use;
    } roles[] = {
        {im->weight, COLUMN_AS_NUMBER}, {im->group, COLUMN_AS_TEXT}, {im->time, COLUMN_AS_TEXT}, {im->split, COLUMN_AS_NUMBER}};
    for (int l = 0; l < im->labels && format->want; l++)
        if (im->label[l] >= 0)
            TRY(format->want(opened, im->label[l], is_number(&im->label_reader[l].rule) ? COLUMN_AS_NUMBER : COLUMN_AS_TEXT));
    for (size_t i = 0; i < sizeof roles / sizeof *roles && format->want; i++)
        if (roles[i].at >= 0)
            TRY(format->want(opened, roles[i].at, roles[i].use));
    for (int f = 0; f < im->numeric + im->single + im->multi && format->want; f++) {
        const schema_column_t *column = im->slots[f].column;
        const bool counts =
            column->kind == COLUMN_NUMERIC || column->transform == TRANSFORM_LOG2_BUCKET || im->slots[f].bins != NULL;
        TRY(format->want(opened, im->slots[f].at,
                         column->kind == COLUMN_MULTI ? COLUMN_AS_MANY
                         : counts                     ? COLUMN_AS_NUMBER
                                                      : COLUMN_AS_TEXT));
    }
    return ST_OK;
}

/* ---- files ---- */

static int find_name(char *const *names, int count, const char *name)
{
    for (int c = 0; c < count; c++)
        if (strcmp(names[c], name) == 0)
            return c;
    return -1;
}

/* A column of one header that the other lacks; NULL: none. */
static const char *lacks(char *const *here, int here_count, char *const *there, int there_count)
{
    for (int c = 0; c < there_count; c++)
        if (find_name(here, here_count, there[c]) < 0)
            return there[c];
    return NULL;
}

/* All files have the columns of the first one. */
static status_t check_header(import_t *im)
{
    if (!im->first_names) {
        im->first_names = MEM_ARRAY(char *, im->columns);
        for (int c = 0; c < im->columns; c++)
            im->first_names[c] = mem_strdup(im->names[c]);
        im->first_columns = im->columns;
        im->first_file = im->file;
        return ST_OK;
    }
    const char *first = im->sources->paths[im->first_file];
    if (!im->schema->header && im->columns != im->first_columns)
        return FAIL(ST_INPUT, "%s: the first row has %d columns, and that of %s has %d; all files of an import have the same",
                    im->input, im->columns, first, im->first_columns);
    const char *here = lacks(im->names, im->columns, im->first_names, im->first_columns);
    if (here)
        return FAIL(ST_INPUT,
                    "%s: its header has no column %s, which the header of %s has; all files of an import have the same",
                    im->input, here, first);
    const char *there = lacks(im->first_names, im->first_columns, im->names, im->columns);
    if (there)
        return FAIL(ST_INPUT,
                    "%s: its header has a column %s, which the header of %s lacks; all files of an import have the same",
                    im->input, there, first);
    return ST_OK;
}

/* ---- fields ---- */

/* Counts, which most such numbers are, are looked up. */
static double log_of(const import_t *im, double value)
{
    return value >= 0.0 && value < LOGS && value == (double)(int)value && !signbit(value)
               ? im->logs[(int)value]
               : copysign(real_log1p(fabs(value)), value);
}

static const char *read_numeric(const import_t *im, const slot_t *slot, const text_field_t *field, float *out)
{
    const schema_column_t *column = slot->column;
    if (slot->is_indicator || field->bytes == 0) {
        *out = slot->is_indicator ? (float)(field->bytes == 0) : slot->fill;
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

/* A number's bin; where edges are not known yet, the number waits for them. */
static const char *read_bin(import_t *im, int single, const slot_t *slot, const text_field_t *field)
{
    double value;
    const char *fault = field_number(field->text, field->bytes, &value);
    if (fault)
        return fault;
    if (slot->number >= 0)
        im->numbers[slot->number] = value;
    else
        column_bins_put(slot->bins, value, &im->single_keys[single], &im->single_text[single]);
    return NULL;
}

static const char *read_single(import_t *im, int single, const slot_t *slot, const text_field_t *field)
{
    const schema_column_t *column = slot->column;
    dataset_text_t text = {field->text, field->bytes};
    if (slot->number >= 0)
        im->numbers[slot->number] = NAN;
    if (slot->bins && text.bytes > 0)
        return read_bin(im, single, slot, field);
    if (column->transform == TRANSFORM_LOG2_BUCKET && text.bytes > 0) {
        double value;
        const char *fault = field_number(text.at, text.bytes, &value);
        if (fault)
            return fault;
        if (value < 0.0)
            return "a negative number has no logarithm bucket";
        text.at = im->bucket[single];
        text.bytes = snprintf(im->bucket[single], BUCKET_BYTES, "%.0f", round(real_log2(value + 1.0)));
    }
    im->single_keys[single] = dataset_key(text.at, text.bytes);
    im->single_text[single] = text;
    return NULL;
}

static void read_multi(import_t *im, const slot_t *slot, const text_field_t *field, int32_t *count, size_t *total)
{
    const char *separator = slot->column->separator;
    const char *text = field->text, *end = text + field->bytes;
    const char mark = field->is_list ? 0 : separator && *separator ? *separator : '|';
    *count = 0;
    while (text < end) {
        const char *stop = memchr(text, mark, (size_t)(end - text));
        const int bytes = (int)((stop ? stop : end) - text);
        if (bytes > 0 &&
            !missing_words_has(slot->missing, text, (size_t)bytes)) { /* nothing between two separators is no value */
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
static const char *settle_time(import_t *im, time_form_t form)
{
    if (form == TIME_MISSING)
        return NULL;
    static const time_unit_t units[] = {
        [TIME_WHOLE] = TIME_AS_GIVEN, [TIME_FRACTION] = TIME_MILLIONTHS, [TIME_DATE] = TIME_ISO};
    const time_unit_t unit = units[form];
    if (im->has_unit && (unit == TIME_ISO) != (im->unit == TIME_ISO))
        return unit == TIME_ISO ? "a date, but the times before it are numbers" : "a number, but the times before it are dates";
    if (im->has_unit && im->unit == TIME_MILLIONTHS && unit == TIME_AS_GIVEN)
        return __builtin_mul_overflow(im->row.time, 1000000, &im->row.time) ? "out of the range of 64 bits" : NULL;
    if (!import_time_unit(im, unit))
        return "a fraction, but the first 8,192 times or more are whole numbers; write times in a unit in which all are whole";
    im->unit = unit;
    im->has_unit = true;
    return NULL;
}

/* A field of the text; nothing where it is a word for that. */
static text_field_t settled(const missing_words_t *missing, const text_field_t *field)
{
    return missing->count > 0 && missing_words_has(missing, field->text, (size_t)field->bytes)
               ? (text_field_t){field->text + field->bytes, 0, false}
               : *field;
}

static const char *read_labels(import_t *im, const text_field_t *fields, int *at)
{
    for (int l = 0; l < im->labels; l++) {
        im->label_values[l] = DATASET_NO_LABEL;
        *at = im->label[l];
        if (*at < 0)
            continue;
        const text_field_t field = settled(&im->missing, &fields[*at]);
        if (field.bytes == 0 && im->schema->unlabelled == UNLABELLED_ALLOW)
            continue;
        const char *fault = label_read(&im->label_reader[l], field.text, field.bytes, &im->label_values[l]);
        if (fault)
            return fault;
    }
    im->row.label = im->label_values[0];
    im->row.more_labels = im->label_values + 1;
    return NULL;
}

static const char *read_weight(import_t *im, const text_field_t *fields, int *at)
{
    double value;
    *at = im->weight;
    const char *fault = field_number(fields[*at].text, fields[*at].bytes, &value);
    im->row.weight = (float)value;
    if (!fault && (value < 0.0 || !isfinite(im->row.weight)))
        fault = value < 0.0 ? "a weight is 0 or more" : "out of the range of 32-bit floating point";
    if (im->schema->may_lack_weight && im->row.label == DATASET_NO_LABEL && fields[*at].bytes == 0) {
        im->row.weight = 1.0f;
        return NULL;
    }
    return fault;
}

/* Which split a row is of, by its cell of the column that says it. */
static const char *read_split(const schema_t *schema, const text_field_t *field, dataset_row_t *row)
{
    double value = 0.0;
    if (!schema->split_words) {
        const char *fault = field_number(field->text, field->bytes, &value);
        row->train = value <= schema->split_train_max;
        row->test = schema->split_eval_max > schema->split_train_max && value > schema->split_eval_max;
        return fault;
    }
    split_t split = SPLIT_ALL;
    char word[8] = "";
    if (field->bytes < (int)sizeof word)
        memcpy(word, field->text, (size_t)field->bytes);
    if (!dataset_split_of(word, &split) || split == SPLIT_ALL)
        return "none of the words train, eval and test";
    row->train = split == SPLIT_TRAIN;
    row->test = split == SPLIT_TEST;
    return NULL;
}

/* Label, query, time and split: NULL, or what is wrong, and with which column. */
static const char *read_roles(import_t *im, const text_field_t *fields, int *at, time_form_t *form)
{
    const char *fault = read_labels(im, fields, at);
    if (fault)
        return fault;
    text_field_t field;
    if (im->group >= 0) {
        field = settled(&im->missing, &fields[im->group]);
        im->row.group = read_group(&field);
        if (im->has_group_texts && im->row.group != QUERY_NONE)
            im->row.group_text = (dataset_text_t){field.text, field.bytes};
        else
            im->row.group_text = (dataset_text_t){NULL, 0};
    }
    if (im->time >= 0) {
        *at = im->time;
        field = settled(&im->missing, &fields[*at]);
        fault = time_read(field.text, field.bytes, form, &im->row.time);
        if (fault)
            return fault;
    }
    if (im->weight >= 0 && (fault = read_weight(im, fields, at)))
        return fault;
    im->row.train = true;
    im->row.test = false;
    return im->split < 0 ? NULL : read_split(im->schema, &fields[*at = im->split], &im->row);
}

/* Read a record into im->row: NULL, or what is wrong, and with which column. */
static const char *read_record(import_t *im, const text_field_t *fields, int *at)
{
    time_form_t form = TIME_MISSING;
    const char *fault = read_roles(im, fields, at, &form);
    if (fault)
        return fault;
    size_t total = 0;
    for (int f = 0; f < im->numeric + im->single + im->multi; f++) {
        const slot_t *slot = &im->slots[f];
        const text_field_t *field = &fields[ *at = slot->at];
        text_field_t nothing;
        if (im->has_missing) {
            nothing = settled(slot->missing, field);
            field = &nothing;
        }
        if (f < im->numeric)
            fault = read_numeric(im, slot, field, &im->numeric_values[f]);
        else if (f < im->numeric + im->single)
            fault = read_single(im, f - im->numeric, slot, field);
        else
            read_multi(im, slot, field, &im->multi_count[f - im->numeric - im->single], &total);
        if (fault)
            return fault;
    }
    *at = im->time;
    return settle_time(im, form);
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
    return import_put(im);
}

/* order: check. Of rows that are appended and sorted, that they come after those that are there. */
static status_t check_order(import_t *im, int64_t line)
{
    char here[TIME_TEXT], before[TIME_TEXT];
    const bool sorts = im->schema->order == TIME_ORDER_SORT;
    if (im->schema->order == TIME_ORDER_NONE || (sorts && !im->former) || im->row.time == DATASET_NO_TIME)
        return ST_OK;
    if (im->has_last && im->last_unit == TIME_AS_GIVEN && im->unit == TIME_MILLIONTHS)
        im->last_time *= 1000000; /* as the times that were stored */
    if (sorts) {
        im->last_unit = im->unit;
        return im->has_last && im->row.time < im->last_time
                   ? FAIL(ST_INPUT,
                          "%s:%" PRId64 ": column %s: the time %s is before the last of dataset %s, %s, and order is sort; "
                          "append what comes after it, or import all rows together",
                          im->input, line, im->schema->time, time_write(im->row.time, im->unit, here), im->former_path,
                          time_write(im->last_time, im->unit, before))
                   : ST_OK;
    }
    if (im->has_last && im->row.time < im->last_time)
        return FAIL(ST_INPUT,
                    "%s:%" PRId64
                    ": column %s: the time %s is before that of the row before it, %s, and order is check; sort the "
                    "input by time, or leave order out",
                    im->input, line, im->schema->time, time_write(im->row.time, im->unit, here),
                    time_write(im->last_time, im->unit, before));
    im->last_time = im->row.time;
    im->last_unit = im->unit;
    im->has_last = true;
    return ST_OK;
}

static status_t import_row(import_t *im, const text_row_t *row)
{
    char what[96];
    if (row->fault && row->fault_field < 0)
        return import_bad(im, row->line, NULL, row->fault, NULL, 0);
    if (row->fault) {
        const char *name = row->fault_field < im->columns ? im->names[row->fault_field] : NULL;
        const text_field_t *field = &row->fields[row->fault_field];
        return import_bad(im, row->line, name, row->fault, field->text, field->bytes);
    }
    if (row->count != im->columns) {
        snprintf(what, sizeof what, "too %s columns: %d, %s %d", row->count < im->columns ? "few" : "many", row->count,
                 im->schema->header ? "the header has" : "the first row has", im->columns);
        return import_bad(im, row->line, NULL, what, NULL, 0);
    }
    int at = 0;
    const char *fault = read_record(im, row->fields, &at);
    if (fault)
        return import_bad(im, row->line, im->names[at], fault, row->fields[at].text, row->fields[at].bytes);
    if (im->group >= 0 && im->row.group != QUERY_NONE)
        count_word_group(im, &row->fields[im->group]);
    if (im->time >= 0)
        TRY(check_order(im, row->line));
    return put_row(im, row);
}

/* ---- all ---- */

static void prepare(import_t *im)
{
    const schema_t *schema = im->schema;
    im->slots = MEM_ARRAY(slot_t, 2 * schema->columns_count);
    im->column_missing = MEM_ARRAY(missing_words_t, schema->columns_count);
    im->bins = MEM_ARRAY(column_bins_t, schema->columns_count);
    im->numbers = MEM_ARRAY(double, schema->columns_count);
    im->indicators = MEM_ARRAY(schema_column_t, schema->columns_count);
    for (unsigned c = 0; c < schema->columns_count; c++) {
        const schema_column_t *column = &schema->columns[c];
        missing_words_init(&im->column_missing[c], column->missing);
        column_bins_init(&im->bins[c], column);
        im->indicators[c] = (schema_column_t){.name = mem_printf("%s_missing", column->name), .kind = COLUMN_NUMERIC};
    }
    for (int i = 0; i < LOGS; i++)
        im->logs[i] = real_log1p((double)i);
}

/* Rows wait until all are there, where they are to be sorted, or a column's bins are made of all. */
static void make_waiting(import_t *im)
{
    waiting_bins_t *bins = MEM_ARRAY(waiting_bins_t, im->single);
    row_shape_t shape = {.numeric = im->numeric,
                         .single = im->single,
                         .multi = im->multi,
                         .labels = im->labels,
                         .is_sorted = im->schema->order == TIME_ORDER_SORT};
    for (int s = 0; s < im->single; s++) {
        slot_t *slot = &im->slots[im->numeric + s];
        if (!slot->bins || slot->bins->bins.edge)
            continue;
        bins[shape.numbers++] = (waiting_bins_t){slot->bins, s};
    }
    if (shape.numbers > 0 || shape.is_sorted)
        im->waiting = waiting_rows_create(&shape, bins, WAITING_MEMORY);
    mem_free(bins);
}

/* Which numbers wait; in every file, whose columns have places of their own. */
static void number_slots(import_t *im)
{
    int n = 0;
    for (int s = im->numeric; s < im->numeric + im->single; s++)
        if (im->slots[s].bins && !im->slots[s].bins->bins.edge)
            im->slots[s].number = n++;
}

static status_t begin(import_t *im)
{
    TRY(import_create_writer(im));
    make_waiting(im);
    im->numeric_values = MEM_ARRAY(float, im->numeric);
    im->single_keys = MEM_ARRAY(uint64_t, im->single);
    im->single_text = MEM_ARRAY(dataset_text_t, im->single);
    im->bucket = mem_alloc((size_t)im->single, sizeof *im->bucket);
    im->multi_count = MEM_ARRAY(int32_t, im->multi);
    return ST_OK;
}

static status_t read_rows(import_t *im, void **opened)
{
    const column_format_t *format = &im->format->columns;
    TRY(format->open(im->reader, im->schema, opened, &im->names, &im->columns));
    TRY(check_header(im));
    TRY(map_columns(im));
    number_slots(im);
    TRY(want_columns(im, *opened));
    if (!im->writer)
        TRY(begin(im));
    text_row_t row;
    bool end;
    TRY(format->next(*opened, &row, &end));
    for (int64_t rows = 1; !end; rows++) {
        TRY(import_row(im, &row));
        if (rows == im->most)
            break;
        TRY(format->next(*opened, &row, &end));
    }
    return ST_OK;
}

status_t import_columns(import_t *im)
{
    void *opened = NULL;
    if (!im->slots)
        prepare(im);
    const status_t status = read_rows(im, &opened);
    im->format->columns.close(&opened);
    im->names = NULL;
    return status;
}

void import_columns_fini(import_t *im)
{
    for (unsigned c = 0; im->column_missing && c < im->schema->columns_count; c++) {
        missing_words_fini(&im->column_missing[c]);
        column_bins_fini(&im->bins[c]);
        mem_free(im->indicators[c].name);
    }
    for (int c = 0; c < im->first_columns; c++)
        mem_free(im->first_names[c]);
    mem_free(im->first_names);
    waiting_rows_destroy(&im->waiting);
    mem_free(im->bins);
    mem_free(im->numbers);
    mem_free(im->column_missing);
    mem_free(im->indicators);
    mem_free(im->slots);
    mem_free(im->numeric_values);
    mem_free(im->single_keys);
    mem_free(im->single_text);
    mem_free(im->bucket);
}
