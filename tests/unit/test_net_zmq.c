/* test_net_zmq - the production transport over ipc and tcp, in one process with threads, and with a raw ZeroMQ peer that
 * lies.
 *
 * Proves what net.h promises: messages arrive whole, in order, from the right peer, with aligned frames; zero-copy memory is
 * released once, after the peer could read it, also when a send fails; waits end at their deadline and name the peer;
 * "a bad message gets an error reply with its reason and a counter, and never changes state" (docs/PROTOCOL.md). */
#include "common/net/net_zmq.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/net/door.h"
#include "common/net/ipc_folder.h"
#include "common/net/message.h"
#include "common/net/parcels.h"
#include "common/net/zeromq.h"
#include "tests/lib/job_keys.h"
#include "tests/lib/testing.h"

#define RANKS 12

static net_keys_t *ranks[RANKS];
static ipc_folder_t folder;

static int set_up(void **state)
{
    (void)state;
    job_keys_make(RANKS, false, ranks);
    return ipc_folder_create(&folder) != ST_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ipc_folder_remove(&folder);
    return 0;
}

static net_t *make_net_of(net_keys_t *keys, double deadline_s)
{
    net_t *net;
    const net_zmq_options_t options = {.keys = keys, .deadline_s = deadline_s, .in_pieces = net_keys_encrypt(keys)};
    assert_int_equal(net_zmq_create(&options, &net), ST_OK);
    return net;
}

static net_t *make_net(int self, double deadline_s)
{
    return make_net_of(ranks[self], deadline_s);
}

static net_t *make_listener(int self, bool tcp, char endpoint[NET_ENDPOINT_BYTES])
{
    net_t *net = make_net(self, 0.3);
    assert_int_equal(net_zmq_listen(net, tcp ? "127.0.0.1" : folder.path, endpoint), ST_OK);
    return net;
}

static net_t *make_dialler(int self, int peer, const char *endpoint)
{
    net_t *net = make_net(self, 0.3);
    assert_int_equal(net_zmq_dial(net, peer, 0, endpoint), ST_OK);
    return net;
}

static void send_pull(net_t *net, int peer, int64_t step, const uint64_t *keys, int64_t count)
{
    wire_segment_t segment = {3, (uint32_t)count};
    wire_header_t header = wire_header(WIRE_PULL, 5, 0, 0, step, count);
    header.sequence = 1;
    wire_frame_t frames[] = {{&segment, count ? sizeof segment : 0}, {keys, count * 8}};
    assert_int_equal(net_send(net, peer, &header, frames, 2), ST_OK);
}

