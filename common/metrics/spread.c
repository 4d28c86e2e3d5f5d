#include "common/metrics/spread.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"
#include "common/metrics/swap.h"

void spread_without(const float *const *p, int32_t replicas, int64_t n, double *without)
{
    double *pair = MEM_ARRAY(double, replicas *replicas);
    for (int32_t i = 0; i < replicas; i++)
        for (int32_t j = i + 1; j < replicas; j++)
            pair[i * replicas + j] = pd_of_pair(p[i], p[j], n);
    jackknife_pairs(pair, replicas, without);
    mem_free(pair);
}

void spread_without_levelled(const float *const *p, int32_t replicas, int64_t n, double *without)
{
    const int32_t left = replicas - 1;
    const float **kept = MEM_ARRAY(const float *, replicas);
    float *levelled = MEM_ARRAY(float, replicas *n);
    for (int32_t out = 0; out < replicas; out++) {
        double sum = 0.0;
        for (int32_t r = 0; r < left; r++)
            kept[r] = p[r < out ? r : r + 1];
        level_predictions(kept, left, n, levelled);
        for (int32_t i = 0; i < left; i++)
            for (int32_t j = i + 1; j < left; j++)
                sum += pd_of_pair(levelled + i * n, levelled + j * n, n);
        without[out] = sum / pd_pairs(left);
    }
    mem_free(levelled);
    mem_free(kept);
}

static double relative_pd(const float *const *p, int32_t replicas, int64_t n)
{
    double *term = MEM_ARRAY(double, n *PD_COUNT);
    pd_examples(p, replicas, n, term);
    const double mean = pd_mean(term, n, PD_RELATIVE);
    mem_free(term);
    return mean;
}

static double levelled_pd(const float *const *p, int32_t replicas, int64_t n)
{
    float *levelled = MEM_ARRAY(float, replicas *n);
    const float **of_replica = MEM_ARRAY(const float *, replicas);
    for (int32_t r = 0; r < replicas; r++)
        of_replica[r] = levelled + r * n;
    level_predictions(p, replicas, n, levelled);
    const double mean = relative_pd(of_replica, replicas, n);
    mem_free(of_replica);
    mem_free(levelled);
    return mean;
}

/* Mean over the queries that can swap. */
static double swaps(const queries_t *queries, const float *const *p, int32_t replicas)
{
    double *share = MEM_ARRAY(double, queries->count), sum = 0.0;
    int64_t counted = 0;
    swap_queries(queries, p, replicas, 1, share);
    for (int64_t q = 0; q < queries->count; q++) {
        if (queries_size(queries, q) < 2)
            continue;
        sum += share[q];
        counted++;
    }
    mem_free(share);
    return counted ? sum / (double)counted : NAN;
}

static void swaps_without(const queries_t *queries, const float *const *p, int32_t replicas, double *without)
{
    double *pair = MEM_ARRAY(double, replicas *replicas);
    for (int32_t i = 0; i < replicas; i++)
        for (int32_t j = i + 1; j < replicas; j++)
            pair[i * replicas + j] = swaps(queries, (const float *const[]){p[i], p[j]}, 2);
    jackknife_pairs(pair, replicas, without);
    mem_free(pair);
}

void spread_measure(const float *const *p, int32_t replicas, int64_t n, const queries_t *queries, spread_t *out)
{
    *out = (spread_t){
        .pd_relative = {relative_pd(p, replicas, n), NAN},
        .pd_levelled = {levelled_pd(p, replicas, n), NAN},
        .swap_top1 = {queries ? swaps(queries, p, replicas) : NAN, NAN},
    };
    if (replicas < JACKKNIFE_LEAST_REPLICAS)
        return;
    double *without = MEM_ARRAY(double, replicas);
    spread_without(p, replicas, n, without);
    out->pd_relative.error = jackknife_error(without, replicas);
    spread_without_levelled(p, replicas, n, without);
    out->pd_levelled.error = jackknife_error(without, replicas);
    if (queries) {
        swaps_without(queries, p, replicas, without);
        out->swap_top1.error = jackknife_error(without, replicas);
    }
    mem_free(without);
}
