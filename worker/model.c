/* A layer's way through memory, for one lane of rows (docs/MATH.md section 2):
 *
 *     forward     pre := H_{l-1} W~^T          one product
 *                 pre += b                     \
 *                 pre := (pre - mean) rstd      | one pass over blocks of rows that stay in the first-level cache;
 *                 H_l := clip(f(gain pre + s)) /  normalisation is on hidden layers only
 *     backward    dH -> dA                     the same kind of pass, backwards, in place; db, dgain, ds on the way
 *                 dW := dA^T H_{l-1}           then through the weight normalisation, in place
 *                 dH_{l-1} := dA W~            over H_{l-1}, which nobody needs any more
 *
 * Two floats per unit and example are kept for backward: what the activation saw (or its normalised form) and H. The buffer of
 * H becomes the buffer of its gradient, so backward touches no other memory, and may run only once per forward.
 * W~ is W itself, or v w / ||w||_p row by row, recomputed after every change of the parameters; where weights are projected
 * instead, each step of the optimizer ends with w := v w / ||w||_p, and W~ is W.
 * Every pass works row by row in ascending order: which rows share a block does not change any bit.                       */
#include "worker/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/gemm.h"
#include "common/kernels/gsmelu.h"
#include "common/kernels/norm.h"
#include "common/kernels/optimizer.h"
#include "worker/model_activation.h"

#define BLOCK_FLOATS 2048 /* floats of one matrix in a fused pass: three of them fit a first-level cache of 32 KiB */

#define CLIP_SAMPLE_ROWS 8 /* of a lane, for the share of clipped values: next to nothing beside the lane's products */

#define STREAM_OF_DENSE 0x64656e7365u /* "dense": keeps these streams apart from those of embedding tables */

typedef struct layer {
    int in, out;
    int64_t weights, bias, gain, shift; /* offsets into the parameters; gain and shift only where affine */
    float *used;                        /* [out][in] W~ */
    float *norms;                       /* [out] ||w||_p, or NULL without weight norm */
    layer_activation_t activation;      /* behind this layer; hidden layers only, as the rest */
    float *pre;                         /* [lane_rows][out] */
    float *activated;                   /* [lane_rows][out] H_l, later its gradient */
    float *rstd;                        /* [lane_rows], or NULL without layer norm */
} layer_t;

/* Rows of parameters that the optimizer sees as one: the weights into a unit, or a whole bias, gain, shift or number of a
 * learned gSmeLU. */
typedef enum group_kind { GROUP_WEIGHTS, GROUP_VECTOR, GROUP_GSMELU } group_kind_t;
typedef struct parameter_block {
    group_kind_t kind;
    int64_t values, state; /* offsets */
    int64_t rows, width;
} parameter_block_t;

/* Values of an activated layer that were looked at in backward, and those of them that were clipped. */
typedef struct clip_count {
    int64_t seen, clipped;
} clip_count_t;

struct model {
    int inputs, lane_rows, layers; /* layers counts the output layer */
    layer_t *layer;
    parameter_block_t *group;
    int groups;
    int64_t parameters, state_count;
    float *values, *state;

    layer_activation_t input_activation; /* where activate_inputs */
    float clip;                          /* INFINITY where clipping is off */
    clip_count_t *clipped;               /* [layers] of layer 0, the inputs, and the hidden layers */
    bool activate_inputs;
    layer_norm_t layer_norm;
    float weight_norm, weight_norm_p; /* weight_norm is 0 where off */
    weight_norm_mode_t weight_norm_mode;
    const optimizer_t *optimizer;
    optimizer_settings_t settings, gsmelu_settings;

    const float *x;         /* borrowed from forward to backward */
    float *activated_input; /* [lane_rows][inputs], or NULL */
    float *block;           /* [rows of a block][widest layer] scratch of the affine layer norm */
    int forward_rows;       /* rows of a forward that has had no backward yet, else 0 */
};

/* ---- creation -------------------------------------------------------------------------------------------------------- */

