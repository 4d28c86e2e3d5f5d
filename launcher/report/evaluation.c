#include "launcher/report/evaluation.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/math/real.h"
#include "common/metrics/metrics.h"
#include "common/metrics/weighted.h"
#include "launcher/report/result.h"

#define SEED 1             /* as in reproducibility.c */
#define UNITS_AT_ONCE 4096 /* a multiple of BOOTSTRAP_UNITS: the sums of so many are in memory */

enum { N, LOSS, P, Y, AUC, WRONG, PAIRS, QUERY_MEAN, MIXED, COLUMNS };

static const evaluation_row_t rows[] = {
#define ROW(name, heading, digits, meaning) {#name, heading, meaning, digits},
    EVALUATION_METRICS(ROW)
#undef ROW
};

const evaluation_row_t *evaluation_row(int number)
{
    ASSERT(number >= 0 && number < EVALUATION_COUNT);
    return &rows[number];
}

/* ---- a number from sums ---------------------------------------------------------------------------------------------- */

static double over(double a, double b)
{
    return b > 0.0 ? a / b : NAN;
}

/* The logloss of predicting the share q for all. */
static double entropy(double q)
{
    return q > 0.0 && q < 1.0 ? -q * real_log(q) - (1.0 - q) * real_log1p(-q) : 0.0 * q;
}

static double positive_or_none(double x)
{
    return x > 0.0 ? x : NAN;
}

#define OF(name, expression) \
    static double of_##name(const double *s) \
    { \
        return expression; \
    }
OF(logloss, over(s[LOSS], s[N]))
OF(normalised_entropy, over(s[LOSS], s[N]) / positive_or_none(entropy(over(s[Y], s[N]))))
OF(auc, 1.0 - over(s[AUC], s[N]))
OF(auc_loss, over(s[AUC], s[N]))
OF(pqauc_loss, over(s[WRONG], s[PAIRS]))
OF(pqauc_query_mean, over(s[QUERY_MEAN], s[MIXED]))
OF(calibration, over(s[P], s[Y]))
OF(mean_prediction, over(s[P], s[N]))
OF(base_rate, over(s[Y], s[N]))
OF(base_rate_logloss, entropy(over(s[Y], s[N])))
#undef OF

/* ---- the table of sums ----------------------------------------------------------------------------------------------- */

typedef struct sums_input {
    const evaluated_examples_t *of;
    const queries_t *queries;
    double loss, weights, of_label[2]; /* AUC loss, and what the examples count, all and of each label */
    double *auc;                       /* [n] weighted_auc_examples */
    double *wrong, *pairs;             /* [queries] weighted_pqauc_queries; all 0 where no example says its query */
} sums_input_t;

static void put_query(const sums_input_t *in, int64_t q, double *row)
{
    memset(row, 0, COLUMNS * sizeof *row);
    for (int64_t at = in->queries->begin[q]; at < in->queries->begin[q + 1]; at++) {
        const int64_t i = in->queries->example[at];
        const float p = in->of->p[i];
        const uint8_t y = in->of->y[i];
        const double weight = weighted_of(in->of->weight, i);
        row[N] += weight;
        row[LOSS] += weight * metrics_logloss_example(p, y);
        row[P] += weight * (double)p;
        row[Y] += weight * y;
        row[AUC] += weight * (in->loss + in->weights * (in->auc[i] - in->loss) / in->of_label[y]);
    }
    row[WRONG] = in->wrong[q];
    row[PAIRS] = in->pairs[q];
    row[MIXED] = in->pairs[q] > 0.0;
    row[QUERY_MEAN] = in->pairs[q] > 0.0 ? in->wrong[q] / in->pairs[q] : 0.0;
}

static bootstrap_t *resample(const sums_input_t *in)
{
    bootstrap_t *bootstrap = bootstrap_open(COLUMNS, SEED, RESULT_RESAMPLES);
    double *sums = MEM_ARRAY(double, UNITS_AT_ONCE *COLUMNS);
    const int64_t n = in->queries->count;
    for (int64_t first = 0; first < n; first += UNITS_AT_ONCE) {
        const int64_t count = n - first < UNITS_AT_ONCE ? n - first : UNITS_AT_ONCE;
        for (int64_t q = 0; q < count; q++)
            put_query(in, first + q, sums + q * COLUMNS);
        bootstrap_add(bootstrap, sums, count);
    }
    bootstrap_close(bootstrap);
    mem_free(sums);
    return bootstrap;
}

/* Those of a run's manifest, bit for bit. */
void evaluation_values(const evaluated_examples_t *e, double value[EVALUATION_COUNT])
{
    const bool has_queries = e->group && queries_without(e->group, e->n) < e->n;
    const double weight = positive_or_none(weighted_sum(e->weight, e->n));
    double query_mean = NAN, predicted = 0.0, positive = 0.0;
    for (int64_t i = 0; i < e->n; i++) {
        predicted += weighted_of(e->weight, i) * (double)e->p[i];
        positive += weighted_of(e->weight, i) * e->y[i];
    }
    value[EVALUATION_logloss] = weighted_logloss(e->p, e->y, e->weight, e->n);
    value[EVALUATION_normalised_entropy] = weighted_normalised_entropy(e->p, e->y, e->weight, e->n);
    value[EVALUATION_auc_loss] = weighted_auc_loss(e->p, e->y, e->weight, e->n);
    value[EVALUATION_auc] = 1.0 - value[EVALUATION_auc_loss];
    value[EVALUATION_pqauc_loss] = has_queries ? weighted_pqauc_loss(e->p, e->y, e->weight, e->group, e->n, &query_mean) : NAN;
    value[EVALUATION_pqauc_query_mean] = query_mean;
    value[EVALUATION_calibration] = weighted_calibration(e->p, e->y, e->weight, e->n);
    value[EVALUATION_base_rate_logloss] = weighted_base_rate_logloss(e->y, e->weight, e->n);
    value[EVALUATION_mean_prediction] = predicted / weight;
    value[EVALUATION_base_rate] = positive / weight;
}

