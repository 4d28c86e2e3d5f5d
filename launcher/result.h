/* result.h - what a finished training is worth and what it cost: the numbers that manifests, results.json, results.csv and the
 * table on the terminal share.
 *
 * Every number is declared once, in the tables below: structs, JSON, CSV and means over replicas come from them. A number that is
 * not defined (no pair in any group, one replica) is NaN, and null in JSON.                                                 */
#ifndef SMELTER_RESULT_H
#define SMELTER_RESULT_H

#include <stdint.h>

#include "common/base/status.h"
#include "common/base/jsondoc.h"

/* Quality on the evaluation split, and during training: X(name, "what it is"). */
#define QUALITY_FIELDS(X) \
    X(logloss, "mean logistic loss") \
    X(auc_loss, "share of wrongly ordered pairs") \
    X(pqauc_loss, "share of wrongly ordered pairs inside a group, all pairs equal") \
    X(calibration, "sum of predictions / sum of labels") \
    X(pqauc_query_mean, "the same share per group, all groups equal") \
    X(progressive_logloss, "mean logistic loss of training examples, each predicted before it was learned")

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
    X(double, rows_pushed_per_example, mean, "embedding rows")

#define QUALITY_MEMBER(name, doc) double name;
#define COST_MEMBER(type, name, how, unit) type name;
typedef struct quality { QUALITY_FIELDS(QUALITY_MEMBER) } quality_t;
typedef struct cost { COST_FIELDS(COST_MEMBER) } cost_t;

typedef struct replica_result {
    int32_t replica; /* from 0 */
    int64_t init_seed, order_seed;
    char digest[33]; /* of all parameters and optimizer state */
    quality_t quality;
    cost_t cost;
    float *predictions; /* **owned**, [eval_examples] of the experiment, by example index */
} replica_result_t;

typedef struct variant_result {
    const char *name;        /* borrowed */
    const char *determinism; /* borrowed: the word of the level */
    int32_t replicas;
    replica_result_t *replica; /* **owned**, [replicas] */
    /* Filled by result_summarise: */
    quality_t quality; /* means over replicas */
    cost_t cost;
    double pd_relative; /* mean over pairs of replicas; NaN below two */
    int32_t pd_pairs;
} variant_result_t;

typedef struct experiment_result {
    const char *name; /* borrowed */
    int64_t eval_examples;
    int32_t baseline; /* index of the variant that losses are compared with */
    int32_t variants;
    variant_result_t *variant; /* **owned**, [variants] */
} experiment_result_t;

/* result_summarise - means over replicas and prediction difference of every variant. Every replica must hold its predictions.
 * Cannot fail.  Cost: replicas^2 / 2 passes over the predictions. */
void result_summarise(experiment_result_t *result);

/* result_fini - releases what is owned inside; the struct itself is the caller's. */
void result_fini(experiment_result_t *result);

/* result_put_quality / result_put_cost - members of an open JSON object, in the order of the tables.
 * result_get_quality / result_get_cost - read them back; ST_CORRUPT names `where` and the member. */
void result_put_quality(jsondoc_t *object, const quality_t *quality);
void result_put_cost(jsondoc_t *object, const cost_t *cost);
WARN_UNUSED status_t result_get_quality(const jsondoc_t *object, const char *where, quality_t *out);
WARN_UNUSED status_t result_get_cost(const jsondoc_t *object, const char *where, cost_t *out);

#endif