/* job[0] listens, job[1] and job[2] dial. */
static void exchange(bool tcp, net_keys_t **job)
{
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_net_of(job[0], 0.3), *client[2];
    assert_int_equal(net_zmq_listen(server, tcp ? "127.0.0.1" : folder.path, endpoint), ST_OK);
    for (int c = 0; c < 2; c++) {
        client[c] = make_net_of(job[1 + c], 0.3);
        assert_int_equal(net_zmq_dial(client[c], PEER_SHARD(7), 0, endpoint), ST_OK);
    }
    /* From messages that ZeroMQ keeps in its receive buffer to ones it allocates; odd offsets; pieces that are full. */
    enum { FULL = PARCEL_PIECE / 8 };
    static const int64_t counts[] = {1, 2, 5, 100, 1001, FULL - 1, FULL, FULL + 1, 2 * FULL, 3 * FULL + 5, 0, 100000};
    enum { N = sizeof counts / sizeof *counts };
    uint64_t *keys = MEM_ARRAY(uint64_t, 100000);
    for (int i = 0; i < 100000; i++)
        keys[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < N; i++)
            send_pull(client[c], PEER_SHARD(7), i, keys, counts[i]);
    int64_t next[3] = {0}, sent = client[0]->bytes_sent;
    net_message_t held[2 * N];
    for (int i = 0; i < 2 * N; i++) {
        net_message_t *m = &held[i];
        assert_int_equal(net_receive(server, m, 5000), ST_OK);
        assert_true(m->peer == 1 || m->peer == 2);
        assert_int_equal(m->header.sender, m->peer);
        assert_int_equal(m->header.step, next[m->peer]++);
        assert_int_equal(m->frames, 2);
        int64_t count = counts[m->header.step];
        assert_int_equal(m->frame[1].bytes, 8 * count);
        assert_int_equal((uintptr_t)m->frame[0].data % 8, 0);
        assert_int_equal((uintptr_t)m->frame[1].data % 8, 0);
        assert_memory_equal(m->frame[1].data, keys, (size_t)(8 * count));
    }
    for (int i = 0; i < 2 * N; i++)
        net_release(server, &held[i]);
    net_message_t m;
    assert_int_equal(net_receive(server, &m, 0), ST_TIMEOUT);
    assert_int_equal(server->messages_received, 2 * N);
    assert_int_equal(server->bytes_received, 2 * sent);
    for (int c = 0; c < 2; c++) {
        float weight = 10.0f + (float)c;
        wire_header_t header = wire_header(WIRE_ROWS, 5, 0, 0, 9, 1);
        assert_int_equal(net_send(server, 1 + c, &header, &(wire_frame_t){&weight, 4}, 1), ST_OK);
    }
    for (int c = 0; c < 2; c++) {
        assert_int_equal(net_receive(client[c], &m, 5000), ST_OK);
        assert_int_equal(m.peer, PEER_SHARD(7));
        assert_true(*(const float *)m.frame[0].data == 10.0f + (float)c);
        net_release(client[c], &m);
        net_close(&client[c]);
    }
    net_close(&server);
    mem_free(keys);
}

static void test_exchange_ipc(void **state)
{
    (void)state;
    exchange(false, ranks);
}

static void test_exchange_tcp(void **state)
{
    (void)state;
    exchange(true, ranks);
}

static void test_exchange_encrypted(void **state)
{
    (void)state;
    net_keys_t *job[3];
    job_keys_make(3, true, job);
    exchange(true, job);
    exchange(false, job);
    net_zmq_shutdown();
    job_keys_drop(3, job);
}

static atomic_int released;

static void count_release(void *context)
{
    memset(context, 0, 8); /* whatever was not sent by now would be lost */
    atomic_fetch_add(&released, 1);
}

static void test_zero_copy(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_listener(0, false, endpoint), *client = make_dialler(1, 0, endpoint);
    enum { ROUNDS = 50, BYTES = 1 << 18 };
    uint8_t *block[ROUNDS];
    atomic_store(&released, 0);
    for (int i = 0; i < ROUNDS; i++) {
        block[i] = MEM_ARRAY(uint8_t, BYTES);
        memset(block[i], i + 1, BYTES);
        wire_segment_t *segment = (wire_segment_t *)(void *)block[i];
        wire_frame_t frames[] = {{segment, 8}, {block[i] + 8, 8 * 16000}, {block[i] + 8, 4 * 16000}};
        wire_header_t header = wire_header(WIRE_PUSH, 1, 0, 1, i, 16000);
        header.sequence = 1;
        assert_int_equal(net_send_owned(client, 0, &header, frames, 3, count_release, block[i]), ST_OK);
    }
    for (int i = 0; i < ROUNDS; i++) {
        net_message_t m;
        assert_int_equal(net_receive(server, &m, 5000), ST_OK);
        for (int f = 0; f < 3; f++) {
            const uint8_t *bytes = m.frame[f].data;
            assert_int_equal(bytes[0], i + 1);
            assert_int_equal(bytes[m.frame[f].bytes - 1], i + 1);
        }
        net_release(server, &m);
    }
    for (int wait = 0; wait < 500 && atomic_load(&released) < ROUNDS; wait++)
        usleep(10000);
    assert_int_equal(atomic_load(&released), ROUNDS);
    /* A message without frames and a message that cannot be sent are released as well. */
    wire_header_t flush = wire_header(WIRE_FLUSH, 1, 0, 1, 0, 0);
    assert_int_equal(net_send_owned(client, 0, &flush, NULL, 0, count_release, block[0]), ST_OK);
    assert_int_equal(atomic_load(&released), ROUNDS + 1);
    wire_header_t rows = wire_header(WIRE_ROWS, 1, 0, 0, 0, 2);
    catch_start();
    assert_int_equal(net_send_owned(server, 5, &rows, &(wire_frame_t){block[1], 8}, 1, count_release, block[1]), ST_TIMEOUT);
    catch_stop();
    assert_int_equal(atomic_load(&released), ROUNDS + 2);
    net_close(&client);
    net_close(&server);
    net_zmq_shutdown(); /* from here on no message can touch a block */
    for (int i = 0; i < ROUNDS; i++)
        mem_free(block[i]);
}

