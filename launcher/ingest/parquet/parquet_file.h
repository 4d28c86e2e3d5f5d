/* parquet_file.h - a Parquet file, row by row: the columns that were asked for, as the texts that a CSV would have
 * (parquet_text.h). It goes through the row groups with a page and a dictionary of each such column in memory. Needs a file
 * that can be read at any place: what there is, and where, is said at its end. Not thread-safe. */
#ifndef SMELTER_PARQUET_FILE_H
#define SMELTER_PARQUET_FILE_H

#include "common/files/fingerprint.h"
#include "launcher/ingest/parquet/parquet_columns.h"

typedef struct parquet_file parquet_file_t;

/* What is made of a column. A list has many texts. */
typedef enum parquet_use { PARQUET_AS_TEXT, PARQUET_AS_NUMBER, PARQUET_AS_MANY } parquet_use_t;

typedef struct parquet_cell {
    char *text; /* a NUL behind it; of a list, a NUL behind each of its texts */
    int bytes;
    bool is_list;
} parquet_cell_t;

/* parquet_file_is - whether a file, and no text that begins alike, says that it is Parquet, or an encrypted one. False of what
 * cannot be opened, and of what is no file. */
bool parquet_file_is(const char *path);

/* parquet_file_open - ST_INPUT: not there, no file, not whole, damaged or encrypted. **owned**; close. */
WARN_UNUSED status_t parquet_file_open(const char *path, parquet_file_t **out);
void parquet_file_close(parquet_file_t **file);

/* parquet_file_columns - all, also those that are not read. */
const parquet_columns_t *parquet_file_columns(const parquet_file_t *file);
int64_t parquet_file_rows(const parquet_file_t *file);

/* parquet_file_want - before the first row.  ST_INPUT, naming file, column and reason: it is not read, or not as this. */
WARN_UNUSED status_t parquet_file_want(parquet_file_t *file, int column, parquet_use_t use);

/* parquet_file_next - a cell for each of all columns, empty where it was not asked for, all in one piece of memory that is
 * valid until the next call; or *end. */
WARN_UNUSED status_t parquet_file_next(parquet_file_t *file, const parquet_cell_t **cells, bool *end);

/* parquet_file_row - number of the row that was returned last, from 1.  parquet_file_fingerprint - of all bytes, which are read
 * for it. */
int64_t parquet_file_row(const parquet_file_t *file);
WARN_UNUSED status_t parquet_file_fingerprint(const parquet_file_t *file, fingerprint_t *out);

#endif
