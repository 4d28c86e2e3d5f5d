/* With the odds factor E = exp(c), sigmoid(logit p + c) = p E / (1 - p + p E): no logarithm, and exact at 0 and 1. The mean
 * grows with c, and its derivative is the mean of q (1 - q); Newton's steps, and a bisection where one leaves the bracket. */
#include "common/metrics/level.h"

#include <math.h>
#include <stdbool.h>

#include "common/base/memory.h"
#include "common/math/real.h"
#include "common/metrics/weighted.h"

#define FARTHEST 100.0     /* of c: any f32 between 0 and 1 that the cluster predicts is then 0 or 1 to a double */
#define MOST_STEPS 200     /* bisection alone needs 60 */
#define CLOSE_ENOUGH 1e-15 /* of the mean, which is below 1 */

static double moved(double p, double odds_factor)
{
    return p * odds_factor / (1.0 - p + p * odds_factor);
}

static status_t mean_moved(const scores_t *p, const float *w, double c, double *mean, double *slope)
{
    const double odds_factor = real_exp(c);
    double sum = 0.0, slopes = 0.0, weights = 0.0;
    score_blocks_t blocks = score_blocks_open(p, 1);
    status_t status = ST_OK;
    while (score_blocks_next(&blocks, &status))
        for (int64_t t = 0; t < blocks.count; t++) {
            const double q = moved((double)blocks.p[0][t], odds_factor), weight = weighted_of(w, blocks.first + t);
            sum += weight * q;
            slopes += weight * (q * (1.0 - q));
            weights += weight;
        }
    score_blocks_close(&blocks);
    *slope = slopes / weights;
    *mean = sum / weights;
    return status;
}

status_t level_shift(const scores_t *p, const float *w, double level, double *shift)
{
    double low = -FARTHEST, high = FARTHEST, c = 0.0, mean, slope;
    *shift = NAN;
    if (p->n == 0)
        return ST_OK;
    for (int step = 0; step < MOST_STEPS; step++) {
        TRY(mean_moved(p, w, c, &mean, &slope));
        const double above = mean - level;
        if (isnan(above))
            return ST_OK;
        if (fabs(above) <= CLOSE_ENOUGH) {
            *shift = c;
            return ST_OK;
        }
        if (above > 0.0)
            high = c;
        else
            low = c;
        double next = c - above / slope; /* not a number where the slope is 0 */
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - c) <= CLOSE_ENOUGH * (1.0 + fabs(c))) { /* as near as doubles are, unless the bracket ends here */
            *shift = FARTHEST - fabs(c) > 1e-6 ? c : NAN;
            return ST_OK;
        }
        c = next;
    }
    return ST_OK;
}

/* The mean prediction; NaN where one is not in [0, 1]. */
static status_t level_of(const scores_t *p, const float *w, double *level)
{
    double sum = 0.0, weights = 0.0;
    bool good = p->n > 0;
    score_blocks_t blocks = score_blocks_open(p, 1);
    status_t status = ST_OK;
    while (score_blocks_next(&blocks, &status))
        for (int64_t t = 0; t < blocks.count; t++) {
            const float own = blocks.p[0][t];
            const double weight = weighted_of(w, blocks.first + t);
            sum += weight * (double)own;
            weights += weight;
            good = good && own >= 0.0f && own <= 1.0f; /* false for NaN */
        }
    score_blocks_close(&blocks);
    *level = good && weights > 0.0 ? sum / weights : NAN;
    return status;
}

status_t level_factors(const scores_t *p, int32_t replicas, const float *w, double *factor)
{
    double level = 0.0, own;
    for (int32_t r = 0; r < replicas; r++) {
        TRY(level_of(&p[r], w, &own));
        level += own / replicas;
    }
    bool reached = !isnan(level);
    for (int32_t r = 0; r < replicas && reached; r++) {
        double shift;
        TRY(level_shift(&p[r], w, level, &shift));
        factor[r] = real_exp(shift);
        reached = !isnan(factor[r]);
    }
    for (int32_t r = 0; r < replicas && !reached; r++)
        factor[r] = NAN;
    return ST_OK;
}

void level_moved(const float *p, int64_t n, double factor, float *out)
{
    for (int64_t t = 0; t < n; t++)
        out[t] = (float)moved((double)p[t], factor);
}

void level_predictions(const float *const *p, int32_t replicas, const float *w, int64_t n, float *out)
{
    double *factor = MEM_ARRAY(double, replicas);
    scores_t *scores = MEM_ARRAY(scores_t, replicas);
    for (int32_t r = 0; r < replicas; r++)
        scores[r] = scores_in_memory(p[r], n);
    const status_t status = level_factors(scores, replicas, w, factor);
    ASSERT(status == ST_OK); /* nothing is read */
    for (int32_t r = 0; r < replicas; r++)
        level_moved(p[r], n, factor[r], out + r * n);
    mem_free(scores);
    mem_free(factor);
}
