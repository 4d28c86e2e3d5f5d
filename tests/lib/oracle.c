#include "tests/lib/oracle.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/order.h"
#include "common/kernels/loss.h"
#include "common/kernels/optimizer.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"
#include "worker/network/model.h"

#define LANES_MOST 16
#define DEPTH_MOST 4
#define BUCKETS 4096

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

typedef struct row {
    uint32_t table;
    uint64_t key;
    float *payload;       /* [width + state]: weights and optimizer state */
    double *w, *s;        /* the same in double precision, for the double trainer */
    float *lane_sum;      /* [lanes][width] gradient of the step under way */
    double *sum;          /* [width] of the double trainer */
    bool has[LANES_MOST]; /* which lanes have one */
    bool touched;
    struct row *next; /* in the bucket */
} row_t;

/* The summed gradients of a step that wait to be applied. */
typedef struct pushes {
    int64_t n;
    row_t **row;
    float *g;  /* [n][width] */
    double *d; /* [n][width] */
    size_t row_cap, g_cap, d_cap;
} pushes_t;

typedef struct oracle {
    const config_t *config;
    const sample_t *sample;
    int dim, linear, width; /* of a row: of its embedding, 0 or 1 first-order weights, both together */
    int fields, inputs, lanes, lane_rows, components;
    int64_t batch, total, steps;
    const optimizer_t *optimizer, *linear_optimizer;
    optimizer_settings_t settings, linear_settings;
    int64_t state; /* floats of the embedding's state; that of the first-order weight is behind it */
    row_t *bucket[BUCKETS];
    row_t **touched; /* rows of the step under way, in order of appearance */
    int64_t n_touched;
    size_t touched_cap;
    pushes_t waiting[DEPTH_MOST + 1]; /* of step t at t mod (depth + 1) */
} oracle_t;

static void init(oracle_t *o, const config_t *config, const sample_t *sample)
{
    *o = (oracle_t){.config = config, .sample = sample};
    o->linear = config_has_part(config, PART_LINEAR);
    o->dim = config->model.parts == 1u << PART_LINEAR ? 0 : (int)config->embedding.dim;
    o->width = o->dim + o->linear;
    o->fields = sample->o.single + sample->o.multi;
    o->inputs = o->fields * o->dim + sample->o.numeric;
    o->lanes = (int)config->train.lanes;
    o->batch = config->train.batch;
    o->lane_rows = (int)(o->batch / o->lanes);
    o->components = (int)config->model.components;
    o->total = config->train.epochs * sample->train_rows;
    if (config->train.max_steps && config->train.max_steps * o->batch < o->total)
        o->total = config->train.max_steps * o->batch;
    if (config->train.last_batch == LAST_BATCH_DROP)
        o->total = o->total / o->batch * o->batch;
    o->steps = (o->total + o->batch - 1) / o->batch;
    o->optimizer = optimizer_get(config->embedding.optimizer);
    o->settings = config_embedding_optimizer(config);
    o->linear_optimizer = optimizer_get(config->linear.optimizer);
    o->linear_settings = config_linear_optimizer(config);
    o->state = o->dim ? o->optimizer->state_floats(o->dim) : 0;
    assert_true(o->lanes <= LANES_MOST && config->train.pipeline_depth <= DEPTH_MOST && o->batch % o->lanes == 0);
}

static void fini(oracle_t *o)
{
    for (int b = 0; b < BUCKETS; b++)
        for (row_t *row = o->bucket[b]; row;) {
            row_t *next = row->next;
            mem_free(row->payload);
            mem_free(row->w);
            mem_free(row->s);
            mem_free(row->lane_sum);
            mem_free(row->sum);
            mem_free(row);
            row = next;
        }
    for (int i = 0; i <= DEPTH_MOST; i++) {
        mem_free(o->waiting[i].row);
        mem_free(o->waiting[i].g);
        mem_free(o->waiting[i].d);
    }
    mem_free(o->touched);
}

static int64_t state_floats(const oracle_t *o)
{
    return o->state + (o->linear ? o->linear_optimizer->state_floats(1) : 0);
}

