/* test_loader - "global batch t is the same set of examples for every worker count, by construction of the data order": over
 * all workers and steps, every position of every epoch comes once and in the order of common/data/order.h; scoring covers a
 * split once; plans can be dropped and started anew; a dataset that cannot be read ends the plan with its error. */
#include "worker/loader.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"

#define ROWS 230
#define PATIENCE_MS 30000

typedef struct fixture {
    sample_t *sample;
    dataset_t *dataset;
    loader_t *loader;
    const char *scratch;
} fixture_t;

static bool is_beyond_cache; /* the dataset is larger than its cache, and examples are put in the order of visits */

static fixture_t setup(double train_fraction)
{
    fixture_t f = {0};
    test_dir();
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = 4,
                                      .rows = ROWS,
                                      .single = 2,
                                      .multi = 1,
                                      .numeric = 1,
                                      .values = 30,
                                      .train_fraction = train_fraction};
    f.sample = sample_create(&options);
    assert_int_equal(dataset_open(options.path, is_beyond_cache ? 4000 : 1 << 20, &f.dataset), ST_OK);
    f.scratch = is_beyond_cache ? test_path(".") : NULL;
    uint16_t slot_shard[HASH_SLOTS] = {0};
    assert_int_equal(loader_create(f.dataset, 1, slot_shard, NULL, &f.loader), ST_OK);
    return f;
}

static void teardown(fixture_t *f)
{
    loader_destroy(&f->loader);
    assert_null(f->loader);
    dataset_close(&f->dataset);
    sample_destroy(&f->sample);
}

static batch_t *next(loader_t *loader)
{
    batch_t *batch;
    assert_int_equal(loader_next(loader, PATIENCE_MS, &batch), ST_OK);
    return batch;
}

static batch_plan_t training(const fixture_t *f, lanes_t lanes, int worker, int workers, data_order_t order)
{
    return (batch_plan_t){.split = SPLIT_TRAIN,
                          .worker = worker,
                          .workers = workers,
                          .lanes = lanes,
                          .scratch = f->scratch,
                          .order = {order, 7, f->sample->train_rows, 32, 0, 1}};
}

/* Run a plan to its end and write down each example where its step and its worker's lanes put it in the global sequence. */
static int64_t place_examples(fixture_t *f, const batch_plan_t *plan, uint64_t *sequence)
{
    loader_start(f->loader, plan);
    int64_t t = plan->first_step, examples = 0;
    const int first_lane = lanes_first(&plan->lanes, plan->worker, plan->workers);
    for (batch_t *batch; (batch = next(f->loader)); t++) {
        assert_int_equal(batch->step, t);
        const int64_t first = t * plan->lanes.batch + first_lane * (plan->lanes.batch / plan->lanes.lanes);
        for (int r = 0; r < batch->rows; r++) {
            assert_true(first + r < plan->lanes.total);
            assert_int_equal(sequence[first + r], 0); /* it was not visited before */
            sequence[first + r] = batch->group[r];
        }
        examples += batch->rows;
        loader_recycle(f->loader, batch);
    }
    assert_int_equal(t, lanes_steps(&plan->lanes));
    assert_null(next(f->loader)); /* the end stays the end */
    return examples;
}

static void check_training(fixture_t *f, lanes_t lanes, int epochs, int workers, data_order_t order)
{
    const int n = f->sample->train_rows;
    uint64_t *sequence = MEM_ARRAY(uint64_t, lanes.total);
    int64_t examples = 0;
    for (int w = 0; w < workers; w++) {
        const batch_plan_t plan = training(f, lanes, w, workers, order);
        examples += place_examples(f, &plan, sequence);
    }
    assert_int_equal(examples, lanes.total);
    const order_t o = {order, 7, n, 32, 0, 1};
    for (int epoch = 0; epoch < epochs; epoch++) {
        bool seen[ROWS + 1] = {0};
        for (int i = 0; i < n && (int64_t)epoch * n + i < lanes.total; i++) {
            const uint64_t group = sequence[(int64_t)epoch * n + i];
            assert_int_equal(group, f->sample->train[order_index(&o, epoch, i)] + 1);
            assert_false(seen[group]);
            seen[group] = true;
        }
    }
    mem_free(sequence);
}

