/* Parts are evaluated in order. A part that hands a matrix on makes the input of those behind it, up to the next that does:
 *
 *     x --+-- part 0 ----------------------------- logits --+
 *         +-- part 1, hands on --+-- part 2 ------ logits --+-- sum
 *                                +-- part 3 ------ logits --+
 *
 * Backward runs from the last to the first. Of the parts that share an input the first to come writes its gradient and the
 * others add theirs, so that it is whole when the part that made the input comes. A network of one part hands the caller's
 * arrays on as they are. Parts that can add to the gradient of their input by themselves need no buffer for it. */
#include "worker/network/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/kernels/row_step.h"
#include "common/kernels/tree.h"
#include "common/products/gemm.h"
#include "worker/network/part.h"

typedef struct network_part {
    const part_ops_t *ops;
    part_t *part;
    int64_t first; /* of its parameters */
    input_shape_t input;
    int outputs;             /* width of what it hands on; 0 where it ends in logits */
    float *output, *doutput; /* [lane_rows][outputs] the matrix that it hands on, and its gradient; else NULL */
} network_part_t;

struct model {
    int lane_rows, parts;
    network_part_t part[PARTS_MOST];
    part_plan_t plan;
    row_step_t *step;    /* [plan.blocks] */
    float *step_scratch; /* [the largest block], or NULL where no step wants it */
    float clip_norm;     /* of the gradient of all blocks; 0: no bound */
    float *values, *state;
    float *average;      /* [plan.parameters], and how many steps it is of; part of the state, or NULL where none is wanted */
    float average_steps; /* the most it may be of, as it counts them */
    float *logits_more;  /* [lane_rows] of parts behind the first one that ends in logits */
    float *dx_more;      /* [lane_rows][inputs] of parts that come late to the gradient of their input */
    int forward_rows;    /* rows of a forward that has had no backward yet, else 0 */
    int backward_rows;   /* of a backward that is half done, else 0 */
};

/* ---- creation -------------------------------------------------------------------------------------------------------- */

/* Widths, offsets and blocks of the parts of a list; returns how many there are. */
static int plan_parts(const part_ops_t *const *list, const config_t *config, input_shape_t input, part_plan_t *plan,
                      network_part_t part[PARTS_MOST])
{
    int n = 0;
    part_plan_init(plan);
    for (; list[n]; n++) {
        plan->outputs = 0;
        part_plan_use_dense(plan, config);
        part[n] = (network_part_t){.ops = list[n], .first = plan->parameters, .input = input};
        list[n]->plan(plan, config, input);
        part[n].outputs = plan->outputs;
        input = plan->outputs ? input_of_numbers(plan->outputs) : input;
    }
    ASSERT(n > 0 && n <= PARTS_MOST && !part[n - 1].outputs);
    return n;
}

static void create_parts(model_t *model, const config_t *config, int component)
{
    int widest = 0, ends = 0;
    for (int i = 0; i < model->parts; i++) {
        network_part_t *p = &model->part[i];
        const part_setup_t setup = {config,   model_kernel(config),    component, model->lane_rows,
                                    p->input, model->values + p->first};
        p->part = p->ops->create(&setup);
        ends += !p->outputs;
        widest = p->input.columns > widest ? p->input.columns : widest;
        if (p->outputs) {
            p->output = MEM_ARRAY(float, (int64_t)model->lane_rows * p->outputs);
            p->doutput = MEM_ARRAY(float, (int64_t)model->lane_rows * p->outputs);
        }
    }
    if (ends > 1) {
        model->logits_more = MEM_ARRAY(float, model->lane_rows);
        model->dx_more = MEM_ARRAY(float, (int64_t)model->lane_rows *widest);
    }
}

/* Floats of a mean of parameters over steps, behind the optimizer's state. */
static int64_t average_floats(const config_t *config, const part_plan_t *plan)
{
    return config->dense.average_steps > 1 ? plan->parameters + 1 : 0;
}

