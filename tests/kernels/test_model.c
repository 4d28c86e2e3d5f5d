/* test_model - the network's gradient, two ways: the double twin of the whole network equals central differences of its loss,
 * and the f32 model equals the twin, for every activation x layer norm x weight norm x activate_inputs x clip. Further: "a
 * worker computes each of its lanes with identical kernel shapes" (docs/MATH.md section 8) gives identical bits whatever the
 * buffers held before; initial values are a pure function of seed and component; the optimizer's step is the one of the table;
 * learned gSmeLU stays within its bounds and lowers the loss; weight norm folds into plain weights, and its projection keeps
 * it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/activation.h"
#include "common/kernels/gsmelu.h"
#include "common/kernels/loss.h"
#include "common/kernels/norm.h"
#include "common/kernels/optimizer.h"
#include "common/kernels/ref.h"
#include "common/kernels/tree.h"
#include "tests/lib/testing.h"
#include "worker/network/model.h"

#define LAYERS_MAX 8

typedef struct shape {
    int inputs, rows, layers; /* layers counts the output */
    int64_t hidden[LAYERS_MAX];
} shape_t;

static double knots[] = {-1.25, -0.25, 0.5, 1.5}, knot_slopes[] = {-0.125, 0.5, 0.25, 1.125};

static config_t config_of(shape_t *shape)
{
    config_t config = {.name = "test", .seed = 5, .model.parts = 1u << PART_MLP};
    config.model.leak = 0.125;
    config.model.gsmelu_alpha = 0.375;
    config.model.gsmelu_left = -0.25;
    config.model.gsmelu_right = 0.875;
    config.model.gsmelu_level = -0.125;
    config.model.gsmelu_learning_rate = 0.005;
    config.model.rescu_knots = (config_nums_t){knots, 4};
    config.model.rescu_slopes = (config_nums_t){knot_slopes, 4};
    config.model.rescu_rise = -0.5;
    config.model.hidden.at = shape->hidden;
    config.model.hidden.count = (unsigned)shape->layers - 1;
    config.model.activation = ACTIVATION_SMELU;
    config.model.beta = 0.5;
    config.model.activate_inputs = true;
    config.model.layer_norm = LAYER_NORM_NONE;
    config.model.weight_norm_p = 2.0;
    config.model.init_gain = 2.0;
    config.dense.optimizer = OPTIMIZER_ADAGRAD;
    config.dense.learning_rate = 0.02;
    config.dense.initial_accumulator = 0.01;
    config.dense.epsilon = 1e-10;
    return config;
}

/* The double twin of a configuration; the arrays live as long as `twin`. */
typedef struct twin {
    ref_network_t net;
    int widths[LAYERS_MAX + 1], set_units[LAYERS_MAX];
    const activation_t *functions[LAYERS_MAX];
    activation_shape_t shapes[LAYERS_MAX];
    int64_t set[LAYERS_MAX];
} twin_t;

/* Spelled out once more from the contract, without the help of layer_activation.c. */
static const ref_network_t *twin_of(const config_t *config, int inputs, twin_t *twin)
{
    const struct config_model *m = &config->model;
    const int layers = (int)m->hidden.count + 1;
    *twin = (twin_t){0};
    twin->widths[0] = inputs;
    for (int l = 0; l < layers - 1; l++)
        twin->widths[l + 1] = (int)m->hidden.at[l];
    twin->widths[layers] = 1;
    int64_t sets = 0;
    for (int i = 1; i <= layers; i++) {
        const int l = i % layers; /* sets of the hidden layers come first, then that of the input */
        const int kind = l && m->layer_activation.count ? (int)m->layer_activation.at[l - 1] : m->activation;
        const double beta = (float)(l && m->layer_beta.count ? m->layer_beta.at[l - 1] : m->beta);
        twin->functions[l] = activation_get(kind);
        twin->shapes[l] = (activation_shape_t){.beta = beta,
                                               .clip = m->clip > 0.0 ? (float)m->clip : INFINITY,
                                               .leak = m->leak,
                                               .alpha = m->gsmelu_alpha > 0.0 ? m->gsmelu_alpha : beta,
                                               .left = m->gsmelu_left,
                                               .right = m->gsmelu_right,
                                               .level = m->gsmelu_level,
                                               .knots = (int)m->rescu_knots.count,
                                               .knot = m->rescu_knots.at,
                                               .slope = m->rescu_slopes.at,
                                               .rise = m->rescu_rise};
        if (kind != ACTIVATION_GSMELU || m->gsmelu == GSMELU_FIXED || (l == 0 && !m->activate_inputs))
            continue;
        twin->set_units[l] = m->gsmelu == GSMELU_UNIT ? twin->widths[l] : 1;
        twin->set[l] = m->gsmelu == GSMELU_NETWORK ? 0 : sets;
        sets = twin->set[l] + 5 * twin->set_units[l];
    }
    twin->net = (ref_network_t){
        .layers = layers,
        .widths = twin->widths,
        .functions = twin->functions,
        .shapes = twin->shapes,
        .set = twin->set,
        .set_units = twin->set_units,
        .set_parameters = sets,
        .activate_inputs = m->activate_inputs,
        .layer_norm = m->layer_norm != LAYER_NORM_NONE,
        .affine = m->layer_norm == LAYER_NORM_AFFINE,
        .weight_norm = m->weight_norm_mode == WEIGHT_NORM_REPARAMETRISED ? (float)m->weight_norm : 0.0,
        .weight_norm_p = (float)m->weight_norm_p,
    };
    return &twin->net;
}

/* Per-layer activations for the networks below, which have 2 or 3 hidden layers. */
static int64_t mixed[] = {ACTIVATION_GSMELU, ACTIVATION_SWISH, ACTIVATION_GSMELU};
static double mixed_betas[] = {0.75, 2.0, 0.5};

/* Every combination that configuration can ask for, in turn; false after the last. Learned sets: network, layer and unit, alone
 * and beside another activation, under every layer norm, with the input activated or not, clipped or not. */
#define COMBINATIONS_FIXED (ACTIVATION_COUNT * LAYER_NORM_COUNT * 4 * 2 * 2)
#define COMBINATIONS (COMBINATIONS_FIXED + 3 * LAYER_NORM_COUNT * 2 * 2 * 2)
static bool next_combination(int i, config_t *config)
{
    static const double norms[][2] = {{0, 2}, {1.5, 1}, {1.5, 2}, {1.5, 3}};
    static const double clips[] = {0, 0.8};
    if (i >= COMBINATIONS_FIXED) {
        i -= COMBINATIONS_FIXED;
        config->model.activation = ACTIVATION_GSMELU;
        config->model.gsmelu = GSMELU_NETWORK + i % 3;
        i /= 3;
        config->model.layer_norm = i % LAYER_NORM_COUNT;
        i /= LAYER_NORM_COUNT;
        config->model.activate_inputs = i % 2;
        i /= 2;
        config->model.clip = clips[i % 2];
        i /= 2;
        if (i % 2) {
            config->model.layer_activation = (config_ints_t){mixed, config->model.hidden.count};
            if (config->model.gsmelu != GSMELU_NETWORK)
                config->model.layer_beta = (config_nums_t){mixed_betas, config->model.hidden.count};
        }
        return i < 2;
    }
    config->model.activation = i % ACTIVATION_COUNT;
    i /= ACTIVATION_COUNT;
    config->model.layer_norm = i % LAYER_NORM_COUNT;
    i /= LAYER_NORM_COUNT;
    config->model.weight_norm = norms[i % 4][0];
    config->model.weight_norm_p = norms[i % 4][1];
    i /= 4;
    config->model.activate_inputs = i % 2;
    i /= 2;
    config->model.clip = clips[i % 2];
    return true;
}

