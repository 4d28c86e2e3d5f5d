/* One table of sums with a row per query (or per example, where there are no queries) and a column per denominator and
 * metric, as in reproducibility.c, for each pair of replica r before and replica r after. A metric is the sum of its column
 * over that of its denominator. Denominators are of the data alone, so the mean over replicas is the same of the mean table,
 * which is what the bootstrap resamples.
 *
 * AUC loss is no such ratio, because its pairs are across queries. Its column holds what to first order is one: each query's
 * part in the loss (docs/MATH.md eq. 49). Over all queries the sum is the loss itself.
 *
 * What replicas alone would make is the same distances, by the same code, of the pairs of replicas of one version.          */
#include "launcher/report/churn.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/level.h"
#include "common/metrics/metrics.h"
#include "common/metrics/pd.h"
#include "common/metrics/swap.h"
#include "common/metrics/weighted.h"

#define SEED 1 /* as in reproducibility.c */

enum { EXAMPLES, LONGER_THAN_1, LONGER_THAN_K, PAIRS, MIXED, DENOMINATORS };
enum { COLUMNS = DENOMINATORS + CHURN_COUNT };

#define ROW(NAME, name, over, ...) METRIC_ROW(churn_numbers_t, ESTIMATE, name, __VA_ARGS__),
static const metric_t rows[] = {CHURN_METRICS(ROW)};
#undef ROW
const metric_rows_t churn_rows = {rows, CHURN_COUNT, METRIC_NO_BITS};

#define OVER(NAME, name, over, ...) over,
static const int denominator_of[] = {CHURN_METRICS(OVER)};
#undef OVER

_Static_assert(sizeof(churn_numbers_t) == CHURN_COUNT * sizeof(estimate_t), "an array of estimates, by metric");

typedef struct churn_table {
    const churn_input_t *input; /* borrowed */
    const queries_t *queries;   /* borrowed */
    bool has_queries;
    double *sums;    /* [queries][COLUMNS] */
    double *term;    /* [examples][PD_COUNT] of the pair that was put last; scratch, as the next */
    float *levelled; /* [2][examples] */
    double *number;  /* [examples], or [queries] */
} churn_table_t;

static double *cell(const churn_table_t *table, int64_t q, int metric)
{
    return &table->sums[q * COLUMNS + DENOMINATORS + metric];
}

/* The sums over each query's examples, by their weights, take the place of what is there. */
static void put_examples(churn_table_t *table, int metric, const double *number, int stride)
{
    const queries_t *queries = table->queries;
    for (int64_t q = 0; q < queries->count; q++) {
        double sum = 0.0;
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++)
            sum += weighted_of(table->input->weight, queries->example[i]) * number[queries->example[i] * stride];
        *cell(table, q, metric) = sum;
    }
}

static void put_swaps(churn_table_t *table, const float *const *pair, int32_t k, int metric)
{
    swap_queries(table->queries, pair, 2, k, table->number);
    for (int64_t q = 0; q < table->queries->count; q++)
        *cell(table, q, metric) = table->number[q];
}

/* Levelled first, so that the terms that stay are those of predictions as they are. */
static void put_distances(churn_table_t *table, const float *a, const float *b)
{
    const int64_t n = table->input->examples;
    const float *const pair[] = {a, b}, *const level[] = {table->levelled, table->levelled + n};
    level_predictions(pair, 2, table->input->weight, n, table->levelled);
    pd_examples(level, 2, n, table->term);
    put_examples(table, CHURN_PD_LEVELLED, table->term + PD_RELATIVE, PD_COUNT);
    pd_examples(pair, 2, n, table->term);
    put_examples(table, CHURN_PD_RELATIVE, table->term + PD_RELATIVE, PD_COUNT);
    if (!table->has_queries)
        return;
    put_swaps(table, pair, 1, CHURN_SWAP_TOP1);
    put_swaps(table, pair, RESULT_TOP_K, CHURN_SWAP_TOPK);
}

