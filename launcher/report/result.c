#include "launcher/report/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/weighted.h"
#include "launcher/report/differences.h"
#include "launcher/report/distillation_cost.h"
#include "launcher/report/probe_curve.h"
#include "launcher/report/reproducibility.h"

#define ROW(type, name, ...) METRIC_ROW(reproducibility_t, type, name, __VA_ARGS__),
static const metric_t reproducibility[] = {REPRODUCIBILITY_METRICS(ROW)};
#undef ROW
#define ROW(type, name, ...) METRIC_ROW(distillation_cost_t, type, name, __VA_ARGS__),
static const metric_t teaching[] = {TEACHING_METRICS(ROW)};
#undef ROW

const metric_rows_t reproducibility_rows = {reproducibility, sizeof reproducibility / sizeof *reproducibility, METRIC_NO_BITS};
const metric_rows_t teaching_rows = {teaching, sizeof teaching / sizeof *teaching, METRIC_NO_BITS};

scores_t *result_scores(const experiment_result_t *result, const variant_result_t *variant)
{
    scores_t *scores = MEM_ARRAY(scores_t, variant->replicas);
    for (int32_t r = 0; r < variant->replicas; r++)
        scores[r] = replica_scores(&variant->replica[r], result->eval_examples);
    return scores;
}

/* What builds of earlier runs did not measure. */
static status_t complete(const experiment_result_t *result, variant_result_t *variant)
{
    for (int32_t r = 0; r < variant->replicas && result->label; r++) {
        const scores_t scores = replica_scores(&variant->replica[r], result->eval_examples);
        TRY(run_result_complete(&variant->replica[r].quality, &scores, result->label, result->weight));
    }
    return ST_OK;
}

status_t result_summarise(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *variant = &result->variant[v];
        const replica_result_t *first = variant->replica;
        ASSERT(variant->replicas > 0);
        TRY(complete(result, variant));
        variant->quality = (quality_t){0};
        variant->cost = (cost_t){0};
        metric_combine_all(&quality_rows, &first->quality, sizeof *first, variant->replicas, &variant->quality);
        metric_combine_all(&cost_rows, &first->cost, sizeof *first, variant->replicas, &variant->cost);
    }
    distillation_cost_measure(result);
    distillation_cost_measure_saving(result);
    TRY(reproducibility_measure(result));
    differences_measure(result);
    return ST_OK;
}

bool result_is_comparable(const variant_result_t *a, const variant_result_t *b)
{
    return !a->config || !b->config || a->config->experiment.vary == b->config->experiment.vary;
}

double result_base_rate_logloss(const experiment_result_t *result)
{
    return result->label ? weighted_base_rate_logloss(result->label, result->weight, result->eval_examples) : NAN;
}

bool result_beats_constant(const experiment_result_t *result, const variant_result_t *variant)
{
    const double constant = result_base_rate_logloss(result);
    return isnan(constant) || variant->quality.logloss < constant;
}

bool result_is_ensemble(const variant_result_t *variant)
{
    int first, last;
    if (!variant->config)
        return false;
    config_deploy(variant->config, &first, &last);
    return last - first > 1;
}

const variant_result_t *result_ensemble(const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result), *full = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (result_is_ensemble(variant) && variant->config->objective.kind != OBJECTIVE_CODISTILL &&
            isfinite(variant->reproducibility.pd_relative.value) && variant != base && result_is_comparable(variant, base) &&
            result_beats_constant(result, variant) && (!full || variant->cost.parameters > full->cost.parameters))
            full = variant;
    }
    return full;
}

void result_free_slices(pd_slice_t *slice, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        mem_free(slice[i].column);
        mem_free(slice[i].value);
    }
    mem_free(slice);
}

void result_free_shown(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *variant = &result->variant[v];
        for (int32_t i = 0; variant->most_different_shown && i < variant->n_most_different; i++)
            shown_example_fini(&variant->most_different_shown[i]);
        mem_free(variant->most_different_shown);
        variant->most_different_shown = NULL;
    }
    for (int32_t f = 0; f < result->fields; f++)
        mem_free(result->field[f]);
    mem_free(result->field);
    result->field = NULL;
    result->fields = 0;
}

