/* test_client_retry - "what the network loses between workers and shards is sent again" (docs/PROTOCOL.md, Exactly once): the
 * client against shards that lose what the test tells them to. When it asks again and with what, what it keeps and until when,
 * and that nothing is sent twice where nothing is lost. tests/sim has the same with real shards and faults drawn at random. */
#include "worker/client.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/net/net_sim.h"
#include "common/net/replay_window.h"
#include "tests/lib/testing.h"

#define SHARDS 2
#define DIM 4
#define RANK 9
#define RUN 5
#define EPOCH 2
#define DEADLINE_S 10
#define LETTERS 2000

static const char *const shard_names[SHARDS] = {"shard 0", "shard 1"};

typedef struct letter {
    wire_header_t header;
    int64_t at_ms;
    float first; /* gradient of a push */
} letter_t;

/* A shard that takes pushes and answers pulls at once, but for those that it loses. */
typedef struct player {
    net_t *net;
    int lose[WIRE_TYPE_END]; /* of the next messages of a type */
    replay_window_t window;
    letter_t letters[LETTERS]; /* that came, lost ones too */
    int n;
} player_t;

typedef struct fixture {
    net_sim_world_t *world;
    net_t *net, *coordinator;
    heartbeat_t heartbeat;
    client_t *client;
    table_plan_t plan;
    player_t player[SHARDS];
    batch_t batch;
    uint64_t keys[3];
    int32_t shard_first[SHARDS + 1], segment_first[SHARDS + 1];
    wire_segment_t segments[SHARDS];
} fixture_t;

static void serve(void *context)
{
    player_t *p = context;
    net_message_t message;
    assert_int_equal(net_receive(p->net, &message, 0), ST_OK);
    const wire_header_t header = message.header;
    assert_true(p->n < LETTERS);
    p->letters[p->n++] = (letter_t){.header = header,
                                    .at_ms = net_now_ns(p->net) / 1000000,
                                    .first = header.type == WIRE_PUSH ? *(const float *)message.frame[2].data : 0};
    net_release(p->net, &message);
    if (p->lose[header.type] > 0) {
        p->lose[header.type]--;
        return;
    }
    if (header.type == WIRE_PUSH) {
        (void)replay_window_accept(&p->window, header.sequence);
        return;
    }
    static const float weights[3 * DIM];
    wire_header_t rows = wire_header(WIRE_ROWS, RUN, EPOCH, 0, header.step, header.count);
    rows.sequence = header.sequence;
    rows.table = (uint32_t)replay_window_floor(&p->window);
    const wire_frame_t frame = {weights, header.count * DIM * (int64_t)sizeof *weights};
    assert_int_equal(net_send(p->net, RANK, &rows, &frame, 1), ST_OK);
}

static void setup(fixture_t *f, int64_t retry_ms)
{
    *f = (fixture_t){.world = net_sim_world_create(3, 5)};
    f->net = net_sim_attach(f->world, RANK);
    f->coordinator = net_sim_attach(f->world, 0);
    net_sim_dial(f->net, PEER_COORDINATOR, f->coordinator);
    for (int s = 0; s < SHARDS; s++) {
        f->player[s].net = net_sim_attach(f->world, 1 + s);
        net_sim_dial(f->net, PEER_SHARD(s), f->player[s].net);
        net_sim_serve(f->player[s].net, serve, &f->player[s]);
    }
    heartbeat_init(&f->heartbeat, f->net, RANK, 500, DEADLINE_S);
    f->client = client_create(&(client_options_t){f->net, &f->heartbeat, SHARDS, shard_names, retry_ms});
    table_plan_init_widths(&f->plan, 1, 1, (const int32_t[]){DIM}, OPTIMIZER_SGD);
    client_begin(f->client, RUN, EPOCH, &f->plan);
    /* Keys 10 and 11 are of shard 0, key 12 is of shard 1. */
    memcpy(f->keys, (uint64_t[]){10, 11, 12}, sizeof f->keys);
    memcpy(f->shard_first, (int32_t[]){0, 2, 3}, sizeof f->shard_first);
    memcpy(f->segment_first, (int32_t[]){0, 1, 2}, sizeof f->segment_first);
    memcpy(f->segments, (wire_segment_t[]){{0, 2}, {0, 1}}, sizeof f->segments);
    f->batch = (batch_t){.uniques = 3,
                         .parts = 1,
                         .keys = f->keys,
                         .shard_first = f->shard_first,
                         .segments = f->segments,
                         .segment_first = f->segment_first};
}

static void teardown(fixture_t *f)
{
    client_destroy(&f->client);
    table_plan_fini(&f->plan);
    net_close(&f->net);
    net_close(&f->coordinator);
    for (int s = 0; s < SHARDS; s++)
        net_close(&f->player[s].net);
    net_sim_world_destroy(&f->world);
}

