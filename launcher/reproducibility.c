/* One table of sums with a row per query (or per example, where there are no queries) and these columns, which one bootstrap
 * then resamples for all variants at once:
 *
 *     examples | queries of more than 1 | queries of more than k | variant 0: PD_COUNT measures, top 1, top k | variant 1: ..
 *     --------- denominators ---------   ------------------------- numerators ------------------------------------------ */
#include "launcher/reproducibility.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/pd.h"
#include "common/metrics/queries.h"
#include "common/metrics/swap.h"

#define SEED 1 /* intervals are part of the report: the same runs give the same ones */

enum { EXAMPLES, LONGER_THAN_1, LONGER_THAN_K, DENOMINATORS };
enum { SWAP_TOP1 = PD_COUNT, SWAP_TOPK, NUMERATORS };

#define COUNT_FIELD(name, doc) +1
_Static_assert((0 REPRODUCIBILITY_FIELDS(COUNT_FIELD)) == NUMERATORS, "a numerator for every field of reproducibility_t");
_Static_assert(sizeof(reproducibility_t) == NUMERATORS * sizeof(estimate_t), "the fields are an array of estimates");

static int32_t column_of(int32_t variant, int32_t numerator)
{
    return DENOMINATORS + variant * NUMERATORS + numerator;
}

static int32_t denominator_of(int32_t numerator)
{
    return numerator == SWAP_TOP1 ? LONGER_THAN_1 : numerator == SWAP_TOPK ? LONGER_THAN_K : EXAMPLES;
}

/* The table and what it is made from. */
typedef struct table {
    const queries_t *queries; /* borrowed */
    bool has_queries;
    int32_t columns;
    double *sums; /* [queries][columns] */
} table_t;

static void put_denominators(table_t *table)
{
    for (int64_t q = 0; q < table->queries->count; q++) {
        double *row = table->sums + q * table->columns;
        const int64_t size = queries_size(table->queries, q);
        row[EXAMPLES] = (double)size;
        row[LONGER_THAN_1] = table->has_queries && size > 1;
        row[LONGER_THAN_K] = table->has_queries && size > RESULT_TOP_K;
    }
}

static void put_differences(table_t *table, int32_t v, const double *term)
{
    const queries_t *queries = table->queries;
    for (int64_t q = 0; q < queries->count; q++) {
        double *sum = table->sums + q * table->columns + column_of(v, 0);
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++)
            for (int m = 0; m < PD_COUNT; m++)
                sum[m] += term[queries->example[i] * PD_COUNT + m];
    }
}

static void put_swaps(table_t *table, int32_t v, const float *const *p, int32_t replicas, int32_t k, int32_t numerator)
{
    double *share = MEM_ARRAY(double, table->queries->count);
    swap_queries(table->queries, p, replicas, k, share);
    for (int64_t q = 0; q < table->queries->count; q++)
        table->sums[q * table->columns + column_of(v, numerator)] = share[q];
    mem_free(share);
}

static void put_variant(table_t *table, int32_t v, variant_result_t *variant, int64_t n)
{
    const float **p = MEM_ARRAY(const float *, variant->replicas);
    for (int32_t r = 0; r < variant->replicas; r++) {
        ASSERT(variant->replica[r].predictions || n == 0);
        p[r] = variant->replica[r].predictions;
    }
    double *term = MEM_ARRAY(double, n *PD_COUNT);
    pd_examples(p, variant->replicas, n, term);
    put_differences(table, v, term);
    variant->n_most_different = pd_most_different(term, n, variant->most_different, RESULT_MOST_DIFFERENT);
    variant->pd_of_example = MEM_ARRAY(double, n);
    for (int64_t i = 0; i < n; i++)
        variant->pd_of_example[i] = term[i * PD_COUNT + PD_RELATIVE];
    if (table->has_queries) {
        put_swaps(table, v, p, variant->replicas, 1, SWAP_TOP1);
        put_swaps(table, v, p, variant->replicas, RESULT_TOP_K, SWAP_TOPK);
    }
    mem_free(term);
    mem_free(p);
}

void reproducibility_measure(experiment_result_t *result)
{
    queries_t *queries = queries_create(result->group, result->eval_examples);
    table_t table = {
        .queries = queries,
        .has_queries = result->group != NULL,
        .columns = column_of(result->variants, 0),
    };
    table.sums = MEM_ARRAY(double, queries->count *table.columns);
    put_denominators(&table);
    for (int32_t v = 0; v < result->variants; v++)
        put_variant(&table, v, &result->variant[v], result->eval_examples);

    bootstrap_t *bootstrap = bootstrap_create(table.sums, queries->count, table.columns, SEED, RESULT_RESAMPLES);
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *variant = &result->variant[v];
        estimate_t *estimate = (estimate_t *)&variant->reproducibility;
        for (int32_t i = 0; i < NUMERATORS; i++)
            estimate[i] = bootstrap_ratio(bootstrap, column_of(v, i), denominator_of(i));
        variant->pd_difference =
            bootstrap_difference(bootstrap, column_of(v, PD_RELATIVE), column_of(result->baseline, PD_RELATIVE), EXAMPLES);
        variant->pd_pairs = pd_pairs(variant->replicas);
    }
    result->queries = result->group ? queries->count : 0;
    bootstrap_destroy(&bootstrap);
    mem_free(table.sums);
    queries_destroy(&queries);
}