void result_fini(experiment_result_t *result)
{
    result_free_shown(result);
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *variant = &result->variant[v];
        for (int32_t r = 0; r < variant->replicas; r++) {
            mem_free(variant->replica[r].predictions);
            float_file_close(&variant->replica[r].predictions_file);
            activated_layers_fini(&variant->replica[r].layers);
        }
        mem_free(variant->replica);
        mem_free(variant->most_different_p);
        mem_free(variant->without.pd_relative);
        mem_free(variant->without.pd_levelled);
        result_free_slices(variant->slice, variant->slices);
        result_free_slices(variant->worst, variant->worst_slices);
        probe_curve_fini(&variant->probes);
        window_series_fini(&variant->first_visits);
        window_series_fini(&variant->scored_windows);
    }
    mem_free(result->reference);
    mem_free(result->difference);
    mem_free(result->variant);
    mem_free(result->command);
    mem_free(result->label);
    mem_free(result->group);
    mem_free(result->weight);
    result->weight = NULL;
    result->reference = NULL;
    result->difference = NULL;
    result->variant = NULL;
    result->variants = 0;
    result->command = NULL;
    result->label = NULL;
    result->group = NULL;
}

static void put_interval(jsondoc_t *object, const char *name, estimate_t estimate)
{
    metric_put_beside(object, name, "low", estimate.low);
    metric_put_beside(object, name, "high", estimate.high);
}

double result_change_percent(const metric_rows_t *rows, int i, const void *numbers, const void *of_base)
{
    const double base = metric_value(rows, i, of_base);
    return 100.0 * (metric_value(rows, i, numbers) - base) / base;
}

double result_error(const variant_result_t *variant, const metric_rows_t *rows, int i)
{
    const metric_t *metric = &rows->row[i];
    if (!(metric->show & SHOW_ERROR))
        return NAN;
    if (rows == &quality_rows)
        return metric_value(rows, i, &variant->quality_error);
    return metric->offset == offsetof(reproducibility_t, pd_relative) ? variant->error.pd_relative : variant->error.pd_levelled;
}

estimate_t result_bar(const experiment_result_t *result, const variant_result_t *variant, const char **of)
{
    estimate_t bar = variant->reproducibility.pd_relative;
    const double half = jackknife_quantile(variant->replicas) * variant->error.pd_relative;
    *of = !isfinite(bar.low) || !isfinite(bar.high) ? NULL : result->queries ? "queries" : "examples";
    if (isfinite(half) && (!*of || 2.0 * half > bar.high - bar.low)) {
        *of = "replicas";
        bar.low = fmax(0.0, bar.value - half);
        bar.high = bar.value + half;
    }
    return bar;
}

/* All values first: a person who reads the file sees numbers before intervals. */
void result_put_reproducibility(jsondoc_t *object, const variant_result_t *variant)
{
    const estimate_t *estimate = (const estimate_t *)&variant->reproducibility;
    metric_put_all(object, &reproducibility_rows, &variant->reproducibility);
    jsondoc_put_integer(object, "pd_pairs", variant->pd_pairs);
    jsondoc_put_number(object, "pd_difference", variant->pd_difference.value);
    jsondoc_put_number(object, "pd_levelled_difference", variant->pd_levelled_difference.value);
#define PUT(name, doc) jsondoc_put_number(object, #name "_se", variant->error.name);
    REPLICA_ERRORS(PUT)
#undef PUT
    for (int i = 0; i < quality_rows.n; i++)
        if (quality_rows.row[i].show & SHOW_ERROR)
            metric_put_beside(object, quality_rows.row[i].name, "se", result_error(variant, &quality_rows, i));
    for (int i = 0; i < reproducibility_rows.n; i++)
        put_interval(object, reproducibility[i].name, estimate[i]);
    put_interval(object, "pd_difference", variant->pd_difference);
    put_interval(object, "pd_levelled_difference", variant->pd_levelled_difference);
}
