/* The cross network of DCN-v2 (Wang et al. 2021; docs/MATH.md, section 2a): layers
 *
 *     x_{l+1} = x_0 (W_l x_l + b_l) + x_l          elementwise product; W_l full, or U_l V_l of a low rank
 *
 * whose last output goes into a logit (parallel), or is handed on (stacked). What forward keeps for backward is each layer's
 * input and what x_0 is multiplied with; each layer has a gradient of its own of the latter, so that those of the weights can
 * wait (part.h, is_inputs_first). */
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/kernels/cross.h"
#include "common/kernels/linear.h"
#include "common/kernels/tree.h"
#include "worker/network/part.h"

#define STREAM_OF_CROSS 0x63726f7373u /* "cross": keeps initial values apart from those of other parts */

typedef struct cross_layer {
    int64_t full, down, up, bias; /* offsets into the parameters: W, or V and U; b */
    const float *input;           /* [lane_rows][width] x_l */
    float *made;                  /* the same, where it is made here: not of layer 0 */
    float *a, *da;                /* [lane_rows][width] W x_l + b, and its gradient */
    float *low, *dlow;            /* [lane_rows][rank] V x_l, and its gradient */
    matrix_t *first, *second;     /* W, or V and U */
} cross_layer_t;

typedef struct cross_part {
    part_t part;
    int layers, rank; /* rank 0: full */
    bool is_stacked;
    int64_t out_bias, out_weights; /* offsets, where it ends in a logit */
    cross_layer_t *layer;
    float *top; /* [lane_rows][width] the last output, where it ends in a logit */
    float *g;   /* [lane_rows][width] gradient of a layer's output */
} cross_part_t;

static bool is_stacked(const config_t *config)
{
    return config->model.cross_form == CROSS_FORM_STACKED;
}

/* The blocks in order; offsets, counted from the plan's start, go into the part where that is not NULL. */
static void lay_out(part_plan_t *plan, const config_t *config, int width, cross_part_t *cross)
{
    const int64_t layers = config->model.cross_layers, rank = config->model.cross_rank;
    for (int l = 0; l < layers; l++) {
        cross_layer_t layer = {0};
        part_block_t *block =
            part_plan_add(plan, rank ? rank : width, width, rank ? "cross %d down" : "cross %d weights", l + 1);
        block->place.of_inputs = true;
        layer.full = layer.down = block->place.values;
        if (rank) {
            block = part_plan_add(plan, width, rank, "cross %d up", l + 1);
            block->place.of_inputs = true;
            layer.up = block->place.values;
        }
        block = part_plan_add(plan, 1, width, "cross %d bias", l + 1);
        block->place.of_inputs = true;
        layer.bias = block->place.values;
        if (cross)
            cross->layer[l] = layer;
    }
    plan->products += layers * width * (rank ? 2 * rank + 1 : width + 1);
    if (is_stacked(config)) {
        plan->outputs = width;
        return;
    }
    const int64_t bias = part_plan_add(plan, 1, 1, "cross bias")->place.values;
    part_block_t *weights = part_plan_add(plan, 1, width, "cross weights");
    weights->place.of_inputs = true;
    plan->products += width;
    if (cross) {
        cross->out_bias = bias;
        cross->out_weights = weights->place.values;
    }
}

static void cross_plan(part_plan_t *plan, const config_t *config, input_shape_t input)
{
    lay_out(plan, config, input.columns, NULL);
}

/* Products keep the spread of what goes into them; biases start at 0. */
static void set_initial_values(const cross_part_t *cross, const part_setup_t *setup)
{
    const int width = cross->part.inputs, rank = cross->rank;
    const float spread = (float)sqrt(1.0 / width);
    float *values = setup->values;
    for (int l = 0; l < cross->layers; l++) {
        const cross_layer_t *layer = &cross->layer[l];
        part_fill(setup, values + layer->down, (int64_t)width * (rank ? rank : width), spread, STREAM_OF_CROSS, 2 * l);
        if (rank)
            part_fill(setup, values + layer->up, (int64_t)width * rank, (float)sqrt(1.0 / rank), STREAM_OF_CROSS, 2 * l + 1);
    }
    if (!cross->is_stacked)
        part_fill(setup, values + cross->out_weights, width, spread, STREAM_OF_CROSS, 2 * cross->layers);
}

static part_t *cross_create(const part_setup_t *setup)
{
    const config_t *config = setup->config;
    const int64_t width = setup->input.columns, floats = setup->lane_rows * width;
    cross_part_t *cross = MEM_NEW(cross_part_t);
    cross->part = (part_t){.inputs = setup->input.columns, .lane_rows = setup->lane_rows, .values = setup->values};
    cross->layers = (int)config->model.cross_layers;
    cross->rank = (int)config->model.cross_rank;
    cross->is_stacked = is_stacked(config);
    cross->layer = MEM_ARRAY(cross_layer_t, cross->layers);
    part_plan_t plan;
    part_plan_init(&plan);
    lay_out(&plan, config, (int)width, cross);
    part_plan_fini(&plan);
    for (int l = 0; l < cross->layers; l++) {
        cross_layer_t *layer = &cross->layer[l];
        layer->a = MEM_ARRAY(float, floats);
        layer->da = MEM_ARRAY(float, floats);
        if (l > 0)
            layer->input = layer->made = MEM_ARRAY(float, floats);
        layer->first = matrix_create(setup->kernel, (int)width, cross->rank ? cross->rank : (int)width);
        if (cross->rank) {
            layer->second = matrix_create(setup->kernel, cross->rank, (int)width);
            layer->low = MEM_ARRAY(float, (int64_t)setup->lane_rows * cross->rank);
            layer->dlow = MEM_ARRAY(float, (int64_t)setup->lane_rows * cross->rank);
        }
    }
    if (!cross->is_stacked)
        cross->top = MEM_ARRAY(float, floats);
    cross->g = MEM_ARRAY(float, floats);
    set_initial_values(cross, setup);
    return &cross->part;
}

