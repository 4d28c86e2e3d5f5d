/* test_parts - what a network is put together from (worker/network/part.h). For networks that have every part of the table: the
 * gradient is that of the logits, by differences; what is written does not depend on what was there; blocks have names of their
 * own and cover all parameters; what is planned is what is made. For parts together: their logits add up, a part that hands a
 * matrix on makes the input of those behind it, and gradients find their way back, bit for bit what the parts give one by one.
 */
#include "tests/lib/testing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "worker/network/part.h"

#define INPUTS 6
#define ROWS 9

static const input_shape_t shape = {.columns = INPUTS, .fields = 2, .dim = 2, .numeric = 2};

/* Configurations whose networks together have all parts of the table, smooth enough for differences. A new part has a line
 * here. */
static const char *const configs[] = {
    "defaults: 1\nmodel: {hidden: [7, 4], activation: softplus, clip: 0}\n",
    "defaults: 1\nmodel: {hidden: [5], activation: softplus, clip: 0, parts: [mlp, linear]}\nlinear: {optimizer: sgd}\n",
    "defaults: 1\nmodel: {hidden: [5], activation: softplus, clip: 0, parts: [linear, fm, cross, mlp], cross_layers: 3}\n",
    "defaults: 1\nmodel: {hidden: [5], activation: softplus, clip: 0, parts: [linear, cross, mlp], cross_form: stacked, "
    "cross_rank: 2}\n",
    "defaults: 1\nmodel: {parts: [cross], cross_rank: 3, cross_layers: 1}\n",
    "defaults: 1\nmodel: {parts: [cross, fm]}\nembedding: {init_std: 1}\n",
    "defaults: 1\nmodel: {hidden: [5], activation: swish, activate_inputs: false, layer_norm: affine, clip: 0}\n",
};
#define CONFIGS ((int)(sizeof configs / sizeof *configs))

static experiment_t *load(const char *yaml)
{
    experiment_t *e = NULL;
    assert_int_equal(experiment_load(test_write("c.yaml", yaml), NULL, 0, &e), ST_OK);
    return e;
}

/* ---- a made-up part that hands on a matrix: y = g x, column by column, with one learned g for each --------------------- */

typedef struct scale_part {
    part_t part;
    const float *x;
} scale_part_t;

static void scale_plan(part_plan_t *plan, const config_t *config, input_shape_t input)
{
    (void)config;
    part_plan_add(plan, 1, input.columns, "scale %" PRId64, plan->parameters);
    plan->outputs = input.columns;
}

static part_t *scale_create(const part_setup_t *setup)
{
    scale_part_t *scale = MEM_NEW(scale_part_t);
    scale->part = (part_t){.inputs = setup->input.columns, .lane_rows = setup->lane_rows, .values = setup->values};
    for (int i = 0; i < setup->input.columns; i++)
        setup->values[i] = 0.5f + 0.25f * (float)i;
    return &scale->part;
}

static void scale_destroy(part_t *part)
{
    mem_free(part);
}

static void scale_forward(part_t *part, float *out, const float *x, int rows)
{
    ((scale_part_t *)part)->x = x;
    for (int i = 0; i < rows * part->inputs; i++)
        out[i] = part->values[i % part->inputs] * x[i];
}

static void scale_backward(part_t *part, float *dparameters, float *dx, const float *dout, const float *dhidden, int rows)
{
    const float *x = ((scale_part_t *)part)->x;
    assert_null(dhidden);
    memset(dparameters, 0, sizeof *dparameters * (size_t)part->inputs);
    for (int i = 0; i < rows * part->inputs; i++) {
        dparameters[i % part->inputs] += dout[i] * x[i];
        if (dx)
            dx[i] = part->values[i % part->inputs] * dout[i];
    }
}

static const part_ops_t part_scale = {
    .name = "scale",
    .plan = scale_plan,
    .create = scale_create,
    .destroy = scale_destroy,
    .forward = scale_forward,
    .backward = scale_backward,
};

/* ---- one network and its gradients ------------------------------------------------------------------------------------ */

