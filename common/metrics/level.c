/* With the odds factor E = exp(c), sigmoid(logit p + c) = p E / (1 - p + p E): no logarithm, and exact at 0 and 1. The mean
 * grows with c, and its derivative is the mean of q (1 - q); Newton's steps, and a bisection where one leaves the bracket. */
#include "common/metrics/level.h"

#include <math.h>
#include <stdbool.h>

#include "common/base/memory.h"

#define FARTHEST 100.0     /* of c: any f32 between 0 and 1 that the cluster predicts is then 0 or 1 to a double */
#define MOST_STEPS 200     /* bisection alone needs 60 */
#define CLOSE_ENOUGH 1e-15 /* of the mean, which is below 1 */

static double moved(double p, double odds_factor)
{
    return p * odds_factor / (1.0 - p + p * odds_factor);
}

static double mean_moved(const float *p, int64_t n, double c, double *slope)
{
    const double odds_factor = exp(c);
    double sum = 0.0, slopes = 0.0;
    for (int64_t t = 0; t < n; t++) {
        const double q = moved((double)p[t], odds_factor);
        sum += q;
        slopes += q * (1.0 - q);
    }
    *slope = slopes / (double)n;
    return sum / (double)n;
}

double level_shift(const float *p, int64_t n, double level)
{
    double low = -FARTHEST, high = FARTHEST, c = 0.0, slope;
    if (n == 0)
        return NAN;
    for (int step = 0; step < MOST_STEPS; step++) {
        const double above = mean_moved(p, n, c, &slope) - level;
        if (fabs(above) <= CLOSE_ENOUGH)
            return c;
        if (isnan(above))
            return NAN;
        if (above > 0.0)
            high = c;
        else
            low = c;
        double next = c - above / slope; /* not a number where the slope is 0 */
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - c) <= CLOSE_ENOUGH * (1.0 + fabs(c))) /* as near as doubles are, unless the bracket ends here */
            return FARTHEST - fabs(c) > 1e-6 ? c : NAN;
        c = next;
    }
    return NAN;
}

/* The mean prediction; NaN where one is not in [0, 1]. */
static double level_of(const float *p, int64_t n)
{
    double sum = 0.0;
    bool good = n > 0;
    for (int64_t t = 0; t < n; t++) {
        sum += (double)p[t];
        good = good && p[t] >= 0.0f && p[t] <= 1.0f; /* false for NaN */
    }
    return good ? sum / (double)n : NAN;
}

void level_predictions(const float *const *p, int32_t replicas, int64_t n, float *out)
{
    double level = 0.0, *factor = MEM_ARRAY(double, replicas);
    for (int32_t r = 0; r < replicas; r++)
        level += level_of(p[r], n) / replicas;
    bool reached = !isnan(level);
    for (int32_t r = 0; r < replicas && reached; r++) {
        factor[r] = exp(level_shift(p[r], n, level));
        reached = !isnan(factor[r]);
    }
    for (int32_t r = 0; r < replicas; r++)
        for (int64_t t = 0; t < n; t++)
            out[r * n + t] = reached ? (float)moved((double)p[r][t], factor[r]) : NAN;
    mem_free(factor);
}
