#include "launcher/report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/seal.h"
#include "common/metrics/t_test.h"
#include "common/products/product.h"
#include "launcher/ranks/provenance.h"
#include "launcher/report/differences.h"
#include "launcher/report/results_file.h"
#include "launcher/report/summary.h"

/* ---- results.json ---------------------------------------------------------------------------------------------------- */

static jsondoc_t *cost_object(const cost_t *cost)
{
    jsondoc_t *object = jsondoc_object();
    metric_put_all(object, &cost_rows, cost);
    return object;
}

static jsondoc_t *replica_object(const replica_result_t *replica)
{
    jsondoc_t *object = jsondoc_object(), *metrics = jsondoc_object(), *cost = cost_object(&replica->cost);
    metric_put_all(metrics, &quality_rows, &replica->quality);
    jsondoc_put_integer(object, "replica", replica->replica);
    jsondoc_put_integer(object, "init_seed", replica->init_seed);
    jsondoc_put_integer(object, "order_seed", replica->order_seed);
    jsondoc_put_text(object, "digest", replica->digest);
    if (*replica->manifest)
        jsondoc_put_text(object, "manifest", replica->manifest);
    jsondoc_put(object, "metrics", &metrics);
    jsondoc_put(object, "cost", &cost);
    activated_layers_put(object, &replica->layers);
    return object;
}

static jsondoc_t *slices_array(const pd_slice_t *slice, int32_t n)
{
    jsondoc_t *slices = jsondoc_array();
    for (int32_t i = 0; i < n; i++) {
        jsondoc_t *object = jsondoc_object();
        jsondoc_put_text(object, "column", slice[i].column);
        jsondoc_put_text(object, "value", slice[i].value);
        jsondoc_put_integer(object, "examples", slice[i].examples);
        jsondoc_put_number(object, "pd_relative", slice[i].pd_relative);
        jsondoc_append(slices, &object);
    }
    return slices;
}

static void put_shown(jsondoc_t *object, const experiment_result_t *result, const shown_example_t *shown)
{
    jsondoc_t *values = jsondoc_object();
    if (shown->row)
        jsondoc_put_integer(object, "row", shown->row);
    if (shown->group)
        jsondoc_put_text(object, "group", shown->group);
    for (int32_t f = 0; f < shown->fields; f++)
        jsondoc_put_text(values, result->field[f], shown->value[f]);
    jsondoc_put(object, "values", &values);
}

static jsondoc_t *most_different_array(const experiment_result_t *result, const variant_result_t *variant)
{
    jsondoc_t *examples = jsondoc_array();
    for (int32_t i = 0; i < variant->n_most_different; i++) {
        const int64_t index = variant->most_different[i];
        jsondoc_t *object = jsondoc_object(), *predictions = jsondoc_array();
        jsondoc_put_integer(object, "index", index);
        if (result->label)
            jsondoc_put_integer(object, "label", result->label[index]);
        jsondoc_put_number(object, "pd_relative", variant->most_different_pd[i]);
        for (int32_t r = 0; r < variant->replicas; r++)
            jsondoc_append_number(predictions, (double)variant->most_different_p[i * variant->replicas + r]);
        jsondoc_put(object, "predictions", &predictions);
        if (variant->most_different_shown)
            put_shown(object, result, &variant->most_different_shown[i]);
        jsondoc_append(examples, &object);
    }
    return examples;
}

static void put_hash(jsondoc_t *object, const char *key, const config_t *config)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, config_hash(config));
    jsondoc_put_text(object, key, text);
}

/* What order the training data came in. Variants of one "model" differ in that alone, or in their number of workers. */
static void put_order(jsondoc_t *object, const config_t *config)
{
    jsondoc_put_text(object, "order", config_order_word((data_order_t)config->data.order));
    if (config->data.order == ORDER_WINDOW)
        jsondoc_put_integer(object, "window", config->data.window);
    if (config->experiment.vary & 1u << VARY_LEVEL)
        jsondoc_put_integer(object, "racing_workers", /* 0: as many as there were */
                            config->cluster.active_workers ? config->cluster.active_workers : config->cluster.workers);
    config_t same = *config;
    same.data.order = ORDER_FULL;
    same.data.window = 1;
    same.determinism = DETERMINISM_SYNC;
    put_hash(object, "model", &same);
}