/* ---- accuracy -------------------------------------------------------------------------------------------------------- */

static void put_logloss(churn_table_t *table, int metric, const float *p)
{
    for (int64_t i = 0; i < table->input->examples; i++)
        table->number[i] = metrics_logloss_example(p[i], table->input->label[i]);
    put_examples(table, metric, table->number, 1);
}

/* An example's part: the loss, and as much more as a weight of its own would add to it, all taken n times as strong as one
 * among n is, where n is the sum of all weights. */
static void put_auc(churn_table_t *table, int metric, const float *p)
{
    const churn_input_t *in = table->input;
    const double loss = weighted_auc_loss(p, in->label, in->weight, in->examples),
                 weights = weighted_sum(in->weight, in->examples);
    double of_label[2] = {0.0, 0.0};
    for (int64_t i = 0; i < in->examples; i++)
        of_label[in->label[i]] += weighted_of(in->weight, i);
    weighted_auc_examples(p, in->label, in->weight, in->examples, table->number);
    for (int64_t i = 0; i < in->examples; i++)
        table->number[i] = loss + weights * (table->number[i] - loss) / of_label[in->label[i]];
    put_examples(table, metric, table->number, 1);
}

static void put_pqauc(churn_table_t *table, int metric, const float *p)
{
    double *pairs = MEM_ARRAY(double, table->queries->count);
    weighted_pqauc_queries(p, table->input->label, table->input->weight, table->queries, table->number, pairs);
    for (int64_t q = 0; q < table->queries->count; q++) {
        *cell(table, q, metric) = table->number[q];
        table->sums[q * COLUMNS + PAIRS] = pairs[q];
        table->sums[q * COLUMNS + MIXED] = pairs[q] > 0.0;
    }
    mem_free(pairs);
}

static void put_change(churn_table_t *table, int before)
{
    for (int64_t q = 0; q < table->queries->count; q++)
        *cell(table, q, before + 2) = *cell(table, q, before + 1) - *cell(table, q, before);
}

/* By how much the logloss of each example rises, in `change`. */
static void put_examples_won(churn_table_t *table, const float *before, const float *after, double *change)
{
    const churn_input_t *in = table->input;
    for (int64_t i = 0; i < in->examples; i++)
        change[i] = metrics_logloss_example(after[i], in->label[i]) - metrics_logloss_example(before[i], in->label[i]);
    for (int sign = -1; sign <= 1; sign += 2) {
        for (int64_t i = 0; i < in->examples; i++)
            table->number[i] = isnan(change[i]) ? NAN : sign * change[i] > 0.0;
        put_examples(table, sign < 0 ? CHURN_EXAMPLES_BETTER : CHURN_EXAMPLES_WORSE, table->number, 1);
        for (int64_t i = 0; i < in->examples; i++)
            table->number[i] *= change[i];
        put_examples(table, sign < 0 ? CHURN_LOGLOSS_WON : CHURN_LOGLOSS_LOST, table->number, 1);
    }
}

static void put_queries_won(churn_table_t *table)
{
    for (int64_t q = 0; q < table->queries->count; q++) {
        const double change = *cell(table, q, CHURN_PQAUC_LOSS_CHANGE);
        *cell(table, q, CHURN_QUERIES_BETTER) = isnan(change) ? NAN : change < 0.0;
        *cell(table, q, CHURN_QUERIES_WORSE) = isnan(change) ? NAN : change > 0.0;
    }
}

/* ---- sums ------------------------------------------------------------------------------------------------------------ */

static void put_denominators(churn_table_t *table)
{
    for (int64_t q = 0; q < table->queries->count; q++) {
        double *row = table->sums + q * COLUMNS;
        const int64_t size = queries_size(table->queries, q);
        for (int64_t i = table->queries->begin[q]; i < table->queries->begin[q + 1]; i++)
            row[EXAMPLES] += weighted_of(table->input->weight, table->queries->example[i]);
        row[LONGER_THAN_1] = table->has_queries && size > 1;
        row[LONGER_THAN_K] = table->has_queries && size > RESULT_TOP_K;
    }
}

