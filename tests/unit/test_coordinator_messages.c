/* test_coordinator_messages - "A bad message gets an ERROR reply with its reason and a counter, and never changes state. A
 * message from a connection that is no rank of the job is counted and dropped" (docs/PROTOCOL.md, What is checked), at the
 * coordinator and its checkpointer: every type, from every role, at every moment of a training that comes to the same end as
 * one that nobody disturbs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/step_digest.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "tests/lib/noise.h"
#include "tests/lib/stage.h"
#include "tests/lib/testing.h"

enum { WORKERS = 2, SHARDS = 2, STRANGER = STAGE_FIRST_WORKER + WORKERS, EXAMPLES = 6, CUTS = 10, PROBES = 8 };

static const int everybody[] = {
    STAGE_SERVER, STAGE_FIRST_WORKER, STAGE_FIRST_WORKER + 1, PEER_SHARD(0), PEER_SHARD(1), STRANGER, 0, PEER_SHARD(SHARDS)};

static wire_role_t role_of(int peer)
{
    if (PEER_IS_SHARD(peer))
        return PEER_SHARD_OF(peer) < SHARDS ? WIRE_ROLE_SHARD : WIRE_ROLE_STRANGER;
    return peer == STAGE_SERVER                                                ? WIRE_ROLE_SERVER
           : peer >= STAGE_FIRST_WORKER && peer < STAGE_FIRST_WORKER + WORKERS ? WIRE_ROLE_WORKER
                                                                               : WIRE_ROLE_STRANGER;
}

static stage_t *setup(const char *more)
{
    return stage_coordinator(
        &(stage_options_t){.level = "sync", .workers = WORKERS, .shards = SHARDS, .dir = test_dir(), .more = more});
}

/* ---- who may send what ------------------------------------------------------------------------------------------------ */

static void test_who_may_send_what(void **state)
{
    (void)state;
    stage_t *stage = setup(NULL);
    noise_t noise;
    catch_start();
    for (int type = 1; type < WIRE_TYPE_END; type++)
        for (size_t i = 0; i < sizeof everybody / sizeof *everybody; i++) {
            const wire_role_t role = role_of(everybody[i]);
            const int64_t bad = stage->net->bad_messages, errors = stage->sent[WIRE_ERROR];
            if (wire_may_send(type, role, WIRE_ROLE_COORDINATOR))
                continue;
            noise_draw(&noise, (wire_type_t)type, 1, 1, stage->run_id, stage->incarnation);
            assert_int_equal(stage_deliver(stage, everybody[i], &noise.header, noise.frame, noise.frames), ST_OK);
            assert_int_equal(stage->net->bad_messages, bad + 1);
            assert_int_equal(stage->sent[WIRE_ERROR], errors + (role != WIRE_ROLE_STRANGER && type != WIRE_ERROR));
            if (role != WIRE_ROLE_STRANGER && type != WIRE_ERROR)
                assert_non_null(strstr(stage->reason, "the coordinator does not take this type from this sender"));
        }
    catch_stop();
    assert_int_equal(stage->coordinator->training.answered, 0);
    assert_int_equal(stage->refused, 0);
    stage_destroy(&stage);
}

/* ---- a training ------------------------------------------------------------------------------------------------------- */

typedef struct play {
    stage_t *stage;
    uint64_t noise; /* seed; 0: nobody disturbs it */
    uint64_t drawn;
    int64_t sent_wrong;
} play_t;

/* What would end the job or be true: it may come from those that it came from. */
static bool is_a_word(const noise_t *noise)
{
    const int type = noise->header.type;
    return type == WIRE_ERROR || type == WIRE_BYE || type == WIRE_HEARTBEAT;
}

static void disturb(play_t *play)
{
    noise_t noise;
    for (int i = 0; play->noise && i < 6; i++) {
        const uint64_t n = play->drawn++;
        const int peer = everybody[n % (sizeof everybody / sizeof *everybody)];
        noise_draw(&noise, (wire_type_t)(1 + n * 7 % (WIRE_TYPE_END - 1)), play->noise, n, play->stage->run_id,
                   play->stage->incarnation);
        if (is_a_word(&noise))
            continue;
        const int64_t bad = play->stage->net->bad_messages;
        assert_int_equal(stage_deliver(play->stage, peer, &noise.header, noise.frame, noise.frames), ST_OK);
        if (play->stage->net->bad_messages != bad + 1)
            fail_msg("a wild %s step %ld count %ld from peer %d was taken", wire_type_name(noise.header.type),
                     (long)noise.header.step, (long)noise.header.count, peer);
        play->sent_wrong++;
    }
}

