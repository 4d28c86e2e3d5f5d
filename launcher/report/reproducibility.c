/* One table of sums with a row per query (or per example, where there are no queries) and these columns, which one bootstrap
 * then resamples for all variants at once:
 *
 *     examples | queries of more than 1 | queries of more than k | variant 0: PD_COUNT measures, levelled, top 1, top k | ..
 *     --------- denominators ---------   ------------------------- numerators ------------------------------------------
 *
 * For the errors over replicas (differences.h) every variant also has its PD without each of them, as it is and levelled. */
#include "launcher/report/reproducibility.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"
#include "common/metrics/queries.h"
#include "common/metrics/spread.h"
#include "common/metrics/swap.h"

#define SEED 1 /* intervals are part of the report: the same runs give the same ones */

enum { EXAMPLES, LONGER_THAN_1, LONGER_THAN_K, DENOMINATORS };
enum { LEVELLED = PD_COUNT, SWAP_TOP1, SWAP_TOPK, NUMERATORS };

_Static_assert(sizeof(reproducibility_t) == NUMERATORS * sizeof(estimate_t),
               "a numerator for every row of an array of estimates");

static int32_t column_of(int32_t variant, int32_t numerator)
{
    return DENOMINATORS + variant * NUMERATORS + numerator;
}

static int32_t denominator_of(int32_t numerator)
{
    return numerator == SWAP_TOP1 ? LONGER_THAN_1 : numerator == SWAP_TOPK ? LONGER_THAN_K : EXAMPLES;
}

/* The table and what it is made from. */
typedef struct score_table {
    const queries_t *queries; /* borrowed */
    bool has_queries;
    int32_t columns;
    double *sums; /* [queries][columns] */
} score_table_t;

static void put_denominators(score_table_t *table)
{
    for (int64_t q = 0; q < table->queries->count; q++) {
        double *row = table->sums + q * table->columns;
        const int64_t size = queries_size(table->queries, q);
        row[EXAMPLES] = (double)size;
        row[LONGER_THAN_1] = table->has_queries && size > 1;
        row[LONGER_THAN_K] = table->has_queries && size > RESULT_TOP_K;
    }
}

/* Sums over the examples of each query of a number of every example. */
static void put_sums(score_table_t *table, int32_t column, const double *number, int stride)
{
    const queries_t *queries = table->queries;
    for (int64_t q = 0; q < queries->count; q++)
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++)
            table->sums[q * table->columns + column] += number[queries->example[i] * stride];
}

static void put_levelled(score_table_t *table, int32_t v, const float *const *p, int32_t replicas, int64_t n)
{
    float *levelled = MEM_ARRAY(float, replicas *n);
    const float **of_replica = MEM_ARRAY(const float *, replicas);
    double *term = MEM_ARRAY(double, n *PD_COUNT);
    for (int32_t r = 0; r < replicas; r++)
        of_replica[r] = levelled + r * n;
    level_predictions(p, replicas, n, levelled);
    pd_examples(of_replica, replicas, n, term);
    put_sums(table, column_of(v, LEVELLED), term + PD_RELATIVE, PD_COUNT);
    mem_free(term);
    mem_free(of_replica);
    mem_free(levelled);
}

static void put_swaps(score_table_t *table, int32_t v, const float *const *p, int32_t replicas, int32_t k, int32_t numerator)
{
    double *share = MEM_ARRAY(double, table->queries->count);
    swap_queries(table->queries, p, replicas, k, share);
    for (int64_t q = 0; q < table->queries->count; q++)
        table->sums[q * table->columns + column_of(v, numerator)] = share[q];
    mem_free(share);
}

static void put_variant(score_table_t *table, int32_t v, variant_result_t *variant, int64_t n)
{
    const float **p = MEM_ARRAY(const float *, variant->replicas);
    for (int32_t r = 0; r < variant->replicas; r++) {
        ASSERT(variant->replica[r].predictions || n == 0);
        p[r] = variant->replica[r].predictions;
    }
    double *term = MEM_ARRAY(double, n *PD_COUNT);
    pd_examples(p, variant->replicas, n, term);
    for (int m = 0; m < PD_COUNT; m++)
        put_sums(table, column_of(v, m), term + m, PD_COUNT);
    variant->n_most_different = pd_most_different(term, n, variant->most_different, RESULT_MOST_DIFFERENT);
    variant->pd_of_example = MEM_ARRAY(double, n);
    for (int64_t i = 0; i < n; i++)
        variant->pd_of_example[i] = term[i * PD_COUNT + PD_RELATIVE];
    if (table->has_queries) {
        put_swaps(table, v, p, variant->replicas, 1, SWAP_TOP1);
        put_swaps(table, v, p, variant->replicas, RESULT_TOP_K, SWAP_TOPK);
    }
    put_levelled(table, v, p, variant->replicas, n);
    pd_without_t *without = &variant->without;
    without->pd_relative = MEM_ARRAY(double, variant->replicas);
    without->pd_levelled = MEM_ARRAY(double, variant->replicas);
    for (int32_t r = 0; r < variant->replicas; r++)
        without->pd_relative[r] = without->pd_levelled[r] = NAN;
    if (variant->replicas >= JACKKNIFE_LEAST_REPLICAS) {
        spread_without(p, variant->replicas, n, without->pd_relative);
        spread_without_levelled(p, variant->replicas, n, without->pd_levelled);
    }
    mem_free(term);
    mem_free(p);
}

static void measure_variant(const bootstrap_t *bootstrap, int32_t v, int32_t baseline, variant_result_t *variant)
{
    estimate_t *estimate = (estimate_t *)&variant->reproducibility;
    for (int32_t i = 0; i < NUMERATORS; i++)
        estimate[i] = bootstrap_ratio(bootstrap, column_of(v, i), denominator_of(i));
    variant->pd_difference =
        bootstrap_difference(bootstrap, column_of(v, PD_RELATIVE), column_of(baseline, PD_RELATIVE), EXAMPLES);
    variant->pd_levelled_difference =
        bootstrap_difference(bootstrap, column_of(v, LEVELLED), column_of(baseline, LEVELLED), EXAMPLES);
    variant->pd_pairs = pd_pairs(variant->replicas);
}

void reproducibility_measure(experiment_result_t *result)
{
    result->without_query = queries_without(result->group, result->eval_examples);
    queries_t *queries = queries_create(result->group, result->eval_examples);
    score_table_t table = {
        .queries = queries,
        .has_queries = result->group && result->without_query < result->eval_examples,
        .columns = column_of(result->variants, 0),
    };
    table.sums = MEM_ARRAY(double, queries->count *table.columns);
    put_denominators(&table);
    for (int32_t v = 0; v < result->variants; v++)
        put_variant(&table, v, &result->variant[v], result->eval_examples);

    const int32_t base = result->baseline;
    bootstrap_t *bootstrap = bootstrap_create(table.sums, queries->count, table.columns, SEED, RESULT_RESAMPLES);
    for (int32_t v = 0; v < result->variants; v++)
        measure_variant(bootstrap, v, base, &result->variant[v]);
    result->queries = result->group ? queries->count - result->without_query : 0;
    bootstrap_destroy(&bootstrap);
    mem_free(table.sums);
    queries_destroy(&queries);
}
