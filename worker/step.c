/* Lanes are the outer loop: on each lane all K components go forward, then the objective looks at all their logits, then
 * all go backward, so that components may learn from one another. Dense gradients of lanes are placed on the fixed tree as
 * they come (at most log2(lanes) + 1 buffers per component and one for each part of the tree that is done); input
 * gradients of all lanes are kept, because an embedding's gradient is summed key by key over them. Where components share
 * embeddings they share the input too, and its gradient is their sum in order. Components that are trained elsewhere go
 * forward, and the objective sees them as it sees the others; the gradients that it makes for them are not used. */
#include "worker/step.h"

#include <string.h>

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/config/lanes.h"
#include "common/kernels/loss.h"
#include "common/kernels/tree.h"
#include "worker/embedding.h"
#include "worker/objective.h"

struct step {
    arena_t arena;            /* of all arrays, but for those of `row` */
    const config_t *config;   /* borrowed, as is the next */
    const table_plan_t *plan; /* sets: K or 1 */
    int components;           /* K */
    int deploy_first, deploy_last;
    int own_first, own_end; /* components that are trained here */
    int inputs, lanes, lane_rows, shards;
    model_t **models;
    objective_t *objective;
    schedule_t dense_rate, linear_rate;
    tree_stack_t *trees;          /* [K] of the dense gradients */
    float **dense;                /* [K] rows of the lane tree; made by the first step, which knows the worker's parts */
    bool leaves_weights;          /* gradients of the last lane's weights are left to step_train_weights */
    float **late;                 /* [K] that lane's gradients */
    int late_rows;                /* and its rows; 0: nothing is left */
    float **x;                    /* [sets] [lane_rows][inputs] */
    float **dx;                   /* [sets] [lanes * lane_rows][inputs] */
    float **wide, **dwide;        /* [sets] [lane_rows] and [lanes * lane_rows], where rows have first-order weights */
    float *dx_more;               /* [lane_rows][inputs], only where K networks share an input */
    float *logits;                /* [K][lanes * lane_rows] */
    float *probability;           /* scratch and result, [lanes * lane_rows] */
    float *component_p, *targets; /* [lane_rows] */
    float *embedding_scratch;
    const float ***row; /* [sets] [uniques] */
    size_t *row_cap;

    /* What the objective sees of a lane. */
    const float **z, **hidden;  /* [K] */
    float **p, **dz, **dhidden; /* [K]; dhidden is all NULL where the objective does not use it */
};

static void create_components(step_t *s, int hidden_width)
{
    for (int k = 0; k < s->components; k++) {
        s->p[k] = ARENA_ARRAY(&s->arena, float, s->lane_rows);
        s->dz[k] = ARENA_ARRAY(&s->arena, float, s->lane_rows);
        if (objective_uses_hidden(s->objective))
            s->dhidden[k] = ARENA_ARRAY(&s->arena, float, (int64_t)s->lane_rows *hidden_width);
    }
    for (int i = 0; i < s->plan->sets; i++) {
        s->x[i] = ARENA_ARRAY(&s->arena, float, (int64_t)s->lane_rows * s->inputs);
        s->dx[i] = ARENA_ARRAY(&s->arena, float, (int64_t)s->lanes * s->lane_rows * s->inputs);
        if (!s->plan->linear)
            continue;
        s->wide[i] = ARENA_ARRAY(&s->arena, float, s->lane_rows);
        s->dwide[i] = ARENA_ARRAY(&s->arena, float, (int64_t)s->lanes * s->lane_rows);
    }
    if (s->plan->sets < s->components)
        s->dx_more = ARENA_ARRAY(&s->arena, float, (int64_t)s->lane_rows * s->inputs);
}

