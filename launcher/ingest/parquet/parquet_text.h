/* parquet_text.h - a value as the text that the same value has in a CSV, so that a model that was trained on the one scores the
 * other. The forms are those of Python, pandas and DuckDB:
 *
 *     boolean     true, false; 1, 0 where a number is wanted (a label, a numeric column)
 *     integer     -42, also unsigned ones and those of 8 and 16 bits
 *     float       the fewest digits that read back to the same value of its own width: 0.1, 20.0, 1e+16; a NaN is nothing
 *     decimal     with all digits of its scale: 1.00
 *     date        2016-06-14
 *     timestamp   2016-06-14 04:06:19.061, in UTC; zeros at the end of a fraction are left out
 *     time        04:06:19.061
 *     UUID        123e4567-e89b-12d3-a456-426614174000
 *     bytes       as they are */
#ifndef SMELTER_PARQUET_TEXT_H
#define SMELTER_PARQUET_TEXT_H

#include "launcher/ingest/parquet/parquet_values.h"

typedef struct parquet_buffer {
    char *at;
    size_t bytes, capacity;
} parquet_buffer_t;

void parquet_buffer_put(parquet_buffer_t *buffer, const void *text, size_t bytes);

/* parquet_text_put - add the text: NULL, or what is wrong with the value. */
const char *parquet_text_put(parquet_buffer_t *buffer, const parquet_element_t *element, bool as_number,
                             const parquet_value_t *value);

#endif
