/* splits.h - what the two splits of a dataset lack for what is asked of them, so that it is said before hours of training and
 * in its own words, not after them as a number that is none. */
#ifndef SMELTER_SPLITS_H
#define SMELTER_SPLITS_H

#include <stdbool.h>

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/data/dataset.h"

typedef struct splits {
    int64_t train_rows, eval_rows, test_rows, unlabelled;
    bool train_label[2], eval_label[2]; /* does the split have an example of this label? */
    bool has_group;                     /* is there a query column? */
    bool has_query;                     /* does an evaluation example say its query? */
    bool has_mixed_query;               /* does a query of the evaluation split have both labels? */
} splits_t;

/* splits_read - look at a dataset's splits until everything is known; label as data.label.
 * ST_INPUT, ST_CORRUPT, ST_SYSTEM: the dataset cannot be read.
 * Cost: a block or two as a rule; a pass over a split where it lacks what is looked for. */
WARN_UNUSED status_t splits_read(const char *path, const char *label, splits_t *out);

/* splits_check_training - ST_INPUT where the dataset at `path` has no training example.
 * splits_check_evaluation - ST_INPUT where it has no evaluation example; `who` cannot do without. */
WARN_UNUSED status_t splits_check_training(const splits_t *splits, const char *path);
WARN_UNUSED status_t splits_check_evaluation(const splits_t *splits, const char *path, const char *who);

/* splits_check_labelled - ST_INPUT where some of a dataset's rows have no label. */
WARN_UNUSED status_t splits_check_labelled(int64_t unlabelled, int64_t rows, const char *path);

/* splits_check_labels - ST_INPUT where all evaluation examples have one label: no model is better than another. */
WARN_UNUSED status_t splits_check_labels(const splits_t *splits, const char *path);

/* splits_check_config - ST_INPUT where the dataset of a configuration lacks what its section evaluate asks for: examples of the
 * split that is evaluated or scored, or what evaluate.metric needs to be a number. */
WARN_UNUSED status_t splits_check_config(const config_t *config);

/* splits_check_same_label - ST_INPUT where two variants that are to be compared have different labels. */
WARN_UNUSED status_t splits_check_same_label(const config_t *a, const char *name_a, const config_t *b, const char *name_b);

/* splits_check_experiment - the first two and the last, for the datasets of all variants; `who` names the command. */
WARN_UNUSED status_t splits_check_experiment(const experiment_t *experiment, const char *who);

/* splits_warn - one line for each thing that will be missing from the results. */
void splits_warn(const splits_t *splits, const char *path);

#endif
