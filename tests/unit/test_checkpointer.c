/* test_checkpointer - rank 0's part of checkpoints (launcher/checkpoint/checkpointer.h), with made-up messages: "the parts of
 * the cut arrive on their own, in any order between senders" - every order commits at the last part and not before; "cuts are
 * committed in the order of their steps"; "of more than `keep` checkpoints the oldest loses its manifest; shards are told to
 * FOLD"; requests from outside and by the clock; parts that fit no cut are refused. */
#include "launcher/checkpoint/checkpointer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/net/message.h"
#include "common/net/net_sim.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "tests/lib/testing.h"

enum { WORKERS = 2, SHARDS = 2, COMPONENTS = 2, STEPS = 100 };

typedef struct fixture {
    net_sim_world_t *world;
    net_t *net, *worker[WORKERS], *shard[SHARDS];
    run_events_t *events;
    checkpoint_manifest_t run;
    checkpointer_t *checkpointer;
    const char *dir;
} fixture_t;

/* The system's disk without its slowest part; what survives a crash is another test's matter. */
static status_t sync_nothing(disk_file_t *file)
{
    (void)file;
    return ST_OK;
}

static status_t sync_no_dir(disk_t *disk, const char *path)
{
    (void)disk;
    (void)path;
    return ST_OK;
}

static status_t make_dir(disk_t *disk, const char *path)
{
    (void)disk;
    return dir_create(path);
}

static int64_t disk_room; /* what the disk says is free */
static int appends_left;  /* before it is full */
static int64_t period;    /* of the cuts that workers make by themselves; 0: none */

static int64_t free_bytes(disk_t *disk, const char *path)
{
    (void)disk;
    (void)path;
    return disk_room;
}

static status_t append(disk_file_t *file, const void *data, size_t bytes)
{
    return appends_left-- > 0 ? disk_posix()->ops->append(file, data, bytes) : FAIL(ST_SYSTEM, "the disk is full");
}

static disk_t *quick_disk(void)
{
    static disk_ops_t ops;
    static disk_t disk = {&ops};
    ops = *disk_posix()->ops;
    ops.free_bytes = free_bytes;
    ops.append = append;
    ops.sync = sync_nothing;
    ops.sync_dir = sync_no_dir;
    ops.make_dir = make_dir;
    return &disk;
}

static checkpointer_options_t options_of(fixture_t *f)
{
    return (checkpointer_options_t){
        .net = f->net,
        .events = f->events,
        .disk = quick_disk(),
        .run_dir = f->dir,
        .run = &f->run,
        .run_id = 9,
        .first_worker = 3,
        .workers = WORKERS,
        .reporting = {.workers = WORKERS},
        .groups = 1,
        .dense_floats = 3,
        .boundary = 1,
        .period = period,
        .keep = 2,
    };
}

static void connect_all(fixture_t *f)
{
    disk_room = INT64_MAX;
    appends_left = INT32_MAX;
    *f = (fixture_t){
        .world = net_sim_world_create(1, 5),
        .run = {.experiment = "e",
                .variant = "v",
                .determinism = "invariant",
                .build = "b",
                .kernels = "k",
                .config = "name: x\n",
                .steps = STEPS,
                .depth = 1,
                .workers = WORKERS,
                .servers = 2,
                .shards_per_server = 1,
                .tables = 3,
                .components = COMPONENTS,
                .incarnation = 1,
                .config_hash = 77},
        .dir = test_path("run"),
    };
    assert_int_equal(dir_remove_tree(f->dir), ST_OK);
    assert_int_equal(dir_create(f->dir), ST_OK);
    f->net = net_sim_attach(f->world, 0);
    for (int w = 0; w < WORKERS; w++) {
        f->worker[w] = net_sim_attach(f->world, 3 + w);
        net_sim_dial(f->worker[w], 0, f->net);
    }
    for (int s = 0; s < SHARDS; s++) {
        f->shard[s] = net_sim_attach(f->world, 10 + s);
        net_sim_dial(f->net, PEER_SHARD(s), f->shard[s]);
    }
}

