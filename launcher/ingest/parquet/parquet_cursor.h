/* parquet_cursor.h - a column of a Parquet file, row by row, as text. It holds one page, and the texts of one dictionary. Not
 * thread-safe. */
#ifndef SMELTER_PARQUET_CURSOR_H
#define SMELTER_PARQUET_CURSOR_H

#include "launcher/ingest/parquet/parquet_text.h"

#define PARQUET_LEVELS 256

typedef struct parquet_cursor {
    const parquet_column_t *column; /* borrowed */
    bool as_number;
    parquet_pages_t pages;
    int64_t chunk_left; /* values of the chunk that no page had yet */
    int32_t page_left;  /* values of the page whose levels are not read */
    bit_run_t definitions, repetitions;
    uint32_t definition[PARQUET_LEVELS], repetition[PARQUET_LEVELS];
    int level_next, level_end;
    parquet_values_t values;
    bool has_dictionary;
    parquet_buffer_t dictionary; /* texts, one behind the other */
    size_t *ends;                /* of them, */
    size_t entries, ends_capacity;
} parquet_cursor_t;

/* parquet_cursor_init - path and column are borrowed until fini. */
void parquet_cursor_init(parquet_cursor_t *cursor, int fd, const char *path, const parquet_column_t *column, bool as_number);
void parquet_cursor_fini(parquet_cursor_t *cursor);

/* parquet_cursor_start - at the first row of a chunk, whose pages end before `end` of the file. */
WARN_UNUSED status_t parquet_cursor_start(parquet_cursor_t *cursor, const parquet_chunk_t *chunk, int64_t end);

/* parquet_cursor_row - add the text of the next row to the buffer: of a list, each of its values with a NUL behind it; nulls
 * are no text. There has to be a row.  parquet_cursor_finish - there has to be none. */
WARN_UNUSED status_t parquet_cursor_row(parquet_cursor_t *cursor, parquet_buffer_t *buffer);
WARN_UNUSED status_t parquet_cursor_finish(parquet_cursor_t *cursor);

#endif
