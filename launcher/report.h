/* report.h - an experiment's result as results.json, results.csv and a table on the terminal.
 *
 * All functions want a result that went through result_summarise.                                                          */
#ifndef SMELTER_REPORT_H
#define SMELTER_REPORT_H

#include <stdio.h>

#include "common/base/status.h"
#include "launcher/result.h"

/* report_write_json - replaces `path` in one step. {experiment, baseline, eval_examples, variants: [{name, metrics {..}, cost {..},
 * determinism, replicas: [{replica, init_seed, order_seed, digest, metrics, cost}]}]}; undefined numbers are null. */
WARN_UNUSED status_t report_write_json(const experiment_result_t *result, const char *path);

/* report_write_csv - replaces `path` in one step: one header line, one line per variant; undefined numbers are empty. */
WARN_UNUSED status_t report_write_csv(const experiment_result_t *result, const char *path);

/* report_print_table - at most 118 columns: losses with their difference from the baseline in %, prediction difference, cost with
 * units, and one line that says in words what the table shows. */
void report_print_table(const experiment_result_t *result, FILE *out);

/* report_verdict - that line, without a newline; **owned**, mem_free. */
char *report_verdict(const experiment_result_t *result);

#endif
