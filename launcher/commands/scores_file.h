/* scores_file.h - what smelter predict writes: FILE.f32, floats and nothing else, and FILE.tsv or FILE.csv, a line for each
 * example. */
#ifndef SMELTER_SCORES_FILE_H
#define SMELTER_SCORES_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "launcher/ingest/carried.h"

typedef struct scores_file {
    int64_t rows;
    const float *p;
    const uint8_t *label;     /* 0, 1; more where there is none */
    const uint64_t *group;    /* or NULL */
    const int64_t *row;       /* of the input */
    const float *std, *pd;    /* both or neither: how far replicas or components are apart */
    const carried_t *carried; /* or NULL */
    bool carried_by_example;  /* and not by row of the input: what is carried is of a dataset */
} scores_file_t;

/* scores_file_prepare - before hours of scoring: whether files can be written there, and replace nothing but earlier ones.
 * scores_file_write - both, and say their names. */
WARN_UNUSED status_t scores_file_prepare(const char *name);
WARN_UNUSED status_t scores_file_write(const char *name, const scores_file_t *scores);

#endif