static void pull(fixture_t *f, int64_t step)
{
    f->batch.step = step;
    assert_int_equal(client_pull(f->client, &f->batch, false), ST_OK);
}

static void push(fixture_t *f, int64_t step)
{
    f->batch.step = step;
    client_push_begin(f->client, &f->batch);
    for (int s = 0; s < SHARDS; s++)
        client_push_base(f->client)[s][0] = (float)(step * 10 + s);
    assert_int_equal(client_push_send(f->client, &f->batch), ST_OK);
}

/* Pull, wait, push: a step without a pull in advance. */
static status_t take_step(fixture_t *f, int64_t step)
{
    pull(f, step);
    TRY(client_wait(f->client, step));
    client_release(f->client, step);
    push(f, step);
    return ST_OK;
}

/* Everything that is on its way arrives. */
static void settle(fixture_t *f)
{
    while (net_sim_step(f->world))
        ;
}

/* Messages of a type that came to a shard; the n-th of them. */
static int count(const player_t *p, int type)
{
    int n = 0;
    for (int i = 0; i < p->n; i++)
        n += p->letters[i].header.type == type;
    return n;
}

static const letter_t *nth(const player_t *p, int type, int n)
{
    for (int i = 0; i < p->n; i++)
        if (p->letters[i].header.type == type && n-- == 0)
            return &p->letters[i];
    fail_msg("%s %d did not come", wire_type_name(type), n);
    return NULL;
}

static void assert_about(int64_t ms, int64_t expected)
{
    assert_in_range(ms, expected, expected + 40); /* some round trips of at most 4 ms */
}

/* "The pull that it waits for; pauses double", with its number, its keys and its mark. */
static void test_a_lost_pull_is_sent_again(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 1000);
    f.player[1].lose[WIRE_PULL] = 3;
    client_cut(f.client, 7);
    pull(&f, 7);
    assert_int_equal(client_wait(f.client, 7), ST_OK);
    assert_int_equal(count(&f.player[0], WIRE_PULL), 1); /* it had answered */
    assert_int_equal(count(&f.player[1], WIRE_PULL), 4);
    static const int64_t at_ms[] = {0, 1000, 3000, 7000};
    const wire_header_t *first = &nth(&f.player[1], WIRE_PULL, 0)->header;
    assert_int_equal(wire_pull_is_cut(first), true);
    for (int i = 0; i < 4; i++) {
        const letter_t *l = nth(&f.player[1], WIRE_PULL, i);
        assert_memory_equal(&l->header, first, sizeof *first);
        assert_about(l->at_ms, at_ms[i]);
    }
    assert_int_equal(client_sent_again(f.client), 3);
    client_release(f.client, 7);
    pull(&f, 8);
    assert_int_equal(client_wait(f.client, 8), ST_OK);
    assert_int_equal(nth(&f.player[1], WIRE_PULL, 4)->header.table, 0); /* the mark is of one step */
    teardown(&f);
}

/* At most a quarter of the deadline to the first time, and at most eight times the first pause between two. */
static void test_the_pauses_have_bounds(void **state)
{
    (void)state;
    static const struct {
        int64_t retry_ms;
        int times;
        int64_t at_ms[12];
    } cases[] = {
        {60000, 4, {0, 2500, 7500, 17500}},
        {300, 12, {0, 300, 900, 2100, 4500, 6900, 9300, 11700, 14100, 16500, 18900}},
        {0, 1, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_t f;
        setup(&f, cases[i].retry_ms);
        f.player[0].lose[WIRE_PULL] = 1000;
        pull(&f, 0);
        catch_start();
        assert_int_equal(client_wait(f.client, 0), ST_TIMEOUT);
        catch_stop();
        assert_caught("step 0: waiting for 1 of 2 shards for 20 s: shard 0");
        const int came = count(&f.player[0], WIRE_PULL);
        assert_int_equal(came, cases[i].times - (cases[i].times == 12));
        for (int n = 0; n < came; n++)
            assert_about(nth(&f.player[0], WIRE_PULL, n)->at_ms, cases[i].at_ms[n]);
        teardown(&f);
    }
}

/* "It sends a push again when an answer to a pull that left later does not acknowledge it": at once, and not before. */
static void test_a_lost_push_is_noticed_by_the_next_answer(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 1000);
    assert_int_equal(take_step(&f, 0), ST_OK);
    settle(&f);
    f.player[1].lose[WIRE_PUSH] = 1;
    pull(&f, 2); /* left before the push that is lost: its answer proves nothing */
    push(&f, 1);
    assert_int_equal(client_wait(f.client, 2), ST_OK);
    client_release(f.client, 2);
    assert_int_equal(client_sent_again(f.client), 0);
    assert_int_equal(take_step(&f, 3), ST_OK);
    settle(&f);
    assert_int_equal(client_sent_again(f.client), 1);
    assert_int_equal(count(&f.player[0], WIRE_PUSH), 3);
    assert_int_equal(count(&f.player[1], WIRE_PUSH), 4);
    const letter_t *lost = nth(&f.player[1], WIRE_PUSH, 1);
    for (int n = 2; n < 4; n++) { /* again, and the one after it */
        const letter_t *l = nth(&f.player[1], WIRE_PUSH, n);
        const bool again = l->header.sequence == 2;
        assert_int_equal(again, n == 2);
        assert_true(l->first == (again ? 11 : 31)); /* of step 1, of step 3; shard 1 */
        assert_true(!again || memcmp(&l->header, &lost->header, sizeof l->header) == 0);
        assert_true(l->at_ms - lost->at_ms < 40);
    }
    assert_int_equal(take_step(&f, 4), ST_OK);
    assert_int_equal(client_unacknowledged(f.client), SHARDS); /* the last one */
    assert_int_equal(client_drain(f.client, 5), ST_OK);
    assert_int_equal(client_wait(f.client, 5), ST_OK);
    assert_int_equal(client_unacknowledged(f.client), 0);
    teardown(&f);
}