typedef struct trial {
    model_t *model;
    int64_t n;
    float x[ROWS * INPUTS], logits[ROWS], dlogits[ROWS], dx[ROWS * INPUTS], *dparameters;
} trial_t;

static void start(trial_t *t, const part_ops_t *const *list, const config_t *config)
{
    *t = (trial_t){0};
    assert_int_equal(model_create_of(list, config, 0, shape, ROWS, &t->model), ST_OK);
    t->n = model_parameters(t->model);
    t->dparameters = MEM_ARRAY(float, t->n);
    rng_fill_normal(t->x, ROWS * INPUTS, 1.0f, 1, 1, 0);
    rng_fill_normal(t->dlogits, ROWS, 1.0f, 1, 2, 0);
}

/* Everything that is written is NAN before. */
static void run(trial_t *t, bool wants_dx)
{
    for (int64_t i = 0; i < t->n; i++)
        t->dparameters[i] = NAN;
    for (int i = 0; i < ROWS * INPUTS; i++)
        t->dx[i] = NAN;
    for (int r = 0; r < ROWS; r++)
        t->logits[r] = NAN;
    model_forward(t->model, t->logits, t->x, ROWS);
    model_backward(t->model, t->dparameters, wants_dx ? t->dx : NULL, t->dlogits, ROWS);
}

static void stop(trial_t *t)
{
    model_destroy(&t->model);
    mem_free(t->dparameters);
}

/* sum of dlogits times logits, of which the gradients are those that backward gives. */
static double total(trial_t *t)
{
    double sum = 0.0;
    model_refresh(t->model);
    model_forward(t->model, t->logits, t->x, ROWS);
    for (int r = 0; r < ROWS; r++)
        sum += (double)t->dlogits[r] * (double)t->logits[r];
    return sum;
}

/* By the five-point rule: with steps this wide the noise of f32 logits stays far below the tolerance. */
static double difference(trial_t *t, float *at)
{
    static const double weight[] = {1.0 / 12, -8.0 / 12, 0.0, 8.0 / 12, -1.0 / 12};
    const float h = 0x1p-7f, value = *at;
    double sum = 0.0;
    for (int i = 0; i < 5; i++) {
        *at = value + (float)(i - 2) * h;
        sum += i == 2 ? 0.0 : weight[i] * total(t);
    }
    *at = value;
    return sum / (double)h;
}

static void check_gradients(trial_t *t, const char *what)
{
    const int64_t n = t->n + ROWS * INPUTS;
    double *expected = MEM_ARRAY(double, n), square = 0.0;
    for (int64_t i = 0; i < t->n; i++) /* away from the zeros at which biases start */
        model_values(t->model)[i] += 0.1f * (float)rng_normal(2, 3, (uint64_t)i);
    for (int64_t i = 0; i < n; i++) {
        expected[i] = difference(t, i < t->n ? &model_values(t->model)[i] : &t->x[i - t->n]);
        square += expected[i] * expected[i] / (double)n;
    }
    model_refresh(t->model);
    run(t, true);
    assert_true(square > 1e-6);
    for (int64_t i = 0; i < n; i++) {
        const double got = (double)(i < t->n ? t->dparameters[i] : t->dx[i - t->n]);
        if (!(fabs(got - expected[i]) < 2e-3 * sqrt(square)))
            fail_msg("%s: %s %d: gradient %.9g, difference %.9g", what, i < t->n ? "parameter" : "input", (int)i, got,
                     expected[i]);
    }
    float *with = t->dparameters;
    t->dparameters = MEM_ARRAY(float, t->n);
    run(t, false); /* dx is not wanted */
    assert_memory_equal(t->dparameters, with, sizeof *with * (size_t)t->n);
    assert_true(isnan(t->dx[0]));
    mem_free(with);
    mem_free(expected);
}