status_t step_create(const config_t *config, const table_plan_t *plan, const dataset_info_t *info, int lanes, int lane_rows,
                     int shards, step_t **out)
{
    step_t *s = MEM_NEW(step_t);
    s->config = config;
    s->plan = plan;
    const int n = s->components = (int)config->model.components;
    config_deploy(config, &s->deploy_first, &s->deploy_last);
    s->own_end = n;
    s->leaves_weights = config->determinism >= DETERMINISM_SYNC && config->train.pipeline_depth == 0;
    s->inputs = embedding_inputs(plan, info->numeric);
    s->lanes = lanes;
    s->lane_rows = lane_rows;
    s->shards = shards;
    s->models = ARENA_ARRAY(&s->arena, model_t *, n);
    s->trees = ARENA_ARRAY(&s->arena, tree_stack_t, n);
    s->dense = ARENA_ARRAY(&s->arena, float *, n);
    s->late = ARENA_ARRAY(&s->arena, float *, n);
    s->z = ARENA_ARRAY(&s->arena, const float *, n);
    s->hidden = ARENA_ARRAY(&s->arena, const float *, n);
    s->p = ARENA_ARRAY(&s->arena, float *, n);
    s->dz = ARENA_ARRAY(&s->arena, float *, n);
    s->dhidden = ARENA_ARRAY(&s->arena, float *, n);
    s->x = ARENA_ARRAY(&s->arena, float *, plan->sets);
    s->dx = ARENA_ARRAY(&s->arena, float *, plan->sets);
    s->wide = ARENA_ARRAY(&s->arena, float *, plan->sets);
    s->dwide = ARENA_ARRAY(&s->arena, float *, plan->sets);
    s->row = ARENA_ARRAY(&s->arena, const float **, plan->sets);
    s->row_cap = ARENA_ARRAY(&s->arena, size_t, plan->sets);
    s->logits = ARENA_ARRAY(&s->arena, float, (int64_t)lanes *lane_rows *n);
    s->probability = ARENA_ARRAY(&s->arena, float, (int64_t)lanes *lane_rows);
    s->component_p = ARENA_ARRAY(&s->arena, float, lane_rows);
    s->targets = ARENA_ARRAY(&s->arena, float, lane_rows);
    s->embedding_scratch = ARENA_ARRAY(&s->arena, float, (int64_t)plan->widest *(tree_levels((uint32_t)lanes) + 1));
    status_t status = ST_OK;
    for (int k = 0; k < n && status == ST_OK; k++)
        status = model_create(config, k, embedding_shape(plan, info->numeric), lane_rows, &s->models[k]);
    if (status != ST_OK) {
        step_destroy(&s);
        return status;
    }
    int hidden_width;
    model_hidden(s->models[0], &hidden_width);
    const lanes_t all = lanes_of(config, info->train_rows);
    s->dense_rate = config_dense_schedule(config, lanes_steps(&all));
    s->linear_rate = config_linear_schedule(config, lanes_steps(&all));
    s->objective = objective_create(config, lanes_steps(&all), lane_rows, hidden_width);
    create_components(s, hidden_width);
    *out = s;
    return ST_OK;
}

void step_train_only(step_t *s, int first, int end)
{
    ASSERT(first >= 0 && first < end && end <= s->components && s->plan->sets == s->components);
    s->own_first = first;
    s->own_end = end;
}

void step_destroy(step_t **step)
{
    step_t *s = *step;
    if (!s)
        return;
    for (int k = 0; k < s->components; k++)
        model_destroy(&s->models[k]);
    for (int i = 0; i < s->plan->sets; i++)
        mem_free(s->row[i]);
    objective_destroy(&s->objective);
    arena_fini(&s->arena);
    mem_free(s);
    *step = NULL;
}

static int lane_size(const step_t *s, const batch_t *batch, int lane)
{
    int left = batch->rows - lane * s->lane_rows;
    return left < 0 ? 0 : left < s->lane_rows ? left : s->lane_rows;
}

static float *lane_logits(const step_t *s, int k, int lane)
{
    return s->logits + ((int64_t)k * s->lanes + lane) * s->lane_rows;
}