/* Parameters for a twin: learned sets within their bounds, the rest normal. */
static void fill_parameters(const ref_network_t *net, double *parameters, int n, uint64_t stream)
{
    for (int k = 0; k < n; k++)
        parameters[k] = 0.7 * rng_normal(1, stream, (uint64_t)k);
    for (int l = 0; l < net->layers; l++)
        for (int k = 0; k < 5 * net->set_units[l]; k++) {
            static const double from[] = {0.2, 0.2, -0.5, 0.5, -0.5}, to[] = {1.2, 1.2, 0.2, 1.5, 0.0};
            const int number = k / net->set_units[l];
            parameters[net->set[l] + k] = from[number] + (to[number] - from[number]) * rng_uniform(4, stream, (uint64_t)k);
        }
}

static double total_loss(const ref_network_t *net, const double *parameters, const double *x, const double *y, int rows)
{
    double logits[64], sum = 0.0;
    ref_network_run(net, parameters, x, rows, logits, NULL, NULL, NULL);
    for (int r = 0; r < rows; r++) {
        double loss, slope;
        loss_logistic.exact(logits[r], y[r], &loss, &slope);
        sum += loss / rows;
    }
    return sum;
}

static void test_twin_equals_finite_differences(void **state)
{
    (void)state;
    enum { INPUTS = 5, ROWS = 6, MOST = 240 };
    const double h = 1e-6;
    shape_t shape = {INPUTS, ROWS, 3, {7, 4}};
    int combinations = 0;
    for (int i = 0;; i++) {
        config_t config = config_of(&shape);
        if (!next_combination(i, &config))
            break;
        combinations++;
        twin_t twin;
        const ref_network_t net = *twin_of(&config, INPUTS, &twin);
        const int n = (int)ref_network_parameters(&net);
        assert_true(n <= MOST);
        double parameters[MOST], x[ROWS * INPUTS], y[ROWS], logits[ROWS], dlogits[ROWS], dparameters[MOST], dx[ROWS * INPUTS];
        fill_parameters(&net, parameters, n, (uint64_t)i);
        for (int k = 0; k < ROWS * INPUTS; k++)
            x[k] = rng_normal(2, (uint64_t)i, (uint64_t)k);
        for (int r = 0; r < ROWS; r++)
            y[r] = rng_uniform(3, (uint64_t)i, (uint64_t)r);
        ref_network_run(&net, parameters, x, ROWS, logits, NULL, NULL, NULL);
        for (int r = 0; r < ROWS; r++)
            dlogits[r] = (ref_probability(logits[r]) - y[r]) / ROWS;
        ref_network_run(&net, parameters, x, ROWS, logits, dlogits, dparameters, dx);

        double *arguments[] = {parameters, x}, *gradients[] = {dparameters, dx}, largest = 0.0;
        const int counts[] = {n, ROWS * INPUTS};
        for (int a = 0; a < 2; a++)
            for (int k = 0; k < counts[a]; k++) {
                double value = arguments[a][k];
                arguments[a][k] = value + h;
                double right = total_loss(&net, parameters, x, y, ROWS);
                arguments[a][k] = value - h;
                double left = total_loss(&net, parameters, x, y, ROWS);
                arguments[a][k] = value;
                double difference = (right - left) / (2.0 * h);
                if (fabs(difference - gradients[a][k]) > 1e-7)
                    fail_msg("combination %d, %s %d: gradient %.12g, difference %.12g", i, a ? "x" : "parameter", k,
                             gradients[a][k], difference);
                largest = fmax(largest, fabs(difference));
            }
        assert_true(largest > 1e-3); /* a gradient of nothing would agree with anything */
    }
    assert_int_equal(combinations, COMBINATIONS);
}

/* A model and its twin over the same numbers. */
typedef struct pair {
    int rows, inputs;
    int64_t parameters;
    float *x, *logits, *dlogits, *dparameters, *dx;
    double *ex, *evalues, *elogits, *edlogits, *edparameters, *edx;
} pair_t;

static void run_pair(const config_t *config, int inputs, int rows, model_t *model, pair_t *pair)
{
    twin_t twin;
    const ref_network_t net = *twin_of(config, inputs, &twin);
    const int64_t n = model_parameters(model), n_x = (int64_t)rows * inputs;
    assert_int_equal(n, ref_network_parameters(&net));
    *pair = (pair_t){rows,
                     inputs,
                     n,
                     MEM_ARRAY(float, n_x),
                     MEM_ARRAY(float, rows),
                     MEM_ARRAY(float, rows),
                     MEM_ARRAY(float, n),
                     MEM_ARRAY(float, n_x),
                     MEM_ARRAY(double, n_x),
                     MEM_ARRAY(double, n),
                     MEM_ARRAY(double, rows),
                     MEM_ARRAY(double, rows),
                     MEM_ARRAY(double, n),
                     MEM_ARRAY(double, n_x)};
    rng_fill_normal(pair->x, n_x, 1.0f, 11, 1, 0);
    rng_fill_normal(pair->dlogits, rows, 0.3f, 11, 2, 0);
    for (int64_t i = 0; i < n; i++) {
        pair->evalues[i] = model_values(model)[i];
        pair->dparameters[i] = NAN; /* := must not look at what was there */
    }
    for (int64_t i = 0; i < n_x; i++) {
        pair->ex[i] = pair->x[i];
        pair->dx[i] = NAN;
    }
    for (int r = 0; r < rows; r++)
        pair->edlogits[r] = pair->dlogits[r];
    model_forward(model, pair->logits, pair->x, rows);
    model_backward(model, pair->dparameters, pair->dx, pair->dlogits, rows);
    ref_network_run(&net, pair->evalues, pair->ex, rows, pair->elogits, pair->edlogits, pair->edparameters, pair->edx);
}

static void free_pair(pair_t *pair)
{
    void *blocks[] = {pair->x,       pair->logits,  pair->dlogits,  pair->dparameters,  pair->dx, pair->ex,
                      pair->evalues, pair->elogits, pair->edlogits, pair->edparameters, pair->edx};
    for (int i = 0; i < 11; i++)
        mem_free(blocks[i]);
}

/* |got - expected| relative to the root mean square of all: errors of f32 sums do not shrink with their result. */
static void assert_near(const char *what, int combination, const float *got, const double *expected, int64_t n)
{
    double square = 0.0, worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        square += expected[i] * expected[i] / (double)n;
        worst = fmax(worst, isnan(got[i]) ? INFINITY : fabs(got[i] - expected[i]));
    }
    if (!(worst <= 6e-5 * sqrt(square)))
        fail_msg("combination %d: %s differs by %.3g where the size is %.3g", combination, what, worst, sqrt(square));
}

static void check_against_twin(shape_t *shape, int combination, config_t *config)
{
    model_t *model;
    pair_t pair;
    assert_int_equal(model_create(config, 0, input_of_numbers(shape->inputs), shape->rows + 3, &model), ST_OK);
    /* Biases, gains and learned numbers away from their start, so that a forgotten one shows. */
    twin_t twin;
    const int64_t sets = twin_of(config, shape->inputs, &twin)->set_parameters;
    for (int64_t i = 0; i < model_parameters(model); i++)
        if (i < sets)
            model_values(model)[i] *= 0.75f + 0.5f * (float)rng_uniform(9, 8, (uint64_t)i);
        else if (model_values(model)[i] == 0.0f || model_values(model)[i] == 1.0f)
            model_values(model)[i] += 0.3f * (float)rng_normal(9, 9, (uint64_t)i);
    model_refresh(model);
    run_pair(config, shape->inputs, shape->rows, model, &pair);
    assert_near("logits", combination, pair.logits, pair.elogits, pair.rows);
    assert_near("dparameters", combination, pair.dparameters, pair.edparameters, pair.parameters);
    assert_near("dx", combination, pair.dx, pair.edx, (int64_t)pair.rows * pair.inputs);
    free_pair(&pair);
    model_destroy(&model);
    assert_null(model);
}