static void test_gradients_of_every_part(void **state)
{
    (void)state;
    bool has[PARTS_MOST] = {0};
    for (int c = 0; c < 2 * CONFIGS; c++) { /* by OpenBLAS, then by products of our own */
        experiment_t *e = load(configs[c % CONFIGS]);
        e->base->kernels = c < CONFIGS ? KERNELS_OPENBLAS : KERNELS_OWN;
        const part_ops_t *list[PARTS_MOST + 1];
        part_list(e->base, list);
        trial_t t;
        start(&t, list, e->base);
        check_gradients(&t, configs[c % CONFIGS]);
        stop(&t);
        for (int i = 0; part_get(i); i++)
            for (int j = 0; list[j]; j++)
                has[i] |= list[j] == part_get(i);
        experiment_destroy(&e);
    }
    for (int i = 0; part_get(i); i++)
        if (!has[i])
            fail_msg("part %s is in none of this test's configurations", part_get(i)->name);
}

/* A few steps by one of our kernels: the parameters, which know of everything that was computed. */
static float *trained_by(const char *kernel, const config_t *config, int64_t *n)
{
    const part_ops_t *list[PARTS_MOST + 1];
    part_list(config, list);
    trial_t t;
    setenv(PRODUCT_ENVIRONMENT, kernel, 1);
    start(&t, list, config);
    unsetenv(PRODUCT_ENVIRONMENT);
    for (int step = 0; step < 3; step++) {
        run(&t, true);
        for (int i = 0; i < ROWS * INPUTS; i++)
            t.x[i] += 0x1p-7f * t.dx[i];
        model_apply(t.model, t.dparameters);
    }
    *n = t.n;
    float *values = MEM_ARRAY(float, t.n);
    memcpy(values, model_values(t.model), sizeof *values * (size_t)t.n);
    model_forward_only(t.model, t.logits, t.x, ROWS);
    for (int r = 0; r < ROWS; r++) { /* one by one as together */
        float logit;
        model_forward_only(t.model, &logit, t.x + r * INPUTS, 1);
        assert_true(logit == t.logits[r]);
    }
    stop(&t);
    return values;
}

static void test_own_kernels_train_alike(void **state)
{
    (void)state;
    for (int c = 0; c < CONFIGS; c++) {
        experiment_t *e = load(configs[c]);
        e->base->kernels = KERNELS_OWN;
        int64_t n;
        float *plain = trained_by("plain", e->base, &n);
        const product_kernel_t *kernel;
        for (int i = 0; (kernel = product_kernel_at(i)); i++) {
            if (!kernel->is_here())
                continue;
            float *values = trained_by(kernel->name, e->base, &n);
            assert_memory_equal(values, plain, sizeof *values * (size_t)n);
            mem_free(values);
        }
        mem_free(plain);
        experiment_destroy(&e);
    }
}

static void test_blocks_of_every_part(void **state)
{
    (void)state;
    for (int c = 0; c < CONFIGS; c++) {
        experiment_t *e = load(configs[c]);
        model_t *model, *sibling;
        assert_int_equal(model_create(e->base, 0, shape, ROWS, &model), ST_OK);
        assert_int_equal(model_create(e->base, 1, shape, ROWS, &sibling), ST_OK);
        model_block_t block, other;
        int64_t values = 0, floats = 0;
        for (int i = 0; model_block(model, i, &block); i++) {
            assert_true(block.values == values && block.state == floats);
            values += block.rows * block.width;
            floats += block.state_floats;
            for (int j = 0; j < i && model_block(model, j, &other); j++)
                assert_string_not_equal(block.name, other.name);
        }
        assert_true(values == model_parameters(model) && floats == model_state_count(model));
        const size_t bytes = sizeof(float) * (size_t)values;
        assert_memory_not_equal(model_values(model), model_values(sibling), bytes);
        const model_size_t size = model_size(e->base, shape);
        assert_true(size.parameters == values && size.state == floats && size.flops == model_flops(model) && size.flops > 0);
        char *text = model_describe(model);
        assert_true(strlen(text) > 0);
        mem_free(text);
        model_destroy(&model);
        model_destroy(&sibling);
        experiment_destroy(&e);
    }
}

/* ---- parts together --------------------------------------------------------------------------------------------------- */

static const part_ops_t *const alone[] = {&part_mlp, NULL};