static void send(play_t *play, int peer, wire_type_t type, int64_t step, int64_t count, const wire_frame_t *frames)
{
    const wire_header_t header = stage_header(play->stage, type, step, count);
    disturb(play);
    const int64_t before = play->stage->net->bad_messages;
    assert_int_equal(stage_deliver(play->stage, peer, &header, frames, wire_type_frames((int)type)), ST_OK);
    if (play->stage->net->bad_messages != before)
        fail_msg("an honest %s of step %ld was refused: %s", wire_type_name((int)type), (long)step, play->stage->reason);
    if (type != WIRE_HEARTBEAT && type != WIRE_PROGRESS) { /* what comes again is refused */
        assert_int_equal(stage_deliver(play->stage, peer, &header, frames, wire_type_frames((int)type)), ST_OK);
        if (play->stage->net->bad_messages != before + 1)
            fail_msg("a second %s of step %ld was taken", wire_type_name((int)type), (long)step);
    }
}

static void send_counters(play_t *play, int peer, wire_type_t type, int64_t step, int64_t examples)
{
    const message_counters_t counters = {.examples = examples, .seconds = 1, .rows = examples, .digest_low = 5};
    send(play, peer, type, step, examples, &(wire_frame_t){&counters, sizeof counters});
}

/* Examples of steps [from, to): two a step of each worker. */
static void send_progress(play_t *play, int worker, int64_t from, int64_t to)
{
    enum { EACH = STAGE_BATCH / WORKERS };
    float p[STAGE_STEPS * EACH];
    uint8_t y[STAGE_STEPS * EACH];
    uint64_t query[STAGE_STEPS * EACH] = {0};
    const int64_t n = (to - from) * EACH;
    for (int64_t i = 0; i < n; i++) {
        p[i] = 0.1f + 0.01f * (float)(worker * 7 + from + i);
        y[i] = (uint8_t)(i & 1);
    }
    const wire_frame_t frames[] = {{p, n * 4}, {y, n}, {query, n * 8}};
    send(play, STAGE_FIRST_WORKER + worker, WIRE_PROGRESS, from, n, frames);
}

static void send_dense(play_t *play, wire_type_t type, int64_t step)
{
    const int64_t n = play->stage->coordinator->dense_floats;
    float values[512] = {(float)step};
    assert_in_range(n, 1, 512);
    send(play, STAGE_FIRST_WORKER, type, step, n, &(wire_frame_t){values, n * 4});
}

static void send_cut(play_t *play, int64_t step)
{
    for (int w = 0; w < WORKERS; w++) {
        if (w == 0)
            send_dense(play, WIRE_CUT_DENSE, step);
        send_counters(play, STAGE_FIRST_WORKER + w, WIRE_CUT, step, step * 2);
    }
    const message_prepared_t prepared = {.rows = step, .bytes = 100};
    for (int s = 0; s < SHARDS; s++)
        send(play, PEER_SHARD(s), WIRE_PREPARED, step, 0, &(wire_frame_t){&prepared, sizeof prepared});
    for (int s = 0; s < SHARDS && step == 3 * CUTS; s++)
        send(play, PEER_SHARD(s), WIRE_FOLDED, 2 * CUTS, 0, NULL);
}

static void send_step(play_t *play, int64_t step)
{
    uint64_t words[64] = {(uint64_t)step + 1};
    const int64_t bytes = step_digest_words(play->stage->coordinator->plan.tables) * (int64_t)sizeof *words;
    float p[EXAMPLES / WORKERS] = {0.5f, 0.25f, 0.125f};
    for (int w = 0; w < WORKERS && step % PROBES == 0 && step; w++) {
        const int64_t numbers[] = {w, w + 2, w + 4};
        const wire_frame_t frames[] = {{p, sizeof p}, {numbers, sizeof numbers}};
        send(play, STAGE_FIRST_WORKER + w, WIRE_PROBED, step, EXAMPLES / WORKERS, frames);
    }
    for (int s = 0; s < SHARDS; s++)
        send(play, PEER_SHARD(s), WIRE_DIGESTS, step, 1, &(wire_frame_t){words, bytes});
    send(play, STAGE_FIRST_WORKER, WIRE_DIGESTS, step, 1, &(wire_frame_t){words, sizeof *words});
    for (int w = 0; w < WORKERS && (step + 1) % 5 == 0; w++)
        send_progress(play, w, step - 4, step + 1);
}

