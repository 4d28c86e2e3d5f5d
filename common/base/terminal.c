#include "common/base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"

#define LEAST_WIDTH 20
#define MOST_WIDTH 10000
#define COLUMNS_OF_PARENT "SMELTER_COLUMNS" /* of its standard output and error, with a comma between; 0: no terminal */

/* ---- the terminal ---- */

static int parse_width(const char *text)
{
    char *end;
    const long value = text ? strtol(text, &end, 10) : 0;
    return value >= 1 && value <= MOST_WIDTH && !*end ? (int)value : 0;
}

static bool is_behind;

void terminal_is_behind(void)
{
    is_behind = true;
}

bool terminal_is_own(int fd)
{
    return !is_behind && isatty(fd);
}

int terminal_width(int fd)
{
    int width = 0;
    struct winsize size;
    if (terminal_is_own(fd)) {
        width = parse_width(getenv("COLUMNS"));
        if (!width && ioctl(fd, TIOCGWINSZ, &size) == 0)
            width = size.ws_col;
        width = width ? width : 80;
    } else if (is_behind) {
        const char *told = getenv(COLUMNS_OF_PARENT), *comma = told ? strchr(told, ',') : NULL;
        if (comma)
            width = atoi(fd == STDOUT_FILENO ? told : comma + 1);
    }
    return width < LEAST_WIDTH || width > MOST_WIDTH ? 0 : width;
}

void terminal_tell_children(void)
{
    char text[32];
    snprintf(text, sizeof text, "%d,%d", terminal_width(STDOUT_FILENO), terminal_width(STDERR_FILENO));
    setenv(COLUMNS_OF_PARENT, text, 1);
}

bool terminal_has_colour(int fd)
{
    const char *refused = getenv("NO_COLOR"), *kind = getenv("TERM");
    return terminal_is_own(fd) && !(refused && *refused) && kind && *kind && strcmp(kind, "dumb") != 0;
}

/* ---- lines ---- */

typedef struct folded {
    char *out;
    size_t used, capacity;
} folded_t;

static void put(folded_t *rows, const char *text, size_t bytes)
{
    if (bytes > rows->capacity - rows->used)
        bytes = rows->capacity - rows->used;
    memcpy(rows->out + rows->used, text, bytes);
    rows->used += bytes;
}

static void put_spaces(folded_t *rows, int n)
{
    for (; n > 0; n--)
        put(rows, " ", 1);
}

static bool is_begin(char c) /* of a character: not one of the bytes that go on with it */
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Bytes of text that a row of `room` columns takes: all, or up to the last space, or as many as fit where there is none. */
static size_t row_bytes(const char *text, size_t bytes, int room)
{
    size_t i = 0, space = 0;
    for (int columns = 0; i < bytes; i++) {
        columns += is_begin(text[i]);
        if (columns > room && text[i] == ' ' && i > 0)
            return i;
        if (columns > room)
            break;
        if (text[i] == ' ')
            space = i;
    }
    return i == bytes ? bytes : space ? space : i;
}

static int hanging_indent(const char *text, size_t bytes, int width)
{
    size_t first = 0;
    while (first < bytes && text[first] == ' ')
        first++;
    for (size_t i = first; i + 2 < bytes && i < (size_t)width / 2; i++)
        if (text[i] == ' ' && text[i + 1] == ' ') {
            while (i < bytes && text[i] == ' ')
                i++;
            return i < bytes && i <= (size_t)width / 2 ? (int)i : (int)first;
        }
    return first < (size_t)width / 2 ? (int)first : 0;
}

size_t terminal_fold(char *out, size_t capacity, const char *text, size_t bytes, int width, int indent)
{
    folded_t rows = {out, 0, capacity};
    if (indent < 0)
        indent = hanging_indent(text, bytes, width);
    size_t lead = 0; /* spaces in front of the first word are no place to break */
    while (lead < bytes && text[lead] == ' ' && lead < (size_t)width / 2)
        lead++;
    put(&rows, text, lead);
    text += lead;
    bytes -= lead;
    for (int room = width - (int)lead; bytes > 0; room = width - indent) {
        const size_t n = row_bytes(text, bytes, room);
        size_t shown = n, next = n;
        while (next < bytes && text[next] == ' ')
            next++;
        while (next < bytes && shown > 0 && text[shown - 1] == ' ')
            shown--;
        put(&rows, text, shown);
        text += next;
        bytes -= next;
        if (bytes > 0) {
            put(&rows, "\n", 1);
            put_spaces(&rows, indent);
        }
    }
    return rows.used;
}

/* ---- the log ---- */

#define TIME_BYTES (sizeof "12:34:56.789 " - 1)

