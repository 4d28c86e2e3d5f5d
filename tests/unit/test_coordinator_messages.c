/* test_coordinator_messages - "A bad message gets an ERROR reply with its reason and a counter, and never changes state. A
 * message from a connection that is no rank of the job is counted and dropped" (docs/PROTOCOL.md, What is checked), at the
 * coordinator. */
#include <stdio.h>
#include <string.h>

#include "common/net/net_sim.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "tests/lib/expect.h"
#include "tests/lib/testing.h"

#define EPOCH 3

enum { SERVER = 1, WORKER, STRANGER, RANKS = STRANGER };

typedef struct fixture {
    net_sim_world_t *world;
    net_t *net, *shard, *rank[STRANGER + 1];
    experiment_t *experiment;
    progress_t *progress;
    roster_entry_t entries[RANKS];
    roster_t roster;
    coordinator_t *coordinator;
} fixture_t;

static void setup(fixture_t *f)
{
    *f = (fixture_t){.roster = {.size = RANKS, .servers = 1, .shards_per_server = 1, .workers = 1}};
    test_dir();
    assert_int_equal(experiment_load(test_write("config.yaml", "data: {path: none}\n"), NULL, 0, &f->experiment), ST_OK);
    f->world = net_sim_world_create(1, 5);
    f->net = net_sim_attach(f->world, 0);
    f->shard = net_sim_attach(f->world, SERVER);
    net_sim_dial(f->net, PEER_SHARD(0), f->shard);
    for (int r = SERVER; r <= STRANGER; r++) {
        f->rank[r] = net_sim_attach(f->world, r);
        net_sim_dial(f->rank[r], PEER_COORDINATOR, f->net);
        if (r < RANKS)
            snprintf(f->entries[r].host, sizeof f->entries[r].host, "node%d", r);
    }
    f->roster.entries = f->entries;
    assert_int_equal(progress_create(2, &f->progress), ST_OK);
    const coordinator_options_t options = {
        .net = f->net, .roster = &f->roster, .experiment = f->experiment, .progress = f->progress};
    assert_int_equal(coordinator_create(&options, &f->coordinator), ST_OK);
    f->coordinator->incarnation = EPOCH;
}

static void teardown(fixture_t *f)
{
    coordinator_destroy(&f->coordinator);
    progress_destroy(&f->progress);
    net_close(&f->net);
    net_close(&f->shard);
    for (int r = SERVER; r <= STRANGER; r++)
        net_close(&f->rank[r]);
    net_sim_world_destroy(&f->world);
    experiment_destroy(&f->experiment);
}

/* The coordinator gets a message of this type with the body of counters, or with empty frames. */
static status_t deliver(fixture_t *f, net_t *from, wire_type_t type, uint64_t run_id)
{
    const message_counters_t counters = {.rows = 5, .examples = 7};
    const wire_frame_t frames[WIRE_FRAMES] = {{&counters, type == WIRE_DENSE ? 0 : (int64_t)sizeof counters}};
    wire_header_t header = wire_header(type, run_id, EPOCH, 0, 4, 0);
    header.sequence = 20;
    const int to = from == f->shard ? 0 : PEER_COORDINATOR;
    assert_int_equal(net_send(from, to, &header, frames, wire_type_frames((int)type)), ST_OK);
    net_message_t message;
    assert_int_equal(net_receive(f->net, &message, 1000), ST_OK);
    return coordinator_dispatch(f->coordinator, &message);
}

static void expect_refusal(net_t *net, wire_type_t type, uint64_t run_id, const char *reason)
{
    char what[64];
    message_error_t body;
    net_message_t answer = expect_message(net, WIRE_ERROR);
    assert_true(answer.header.run_id == run_id && answer.header.incarnation == EPOCH);
    assert_true(answer.header.step == 4 && answer.header.sequence == 20);
    assert_true(message_body(&answer, &body, sizeof body));
    snprintf(what, sizeof what, "the coordinator refused %s", wire_type_name((int)type));
    if (strncmp(body.text, what, strlen(what)) != 0 || !strstr(body.text, reason))
        fail_msg("\"%s\" does not say that a %s was refused: %s", body.text, wire_type_name((int)type), reason);
    assert_int_equal(body.fatal, 0);
    net_release(net, &answer);
}

