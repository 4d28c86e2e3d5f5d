/* run_result.h - what a finished training is worth and what it cost: the numbers of one run, which its manifest holds and every
 * report shows.
 *
 * Every number is one row of the tables below (metric.h). One that is not defined (no pair in any query, no second epoch) is
 * NaN, and null in JSON. */
#ifndef SMELTER_RUN_RESULT_H
#define SMELTER_RUN_RESULT_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/files/float_file.h"
#include "common/metrics/scores.h"
#include "common/metrics/weighted.h"
#include "launcher/run/activated_layers.h"
#include "launcher/run/metric.h"

/* Quality on the evaluation split, and during training: X(type, name, what else its row says). What has a `measure` is computed
 * by it when a training ends; the coordinator fills in the others. */
/* clang-format off */
#define QUALITY_METRICS(X) \
    X(DOUBLE, logloss, .meaning = "mean logistic loss", .measure = weighted_logloss, \
      .heading = "logloss", .title = "logloss", .group = "Accuracy", \
      .digits = 5, .told_digits = 5, .column = 1, .show = SHOW_ERROR | SHOW_CHANGE | SHOW_TOLD) \
    X(DOUBLE, auc_loss, .meaning = "share of wrongly ordered pairs", .measure = weighted_auc_loss, \
      .undefined = "all labels are equal", .needs_both_labels = true, \
      .heading = "AUC\nloss", .title = "AUC loss", .group = "Accuracy", \
      .digits = 5, .told_digits = 5, .column = 4, .show = SHOW_ERROR | SHOW_CHANGE | SHOW_TOLD) \
    X(DOUBLE, pqauc_loss, .meaning = "share of wrongly ordered pairs inside a query, all pairs equal", \
      .undefined = "no query column, or no query with both labels", .needs_both_labels = true, \
      .heading = "PQAUC\nloss", .title = "PQAUC loss", .group = "Accuracy", \
      .digits = 5, .told_digits = 5, .column = 5, .show = SHOW_ERROR | SHOW_CHANGE | SHOW_TOLD | SHOW_IF_KNOWN) \
    X(DOUBLE, calibration, .meaning = "sum of predictions / sum of labels", .measure = weighted_calibration, \
      .undefined = "no label is 1", \
      .heading = "cali-\nbration", .title = "calibration", .group = "Accuracy", \
      .digits = 3, .told_digits = 4, .column = 6, .show = SHOW_ERROR | SHOW_TOLD) \
    X(DOUBLE, auc, .meaning = "share of rightly ordered pairs, 1 - AUC loss", .derive = quality_auc, .since = 6, \
      .heading = "AUC", .title = "AUC", .group = "Accuracy", .digits = 5, .column = 3, .show = SHOW_IF_KNOWN) \
    X(DOUBLE, normalised_entropy, .meaning = "logloss / the logloss of predicting the share of positives for all", \
      .measure = weighted_normalised_entropy, .since = 6, \
      .heading = "norm.\nentropy", .title = "normalised entropy", .group = "Accuracy", \
      .digits = 4, .column = 2, .show = SHOW_IF_KNOWN) \
    X(DOUBLE, pqauc_query_mean, .meaning = "share of wrongly ordered pairs per query, all queries equal") \
    X(DOUBLE, progressive_logloss, \
      .meaning = "mean logistic loss of training examples, each predicted before it was seen for the first time") \
    X(DOUBLE, training_logloss, .since = 6, \
      .meaning = "mean logistic loss of later visits of training examples; none in a single epoch") \
    X(DOUBLE, clipped_share, .meaning = "share of clipped values in the layer that has most of them, in training")

