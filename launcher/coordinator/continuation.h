/* continuation.h - --continue DIR: the runs of a job go on from finished ones, with the rows alone that were appended to the
 * dataset since (smelter import --append).
 *
 * It is two keys of each run's configuration: warm_start, the run in DIR, of an experiment DIR/VARIANT/rREPLICA; and
 * data.since, the content that the dataset had when that run was trained, which its manifest knows. */
#ifndef SMELTER_CONTINUATION_H
#define SMELTER_CONTINUATION_H

#include "common/config/config.h"

/* continuation_apply - where dir is not NULL, set both keys of all configurations of the experiment; on every rank alike.
 *
 * out          of the job: --out, or out/NAME
 * in_variants  the job's runs are in VARIANT/rREPLICA, and so are those of DIR
 * ST_INPUT: there is no finished run where one must be, replicas were trained on different data, or results would go to DIR
 * itself;  ST_CORRUPT: a manifest is damaged. */
WARN_UNUSED status_t continuation_apply(const char *dir, const char *out, bool in_variants, experiment_t *experiment);

#endif
