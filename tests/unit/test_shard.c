/* test_shard - one shard among simulated workers: the order of docs/PROTOCOL.md, "a PULL of step t sees exactly the pushes of
 * steps < t - d, no more and no fewer", the bound of L1, L0 that never waits; and "a bad message gets an ERROR reply with its
 * reason and a counter, and never changes state", for every kind of bad message.
 *
 * Rows are counters: they start at zero, and a push of worker w takes a gradient of -1 at position w with learning rate 1, so a
 * row says how many pushes of each worker it has seen. */
#include "ps/shard.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/net/message.h"
#include "common/net/net_sim.h"
#include "common/net/pieces.h"
#include "ps/shard_impl.h"
#include "tests/lib/expect.h"
#include "tests/lib/testing.h"

#define WORKERS_MOST 4
#define DIM WORKERS_MOST
#define FIELDS 2
#define FIRST_WORKER 2
#define RUN 77
#define EPOCH 3
#define RUN_STEPS 1000 /* more than any test plays */

typedef struct fixture {
    int workers;
    experiment_t *experiment;
    run_folders_t folders;
    net_sim_world_t *world;
    net_t *shard_net, *coordinator, *stranger, *worker[WORKERS_MOST];
    shard_t *shard;
    status_t ended; /* what shard_handle said last */
} fixture_t;

static void serve_shard(void *context)
{
    fixture_t *f = context;
    net_message_t message;
    assert_int_equal(net_receive(f->shard_net, &message, 0), ST_OK);
    f->ended = shard_handle(f->shard, &message);
}

static net_t *dial_shard(fixture_t *f, int rank)
{
    net_t *net = net_sim_attach(f->world, rank);
    net_sim_dial(net, PEER_SHARD(0), f->shard_net);
    return net;
}