static void setup(fixture_t *f, int64_t every)
{
    connect_all(f);
    period = every;
    f->run.depth = every == 1 ? 0 : 1;
    f->events = run_events_create(NULL);
    const checkpointer_options_t options = options_of(f);
    assert_int_equal(checkpointer_create(&options, &f->checkpointer), ST_OK);
}

static void teardown(fixture_t *f)
{
    checkpointer_destroy(&f->checkpointer);
    assert_null(f->checkpointer);
    run_events_destroy(&f->events);
    for (int w = 0; w < WORKERS; w++)
        net_close(&f->worker[w]);
    for (int s = 0; s < SHARDS; s++)
        net_close(&f->shard[s]);
    net_close(&f->net);
    net_sim_world_destroy(&f->world);
}

static net_message_t message_of(wire_type_t type, int64_t step, uint32_t table, const void *data, int64_t bytes)
{
    net_message_t m = {.header = wire_header(type, 9, 1, 0, step, 0), .frames = data ? 1 : 0, .frame = {{data, bytes}}};
    m.header.table = table;
    return m;
}

static status_t put_cut(fixture_t *f, int worker, int64_t step)
{
    const message_counters_t counters = {.examples = 100 + worker, .seconds = 2.0 + worker, .cpu_seconds = 1};
    const net_message_t m = message_of(WIRE_CUT, step, 0, &counters, sizeof counters);
    return checkpointer_put_worker(f->checkpointer, worker, &m);
}

static status_t put_dense(fixture_t *f, uint32_t component, int64_t step)
{
    const float values[] = {(float)step, (float)component, 3};
    const net_message_t m = message_of(WIRE_CUT_DENSE, step, component, values, sizeof values);
    return checkpointer_put_worker(f->checkpointer, 0, &m);
}

static status_t put_prepared(fixture_t *f, int shard, int64_t step)
{
    const message_prepared_t body = {
        .rows = 10 + shard, .pending = 2, .bytes = 1000, .checksum_low = 5, .checksum_high = 6, .cpu_seconds = 10};
    const net_message_t m = message_of(WIRE_PREPARED, step, 0, &body, sizeof body);
    return checkpointer_put_shard(f->checkpointer, shard, &m);
}

static status_t put_folded(fixture_t *f, int shard, int64_t step)
{
    const net_message_t m = message_of(WIRE_FOLDED, step, 0, NULL, 0);
    return checkpointer_put_shard(f->checkpointer, shard, &m);
}

static status_t put_answer(fixture_t *f, int worker, int64_t step)
{
    const net_message_t m = message_of(WIRE_SAVE, step, 0, NULL, 0);
    return checkpointer_put_worker(f->checkpointer, worker, &m);
}

/* The parts of a cut: 2 CUT, 2 CUT_DENSE, 2 PREPARED. */
enum { PARTS = 6 };

/* Dense parameters come before the CUT of the worker that sends them. */
static void put_part(fixture_t *f, int part, int64_t step)
{
    const status_t status = part < 2   ? put_cut(f, part, step)
                            : part < 4 ? put_dense(f, (uint32_t)part - 2, step)
                                       : put_prepared(f, part - 4, step);
    assert_int_equal(status, ST_OK);
}

static void put_all(fixture_t *f, int64_t step)
{
    for (int part = PARTS - 1; part >= 0; part--)
        put_part(f, part, step);
}

static bool is_committed(const fixture_t *f, int64_t step)
{
    char *folder = checkpoint_step_path(f->dir, 1, step), *path = mem_printf("%s/manifest.json", folder);
    const bool is = file_exists(path);
    mem_free(path);
    mem_free(folder);
    return is;
}

/* The next message to a worker or shard must be of this type and step. */
static void expect_message(net_t *net, wire_type_t type, int64_t step, int64_t count)
{
    net_message_t m;
    assert_int_equal(net_receive(net, &m, 1000), ST_OK);
    assert_int_equal(m.header.type, type);
    assert_int_equal(m.header.step, step);
    assert_int_equal(m.header.count, count);
    assert_int_equal(m.header.incarnation, 1);
    assert_int_equal(m.header.run_id, 9);
    net_release(net, &m);
}