static double sum_of(const churn_table_t *table, int column)
{
    double sum = 0.0;
    for (int64_t q = 0; q < table->queries->count; q++)
        sum += table->sums[q * COLUMNS + column];
    return sum;
}

static double value_of(const churn_table_t *table, int metric)
{
    const double over = sum_of(table, denominator_of[metric]);
    return over > 0.0 ? sum_of(table, DENOMINATORS + metric) / over : NAN;
}

/* ---- replicas -------------------------------------------------------------------------------------------------------- */

/* Means over all replicas but one after the other. */
static void leave_out(const double *value, int32_t replicas, double *without)
{
    double sum = 0.0;
    for (int32_t r = 0; r < replicas; r++)
        sum += value[r];
    for (int32_t r = 0; r < replicas; r++)
        without[r] = replicas < 2 ? NAN : (sum - value[r]) / (replicas - 1);
}

/* Distances of the pairs of replicas of one version, each [replicas][replicas] above the diagonal. */
static void measure_version(churn_table_t *table, const float *const *p, double *const *pair)
{
    const int32_t replicas = table->input->replicas;
    for (int32_t i = 0; i < replicas; i++)
        for (int32_t j = i + 1; j < replicas; j++) {
            put_distances(table, p[i], p[j]);
            for (int m = 0; m < CHURN_DISTANCES; m++)
                pair[m][i * replicas + j] += value_of(table, m) / 2.0; /* of two versions */
        }
}

static void measure_alone(churn_table_t *table, double *const *value, churn_t *out)
{
    const int32_t replicas = table->input->replicas;
    double *pair[CHURN_DISTANCES], *without = MEM_ARRAY(double, 2 * replicas), *own = without + replicas;
    for (int m = 0; m < CHURN_DISTANCES; m++)
        pair[m] = MEM_ARRAY(double, replicas *replicas);
    measure_version(table, table->input->before, pair);
    measure_version(table, table->input->after, pair);
    for (int m = 0; m < CHURN_DISTANCES; m++) {
        double sum = 0.0;
        for (int32_t i = 0; i < replicas * replicas; i++)
            sum += pair[m][i];
        const double alone = replicas < 2 ? NAN : sum / pd_pairs(replicas);
        jackknife_pairs(pair[m], replicas, without);
        out->alone[m] = (replica_mean_t){alone, jackknife_error(without, replicas)};
        leave_out(value[m], replicas, own);
        for (int32_t r = 0; r < replicas; r++)
            own[r] -= without[r];
        out->beyond[m] = (replica_mean_t){churn_get(out, m).value - alone, jackknife_error(own, replicas)};
        mem_free(pair[m]);
    }
    mem_free(without);
}

/* ---- all ------------------------------------------------------------------------------------------------------------- */

/* Replica r of both versions. */
static void put_replica(churn_table_t *table, int32_t r, double *change)
{
    const float *before = table->input->before[r], *after = table->input->after[r];
    put_logloss(table, CHURN_LOGLOSS_BEFORE, before);
    put_logloss(table, CHURN_LOGLOSS_AFTER, after);
    put_auc(table, CHURN_AUC_LOSS_BEFORE, before);
    put_auc(table, CHURN_AUC_LOSS_AFTER, after);
    put_pqauc(table, CHURN_PQAUC_LOSS_BEFORE, before);
    put_pqauc(table, CHURN_PQAUC_LOSS_AFTER, after);
    put_change(table, CHURN_LOGLOSS_BEFORE);
    put_change(table, CHURN_AUC_LOSS_BEFORE);
    put_change(table, CHURN_PQAUC_LOSS_BEFORE);
    put_examples_won(table, before, after, change);
    put_queries_won(table);
    put_distances(table, before, after);
}

