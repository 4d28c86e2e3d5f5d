#include "launcher/result.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/metrics.h"

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
#define COMBINE(type, name, how, unit)                                                                                         \
    {                                                                                                                          \
        double all = 0.0;                                                                                                      \
        for (int32_t r = 0; r < variant->replicas; r++)                                                                        \
            all = combine_##how(all, (double)variant->replica[r].cost.name, variant->replicas);                                \
        variant->cost.name = to_##type(all);                                                                                   \
    }
    COST_FIELDS(COMBINE)
#undef COMBINE
}

void result_summarise(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *variant = &result->variant[v];
        ASSERT(variant->replicas > 0);
        summarise_quality(variant);
        summarise_cost(variant);
        const float **predictions = MEM_ARRAY(const float *, variant->replicas);
        for (int32_t r = 0; r < variant->replicas; r++) {
            ASSERT(variant->replica[r].predictions || result->eval_examples == 0);
            predictions[r] = variant->replica[r].predictions;
        }
        int pairs;
        variant->pd_relative = metrics_relative_pd_mean(predictions, variant->replicas, result->eval_examples, &pairs);
        variant->pd_pairs = pairs;
        mem_free(predictions);
    }
}

void result_fini(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        for (int32_t r = 0; r < result->variant[v].replicas; r++)
            mem_free(result->variant[v].replica[r].predictions);
        mem_free(result->variant[v].replica);
    }
    mem_free(result->variant);
    result->variant = NULL;
    result->variants = 0;
}

/* The JSON form of each member type. */
static void put_double(jsondoc_t *object, const char *key, double value)
{
    jsondoc_put_number(object, key, value);
}

static void put_int64_t(jsondoc_t *object, const char *key, int64_t value)
{
    jsondoc_put_integer(object, key, value);
}

static status_t get_double(const jsondoc_t *object, const char *where, const char *key, double *out)
{
    return jsondoc_get_number(object, where, key, out);
}

static status_t get_int64_t(const jsondoc_t *object, const char *where, const char *key, int64_t *out)
{
    return jsondoc_get_integer(object, where, key, 0, INT64_MAX, out);
}

void result_put_quality(jsondoc_t *object, const quality_t *quality)
{
#define PUT(name, doc) jsondoc_put_number(object, #name, quality->name);
    QUALITY_FIELDS(PUT)
#undef PUT
}

void result_put_cost(jsondoc_t *object, const cost_t *cost)
{
#define PUT(type, name, how, unit) put_##type(object, #name, cost->name);
    COST_FIELDS(PUT)
#undef PUT
}

status_t result_get_quality(const jsondoc_t *object, const char *where, quality_t *out)
{
    quality_t read;
#define GET(name, doc) TRY(jsondoc_get_number(object, where, #name, &read.name));
    QUALITY_FIELDS(GET)
#undef GET
    *out = read;
    return ST_OK;
}

status_t result_get_cost(const jsondoc_t *object, const char *where, cost_t *out)
{
    cost_t read;
#define GET(type, name, how, unit) TRY(get_##type(object, where, #name, &read.name));
    COST_FIELDS(GET)
#undef GET
    *out = read;
    return ST_OK;
}