static void test_model_equals_its_twin(void **state)
{
    (void)state;
    shape_t shape = {13, 150, 4, {33, 17, 5}}; /* widths that fit no vector; several blocks of rows and a part of one */
    for (int i = 0;; i++) {
        config_t config = config_of(&shape);
        if (!next_combination(i, &config))
            break;
        check_against_twin(&shape, i, &config);
    }
}

static void test_other_shapes_equal_their_twins(void **state)
{
    (void)state;
    shape_t shapes[] = {
        {7, 1, 1, {0}},     /* no hidden layer: logistic regression, one example */
        {3, 5, 2, {2100}},  /* a row wider than a block */
        {1, 64, 3, {1, 1}}, /* nothing but scalars */
        {48, 256, 4, {64, 32, 16}},
    };
    for (int i = 0; i < 4; i++)
        for (int norm = 0; norm < LAYER_NORM_COUNT; norm++) {
            config_t config = config_of(&shapes[i]);
            config.model.layer_norm = shapes[i].hidden[0] == 1 ? LAYER_NORM_NONE : norm;
            config.model.clip = 6.0;
            check_against_twin(&shapes[i], i, &config);
        }
}

static void test_clip_cuts_gradients(void **state)
{
    (void)state;
    shape_t shape = {4, 2, 2, {3}};
    config_t config = config_of(&shape);
    config.model.clip = 0.25;
    model_t *model;
    assert_int_equal(model_create(&config, 0, input_of_numbers(4), 2, &model), ST_OK);
    const float x[8] = {9, 9, 9, 9, 0.1f, 9, 0.1f, 9}, dlogits[2] = {1, 1};
    float logits[2], dx[8], dparameters[64];
    model_forward(model, logits, x, 2);
    model_backward(model, dparameters, dx, dlogits, 2);
    for (int i = 0; i < 8; i++)
        assert_true(x[i] < 9 || dx[i] == 0.0f);
    model_destroy(&model);
}

static void test_same_rows_same_bits(void **state)
{
    (void)state;
    shape_t shape = {29, 60, 4, {40, 24, 7}};
    for (int norm = 0; norm < LAYER_NORM_COUNT; norm++) {
        config_t config = config_of(&shape);
        config.model.layer_norm = norm;
        config.model.weight_norm = norm == LAYER_NORM_PLAIN ? 1.0 : 0.0;
        if (norm != LAYER_NORM_PLAIN)
            config.model.activation = ACTIVATION_SWISH; /* keeps slopes */
        model_t *model, *other;
        assert_int_equal(model_create(&config, 0, input_of_numbers(shape.inputs), 60, &model), ST_OK);
        assert_int_equal(model_create(&config, 0, input_of_numbers(shape.inputs), 256, &other), ST_OK);
        const int64_t n = model_parameters(model), n_x = 60 * 29;
        float *x = MEM_ARRAY(float, n_x + 16), *junk = MEM_ARRAY(float, 256 * 29), *dx = MEM_ARRAY(float, n_x);
        float *dparameters = MEM_ARRAY(float, n), *moved_dx = MEM_ARRAY(float, 256 * 29 + 16);
        float *moved_dparameters = MEM_ARRAY(float, n + 16), logits[256], moved_logits[256 + 16], dlogits[256];
        rng_fill_normal(x, n_x, 1.0f, 1, 1, 0);
        rng_fill_normal(junk, 256 * 29, 50.0f, 1, 2, 0);
        rng_fill_normal(dlogits, 256, 1.0f, 1, 3, 0);
        model_forward(model, logits, x, 60);
        model_backward(model, dparameters, dx, dlogits, 60);
        for (int offset = 0; offset < 16; offset += 5) {
            /* Another model with larger buffers, full of another lane's values, at other addresses. */
            model_forward(other, moved_logits, junk, 256);
            if (offset % 2)
                model_backward(other, moved_dparameters, moved_dx, dlogits, 256);
            memmove(x + offset, offset ? x + offset - 5 : x, (size_t)n_x * sizeof *x);
            model_forward(other, moved_logits + offset, x + offset, 60);
            model_backward(other, moved_dparameters + offset, moved_dx + offset, dlogits, 60);
            assert_memory_equal(moved_logits + offset, logits, 60 * sizeof *logits);
            assert_memory_equal(moved_dparameters + offset, dparameters, (size_t)n * sizeof *dparameters);
            assert_memory_equal(moved_dx + offset, dx, (size_t)n_x * sizeof *dx);
            model_forward_only(other, moved_logits, x + offset, 60);
            assert_memory_equal(moved_logits, logits, 60 * sizeof *logits);
            model_forward(other, moved_logits, x + offset, 60);
            model_backward(other, moved_dparameters, NULL, dlogits, 60); /* dx is not wanted */
            assert_memory_equal(moved_dparameters, dparameters, (size_t)n * sizeof *dparameters);
            model_forward(other, moved_logits, x + offset, 60);
            model_backward_inputs(other, moved_dparameters, offset ? moved_dx : NULL, dlogits, NULL, 60);
            if (offset)
                assert_memory_equal(moved_dx, dx, (size_t)n_x * sizeof *dx);
            model_backward_weights(other, moved_dparameters, dlogits, 60); /* "the same in two halves" */
            assert_memory_equal(moved_dparameters, dparameters, (size_t)n * sizeof *dparameters);
        }
        void *blocks[] = {x, junk, dx, dparameters, moved_dx, moved_dparameters};
        for (int i = 0; i < 6; i++)
            mem_free(blocks[i]);
        model_destroy(&model);
        model_destroy(&other);
    }
}

static void test_initial_values(void **state)
{
    (void)state;
    shape_t shape = {200, 8, 3, {200, 100}};
    config_t config = config_of(&shape);
    config.model.layer_norm = LAYER_NORM_AFFINE;
    model_t *model, *again, *sibling, *reseeded;
    assert_int_equal(model_create(&config, 0, input_of_numbers(200), 8, &model), ST_OK);
    assert_int_equal(model_create(&config, 0, input_of_numbers(200), 99, &again), ST_OK);
    assert_int_equal(model_create(&config, 1, input_of_numbers(200), 8, &sibling), ST_OK);
    config.seed = 6;
    assert_int_equal(model_create(&config, 0, input_of_numbers(200), 8, &reseeded), ST_OK);

    const int64_t n = model_parameters(model);
    assert_int_equal(n, 200 * 200 + 3 * 200 + 200 * 100 + 3 * 100 + 100 + 1);
    assert_memory_equal(model_values(model), model_values(again), (size_t)n * sizeof(float));
    const float *w1 = model_values(model), *b1 = w1 + 200 * 200, *w2 = b1 + 3 * 200;
    int equal = 0;
    double sum = 0.0, square = 0.0;
    for (int i = 0; i < 20000; i++) {
        equal += w1[i] == model_values(sibling)[i];
        equal += w1[i] == model_values(reseeded)[i];
        equal += w1[i] == w2[i];
    }
    for (int i = 0; i < 40000; i++) {
        sum += w1[i];
        square += (double)w1[i] * w1[i];
    }
    assert_true(equal < 10);
    assert_true(fabs(sum / 40000) < 0.002);                /* 4 standard errors of sqrt(2/200)/200 */
    assert_true(fabs(square / 40000 / 0.01 - 1.0) < 0.03); /* variance init_gain / inputs = 2 / 200 */
    for (int j = 0; j < 200; j++)
        assert_true(b1[j] == 0.0f && b1[200 + j] == 1.0f && b1[400 + j] == 0.0f);
    assert_int_equal(model_state_count(model), n);
    for (int64_t i = 0; i < n; i++)
        assert_true(model_state(model)[i] == 0.01f);
    model_destroy(&model);
    model_destroy(&again);
    model_destroy(&sibling);
    model_destroy(&reseeded);
}

