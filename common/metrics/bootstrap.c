/* Why Poisson and not multinomial counts: c(b, u) is then a function of (b, u) alone, so units can be walked in blocks that
 * stay in the cache, with all resamples of a block before the next. The number of units drawn varies by a share of
 * 1 / sqrt(units), which a ratio of sums does not see. Rejected: drawing unit numbers, a random access for each. */
#include "common/metrics/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/base/vectors.h"

#define STREAM UINT64_C(0x626f6f7473747261) /* "bootstra": apart from every other use of the seed */
#define LANES 16                            /* resamples side by side */
#define PHILOX_WORDS 4
#define MOST_COUNT 12  /* P(c > 12) < 2^-33: no 32-bit word asks for more */
#define COMMON_COUNT 5 /* of 64 words drawn together, one in five times any asks for more */

/* threshold[j] = 2^32 P(c <= j), rounded: a uniform word has count j where it is below threshold[j] and no lower one. Written
 * out, so that no machine's libm decides about a draw. */
static const uint32_t threshold[MOST_COUNT] = {
    1580030169, 3160060337, 3950075422, 4213413783, 4279248374, 4292415292,
    4294609778, 4294923276, 4294962463, 4294966817, 4294967253, 4294967292,
};

#define VECTOR_DOUBLES (VECTOR_BYTES / (int)sizeof(double))

typedef double doubles_t __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES)));

/* A double for each of LANES resamples. */
typedef struct resample_lanes {
    doubles_t part[LANES / VECTOR_DOUBLES];
} resample_lanes_t;

WIDE static void count_words(const uint32_t *restrict word, int32_t *restrict count)
{
    enum { WORDS = PHILOX_WORDS * LANES };
    uint32_t largest = 0;
    for (int i = 0; i < WORDS; i++) {
        int32_t n = 0;
        for (int j = 0; j < COMMON_COUNT; j++)
            n += word[i] >= threshold[j];
        count[i] = n;
        largest = word[i] > largest ? word[i] : largest;
    }
    if (largest >= threshold[COMMON_COUNT])
        for (int i = 0; i < WORDS; i++)
            for (int j = COMMON_COUNT; j < MOST_COUNT; j++)
                count[i] += word[i] >= threshold[j];
}

/* rng_philox of (group, b), (group, b + 1) ..: word[w][lane]. */
WIDE static void philox_lanes(uint64_t seed, uint64_t group, uint64_t b, uint32_t *restrict word)
{
    const uint64_t key_bits = seed ^ STREAM;
    uint32_t key[2] = {(uint32_t)key_bits, (uint32_t)(key_bits >> 32)};
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    for (int l = 0; l < LANES; l++) {
        c0[l] = (uint32_t)group;
        c1[l] = (uint32_t)(group >> 32);
        c2[l] = (uint32_t)(b + (uint64_t)l);
        c3[l] = (uint32_t)((b + (uint64_t)l) >> 32);
    }
    for (int round = 0; round < RNG_PHILOX_ROUNDS; round++) {
        for (int l = 0; l < LANES; l++)
            rng_philox_round(&c0[l], &c1[l], &c2[l], &c3[l], key);
        rng_philox_next_key(key);
    }
    memcpy(word, c0, sizeof c0);
    memcpy(word + LANES, c1, sizeof c1);
    memcpy(word + 2 * LANES, c2, sizeof c2);
    memcpy(word + 3 * LANES, c3, sizeof c3);
}

/* Counts of units [first, first + n) in resamples b .. b + LANES - 1; first is a multiple of PHILOX_WORDS, and room for the
 * next multiple is there. */
static void draw_counts(uint64_t seed, int64_t b, int64_t first, int64_t n, resample_lanes_t *count)
{
    uint32_t word[PHILOX_WORDS * LANES];
    int32_t drawn[PHILOX_WORDS * LANES];
    for (int64_t i = 0; i < n; i += PHILOX_WORDS) {
        philox_lanes(seed, (uint64_t)(first + i) / PHILOX_WORDS, (uint64_t)b, word);
        count_words(word, drawn);
        double *into = (double *)&count[i];
        for (int k = 0; k < PHILOX_WORDS * LANES; k++)
            into[k] = (double)drawn[k];
    }
}