/* How the rows of each block are stepped, and their state before the first step. */
static void create_steps(model_t *model, const config_t *config)
{
    int64_t largest = 0;
    model->clip_norm = (float)config->dense.clip_norm;
    bool plain = model->clip_norm == 0.0f;
    for (int i = 0; i < model->plan.blocks; i++) {
        const part_block_t *block = &model->plan.block[i];
        const int64_t weights = block->place.rows * block->place.width;
        plain &= row_step_is_plain(&block->settings);
        largest = weights > largest ? weights : largest;
    }
    model->step = MEM_ARRAY(row_step_t, model->plan.blocks);
    model->step_scratch = plain ? NULL : MEM_ARRAY(float, largest);
    for (int i = 0; i < model->plan.blocks; i++) {
        const part_block_t *block = &model->plan.block[i];
        const optimizer_t *optimizer = block->optimizer;
        const int64_t width = block->place.width, floats = optimizer->state_floats(width);
        row_step_init(&model->step[i], optimizer, &block->settings, model->clip_norm > 0.0f, model->step_scratch);
        for (int64_t r = 0; r < block->place.rows; r++)
            optimizer->init(model->state + block->place.state + r * floats, model->values + block->place.values + r * width,
                            width, &block->settings);
    }
}

static status_t check(const part_ops_t *const *list, const config_t *config, input_shape_t input)
{
    if (input.columns + input.fields < 1)
        return FAIL(ST_INPUT, "%s: the network has %d inputs; the dataset must have at least one column", config->name,
                    input.columns);
    for (int i = 0; list[i]; i++) {
        const char *why = list[i]->refuse ? list[i]->refuse(config, input) : NULL;
        if (why)
            return FAIL(ST_INPUT, "%s: %s", config->name, why);
    }
    return ST_OK;
}

status_t model_create_of(const part_ops_t *const *list, const config_t *config, int component, input_shape_t input,
                         int lane_rows, model_t **out)
{
    TRY(check(list, config, input));
    ASSERT(lane_rows >= 1 && component >= 0);
    gemm_init();

    model_t *model = MEM_NEW(model_t);
    model->lane_rows = lane_rows;
    model->parts = plan_parts(list, config, input, &model->plan, model->part);
    model->values = MEM_ARRAY(float, model->plan.parameters);
    model->state = MEM_ARRAY(float, model->plan.state + average_floats(config, &model->plan));
    model->average = average_floats(config, &model->plan) ? model->state + model->plan.state : NULL;
    model->average_steps = (float)config->dense.average_steps;
    create_parts(model, config, component);
    create_steps(model, config);
    model_refresh(model);
    *out = model;
    return ST_OK;
}

status_t model_create(const config_t *config, int component, input_shape_t input, int lane_rows, model_t **out)
{
    const part_ops_t *list[PARTS_MOST + 1];
    part_list(config, list);
    return model_create_of(list, config, component, input, lane_rows, out);
}

status_t model_check(const config_t *config, input_shape_t input)
{
    const part_ops_t *list[PARTS_MOST + 1];
    part_list(config, list);
    return check(list, config, input);
}

void model_destroy(model_t **model_ref)
{
    model_t *model = *model_ref;
    if (!model)
        return;
    for (int i = 0; i < model->parts; i++) {
        model->part[i].ops->destroy(model->part[i].part);
        mem_free(model->part[i].output);
        mem_free(model->part[i].doutput);
    }
    part_plan_fini(&model->plan);
    mem_free(model->step);
    mem_free(model->step_scratch);
    mem_free(model->values);
    mem_free(model->state);
    mem_free(model->logits_more);
    mem_free(model->dx_more);
    mem_free(model);
    *model_ref = NULL;
}

const product_kernel_t *model_kernel(const config_t *config)
{
    return config_uses_own_kernels(config) ? product_kernel_here() : NULL;
}

/* ---- one lane -------------------------------------------------------------------------------------------------------- */

static void run_forward(model_t *model, float *logits, const float *x, int rows, bool is_forward_only)
{
    ASSERT(rows >= 1 && rows <= model->lane_rows);
    model->forward_rows = is_forward_only ? 0 : rows;
    model->backward_rows = 0;
    float *out = logits;
    for (int i = 0; i < model->parts; i++) {
        const network_part_t *p = &model->part[i];
        p->part->is_forward_only = is_forward_only;
        p->ops->forward(p->part, p->outputs ? p->output : out, x, rows);
        if (p->outputs) {
            x = p->output;
        } else {
            if (out != logits)
                tree_add(logits, out, rows);
            out = model->logits_more;
        }
    }
}

