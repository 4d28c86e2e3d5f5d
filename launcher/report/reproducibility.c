/* One table of sums with a row per query (or per example, where there are no queries) and these columns, which one bootstrap
 * then resamples for all variants at once:
 *
 *     examples | queries of more than 1 | queries of more than k | variant 0: PD_COUNT measures, levelled, top 1, top k | ..
 *     --------- denominators ---------   ------------------------- numerators ------------------------------------------
 *
 * An example counts by its weight, where the dataset has weights, in its own column and in all but those of queries.
 *
 * The table is never there as a whole: predictions are walked query after query, a chunk of places of the query order at a
 * time, and rows that are complete go into the bootstrap and are forgotten. Where queries do not lie one behind the other in
 * the split, a window of places is gathered first: each run's predictions are loaded in turn, as one array, and those of the
 * window are picked out, for all runs at once. Windows are as long as memory allows, so a split is read runs / 2 times.
 * Rejected: a scratch file of the predictions in the order of queries, which may fill a disk after hours of training; the
 * bootstrap of a report takes longer than all of the reading.
 *
 * For the errors over replicas (differences.h) every variant also has its PD without each of them, as it is and levelled. */
#include "launcher/report/reproducibility.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"
#include "common/metrics/queries.h"
#include "common/metrics/query_order.h"
#include "common/metrics/spread.h"
#include "common/metrics/swap.h"
#include "common/metrics/weighted.h"

#define SEED 1          /* intervals are part of the report: the same runs give the same ones */
#define CHUNK 1024      /* places whose terms are taken at once */
#define WINDOW_FLOATS 2 /* an example in a window, of all runs: 8 bytes, beside the 13 of the order, labels and one run */
#define ROWS (BOOTSTRAP_UNITS + CHUNK + 1) /* what may be left, a chunk of short queries, and one that has begun before */

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

/* ---- predictions, by places of the query order ------------------------------------------------------------------------- */

typedef struct place_window {
    const query_order_t *order; /* borrowed */
    scores_t *scores;           /* [models] of all replicas of all variants */
    int32_t models;
    score_blocks_t blocks; /* where places are examples */
    int64_t first, count;  /* places */
    int64_t most;
    float *one;      /* [n] of one model; NULL where all are in memory */
    float *gathered; /* [models][most] */
    const float **p; /* [models] of place `first` and the next ones */
} place_window_t;

static place_window_t window_open(const experiment_result_t *result, const query_order_t *order)
{
    place_window_t w = {.order = order};
    for (int32_t v = 0; v < result->variants; v++)
        w.models += result->variant[v].replicas;
    w.scores = MEM_ARRAY(scores_t, w.models);
    w.p = MEM_ARRAY(const float *, w.models);
    int32_t m = 0;
    for (int32_t v = 0; v < result->variants; v++)
        for (int32_t r = 0; r < result->variant[v].replicas; r++)
            w.scores[m++] = replica_scores(&result->variant[v].replica[r], order->n);
    if (order->is_in_order) {
        w.blocks = score_blocks_open(w.scores, w.models);
        return w;
    }
    const int64_t part = WINDOW_FLOATS * order->n / w.models;
    w.most = part < SCORES_BLOCK ? SCORES_BLOCK : part;
    w.gathered = MEM_ARRAY(float, w.models *w.most);
    for (m = 0; m < w.models && !w.one; m++)
        if (!w.scores[m].p)
            w.one = MEM_ARRAY(float, order->n);
    return w;
}

static void window_close(place_window_t *w)
{
    score_blocks_close(&w->blocks);
    mem_free(w->scores);
    mem_free(w->one);
    mem_free(w->gathered);
    mem_free(w->p);
}

static status_t gather(place_window_t *w)
{
    w->first += w->count;
    w->count = w->order->n - w->first < w->most ? w->order->n - w->first : w->most;
    for (int32_t m = 0; m < w->models && w->count > 0; m++) {
        float *own = w->gathered + m * w->most;
        const float *all = w->scores[m].p ? w->scores[m].p : w->one;
        if (!w->scores[m].p)
            TRY(scores_load(&w->scores[m], w->one));
        for (int64_t k = 0; k < w->count; k++)
            own[k] = all[query_order_example(w->order, w->first + k)];
        w->p[m] = own;
    }
    return ST_OK;
}

