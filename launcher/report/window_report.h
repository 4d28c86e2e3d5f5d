/* window_report.h - metrics by windows of time of the variants of an experiment that have evaluate.window: of the first visits
 * of training examples, as the lines of metrics.jsonl tell them, and of the split that the runs are scored on. */
#ifndef SMELTER_WINDOW_REPORT_H
#define SMELTER_WINDOW_REPORT_H

#include "common/data/dataset.h"
#include "launcher/report/result.h"

/* window_report_read - the windows of every variant, runs in DIR/VARIANT/rREPLICA. After slices_report_read; nothing where no
 * variant has the key, or the dataset no times. Errors of reading the dataset, predictions, or a line that is none.  Cost: for
 * each run two sorts of its predictions; 41 bytes an example meanwhile. */
WARN_UNUSED status_t window_report_read(const char *dir, dataset_t *dataset, experiment_result_t *result);

#endif
