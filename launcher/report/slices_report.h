/* slices_report.h - what the evaluation split itself adds to an experiment's result: labels, queries, and where in the data the
 * replicas differ. Read from the dataset, so that it is there as well when every run was trained by an earlier job. */
#ifndef SMELTER_SLICES_REPORT_H
#define SMELTER_SLICES_REPORT_H

#include "common/base/status.h"
#include "common/data/dataset.h"
#include "launcher/report/result.h"

/* slices_report_labels - label and, unless they are NULL, group and weight of the examples of a split, [dataset_split_rows].
 * ST_CORRUPT, ST_SYSTEM: the dataset cannot be read. */
WARN_UNUSED status_t slices_report_labels(dataset_t *dataset, split_t split, uint8_t *label, uint64_t *group, float *weight);

/* slices_report_read - result->label, result->group and result->weight, before result_summarise.
 * ST_INPUT: the split does not have result->eval_examples examples; ST_CORRUPT, ST_SYSTEM: the dataset cannot be read. */
WARN_UNUSED status_t slices_report_read(dataset_t *dataset, experiment_result_t *result);

/* slices_report_make - relative PD by slice, examples by their weights, for every variant, after result_summarise: `slice` and
 * `worst` of the variant.
 * Slices are the label; the decile of the score (the mean prediction of the baseline's replicas, so that slices are the
 * same for all variants); how often the rarest categorical value of the example occurs in the training split; and every
 * value of every column, numeric ones by decile. A worst slice has at least EVALUATION_LEAST_EXAMPLES examples, and
 * 1 / EVALUATION_LEAST_PART of the split: among many small slices the highest is high by chance. Slices of several
 * columns that are the same examples are listed once. Nothing happens where no variant has two replicas.
 * ST_CORRUPT, ST_SYSTEM: the dataset cannot be read.  Cost: a pass over the dataset, with a table look-up per value. */
WARN_UNUSED status_t slices_report_make(dataset_t *dataset, experiment_result_t *result);

#define EVALUATION_LEAST_EXAMPLES 30
#define EVALUATION_LEAST_PART 200

#endif