static void expect_nothing(net_t *net)
{
    net_message_t m;
    assert_int_equal(net_receive(net, &m, 100), ST_TIMEOUT);
}

static void check_manifest(const fixture_t *f, int64_t step)
{
    checkpoint_manifest_t m;
    char *folder = checkpoint_step_path(f->dir, 1, step), *dense;
    assert_int_equal(checkpoint_manifest_read(disk_posix(), folder, &m), ST_OK);
    assert_int_equal(m.step, step);
    assert_int_equal(m.incarnation, 1);
    assert_int_equal(m.config_hash, 77);
    assert_string_equal(m.config, "name: x\n");
    assert_int_equal(checkpoint_manifest_rows(&m), 21);
    assert_int_equal(m.shards[1].checksum_high, 6);
    assert_int_equal(m.totals.examples, 201);
    assert_true(m.totals.train_seconds == 3.0);
    assert_true(m.totals.cpu_seconds >= 22.0);
    assert_int_equal(m.deltas[m.n_deltas - 1], step);
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "dense-1.f32", &m.dense[1], &dense), ST_OK);
    const float expected[] = {(float)step, 1, 3};
    assert_memory_equal(dense, expected, sizeof expected);
    mem_free(dense);
    mem_free(folder);
    checkpoint_manifest_fini(&m);
}

static void permute(fixture_t *f, int *order, int n)
{
    if (n < PARTS) {
        for (int i = n; i < PARTS; i++) {
            int swap = order[n];
            order[n] = order[i];
            order[i] = swap;
            permute(f, order, n + 1);
            order[i] = order[n];
            order[n] = swap;
        }
        return;
    }
    int place[PARTS];
    for (int i = 0; i < PARTS; i++)
        place[order[i]] = i;
    if (place[2] > place[0] || place[3] > place[0])
        return; /* what a worker sends comes in order */
    setup(f, 40);
    for (int i = 0; i < PARTS; i++) {
        assert_false(is_committed(f, 40));
        assert_int_equal(checkpointer_is_idle(f->checkpointer), i == 0);
        put_part(f, order[i], 40);
    }
    assert_true(is_committed(f, 40));
    assert_true(checkpointer_is_idle(f->checkpointer));
    check_manifest(f, 40);
    teardown(f);
}

static void test_every_order_of_parts_commits_at_the_last(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    int order[PARTS] = {0, 1, 2, 3, 4, 5};
    log_set_level(LOG_WARN);
    permute(&f, order, 0);
    log_set_level(LOG_INFO);
}

static void test_cuts_are_committed_in_the_order_of_steps(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 10);
    put_part(&f, 4, 10); /* shard 0 is two cuts ahead of shard 1 */
    put_part(&f, 4, 20);
    for (int part = 3; part >= 0; part--)
        put_part(&f, part, 10);
    for (int part = 3; part >= 0; part--)
        put_part(&f, part, 20);
    assert_false(is_committed(&f, 10));
    put_part(&f, 5, 10);
    assert_true(is_committed(&f, 10));
    assert_false(is_committed(&f, 20));
    put_part(&f, 5, 20);
    assert_true(is_committed(&f, 20));
    assert_int_equal(checkpointer_committed(f.checkpointer), 2);
    assert_int_equal(checkpointer_last_step(f.checkpointer), 20);
    teardown(&f);
}