/* One step of a row, in both precisions. */
static void step_row(const oracle_t *o, row_t *row, const float *g, const double *d)
{
    float *w = row->payload, *s = w + o->width;
    if (o->dim) {
        o->optimizer->apply(w, s, g, o->dim, &o->settings);
        o->optimizer->exact(row->w, row->s, d, o->dim, &o->settings);
    }
    if (o->linear) {
        o->linear_optimizer->apply(w + o->dim, s + o->state, g + o->dim, 1, &o->linear_settings);
        o->linear_optimizer->exact(row->w + o->dim, row->s + o->state, d + o->dim, 1, &o->linear_settings);
    }
}

/* The row of a key, made where it does not exist (ps/table/table.h: initial values). */
static row_t *find(oracle_t *o, uint32_t table, uint64_t key)
{
    row_t **at = &o->bucket[(key ^ key >> 17 ^ table) % BUCKETS];
    for (; *at; at = &(*at)->next)
        if ((*at)->table == table && (*at)->key == key)
            return *at;
    row_t *row = *at = MEM_NEW(row_t);
    row->table = table;
    row->key = key;
    row->payload = MEM_ARRAY(float, o->width + state_floats(o));
    row->w = MEM_ARRAY(double, o->width);
    row->s = MEM_ARRAY(double, state_floats(o));
    row->lane_sum = MEM_ARRAY(float, o->lanes * o->width);
    row->sum = MEM_ARRAY(double, o->width);
    rng_fill_normal(row->payload, o->dim, (float)o->config->embedding.init_std,
                    hash_mix((uint64_t)o->config->seed ^ 0x726f7773u), key, (uint64_t)table << 32);
    float *state = row->payload + o->width;
    if (o->dim)
        o->optimizer->init(state, row->payload, o->dim, &o->settings);
    if (o->linear)
        o->linear_optimizer->init(state + o->state, row->payload + o->dim, 1, &o->linear_settings);
    for (int d = 0; d < o->width; d++)
        row->w[d] = (double)row->payload[d];
    for (int64_t i = 0; i < state_floats(o); i++)
        row->s[i] = (double)state[i];
    return row;
}

/* ---- examples -------------------------------------------------------------------------------------------------------- */

/* Example number i of a step, of `rows` in its global batch. */
static const sample_row_t *example(const oracle_t *o, int64_t step, int64_t i)
{
    const config_t *c = o->config;
    const order_t order = {c->data.order, (uint64_t)c->data.order_seed, o->sample->train_rows, c->data.window, 0, 1};
    const int64_t at = step * o->batch + i;
    return &o->sample->row[o->sample->train[order_index(&order, at / order.rows, at % order.rows)]];
}

static int64_t rows_of_step(const oracle_t *o, int64_t step)
{
    const int64_t left = o->total - step * o->batch;
    return left < o->batch ? left : o->batch;
}

/* What the sum of a step's losses is divided by, where gradients are made of it. */
static int64_t divisor_of_step(const oracle_t *o, int64_t step)
{
    return o->config->train.last_batch == LAST_BATCH_OWN ? rows_of_step(o, step) : o->batch;
}

/* One value of an example: its row, the factor in the pooled sum (1 for single-valued fields). */
typedef void visit_fn(oracle_t *o, row_t *row, int field, bool pooled, float scale, void *context);

static void for_each_value(oracle_t *o, const sample_row_t *example_row, int component, visit_fn *visit, void *context)
{
    const int single = o->sample->o.single;
    for (int f = 0; f < o->fields; f++) {
        const uint32_t table = (uint32_t)(component * o->fields + f);
        const int m = f - single;
        if (m < 0)
            visit(o, find(o, table, example_row->single[f]), f, false, 1.0f, context);
        for (int i = 0; m >= 0 && i < example_row->count[m]; i++)
            visit(o, find(o, table, example_row->key[m][i]), f, true, sample_scale(example_row, m, i), context);
    }
}

