/* AUC loss and PQAUC loss are one algorithm: sort by (group, p), then walk every group upwards and count, for each negative,
 * the positives below it. Counts are whole numbers of half pairs, so a tie adds 1 and an inverted pair 2, nothing rounds, and
 * the order of examples cannot matter. AUC loss is the case of one group.
 *
 * What is sorted is the score of an example: the bits of p, which order as p does, shifted left by one, + y.             */
#include "common/metrics/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/math/real.h"
#include "common/metrics/pair_sort.h"
#include "common/metrics/queries.h"

#define P_FLOOR 1e-7

static bool is_probability(float p)
{
    return (p >= 0.0f) & (p <= 1.0f); /* false for NaN */
}

typedef struct pairs {
    uint64_t half_wrong; /* 2 per inverted pair, 1 per tie; n^2 / 2 at most */
    uint64_t total;
} pairs_t;

/* Pairs of one group, sorted. Scores of one p are neighbours, negatives first. */
static pairs_t count_pairs(const uint64_t *score, int64_t n)
{
    pairs_t pairs = {0, 0};
    uint64_t positives_below = 0, negatives = 0;
    for (int64_t i = 0; i < n;) {
        const uint64_t p = score[i] >> 1;
        uint64_t tied[2] = {0, 0};
        for (; i < n && score[i] >> 1 == p; i++)
            tied[score[i] & 1]++;
        pairs.half_wrong += tied[0] * (2 * positives_below + tied[1]);
        positives_below += tied[1];
        negatives += tied[0];
    }
    pairs.total = positives_below * negatives;
    return pairs;
}

static bool are_probabilities(const float *p, int64_t n)
{
    bool all = true;
    for (int64_t i = 0; i < n; i++)
        all &= is_probability(p[i]);
    return all;
}

static uint32_t bits_of(float p)
{
    const float positive_zero = p + 0.0f; /* -0 has a sign bit */
    uint32_t bits;
    memcpy(&bits, &positive_zero, sizeof bits);
    return bits;
}

/* All scores by (group, p), **owned**; group: sorted with them, NULL: all are one. */
static uint64_t *sorted_scores(const float *p, const uint8_t *y, uint64_t *group, int64_t n)
{
    uint64_t *score = MEM_ARRAY(uint64_t, n);
    for (int64_t i = 0; i < n; i++) {
        ASSERT(y[i] <= 1);
        score[i] = (uint64_t)bits_of(p[i]) << 1 | y[i];
    }
    pair_sort(group, score, n);
    return score;
}

/* The end of the group that begins at `begin`. */
static int64_t end_of_group(const uint64_t *group, int64_t begin, int64_t n)
{
    int64_t end = begin + 1;
    while (end < n && group[end] == group[begin])
        end++;
    return end;
}

static double loss_of(pairs_t pairs)
{
    return pairs.total ? (double)pairs.half_wrong / (2.0 * (double)pairs.total) : NAN;
}

/* What is left of the likelihood of an example once it cannot be 0 or 1; p is a probability, so that comparisons will do and no
 * fmin and fmax, which are calls, are needed. */
static double likelihood(float p, uint8_t y)
{
    const double given = y ? (double)p : 1.0 - (double)p, above = given < P_FLOOR ? P_FLOOR : given;
    return above > 1.0 - P_FLOOR ? 1.0 - P_FLOOR : above;
}

bool metrics_are_labels(const uint8_t *y, int64_t n)
{
    uint8_t all = 0;
    for (int64_t i = 0; i < n; i++)
        all |= y[i];
    return all <= 1;
}

double metrics_logloss_example(float p, uint8_t y)
{
    return is_probability(p) ? -real_log(likelihood(p, y)) : NAN;
}

/* A block at a time, so that its logarithms are taken as vectors; the sum is in the order of the examples. */
double metrics_logloss(const float *p, const uint8_t *y, int64_t n)
{
    enum { BLOCK = 256 };
    double sum = 0.0, value[BLOCK];
    if (n == 0 || !are_probabilities(p, n))
        return NAN;
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int count = (int)(n - first < BLOCK ? n - first : BLOCK);
        for (int i = 0; i < count; i++)
            value[i] = likelihood(p[first + i], y[first + i]);
        for (int i = 0; i < count; i++)
            value[i] = real_log_of_normal(value[i]);
        for (int i = 0; i < count; i++)
            sum -= value[i];
    }
    return sum / (double)n;
}

double metrics_base_rate_logloss(const uint8_t *y, int64_t n)
{
    int64_t positives = 0;
    if (n == 0)
        return NAN;
    for (int64_t i = 0; i < n; i++)
        positives += y[i];
    const double q = (double)positives / (double)n;
    return positives == 0 || positives == n ? 0.0 : -q * real_log(q) - (1.0 - q) * real_log1p(-q);
}

double metrics_normalised_entropy(const float *p, const uint8_t *y, int64_t n)
{
    const double base_rate = metrics_base_rate_logloss(y, n);
    return base_rate > 0.0 ? metrics_logloss(p, y, n) / base_rate : NAN;
}

