#include "launcher/report/churn_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/base/text.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/metrics/jackknife.h"
#include "common/texts/shown_example.h"
#include "launcher/ranks/provenance.h"
#include "launcher/report/slices_report.h"

#define SLICES_PRINTED 3
#define EXAMPLES_PRINTED 5

/* ---- from the dataset ------------------------------------------------------------------------------------------------ */

enum { DIFFER, LOSE, RANKINGS };

/* Slices are those of two "variants": of one the number of an example is its PD, of the other its rise in logloss. The score
 * that slices go by is the mean of all replicas of both versions. */
static status_t make_slices(dataset_t *dataset, const churn_input_t *input, churn_report_t *out)
{
    const int32_t models = 2 * input->replicas;
    replica_result_t *replica = MEM_ARRAY(replica_result_t, models);
    for (int32_t m = 0; m < models; m++) {
        const float *const *p = m < input->replicas ? input->before : input->after;
        replica[m].predictions = (float *)(uintptr_t)p[m % input->replicas]; /* borrowed, and only read */
    }
    variant_result_t variant[RANKINGS] = {
        [DIFFER] = {.replicas = models, .replica = replica, .pd_pairs = 1, .pd_of_example = out->churn->pd_of_example},
        [LOSE] = {.replicas = models, .replica = replica, .pd_pairs = 1, .pd_of_example = out->churn->change_of_example},
    };
    experiment_result_t result = {.eval_examples = input->examples,
                                  .label = (uint8_t *)(uintptr_t)input->label,
                                  .weight = (float *)(uintptr_t)input->weight,
                                  .variants = RANKINGS,
                                  .variant = variant};
    const status_t status = slices_report_make(dataset, &result);
    for (int v = 0; v < RANKINGS; v++)
        result_free_slices(variant[v].slice, variant[v].slices);
    result_free_shown(&result);
    out->differ = variant[DIFFER].worst;
    out->n_differ = variant[DIFFER].worst_slices;
    out->lose = variant[LOSE].worst;
    out->n_lose = variant[LOSE].worst_slices;
    mem_free(replica);
    return status;
}

static double mean_prediction(const float *const *p, int32_t replicas, int64_t i)
{
    double sum = 0.0;
    for (int32_t r = 0; r < replicas; r++)
        sum += (double)p[r][i];
    return sum / replicas;
}

static status_t make_examples(dataset_t *dataset, shown_values_t *shown, const churn_input_t *input, churn_report_t *out)
{
    const churn_t *churn = out->churn;
    for (int32_t k = 0; k < churn->n_most_different; k++) {
        const int64_t i = churn->most_different[k];
        churn_example_t *example = &out->example[out->n_examples];
        TRY(shown_example_read(dataset, shown, SPLIT_EVAL, i, &example->shown));
        out->n_examples++;
        example->index = i;
        example->label = input->label[i];
        example->pd_relative = churn->pd_of_example[i];
        example->before = mean_prediction(input->before, input->replicas, i);
        example->after = mean_prediction(input->after, input->replicas, i);
        example->logloss_change = churn->change_of_example[i];
    }
    return ST_OK;
}

status_t churn_report_make(dataset_t *dataset, const churn_input_t *input, const churn_t *churn, churn_report_t *out)
{
    out->churn = churn;
    out->field = shown_field_names(dataset, &out->fields);
    TRY(make_slices(dataset, input, out));
    shown_values_t *shown = shown_values_create(dataset);
    const status_t status = make_examples(dataset, shown, input, out);
    shown_values_destroy(&shown);
    return status;
}

void churn_report_fini(churn_report_t *report)
{
    result_free_slices(report->differ, report->n_differ);
    result_free_slices(report->lose, report->n_lose);
    for (int32_t k = 0; k < report->n_examples; k++)
        shown_example_fini(&report->example[k].shown);
    for (int32_t f = 0; f < report->fields; f++)
        mem_free(report->field[f]);
    mem_free(report->field);
    *report = (churn_report_t){0};
}

/* ---- terminal -------------------------------------------------------------------------------------------------------- */

#define CELL_BYTES 48

