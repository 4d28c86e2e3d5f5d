/* test_client - the worker's side of the protocol against shards that the test plays by hand: what PULL and PUSH say for every
 * component and shard, where rows and gradients lie, and what becomes of answers that are late, wrong, refused or missing. */
#include "worker/client.h"

#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/net/net_sim.h"
#include "common/net/pieces.h"
#include "tests/lib/noise.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"

#define SHARDS 3
#define COMPONENTS 2
#define RANK 9
#define RUN 5
#define EPOCH 2

static const int32_t widths[] = {4, 1, 6}; /* of the fields */

static const char *const shard_names[SHARDS] = {"shard 0 of server 0", "shard 1 of server 0", "shard 2 of server 1"};

typedef struct fixture {
    net_sim_world_t *world;
    net_t *net, *coordinator, *shard[SHARDS];
    heartbeat_t heartbeat;
    client_t *client;
    sample_t *sample;
    dataset_t *dataset;
    batch_builder_t *builder;
    batch_t batch[3];
    table_plan_t plan;
} fixture_t;

static void setup(fixture_t *f)
{
    *f = (fixture_t){.world = net_sim_world_create(3, 5)};
    f->net = net_sim_attach(f->world, RANK);
    f->coordinator = net_sim_attach(f->world, 0);
    net_sim_dial(f->net, PEER_COORDINATOR, f->coordinator);
    for (int s = 0; s < SHARDS; s++) {
        f->shard[s] = net_sim_attach(f->world, 1 + s);
        net_sim_dial(f->net, PEER_SHARD(s), f->shard[s]);
    }
    heartbeat_init(&f->heartbeat, f->net, RANK, 500, 10);
    f->client = client_create(&(client_options_t){f->net, &f->heartbeat, SHARDS, shard_names, 0});
    test_dir();
    const sample_options_t options = {
        .path = test_path("data"), .seed = 2, .rows = 60, .single = 2, .multi = 1, .values = 12, .train_fraction = 1};
    f->sample = sample_create(&options);
    table_plan_init_widths(&f->plan, COMPONENTS, 3, widths, OPTIMIZER_SGD);
    assert_int_equal(dataset_open(options.path, 1 << 20, &f->dataset), ST_OK);
    uint16_t slot_shard[HASH_SLOTS];
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        slot_shard[slot] = (uint16_t)(slot % SHARDS);
    f->builder = batch_builder_create(f->dataset, SHARDS, slot_shard, NULL);
    for (int b = 0; b < 3; b++) {
        int64_t positions[20];
        for (int i = 0; i < 20; i++)
            positions[i] = b * 20 + i;
        assert_int_equal(batch_build(f->builder, positions, b == 2 ? 1 : 20, b, &f->batch[b]), ST_OK);
    }
    client_begin(f->client, RUN, EPOCH, &f->plan);
}

static void teardown(fixture_t *f)
{
    client_destroy(&f->client);
    assert_null(f->client);
    for (int b = 0; b < 3; b++)
        batch_reset(&f->batch[b]);
    batch_builder_destroy(&f->builder);
    table_plan_fini(&f->plan);
    dataset_close(&f->dataset);
    sample_destroy(&f->sample);
    net_close(&f->net);
    net_close(&f->coordinator);
    for (int s = 0; s < SHARDS; s++)
        net_close(&f->shard[s]);
    net_sim_world_destroy(&f->world);
}

static net_message_t expect(net_t *net, wire_type_t type)
{
    net_message_t message;
    assert_int_equal(net_receive(net, &message, 1000), ST_OK);
    assert_int_equal(message.header.type, type);
    assert_int_equal(message.peer, RANK);
    assert_int_equal(message.header.run_id, RUN);
    assert_int_equal(message.header.incarnation, EPOCH);
    return message;
}

/* The segments and keys that a message to shard s must have: for each component, the batch's of that shard. */
static void check_keys(const fixture_t *f, const batch_t *batch, int s, const net_message_t *message)
{
    const wire_segment_t *segment = message->frame[0].data;
    const uint64_t *key = message->frame[1].data;
    const int32_t n = batch->shard_first[s + 1] - batch->shard_first[s];
    assert_int_equal(message->header.step, batch->step);
    assert_int_equal(message->header.count, COMPONENTS * n);
    assert_int_equal(message->frame[1].bytes, COMPONENTS * n * 8);
    for (int k = 0; k < COMPONENTS; k++) {
        for (int32_t i = batch->segment_first[s]; i < batch->segment_first[s + 1]; i++, segment++) {
            assert_int_equal(segment->table, k * f->plan.fields + (int)batch->segments[i].table);
            assert_int_equal(segment->count, batch->segments[i].count);
        }
        assert_memory_equal(key, batch->keys + batch->shard_first[s], (size_t)n * sizeof *key);
        key += n;
    }
    assert_ptr_equal(segment, (const char *)message->frame[0].data + message->frame[0].bytes);
}