static void test_logits_add_up(void **state)
{
    (void)state;
    static const part_ops_t *const pair[] = {&part_mlp, &part_mlp, NULL};
    experiment_t *e = load(configs[0]);
    trial_t one, two;
    start(&one, alone, e->base);
    start(&two, pair, e->base);
    assert_true(two.n == 2 * one.n);
    run(&one, true);
    run(&two, true);
    /* Twins, since initial values know neither place nor neighbours: twice what one of them says. */
    const size_t bytes = sizeof(float) * (size_t)one.n;
    assert_memory_equal(two.dparameters, one.dparameters, bytes);
    assert_memory_equal(two.dparameters + one.n, one.dparameters, bytes);
    for (int r = 0; r < ROWS; r++)
        assert_true(two.logits[r] == 2.0f * one.logits[r]);
    for (int i = 0; i < ROWS * INPUTS; i++)
        assert_true(two.dx[i] == 2.0f * one.dx[i]);
    assert_true(model_flops(two.model) == 2 * model_flops(one.model));
    char *text = model_describe(two.model);
    assert_string_equal(text, "6 -> 7 -> 4 -> 1, softplus(1) + 6 -> 7 -> 4 -> 1, softplus(1)");
    mem_free(text);
    stop(&one);
    stop(&two);
    experiment_destroy(&e);
}

static void test_a_part_behind_another(void **state)
{
    (void)state;
    static const part_ops_t *const stack[] = {&part_scale, &part_mlp, NULL};
    experiment_t *e = load(configs[0]);
    trial_t one, two;
    start(&one, alone, e->base);
    start(&two, stack, e->base);
    assert_true(two.n == INPUTS + one.n);
    const float *g = model_values(two.model);
    float x[ROWS * INPUTS];
    memcpy(x, one.x, sizeof x);
    for (int i = 0; i < ROWS * INPUTS; i++)
        one.x[i] *= g[i % INPUTS];
    run(&one, true);
    run(&two, true);
    assert_memory_equal(two.logits, one.logits, sizeof one.logits);
    assert_memory_equal(two.dparameters + INPUTS, one.dparameters, sizeof(float) * (size_t)one.n);
    float dg[INPUTS] = {0};
    for (int i = 0; i < ROWS * INPUTS; i++) {
        assert_true(two.dx[i] == g[i % INPUTS] * one.dx[i]);
        dg[i % INPUTS] += one.dx[i] * x[i];
    }
    assert_memory_equal(two.dparameters, dg, sizeof dg);
    stop(&one);
    stop(&two);
    experiment_destroy(&e);
}

static void test_gradients_of_parts_together(void **state)
{
    (void)state;
    static const part_ops_t *const lists[][6] = {
        {&part_mlp, &part_scale, &part_mlp, &part_mlp, NULL},
        {&part_scale, &part_scale, &part_mlp, NULL},
        {&part_scale, &part_mlp, &part_scale, &part_mlp, NULL},
        {&part_linear, &part_scale, &part_linear, &part_mlp, NULL},
        {&part_linear, &part_linear, NULL},
    };
    experiment_t *e = load(configs[0]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        trial_t t;
        start(&t, lists[i], e->base);
        check_gradients(&t, "parts together");
        stop(&t);
    }
    experiment_destroy(&e);
}

/* Blocks have their own optimizers, and a network without columns is one where there are fields: a bias. */
static void test_linear_part(void **state)
{
    (void)state;
    experiment_t *e = load("model: {parts: [linear]}\nlinear: {optimizer: sgd, learning_rate: 0.5}\n");
    model_t *model;
    float z[2], dz[2] = {0.25f, 0.5f}, d[3], x[2] = {2.0f, -1.0f};
    for (int numeric = 0; numeric < 2; numeric++) {
        assert_int_equal(model_create(e->base, 0, (input_shape_t){numeric, 3, 0, numeric}, 2, &model), ST_OK);
        assert_int_equal(model_parameters(model), 1 + numeric);
        assert_int_equal(model_state_count(model), 0);
        model_forward(model, z, x, 2);
        assert_true(z[0] == 0.0f && z[1] == 0.0f);
        model_backward(model, d, NULL, dz, 2);
        model_apply(model, d);
        model_forward_only(model, z, x, 2);
        const float bias = -0.5f * 0.75f, w = numeric ? -0.5f * (2.0f * 0.25f - 0.5f) : 0.0f;
        assert_true(z[0] == bias + 2.0f * w && z[1] == bias - w);
        model_destroy(&model);
    }
    experiment_destroy(&e);
}