static void begin_steps(fixture_t *f, uint64_t run_id, int64_t steps)
{
    const message_begin_t body = {.purpose = RUN_TRAINS, .variant = -1, .fields = FIELDS, .steps = steps};
    wire_header_t header = wire_header(WIRE_BEGIN, run_id, EPOCH, 0, 0, 0);
    assert_int_equal(net_send(f->coordinator, PEER_SHARD(0), &header, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
    net_message_t ready = expect_message(f->coordinator, WIRE_READY);
    assert_int_equal(ready.header.run_id, run_id);
    assert_int_equal(ready.header.incarnation, EPOCH);
    net_release(f->coordinator, &ready);
}

static void begin(fixture_t *f, uint64_t run_id)
{
    begin_steps(f, run_id, RUN_STEPS);
}

/* A shard without a run yet. */
static void setup_more(fixture_t *f, const char *level, int depth, int staleness, int workers, uint64_t seed, const char *more)
{
    *f = (fixture_t){.workers = workers};
    test_dir();
    char text[512];
    snprintf(
        text, sizeof text,
        "determinism: %s\ndefaults: 1\ndata: {path: none}\ntrain: {pipeline_depth: %d, staleness: %d, step_digests: false}\n"
        "embedding: {dim: %d, init_std: 0, optimizer: sgd, learning_rate: 1}\n%s",
        level, depth, staleness, DIM, more);
    assert_int_equal(experiment_load(test_write("config.yaml", text), NULL, 0, &f->experiment), ST_OK);
    f->world = net_sim_world_create(seed, 5);
    f->shard_net = net_sim_attach(f->world, 1);
    f->coordinator = dial_shard(f, 0);
    f->stranger = dial_shard(f, FIRST_WORKER + workers);
    for (int w = 0; w < workers; w++)
        f->worker[w] = dial_shard(f, FIRST_WORKER + w);
    f->folders.job = test_path("run");
    const shard_options_t options = {.shards = 1,
                                     .folders = &f->folders,
                                     .rank = 1,
                                     .first_worker = FIRST_WORKER,
                                     .workers = workers,
                                     .experiment = f->experiment,
                                     .net = f->shard_net};
    assert_int_equal(shard_create(&options, &f->shard), ST_OK);
    net_sim_serve(f->shard_net, serve_shard, f);
}

static void setup(fixture_t *f, const char *level, int depth, int staleness, int workers, uint64_t seed)
{
    setup_more(f, level, depth, staleness, workers, seed, "");
}

static void teardown(fixture_t *f)
{
    shard_destroy(&f->shard);
    assert_null(f->shard);
    net_close(&f->shard_net);
    net_close(&f->coordinator);
    net_close(&f->stranger);
    for (int w = 0; w < f->workers; w++)
        net_close(&f->worker[w]);
    net_sim_world_destroy(&f->world);
    experiment_destroy(&f->experiment);
}

/* Digest and counters as they are. */
static message_counters_t look(const fixture_t *f)
{
    const shard_t *shard = f->shard;
    message_counters_t counters = shard->counters;
    hash_digest_t digest = {0};
    for (uint32_t t = 0; t < shard->plan.tables; t++) {
        table_digest(shard->tables[t], &digest);
        counters.rows += table_rows(shard->tables[t]);
    }
    counters.digest_low = digest.low;
    counters.digest_high = digest.high;
    return counters;
}

/* ---- messages of workers: two keys of table 0 and one of table 1 ------------------------------------------------------- */

#define SEGMENTS 2
#define KEYS 3

typedef struct letter {
    wire_header_t header;
    wire_segment_t segments[SEGMENTS + 1];
    uint64_t keys[KEYS];
    float gradient[KEYS * DIM + 1];
    int64_t segment_bytes, gradient_bytes;
} letter_t;

static letter_t letter(wire_type_t type, int64_t step, uint64_t sequence, int worker)
{
    letter_t l = {
        .header = wire_header(type, RUN, EPOCH, 0, step, KEYS),
        .segments = {{0, 2}, {1, 1}},
        .keys = {10, 11, 10},
        .segment_bytes = SEGMENTS * sizeof(wire_segment_t),
        .gradient_bytes = KEYS * DIM * sizeof(float),
    };
    l.header.sequence = sequence;
    for (int k = 0; k < KEYS; k++)
        l.gradient[k * DIM + worker] = -1.0f;
    return l;
}

static void post(net_t *net, const letter_t *l)
{
    const wire_frame_t frames[] = {{l->segments, l->segment_bytes},
                                   {l->keys, l->header.count * (int64_t)sizeof *l->keys},
                                   {l->gradient, l->gradient_bytes}};
    assert_int_equal(net_send(net, PEER_SHARD(0), &l->header, frames, l->header.type == WIRE_PUSH ? 3 : 2), ST_OK);
}

static void post_pull(net_t *net, int64_t step)
{
    const letter_t l = letter(WIRE_PULL, step, (uint64_t)step + 1000, 0);
    post(net, &l);
}

static void post_push(net_t *net, int64_t step, int worker)
{
    const letter_t l = letter(WIRE_PUSH, step, (uint64_t)step + 1, worker);
    post(net, &l);
}

/* Pushes of each worker that the rows have seen; all rows must have seen the same. */
static void read_rows(const net_message_t *rows, int64_t seen[DIM])
{
    assert_int_equal(rows->header.count, KEYS);
    assert_int_equal(rows->frame[0].bytes, KEYS * DIM * sizeof(float));
    const float *w = rows->frame[0].data;
    for (int d = 0; d < DIM; d++) {
        seen[d] = (int64_t)w[d];
        for (int k = 0; k < KEYS; k++)
            assert_true(w[k * DIM + d] == (float)seen[d]);
    }
}

static void settle(fixture_t *f)
{
    while (net_sim_step(f->world))
        ;
}

/* ---- order ----------------------------------------------------------------------------------------------------------- */

/* A worker pulls up to `ahead` steps before it pushes, as the real one does by one. */
typedef struct player {
    int64_t pulled, answered, pushed; /* next step of each kind */
} player_t;

typedef void check_fn(const fixture_t *f, const player_t *players, int worker, int64_t step, const int64_t seen[DIM]);

/* Let the workers play `steps` steps, in an order that the seed draws: worker 0 is `slow` times less often at its turn. */
static void play(fixture_t *f, int64_t steps, int ahead, int slow, uint64_t seed, check_fn *check)
{
    player_t players[WORKERS_MOST] = {0};
    int done = 0;
    for (uint64_t turn = 0; done < f->workers; turn++) {
        assert_true(turn < 200000); /* else they wait for each other */
        const int w = (int)(rng_u64(seed, 1, turn) % (uint64_t)f->workers);
        const int action = (int)(rng_u64(seed, 2, turn) % 4);
        player_t *p = &players[w];
        net_message_t message;
        if (action == 0)
            net_sim_step(f->world);
        else if (w == 0 && rng_u64(seed, 3, turn) % (uint64_t)slow)
            continue;
        else if (action == 1 && p->pulled < steps && p->pulled <= p->pushed + ahead)
            post_pull(f->worker[w], p->pulled++);
        else if (action == 2 && p->answered > p->pushed) {
            post_push(f->worker[w], p->pushed++, w);
            done += p->pushed == steps;
        } else if (action == 3 && net_receive(f->worker[w], &message, 0) == ST_OK) {
            int64_t seen[DIM];
            assert_int_equal(message.header.type, WIRE_ROWS);
            assert_int_equal(message.header.step, p->answered);
            assert_int_equal(message.header.sequence, p->answered + 1000);
            read_rows(&message, seen);
            net_release(f->worker[w], &message);
            check(f, players, w, p->answered++, seen);
        }
    }
}

static int check_depth;

static void check_exactly(const fixture_t *f, const player_t *players, int worker, int64_t step, const int64_t seen[DIM])
{
    (void)players;
    (void)worker;
    for (int w = 0; w < DIM; w++)
        assert_int_equal(seen[w], w >= f->workers || step < check_depth ? 0 : step - check_depth);
}

/* Empty pulls until the last push is applied, as client_drain. */
static void drain(fixture_t *f, int64_t steps, int depth)
{
    for (int64_t t = steps; t <= steps + depth; t++) {
        for (int w = 0; w < f->workers; w++) {
            letter_t l = letter(WIRE_PULL, t, 1, 0);
            l.header.count = l.segment_bytes = 0;
            post(f->worker[w], &l);
        }
        for (int w = 0; w < f->workers; w++) {
            net_message_t rows = expect_message(f->worker[w], WIRE_ROWS);
            assert_int_equal(rows.header.step, t);
            assert_int_equal(rows.header.count, 0);
            net_release(f->worker[w], &rows);
        }
    }
}

static void test_ordered_pulls_see_exactly_the_pushes_before(void **state)
{
    (void)state;
    const int64_t steps = 45; /* more than the ring of steps in flight */
    for (int workers = 1; workers <= WORKERS_MOST; workers++)
        for (int depth = 0; depth <= 3; depth++) {
            message_counters_t first = {0};
            for (uint64_t seed = 0; seed < 6; seed++) {
                fixture_t f;
                setup(&f, seed % 2 ? "sync" : "invariant", depth, 0, workers, seed);
                begin(&f, RUN);
                check_depth = depth;
                play(&f, steps, 1 + (int)seed % 4, 1 + (int)seed, seed, check_exactly);
                drain(&f, steps, depth);
                const message_counters_t c = look(&f);
                assert_int_equal(c.rows, KEYS);
                assert_int_equal(c.rows_pushed, steps * workers * KEYS);
                assert_int_equal(c.rows_pulled, steps * workers * KEYS);
                assert_int_equal(c.staleness_max, depth);
                assert_int_equal(c.bad_messages, 0);
                if (seed == 0)
                    first = c;
                assert_true(c.digest_low == first.digest_low && c.digest_high == first.digest_high);
                post_pull(f.worker[0], steps + depth + 1); /* a pull that is never answered belongs to no worker's memory */
                settle(&f);
                teardown(&f);
            }
        }
}

static int check_staleness;
static int64_t check_most;

static void check_bounded(const fixture_t *f, const player_t *players, int worker, int64_t step, const int64_t seen[DIM])
{
    for (int w = 0; w < f->workers; w++) {
        assert_true(seen[w] >= step - check_staleness);
        assert_true(seen[w] <= players[w].pushed);
        /* no worker is further ahead of the slowest than allowed, the push of the step under way counted */
        assert_true(players[w].pushed <= players[worker].pushed + check_staleness + 1);
        if (step - seen[w] > check_most)
            check_most = step - seen[w];
    }
}

static void test_bounded_staleness_is_kept_and_reached(void **state)
{
    (void)state;
    for (int workers = 1; workers <= WORKERS_MOST; workers++)
        for (int staleness = 0; staleness <= 5; staleness++) {
            check_most = 0;
            check_staleness = staleness;
            int64_t reported = 0;
            for (uint64_t seed = 0; seed < 4; seed++) {
                fixture_t f;
                setup(&f, "bounded", 1, staleness, workers, seed);
                begin(&f, RUN);
                play(&f, 60, 1, 60, seed, check_bounded);
                settle(&f);
                const message_counters_t c = look(&f);
                assert_true(c.staleness_max <= staleness);
                reported = c.staleness_max > reported ? c.staleness_max : reported;
                assert_int_equal(c.staleness_count, 60 * workers);
                assert_int_equal(c.bad_messages, 0);
                teardown(&f);
            }
            assert_int_equal(reported, workers > 1 ? staleness : staleness > 1 ? 1 : staleness);
            assert_int_equal(check_most, reported);
        }
}

static void test_async_never_waits(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, "async", 1, 0, 3, 1);
    begin(&f, RUN);
    post_pull(f.worker[1], 0);
    net_message_t first = expect_message(f.worker[1], WIRE_ROWS);
    net_release(f.worker[1], &first);
    for (int64_t t = 0; t < 100; t++) { /* the two others are silent */
        post_pull(f.worker[1], t + 1);
        net_message_t rows = expect_message(f.worker[1], WIRE_ROWS);
        int64_t seen[DIM];
        read_rows(&rows, seen);
        assert_int_equal(seen[0], 0);
        assert_int_equal(seen[1], t);
        assert_int_equal(seen[2], 0);
        net_release(f.worker[1], &rows);
        post_push(f.worker[1], t, 1);
    }
    settle(&f);
    const message_counters_t c = look(&f);
    assert_int_equal(c.staleness_max, 100);
    assert_int_equal(c.rows_pushed, 300);
    teardown(&f);
}

static void test_peek_sees_what_is_applied_and_creates_nothing(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, "sync", 0, 0, 2, 1);
    begin(&f, RUN);
    for (int round = 0; round < 2; round++) { /* nothing was pushed: the pulls of step 1 wait, the peek does not */
        post_pull(f.worker[0], round);
        if (round == 0) {
            net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
            net_release(f.worker[0], &rows);
            continue;
        }
        letter_t l = letter(WIRE_PEEK, 500, 9, 0);
        l.keys[0] = 4711;
        post(f.worker[0], &l);
        net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
        assert_int_equal(rows.header.step, 500);
        assert_int_equal(rows.header.sequence, 9);
        int64_t seen[DIM];
        read_rows(&rows, seen);
        net_release(f.worker[0], &rows);
    }
    assert_int_equal(look(&f).rows, KEYS);
    teardown(&f); /* with a pull that still waits */
}

