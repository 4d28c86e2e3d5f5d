/* inputs.h - what goes into a run's network: the fields of the dataset it was trained on, in RUN/inputs.json.
 *
 * Tables and input columns of a network are numbered, so its parameters mean something only together with the fields'
 * names, their order and the numbers that numeric ones were standardised by. A run that is scored on another dataset,
 * or that another one starts from, is matched by them. */
#ifndef SMELTER_INPUTS_H
#define SMELTER_INPUTS_H

#include "common/base/status.h"
#include "worker/data/dataset.h"

typedef struct inputs {
    int32_t numeric, single, multi;
    dataset_field_t
        *fields; /* **owned**, [numeric + single + multi], in this order of kinds: name, kind, pooling, mean, scale */
} inputs_t;

/* inputs_write - the fields of a dataset into the run folder, in one step. */
WARN_UNUSED status_t inputs_write(const char *run_dir, const dataset_info_t *info);

/* inputs_read - ST_INPUT: there is no such file; ST_CORRUPT: it is not what inputs_write wrote.  out **owned**, inputs_fini. */
WARN_UNUSED status_t inputs_read(const char *run_dir, inputs_t *out);
void inputs_fini(inputs_t *inputs);

/* inputs_check - ST_INPUT where a dataset's fields are not those of the run: names the first one that is missing,
 * different or in another place. Mean and scale may differ: the caller applies the run's. */
WARN_UNUSED status_t inputs_check(const inputs_t *inputs, const char *run_dir, const dataset_info_t *info, const char *dataset);

#endif