/* Tells shard and place in the message. */
static float weight(int s, int64_t at)
{
    return (float)(s * 100000 + at);
}

/* Piece number `piece` of an answer, whose weights are numbered from `first` on. */
static void answer_piece(fixture_t *f, int s, int64_t step, uint64_t sequence, int piece, int64_t rows, int64_t first,
                         int64_t floats)
{
    float *w = MEM_ARRAY(float, floats);
    for (int64_t i = 0; i < floats; i++)
        w[i] = weight(s, first + i);
    wire_header_t header = wire_header(WIRE_ROWS, RUN, EPOCH, 0, step, rows);
    header.sequence = sequence;
    header.piece = (uint16_t)piece;
    assert_int_equal(net_send(f->shard[s], RANK, &header, &(wire_frame_t){w, floats * 4}, 1), ST_OK);
    mem_free(w);
}

static void answer(fixture_t *f, int s, int64_t step, uint64_t sequence, int64_t rows, int64_t floats)
{
    answer_piece(f, s, step, sequence, 0, rows, 0, floats);
}

/* Take the pull of a batch at every shard; sequence [SHARDS] out. */
static void take_pulls(fixture_t *f, const batch_t *batch, wire_type_t type, uint64_t *sequence)
{
    for (int s = 0; s < SHARDS; s++) {
        net_message_t pull = expect(f->shard[s], type);
        check_keys(f, batch, s, &pull);
        sequence[s] = pull.header.sequence;
        net_release(f->shard[s], &pull);
    }
}

static int64_t keys_of(const batch_t *batch, int s)
{
    return COMPONENTS * (batch->shard_first[s + 1] - batch->shard_first[s]);
}

static int64_t weights_of(const batch_t *batch, int s)
{
    int64_t weights = 0;
    for (int32_t i = batch->segment_first[s]; i < batch->segment_first[s + 1]; i++)
        weights += COMPONENTS * (int64_t)batch->segments[i].count * widths[batch->segments[i].table];
    return weights;
}

/* The whole answer of shard s to the pull of a batch. */
static void answer_all(fixture_t *f, int s, const batch_t *batch, uint64_t sequence)
{
    answer(f, s, batch->step, sequence, keys_of(batch, s), weights_of(batch, s));
}

/* Rows lie in an answer set after set, field after field, each as wide as its field. */
static void check_rows(fixture_t *f, const batch_t *batch)
{
    const float **row = MEM_ARRAY(const float *, batch->uniques);
    int64_t at[SHARDS] = {0};
    for (int k = 0; k < COMPONENTS; k++) {
        client_rows(f->client, batch, k, row);
        for (int s = 0, u = 0; s < SHARDS; s++)
            for (int32_t i = batch->segment_first[s]; i < batch->segment_first[s + 1]; i++)
                for (uint32_t n = 0; n < batch->segments[i].count; n++, u++)
                    for (int d = 0; d < widths[batch->segments[i].table]; d++)
                        assert_true(row[u][d] == weight(s, at[s]++));
    }
    for (int s = 0; s < SHARDS; s++)
        assert_int_equal(at[s], weights_of(batch, s));
    mem_free(row);
}

