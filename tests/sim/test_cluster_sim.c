/* test_cluster_sim - a cluster in one process: real shards, clients, loaders and steps over the simulated network, with delays
 * drawn from many seeds. "L3: bit-identical across worker and server counts" and "L2: two runs on the same ranks give
 * bit-identical models", and both equal the single-process trainer of tests/lib/oracle.h bit for bit. */
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/net/net_sim.h"
#include "common/net/slots.h"
#include "ps/shard.h"
#include "tests/lib/oracle.h"
#include "tests/lib/testing.h"
#include "worker/client.h"
#include "worker/loader.h"
#include "worker/step.h"

#define SHARDS_MOST 5
#define WORKERS_MOST 8
#define RUN 21
#define PATIENCE_MS 60000

typedef struct sim_shard {
    net_t *net;
    shard_t *shard;
} sim_shard_t;

typedef struct sim_worker {
    net_t *net;
    heartbeat_t heartbeat;
    client_t *client;
    dataset_t *dataset;
    loader_t *loader;
    table_plan_t plan;
    step_t *step;
    batch_t *batch, *next;
} sim_worker_t;

typedef struct cluster_sim {
    const experiment_t *experiment;
    const config_t *config;
    int shards, workers;
    uint64_t seed, draws;
    net_sim_world_t *world;
    net_t *coordinator;
    int ready, flushed;
    run_folders_t folders;
    hash_digest_t digest;
    message_counters_t counters; /* summed over shards where that makes sense */
    sim_shard_t shard[SHARDS_MOST];
    sim_worker_t worker[WORKERS_MOST];
    lanes_t lanes;
} cluster_sim_t;

static const char *const shard_names[SHARDS_MOST] = {"shard 0", "shard 1", "shard 2", "shard 3", "shard 4"};

static void serve_shard(void *context)
{
    sim_shard_t *s = context;
    net_message_t message;
    assert_int_equal(net_receive(s->net, &message, 0), ST_OK);
    assert_int_equal(shard_handle(s->shard, &message), ST_OK);
}

static void serve_coordinator(void *context)
{
    cluster_sim_t *c = context;
    net_message_t message;
    assert_int_equal(net_receive(c->coordinator, &message, 0), ST_OK);
    switch (message.header.type) {
    case WIRE_READY:
        c->ready++;
        break;
    case WIRE_FLUSHED: {
        message_counters_t counters;
        assert_true(message_body(&message, &counters, sizeof counters));
        hash_digest_merge(&c->digest, &(hash_digest_t){counters.digest_low, counters.digest_high, counters.digest_elements});
        c->counters.bad_messages += counters.bad_messages;
        c->counters.duplicates += counters.duplicates;
        if (counters.staleness_max > c->counters.staleness_max)
            c->counters.staleness_max = counters.staleness_max;
        c->flushed++;
        break;
    }
    case WIRE_HEARTBEAT:
    case WIRE_DIGESTS:
        break;
    default:
        fail_msg("%s came to the coordinator", wire_type_name(message.header.type));
    }
    net_release(c->coordinator, &message);
}

static void send_shards(cluster_sim_t *c, wire_type_t type, const int *answered)
{
    const dataset_info_t *info = dataset_info(c->worker[0].dataset);
    const message_begin_t body = {
        .purpose = RUN_TRAINS, .variant = -1, .fields = info->single + info->multi, .steps = lanes_steps(&c->lanes)};
    const wire_frame_t frame = {&body, sizeof body};
    const wire_header_t header = wire_header(type, RUN, 1, 0, 0, 0);
    for (int s = 0; s < c->shards; s++)
        assert_int_equal(net_send(c->coordinator, PEER_SHARD(s), &header, &frame, wire_type_frames((int)type)), ST_OK);
    while (*answered < c->shards)
        assert_true(net_sim_step(c->world));
}