double metrics_calibration(const float *p, const uint8_t *y, int64_t n)
{
    double predicted = 0.0;
    int64_t positives = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!is_probability(p[i]))
            return NAN;
        predicted += (double)p[i];
        positives += y[i];
    }
    return positives ? predicted / (double)positives : NAN;
}

double metrics_auc_loss(const float *p, const uint8_t *y, int64_t n)
{
    if (n == 0 || !are_probabilities(p, n))
        return NAN;
    uint64_t *score = sorted_scores(p, y, NULL, n);
    const double loss = loss_of(count_pairs(score, n));
    mem_free(score);
    return loss;
}

double metrics_pqauc_loss_sorting(const float *p, const uint8_t *y, uint64_t *group, int64_t n, double *per_query_mean)
{
    ASSERT(group || n == 0);
    if (per_query_mean)
        *per_query_mean = NAN;
    if (n == 0 || !are_probabilities(p, n))
        return NAN;
    uint64_t *score = sorted_scores(p, y, group, n);
    pairs_t all = {0, 0};
    double sum_of_losses = 0.0;
    int64_t groups_with_pairs = 0;
    for (int64_t begin = 0, end; begin < n; begin = end) {
        end = end_of_group(group, begin, n);
        if (group[begin] == QUERY_NONE)
            continue; /* examples whose query is not known make no pairs with one another */
        pairs_t pairs = count_pairs(score + begin, end - begin);
        if (pairs.total == 0)
            continue;
        all.half_wrong += pairs.half_wrong;
        all.total += pairs.total;
        sum_of_losses += loss_of(pairs);
        groups_with_pairs++;
    }
    mem_free(score);
    if (per_query_mean && groups_with_pairs)
        *per_query_mean = sum_of_losses / (double)groups_with_pairs;
    return loss_of(all);
}

double metrics_pqauc_loss(const float *p, const uint8_t *y, const uint64_t *group, int64_t n, double *per_query_mean)
{
    uint64_t *sorted = MEM_ARRAY(uint64_t, n);
    if (n > 0)
        memcpy(sorted, group, (size_t)n * sizeof *sorted);
    const double loss = metrics_pqauc_loss_sorting(p, y, sorted, n, per_query_mean);
    mem_free(sorted);
    return loss;
}

/* The first of the sorted scores that is not below `score`. */
static int64_t lower_bound(const uint64_t *sorted, int64_t n, uint64_t score)
{
    int64_t low = 0;
    for (int64_t high = n; low < high;) {
        const int64_t middle = low + (high - low) / 2;
        if (sorted[middle] < score)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Scores of one p are neighbours, negatives first, so three bounds of a p say how many there are of each label below, at and
 * above it. */
void metrics_auc_examples(const float *p, const uint8_t *y, int64_t n, double *wrong)
{
    uint64_t *sorted = are_probabilities(p, n) && n > 0 ? sorted_scores(p, y, NULL, n) : NULL;
    int64_t *positives = MEM_ARRAY(int64_t, n + 1); /* [i]: among the first i scores */
    for (int64_t i = 0; sorted && i < n; i++)
        positives[i + 1] = positives[i] + (int64_t)(sorted[i] & 1);
    const double label[2] = {(double)(n - positives[n]), (double)positives[n]};
    for (int64_t i = 0; i < n; i++) {
        wrong[i] = NAN;
        if (!sorted || label[0] == 0.0 || label[1] == 0.0)
            continue;
        const uint64_t score = (uint64_t)bits_of(p[i]) << 1;
        const int64_t begin = lower_bound(sorted, n, score), middle = lower_bound(sorted, n, score | 1),
                      end = lower_bound(sorted, n, score + 2);
        const double below = (double)positives[begin], above = (double)(n - end - (positives[n] - positives[end]));
        wrong[i] =
            y[i] ? (above + 0.5 * (double)(middle - begin)) / label[0] : (below + 0.5 * (double)(end - middle)) / label[1];
    }
    mem_free(positives);
    mem_free(sorted);
}

void metrics_pqauc_queries(const float *p, const uint8_t *y, const queries_t *queries, double *wrong, double *pairs)
{
    const int64_t n = queries->begin[queries->count];
    uint64_t *query = MEM_ARRAY(uint64_t, n);
    for (int64_t q = 0; q < queries->count; q++) {
        int64_t of_label[2] = {0, 0};
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++) {
            query[queries->example[i]] = (uint64_t)q;
            of_label[y[queries->example[i]]]++;
        }
        wrong[q] = NAN;
        pairs[q] = (double)of_label[0] * (double)of_label[1];
    }
    uint64_t *score = n > 0 && are_probabilities(p, n) ? sorted_scores(p, y, query, n) : NULL;
    for (int64_t begin = 0, end; score && begin < n; begin = end) {
        end = end_of_group(query, begin, n);
        wrong[query[begin]] = (double)count_pairs(score + begin, end - begin).half_wrong / 2.0;
    }
    mem_free(score);
    mem_free(query);
}
