/* bench_rows - pulls and pushes through the whole stack: the worker's client in one process, a shard in another, ZeroMQ between
 * them. 20,000 distinct keys a request, power-law out of 2,000,000 rows, dim 16, AdaGrad, one request in flight.
 *
 *     pull   from sending the keys until every row can be read in the worker's memory, and its release
 *     push   from laying out the keys until the shard has applied the gradients, which the answer to an empty pull sent behind
 *            them confirms; writing the gradients into the message is not counted, because a training step computes them there
 *     copy   memcpy of the same bytes of rows from memory, at the same time
 *
 * Prints `name value` lines: rows/s over ipc, bytes/s, and how much of the copy's speed the rows have. With "tcp" it has two
 * servers, one that encrypts and one that does not, takes turns between them, and prints rows/s of each and the ratio.
 *
 * usage: bench_rows CONFIG [tcp] */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/ipc_folder.h"
#include "common/net/net_zmq.h"
#include "ps/shard.h"
#include "tests/bench/bench.h"
#include "tests/lib/job_keys.h"
#include "worker/client.h"

#define DIM 16
#define REQUESTS 40 /* lists of keys, used in turn */
#define TURN 10     /* requests of a kind in a row */
#define TURNS 40

enum { RANK_SERVER = 1, RANK_WORKER = 2, RANKS };

/* How a server is reached. */
typedef struct way {
    const char *where; /* as net_zmq_listen has it */
    bool tcp;
    net_keys_t *keys[RANKS];
    int from, to; /* of a pipe that its endpoint comes by */
    pid_t server;
} way_t;

/* ---- the server's process -------------------------------------------------------------------------------------------- */

static status_t serve(const experiment_t *experiment, const way_t *way)
{
    const net_zmq_options_t listening = {.keys = way->keys[RANK_SERVER], .deadline_s = 30, .in_pieces = way->tcp};
    net_t *net = NULL;
    shard_t *shard = NULL;
    char endpoint[NET_ENDPOINT_BYTES] = "";
    atomic_bool stop = false;
    status_t status;
    TRY_DONE(net_zmq_create(&listening, &net));
    TRY_DONE(net_zmq_listen(net, way->where, endpoint));
    if (write(way->to, endpoint, sizeof endpoint) != sizeof endpoint) {
        status = FAIL(ST_SYSTEM, "the endpoint cannot be handed to the worker");
        goto done;
    }
    const run_folders_t folders = {.job = "out/bench-rows"}; /* nothing is written */
    const shard_options_t options = {.first_of_process = true,
                                     .shards = 1,
                                     .folders = &folders,
                                     .rank = RANK_SERVER,
                                     .first_worker = RANK_WORKER,
                                     .workers = 1,
                                     .experiment = experiment,
                                     .net = net};
    TRY_DONE(shard_create(&options, &shard));
    status = shard_run(shard, &stop);
done:
    shard_destroy(&shard);
    net_close(&net);
    net_zmq_shutdown();
    return status;
}

/* ---- the worker's process -------------------------------------------------------------------------------------------- */

typedef struct bench {
    net_t *lead, *net; /* the coordinator's side and the worker's */
    heartbeat_t heartbeat;
    client_t *client;
    table_plan_t plan;
    uint64_t *keys;         /* [REQUESTS][BENCH_KEYS] */
    float *gradients;       /* [REQUESTS][BENCH_KEYS][DIM] */
    float *rows;            /* [BENCH_KEYS][DIM] */
    int64_t pulled, pushed; /* the next step of each: a step is pulled once, and pushed once after that */
} bench_t;