/* The next window; false after the last, and where *status is no more ST_OK. */
static bool window_next(place_window_t *w, status_t *status)
{
    if (!w->order->is_in_order) {
        if (*status == ST_OK)
            *status = gather(w);
        return *status == ST_OK && w->count > 0;
    }
    if (!score_blocks_next(&w->blocks, status))
        return false;
    w->first = w->blocks.first;
    w->count = w->blocks.count;
    memcpy(w->p, w->blocks.p, (size_t)w->models * sizeof *w->p);
    return true;
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

/* The rows that the bootstrap does not have yet; the last one may be open. */
typedef struct score_table {
    const experiment_result_t *result; /* borrowed */
    bool has_queries;
    int32_t columns;
    double *row;    /* [ROWS][columns] */
    int64_t rows;   /* that have begun */
    int32_t *at;    /* [CHUNK] the row of each place of a chunk */
    double *weight; /* [CHUNK] of the example at each place */
    double *term;   /* [CHUNK][PD_COUNT] */
    float *moved;   /* [replicas][CHUNK] */
    double *factor; /* [models], what levels each */
    swap_t **swap;  /* [variants], of the open row; not used where there are no queries */
    bootstrap_t *bootstrap;
} score_table_t;

static status_t table_open(score_table_t *t)
{
    const experiment_result_t *result = t->result;
    int32_t models = 0, most = 0;
    for (int32_t v = 0; v < result->variants; v++) {
        const int32_t replicas = result->variant[v].replicas;
        models += replicas;
        most = replicas > most ? replicas : most;
    }
    t->columns = column_of(result->variants, 0);
    t->row = MEM_ARRAY(double, (int64_t)ROWS * t->columns);
    t->at = MEM_ARRAY(int32_t, CHUNK);
    t->weight = MEM_ARRAY(double, CHUNK);
    t->term = MEM_ARRAY(double, CHUNK *PD_COUNT);
    t->moved = MEM_ARRAY(float, most *CHUNK);
    t->factor = MEM_ARRAY(double, models);
    t->swap = MEM_ARRAY(swap_t *, result->variants);
    t->bootstrap = bootstrap_open(t->columns, SEED, RESULT_RESAMPLES);
    double *factor = t->factor;
    for (int32_t v = 0; v < result->variants; v++) {
        const int32_t replicas = result->variant[v].replicas;
        scores_t *scores = result_scores(result, &result->variant[v]);
        t->swap[v] = swap_create(replicas, RESULT_TOP_K);
        const status_t status = level_factors(scores, replicas, result->weight, factor);
        mem_free(scores);
        TRY(status);
        factor += replicas;
    }
    return ST_OK;
}

static void table_close(score_table_t *t)
{
    for (int32_t v = 0; v < t->result->variants; v++)
        swap_destroy(&t->swap[v]);
    mem_free(t->row);
    mem_free(t->at);
    mem_free(t->weight);
    mem_free(t->term);
    mem_free(t->moved);
    mem_free(t->factor);
    mem_free(t->swap);
    bootstrap_destroy(&t->bootstrap);
}

static double *row_of(const score_table_t *t, int64_t row)
{
    return t->row + row * t->columns;
}

/* No example of the last row comes any more. */
static void end_row(const score_table_t *t)
{
    double *row = row_of(t, t->rows - 1);
    row[LONGER_THAN_1] = t->has_queries && t->swap[0]->size > 1;
    row[LONGER_THAN_K] = t->has_queries && t->swap[0]->size > RESULT_TOP_K;
    for (int32_t v = 0; v < t->result->variants && t->has_queries; v++) {
        row[column_of(v, SWAP_TOP1)] = swap_share(t->swap[v], 1);
        row[column_of(v, SWAP_TOPK)] = swap_share(t->swap[v], RESULT_TOP_K);
        swap_begin(t->swap[v]);
    }
}

/* The place's row, and its part in everything that ends with a row. */
static void put_place(score_table_t *t, const place_window_t *w, int64_t k, double weight)
{
    if (query_order_begins(w->order, w->first + k)) {
        if (t->rows > 0)
            end_row(t);
        ASSERT(t->rows < ROWS);
        t->rows++;
    }
    row_of(t, t->rows - 1)[EXAMPLES] += weight;
    int32_t m = 0;
    for (int32_t v = 0; v < t->result->variants && t->has_queries; v++) {
        swap_put(t->swap[v], w->p + m, k, w->first + k);
        m += t->result->variant[v].replicas;
    }
}

/* Sums over the examples of each query of a number of every example, by its weight. */
static void put_sums(const score_table_t *t, int64_t n, int32_t column, const double *number, int stride)
{
    for (int64_t k = 0; k < n; k++)
        row_of(t, t->at[k])[column] += t->weight[k] * number[k * stride];
}

/* Variant v, whose first replica is model m, for n places of the window from `first` on. */
static void put_terms(const score_table_t *t, const place_window_t *w, int64_t first, int64_t n, int32_t v, int32_t m)
{
    const int32_t replicas = t->result->variant[v].replicas;
    const float **p = MEM_ARRAY(const float *, replicas);
    for (int32_t r = 0; r < replicas; r++)
        p[r] = w->p[m + r] + first;
    pd_examples(p, replicas, n, t->term);
    for (int measure = 0; measure < PD_COUNT; measure++)
        put_sums(t, n, column_of(v, measure), t->term + measure, PD_COUNT);
    for (int32_t r = 0; r < replicas; r++) {
        float *moved = t->moved + (int64_t)r * CHUNK;
        level_moved(p[r], n, t->factor[m + r], moved);
        p[r] = moved;
    }
    pd_relative_examples(p, replicas, n, t->term);
    put_sums(t, n, column_of(v, LEVELLED), t->term, 1);
    mem_free(p);
}

/* Rows go to the bootstrap, as many as it takes at a time; what is left moves to the front. */
static void flush_rows(score_table_t *t, bool is_end)
{
    const int64_t whole = t->rows > 0 ? (t->rows - 1) / BOOTSTRAP_UNITS * BOOTSTRAP_UNITS : 0, n = is_end ? t->rows : whole;
    const size_t row_bytes = (size_t)t->columns * sizeof *t->row;
    bootstrap_add(t->bootstrap, t->row, n);
    memmove(t->row, row_of(t, n), (size_t)(t->rows - n) * row_bytes);
    memset(row_of(t, t->rows - n), 0, (size_t)n * row_bytes);
    t->rows -= n;
}

static void put_chunk(score_table_t *t, const place_window_t *w, int64_t first, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        t->weight[k] = weighted_of(t->result->weight, query_order_example(w->order, w->first + first + k));
        put_place(t, w, first + k, t->weight[k]);
        t->at[k] = (int32_t)t->rows - 1;
    }
    for (int32_t v = 0, m = 0; v < t->result->variants; v++) {
        put_terms(t, w, first, n, v, m);
        m += t->result->variant[v].replicas;
    }
    flush_rows(t, false);
}