static void test_pulls(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    uint64_t first[SHARDS], second[SHARDS];
    assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
    assert_int_equal(client_pull(f.client, &f.batch[1], true), ST_OK);
    take_pulls(&f, &f.batch[0], WIRE_PULL, first);
    take_pulls(&f, &f.batch[1], WIRE_PEEK, second);
    assert_int_equal(client_rows_pulled(f.client), COMPONENTS * (f.batch[0].uniques + f.batch[1].uniques));
    /* Answers of the second come first; those that are not waited for are dropped. */
    for (int s = SHARDS - 1; s >= 0; s--) {
        answer(&f, s, 1, second[s] + 7, 1, 4); /* of another attempt */
        answer(&f, s, 99, second[s], 1, 4);    /* of another step */
        answer_all(&f, s, &f.batch[1], second[s]);
        answer_all(&f, s, &f.batch[1], second[s]); /* twice */
        answer_all(&f, s, &f.batch[0], first[s]);
    }
    assert_int_equal(client_wait(f.client, 0), ST_OK);
    assert_int_equal(client_wait(f.client, 1), ST_OK);
    check_rows(&f, &f.batch[0]);
    check_rows(&f, &f.batch[1]);
    client_release(f.client, 0);
    check_rows(&f, &f.batch[1]);
    assert_int_equal(client_drain(f.client, 2), ST_OK);
    for (int s = 0; s < SHARDS; s++) {
        net_message_t pull = expect(f.shard[s], WIRE_PULL);
        assert_int_equal(pull.header.step, 2);
        assert_int_equal(pull.header.count, 0);
        assert_int_equal(pull.frame[0].bytes + pull.frame[1].bytes, 0);
        answer(&f, s, 2, pull.header.sequence, 0, 0);
        net_release(f.shard[s], &pull);
    }
    assert_int_equal(client_wait(f.client, 2), ST_OK);
    client_release(f.client, 2);
    teardown(&f); /* with step 1 still held */
}

static void test_pushes(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    for (int b = 0; b < 2; b++) {
        const batch_t *batch = &f.batch[b];
        client_push_begin(f.client, batch);
        float *const *base = client_push_base(f.client);
        for (int s = 0; s < SHARDS; s++)
            for (int64_t i = 0; i < weights_of(batch, s); i++)
                base[s][i] = weight(s, i);
        assert_int_equal((uintptr_t)base[0] % MEM_ALIGN, 0);
        assert_int_equal(client_push_send(f.client, batch), ST_OK);
    }
    for (int b = 0; b < 2; b++)
        for (int s = 0; s < SHARDS; s++) {
            const batch_t *batch = &f.batch[b];
            net_message_t push = expect(f.shard[s], WIRE_PUSH);
            check_keys(&f, batch, s, &push);
            assert_int_equal(push.header.sequence, b + 1); /* each shard sees 1, 2, 3 .. */
            assert_int_equal(push.frame[2].bytes, weights_of(batch, s) * 4);
            const float *g = push.frame[2].data;
            for (int64_t i = 0; i < weights_of(batch, s); i++)
                assert_true(g[i] == weight(s, i));
            net_release(f.shard[s], &push);
        }
    /* A step that failed between begin and send. */
    client_push_begin(f.client, &f.batch[0]);
    client_begin(f.client, RUN, EPOCH, &f.plan);
    assert_int_equal(client_rows_pushed(f.client), 0);
    client_push_begin(f.client, &f.batch[1]);
    teardown(&f);
}

/* "pushes carry the gradients of sets [first, end) of tables alone, until the next client_begin; pulls are still of all" */
static void test_pushes_of_some_sets(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    const batch_t *batch = &f.batch[0];
    const int own = COMPONENTS - 1; /* the last one */
    client_push_only(f.client, own, own + 1);
    uint64_t sequence[SHARDS];
    assert_int_equal(client_pull(f.client, batch, false), ST_OK);
    take_pulls(&f, batch, WIRE_PULL, sequence);
    client_push_begin(f.client, batch);
    for (int s = 0; s < SHARDS; s++)
        for (int64_t i = 0; i < weights_of(batch, s) / COMPONENTS; i++)
            client_push_base(f.client)[s][i] = weight(s, i);
    assert_int_equal(client_push_send(f.client, batch), ST_OK);
    assert_int_equal(client_rows_pushed(f.client), batch->uniques);
    assert_int_equal(client_rows_pulled(f.client), COMPONENTS * batch->uniques);
    for (int s = 0; s < SHARDS; s++) {
        const int32_t first = batch->shard_first[s], n = batch->shard_first[s + 1] - first;
        const int32_t segments = batch->segment_first[s + 1] - batch->segment_first[s];
        net_message_t push = expect(f.shard[s], WIRE_PUSH);
        const wire_segment_t *segment = push.frame[0].data;
        assert_int_equal(push.header.count, n);
        assert_int_equal(push.frame[0].bytes, segments * (int64_t)sizeof *segment);
        for (int32_t i = 0; i < segments; i++) {
            assert_int_equal(segment[i].table, own * f.plan.fields + (int)batch->segments[batch->segment_first[s] + i].table);
            assert_int_equal(segment[i].count, batch->segments[batch->segment_first[s] + i].count);
        }
        assert_memory_equal(push.frame[1].data, batch->keys + first, (size_t)n * sizeof *batch->keys);
        assert_int_equal(push.frame[2].bytes, weights_of(batch, s) / COMPONENTS * 4);
        for (int64_t i = 0; i < weights_of(batch, s) / COMPONENTS; i++)
            assert_true(((const float *)push.frame[2].data)[i] == weight(s, i));
        net_release(f.shard[s], &push);
    }
    client_begin(f.client, RUN, EPOCH, &f.plan);
    client_push_begin(f.client, batch);
    assert_int_equal(client_push_send(f.client, batch), ST_OK);
    assert_int_equal(client_rows_pushed(f.client), COMPONENTS * batch->uniques);
    for (int s = 0; s < SHARDS; s++) {
        net_message_t push = expect(f.shard[s], WIRE_PUSH);
        check_keys(&f, batch, s, &push);
        net_release(f.shard[s], &push);
    }
    teardown(&f);
}