/* Resamples give the rest; what is a mean alone is as they have it. */
static void put_values(const evaluated_examples_t *e, evaluation_t *out)
{
    double value[EVALUATION_COUNT];
    evaluation_values(e, value);
    value[EVALUATION_mean_prediction] = out->number[EVALUATION_mean_prediction].estimate.value;
    value[EVALUATION_base_rate] = out->number[EVALUATION_base_rate].estimate.value;
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        out->number[i].estimate.value = value[i];
        if (isnan(value[i]))
            out->number[i] = (evaluated_number_t){{NAN, NAN, NAN}, NAN};
    }
}

void evaluation_measure(const evaluated_examples_t *e, evaluation_t *out)
{
    static double (*const of[])(const double *sums) = {
#define OF(name, ...) of_##name,
        EVALUATION_METRICS(OF)
#undef OF
    };
    const bool has_queries = e->group && queries_without(e->group, e->n) < e->n;
    queries_t *queries = queries_create(e->group, e->n);
    sums_input_t in = {.of = e,
                       .queries = queries,
                       .weights = weighted_sum(e->weight, e->n),
                       .loss = weighted_auc_loss(e->p, e->y, e->weight, e->n)};
    for (int64_t i = 0; i < e->n; i++)
        in.of_label[e->y[i]] += weighted_of(e->weight, i);
    in.auc = MEM_ARRAY(double, e->n);
    in.wrong = MEM_ARRAY(double, queries->count);
    in.pairs = MEM_ARRAY(double, queries->count);
    weighted_auc_examples(e->p, e->y, e->weight, e->n, in.auc);
    if (has_queries)
        weighted_pqauc_queries(e->p, e->y, e->weight, queries, in.wrong, in.pairs);
    bootstrap_t *bootstrap = resample(&in);
    *out = (evaluation_t){.examples = e->n, .queries = has_queries ? queries->count : 0, .has_weights = e->weight != NULL};
    for (int i = 0; i < EVALUATION_COUNT; i++)
        out->number[i].estimate = bootstrap_of(bootstrap, of[i], &out->number[i].error);
    put_values(e, out);
    bootstrap_destroy(&bootstrap);
    mem_free(in.auc);
    mem_free(in.wrong);
    mem_free(in.pairs);
    queries_destroy(&queries);
}

/* ---- for people and programs ----------------------------------------------------------------------------------------- */

void evaluation_print(const evaluation_t *evaluation, const evaluation_of_t *of, FILE *out)
{
    char examples[TEXT_BYTES], queries[TEXT_BYTES];
    fprintf(out, "%s on %s, --split %s: %s example%s", of->run, of->dataset, of->split,
            text_count(evaluation->examples, examples), evaluation->examples == 1 ? "" : "s");
    if (evaluation->queries)
        fprintf(out, ", %s quer%s", text_count(evaluation->queries, queries), evaluation->queries == 1 ? "y" : "ies");
    fprintf(out, "\n\n  %-22s %10s %9s   %s\n", "", "value", "error", "95 % interval");
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        const evaluated_number_t *number = &evaluation->number[i];
        const int digits = rows[i].digits;
        fprintf(out, "  %-22s ", rows[i].heading);
        if (isnan(number->estimate.value)) {
            fprintf(out, "%10s\n", "-");
            continue;
        }
        fprintf(out, "%10.*f ", digits, number->estimate.value);
        if (isnan(number->error))
            fprintf(out, "%9s\n", "-");
        else
            fprintf(out, "%9.*f   %.*f to %.*f\n", digits, number->error, digits, number->estimate.low, digits,
                    number->estimate.high);
    }
    fprintf(out, "\n  errors and intervals are over %s; they say nothing of another training\n",
            evaluation->queries ? "queries" : "examples");
    if (evaluation->has_weights)
        fputs("  examples count by their weights\n", out);
}

jsondoc_t *evaluation_object(const evaluation_t *evaluation, const evaluation_of_t *of)
{
    jsondoc_t *doc = jsondoc_object(), *metrics = jsondoc_object();
    jsondoc_put_text(doc, "run", of->run);
    jsondoc_put_text(doc, "dataset", of->dataset);
    jsondoc_put_text(doc, "split", of->split);
    jsondoc_put_integer(doc, "examples", evaluation->examples);
    jsondoc_put_integer(doc, "queries", evaluation->queries);
    if (evaluation->has_weights)
        jsondoc_put_integer(doc, "weighted", 1);
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        const evaluated_number_t *number = &evaluation->number[i];
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_number(one, "value", number->estimate.value);
        jsondoc_put_number(one, "error", number->error);
        jsondoc_put_number(one, "low", number->estimate.low);
        jsondoc_put_number(one, "high", number->estimate.high);
        jsondoc_put_text(one, "meaning", rows[i].meaning);
        jsondoc_put(metrics, rows[i].name, &one);
    }
    jsondoc_put(doc, "metrics", &metrics);
    return doc;
}
