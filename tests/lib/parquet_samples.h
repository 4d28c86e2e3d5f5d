/* parquet_samples.h - files of parquet_writer.h that between them have every type, encoding, codec, level and kind of page that
 * is read, and some that are not: cases of the tests and seeds of the fuzzer. */
#ifndef SMELTER_PARQUET_SAMPLES_H
#define SMELTER_PARQUET_SAMPLES_H

#include "tests/lib/parquet_writer.h"

typedef struct parquet_sample {
    const char *name;
    made_element_t element;
    int encodings[5]; /* ends with -1 */
    made_value_t values[8];
    const char *texts[8];
    int count;
} parquet_sample_t;

/* Columns of one type each, required. */
extern const parquet_sample_t parquet_samples[];
extern const int parquet_samples_count;

/* parquet_sample_file - `repeats` times the sample's values, each third null where they may be; **owned**, mem_free. */
uint8_t *parquet_sample_file(const parquet_sample_t *sample, int encoding, int codec, bool is_v2, bool is_optional, int repeats,
                             size_t *bytes);

/* parquet_nested_file - columns "y" (0, 1), "tags" (a list of texts; layers: 3, 2 or 1), "s.x" and a map "m"; 3 rows. */
uint8_t *parquet_nested_file(int layers, int codec, bool is_v2, size_t *bytes);

#endif
