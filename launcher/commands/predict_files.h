/* predict_files.h - smelter predict of files, and by several models at once: files are imported into a dataset that is gone
 * afterwards, by the schema that the run's own data were imported by, and each model scores it in a job of its own. */
#ifndef SMELTER_PREDICT_FILES_H
#define SMELTER_PREDICT_FILES_H

#include <stdbool.h>

#include "common/data/dataset.h"
#include "launcher/job/options.h"

/* predict_files_is - whether this is wanted: what is to be scored is no dataset, or RUN is a variant of an experiment. */
bool predict_files_is(const options_t *options);

/* predict_split_of - what --split says, the evaluation split where it says nothing. */
WARN_UNUSED status_t predict_split_of(const options_t *options, split_t *out);

WARN_UNUSED status_t predict_files(const options_t *options);

/* predict_scores - *p: the predictions of one run, **owned**, by smelter predict of a dataset of n examples: as a command line
 * of its own, by which mpirun starts its ranks, with the --set and --mode of `options`. split, and deploy (key=value, of a
 * component): or NULL. Its files lie in `scratch` then; what it prints is left out. */
WARN_UNUSED status_t predict_scores(const options_t *options, const char *run, const char *dataset, const char *split,
                                    const char *deploy, const char *scratch, int64_t n, float **p);

#endif