static int64_t add_group(model_t *model, group_kind_t kind, int64_t rows, int64_t width)
{
    parameter_block_t *group = &model->group[model->groups++];
    *group = (parameter_block_t){kind, model->parameters, model->state_count, rows, width};
    model->parameters += rows * width;
    model->state_count += rows * model->optimizer->state_floats(width);
    return group->values;
}

static int rows_per_block(int width)
{
    return width >= BLOCK_FLOATS ? 1 : BLOCK_FLOATS / width;
}

static bool is_reparametrised(const model_t *model)
{
    return model->weight_norm > 0.0f && model->weight_norm_mode == WEIGHT_NORM_REPARAMETRISED;
}

static bool is_projected(const model_t *model)
{
    return model->weight_norm > 0.0f && model->weight_norm_mode == WEIGHT_NORM_PROJECTED;
}

static void create_gsmelu_sets(model_t *model, const config_t *config)
{
    gsmelu_set_t sets[GSMELU_SETS_MAX];
    const int n = model_gsmelu_sets(config, model->inputs, sets);
    model->group = MEM_ARRAY(parameter_block_t, 4 * model->layers + n);
    for (int i = 0; i < n; i++) {
        const int64_t offset = add_group(model, GROUP_GSMELU, GSMELU_NUMBERS, sets[i].units);
        ASSERT(offset == sets[i].offset);
    }
    if (model->activate_inputs)
        layer_activation_init(&model->input_activation, config, 0, model->inputs, model->inputs);
}

static void create_layers(model_t *model, const config_t *config)
{
    int widest = 1, in = model->inputs;
    for (int l = 0; l < model->layers; l++) {
        layer_t *layer = &model->layer[l];
        const bool hidden = l < model->layers - 1;
        layer->in = in;
        layer->out = in = hidden ? (int)config->model.hidden.at[l] : 1;
        layer->weights = add_group(model, GROUP_WEIGHTS, layer->out, layer->in);
        layer->bias = add_group(model, GROUP_VECTOR, 1, layer->out);
        if (hidden && model->layer_norm == LAYER_NORM_AFFINE) {
            layer->gain = add_group(model, GROUP_VECTOR, 1, layer->out);
            layer->shift = add_group(model, GROUP_VECTOR, 1, layer->out);
        }
        if (is_reparametrised(model)) {
            layer->used = MEM_ARRAY(float, (int64_t)layer->out * layer->in);
            layer->norms = MEM_ARRAY(float, layer->out);
        }
        if (hidden) {
            layer_activation_init(&layer->activation, config, l + 1, layer->out, model->inputs);
            layer->pre = MEM_ARRAY(float, (int64_t)model->lane_rows * layer->out);
            layer->activated = MEM_ARRAY(float, (int64_t)model->lane_rows * layer->out);
            if (model->layer_norm != LAYER_NORM_NONE)
                layer->rstd = MEM_ARRAY(float, model->lane_rows);
            widest = layer->out > widest ? layer->out : widest;
        }
    }
    model->block = MEM_ARRAY(float, widest > BLOCK_FLOATS ? widest : BLOCK_FLOATS);
}

/* w := v w / ||w||_p for the weights into every unit. */
static void project_weights(model_t *model)
{
    for (int i = 0; i < model->groups; i++) {
        const parameter_block_t *group = &model->group[i];
        for (int64_t r = 0; group->kind == GROUP_WEIGHTS && r < group->rows; r++)
            norm_weight_project(model->values + group->values + r * group->width, group->width, model->weight_norm,
                                model->weight_norm_p);
    }
}