static status_t fill(score_table_t *t, const query_order_t *order)
{
    place_window_t w = window_open(t->result, order);
    status_t status = ST_OK;
    while (window_next(&w, &status))
        for (int64_t first = 0; first < w.count; first += CHUNK)
            put_chunk(t, &w, first, w.count - first < CHUNK ? w.count - first : CHUNK);
    window_close(&w);
    if (t->rows > 0)
        end_row(t);
    flush_rows(t, true);
    bootstrap_close(t->bootstrap);
    return status;
}

/* ---- one variant ------------------------------------------------------------------------------------------------------- */

/* What the replicas predict for the examples that they differ in most. */
static status_t read_most_different(variant_result_t *variant, const scores_t *scores)
{
    score_blocks_t blocks = score_blocks_open(scores, variant->replicas);
    status_t status = ST_OK;
    variant->most_different_p = MEM_ARRAY(float, variant->n_most_different * variant->replicas);
    for (int32_t i = 0; i < variant->n_most_different && status == ST_OK; i++) {
        const int64_t index = variant->most_different[i];
        status = score_blocks_at(&blocks, index);
        for (int32_t r = 0; r < variant->replicas && status == ST_OK; r++)
            variant->most_different_p[i * variant->replicas + r] = blocks.p[r][index - blocks.first];
    }
    score_blocks_close(&blocks);
    return status;
}

static status_t find_most_different(variant_result_t *variant, const scores_t *scores)
{
    double *term = MEM_ARRAY(double, SCORES_BLOCK);
    score_blocks_t blocks = score_blocks_open(scores, variant->replicas);
    status_t status = ST_OK;
    variant->n_most_different = 0;
    while (score_blocks_next(&blocks, &status)) {
        pd_relative_examples(blocks.p, variant->replicas, blocks.count, term);
        variant->n_most_different = pd_most_put(variant->most_different, variant->most_different_pd, variant->n_most_different,
                                                RESULT_MOST_DIFFERENT, term, 1, blocks.count, blocks.first);
    }
    score_blocks_close(&blocks);
    mem_free(term);
    return status == ST_OK ? read_most_different(variant, scores) : status;
}

/* In the order of examples. */
static status_t measure_examples(const experiment_result_t *result, variant_result_t *variant)
{
    pd_without_t *without = &variant->without;
    scores_t *scores = result_scores(result, variant);
    status_t status;
    without->pd_relative = MEM_ARRAY(double, variant->replicas);
    without->pd_levelled = MEM_ARRAY(double, variant->replicas);
    for (int32_t r = 0; r < variant->replicas; r++)
        without->pd_relative[r] = without->pd_levelled[r] = NAN;
    TRY_DONE(find_most_different(variant, scores));
    if (variant->replicas >= JACKKNIFE_LEAST_REPLICAS) {
        TRY_DONE(spread_without(scores, variant->replicas, result->weight, without->pd_relative));
        TRY_DONE(spread_without_levelled(scores, variant->replicas, result->weight, without->pd_levelled));
    }
done:
    mem_free(scores);
    return status;
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

status_t reproducibility_measure(experiment_result_t *result)
{
    const int64_t n = result->eval_examples;
    result->without_query = queries_without(result->group, n);
    result->has_groups = result->group != NULL;
    score_table_t table = {.result = result, .has_queries = result->has_groups && result->without_query < n};
    query_order_t *order = query_order_create(&result->group, n);
    status_t status;
    result->queries = result->has_groups ? order->count - result->without_query : 0;
    for (int32_t v = 0; v < result->variants; v++)
        TRY_DONE(measure_examples(result, &result->variant[v]));
    status = table_open(&table);
    if (status == ST_OK)
        status = fill(&table, order);
    for (int32_t v = 0; v < result->variants && status == ST_OK; v++)
        measure_variant(table.bootstrap, v, result->baseline, &result->variant[v]);
    table_close(&table);
done:
    query_order_destroy(&order);
    return status;
}
