#include "common/metrics/spread.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"
#include "common/metrics/swap.h"
#include "common/metrics/weighted.h"

/* Of the examples from `first` on. */
static const float *weights_from(const float *w, int64_t first)
{
    return w ? w + first : NULL;
}

status_t spread_without(const scores_t *p, int32_t replicas, const float *w, double *without)
{
    pd_sum_t *sum = MEM_ARRAY(pd_sum_t, replicas * replicas);
    double *pair = MEM_ARRAY(double, replicas *replicas);
    score_blocks_t blocks = score_blocks_open(p, replicas);
    status_t status = ST_OK;
    while (score_blocks_next(&blocks, &status))
        for (int32_t i = 0; i < replicas; i++)
            for (int32_t j = i + 1; j < replicas; j++)
                pd_sum_add(&sum[i * replicas + j], blocks.p[i], blocks.p[j], weights_from(w, blocks.first), blocks.count);
    for (int32_t i = 0; i < replicas * replicas; i++)
        pair[i] = pd_sum_mean(&sum[i]);
    jackknife_pairs(pair, replicas, without);
    score_blocks_close(&blocks);
    mem_free(pair);
    mem_free(sum);
    return status;
}

/* factor [replicas][replicas - 1]: what levels the replicas that are left without the first, without the second, .. */
static status_t factors_without(const scores_t *p, int32_t replicas, const float *w, double *factor)
{
    const int32_t left = replicas - 1;
    scores_t *kept = MEM_ARRAY(scores_t, left);
    status_t status = ST_OK;
    for (int32_t out = 0; out < replicas && status == ST_OK; out++) {
        for (int32_t r = 0; r < left; r++)
            kept[r] = p[r < out ? r : r + 1];
        status = level_factors(kept, left, w, factor + out * left);
    }
    mem_free(kept);
    return status;
}

/* sum [pairs of those that are left] += the block without one replica; levelled is scratch, [replicas - 1][SCORES_BLOCK]. */
static void add_levelled(const score_blocks_t *blocks, int32_t without, const float *w, const double *factor, float *levelled,
                         pd_sum_t *sum)
{
    const int32_t left = blocks->models - 1;
    for (int32_t r = 0; r < left; r++)
        level_moved(blocks->p[r < without ? r : r + 1], blocks->count, factor[r], levelled + (int64_t)r * SCORES_BLOCK);
    for (int32_t i = 0; i < left; i++)
        for (int32_t j = i + 1; j < left; j++)
            pd_sum_add(sum++, levelled + (int64_t)i * SCORES_BLOCK, levelled + (int64_t)j * SCORES_BLOCK,
                       weights_from(w, blocks->first), blocks->count);
}

status_t spread_without_levelled(const scores_t *p, int32_t replicas, const float *w, double *without)
{
    const int32_t left = replicas - 1, pairs = pd_pairs(left);
    double *factor = MEM_ARRAY(double, replicas *left);
    float *levelled = MEM_ARRAY(float, (int64_t)left *SCORES_BLOCK);
    pd_sum_t *sum = MEM_ARRAY(pd_sum_t, replicas * pairs);
    score_blocks_t blocks = score_blocks_open(p, replicas);
    status_t status = factors_without(p, replicas, w, factor);
    while (score_blocks_next(&blocks, &status))
        for (int32_t out = 0; out < replicas; out++)
            add_levelled(&blocks, out, w, factor + out * left, levelled, sum + out * pairs);
    for (int32_t out = 0; out < replicas; out++) {
        double total = 0.0;
        for (int32_t pair = 0; pair < pairs; pair++)
            total += pd_sum_mean(&sum[out * pairs + pair]);
        without[out] = total / pairs;
    }
    score_blocks_close(&blocks);
    mem_free(sum);
    mem_free(levelled);
    mem_free(factor);
    return status;
}

/* sum += the relative PD of every example in turn. */
static double add_relative(double sum, const float *const *p, int32_t replicas, const float *w, int64_t n, double *term)
{
    pd_relative_examples(p, replicas, n, term);
    for (int64_t t = 0; t < n; t++)
        sum += weighted_of(w, t) * term[t];
    return sum;
}

static status_t relative_pd(const scores_t *p, int32_t replicas, const float *w, double *mean)
{
    double *term = MEM_ARRAY(double, SCORES_BLOCK), sum = 0.0;
    score_blocks_t blocks = score_blocks_open(p, replicas);
    status_t status = ST_OK;
    while (score_blocks_next(&blocks, &status))
        sum = add_relative(sum, blocks.p, replicas, weights_from(w, blocks.first), blocks.count, term);
    score_blocks_close(&blocks);
    mem_free(term);
    const double weights = weighted_sum(w, p->n);
    *mean = weights > 0.0 ? sum / weights : NAN;
    return status;
}

static status_t levelled_pd(const scores_t *p, int32_t replicas, const float *w, double *mean)
{
    double *factor = MEM_ARRAY(double, replicas), *term = MEM_ARRAY(double, SCORES_BLOCK), sum = 0.0;
    float *levelled = MEM_ARRAY(float, (int64_t)replicas *SCORES_BLOCK);
    const float **of_replica = MEM_ARRAY(const float *, replicas);
    score_blocks_t blocks = score_blocks_open(p, replicas);
    status_t status = level_factors(p, replicas, w, factor);
    while (score_blocks_next(&blocks, &status)) {
        for (int32_t r = 0; r < replicas; r++) {
            float *own = levelled + (int64_t)r * SCORES_BLOCK;
            level_moved(blocks.p[r], blocks.count, factor[r], own);
            of_replica[r] = own;
        }
        sum = add_relative(sum, of_replica, replicas, weights_from(w, blocks.first), blocks.count, term);
    }
    score_blocks_close(&blocks);
    mem_free(of_replica);
    mem_free(levelled);
    mem_free(term);
    mem_free(factor);
    const double weights = weighted_sum(w, p->n);
    *mean = weights > 0.0 ? sum / weights : NAN;
    return status;
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

static status_t measure(const scores_t *scores, const float *const *p, int32_t replicas, const float *w,
                        const queries_t *queries, spread_t *out)
{
    double *without = MEM_ARRAY(double, replicas);
    status_t status;
    TRY_DONE(relative_pd(scores, replicas, w, &out->pd_relative.value));
    TRY_DONE(levelled_pd(scores, replicas, w, &out->pd_levelled.value));
    if (replicas < JACKKNIFE_LEAST_REPLICAS)
        goto done;
    TRY_DONE(spread_without(scores, replicas, w, without));
    out->pd_relative.error = jackknife_error(without, replicas);
    TRY_DONE(spread_without_levelled(scores, replicas, w, without));
    out->pd_levelled.error = jackknife_error(without, replicas);
    if (queries) {
        swaps_without(queries, p, replicas, without);
        out->swap_top1.error = jackknife_error(without, replicas);
    }
done:
    mem_free(without);
    return status;
}

void spread_measure(const float *const *p, int32_t replicas, const float *w, int64_t n, const queries_t *queries, spread_t *out)
{
    scores_t *scores = MEM_ARRAY(scores_t, replicas);
    for (int32_t r = 0; r < replicas; r++)
        scores[r] = scores_in_memory(p[r], n);
    *out = (spread_t){
        .pd_relative = {NAN, NAN}, .pd_levelled = {NAN, NAN}, .swap_top1 = {queries ? swaps(queries, p, replicas) : NAN, NAN}};
    const status_t status = measure(scores, p, replicas, w, queries, out);
    ASSERT(status == ST_OK); /* nothing is read */
    mem_free(scores);
}