/* Mean of the deployed components' probabilities, or the probability of their mean logit; one component takes a short way. */
static void combine(step_t *s, int rows)
{
    const int members = s->deploy_last - s->deploy_first;
    if (members == 1) {
        loss_probability(s->probability, lane_logits(s, s->deploy_first, 0), rows);
        return;
    }
    const bool of_logits = s->config->model.combine == COMBINE_LOGIT;
    for (int first = 0; first < rows; first += s->lane_rows) {
        int n = rows - first < s->lane_rows ? rows - first : s->lane_rows;
        float *out = s->probability + first;
        for (int k = s->deploy_first; k < s->deploy_last; k++) {
            const float *z = lane_logits(s, k, 0) + first;
            if (!of_logits)
                loss_probability(s->component_p, z, n);
            const float *v = of_logits ? z : s->component_p;
            for (int i = 0; i < n; i++)
                out[i] = (k > s->deploy_first ? out[i] : 0.0f) + v[i];
        }
        for (int i = 0; i < n; i++)
            out[i] /= (float)members;
        if (of_logits)
            loss_probability(out, out, n);
    }
}

static void find_rows(step_t *s, const batch_t *batch, const step_io_t *io)
{
    for (int i = 0; i < s->plan->sets; i++) {
        MEM_GROW(s->row[i], s->row_cap[i], (size_t)batch->uniques);
        io->rows(io->context, batch, i, s->row[i]);
    }
}

/* Components [first, last) on one lane; components with tables of their own have an input of their own. Of those in
 * [own_first, own_end) a backward follows. */
static void forward(step_t *s, const batch_t *batch, int lane, int rows, int first, int last, int own_first, int own_end)
{
    for (int k = first; k < last; k++) {
        const int set = table_plan_set(s->plan, k);
        if (set == k || k == first)
            embedding_gather(s->x[set], s->wide[set], batch, lane * s->lane_rows, rows, (const float *const *)s->row[set],
                             s->plan);
        if (k >= own_first && k < own_end && s->config->model.dropout > 0.0)
            model_drop(s->models[k], batch->step, batch->first + lane * s->lane_rows);
        if (k >= own_first && k < own_end)
            model_forward(s->models[k], lane_logits(s, k, lane), s->x[set], rows);
        else
            model_forward_only(s->models[k], lane_logits(s, k, lane), s->x[set], rows);
        if (s->wide[set])
            tree_add(lane_logits(s, k, lane), s->wide[set], rows);
    }
}

/* leaf: the lane in its part. is_late: the gradients of its weights are left to step_train_weights. */
static void backward(step_t *s, int lane, int leaf, int rows, bool is_late)
{
    const int64_t at = (int64_t)lane * s->lane_rows * s->inputs;
    for (int k = s->own_first; k < s->own_end; k++) {
        const int set = table_plan_set(s->plan, k);
        float *dx = s->dx[set] + at, *dwide = s->dwide[set] ? s->dwide[set] + (int64_t)lane * s->lane_rows : NULL;
        const bool more = s->dx_more && k > 0;
        float *dparameters = s->late[k] = tree_place(&s->trees[k], (uint32_t)leaf);
        (is_late ? model_backward_inputs : model_backward_hidden)(s->models[k], dparameters, more ? s->dx_more : dx, s->dz[k],
                                                                  s->dhidden[k], rows);
        if (more)
            tree_add(dx, s->dx_more, (int64_t)rows * s->inputs);
        if (dwide && more)
            tree_add(dwide, s->dz[k], rows);
        else if (dwide)
            memcpy(dwide, s->dz[k], (size_t)rows * sizeof *dwide);
    }
}