static void test_wrong_answers(void **state)
{
    (void)state;
    /* one row too few, one too many, and a width that is not ours */
    for (int i = 0; i < 3; i++) {
        fixture_t f;
        setup(&f);
        uint64_t sequence[SHARDS];
        assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
        take_pulls(&f, &f.batch[0], WIRE_PULL, sequence);
        const int64_t n = keys_of(&f.batch[0], 1), rows = i == 0 ? n - 1 : i == 1 ? n + 1 : n;
        const int64_t weights = weights_of(&f.batch[0], 1), floats = weights + (i == 2 ? n : (rows - n) * widths[2]);
        answer(&f, 1, 0, sequence[1], rows, floats);
        while (net_sim_step(f.world))
            ;
        catch_start();
        assert_int_equal(client_poll(f.client, 0), ST_OK);
        catch_stop();
        char text[200];
        snprintf(text, sizeof text, "its pull was of %d rows, %d weights, and piece 0 of 1 has %d, %d", (int)n, (int)weights,
                 (int)rows, (int)floats);
        assert_caught(text);
        for (int s = 0; s < SHARDS; s++) /* the right ones are taken all the same */
            answer(&f, s, 0, sequence[s], keys_of(&f.batch[0], s), weights_of(&f.batch[0], s));
        assert_int_equal(client_wait(f.client, 0), ST_OK);
        teardown(&f);
    }
}

static void deliver(fixture_t *f, bool *ready)
{
    while (net_sim_step(f->world))
        ;
    assert_int_equal(client_ready(f->client, 0, ready), ST_OK);
}

/* "Pieces are taken in any order, each once, and the answer is whole when all are here." */
static void answer_in_pieces(fixture_t *f, int s, const batch_t *batch, uint64_t sequence)
{
    char text[200];
    bool ready;
    pieces_t pieces;
    pieces_begin(&pieces, keys_of(batch, s), weights_of(batch, s));
    for (int k = 0; k < COMPONENTS; k++)
        for (int32_t i = batch->segment_first[s]; i < batch->segment_first[s + 1]; i++)
            pieces_add(&pieces, batch->segments[i].count, widths[batch->segments[i].table]);
    assert_true(pieces.n > 1);
    catch_start(); /* what is none of them is refused, and the right one taken all the same */
    answer_piece(f, s, 0, sequence, pieces.n, 1, 0, 4);
    answer_piece(f, s, 0, sequence, 0, keys_of(batch, s), 0, weights_of(batch, s));
    answer_piece(f, s, 0, sequence, 1, pieces_rows(&pieces, 1), 0, pieces_weights(&pieces, 1) + 1);
    deliver(f, &ready);
    catch_stop();
    snprintf(text, sizeof text, "and piece %d of %d has 1, 4", pieces.n, pieces.n);
    assert_caught(text);
    for (int i = pieces.n - 1; i >= 0; i--) {
        deliver(f, &ready);
        assert_false(ready);
        for (int twice = 0; twice < 2; twice++)
            answer_piece(f, s, 0, sequence, i, pieces_rows(&pieces, i), pieces_first_weight(&pieces, i),
                         pieces_weights(&pieces, i));
    }
}

static void test_answers_come_in_pieces(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    pieces_set_bytes(16);
    uint64_t sequence[SHARDS];
    assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
    take_pulls(&f, &f.batch[0], WIRE_PULL, sequence);
    for (int s = 0; s < SHARDS; s++)
        answer_in_pieces(&f, s, &f.batch[0], sequence[s]);
    assert_int_equal(client_wait(f.client, 0), ST_OK);
    check_rows(&f, &f.batch[0]);
    client_release(f.client, 0);
    teardown(&f);
    pieces_set_bytes(0);
}