static void start_worker(cluster_sim_t *c, int w)
{
    sim_worker_t *worker = &c->worker[w];
    uint16_t slot_shard[HASH_SLOTS];
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        slot_shard[slot] = (uint16_t)slots_shard(slot, c->shards);
    assert_int_equal(dataset_open(c->config->data.path, 1 << 20, &worker->dataset), ST_OK);
    const dataset_info_t *info = dataset_info(worker->dataset);
    table_plan_init(&worker->plan, c->config, info->single + info->multi);
    c->lanes = lanes_of(c->config, info->train_rows);
    const int lanes = lanes_first(&c->lanes, w + 1, c->workers) - lanes_first(&c->lanes, w, c->workers);
    const int lane_rows = (int)(c->lanes.batch / c->lanes.lanes);
    assert_int_equal(step_create(c->config, &worker->plan, info, lanes, lane_rows, c->shards, &worker->step), ST_OK);
    assert_int_equal(loader_create(worker->dataset, c->shards, slot_shard, NULL, &worker->loader), ST_OK);
    const int rank = 1 + c->shards + w;
    worker->net = net_sim_attach(c->world, rank);
    net_sim_dial(worker->net, PEER_COORDINATOR, c->coordinator);
    for (int s = 0; s < c->shards; s++)
        net_sim_dial(worker->net, PEER_SHARD(s), c->shard[s].net);
    heartbeat_init(&worker->heartbeat, worker->net, rank, 500, 30);
    worker->client = client_create(&(client_options_t){worker->net, &worker->heartbeat, c->shards, shard_names, 2000});
    client_begin(worker->client, RUN, 1, &worker->plan);
    const batch_plan_t plan = {
        .split = SPLIT_TRAIN,
        .worker = w,
        .workers = c->workers,
        .lanes = c->lanes,
        .order = {c->config->data.order, (uint64_t)c->config->data.order_seed, info->train_rows, c->config->data.window, 0, 1},
    };
    loader_start(worker->loader, &plan);
}

static void create(cluster_sim_t *c, const experiment_t *experiment, int shards, int workers, uint64_t seed)
{
    *c = (cluster_sim_t){
        .experiment = experiment, .config = experiment->base, .shards = shards, .workers = workers, .seed = seed};
    c->folders.job = test_path("run");
    c->world = net_sim_world_create(seed, 30);
    c->coordinator = net_sim_attach(c->world, 0);
    net_sim_serve(c->coordinator, serve_coordinator, c);
    for (int s = 0; s < shards; s++) {
        sim_shard_t *shard = &c->shard[s];
        shard->net = net_sim_attach(c->world, 1 + s);
        net_sim_dial(c->coordinator, PEER_SHARD(s), shard->net);
        const shard_options_t options = {.shard = s,
                                         .shards = shards,
                                         .folders = &c->folders,
                                         .rank = 1 + s,
                                         .first_worker = 1 + shards,
                                         .workers = workers,
                                         .experiment = experiment,
                                         .net = shard->net};
        assert_int_equal(shard_create(&options, &shard->shard), ST_OK);
        net_sim_serve(shard->net, serve_shard, shard);
    }
    for (int w = 0; w < workers; w++)
        start_worker(c, w);
    send_shards(c, WIRE_BEGIN, &c->ready);
}

static void destroy(cluster_sim_t *c)
{
    for (int w = 0; w < c->workers; w++) {
        sim_worker_t *worker = &c->worker[w];
        client_destroy(&worker->client);
        loader_destroy(&worker->loader);
        step_destroy(&worker->step);
        table_plan_fini(&worker->plan);
        dataset_close(&worker->dataset);
        net_close(&worker->net);
    }
    for (int s = 0; s < c->shards; s++) {
        shard_destroy(&c->shard[s].shard);
        net_close(&c->shard[s].net);
    }
    net_close(&c->coordinator);
    net_sim_world_destroy(&c->world);
}