/* With d = 2 the pulls of steps 0, 1 and 2 are answered before anything is applied: all of them must have come before the
 * pushes of step 0 are, and none counts again after. */
static void test_pulls_of_the_first_steps(void **state)
{
    (void)state;
    static const int64_t pulls[] = {0, 2, 1};
    fixture_t f;
    setup(&f, "sync", 2, 0, 1, 1);
    begin(&f, RUN);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            post_push(f.worker[0], 0, 0);
        settle(&f);
        assert_int_equal(look(&f).rows_pushed, 0);
        post_pull(f.worker[0], pulls[i]);
        net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
        assert_int_equal(rows.header.step, pulls[i]);
        net_release(f.worker[0], &rows);
    }
    assert_int_equal(look(&f).rows_pushed, KEYS);
    for (int i = 0; i < 3; i++)
        post_pull(f.worker[0], pulls[i]);
    settle(&f);
    const message_counters_t counters = look(&f);
    assert_int_equal(counters.rows_pulled, 3 * KEYS);
    assert_int_equal(counters.duplicates, 3);
    teardown(&f);
}

/* ---- messages that come twice, late or in another order
 * ------------------------------------------------------------------- */

/* The next ROWS, of this step; how many pushes worker 0 made before the bytes were read, and how many it is told have
 * arrived. */
static void expect_rows(fixture_t *f, int64_t step, int64_t seen, uint32_t taken)
{
    net_message_t rows = expect_message(f->worker[0], WIRE_ROWS);
    int64_t pushes[DIM];
    read_rows(&rows, pushes);
    assert_int_equal(rows.header.step, step);
    assert_int_equal(rows.header.sequence, step + 1000);
    assert_int_equal(pushes[0], seen);
    assert_int_equal(rows.header.table, taken);
    net_release(f->worker[0], &rows);
}

static void expect_nothing(fixture_t *f)
{
    net_message_t message;
    settle(f);
    assert_int_equal(net_receive(f->worker[0], &message, 0), ST_TIMEOUT);
}

/* "A pull that comes again is answered with the very same bytes, unless the worker's push of that step shows that it has them",
 * at every level and although the rows have changed since. */
static void test_a_pull_that_comes_again_gets_the_same_bytes(void **state)
{
    (void)state;
    static const char *const levels[] = {"sync", "bounded", "async"};
    for (int i = 0; i < 3; i++) {
        fixture_t f;
        setup(&f, levels[i], 1, 100, 1, 1);
        begin(&f, RUN);
        for (int64_t t = 0; t < 3; t++) { /* with d = 1, step 2 is answered when the push of step 0 is applied */
            post_pull(f.worker[0], t);
            if (t == 1)
                post_push(f.worker[0], 0, 0);
            settle(&f);
        }
        for (int again = 0; again < 3; again++) {
            if (again == 0)
                expect_rows(&f, 0, 0, 0);
            expect_rows(&f, 1, 0, again ? 1 : 0);
            expect_rows(&f, 2, 1, 1);
            for (int64_t t = 0; t < 3; t++)
                post_pull(f.worker[0], t); /* 0 was pushed */
        }
        expect_rows(&f, 1, 0, 1);
        expect_rows(&f, 2, 1, 1);
        expect_nothing(&f);
        post_push(f.worker[0], 1, 0); /* applied at all levels: pull 2 was answered */
        settle(&f);
        post_pull(f.worker[0], 1);
        post_pull(f.worker[0], 2);
        expect_rows(&f, 2, 1, 2);
        expect_nothing(&f);
        letter_t other = letter(WIRE_PULL, 2, 4711, 0);
        post(f.worker[0], &other);
        catch_start();
        net_message_t error = expect_message(f.worker[0], WIRE_ERROR);
        net_release(f.worker[0], &error);
        catch_stop();
        assert_caught("this step was pulled before");
        const message_counters_t counters = look(&f);
        assert_int_equal(counters.rows_pulled, 3 * KEYS);
        assert_int_equal(counters.rows_pushed, 2 * KEYS);
        assert_int_equal(counters.bad_messages, 1);
        assert_int_equal(counters.duplicates, 3 * 3 + 2);
        teardown(&f); /* with a reply that is kept */
    }
}

/* Pushes of one worker that overtake each other: each counts once, the acknowledgement has no gap, and the bound of L1 looks at
 * the steps without a gap too. */
/* Worker 0 has the rows of a step. */
static void pull_rows(fixture_t *f, int64_t step)
{
    post_pull(f->worker[0], step);
    net_message_t rows = expect_message(f->worker[0], WIRE_ROWS);
    assert_int_equal(rows.header.step, step);
    net_release(f->worker[0], &rows);
}

/* "Each piece is a message of its own; they leave in order", the first time and again; missing rows are created once. */
static void test_answers_go_in_pieces(void **state)
{
    (void)state;
    enum { FIRST = 70, SECOND = 33, ROWS = FIRST + SECOND, EACH = 11, PIECES = 10 };
    fixture_t f;
    uint64_t keys[ROWS];
    for (uint64_t i = 0; i < ROWS; i++)
        keys[i] = 1000 + i;
    const wire_segment_t segments[] = {{0, FIRST}, {1, SECOND}};
    const wire_frame_t frames[] = {{segments, sizeof segments}, {keys, sizeof keys}};
    setup(&f, "sync", 0, 0, 1, 1);
    begin(&f, RUN);
    pieces_set_bytes(10 * DIM * sizeof(float));
    for (int again = 0; again < 2; again++) {
        wire_header_t header = wire_header(WIRE_PULL, RUN, EPOCH, 0, 0, ROWS);
        header.sequence = 1000;
        assert_int_equal(net_send(f.worker[0], PEER_SHARD(0), &header, frames, 2), ST_OK);
        for (int i = 0; i < PIECES; i++) {
            net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
            assert_int_equal(rows.header.piece, i);
            assert_int_equal(rows.header.sequence, 1000);
            assert_int_equal(rows.header.count, i + 1 < PIECES ? EACH : ROWS - (PIECES - 1) * EACH);
            assert_int_equal(rows.frame[0].bytes, rows.header.count * DIM * 4);
            for (int64_t j = 0; j < rows.header.count * DIM; j++)
                assert_true(((const float *)rows.frame[0].data)[j] == 0.0f);
            net_release(f.worker[0], &rows);
        }
    }
    expect_nothing(&f);
    const message_counters_t counters = look(&f);
    assert_int_equal(counters.rows, ROWS);
    assert_int_equal(counters.rows_pulled, ROWS);
    teardown(&f);
    pieces_set_bytes(0);
}

