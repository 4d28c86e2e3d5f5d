/* parquet_writer.h - small Parquet files for tests and seeds, made from the format's own documents and not by what is tested: a
 * schema, and columns of given values in any encoding, codec and version of pages. */
#ifndef SMELTER_PARQUET_WRITER_H
#define SMELTER_PARQUET_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MADE_GROUP (-1)
#define MADE_CONVERTED(type) ((type) + 1)

/* An element of the schema, parents before their children; the root is not among them. */
typedef struct made_element {
    const char *name;
    int type, repetition, children; /* type: of parquet.thrift, or MADE_GROUP */
    int converted, logical;         /* 0: none; MADE_CONVERTED of ConvertedType; a field of LogicalType */
    int width, scale;               /* of fixed values; of decimals */
    int unit;                       /* of a logical time: 1 ms, 2 us, 3 ns */
} made_element_t;

typedef struct made_value {
    int definition, repetition;
    int64_t number; /* booleans and whole numbers; bits of a float or a double */
    const char *text;
    int bytes; /* -1: as a string */
} made_value_t;

/* A leaf of the schema, in its order. */
typedef struct made_column {
    const made_value_t *values;
    int count;
    int definition_most, repetition_most;
    int encoding, codec; /* of parquet.thrift; encoding 8 and 2: with a dictionary of all values */
    bool is_v2, is_old;  /* version 2 of pages; BIT_PACKED levels */
    bool has_checksum;
    bool is_encrypted;
    int page_values; /* of a page, 0: all; a row of a list should not end in the middle of a page of version 2 */
} made_column_t;

typedef struct made_file {
    const made_element_t *elements;
    int elements_count, root_children;
    const made_column_t *columns;
    int columns_count;
    int64_t rows;
    int groups; /* how often the same rows come */
} made_file_t;

/* parquet_write - **owned**, mem_free. */
uint8_t *parquet_write(const made_file_t *file, size_t *bytes);

#endif