static void set_initial_values(model_t *model, const config_t *config, int component)
{
    for (int l = 0; l < model->layers; l++) {
        const layer_t *layer = &model->layer[l];
        const uint32_t place[2] = {(uint32_t)component, (uint32_t)l};
        const uint64_t stream = hash64(place, sizeof place, STREAM_OF_DENSE);
        const float scale = (float)sqrt(config->model.init_gain / layer->in);
        rng_fill_normal(model->values + layer->weights, (int64_t)layer->out * layer->in, scale, (uint64_t)config->seed, stream,
                        0);
        for (int j = 0; layer->gain && j < layer->out; j++)
            model->values[layer->gain + j] = 1.0f;
        layer_activation_start(&layer->activation, model->values);
    }
    layer_activation_start(&model->input_activation, model->values);
    if (is_projected(model))
        project_weights(model);
    for (int i = 0; i < model->groups; i++) {
        const parameter_block_t *group = &model->group[i];
        const int64_t floats = model->optimizer->state_floats(group->width);
        for (int64_t r = 0; r < group->rows; r++)
            model->optimizer->init(model->state + group->state + r * floats, model->values + group->values + r * group->width,
                                   group->width, &model->settings);
    }
}

status_t model_create(const config_t *config, int component, int inputs, int lane_rows, model_t **out)
{
    if (inputs < 1)
        return FAIL(ST_INPUT, "%s: the network has %d inputs; the dataset must have at least one column", config->name, inputs);
    ASSERT(lane_rows >= 1 && component >= 0);
    gemm_init();

    model_t *model = MEM_NEW(model_t);
    model->inputs = inputs;
    model->lane_rows = lane_rows;
    model->layers = (int)config->model.hidden.count + 1;
    model->clip = config->model.clip > 0.0 ? (float)config->model.clip : INFINITY;
    model->activate_inputs = config->model.activate_inputs;
    model->layer_norm = (layer_norm_t)config->model.layer_norm;
    model->weight_norm = (float)config->model.weight_norm;
    model->weight_norm_p = (float)config->model.weight_norm_p;
    model->weight_norm_mode = (weight_norm_mode_t)config->model.weight_norm_mode;
    model->optimizer = optimizer_get(config->dense.optimizer);
    model->settings = config_dense_optimizer(config);
    model->gsmelu_settings = model->settings;
    model->gsmelu_settings.learning_rate = (float)config->model.gsmelu_learning_rate;

    model->layer = MEM_ARRAY(layer_t, model->layers);
    model->clipped = MEM_ARRAY(clip_count_t, model->layers);
    create_gsmelu_sets(model, config);
    create_layers(model, config);
    const int64_t input_floats = (int64_t)lane_rows * inputs;
    if (model->activate_inputs)
        model->activated_input = MEM_ARRAY(float, input_floats);
    model->values = MEM_ARRAY(float, model->parameters);
    model->state = MEM_ARRAY(float, model->state_count);
    set_initial_values(model, config, component);
    for (int l = 0; l < model->layers; l++)
        if (!model->layer[l].norms)
            model->layer[l].used = model->values + model->layer[l].weights;
    model_refresh(model);
    *out = model;
    return ST_OK;
}

void model_destroy(model_t **model_ref)
{
    model_t *model = *model_ref;
    if (!model)
        return;
    for (int l = 0; l < model->layers; l++) {
        layer_t *layer = &model->layer[l];
        if (layer->norms)
            mem_free(layer->used);
        mem_free(layer->norms);
        layer_activation_fini(&layer->activation);
        mem_free(layer->pre);
        mem_free(layer->activated);
        mem_free(layer->rstd);
    }
    layer_activation_fini(&model->input_activation);
    mem_free(model->layer);
    mem_free(model->clipped);
    mem_free(model->group);
    mem_free(model->values);
    mem_free(model->state);
    mem_free(model->activated_input);
    mem_free(model->block);
    mem_free(model);
    *model_ref = NULL;
}

/* ---- one lane -------------------------------------------------------------------------------------------------------- */

static void add_row(float *restrict sum, const float *restrict row, int n)
{
    for (int j = 0; j < n; j++)
        sum[j] += row[j];
}

/* The input of layer l. */
static float *activated_below(const model_t *model, int l)
{
    return l > 0 ? model->layer[l - 1].activated : model->activated_input;
}

