/* report.h - an experiment's result as results.json, results.csv and verdict.txt; report_table.h prints it.
 *
 * All functions want a result that went through result_summarise.                                                          */
#ifndef SMELTER_REPORT_H
#define SMELTER_REPORT_H

#include "common/base/status.h"
#include "launcher/report/result.h"

/* report_write_json - replaces `path` in one step; undefined numbers are null. What says when, where and by what it was written
 * is in "provenance" alone, and "manifest" is the checksum of a run's manifest.json (hash128_text); "files" are results.csv and
 * verdict.txt beside it, which are written first; the last member is seal.h's checksum.
 *
 *     {experiment, baseline, ensemble, verdict, verdict_variant, command, eval_examples, queries, base_rate_logloss, top_k,
 *      resamples, confidence,
 *      variants: [{name, config {activation, beta, components, hidden, embedding_dim, parts, family, method},
 *                  cost {..}, determinism,
 *                  metrics {quality.., reproducibility.. and pd_difference, pd_levelled_difference (each NAME, NAME_low,
 * NAME_high),
 *                           pd_pairs, standard errors over replicas (NAME_se), and what a chart shows of relative PD
 *                           (pd_relative_bar_low, _high, and _over: queries, examples or replicas)},
 *                  teaching {teacher, runs, costs with the teacher.., held_out_saving: unknown, never, reached or at_most,
 * held_out_points, without, shares..},
 *                  replicas: [{replica, init_seed, order_seed, digest, manifest, metrics, cost}],
 *                  slices, worst_slices: [{column, value, examples, pd_relative}],
 *                  most_different: [{index, label, pd_relative, predictions: [one per replica], row of the input, group (the
 *                                    query's own id), values {NAME: what the field holds}}]}],
 *      significance {level, correction, power, decide},
 *      differences, of any variant from any other: [{variant, from, NAME {difference, se, p, p_holm; and of a loss: change,
 *                                                    change_se, replicas_to_decide}}]}                                     */
WARN_UNUSED status_t report_write_json(const experiment_result_t *result, const char *path);

/* report_write_csv - replaces `path` in one step: one header line, one line per variant; undefined numbers are empty. */
WARN_UNUSED status_t report_write_csv(const experiment_result_t *result, const char *path);

/* report_write_verdict - replaces `path` in one step: the verdict in one line. It is no part of results.csv, whose readers want
 * a head and rows. */
WARN_UNUSED status_t report_write_verdict(const experiment_result_t *result, const char *path);

#endif