static const char *signed_text(const metric_t *metric, double value, char text[METRIC_TEXT_BYTES])
{
    char plain[METRIC_TEXT_BYTES];
    snprintf(text, METRIC_TEXT_BYTES, "%s%s", value > 0.0 ? "+" : "", metric_text(metric, value, plain));
    return text;
}

static const char *interval_text(const metric_t *metric, estimate_t e, char text[CELL_BYTES])
{
    const double scale = metric->unit == UNIT_SHARE ? 100.0 : 1.0;
    if (isfinite(e.low))
        snprintf(text, CELL_BYTES, "%.*f to %.*f%s", metric->digits, scale * e.low, metric->digits, scale * e.high,
                 metric->unit == UNIT_SHARE ? " %" : "");
    else
        snprintf(text, CELL_BYTES, "-");
    return text;
}

static const char *error_text(const metric_t *metric, double error, char text[CELL_BYTES])
{
    if (isfinite(error))
        snprintf(text, CELL_BYTES, "+- %.*f", metric->digits, (metric->unit == UNIT_SHARE ? 100.0 : 1.0) * error);
    else
        snprintf(text, CELL_BYTES, "-");
    return text;
}

static void print_version(const char *letter, const churn_version_t *version, int32_t replicas, FILE *out)
{
    fprintf(out, "  %s  %s (%d run%s, ", letter, version->name, replicas, replicas == 1 ? "" : "s");
    if (version->scored == 0)
        fprintf(out, "by %s own predictions)\n", replicas == 1 ? "its" : "their");
    else if (version->scored == replicas)
        fputs("scored now)\n", out);
    else
        fprintf(out, "%d of them scored now)\n", version->scored);
}

static void print_head(const churn_report_t *report, FILE *out)
{
    char examples[TEXT_BYTES], queries[TEXT_BYTES];
    const churn_t *churn = report->churn;
    fprintf(out, "churn from A to B over %s evaluation example%s", text_count(churn->examples, examples),
            churn->examples == 1 ? "" : "s");
    if (churn->queries)
        fprintf(out, " in %s %s", text_count(churn->queries, queries), churn->queries == 1 ? "query" : "queries");
    fprintf(out, " of %s\n", report->dataset);
    print_version("A", &report->before, churn->replicas, out);
    print_version("B", &report->after, churn->replicas, out);
    if (!churn->queries)
        fputs("no queries: there is no PQAUC loss and no swap rate, and intervals are over examples\n", out);
    else if (churn->without_query)
        fprintf(out, "%s of the examples have no query id, and are left out of PQAUC loss and swap rates\n",
                text_count(churn->without_query, examples));
}

static void write_distances(const churn_report_t *report, FILE *out)
{
    const churn_t *churn = report->churn;
    char value[METRIC_TEXT_BYTES], interval[CELL_BYTES], error[CELL_BYTES], alone[METRIC_TEXT_BYTES], more[METRIC_TEXT_BYTES],
        more_error[CELL_BYTES];
    const char *over = churn->queries ? "95 % over queries" : "95 % over examples";
    fprintf(out, "%-16s  %10s  %22s  %13s  %14s  %10s  %13s\n", "", "A to B", over, "over replicas", "replicas alone", "beyond",
            "over replicas");
    for (int m = 0; m < CHURN_DISTANCES; m++) {
        const metric_t *metric = &churn_rows.row[m];
        const estimate_t e = churn_get(churn, m);
        fprintf(out, "%-16s  %10s  %22s  %13s  %14s  %10s  %13s\n", metric->title, metric_text(metric, e.value, value),
                interval_text(metric, e, interval), error_text(metric, churn->error[m], error),
                metric_text(metric, churn->alone[m].value, alone), signed_text(metric, churn->beyond[m].value, more),
                error_text(metric, churn->beyond[m].error, more_error));
    }
}

/* A loss of which there is more, or less, than other queries, or other replicas, would make. */
static const char *significance(const churn_t *churn, int m)
{
    const estimate_t e = churn_get(churn, m);
    const bool queries = e.low > 0.0 || e.high < 0.0;
    const bool replicas = jackknife_is_distinct(e.value, churn->error[m], churn->replicas);
    if (!isfinite(e.low))
        return "-";
    return queries && replicas ? "queries, replicas" : queries ? "queries" : replicas ? "replicas" : "no";
}

