/* report.h - an experiment's result as results.json, results.csv and a table on the terminal.
 *
 * All functions want a result that went through result_summarise.                                                          */
#ifndef SMELTER_REPORT_H
#define SMELTER_REPORT_H

#include <stdio.h>

#include "common/base/status.h"
#include "launcher/result.h"

/* report_write_json - replaces `path` in one step; undefined numbers are null.
 *
 *     {experiment, baseline, verdict, verdict_variant, command, eval_examples, queries, top_k, resamples, confidence,
 *      variants: [{name, config {activation, beta, components, hidden, embedding_dim, family, method},
 *                  cost {..}, determinism,
 *                  metrics {quality.., reproducibility.. and pd_difference (each NAME, NAME_low, NAME_high), pd_pairs},
 *                  replicas: [{replica, init_seed, order_seed, digest, metrics, cost}],
 *                  slices, worst_slices: [{column, value, examples, pd_relative}],
 *                  most_different: [{index, label, pd_relative, predictions: [one per replica]}]}]}                         */
WARN_UNUSED status_t report_write_json(const experiment_result_t *result, const char *path);

/* report_write_csv - replaces `path` in one step: one header line, one line per variant; undefined numbers are empty. */
WARN_UNUSED status_t report_write_csv(const experiment_result_t *result, const char *path);

/* report_print_table - at most 118 columns, but for the sentences at the end: losses with their difference from the
 * baseline in %, prediction difference and swap rates with their intervals, cost with units, and in words what the tables
 * show. */
void report_print_table(const experiment_result_t *result, FILE *out);

#endif
