/* test_step - the compute of a step on one worker, without a cluster: workers that share a batch's lanes make the bits of
 * one that has them all; components that are trained elsewhere are seen and left alone; predictions are the mean of the
 * components'; an empty share adds nothing; what goes wrong ends the step. The gradients themselves are those of
 * tests/lib/oracle.h, see tests/sim. */
#include "worker/step.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/loss.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"

#define LANES 8
#define LANE_ROWS 6
#define BATCH (LANES * LANE_ROWS)
#define DIM 3
#define COMPONENTS 3
#define KEYS_MOST 400

typedef struct fixture {
    experiment_t *experiment;
    table_plan_t plan;
    sample_t *sample;
    dataset_t *dataset;
    batch_builder_t *builder;
} fixture_t;

static void setup(fixture_t *f, const char *settings)
{
    *f = (fixture_t){0};
    test_dir();
    char *text = mem_printf("defaults: 1\ndata: {path: none}\ntrain: {batch: %d, lanes: %d}\nembedding: {dim: %d}\n%s", BATCH,
                            LANES, DIM, settings);
    assert_int_equal(experiment_load(test_write("config.yaml", text), NULL, 0, &f->experiment), ST_OK);
    mem_free(text);
    table_plan_init(&f->plan, f->experiment->base, 3);
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = 8,
                                      .rows = BATCH,
                                      .single = 2,
                                      .multi = 1,
                                      .numeric = 1,
                                      .values = 30,
                                      .train_fraction = 1};
    f->sample = sample_create(&options);
    assert_int_equal(dataset_open(options.path, 1 << 20, &f->dataset), ST_OK);
    const uint16_t slot_shard[HASH_SLOTS] = {0};
    f->builder = batch_builder_create(f->dataset, 1, slot_shard, NULL);
}

static void teardown(fixture_t *f)
{
    batch_builder_destroy(&f->builder);
    dataset_close(&f->dataset);
    sample_destroy(&f->sample);
    table_plan_fini(&f->plan);
    experiment_destroy(&f->experiment);
}

/* Rows are a function of component and key; polls are counted and may fail. */
typedef struct source {
    float rows[COMPONENTS][KEYS_MOST][DIM];
    float bias;
    int polls, fail_at;
} source_t;

static void rows_of(void *context, const batch_t *batch, int component, const float **row)
{
    source_t *s = context;
    assert_true(batch->uniques <= KEYS_MOST);
    for (int u = 0; u < batch->uniques; u++) {
        for (int d = 0; d < DIM; d++)
            s->rows[component][u][d] = s->bias + (float)rng_normal((uint64_t)component, batch->keys[u], (uint64_t)d);
        row[u] = s->rows[component][u];
    }
}

static status_t poll_between(void *context)
{
    source_t *s = context;
    return ++s->polls == s->fail_at ? ST_PEER : ST_OK;
}

/* Examples first .. first + rows - 1 of the sample, which a worker with `lanes` lanes trains; what comes out is copied. */
typedef struct share {
    step_t *step;
    batch_t batch;
    float *gradient; /* [COMPONENTS][uniques][DIM] */
    status_t status;
} share_t;

/* from: the first of the worker's lanes, where its gradients are to be by parts; 0: they are all of one. */
static void train_lanes(fixture_t *f, share_t *share, int from, int first, int rows, int lanes, source_t *source, int own_first,
                        int own_end)
{
    *share = (share_t){0};
    const step_io_t io = {source, rows_of, poll_between};
    int64_t positions[BATCH];
    for (int i = 0; i < rows; i++)
        positions[i] = first + i;
    assert_int_equal(batch_build(f->builder, positions, rows, 3, &share->batch), ST_OK);
    if (from) {
        uint32_t part[TREE_PARTS_MAX + 1];
        int32_t row[TREE_PARTS_MAX + 1];
        const int parts = tree_parts((uint32_t)from, (uint32_t)(from + lanes), part);
        for (int i = 0; i <= parts; i++)
            row[i] = ((int32_t)part[i] - from) * LANE_ROWS;
        batch_split(f->builder, &share->batch, row, parts);
    }
    assert_int_equal(step_create(f->experiment->base, &f->plan, dataset_info(f->dataset), lanes, LANE_ROWS, 1, &share->step),
                     ST_OK);
    if (own_end)
        step_train_only(share->step, own_first, own_end);
    share->gradient = MEM_ARRAY(float, COMPONENTS *KEYS_MOST *DIM);
    share->status = step_train(share->step, &share->batch, BATCH, &io, &share->gradient);
    if (share->status == ST_OK)
        step_train_weights(share->step);
}

static void train_some(fixture_t *f, share_t *share, int first, int rows, int lanes, source_t *source, int own_first,
                       int own_end)
{
    train_lanes(f, share, 0, first, rows, lanes, source, own_first, own_end);
}

static void train(fixture_t *f, share_t *share, int first, int rows, int lanes, source_t *source)
{
    train_some(f, share, first, rows, lanes, source, 0, 0);
}

static void drop(share_t *share)
{
    step_destroy(&share->step);
    assert_null(share->step);
    batch_reset(&share->batch);
    mem_free(share->gradient);
}