static void write_losses(const churn_report_t *report, FILE *out)
{
    const churn_t *churn = report->churn;
    char before[METRIC_TEXT_BYTES], after[METRIC_TEXT_BYTES], change[METRIC_TEXT_BYTES], interval[CELL_BYTES],
        error[CELL_BYTES];
    fprintf(out, "%-16s  %10s  %10s  %10s  %22s  %13s  %17s\n", "", "A", "B", "B - A",
            churn->queries ? "95 % over queries" : "95 % over examples", "over replicas", "significant over");
    for (int m = CHURN_LOGLOSS_BEFORE; m < CHURN_EXAMPLES_BETTER; m += 3) {
        const metric_t *metric = &churn_rows.row[m];
        const estimate_t e = churn_get(churn, m + 2);
        fprintf(out, "%-16s  %10s  %10s  %10s  %22s  %13s  %17s\n", metric->title,
                metric_text(metric, churn_get(churn, m).value, before),
                metric_text(metric, churn_get(churn, m + 1).value, after), signed_text(metric, e.value, change),
                interval_text(metric, e, interval), error_text(metric, churn->error[m + 2], error), significance(churn, m + 2));
    }
}

static void print_table(const churn_report_t *report, void (*write)(const churn_report_t *report, FILE *out), FILE *out)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    ASSERT(memory);
    write(report, memory);
    const int failed = fclose(memory);
    ASSERT(failed == 0);
    fputc('\n', out);
    terminal_put_table(out, text, out == stdout ? terminal_width(STDOUT_FILENO) : 0);
    free(text);
}

static void print_wins(const churn_report_t *report, FILE *out)
{
    const churn_t *churn = report->churn;
    char better[METRIC_TEXT_BYTES], worse[METRIC_TEXT_BYTES], equal[METRIC_TEXT_BYTES], queries[TEXT_BYTES];
    const metric_t *metric = &churn_rows.row[CHURN_EXAMPLES_BETTER];
    double up = churn_get(churn, CHURN_EXAMPLES_BETTER).value, down = churn_get(churn, CHURN_EXAMPLES_WORSE).value;
    fprintf(out, "\n%-16s  %10s  %10s  %10s\n", "B is", "better", "worse", "the same");
    fprintf(out, "%-16s  %10s  %10s  %10s  by logloss: %+.5f and %+.5f of its mean\n", "for examples",
            metric_text(metric, up, better), metric_text(metric, down, worse), metric_text(metric, 1.0 - up - down, equal),
            churn_get(churn, CHURN_LOGLOSS_WON).value, churn_get(churn, CHURN_LOGLOSS_LOST).value);
    if (!churn->mixed_queries)
        return;
    up = churn_get(churn, CHURN_QUERIES_BETTER).value;
    down = churn_get(churn, CHURN_QUERIES_WORSE).value;
    fprintf(out, "%-16s  %10s  %10s  %10s  by PQAUC loss, of %s with both labels\n", "for queries",
            metric_text(metric, up, better), metric_text(metric, down, worse), metric_text(metric, 1.0 - up - down, equal),
            text_count(churn->mixed_queries, queries));
}

/* What of it would be there without a new version. */
static void print_alone(const churn_t *churn, FILE *out)
{
    const double pd = churn_get(churn, CHURN_PD_RELATIVE).value, alone = churn->alone[CHURN_PD_RELATIVE].value,
                 beyond = churn->beyond[CHURN_PD_RELATIVE].value, error = churn->beyond[CHURN_PD_RELATIVE].error;
    if (!isfinite(alone) || !(pd > 0.0)) {
        if (churn->replicas == 1)
            fputs("How much of this two trainings of one version would show as well is not known: that takes two variants with "
                  "replicas (VARIANT folders with r0, r1, ..).\n",
                  out);
        return;
    }
    fprintf(out, "Of the relative PD of %.2f %%, replicas alone would make %.2f %% (%.0f %% of it)", 100.0 * pd, 100.0 * alone,
            100.0 * alone / pd);
    if (!isfinite(error))
        fputs(".\n", out);
    else if (!jackknife_is_distinct(beyond, error, churn->replicas))
        fputs("; the difference is not significant over replicas.\n", out);
    else
        fprintf(out, "; the new version is %s that, significantly over replicas.\n",
                beyond > 0.0 ? "farther from the old one than" : "nearer to the old one than");
}