static void test_deadlines_name_the_peer(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_listener(0, false, endpoint);
    net_message_t m;
    int64_t start = clock_now_ns();
    assert_int_equal(net_receive(server, &m, 100), ST_TIMEOUT);
    assert_in_range((clock_now_ns() - start) / 1000000, 100, 2000);
    assert_int_equal(net_receive(server, &m, -5), ST_TIMEOUT);

    wire_header_t header = wire_header(WIRE_ROWS, 1, 0, 0, 12, 2);
    float rows[2] = {1, 2};
    catch_start();
    start = clock_now_ns();
    assert_int_equal(net_send(server, 3, &header, &(wire_frame_t){rows, 8}, 1), ST_TIMEOUT);
    assert_in_range((clock_now_ns() - start) / 1000000, 300, 3000);
    assert_caught("peer 3 is not connected after 0.3 s; it did not get: ROWS step 12 from rank 0, 2 rows");
    net_zmq_name_peer(server, 3, "worker 1 on node2");
    assert_int_equal(net_send(server, 3, &header, &(wire_frame_t){rows, 8}, 1), ST_TIMEOUT);
    assert_caught("worker 1 on node2 is not connected after 0.3 s");
    /* Nobody listens: messages queue up to the limit, then the send times out. */
    net_t *client = make_dialler(4, 0, "ipc:///nonexistent/nobody");
    net_zmq_name_peer(client, 0, "server 0 on node1");
    wire_header_t beat = wire_header(WIRE_HEARTBEAT, 1, 0, 4, 1, 0);
    status_t status = ST_OK;
    for (int i = 0; i < 100000 && status == ST_OK; i++)
        status = net_send(client, 0, &beat, NULL, 0);
    catch_stop();
    assert_int_equal(status, ST_TIMEOUT);
    assert_caught("server 0 on node1 takes no more messages since 0.3 s; it did not get: HEARTBEAT step 1 from rank 4");
    net_close(&client);
    net_close(&server);
    net_zmq_shutdown();
}

/* A late peer is waited for: the send begins before it dials. */
static void *dial_late(void *endpoint)
{
    usleep(100000);
    net_t *client = make_dialler(6, 0, endpoint);
    net_message_t m;
    bool got = net_receive(client, &m, 5000) == ST_OK;
    if (got)
        net_release(client, &m);
    net_close(&client);
    return got ? endpoint : NULL;
}

static void test_send_waits_for_a_late_peer(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_net(0, 10);
    assert_int_equal(net_zmq_listen(server, folder.path, endpoint), ST_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, dial_late, endpoint), 0);
    wire_header_t header = wire_header(WIRE_EVALUATE, 1, 0, 0, 0, 0);
    assert_int_equal(net_send(server, 6, &header, NULL, 0), ST_OK);
    void *got;
    pthread_join(thread, &got);
    assert_ptr_equal(got, endpoint);
    net_close(&server);
}

/* ---- a raw peer that lies ---- */

