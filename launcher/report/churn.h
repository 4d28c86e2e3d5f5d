/* churn.h - how far a new version of a model is from the one before it, on the same examples (docs/MATH.md section 9): what
 * changes for whom, who wins and who loses, and how much of it two replicas of one version would show as well.
 *
 * Replica r of the one is set against replica r of the other. Numbers are means over r; their intervals are over queries, their
 * errors over replicas. Pure functions, any thread. */
#ifndef SMELTER_CHURN_H
#define SMELTER_CHURN_H

#include "launcher/report/result.h"

/* What churn is told in: X(NAME, name, what its denominator counts, what else its row says). The first CHURN_DISTANCES are
 * distances of two models, which replicas of one version have too. Of the others a negative difference is a win. */
/* clang-format off */
#define CHURN_METRICS(X) \
    X(PD_RELATIVE, pd_relative, EXAMPLES, .meaning = "relative prediction difference of the versions", \
      .title = "relative PD", .unit = UNIT_SHARE, .digits = 2) \
    X(PD_LEVELLED, pd_levelled, EXAMPLES, .meaning = "the same once both have the same mean prediction", \
      .title = "levelled PD", .unit = UNIT_SHARE, .digits = 2) \
    X(SWAP_TOP1, swap_top1, LONGER_THAN_1, .meaning = "share of queries whose highest example differs", \
      .title = "swaps at top 1", .unit = UNIT_SHARE, .digits = 2) \
    X(SWAP_TOPK, swap_topk, LONGER_THAN_K, \
      .meaning = "share of queries whose " RESULT_TOP_K_TEXT " highest examples differ, as a set", \
      .title = "swaps at top " RESULT_TOP_K_TEXT, .unit = UNIT_SHARE, .digits = 2) \
    X(LOGLOSS_BEFORE, logloss_before, EXAMPLES, .meaning = "mean logistic loss of A", .title = "logloss", .digits = 5) \
    X(LOGLOSS_AFTER, logloss_after, EXAMPLES, .meaning = "mean logistic loss of B", .title = "logloss", .digits = 5) \
    X(LOGLOSS_CHANGE, logloss_change, EXAMPLES, .meaning = "B's minus A's", .title = "logloss", .digits = 5) \
    X(AUC_LOSS_BEFORE, auc_loss_before, EXAMPLES, .meaning = "share of wrongly ordered pairs of A", \
      .title = "AUC loss", .digits = 5) \
    X(AUC_LOSS_AFTER, auc_loss_after, EXAMPLES, .meaning = "share of wrongly ordered pairs of B", \
      .title = "AUC loss", .digits = 5) \
    X(AUC_LOSS_CHANGE, auc_loss_change, EXAMPLES, .meaning = "B's minus A's", .title = "AUC loss", .digits = 5) \
    X(PQAUC_LOSS_BEFORE, pqauc_loss_before, PAIRS, .meaning = "share of A's wrongly ordered pairs inside a query", \
      .title = "PQAUC loss", .digits = 5) \
    X(PQAUC_LOSS_AFTER, pqauc_loss_after, PAIRS, .meaning = "share of B's wrongly ordered pairs inside a query", \
      .title = "PQAUC loss", .digits = 5) \
    X(PQAUC_LOSS_CHANGE, pqauc_loss_change, PAIRS, .meaning = "B's minus A's", .title = "PQAUC loss", .digits = 5) \
    X(EXAMPLES_BETTER, examples_better, EXAMPLES, .meaning = "share of examples whose logloss falls", \
      .title = "examples better", .unit = UNIT_SHARE, .digits = 2) \
    X(EXAMPLES_WORSE, examples_worse, EXAMPLES, .meaning = "share of examples whose logloss rises", \
      .title = "examples worse", .unit = UNIT_SHARE, .digits = 2) \
    X(LOGLOSS_WON, logloss_won, EXAMPLES, .meaning = "what the better ones take off the mean logloss", \
      .title = "logloss won", .digits = 5) \
    X(LOGLOSS_LOST, logloss_lost, EXAMPLES, .meaning = "what the worse ones add to it", \
      .title = "logloss lost", .digits = 5) \
    X(QUERIES_BETTER, queries_better, MIXED, .meaning = "share of queries of both labels whose PQAUC loss falls", \
      .title = "queries better", .unit = UNIT_SHARE, .digits = 2) \
    X(QUERIES_WORSE, queries_worse, MIXED, .meaning = "share of queries of both labels whose PQAUC loss rises", \
      .title = "queries worse", .unit = UNIT_SHARE, .digits = 2)
/* clang-format on */

#define CHURN_MEMBER(NAME, name, over, ...) estimate_t name;
#define CHURN_NAME(NAME, name, over, ...) CHURN_##NAME,
typedef enum churn_metric { CHURN_METRICS(CHURN_NAME) CHURN_COUNT } churn_metric_t;
#define CHURN_DISTANCES CHURN_LOGLOSS_BEFORE

/* A number with its standard error over replicas, NaN below three of them. */
typedef struct replica_mean {
    double value, error;
} replica_mean_t;

typedef struct churn_numbers {
    CHURN_METRICS(CHURN_MEMBER)
} churn_numbers_t;

typedef struct churn_input {
    int32_t replicas;                          /* of each version; at least 1 */
    const float *const *before, *const *after; /* [replicas] of [examples], borrowed */
    const uint8_t *label;                      /* [examples], borrowed */
    const uint64_t *group;                     /* [examples], borrowed; NULL: there are no queries */
    int64_t examples;
    const float *weight; /* [examples], borrowed; NULL: all count alike */
} churn_input_t;

typedef struct churn {
    int32_t replicas;
    int64_t examples, positives, queries, mixed_queries, without_query;
    churn_numbers_t value;
    double error[CHURN_COUNT]; /* over replicas */
    /* Distances of two replicas of one version, mean over the pairs of both versions, and by how much the churn is above; NaN
     * below two replicas. */
    replica_mean_t alone[CHURN_DISTANCES], beyond[CHURN_DISTANCES];
    double *pd_of_example;     /* **owned**, [examples]: each example's term of the relative PD */
    double *change_of_example; /* **owned**, [examples]: by how much its logloss rises from A to B */
    int32_t n_most_different;
    int64_t most_different[RESULT_MOST_DIFFERENT]; /* the examples of the largest relative PD, largest first */
} churn_t;

extern const metric_rows_t churn_rows;

/* churn_measure - all of it.  out **owned**, churn_fini.  Cannot fail: a number that is not defined is NaN.
 * Cost: replicas^2 pairs of a few passes over the predictions, and RESULT_RESAMPLES over the queries. */
void churn_measure(const churn_input_t *input, churn_t *out);
void churn_fini(churn_t *churn);

static inline estimate_t churn_get(const churn_t *churn, int metric)
{
    return ((const estimate_t *)&churn->value)[metric];
}

#endif