static void print_slices(const char *what, const pd_slice_t *slice, int32_t n, const metric_t *metric, bool is_signed,
                         FILE *out)
{
    char examples[TEXT_BYTES], number[METRIC_TEXT_BYTES];
    for (int32_t i = 0; i < n && i < SLICES_PRINTED && slice[i].pd_relative > 0.0; i++)
        fprintf(out, "%s %s = %s: %s (%s examples)", i ? "," : what, slice[i].column, slice[i].value,
                is_signed ? signed_text(metric, slice[i].pd_relative, number)
                          : metric_text(metric, slice[i].pd_relative, number),
                text_count(slice[i].examples, examples));
    if (n > 0 && slice[0].pd_relative > 0.0)
        fputs(".\n", out);
}

static void print_examples(const churn_report_t *report, FILE *out)
{
    char row[TEXT_BYTES];
    if (report->n_examples > 0)
        fputs("\nexamples that changed most\n", out);
    for (int32_t k = 0; k < report->n_examples && k < EXAMPLES_PRINTED; k++) {
        const churn_example_t *example = &report->example[k];
        fprintf(out, "  %s %s: ", example->shown.row ? "row" : "index",
                text_count(example->shown.row ? example->shown.row : example->index, row));
        if (example->shown.group)
            fprintf(out, "query %s, ", example->shown.group);
        fprintf(out, "label %d, %.5f to %.5f\n    ", example->label, example->before, example->after);
        for (int32_t f = 0; f < report->fields; f++)
            fprintf(out, " %s=%s", report->field[f], example->shown.value[f]);
        fputc('\n', out);
    }
}

void churn_report_print(const churn_report_t *report, FILE *out)
{
    print_head(report, out);
    print_table(report, write_distances, out);
    print_table(report, write_losses, out);
    print_wins(report, out);
    fputc('\n', out);
    print_alone(report->churn, out);
    print_slices("Predictions differ most where", report->differ, report->n_differ, &churn_rows.row[CHURN_PD_RELATIVE], false,
                 out);
    print_slices("B's logloss rises most where", report->lose, report->n_lose, &churn_rows.row[CHURN_LOGLOSS_CHANGE], true,
                 out);
    print_examples(report, out);
}

/* ---- churn.json and churn.csv ---------------------------------------------------------------------------------------- */

static jsondoc_t *metrics_object(const churn_t *churn)
{
    jsondoc_t *object = jsondoc_object();
    metric_put_all(object, &churn_rows, &churn->value);
    for (int m = 0; m < CHURN_COUNT; m++) {
        const char *name = churn_rows.row[m].name;
        metric_put_beside(object, name, "low", churn_get(churn, m).low);
        metric_put_beside(object, name, "high", churn_get(churn, m).high);
        metric_put_beside(object, name, "se", churn->error[m]);
    }
    for (int m = 0; m < CHURN_DISTANCES; m++) {
        const char *name = churn_rows.row[m].name;
        metric_put_beside(object, name, "alone", churn->alone[m].value);
        metric_put_beside(object, name, "alone_se", churn->alone[m].error);
        metric_put_beside(object, name, "beyond", churn->beyond[m].value);
        metric_put_beside(object, name, "beyond_se", churn->beyond[m].error);
    }
    return object;
}

static jsondoc_t *version_object(const churn_version_t *version)
{
    jsondoc_t *object = jsondoc_object();
    jsondoc_put_text(object, "folder", version->name);
    jsondoc_put_integer(object, "scored", version->scored);
    return object;
}

static jsondoc_t *slices_array(const pd_slice_t *slice, int32_t n, const char *name)
{
    jsondoc_t *slices = jsondoc_array();
    for (int32_t i = 0; i < n; i++) {
        jsondoc_t *object = jsondoc_object();
        jsondoc_put_text(object, "column", slice[i].column);
        jsondoc_put_text(object, "value", slice[i].value);
        jsondoc_put_integer(object, "examples", slice[i].examples);
        jsondoc_put_number(object, name, slice[i].pd_relative);
        jsondoc_append(slices, &object);
    }
    return slices;
}