static void test_training_covers_every_epoch_once(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    static const int shapes[][2] = {{16, 4}, {64, 8}, {60, 4}, {8, 8}, {512, 4}, {1, 1}}; /* batch, lanes */
    const int n = f.sample->train_rows;
    assert_int_not_equal(3 * n % 16, 0); /* the last batch is partial */
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int workers = 1; workers <= shapes[i][1] && workers <= 5; workers++)
            for (int order = 0; order < ORDER_COUNT; order++)
                check_training(&f, (lanes_t){.batch = shapes[i][0], .total = 3 * n, .lanes = shapes[i][1]}, 3, workers,
                               (data_order_t)order);
    check_training(&f, (lanes_t){.batch = 16, .total = 5 * 16, .lanes = 4}, 3, 2, ORDER_FULL); /* train.max_steps */
    teardown(&f);
}

static void test_a_plan_begins_at_any_step(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    const lanes_t lanes = {.batch = 16, .total = 2 * f.sample->train_rows, .lanes = 4};
    uint64_t *whole = MEM_ARRAY(uint64_t, lanes.total), *rest = MEM_ARRAY(uint64_t, lanes.total);
    batch_plan_t plan = training(&f, lanes, 1, 2, ORDER_FULL);
    place_examples(&f, &plan, whole);
    for (int64_t first = 1; first <= lanes_steps(&lanes); first += 5) {
        memset(rest, 0, sizeof *rest * (size_t)lanes.total);
        plan.first_step = first;
        place_examples(&f, &plan, rest);
        for (int64_t i = 0; i < lanes.total; i++)
            assert_int_equal(rest[i], i < first * lanes.batch ? 0 : whole[i]);
    }
    mem_free(whole);
    mem_free(rest);
    teardown(&f);
}

/* Every worker scores its chunks of a split in stored order; together they score each example once. */
static void check_scoring(fixture_t *f, split_t split, int workers, int chunk)
{
    const int *positions = split == SPLIT_EVAL ? f->sample->eval : f->sample->train;
    const int rows = split == SPLIT_EVAL ? f->sample->eval_rows : f->sample->train_rows;
    int seen[ROWS] = {0}, total = 0;
    for (int w = 0; w < workers; w++) {
        const batch_plan_t plan = {.split = split, .worker = w, .workers = workers, .chunk = chunk};
        loader_start(f->loader, &plan);
        for (batch_t *batch; (batch = next(f->loader));) {
            assert_in_range(batch->rows, 1, chunk);
            assert_int_equal(batch->step / chunk % workers, w);
            for (int r = 0; r < batch->rows; r++, total++) {
                assert_int_equal(batch->group[r], positions[batch->step + r] + 1);
                assert_int_equal(seen[batch->step + r]++, 0);
            }
            loader_recycle(f->loader, batch);
        }
    }
    assert_int_equal(total, rows);
}

static void test_scoring_covers_a_split_once(void **state)
{
    (void)state;
    static const double fractions[] = {0.5, 0.999, 1.0, 0.0};
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        fixture_t f = setup(fractions[i]);
        for (int workers = 1; workers <= 5; workers++)
            for (int chunk = 1; chunk <= 64; chunk *= 4) {
                check_scoring(&f, SPLIT_EVAL, workers, chunk);
                check_scoring(&f, SPLIT_TRAIN, workers, chunk);
            }
        teardown(&f);
    }
}