static void test_inputs_that_a_part_refuses(void **state)
{
    (void)state;
    static const struct {
        input_shape_t shape;
        const char *why;
    } cases[] = {
        {{8, 2, 0, 0}, "they have different widths; give all the same width, or leave out fm"},
        {{4, 1, 4, 0}, "multiplies fields with one another, and the dataset has one alone; leave out fm"},
        {{1, 0, 0, 1}, "multiplies fields with one another, and the dataset has one alone; leave out fm"},
    };
    experiment_t *e = load("defaults: 1\nmodel: {parts: [linear, fm]}\n");
    model_t *model = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        catch_start();
        assert_int_equal(model_create(e->base, 0, cases[i].shape, 2, &model), ST_INPUT);
        assert_caught(cases[i].why);
        catch_stop();
    }
    experiment_destroy(&e);
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *words;
    } cases[] = {
        {"defaults: 1\nmodel: {parts: [linear, fm, cross, mlp], hidden: [4]}\n",
         "linear + fm of 4 x 2 + cross 2 x 6 + 6 -> 4 -> 1, relu, clip 6"},
        {"defaults: 1\nmodel: {parts: [mlp, cross], hidden: [4], cross_form: stacked, cross_rank: 3}\n",
         "cross 2 x 6 of rank 3, then 6 -> 4 -> 1, relu, clip 6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = load(cases[i].yaml);
        model_t *model;
        assert_int_equal(model_create(e->base, 0, shape, 2, &model), ST_OK);
        char *text = model_describe(model);
        assert_string_equal(text, cases[i].words);
        mem_free(text);
        model_destroy(&model);
        experiment_destroy(&e);
    }
}

/* Objectives that look at hidden outputs see those of the first part that has some, and it alone gets their gradient. */
static void test_hidden_outputs(void **state)
{
    (void)state;
    static const part_ops_t *const three[] = {&part_scale, &part_mlp, &part_mlp, NULL};
    experiment_t *e = load(configs[0]);
    trial_t t;
    start(&t, three, e->base);
    for (int i = 0; i < INPUTS; i++)
        model_values(t.model)[i] = 1.0f; /* so that x is what the MLPs see */
    trial_t one;
    start(&one, alone, e->base);
    int width, width_one;
    float dhidden[ROWS * 4], nothing[ROWS] = {0};
    rng_fill_normal(dhidden, ROWS * 4, 1.0f, 1, 3, 0);
    model_forward(t.model, t.logits, t.x, ROWS);
    model_forward(one.model, one.logits, one.x, ROWS);
    const float *hidden = model_hidden(t.model, &width), *expected = model_hidden(one.model, &width_one);
    assert_true(width == 4 && width_one == 4);
    assert_memory_equal(hidden, expected, sizeof dhidden);
    model_backward_hidden(t.model, t.dparameters, NULL, nothing, dhidden, ROWS);
    model_backward_hidden(one.model, one.dparameters, NULL, nothing, dhidden, ROWS);
    assert_memory_equal(t.dparameters + INPUTS, one.dparameters, sizeof(float) * (size_t)one.n);
    for (int64_t i = INPUTS + one.n; i < t.n; i++)
        assert_true(t.dparameters[i] == 0.0f);
    stop(&t);
    stop(&one);
    experiment_destroy(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_of_every_part),
        cmocka_unit_test(test_own_kernels_train_alike),
        cmocka_unit_test(test_blocks_of_every_part),
        cmocka_unit_test(test_logits_add_up),
        cmocka_unit_test(test_a_part_behind_another),
        cmocka_unit_test(test_gradients_of_parts_together),
        cmocka_unit_test(test_linear_part),
        cmocka_unit_test(test_inputs_that_a_part_refuses),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_hidden_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
