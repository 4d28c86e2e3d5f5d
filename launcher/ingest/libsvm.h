/* libsvm.h - a line of libsvm or libfm text: LABEL [qid:GROUP] ID:VALUE ... [# comment] */
#ifndef SMELTER_LIBSVM_H
#define SMELTER_LIBSVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct libsvm_row {
    uint8_t label;
    bool has_group;
    uint64_t group;
    int count;
    char **ids; /* [count] decimal text without leading zeros, NUL-terminated, in the line */
    int *id_bytes;
    uint64_t *keys;
    float *weights;
    size_t ids_capacity, id_bytes_capacity, keys_capacity, weights_capacity;
    /* What is wrong, where libsvm_parse returns false: the text is in the line, or NULL where nothing is there. */
    const char *fault, *fault_column, *fault_text;
    int fault_bytes;
} libsvm_row_t;

void libsvm_fini(libsvm_row_t *row);

/* libsvm_parse - read a line, which is changed and has to stay while the row is used.  Ids up to feature_limit; the key of
 * an id is dataset_key of its decimal text. Labels 0 and 1, or -1 and +1.  false: see fault. */
bool libsvm_parse(char *line, size_t bytes, int64_t feature_limit, libsvm_row_t *row);

/* libsvm_has_group - whether the line names a query id. */
bool libsvm_has_group(const char *line, size_t bytes);

#endif
