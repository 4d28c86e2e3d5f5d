/* parquet_footer.h - what the footer of a Parquet file says: its schema as a flat list, its row groups, and where the pages of
 * each column are. No offset or count in it is believed further than that it lies inside the file. */
#ifndef SMELTER_PARQUET_FOOTER_H
#define SMELTER_PARQUET_FOOTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

#define PARQUET_MAGIC_BYTES 4
#define PARQUET_GROUP (-1) /* the type of an element that has children */

typedef enum parquet_type {
    PARQUET_BOOLEAN,
    PARQUET_INT32,
    PARQUET_INT64,
    PARQUET_INT96,
    PARQUET_FLOAT,
    PARQUET_DOUBLE,
    PARQUET_BYTES,
    PARQUET_FIXED,
    PARQUET_TYPES
} parquet_type_t;

typedef enum parquet_repetition { PARQUET_REQUIRED, PARQUET_OPTIONAL, PARQUET_REPEATED } parquet_repetition_t;

/* What a value means, of ConvertedType and of LogicalType, which says the same in newer words. */
typedef enum parquet_meaning {
    MEANS_PLAIN, /* just its type, or a text */
    MEANS_LIST,
    MEANS_MAP,
    MEANS_DECIMAL,
    MEANS_DATE,
    MEANS_TIME,
    MEANS_TIMESTAMP,
    MEANS_UNSIGNED,
    MEANS_UUID,
    MEANS_FLOAT16,
    MEANS_INTERVAL,
    MEANS_VARIANT
} parquet_meaning_t;

typedef struct parquet_element {
    char *name;    /* **owned** by the footer */
    int32_t type;  /* a parquet_type_t, or PARQUET_GROUP */
    int32_t width; /* bytes of a PARQUET_FIXED */
    int32_t repetition;
    int32_t children;
    parquet_meaning_t meaning;
    int32_t scale;  /* of a decimal */
    int32_t digits; /* of a second, in a time: 3, 6 or 9 */
    int32_t bits;   /* of an unsigned number, 0: all of its type */
} parquet_element_t;

/* The pages of a column in a row group. */
typedef struct parquet_chunk {
    int32_t type, codec;
    int64_t values, first; /* of the values, nulls too; byte of the first page */
    bool is_encrypted, is_elsewhere, is_described;
} parquet_chunk_t;

typedef struct parquet_group {
    int64_t rows;
    int64_t first_chunk; /* of its chunks, one for each column */
    int64_t chunks;
} parquet_group_t;

typedef struct parquet_footer {
    parquet_element_t *elements; /* the tree, parents before their children; the first is the root */
    parquet_group_t *groups;
    parquet_chunk_t *chunks;
    size_t elements_count, groups_count, chunks_count;
    size_t elements_capacity, groups_capacity, chunks_capacity;
    int64_t rows;
    int64_t pages_end; /* byte behind the last one that can be of a page */
} parquet_footer_t;

/* parquet_footer_read - of the open file of so many bytes; **owned**, fini.  ST_INPUT: not whole, encrypted or damaged. */
WARN_UNUSED status_t parquet_footer_read(int fd, const char *path, int64_t file_bytes, parquet_footer_t *out);
void parquet_footer_fini(parquet_footer_t *footer);

/* parquet_read_at - all `bytes` bytes at `offset`, which are inside the file. */
WARN_UNUSED status_t parquet_read_at(int fd, const char *path, int64_t offset, void *out, size_t bytes);

#endif