void model_drop(model_t *model, int64_t step, int64_t first)
{
    for (int i = 0; i < model->parts; i++) {
        model->part[i].part->step = step;
        model->part[i].part->first = first;
    }
}

void model_forward(model_t *model, float *logits, const float *x, int rows)
{
    run_forward(model, logits, x, rows, false);
}

void model_forward_only(model_t *model, float *logits, const float *x, int rows)
{
    run_forward(model, logits, x, rows, true);
}

void model_observe(model_t *model, int rows)
{
    ASSERT(rows == model->forward_rows);
    for (int i = 0; i < model->parts; i++)
        if (model->part[i].ops->observe)
            model->part[i].ops->observe(model->part[i].part, rows);
}

/* The first part that has hidden outputs, or NULL. */
static const network_part_t *hidden_part(const model_t *model)
{
    for (int i = 0; i < model->parts; i++)
        if (model->part[i].ops->hidden)
            return &model->part[i];
    return NULL;
}

const float *model_hidden(const model_t *model, int *width)
{
    const network_part_t *p = hidden_part(model);
    *width = 0;
    return p ? p->ops->hidden(p->part, width) : NULL;
}

void model_backward(model_t *model, float *dparameters, float *dx, const float *dlogits, int rows)
{
    model_backward_hidden(model, dparameters, dx, dlogits, NULL, rows);
}

/* Where the gradient of part i's input belongs: to the part before it that made it, or to the caller. */
static float *gradient_of_input(const model_t *model, int i, float *dx)
{
    while (i-- > 0)
        if (model->part[i].outputs)
            return model->part[i].doutput;
    return dx;
}

static void run_backward(model_t *model, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows,
                         bool is_inputs_first)
{
    ASSERT(rows == model->forward_rows);
    model->forward_rows = 0;
    model->backward_rows = is_inputs_first ? rows : 0;
    const network_part_t *hidden = dhidden ? hidden_part(model) : NULL;
    const float *written = NULL; /* the gradient that has something already */
    for (int i = model->parts - 1; i >= 0; i--) {
        const network_part_t *p = &model->part[i];
        const int64_t floats = (int64_t)rows * p->input.columns;
        float *dinput = gradient_of_input(model, i, dx), *own = dinput;
        p->part->is_inputs_first = is_inputs_first;
        p->part->adds = p->ops->can_add && dinput == written;
        if (dinput && !p->ops->can_add && dinput == written)
            own = model->dx_more;
        p->ops->backward(p->part, dparameters + p->first, own, p->outputs ? p->doutput : dlogits, p == hidden ? dhidden : NULL,
                         rows);
        if (own != dinput)
            tree_add(dinput, own, floats);
        written = dinput;
    }
}

void model_backward_hidden(model_t *model, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows)
{
    run_backward(model, dparameters, dx, dlogits, dhidden, rows, false);
}

void model_backward_inputs(model_t *model, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows)
{
    run_backward(model, dparameters, dx, dlogits, dhidden, rows, true);
}

void model_backward_weights(model_t *model, float *dparameters, const float *dlogits, int rows)
{
    ASSERT(rows == model->backward_rows);
    model->backward_rows = 0;
    for (int i = model->parts - 1; i >= 0; i--) {
        const network_part_t *p = &model->part[i];
        if (p->ops->weights)
            p->ops->weights(p->part, dparameters + p->first, p->outputs ? p->doutput : dlogits, rows);
    }
}

/* ---- parameters ------------------------------------------------------------------------------------------------------ */

void model_scale_rates(model_t *model, double dense, double linear)
{
    for (int i = 0; i < model->plan.blocks; i++) {
        const part_block_t *block = &model->plan.block[i];
        model->step[i].settings.learning_rate = (float)(block->settings.learning_rate * (block->is_linear ? linear : dense));
    }
}

