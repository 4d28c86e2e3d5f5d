#include "common/metrics/weighted.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/math/real.h"
#include "common/metrics/metrics.h"

double weighted_logloss(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    double sum = 0.0, all = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)w[i] * metrics_logloss_example(p[i], y[i]);
        all += (double)w[i];
    }
    return all > 0.0 ? sum / all : NAN;
}

double weighted_base_rate_logloss(const uint8_t *y, const float *w, int64_t n)
{
    double of[2] = {0.0, 0.0};
    for (int64_t i = 0; i < n; i++)
        of[y[i]] += (double)w[i];
    const double all = of[0] + of[1], rate = of[1] / all;
    if (!(all > 0.0))
        return NAN;
    return of[0] > 0.0 && of[1] > 0.0 ? -rate * real_log(rate) - (1.0 - rate) * real_log(1.0 - rate) : 0.0;
}

double weighted_calibration(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    double predicted = 0.0, seen = 0.0;
    for (int64_t i = 0; i < n; i++) {
        predicted += (double)w[i] * (p[i] >= 0.0f && p[i] <= 1.0f ? (double)p[i] : NAN);
        seen += (double)w[i] * y[i];
    }
    return seen > 0.0 ? predicted / seen : NAN;
}

typedef struct weighted_score {
    float p;
    int64_t example;
} weighted_score_t;

static int by_score(const void *a, const void *b)
{
    const weighted_score_t *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->example < y->example ? -1 : x->example > y->example;
}

double weighted_auc_loss(const float *p, const uint8_t *y, const float *w, int64_t n)
{
    weighted_score_t *score = MEM_ARRAY(weighted_score_t, n);
    double wrong = 0.0, positives = 0.0, negatives = 0.0;
    bool are_probabilities = true;
    for (int64_t i = 0; i < n; i++) {
        score[i] = (weighted_score_t){p[i], i};
        are_probabilities &= p[i] >= 0.0f && p[i] <= 1.0f;
    }
    if (n > 0 && are_probabilities)
        qsort(score, (size_t)n, sizeof *score, by_score);
    for (int64_t i = 0; i < n && are_probabilities;) {
        const float tie = score[i].p;
        double tied[2] = {0.0, 0.0};
        for (; i < n && score[i].p == tie; i++)
            tied[y[score[i].example]] += (double)w[score[i].example];
        wrong += tied[0] * (positives + 0.5 * tied[1]);
        positives += tied[1];
        negatives += tied[0];
    }
    mem_free(score);
    return are_probabilities && positives > 0.0 && negatives > 0.0 ? wrong / (positives * negatives) : NAN;
}
