/* test_failure_detector - who of a job's ranks is missing (launcher/coordinator/failure_detector.h): when one rank has been
 * silent for longer than the deadline, every rank that has been silent for more than half of it is named with it, and no other;
 * time in which the coordinator itself did not listen is no rank's silence; and goodbyes are taken, asked for, and not waited
 * for where they cannot come. Times are written out, on a clock that only the test moves. */
#include "launcher/coordinator/failure_detector.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/net_fake.h"
#include "tests/lib/testing.h"

#define RANKS 5
#define MS INT64_C(1000000)
#define DEADLINE_S 10.0

/* A coordinator on node1, and its ranks on other hosts, where it cannot see whether their processes are there. */
typedef struct fixture {
    net_t *net;
    roster_entry_t entries[RANKS];
    roster_t roster;
    failure_detector_t detector;
    int told[RANKS]; /* STOPs that were sent to it */
} fixture_t;

static void sent(void *context, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    fixture_t *f = context;
    (void)frames;
    (void)n;
    assert_int_equal(header->type, WIRE_STOP);
    f->told[peer]++;
}

static void setup(fixture_t *f)
{
    *f = (fixture_t){.net = net_fake_create(0, sent, f)};
    for (int r = 0; r < RANKS; r++) {
        snprintf(f->entries[r].host, sizeof f->entries[r].host, "node%d", r ? 2 + r % 2 : 1);
        f->entries[r].pid = 100 + r;
    }
    f->roster = (roster_t){.size = RANKS, .servers = 2, .shards_per_server = 1, .workers = 2, .entries = f->entries};
    failure_detector_init(&f->detector, f->net, &f->roster, NULL, true, DEADLINE_S);
}

static void teardown(fixture_t *f)
{
    failure_detector_fini(&f->detector);
    assert_int_equal(net_fake_held(f->net), 0);
    net_close(&f->net);
}

