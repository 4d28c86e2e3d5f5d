#include "launcher/init/sample.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/field_text.h"
#include "common/data/time_text.h"
#include "launcher/ingest/input_format.h"
#include "launcher/ingest/sources.h"

#define CELLS_MOST (INT64_C(8) << 20) /* 17 bytes each */
#define COUNTED_MOST INT64_C(2000000) /* rows that are read to be counted */
#define PARTS_MOST (INT64_C(1) << 17) /* different parts of a cut column that are told apart */
#define COLUMNS_MOST 20000

/* ---- cells -------------------------------------------------------------------------------------------------------------- */

const char *const sample_words[] = {"NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "Null", "None", "none", "\\N", "-", NULL};

/* The number of the word for nothing that the text is; -1: it is none. */
static int word_of(const char *text, int bytes)
{
    for (int i = 0; bytes <= 4 && sample_words[i]; i++)
        if (strcmp(text, sample_words[i]) == 0)
            return i;
    return -1;
}

static cell_form_t form_of(const text_field_t *field, double *number)
{
    time_form_t form;
    int64_t time;
    *number = NAN;
    if (field->bytes == 0)
        return CELL_EMPTY;
    if (word_of(field->text, field->bytes) >= 0)
        return CELL_WORD;
    if (field_number(field->text, field->bytes, number) == NULL) {
        if (!isfinite((float)*number))
            return CELL_TEXT;
        return *number == floor(*number) && fabs(*number) < 1e18 ? CELL_WHOLE : CELL_NUMBER;
    }
    *number = NAN;
    if (time_read(field->text, field->bytes, &form, &time) == NULL && form == TIME_DATE) {
        *number = (double)time;
        return CELL_DATE;
    }
    return CELL_TEXT;
}

/* Note a part among the different ones; beyond PARTS_MOST they only count as more. */
static void add_part(sample_cut_t *cut, uint64_t hash)
{
    hash += hash == 0;
    if (cut->distinct * 2 >= cut->capacity && cut->distinct < PARTS_MOST) {
        const int64_t capacity = cut->capacity ? 2 * cut->capacity : 64;
        uint64_t *set = MEM_ARRAY(uint64_t, capacity);
        for (int64_t i = 0; i < cut->capacity; i++) {
            uint64_t at = cut->set[i] ? hash_mix(cut->set[i]) : 0;
            for (; cut->set[i] && set[at & (uint64_t)(capacity - 1)]; at++)
                ;
            if (cut->set[i])
                set[at & (uint64_t)(capacity - 1)] = cut->set[i];
        }
        mem_free(cut->set);
        cut->set = set;
        cut->capacity = capacity;
    }
    uint64_t at = hash_mix(hash), mask = (uint64_t)(cut->capacity - 1);
    while (cut->set[at & mask] && cut->set[at & mask] != hash)
        at++;
    if (!cut->set[at & mask]) {
        if (cut->distinct < PARTS_MOST)
            cut->set[at & mask] = hash;
        cut->distinct++;
    }
}

static void cut_cell(sample_column_t *column, const text_field_t *field)
{
    for (int s = 0; s < SAMPLE_SEPARATORS_COUNT; s++) {
        sample_cut_t *cut = &column->cut[s];
        const char separator = SAMPLE_SEPARATORS[s], *end = field->text + field->bytes;
        cut->cells += memchr(field->text, separator, (size_t)field->bytes) != NULL;
        for (const char *at = field->text; at < end;) {
            const char *stop = memchr(at, separator, (size_t)(end - at));
            stop = stop ? stop : end;
            if (stop > at && cut->distinct < PARTS_MOST)
                add_part(cut, dataset_key(at, (int)(stop - at)));
            cut->parts += stop > at;
            at = stop + 1;
        }
    }
}

/* Values that have a NUL behind each. */
static void cut_list(sample_column_t *column, const text_field_t *field)
{
    column->is_list = true;
    column->cut[0].cells++;
    for (const char *at = field->text, *end = at + field->bytes; at < end; at += strlen(at) + 1) {
        add_part(&column->cut[0], dataset_key(at, (int)strlen(at)));
        column->cut[0].parts++;
    }
}

static void keep_text(sample_column_t *column, const text_field_t *field)
{
    for (size_t i = 0; i < sizeof column->text / sizeof *column->text; i++) {
        if (!column->text[i]) {
            column->text[i] = mem_printf("%.80s", field->text);
            return;
        }
        if (strncmp(column->text[i], field->text, 80) == 0)
            return;
    }
}

static void put_cell(sample_column_t *column, int64_t row, const text_field_t *field)
{
    const cell_form_t form = field->is_list ? CELL_TEXT : form_of(field, &column->number[row]);
    if (field->is_list)
        column->number[row] = NAN;
    column->hash[row] = dataset_key(field->text, field->bytes);
    column->form[row] = (uint8_t)form;
    column->text_bytes += field->bytes;
    if (form == CELL_WORD)
        column->words |= UINT32_C(1) << word_of(field->text, field->bytes);
    if (field->is_list)
        cut_list(column, field);
    else if (form == CELL_TEXT && row > 0) /* the first may be a name */
        cut_cell(column, field);
    if (form != CELL_EMPTY && form != CELL_WORD)
        keep_text(column, field);
}

/* ---- which format ------------------------------------------------------------------------------------------------------- */

/* LABEL ID:VALUE ...: a number, and then pairs with a colon, or a query id. */
static bool is_features(const char *line)
{
    const size_t label = strspn(line, "0123456789+-.eE");
    const char *at = line + label + strspn(line + label, " \t");
    const char *colon = strchr(at, ':');
    return label > 0 && at > line + label && colon && colon > at && !strpbrk(line, ",;") &&
           ((size_t)(colon - at) == strspn(at, "0123456789") || strncmp(at, "qid:", 4) == 0);
}

/* FIELD:ID:VALUE is libffm's. */
static text_format_t format_of_features(const char *line)
{
    const char *first = strchr(line, ':'), *word = first + strcspn(first, " \t");
    const char *second = strchr(first + 1, ':');
    return second && second < word ? FORMAT_LIBFFM : FORMAT_LIBSVM;
}

static int64_t count_outside_quotes(const char *line, char c)
{
    int64_t n = 0;
    bool inside = false;
    for (; *line; line++) {
        inside ^= *line == '"';
        n += *line == c && !inside;
    }
    return n;
}

/* By the first line: columns between tabs or commas, or features. */
static status_t find_format(const char *path, text_format_t *out)
{
    text_reader_t *reader = NULL;
    char *line;
    size_t bytes;
    status_t status;
    TRY(text_reader_open(path, false, &reader));
    *out = FORMAT_PARQUET;
    if (text_reader_parquet(reader)) {
        text_reader_close(&reader);
        return ST_OK;
    }
    do
        TRY_DONE(text_reader_line(reader, &line, &bytes));
    while (line && bytes == 0);
    if (!line)
        TRY_DONE(FAIL(ST_INPUT, "%s: there is no row in it", path));
    const int64_t tabs = count_outside_quotes(line, '\t'), commas = count_outside_quotes(line, ',');
    *out = is_features(line) ? format_of_features(line) : tabs > 0 && tabs >= commas ? FORMAT_TSV : FORMAT_CSV;
    static const char others[] = ";|";
    for (const char *other = others; *other && tabs + commas == 0 && *out == FORMAT_CSV; other++)
        if (count_outside_quotes(line, *other) > 0)
            TRY_DONE(FAIL(ST_INPUT,
                          "%s: the first line has '%c' between its columns, and neither commas nor tabs, which import cuts at; "
                          "write the file with one of them (in pandas: to_csv(sep=\"\\t\"))",
                          path, *other));
done:
    text_reader_close(&reader);
    return status;
}

/* ---- which names -------------------------------------------------------------------------------------------------------- */

/* The first record names the columns: none of its cells is a number or a date, no two are alike, and, where all columns hold
 * texts, no cell of it comes again below. */
static bool is_header(const sample_t *sample, char *const *first)
{
    bool has_numbers = false;
    for (int c = 0; c < sample->columns; c++) {
        const sample_column_t *column = &sample->column[c];
        double number;
        const text_field_t field = {.text = first[c], .bytes = (int)strlen(first[c])};
        const cell_form_t form = form_of(&field, &number);
        if (form == CELL_WHOLE || form == CELL_NUMBER || form == CELL_DATE || form == CELL_WORD)
            return false;
        for (int64_t row = 1; row < sample->rows && row < 1000; row++)
            has_numbers = has_numbers || (form == CELL_TEXT && !isnan(column->number[row]));
    }
    for (int c = 0; c < sample->columns && !has_numbers; c++)
        for (int64_t row = 1; row < sample->rows; row++)
            if (sample->column[c].hash[row] == sample->column[c].hash[0] && *first[c])
                return false;
    return true;
}

/* Names from the first record, which then is none of the rows; of Parquet, which has them apart, those of the format. */
static void name_columns(sample_t *sample, char *const *first, char *const *names)
{
    sample->header = sample->format != FORMAT_PARQUET && is_header(sample, first);
    for (int c = 0; c < sample->columns; c++) {
        sample_column_t *column = &sample->column[c];
        column->name = sample->format == FORMAT_PARQUET ? mem_strdup(names[c])
                       : sample->header                 ? mem_strdup(first[c])
                                                        : mem_printf("c%d", c + 1);
        if (!sample->header)
            continue;
        const size_t rest = sample->rows > 0 ? (size_t)sample->rows - 1 : 0;
        memmove(column->hash, column->hash + 1, rest * sizeof *column->hash);
        memmove(column->number, column->number + 1, rest * sizeof *column->number);
        memmove(column->form, column->form + 1, rest);
        if (column->text[0] && strncmp(column->text[0], first[c], 80) == 0) { /* the name was kept as a text */
            mem_free(column->text[0]);
            column->text[0] = column->text[1];
            column->text[1] = column->text[2];
            column->text[2] = NULL;
        }
    }
    sample->rows -= sample->header && sample->rows > 0;
    sample->in_file -= sample->header && sample->in_file > 0;
    sample->header = sample->header || sample->format == FORMAT_PARQUET;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static void make_columns(sample_t *sample, int columns, int64_t rows)
{
    sample->columns = columns;
    sample->column = MEM_ARRAY(sample_column_t, columns);
    for (int c = 0; c < columns; c++) {
        sample->column[c].hash = MEM_ARRAY(uint64_t, rows);
        sample->column[c].number = MEM_ARRAY(double, rows);
        sample->column[c].form = MEM_ARRAY(uint8_t, rows);
    }
}

static void note_fault(sample_t *sample, int64_t line, const char *fault)
{
    if (sample->faulty++ == 0) {
        sample->fault_line = line;
        sample->fault = fault;
    }
}

static status_t fail_faulty(const text_reader_t *reader, const sample_t *sample)
{
    return FAIL(ST_INPUT, "%s: no row has a proper form; the first, in line %" PRId64 ": %s", text_reader_path(reader),
                sample->fault_line, sample->fault);
}

/* How many rows the whole file has, by how much of it these were; of Parquet the file says it. */
static void settle_count(sample_t *sample, const text_reader_t *reader, bool end)
{
    const double share = text_reader_share(reader);
    const parquet_file_t *parquet = text_reader_parquet(reader);
    sample->is_counted = end || parquet;
    if (parquet)
        sample->in_file = parquet_file_rows(parquet);
    else if (!end && share > 0.0)
        sample->in_file = (int64_t)((double)sample->in_file / share);
}

/* All columns, lists among them; what cannot be read stays empty, which is said of it later. */
static void want_all(const input_format_t *format, void *state, int columns)
{
    const log_level_t level = log_level();
    log_set_level(LOG_NONE);
    for (int c = 0; c < columns && format->columns.want; c++)
        if (format->columns.want(state, c, COLUMN_AS_MANY) != ST_OK)
            continue;
    log_set_level(level);
}

static status_t read_columns(text_reader_t *reader, const input_format_t *format, sample_t *sample)
{
    const schema_t bare = {.format = sample->format, .header = sample->format == FORMAT_PARQUET};
    void *state = NULL;
    char *const *names, **first = NULL;
    int columns = 0;
    bool end = false;
    status_t status;
    TRY(format->columns.open(reader, &bare, &state, &names, &columns));
    if (columns > COLUMNS_MOST)
        TRY_DONE(FAIL(ST_INPUT, "%s: the first line has %d columns; at most %d are looked at", text_reader_path(reader),
                      columns, COLUMNS_MOST));
    want_all(format, state, columns);
    const int64_t most = CELLS_MOST / columns;
    make_columns(sample, columns, most);
    first = MEM_ARRAY(char *, columns);
    const int64_t counted = sample->format == FORMAT_PARQUET ? most : COUNTED_MOST; /* who knows the rest needs not read it */
    while (!end && sample->in_file < counted) {
        text_row_t row;
        TRY_DONE(format->columns.next(state, &row, &end));
        if (end)
            break;
        if (row.fault || row.count != columns) {
            note_fault(sample, row.line, row.fault ? row.fault : "another number of columns than the first row");
            continue;
        }
        for (int c = 0; c < columns && sample->rows < most; c++) {
            put_cell(&sample->column[c], sample->rows, &row.fields[c]);
            if (!first[c])
                first[c] = mem_strdup(row.fields[c].text);
        }
        sample->rows += sample->rows < most;
        sample->in_file++;
    }
    if (sample->rows == 0)
        TRY_DONE(fail_faulty(reader, sample));
    settle_count(sample, reader, end);
    name_columns(sample, first, names);
done:
    for (int c = 0; c < columns && first; c++)
        mem_free(first[c]);
    mem_free(first);
    format->columns.close(&state);
    return status;
}

static status_t read_features(text_reader_t *reader, const input_format_t *format, int64_t limit, sample_t *sample)
{
    const schema_t bare = {.format = sample->format, .feature_limit = limit};
    label_reader_t labels;
    label_reader_init(&labels, "", true);
    feature_row_t row = {.label_reader = &labels};
    char *line = NULL;
    size_t bytes;
    status_t status = ST_OK;
    while (sample->in_file < COUNTED_MOST) {
        TRY_DONE(text_reader_line(reader, &line, &bytes));
        if (!line)
            break;
        if (!format->features.is_row(line, bytes))
            continue;
        sample->has_group = sample->has_group || format->features.has_group(line, bytes);
        if (!format->features.parse(line, bytes, &bare, &row)) {
            note_fault(sample, text_reader_number(reader), row.fault);
            continue;
        }
        sample->positive += row.label;
        sample->in_file++;
    }
    sample->rows = sample->in_file;
    settle_count(sample, reader, line == NULL);
done:
    feature_row_fini(&row);
    label_reader_fini(&labels);
    return status;
}

/* Ids are numbers up to 2^48 unless fewer rows are faulty where any text is one. */
static status_t read_any_features(text_reader_t *reader, const input_format_t *format, sample_t *sample)
{
    sample_t other = {.format = sample->format, .any_id = true};
    text_reader_t *again;
    TRY(read_features(reader, format, INT64_C(1) << 48, sample));
    if (sample->faulty == 0)
        return ST_OK;
    TRY(text_reader_open(text_reader_path(reader), false, &again));
    const status_t status = read_features(again, format, 0, &other);
    text_reader_close(&again);
    TRY(status);
    if (other.faulty < sample->faulty)
        *sample = other;
    return sample->rows ? ST_OK : fail_faulty(reader, sample);
}

status_t sample_read(const char *path, sample_t *out)
{
    text_reader_t *reader = NULL;
    struct stat facts;
    status_t status;
    *out = (sample_t){0};
    if (strcmp(path, SOURCE_STDIN) == 0 || (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode)))
        return FAIL(ST_INPUT, "%s: is no file; it is looked at here and imported later, so it must be one that stays", path);
    TRY(find_format(path, &out->format));
    TRY(text_reader_open(path, false, &reader));
    const input_format_t *format = input_format_get(out->format);
    TRY_DONE(format->features.parse ? read_any_features(reader, format, out) : read_columns(reader, format, out));
done:
    text_reader_close(&reader);
    if (status != ST_OK)
        sample_free(out);
    return status;
}

void sample_free(sample_t *sample)
{
    for (int c = 0; c < sample->columns; c++) {
        sample_column_t *column = &sample->column[c];
        mem_free(column->name);
        mem_free(column->hash);
        mem_free(column->number);
        mem_free(column->form);
        for (size_t i = 0; i < sizeof column->text / sizeof *column->text; i++)
            mem_free(column->text[i]);
        for (int s = 0; s < SAMPLE_SEPARATORS_COUNT; s++)
            mem_free(column->cut[s].set);
    }
    mem_free(sample->column);
    *sample = (sample_t){0};
}