/* Cost of one training, in the same form. */
#define COST_METRICS(X) \
    X(DOUBLE, examples_per_second, .meaning = "trained examples / second of training", .combine = COMBINE_PARTS, \
      .heading = "examples\n/ s", .page_heading = "examples\n/ second", \
      .title = "Throughput", .note = "examples per second, longer is better", .group = "Cost", \
      .unit = UNIT_COUNT, .column = 1, .detail = 8) \
    X(DOUBLE, rows_pulled_per_example, .meaning = "embedding rows that workers pull", .combine = COMBINE_PARTS, \
      .heading = "rows pulled\n/ example", .page_heading = "rows\n/ example", \
      .title = "Embedding rows pulled", .note = "per example", .group = "Cost", .digits = 1, .column = 2, .detail = 2) \
    X(DOUBLE, bytes_per_example, .combine = COMBINE_PARTS, \
      .meaning = "bytes between workers and servers, both ways, and dense values between workers", \
      .heading = "bytes\n/ example", .title = "Traffic", .note = "per example, both ways", .group = "Cost", \
      .unit = UNIT_BYTES, .column = 3, .detail = 3) \
    X(INT64, parameters, .meaning = "embedding and dense weights at the end, all components", .combine = COMBINE_PARTS, \
      .heading = "parameters", .page_heading = "para-\nmeters", \
      .title = "Parameters", .note = "embedding and dense", .group = "Cost", .unit = UNIT_COUNT, .column = 4, .detail = 5) \
    X(INT64, flops_per_example, .combine = COMBINE_PARTS, \
      .meaning = "floating point operations of the network, forward and backward", \
      .heading = "FLOPs\n/ example", .title = "Arithmetic", .note = "FLOPs per example", .group = "Cost", \
      .unit = UNIT_COUNT, .column = 5, .detail = 4) \
    X(DOUBLE, cpu_seconds, .meaning = "CPU time of all ranks", .note = "all ranks", .combine = COMBINE_PARTS, \
      .heading = "CPU time\ns", .page_heading = "CPU\ntime", .title = "CPU time", .group = "Cost", \
      .unit = UNIT_SECONDS, .digits = 1, .column = 6, .detail = 1) \
    X(INT64, peak_rss_bytes, .meaning = "bytes, sum over ranks of each rank's peak", .combine = COMBINE_MAX, \
      .heading = "peak memory\nMiB", .page_heading = "peak\nmemory", \
      .title = "Peak memory", .note = "sum over ranks", .group = "Cost", .unit = UNIT_MEMORY, .column = 8, .detail = 6) \
    X(DOUBLE, wall_seconds, .meaning = "time of training and evaluation", .combine = COMBINE_PARTS, \
      .note = "training and evaluation", \
      .heading = "wall time\ns", .title = "Wall time", .group = "Cost", \
      .unit = UNIT_SECONDS, .digits = 1, .column = 7, .is_off_page = true, .detail = 7) \
    X(DOUBLE, rows_pushed_per_example, .meaning = "embedding rows whose gradients workers push", .combine = COMBINE_PARTS) \
    X(INT64, examples, .meaning = "trained examples, of all epochs", .combine = COMBINE_PARTS) \
    X(DOUBLE, teaching_cpu_seconds, .combine = COMBINE_MAX, .unit = UNIT_SECONDS, \
      .meaning = "CPU time of scoring the training split for students, all ranks but servers; 0 without students") \
    X(DOUBLE, teaching_wall_seconds, .meaning = "time of scoring it", .combine = COMBINE_MAX, .unit = UNIT_SECONDS) \
    X(INT64, teaching_rows_pulled, .meaning = "embedding rows pulled for scoring it", .combine = COMBINE_MAX)
/* clang-format on */

#define METRIC_MEMBER(type, name, ...) METRIC_MEMBER_##type name;
typedef struct quality {
    QUALITY_METRICS(METRIC_MEMBER)
    uint64_t not_recorded; /* bits by row: an older build's manifest lacks them */
} quality_t;
typedef struct cost {
    COST_METRICS(METRIC_MEMBER)
    uint64_t not_recorded;
} cost_t;
extern const metric_rows_t quality_rows, cost_rows;

/* quality_auc - 1 - AUC loss, of a quality_t. */
double quality_auc(const void *numbers);

typedef struct replica_result {
    int32_t replica; /* from 0 */
    int64_t init_seed, order_seed;
    char digest[33];                /* of all parameters and optimizer state */
    char manifest[HASH_TEXT_BYTES]; /* hash128_text of its manifest.json; "" where there is none yet */
    quality_t quality;
    cost_t cost;
    activated_layers_t layers; /* **owned** */
    /* What it predicts for the evaluation split, by example index: one of the two, both **owned**. */
    float *predictions;             /* of a run that is not written yet */
    float_file_t *predictions_file; /* of one that is */
} replica_result_t;

/* replica_scores - its predictions of n examples.  Borrows from it. */
scores_t replica_scores(const replica_result_t *replica, int64_t n);

/* run_result_evaluate - what the predictions of an evaluation split are worth: every row of quality that has a measure, and
 * those over queries; weight: [n] what each example counts, or NULL: 1; group: [n] the query of each example, sorted on return,
 * or NULL. Of `out` nothing else is touched.  Scratch memory: 8 bytes per example, with weights 24. */
void run_result_evaluate(quality_t *out, const float *p, const uint8_t *y, const float *weight, uint64_t *group, int64_t n);

/* run_result_complete - measures what the run's build did not record; p is loaded for it. Errors of reading p. */
WARN_UNUSED status_t run_result_complete(quality_t *quality, const scores_t *p, const uint8_t *y, const float *weight);

/* run_result_print_quality - evaluation over a number of examples in words, without a newline: "logloss 0.5, AUC loss 0.3 ..
 * over 100 examples"; what is not defined, or not recorded, says so. */
void run_result_print_quality(FILE *out, const quality_t *quality, int64_t examples);

#endif