int32_t bootstrap_count(uint64_t seed, int64_t b, int64_t u)
{
    resample_lanes_t count[PHILOX_WORDS];
    draw_counts(seed, b, u - u % PHILOX_WORDS, PHILOX_WORDS, count);
    return (int32_t)count[u % PHILOX_WORDS].part[0][0];
}

/* total[c] += sum over units of count * row, for `n` neighbouring columns of all; unit after unit, so that the sums round as
 * they would one by one. */
static inline __attribute__((always_inline)) void add_columns(resample_lanes_t *restrict total, const double *restrict row,
                                                              const resample_lanes_t *restrict count, int64_t units,
                                                              int32_t columns, int n)
{
    resample_lanes_t sum[4];
    for (int c = 0; c < n; c++)
        sum[c] = total[c];
    for (int64_t u = 0; u < units; u++)
        for (int c = 0; c < n; c++)
            for (int p = 0; p < LANES / VECTOR_DOUBLES; p++)
                sum[c].part[p] += count[u].part[p] * row[u * columns + c];
    for (int c = 0; c < n; c++)
        total[c] = sum[c];
}

WIDE static void add_rows(resample_lanes_t *restrict total, const double *restrict row, const resample_lanes_t *restrict count,
                          int64_t units, int32_t columns)
{
    int32_t c = 0;
    for (; c + 4 <= columns; c += 4)
        add_columns(total + c, row + c, count, units, columns, 4);
    if (columns - c == 3)
        add_columns(total + c, row + c, count, units, columns, 3);
    else if (columns - c == 2)
        add_columns(total + c, row + c, count, units, columns, 2);
    else if (columns - c == 1)
        add_columns(total + c, row + c, count, units, columns, 1);
}

bootstrap_t *bootstrap_open(int32_t columns, uint64_t seed, int32_t resamples)
{
    ASSERT(resamples >= 0 && columns > 0);
    bootstrap_t *bootstrap = MEM_NEW(bootstrap_t);
    *bootstrap = (bootstrap_t){.resamples = resamples, .columns = columns, .seed = seed};
    bootstrap->total = MEM_ARRAY(double, ((int64_t)resamples + 1) * columns);
    bootstrap->lanes =
        MEM_ARRAY(resample_lanes_t, (int64_t)(resamples + LANES - 1) / LANES * columns); /* [resamples / LANES][columns] */
    return bootstrap;
}

void bootstrap_add(bootstrap_t *bootstrap, const double *sums, int64_t units)
{
    const int32_t columns = bootstrap->columns;
    double *own = bootstrap->total + (int64_t)bootstrap->resamples * columns;
    resample_lanes_t drawn[BOOTSTRAP_UNITS];
    ASSERT(bootstrap->lanes && bootstrap->units % BOOTSTRAP_UNITS == 0);
    for (int64_t first = 0; first < units; first += BOOTSTRAP_UNITS) {
        const int64_t n = units - first < BOOTSTRAP_UNITS ? units - first : BOOTSTRAP_UNITS;
        const double *row = sums + first * columns;
        for (int32_t b = 0; b < bootstrap->resamples; b += LANES) {
            draw_counts(bootstrap->seed, b, bootstrap->units, n, drawn);
            add_rows(bootstrap->lanes + (int64_t)(b / LANES) * columns, row, drawn, n, columns);
        }
        for (int64_t i = 0; i < n * columns; i++)
            own[i % columns] += row[i];
        bootstrap->units += n;
    }
}

void bootstrap_close(bootstrap_t *bootstrap)
{
    const int32_t columns = bootstrap->columns;
    for (int32_t b = 0; b < bootstrap->resamples; b++)
        for (int32_t c = 0; c < columns; c++)
            bootstrap->total[(int64_t)b * columns + c] =
                bootstrap->lanes[(int64_t)(b / LANES) * columns + c].part[b % LANES / VECTOR_DOUBLES][b % VECTOR_DOUBLES];
    mem_free(bootstrap->lanes);
    bootstrap->lanes = NULL;
}