static void send_end(play_t *play)
{
    coordinator_t *c = play->stage->coordinator;
    const float share[2] = {0.5f, 0};
    const message_activated_t seen[2] = {{1, 1, 1}, {2, 2, 2}};
    const wire_frame_t clipped[] = {{share, sizeof share}, {seen, sizeof seen}};
    send_dense(play, WIRE_DENSE, STAGE_STEPS - 1);
    send(play, STAGE_FIRST_WORKER, WIRE_CLIPPED, STAGE_STEPS - 1, 2, clipped);
    for (int w = 0; w < WORKERS; w++)
        send_counters(play, STAGE_FIRST_WORKER + w, WIRE_TRAINED, STAGE_STEPS - 1, STAGE_STEPS * 2);
    assert_int_equal(c->training.answered, WORKERS);
    roll_call_begin(&c->flushed, SHARDS);
    for (int s = 0; s < SHARDS; s++)
        send_counters(play, PEER_SHARD(s), WIRE_FLUSHED, 0, 7);
}

static void send_scores(play_t *play)
{
    coordinator_t *c = play->stage->coordinator;
    enum { ROWS = 5 };
    predictions_fini(&c->predictions);
    c->predictions = (predictions_t){ROWS, MEM_ARRAY(float, ROWS), MEM_ARRAY(uint8_t, ROWS), MEM_ARRAY(uint64_t, ROWS)};
    c->is_scored = MEM_ARRAY(uint8_t, ROWS);
    roll_call_begin(&c->scoring, WORKERS);
    for (int i = 0; i < ROWS; i++) {
        const float p = 0.5f;
        const uint8_t y = 1;
        const uint64_t query = 3;
        const wire_frame_t frames[] = {{&p, 4}, {&y, 1}, {&query, 8}};
        send(play, STAGE_FIRST_WORKER + i % WORKERS, WIRE_PREDICTIONS, i, 1, frames);
    }
    for (int w = 0; w < WORKERS; w++)
        send_counters(play, STAGE_FIRST_WORKER + w, WIRE_EVALUATED, STAGE_STEPS - 1, w ? 2 : 3);
    assert_int_equal(c->scoring.answered, WORKERS);
}

/* All that a training has led to. */
static uint64_t train(uint64_t noise, int64_t *wrong)
{
    play_t play = {.stage = setup(NULL), .noise = noise};
    coordinator_t *c = play.stage->coordinator;
    log_set_level(LOG_NONE);
    for (int64_t step = 0; step < STAGE_STEPS; step++) {
        if (step && step % CUTS == 0)
            send_cut(&play, step);
        send_step(&play, step);
    }
    send_end(&play);
    send_scores(&play);
    log_set_level(LOG_INFO);
    assert_int_equal(checkpointer_committed(c->checkpointer), 3);
    assert_true(checkpointer_is_idle(c->checkpointer));
    assert_int_equal(progressive_steps(c->progressive), STAGE_STEPS);
    const double progressive = progressive_logloss(c->progressive);
    const message_counters_t *const sums[] = {&c->trained, &c->shards, &c->evaluated};
    uint64_t digest = hash64(&progressive, sizeof progressive, 0);
    digest = hash64(&c->digest, sizeof c->digest, digest);
    for (int i = 0; i < 3; i++)
        digest = hash64(sums[i], sizeof *sums[i], digest);
    digest = hash64(c->predictions.p, 5 * sizeof(float), digest);
    *wrong = play.sent_wrong;
    stage_destroy(&play.stage);
    return digest;
}

static void test_a_training_that_is_disturbed(void **state)
{
    (void)state;
    int64_t wrong;
    const uint64_t digest = train(0, &wrong);
    assert_int_equal(wrong, 0);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        assert_true(train(seed, &wrong) == digest);
        assert_true(wrong > 500);
    }
}

/* ---- one by one ------------------------------------------------------------------------------------------------------- */

static void assert_refused(stage_t *stage, int peer, const wire_header_t *header, const wire_frame_t *frames, const char *why)
{
    const int64_t errors = stage->sent[WIRE_ERROR];
    assert_int_equal(stage_deliver(stage, peer, header, frames, wire_type_frames(header->type)), ST_OK);
    if (stage->sent[WIRE_ERROR] != errors + 1 || !strstr(stage->reason, why))
        fail_msg("\"%s\" does not say: %s", stage->reason, why);
}