/* "linear, fm, mlp"; of an MLP alone nothing. */
static void put_parts(jsondoc_t *object, const config_t *config)
{
    char text[64] = "";
    size_t used = 0;
    for (int i = 0; i < PART_COUNT && used < sizeof text; i++)
        if (config_has_part(config, (network_part_kind_t)i))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "",
                                     config_part_word((network_part_kind_t)i));
    jsondoc_put_text(object, "parts", text);
}

/* What a reader of results.json groups variants by; the whole configuration lies in the runs' folders. Variants of one family
 * differ in beta alone, variants of one method in activation and beta. */
static jsondoc_t *config_object(const config_t *config)
{
    jsondoc_t *object = jsondoc_object(), *hidden = jsondoc_array();
    for (unsigned l = 0; l < config->model.hidden.count; l++)
        jsondoc_append_integer(hidden, config->model.hidden.at[l]);
    jsondoc_put_text(object, "activation", config_activation_word((activation_kind_t)config->model.activation));
    jsondoc_put_number(object, "beta", config->model.beta);
    if (config->model.beta_spread > 0.0)
        jsondoc_put_number(object, "beta_spread", config->model.beta_spread);
    jsondoc_put_integer(object, "components", config->model.components);
    jsondoc_put(object, "hidden", &hidden);
    if (config->model.parts != 1u << PART_MLP)
        put_parts(object, config);
    jsondoc_put_integer(object, "embedding_dim", config->embedding.dim);
    put_order(object, config);
    config_t same = *config;
    same.model.beta = 1;
    put_hash(object, "family", &same);
    same.model.activation = ACTIVATION_RELU;
    put_hash(object, "method", &same);
    return object;
}

static jsondoc_t *teaching_object(const experiment_result_t *result, const distillation_cost_t *teaching)
{
    static const char *const words[] = {
        [SAVING_UNKNOWN] = "unknown", [SAVING_NEVER] = "never", [SAVING_REACHED] = "reached", [SAVING_AT_MOST] = "at_most"};
    jsondoc_t *object = jsondoc_object();
    jsondoc_put_text(object, "teacher", result->variant[teaching->teacher].name);
    jsondoc_put_integer(object, "runs", teaching->runs);
    metric_put_all(object, &teaching_rows, teaching);
    jsondoc_put_text(object, "held_out_saving", words[teaching->held_out_saving]);
    jsondoc_put_integer(object, "held_out_points", teaching->held_out_points);
    if (teaching->without >= 0)
        jsondoc_put_text(object, "without", result->variant[teaching->without].name);
    return object;
}

/* What a chart shows of relative PD, and whose error that is. */
static void put_bar(jsondoc_t *metrics, const experiment_result_t *result, const variant_result_t *variant)
{
    const char *of;
    const estimate_t bar = result_bar(result, variant, &of);
    jsondoc_put_number(metrics, "pd_relative_bar_low", bar.low);
    jsondoc_put_number(metrics, "pd_relative_bar_high", bar.high);
    jsondoc_put_text(metrics, "pd_relative_bar_over", of ? of : "");
}

static jsondoc_t *difference_object(const difference_t *d, bool is_loss)
{
    jsondoc_t *object = jsondoc_object();
    jsondoc_put_number(object, "difference", d->value);
    jsondoc_put_number(object, "se", d->error);
    jsondoc_put_number(object, "p", d->p);
    jsondoc_put_number(object, "p_holm", d->p_holm);
    if (is_loss) {
        jsondoc_put_number(object, "change", d->change);
        jsondoc_put_number(object, "change_se", d->change_error);
        jsondoc_put_number(object, "replicas_to_decide", d->replicas);
    }
    return object;
}