/* "A drain not before all are": the answer is here at once, the wait goes on until the push is. */
static void test_a_drain_waits_for_the_pushes(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 1000);
    f.player[0].lose[WIRE_PUSH] = 2; /* the push, and the one that the answer calls for */
    assert_int_equal(take_step(&f, 0), ST_OK);
    const int64_t start = net_now_ns(f.net);
    assert_int_equal(client_drain(f.client, 1), ST_OK);
    assert_int_equal(client_wait(f.client, 1), ST_OK);
    assert_int_equal(client_unacknowledged(f.client), 0);
    assert_int_equal(replay_window_floor(&f.player[0].window), 1);
    assert_about((net_now_ns(f.net) - start) / 1000000, 1000);
    assert_int_equal(count(&f.player[0], WIRE_PUSH), 3);
    assert_int_equal(count(&f.player[1], WIRE_PUSH), 1);
    client_release(f.client, 1);
    teardown(&f);
}

/* "All pushes that are not acknowledged": a shard that has answered gets them too, because another worker may wait for them,
 * and for that one this worker's wait. */
static void test_a_long_wait_sends_every_push_again(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 1000);
    assert_int_equal(take_step(&f, 0), ST_OK);
    settle(&f);
    f.player[0].lose[WIRE_PULL] = 1;
    f.player[1].lose[WIRE_PUSH] = 1;
    pull(&f, 2);
    push(&f, 1);
    assert_int_equal(client_wait(f.client, 2), ST_OK);
    settle(&f);
    assert_int_equal(count(&f.player[1], WIRE_PULL), 2);
    assert_int_equal(count(&f.player[1], WIRE_PUSH), 3);
    assert_about(nth(&f.player[1], WIRE_PUSH, 2)->at_ms - nth(&f.player[1], WIRE_PUSH, 1)->at_ms, 1000 - 8);
    assert_int_equal(replay_window_floor(&f.player[1].window), 2);
    client_release(f.client, 2);
    teardown(&f);
}

/* "No wait ends before all pushes but the last 16 are acknowledged": a shard that takes none stops the worker, and is named. */
static void test_few_pushes_are_kept(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 4000);
    f.player[1].lose[WIRE_PUSH] = 1000;
    int64_t step = 0;
    status_t status;
    catch_start();
    while ((status = take_step(&f, step)) == ST_OK) {
        step++;
        assert_true(step < 20 && f.player[1].n < LETTERS - 40);
    }
    catch_stop();
    assert_int_equal(status, ST_TIMEOUT);
    assert_int_equal(step, 17); /* that of step 0 is the one too many */
    assert_int_equal(client_unacknowledged(f.client), 17);
    assert_caught("step 17: waiting for 1 of 2 shards for 20 s: shard 1");
    teardown(&f);
}

/* Where nothing is lost, nothing is sent twice, however long the steps take. */
static void test_slow_steps_are_no_losses(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 1000);
    pull(&f, 0);
    for (int64_t t = 0; t < 30; t++) {
        pull(&f, t + 1);
        assert_int_equal(client_wait(f.client, t), ST_OK);
        for (int lane = 0; lane < 4; lane++) {
            net_message_t beat;
            if (net_receive(f.coordinator, &beat, 1000) == ST_OK) /* the clock moves */
                net_release(f.coordinator, &beat);
            assert_int_equal(client_poll(f.client, t), ST_OK);
        }
        client_release(f.client, t);
        push(&f, t);
    }
    assert_true(net_now_ns(f.net) > 20 * INT64_C(1000000000));
    assert_int_equal(client_sent_again(f.client), 0);
    assert_true(client_unacknowledged(f.client) <= 2 * SHARDS);
    teardown(&f);
}