/* The mean table, the mean terms of every example, and each replica's own values. */
static void put_replicas(churn_table_t *table, double *const *value, double *mean_sums, churn_t *out)
{
    const int64_t n = table->input->examples, cells = table->queries->count * COLUMNS;
    const int32_t replicas = table->input->replicas;
    double *change = MEM_ARRAY(double, n), *mean_term = MEM_ARRAY(double, n *PD_COUNT);
    for (int32_t r = 0; r < replicas; r++) {
        put_replica(table, r, change);
        for (int m = 0; m < CHURN_COUNT; m++)
            value[m][r] = value_of(table, m);
        for (int64_t c = 0; c < cells; c++)
            mean_sums[c] += table->sums[c] / replicas;
        for (int64_t i = 0; i < n; i++) {
            mean_term[i * PD_COUNT + PD_RELATIVE] += table->term[i * PD_COUNT + PD_RELATIVE] / replicas;
            out->change_of_example[i] += change[i] / replicas;
        }
    }
    out->n_most_different = pd_most_different(mean_term, n, out->most_different, RESULT_MOST_DIFFERENT);
    for (int64_t i = 0; i < n; i++)
        out->pd_of_example[i] = mean_term[i * PD_COUNT + PD_RELATIVE];
    mem_free(mean_term);
    mem_free(change);
}

static void measure(churn_table_t *table, churn_t *out)
{
    const int32_t replicas = table->input->replicas;
    double *value[CHURN_COUNT], *without = MEM_ARRAY(double, replicas),
                                *mean_sums = MEM_ARRAY(double, table->queries->count *COLUMNS);
    for (int m = 0; m < CHURN_COUNT; m++)
        value[m] = MEM_ARRAY(double, replicas);
    put_replicas(table, value, mean_sums, out);
    out->mixed_queries = (int64_t)sum_of(table, MIXED);
    bootstrap_t *bootstrap = bootstrap_create(mean_sums, table->queries->count, COLUMNS, SEED, RESULT_RESAMPLES);
    for (int m = 0; m < CHURN_COUNT; m++) {
        ((estimate_t *)&out->value)[m] = bootstrap_ratio(bootstrap, DENOMINATORS + m, denominator_of[m]);
        leave_out(value[m], replicas, without);
        out->error[m] = jackknife_error(without, replicas);
    }
    bootstrap_destroy(&bootstrap);
    measure_alone(table, value, out);
    for (int m = 0; m < CHURN_COUNT; m++)
        mem_free(value[m]);
    mem_free(mean_sums);
    mem_free(without);
}

void churn_measure(const churn_input_t *input, churn_t *out)
{
    const int64_t n = input->examples, without_query = queries_without(input->group, n);
    ASSERT(input->replicas > 0);
    queries_t *queries = queries_create(input->group, n);
    churn_table_t table = {
        .input = input,
        .queries = queries,
        .has_queries = input->group && without_query < n,
        .sums = MEM_ARRAY(double, queries->count *COLUMNS),
        .term = MEM_ARRAY(double, n *PD_COUNT),
        .levelled = MEM_ARRAY(float, 2 * n),
        .number = MEM_ARRAY(double, n),
    };
    *out = (churn_t){
        .replicas = input->replicas,
        .examples = n,
        .queries = input->group ? queries->count - without_query : 0,
        .without_query = without_query,
        .pd_of_example = MEM_ARRAY(double, n),
        .change_of_example = MEM_ARRAY(double, n),
    };
    for (int64_t i = 0; i < n; i++)
        out->positives += input->label[i];
    put_denominators(&table);
    measure(&table, out);
    mem_free(table.sums);
    mem_free(table.term);
    mem_free(table.levelled);
    mem_free(table.number);
    queries_destroy(&queries);
}

void churn_fini(churn_t *churn)
{
    mem_free(churn->pd_of_example);
    mem_free(churn->change_of_example);
    *churn = (churn_t){0};
}