static status_t begin(bench_t *b, const way_t *way)
{
    char lead_endpoint[NET_ENDPOINT_BYTES], shard_endpoint[NET_ENDPOINT_BYTES];
    static const char *const names[] = {"the shard"};
    const net_zmq_options_t leading = {.keys = way->keys[WIRE_SENDER_COORDINATOR], .deadline_s = 30, .in_pieces = way->tcp},
                            working = {.keys = way->keys[RANK_WORKER], .deadline_s = 30, .in_pieces = way->tcp};
    if (read(way->from, shard_endpoint, sizeof shard_endpoint) != sizeof shard_endpoint)
        return FAIL(ST_PEER, "the server's process gave no endpoint");
    TRY(net_zmq_create(&leading, &b->lead));
    TRY(net_zmq_listen(b->lead, way->where, lead_endpoint));
    TRY(net_zmq_dial(b->lead, PEER_SHARD(0), RANK_SERVER, shard_endpoint));
    TRY(net_zmq_create(&working, &b->net));
    TRY(net_zmq_dial(b->net, PEER_COORDINATOR, WIRE_SENDER_COORDINATOR, lead_endpoint));
    TRY(net_zmq_dial(b->net, PEER_SHARD(0), RANK_SERVER, shard_endpoint));
    heartbeat_init(&b->heartbeat, b->net, RANK_WORKER, 1000, 30);
    const client_options_t options = {.net = b->net, .heartbeat = &b->heartbeat, .shards = 1, .shard_names = names};
    b->client = client_create(&options);

    const uint64_t run_id = 1;
    const message_begin_t body = {.purpose = RUN_TRAINS, .variant = -1, .fields = 1, .steps = INT64_C(1) << 40};
    wire_header_t header = wire_header(WIRE_BEGIN, run_id, 0, WIRE_SENDER_COORDINATOR, 0, 0);
    wire_frame_t frame = {&body, sizeof body};
    TRY(net_send(b->lead, PEER_SHARD(0), &header, &frame, 1));
    net_message_t ready;
    TRY(net_receive(b->lead, &ready, 10000));
    ASSERT(ready.header.type == WIRE_READY);
    net_release(b->lead, &ready);
    table_plan_init_widths(&b->plan, 1, 1, (const int32_t[]){DIM}, OPTIMIZER_ADAGRAD);
    client_begin(b->client, run_id, 0, &b->plan);
    return ST_OK;
}

/* A batch of `keys` for the only shard and the only field. */
typedef struct request {
    batch_t batch;
    int32_t shard_first[2], segment_first[2];
    wire_segment_t segment;
} request_t;

static const batch_t *fill(request_t *r, uint64_t *keys, int32_t n, int64_t step)
{
    *r = (request_t){
        .batch = {.step = step, .uniques = n, .keys = keys, .parts = 1},
        .shard_first = {0, n},
        .segment_first = {0, n > 0},
        .segment = {0, (uint32_t)n},
    };
    r->batch.shard_first = r->shard_first;
    r->batch.segment_first = r->segment_first;
    r->batch.segments = &r->segment;
    return &r->batch;
}

static status_t pull(bench_t *b, uint64_t *keys, const float **row)
{
    request_t request;
    const batch_t *batch = fill(&request, keys, BENCH_KEYS, b->pulled++);
    TRY(client_pull(b->client, batch, false));
    TRY(client_wait(b->client, batch->step));
    client_rows(b->client, batch, 0, row);
    client_release(b->client, batch->step);
    return ST_OK;
}

/* Wait until everything that was pushed has been applied. */
static status_t drain(bench_t *b)
{
    const int64_t step = b->pulled++;
    TRY(client_drain(b->client, step));
    TRY(client_wait(b->client, step));
    client_release(b->client, step);
    return ST_OK;
}

/* Push nothing for the steps that were pulled and not pushed: a shard keeps an eye on few steps at a time. */
static status_t catch_up(bench_t *b)
{
    while (b->pushed < b->pulled) {
        request_t request;
        const batch_t *batch = fill(&request, b->keys, 0, b->pushed++);
        client_push_begin(b->client, batch);
        TRY(client_push_send(b->client, batch));
    }
    return ST_OK;
}

static status_t push(bench_t *b, uint64_t *keys, const float *gradients, double *seconds)
{
    request_t request;
    const batch_t *batch = fill(&request, keys, BENCH_KEYS, b->pushed++);
    double start = bench_seconds();
    client_push_begin(b->client, batch);
    double computing = bench_seconds();
    memcpy(client_push_base(b->client)[0], gradients, sizeof *gradients * BENCH_KEYS * DIM);
    double computed = bench_seconds();
    TRY(client_push_send(b->client, batch));
    TRY(drain(b));
    *seconds += bench_seconds() - computed + computing - start;
    return ST_OK;
}

