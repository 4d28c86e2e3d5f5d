/* Components are the outer loop, lanes the inner one: a network's weights stay in the cache while its lanes pass. Dense gradients
 * of lanes are placed on the fixed tree as they come (at most log2(lanes) + 1 buffers); input gradients of all lanes are kept,
 * because an embedding's gradient is summed key by key over them. */
#include "worker/step.h"

#include <math.h>
#include <stdio.h>

#include "common/base/memory.h"
#include "common/kernels/loss.h"
#include "common/kernels/tree.h"
#include "worker/embedding.h"

struct step {
    const config_t *config; /* borrowed */
    int components, dim, inputs, lanes, lane_rows, shards;
    model_t **models;
    float **dense_scratch;  /* [K] rows of the lane tree */
    float **dense;          /* [K] sum of the last step, inside dense_scratch */
    float *x;               /* [lane_rows][inputs] */
    float *dx;              /* [lanes * lane_rows][inputs] */
    float *logits;          /* [K][lanes * lane_rows] */
    float *probability;     /* scratch and result, [lanes * lane_rows] */
    float *component_p, *targets, *losses; /* [lane_rows] */
    float *embedding_scratch;
    const float **row;
    size_t row_cap;
};

status_t step_create(const config_t *config, const dataset_info_t *info, int lanes, int lane_rows, int shards, step_t **out)
{
    step_t *s = MEM_NEW(step_t);
    s->config = config;
    s->components = (int)config->model.components;
    s->dim = (int)config->embedding.dim;
    s->inputs = embedding_inputs(info, s->dim);
    s->lanes = lanes;
    s->lane_rows = lane_rows;
    s->shards = shards;
    s->models = MEM_ARRAY(model_t *, s->components);
    s->dense_scratch = MEM_ARRAY(float *, s->components);
    s->dense = MEM_ARRAY(float *, s->components);
    status_t status = ST_OK;
    for (int k = 0; k < s->components && status == ST_OK; k++) {
        status = model_create(config, k, s->inputs, lane_rows, &s->models[k]);
        if (status == ST_OK)
            s->dense_scratch[k] = MEM_ARRAY(float, model_parameters(s->models[k]) * (tree_levels((uint32_t)lanes) + 1));
    }
    int64_t rows = (int64_t)lanes * lane_rows;
    s->x = MEM_ARRAY(float, (int64_t)lane_rows * s->inputs);
    s->dx = MEM_ARRAY(float, rows * s->inputs);
    s->logits = MEM_ARRAY(float, rows * s->components);
    s->probability = MEM_ARRAY(float, rows);
    s->component_p = MEM_ARRAY(float, lane_rows);
    s->targets = MEM_ARRAY(float, lane_rows);
    s->losses = MEM_ARRAY(float, lane_rows);
    s->embedding_scratch = MEM_ARRAY(float, (int64_t)s->dim * (tree_levels((uint32_t)lanes) + 1));
    if (status != ST_OK) {
        step_destroy(&s);
        return status;
    }
    *out = s;
    return ST_OK;
}

void step_destroy(step_t **step)
{
    step_t *s = *step;
    if (!s)
        return;
    for (int k = 0; k < s->components; k++) {
        model_destroy(&s->models[k]);
        mem_free(s->dense_scratch[k]);
    }
    mem_free(s->models);
    mem_free(s->dense_scratch);
    mem_free(s->dense);
    mem_free(s->x);
    mem_free(s->dx);
    mem_free(s->logits);
    mem_free(s->probability);
    mem_free(s->component_p);
    mem_free(s->targets);
    mem_free(s->losses);
    mem_free(s->embedding_scratch);
    mem_free(s->row);
    mem_free(s);
    *step = NULL;
}

static int lane_size(const step_t *s, const batch_t *batch, int lane)
{
    int left = batch->rows - lane * s->lane_rows;
    return left < 0 ? 0 : left < s->lane_rows ? left : s->lane_rows;
}

/* Mean of the components' probabilities, or the probability of their mean logit; one component takes a short way. */
static void combine(step_t *s, int rows)
{
    const int64_t stride = (int64_t)s->lanes * s->lane_rows;
    if (s->components == 1) {
        loss_probability(s->probability, s->logits, rows);
        return;
    }
    const bool of_logits = s->config->model.combine == COMBINE_LOGIT;
    for (int first = 0; first < rows; first += s->lane_rows) {
        int n = rows - first < s->lane_rows ? rows - first : s->lane_rows;
        float *out = s->probability + first;
        for (int k = 0; k < s->components; k++) {
            const float *z = s->logits + k * stride + first;
            if (!of_logits)
                loss_probability(s->component_p, z, n);
            const float *v = of_logits ? z : s->component_p;
            for (int i = 0; i < n; i++)
                out[i] = (k ? out[i] : 0.0f) + v[i];
        }
        for (int i = 0; i < n; i++)
            out[i] /= (float)s->components;
        if (of_logits)
            loss_probability(out, out, n);
    }
}