/* client_ready "as client_wait, but returns at once". */
static void test_ready_does_not_wait(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 1000);
    f.player[0].lose[WIRE_PULL] = 2;
    pull(&f, 0);
    bool ready = true;
    int calls = 0;
    while (true) {
        assert_int_equal(client_ready(f.client, 0, &ready), ST_OK);
        if (ready)
            break;
        calls++;
        net_message_t message; /* another task's turn */
        if (net_receive(f.coordinator, &message, 100) == ST_OK)
            net_release(f.coordinator, &message);
    }
    assert_in_range(calls, 20, 60);
    assert_about(nth(&f.player[0], WIRE_PULL, 1)->at_ms / 100 * 100, 1000);
    assert_about(nth(&f.player[0], WIRE_PULL, 2)->at_ms / 100 * 100, 3000);
    assert_int_equal(client_wait(f.client, 0), ST_OK);
    client_release(f.client, 0);
    teardown(&f);
}

/* A shard cannot acknowledge what was not sent; an old answer acknowledges nothing more. */
static void test_wrong_acknowledgements(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 0);
    assert_int_equal(take_step(&f, 0), ST_OK);
    pull(&f, 1);
    for (uint32_t taken = 0; taken < 3; taken++) {
        wire_header_t rows = wire_header(WIRE_ROWS, RUN, EPOCH, 0, 99, 0);
        rows.table = taken == 0 ? UINT32_MAX : taken; /* one less than none */
        assert_int_equal(net_send(f.player[0].net, RANK, &rows, &(wire_frame_t){NULL, 0}, 1), ST_OK);
    }
    catch_start();
    assert_int_equal(client_wait(f.client, 1), ST_OK); /* which the right answers end */
    catch_stop();
    assert_caught("shard 0 acknowledges push 2, and 1 were sent");
    teardown(&f);
}

/* "The ERROR names the run and incarnation of what it refuses, so that a worker that has moved on takes no notice." */
static void test_refusals_of_old_messages_are_not_ours(void **state)
{
    (void)state;
    static const struct {
        uint64_t run;
        uint32_t incarnation;
        bool ours;
    } cases[] = {{RUN - 1, EPOCH, false}, {RUN, EPOCH - 1, false}, {RUN, EPOCH, true}, {0, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_t f;
        setup(&f, 0);
        pull(&f, 0);
        const message_error_t body = {.status = ST_MESSAGE, .text = "no"};
        wire_header_t error = wire_header(WIRE_ERROR, cases[i].run, cases[i].incarnation, 0, 0, 0);
        error.sequence = 1; /* of the pull */
        assert_int_equal(net_send(f.player[0].net, RANK, &error, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
        catch_start();
        assert_int_equal(client_wait(f.client, 0), cases[i].ours ? ST_MESSAGE : ST_OK);
        catch_stop();
        teardown(&f);
    }
}

static status_t note_save(void *context, const wire_header_t *save)
{
    *(wire_header_t *)context = *save;
    return save->step == 13 ? ST_STOPPED : ST_OK;
}

/* SAVE is heard inside of a wait, if it is of the run; what its function returns ends the wait. */
static void test_saves_are_heard_while_waiting(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, 0);
    wire_header_t heard = {.step = -7};
    client_set_save(f.client, note_save, &heard);
    for (int64_t step = 11; step <= 13; step++) {
        f.player[0].lose[WIRE_PULL] = 1;
        const wire_header_t save = wire_header(WIRE_SAVE, RUN, step == 11 ? EPOCH - 1 : EPOCH, 0, step, 1);
        assert_int_equal(net_send(f.coordinator, RANK, &save, NULL, 0), ST_OK);
        if (step < 13) {
            assert_int_equal(client_poll_for(f.client, 0, 100), ST_OK);
            assert_int_equal(heard.step, step == 11 ? -7 : 12);
        }
    }
    pull(&f, 0);
    assert_int_equal(client_wait(f.client, 0), ST_STOPPED);
    assert_int_equal(heard.step, 13);
    assert_int_equal(heard.count, 1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_pull_is_sent_again),
        cmocka_unit_test(test_the_pauses_have_bounds),
        cmocka_unit_test(test_a_lost_push_is_noticed_by_the_next_answer),
        cmocka_unit_test(test_a_drain_waits_for_the_pushes),
        cmocka_unit_test(test_a_long_wait_sends_every_push_again),
        cmocka_unit_test(test_few_pushes_are_kept),
        cmocka_unit_test(test_slow_steps_are_no_losses),
        cmocka_unit_test(test_ready_does_not_wait),
        cmocka_unit_test(test_wrong_acknowledgements),
        cmocka_unit_test(test_refusals_of_old_messages_are_not_ours),
        cmocka_unit_test(test_saves_are_heard_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