static jsondoc_t *examples_array(const churn_report_t *report)
{
    jsondoc_t *examples = jsondoc_array();
    for (int32_t k = 0; k < report->n_examples; k++) {
        const churn_example_t *example = &report->example[k];
        jsondoc_t *object = jsondoc_object(), *values = jsondoc_object();
        jsondoc_put_integer(object, "index", example->index);
        jsondoc_put_integer(object, "row", example->shown.row);
        if (example->shown.group)
            jsondoc_put_text(object, "group", example->shown.group);
        jsondoc_put_integer(object, "label", example->label);
        jsondoc_put_number(object, "before", example->before);
        jsondoc_put_number(object, "after", example->after);
        jsondoc_put_number(object, "pd_relative", example->pd_relative);
        jsondoc_put_number(object, "logloss_change", example->logloss_change);
        for (int32_t f = 0; f < report->fields; f++)
            jsondoc_put_text(values, report->field[f], example->shown.value[f]);
        jsondoc_put(object, "values", &values);
        jsondoc_append(examples, &object);
    }
    return examples;
}

static status_t write_json(const churn_report_t *report, const char *path)
{
    const churn_t *churn = report->churn;
    jsondoc_t *doc = jsondoc_object(), *before = version_object(&report->before), *after = version_object(&report->after),
              *metrics = metrics_object(churn), *differ = slices_array(report->differ, report->n_differ, "pd_relative"),
              *lose = slices_array(report->lose, report->n_lose, "logloss_change"), *examples = examples_array(report);
    jsondoc_put_text(doc, "dataset", report->dataset);
    jsondoc_put(doc, "before", &before);
    jsondoc_put(doc, "after", &after);
    jsondoc_put_integer(doc, "replicas", churn->replicas);
    jsondoc_put_integer(doc, "examples", churn->examples);
    jsondoc_put_integer(doc, "queries", churn->queries);
    jsondoc_put_integer(doc, "queries_with_both_labels", churn->mixed_queries);
    jsondoc_put_integer(doc, "examples_without_query", churn->without_query);
    jsondoc_put_integer(doc, "top_k", RESULT_TOP_K);
    jsondoc_put_integer(doc, "resamples", RESULT_RESAMPLES);
    jsondoc_put_number(doc, "confidence", BOOTSTRAP_CONFIDENCE);
    jsondoc_put(doc, "metrics", &metrics);
    jsondoc_put(doc, "differ_most", &differ);
    jsondoc_put(doc, "lose_most", &lose);
    jsondoc_put(doc, "most_different", &examples);
    provenance_put_here(doc, NULL);
    const status_t status = jsondoc_write(doc, path);
    jsondoc_destroy(&doc);
    return status;
}

static void csv_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, ",%.17g", value);
    else
        fputc(',', out);
}

static status_t write_csv(const churn_t *churn, const char *path)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    fputs("metric,value,low,high,se,alone,alone_se,beyond,beyond_se\n", out);
    for (int m = 0; m < CHURN_COUNT; m++) {
        const estimate_t e = churn_get(churn, m);
        const bool is_distance = m < CHURN_DISTANCES;
        const replica_mean_t alone = is_distance ? churn->alone[m] : (replica_mean_t){NAN, NAN};
        const replica_mean_t beyond = is_distance ? churn->beyond[m] : (replica_mean_t){NAN, NAN};
        const double numbers[] = {e.value,     e.low,       e.high,       churn->error[m],
                                  alone.value, alone.error, beyond.value, beyond.error};
        fputs(churn_rows.row[m].name, out);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            csv_number(out, numbers[i]);
        fputc('\n', out);
    }
    status_t status = fclose(out) == 0 ? file_write_atomic(path, text, bytes)
                                       : FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    free(text);
    return status;
}

status_t churn_report_write(const churn_report_t *report, const char *dir)
{
    char *json = run_path(dir, FILE_CHURN), *csv = run_path(dir, FILE_CHURN_CSV);
    status_t status = write_csv(report->churn, csv);
    if (status == ST_OK)
        status = write_json(report, json);
    mem_free(json);
    mem_free(csv);
    return status;
}
