/* text_reader.h - lines of a text file, plain, gzip or zstd; or a Parquet file, which has no lines and is opened only.
 *
 * The compression is detected by the first bytes, not by the name; but a file that is named .gz or .zst has to be it. */
#ifndef SMELTER_TEXT_READER_H
#define SMELTER_TEXT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/files/fingerprint.h"
#include "launcher/ingest/parquet/parquet_file.h"

typedef struct text_reader text_reader_t;

/* text_reader_open - of a path, or of standard input (SOURCE_STDIN). ST_INPUT where the file is missing, unreadable, empty (but
 * where it may be) or not what its name says. */
WARN_UNUSED status_t text_reader_open(const char *path, bool may_be_empty, text_reader_t **out);
void text_reader_close(text_reader_t **reader);

/* text_reader_line - the next line without its line ending (LF or CRLF), NUL-terminated, writable, valid until the next
 * call; *line is NULL after the last one. A final line without a line ending counts, a byte order mark does not.
 * ST_INPUT where compressed data is damaged or cut short, naming line and offset. */
WARN_UNUSED status_t text_reader_line(text_reader_t *reader, char **line, size_t *bytes);

/* text_reader_is_empty - of one that was just opened: there is no byte of text. */
bool text_reader_is_empty(const text_reader_t *reader);
/* text_reader_parquet - the Parquet file that was opened, borrowed; NULL of a text. */
parquet_file_t *text_reader_parquet(const text_reader_t *reader);

const char *text_reader_path(const text_reader_t *reader);
/* text_reader_number - number of the line that was returned last, from 1. */
int64_t text_reader_number(const text_reader_t *reader);
/* text_reader_fingerprint - of all bytes of the file, to be asked for after the last line; false where it is no regular
 * file. */
bool text_reader_fingerprint(const text_reader_t *reader, fingerprint_t *out);
/* text_reader_share - how much of the file has been read, 0 to 1; 0 for a pipe. */
double text_reader_share(const text_reader_t *reader);

#endif