static void test_the_oldest_is_revoked_folded_and_removed(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 10);
    put_all(&f, 10);
    put_all(&f, 20);
    assert_true(is_committed(&f, 10));
    expect_nothing(f.shard[0]);
    put_all(&f, 30);
    assert_true(is_committed(&f, 30));
    assert_false(is_committed(&f, 10));
    for (int s = 0; s < SHARDS; s++)
        expect_message(f.shard[s], WIRE_FOLD, 20, 0);
    put_all(&f, 40); /* while shards fold, nothing is committed */
    assert_false(is_committed(&f, 40));
    char *dropped = checkpoint_step_path(f.dir, 1, 10);
    assert_int_equal(put_folded(&f, 0, 20), ST_OK);
    assert_false(is_committed(&f, 40));
    assert_true(file_exists(dropped));
    assert_int_equal(put_folded(&f, 1, 20), ST_OK);
    assert_false(file_exists(dropped));
    mem_free(dropped);
    assert_true(is_committed(&f, 40));
    assert_false(is_committed(&f, 20));
    checkpoint_manifest_t m;
    char *folder = checkpoint_step_path(f.dir, 1, 40);
    assert_int_equal(checkpoint_manifest_read(disk_posix(), folder, &m), ST_OK);
    assert_int_equal(m.n_deltas,
                     3); /* what all bases hold, by which a shard finds out that it has one, and what comes after it */
    assert_int_equal(m.deltas[0], 20);
    assert_int_equal(m.deltas[2], 40);
    checkpoint_manifest_fini(&m);
    mem_free(folder);
    teardown(&f);
}

/* Cuts that come faster than they are committed do not pile up: complete ones are passed over, and the next manifest names
 * their deltas. */
static void test_cuts_that_come_too_fast_are_passed_over(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 1);
    for (int64_t step = 1; step <= 72; step++) /* shards fold from the third on */
        put_all(&f, step);
    for (int s = 0; s < SHARDS; s++)
        assert_int_equal(put_folded(&f, s, 2), ST_OK);
    for (int64_t step = 4; step <= 72; step++)
        assert_int_equal(is_committed(&f, step), step == 41);
    checkpoint_manifest_t m;
    char *folder = checkpoint_step_path(f.dir, 1, 41);
    assert_int_equal(checkpoint_manifest_read(disk_posix(), folder, &m), ST_OK);
    assert_int_equal(m.n_deltas, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(m.deltas[i], 2 + i);
    checkpoint_manifest_fini(&m);
    mem_free(folder);
    teardown(&f);
}

/* A start after a crash: what it resumed from is dropped when `keep` newer ones are there, and its incarnation with it. */
static void test_earlier_incarnations_go_oldest_first(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 10);
    put_all(&f, 10);
    put_all(&f, 20);
    checkpointer_destroy(&f.checkpointer);
    char *empty = checkpoint_shard_path(f.dir, 2, 0), *first = checkpoint_incarnation_path(f.dir, 1);
    assert_int_equal(dir_create(empty), ST_OK); /* a start that died before its first checkpoint */
    f.run.incarnation = 3;
    period = 5;
    checkpointer_options_t options = options_of(&f);
    options.first_step = 20;
    options.earlier.examples = 5000;
    assert_int_equal(checkpointer_create(&options, &f.checkpointer), ST_OK);
    assert_false(file_exists(empty));
    uint32_t next;
    assert_int_equal(checkpoint_resume_incarnation(disk_posix(), f.dir, &next), ST_OK);
    assert_int_equal(next, 4); /* even if this start dies now, and no shard is on this host */
    put_all(&f, 25);
    assert_false(is_committed(&f, 10));
    assert_true(is_committed(&f, 20));
    expect_nothing(f.shard[0]); /* an earlier incarnation is not folded */
    put_all(&f, 30);
    assert_false(file_exists(first));
    checkpoint_catalog_t catalog;
    assert_int_equal(checkpoint_catalog_read(disk_posix(), f.dir, &catalog), ST_OK);
    assert_int_equal(catalog.n, 2);
    assert_int_equal(catalog.incarnations, 4);
    assert_int_equal(catalog.at[1].step, 30);
    checkpoint_catalog_fini(&catalog);
    checkpoint_manifest_t m;
    char *folder = checkpoint_step_path(f.dir, 3, 30);
    assert_int_equal(checkpoint_manifest_read(disk_posix(), folder, &m), ST_OK);
    assert_int_equal(m.totals.examples, 5201);
    checkpoint_manifest_fini(&m);
    mem_free(folder);
    mem_free(empty);
    mem_free(first);
    checkpointer_t *second = NULL;
    f.run.incarnation = 2;
    catch_start();
    assert_int_equal(checkpointer_create(&options, &second), ST_INPUT);
    catch_stop();
    assert_caught("holds checkpoints of incarnation 3, this start is incarnation 2");
    teardown(&f);
}