static void test_pushes_may_overtake_each_other(void **state)
{
    (void)state;
    static const char *const levels[] = {"bounded", "async"};
    static const int64_t order[] = {2, 0, 3, 1, 7, 6, 5, 4};
    static const uint32_t taken[] = {0, 1, 1, 4, 4, 4, 4, 8};
    for (int i = 0; i < 2; i++) {
        fixture_t f;
        setup(&f, levels[i], 1, 100, 2, 1);
        begin(&f, RUN);
        for (int n = 0; n < 8; n++)
            pull_rows(&f, n);
        for (int n = 0; n < 8; n++) {
            post_push(f.worker[0], order[n], 0);
            settle(&f);
            post_push(f.worker[0], order[n], 0);
            settle(&f);
            post_pull(f.worker[0], 8 + n);
            expect_rows(&f, 8 + n, n + 1, taken[n]);
        }
        const message_counters_t counters = look(&f);
        assert_int_equal(counters.rows_pushed, 8 * KEYS);
        assert_int_equal(counters.duplicates, 8);
        assert_int_equal(counters.bad_messages, 0);
        teardown(&f);
    }
    fixture_t f;
    setup(&f, "bounded", 1, 1, 1, 1);
    begin(&f, RUN);
    pull_rows(&f, 0);
    pull_rows(&f, 1);
    post_push(f.worker[0], 1, 0);
    post_pull(f.worker[0], 2); /* waits for the push of step 0 */
    expect_nothing(&f);
    post_push(f.worker[0], 0, 0);
    expect_rows(&f, 2, 2, 2);
    teardown(&f);
}

/* At the ordered levels whatever comes in whatever order, and however often, has the effect that it has in order. */
/* What both workers have got of the steps that are not there to drain. */
static void read_answers(fixture_t *f, bool (*has_rows)[6], int64_t steps, int64_t depth)
{
    net_message_t message;
    for (int w = 0; w < 2; w++)
        while (net_receive(f->worker[w], &message, 0) == ST_OK) {
            assert_int_equal(message.header.type, WIRE_ROWS);
            if (message.header.step < steps) {
                int64_t seen[DIM];
                read_rows(&message, seen);
                assert_int_equal(seen[1], message.header.step < depth ? 0 : message.header.step - depth);
                has_rows[w][message.header.step] = true;
            }
            net_release(f->worker[w], &message);
        }
}

static void test_order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    enum { STEPS = 6, DEPTH = 2, MESSAGES = 2 * 2 * STEPS };
    uint64_t digest = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        fixture_t f;
        setup(&f, "sync", DEPTH, 0, 2, seed);
        begin(&f, RUN);
        int order[MESSAGES];
        for (int i = 0; i < MESSAGES; i++)
            order[i] = i;
        for (int i = MESSAGES - 1; i > 0 && seed; i--) {
            const int j = (int)(rng_u64(seed, 1, (uint64_t)i) % (uint64_t)(i + 1)), swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        bool has_rows[2][STEPS] = {{false}};
        for (int sent = 0, i = 0; sent < MESSAGES; i = (i + 1) % MESSAGES) {
            const int w = order[i] % 2, t = order[i] / 2 % STEPS, times = 1 + (int)(rng_u64(seed, 2, (uint64_t)i) % 3);
            if (order[i] < 0 || (order[i] >= 2 * STEPS && !has_rows[w][t]))
                continue; /* sent; or a push of a step whose rows are yet to come */
            for (int n = 0; n < times; n++)
                order[i] < 2 * STEPS ? post_pull(f.worker[w], t) : post_push(f.worker[w], t, w);
            settle(&f);
            order[i] = -1;
            sent++;
            read_answers(&f, has_rows, STEPS, DEPTH);
        }
        for (int64_t t = STEPS; t <= STEPS + DEPTH; t++)
            for (int w = 0; w < 2; w++) {
                letter_t l = letter(WIRE_PULL, t, 1, 0);
                l.header.count = l.segment_bytes = 0;
                post(f.worker[w], &l);
            }
        settle(&f);
        const message_counters_t counters = look(&f);
        assert_int_equal(counters.rows_pulled, 2 * STEPS * KEYS);
        assert_int_equal(counters.rows_pushed, 2 * STEPS * KEYS);
        assert_int_equal(counters.bad_messages, 0);
        assert_true(counters.duplicates > 0);
        read_answers(&f, has_rows, STEPS, DEPTH);
        digest = seed ? digest : counters.digest_low;
        assert_true(counters.digest_low == digest);
        teardown(&f);
    }
}

/* ---- bad messages ---------------------------------------------------------------------------------------------------- */

enum { FROM_WORKER, FROM_COORDINATOR, FROM_STRANGER };

typedef struct offence {
    const char *reason;
    int type, from;
    void (*spoil)(letter_t *l);
    int least; /* the lowest level at which it is one */
} offence_t;

static void spoil_table(letter_t *l)
{
    l->segments[1].table = FIELDS;
}
static void spoil_part(letter_t *l)
{
    l->segments[1].table = wire_part_table(1, 1); /* each worker has one */
}
static void spoil_order(letter_t *l)
{
    l->segments[0].table = 1, l->segments[1].table = 0;
}
static void spoil_repeat(letter_t *l)
{
    l->segments[1].table = 0;
}
static void spoil_few(letter_t *l)
{
    l->segments[0].count = 1;
}
static void spoil_many(letter_t *l)
{
    l->segments[1].count = UINT32_MAX;
}
static void spoil_no_segment(letter_t *l)
{
    l->segment_bytes = sizeof(wire_segment_t);
}
static void spoil_gradient_short(letter_t *l)
{
    l->gradient_bytes -= 4;
}
static void spoil_gradient_long(letter_t *l)
{
    l->gradient_bytes += 4;
}
static void spoil_incarnation_old(letter_t *l)
{
    l->header.incarnation = EPOCH - 1;
}
static void spoil_incarnation_new(letter_t *l)
{
    l->header.incarnation = EPOCH + 1;
}
static void spoil_run(letter_t *l)
{
    l->header.run_id = RUN + 1;
}
static void spoil_step_past(letter_t *l)
{
    l->header.step = 1;
}
static void spoil_step_next(letter_t *l)
{
    l->header.step = 4;
}
static void spoil_step_far(letter_t *l)
{
    l->header.step = 2 + 32;
}
static void spoil_step_huge(letter_t *l)
{
    l->header.step = WIRE_STEP_MOST;
}
static void spoil_step_again(letter_t *l)
{
    l->header.step = 3;
}
static void spoil_sequence_far(letter_t *l)
{
    l->header.sequence = INT64_MAX;
}
static void spoil_nothing(letter_t *l)
{
    (void)l;
}