/* The groups of the optimizer, spelled out: 3 -> 2 -> 1 has rows of 3, 3 (W_1), 2 (b_1), 2 (W_2), 1 (b_2). */
static void test_apply_steps_row_by_row(void **state)
{
    (void)state;
    static const int widths[] = {3, 3, 2, 2, 1};
    shape_t shape = {3, 4, 2, {2}};
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        config_t config = config_of(&shape);
        config.dense.optimizer = kind;
        config.model.weight_norm = 2.0;
        const optimizer_t *optimizer = optimizer_get(kind);
        const optimizer_settings_t settings = config_dense_optimizer(&config);
        model_t *model;
        assert_int_equal(model_create(&config, 0, input_of_numbers(3), 4, &model), ST_OK);
        float expected[11], expected_state[64], g[11], x[3] = {1, -2, 3}, logits[1];
        memcpy(expected, model_values(model), sizeof expected);
        assert_true(model_state_count(model) <= 64);
        memcpy(expected_state, model_state(model), (size_t)model_state_count(model) * sizeof(float));
        float *w = expected, *s = expected_state;
        rng_fill_normal(g, 11, 1.0f, 1, 1, 0);
        const float *dw = g;
        for (int i = 0; i < 5; i++) {
            optimizer->apply(w, s, dw, widths[i], &settings);
            w += widths[i];
            dw += widths[i];
            s += optimizer->state_floats(widths[i]);
        }
        model_apply(model, g);
        assert_int_equal(s - expected_state, model_state_count(model));
        assert_memory_equal(model_values(model), expected, sizeof expected);
        assert_memory_equal(model_state(model), expected_state, (size_t)model_state_count(model) * sizeof(float));

        /* The normalised weights followed: the model computes with the new ones. */
        twin_t twin;
        const ref_network_t net = *twin_of(&config, 3, &twin);
        double values[11], ex[3] = {1, -2, 3}, elogits[1];
        for (int i = 0; i < 11; i++)
            values[i] = expected[i];
        model_forward(model, logits, x, 1);
        ref_network_run(&net, values, ex, 1, elogits, NULL, NULL, NULL);
        assert_true(fabs(logits[0] - elogits[0]) < 1e-5);
        model_destroy(&model);
    }
}

/* "each of several equal networks makes a piece of it by model_apply_some .. when model_values has all of them, model_end_step
 * does the rest": parameters, state and what is derived from them are those of a step by one. */
static void test_a_step_in_pieces(void **state)
{
    (void)state;
    shape_t shape = {3, 4, 3, {5, 2}};
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++)
        for (int64_t cut = 0; cut < 9; cut++) {
            config_t config = config_of(&shape);
            config.dense.optimizer = kind;
            config.model.activation = ACTIVATION_GSMELU;
            config.model.weight_norm = 2.0;
            config.model.weight_norm_mode = WEIGHT_NORM_PROJECTED;
            model_t *whole, *piece[2];
            assert_int_equal(model_create(&config, 0, input_of_numbers(3), 4, &whole), ST_OK);
            for (int i = 0; i < 2; i++)
                assert_int_equal(model_create(&config, 0, input_of_numbers(3), 4, &piece[i]), ST_OK);
            const int64_t n = model_parameters(whole), middle = n * cut / 8;
            const bool elementwise = optimizer_get(kind)->elementwise;
            assert_int_equal(model_is_elementwise(whole), elementwise);
            float *g = MEM_ARRAY(float, n), x[12], logits[2][4];
            rng_fill_normal(x, 12, 1.0f, 1, 2, 0);
            for (uint64_t step = 0; step < 3 && elementwise; step++) {
                rng_fill_normal(g, n, 1.0f, 1, 1, step * 1000);
                model_apply(whole, g);
                model_apply_some(piece[0], 0, middle, g);
                model_apply_some(piece[1], middle, n - middle, g + middle);
                for (int i = 0; i < 2; i++) {
                    memcpy(model_values(piece[i]), g, sizeof *g * (size_t)n);
                    model_end_step(piece[i]);
                    assert_memory_equal(model_values(piece[i]), model_values(whole), sizeof *g * (size_t)n);
                    if (model_state_count(whole)) { /* of its own piece */
                        const int64_t first = i ? middle : 0, end = i ? n : middle;
                        assert_memory_equal(model_state(piece[i]) + first, model_state(whole) + first,
                                            sizeof *g * (size_t)(end - first));
                    }
                    model_forward(piece[i], logits[0], x, 4);
                    model_forward(whole, logits[1], x, 4);
                    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
                }
            }
            mem_free(g);
            model_destroy(&whole);
            model_destroy(&piece[0]);
            model_destroy(&piece[1]);
        }
}

enum { AVERAGED = 7 };

/* The mean by its weights: the first steps, as many as it is of, are all alike. history: [t + 1][n]. */
static void check_average(const float *average, const double *history, int t, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double mean = 0.0, sum = 0.0;
        for (int s = t; s >= 0; s--) {
            const int behind = t < AVERAGED ? 0 : s < AVERAGED ? t - AVERAGED + 1 : t - s;
            const double weight = pow(1.0 - 1.0 / AVERAGED, behind);
            mean += weight * history[s * n + i];
            sum += weight;
        }
        assert_true(fabs(mean / sum - (double)average[i]) < 1e-5);
    }
}

/* "model_swap_average - the mean in place of the parameters, for forwards that deploy, and back by a second call; nothing
 * before the first step." */
static void check_swap(model_t *model, bool is_other)
{
    const size_t bytes = (size_t)model_parameters(model) * sizeof(float);
    float x[12], logits[3][4], *was = MEM_ARRAY(float, model_parameters(model));
    rng_fill_normal(x, 12, 1.0f, 1, 2, 0);
    memcpy(was, model_values(model), bytes);
    model_forward(model, logits[0], x, 4);
    model_swap_average(model);
    model_forward_only(model, logits[1], x, 4);
    model_swap_average(model);
    model_forward(model, logits[2], x, 4);
    assert_memory_equal(logits[0], logits[2], sizeof logits[0]);
    assert_memory_equal(was, model_values(model), bytes);
    assert_true(is_other == (memcmp(logits[0], logits[1], sizeof logits[0]) != 0));
    mem_free(was);
}

/* "the mean of the parameters over the last steps, in full on every worker, which lies in model_state behind the optimizer's",
 * whose parameters it leaves as they are. */