static void expect_save(fixture_t *f, int64_t step, int64_t stop)
{
    for (int w = 0; w < WORKERS; w++)
        expect_message(f->worker[w], WIRE_SAVE, step, stop);
}

static void test_a_request_takes_the_latest_answer(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 0);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_nothing(f.worker[0]);
    checkpointer_request(f.checkpointer, false);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_save(&f, -1, 0);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK); /* one at a time */
    assert_int_equal(put_answer(&f, 1, 33), ST_OK);
    expect_nothing(f.worker[0]);
    assert_int_equal(put_answer(&f, 0, 32), ST_OK);
    expect_save(&f, 33, 0);
    checkpointer_request(f.checkpointer, true); /* served after this one */
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_nothing(f.worker[0]);
    put_all(&f, 33);
    assert_true(is_committed(&f, 33));
    assert_false(checkpointer_is_stopped(f.checkpointer));
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_save(&f, -1, 0);
    for (int w = 0; w < WORKERS; w++)
        assert_int_equal(put_answer(&f, w, 40), ST_OK);
    expect_save(&f, 40, 1);
    put_all(&f, 40);
    assert_true(checkpointer_is_stopped(f.checkpointer));
    teardown(&f);
}

/* A wish to stop joins the request to save under way; one that comes after that changes nothing. */
static void test_a_stop_joins_a_save(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 0);
    checkpointer_request(f.checkpointer, false);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_save(&f, -1, 0);
    checkpointer_request(f.checkpointer, true);
    checkpointer_request(f.checkpointer, false);
    assert_refusal(put_answer(&f, 0, 0), "worker 0 can save from step 0 on, is past step 0, and the run has 100");
    assert_refusal(put_answer(&f, 0, STEPS + 1), "worker 0 can save from step 101 on");
    for (int w = 0; w < WORKERS; w++)
        assert_int_equal(put_answer(&f, w, 40), ST_OK);
    expect_save(&f, 40, 1);
    checkpointer_request(f.checkpointer, false);
    put_all(&f, 40);
    assert_true(checkpointer_is_stopped(f.checkpointer));
    checkpointer_request(f.checkpointer, true);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_nothing(f.worker[0]);
    teardown(&f);
}

/* Groups are cut where all copies are fresh; a run that is about to end has nothing to save, and its workers are let go. */
static void test_a_request_near_the_end(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    connect_all(&f);
    period = 0;
    checkpointer_options_t options = options_of(&f);
    options.boundary = 30;
    assert_int_equal(checkpointer_create(&options, &f.checkpointer), ST_OK);
    for (int round = 0; round < 2; round++) {
        checkpointer_request(f.checkpointer, round == 1);
        assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
        expect_save(&f, -1, 0);
        for (int w = 0; w < WORKERS; w++)
            assert_int_equal(put_answer(&f, w, round ? 91 : 61), ST_OK);
        expect_save(&f, round ? 120 : 90, 0);
        if (!round)
            put_all(&f, 90);
    }
    checkpointer_request(f.checkpointer, true);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_save(&f, -1, 0);
    assert_int_equal(put_answer(&f, 0, 99), ST_OK);
    assert_int_equal(checkpointer_trained(f.checkpointer, 1), ST_OK); /* it went past the question */
    expect_save(&f, 120, 0);
    assert_false(checkpointer_is_stopped(f.checkpointer));
    assert_int_equal(put_answer(&f, 1, 100), ST_OK); /* and answers after all */
    checkpointer_request(f.checkpointer, false);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_nothing(f.worker[0]);
    teardown(&f);
}