#define NO_TABLE "a segment names a table that does not exist"
#define NO_ORDER "segments are not in ascending order of tables"
#define NO_COUNT "segment counts, key count and key bytes disagree"
#define NO_BYTES "gradient bytes do not match keys and embedding width"
#define NO_RUN "it belongs to another run or incarnation"
#define NO_STEP "its step is not among those in flight"
#define NO_PULL "its rows were not pulled, or are not answered yet"
#define NO_TYPE "a shard does not take this type from this sender"

static const offence_t offences[] = {
    {NO_TABLE, WIRE_PUSH, FROM_WORKER, spoil_table, DETERMINISM_ASYNC},
    {NO_TABLE, WIRE_PULL, FROM_WORKER, spoil_table, DETERMINISM_ASYNC},
    {NO_TABLE, WIRE_PEEK, FROM_WORKER, spoil_table, DETERMINISM_ASYNC},
    {"a segment names a part of the tree of lanes that its sender does not have", WIRE_PUSH, FROM_WORKER, spoil_part,
     DETERMINISM_ASYNC},
    {NO_TABLE, WIRE_PULL, FROM_WORKER, spoil_part, DETERMINISM_ASYNC},
    {NO_ORDER, WIRE_PUSH, FROM_WORKER, spoil_order, DETERMINISM_ASYNC},
    {NO_ORDER, WIRE_PULL, FROM_WORKER, spoil_repeat, DETERMINISM_ASYNC},
    {NO_COUNT, WIRE_PUSH, FROM_WORKER, spoil_few, DETERMINISM_ASYNC},
    {NO_COUNT, WIRE_PULL, FROM_WORKER, spoil_many, DETERMINISM_ASYNC},
    {NO_COUNT, WIRE_PEEK, FROM_WORKER, spoil_no_segment, DETERMINISM_ASYNC},
    {NO_BYTES, WIRE_PUSH, FROM_WORKER, spoil_gradient_short, DETERMINISM_ASYNC},
    {NO_BYTES, WIRE_PUSH, FROM_WORKER, spoil_gradient_long, DETERMINISM_ASYNC},
    {NO_RUN, WIRE_PUSH, FROM_WORKER, spoil_incarnation_old, DETERMINISM_ASYNC},
    {NO_RUN, WIRE_PULL, FROM_WORKER, spoil_incarnation_new, DETERMINISM_ASYNC},
    {NO_RUN, WIRE_PEEK, FROM_WORKER, spoil_run, DETERMINISM_ASYNC},
    {NO_RUN, WIRE_FLUSH, FROM_COORDINATOR, spoil_incarnation_old, DETERMINISM_ASYNC},
    {NO_STEP, WIRE_PUSH, FROM_WORKER, spoil_step_past, DETERMINISM_ASYNC},
    {NO_STEP, WIRE_PUSH, FROM_WORKER, spoil_step_far, DETERMINISM_ASYNC},
    {NO_STEP, WIRE_PULL, FROM_WORKER, spoil_step_far, DETERMINISM_ASYNC},
    {NO_STEP, WIRE_PUSH, FROM_WORKER, spoil_step_huge, DETERMINISM_ASYNC},
    {NO_STEP, WIRE_PULL, FROM_WORKER, spoil_step_huge, DETERMINISM_ASYNC},
    {NO_PULL, WIRE_PUSH, FROM_WORKER, spoil_nothing, DETERMINISM_ASYNC},
    {NO_PULL, WIRE_PUSH, FROM_WORKER, spoil_step_next, DETERMINISM_ASYNC},
    {"this step was pulled before", WIRE_PULL, FROM_WORKER, spoil_step_again, DETERMINISM_SYNC},
    {"its sequence number does not follow those before", WIRE_PUSH, FROM_WORKER, spoil_sequence_far, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_PUSH, FROM_STRANGER, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_PULL, FROM_COORDINATOR, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_PEEK, FROM_STRANGER, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_FLUSH, FROM_WORKER, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_HEARTBEAT, FROM_WORKER, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_READY, FROM_COORDINATOR, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_BEGIN, FROM_WORKER, spoil_nothing, DETERMINISM_ASYNC},
    {NO_TYPE, WIRE_STOP, FROM_WORKER, spoil_nothing, DETERMINISM_ASYNC},
};

static void send_offence(net_t *net, letter_t *l)
{
    if (l->header.type == WIRE_PUSH || l->header.type == WIRE_PULL || l->header.type == WIRE_PEEK) {
        post(net, l);
        return;
    }
    message_begin_t body = {.variant = -1, .fields = FIELDS};
    l->header.step = l->header.count = 0; /* which mean nothing */
    l->header.sequence = 0;
    const wire_frame_t frame = {&body, sizeof body};
    assert_int_equal(net_send(net, PEER_SHARD(0), &l->header, &frame, wire_type_frames(l->header.type)), ST_OK);
}

static void expect_refusal(fixture_t *f, net_t *net, const letter_t *l, const char *reason)
{
    net_message_t message = expect_message(net, WIRE_ERROR);
    message_error_t body;
    assert_true(message_body(&message, &body, sizeof body));
    assert_int_equal(body.status, ST_MESSAGE);
    assert_int_equal(body.fatal, 0);
    const char *type = wire_type_name(l->header.type);
    if (!strstr(body.text, "shard 0 refused") || !strstr(body.text, type) || !strstr(body.text, reason))
        fail_msg("\"%s\" does not say that a %s was refused because %s", body.text, type, reason);
    assert_int_equal(message.header.sequence, l->header.sequence);
    assert_int_equal(message.header.step, l->header.step);
    net_release(net, &message);
    assert_caught(reason);
    assert_int_equal(f->ended, ST_OK); /* the shard goes on */
}

/* Two workers at step 2: all of steps 0 and 1 is applied; worker 0 has pulled step 3 too, ahead of its time. */
static void play_to_the_middle(fixture_t *f, bool ordered)
{
    for (int64_t t = 0; t < 2; t++) {
        for (int w = 0; w < 2; w++)
            post_pull(f->worker[w], t);
        settle(f);
        for (int w = 0; w < 2; w++)
            post_push(f->worker[w], t, w);
        settle(f);
    }
    for (int w = 0; w < 2; w++)
        for (int t = 0; t < 2; t++) {
            net_message_t rows = expect_message(f->worker[w], WIRE_ROWS);
            net_release(f->worker[w], &rows);
        }
    if (ordered) {
        post_pull(f->worker[0], 3);
        settle(f);
    }
}