static void test_the_average_of_steps(void **state)
{
    (void)state;
    enum { STEPS = 40 };
    shape_t shape = {3, 4, 3, {5, 2}};
    for (int clipped = 0; clipped < 2; clipped++) {
        config_t config = config_of(&shape);
        config.model.weight_norm = 2.0;
        config.dense.clip_norm = clipped;
        model_t *plain, *model;
        int64_t floats, none;
        assert_int_equal(model_create(&config, 0, input_of_numbers(3), 4, &plain), ST_OK);
        config.dense.average_steps = AVERAGED;
        assert_int_equal(model_create(&config, 0, input_of_numbers(3), 4, &model), ST_OK);
        const float *average = model_average(model, &floats);
        const int64_t n = model_parameters(model);
        assert_int_equal(floats, n + 1);
        assert_int_equal(model_state_count(model), model_state_count(plain) + n + 1);
        assert_int_equal(model_optimizer_state_count(model), model_state_count(plain));
        assert_ptr_equal(average, model_state(model) + model_state_count(plain));
        assert_true(!model_average(plain, &none) && none == 0);
        float *g = MEM_ARRAY(float, n);
        double *history = MEM_ARRAY(double, STEPS *n);
        check_swap(model, false);
        for (int t = 0; t < STEPS; t++) {
            rng_fill_normal(g, n, 1.0f, 1, 1, (uint64_t)t * 1000);
            model_apply(plain, g);
            model_apply(model, g);
            assert_memory_equal(model_values(model), model_values(plain), sizeof *g * (size_t)n);
            for (int64_t i = 0; i < n; i++)
                history[t * n + i] = (double)model_values(model)[i];
            check_average(average, history, t, n);
            check_swap(model, t > 0);
        }
        mem_free(g);
        mem_free(history);
        model_destroy(&plain);
        model_destroy(&model);
    }
}

/* Steps with gradients that push every number of every set out of its bounds, at its own learning rate. */
static void test_learned_numbers_keep_their_bounds(void **state)
{
    (void)state;
    shape_t shape = {5, 4, 3, {6, 3}};
    for (int learning = GSMELU_NETWORK; learning <= GSMELU_UNIT; learning++)
        for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
            config_t config = config_of(&shape);
            config.model.activation = ACTIVATION_GSMELU;
            config.model.gsmelu = learning;
            config.model.gsmelu_learning_rate = 0.5;
            config.dense.learning_rate = 0.0;
            config.dense.optimizer = kind;
            model_t *model;
            assert_int_equal(model_create(&config, 0, input_of_numbers(5), 4, &model), ST_OK);
            gsmelu_set_t sets[GSMELU_SETS_MAX];
            const int n = model_gsmelu_sets(&config, input_of_numbers(5), sets), most = (int)model_parameters(model);
            assert_int_equal(n, learning == GSMELU_NETWORK ? 1 : 3);
            float *g = MEM_ARRAY(float, most), *start = MEM_ARRAY(float, most);
            memcpy(start, model_values(model), (size_t)most * sizeof *start);
            int64_t numbers = 0;
            for (int i = 0; i < n; i++) {
                assert_int_equal(sets[i].offset, numbers);
                numbers += 5 * sets[i].units;
                const float *number = start + sets[i].offset;
                for (int j = 0; j < sets[i].units; j++) {
                    assert_true(number[j] == 0.375f && number[sets[i].units + j] == 0.5f);
                    assert_true(number[2 * sets[i].units + j] == -0.25f && number[3 * sets[i].units + j] == 0.875f);
                    assert_true(number[4 * sets[i].units + j] == -0.125f);
                }
            }
            for (int step = 0; step < 30; step++) {
                for (int k = 0; k < most; k++)
                    g[k] = step < 15 ? 1.0f : (float)rng_normal(7, (uint64_t)step, (uint64_t)k);
                for (int i = 0; step < 15 && i < n; i++) /* positive gradients lower a number: raise g- and t */
                    for (int j = 0; j < sets[i].units; j++)
                        g[sets[i].offset + 2 * sets[i].units + j] = g[sets[i].offset + 4 * sets[i].units + j] = -1.0f;
                model_apply(model, g);
                for (int i = 0; i < n; i++) {
                    const float *number = model_values(model) + sets[i].offset;
                    const int units = sets[i].units;
                    for (int j = 0; j < units; j++) {
                        assert_true(number[j] > 0.0f && number[units + j] > 0.0f && number[4 * units + j] <= 0.0f);
                        assert_true(number[3 * units + j] > number[2 * units + j]);
                    }
                }
            }
            assert_memory_not_equal(model_values(model), start, (size_t)numbers * sizeof *start);
            assert_memory_equal(model_values(model) + numbers, start + numbers, (size_t)(most - numbers) * sizeof *start);
            mem_free(g);
            mem_free(start);
            model_destroy(&model);
        }
}

/* Numbers that are learned at the input get their gradient also where dx is not wanted. */
static void test_input_set_without_dx(void **state)
{
    (void)state;
    shape_t shape = {9, 20, 2, {7}};
    config_t config = config_of(&shape);
    config.model.activation = ACTIVATION_GSMELU;
    config.model.gsmelu = GSMELU_UNIT;
    model_t *model;
    assert_int_equal(model_create(&config, 0, input_of_numbers(9), 20, &model), ST_OK);
    float x[180], dx[180], logits[20], dlogits[20], with[512], without[512];
    const int64_t n = model_parameters(model);
    assert_true(n <= 512);
    rng_fill_normal(x, 180, 1.0f, 1, 1, 0);
    rng_fill_normal(dlogits, 20, 1.0f, 1, 2, 0);
    model_forward(model, logits, x, 20);
    model_backward(model, with, dx, dlogits, 20);
    model_forward(model, logits, x, 20);
    model_backward(model, without, NULL, dlogits, 20);
    assert_memory_equal(with, without, (size_t)n * sizeof *with);
    model_destroy(&model);
}

static void test_folded_weights_give_the_same_logits(void **state)
{
    (void)state;
    shape_t shape = {21, 33, 3, {17, 9}};
    for (int norm = 0; norm < LAYER_NORM_COUNT; norm++) {
        config_t config = config_of(&shape);
        config.model.layer_norm = norm;
        config.model.weight_norm = 1.5;
        config.model.weight_norm_p = norm == LAYER_NORM_PLAIN ? 3.0 : 2.0;
        model_t *model, *plain;
        assert_int_equal(model_create(&config, 0, input_of_numbers(21), 33, &model), ST_OK);
        config.model.weight_norm = 0.0;
        config.seed = 77;
        assert_int_equal(model_create(&config, 0, input_of_numbers(21), 33, &plain), ST_OK);
        float x[21 * 33], logits[33], folded[33];
        rng_fill_normal(x, 21 * 33, 1.0f, 1, 1, 0);
        model_forward(model, logits, x, 33);
        model_forward(plain, folded, x, 33);
        assert_memory_not_equal(folded, logits, sizeof logits);
        model_fold(model, model_values(plain));
        model_refresh(plain);
        model_forward(plain, folded, x, 33);
        assert_memory_equal(folded, logits, sizeof logits);
        assert_memory_not_equal(model_values(plain), model_values(model), 21 * 17 * sizeof(float));
        model_destroy(&model);
        model_destroy(&plain);
    }
}

static void test_projection_keeps_the_norm(void **state)
{
    (void)state;
    static const double orders[] = {1.0, 2.0, 3.0};
    shape_t shape = {6, 4, 2, {5}};
    for (int o = 0; o < 3; o++) {
        config_t config = config_of(&shape);
        config.model.weight_norm = 1.5;
        config.model.weight_norm_p = orders[o];
        config.model.weight_norm_mode = WEIGHT_NORM_PROJECTED;
        model_t *model;
        assert_int_equal(model_create(&config, 0, input_of_numbers(6), 4, &model), ST_OK);
        float g[64], folded[64];
        assert_true(model_parameters(model) <= 64);
        for (int step = 0; step < 5; step++) {
            for (int j = 0; j < 6; j++) { /* W_1 [5][6], b_1 [5], W_2 [1][5] */
                const float *row = model_values(model) + (j < 5 ? 6 * j : 6 * 5 + 5);
                double sum = 0.0;
                for (int i = 0; i < (j < 5 ? 6 : 5); i++)
                    sum += pow(fabs(row[i]), orders[o]);
                assert_true(fabs(pow(sum, 1.0 / orders[o]) - 1.5) < 1e-6);
            }
            model_fold(model, folded);
            assert_memory_equal(folded, model_values(model), (size_t)model_parameters(model) * sizeof *folded);
            rng_fill_normal(g, 64, 1.0f, 1, (uint64_t)step, 0);
            model_apply(model, g);
        }
        /* Taking over values, as a resumed run does, changes none of their bits. */
        memcpy(folded, model_values(model), (size_t)model_parameters(model) * sizeof *folded);
        model_refresh(model);
        assert_memory_equal(folded, model_values(model), (size_t)model_parameters(model) * sizeof *folded);
        model_destroy(&model);
    }
}

