#include "launcher/report/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/report/distillation_cost.h"
#include "launcher/report/reproducibility.h"

/* Sums run over replicas in their order, so that a summary of the same runs has the same bits. */
static void summarise_quality(variant_result_t *variant)
{
    quality_t mean = {0};
    for (int32_t r = 0; r < variant->replicas; r++) {
        const quality_t *one = &variant->replica[r].quality;
#define ADD(name, doc) mean.name += one->name;
        QUALITY_FIELDS(ADD)
#undef ADD
    }
#define DIVIDE(name, doc) mean.name /= variant->replicas;
    QUALITY_FIELDS(DIVIDE)
#undef DIVIDE
    variant->quality = mean;
}

static double combine_mean(double so_far, double value, int32_t n)
{
    return so_far + value / n;
}

static double combine_max(double so_far, double value, int32_t n)
{
    (void)n;
    return fmax(so_far, value);
}

static double to_double(double value)
{
    return value;
}

static int64_t to_int64_t(double value)
{
    return (int64_t)llrint(value);
}

static void summarise_cost(variant_result_t *variant)
{
#define COMBINE(type, name, how, unit) \
    { \
        double all = 0.0; \
        for (int32_t r = 0; r < variant->replicas; r++) \
            all = combine_##how(all, (double)variant->replica[r].cost.name, variant->replicas); \
        variant->cost.name = to_##type(all); \
    }
    COST_FIELDS(COMBINE)
#undef COMBINE
}

void result_summarise(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        ASSERT(result->variant[v].replicas > 0);
        summarise_quality(&result->variant[v]);
        summarise_cost(&result->variant[v]);
    }
    distillation_cost_measure(result);
    distillation_cost_measure_saving(result);
    reproducibility_measure(result);
}

double result_base_rate_logloss(const experiment_result_t *result)
{
    int64_t positives = 0;
    if (!result->label || result->eval_examples == 0)
        return NAN;
    for (int64_t i = 0; i < result->eval_examples; i++)
        positives += result->label[i];
    const double q = (double)positives / (double)result->eval_examples;
    return positives == 0 || positives == result->eval_examples ? 0.0 : -q * log(q) - (1.0 - q) * log1p(-q);
}

bool result_beats_constant(const experiment_result_t *result, const variant_result_t *variant)
{
    const double constant = result_base_rate_logloss(result);
    return isnan(constant) || variant->quality.logloss < constant;
}

static void free_slices(pd_slice_t *slice, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        mem_free(slice[i].column);
        mem_free(slice[i].value);
    }
    mem_free(slice);
}

void result_fini(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *variant = &result->variant[v];
        for (int32_t r = 0; r < variant->replicas; r++)
            mem_free(variant->replica[r].predictions);
        mem_free(variant->replica);
        mem_free(variant->pd_of_example);
        free_slices(variant->slice, variant->slices);
        free_slices(variant->worst, variant->worst_slices);
    }
    mem_free(result->variant);
    mem_free(result->command);
    mem_free(result->label);
    mem_free(result->group);
    result->variant = NULL;
    result->variants = 0;
    result->command = NULL;
    result->label = NULL;
    result->group = NULL;
}

static void put_interval(jsondoc_t *object, const char *name, estimate_t estimate)
{
    char key[64];
    snprintf(key, sizeof key, "%s_low", name);
    jsondoc_put_number(object, key, estimate.low);
    snprintf(key, sizeof key, "%s_high", name);
    jsondoc_put_number(object, key, estimate.high);
}

/* All values first: a person who reads the file sees numbers before intervals. */
void result_put_reproducibility(jsondoc_t *object, const variant_result_t *variant)
{
    const reproducibility_t *r = &variant->reproducibility;
#define PUT(name, doc) jsondoc_put_number(object, #name, r->name.value);
    REPRODUCIBILITY_FIELDS(PUT)
#undef PUT
    jsondoc_put_integer(object, "pd_pairs", variant->pd_pairs);
    jsondoc_put_number(object, "pd_difference", variant->pd_difference.value);
    jsondoc_put_number(object, "pd_levelled_difference", variant->pd_levelled_difference.value);
#define PUT(name, doc) jsondoc_put_number(object, #name "_se", variant->error.name);
    REPLICA_ERRORS(PUT)
#undef PUT
#define PUT(name, doc) put_interval(object, #name, r->name);
    REPRODUCIBILITY_FIELDS(PUT)
#undef PUT
    put_interval(object, "pd_difference", variant->pd_difference);
    put_interval(object, "pd_levelled_difference", variant->pd_levelled_difference);
}
