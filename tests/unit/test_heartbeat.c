/* test_heartbeat - how long a rank goes on without its coordinator: "A server or worker whose coordinator is silent for
 * cluster.deadline_s ends itself. ... A pause of its own is not the other's silence." The coordinator's pulse and a rank that
 * listens run side by side on a virtual clock. Times are written out, not worked out. */
#include "common/net/heartbeat.h"

#include <stdatomic.h>

#include "common/net/net_sim.h"
#include "common/net/pulse.h"
#include "tests/lib/testing.h"

#define SECOND INT64_C(1000000000)
#define RANK 3

typedef struct fixture {
    net_sim_world_t *world;
    net_t *coordinator, *pulse, *net;
    atomic_bool stop;
    heartbeat_t heartbeat;
    bool answered; /* a message came for the rank */
    status_t status;
    int64_t ended_ns; /* 0: it goes on */
} fixture_t;

static void run_pulse_task(void *context)
{
    fixture_t *f = context;
    pulse_run(f->pulse, &f->stop);
}

static void run_member_task(void *context)
{
    fixture_t *f = context;
    while (!atomic_load(&f->stop)) {
        net_message_t message;
        f->status = heartbeat_receive(&f->heartbeat, 7, 60000, &message);
        if (f->status == ST_TIMEOUT)
            continue;
        if (f->status != ST_OK) {
            f->ended_ns = net_sim_now_ns(f->world);
            return;
        }
        assert_int_equal(message.header.type, WIRE_HEARTBEAT);
        assert_int_equal(message.peer, PEER_PULSE);
        f->answered = true;
        net_release(f->net, &message);
    }
}

static void setup(fixture_t *f, bool speaks)
{
    *f = (fixture_t){.world = net_sim_world_create(5, 3)};
    f->coordinator = net_sim_attach(f->world, 0);
    f->pulse = net_sim_attach(f->world, 0);
    f->net = net_sim_attach(f->world, RANK);
    net_sim_dial(f->net, PEER_COORDINATOR, f->coordinator);
    net_sim_dial(f->net, PEER_PULSE, f->pulse);
    heartbeat_init(&f->heartbeat, f->net, RANK, 500, 3);
    heartbeat_expect_pulse(&f->heartbeat, "coordinator (rank 0 on node1, pid 4711)", speaks);
    net_sim_spawn(f->world, f->pulse, run_pulse_task, f);
    net_sim_spawn(f->world, f->net, run_member_task, f);
}

static void teardown(fixture_t *f)
{
    atomic_store(&f->stop, true);
    assert_false(net_sim_run(f->world, INT64_MAX));
    net_close(&f->coordinator);
    net_close(&f->pulse);
    net_close(&f->net);
    net_sim_world_destroy(&f->world);
}

static void run_until(fixture_t *f, int64_t seconds)
{
    assert_true(net_sim_run(f->world, seconds * SECOND));
}

static void test_silence_ends_a_rank(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, true);
    catch_start();
    run_until(&f, 20);
    assert_true(f.answered);
    assert_int_equal(f.ended_ns, 0);
    net_sim_kill(f.pulse);
    run_until(&f, 22);
    assert_int_equal(f.ended_ns, 0);
    net_sim_run(f.world, 30 * SECOND);
    catch_stop();
    assert_int_equal(f.status, ST_PEER);
    assert_true(f.ended_ns > 22 * SECOND && f.ended_ns < 25 * SECOND);
    assert_caught(
        "nothing was heard of the coordinator (rank 0 on node1, pid 4711) for 3 s; this rank ends, and the job with it");
    teardown(&f);
}

static void test_one_rank_says_it_for_all(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, false);
    catch_start();
    run_until(&f, 1);
    net_sim_kill(f.pulse);
    net_sim_run(f.world, 30 * SECOND);
    catch_stop();
    assert_int_equal(f.status, ST_PEER);
    assert_string_equal(catch_text(), "");
    teardown(&f);
}