/* The coordinator listens for so long, and looks ten times a second. */
static status_t listen_ms(fixture_t *f, int64_t ms)
{
    for (; ms > 0; ms -= 100) {
        net_fake_advance(f->net, 100 * MS);
        const status_t status = failure_detector_check(&f->detector);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static void hear_all(fixture_t *f)
{
    for (int r = 1; r < RANKS; r++)
        failure_detector_put(&f->detector, r);
}

/* The job ends now, with one line of error, and this is in it. */
static void expect_end(fixture_t *f, status_t status, const char *text)
{
    catch_start();
    net_fake_advance(f->net, 100 * MS);
    assert_int_equal(failure_detector_check(&f->detector), status);
    catch_stop();
    assert_caught(text);
    assert_ptr_equal(strchr(catch_text(), '\n') + 1, catch_text() + strlen(catch_text()));
}

/* ---- silence ---- */

/* Rank 1 falls silent at once, rank 3 within a heartbeat of it; rank 2 at half the deadline, rank 4 speaks on. */
static void test_a_host_that_is_cut_off(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    hear_all(&f);
    assert_int_equal(listen_ms(&f, 400), ST_OK);
    for (int r = 2; r < RANKS; r++)
        failure_detector_put(&f.detector, r);
    assert_int_equal(listen_ms(&f, 4700), ST_OK);
    failure_detector_put(&f.detector, 2);         /* 5 s, half the deadline, before the first one is over it */
    assert_int_equal(listen_ms(&f, 4900), ST_OK); /* rank 1: exactly the deadline, and rank 2: 4.9 s */
    failure_detector_put(&f.detector, 4);
    expect_end(&f, ST_TIMEOUT,
               "waiting for 2 of 4 ranks: server 0 (rank 1 on node3, pid 101), worker 0 (rank 3 on node3, pid 103), 10 s");
    teardown(&f);
}

static void test_one_that_is_silent_alone(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    for (int i = 0; i < 100; i++) {
        for (int r = 1; r < RANKS - 1; r++)
            failure_detector_put(&f.detector, r);
        assert_int_equal(listen_ms(&f, 100), ST_OK);
    }
    expect_end(&f, ST_TIMEOUT, "waiting for 1 of 4 ranks: worker 1 (rank 4 on node2, pid 104), 10 s");
    teardown(&f);
}

/* Nobody is named before the first one is over the deadline, however many are near it. */
static void test_all_are_near_the_deadline(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    hear_all(&f);
    assert_int_equal(listen_ms(&f, 10000), ST_OK);
    hear_all(&f);
    assert_int_equal(listen_ms(&f, 10000), ST_OK);
    expect_end(&f, ST_TIMEOUT, "waiting for 4 of 4 ranks: server 0 (rank 1 on node3, pid 101), server 1 (rank 2 on");
    teardown(&f);
}

/* ---- the coordinator's own absence ---- */

static void test_its_own_absence_is_no_silence(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    hear_all(&f);
    assert_int_equal(listen_ms(&f, 6000), ST_OK);
    for (int r = 2; r < RANKS; r++)
        failure_detector_put(&f.detector, r);
    net_fake_advance(f.net, 3600 * 1000 * MS); /* it was stopped for an hour */
    assert_int_equal(failure_detector_check(&f.detector), ST_OK);
    failure_detector_put(&f.detector, 2);         /* what was on its way in */
    assert_int_equal(listen_ms(&f, 4000), ST_OK); /* rank 1 has been silent for 6 + 4 s while somebody listened */
    expect_end(&f, ST_TIMEOUT, "waiting for 1 of 4 ranks: server 0 (rank 1 on node3, pid 101), 10 s");
    teardown(&f);
}

/* What was heard in the meantime, before it looked, counts from when it was heard: never from a time to come. */
static void test_heard_before_it_looks_again(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    hear_all(&f);
    net_fake_advance(f.net, 60 * 1000 * MS);
    failure_detector_put(&f.detector, 1);
    assert_int_equal(failure_detector_check(&f.detector), ST_OK);
    assert_int_equal(f.detector.seen_ns[1], net_now_ns(f.net));
    assert_int_equal(f.detector.seen_ns[2], net_now_ns(f.net));
    assert_int_equal(listen_ms(&f, 10000), ST_OK);
    expect_end(&f, ST_TIMEOUT, "waiting for 4 of 4 ranks: ");
    teardown(&f);
}

/* Half a second between two looks is listening: such pauses add up to silence. */
static void test_a_slow_loop_is_no_absence(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    hear_all(&f);
    for (int i = 0; i < 20; i++) {
        net_fake_advance(f.net, 500 * MS);
        assert_int_equal(failure_detector_check(&f.detector), ST_OK);
    }
    expect_end(&f, ST_TIMEOUT, "waiting for 4 of 4 ranks: ");
    teardown(&f);
}

/* ---- goodbyes ---- */

static void say_bye(fixture_t *f, int rank, bool stuck)
{
    const wire_header_t header = wire_header(WIRE_BYE, 0, 0, (uint32_t)rank, stuck, 0);
    net_fake_put_bodies(f->net, rank, &header, NULL, 0);
}

static void stop(fixture_t *f, bool failed)
{
    const wire_header_t header = wire_header(WIRE_STOP, 0, 0, WIRE_SENDER_COORDINATOR, 0, failed);
    failure_detector_stop(&f->detector, &header, failed);
}

/* A rank that leaves in the middle has a moment in which a signal would reach the coordinator, too. */
static void test_one_leaves_before_the_end(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    hear_all(&f);
    failure_detector_bye(&f.detector, 2, ST_SYSTEM, false);
    assert_int_equal(listen_ms(&f, 500), ST_OK);
    failure_detector_bye(&f.detector, 3, ST_INPUT, false); /* the first one counts */
    expect_end(&f, ST_PEER, "server 1 (rank 2 on node2, pid 102) left the job (system error); the job ends");
    teardown(&f);
}

static void test_all_say_goodbye(void **state)
{
    (void)state;
    for (int stuck = 0; stuck < 2; stuck++) {
        fixture_t f;
        setup(&f);
        hear_all(&f);
        failure_detector_bye(&f.detector, 4, ST_OK, false);
        assert_false(failure_detector_all_left(&f.detector));
        for (int r = 1; r < RANKS - 1; r++)
            say_bye(&f, r, stuck && r == 2);
        const int64_t before_ns = net_now_ns(f.net);
        stop(&f, false);
        assert_true(net_now_ns(f.net) - before_ns <= 50 * MS); /* nobody is waited for */
        for (int r = 1; r < RANKS; r++)
            assert_int_equal(f.told[r], r != 4); /* it has left, and would not hear it */
        assert_int_equal(failure_detector_all_left(&f.detector), !stuck);
        teardown(&f);
    }
}

/* After success the goodbye of a rank that has fallen silent is waited for to its deadline, after a failure for 2 s. */
static void test_a_goodbye_that_does_not_come(void **state)
{
    (void)state;
    for (int failed = 0; failed < 2; failed++) {
        fixture_t f;
        setup(&f);
        hear_all(&f);
        for (int r = 2; r < RANKS; r++)
            say_bye(&f, r, false);
        const int64_t before_ns = net_now_ns(f.net);
        stop(&f, failed);
        assert_int_equal(net_now_ns(f.net) - before_ns, (failed ? 2000 : 10000) * MS);
        assert_false(failure_detector_all_left(&f.detector));
        teardown(&f);
    }
}

/* Who speaks for the first time while the job is being stopped is told so; who is over the deadline is not. */
static void test_who_is_told_to_stop(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    failure_detector_put(&f.detector, 1);
    failure_detector_put(&f.detector, 2);
    net_fake_advance(f.net, 10001 * MS);
    failure_detector_put(&f.detector, 2);
    const wire_header_t alive = wire_header(WIRE_HEARTBEAT, 0, 0, 3, 0, 0);
    net_fake_put_bodies(f.net, 3, &alive, NULL, 0);
    stop(&f, true);
    const int told[RANKS] = {0, 0, 1, 1, 0};
    assert_memory_equal(f.told, told, sizeof told);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_that_is_cut_off),       cmocka_unit_test(test_one_that_is_silent_alone),
        cmocka_unit_test(test_all_are_near_the_deadline),    cmocka_unit_test(test_its_own_absence_is_no_silence),
        cmocka_unit_test(test_heard_before_it_looks_again),  cmocka_unit_test(test_a_slow_loop_is_no_absence),
        cmocka_unit_test(test_one_leaves_before_the_end),    cmocka_unit_test(test_all_say_goodbye),
        cmocka_unit_test(test_a_goodbye_that_does_not_come), cmocka_unit_test(test_who_is_told_to_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
