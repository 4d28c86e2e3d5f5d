/* run_result.h - what a finished training is worth and what it cost: the numbers of one run, which its manifest holds and every
 * report shows.
 *
 * Every number is declared once, in the tables below: structs, JSON, CSV and means over replicas come from them. A number
 * that is not defined (no pair in any query, no second epoch) is NaN, and null in JSON. */
#ifndef SMELTER_RUN_RESULT_H
#define SMELTER_RUN_RESULT_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/files/jsondoc.h"

/* Quality on the evaluation split, and during training: X(name, "what it is"). */
#define QUALITY_FIELDS(X) \
    X(logloss, "mean logistic loss") \
    X(auc_loss, "share of wrongly ordered pairs") \
    X(pqauc_loss, "share of wrongly ordered pairs inside a group, all pairs equal") \
    X(calibration, "sum of predictions / sum of labels") \
    X(pqauc_query_mean, "the same share per group, all groups equal") \
    X(progressive_logloss, "mean logistic loss of training examples, each predicted before it was seen for the first time") \
    X(training_logloss, "mean logistic loss of later visits of training examples; none in a single epoch") \
    X(clipped_share, "share of clipped values in the layer that has most of them, in training")

/* Cost of one training: X(type, name, how replicas become one number, "unit"). */
#define COST_FIELDS(X) \
    X(double, examples_per_second, mean, "trained examples / second of training") \
    X(double, rows_pulled_per_example, mean, "embedding rows") \
    X(double, bytes_per_example, mean, "bytes between workers and servers, both ways") \
    X(int64_t, parameters, mean, "embedding and dense weights at the end, all components") \
    X(int64_t, flops_per_example, mean, "floating point operations of the network, forward and backward") \
    X(double, cpu_seconds, mean, "all ranks") \
    X(int64_t, peak_rss_bytes, max, "bytes, sum over ranks of each rank's peak") \
    X(double, wall_seconds, mean, "training and evaluation") \
    X(double, rows_pushed_per_example, mean, "embedding rows") \
    X(int64_t, examples, mean, "trained examples, of all epochs") \
    X(double, teaching_cpu_seconds, max, "scoring the training split for students, all ranks but servers; 0 without students") \
    X(double, teaching_wall_seconds, max, "the same") \
    X(int64_t, teaching_rows_pulled, max, "embedding rows pulled for it")

#define QUALITY_MEMBER(name, doc) double name;
#define COST_MEMBER(type, name, how, unit) type name;
typedef struct quality {
    QUALITY_FIELDS(QUALITY_MEMBER)
} quality_t;
typedef struct cost {
    COST_FIELDS(COST_MEMBER)
} cost_t;
typedef struct replica_result {
    int32_t replica; /* from 0 */
    int64_t init_seed, order_seed;
    char digest[33];                /* of all parameters and optimizer state */
    char manifest[HASH_TEXT_BYTES]; /* hash128_text of its manifest.json; "" where there is none yet */
    quality_t quality;
    cost_t cost;
    float *predictions; /* **owned**, [eval_examples] of the experiment, by example index */
} replica_result_t;

/* run_result_print_quality - evaluation over a number of examples in words, without a newline: "logloss 0.5, AUC loss 0.3 ..
 * over 100 examples"; what is not defined says why. */
void run_result_print_quality(FILE *out, const quality_t *quality, int64_t examples);

/* run_result_put_quality / run_result_put_cost - members of an open JSON object, in the order of the tables.
 * run_result_get_quality / run_result_get_cost - read them back; ST_CORRUPT names `where` and the member. What members that
 * older files do not have would say is NaN. */
void run_result_put_quality(jsondoc_t *object, const quality_t *quality);
void run_result_put_cost(jsondoc_t *object, const cost_t *cost);
WARN_UNUSED status_t run_result_get_quality(const jsondoc_t *object, const char *where, quality_t *out);
WARN_UNUSED status_t run_result_get_cost(const jsondoc_t *object, const char *where, cost_t *out);

#endif
