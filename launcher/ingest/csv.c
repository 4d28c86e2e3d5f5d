#include "launcher/ingest/csv.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"

#define RECORD_MOST (16u << 20) /* a quoted text that goes on for longer was not meant to be one */

void csv_init(csv_t *csv, text_reader_t *reader, char separator, bool quotes)
{
    *csv = (csv_t){.reader = reader, .separator = separator, .quotes = quotes};
}

void csv_fini(csv_t *csv)
{
    mem_free(csv->fields);
    mem_free(csv->joined);
    *csv = (csv_t){0};
}

static text_field_t *add_field(csv_t *csv, char *text, size_t bytes)
{
    if ((size_t)csv->count == csv->fields_capacity)
        MEM_GROW(csv->fields, csv->fields_capacity, (size_t)csv->count + 1);
    text_field_t *field = &csv->fields[csv->count++];
    *field = (text_field_t){.text = text, .bytes = (int)bytes};
    text[bytes] = 0;
    return field;
}

/* Bit i: byte i of eight is the one of which `pattern` has eight. The product brings the high bits of all bytes together. */
static uint64_t bytes_like(const char *text, uint64_t pattern)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t word;
    memcpy(&word, text, sizeof word);
    word ^= pattern;
    const uint64_t like = ~(((word & low) + low) | word | low);
    return (like >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

/* 64 bytes at a time: fields are too short for memchr to be worth its call, and how many end in eight bytes cannot be
 * predicted. */
static void split_plain(csv_t *csv, char *text, char *end)
{
    enum { PIECE = 64 };
    const uint64_t pattern = UINT64_C(0x0101010101010101) * (unsigned char)csv->separator;
    char *start = text;
    for (; text < end; text += PIECE) {
        const int bytes = end - text < PIECE ? (int)(end - text) : PIECE;
        uint64_t found = 0;
        int i = 0;
        for (; i + 8 <= bytes; i += 8)
            found |= bytes_like(text + i, pattern) << i;
        for (; i < bytes; i++)
            found |= (uint64_t)(text[i] == csv->separator) << i;
        for (; found; found &= found - 1) {
            char *stop = text + __builtin_ctzll(found);
            add_field(csv, start, (size_t)(stop - start));
            start = stop + 1;
        }
    }
    add_field(csv, start, (size_t)(end - start));
}

/* Whether text[from, bytes) ends inside quotes. *inside is the state at `from`, which is a record's or a line's start. */
static bool ends_inside(const csv_t *csv, const char *text, size_t from, size_t bytes, bool inside)
{
    bool start = !inside; /* at the start of a field, the only place where a quote opens */
    for (size_t i = from; i < bytes; i++) {
        const char c = text[i];
        if (inside) {
            if (c == '"' && i + 1 < bytes && text[i + 1] == '"')
                i++;
            else if (c == '"')
                inside = false;
        } else if (c == '"' && start) {
            inside = true;
            start = false;
        } else {
            start = c == csv->separator;
        }
    }
    return inside;
}

/* Unquote in place: what is written never overtakes what is read. */
static void split_quoted(csv_t *csv, char *text, char *end)
{
    for (;;) {
        if (text == end || *text != '"') {
            char *stop = memchr(text, csv->separator, (size_t)(end - text));
            add_field(csv, text, (size_t)((stop ? stop : end) - text));
            if (!stop)
                return;
            text = stop + 1;
            continue;
        }
        char *in = text + 1, *out = text;
        for (; *in != '"' || in[1] == '"'; in++) {
            in += *in == '"';
            *out++ = *in;
        }
        in++;
        const bool last = in == end;
        if (!last && *in != csv->separator) {
            csv->fault = "text after a closing quote";
            csv->fault_field = csv->count;
            add_field(csv, in, (size_t)(end - in));
            return;
        }
        add_field(csv, text, (size_t)(out - text));
        if (last)
            return;
        text = in + 1;
    }
}

/* Add lines until the quotes are closed. */
static status_t join_lines(csv_t *csv, char **text, size_t *bytes)
{
    size_t joined = *bytes;
    MEM_GROW(csv->joined, csv->joined_capacity, joined + 1);
    memcpy(csv->joined, *text, joined + 1);
    bool inside = true;
    while (inside) {
        char *line = NULL;
        size_t more = 0;
        if (joined <= RECORD_MOST)
            TRY(text_reader_line(csv->reader, &line, &more));
        if (!line)
            return FAIL(ST_INPUT, "%s:%" PRId64 ": a quote is opened in this row and not closed %s",
                        text_reader_path(csv->reader), csv->line,
                        joined > RECORD_MOST ? "within 16 MiB" : "before the end of the file");
        MEM_GROW(csv->joined, csv->joined_capacity, joined + 1 + more + 1);
        csv->joined[joined] = '\n';
        memcpy(csv->joined + joined + 1, line, more + 1);
        inside = ends_inside(csv, csv->joined, joined, joined + 1 + more, true);
        joined += 1 + more;
    }
    *text = csv->joined;
    *bytes = joined;
    return ST_OK;
}

status_t csv_next(csv_t *csv, bool *end)
{
    char *text;
    size_t bytes;
    do
        TRY(text_reader_line(csv->reader, &text, &bytes));
    while (text && bytes == 0);
    csv->count = 0;
    csv->fault = NULL;
    *end = text == NULL;
    if (!text)
        return ST_OK;
    csv->line = text_reader_number(csv->reader);
    if (!csv->quotes || !memchr(text, '"', bytes)) {
        split_plain(csv, text, text + bytes);
        return ST_OK;
    }
    if (ends_inside(csv, text, 0, bytes, false))
        TRY(join_lines(csv, &text, &bytes));
    split_quoted(csv, text, text + bytes);
    return ST_OK;
}

/* ---- the formats --------------------------------------------------------------------------------------------------------- */

typedef struct csv_rows {
    csv_t csv;
    char **names;
    int columns;
    bool has_first; /* the first record is a row, and has been read */
} csv_rows_t;

static void close_rows(void **state)
{
    csv_rows_t *rows = *state;
    if (!rows)
        return;
    for (int c = 0; c < rows->columns; c++)
        mem_free(rows->names[c]);
    mem_free(rows->names);
    csv_fini(&rows->csv);
    mem_free(rows);
    *state = NULL;
}

/* Names from the header, or c1, c2 ... for a first record that is already data. */
static status_t read_names(csv_rows_t *rows, bool header)
{
    csv_t *csv = &rows->csv;
    bool end;
    TRY(csv_next(csv, &end));
    if (end)
        return FAIL(ST_INPUT, "%s: there is no row in it", text_reader_path(csv->reader));
    if (header && csv->fault)
        return FAIL(ST_INPUT, "%s:%" PRId64 ": the header has %s", text_reader_path(csv->reader), csv->line, csv->fault);
    rows->names = MEM_ARRAY(char *, csv->count);
    rows->columns = csv->count;
    for (int c = 0; c < csv->count; c++)
        rows->names[c] = header ? mem_strdup(csv->fields[c].text) : mem_printf("c%d", c + 1);
    rows->has_first = !header;
    return ST_OK;
}

static status_t open_rows(text_reader_t *reader, const schema_t *schema, void **state, char *const **names, int *count,
                          char separator, bool quotes)
{
    csv_rows_t *rows = MEM_NEW(csv_rows_t);
    void *opened = rows;
    csv_init(&rows->csv, reader, separator, quotes);
    status_t status = read_names(rows, schema->header);
    if (status != ST_OK) {
        close_rows(&opened);
        return status;
    }
    *state = rows;
    *names = rows->names;
    *count = rows->columns;
    return ST_OK;
}

static status_t open_csv(text_reader_t *reader, const schema_t *schema, void **state, char *const **names, int *count)
{
    return open_rows(reader, schema, state, names, count, ',', true);
}

static status_t open_tsv(text_reader_t *reader, const schema_t *schema, void **state, char *const **names, int *count)
{
    return open_rows(reader, schema, state, names, count, '\t', false);
}

static status_t next_row(void *state, text_row_t *row, bool *end)
{
    csv_rows_t *rows = state;
    csv_t *csv = &rows->csv;
    *end = false;
    if (!rows->has_first)
        TRY(csv_next(csv, end));
    rows->has_first = false;
    *row = (text_row_t){csv->line, csv->fields, csv->count, csv->fault, csv->fault_field};
    return ST_OK;
}

const input_format_t input_format_csv = {.name = "csv", .columns = {.open = open_csv, .next = next_row, .close = close_rows}};
const input_format_t input_format_tsv = {.name = "tsv", .columns = {.open = open_tsv, .next = next_row, .close = close_rows}};