static void copy(const bench_t *b, int64_t request)
{
    memcpy(b->rows, b->gradients + request * BENCH_KEYS * DIM, sizeof *b->rows * BENCH_KEYS * DIM);
    __asm__ volatile("" : : "r"(b->rows) : "memory");
}

/* Create every row, so that what is timed is the steady state. */
static status_t create_rows(bench_t *b, const float **row)
{
    uint64_t *some = MEM_ARRAY(uint64_t, BENCH_KEYS);
    status_t status = ST_OK;
    for (int64_t rank = 0; rank < BENCH_ROWS && status == ST_OK; rank += BENCH_KEYS) {
        for (int64_t i = 0; i < BENCH_KEYS; i++)
            some[i] = bench_key(rank + i);
        status = pull(b, some, row);
        if (status == ST_OK)
            status = catch_up(b);
    }
    mem_free(some);
    return status;
}

/* What a server was measured to do. */
typedef struct speeds {
    double pulled[TURNS], pushed[TURNS]; /* rows per second */
} speeds_t;

/* A turn: TURN pulls, then TURN pushes. */
static status_t take_turn(bench_t *b, int turn, const float **row, speeds_t *out)
{
    const double rows = (double)TURN * BENCH_KEYS;
    const int64_t first = (turn + 2) * TURN;
    double start = bench_seconds();
    for (int i = 0; i < TURN; i++)
        TRY(pull(b, b->keys + (first + i) % REQUESTS * BENCH_KEYS, row));
    double pull_seconds = bench_seconds() - start, push_seconds = 0.0;
    for (int i = 0; i < TURN; i++) {
        int64_t request = (first + i) % REQUESTS;
        TRY(push(b, b->keys + request * BENCH_KEYS, b->gradients + request * BENCH_KEYS * DIM, &push_seconds));
    }
    TRY(catch_up(b));
    if (turn >= 0) { /* the first two warm up */
        out->pulled[turn] = rows / pull_seconds;
        out->pushed[turn] = rows / push_seconds;
    }
    return ST_OK;
}

static status_t measure(bench_t *b)
{
    const double bytes = (double)TURN * BENCH_KEYS * DIM * sizeof(float);
    const float **row = MEM_ARRAY(const float *, BENCH_KEYS);
    speeds_t speeds = {.pulled = {0}};
    double copied[TURNS], pull_share[TURNS], push_share[TURNS];
    TRY(create_rows(b, row));
    for (int turn = -2; turn < TURNS; turn++) {
        TRY(take_turn(b, turn, row, &speeds));
        const double start = bench_seconds();
        for (int i = 0; i < TURN; i++)
            copy(b, ((turn + 2) * TURN + i) % REQUESTS);
        const double copy_seconds = bench_seconds() - start;
        if (turn < 0)
            continue;
        copied[turn] = bytes / copy_seconds;
        pull_share[turn] = speeds.pulled[turn] * DIM * sizeof(float) / copied[turn];
        push_share[turn] = speeds.pushed[turn] * DIM * sizeof(float) / copied[turn];
    }
    printf("pull_rows_per_second %.0f\n", bench_median(speeds.pulled, TURNS));
    printf("push_rows_per_second %.0f\n", bench_median(speeds.pushed, TURNS));
    printf("copy_bytes_per_second %.0f\n", bench_median(copied, TURNS));
    printf("pull_over_copy %.4f\n", bench_median(pull_share, TURNS));
    printf("push_over_copy %.4f\n", bench_median(push_share, TURNS));
    mem_free(row);
    return ST_OK;
}

/* b[0] encrypts, b[1] does not. */
static status_t measure_encryption(bench_t *b)
{
    const float **row = MEM_ARRAY(const float *, BENCH_KEYS);
    speeds_t speeds[2] = {{.pulled = {0}}};
    double pull_ratio[TURNS], push_ratio[TURNS];
    for (int i = 0; i < 2; i++)
        TRY(create_rows(&b[i], row));
    for (int turn = -2; turn < TURNS; turn++) {
        for (int i = 0; i < 2; i++)
            TRY(take_turn(&b[(turn + i) & 1], turn, row, &speeds[(turn + i) & 1]));
        if (turn < 0)
            continue;
        pull_ratio[turn] = speeds[0].pulled[turn] / speeds[1].pulled[turn];
        push_ratio[turn] = speeds[0].pushed[turn] / speeds[1].pushed[turn];
    }
    printf("pull_rows_per_second_encrypted %.0f\n", bench_median(speeds[0].pulled, TURNS));
    printf("pull_rows_per_second_tcp %.0f\n", bench_median(speeds[1].pulled, TURNS));
    printf("pull_encrypted_over_tcp %.4f\n", bench_median(pull_ratio, TURNS));
    printf("push_rows_per_second_encrypted %.0f\n", bench_median(speeds[0].pushed, TURNS));
    printf("push_rows_per_second_tcp %.0f\n", bench_median(speeds[1].pushed, TURNS));
    printf("push_encrypted_over_tcp %.4f\n", bench_median(push_ratio, TURNS));
    mem_free(row);
    return ST_OK;
}