/* A shard refuses what it has: the pull that it has not answered. What it does not have it cannot refuse. */
static void test_a_refusal_is_fatal(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    uint64_t sequence[SHARDS];
    assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
    take_pulls(&f, &f.batch[0], WIRE_PULL, sequence);
    const message_error_t body = {.status = ST_MESSAGE,
                                  .text = "shard 2 refused PULL step 0: it belongs to another run or incarnation"};
    wire_header_t header = wire_header(WIRE_ERROR, RUN, EPOCH, 0, 0, 0);
    header.sequence = sequence[2] + 1;
    for (int wrong = 1; wrong >= 0; wrong--) {
        header.sequence = sequence[2] + (uint64_t)wrong;
        assert_int_equal(net_send(f.shard[2], RANK, &header, &(wire_frame_t){&body, sizeof body}, 1), ST_OK);
        while (net_sim_step(f.world))
            ;
        catch_start();
        assert_int_equal(client_poll(f.client, 0), wrong ? ST_OK : ST_MESSAGE);
        catch_stop();
        assert_caught(wrong ? "it refuses what was not sent"
                            : "a message was refused: shard 2 refused PULL step 0: it belongs to another run or incarnation");
        assert_int_equal(client_has_failed(f.client), !wrong);
    }
    teardown(&f);
}

/* Whatever shards say that does not fit, a wait goes on, and ends with the right answers. */
static void test_wild_messages_end_no_wait(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    uint64_t sequence[SHARDS];
    noise_t noise;
    assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
    take_pulls(&f, &f.batch[0], WIRE_PULL, sequence);
    catch_start();
    for (uint64_t n = 0; n < 20 * WIRE_TYPE_END; n++) {
        noise_draw(&noise, (wire_type_t)(1 + n % (WIRE_TYPE_END - 1)), 5, n, RUN, EPOCH);
        assert_int_equal(net_send(f.shard[n % SHARDS], RANK, &noise.header, noise.frame, noise.frames), ST_OK);
        while (net_sim_step(f.world))
            ;
        assert_int_equal(client_poll(f.client, 0), ST_OK);
    }
    catch_stop();
    assert_true(f.net->bad_messages > 18 * WIRE_TYPE_END && !client_has_failed(f.client));
    for (int s = 0; s < SHARDS; s++)
        answer(&f, s, 0, sequence[s], keys_of(&f.batch[0], s), weights_of(&f.batch[0], s));
    assert_int_equal(client_wait(f.client, 0), ST_OK);
    teardown(&f);
}

static void test_silence_is_named(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    uint64_t sequence[SHARDS];
    assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
    take_pulls(&f, &f.batch[0], WIRE_PULL, sequence);
    answer_all(&f, 1, &f.batch[0], sequence[1]);
    const int64_t start = net_now_ns(f.net);
    catch_start();
    assert_int_equal(client_wait(f.client, 0), ST_TIMEOUT);
    catch_stop();
    assert_caught("step 0: waiting for 2 of 3 shards for 20 s: shard 0 of server 0, shard 2 of server 1");
    const double seconds = (double)(net_now_ns(f.net) - start) * 1e-9;
    assert_true(seconds >= 20 && seconds < 21);
    /* It said every half second that it is alive. */
    int beats = 0;
    net_message_t message;
    while (net_receive(f.coordinator, &message, 0) == ST_OK) {
        beats += message.header.type == WIRE_HEARTBEAT;
        net_release(f.coordinator, &message);
    }
    assert_in_range(beats, 35, 42);
    teardown(&f);
}

static void send_control(fixture_t *f, wire_type_t type, int64_t count)
{
    message_begin_t body = {.variant = 4};
    wire_header_t header = wire_header(type, RUN, EPOCH, 0, 0, count);
    const wire_frame_t frame = {&body, sizeof body};
    assert_int_equal(net_send(f->coordinator, RANK, &header, &frame, wire_type_frames(type)), ST_OK);
}