static void test_a_short_silence_is_none(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, true);
    run_until(&f, 10);
    net_sim_pause(f.pulse, 12 * SECOND);
    run_until(&f, 60);
    assert_int_equal(f.ended_ns, 0);
    teardown(&f);
}

/* All ranks of a job are stopped, and continued one after the other. */
static void test_a_pause_of_its_own_is_not_the_others_silence(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f, true);
    run_until(&f, 10);
    net_sim_pause(f.pulse, 1002 * SECOND);
    net_sim_pause(f.net, 1000 * SECOND);
    run_until(&f, 2000);
    assert_int_equal(f.ended_ns, 0);
    net_sim_kill(f.pulse);
    catch_start();
    net_sim_run(f.world, 2010 * SECOND);
    catch_stop();
    assert_int_equal(f.status, ST_PEER);
    assert_true(f.ended_ns > 2002 * SECOND && f.ended_ns < 2005 * SECOND);
    teardown(&f);
}

/* "take messages, and drop them, until the coordinator ends the job, for 5 s at most" */
static void run_failing_task(void *context)
{
    fixture_t *f = context;
    heartbeat_fail(&f->heartbeat, ST_INPUT, "no dataset");
    f->ended_ns = net_sim_now_ns(f->world);
}

static void run_ending_task(void *context)
{
    fixture_t *f = context;
    net_message_t message;
    assert_int_equal(net_receive(f->coordinator, &message, 60000), ST_OK);
    assert_int_equal(message.header.type, WIRE_ERROR);
    net_release(f->coordinator, &message);
    const wire_type_t types[] = {WIRE_TRAIN, WIRE_STOP};
    for (int i = 0; i < (f->answered ? 2 : 1); i++) {
        assert_int_equal(net_receive(f->coordinator, &message, 2000), ST_TIMEOUT);
        const wire_header_t header = wire_header(types[i], 0, 0, WIRE_SENDER_COORDINATOR, 0, 0);
        assert_int_equal(net_send(f->coordinator, RANK, &header, NULL, 0), ST_OK);
    }
}

static void test_a_rank_that_failed_takes_messages_until_the_job_ends(void **state)
{
    (void)state;
    const struct {
        double deadline_s;
        bool stops;
        int64_t least_s, most_s;
    } cases[] = {{30, true, 4, 5}, {30, false, 5, 6}, {3, false, 3, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_t f = {.world = net_sim_world_create(5, 3), .answered = cases[i].stops};
        f.coordinator = net_sim_attach(f.world, 0);
        f.net = net_sim_attach(f.world, RANK);
        net_sim_dial(f.net, PEER_COORDINATOR, f.coordinator);
        heartbeat_init(&f.heartbeat, f.net, RANK, 500, cases[i].deadline_s);
        net_sim_spawn(f.world, f.coordinator, run_ending_task, &f);
        net_sim_spawn(f.world, f.net, run_failing_task, &f);
        assert_false(net_sim_run(f.world, 60 * SECOND));
        assert_true(f.ended_ns >= cases[i].least_s * SECOND && f.ended_ns < cases[i].most_s * SECOND);
        net_close(&f.coordinator);
        net_close(&f.net);
        net_sim_world_destroy(&f.world);
    }
}

static void test_patience_counts_what_was_listened(void **state)
{
    (void)state;
    patience_t p = patience_start(100 * SECOND);
    assert_int_equal(patience_spend(&p, 100 * SECOND + SECOND / 2), SECOND / 2);
    assert_int_equal(patience_spend(&p, 101 * SECOND), SECOND);
    assert_int_equal(patience_spend(&p, 5000 * SECOND), 2 * SECOND);
    assert_int_equal(patience_spend(&p, 5000 * SECOND + 1), 2 * SECOND + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_ends_a_rank),
        cmocka_unit_test(test_one_rank_says_it_for_all),
        cmocka_unit_test(test_a_short_silence_is_none),
        cmocka_unit_test(test_a_pause_of_its_own_is_not_the_others_silence),
        cmocka_unit_test(test_a_rank_that_failed_takes_messages_until_the_job_ends),
        cmocka_unit_test(test_patience_counts_what_was_listened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