static void test_who_may_send_what(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    const uint64_t run = f.coordinator->run_id;
    static const struct {
        int from; /* a rank; 0: the shard */
        wire_type_t type;
    } offences[] = {{WORKER, WIRE_LOADED}, {WORKER, WIRE_FLUSHED}, {WORKER, WIRE_PREPARED}, {WORKER, WIRE_PULL},
                    {WORKER, WIRE_STOP},   {WORKER, WIRE_TRAIN},   {SERVER, WIRE_READY},    {SERVER, WIRE_TRAINED},
                    {SERVER, WIRE_DENSE},  {0, WIRE_TRAINED},      {0, WIRE_EVALUATED},     {0, WIRE_DENSE},
                    {0, WIRE_HEARTBEAT},   {0, WIRE_BYE},          {0, WIRE_SAVE}};
    const int n = sizeof offences / sizeof *offences;
    catch_start();
    for (int i = 0; i < n; i++) {
        net_t *net = offences[i].from ? f.rank[offences[i].from] : f.shard;
        assert_int_equal(deliver(&f, net, offences[i].type, run), ST_OK);
        expect_refusal(net, offences[i].type, run, "the coordinator does not take this type from this sender");
        assert_int_equal(f.net->bad_messages, i + 1);
    }
    catch_stop();
    const coordinator_t *c = f.coordinator;
    assert_true(c->ready == 0 && c->n_trained == 0 && c->n_evaluated == 0 && c->n_flushed == 0 && c->n_loaded == 0);
    assert_true(c->loaded.rows == 0 && c->shards.rows == 0 && c->trained.examples == 0);
    teardown(&f);
}

static void test_another_run_is_refused(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    const uint64_t run = f.coordinator->run_id;
    catch_start();
    assert_int_equal(deliver(&f, f.rank[WORKER], WIRE_TRAINED, run + 1), ST_OK);
    expect_refusal(f.rank[WORKER], WIRE_TRAINED, run + 1, "it belongs to another run or incarnation");
    assert_int_equal(deliver(&f, f.shard, WIRE_FLUSHED, run - 1), ST_OK);
    expect_refusal(f.shard, WIRE_FLUSHED, run - 1, "it belongs to another run or incarnation");
    catch_stop();
    assert_true(f.coordinator->n_trained == 0 && f.coordinator->n_flushed == 0);
    assert_int_equal(f.net->bad_messages, 2);
    /* A rank may speak of its life before it knows the run. */
    assert_int_equal(deliver(&f, f.rank[WORKER], WIRE_HEARTBEAT, 0), ST_OK);
    assert_true(f.coordinator->detector.heard[WORKER]);
    teardown(&f);
}

static void test_the_right_ones_are_taken(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    coordinator_t *c = f.coordinator;
    assert_int_equal(deliver(&f, f.shard, WIRE_READY, c->run_id), ST_OK);
    assert_int_equal(deliver(&f, f.rank[WORKER], WIRE_READY, c->run_id), ST_OK);
    assert_int_equal(c->ready, 2);
    assert_int_equal(deliver(&f, f.rank[WORKER], WIRE_TRAINED, c->run_id), ST_OK);
    assert_int_equal(deliver(&f, f.rank[WORKER], WIRE_EVALUATED, c->run_id), ST_OK);
    assert_int_equal(deliver(&f, f.shard, WIRE_LOADED, c->run_id), ST_OK);
    assert_int_equal(deliver(&f, f.shard, WIRE_FLUSHED, c->run_id), ST_OK);
    assert_true(c->n_trained == 1 && c->n_evaluated == 1 && c->n_loaded == 1 && c->n_flushed == 1);
    assert_true(c->trained.examples == 7 && c->evaluated.examples == 7 && c->loaded.rows == 5 && c->shards.rows == 5);
    assert_int_equal(f.net->bad_messages, 0);
    teardown(&f);
}

static void test_strangers_are_not_answered(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    net_message_t message;
    assert_int_equal(deliver(&f, f.rank[STRANGER], WIRE_TRAINED, f.coordinator->run_id), ST_OK);
    assert_int_equal(deliver(&f, f.rank[STRANGER], WIRE_HEARTBEAT, 0), ST_OK);
    assert_int_equal(f.net->bad_messages, 2);
    assert_int_equal(f.coordinator->n_trained, 0);
    assert_int_equal(net_receive(f.rank[STRANGER], &message, 1000), ST_TIMEOUT);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_send_what),
        cmocka_unit_test(test_another_run_is_refused),
        cmocka_unit_test(test_the_right_ones_are_taken),
        cmocka_unit_test(test_strangers_are_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
