#include "common/metrics/slices.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/metrics/dense_ids.h"

struct slices {
    int32_t models;
    dense_ids_t *ids;
    int64_t *examples; /* [values] */
    double *weight;    /* [values] */
    double *sum;       /* [values][models] */
    size_t examples_capacity, weight_capacity, sum_capacity;
};

slices_t *slices_create(int32_t models)
{
    ASSERT(models >= 1);
    slices_t *slices = MEM_NEW(slices_t);
    slices->models = models;
    slices->ids = dense_ids_create();
    return slices;
}

void slices_destroy(slices_t **slices)
{
    if (!*slices)
        return;
    dense_ids_destroy(&(*slices)->ids);
    mem_free((*slices)->examples);
    mem_free((*slices)->weight);
    mem_free((*slices)->sum);
    mem_free(*slices);
    *slices = NULL;
}

void slices_put(slices_t *slices, uint64_t value, double weight, const double *number)
{
    const int64_t id = dense_ids_put(slices->ids, value);
    const size_t models = (size_t)slices->models;
    MEM_GROW(slices->examples, slices->examples_capacity, (size_t)id + 1);
    MEM_GROW(slices->weight, slices->weight_capacity, (size_t)id + 1);
    MEM_GROW(slices->sum, slices->sum_capacity, ((size_t)id + 1) * models);
    slices->examples[id]++;
    slices->weight[id] += weight;
    for (size_t m = 0; m < models; m++)
        slices->sum[(size_t)id * models + m] += weight * number[m];
}

int64_t slices_count(const slices_t *slices)
{
    return dense_ids_count(slices->ids);
}

int64_t slices_find(const slices_t *slices, uint64_t value)
{
    return dense_ids_find(slices->ids, value);
}

slice_t slices_get(const slices_t *slices, int64_t number, int32_t model)
{
    ASSERT(number >= 0 && number < slices_count(slices) && model >= 0 && model < slices->models);
    return (slice_t){
        .value = dense_ids_value(slices->ids, number),
        .examples = slices->examples[number],
        .mean = slices->sum[number * slices->models + model] / slices->weight[number],
    };
}

int slices_worst(const slices_t *slices, int32_t model, int64_t least, slice_t *out, int most)
{
    ASSERT(most >= 1);
    int count = 0;
    for (int64_t number = 0; number < slices_count(slices); number++) {
        const slice_t slice = slices_get(slices, number, model);
        if (slice.examples < least || isnan(slice.mean) || (count == most && slice.mean <= out[most - 1].mean))
            continue;
        int at = count < most ? count++ : most - 1;
        for (; at > 0 && out[at - 1].mean < slice.mean; at--)
            out[at] = out[at - 1];
        out[at] = slice;
    }
    return count;
}

static int by_number(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void slices_edges(float *number, int64_t n, float edge[SLICES_DECILES - 1])
{
    ASSERT(n >= 1);
    qsort(number, (size_t)n, sizeof *number, by_number);
    for (int64_t i = 1; i < SLICES_DECILES; i++) {
        const int64_t end = (n * i + SLICES_DECILES - 1) / SLICES_DECILES; /* examples below the edge or on it */
        edge[i - 1] = number[end - 1];
    }
}

int slices_bucket(const float edge[SLICES_DECILES - 1], float number)
{
    int below = 0;
    for (int i = 0; i < SLICES_DECILES - 1; i++)
        below += number > edge[i];
    return below;
}
