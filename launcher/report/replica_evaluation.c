#include "launcher/report/replica_evaluation.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/metrics/jackknife.h"

static const struct {
    const char *name, *heading, *meaning;
} spreads[] = {
    {"pd_relative", "relative PD", "relative prediction difference, mean over pairs of replicas"},
    {"pd_levelled", "levelled PD", "the same once all replicas have the same mean prediction"},
    {"swap_top1", "swaps at top 1", "share of queries whose highest example differs"},
};

static replica_number_t over_replicas(const double *value, int stride, int32_t replicas)
{
    replica_number_t out = {.low = value[0], .high = value[0]};
    double squares = 0.0;
    for (int32_t r = 0; r < replicas; r++) {
        out.mean += value[r * stride] / replicas;
        out.low = fmin(out.low, value[r * stride]);
        out.high = fmax(out.high, value[r * stride]);
    }
    for (int32_t r = 0; r < replicas; r++)
        squares += (value[r * stride] - out.mean) * (value[r * stride] - out.mean);
    out.error = replicas < JACKKNIFE_LEAST_REPLICAS ? NAN : sqrt(squares / (replicas - 1.0) / replicas);
    return isnan(out.mean) ? (replica_number_t){NAN, NAN, NAN, NAN} : out;
}

void replica_evaluation_measure(const evaluated_examples_t *of, const float *const *p, int32_t replicas,
                                replica_evaluation_t *out)
{
    double *value = MEM_ARRAY(double, (int64_t)replicas *EVALUATION_COUNT);
    const bool has_queries = of->group && queries_without(of->group, of->n) < of->n;
    queries_t *queries = has_queries ? queries_create(of->group, of->n) : NULL;
    *out = (replica_evaluation_t){
        .replicas = replicas, .examples = of->n, .queries = queries ? queries->count : 0, .has_weights = of->weight != NULL};
    for (int32_t r = 0; r < replicas; r++) {
        evaluated_examples_t one = *of;
        one.p = p[r];
        evaluation_values(&one, value + (int64_t)r * EVALUATION_COUNT);
    }
    for (int i = 0; i < EVALUATION_COUNT; i++)
        out->number[i] = over_replicas(value + i, EVALUATION_COUNT, replicas);
    spread_measure(p, replicas, of->weight, of->n, queries, &out->spread);
    queries_destroy(&queries);
    mem_free(value);
}

/* ---- for people and programs ----------------------------------------------------------------------------------------- */

static void print_number(FILE *out, int width, int digits, double scale, double value, const char *unit)
{
    if (isnan(value))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.*f%s", width - (*unit ? 2 : 0), digits, scale * value, unit);
}

void replica_evaluation_print(const replica_evaluation_t *e, const evaluation_of_t *of, FILE *out)
{
    char examples[TEXT_BYTES], queries[TEXT_BYTES];
    const spread_number_t spread[] = {e->spread.pd_relative, e->spread.pd_levelled, e->spread.swap_top1};
    fprintf(out, "%s on %s, --split %s: %d replicas, %s example%s", of->run, of->dataset, of->split, e->replicas,
            text_count(e->examples, examples), e->examples == 1 ? "" : "s");
    if (e->queries)
        fprintf(out, ", %s quer%s", text_count(e->queries, queries), e->queries == 1 ? "y" : "ies");
    fprintf(out, "\n\n  %-22s %10s %9s   %s\n", "", "mean", "error", "of a replica");
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        const evaluation_row_t *row = evaluation_row(i);
        fprintf(out, "  %-22s", row->heading);
        print_number(out, 10, row->digits, 1.0, e->number[i].mean, "");
        print_number(out, 9, row->digits, 1.0, e->number[i].error, "");
        if (isnan(e->number[i].mean))
            fputc('\n', out);
        else
            fprintf(out, "   %.*f to %.*f\n", row->digits, e->number[i].low, row->digits, e->number[i].high);
    }
    for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++) {
        fprintf(out, "  %-22s", spreads[i].heading);
        print_number(out, 10, 2, 100.0, spread[i].value, " %");
        print_number(out, 9, 2, 100.0, spread[i].error, "");
        fputc('\n', out);
    }
    fputs("\n  errors are over replicas, and take three of them\n", out);
    if (e->has_weights)
        fputs("  examples count by their weights\n", out);
}

static jsondoc_t *number_object(double value, double error, const char *meaning)
{
    jsondoc_t *one = jsondoc_object();
    jsondoc_put_number(one, "value", value);
    jsondoc_put_number(one, "error", error);
    jsondoc_put_text(one, "meaning", meaning);
    return one;
}

jsondoc_t *replica_evaluation_object(const replica_evaluation_t *e, const evaluation_of_t *of)
{
    jsondoc_t *doc = jsondoc_object(), *metrics = jsondoc_object();
    const spread_number_t spread[] = {e->spread.pd_relative, e->spread.pd_levelled, e->spread.swap_top1};
    jsondoc_put_text(doc, "run", of->run);
    jsondoc_put_text(doc, "dataset", of->dataset);
    jsondoc_put_text(doc, "split", of->split);
    jsondoc_put_integer(doc, "replicas", e->replicas);
    jsondoc_put_integer(doc, "examples", e->examples);
    jsondoc_put_integer(doc, "queries", e->queries);
    if (e->has_weights)
        jsondoc_put_integer(doc, "weighted", 1);
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        const evaluation_row_t *row = evaluation_row(i);
        jsondoc_t *one = number_object(e->number[i].mean, e->number[i].error, row->meaning);
        jsondoc_put_number(one, "low", e->number[i].low);
        jsondoc_put_number(one, "high", e->number[i].high);
        jsondoc_put(metrics, row->name, &one);
    }
    for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++) {
        jsondoc_t *one = number_object(spread[i].value, spread[i].error, spreads[i].meaning);
        jsondoc_put(metrics, spreads[i].name, &one);
    }
    jsondoc_put(doc, "metrics", &metrics);
    return doc;
}
