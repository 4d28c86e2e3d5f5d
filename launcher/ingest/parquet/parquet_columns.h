/* parquet_columns.h - the columns of a Parquet file by the names that a schema calls them by.
 *
 *     price                      a column
 *     user.age                   a column of a struct, at any depth
 *     tags                       a list of values, in the three levels of today's writers, the two of older ones, or none
 *     items.id                   a column of a list of structs
 *
 * What is not read has a name, too, so that who asks for it is told why: a map, a list of lists, a struct itself. */
#ifndef SMELTER_PARQUET_COLUMNS_H
#define SMELTER_PARQUET_COLUMNS_H

#include "launcher/ingest/parquet/parquet_footer.h"

typedef struct parquet_column {
    char *name;    /* **owned** */
    char *refusal; /* **owned**; NULL, or what it is that is not read */
    int leaf;      /* which of a row group's chunks; -1: none */
    const parquet_element_t *element;
    int definition_most, repetition_most; /* levels: 0, where there are none to read */
    bool is_list;
} parquet_column_t;

typedef struct parquet_columns {
    parquet_column_t *column;
    size_t count, capacity;
    int leaves;
} parquet_columns_t;

/* parquet_columns_make - of a footer, borrowed as long as the columns are used; **owned**, fini.  ST_INPUT: no tree. */
WARN_UNUSED status_t parquet_columns_make(const char *path, const parquet_footer_t *footer, parquet_columns_t *out);
void parquet_columns_fini(parquet_columns_t *columns);

#endif