static void touch(oracle_t *o, row_t *row)
{
    if (row->touched)
        return;
    MEM_GROW(o->touched, o->touched_cap, (size_t)o->n_touched + 1);
    o->touched[o->n_touched++] = row;
    row->touched = true;
    memset(row->has, 0, sizeof row->has);
    memset(row->sum, 0, sizeof *row->sum * (size_t)o->width);
}

/* ---- the fixed tree -------------------------------------------------------------------------------------------------- */

/* out := sum of the leaves [low, high) that are there, each [n], lower half + upper half; false where none is. */
static bool tree_sum(const float *leaves, const bool *has, int low, int high, int64_t n, float *out)
{
    if (high - low == 1) {
        memcpy(out, leaves + low * n, sizeof *out * (size_t)n);
        return has[low];
    }
    float *right = MEM_ARRAY(float, n);
    const int middle = (low + high) / 2;
    const bool has_left = tree_sum(leaves, has, low, middle, n, out);
    const bool has_right = tree_sum(leaves, has, middle, high, n, right);
    for (int64_t i = 0; i < n && has_right; i++)
        out[i] = has_left ? out[i] + right[i] : right[i];
    mem_free(right);
    return has_left || has_right;
}

/* ---- pushes: applied d steps late ------------------------------------------------------------------------------------- */

static pushes_t *place_of(oracle_t *o, int64_t step)
{
    return &o->waiting[step % (o->config->train.pipeline_depth + 1)];
}

/* The pushes of a step take effect, once. */
static void apply(oracle_t *o, int64_t step)
{
    pushes_t *p = place_of(o, step);
    for (int64_t i = 0; i < p->n; i++)
        step_row(o, p->row[i], p->g + i * o->width, p->d + i * o->width);
    p->n = 0;
}

/* Step t sees exactly the pushes of steps < t - d. */
static void start_step(oracle_t *o, int64_t step)
{
    o->n_touched = 0;
    if (step > o->config->train.pipeline_depth)
        apply(o, step - o->config->train.pipeline_depth - 1);
}

static void end_step(oracle_t *o, int64_t step)
{
    pushes_t *p = place_of(o, step);
    assert_int_equal(p->n, 0);
    p->n = o->n_touched;
    MEM_GROW(p->row, p->row_cap, (size_t)p->n);
    MEM_GROW(p->g, p->g_cap, (size_t)(p->n * o->width));
    MEM_GROW(p->d, p->d_cap, (size_t)(p->n * o->width));
    for (int64_t i = 0; i < p->n; i++) {
        row_t *row = p->row[i] = o->touched[i];
        row->touched = false;
        (void)tree_sum(row->lane_sum, row->has, 0, o->lanes, o->width, p->g + i * o->width);
        memcpy(p->d + i * o->width, row->sum, sizeof *p->d * (size_t)o->width);
    }
}

static void apply_the_rest(oracle_t *o)
{
    for (int64_t t = o->steps - o->config->train.pipeline_depth - 1; t < o->steps; t++)
        if (t >= 0)
            apply(o, t);
}

/* ---- the f32 trainer --------------------------------------------------------------------------------------------------- */

typedef struct gather {
    float *x;        /* inputs of the example */
    const float *dx; /* its gradients */
    float dz;        /* and that of its logit */
    int lane;
    float wide[2 * SAMPLE_FIELDS_MOST]; /* first-order terms of its fields */
} gather_t;

static void add_input(oracle_t *o, row_t *row, int field, bool pooled, float scale, void *context)
{
    gather_t *gather = context;
    float *x = gather->x + field * o->dim;
    for (int d = 0; d < o->dim; d++)
        x[d] = pooled ? x[d] + scale * row->payload[d] : row->payload[d];
    if (o->linear)
        gather->wide[field] += pooled ? scale * row->payload[o->dim] : row->payload[o->dim];
}

static void add_gradient(oracle_t *o, row_t *row, int field, bool pooled, float scale, void *context)
{
    const gather_t *gather = context;
    touch(o, row);
    float *sum = row->lane_sum + gather->lane * o->width;
    for (int d = 0; d < o->width; d++) {
        const float g = d < o->dim ? gather->dx[field * o->dim + d] : gather->dz, use = pooled ? scale * g : g;
        sum[d] = row->has[gather->lane] ? sum[d] + use : use;
    }
    row->has[gather->lane] = true;
}