/* The workers in an order of their own for every phase of every step. */
static void shuffle(cluster_sim_t *c, int *order)
{
    for (int i = 0; i < c->workers; i++)
        order[i] = i;
    for (int i = c->workers - 1; i > 0; i--) {
        const int j = (int)(rng_u64(c->seed, 9, c->draws++) % (uint64_t)(i + 1)), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

static void rows_of(void *context, const batch_t *batch, int component, const float **row)
{
    sim_worker_t *worker = context;
    client_rows(worker->client, batch, component, row);
}

static status_t poll_between(void *context)
{
    sim_worker_t *worker = context;
    return client_poll(worker->client, worker->batch->step);
}

/* The next batch and its pull; NULL at the end. */
static void fetch(sim_worker_t *worker)
{
    assert_int_equal(loader_next(worker->loader, PATIENCE_MS, &worker->next), ST_OK);
    if (worker->next)
        assert_int_equal(client_pull(worker->client, worker->next, false), ST_OK);
}

static void compute(cluster_sim_t *c, sim_worker_t *worker, int64_t t)
{
    const step_io_t io = {worker, rows_of, poll_between};
    assert_int_equal(client_wait(worker->client, t), ST_OK);
    client_push_begin(worker->client, worker->batch);
    assert_int_equal(
        step_train(worker->step, worker->batch, lanes_divisor(&c->lanes, t), &io, client_push_base(worker->client)), ST_OK);
    client_release(worker->client, t);
    assert_int_equal(client_push_send(worker->client, worker->batch), ST_OK);
    step_train_weights(worker->step);
}

/* The all-reduce of dense gradients: by doubling, nearest first, the lower worker's the left operand. */
static void sum_dense(cluster_sim_t *c, int component)
{
    const int64_t n = model_parameters(step_model(c->worker[0].step, component));
    for (int stride = 1; stride < c->workers; stride *= 2)
        for (int w = 0; w + stride < c->workers; w += 2 * stride) {
            float *left = step_dense(c->worker[w].step, component);
            const float *right = step_dense(c->worker[w + stride].step, component);
            for (int64_t i = 0; i < n; i++)
                left[i] = left[i] + right[i];
        }
    for (int w = 1; w < c->workers; w++)
        memcpy(step_dense(c->worker[w].step, component), step_dense(c->worker[0].step, component), sizeof(float) * (size_t)n);
}

static void train(cluster_sim_t *c)
{
    const int64_t steps = lanes_steps(&c->lanes), depth = c->config->train.pipeline_depth;
    int order[WORKERS_MOST];
    shuffle(c, order);
    for (int i = 0; i < c->workers; i++)
        fetch(&c->worker[order[i]]);
    for (int64_t t = 0; t < steps; t++) {
        shuffle(c, order);
        for (int i = 0; i < c->workers; i++) {
            c->worker[order[i]].batch = c->worker[order[i]].next;
            fetch(&c->worker[order[i]]);
        }
        shuffle(c, order);
        for (int i = 0; i < c->workers; i++)
            compute(c, &c->worker[order[i]], t);
        for (int k = 0; k < c->config->model.components; k++)
            sum_dense(c, k);
        for (int w = 0; w < c->workers; w++) {
            step_apply(c->worker[w].step);
            loader_recycle(c->worker[w].loader, c->worker[w].batch);
        }
    }
    for (int64_t t = steps; t <= steps + depth; t++) {
        for (int w = 0; w < c->workers; w++)
            assert_int_equal(client_drain(c->worker[w].client, t), ST_OK);
        for (int w = 0; w < c->workers; w++) {
            assert_int_equal(client_wait(c->worker[w].client, t), ST_OK);
            client_release(c->worker[w].client, t);
        }
    }
}

/* Dense parameters and optimizer state of a component, as WIRE_DENSE carries them; **owned**. */
static float *dense_of(sim_worker_t *worker, int component, int64_t *floats)
{
    model_t *model = step_model(worker->step, component);
    const int64_t values = model_parameters(model), state = model_state_count(model);
    float *both = MEM_ARRAY(float, values + state);
    memcpy(both, model_values(model), sizeof *both * (size_t)values);
    memcpy(both + values, model_state(model), sizeof *both * (size_t)state);
    *floats = values + state;
    return both;
}

/* Train on a cluster of this size and these delays; the digest of the whole model. */
static hash_digest_t run(const experiment_t *experiment, int shards, int workers, uint64_t seed, const oracle_result_t *oracle)
{
    cluster_sim_t c;
    create(&c, experiment, shards, workers, seed);
    train(&c);
    send_shards(&c, WIRE_FLUSH, &c.flushed);
    assert_int_equal(c.counters.bad_messages, 0);
    assert_int_equal(c.counters.duplicates, 0);
    assert_int_equal(c.counters.staleness_max, c.config->train.pipeline_depth);
    for (int k = 0; k < c.config->model.components; k++) {
        int64_t floats;
        float *dense = dense_of(&c.worker[0], k, &floats);
        for (int w = 1; w < workers; w++) { /* replicas agree */
            float *other = dense_of(&c.worker[w], k, &floats);
            assert_memory_equal(other, dense, sizeof *dense * (size_t)floats);
            mem_free(other);
        }
        if (oracle) {
            assert_int_equal(floats, oracle->dense_floats);
            assert_memory_equal(dense, oracle->dense[k], sizeof *dense * (size_t)floats);
        }
        const uint32_t head = (uint32_t)k;
        hash_digest_add(&c.digest, &head, sizeof head, dense, sizeof *dense * (size_t)floats);
        mem_free(dense);
    }
    const hash_digest_t digest = c.digest;
    destroy(&c);
    return digest;
}

static experiment_t *configure(const char *extra, const sample_t *sample)
{
    char text[1024];
    snprintf(text, sizeof text,
             "determinism: invariant\ndefaults: 1\ndata: {path: %s}\n"
             "train: {batch: 32, lanes: 8, epochs: 2, pipeline_depth: 1}\n"
             "model: {hidden: [10, 6], activation: smelu, beta: 0.5}\n"
             "embedding: {dim: 3}\n",
             sample->o.path);
    const char *overrides[16];
    char words[512];
    int n = 0;
    snprintf(words, sizeof words, "%s", extra);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        overrides[n++] = word;
    experiment_t *experiment;
    assert_int_equal(experiment_load(test_write("config.yaml", text), overrides, n, &experiment), ST_OK);
    return experiment;
}

/* 203 training examples or so: the last batch of a run is partial, and some of its lanes, even of whole workers, are empty. */
static sample_t *make_sample(uint64_t seed)
{
    test_dir();
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = seed,
                                      .rows = 250,
                                      .single = 2,
                                      .multi = 2,
                                      .numeric = 1,
                                      .values = 40,
                                      .train_fraction = 0.8,
                                      .weights = true};
    return sample_create(&options);
}

static void assert_digests_equal(const hash_digest_t *a, const hash_digest_t *b)
{
    char left[33], right[33];
    hash_digest_text(a, left);
    hash_digest_text(b, right);
    assert_string_equal(left, right);
    assert_int_equal(a->elements, b->elements);
}

static const char *const variants[] = {
    "train.pipeline_depth=0",
    "train.pipeline_depth=1 model.activation=relu",
    "train.pipeline_depth=3 model.components=3 train.last_batch=own",
    "train.pipeline_depth=0 model.components=2 model.layer_norm=affine embedding.optimizer=adagrad_row dense.optimizer=sgd",
    "train.lanes=1 train.batch=50 data.order=window data.window=16 train.last_batch=drop",
    "train.max_steps=1 train.pipeline_depth=2",
    "train.batch=256 train.lanes=16 model.weight_norm=1.5 embedding.optimizer=ftrl dense.optimizer=adam",
    "model.parts=[linear] linear.optimizer=sgd embedding.optimizer=adagrad_row",
    "model.parts=[linear,mlp] model.components=2 embedding.optimizer=adagrad_row train.pipeline_depth=1",
    "model.parts=[linear,mlp] linear.optimizer=ftrl dense.optimizer=momentum",
    "train.batch=256 train.lanes=16 dense.optimizer=sgd embedding.optimizer=sgd train.last_batch=own",
};

static void test_every_size_equals_the_single_process(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {3, 1}, {1, 2}, {2, 4}, {5, 8}, {3, 2}}; /* shards, workers */
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        sample_t *sample = make_sample(v + 1);
        experiment_t *experiment = configure(variants[v], sample);
        oracle_result_t oracle;
        oracle_train(experiment->base, sample, &oracle);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            if (sizes[i][1] > experiment->base->train.lanes)
                continue;
            const hash_digest_t digest = run(experiment, sizes[i][0], sizes[i][1], 100 * v + i, &oracle);
            assert_digests_equal(&digest, &oracle.digest);
        }
        oracle_result_fini(&oracle);
        experiment_destroy(&experiment);
        sample_destroy(&sample);
    }
}