/* Scale the gradient of all blocks together, but for sums, to norm clip_norm, where it is longer. */
static void clip(model_t *model, const float *dparameters)
{
    double squares = 0.0;
    for (int i = 0; i < model->plan.blocks; i++) {
        const part_block_t *block = &model->plan.block[i];
        const float *g = dparameters + block->place.values;
        double sum[8] = {0}; /* of a block, element i in sum i mod 8: in an order that vectors keep */
        const int64_t n = block->is_sum ? 0 : block->place.rows * block->place.width, whole = n - n % 8;
        for (int64_t j = 0; j < whole; j += 8)
            for (int k = 0; k < 8; k++)
                sum[k] += (double)g[j + k] * g[j + k];
        for (int64_t j = whole; j < n; j++)
            sum[j % 8] += (double)g[j] * g[j];
        for (int k = 0; k < 8; k++)
            squares += sum[k];
    }
    const double norm = sqrt(squares);
    for (int i = 0; i < model->plan.blocks; i++)
        model->step[i].scale = norm > model->clip_norm ? (float)(model->clip_norm / norm) : 1.0f;
}

void model_apply(model_t *model, const float *dparameters)
{
    if (model->clip_norm > 0.0f)
        clip(model, dparameters);
    for (int i = 0; i < model->plan.blocks; i++) {
        const part_block_t *block = &model->plan.block[i];
        const row_step_t *step = &model->step[i];
        const optimizer_t *optimizer = block->optimizer;
        const int64_t width = block->place.width, floats = optimizer->state_floats(width);
        if (block->is_sum)
            tree_add(model->values + block->place.values, dparameters + block->place.values, block->place.rows * width);
        for (int64_t r = 0; r < block->place.rows && !block->is_sum; r++) {
            const int64_t at = block->place.values + r * width;
            step->apply(model->values + at, model->state + block->place.state + r * floats, dparameters + at, width,
                        &step->settings);
        }
    }
    model_end_step(model);
}

bool model_is_elementwise(const model_t *model)
{
    bool elementwise = model->clip_norm == 0.0f && (model->plan.state == 0 || model->plan.state == model->plan.parameters);
    for (int i = 0; i < model->plan.blocks && elementwise; i++)
        elementwise = model->plan.block[i].optimizer->elementwise;
    return elementwise;
}

void model_apply_some(model_t *model, int64_t first, int64_t n, float *dparameters)
{
    ASSERT(model_is_elementwise(model));
    for (int i = 0; i < model->plan.blocks; i++) {
        const part_block_t *block = &model->plan.block[i];
        const int64_t begin = block->place.values, end = begin + block->place.rows * block->place.width;
        const int64_t from = begin > first ? begin : first, to = end < first + n ? end : first + n;
        if (from >= to)
            continue;
        const float *g = dparameters + (from - first);
        if (block->is_sum)
            tree_add(model->values + from, g, to - from);
        else
            model->step[i].apply(model->values + from, model->state + (model->plan.state ? from : 0), g, to - from,
                                 &model->step[i].settings);
    }
    memcpy(dparameters, model->values + first, (size_t)n * sizeof *dparameters);
}

/* Equation (21e) of docs/MATH.md. What only counts what was seen has no mean. */
static void add_to_average(model_t *model)
{
    const int64_t n = model->plan.parameters;
    float *restrict average = model->average;
    const float *restrict w = model->values;
    const float steps = average[n] < model->average_steps ? average[n] + 1.0f : model->average_steps, share = 1.0f / steps;
    average[n] = steps;
    if (steps == 1.0f)
        memcpy(average, w, (size_t)n * sizeof *w);
    else
        for (int64_t i = 0; i < n; i++)
            average[i] += share * (w[i] - average[i]);
    for (int i = 0; i < model->plan.blocks; i++) {
        const model_block_t *place = &model->plan.block[i].place;
        if (model->plan.block[i].is_sum)
            memcpy(average + place->values, w + place->values, (size_t)(place->rows * place->width) * sizeof *w);
    }
}