/* From the bare product to the activated output. */
static void finish_forward(const model_t *model, const layer_t *layer, int rows)
{
    const float *bias = model->values + layer->bias;
    const bool affine = model->layer_norm == LAYER_NORM_AFFINE;
    const int step = rows_per_block(layer->out);
    for (int first = 0; first < rows; first += step) {
        const int n = rows - first < step ? rows - first : step;
        float *pre = layer->pre + (int64_t)first * layer->out;
        float *activated = layer->activated + (int64_t)first * layer->out;
        for (int r = 0; r < n; r++) {
            float *row = pre + (int64_t)r * layer->out;
            add_row(row, bias, layer->out);
            if (layer->rstd)
                layer->rstd[first + r] = norm_layer_forward(row, row, layer->out);
            if (affine)
                norm_affine_forward(activated + (int64_t)r * layer->out, row, model->values + layer->gain,
                                    model->values + layer->shift, layer->out);
        }
        layer_activation_forward(&layer->activation, activated, affine ? activated : pre, n);
    }
}

void model_forward(model_t *model, float *logits, const float *x, int rows)
{
    ASSERT(rows >= 1 && rows <= model->lane_rows);
    model->x = x;
    model->forward_rows = rows;
    if (model->activate_inputs)
        layer_activation_forward(&model->input_activation, model->activated_input, x, rows);

    for (int l = 0; l < model->layers; l++) {
        const layer_t *layer = &model->layer[l];
        const float *below = activated_below(model, l);
        const bool hidden = l < model->layers - 1;
        gemm_forward(hidden ? layer->pre : logits, below ? below : x, layer->used, rows, layer->in, layer->out);
        if (hidden)
            finish_forward(model, layer, rows);
    }
    const float bias = model->values[model->layer[model->layers - 1].bias];
    for (int r = 0; r < rows; r++)
        logits[r] += bias;
}

/* From the gradient of the activated output to that of the bare product, in place; bias, gain and shift on the way. */
static void start_backward(const model_t *model, layer_t *layer, float *dparameters, int rows)
{
    float *dbias = dparameters + layer->bias;
    float *dgain = dparameters + layer->gain, *dshift = dparameters + layer->shift;
    const float *gain = model->values + layer->gain, *shift = model->values + layer->shift;
    const bool affine = model->layer_norm == LAYER_NORM_AFFINE;
    const size_t bytes = (size_t)layer->out * sizeof(float);
    memset(dbias, 0, bytes);
    if (affine) {
        memset(dgain, 0, bytes);
        memset(dshift, 0, bytes);
    }
    layer_activation_clear(&layer->activation);

    const int step = rows_per_block(layer->out);
    for (int first = 0; first < rows; first += step) {
        const int n = rows - first < step ? rows - first : step;
        const float *pre = layer->pre + (int64_t)first * layer->out;
        float *d = layer->activated + (int64_t)first * layer->out;
        for (int r = 0; affine && r < n; r++)
            norm_affine_forward(model->block + (int64_t)r * layer->out, pre + (int64_t)r * layer->out, gain, shift, layer->out);
        layer_activation_backward(&layer->activation, d, d, affine ? model->block : pre, n);
        for (int r = 0; r < n; r++) {
            const float *xhat = pre + (int64_t)r * layer->out;
            float *row = d + (int64_t)r * layer->out;
            if (affine)
                norm_affine_backward(row, dgain, dshift, row, xhat, gain, layer->out);
            if (layer->rstd)
                norm_layer_backward(row, row, xhat, layer->rstd[first + r], layer->out);
            add_row(dbias, row, layer->out);
        }
    }
    layer_activation_add(&layer->activation, dparameters);
}

/* Look at a few rows of an activated layer before its buffer becomes that of its gradient. */
static void count_clipped(model_t *model, int layer, const float *activated, int rows, int width)
{
    if (!activated || isinf(model->clip))
        return;
    const int64_t n = (int64_t)(rows < CLIP_SAMPLE_ROWS ? rows : CLIP_SAMPLE_ROWS) * width;
    int64_t clipped = 0;
    for (int64_t i = 0; i < n; i++)
        clipped += fabsf(activated[i]) >= model->clip;
    model->clipped[layer].seen += n;
    model->clipped[layer].clipped += clipped;
}

