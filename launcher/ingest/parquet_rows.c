/* Rows of a Parquet file as the format of columns that import reads; a reader that was opened on one has it open. */
#include <string.h>

#include "common/base/memory.h"
#include "launcher/ingest/input_format.h"

typedef struct parquet_rows {
    parquet_file_t *file; /* the reader's */
    char **names;
    text_field_t *fields;
    int columns;
} parquet_rows_t;

static void close_rows(void **state)
{
    parquet_rows_t *rows = *state;
    if (!rows)
        return;
    for (int c = 0; c < rows->columns; c++)
        mem_free(rows->names[c]);
    mem_free(rows->names);
    mem_free(rows->fields);
    mem_free(rows);
    *state = NULL;
}

static status_t open_rows(text_reader_t *reader, const schema_t *schema, void **state, char *const **names, int *count)
{
    parquet_file_t *file = text_reader_parquet(reader);
    if (!file)
        return FAIL(ST_INPUT,
                    "%s: is no Parquet file, which the schema says by format: parquet; name a file that begins with "
                    "PAR1, or another format",
                    text_reader_path(reader));
    const parquet_columns_t *columns = parquet_file_columns(file);
    parquet_rows_t *rows = MEM_NEW(parquet_rows_t);
    rows->file = file;
    rows->columns = (int)columns->count;
    rows->names = MEM_ARRAY(char *, columns->count);
    rows->fields = MEM_ARRAY(text_field_t, columns->count);
    for (int c = 0; c < rows->columns; c++)
        rows->names[c] = schema->header ? mem_strdup(columns->column[c].name) : mem_printf("c%d", c + 1);
    *state = rows;
    *names = rows->names;
    *count = rows->columns;
    return ST_OK;
}

static status_t want_column(void *state, int column, column_use_t use)
{
    static const parquet_use_t uses[] = {
        [COLUMN_AS_TEXT] = PARQUET_AS_TEXT, [COLUMN_AS_NUMBER] = PARQUET_AS_NUMBER, [COLUMN_AS_MANY] = PARQUET_AS_MANY};
    parquet_rows_t *rows = state;
    return parquet_file_want(rows->file, column, uses[use]);
}

static status_t next_row(void *state, text_row_t *row, bool *end)
{
    parquet_rows_t *rows = state;
    const parquet_cell_t *cells;
    TRY(parquet_file_next(rows->file, &cells, end));
    if (*end)
        return ST_OK;
    for (int c = 0; c < rows->columns; c++)
        rows->fields[c] = (text_field_t){cells[c].text, cells[c].bytes, cells[c].is_list};
    *row = (text_row_t){parquet_file_row(rows->file), rows->fields, rows->columns, NULL, 0};
    return ST_OK;
}

const input_format_t input_format_parquet = {.name = "parquet", .columns = {open_rows, next_row, close_rows, want_column}};