static void test_share_of_clipped_values(void **state)
{
    (void)state;
    shape_t shape = {4, 8, 2, {3}};
    config_t config = config_of(&shape);
    config.model.activation = ACTIVATION_IDENTITY;
    config.model.clip = 0.25;
    model_t *model;
    assert_int_equal(model_create(&config, 0, input_of_numbers(4), 8, &model), ST_OK);
    float x[32], logits[8], dlogits[8] = {0}, dparameters[64];
    for (int i = 0; i < 32; i++)
        x[i] = i % 4 == 0 ? -1.0f : 0.0f; /* a quarter of the inputs */
    model_activated_t input, hidden;
    model_forward(model, logits, x, 8);
    assert_true(model_activated(model, 0, &input) &&
                input.clipped_share == 0.0); /* forward alone, as in scoring, does not count */
    model_observe(model, 8);
    model_backward(model, dparameters, NULL, dlogits, 8);
    assert_true(model_activated(model, 0, &input) && model_activated(model, 1, &hidden) && !model_activated(model, 2, &input));
    assert_string_equal(input.name, "input layer 0");
    assert_string_equal(hidden.name, "hidden layer 1");
    assert_true(input.clipped_share == 0.25);
    /* All rows are alike, so hidden unit j is clipped for all or none: count from the weights. */
    int clipped = 0;
    for (int j = 0; j < 3; j++)
        clipped += fabsf(-0.25f * model_values(model)[4 * j]) >= 0.25f;
    assert_true(fabs(hidden.clipped_share - clipped / 3.0) < 1e-12);
    for (int i = 0; i < 32; i++)
        x[i] = 0.0f;
    model_forward(model, logits, x, 8);
    model_observe(model, 8);
    model_backward(model, dparameters, NULL, dlogits, 8);
    assert_true(model_activated(model, 0, &input) && input.clipped_share == 0.125); /* over both lanes */
    model_destroy(&model);
}

/* The spread of n numbers, by definition. */
static double spread_of(const double *x, int n)
{
    double mean = 0.0, square = 0.0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    return sqrt(square);
}

/* And their share in [-left, right]. */
static void expect_seen(const model_activated_t *layer, const double *x, int n, double left, double right)
{
    const double spread = spread_of(x, n);
    int inside = 0;
    for (int i = 0; i < n; i++)
        inside += x[i] >= -left && x[i] <= right;
    assert_true(fabs(layer->spread - spread) < 1e-5 * (1.0 + spread));
    assert_true(fabs(layer->inside_share - (double)inside / n) < 1e-12);
}

/* What the activation of the only hidden layer sees of a row, written down from docs/MATH.md, section 2. */
static void pre_of_row(const config_t *config, model_t *model, const float *x, int inputs, int width, double *pre)
{
    const activation_t *f = activation_get((int)config->model.activation);
    const activation_shape_t shape = {.beta = config->model.beta,
                                      .alpha = config->model.gsmelu_alpha,
                                      .left = config->model.gsmelu_left,
                                      .right = config->model.gsmelu_right,
                                      .level = config->model.gsmelu_level};
    model_block_t first; /* behind widths that are found */
    int block = 0;
    while (model_block(model, block, &first) && strcmp(first.name, "layer 1 weights") != 0)
        block++;
    const float *w = model_values(model) + first.values, *b = w + width * inputs, *gain = b + width, *shift = gain + width;
    double mean = 0.0, square = 0.0;
    for (int j = 0; j < width; j++) {
        pre[j] = (double)b[j];
        for (int i = 0; i < inputs; i++) {
            double value, slope;
            f->exact((double)x[i], &shape, &value, &slope);
            pre[j] += (double)w[j * inputs + i] * value;
        }
        mean += pre[j] / width;
    }
    for (int j = 0; j < width; j++)
        square += (pre[j] - mean) * (pre[j] - mean) / width;
    for (int j = 0; j < width && config->model.layer_norm != LAYER_NORM_NONE; j++) {
        pre[j] = (pre[j] - mean) / sqrt(square + NORM_LAYER_EPSILON);
        if (config->model.layer_norm == LAYER_NORM_AFFINE)
            pre[j] = (double)gain[j] * pre[j] + (double)shift[j];
    }
}

static void test_spread_of_pre_activations(void **state)
{
    (void)state;
    enum { INPUTS = 4, ROWS = 8, WIDTH = 5 };
    static const struct {
        activation_kind_t kind;
        double left, right;
    } kinds[] = {{ACTIVATION_SMELU, 0.75, 0.75}, {ACTIVATION_SWISH, 1 / 0.75, 1 / 0.75}, {ACTIVATION_GSMELU, 0.25, 0.75}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds * LAYER_NORM_COUNT; i++) {
        shape_t shape = {INPUTS, ROWS, 2, {WIDTH}};
        config_t config = config_of(&shape);
        config.model.activation = kinds[i / LAYER_NORM_COUNT].kind;
        config.model.beta = 0.75;
        config.model.gsmelu_alpha = 0.25;
        config.model.layer_norm = (int64_t)(i % LAYER_NORM_COUNT);
        config.model.activate_inputs = true;
        model_t *model;
        assert_int_equal(model_create(&config, 0, input_of_numbers(INPUTS), ROWS, &model), ST_OK);
        float x[ROWS * INPUTS], logits[ROWS];
        rng_fill_normal(x, ROWS * INPUTS, 1.0f, 7, i, 0);
        model_block_t block;
        for (int b = 0; model_block(model, b, &block); b++) /* gain and shift other than 1 and 0 */
            rng_fill_normal(model_values(model) + block.values, block.rows * block.width, 0.5f, 8, (uint64_t)b, 0);
        model_refresh(model);
        model_activated_t layer;
        assert_true(model_activated(model, 1, &layer) && isnan(layer.spread) && isnan(layer.inside_share));
        model_forward(model, logits, x, ROWS);
        model_observe(model, ROWS);
        double seen[ROWS * WIDTH], input[ROWS * INPUTS];
        for (int j = 0; j < ROWS * INPUTS; j++)
            input[j] = (double)x[j];
        for (int r = 0; r < ROWS; r++)
            pre_of_row(&config, model, x + r * INPUTS, INPUTS, WIDTH, seen + r * WIDTH);
        assert_true(model_activated(model, 0, &layer));
        expect_seen(&layer, input, ROWS * INPUTS, kinds[i / LAYER_NORM_COUNT].left, kinds[i / LAYER_NORM_COUNT].right);
        assert_true(model_activated(model, 1, &layer));
        expect_seen(&layer, seen, ROWS * WIDTH, kinds[i / LAYER_NORM_COUNT].left, kinds[i / LAYER_NORM_COUNT].right);
        model_destroy(&model);
    }
}