const float *model_hidden(const model_t *model, int *width)
{
    const layer_t *last = model->layers > 1 ? &model->layer[model->layers - 2] : NULL;
    *width = last ? last->out : 0;
    return last ? last->activated : NULL;
}

void model_backward(model_t *model, float *dparameters, float *dx, const float *dlogits, int rows)
{
    model_backward_hidden(model, dparameters, dx, dlogits, NULL, rows);
}

void model_backward_hidden(model_t *model, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows)
{
    ASSERT(rows == model->forward_rows);
    model->forward_rows = 0;
    for (int i = 0; i < model->groups && model->group[i].kind == GROUP_GSMELU; i++)
        memset(dparameters + model->group[i].values, 0,
               (size_t)(model->group[i].rows * model->group[i].width) * sizeof *dparameters);
    /* Numbers learned at the input want its gradient even where the caller does not; the activated input is done with by
     * then. */
    float *dinput = !dx && model->input_activation.numbers ? model->activated_input : dx;
    const float *da = dlogits;
    for (int l = model->layers - 1; l >= 0; l--) {
        layer_t *layer = &model->layer[l];
        if (l < model->layers - 1) {
            start_backward(model, layer, dparameters, rows);
            da = layer->activated;
        } else {
            float sum = 0.0f;
            for (int r = 0; r < rows; r++)
                sum += dlogits[r];
            dparameters[layer->bias] = sum;
        }

        float *below = activated_below(model, l), *dweights = dparameters + layer->weights;
        gemm_weight_gradient(dweights, da, below ? below : model->x, rows, layer->in, layer->out);
        for (int j = 0; layer->norms && j < layer->out; j++)
            norm_weight_backward(dweights + (int64_t)j * layer->in, model->values + layer->weights + (int64_t)j * layer->in,
                                 layer->norms[j], layer->in, model->weight_norm, model->weight_norm_p);

        count_clipped(model, l, below, rows, layer->in);
        float *dbelow = l > 0 ? below : dinput;
        if (dbelow)
            gemm_input_gradient(dbelow, da, layer->used, rows, layer->in, layer->out);
        if (dhidden && l > 0 && l == model->layers - 1)
            add_row(dbelow, dhidden, rows * layer->in);
    }
    if (dinput && model->activate_inputs) {
        layer_activation_clear(&model->input_activation);
        layer_activation_backward(&model->input_activation, dinput, dinput, model->x, rows);
        layer_activation_add(&model->input_activation, dparameters);
    }
}

/* ---- parameters ------------------------------------------------------------------------------------------------------ */

void model_apply(model_t *model, const float *dparameters)
{
    for (int i = 0; i < model->groups; i++) {
        const parameter_block_t *group = &model->group[i];
        const int64_t floats = model->optimizer->state_floats(group->width);
        for (int64_t r = 0; r < group->rows; r++) {
            const int64_t at = group->values + r * group->width;
            model->optimizer->apply(model->values + at, model->state + group->state + r * floats, dparameters + at,
                                    group->width, group->kind == GROUP_GSMELU ? &model->gsmelu_settings : &model->settings);
        }
        if (group->kind == GROUP_GSMELU)
            gsmelu_project(model->values + group->values, group->width);
    }
    if (is_projected(model))
        project_weights(model);
    model_refresh(model);
}

void model_refresh(model_t *model)
{
    layer_activation_refresh(&model->input_activation, model->values);
    for (int l = 0; l < model->layers; l++) {
        layer_t *layer = &model->layer[l];
        layer_activation_refresh(&layer->activation, model->values);
        for (int j = 0; layer->norms && j < layer->out; j++)
            layer->norms[j] = norm_weight_forward(layer->used + (int64_t)j * layer->in,
                                                  model->values + layer->weights + (int64_t)j * layer->in, layer->in,
                                                  model->weight_norm, model->weight_norm_p);
    }
}