static void raw_send(void *socket, const uint8_t *head, size_t head_bytes, int body_frames)
{
    static const uint8_t body[16];
    assert_true(zmq_send(socket, head, head_bytes, body_frames ? ZMQ_SNDMORE : 0) >= 0);
    for (int i = 0; i < body_frames; i++)
        assert_true(zmq_send(socket, body, 16, i + 1 < body_frames ? ZMQ_SNDMORE : 0) >= 0);
}

/* A socket that is no net_t; with a token it passes for a rank. */
static void *raw_dialler(void *context, int rank, const char *token)
{
    void *raw = zmq_socket(context, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &zero, sizeof zero);
    if (token) {
        char name[NET_NAME_TEXT];
        net_keys_name(rank, name);
        zmq_setsockopt(raw, ZMQ_PLAIN_USERNAME, name, strlen(name));
        zmq_setsockopt(raw, ZMQ_PLAIN_PASSWORD, token, strlen(token));
    }
    return raw;
}

/* Six bad messages of rank 9, each wrong in its own way, and then `good`. */
static void raw_send_bad(void *raw, const uint8_t good[64])
{
    uint8_t bad[64];
    raw_send(raw, (const uint8_t *)"hello", 5, 0); /* no header */
    raw_send(raw, good, 64, 1);                    /* a frame too many for the type */
    raw_send(raw, good, 64, 7);                    /* more frames than any type has */
    memcpy(bad, good, 64);
    bad[4] = 9;
    raw_send(raw, bad, 64, 0); /* another version */
    memcpy(bad, good, 64);
    bad[20] = 8;
    raw_send(raw, bad, 64, 0); /* another sender */
    wire_header_t header = wire_header(WIRE_ERROR, 1, 0, 9, 0, 0);
    wire_encode(&header, bad);
    raw_send(raw, bad, 64, 3); /* a bad ERROR is not answered */
    raw_send(raw, good, 64, 0);
}