static void test_delays_do_not_matter(void **state)
{
    (void)state;
    sample_t *sample = make_sample(30);
    experiment_t *experiment = configure("train.epochs=1", sample);
    oracle_result_t oracle;
    oracle_train(experiment->base, sample, &oracle);
    for (uint64_t seed = 0; seed < 40; seed++) {
        const hash_digest_t digest = run(experiment, 1 + (int)(seed % 5), 1 << seed % 4, seed, &oracle);
        assert_digests_equal(&digest, &oracle.digest);
    }
    oracle_result_fini(&oracle);
    experiment_destroy(&experiment);
    sample_destroy(&sample);
}

/* Three workers do not fit the tree of lanes: L2 promises equal results for the same ranks, and only for them. */
static void test_sync_repeats_itself(void **state)
{
    (void)state;
    sample_t *sample = make_sample(31);
    experiment_t *experiment = configure("determinism=sync", sample);
    const hash_digest_t first = run(experiment, 2, 3, 0, NULL);
    for (uint64_t seed = 1; seed < 8; seed++) {
        const hash_digest_t digest = run(experiment, 2, 3, seed, NULL);
        assert_digests_equal(&digest, &first);
    }
    experiment_destroy(&experiment);
    sample_destroy(&sample);
}

/* The comparison can fail: what should change a model changes its digest. */
static void test_digests_tell_models_apart(void **state)
{
    (void)state;
    static const char *const changes[] = {"seed=1",
                                          "seed=2",
                                          "train.pipeline_depth=0",
                                          "train.pipeline_depth=2",
                                          "train.lanes=4",
                                          "data.order_seed=2",
                                          "embedding.learning_rate=0.11",
                                          "train.max_steps=7"};
    enum { CHANGES = sizeof changes / sizeof *changes };
    hash_digest_t digests[CHANGES];
    sample_t *sample = make_sample(32);
    for (int i = 0; i < CHANGES; i++) {
        experiment_t *experiment = configure(changes[i], sample);
        digests[i] = run(experiment, 2, 2, 5, NULL);
        for (int j = 0; j < i; j++)
            assert_true(digests[i].low != digests[j].low && digests[i].high != digests[j].high);
        experiment_destroy(&experiment);
    }
    sample_destroy(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_equals_the_single_process),
        cmocka_unit_test(test_delays_do_not_matter),
        cmocka_unit_test(test_sync_repeats_itself),
        cmocka_unit_test(test_digests_tell_models_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