/* Widths that are found: over two lanes a step and two steps, by definition; then they stay. */
static void test_found_widths(void **state)
{
    (void)state;
    enum { INPUTS = 4, ROWS = 8, WIDTH = 5, LANES = 2, STEPS = 2, X = ROWS * INPUTS };
    for (int i = 0; i < 2 * LAYER_NORM_COUNT; i++) {
        shape_t shape = {INPUTS, ROWS, 2, {WIDTH}};
        config_t config = config_of(&shape);
        const bool is_sharp = i >= LAYER_NORM_COUNT;
        config.model.activation = is_sharp ? ACTIVATION_SWISH : ACTIVATION_SMELU;
        config.model.layer_norm = i % LAYER_NORM_COUNT;
        config.model.beta_spread = 1.5;
        config.model.beta_warmup = STEPS;
        model_t *model;
        assert_int_equal(model_create(&config, 0, input_of_numbers(INPUTS), ROWS, &model), ST_OK);
        const int n = (int)model_parameters(model);
        float x[X], logits[ROWS], dlogits[ROWS], *lane = MEM_ARRAY(float, n), *sum = MEM_ARRAY(float, n);
        double seen[STEPS * LANES * ROWS * WIDTH], input[STEPS * LANES * X];
        model_activated_t layer[2];
        for (int step = 0; step <= STEPS; step++) { /* one more than the warm-up */
            memset(sum, 0, (size_t)n * sizeof *sum);
            for (int g = 0; g < LANES; g++) {
                const int at = step * LANES + g;
                rng_fill_normal(x, X, 1.0f, 7, (uint64_t)at, 0);
                rng_fill_normal(dlogits, ROWS, 0.1f, 9, (uint64_t)at, 0);
                for (int j = 0; j < X && step < STEPS; j++)
                    input[at * X + j] = (double)x[j];
                for (int r = 0; r < ROWS && step < STEPS; r++)
                    pre_of_row(&config, model, x + r * INPUTS, INPUTS, WIDTH, seen + (at * ROWS + r) * WIDTH);
                model_forward(model, logits, x, ROWS);
                model_backward(model, lane, NULL, dlogits, ROWS);
                tree_add(sum, lane, n);
            }
            model_apply(model, sum);
            for (int l = 0; l < 2; l++)
                assert_true(model_activated(model, l, &layer[l]) && (step + 1 < STEPS) == (layer[l].beta == 0.5));
        }
        const double found[] = {1.5 * spread_of(input, STEPS * LANES * X), 1.5 * spread_of(seen, STEPS * LANES * ROWS * WIDTH)};
        for (int l = 0; l < 2; l++)
            assert_true(fabs(layer[l].beta - (is_sharp ? 1.0 / found[l] : found[l])) < 1e-5);
        mem_free(lane);
        mem_free(sum);
        model_destroy(&model);
    }
}

/* Exclusive or, which no network without a working hidden layer learns. */
static void test_model_learns(void **state)
{
    (void)state;
    enum { ROWS = 64 };
    shape_t shape = {2, ROWS, 3, {16, 8}};
    for (int i = 0; i < 2 * ACTIVATION_COUNT; i++) {
        config_t config = config_of(&shape);
        config.model.activation = i / 2;
        config.model.gsmelu = GSMELU_UNIT;
        config.model.layer_norm = i % 2 ? LAYER_NORM_AFFINE : LAYER_NORM_NONE;
        if (config.model.activation == ACTIVATION_IDENTITY)
            continue; /* a linear model, which cannot */
        config.model.activate_inputs = false;
        config.model.clip = 6.0;
        config.dense.learning_rate = 0.1;
        model_t *model;
        assert_int_equal(model_create(&config, 0, input_of_numbers(2), ROWS, &model), ST_OK);
        float x[ROWS * 2], y[ROWS], logits[ROWS], losses[ROWS], dparameters[512];
        assert_true(model_parameters(model) <= 512);
        for (int r = 0; r < ROWS; r++) {
            x[2 * r] = r & 1 ? 1.0f : -1.0f;
            x[2 * r + 1] = r & 2 ? 1.0f : -1.0f;
            y[r] = (float)((r ^ r >> 1) & 1);
        }
        double mean = 0.0;
        for (int step = 0; step < 200; step++) {
            model_forward(model, logits, x, ROWS);
            loss_logistic.value(losses, logits, y, ROWS);
            mean = 0.0;
            for (int r = 0; r < ROWS; r++)
                mean += losses[r] / ROWS;
            loss_probability(logits, logits, ROWS);
            loss_logistic.gradient(logits, logits, logits, y, ROWS, 1.0f / ROWS);
            model_backward(model, dparameters, NULL, logits, ROWS);
            model_apply(model, dparameters);
        }
        if (!(mean < 0.05)) /* log 2 = 0.69 at the start */
            fail_msg("%s: loss %g", activation_get(config.model.activation)->name, mean);
        model_destroy(&model);
    }
}

static void test_description(void **state)
{
    (void)state;
    shape_t shape = {208, 4, 4, {128, 64, 32}};
    config_t config = config_of(&shape);
    model_t *model;
    assert_int_equal(model_create(&config, 0, input_of_numbers(208), 4, &model), ST_OK);
    char *text = model_describe(model);
    assert_string_equal(text, "208 -> 128 -> 64 -> 32 -> 1, smelu(0.5)");
    assert_int_equal(model_flops(model), 6 * (208 * 128 + 128 * 64 + 64 * 32 + 32));
    mem_free(text);
    model_destroy(&model);

    config.model.activation = ACTIVATION_RELU;
    config.model.layer_norm = LAYER_NORM_PLAIN;
    config.model.weight_norm = 1.5;
    config.model.clip = 6.0;
    assert_int_equal(model_create(&config, 0, input_of_numbers(208), 4, &model), ST_OK);
    text = model_describe(model);
    assert_string_equal(text, "208 -> 128 -> 64 -> 32 -> 1, relu, layer norm, weight norm 1.5, clip 6");
    mem_free(text);
    model_destroy(&model);

    config.model.layer_activation = (config_ints_t){mixed, 3};
    config.model.layer_beta = (config_nums_t){mixed_betas, 3};
    config.model.gsmelu = GSMELU_LAYER;
    config.model.weight_norm_mode = WEIGHT_NORM_PROJECTED;
    config.model.layer_norm = LAYER_NORM_NONE;
    config.model.clip = 0.0;
    assert_int_equal(model_create(&config, 0, input_of_numbers(208), 4, &model), ST_OK);
    text = model_describe(model);
    assert_string_equal(text, "208 -> 128 -> 64 -> 32 -> 1, relu gsmelu(learned) swish(2) gsmelu(learned), weight norm 1.5 by "
                              "projection");
    mem_free(text);
    model_destroy(&model);
}

/* A sum of logits, whose gradient by them is 1, with units left out as at a step and places. */
static double sum_of_logits(model_t *model, const float *x, int rows, int inputs, int64_t step, int64_t first, int lane)
{
    double sum = 0.0;
    for (int r = 0; r < rows; r += lane) {
        float logits[8];
        model_drop(model, step, first + r);
        model_forward(model, logits, x + (int64_t)r * inputs, lane);
        for (int i = 0; i < lane; i++)
            sum += logits[i];
    }
    return sum;
}

/* Finite differences of that sum by all parameters, at step 3 and place 16. */
static void assert_slopes(model_t *model, const float *x, const float *dparameters)
{
    for (int64_t i = 0; i < model_parameters(model); i++) {
        float *value = model_values(model) + i;
        const float before = *value, h = 0.01f;
        *value = before + h;
        const double above = sum_of_logits(model, x, 8, 5, 3, 16, 8);
        *value = before - h;
        const double below = sum_of_logits(model, x, 8, 5, 3, 16, 8);
        *value = before;
        assert_true(fabs((above - below) / (2.0 * h) - dparameters[i]) < 2e-3 * fmax(fabs(dparameters[i]), 1.0));
    }
}