/* An ERROR for each bad message but the last, in their order, and nothing after them. */
static void assert_raw_answers(void *raw)
{
    static const char *const reasons[] = {"the header is not 64 bytes", "wrong number of frames for the type",
                                          "wrong number of frames", "another protocol version",
                                          "the header names another sender than the connection"};
    int timeout = 3000;
    zmq_setsockopt(raw, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        uint8_t head[64];
        message_error_t body;
        assert_int_equal(zmq_recv(raw, head, 64, 0), 64);
        assert_int_equal(zmq_recv(raw, &body, sizeof body, 0), sizeof body);
        assert_int_equal(head[6], WIRE_ERROR);
        assert_int_equal(body.status, ST_MESSAGE);
        assert_int_equal(body.fatal, 0);
        assert_string_equal(body.text, reasons[i]);
    }
    timeout = 200;
    zmq_setsockopt(raw, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    uint8_t more[64];
    assert_int_equal(zmq_recv(raw, more, 64, 0), -1);
}

static void test_bad_messages_are_answered_and_skipped(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_listener(0, false, endpoint);
    void *context = zmq_ctx_new();
    void *raw = raw_dialler(context, 9, net_keys_card(ranks[9])->token);
    assert_int_equal(zmq_connect(raw, endpoint), 0);
    uint8_t good[64];
    wire_header_t header = wire_header(WIRE_FLUSH, 1, 0, 9, 0, 0);
    wire_encode(&header, good);
    raw_send_bad(raw, good);
    catch_start();
    net_message_t m;
    assert_int_equal(net_receive(server, &m, 5000), ST_OK);
    assert_int_equal(m.header.type, WIRE_FLUSH);
    assert_int_equal(m.peer, 9);
    net_release(server, &m);
    assert_int_equal(server->bad_messages, 6);
    assert_int_equal(server->messages_received, 1);
    assert_caught("refused a message from peer 9: the header is not 64 bytes (1 bad messages so far)");
    assert_caught("refused a message from peer 9: the header names another sender than the connection (5 bad messages so far)");
    assert_raw_answers(raw);
    catch_stop();
    zmq_close(raw);
    zmq_ctx_term(context);
    net_close(&server);
}

/* Three talkative peers and one quiet one: every round of receives must serve the quiet one soon. */
static void test_receive_is_fair(void **state)
{
    (void)state;
    enum { PEERS = 4, EACH = 50 };
    char endpoint[PEERS][NET_ENDPOINT_BYTES];
    net_t *far[PEERS], *near = make_net(1, 1);
    wire_header_t header = wire_header(WIRE_HEARTBEAT, 1, 0, 1, 0, 0);
    for (int p = 0; p < PEERS; p++) {
        far[p] = make_listener(p + 2, false, endpoint[p]);
        assert_int_equal(net_zmq_dial(near, PEER_SHARD(p), p + 2, endpoint[p]), ST_OK);
        assert_int_equal(net_send(near, PEER_SHARD(p), &header, NULL, 0), ST_OK);
        net_message_t m;
        assert_int_equal(net_receive(far[p], &m, 5000), ST_OK);
        net_release(far[p], &m);
        for (int i = 0; i < (p == 3 ? 1 : EACH); i++)
            assert_int_equal(net_send(far[p], 1, &header, NULL, 0), ST_OK);
    }
    usleep(300000); /* for all of them to arrive */
    int position = -1;
    for (int i = 0; i < 3 * EACH + 1; i++) {
        net_message_t m;
        assert_int_equal(net_receive(near, &m, 5000), ST_OK);
        if (m.peer == PEER_SHARD(3))
            position = i;
        net_release(near, &m);
    }
    assert_in_range(position, 0, PEERS - 1);
    for (int p = 0; p < PEERS; p++)
        net_close(&far[p]);
    net_close(&near);
}

static void test_endpoints(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES], other[NET_ENDPOINT_BYTES];
    net_t *a = make_listener(1, false, endpoint), *b = make_listener(2, false, other);
    assert_memory_equal(endpoint, "ipc:///", 7);
    assert_memory_equal(endpoint + 6, folder.path, strlen(folder.path));
    assert_string_not_equal(endpoint, other);
    net_close(&a);
    net_close(&b);
    a = make_net(1, 1);
    assert_int_equal(net_zmq_listen(a, "127.0.0.1", endpoint), ST_OK);
    int port = 0;
    assert_int_equal(sscanf(endpoint, "tcp://127.0.0.1:%d", &port), 1);
    assert_in_range(port, 1024, 65535);
    net_close(&a);
    a = make_net(1, 1);
    catch_start();
    assert_int_equal(net_zmq_listen(a, "203.0.113.9", endpoint), ST_SYSTEM);
    assert_caught("cannot listen on tcp://203.0.113.9:*");
    assert_int_equal(net_zmq_dial(a, 0, 0, "carrier pigeon"), ST_INPUT);
    catch_stop();
    assert_caught("cannot connect to \"carrier pigeon\": Invalid argument");
    net_close(&a);
    assert_null(a);
    net_close(&a);
}

/* ---- strangers ---- */