bootstrap_t *bootstrap_create(const double *sums, int64_t units, int32_t columns, uint64_t seed, int32_t resamples)
{
    bootstrap_t *bootstrap = bootstrap_open(columns, seed, resamples);
    bootstrap_add(bootstrap, sums, units);
    bootstrap_close(bootstrap);
    return bootstrap;
}

void bootstrap_destroy(bootstrap_t **bootstrap)
{
    if (!*bootstrap)
        return;
    mem_free((*bootstrap)->total);
    mem_free((*bootstrap)->lanes);
    mem_free(*bootstrap);
    *bootstrap = NULL;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between order statistics: quantile 0 is the lowest value, 1 the highest. */
static double quantile(const double *sorted, int32_t n, double q)
{
    const double at = q * (n - 1);
    const int32_t below = (int32_t)at;
    return below + 1 < n ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[n - 1];
}

/* value [resamples + 1]: one per resample, then the sample's own; destroyed. */
static estimate_t estimate_of(const bootstrap_t *bootstrap, double *value)
{
    estimate_t estimate = {value[bootstrap->resamples], NAN, NAN};
    int32_t defined = 0;
    for (int32_t b = 0; b < bootstrap->resamples; b++)
        if (!isnan(value[b]))
            value[defined++] = value[b];
    if (bootstrap->units < 2 || defined < 2 || isnan(estimate.value))
        return estimate;
    qsort(value, (size_t)defined, sizeof *value, by_value);
    estimate.low = quantile(value, defined, (1.0 - BOOTSTRAP_CONFIDENCE) / 2.0);
    estimate.high = quantile(value, defined, (1.0 + BOOTSTRAP_CONFIDENCE) / 2.0);
    return estimate;
}

static double ratio(const double *total, int32_t numerator, int32_t denominator)
{
    return total[denominator] > 0.0 ? total[numerator] / total[denominator] : NAN;
}

estimate_t bootstrap_ratio(const bootstrap_t *bootstrap, int32_t numerator, int32_t denominator)
{
    double *value = MEM_ARRAY(double, bootstrap->resamples + 1);
    for (int32_t b = 0; b <= bootstrap->resamples; b++)
        value[b] = ratio(bootstrap->total + (int64_t)b * bootstrap->columns, numerator, denominator);
    estimate_t estimate = estimate_of(bootstrap, value);
    mem_free(value);
    return estimate;
}

/* Of those that are defined. */
static double deviation(const double *value, int32_t n)
{
    double sum = 0.0, squares = 0.0;
    int32_t defined = 0;
    for (int32_t b = 0; b < n; b++)
        if (!isnan(value[b])) {
            sum += value[b];
            defined++;
        }
    for (int32_t b = 0; b < n; b++)
        if (!isnan(value[b]))
            squares += (value[b] - sum / defined) * (value[b] - sum / defined);
    return defined > 1 ? sqrt(squares / (defined - 1)) : NAN;
}

estimate_t bootstrap_of(const bootstrap_t *bootstrap, double (*of)(const double *sums), double *error)
{
    double *value = MEM_ARRAY(double, bootstrap->resamples + 1);
    for (int32_t b = 0; b <= bootstrap->resamples; b++)
        value[b] = of(bootstrap->total + (int64_t)b * bootstrap->columns);
    const double spread = deviation(value, bootstrap->resamples);
    const estimate_t estimate = estimate_of(bootstrap, value);
    *error = isnan(estimate.low) ? NAN : spread;
    mem_free(value);
    return estimate;
}

estimate_t bootstrap_difference(const bootstrap_t *bootstrap, int32_t numerator_a, int32_t numerator_b, int32_t denominator)
{
    double *value = MEM_ARRAY(double, bootstrap->resamples + 1);
    for (int32_t b = 0; b <= bootstrap->resamples; b++) {
        const double *total = bootstrap->total + (int64_t)b * bootstrap->columns;
        value[b] = ratio(total, numerator_a, denominator) - ratio(total, numerator_b, denominator);
    }
    estimate_t estimate = estimate_of(bootstrap, value);
    mem_free(value);
    return estimate;
}
