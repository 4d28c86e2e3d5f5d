/* bootstrap.h - how far a metric would move with other queries: confidence intervals by resampling (docs/MATH.md section 9).
 *
 * Every metric here is a ratio of sums over units (queries, or examples where there are none). A resample counts unit u
 * c(b, u) times, with c ~ Poisson(1) and independent, so all that is needed of the data is one row of sums per unit. Counts
 * are counter-based random numbers: a resample is the same set for every metric and every model, so that differences between
 * models are paired, and the result is the same on every call and machine.
 *
 * The intervals answer for the choice of queries. They know nothing of replicas that were not trained. Pure, any thread. */
#ifndef SMELTER_BOOTSTRAP_H
#define SMELTER_BOOTSTRAP_H

#include <stdint.h>

#define BOOTSTRAP_CONFIDENCE 0.95

/* A number with its interval; low and high are NaN where there is none. */
typedef struct estimate {
    double value, low, high;
} estimate_t;

/* bootstrap_count - how often resample b holds unit u. */
int32_t bootstrap_count(uint64_t seed, int64_t b, int64_t u);

typedef struct bootstrap {
    int32_t resamples, columns;
    int64_t units;
    double *total; /* **owned**, [resamples + 1][columns]: column sums of every resample; the last row is the sample itself */
    uint64_t seed;
    struct resample_lanes *lanes; /* **owned**, until bootstrap_close: column sums so far */
} bootstrap_t;

/* bootstrap_create - the column sums of all resamples: total[b][c] = sum_u c(b, u) sums[u][c].
 *
 * sums  in [units][columns], row-major, borrowed until return.  **owned**, bootstrap_destroy.
 * Cost: resamples * units * (columns + 1/4 Philox block) flop, in blocks that stay in the cache. */
bootstrap_t *bootstrap_create(const double *sums, int64_t units, int32_t columns, uint64_t seed, int32_t resamples);
void bootstrap_destroy(bootstrap_t **bootstrap);

/* The same in pieces, the same bits: bootstrap_open, bootstrap_add of the units in their order, bootstrap_close. All pieces but
 * the last are whole multiples of BOOTSTRAP_UNITS. */
#define BOOTSTRAP_UNITS 64 /* times some tens of columns: the sums of so many units fit a first-level cache */
bootstrap_t *bootstrap_open(int32_t columns, uint64_t seed, int32_t resamples);
void bootstrap_add(bootstrap_t *bootstrap, const double *sums, int64_t units);
void bootstrap_close(bootstrap_t *bootstrap);

/* bootstrap_ratio - sum of one column / sum of another, with the percentile interval. Resamples in which the ratio is not
 * defined (no unit that counts was drawn) are left out. No interval below two units, two defined resamples, or where the
 * value is NaN. */
estimate_t bootstrap_ratio(const bootstrap_t *bootstrap, int32_t numerator, int32_t denominator);

/* bootstrap_of - any number made of the column sums, NaN where it is not defined, with the percentile interval as above;
 * *error: the standard deviation over resamples, NaN where there is no interval. */
estimate_t bootstrap_of(const bootstrap_t *bootstrap, double (*of)(const double *sums), double *error);

/* bootstrap_difference - numerator_a / denominator - numerator_b / denominator, paired: an interval without 0 says that a and
 * b differ on queries like these. */
estimate_t bootstrap_difference(const bootstrap_t *bootstrap, int32_t numerator_a, int32_t numerator_b, int32_t denominator);

#endif