/* Of every variant from every other: a matrix, row by row. */
static jsondoc_t *differences_array(const experiment_result_t *result)
{
    jsondoc_t *array = jsondoc_array();
    compared_t compared;
    for (int32_t b = 0; b < result->variants; b++)
        for (int32_t a = 0; a < result->variants; a++) {
            if (a == b || !differences_has_reference(result, b))
                continue;
            jsondoc_t *pair = jsondoc_object();
            jsondoc_put_text(pair, "variant", result->variant[a].name);
            jsondoc_put_text(pair, "from", result->variant[b].name);
            for (int n = 0; differences_compared(n, &compared); n++) {
                jsondoc_t *one = difference_object(differences_of(result, a, b, n), differences_is_loss(&compared));
                jsondoc_put(pair, differences_metric(&compared)->name, &one);
            }
            jsondoc_append(array, &pair);
        }
    return array;
}

static jsondoc_t *significance_object(void)
{
    jsondoc_t *object = jsondoc_object();
    jsondoc_put_number(object, "level", T_TEST_LEVEL);
    jsondoc_put_text(object, "correction", "Holm");
    jsondoc_put_number(object, "power", T_TEST_POWER);
    jsondoc_put_number(object, "decide", DIFFERENCES_DECIDE);
    return object;
}