static void test_shares_make_the_whole(void **state)
{
    (void)state;
    static source_t source;
    for (int rows = BATCH; rows >= 1; rows -= 11) { /* of the global batch: full, and shorter and shorter */
        fixture_t f;
        setup(&f, "model: {components: 3, hidden: [9, 5]}");
        share_t whole;
        train(&f, &whole, 0, rows, LANES, &source);
        f.experiment->base->train.pipeline_depth = rows & 1; /* at 0 weights of the last lane come late */
        assert_int_equal(whole.status, ST_OK);
        assert_int_equal(step_components(whole.step), COMPONENTS);
        const int64_t n = model_parameters(step_model(whole.step, 0));
        assert_int_equal(step_parameters(whole.step), COMPONENTS * n);
        for (int workers = 2; workers <= LANES; workers *= 2) {
            share_t share[LANES];
            const int size = BATCH / workers;
            for (int w = 0; w < workers; w++) {
                const int left = rows - w * size;
                train(&f, &share[w], w * size, left < 0 ? 0 : left < size ? left : size, LANES / workers, &source);
                assert_int_equal(share[w].status, ST_OK);
                if (share[w].batch.rows)
                    assert_memory_equal(step_predictions(share[w].step), step_predictions(whole.step) + w * size,
                                        sizeof(float) * (size_t)share[w].batch.rows);
            }
            for (int k = 0; k < COMPONENTS; k++) {
                for (int stride = 1; stride < workers; stride *= 2)
                    for (int w = 0; w < workers; w += 2 * stride)
                        for (int64_t i = 0; i < n; i++)
                            step_dense(share[w].step, k)[i] += step_dense(share[w + stride].step, k)[i];
                assert_memory_equal(step_dense(share[0].step, k), step_dense(whole.step, k), sizeof(float) * (size_t)n);
            }
            for (int w = 0; w < workers; w++)
                drop(&share[w]);
        }
        drop(&whole);
        teardown(&f);
    }
}

/* "Dense gradient of component k .. summed over the lanes of each of the batch's parts": the parts of two workers,
 * wherever their border is, are those of the tree of all lanes. */
static void test_parts_make_the_whole(void **state)
{
    (void)state;
    static source_t source;
    for (int border = 1; border < LANES; border++) {
        fixture_t f;
        setup(&f, "model: {components: 3, hidden: [9, 5]}");
        share_t whole, low, high;
        const int rows = BATCH - 3 * LANE_ROWS / 2; /* the last lane is empty, the one before it short */
        train(&f, &whole, 0, rows, LANES, &source);
        f.experiment->base->train.pipeline_depth = 0;
        train(&f, &low, 0, border * LANE_ROWS < rows ? border * LANE_ROWS : rows, border, &source);
        const int left = rows - border * LANE_ROWS;
        train_lanes(&f, &high, border, border * LANE_ROWS, left < 0 ? 0 : left, LANES - border, &source, 0, 0);
        uint32_t part[TREE_PARTS_MAX + 1], own[TREE_PARTS_MAX + 1];
        const int n_high = tree_parts((uint32_t)border, LANES, part), n_low = tree_parts(0, (uint32_t)border, own);
        const int64_t n = model_parameters(step_model(whole.step, 0));
        float *scratch = MEM_ARRAY(float, n *(tree_levels(LANES) + 1)), *sum = MEM_ARRAY(float, n);
        for (int k = 0; k < COMPONENTS && n_low == 1; k++) { /* low was told of no parts */
            tree_stack_t tree;
            tree_start(&tree, scratch, n);
            tree_push(&tree, 0, step_dense(low.step, k));
            for (int p = 0; p < n_high; p++)
                tree_push(&tree, part[p], step_dense(high.step, k) + p * n);
            tree_finish(&tree, sum);
            assert_memory_equal(sum, step_dense(whole.step, k), sizeof *sum * (size_t)n);
        }
        mem_free(scratch);
        mem_free(sum);
        drop(&whole);
        drop(&low);
        drop(&high);
        teardown(&f);
    }
}

/* "train components [first, end) and leave the others as they are: those go forward only": the gradients of some components are
 * their part of those that a worker of all makes, in the first places, and an update moves them and no others. */