/* One lane of one component: forward, loss, backward. */
static status_t train_lane(step_t *s, const batch_t *batch, int k, int lane, int rows, float scale, float *dparameters)
{
    model_t *model = s->models[k];
    const int first = lane * s->lane_rows;
    float *logits = s->logits + (int64_t)k * s->lanes * s->lane_rows + first;
    embedding_gather(s->x, batch, first, rows, s->row, s->dim);
    model_forward(model, logits, s->x, rows);
    for (int i = 0; i < rows; i++)
        s->targets[i] = batch->label[first + i];
    loss_logistic(s->losses, logits, s->targets, rows);
    double sum = 0.0;
    for (int i = 0; i < rows; i++)
        sum += s->losses[i];
    if (!isfinite(sum))
        return FAIL(ST_INPUT, "step %lld: the loss of component %d is %f: the training diverged; lower the learning rates or add "
                              "clipping and normalisation",
                    (long long)batch->step, k, sum);
    loss_probability(s->component_p, logits, rows);
    loss_gradient(s->component_p, s->component_p, s->targets, rows, scale);
    model_backward(model, dparameters, s->dx + (int64_t)first * s->inputs, s->component_p, rows);
    return ST_OK;
}

status_t step_train(step_t *s, const batch_t *batch, int64_t global_rows, const step_io_t *io, float *const *gradient)
{
    const float scale = (float)(1.0 / (double)global_rows);
    MEM_GROW(s->row, s->row_cap, (size_t)batch->uniques);
    for (int k = 0; k < s->components; k++) {
        int64_t parameters = model_parameters(s->models[k]);
        tree_stack_t tree;
        tree_start(&tree, s->dense_scratch[k], parameters);
        io->rows(io->context, batch, k, s->row);
        for (int lane = 0; lane < s->lanes; lane++) {
            int rows = lane_size(s, batch, lane);
            if (rows > 0)
                TRY(train_lane(s, batch, k, lane, rows, scale, tree_place(&tree, (uint32_t)lane)));
            if (io->poll)
                TRY(io->poll(io->context));
        }
        if (batch->rows > 0) {
            s->dense[k] = (float *)(uintptr_t)tree_total(&tree); /* a row of our own scratch */
        } else {
            s->dense[k] = s->dense_scratch[k];
            tree_clear(s->dense[k], parameters);
        }
        for (int shard = 0; shard < s->shards; shard++) {
            int64_t keys = batch->shard_first[shard + 1] - batch->shard_first[shard];
            embedding_reduce(gradient[shard] + k * keys * s->dim, batch, shard, s->dx, s->dim, s->lane_rows, s->embedding_scratch);
        }
    }
    combine(s, batch->rows);
    return ST_OK;
}

status_t step_predict(step_t *s, const batch_t *batch, const step_io_t *io)
{
    MEM_GROW(s->row, s->row_cap, (size_t)batch->uniques);
    for (int k = 0; k < s->components; k++) {
        io->rows(io->context, batch, k, s->row);
        for (int lane = 0; lane < s->lanes; lane++) {
            int rows = lane_size(s, batch, lane), first = lane * s->lane_rows;
            if (rows > 0) {
                embedding_gather(s->x, batch, first, rows, s->row, s->dim);
                model_forward(s->models[k], s->logits + (int64_t)k * s->lanes * s->lane_rows + first, s->x, rows);
            }
        }
        if (io->poll)
            TRY(io->poll(io->context));
    }
    combine(s, batch->rows);
    return ST_OK;
}

const float *step_predictions(const step_t *step)
{
    return step->probability;
}

float *step_dense(step_t *step, int component)
{
    return step->dense[component];
}

void step_apply(step_t *s)
{
    for (int k = 0; k < s->components; k++)
        model_apply(s->models[k], s->dense[k]);
}

int step_components(const step_t *step)
{
    return step->components;
}

model_t *step_model(step_t *step, int component)
{
    return step->models[component];
}

int64_t step_flops(const step_t *s)
{
    int64_t flops = 0;
    for (int k = 0; k < s->components; k++)
        flops += model_flops(s->models[k]);
    return flops;
}

int64_t step_parameters(const step_t *s)
{
    int64_t parameters = 0;
    for (int k = 0; k < s->components; k++)
        parameters += model_parameters(s->models[k]);
    return parameters;
}