/* One lane of one component; returns the sum of its losses. */
static double train_lane(oracle_t *o, model_t *model, int component, int64_t step, int lane, int rows, float *dparameters)
{
    float *x = MEM_ARRAY(float, rows * o->inputs), *dx = MEM_ARRAY(float, rows * o->inputs);
    float *z = MEM_ARRAY(float, rows), *dz = MEM_ARRAY(float, rows), *y = MEM_ARRAY(float, rows),
          *loss = MEM_ARRAY(float, rows), *wide = MEM_ARRAY(float, rows);
    const int64_t first = (int64_t)lane * o->lane_rows;
    for (int r = 0; r < rows; r++) {
        const sample_row_t *row = example(o, step, first + r);
        gather_t gather = {.x = x + r * o->inputs};
        for_each_value(o, row, component, add_input, &gather);
        memcpy(gather.x + o->fields * o->dim, row->numeric, sizeof *x * (size_t)o->sample->o.numeric);
        y[r] = row->label;
        for (int f = 0; f < o->fields; f++)
            wide[r] += gather.wide[f];
    }
    model_forward(model, z, x, rows);
    for (int r = 0; r < rows && o->linear; r++)
        z[r] += wide[r];
    loss_logistic.value(loss, z, y, rows); /* the metric */
    loss_probability(dz, z, rows);
    loss_get(o->config->train.loss)->gradient(dz, z, dz, y, rows, (float)(1.0 / (double)divisor_of_step(o, step)));
    model_backward(model, dparameters, dx, dz, rows);
    double sum = 0.0;
    for (int r = 0; r < rows; r++) {
        gather_t gather = {.dx = dx + r * o->inputs, .dz = dz[r], .lane = lane};
        for_each_value(o, example(o, step, first + r), component, add_gradient, &gather);
        sum += (double)loss[r];
    }
    mem_free(x);
    mem_free(dx);
    mem_free(z);
    mem_free(dz);
    mem_free(y);
    mem_free(loss);
    mem_free(wide);
    return sum;
}

static double train_component(oracle_t *o, model_t *model, int component, int64_t step)
{
    const int64_t parameters = model_parameters(model);
    float *leaves = MEM_ARRAY(float, o->lanes *parameters), *total = MEM_ARRAY(float, parameters);
    bool has[LANES_MOST] = {0};
    double loss = 0.0;
    for (int lane = 0; lane < o->lanes; lane++) {
        const int64_t left = rows_of_step(o, step) - (int64_t)lane * o->lane_rows;
        if (left <= 0)
            break;
        has[lane] = true;
        loss += train_lane(o, model, component, step, lane, (int)(left < o->lane_rows ? left : o->lane_rows),
                           leaves + lane * parameters);
    }
    assert_true(tree_sum(leaves, has, 0, o->lanes, parameters, total));
    model_apply(model, total);
    mem_free(leaves);
    mem_free(total);
    return loss / (double)rows_of_step(o, step);
}

static input_shape_t shape_of(const oracle_t *o)
{
    return (input_shape_t){.columns = o->inputs, .fields = o->fields, .dim = o->dim, .numeric = o->sample->o.numeric};
}

static void digest_rows(const oracle_t *o, hash_digest_t *digest)
{
    const size_t bytes = sizeof(float) * (size_t)(o->width + state_floats(o));
    for (int b = 0; b < BUCKETS; b++)
        for (const row_t *row = o->bucket[b]; row; row = row->next) {
            unsigned char head[12];
            memcpy(head, &row->table, 4);
            memcpy(head + 4, &row->key, 8);
            hash_digest_add(digest, head, sizeof head, row->payload, bytes);
        }
}