/* Nothing comes of what the stranger sends, and he hears nothing. */
static void assert_refused(net_t *server, const char *endpoint, void *raw)
{
    uint8_t good[64], answer[256];
    wire_header_t header = wire_header(WIRE_STOP, 1, 0, 0, 0, 0);
    const int64_t before = door_refusals();
    net_message_t m;
    int timeout = 50;
    wire_encode(&header, good);
    assert_int_equal(zmq_connect(raw, endpoint), 0);
    raw_send(raw, good, 64, 0);
    for (int i = 0; i < 500 && door_refusals() == before; i++)
        assert_int_equal(net_receive(server, &m, 20), ST_TIMEOUT);
    assert_true(door_refusals() > before);
    zmq_setsockopt(raw, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    assert_int_equal(zmq_recv(raw, answer, sizeof answer, 0), -1);
    assert_int_equal(server->messages_received, 0);
    assert_int_equal(server->bad_messages, 0);
    zmq_close(raw);
}

/* Without a token, with one of another start, with another rank's, and with a certificate where tokens are asked for. */
static void test_strangers_have_no_token(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_listener(0, false, endpoint);
    net_keys_t *older[1];
    job_keys_make(1, false, older);
    void *context = zmq_ctx_new();
    catch_start();
    assert_refused(server, endpoint, raw_dialler(context, 0, NULL));
    assert_refused(server, endpoint, raw_dialler(context, 0, net_keys_card(older[0])->token));
    assert_refused(server, endpoint, raw_dialler(context, 0, net_keys_card(ranks[3])->token));
    assert_refused(server, endpoint, raw_dialler(context, RANKS, net_keys_card(ranks[3])->token));
    assert_refused(server, endpoint, raw_dialler(context, -1, ""));
    catch_stop();
    zmq_ctx_term(context);
    job_keys_drop(1, older);
    net_close(&server);
}

static void *raw_certified(void *context, const char *server_key, const char *public_key, const char *secret_key)
{
    void *raw = zmq_socket(context, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(raw, ZMQ_CURVE_SERVERKEY, server_key, NET_KEY_TEXT);
    zmq_setsockopt(raw, ZMQ_CURVE_PUBLICKEY, public_key, NET_KEY_TEXT);
    zmq_setsockopt(raw, ZMQ_CURVE_SECRETKEY, secret_key, NET_KEY_TEXT);
    return raw;
}

/* A certificate of another start, one that is a rank's without its secret, one of the right job for another's door. */
static void test_strangers_have_no_certificate(void **state)
{
    (void)state;
    enum { N = 3 };
    net_keys_t *job[N], *older[N];
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server;
    job_keys_make(N, true, job);
    job_keys_make(N, true, older);
    assert_string_equal(net_keys_card(job[0])->token, "");
    const net_zmq_options_t options = {.keys = job[0], .deadline_s = 0.3};
    assert_int_equal(net_zmq_create(&options, &server), ST_OK);
    assert_int_equal(net_zmq_listen(server, "127.0.0.1", endpoint), ST_OK);
    void *context = zmq_ctx_new();
    const char *server_key = net_keys_card(job[0])->public_key;
    catch_start();
    assert_refused(server, endpoint, raw_dialler(context, 0, NULL));
    assert_refused(server, endpoint, raw_dialler(context, 0, net_keys_card(ranks[0])->token));
    assert_refused(server, endpoint,
                   raw_certified(context, server_key, net_keys_card(older[1])->public_key, net_keys_secret(older[1])));
    assert_refused(server, endpoint,
                   raw_certified(context, server_key, net_keys_card(job[1])->public_key, net_keys_secret(older[1])));
    assert_refused(server, endpoint,
                   raw_certified(context, net_keys_card(older[0])->public_key, net_keys_card(job[1])->public_key,
                                 net_keys_secret(job[1])));
    catch_stop();
    /* A rank of the job, meanwhile. */
    net_t *client;
    const net_zmq_options_t of_client = {.keys = job[2], .deadline_s = 0.3};
    assert_int_equal(net_zmq_create(&of_client, &client), ST_OK);
    assert_int_equal(net_zmq_dial(client, PEER_SHARD(0), 0, endpoint), ST_OK);
    const uint64_t key = 7;
    send_pull(client, PEER_SHARD(0), 1, &key, 1);
    net_message_t m;
    assert_int_equal(net_receive(server, &m, 5000), ST_OK);
    assert_int_equal(m.peer, 2);
    net_release(server, &m);
    net_close(&client);
    zmq_ctx_term(context);
    net_close(&server);
    net_zmq_shutdown();
    job_keys_drop(N, job);
    job_keys_drop(N, older);
}

/* A rank that says it is another, in the header and by a routing id, whether its own number or what an older version called a
 * rank: the other's connection stays, and what comes to it goes to it. */
static void test_nobody_takes_anothers_place(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server = make_listener(0, false, endpoint), *victim = make_dialler(3, 0, endpoint);
    const int victim_only[] = {3};
    int missing;
    assert_int_equal(net_zmq_await(server, victim_only, 1, 5, &missing), ST_OK);
    void *context = zmq_ctx_new(), *thief = zmq_socket(context, ZMQ_DEALER);
    int zero = 0;
    char name[NET_NAME_TEXT];
    zmq_setsockopt(thief, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(thief, ZMQ_ROUTING_ID, net_keys_name(3, name), NET_NAME_TEXT - 1);
    zmq_setsockopt(thief, ZMQ_PLAIN_USERNAME, net_keys_name(4, name), NET_NAME_TEXT - 1);
    zmq_setsockopt(thief, ZMQ_PLAIN_PASSWORD, net_keys_card(ranks[4])->token, NET_TOKEN_TEXT - 1);
    assert_int_equal(zmq_connect(thief, endpoint), 0);
    uint8_t head[64];
    wire_header_t header = wire_header(WIRE_FLUSH, 1, 0, 3, 0, 0);
    wire_encode(&header, head);
    raw_send(thief, head, 64, 0);
    catch_start();
    net_message_t m;
    for (int i = 0; i < 100 && server->bad_messages == 0; i++)
        assert_int_equal(net_receive(server, &m, 50), ST_TIMEOUT);
    catch_stop();
    assert_int_equal(server->bad_messages, 1);
    assert_caught("refused a message from a stranger: its connection has a routing id of its own");
    float weight = 1;
    wire_header_t rows = wire_header(WIRE_ROWS, 5, 0, 0, 9, 1);
    assert_int_equal(net_send(server, 3, &rows, &(wire_frame_t){&weight, 4}, 1), ST_OK);
    assert_int_equal(net_receive(victim, &m, 5000), ST_OK);
    net_release(victim, &m);
    zmq_close(thief);
    zmq_ctx_term(context);
    net_close(&victim);
    net_close(&server);
}

/* A frame longer than a piece is not allocated: the connection is closed, others go on. */
static void test_frames_are_bounded(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server, *client;
    const net_zmq_options_t options = {.keys = ranks[0], .deadline_s = 0.3, .in_pieces = true},
                            of_client = {.keys = ranks[2], .deadline_s = 0.3, .in_pieces = true};
    assert_int_equal(net_zmq_create(&options, &server), ST_OK);
    assert_int_equal(net_zmq_create(&of_client, &client), ST_OK);
    assert_int_equal(net_zmq_listen(server, "127.0.0.1", endpoint), ST_OK);
    assert_int_equal(net_zmq_dial(client, 0, 0, endpoint), ST_OK);
    void *context = zmq_ctx_new(), *raw = raw_dialler(context, 1, net_keys_card(ranks[1])->token);
    const int one_only[] = {1};
    int missing, probes = 1;
    zmq_setsockopt(raw, ZMQ_PROBE_ROUTER, &probes, sizeof probes);
    assert_int_equal(zmq_connect(raw, endpoint), 0);
    assert_int_equal(net_zmq_await(server, one_only, 1, 5, &missing), ST_OK);
    uint8_t *long_frame = MEM_ARRAY(uint8_t, PARCEL_PIECE_MOST + 1);
    assert_true(zmq_send(raw, long_frame, PARCEL_PIECE_MOST + 1, 0) > 0);
    static const uint64_t many[PARCEL_PIECE];
    send_pull(client, 0, 1, many, PARCEL_PIECE);
    net_message_t m;
    assert_int_equal(net_receive(server, &m, 5000), ST_OK);
    assert_int_equal(m.peer, 2);
    assert_int_equal(m.frame[1].bytes, 8 * PARCEL_PIECE);
    net_release(server, &m);
    assert_int_equal(net_receive(server, &m, 200), ST_TIMEOUT);
    assert_int_equal(server->bad_messages, 0);
    mem_free(long_frame);
    zmq_close(raw);
    zmq_ctx_term(context);
    net_close(&client);
    net_close(&server);
}

/* Who comes from another host is disconnected before he has said anything. */
static void test_other_hosts(void **state)
{
    (void)state;
    char endpoint[NET_ENDPOINT_BYTES];
    net_t *server;
    static const char *const hosts[] = {"127.0.0.2", "10.1.2.3"};
    const net_zmq_options_t options = {.keys = ranks[0], .deadline_s = 0.3, .hosts = hosts, .n_hosts = 2};
    assert_int_equal(net_zmq_create(&options, &server), ST_OK);
    assert_int_equal(net_zmq_listen(server, "127.0.0.1", endpoint), ST_OK);
    void *context = zmq_ctx_new();
    catch_start();
    assert_refused(server, endpoint, raw_dialler(context, 3, net_keys_card(ranks[3])->token));
    catch_stop();
    zmq_ctx_term(context);
    net_close(&server);
}

/* cluster.ports: "the first free one"; several addresses are bound one by one. */
static void test_a_range_of_ports(void **state)
{
    (void)state;
    char free_one[NET_ENDPOINT_BYTES], both[NET_ENDPOINT_BYTES], none[NET_ENDPOINT_BYTES], one[NET_ENDPOINT_BYTES], text[128];
    net_t *taken = make_listener(1, true, free_one), *server, *other;
    int port, first, second;
    assert_int_equal(sscanf(free_one, "tcp://127.0.0.1:%d", &port), 1);
    net_zmq_options_t options = {.keys = ranks[0], .deadline_s = 0.3, .first_port = port, .last_port = port};
    assert_int_equal(net_zmq_create(&options, &other), ST_OK);
    catch_start();
    assert_int_equal(net_zmq_listen(other, "127.0.0.1", none), ST_SYSTEM);
    catch_stop();
    snprintf(text, sizeof text, "cannot listen on 127.0.0.1: the ports %d-%d of cluster.ports are all taken", port, port);
    assert_caught(text);
    options.last_port = port + 20 < 65535 ? port + 20 : 65535;
    assert_int_equal(net_zmq_create(&options, &server), ST_OK);
    assert_int_equal(net_zmq_listen(server, "127.0.0.1,127.0.0.2", both), ST_OK);
    assert_int_equal(sscanf(both, "tcp://127.0.0.1:%d,tcp://127.0.0.2:%d", &first, &second), 2);
    assert_true(first > port && first <= options.last_port && second >= port && second <= options.last_port);
    assert_string_equal(net_zmq_endpoint("ipc:///tmp/a,b/1", 0, one), "ipc:///tmp/a,b/1");
    assert_string_equal(net_zmq_endpoint(both, 2, one), "");
    net_t *client = make_net(3, 0.3);
    assert_int_equal(net_zmq_dial(client, 0, 0, net_zmq_endpoint(both, 1, one)), ST_OK);
    const int rank = 3;
    int missing;
    assert_int_equal(net_zmq_await(server, &rank, 1, 5, &missing), ST_OK);
    net_close(&client);
    net_close(&server);
    net_close(&other);
    net_close(&taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_range_of_ports),
        cmocka_unit_test(test_exchange_ipc),
        cmocka_unit_test(test_exchange_tcp),
        cmocka_unit_test(test_exchange_encrypted),
        cmocka_unit_test(test_zero_copy),
        cmocka_unit_test(test_deadlines_name_the_peer),
        cmocka_unit_test(test_send_waits_for_a_late_peer),
        cmocka_unit_test(test_bad_messages_are_answered_and_skipped),
        cmocka_unit_test(test_receive_is_fair),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_strangers_have_no_token),
        cmocka_unit_test(test_strangers_have_no_certificate),
        cmocka_unit_test(test_nobody_takes_anothers_place),
        cmocka_unit_test(test_frames_are_bounded),
        cmocka_unit_test(test_other_hosts),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    if (failed) /* a test that failed has left sockets open, for which shutdown would wait for ever */
        return failed;
    net_zmq_shutdown();
    job_keys_drop(RANKS, ranks);
    return 0;
}