static void test_what_was_not_asked_for(void **state)
{
    (void)state;
    stage_t *stage = setup("");
    const message_counters_t body = {.rows = 3};
    const wire_frame_t counters = {&body, sizeof body};
    const struct {
        int peer;
        wire_type_t type;
    } early[] = {{PEER_SHARD(0), WIRE_READY},
                 {STAGE_FIRST_WORKER, WIRE_READY},
                 {PEER_SHARD(1), WIRE_LOADED},
                 {PEER_SHARD(1), WIRE_FLUSHED},
                 {STAGE_FIRST_WORKER, WIRE_EVALUATED}};
    catch_start();
    for (size_t i = 0; i < sizeof early / sizeof *early; i++) {
        const wire_header_t header = stage_header(stage, early[i].type, 0, 0);
        assert_refused(stage, early[i].peer, &header, &counters, "it was not asked for, or has come before");
    }
    const wire_header_t trained = stage_header(stage, WIRE_TRAINED, STAGE_STEPS - 1, 0);
    assert_refused(stage, STAGE_FIRST_WORKER, &trained, &counters, "the dense parameters of component 0 have not come");
    const wire_header_t too_early = stage_header(stage, WIRE_TRAINED, 3, 0);
    assert_refused(stage, STAGE_FIRST_WORKER, &too_early, &counters, "the run ends with step 39");
    wire_header_t another = stage_header(stage, WIRE_TRAINED, STAGE_STEPS - 1, 0);
    another.run_id++;
    assert_refused(stage, STAGE_FIRST_WORKER, &another, &counters, "it belongs to another run or incarnation");
    const wire_header_t folded = stage_header(stage, WIRE_FOLDED, 10, 0), save = stage_header(stage, WIRE_SAVE, 10, 0);
    assert_refused(stage, PEER_SHARD(0), &folded, NULL, "which was not asked for");
    assert_refused(stage, STAGE_FIRST_WORKER, &save, NULL, "but was not asked");
    catch_stop();
    const wire_header_t beat = stage_header(stage, WIRE_HEARTBEAT, 0, 0);
    assert_int_equal(stage_deliver(stage, STAGE_SERVER, &beat, NULL, 0), ST_OK);
    assert_int_equal(stage->coordinator->detector.n_heard, 2); /* refusals are a sign of life, too */
    stage_destroy(&stage);
}

static void test_labels_and_shares(void **state)
{
    (void)state;
    stage_t *stage = setup(NULL);
    const float p[2] = {0.5f, 0.5f}, shares[2] = {0.5f, NAN};
    const uint8_t y[2] = {1, 2};
    const uint64_t query[2] = {0};
    const message_activated_t seen[3] = {{0}};
    const wire_frame_t progress[] = {{p, sizeof p}, {y, sizeof y}, {query, sizeof query}},
                       clipped[] = {{shares, 8}, {seen, 24}};
    const wire_header_t labels = stage_header(stage, WIRE_PROGRESS, 0, 2);
    const wire_header_t share = stage_header(stage, WIRE_CLIPPED, STAGE_STEPS - 1, 2);
    wire_header_t component = stage_header(stage, WIRE_CLIPPED, STAGE_STEPS - 1, 2);
    component.table = 63;
    catch_start();
    assert_refused(stage, STAGE_FIRST_WORKER, &labels, progress, "of labels other than 0 and 1");
    assert_refused(stage, STAGE_FIRST_WORKER, &share, clipped, "from 0 to 1, and come once");
    assert_refused(stage, STAGE_FIRST_WORKER + 1, &share, clipped, "component 0 is none that its sender speaks for");
    assert_refused(stage, STAGE_FIRST_WORKER, &component, clipped, "component 63 is none that its sender speaks for");
    catch_stop();
    stage_destroy(&stage);
}

/* "Only a rank of the job ends it: by a fatal ERROR, or by refusing what it was told in this run". */
static void test_who_ends_the_job(void **state)
{
    (void)state;
    message_error_t body = {.status = ST_CORRUPT, .text = "a file is damaged"};
    const wire_frame_t frame = {&body, sizeof body};
    for (int fatal = 0; fatal < 2; fatal++) {
        stage_t *stage = setup(NULL);
        wire_header_t here = stage_header(stage, WIRE_ERROR, 0, 0), there = here;
        there.run_id++;
        body.fatal = fatal;
        memset(body.text + 17, 'x', sizeof body.text - 17);
        catch_start();
        for (size_t i = 0; i < sizeof everybody / sizeof *everybody; i++) {
            const bool counts = role_of(everybody[i]) != WIRE_ROLE_STRANGER;
            assert_int_equal(stage_deliver(stage, everybody[i], &here, &frame, 1), counts ? ST_PEER : ST_OK);
            assert_int_equal(stage_deliver(stage, everybody[i], &there, &frame, 1), counts && fatal ? ST_PEER : ST_OK);
        }
        assert_caught("server 0 (rank 1 on node1, pid 0) cannot go on (corrupt): a file is damagedxxx");
        catch_stop();
        assert_int_equal(stage->sent[WIRE_ERROR], 0); /* an ERROR is not answered */
        stage_destroy(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_send_what),      cmocka_unit_test(test_a_training_that_is_disturbed),
        cmocka_unit_test(test_what_was_not_asked_for), cmocka_unit_test(test_labels_and_shares),
        cmocka_unit_test(test_who_ends_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