void oracle_train(const config_t *config, const sample_t *sample, oracle_result_t *out)
{
    oracle_t o;
    init(&o, config, sample);
    *out = (oracle_result_t){.steps = o.steps, .components = o.components};
    out->loss = MEM_ARRAY(double, o.steps);
    out->dense = MEM_ARRAY(float *, o.components);
    model_t **models = MEM_ARRAY(model_t *, o.components);
    for (int k = 0; k < o.components; k++)
        assert_int_equal(model_create(config, k, shape_of(&o), o.lane_rows, &models[k]), ST_OK);
    for (int64_t t = 0; t < o.steps; t++) {
        start_step(&o, t);
        for (int k = 0; k < o.components; k++)
            out->loss[t] += train_component(&o, models[k], k, t) / o.components;
        end_step(&o, t);
    }
    apply_the_rest(&o);
    digest_rows(&o, &out->digest);
    for (int k = 0; k < o.components; k++) {
        const int64_t values = model_parameters(models[k]), state = model_state_count(models[k]);
        const uint32_t head = (uint32_t)k;
        out->dense_floats = values + state;
        out->dense[k] = MEM_ARRAY(float, values + state);
        memcpy(out->dense[k], model_values(models[k]), sizeof(float) * (size_t)values);
        memcpy(out->dense[k] + values, model_state(models[k]), sizeof(float) * (size_t)state);
        hash_digest_add(&out->digest, &head, sizeof head, out->dense[k], sizeof(float) * (size_t)(values + state));
        model_destroy(&models[k]);
    }
    mem_free(models);
    fini(&o);
}

/* ---- the double trainer ------------------------------------------------------------------------------------------------ */

#define WIDTH_MOST 64
#define LAYERS_MOST 4

/* Weights [out][in] row-major, then bias [out], layer after layer, as in worker/network/model.h. */
typedef struct net {
    int layers, width[LAYERS_MOST + 1];
    int64_t parameters;
    double *p, *s, *dp; /* [parameters] values, accumulators, gradient */
    bool smelu;
    double beta;
} net_t;

static void activate(const net_t *net, double x, double *y, double *slope)
{
    if (!net->smelu) {
        *y = x > 0 ? x : 0;
        *slope = x > 0;
    } else if (x <= -net->beta || x >= net->beta) {
        *y = x > 0 ? x : 0;
        *slope = x > 0;
    } else {
        *y = (x + net->beta) * (x + net->beta) / (4 * net->beta);
        *slope = (x + net->beta) / (2 * net->beta);
    }
}

/* One example, forward and backward: dp += scale * gradient, dx := scale * gradient; returns the loss. */
static double run_example(net_t *net, const double *x, double label, double scale, double *dx)
{
    double h[LAYERS_MOST + 1][WIDTH_MOST], slope[LAYERS_MOST + 1][WIDTH_MOST], d[WIDTH_MOST], below[WIDTH_MOST];
    memcpy(h[0], x, sizeof *x * (size_t)net->width[0]);
    int64_t at = 0;
    for (int l = 0; l < net->layers; l++) {
        const int in = net->width[l], out = net->width[l + 1];
        for (int j = 0; j < out; j++) {
            double sum = net->p[at + out * in + j];
            for (int i = 0; i < in; i++)
                sum += net->p[at + j * in + i] * h[l][i];
            if (l < net->layers - 1)
                activate(net, sum, &h[l + 1][j], &slope[l + 1][j]);
            else
                h[l + 1][j] = sum;
        }
        at += (int64_t)out * in + out;
    }
    const double z = h[net->layers][0];
    double loss, loss_slope;
    loss_logistic.exact(z, label, &loss, &loss_slope);
    d[0] = loss_slope * scale;
    for (int l = net->layers - 1; l >= 0; l--) {
        const int in = net->width[l], out = net->width[l + 1];
        at -= (int64_t)out * in + out;
        memset(below, 0, sizeof below);
        for (int j = 0; j < out; j++) {
            net->dp[at + out * in + j] += d[j];
            for (int i = 0; i < in; i++) {
                net->dp[at + j * in + i] += d[j] * h[l][i];
                below[i] += d[j] * net->p[at + j * in + i];
            }
        }
        for (int i = 0; i < in; i++)
            d[i] = l > 0 ? below[i] * slope[l][i] : below[i];
    }
    memcpy(dx, d, sizeof *dx * (size_t)net->width[0]);
    return loss;
}

