/* Pairs as in metrics.c: scores by (query, p), each query walked upwards; where that counts, this adds products of weights. */
#include "common/metrics/weighted.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/math/real.h"
#include "common/metrics/metrics.h"

static bool are_probabilities(const float *p, int64_t n)
{
    bool all = n > 0;
    for (int64_t i = 0; i < n; i++)
        all &= p[i] >= 0.0f && p[i] <= 1.0f; /* false for NaN */
    return all;
}

double weighted_sum(const float *w, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n && w; i++)
        sum += (double)w[i];
    return w ? sum : (double)n;
}

double weighted_logloss(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    double sum = 0.0;
    if (!w)
        return metrics_logloss(p, y, n);
    for (int64_t i = 0; i < n; i++)
        sum += (double)w[i] * metrics_logloss_example(p[i], y[i]);
    const double all = weighted_sum(w, n);
    return all > 0.0 ? sum / all : NAN;
}

double weighted_base_rate_logloss(const uint8_t *y, const float *w, int64_t n)
{
    double of[2] = {0.0, 0.0};
    if (!w)
        return metrics_base_rate_logloss(y, n);
    for (int64_t i = 0; i < n; i++)
        of[y[i]] += (double)w[i];
    const double all = of[0] + of[1], rate = of[1] / all;
    if (!(all > 0.0))
        return NAN;
    return of[0] > 0.0 && of[1] > 0.0 ? -rate * real_log(rate) - (1.0 - rate) * real_log(1.0 - rate) : 0.0;
}

double weighted_normalised_entropy(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    if (!w)
        return metrics_normalised_entropy(p, y, n);
    const double base_rate = weighted_base_rate_logloss(y, w, n);
    return base_rate > 0.0 ? weighted_logloss(p, y, w, n) / base_rate : NAN;
}

double weighted_calibration(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    double predicted = 0.0, seen = 0.0;
    if (!w)
        return metrics_calibration(p, y, n);
    for (int64_t i = 0; i < n; i++) {
        predicted += (double)w[i] * (p[i] >= 0.0f && p[i] <= 1.0f ? (double)p[i] : NAN);
        seen += (double)w[i] * y[i];
    }
    return seen > 0.0 ? predicted / seen : NAN;
}

/* ---- pairs ----------------------------------------------------------------------------------------------------------- */

typedef struct weighted_score {
    uint64_t query;
    int64_t example;
    float p;
} weighted_score_t;

static int by_score(const void *a, const void *b)
{
    const weighted_score_t *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->example < y->example ? -1 : x->example > y->example;
}

/* All examples by query and p, **owned**; query: NULL: all are one. */
static weighted_score_t *sorted_scores(const float *p, const uint64_t *query, int64_t n)
{
    weighted_score_t *score = MEM_ARRAY(weighted_score_t, n);
    for (int64_t i = 0; i < n; i++)
        score[i] = (weighted_score_t){query ? query[i] : 0, i, p[i]};
    qsort(score, (size_t)n, sizeof *score, by_score);
    return score;
}

typedef struct weighted_pairs {
    double wrong, all;
    int64_t end; /* of the query */
} weighted_pairs_t;

/* Those of the query that begins at `begin`. */
static weighted_pairs_t sum_pairs(const weighted_score_t *score, const uint8_t *y, const float *w, int64_t begin, int64_t n)
{
    weighted_pairs_t pairs = {.end = begin};
    double positives = 0.0, negatives = 0.0;
    while (pairs.end < n && score[pairs.end].query == score[begin].query) {
        const float tie = score[pairs.end].p;
        double tied[2] = {0.0, 0.0};
        for (; pairs.end < n && score[pairs.end].query == score[begin].query && score[pairs.end].p == tie; pairs.end++)
            tied[y[score[pairs.end].example]] += (double)w[score[pairs.end].example];
        pairs.wrong += tied[0] * (positives + 0.5 * tied[1]);
        positives += tied[1];
        negatives += tied[0];
    }
    pairs.all = positives * negatives;
    return pairs;
}

