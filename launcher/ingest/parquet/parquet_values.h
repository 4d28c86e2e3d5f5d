/* parquet_values.h - the values of a page, one after the other, out of whatever encoding they are in. Not thread-safe. */
#ifndef SMELTER_PARQUET_VALUES_H
#define SMELTER_PARQUET_VALUES_H

#include "launcher/ingest/parquet/bit_run.h"
#include "launcher/ingest/parquet/delta_packed.h"
#include "launcher/ingest/parquet/parquet_page.h"

typedef struct parquet_value {
    int64_t number;    /* booleans and whole numbers; the bits of a float or double; an index into the dictionary */
    const uint8_t *at; /* INT96, byte arrays; borrowed until the next value */
    int32_t bytes;
} parquet_value_t;

#define PARQUET_VALUES_BATCH 128

typedef struct parquet_values {
    int32_t type, encoding, width; /* width: bytes of a value in plain form, 0 where it has a length */
    int32_t most;
    bool is_index;           /* values are indices into the dictionary */
    const uint8_t *at, *end; /* PLAIN and the texts of others */
    uint64_t next;           /* PLAIN booleans, STREAM_SPLIT: which value */
    uint64_t count;          /* STREAM_SPLIT: values in all */
    bit_run_t runs;
    delta_packed_t deltas, prefixes; /* deltas: values, or lengths of what lies in at */
    int64_t delta_batch[PARQUET_VALUES_BATCH];
    uint32_t run_batch[PARQUET_VALUES_BATCH];
    int batch_next, batch_end;
    uint8_t *joined; /* a value that does not lie in one piece */
    size_t joined_bytes, joined_capacity;
} parquet_values_t;

/* parquet_values_start - of so many bytes, borrowed: NULL, or what is wrong. zeros at first; fini releases memory.
 * most: as many values are there, or fewer where some are null. */
const char *parquet_values_start(parquet_values_t *values, const parquet_element_t *element, int32_t encoding,
                                 const uint8_t *bytes, size_t count, int32_t most);
void parquet_values_fini(parquet_values_t *values);

/* parquet_values_next - NULL, or what is wrong. */
const char *parquet_values_next(parquet_values_t *values, parquet_value_t *out);

#endif