static void test_the_clock_asks(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    connect_all(&f);
    period = 0;
    checkpointer_options_t options = options_of(&f);
    options.every_seconds = 10;
    assert_int_equal(checkpointer_create(&options, &f.checkpointer), ST_OK);
    int asked = 0;
    for (int i = 0; i < 250; i++) { /* 25 s, a tenth at a time */
        net_message_t m;
        assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
        if (net_receive(f.worker[0], &m, 100) != ST_OK)
            continue;
        net_release(f.worker[0], &m);
        assert_in_range(net_now_ns(f.net) / 100000000, 100 + 100 * asked, 104 + 101 * asked);
        asked++;
        for (int w = 0; w < WORKERS; w++)
            assert_int_equal(put_answer(&f, w, 10 * asked), ST_OK);
        assert_int_equal(net_receive(f.worker[0], &m, 100), ST_OK);
        net_release(f.worker[0], &m);
        put_all(&f, 10 * asked);
    }
    assert_int_equal(asked, 2);
    teardown(&f);
}

static void test_parts_that_fit_no_cut(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 10);
    assert_refusal(put_cut(&f, 0, 10), "worker 0 is cut before step 10, after step 0: its dense parameters have not come");
    assert_refusal(put_prepared(&f, 0, 20), "shard 0 has prepared the checkpoint before step 20, after step 0");
    put_all(&f, 10);
    assert_refusal(put_cut(&f, 0, 10), "worker 0 is cut before step 10, after step 10: there can be no such cut");
    assert_refusal(put_cut(&f, 1, 15), "worker 1 is cut before step 15, after step 10: there can be no such cut");
    assert_refusal(put_cut(&f, 1, STEPS), "worker 1 is cut before step 100");
    assert_refusal(put_prepared(&f, 0, 10), "there can be no such cut");
    assert_int_equal(put_prepared(&f, 0, 20), ST_OK);
    assert_refusal(put_prepared(&f, 0, 20), "shard 0 has prepared the checkpoint before step 20, after step 20");
    assert_int_equal(put_dense(&f, 0, 20), ST_OK);
    assert_refusal(put_dense(&f, 0, 20), "of component 0 before step 20: they came twice");
    assert_refusal(put_dense(&f, COMPONENTS, 20), "of component 2 before step 20: there can be no such cut");
    const float few[] = {1, 2};
    const net_message_t small = message_of(WIRE_CUT_DENSE, 20, 1, few, sizeof few);
    assert_refusal(checkpointer_put_worker(f.checkpointer, 0, &small), "sent 8 bytes of dense parameters of component 1");
    const float whole[] = {1, 2, 3};
    const net_message_t foreign = message_of(WIRE_CUT_DENSE, 20, 1, whole, sizeof whole);
    assert_refusal(checkpointer_put_worker(f.checkpointer, 1, &foreign), "worker 1 sent 12 bytes of dense parameters");
    assert_refusal(put_folded(&f, 1, 10), "shard 1 says that it folded up to step 10, which was not asked for");
    assert_refusal(put_answer(&f, 1, 10), "worker 1 can save from step 10 on, but was not asked");
    const message_counters_t wild = {.examples = INT64_MAX};
    const message_prepared_t endless = {.seconds = INFINITY};
    const net_message_t short_body = message_of(WIRE_CUT, 20, 0, "x", 1), other = message_of(WIRE_BYE, 0, 0, NULL, 0);
    const net_message_t wild_body = message_of(WIRE_CUT, 20, 0, &wild, sizeof wild);
    const net_message_t endless_body = message_of(WIRE_PREPARED, 20, 0, &endless, sizeof endless);
    assert_refusal(checkpointer_put_worker(f.checkpointer, 0, &short_body), "CUT without sound counters");
    assert_refusal(checkpointer_put_worker(f.checkpointer, 1, &wild_body), "CUT without sound counters");
    assert_refusal(checkpointer_put_shard(f.checkpointer, 1, &endless_body), "PREPARED without sound numbers");
    assert_refusal(checkpointer_put_worker(f.checkpointer, WORKERS, &short_body), "worker 2 takes no part in the run");
    assert_refusal(checkpointer_put_shard(f.checkpointer, 0, &other), "BYE of a shard does not belong to a checkpoint");
    for (int part = PARTS - 1; part >= 0; part--) /* nothing of it did harm */
        if (part != 2 && part != 4)
            put_part(&f, part, 20);
    assert_true(is_committed(&f, 20));
    teardown(&f);
}