static void test_plans_are_dropped_and_started_anew(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    const lanes_t lanes = {.batch = 16, .total = 2 * f.sample->train_rows, .lanes = 4};
    const order_t o = {ORDER_FULL, 7, f.sample->train_rows, 32, 0, 1};
    for (int round = 0; round < 60; round++) {
        const int workers = 1 << round % 3, w = round % workers, take = round % 7;
        const batch_plan_t plan = training(&f, lanes, w, workers, ORDER_FULL);
        loader_start(f.loader, &plan);
        for (int t = 0; t < take; t++) {
            batch_t *batch = next(f.loader);
            assert_int_equal(batch->step, t);
            assert_int_equal(batch->rows, 16 / workers);
            for (int r = 0; r < batch->rows; r++)
                assert_int_equal(batch->group[r], f.sample->train[order_index(&o, 0, t * 16 + w * 16 / workers + r)] + 1);
            if (t % 5 != 4) /* the last batches of a dropped plan may be out */
                loader_recycle(f.loader, batch);
            else
                break;
        }
    }
    teardown(&f); /* in the middle of a plan */
}

static void test_batches_that_are_out_are_left_alone(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    const lanes_t lanes = {.batch = 16, .total = 2 * f.sample->train_rows, .lanes = 4};
    const batch_plan_t plan = training(&f, lanes, 0, 1, ORDER_FULL);
    loader_start(f.loader, &plan);
    batch_t *out[3], *batch;
    uint64_t groups[3][16];
    for (int i = 0; i < 3; i++) {
        out[i] = next(f.loader);
        memcpy(groups[i], out[i]->group, sizeof groups[i]);
    }
    for (int64_t t = 3; t < lanes_steps(&lanes); t++) { /* three are always out */
        for (int i = 0; i < 3; i++) {
            assert_int_equal(out[i]->step, t - 3 + i);
            assert_memory_equal(out[i]->group, groups[i], sizeof *groups[i] * (size_t)out[i]->rows);
        }
        loader_recycle(f.loader, out[0]);
        memmove(out, out + 1, 2 * sizeof *out);
        memmove(groups, groups + 1, 2 * sizeof *groups);
        out[2] = next(f.loader);
        memcpy(groups[2], out[2]->group, sizeof *groups[2] * (size_t)out[2]->rows);
    }
    assert_null(next(f.loader));
    /* With every buffer out, nothing more can be prepared: the wait ends at its deadline, and goes on once one comes back. */
    loader_start(f.loader, &plan);
    batch_t *all[5];
    for (int i = 0; i < 5; i++)
        all[i] = next(f.loader);
    assert_int_equal(loader_next(f.loader, 20, &batch), ST_TIMEOUT);
    loader_recycle(f.loader, all[0]);
    assert_int_equal(next(f.loader)->step, 5);
    teardown(&f);
}

/* Flip a byte of the stored block that holds this row's group. */
static void damage(const char *path, uint64_t group)
{
    char *file = mem_printf("%s/data.mdb", path), *data;
    size_t bytes;
    int hits = 0;
    assert_int_equal(file_read(file, &data, &bytes), ST_OK);
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    const uint64_t pair[2] = {group, group + 1}; /* groups of neighbours lie side by side */
    for (size_t at = 0; at + sizeof pair <= bytes; at++)
        if (memcmp(data + at, pair, sizeof pair) == 0) {
            hits++;
            assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
            fputc(0x77, f);
        }
    assert_int_equal(fclose(f), 0);
    assert_true(hits > 0);
    mem_free(data);
    mem_free(file);
}

static void test_damaged_data_ends_the_plan(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    damage(f.sample->o.path, 100);
    catch_start();
    const lanes_t lanes = {.batch = 16, .total = f.sample->train_rows, .lanes = 4};
    const batch_plan_t plan = training(&f, lanes, 0, 1, ORDER_FULL);
    batch_t *batch = NULL;
    for (int round = 0; round < 2; round++) { /* a new plan tries anew */
        loader_start(f.loader, &plan);
        assert_int_equal(loader_next(f.loader, PATIENCE_MS, &batch), ST_CORRUPT);
        assert_int_equal(loader_next(f.loader, PATIENCE_MS, &batch), ST_CORRUPT);
    }
    catch_stop();
    assert_caught("checksum");
    assert_null(batch);
    teardown(&f);
}