void model_swap_average(model_t *model)
{
    const int64_t n = model->plan.parameters;
    if (!model->average || model->average[n] == 0.0f)
        return;
    for (int64_t i = 0; i < n; i++) {
        const float w = model->values[i];
        model->values[i] = model->average[i];
        model->average[i] = w;
    }
    model_refresh(model);
}

float *model_average(model_t *model, int64_t *floats)
{
    *floats = model->average ? model->plan.parameters + 1 : 0;
    return model->average;
}

void model_end_step(model_t *model)
{
    for (int i = 0; i < model->parts; i++)
        if (model->part[i].ops->project)
            model->part[i].ops->project(model->part[i].part);
    if (model->average)
        add_to_average(model);
    model_refresh(model);
}

void model_refresh(model_t *model)
{
    for (int i = 0; i < model->parts; i++)
        if (model->part[i].ops->refresh)
            model->part[i].ops->refresh(model->part[i].part);
}

void model_fold(const model_t *model, float *values)
{
    memcpy(values, model->values, (size_t)model->plan.parameters * sizeof *values);
    for (int i = 0; i < model->parts; i++)
        if (model->part[i].ops->fold)
            model->part[i].ops->fold(model->part[i].part, values + model->part[i].first);
}

bool model_activated(const model_t *model, int i, model_activated_t *out)
{
    model_activated_t layer;
    for (int p = 0; p < model->parts; p++) {
        const network_part_t *part = &model->part[p];
        for (int l = 0; part->ops->activated && part->ops->activated(part->part, l, &layer); l++)
            if (i-- == 0) {
                *out = layer;
                return true;
            }
    }
    return false;
}

int64_t model_parameters(const model_t *model)
{
    return model->plan.parameters;
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
    return model->plan.state + (model->average ? model->plan.parameters + 1 : 0);
}

int64_t model_optimizer_state_count(const model_t *model)
{
    return model->plan.state;
}

bool model_block(const model_t *model, int i, model_block_t *out)
{
    if (i >= model->plan.blocks)
        return false;
    *out = model->plan.block[i].place;
    return true;
}

/* ---- sizes and words ------------------------------------------------------------------------------------------------- */

/* Forward, weight gradient, input gradient; a multiplication and an addition each. */
static int64_t flops_of(const part_plan_t *plan)
{
    return 3 * 2 * plan->products;
}

int64_t model_flops(const model_t *model)
{
    return flops_of(&model->plan);
}

model_size_t model_size(const config_t *config, input_shape_t input)
{
    const part_ops_t *list[PARTS_MOST + 1];
    network_part_t part[PARTS_MOST];
    part_plan_t plan;
    part_list(config, list);
    plan_parts(list, config, input, &plan, part);
    model_size_t size = {plan.parameters, plan.state + average_floats(config, &plan), plan.parameters, flops_of(&plan)};
    for (int i = 0; i < plan.blocks; i++)
        if (plan.block[i].of_activation)
            size.weights -= plan.block[i].place.rows * plan.block[i].place.width;
    part_plan_fini(&plan);
    return size;
}

int model_gsmelu_sets(const config_t *config, input_shape_t input, gsmelu_set_t sets[GSMELU_SETS_MAX])
{
    const part_ops_t *list[PARTS_MOST + 1];
    network_part_t part[PARTS_MOST];
    part_plan_t plan;
    part_list(config, list);
    const int parts = plan_parts(list, config, input, &plan, part);
    part_plan_fini(&plan);
    for (int i = 0; i < parts; i++) {
        if (part[i].ops != &part_mlp)
            continue;
        const int n = layer_activation_sets(config, part[i].input.columns, sets);
        for (int s = 0; s < n; s++)
            sets[s].offset += part[i].first;
        return n;
    }
    return 0;
}

char *model_describe(const model_t *model)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    ASSERT(stream);
    for (int i = 0; i < model->parts; i++) {
        if (i)
            fputs(model->part[i - 1].outputs ? ", then " : " + ", stream);
        model->part[i].ops->describe(model->part[i].part, stream);
    }
    ASSERT(fclose(stream) == 0);
    char *owned = mem_strdup(text);
    free(text);
    return owned;
}