/* Cuts that are named come between those of the period, which keep their distance from them. */
static void test_which_cuts_there_are(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 10);
    put_all(&f, 10);
    checkpointer_request(f.checkpointer, false);
    assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    expect_save(&f, -1, 0);
    for (int w = 0; w < WORKERS; w++)
        assert_int_equal(put_answer(&f, w, 19), ST_OK);
    expect_save(&f, 19, 0);
    put_part(&f, 4, 19);                                                 /* shard 0 is ahead */
    assert_refusal(put_prepared(&f, 0, 20), "there can be no such cut"); /* within the pipeline's depth of 19 */
    put_part(&f, 4, 30);
    assert_refusal(put_prepared(&f, 1, 20), "there can be no such cut");
    for (int part = PARTS - 1; part >= 0; part--)
        if (part != 4)
            put_part(&f, part, 19);
    for (int part = PARTS - 1; part >= 0; part--)
        if (part != 4)
            put_part(&f, part, 30);
    assert_true(is_committed(&f, 30));
    teardown(&f);
}

/* "ENOSPC: announced early, and a clean error with the last checkpoint intact", at whichever write the disk is full. */
static void test_a_full_disk(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 10);
    catch_start();
    disk_room = 5000; /* twice a checkpoint of 2 kB and some bytes */
    put_all(&f, 10);
    assert_false(catch_has("are free, and the last checkpoint took"));
    disk_room = 3000;
    put_all(&f, 20);
    assert_caught(
        "0.0 MB are free, and the last checkpoint took 0.0; make room, or lower checkpoint.keep, before the disk is full");
    catch_stop();
    teardown(&f);
    for (int writes = 0; writes < 4; writes++) { /* dense-0, dense-1, progress.bin, manifest.json */
        setup(&f, 10);
        put_all(&f, 10);
        appends_left = writes;
        for (int part = PARTS - 2; part >= 0; part--)
            put_part(&f, part, 20);
        catch_start();
        assert_int_equal(put_prepared(&f, 1, 20), ST_SYSTEM);
        catch_stop();
        assert_caught("the disk is full");
        assert_true(is_committed(&f, 10));
        check_manifest(&f, 10);
        assert_false(is_committed(&f, 20));
        teardown(&f);
    }
}

static void test_a_shard_that_takes_long_is_named(void **state)
{
    (void)state;
    test_dir();
    fixture_t f;
    setup(&f, 20);
    for (int part = PARTS - 2; part >= 0; part--)
        put_part(&f, part, 20);
    catch_start();
    for (int i = 0; i < 29; i++) {
        net_message_t m;
        assert_int_equal(net_receive(f.worker[0], &m, 1000), ST_TIMEOUT);
        assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    }
    assert_string_equal(catch_text(), "");
    for (int i = 0; i < 5; i++) {
        net_message_t m;
        assert_int_equal(net_receive(f.worker[0], &m, 1000), ST_TIMEOUT);
        assert_int_equal(checkpointer_tick(f.checkpointer), ST_OK);
    }
    catch_stop();
    assert_caught("the checkpoint before step 20 waits for 1 of 2 shards to write their rows, shard 1 the first of them; is "
                  "its disk slow?");
    assert_null(strchr(strchr(catch_text(), '\n') + 1, '\n')); /* once */
    put_part(&f, PARTS - 1, 20);
    assert_true(is_committed(&f, 20));
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order_of_parts_commits_at_the_last),
        cmocka_unit_test(test_cuts_are_committed_in_the_order_of_steps),
        cmocka_unit_test(test_the_oldest_is_revoked_folded_and_removed),
        cmocka_unit_test(test_cuts_that_come_too_fast_are_passed_over),
        cmocka_unit_test(test_earlier_incarnations_go_oldest_first),
        cmocka_unit_test(test_a_request_takes_the_latest_answer),
        cmocka_unit_test(test_a_stop_joins_a_save),
        cmocka_unit_test(test_a_request_near_the_end),
        cmocka_unit_test(test_the_clock_asks),
        cmocka_unit_test(test_parts_that_fit_no_cut),
        cmocka_unit_test(test_which_cuts_there_are),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_shard_that_takes_long_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