static status_t work(const way_t *ways, int n)
{
    bench_t b[2] = {{.lead = NULL}};
    status_t status = ST_OK;
    for (int i = 0; i < n && status == ST_OK; i++) {
        b[i] = (bench_t){.keys = i ? b[0].keys : bench_requests(REQUESTS),
                         .rows = i ? b[0].rows : MEM_ARRAY(float, BENCH_KEYS *DIM),
                         .gradients = i ? b[0].gradients : MEM_ARRAY(float, (int64_t)REQUESTS *BENCH_KEYS *DIM)};
        status = begin(&b[i], &ways[i]);
    }
    rng_fill_uniform(b[0].gradients, (int64_t)REQUESTS * BENCH_KEYS * DIM, 0.01f, 2, 0, 0);
    if (status == ST_OK)
        status = n > 1 ? measure_encryption(b) : measure(b);
    const wire_header_t stop = wire_header(WIRE_STOP, 1, 0, WIRE_SENDER_COORDINATOR, 0, 0);
    for (int i = 0; i < n; i++) {
        if (b[i].client && net_send(b[i].lead, PEER_SHARD(0), &stop, NULL, 0) != ST_OK)
            status = ST_PEER;
        client_destroy(&b[i].client);
        net_close(&b[i].net);
        net_close(&b[i].lead);
    }
    net_zmq_shutdown();
    mem_free(b[0].keys);
    mem_free(b[0].rows);
    mem_free(b[0].gradients);
    return status;
}

/* All keys are made before the first process is split off, so that all have them. */
static bool make_ways(bool tcp, const char *folder, way_t ways[2])
{
    for (int i = 0; i < (tcp ? 2 : 1); i++) {
        int ends[2];
        if (pipe(ends) != 0)
            return false;
        ways[i] = (way_t){.where = tcp ? "127.0.0.1" : folder, .tcp = tcp, .from = ends[0], .to = ends[1]};
        job_keys_make(RANKS, tcp && i == 0, ways[i].keys);
    }
    return true;
}

int main(int argc, char **argv)
{
    const bool tcp = argc == 3 && strcmp(argv[2], "tcp") == 0;
    const int n = tcp ? 2 : 1;
    experiment_t *experiment;
    ipc_folder_t folder;
    way_t ways[2];
    if ((argc != 2 && !tcp) || experiment_load(argv[1], NULL, 0, &experiment) != ST_OK || ipc_folder_create(&folder) != ST_OK ||
        !make_ways(tcp, folder.path, ways)) {
        fprintf(stderr, "usage: bench_rows CONFIG [tcp]\n");
        return 2;
    }
    mem_keep_messages(); /* as ranks do */
    status_t status = ST_OK;
    for (int i = 0; i < n && status == ST_OK; i++) {
        ways[i].server = fork();
        if (ways[i].server == 0)
            return status_exit_code(serve(experiment, &ways[i]));
        if (ways[i].server < 0)
            status = FAIL(ST_SYSTEM, "no second process");
    }
    if (status == ST_OK)
        status = work(ways, n);
    for (int i = 0; i < n; i++) {
        int end = 0;
        if (status == ST_OK && (waitpid(ways[i].server, &end, 0) != ways[i].server || end != 0))
            status = FAIL(ST_PEER, "the server's process failed");
        job_keys_drop(RANKS, ways[i].keys);
    }
    ipc_folder_remove(&folder);
    experiment_destroy(&experiment);
    return status_exit_code(status);
}