double weighted_auc_loss(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    if (!w)
        return metrics_auc_loss(p, y, n);
    if (!are_probabilities(p, n))
        return NAN;
    weighted_score_t *score = sorted_scores(p, NULL, n);
    const weighted_pairs_t pairs = sum_pairs(score, y, w, 0, n);
    mem_free(score);
    return pairs.all > 0.0 ? pairs.wrong / pairs.all : NAN;
}

double weighted_pqauc_loss(const float *p, const uint8_t *y, const float *w, const uint64_t *group, int64_t n,
                           double *per_query_mean)
{
    if (!w)
        return metrics_pqauc_loss(p, y, group, n, per_query_mean);
    if (per_query_mean)
        *per_query_mean = NAN;
    if (!are_probabilities(p, n))
        return NAN;
    weighted_score_t *score = sorted_scores(p, group, n);
    double wrong = 0.0, all = 0.0, sum_of_losses = 0.0;
    int64_t queries_with_pairs = 0;
    for (int64_t begin = 0; begin < n;) {
        const weighted_pairs_t pairs = sum_pairs(score, y, w, begin, n);
        if (score[begin].query != QUERY_NONE && pairs.all > 0.0) {
            wrong += pairs.wrong;
            all += pairs.all;
            sum_of_losses += pairs.wrong / pairs.all;
            queries_with_pairs++;
        }
        begin = pairs.end;
    }
    mem_free(score);
    if (per_query_mean && queries_with_pairs)
        *per_query_mean = sum_of_losses / (double)queries_with_pairs;
    return all > 0.0 ? wrong / all : NAN;
}

/* ---- parts of examples and queries ----------------------------------------------------------------------------------- */

/* The examples of one p are known once the walk is past them: [first, end) of score; below: weights by label before them. */
static void put_tied(const weighted_score_t *score, const uint8_t *y, int64_t first, int64_t end, const double *below,
                     const double *tied, const double *label, double *wrong)
{
    for (int64_t i = first; i < end; i++) {
        const int64_t example = score[i].example;
        const double above = label[0] - below[0] - tied[0];
        wrong[example] = y[example] ? (above + 0.5 * tied[0]) / label[0] : (below[1] + 0.5 * tied[1]) / label[1];
    }
}

void weighted_auc_examples(const float *p, const uint8_t *y, const float *w, int64_t n, double *wrong)
{
    double label[2] = {0.0, 0.0}, below[2] = {0.0, 0.0};
    if (!w) {
        metrics_auc_examples(p, y, n, wrong);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        wrong[i] = NAN;
        label[y[i]] += (double)w[i];
    }
    if (!are_probabilities(p, n) || !(label[0] > 0.0) || !(label[1] > 0.0))
        return;
    weighted_score_t *score = sorted_scores(p, NULL, n);
    for (int64_t first = 0, end; first < n; first = end) {
        double tied[2] = {0.0, 0.0};
        for (end = first; end < n && score[end].p == score[first].p; end++)
            tied[y[score[end].example]] += (double)w[score[end].example];
        put_tied(score, y, first, end, below, tied, label, wrong);
        below[0] += tied[0];
        below[1] += tied[1];
    }
    mem_free(score);
}

void weighted_pqauc_queries(const float *p, const uint8_t *y, const float *w, const queries_t *queries, double *wrong,
                            double *pairs)
{
    if (!w) {
        metrics_pqauc_queries(p, y, queries, wrong, pairs);
        return;
    }
    const int64_t n = queries->begin[queries->count];
    const bool good = are_probabilities(p, n);
    uint64_t *query = MEM_ARRAY(uint64_t, n);
    for (int64_t q = 0; q < queries->count; q++) {
        double of_label[2] = {0.0, 0.0};
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++) {
            const int64_t example = queries->example[i];
            query[example] = (uint64_t)q;
            of_label[y[example]] += (double)w[example];
        }
        wrong[q] = NAN;
        pairs[q] = of_label[0] * of_label[1];
    }
    weighted_score_t *score = good ? sorted_scores(p, query, n) : NULL;
    for (int64_t begin = 0; good && begin < n;) {
        const weighted_pairs_t of_query = sum_pairs(score, y, w, begin, n);
        wrong[score[begin].query] = of_query.wrong;
        begin = of_query.end;
    }
    mem_free(score);
    mem_free(query);
}