/* What is left out is the same in any lanes, another at another step, place or component, the configured share of units, and
 * nothing where no backward follows. Gradients are those of the thinned network: finite differences with the same units out. */
static void test_dropout(void **state)
{
    (void)state;
    shape_t shape = {5, 8, 3, {12, 7}};
    config_t config = config_of(&shape), whole = config_of(&shape);
    config.model.activation = whole.model.activation = ACTIVATION_SOFTPLUS;
    config.model.layer_norm = whole.model.layer_norm = LAYER_NORM_AFFINE;
    config.model.dropout = 0.4;
    model_t *model, *other, *plain;
    const input_shape_t input = {.columns = 5};
    assert_int_equal(model_create(&config, 0, input, 8, &model), ST_OK);
    assert_int_equal(model_create(&config, 1, input, 8, &other), ST_OK);
    assert_int_equal(model_create(&whole, 0, input, 8, &plain), ST_OK);
    float x[40], logits[8], plain_logits[8], ones[8], dx[2][40], dparameters[2][512];
    const int64_t n = model_parameters(model);
    assert_true(n <= 512);
    rng_fill_normal(x, 40, 1.0f, 1, 1, 0);
    for (int i = 0; i < 8; i++)
        ones[i] = 1.0f;
    memcpy(model_values(other), model_values(model), sizeof(float) * (size_t)n);
    model_refresh(other);

    model_forward_only(model, logits, x, 8);
    model_forward_only(plain, plain_logits, x, 8);
    assert_memory_equal(logits, plain_logits, sizeof logits);
    const double sum = sum_of_logits(model, x, 8, 5, 3, 16, 8);
    assert_true(sum == sum_of_logits(model, x, 8, 5, 3, 16, 2) && sum == sum_of_logits(model, x, 8, 5, 3, 16, 1));
    assert_true(sum != sum_of_logits(model, x, 8, 5, 4, 16, 8) && sum != sum_of_logits(model, x, 8, 5, 3, 17, 8));
    assert_true(sum != sum_of_logits(other, x, 8, 5, 3, 16, 8));

    int out = 0, width;
    for (int step = 0; step < 400; step++) {
        (void)sum_of_logits(model, x, 8, 5, step, 0, 8);
        const float *hidden = model_hidden(model, &width);
        for (int i = 0; i < 8 * width; i++)
            out += hidden[i] == 0.0f;
    }
    assert_true(fabs(out / (400.0 * 8 * 7) - 0.4) < 0.02); /* 6 standard errors */

    for (int halves = 0; halves < 2; halves++) {
        (void)sum_of_logits(model, x, 8, 5, 3, 16, 8);
        if (halves) {
            model_backward_inputs(model, dparameters[1], dx[1], ones, NULL, 8);
            model_backward_weights(model, dparameters[1], ones, 8);
        } else {
            model_backward(model, dparameters[0], dx[0], ones, 8);
        }
    }
    assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
    assert_memory_equal(dparameters[0], dparameters[1], sizeof(float) * (size_t)n);
    assert_slopes(model, x, dparameters[0]);
    model_destroy(&model);
    model_destroy(&other);
    model_destroy(&plain);
}

/* dense.clip_norm: the norm is of all gradients together; the step is then that of scaled ones, at the share of the rate. */
static void test_clipping_and_rates(void **state)
{
    (void)state;
    shape_t shape = {3, 4, 2, {2}};
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        config_t config = config_of(&shape), half = config_of(&shape);
        config.dense.optimizer = half.dense.optimizer = kind;
        config.dense.ftrl_beta = half.dense.ftrl_beta = 1.0;
        half.dense.learning_rate = 0.01;
        config.dense.clip_norm = 2.0;
        model_t *clipped, *plain;
        assert_int_equal(model_create(&config, 0, (input_shape_t){.columns = 3}, 4, &clipped), ST_OK);
        assert_int_equal(model_create(&half, 0, (input_shape_t){.columns = 3}, 4, &plain), ST_OK);
        assert_false(model_is_elementwise(clipped));
        model_scale_rates(clipped, 0.5, 77.0);
        for (int step = 0; step < 3; step++) {
            float g[11] = {0}, scaled[11] = {0};
            g[1] = step ? 3.0f : 0.5f, g[10] = step ? -4.0f : 0.5f; /* norms 0.7, 5, 5 */
            scaled[1] = step ? 1.2f : 0.5f, scaled[10] = step ? -1.6f : 0.5f;
            model_apply(clipped, g);
            model_apply(plain, scaled);
        }
        for (int i = 0; i < 11; i++)
            assert_true(fabsf(model_values(clipped)[i] - model_values(plain)[i]) < 1e-6f);
        model_destroy(&clipped);
        model_destroy(&plain);
    }
}

/* l2 and weight_decay pull at weights, and leave biases alone until they are told not to. */
static void test_biases_are_not_penalised(void **state)
{
    (void)state;
    shape_t shape = {3, 4, 2, {2}};
    for (int told = 0; told < 2; told++) {
        config_t config = config_of(&shape);
        config.dense.optimizer = OPTIMIZER_SGD;
        config.dense.l2 = 0.5;
        config.dense.weight_decay = 1.5;
        config.dense.learning_rate = 0.1;
        config.dense.penalise_biases = told;
        model_t *model;
        assert_int_equal(model_create(&config, 0, (input_shape_t){.columns = 3}, 4, &model), ST_OK);
        float g[11] = {0}, before[11];
        for (int i = 0; i < 11; i++)
            before[i] = model_values(model)[i] += 1.0f;
        model_apply(model, g);
        for (int i = 0; i < 11; i++) { /* W_1 [0, 6), b_1, W_2 [8, 10), b_2; l2 is of the weights before the decay */
            const bool bias = i == 6 || i == 7 || i == 10;
            assert_true(fabsf(model_values(model)[i] - before[i] * (bias && !told ? 1.0f : 0.8f)) < 1e-6f);
        }
        model_destroy(&model);
    }
}

static void test_no_inputs_is_an_error(void **state)
{
    (void)state;
    shape_t shape = {0, 4, 2, {8}};
    config_t config = config_of(&shape);
    model_t *model = NULL;
    catch_start();
    assert_int_equal(model_create(&config, 0, input_of_numbers(0), 4, &model), ST_INPUT);
    catch_stop();
    assert_caught("test: the network has 0 inputs; the dataset must have at least one column");
    assert_null(model);
    model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin_equals_finite_differences),
        cmocka_unit_test(test_model_equals_its_twin),
        cmocka_unit_test(test_other_shapes_equal_their_twins),
        cmocka_unit_test(test_clip_cuts_gradients),
        cmocka_unit_test(test_same_rows_same_bits),
        cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_apply_steps_row_by_row),
        cmocka_unit_test(test_learned_numbers_keep_their_bounds),
        cmocka_unit_test(test_input_set_without_dx),
        cmocka_unit_test(test_folded_weights_give_the_same_logits),
        cmocka_unit_test(test_projection_keeps_the_norm),
        cmocka_unit_test(test_share_of_clipped_values),
        cmocka_unit_test(test_spread_of_pre_activations),
        cmocka_unit_test(test_a_step_in_pieces),
        cmocka_unit_test(test_the_average_of_steps),
        cmocka_unit_test(test_found_widths),
        cmocka_unit_test(test_model_learns),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_clipping_and_rates),
        cmocka_unit_test(test_biases_are_not_penalised),
        cmocka_unit_test(test_no_inputs_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