size_t terminal_log_line(char *out, size_t capacity, const char *line, size_t bytes, int width, bool colour)
{
    static const struct {
        const char *word, *colour;
    } levels[] = {{": error: ", "\033[31m"}, {": warn: ", "\033[33m"}};
    char text[8192];
    folded_t rows = {out, 0, capacity};
    const size_t clear = strlen(LOG_CLEAR_LINE);
    if (bytes > clear && memcmp(line, LOG_CLEAR_LINE, clear) == 0) {
        put(&rows, line, clear);
        line += clear;
        bytes -= clear;
    }
    bytes -= bytes > 0 && line[bytes - 1] == '\n';
    size_t n = bytes;
    if (width)
        n = terminal_fold(text, sizeof text, line, bytes, width, TIME_BYTES);
    else
        memcpy(text, line, n = bytes < sizeof text ? bytes : sizeof text);
    const char *colon = n > TIME_BYTES ? memchr(text + TIME_BYTES, ':', n - TIME_BYTES) : NULL;
    for (size_t i = 0; colour && colon && i < sizeof levels / sizeof *levels; i++) {
        const size_t length = strlen(levels[i].word);
        if ((size_t)(text + n - colon) < length || memcmp(colon, levels[i].word, length) != 0)
            continue;
        const size_t before = (size_t)(colon + 2 - text);
        put(&rows, text, before);
        put(&rows, levels[i].colour, strlen(levels[i].colour));
        put(&rows, colon + 2, length - 4); /* without ": " on either side */
        put(&rows, "\033[0m", 4);
        put(&rows, text + before + length - 4, n - before - (length - 4));
        n = 0;
    }
    put(&rows, text, n);
    put(&rows, "\n", 1);
    return rows.used;
}

/* ---- tables ---- */

#define MOST_TABLE_COLUMNS 64

typedef struct text_table {
    const char *text;
    size_t width; /* of the longest line, in characters */
    int columns;  /* cells of a line begin and end where the table's columns do */
    size_t begin[MOST_TABLE_COLUMNS], end[MOST_TABLE_COLUMNS];
} text_table_t;

/* Where column c of a line begins, in bytes from its start; the line's end where it is shorter. */
static size_t byte_of(const char *line, size_t bytes, size_t column)
{
    size_t i = 0;
    for (; i < bytes; i++)
        if (is_begin(line[i]) && column-- == 0)
            break;
    return i;
}

/* Mark each character column that some line has more than a space in. */
static bool *used_columns(text_table_t *table)
{
    bool *used = MEM_ARRAY(bool, strlen(table->text) + 2);
    for (const char *line = table->text; *line;) {
        const size_t bytes = strcspn(line, "\n");
        size_t column = 0;
        for (size_t i = 0; i < bytes; i++) {
            used[column] = used[column] || line[i] != ' ';
            column += i + 1 == bytes || is_begin(line[i + 1]);
        }
        table->width = column > table->width ? column : table->width;
        line += bytes + (line[bytes] != 0);
    }
    return used;
}

static void find_columns(text_table_t *table)
{
    bool *used = used_columns(table);
    for (size_t at = 0; at < table->width && table->columns < MOST_TABLE_COLUMNS;) {
        size_t end = at;
        while (end < table->width && (used[end] || used[end + 1]))
            end++;
        table->begin[table->columns] = at;
        table->end[table->columns++] = end;
        for (at = end; at < table->width && !used[at];)
            at++;
    }
    if (table->columns > 0)
        table->end[table->columns - 1] = table->width;
    mem_free(used);
}

static void put_cell(FILE *out, const char *line, size_t bytes, size_t begin, size_t end)
{
    const size_t from = byte_of(line, bytes, begin), to = byte_of(line, bytes, end);
    fwrite(line + from, 1, to - from, out);
}

/* The table's first column, and its columns from..to - 1. */
static void put_part(FILE *out, const text_table_t *table, int from, int to)
{
    for (const char *line = table->text; *line;) {
        const size_t bytes = strcspn(line, "\n");
        char *row = NULL;
        size_t length = 0;
        FILE *memory = open_memstream(&row, &length);
        ASSERT(memory);
        put_cell(memory, line, bytes, 0, table->end[0]);
        /* Cells to the right of their column's heading keep their place, because each column is cut with its gap. */
        put_cell(memory, line, bytes, table->end[from - 1], table->end[to - 1]);
        const int failed = fclose(memory);
        ASSERT(failed == 0);
        while (length > 0 && row[length - 1] == ' ')
            length--;
        fwrite(row, 1, length, out);
        fputc('\n', out);
        free(row);
        line += bytes + (line[bytes] != 0);
    }
}

void terminal_put_table(FILE *out, const char *text, int width)
{
    text_table_t table = {.text = text};
    find_columns(&table);
    if (!width || table.width <= (size_t)width || table.columns < 3) {
        fputs(text, out);
        return;
    }
    for (int from = 1, to; from < table.columns; from = to) {
        to = from + 1;
        while (to < table.columns && table.end[0] + table.end[to] - table.end[from - 1] <= (size_t)width)
            to++;
        if (from > 1)
            fputc('\n', out);
        put_part(out, &table, from, to);
    }
}