/* Who is no rank of the job is not answered. */
static void offend(fixture_t *f, net_t *net, letter_t *l, const offence_t *o)
{
    net_message_t nothing;
    catch_start();
    send_offence(net, l);
    if (o->from != FROM_STRANGER) {
        expect_refusal(f, net, l, o->reason);
    } else {
        settle(f);
        assert_int_equal(net_receive(net, &nothing, 0), ST_TIMEOUT);
    }
    catch_stop();
}

static void check_offences(const char *level, determinism_t determinism)
{
    const bool ordered = determinism >= DETERMINISM_SYNC;
    fixture_t f;
    setup(&f, level, 0, 2, 2, 1);
    begin(&f, RUN);
    play_to_the_middle(&f, ordered);
    const message_counters_t before = look(&f);
    assert_int_equal(before.bad_messages, 0);
    assert_int_equal(before.rows_pushed, 4 * KEYS);
    int64_t offended = 0;
    for (size_t i = 0; i < sizeof offences / sizeof *offences; i++) {
        const offence_t *o = &offences[i];
        if ((int)determinism < o->least)
            continue;
        net_t *net = o->from == FROM_WORKER ? f.worker[0] : o->from == FROM_STRANGER ? f.stranger : f.coordinator;
        letter_t l = letter((wire_type_t)o->type, 2, 5, 0);
        o->spoil(&l);
        offend(&f, net, &l, o);
        offended++;
    }
    const message_counters_t after = look(&f);
    assert_int_equal(after.bad_messages, offended);
    assert_int_equal(after.duplicates, 0);
    assert_int_equal(after.rows, before.rows);
    assert_int_equal(after.rows_pushed, before.rows_pushed);
    assert_int_equal(after.rows_pulled, before.rows_pulled);
    assert_true(after.digest_low == before.digest_low && after.digest_high == before.digest_high);

    /* Whoever was refused may still do it right, with the same number; and the run goes on as if nothing had been. */
    for (int64_t t = 2; t < 4; t++) {
        for (int w = 0; w < 2; w++)
            if (!ordered || w == 1 || t == 2)
                post_pull(f.worker[w], t);
        settle(&f);
        for (int w = 0; w < 2; w++) {
            const letter_t l = letter(WIRE_PUSH, t, (uint64_t)t + (w == 0 ? 3 : 1), w);
            post(f.worker[w], &l);
        }
        settle(&f);
    }
    assert_int_equal(look(&f).rows_pushed, 8 * KEYS);
    letter_t last = letter(WIRE_PEEK, 0, 1, 0);
    for (int w = 0; w < 2; w++)
        for (int t = 2; t < 4; t++) {
            net_message_t rows = expect_message(f.worker[w], WIRE_ROWS);
            net_release(f.worker[w], &rows);
        }
    post(f.worker[0], &last);
    net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
    int64_t seen[DIM];
    read_rows(&rows, seen);
    assert_true(seen[0] == 4 && seen[1] == 4);
    net_release(f.worker[0], &rows);
    teardown(&f);
}

/* A step is pushed once, whatever the number. */
static void check_second_push(void)
{
    fixture_t f;
    setup(&f, "sync", 0, 0, 2, 1);
    begin(&f, RUN);
    pull_rows(&f, 0);
    post_push(f.worker[0], 0, 0);
    const letter_t again = letter(WIRE_PUSH, 0, 2, 0);
    catch_start();
    post(f.worker[0], &again);
    expect_refusal(&f, f.worker[0], &again, "this step was pushed before");
    catch_stop();
    teardown(&f);
}

static void test_bad_messages_change_nothing(void **state)
{
    (void)state;
    check_second_push();
    check_offences("sync", DETERMINISM_SYNC);
    check_offences("bounded", DETERMINISM_BOUNDED);
    check_offences("async", DETERMINISM_ASYNC);
}

/* Two peers in groups of one worker each: component 0 is tables 0 and 1, component 1 is tables 2 and 3. "A pull looks at tables
 * that other groups train as a peek does", a push to them is refused, and what a pull sees of them is what their group pushed
 * in the steps before. */
static void test_groups_keep_to_their_tables(void **state)
{
    (void)state;
    fixture_t f;
    setup_more(&f, "invariant", 0, 2, 2, 1, "model: {components: 2}\nobjective: {kind: codistill, form: groups}\n");
    begin(&f, RUN);
    post_pull(f.worker[1], 0); /* of tables 0 and 1 */
    settle(&f);
    assert_int_equal(look(&f).rows, 0);
    post_pull(f.worker[0], 0);
    settle(&f);
    assert_int_equal(look(&f).rows, KEYS);
    int64_t seen[DIM];
    for (int w = 0; w < 2; w++) {
        net_message_t rows = expect_message(f.worker[w], WIRE_ROWS);
        read_rows(&rows, seen);
        assert_int_equal(seen[0], 0);
        net_release(f.worker[w], &rows);
    }
    letter_t l = letter(WIRE_PUSH, 0, 1, 1);
    catch_start();
    post(f.worker[1], &l);
    expect_refusal(&f, f.worker[1], &l, "a segment names a table that another group of workers trains");
    catch_stop();
    l.segments[0].table = 2;
    l.segments[1].table = 3;
    post(f.worker[1], &l);
    post_push(f.worker[0], 0, 0);
    for (int w = 0; w < 2; w++) {
        post_pull(f.worker[w], 1);
        net_message_t rows = expect_message(f.worker[w], WIRE_ROWS);
        read_rows(&rows, seen);
        assert_int_equal(seen[0], 1);
        assert_int_equal(seen[1], 0);
        net_release(f.worker[w], &rows);
    }
    const message_counters_t counters = look(&f);
    assert_int_equal(counters.rows, 2 * KEYS);
    assert_int_equal(counters.bad_messages, 1);
    teardown(&f);
}

static void test_a_sequence_number_counts_once(void **state)
{
    (void)state;
    static const char *const levels[] = {"sync", "bounded", "async"};
    for (int i = 0; i < 3; i++) {
        fixture_t f;
        setup(&f, levels[i], 1, 3, 1, 1);
        begin(&f, RUN);
        for (int64_t t = 0; t < 70; t++) { /* every push three times: at once, and again when it is long applied */
            post_pull(f.worker[0], t);
            post_push(f.worker[0], t, 0);
            post_push(f.worker[0], t, 0);
            if (t >= 2)
                post_push(f.worker[0], t - 2, 0);
            net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
            net_release(f.worker[0], &rows);
        }
        drain(&f, 70, i == 0 ? 1 : 0);
        post_push(f.worker[0], 0, 0); /* below the window of 64 numbers */
        settle(&f);
        const message_counters_t c = look(&f);
        assert_int_equal(c.rows_pushed, 70 * KEYS);
        assert_int_equal(c.duplicates, 70 + 68 + 1);
        assert_int_equal(c.bad_messages, 0);
        teardown(&f);
    }
}

/* "Keys of a segment are distinct" is a promise of the client. A sender that breaks it harms nothing but its own rows: each
 * repeat is a step of its own, the same whatever arrives first. */