static void test_control_messages_are_kept(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    uint64_t sequence[SHARDS];
    assert_int_equal(client_pull(f.client, &f.batch[2], false), ST_OK);
    take_pulls(&f, &f.batch[2], WIRE_PULL, sequence);
    send_control(&f, WIRE_EVALUATE, 0);
    send_control(&f, WIRE_BEGIN, 0);
    while (net_sim_step(f.world))
        ;
    for (int s = 0; s < SHARDS; s++)
        answer_all(&f, s, &f.batch[2], sequence[s]);
    assert_int_equal(client_poll(f.client, 2), ST_OK);
    assert_int_equal(client_wait(f.client, 2), ST_OK);
    client_release(f.client, 2);
    net_message_t message;
    assert_int_equal(client_control(f.client, &message), ST_OK);
    assert_int_equal(message.header.type, WIRE_EVALUATE);
    net_release(f.net, &message);
    assert_int_equal(client_control(f.client, &message), ST_OK);
    assert_int_equal(message.header.type, WIRE_BEGIN);
    assert_int_equal(((const message_begin_t *)message.frame[0].data)->variant, 4);
    net_release(f.net, &message);
    send_control(&f, WIRE_BEGIN, 0); /* one that is not fetched before the end */
    while (net_sim_step(f.world))
        ;
    assert_int_equal(client_poll(f.client, 2), ST_OK);
    teardown(&f);
}

/* "A bad message gets an ERROR reply with its reason and a counter, and never changes state": what a worker does not take, or
 * not from this sender. */
static void test_what_is_not_a_workers_is_refused(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    static const struct {
        int from; /* 0: the coordinator; 1: a shard */
        wire_type_t type;
    } offences[] = {{0, WIRE_PULL}, {0, WIRE_ROWS},  {0, WIRE_FLUSH}, {1, WIRE_STOP},
                    {1, WIRE_SAVE}, {1, WIRE_TRAIN}, {1, WIRE_BEGIN}};
    const int n = sizeof offences / sizeof *offences;
    for (int i = 0; i < n; i++) {
        net_t *net = offences[i].from ? f.shard[0] : f.coordinator;
        noise_t noise;
        noise_draw(&noise, offences[i].type, 1, (uint64_t)i, RUN, EPOCH);
        noise.header.run_id = RUN;
        noise.header.incarnation = EPOCH;
        assert_int_equal(net_send(net, RANK, &noise.header, noise.frame, noise.frames), ST_OK);
        while (net_sim_step(f.world))
            ;
        catch_start();
        assert_int_equal(client_poll(f.client, 0), ST_OK);
        catch_stop();
        assert_caught("a worker does not take this type from this sender");
        net_message_t answer;
        do
            assert_int_equal(net_receive(net, &answer, 1000), ST_OK);
        while (answer.header.type == WIRE_HEARTBEAT);
        message_error_t body;
        assert_int_equal(answer.header.type, WIRE_ERROR);
        assert_true(answer.header.run_id == RUN && answer.header.incarnation == EPOCH);
        assert_true(answer.header.step == noise.header.step && answer.header.sequence == noise.header.sequence);
        assert_true(message_body(&answer, &body, sizeof body));
        assert_non_null(strstr(body.text, "rank 9, a worker, refused "));
        assert_int_equal(body.fatal, 0);
        net_release(net, &answer);
        assert_int_equal(f.net->bad_messages, i + 1);
    }
    /* It still works, and nothing was kept. */
    send_control(&f, WIRE_EVALUATE, 0);
    net_message_t message;
    assert_int_equal(client_control(f.client, &message), ST_OK);
    assert_int_equal(message.header.type, WIRE_EVALUATE);
    net_release(f.net, &message);
    teardown(&f);
}

static void test_stop_ends_every_wait(void **state)
{
    (void)state;
    for (int failed = 0; failed < 2; failed++) {
        fixture_t f;
        setup(&f);
        assert_int_equal(client_pull(f.client, &f.batch[0], false), ST_OK);
        send_control(&f, WIRE_STOP, failed);
        const status_t expected = failed ? ST_PEER : ST_STOPPED;
        net_message_t message;
        assert_int_equal(client_wait(f.client, 0), expected);
        assert_int_equal(client_poll(f.client, 0), expected);
        assert_int_equal(client_control(f.client, &message), expected);
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pulls),
        cmocka_unit_test(test_pushes),
        cmocka_unit_test(test_pushes_of_some_sets),
        cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_answers_come_in_pieces),
        cmocka_unit_test(test_a_refusal_is_fatal),
        cmocka_unit_test(test_wild_messages_end_no_wait),
        cmocka_unit_test(test_silence_is_named),
        cmocka_unit_test(test_control_messages_are_kept),
        cmocka_unit_test(test_what_is_not_a_workers_is_refused),
        cmocka_unit_test(test_stop_ends_every_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
