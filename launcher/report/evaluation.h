/* evaluation.h - what predictions of the examples of a split are worth, each number with its standard error: what `smelter
 * evaluate` prints (docs/METRICS.md).
 *
 * Errors answer for the choice of queries, or of examples where there are no queries: the standard deviation over resamples
 * of them (bootstrap.h), all numbers of one table of sums. AUC loss is no ratio of sums; its column holds each example's part
 * in it (docs/MATH.md eq. 49). Pure functions, any thread. */
#ifndef SMELTER_EVALUATION_H
#define SMELTER_EVALUATION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/files/jsondoc.h"
#include "common/metrics/bootstrap.h"

/* X(name, heading, digits, meaning) */
#define EVALUATION_METRICS(X) \
    X(logloss, "logloss", 5, "mean logistic loss") \
    X(normalised_entropy, "normalised entropy", 4, "logloss / that of predicting the base rate for all") \
    X(auc, "AUC", 5, "share of rightly ordered pairs") \
    X(auc_loss, "AUC loss", 5, "share of wrongly ordered pairs") \
    X(pqauc_loss, "PQAUC loss", 5, "share of wrongly ordered pairs inside a query, all pairs equal") \
    X(pqauc_query_mean, "PQAUC loss per query", 5, "the same per query, all queries equal") \
    X(calibration, "calibration", 4, "sum of predictions / sum of labels") \
    X(mean_prediction, "mean prediction", 5, "mean of the predictions") \
    X(base_rate, "base rate", 5, "share of positive labels") \
    X(base_rate_logloss, "logloss of base rate", 5, "of predicting it for all: what a model has to beat")

#define EVALUATION_NAME(name, ...) EVALUATION_##name,
enum { EVALUATION_METRICS(EVALUATION_NAME) EVALUATION_COUNT };

/* A number, NaN where it is not defined, with its 95 % interval and standard error, NaN where these are not known. */
typedef struct evaluated_number {
    estimate_t estimate;
    double error;
} evaluated_number_t;

typedef struct evaluation {
    int64_t examples, queries; /* queries: 0 where no example says one */
    bool has_weights;
    evaluated_number_t number[EVALUATION_COUNT];
} evaluation_t;

/* What a number is called, and shown with. */
typedef struct evaluation_row {
    const char *name, *heading, *meaning;
    int digits;
} evaluation_row_t;

const evaluation_row_t *evaluation_row(int number);

/* Examples with labels, as in metrics.h; all borrowed. */
typedef struct evaluated_examples {
    int64_t n;
    const float *p;        /* [n] */
    const uint8_t *y;      /* [n] */
    const float *weight;   /* [n] what each counts; NULL: 1 */
    const uint64_t *group; /* [n] the query of each; NULL: there are none */
} evaluated_examples_t;

/* evaluation_measure - all numbers.
 * Cost: a sort, and RESULT_RESAMPLES passes over the sums of the queries; 40 bytes of memory an example. */
void evaluation_measure(const evaluated_examples_t *examples, evaluation_t *out);

/* evaluation_values - the numbers alone. */
void evaluation_values(const evaluated_examples_t *examples, double value[EVALUATION_COUNT]);

/* What was evaluated, in words; borrowed. */
typedef struct evaluation_of {
    const char *run, *dataset, *split; /* train, eval, test, all */
} evaluation_of_t;

/* evaluation_print - as a table.  evaluation_object - as an object, **owned**. */
void evaluation_print(const evaluation_t *evaluation, const evaluation_of_t *of, FILE *out);
jsondoc_t *evaluation_object(const evaluation_t *evaluation, const evaluation_of_t *of);

#endif
