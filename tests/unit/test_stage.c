/* test_stage - the stage that receivers are tested on (tests/lib/stage.h): an honest training is taken, whatever the level;
 * what a transport refuses does not reach the receiver, what the receiver refuses is answered and seen. */
#include "tests/lib/stage.h"

#include "launcher/coordinator/coordinator_impl.h"
#include "tests/lib/testing.h"

static const uint64_t keys[] = {10, 11, 10};
static const wire_segment_t segments[] = {{0, 2}, {1, 1}};
static const float gradients[3 * STAGE_DIM] = {-1, 0.5f, 2};

static void deliver_rows(stage_t *stage, wire_type_t type, int64_t step, int worker)
{
    wire_header_t header = stage_header(stage, type, step, 3);
    header.sequence = (uint64_t)step + 1;
    const wire_frame_t frames[] = {{segments, sizeof segments}, {keys, sizeof keys}, {gradients, sizeof gradients}};
    assert_int_equal(stage_deliver(stage, STAGE_FIRST_WORKER + worker, &header, frames, type == WIRE_PUSH ? 3 : 2), ST_OK);
}

static void test_a_shard_trains(void **state)
{
    (void)state;
    static const char *const levels[] = {"async", "bounded", "sync", "invariant"};
    uint64_t digest = 0;
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        stage_t *stage = stage_shard(&(stage_options_t){.level = levels[l], .workers = 2, .shards = 1, .dir = test_dir()});
        assert_int_equal(stage_begin(stage, 9, true), ST_OK);
        assert_int_equal(stage->sent[WIRE_READY], 1);
        for (int64_t step = 0; step < 3; step++)
            for (int w = 0; w < 2; w++)
                deliver_rows(stage, WIRE_PULL, step, w);
        assert_int_equal(stage->sent[WIRE_ROWS], l == 0 ? 6 : l == 1 ? 2 : 2);
        for (int64_t step = 0; step < 3; step++)
            for (int w = 0; w < 2; w++)
                deliver_rows(stage, WIRE_PUSH, step, w);
        assert_int_equal(stage->sent[WIRE_ROWS], 6);
        assert_int_equal(stage_work(stage), ST_OK);
        assert_int_equal(stage->sent[WIRE_ERROR], 0);
        assert_true(l < 3 || stage->digest == digest);
        digest = stage->digest;
        stage_destroy(&stage);
    }
}

static void test_what_is_refused(void **state)
{
    (void)state;
    stage_t *stage = stage_shard(&(stage_options_t){.level = "sync", .workers = 1, .shards = 1, .dir = test_dir()});
    const wire_header_t early = stage_header(stage, WIRE_FLUSH, 0, 0);
    assert_int_equal(stage_begin(stage, 9, true), ST_OK);
    catch_start();
    assert_int_equal(stage_deliver(stage, PEER_COORDINATOR, &early, NULL, 0), ST_OK);
    assert_int_equal(stage_deliver(stage, STAGE_FIRST_WORKER, &early, NULL, 0), ST_OK);
    catch_stop();
    assert_int_equal(stage->sent[WIRE_ERROR], 2);
    assert_non_null(strstr(stage->reason, "a shard does not take this type from this sender"));
    assert_int_equal(stage->refused, 0);
    assert_int_equal(stage_deliver_raw(stage, 0, &(wire_frame_t){"short", 5}, 1), ST_OK);
    assert_int_equal(stage->refused, 1);
    const wire_header_t stop = stage_header(stage, WIRE_STOP, 0, 0);
    assert_int_equal(stage_deliver(stage, PEER_COORDINATOR, &stop, NULL, 0), ST_STOPPED);
    stage_destroy(&stage);
}

static void test_a_coordinator_in_a_training(void **state)
{
    (void)state;
    stage_t *stage = stage_coordinator(&(stage_options_t){.level = "sync", .workers = 2, .shards = 2, .dir = test_dir()});
    const message_counters_t counters = {.examples = 12};
    const wire_header_t beat = stage_header(stage, WIRE_HEARTBEAT, 0, 0), cut = stage_header(stage, WIRE_CUT, 10, 0);
    assert_int_equal(stage_deliver(stage, STAGE_SERVER, &beat, NULL, 0), ST_OK);
    assert_int_equal(stage->coordinator->detector.n_heard, 1);
    catch_start();
    assert_int_equal(stage_deliver(stage, PEER_SHARD(1), &cut, &(wire_frame_t){&counters, sizeof counters}, 1), ST_OK);
    catch_stop();
    assert_int_equal(stage->sent[WIRE_ERROR], 1);
    assert_int_equal(stage_work(stage), ST_OK);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shard_trains),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_a_coordinator_in_a_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