static void test_repeated_keys_are_steps_of_their_own(void **state)
{
    (void)state;
    message_counters_t first = {0};
    for (uint64_t seed = 0; seed < 8; seed++) {
        fixture_t f;
        setup(&f, "sync", 0, 0, 3, seed);
        begin(&f, RUN);
        for (int w = 0; w < 3; w++) {
            letter_t l = letter(WIRE_PUSH, 0, 1, w);
            post_pull(f.worker[w], 0);
            if (w == 1)
                l.keys[1] = l.keys[0]; /* table 0: 10 twice, 11 not at all */
            post(f.worker[w], &l);
        }
        settle(&f);
        for (int w = 0; w < 3; w++) {
            net_message_t rows = expect_message(f.worker[w], WIRE_ROWS);
            net_release(f.worker[w], &rows);
        }
        const letter_t peek = letter(WIRE_PEEK, 0, 1, 0);
        post(f.worker[0], &peek);
        net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
        static const float expected[KEYS * DIM] = {1, 2, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0};
        for (int i = 0; i < KEYS * DIM; i++)
            assert_true(((const float *)rows.frame[0].data)[i] == expected[i]);
        net_release(f.worker[0], &rows);
        const message_counters_t c = look(&f);
        if (seed == 0)
            first = c;
        assert_true(c.digest_low == first.digest_low && c.digest_high == first.digest_high);
        teardown(&f);
    }
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

static void test_nothing_is_taken_before_a_run(void **state)
{
    (void)state;
    static const int types[] = {WIRE_PULL, WIRE_PEEK, WIRE_PUSH};
    fixture_t f;
    setup(&f, "sync", 1, 0, 1, 1);
    catch_start();
    for (int i = 0; i < 3; i++) {
        const letter_t l = letter((wire_type_t)types[i], 0, 1, 0);
        post(f.worker[0], &l);
        expect_refusal(&f, f.worker[0], &l, "no run has begun");
    }
    /* BEGINs of what the job does not have. */
    static const struct {
        message_begin_t body;
        const char *reason;
    } wrong[] = {
        {{.variant = -2, .fields = FIELDS, .steps = RUN_STEPS}, "the job has no such run"},
        {{.variant = 0, .fields = FIELDS, .steps = RUN_STEPS}, "the job has no such run"},
        {{.variant = -1, .replica = 1, .fields = FIELDS, .steps = RUN_STEPS}, "the job has no such run"},
        {{.variant = -1, .replica = -1, .fields = FIELDS, .steps = RUN_STEPS}, "the job has no such run"},
        {{.variant = -1, .purpose = RUN_SCORES, .fields = FIELDS}, "the job has no such run"},
        {{.variant = -1, .purpose = RUN_TEACHES, .fields = FIELDS}, "the job has no such run"},
        {{.variant = -1, .purpose = 77, .fields = FIELDS, .steps = RUN_STEPS}, "the job has no such run"},
        {{.variant = -1, .fields = -1, .steps = RUN_STEPS}, "no dataset has so many fields"},
        {{.variant = -1, .fields = 1 << 20, .steps = RUN_STEPS}, "no dataset has so many fields"},
        {{.variant = -1, .fields = FIELDS}, "its steps are none of a run"},
        {{.variant = -1, .fields = FIELDS, .steps = -1}, "its steps are none of a run"},
        {{.variant = -1, .fields = FIELDS, .steps = INT64_MAX}, "its steps are none of a run"},
        {{.variant = -1, .fields = FIELDS, .steps = RUN_STEPS, .first_step = RUN_STEPS}, "its steps are none of a run"},
        {{.variant = -1, .fields = FIELDS, .steps = RUN_STEPS, .saves = 2}, "only a run that trains saves"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const letter_t l = {.header = wire_header(WIRE_BEGIN, RUN, EPOCH, 0, 0, 0)};
        const wire_frame_t frame = {&wrong[i].body, sizeof wrong[i].body};
        assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &l.header, &frame, 1), ST_OK);
        expect_refusal(&f, f.coordinator, &l, wrong[i].reason);
    }
    const letter_t l = letter(WIRE_PULL, 0, 1, 0);
    post(f.worker[0], &l);
    expect_refusal(&f, f.worker[0], &l, "no run has begun");
    catch_stop();
    begin(&f, RUN);
    post_pull(f.worker[0], 0);
    net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
    net_release(f.worker[0], &rows);
    assert_int_equal(look(&f).bad_messages, 0); /* counters are those of the run */
    teardown(&f);
}

/* The configuration of a BEGIN may be one that the coordinator has sent; it is good for one. */
static void test_a_run_of_another_experiment(void **state)
{
    (void)state;
    fixture_t f;
    setup_more(&f, "sync", 0, 0, 1, 1, "teacher: {run: there}\n");
    static const char text[] = "determinism: sync\ndefaults: 1\nmodel: {components: 2}\nembedding: {dim: 3, init_std: 0}\n";
    wire_header_t config = wire_header(WIRE_CONFIG, 0, 0, 0, 0, 0), begins = wire_header(WIRE_BEGIN, RUN, EPOCH, 0, 0, 0);
    const message_begin_t body = {.purpose = RUN_TEACHES, .variant = -1, .fields = FIELDS};
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &config, &(wire_frame_t){text, sizeof text - 1}, 1), ST_OK);
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &begins, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
    net_message_t ready = expect_message(f.coordinator, WIRE_READY);
    net_release(f.coordinator, &ready);
    const wire_segment_t segment = {2 * FIELDS - 1, 1}; /* the last table of the second component */
    const uint64_t key = 7;
    const wire_frame_t frames[] = {{&segment, sizeof segment}, {&key, sizeof key}};
    wire_header_t peek = wire_header(WIRE_PEEK, RUN, EPOCH, FIRST_WORKER, 0, 1);
    peek.sequence = 1;
    assert_int_equal(net_send(f.worker[0], PEER_SHARD(0), &peek, frames, 2), ST_OK);
    net_message_t rows = expect_message(f.worker[0], WIRE_ROWS);
    assert_int_equal(rows.frame[0].bytes, 3 * sizeof(float));
    net_release(f.worker[0], &rows);
    catch_start();
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &begins, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
    const letter_t l = {.header = begins}, bad = {.header = config};
    expect_refusal(&f, f.coordinator, &l, "its configuration has not come");
    const letter_t pull = letter(WIRE_PULL, 0, 1, 0);
    post(f.worker[0], &pull);
    expect_refusal(&f, f.worker[0], &pull, "a run that only scores trains nothing");
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &config, &(wire_frame_t){"model: {hidden: 7", 17}, 1), ST_OK);
    expect_refusal(&f, f.coordinator, &bad, "the coordinator's CONFIG");
    catch_stop();
    assert_string_equal(f.shard->run_dir + strlen(f.shard->run_dir) - 6, "/there");
    teardown(&f);
}