static status_t train_lane(step_t *s, const batch_t *batch, int lane, int leaf, int rows, float scale)
{
    const int first = lane * s->lane_rows;
    forward(s, batch, lane, rows, 0, s->components, s->own_first, s->own_end);
    for (int i = 0; i < rows; i++)
        s->targets[i] = batch->label[first + i];
    for (int k = 0; k < s->components; k++) {
        int width;
        s->z[k] = lane_logits(s, k, lane);
        s->hidden[k] = model_hidden(s->models[k], &width);
    }
    const objective_lane_t view = {
        .rows = rows,
        .step = batch->step,
        .scale = scale,
        .y = s->targets,
        .weight = batch->weighted ? batch->weight + first : NULL,
        .teacher = batch->taught ? batch->teacher + first : NULL,
        .z = s->z,
        .hidden = s->hidden,
        .p = s->p,
        .dz = s->dz,
        .dhidden = s->dhidden,
    };
    TRY(objective_apply(s->objective, &view));
    for (int k = s->own_first; k < s->own_end && lane == 0; k++)
        model_observe(s->models[k], rows);
    const bool is_late = s->leaves_weights && first + rows == batch->rows;
    s->late_rows = is_late ? rows : 0;
    backward(s, lane, leaf, rows, is_late);
    return ST_OK;
}

/* Where a component's gradients of a part are summed: the result is in row `part`, and those of the parts after it are not
 * begun. */
static float *dense_rows(const step_t *s, int component, int part)
{
    return s->dense[component] + part * model_parameters(s->models[component]);
}

static int part_lanes(const step_t *s, const batch_t *batch, int part)
{
    return batch->parts == 1 ? s->lanes : (batch->part_row[part + 1] - batch->part_row[part]) / s->lane_rows;
}

/* Room for the sums of all parts, each on top of those before it. */
static void make_dense(step_t *s, const batch_t *batch)
{
    int rows = 0;
    for (int p = 0; p < batch->parts; p++) {
        const int need = p + tree_levels((uint32_t)part_lanes(s, batch, p)) + 1;
        rows = need > rows ? need : rows;
    }
    for (int k = s->own_first; k < s->own_end; k++)
        s->dense[k] = ARENA_ARRAY(&s->arena, float, model_parameters(s->models[k]) * rows);
}

/* All lanes of one part of the tree. The sum of the part with a late lane waits for step_train_weights. */
static status_t train_part(step_t *s, const batch_t *batch, int part, float scale, const step_io_t *io)
{
    const int first = batch->part_row[part] / s->lane_rows, lanes = part_lanes(s, batch, part);
    for (int k = s->own_first; k < s->own_end; k++)
        if (batch->rows > batch->part_row[part])
            tree_start(&s->trees[k], dense_rows(s, k, part), model_parameters(s->models[k]));
        else
            tree_clear(dense_rows(s, k, part), model_parameters(s->models[k]));
    for (int leaf = 0; leaf < lanes; leaf++) {
        const int lane = first + leaf, rows = lane_size(s, batch, lane);
        if (rows > 0)
            TRY(train_lane(s, batch, lane, leaf, rows, scale));
        if (io->poll)
            TRY(io->poll(io->context));
    }
    const bool is_whole = batch->rows > batch->part_row[part] && s->late_rows == 0;
    for (int k = s->own_first; k < s->own_end && is_whole; k++)
        (void)tree_total(&s->trees[k]); /* the first row */
    return ST_OK;
}

void step_train_weights(step_t *s)
{
    for (int k = s->own_first; k < s->own_end && s->late_rows > 0; k++) {
        model_backward_weights(s->models[k], s->late[k], s->dz[k], s->late_rows);
        (void)tree_total(&s->trees[k]);
    }
    s->late_rows = 0;
}

