/* Why Poisson and not multinomial counts: c(b, u) is then a function of (b, u) alone, so units can be walked in blocks that
 * stay in the cache, with all resamples of a block before the next. The number of units drawn varies by a share of
 * 1 / sqrt(units), which a ratio of sums does not see. Rejected: drawing unit numbers, a random access for each. */
#include "common/metrics/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/base/status.h"

#define STREAM UINT64_C(0x626f6f7473747261) /* "bootstra": apart from every other use of the seed */
#define BLOCK_UNITS 256                     /* times some tens of columns: the sums of a block fit a first-level cache */
#define PHILOX_WORDS 4
#define MOST_COUNT 12 /* P(c > 12) < 2^-33: no 32-bit word asks for more */

/* threshold[j] = 2^32 P(c <= j), rounded: a uniform word has count j where it is below threshold[j] and no lower one. Written
 * out, so that no machine's libm decides about a draw. */
static const uint32_t threshold[MOST_COUNT] = {
    1580030169, 3160060337, 3950075422, 4213413783, 4279248374, 4292415292,
    4294609778, 4294923276, 4294962463, 4294966817, 4294967253, 4294967292,
};

static int32_t count_of_word(uint32_t word)
{
    int32_t count = 0;
    for (int j = 0; j < MOST_COUNT; j++)
        count += word >= threshold[j];
    return count;
}

/* Counts of units [first, first + n) in resample b; first is a multiple of PHILOX_WORDS. */
static void draw_counts(uint64_t seed, int64_t b, int64_t first, int64_t n, double *count)
{
    const uint64_t key_bits = seed ^ STREAM;
    const uint32_t key[2] = {(uint32_t)key_bits, (uint32_t)(key_bits >> 32)};
    for (int64_t i = 0; i < n; i += PHILOX_WORDS) {
        const uint64_t group = (uint64_t)(first + i) / PHILOX_WORDS;
        const uint32_t counter[4] = {(uint32_t)group, (uint32_t)(group >> 32), (uint32_t)b, (uint32_t)((uint64_t)b >> 32)};
        uint32_t word[PHILOX_WORDS];
        rng_philox(counter, key, word);
        for (int64_t j = 0; j < PHILOX_WORDS && i + j < n; j++)
            count[i + j] = count_of_word(word[j]);
    }
}

int32_t bootstrap_count(uint64_t seed, int64_t b, int64_t u)
{
    double count[PHILOX_WORDS];
    draw_counts(seed, b, u - u % PHILOX_WORDS, PHILOX_WORDS, count);
    return (int32_t)count[u % PHILOX_WORDS];
}

/* total += sum over units of count * row. */
static void add_rows(double *restrict total, const double *restrict row, const double *restrict count, int64_t units,
                     int32_t columns)
{
    for (int64_t u = 0; u < units; u++)
        for (int32_t c = 0; c < columns; c++)
            total[c] += count[u] * row[u * columns + c];
}

bootstrap_t *bootstrap_create(const double *sums, int64_t units, int32_t columns, uint64_t seed, int32_t resamples)
{
    ASSERT(resamples >= 0 && columns > 0);
    bootstrap_t *bootstrap = MEM_NEW(bootstrap_t);
    *bootstrap = (bootstrap_t){.resamples = resamples, .columns = columns, .units = units};
    bootstrap->total = MEM_ARRAY(double, ((int64_t)resamples + 1) * columns);
    double drawn[BLOCK_UNITS], once[BLOCK_UNITS];
    for (int i = 0; i < BLOCK_UNITS; i++)
        once[i] = 1.0;
    for (int64_t first = 0; first < units; first += BLOCK_UNITS) {
        const int64_t n = units - first < BLOCK_UNITS ? units - first : BLOCK_UNITS;
        const double *row = sums + first * columns;
        for (int32_t b = 0; b < resamples; b++) {
            draw_counts(seed, b, first, n, drawn);
            add_rows(bootstrap->total + (int64_t)b * columns, row, drawn, n, columns);
        }
        add_rows(bootstrap->total + (int64_t)resamples * columns, row, once, n, columns);
    }
    return bootstrap;
}

void bootstrap_destroy(bootstrap_t **bootstrap)
{
    if (!*bootstrap)
        return;
    mem_free((*bootstrap)->total);
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
