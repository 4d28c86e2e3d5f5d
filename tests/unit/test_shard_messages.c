/* test_shard_messages - "A bad message gets an ERROR reply with its reason and a counter, and never changes state"
 * (docs/PROTOCOL.md, What is checked), at a shard of every level: every type, from every role and from strangers, at every
 * moment of a training that gives the same answers and comes to the same rows as one that nobody disturbs. */
#include <string.h>

#include "tests/lib/noise.h"
#include "tests/lib/stage.h"
#include "tests/lib/testing.h"

enum { WORKERS = 2, STRANGER = STAGE_FIRST_WORKER + WORKERS, KEYS = 3 };

typedef struct play {
    stage_t *stage;
    uint64_t noise; /* seed; 0: nobody disturbs it */
    uint64_t drawn;
    int64_t sent_wrong;
} play_t;

/* What is dropped, or what a coordinator may say at any time: nothing at all is a configuration, too. */
static bool is_a_word(int type)
{
    return type == WIRE_ERROR || type == WIRE_STOP || type == WIRE_CONFIG;
}

static void disturb(play_t *play)
{
    static const int everybody[] = {PEER_COORDINATOR, STAGE_SERVER, STAGE_FIRST_WORKER, STAGE_FIRST_WORKER + 1, STRANGER};
    noise_t noise;
    for (int i = 0; play->noise && i < 8; i++) {
        const uint64_t n = play->drawn++;
        const int type = 1 + (int)(n * 7 % (WIRE_TYPE_END - 1)), peer = everybody[n % (sizeof everybody / sizeof *everybody)];
        if (is_a_word(type))
            continue;
        noise_draw(&noise, (wire_type_t)type, play->noise, n, play->stage->run_id, play->stage->incarnation);
        const int64_t bad = play->stage->net->bad_messages;
        assert_int_equal(stage_deliver(play->stage, peer, &noise.header, noise.frame, noise.frames), ST_OK);
        if (play->stage->net->bad_messages != bad + 1)
            fail_msg("a wild %s of peer %d was taken", wire_type_name(type), peer);
        play->sent_wrong++;
    }
}

static void send_rows(play_t *play, wire_type_t type, int64_t step, int worker)
{
    static const wire_segment_t segments[] = {{0, 2}, {1, 1}};
    const uint64_t keys[KEYS] = {10, 11 + (uint64_t)step, 12};
    float gradients[KEYS * STAGE_DIM] = {0.5f, -1, (float)worker};
    wire_header_t header = stage_header(play->stage, type, step, KEYS);
    header.sequence = (uint64_t)step + 1;
    const wire_frame_t frames[] = {{segments, sizeof segments}, {keys, sizeof keys}, {gradients, sizeof gradients}};
    disturb(play);
    const int64_t bad = play->stage->net->bad_messages;
    assert_int_equal(stage_deliver(play->stage, STAGE_FIRST_WORKER + worker, &header, frames, type == WIRE_PUSH ? 3 : 2),
                     ST_OK);
    assert_int_equal(play->stage->net->bad_messages, bad);
}

/* Nothing but what drains the pipeline, as worker/train.c has it. */
static void drain(play_t *play, int64_t step, int worker)
{
    wire_header_t header = stage_header(play->stage, WIRE_PULL, step, 0);
    header.sequence = (uint64_t)step + 1;
    const wire_frame_t frames[2] = {{NULL, 0}};
    disturb(play);
    assert_int_equal(stage_deliver(play->stage, STAGE_FIRST_WORKER + worker, &header, frames, 2), ST_OK);
}

typedef struct outcome {
    uint64_t answers;
    message_counters_t counters;
} outcome_t;

static outcome_t train(const char *level, int depth, uint64_t noise, int64_t *wrong)
{
    play_t play = {.noise = noise};
    play.stage = stage_shard(
        &(stage_options_t){.level = level, .depth = depth, .staleness = 1, .workers = WORKERS, .shards = 1, .dir = test_dir()});
    log_set_level(LOG_NONE);
    assert_int_equal(stage_begin(play.stage, 9, true), ST_OK);
    for (int64_t step = 0; step < STAGE_STEPS; step++) {
        for (int w = 0; w < WORKERS; w++)
            send_rows(&play, WIRE_PULL, step, w);
        for (int w = 0; w < WORKERS && step >= depth; w++)
            send_rows(&play, WIRE_PUSH, step - depth, w);
    }
    for (int64_t step = STAGE_STEPS; step < STAGE_STEPS + depth; step++) {
        for (int w = 0; w < WORKERS; w++)
            drain(&play, step, w);
        for (int w = 0; w < WORKERS; w++)
            send_rows(&play, WIRE_PUSH, step - depth, w);
    }
    for (int w = 0; w < WORKERS; w++)
        drain(&play, STAGE_STEPS + depth, w);
    disturb(&play);
    const wire_header_t flush = stage_header(play.stage, WIRE_FLUSH, 0, 0);
    assert_int_equal(stage_deliver(play.stage, PEER_COORDINATOR, &flush, NULL, 0), ST_OK);
    log_set_level(LOG_INFO);
    assert_int_equal(play.stage->sent[WIRE_FLUSHED], 1);
    assert_int_equal(play.stage->refused, 0);
    outcome_t outcome = {play.stage->digest, play.stage->counters};
    assert_int_equal(outcome.counters.bad_messages, play.stage->net->bad_messages);
    outcome.counters.bad_messages = 0;
    outcome.counters.bytes_sent = outcome.counters.bytes_received = 0; /* those of ERRORs are among them */
    *wrong = play.sent_wrong;
    stage_destroy(&play.stage);
    return outcome;
}

static void test_a_training_that_is_disturbed(void **state)
{
    (void)state;
    static const char *const levels[] = {"async", "bounded", "sync", "invariant"};
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
        for (int depth = 0; depth < 2; depth++) {
            int64_t wrong;
            const bool is_ordered = l >= 2;
            const outcome_t alone = train(levels[l], is_ordered ? depth : 0, 0, &wrong);
            const outcome_t disturbed = train(levels[l], is_ordered ? depth : 0, 1 + l, &wrong);
            assert_true(wrong > 800);
            assert_true(alone.answers == disturbed.answers);
            assert_memory_equal(&alone.counters, &disturbed.counters, sizeof alone.counters);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_training_that_is_disturbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