/* Part after part, each with the sets of tables that are trained: the order of a push (worker/client.h). */
static void reduce(step_t *s, const batch_t *batch, float *const *gradient)
{
    const int end = s->plan->sets > 1 ? s->own_end : 1;
    for (int shard = 0; shard < s->shards; shard++) {
        float *out = gradient[shard];
        for (int p = 0; p < batch->parts; p++) {
            const batch_slice_t slice = batch_pushed(batch, shard, p);
            const int64_t weights = batch_weights(&slice, s->plan);
            for (int i = s->own_first; i < end; i++, out += weights)
                embedding_reduce(out, batch, shard, p, s->dx[i], s->dwide[i], s->plan, s->lane_rows, s->embedding_scratch);
        }
    }
}

status_t step_train(step_t *s, const batch_t *batch, int64_t divisor, const step_io_t *io, float *const *gradient)
{
    const float scale = (float)(1.0 / (double)divisor);
    const bool constant = schedule_is_constant(&s->dense_rate) && schedule_is_constant(&s->linear_rate);
    for (int k = s->own_first; k < s->own_end && !constant; k++)
        model_scale_rates(s->models[k], schedule_share(&s->dense_rate, batch->step),
                          schedule_share(&s->linear_rate, batch->step));
    find_rows(s, batch, io);
    if (!s->dense[s->own_first])
        make_dense(s, batch);
    for (int p = 0; p < batch->parts; p++)
        TRY(train_part(s, batch, p, scale, io));
    reduce(s, batch, gradient);
    combine(s, batch->rows);
    return ST_OK;
}

/* Of the deployed components, the parameters that predict, or again those that are trained. */
static void swap_averages(step_t *s)
{
    for (int k = s->deploy_first; k < s->deploy_last; k++)
        model_swap_average(s->models[k]);
}

status_t step_predict(step_t *s, const batch_t *batch, const step_io_t *io)
{
    status_t status = ST_OK;
    find_rows(s, batch, io);
    swap_averages(s);
    for (int lane = 0; lane < s->lanes; lane++) {
        int rows = lane_size(s, batch, lane);
        if (rows > 0)
            forward(s, batch, lane, rows, s->deploy_first, s->deploy_last, 0, 0);
        if (io->poll)
            TRY_DONE(io->poll(io->context));
    }
    combine(s, batch->rows);
done:
    swap_averages(s);
    return status;
}

const float *step_predictions(const step_t *step)
{
    return step->probability;
}

float *step_dense(step_t *step, int component)
{
    return step->dense[component];
}

void step_add_noise(step_t *s, uint64_t seed, int64_t at_step)
{
    static const float factors[4] = {1.0f, 1.0f + 0x1p-23f, 1.0f - 0x1p-23f, 1.0f};
    for (int k = s->own_first; k < s->own_end; k++) {
        const int64_t n = model_parameters(s->models[k]);
        const uint64_t stream = hash_mix(seed ^ hash_mix((uint64_t)at_step * 64 + (uint64_t)k));
        /* One mixed word holds the draws of 32 neighbours. */
        for (int64_t i = 0; i < n; i += 32) {
            uint64_t bits = hash_mix(stream + (uint64_t)i);
            for (int64_t j = i; j < n && j < i + 32; j++, bits >>= 2)
                s->dense[k][j] *= factors[bits & 3];
        }
    }
}

void step_apply(step_t *s)
{
    for (int k = s->own_first; k < s->own_end; k++)
        model_apply(s->models[k], s->dense[k]);
}

bool step_is_elementwise(const step_t *s)
{
    return model_is_elementwise(s->models[0]);
}

void step_end(step_t *s)
{
    for (int k = s->own_first; k < s->own_end; k++)
        model_end_step(s->models[k]);
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
    for (int k = 0; k < s->components; k++) /* forward is a third */
        flops += model_flops(s->models[k]) / (k >= s->own_first && k < s->own_end ? 1 : 3);
    return flops;
}

int64_t step_parameters(const step_t *s)
{
    int64_t parameters = 0;
    for (int k = 0; k < s->components; k++)
        parameters += model_parameters(s->models[k]);
    return parameters;
}
