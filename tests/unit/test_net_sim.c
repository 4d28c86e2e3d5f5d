/* test_net_sim - the simulated network keeps net.h's promises and repeats itself for a seed.
 *
 * Proves in-order delivery per pair with different orders between senders, exact repetition for one seed, waits that move
 * the virtual clock and nothing else, served nodes that answer a client that blocks, memory read at arrival and
 * released once, sends to a closed node that end at the deadline, loops as tasks, each fault by itself, that a dead node's
 * loop ends while the others go on, and that letters come as far as their key, shape and sender let them.                 */
#include "common/net/net_sim.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/net/message.h"
#include "tests/lib/testing.h"

static wire_header_t beat(int64_t step)
{
    return wire_header(WIRE_HEARTBEAT, 1, 0, 0, step, 0);
}

/* Three senders, 40 messages each; the order of arrival as text. */
static void arrivals(uint64_t seed, char text[121])
{
    net_sim_world_t *world = net_sim_world_create(seed, 1);
    net_t *to = net_sim_attach(world, 0), *from[3];
    for (int s = 0; s < 3; s++) {
        from[s] = net_sim_attach(world, s + 1);
        net_sim_dial(from[s], 50, to);
    }
    for (int i = 0; i < 40; i++)
        for (int s = 0; s < 3; s++) {
            wire_header_t header = beat(i);
            assert_int_equal(net_send(from[s], 50, &header, NULL, 0), ST_OK);
        }
    int64_t next[4] = {0}, last_ns = 0;
    for (int i = 0; i < 120; i++) {
        net_message_t m;
        assert_int_equal(net_receive(to, &m, 1000), ST_OK);
        assert_int_equal(m.header.sender, m.peer);
        assert_int_equal(m.header.step, next[m.peer]++);
        assert_true(net_now_ns(to) >= last_ns);
        last_ns = net_now_ns(to);
        text[i] = (char)('0' + m.peer);
        net_release(to, &m);
    }
    text[120] = 0;
    assert_int_equal(to->bytes_received, 120 * 64);
    net_close(&to);
    for (int s = 0; s < 3; s++)
        net_close(&from[s]);
    net_sim_world_destroy(&world);
    assert_null(world);
}