/* ---- examples in the order of visits --------------------------------------------------------------------------------- */

static int go_beyond_cache(void **state)
{
    (void)state;
    is_beyond_cache = true;
    return 0;
}

static int stay_in_cache(void **state)
{
    (void)state;
    is_beyond_cache = false;
    return 0;
}

/* Everything proved above is proved again with a dataset that is larger than its cache; this says that it is another way. */
static void test_a_shuffle_beyond_the_cache_says_what_it_costs(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    const int64_t n = f.sample->train_rows;
    batch_plan_t plan = training(&f, (lanes_t){.batch = 16, .total = 2 * n, .lanes = 4}, 0, 1, ORDER_FULL);
    uint64_t *sequence = MEM_ARRAY(uint64_t, plan.lanes.total);
    log_set_level(LOG_INFO);
    catch_start();
    place_examples(&f, &plan, sequence);
    catch_stop();
    assert_caught("are put in the order of visits in");
    assert_caught("data.order window");
    assert_int_equal(dataset_cache_bytes(f.dataset), 4000); /* lent for the time of the training */

    catch_start();
    dataset_limit_cache(f.dataset, 1 << 20);
    memset(sequence, 0, sizeof *sequence * (size_t)plan.lanes.total);
    place_examples(&f, &plan, sequence); /* it fits */
    dataset_limit_cache(f.dataset, 4000);
    plan.order.kind = ORDER_CHRONOLOGICAL;
    memset(sequence, 0, sizeof *sequence * (size_t)plan.lanes.total);
    place_examples(&f, &plan, sequence); /* each block is decoded once */
    catch_stop();
    assert_string_equal(catch_text(), "");
    log_set_level(LOG_WARN);
    mem_free(sequence);
    teardown(&f);
}

static void test_scratch_that_is_no_help(void **state)
{
    (void)state;
    fixture_t f = setup(0.8);
    const int64_t n = f.sample->train_rows;
    batch_plan_t plan = training(&f, (lanes_t){.batch = 16, .total = 2 * n, .lanes = 4}, 0, 1, ORDER_FULL);
    uint64_t *sequence = MEM_ARRAY(uint64_t, plan.lanes.total);
    batch_t *batch = NULL;

    plan.scratch = "/proc"; /* which has no room: as if there were no scratch */
    catch_start();
    assert_int_equal(place_examples(&f, &plan, sequence), 2 * n);
    catch_stop();
    assert_caught("/proc has no room");

    plan.scratch = test_path("nowhere");
    catch_start();
    loader_start(f.loader, &plan);
    assert_int_equal(loader_next(f.loader, PATIENCE_MS, &batch), ST_INPUT);
    catch_stop();
    assert_caught("data.scratch");

    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit low = {4096, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    plan.scratch = f.scratch;
    catch_start();
    loader_start(f.loader, &plan);
    const status_t status = loader_next(f.loader, PATIENCE_MS, &batch);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, ST_SYSTEM);
    catch_stop();
    assert_caught("cannot be written in");
    mem_free(sequence);
    teardown(&f);
}

#define EVERY_TEST \
    cmocka_unit_test(test_training_covers_every_epoch_once), cmocka_unit_test(test_a_plan_begins_at_any_step), \
        cmocka_unit_test(test_scoring_covers_a_split_once), cmocka_unit_test(test_plans_are_dropped_and_started_anew), \
        cmocka_unit_test(test_batches_that_are_out_are_left_alone), cmocka_unit_test(test_damaged_data_ends_the_plan)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY_TEST};
    const struct CMUnitTest beyond_tests[] = {EVERY_TEST, cmocka_unit_test(test_a_shuffle_beyond_the_cache_says_what_it_costs),
                                              cmocka_unit_test(test_scratch_that_is_no_help)};
    log_set_level(LOG_WARN);
    const int failed = cmocka_run_group_tests_name("in the cache", tests, stay_in_cache, NULL);
    return failed + cmocka_run_group_tests_name("beyond the cache", beyond_tests, go_beyond_cache, NULL);
}