static void cross_destroy(part_t *part)
{
    cross_part_t *cross = (cross_part_t *)part;
    for (int l = 0; l < cross->layers; l++) {
        mem_free(cross->layer[l].made);
        mem_free(cross->layer[l].a);
        mem_free(cross->layer[l].da);
        mem_free(cross->layer[l].low);
        mem_free(cross->layer[l].dlow);
        matrix_destroy(&cross->layer[l].first);
        matrix_destroy(&cross->layer[l].second);
    }
    mem_free(cross->layer);
    mem_free(cross->top);
    mem_free(cross->g);
    mem_free(cross);
}

static void cross_part_forward(part_t *part, float *out, const float *x, int rows)
{
    cross_part_t *cross = (cross_part_t *)part;
    const int width = part->inputs, rank = cross->rank;
    const float *values = part->values;
    float *top = cross->is_stacked ? out : cross->top;
    cross->layer[0].input = x;
    for (int l = 0; l < cross->layers; l++) {
        const cross_layer_t *layer = &cross->layer[l];
        matrix_forward(layer->first, rank ? layer->low : layer->a, layer->input, NULL, rows);
        if (rank)
            matrix_forward(layer->second, layer->a, layer->low, NULL, rows);
        cross_forward(l + 1 < cross->layers ? cross->layer[l + 1].made : top, layer->a, x, layer->input, values + layer->bias,
                      rows, width);
    }
    if (!cross->is_stacked)
        linear_forward(out, top, values + cross->out_weights, values[cross->out_bias], rows, width, width);
}

static void cross_weights(part_t *part, float *dparameters, const float *dout, int rows)
{
    const cross_part_t *cross = (cross_part_t *)part;
    const int rank = cross->rank;
    (void)dout;
    for (int l = cross->layers - 1; l >= 0; l--) {
        const cross_layer_t *layer = &cross->layer[l];
        if (rank) {
            matrix_weight_gradient(layer->second, dparameters + layer->up, layer->da, layer->low, rows);
            matrix_weight_gradient(layer->first, dparameters + layer->down, layer->dlow, layer->input, rows);
        } else {
            matrix_weight_gradient(layer->first, dparameters + layer->full, layer->da, layer->input, rows);
        }
    }
}

static void cross_part_backward(part_t *part, float *dparameters, float *dx, const float *dout, const float *dhidden, int rows)
{
    cross_part_t *cross = (cross_part_t *)part;
    const int width = part->inputs, rank = cross->rank;
    const float *values = part->values, *x0 = cross->layer[0].input;
    float *g = cross->g;
    (void)dhidden;
    if (cross->is_stacked) {
        memcpy(g, dout, sizeof *g * (size_t)rows * (size_t)width);
    } else {
        linear_backward(dparameters + cross->out_weights, dparameters + cross->out_bias, g, false, dout, cross->top,
                        values + cross->out_weights, rows, width, width);
    }
    for (int l = cross->layers - 1; l >= 0; l--) {
        const cross_layer_t *layer = &cross->layer[l];
        cross_backward(layer->da, dx, part->adds || l < cross->layers - 1, dparameters + layer->bias, g, x0, layer->a, rows,
                       width);
        if (rank)
            matrix_input_gradient(layer->second, layer->dlow, layer->da, rows);
        if (l == 0 && !dx)
            break;
        matrix_add_input_gradient(layer->first, g, rank ? layer->dlow : layer->da, rows);
    }
    if (dx)
        tree_add(dx, g, (int64_t)rows * width);
    if (!part->is_inputs_first)
        cross_weights(part, dparameters, dout, rows);
}

static void cross_refresh(part_t *part)
{
    const cross_part_t *cross = (cross_part_t *)part;
    for (int l = 0; l < cross->layers; l++) {
        const cross_layer_t *layer = &cross->layer[l];
        matrix_set(layer->first, part->values + layer->down); /* which is `full` without a rank */
        if (layer->second)
            matrix_set(layer->second, part->values + layer->up);
    }
}

static void cross_describe(const part_t *part, FILE *stream)
{
    const cross_part_t *cross = (const cross_part_t *)part;
    fprintf(stream, "cross %d x %d", cross->layers, part->inputs);
    if (cross->rank)
        fprintf(stream, " of rank %d", cross->rank);
}

const part_ops_t part_cross = {
    .name = "cross",
    .kind = PART_CROSS,
    .can_add = true,
    .plan = cross_plan,
    .create = cross_create,
    .destroy = cross_destroy,
    .forward = cross_part_forward,
    .backward = cross_part_backward,
    .weights = cross_weights,
    .refresh = cross_refresh,
    .describe = cross_describe,
};