static int64_t width_of_table(fixture_t *f, uint32_t table)
{
    const wire_segment_t segment = {table, 1};
    const uint64_t key = 7;
    const wire_frame_t frames[] = {{&segment, sizeof segment}, {&key, sizeof key}};
    wire_header_t peek = wire_header(WIRE_PEEK, RUN, EPOCH, FIRST_WORKER, 0, 1);
    peek.sequence = 1;
    assert_int_equal(net_send(f->worker[0], PEER_SHARD(0), &peek, frames, 2), ST_OK);
    net_message_t rows = expect_message(f->worker[0], WIRE_ROWS);
    const int64_t floats = rows.frame[0].bytes / (int64_t)sizeof(float);
    net_release(f->worker[0], &rows);
    return floats;
}

/* "How wide the tables of the run are that the next BEGIN is of": of that one alone, and within bounds. */
static void test_tables_of_other_widths(void **state)
{
    (void)state;
    fixture_t f;
    setup_more(&f, "sync", 0, 0, 1, 1, "model: {components: 2}\n");
    const int32_t width[] = {3, 11}, none[] = {0}, much[] = {4098};
    const wire_header_t tables = wire_header(WIRE_TABLES, 0, 0, 0, 0, 2), one = wire_header(WIRE_TABLES, 0, 0, 0, 0, 1);
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &tables, &(wire_frame_t){width, sizeof width}, 1), ST_OK);
    begin(&f, RUN);
    for (uint32_t t = 0; t < 4; t++)
        assert_true(width_of_table(&f, t) == width[t % 2]);
    assert_int_equal(f.shard->plan.tables, 4);
    const int64_t plain = f.shard->config->embedding.dim;
    teardown(&f);
    setup_more(&f, "sync", 0, 0, 1, 1, "model: {components: 2}\n");
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &tables, &(wire_frame_t){width, sizeof width}, 1), ST_OK);
    catch_start();
    const message_begin_t no_such = {.variant = 3, .fields = FIELDS, .steps = RUN_STEPS};
    const letter_t begins = {.header = wire_header(WIRE_BEGIN, RUN, EPOCH, 0, 0, 0)}, l = {.header = one};
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &begins.header, &(wire_frame_t){&no_such, sizeof no_such}, 1),
                     ST_OK);
    expect_refusal(&f, f.coordinator, &begins, "the job has no such run");
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &one, &(wire_frame_t){none, sizeof none}, 1), ST_OK);
    expect_refusal(&f, f.coordinator, &l, "no table is so wide");
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &one, &(wire_frame_t){much, sizeof much}, 1), ST_OK);
    expect_refusal(&f, f.coordinator, &l, "no table is so wide");
    catch_stop();
    begin(&f, RUN); /* of which no TABLES was */
    assert_int_equal(f.shard->plan.tables, 2 * FIELDS);
    assert_true(width_of_table(&f, 0) == plain);
    teardown(&f);
}

/* A run is trained to its end and flushed, and the next one knows nothing of it; while it is trained it is neither flushed nor
 * replaced. */
static void test_a_new_run_starts_from_nothing(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, "sync", 0, 0, 2, 1);
    for (int round = 0; round < 2; round++) {
        begin_steps(&f, RUN, 2);
        assert_int_equal(look(&f).rows, 0);
        for (int64_t t = 0; t < 2; t++)
            for (int w = 0; w < 2; w++) {
                post_pull(f.worker[w], t);
                settle(&f);
                if (t == 0 || w == 0)
                    post_push(f.worker[w], t, w); /* the same sequence numbers as in the run before */
            }
        settle(&f);
        const message_counters_t c = look(&f);
        assert_true(c.duplicates == 0 && c.rows_pushed == 2 * KEYS && c.rows == KEYS);
        const message_begin_t body = {.purpose = RUN_TRAINS, .variant = -1, .fields = FIELDS, .steps = RUN_STEPS};
        const letter_t begins = {.header = wire_header(WIRE_BEGIN, RUN + 1, EPOCH, 0, 0, 0)};
        const letter_t flushes = {.header = wire_header(WIRE_FLUSH, RUN, EPOCH, 0, 0, 0)};
        catch_start();
        assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &begins.header, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
        expect_refusal(&f, f.coordinator, &begins, "a run is being trained");
        assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &flushes.header, NULL, 0), ST_OK);
        expect_refusal(&f, f.coordinator, &flushes, "the run is not trained to its end");
        catch_stop();
        post_push(f.worker[1], 1, 1);
        settle(&f);
        assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &flushes.header, NULL, 0), ST_OK);
        net_message_t flushed = expect_message(f.coordinator, WIRE_FLUSHED);
        net_release(f.coordinator, &flushed);
        catch_start();
        assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &flushes.header, NULL, 0), ST_OK);
        expect_refusal(&f, f.coordinator, &flushes, "the run is not trained to its end");
        catch_stop();
        for (int i = 0; i < 4; i++) {
            net_message_t rows = expect_message(f.worker[i % 2], WIRE_ROWS);
            net_release(f.worker[i % 2], &rows);
        }
    }
    teardown(&f);
}

static void test_run_ends_at_stop(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, "sync", 0, 0, 1, 1);
    net_sim_serve(f.shard_net, NULL, NULL);
    atomic_bool stop = true;
    assert_int_equal(shard_run(f.shard, &stop), ST_OK);
    stop = false;
    wire_header_t header = wire_header(WIRE_STOP, 0, 0, 0, 0, 0);
    catch_start();
    assert_int_equal(net_send(f.worker[0], PEER_SHARD(0), &header, NULL, 0), ST_OK); /* has no say in it */
    settle(&f);
    assert_int_equal(net_send(f.coordinator, PEER_SHARD(0), &header, NULL, 0), ST_OK);
    assert_int_equal(shard_run(f.shard, &stop), ST_OK);
    catch_stop();
    net_message_t error = expect_message(f.worker[0], WIRE_ERROR);
    net_release(f.worker[0], &error);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordered_pulls_see_exactly_the_pushes_before),
        cmocka_unit_test(test_bounded_staleness_is_kept_and_reached),
        cmocka_unit_test(test_async_never_waits),
        cmocka_unit_test(test_peek_sees_what_is_applied_and_creates_nothing),
        cmocka_unit_test(test_pulls_of_the_first_steps),
        cmocka_unit_test(test_a_pull_that_comes_again_gets_the_same_bytes),
        cmocka_unit_test(test_answers_go_in_pieces),
        cmocka_unit_test(test_pushes_may_overtake_each_other),
        cmocka_unit_test(test_order_of_arrival_does_not_matter),
        cmocka_unit_test(test_bad_messages_change_nothing),
        cmocka_unit_test(test_groups_keep_to_their_tables),
        cmocka_unit_test(test_a_sequence_number_counts_once),
        cmocka_unit_test(test_repeated_keys_are_steps_of_their_own),
        cmocka_unit_test(test_nothing_is_taken_before_a_run),
        cmocka_unit_test(test_a_run_of_another_experiment),
        cmocka_unit_test(test_tables_of_other_widths),
        cmocka_unit_test(test_a_new_run_starts_from_nothing),
        cmocka_unit_test(test_run_ends_at_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