typedef struct gather_double {
    double *x, *dx;
} gather_double_t;

static void add_input_double(oracle_t *o, row_t *row, int field, bool pooled, float scale, void *context)
{
    double *x = ((gather_double_t *)context)->x + field * o->dim;
    (void)pooled;
    for (int d = 0; d < o->dim; d++)
        x[d] += (double)scale * row->w[d];
}

static void add_gradient_double(oracle_t *o, row_t *row, int field, bool pooled, float scale, void *context)
{
    const double *dx = ((gather_double_t *)context)->dx + field * o->dim;
    (void)pooled;
    touch(o, row);
    for (int d = 0; d < o->dim; d++)
        row->sum[d] += (double)scale * dx[d];
}

static double train_step_double(oracle_t *o, net_t *net, int64_t step)
{
    const int64_t rows = rows_of_step(o, step);
    double loss = 0.0;
    memset(net->dp, 0, sizeof *net->dp * (size_t)net->parameters);
    for (int64_t r = 0; r < rows; r++) {
        double x[WIDTH_MOST] = {0}, dx[WIDTH_MOST];
        gather_double_t gather = {x, dx};
        const sample_row_t *row = example(o, step, r);
        for_each_value(o, row, 0, add_input_double, &gather);
        for (int i = 0; i < o->sample->o.numeric; i++)
            x[o->fields * o->dim + i] = (double)row->numeric[i];
        loss += run_example(net, x, row->label, 1.0 / (double)divisor_of_step(o, step), dx);
        for_each_value(o, row, 0, add_gradient_double, &gather);
    }
    const optimizer_settings_t settings = config_dense_optimizer(o->config);
    optimizer_adagrad.exact(net->p, net->s, net->dp, net->parameters, &settings);
    return loss / (double)rows;
}

void oracle_train_double(const config_t *config, const sample_t *sample, oracle_result_t *out)
{
    oracle_t o;
    init(&o, config, sample);
    assert_true(o.components == 1 && config->model.parts == 1u << PART_MLP && config->model.clip <= 0 &&
                config->model.layer_norm == LAYER_NORM_NONE && config->model.weight_norm <= 0 &&
                !config->model.activate_inputs && config->dense.optimizer == OPTIMIZER_ADAGRAD);
    *out = (oracle_result_t){.steps = o.steps, .loss = MEM_ARRAY(double, o.steps)};
    net_t net = {.layers = (int)config->model.hidden.count + 1,
                 .smelu = config->model.activation == ACTIVATION_SMELU,
                 .beta = config->model.beta};
    assert_true(net.layers <= LAYERS_MOST && o.inputs <= WIDTH_MOST &&
                (net.smelu || config->model.activation == ACTIVATION_RELU));
    for (int l = 0; l <= net.layers; l++) {
        net.width[l] = l == 0 ? o.inputs : l == net.layers ? 1 : (int)config->model.hidden.at[l - 1];
        assert_true(net.width[l] <= WIDTH_MOST);
    }
    model_t *model; /* for its initial values */
    assert_int_equal(model_create(config, 0, shape_of(&o), 1, &model), ST_OK);
    net.parameters = model_parameters(model);
    net.p = MEM_ARRAY(double, net.parameters);
    net.s = MEM_ARRAY(double, net.parameters);
    net.dp = MEM_ARRAY(double, net.parameters);
    for (int64_t i = 0; i < net.parameters; i++) {
        net.p[i] = (double)model_values(model)[i];
        net.s[i] = config->dense.initial_accumulator;
    }
    model_destroy(&model);
    for (int64_t t = 0; t < o.steps; t++) {
        start_step(&o, t);
        out->loss[t] = train_step_double(&o, &net, t);
        end_step(&o, t);
    }
    mem_free(net.p);
    mem_free(net.s);
    mem_free(net.dp);
    fini(&o);
}

void oracle_result_fini(oracle_result_t *result)
{
    for (int k = 0; k < result->components && result->dense; k++)
        mem_free(result->dense[k]);
    mem_free(result->dense);
    mem_free(result->loss);
    *result = (oracle_result_t){0};
}