static void test_components_of_others(void **state)
{
    (void)state;
    static source_t source;
    for (int own = 0; own < COMPONENTS; own++)
        for (int end = own + 1; end <= COMPONENTS; end++) {
            fixture_t f;
            setup(&f, "model: {components: 3, hidden: [9, 5]}\nobjective: {kind: codistill, weight: 0.7}");
            share_t all, some;
            train(&f, &all, 0, BATCH, LANES, &source);
            train_some(&f, &some, 0, BATCH, LANES, &source, own, end);
            assert_int_equal(some.status, ST_OK);
            const size_t floats = (size_t)(some.batch.uniques * DIM);
            assert_memory_equal(some.gradient, all.gradient + (size_t)own * floats,
                                (size_t)(end - own) * floats * sizeof(float));
            for (size_t i = (size_t)(end - own) * floats; i < COMPONENTS * floats; i++)
                assert_true(some.gradient[i] == 0.0f); /* nothing was written behind them */
            assert_memory_equal(step_predictions(some.step), step_predictions(all.step), BATCH * sizeof(float));
            assert_int_equal(3 * step_flops(some.step),
                             step_flops(all.step) * (3 * (end - own) + COMPONENTS - (end - own)) / COMPONENTS);
            step_t *still;
            assert_int_equal(step_create(f.experiment->base, &f.plan, dataset_info(f.dataset), LANES, LANE_ROWS, 1, &still),
                             ST_OK);
            step_add_noise(some.step, 5, 3);
            step_add_noise(all.step, 5, 3);
            step_apply(some.step);
            step_apply(all.step);
            for (int k = 0; k < COMPONENTS; k++) {
                const bool trained = k >= own && k < end;
                model_t *like = step_model(trained ? all.step : still, k), *unlike = step_model(trained ? still : all.step, k);
                const size_t bytes = (size_t)model_parameters(like) * sizeof(float);
                assert_memory_equal(model_values(step_model(some.step, k)), model_values(like), bytes);
                assert_true(memcmp(model_values(step_model(some.step, k)), model_values(unlike), bytes) != 0);
            }
            step_destroy(&still);
            drop(&all);
            drop(&some);
            teardown(&f);
        }
}

/* -0.0 everywhere: x + -0.0 is x for every x, so an empty share leaves no trace in the sum. */
static void test_an_empty_share_adds_nothing(void **state)
{
    (void)state;
    static source_t source;
    fixture_t f;
    setup(&f, "model: {components: 2, hidden: [4]}");
    share_t share;
    train(&f, &share, 0, 0, 2, &source);
    assert_int_equal(share.status, ST_OK);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < model_parameters(step_model(share.step, k)); i++)
            assert_true(step_dense(share.step, k)[i] == 0.0f && signbit(step_dense(share.step, k)[i]));
    drop(&share);
    teardown(&f);
}

static void check_predictions(const char *settings, bool of_logits, int components)
{
    static source_t source;
    fixture_t f;
    setup(&f, settings);
    share_t share;
    train(&f, &share, 0, BATCH, LANES, &source);
    float trained[BATCH];
    memcpy(trained, step_predictions(share.step), sizeof trained);
    const step_io_t io = {&source, rows_of, NULL};
    assert_int_equal(step_predict(share.step, &share.batch, &io), ST_OK);
    const float *p = step_predictions(share.step);
    assert_memory_equal(p, trained, sizeof trained); /* nothing was applied in between */
    for (int r = 0; r < BATCH; r++) {
        double mean = 0.0;
        for (int k = 0; k < components; k++) { /* one row at a time, inputs by hand */
            float x[3 * DIM + 1] = {0}, z, one;
            const sample_row_t *row = &f.sample->row[r];
            for (int d = 0; d < DIM; d++) {
                for (int field = 0; field < 2; field++)
                    x[field * DIM + d] = (float)rng_normal((uint64_t)k, row->single[field], (uint64_t)d);
                for (int i = 0; i < row->count[0]; i++)
                    x[2 * DIM + d] += (float)rng_normal((uint64_t)k, row->key[0][i], (uint64_t)d);
            }
            x[3 * DIM] = row->numeric[0];
            model_forward(step_model(share.step, k), &z, x, 1);
            loss_probability(&one, &z, 1);
            mean += (double)(of_logits ? z : one) / components;
        }
        assert_float_equal(p[r], of_logits ? 1.0 / (1.0 + exp(-mean)) : mean, 2e-6);
    }
    drop(&share);
    teardown(&f);
}

static void test_predictions_are_the_mean_of_the_components(void **state)
{
    (void)state;
    check_predictions("model: {components: 1, hidden: [6]}", false, 1);
    check_predictions("model: {components: 3, hidden: [6]}", false, 3);
    check_predictions("model: {components: 3, hidden: [6], combine: logit}", true, 3);
}

static void test_what_ends_a_step(void **state)
{
    (void)state;
    static source_t source;
    fixture_t f;
    setup(&f, "model: {components: 1, hidden: [6], clip: 0}");
    share_t share;
    source = (source_t){.fail_at = 3};
    train(&f, &share, 0, BATCH, LANES, &source);
    assert_int_equal(share.status, ST_PEER);
    assert_int_equal(source.polls, 3); /* it did not go on */
    drop(&share);
    source = (source_t){.bias = NAN};
    catch_start();
    train(&f, &share, 0, BATCH, LANES, &source);
    catch_stop();
    assert_int_equal(share.status, ST_INPUT);
    assert_caught("step 3: the loss of component 0 is ");
    assert_caught("the training diverged");
    drop(&share);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_make_the_whole),
        cmocka_unit_test(test_parts_make_the_whole),
        cmocka_unit_test(test_components_of_others),
        cmocka_unit_test(test_an_empty_share_adds_nothing),
        cmocka_unit_test(test_predictions_are_the_mean_of_the_components),
        cmocka_unit_test(test_what_ends_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