void model_fold(const model_t *model, float *values)
{
    memcpy(values, model->values, (size_t)model->parameters * sizeof *values);
    for (int l = 0; l < model->layers; l++) {
        const layer_t *layer = &model->layer[l];
        memcpy(values + layer->weights, layer->used, (size_t)layer->out * (size_t)layer->in * sizeof *values);
    }
}

int model_layers(const model_t *model)
{
    return model->layers;
}

double model_clipped_share(const model_t *model, int layer)
{
    ASSERT(layer >= 0 && layer < model->layers);
    const clip_count_t *count = &model->clipped[layer];
    return count->seen ? (double)count->clipped / (double)count->seen : 0.0;
}

int64_t model_parameters(const model_t *model)
{
    return model->parameters;
}

float *model_values(model_t *model)
{
    return model->values;
}

float *model_state(model_t *model)
{
    return model->state;
}

int64_t model_state_count(const model_t *model)
{
    return model->state_count;
}

bool model_block(const model_t *model, int i, model_block_t *out)
{
    if (i >= model->groups)
        return false;
    const parameter_block_t *group = &model->group[i];
    *out = (model_block_t){
        .values = group->values,
        .rows = group->rows,
        .width = group->width,
        .state = group->state,
        .state_floats = group->rows * model->optimizer->state_floats(group->width),
    };
    snprintf(out->name, sizeof out->name, "block %d", i); /* a learned part of an activation, before the first layer */
    for (int l = 0; l < model->layers; l++) {
        const layer_t *layer = &model->layer[l];
        const char *what = group->values == layer->weights                ? "weights"
                           : group->values == layer->bias                 ? "bias"
                           : layer->gain && group->values == layer->gain  ? "gain"
                           : layer->gain && group->values == layer->shift ? "shift"
                                                                          : NULL;
        if (what)
            snprintf(out->name, sizeof out->name, "layer %d %s", l + 1, what);
    }
    return true;
}

int64_t model_flops(const model_t *model)
{
    int64_t products = 0;
    for (int l = 0; l < model->layers; l++)
        products += (int64_t)model->layer[l].in * model->layer[l].out;
    return 3 * 2 * products; /* forward, weight gradient, input gradient; a multiplication and an addition each */
}

static void describe_activation(FILE *stream, const layer_activation_t *a)
{
    fputs(a->function->name, stream);
    if (a->numbers)
        fputs("(learned)", stream);
    else if (a->function->has_width)
        fprintf(stream, "(%g)", a->shape.beta);
}

static bool is_same(const layer_activation_t *a, const layer_activation_t *b)
{
    return a->function == b->function && (a->shape.beta == b->shape.beta || !a->function->has_width);
}

/* One activation where all activated layers have the same, else one for each, from the input on. */
static void describe_activations(FILE *stream, const model_t *model)
{
    const layer_activation_t *all[GSMELU_SETS_MAX];
    int n = 0;
    if (model->activate_inputs)
        all[n++] = &model->input_activation;
    for (int l = 0; l < model->layers - 1; l++)
        all[n++] = &model->layer[l].activation;
    bool same = true;
    for (int i = 1; i < n; i++)
        same &= is_same(all[0], all[i]);
    for (int i = 0; i < (same && n ? 1 : n); i++) {
        fputs(i ? " " : ", ", stream);
        describe_activation(stream, all[i]);
    }
}

char *model_describe(const model_t *model)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    ASSERT(stream);
    fprintf(stream, "%d", model->inputs);
    for (int l = 0; l < model->layers; l++)
        fprintf(stream, " -> %d", model->layer[l].out);
    describe_activations(stream, model);
    if (model->layer_norm != LAYER_NORM_NONE)
        fprintf(stream, ", layer norm%s", model->layer_norm == LAYER_NORM_AFFINE ? " with gain" : "");
    if (model->weight_norm > 0.0f)
        fprintf(stream, ", weight norm %g%s", (double)model->weight_norm, is_projected(model) ? " by projection" : "");
    if (isfinite(model->clip))
        fprintf(stream, ", clip %g", (double)model->clip);
    ASSERT(fclose(stream) == 0);
    char *owned = mem_strdup(text);
    free(text);
    return owned;
}
