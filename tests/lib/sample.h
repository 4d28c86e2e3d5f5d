/* sample.h - a small random dataset that a test holds in memory as plain arrays too, so that a naive loop can say what the
 * readers of the stored one must see. The group of an example is its position + 1: examples can be told apart by it. */
#ifndef SMELTER_SAMPLE_H
#define SMELTER_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/data/dataset.h"

#define SAMPLE_FIELDS_MOST 4 /* of each kind */
#define SAMPLE_VALUES_MOST 5 /* of a multi-valued field */

typedef struct sample_options {
    const char *path;
    uint64_t seed;
    int rows, single, multi, numeric;
    int values;            /* distinct keys of a field; the same keys occur in every field */
    double train_fraction; /* of the rows, anywhere in the dataset */
    bool weights;          /* values of multi-valued fields have weights other than 1 */
} sample_options_t;

typedef struct sample_row {
    bool train;
    uint8_t label;
    uint64_t group;
    float numeric[SAMPLE_FIELDS_MOST];
    uint64_t single[SAMPLE_FIELDS_MOST];
    int count[SAMPLE_FIELDS_MOST];
    uint64_t key[SAMPLE_FIELDS_MOST][SAMPLE_VALUES_MOST];
    float weight[SAMPLE_FIELDS_MOST][SAMPLE_VALUES_MOST];
} sample_row_t;

typedef struct sample {
    sample_options_t o;
    sample_row_t *row; /* [rows], in stored order */
    int *train, *eval; /* stored positions of the splits */
    int train_rows, eval_rows;
} sample_t;

/* sample_create - draw the rows and write the dataset at options->path. Odd multi-valued fields are pooled by their mean,
 * even ones by their sum. **owned**; sample_destroy. Ends the test where writing fails. */
sample_t *sample_create(const sample_options_t *options);
void sample_destroy(sample_t **sample);

/* sample_scale - factor of value i of multi-valued field m in its pooled sum. */
float sample_scale(const sample_row_t *row, int m, int i);

#endif