static void test_order(void **state)
{
    (void)state;
    char a[121], b[121], c[121], turns[121];
    arrivals(1, a);
    arrivals(1, b);
    arrivals(2, c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    for (int i = 0; i < 120; i++)
        turns[i] = (char)('1' + i % 3);
    turns[120] = 0;
    assert_string_not_equal(a, turns);
}

static void test_clock(void **state)
{
    (void)state;
    net_sim_world_t *world = net_sim_world_create(3, 1);
    net_t *a = net_sim_attach(world, 1), *b = net_sim_attach(world, 2);
    net_sim_dial(a, 7, b);
    net_message_t m;
    assert_int_equal(net_receive(b, &m, 0), ST_TIMEOUT);
    assert_int_equal(net_sim_now_ns(world), 0);
    assert_int_equal(net_receive(b, &m, 30000), ST_TIMEOUT);
    assert_int_equal(net_sim_now_ns(world), 30000000000);
    wire_header_t header = beat(4);
    assert_int_equal(net_send(a, 7, &header, NULL, 0), ST_OK);
    assert_int_equal(net_receive(b, &m, 0), ST_TIMEOUT); /* still on its way */
    assert_true(net_sim_step(world));
    assert_false(net_sim_step(world));
    int64_t arrived = net_sim_now_ns(world);
    assert_in_range(arrived, 30000000001, 30002000000);
    assert_int_equal(net_receive(b, &m, 0), ST_OK);
    assert_int_equal(net_sim_now_ns(world), arrived);
    net_release(b, &m);
    assert_true(net_random(a) != net_random(a));
    net_close(&a);
    net_close(&b);
    net_sim_world_destroy(&world);
}

typedef struct echo {
    net_t *net, *next; /* asks the next node before it answers, where there is one */
    int served;
} echo_t;

static void echo_serve(void *context)
{
    echo_t *echo = context;
    net_message_t m, answer;
    assert_int_equal(net_receive(echo->net, &m, 0), ST_OK);
    if (echo->next) {
        wire_header_t question = beat(m.header.step);
        assert_int_equal(net_send(echo->net, 90, &question, NULL, 0), ST_OK);
        assert_int_equal(net_receive(echo->net, &answer, 1000), ST_OK);
        assert_int_equal(answer.peer, 90);
        assert_int_equal(answer.header.step, m.header.step * 2);
        net_release(echo->net, &answer);
    }
    wire_header_t header = beat(m.header.step * 2);
    assert_int_equal(net_send(echo->net, m.peer, &header, NULL, 0), ST_OK);
    echo->served++;
    net_release(echo->net, &m);
}

static void test_served_nodes_answer_a_blocked_client(void **state)
{
    (void)state;
    net_sim_world_t *world = net_sim_world_create(4, 1);
    net_t *client = net_sim_attach(world, 1), *near = net_sim_attach(world, 2), *far = net_sim_attach(world, 3);
    net_sim_dial(client, 80, near);
    net_sim_dial(near, 90, far);
    echo_t near_echo = {near, far, 0}, far_echo = {far, NULL, 0};
    net_sim_serve(near, echo_serve, &near_echo);
    net_sim_serve(far, echo_serve, &far_echo);
    for (int i = 1; i <= 20; i++) {
        wire_header_t header = beat(i);
        assert_int_equal(net_send(client, 80, &header, NULL, 0), ST_OK);
        net_message_t m;
        assert_int_equal(net_receive(client, &m, 1000), ST_OK);
        assert_int_equal(m.header.step, 2 * i);
        assert_int_equal(m.peer, 80);
        net_release(client, &m);
    }
    assert_int_equal(near_echo.served, 20);
    assert_int_equal(far_echo.served, 20);
    net_close(&client);
    net_close(&near);
    net_close(&far);
    net_sim_world_destroy(&world);
}

static int released;

static void count_release(void *context)
{
    released++;
    memset(context, 0xee, 8);
}

static void test_memory(void **state)
{
    (void)state;
    net_sim_world_t *world = net_sim_world_create(5, 2);
    net_t *a = net_sim_attach(world, 1), *b = net_sim_attach(world, 2);
    net_sim_dial(a, 7, b);
    float owned[2] = {1, 2}, copied[2] = {3, 4};
    wire_header_t header = wire_header(WIRE_ROWS, 1, 0, 1, 0, 2);
    released = 0;
    assert_int_equal(net_send_owned(a, 7, &header, &(wire_frame_t){owned, 8}, 1, count_release, owned), ST_OK);
    assert_int_equal(net_send(a, 7, &header, &(wire_frame_t){copied, 8}, 1), ST_OK);
    assert_int_equal(released, 0);
    owned[1] = 20; /* against the contract: the receiver sees it */
    copied[1] = 40;
    net_message_t m[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(net_receive(b, &m[i], 1000), ST_OK);
    assert_int_equal(released, 1);
    assert_true(((const float *)m[0].frame[0].data)[0] == 1 && ((const float *)m[0].frame[0].data)[1] == 20);
    assert_true(((const float *)m[1].frame[0].data)[1] == 4);
    for (int i = 0; i < 2; i++)
        net_release(b, &m[i]);
    /* On its way when the receiver closes; and sent after that. */
    assert_int_equal(net_send_owned(a, 7, &header, &(wire_frame_t){owned, 8}, 1, count_release, owned), ST_OK);
    net_close(&b);
    assert_int_equal(released, 1);
    assert_true(net_sim_step(world));
    assert_int_equal(released, 2);
    int64_t before = net_sim_now_ns(world);
    catch_start();
    assert_int_equal(net_send_owned(a, 7, &header, &(wire_frame_t){owned, 8}, 1, count_release, owned), ST_TIMEOUT);
    catch_stop();
    assert_caught("peer 7 is not connected after 2.0 s; it did not get: ROWS step 0 from rank 1, 2 rows");
    assert_int_equal(released, 3);
    assert_int_equal(net_sim_now_ns(world) - before, 2000000000);
    net_close(&a);
    net_sim_world_destroy(&world);
}

/* ---- tasks and faults: a pinger and a ponger, each a loop of its own ---- */

#define PINGS 200

typedef struct pair {
    net_sim_world_t *world;
    net_t *a, *b;
    int64_t answers, lost, twice, out_of_order, served, ended_ns, seen;
    status_t status_a, status_b;
} pair_t;

static void ping(void *context)
{
    pair_t *p = context;
    bool answered[PINGS] = {false};
    for (int i = 0; i < PINGS && p->status_a == ST_OK; i++) {
        wire_header_t header = beat(i);
        net_message_t m;
        p->status_a = net_send(p->a, 7, &header, NULL, 0);
        if (p->status_a == ST_OK)
            p->status_a = net_receive(p->a, &m, 5);
        if (p->status_a == ST_TIMEOUT)
            p->status_a = ST_OK;
        else if (p->status_a == ST_OK) {
            p->answers++;
            p->twice += answered[m.header.step];
            answered[m.header.step] = true;
            net_release(p->a, &m);
        }
    }
    for (int i = 0; i < PINGS; i++)
        p->lost += !answered[i];
    p->ended_ns = net_sim_now_ns(p->world);
}

static void pong(void *context)
{
    pair_t *p = context;
    int64_t last = -1;
    for (;;) {
        net_message_t m;
        p->status_b = net_receive(p->b, &m, 1000);
        if (p->status_b != ST_OK)
            return;
        p->out_of_order += m.header.step < last;
        last = m.header.step;
        p->served++;
        wire_header_t header = beat(m.header.step);
        net_release(p->b, &m);
        p->status_b = net_send(p->b, 1, &header, NULL, 0);
    }
}

static pair_t pair_run(uint64_t seed, const net_sim_faults_t *faults, void (*meanwhile)(pair_t *pair), net_sim_counts_t *counts)
{
    pair_t p = {.world = net_sim_world_create(seed, 1)};
    p.a = net_sim_attach(p.world, 1);
    p.b = net_sim_attach(p.world, 2);
    net_sim_dial(p.a, 7, p.b);
    net_sim_set_faults(p.world, faults);
    net_sim_spawn(p.world, p.a, ping, &p);
    net_sim_spawn(p.world, p.b, pong, &p);
    assert_true(net_sim_run(p.world, 20000000));
    assert_int_equal(net_sim_now_ns(p.world), 20000000);
    if (meanwhile)
        meanwhile(&p);
    assert_false(net_sim_run(p.world, INT64_MAX));
    *counts = net_sim_counts(p.world);
    net_close(&p.a);
    net_close(&p.b);
    net_sim_world_destroy(&p.world);
    return p;
}

static void test_tasks(void **state)
{
    (void)state;
    net_sim_counts_t counts;
    const net_sim_faults_t none = {0};
    const pair_t p = pair_run(1, &none, NULL, &counts), again = pair_run(1, &none, NULL, &counts);
    assert_int_equal(p.answers, PINGS);
    assert_int_equal(p.lost, 0);
    assert_int_equal(p.twice, 0);
    assert_int_equal(p.status_b, ST_TIMEOUT); /* after the last */
    assert_int_equal(p.ended_ns, again.ended_ns);
    assert_int_equal(counts.sent, 2 * PINGS);
    assert_int_equal(counts.dropped + counts.duplicated + counts.late + counts.held, 0);
}

static void test_faults(void **state)
{
    (void)state;
    net_sim_counts_t counts;
    const uint64_t beats = 1ull << WIRE_HEARTBEAT;
    pair_t p = pair_run(2, &(net_sim_faults_t){.types = beats, .drop = 0.1}, NULL, &counts);
    assert_in_range(counts.dropped, 20, 60);
    assert_int_equal(p.lost, counts.dropped);
    p = pair_run(2, &(net_sim_faults_t){.types = beats, .duplicate = 0.1}, NULL, &counts);
    assert_in_range(counts.duplicated, 20, 60);
    assert_true(p.twice > 0 && p.served > PINGS);
    p = pair_run(2, &(net_sim_faults_t){.types = beats, .late = 0.1, .late_ns = 30000000}, NULL, &counts);
    assert_in_range(counts.late, 20, 60);
    assert_true(p.out_of_order > 5);
    assert_int_equal(p.served, PINGS);
    p = pair_run(2, &(net_sim_faults_t){.types = ~beats, .drop = 1, .duplicate = 1, .late = 1, .late_ns = 30000000}, NULL,
                 &counts);
    assert_int_equal(p.answers, PINGS);
    assert_int_equal(p.out_of_order, 0);
}

static void part(pair_t *p)
{
    p->seen = p->served;
    net_sim_partition(p->world, 1 << 1, 100000000);
    assert_true(net_sim_run(p->world, 100000000));
    assert_in_range(p->served - p->seen, 0, 1); /* what was on its way */
}

static void kill_b(pair_t *p)
{
    assert_false(net_sim_is_dead(p->b));
    net_sim_kill(p->b);
    assert_true(net_sim_is_dead(p->b));
    p->seen = p->served;
}

static void pause_b(pair_t *p)
{
    net_sim_pause(p->b, 400000000);
    p->seen = p->served;
    assert_true(net_sim_run(p->world, 400000000));
    assert_int_equal(p->served, p->seen);
}

static void test_nodes_that_are_cut_off(void **state)
{
    (void)state;
    net_sim_counts_t counts;
    const net_sim_faults_t none = {0};
    pair_t p = pair_run(3, &none, part, &counts);
    assert_int_equal(p.served, PINGS); /* all come in the end */
    assert_int_equal(p.out_of_order, 0);
    assert_in_range(counts.held, 15, 30);
    p = pair_run(3, &none, kill_b, &counts);
    assert_int_equal(p.status_b, ST_PEER);
    assert_int_equal(p.served, p.seen);
    assert_int_equal(p.status_a, ST_OK); /* hears nothing, and goes on */
    assert_in_range(p.answers, p.seen - 1, p.seen);
    p = pair_run(3, &none, pause_b, &counts);
    assert_int_equal(p.served, PINGS);
}

/* ---- letters ---- */

typedef struct post {
    net_sim_world_t *world;
    net_t *to, *one, *two; /* `to` is dialled by ranks 1 and 2 */
    int overheard;
} post_t;

static void overhear(void *context, net_t *to, const net_sim_letter_t *message)
{
    post_t *p = context;
    assert_ptr_equal(to, p->to);
    assert_true(message->has_key);
    p->overheard++;
}

static void post_open(post_t *p, net_sim_mistake_t mistake)
{
    *p = (post_t){.world = net_sim_world_create(9, 1)};
    p->to = net_sim_attach(p->world, 0);
    p->one = net_sim_attach(p->world, 1);
    p->two = net_sim_attach(p->world, 2);
    net_sim_dial(p->one, 50, p->to);
    net_sim_dial(p->two, 50, p->to);
    net_sim_overhear(p->world, overhear, p);
    net_sim_set_mistake(p->world, mistake);
}

static void post_close(post_t *p)
{
    net_close(&p->to);
    net_close(&p->one);
    net_close(&p->two);
    net_sim_world_destroy(&p->world);
}

/* Who is believed to have sent the letter; -1: it did not come. */
static int post_letter(post_t *p, int peer, bool has_key, const wire_header_t *header)
{
    uint8_t head[64];
    net_message_t m;
    wire_encode(header, head);
    const net_sim_letter_t letter = {.peer = peer, .has_key = has_key, .head = head};
    net_sim_post(p->to, &letter, 1000000);
    if (net_receive(p->to, &m, 1000) != ST_OK)
        return -1;
    const int from = m.peer;
    assert_int_equal(m.header.step, header->step);
    net_release(p->to, &m);
    return from;
}

static void test_letters(void **state)
{
    (void)state;
    post_t p;
    net_message_t m;
    net_sim_peer_t peer;
    wire_header_t good = wire_header(WIRE_HEARTBEAT, 7, 1, 1, 3, 0), bad = good, refusal;
    bad.magic++;
    post_open(&p, NET_SIM_CORRECT);
    assert_true(net_sim_peer(p.to, 1, &peer) && peer.peer == 2 && peer.rank == 2 && peer.dials);
    assert_true(net_sim_peer(p.one, 0, &peer) && peer.peer == 50 && peer.rank == 0 && !peer.dials);
    assert_false(net_sim_peer(p.one, 1, &peer));
    assert_int_equal(post_letter(&p, 1, false, &good), -1); /* no key */
    assert_int_equal(post_letter(&p, 2, true, &good), -1);  /* another's name */
    assert_int_equal(post_letter(&p, 1, true, &bad), -1);
    assert_int_equal(post_letter(&p, 7, true, &good), -1); /* no such connection */
    assert_int_equal(post_letter(&p, 1, true, &good), 1);
    net_sim_counts_t counts = net_sim_counts(p.world);
    assert_true(counts.strangers == 1 && counts.misshapen == 2 && counts.refused == 0 && p.overheard == 0);
    assert_int_equal(p.to->bad_messages, 2);

    /* The refusal of the letter reaches nobody, once; what looks like one and is none arrives. */
    const message_error_t body = {.status = ST_MESSAGE};
    const wire_frame_t frame = {&body, sizeof body};
    refusal = wire_header(WIRE_ERROR, 7, 1, 0, 3, 0);
    p.to->bad_messages = 0;
    assert_int_equal(net_send(p.to, 1, &refusal, &frame, 1), ST_OK);
    assert_int_equal(net_receive(p.one, &m, 100), ST_TIMEOUT);
    assert_int_equal(net_sim_counts(p.world).refused, 1);
    net_sim_overhear(p.world, NULL, NULL);
    assert_int_equal(net_send(p.to, 1, &refusal, &frame, 1), ST_OK);
    assert_int_equal(net_receive(p.one, &m, 100), ST_OK);
    net_release(p.one, &m);
    post_close(&p);
}

static void test_mistakes_let_letters_in(void **state)
{
    (void)state;
    post_t p;
    net_message_t m;
    uint8_t head[64];
    const wire_header_t beat_of_one = wire_header(WIRE_HEARTBEAT, 7, 1, 1, 3, 0), old = wire_header(WIRE_TRAIN, 7, 1, 1, 3, 0),
                        now = wire_header(WIRE_TRAIN, 8, 2, 1, 4, 0);
    post_open(&p, NET_SIM_BELIEVES_STRANGERS);
    assert_int_equal(post_letter(&p, 1, false, &beat_of_one), 1);
    post_close(&p);
    post_open(&p, NET_SIM_BELIEVES_HEADERS);
    assert_int_equal(post_letter(&p, 2, true, &beat_of_one), 1);
    post_close(&p);
    post_open(&p, NET_SIM_FORGETS_RUNS);
    assert_int_equal(net_send(p.one, 50, &now, NULL, 0), ST_OK);
    assert_int_equal(net_receive(p.to, &m, 100), ST_OK);
    net_release(p.to, &m);
    assert_int_equal(p.overheard, 1);
    wire_encode(&old, head);
    net_sim_post(p.to, &(net_sim_letter_t){.peer = 1, .has_key = true, .head = head}, 0);
    assert_int_equal(net_receive(p.to, &m, 100), ST_OK);
    assert_true(m.header.run_id == 8 && m.header.incarnation == 2 && m.header.step == 3);
    net_release(p.to, &m);
    post_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_served_nodes_answer_a_blocked_client),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_nodes_that_are_cut_off),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_mistakes_let_letters_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
