/* continued.h - what a run that was trained on appended rows alone went on from: the member "continued" of its manifest. */
#ifndef SMELTER_CONTINUED_H
#define SMELTER_CONTINUED_H

#include "common/config/config.h"
#include "common/data/dataset.h"
#include "common/files/jsondoc.h"

typedef struct continued {
    char *from;      /* **owned**: the folder of the run, as the configuration has it; NULL: the run went on from none */
    char digest[33]; /* of that run; "" where it cannot be read any more */
    uint64_t since;  /* the content that the dataset had when that run was trained, */
    int64_t since_rows, train_rows; /* of so many rows; and the training rows that were appended since */
} continued_t;

/* continued_of - of a run with this configuration; its dataset is open for it. */
continued_t continued_of(const config_t *config, const dataset_t *dataset);
void continued_fini(continued_t *continued);

/* continued_put / get - nothing where there is none.  get: ST_CORRUPT names `where` and what is wrong. */
void continued_put(jsondoc_t *manifest, const continued_t *continued);
WARN_UNUSED status_t continued_get(const jsondoc_t *manifest, const char *where, continued_t *out);

#endif
