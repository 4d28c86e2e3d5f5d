/* parquet_page.h - the pages of a column in a row group, one after the other, decompressed.
 *
 * A page's size is believed only as far as its bytes are in the file and the codec can make so much of them; a checksum that is
 * there is checked. Memory is that of the largest page. Not thread-safe. */
#ifndef SMELTER_PARQUET_PAGE_H
#define SMELTER_PARQUET_PAGE_H

#include "launcher/ingest/parquet/parquet_columns.h"

typedef enum parquet_page_kind { PAGE_DATA, PAGE_INDEX, PAGE_DICTIONARY, PAGE_DATA_V2 } parquet_page_kind_t;

typedef enum parquet_encoding {
    ENCODING_PLAIN = 0,
    ENCODING_PLAIN_DICTIONARY = 2,
    ENCODING_RLE = 3,
    ENCODING_BIT_PACKED = 4,
    ENCODING_DELTA_PACKED = 5,
    ENCODING_DELTA_LENGTH = 6,
    ENCODING_DELTA_BYTES = 7,
    ENCODING_RLE_DICTIONARY = 8,
    ENCODING_STREAM_SPLIT = 9
} parquet_encoding_t;

typedef struct parquet_page {
    int32_t kind, encoding;
    int32_t values; /* nulls too */
    int32_t definition_encoding, repetition_encoding;
    int32_t definition_bytes, repetition_bytes; /* PAGE_DATA_V2: of the levels before the values */
    const uint8_t *bytes;                       /* borrowed until the next page */
    size_t count;
} parquet_page_t;

typedef struct parquet_pages {
    int fd;
    const char *path;   /* borrowed */
    const char *column; /* borrowed; for messages */
    int32_t codec;
    int64_t at, end; /* of the file: where the next page is, and what no page passes */
    uint8_t *file;   /* bytes of the file from file_at on */
    int64_t file_at;
    size_t file_bytes, file_capacity;
    uint8_t *raw; /* decompressed */
    size_t raw_capacity;
} parquet_pages_t;

/* parquet_pages_start - zeros at first; the pages of a chunk.  ST_INPUT: one that is not read.  fini releases memory. */
WARN_UNUSED status_t parquet_pages_start(parquet_pages_t *pages, const parquet_chunk_t *chunk, const parquet_column_t *column,
                                         int64_t end);
void parquet_pages_fini(parquet_pages_t *pages);

/* parquet_pages_next - data pages and dictionaries; others are passed over. There has to be one. */
WARN_UNUSED status_t parquet_pages_next(parquet_pages_t *pages, parquet_page_t *page);

/* parquet_pages_damaged - ST_INPUT with the reason, naming file, column and place. */
status_t parquet_pages_damaged(const parquet_pages_t *pages, const char *why);

#endif