/* Arrays of equal length: the steps that were made, and each number after them with its error. */
static jsondoc_t *probes_object(const probe_curve_t *curve)
{
    jsondoc_t *object = jsondoc_object(), *step = jsondoc_array();
    for (int64_t i = 0; i < curve->points; i++)
        jsondoc_append_integer(step, curve->step[i]);
    jsondoc_put_integer(object, "examples", curve->examples);
    jsondoc_put(object, "step", &step);
#define NUMBER(name, doc) \
    jsondoc_t *name = jsondoc_array(), *name##_se = jsondoc_array(); \
    for (int64_t i = 0; i < curve->points; i++) { \
        jsondoc_append_number(name, curve->spread[i].name.value); \
        jsondoc_append_number(name##_se, curve->spread[i].name.error); \
    } \
    jsondoc_put(object, #name, &name); \
    jsondoc_put(object, #name "_se", &name##_se);
    SPREAD_NUMBERS(NUMBER)
#undef NUMBER
    return object;
}

/* Where the configuration asks for them. */
static void put_windows(jsondoc_t *variant, const variant_result_t *result)
{
    if (!result->scored_windows.n && !result->first_visits.n)
        return;
    jsondoc_t *object = jsondoc_object(), *first = window_series_array(&result->first_visits),
              *scored = window_series_array(&result->scored_windows);
    jsondoc_put_integer(object, "seconds", result->scored_windows.seconds);
    jsondoc_put(object, "first_visits", &first);
    jsondoc_put(object, "scored", &scored);
    jsondoc_put(variant, "windows", &object);
}

static jsondoc_t *variant_object(const experiment_result_t *result, const variant_result_t *variant)
{
    jsondoc_t *object = jsondoc_object(), *metrics = jsondoc_object(), *cost = cost_object(&variant->cost);
    jsondoc_t *slices = slices_array(variant->slice, variant->slices);
    jsondoc_t *worst = slices_array(variant->worst, variant->worst_slices);
    jsondoc_t *different = most_different_array(result, variant), *replicas = jsondoc_array();
    metric_put_all(metrics, &quality_rows, &variant->quality);
    result_put_reproducibility(metrics, variant);
    put_bar(metrics, result, variant);
    for (int32_t r = 0; r < variant->replicas; r++) {
        jsondoc_t *replica = replica_object(&variant->replica[r]);
        jsondoc_append(replicas, &replica);
    }
    jsondoc_put_text(object, "name", variant->name);
    if (variant->config) {
        jsondoc_t *config = config_object(variant->config);
        jsondoc_put(object, "config", &config);
    }
    jsondoc_put(object, "metrics", &metrics);
    jsondoc_put(object, "cost", &cost);
    if (variant->teaching.runs) {
        jsondoc_t *teaching = teaching_object(result, &variant->teaching);
        jsondoc_put(object, "teaching", &teaching);
    }
    if (variant->probes.points) {
        jsondoc_t *probes = probes_object(&variant->probes);
        jsondoc_put(object, "probes", &probes);
    }
    put_windows(object, variant);
    jsondoc_put_text(object, "determinism", variant->determinism);
    jsondoc_put(object, "replicas", &replicas);
    jsondoc_put(object, "slices", &slices);
    jsondoc_put(object, "worst_slices", &worst);
    jsondoc_put(object, "most_different", &different);
    return object;
}

/* Kernels by what variants ask for, on this machine. */
static void put_provenance(jsondoc_t *doc, const experiment_result_t *result)
{
    int own = 0, known = 0;
    for (int v = 0; v < result->variants; v++) {
        const config_t *config = result->variant[v].config;
        known += config != NULL;
        own += config && config_uses_own_kernels(config);
    }
    const char *blas = product_kernel_text(NULL), *ours = product_kernel_text(product_kernel_here());
    char both[512];
    snprintf(both, sizeof both, "%s; %s", blas, ours);
    provenance_put_here(doc, own == 0 ? blas : own == known ? ours : both);
}

status_t report_write_json(const experiment_result_t *result, const char *path)
{
    jsondoc_t *doc = jsondoc_object(), *variants = jsondoc_array();
    jsondoc_t *differences = differences_array(result), *significance = significance_object();
    const variant_result_t *ensemble = result_ensemble(result);
    char *verdict = summary_text(result);
    for (int32_t v = 0; v < result->variants; v++) {
        jsondoc_t *variant = variant_object(result, &result->variant[v]);
        jsondoc_append(variants, &variant);
    }
    jsondoc_put_text(doc, "experiment", result->name);
    jsondoc_put_text(doc, "baseline", result_baseline(result)->name);
    if (ensemble)
        jsondoc_put_text(doc, "ensemble", ensemble->name);
    jsondoc_put_text(doc, "verdict", verdict);
    jsondoc_put_text(doc, "verdict_variant", summary_best(result)->name);
    jsondoc_put_text(doc, "command", result->command ? result->command : "");
    jsondoc_put_integer(doc, "eval_examples", result->eval_examples);
    if (result->on_test)
        jsondoc_put_text(doc, "scored", dataset_split_word(SPLIT_TEST));
    jsondoc_put_integer(doc, "queries", result->queries);
    jsondoc_put_integer(doc, "examples_without_query", result->without_query);
    jsondoc_put_number(doc, "base_rate_logloss", result_base_rate_logloss(result));
    jsondoc_put_integer(doc, "top_k", RESULT_TOP_K);
    jsondoc_put_integer(doc, "resamples", RESULT_RESAMPLES);
    jsondoc_put_number(doc, "confidence", BOOTSTRAP_CONFIDENCE);
    jsondoc_put(doc, "variants", &variants);
    jsondoc_put(doc, "significance", &significance);
    jsondoc_put(doc, "differences", &differences);
    put_provenance(doc, result);
    status_t status = results_put_files(doc, path);
    if (status == ST_OK)
        status = seal_write(doc, path, NULL);
    jsondoc_destroy(&doc);
    mem_free(verdict);
    return status;
}

/* ---- results.csv ----------------------------------------------------------------------------------------------------- */

static void csv_double(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, ",%.17g", value);
    else
        fputc(',', out);
}

static void csv_estimate(FILE *out, estimate_t estimate)
{
    csv_double(out, estimate.value);
    csv_double(out, estimate.low);
    csv_double(out, estimate.high);
}

static void csv_numbers(FILE *out, const metric_rows_t *rows, const void *numbers)
{
    for (int i = 0; i < rows->n; i++)
        csv_double(out, metric_value(rows, i, numbers));
}

/* Empty for all but students. */
static void csv_teaching(FILE *out, const experiment_result_t *result, const distillation_cost_t *teaching)
{
    const bool is_student = teaching->runs > 0;
    fputc(',', out);
    if (is_student)
        text_csv(out, result->variant[teaching->teacher].name);
    csv_double(out, is_student ? teaching->runs : NAN);
    for (int i = 0; i < teaching_rows.n; i++)
        csv_double(out, is_student ? metric_value(&teaching_rows, i, teaching) : NAN);
}

static void csv_names(FILE *out, const metric_rows_t *rows)
{
    for (int i = 0; i < rows->n; i++)
        fprintf(out, ",%s", rows->row[i].name);
}

/* Errors over replicas: of a number of quality, and of a loss' difference from the baseline's. */
static void csv_error_heads(FILE *out, const compared_t *compared)
{
    const char *name = differences_metric(compared)->name;
    fprintf(out, ",%s_se", name);
    if (differences_is_loss(compared))
        fprintf(out, ",%s_vs_baseline_percent_se", name);
}

static void csv_errors(FILE *out, const experiment_result_t *result, int32_t v, int n, const compared_t *compared)
{
    csv_double(out, result_error(&result->variant[v], compared->rows, compared->i));
    if (differences_is_loss(compared))
        csv_double(out, 100.0 * differences_of(result, v, result->baseline, n)->change_error);
}

static void csv_head(FILE *out)
{
    compared_t compared;
    fputs("name,determinism,replicas", out);
    csv_names(out, &quality_rows);
    for (int i = 0; i < quality_rows.n; i++)
        if (quality_rows.row[i].show & SHOW_CHANGE)
            fprintf(out, ",%s_vs_baseline_percent", quality_rows.row[i].name);
    for (int n = 0; differences_compared(n, &compared); n++)
        if (compared.rows == &quality_rows)
            csv_error_heads(out, &compared);
    for (int i = 0; i < reproducibility_rows.n; i++) {
        const char *name = reproducibility_rows.row[i].name;
        fprintf(out, ",%s,%s_low,%s_high", name, name, name);
    }
    fputs(",pd_pairs,pd_difference,pd_difference_low,pd_difference_high,"
          "pd_levelled_difference,pd_levelled_difference_low,pd_levelled_difference_high",
          out);
#define HEAD(name, doc) fputs("," #name "_se", out);
    REPLICA_ERRORS(HEAD)
#undef HEAD
    csv_names(out, &cost_rows);
    fputs(",teacher,teacher_runs", out);
    csv_names(out, &teaching_rows);
    fputc('\n', out);
}

static void csv_row(FILE *out, const experiment_result_t *result, int32_t v)
{
    compared_t compared;
    const variant_result_t *variant = &result->variant[v];
    const variant_result_t *base = result_baseline(result);
    const estimate_t *estimate = (const estimate_t *)&variant->reproducibility;
    text_csv(out, variant->name);
    fputc(',', out);
    text_csv(out, variant->determinism);
    csv_double(out, variant->replicas);
    csv_numbers(out, &quality_rows, &variant->quality);
    for (int i = 0; i < quality_rows.n; i++)
        if (quality_rows.row[i].show & SHOW_CHANGE)
            csv_double(out, result_change_percent(&quality_rows, i, &variant->quality, &base->quality));
    for (int n = 0; differences_compared(n, &compared); n++)
        if (compared.rows == &quality_rows)
            csv_errors(out, result, v, n, &compared);
    for (int i = 0; i < reproducibility_rows.n; i++)
        csv_estimate(out, estimate[i]);
    csv_double(out, variant->pd_pairs);
    csv_estimate(out, variant->pd_difference);
    csv_estimate(out, variant->pd_levelled_difference);
#define VALUE(name, doc) csv_double(out, variant->error.name);
    REPLICA_ERRORS(VALUE)
#undef VALUE
    csv_numbers(out, &cost_rows, &variant->cost);
    csv_teaching(out, result, &variant->teaching);
    fputc('\n', out);
}

status_t report_write_csv(const experiment_result_t *result, const char *path)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    csv_head(out);
    for (int32_t v = 0; v < result->variants; v++)
        csv_row(out, result, v);
    status_t status = fclose(out) == 0 ? file_write_atomic(path, text, bytes)
                                       : FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    free(text);
    return status;
}

/* ---- verdict.txt ----------------------------------------------------------------------------------------------------- */

status_t report_write_verdict(const experiment_result_t *result, const char *path)
{
    char *verdict = summary_text(result), *line = mem_printf("%s\n", verdict);
    status_t status = file_write_atomic(path, line, strlen(line));
    mem_free(line);
    mem_free(verdict);
    return status;
}
