/* The loop of a step, in order: the pull of the next batch goes out, the rows of this one are awaited, the lanes are computed, the
 * gradients are pushed, dense gradients are summed over the workers, the dense step is applied. Network and servers work on the
 * next pull and the last push while the lanes are computed. */
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/group.h"
#include "common/net/member.h"
#include "common/net/slots.h"
#include "worker/client.h"
#include "worker/loader.h"
#include "worker/step.h"
#include "worker/teacher.h"

#define CLIPPED_HIGH 0.1 /* share of a layer's values; well above what normalisation leaves outside the usual clip */

typedef struct worker {
    worker_options_t o;
    member_t member;
    client_t *client;
    uint16_t slot_shard[HASH_SLOTS];

    /* The run in progress. */
    message_begin_t begin;
    config_t *config;
    int workers; /* that take part in the run */
    group_t group;
    bool reports; /* the group's predictions are the run's progressive validation */
    char *dataset_path;
    dataset_t *dataset;
    loader_t *loader;
    step_t *step;
    teacher_t *teacher; /* where the run has one */
    lanes_t lanes;
    int lane_rows;
    int64_t now_step;
    double cpu_start;

    /* Predictions since the last PROGRESS. */
    float *p;
    uint8_t *y;
    uint64_t *query;
    size_t p_cap, y_cap, query_cap, examples;
    int64_t first_step;
    bool warned_of_clipping; /* in this run */
} worker_t;

static wire_header_t header_of(const worker_t *w, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, w->member.run_id, w->member.epoch, (uint32_t)w->o.rank, step, count);
}

static void end_run(worker_t *w)
{
    loader_destroy(&w->loader);
    step_destroy(&w->step);
    teacher_destroy(&w->teacher);
    config_destroy(&w->config);
}

/* MPI's rank of worker 0. */
static int first_rank(const worker_t *w)
{
    return w->o.rank - w->o.worker;
}

/* Open the run's dataset unless it is open already. */
static status_t open_dataset(worker_t *w)
{
    const char *path = w->config->data.path;
    if (w->dataset && strcmp(path, w->dataset_path) == 0)
        return ST_OK;
    dataset_close(&w->dataset);
    mem_free(w->dataset_path);
    w->dataset_path = mem_strdup(path);
    return dataset_open(path, w->config->data.cache_mb << 20, &w->dataset);
}

static status_t begin_run(worker_t *w, const net_message_t *message)
{
    const experiment_t *e = w->o.experiment;
    message_begin_t *b = &w->begin;
    if (!message_body(message, b, sizeof *b) || b->variant < -1 || b->variant >= e->variants || b->replica < 0)
        return FAIL(ST_MESSAGE, "the coordinator's BEGIN is malformed");
    end_run(w);
    TRY(config_for_replica(b->variant < 0 ? e->base : e->configs[b->variant], b->replica, &w->config));
    w->workers = config_active_workers(w->config, w->o.workers);
    if (w->o.worker >= w->workers)
        return FAIL(ST_MESSAGE, "told to begin a run of %d workers", w->workers);
    w->group = group_of(w->config, w->o.worker, w->workers);
    w->reports = group_reporting(w->config, w->workers).number == w->group.number;
    TRY(cluster_group(w->o.cluster, first_rank(w) + w->group.first_worker, w->group.workers));
    TRY(open_dataset(w));
    dataset_standardise(w->dataset, NULL);
    const dataset_info_t *info = dataset_info(w->dataset);
    if (info->single + info->multi != b->fields)
        return FAIL(ST_INPUT, "dataset %s has %d categorical fields here and %d at the coordinator; copy the same dataset to every host",
                    w->dataset_path, info->single + info->multi, b->fields);
    w->lanes = lanes_of(w->config, info->train_rows);
    w->lane_rows = (int)(w->lanes.batch / w->lanes.lanes);
    const int at = w->o.worker - w->group.first_worker;
    int lanes = lanes_first(&w->lanes, at + 1, w->group.workers) - lanes_first(&w->lanes, at, w->group.workers);
    TRY(step_create(w->config, info, lanes, w->lane_rows, w->o.shards, &w->step));
    TRY(loader_create(w->dataset, w->o.shards, w->slot_shard, &w->loader));
    if (*w->config->teacher.variant)
        w->teacher = teacher_create(info->train_rows);
    client_begin(w->client, message->header.run_id, message->header.epoch, (int)config_tables(w->config),
                 (int)w->config->embedding.dim, b->fields);
    if (w->group.groups > 1) {
        step_train_only(w->step, w->group.first_component, w->group.end_component);
        client_push_only(w->client, w->group.first_component, w->group.end_component);
    }
    w->examples = 0;
    w->warned_of_clipping = false;
    w->cpu_start = clock_cpu_seconds();
    clock_reset_peak_rss();
    wire_header_t ready = header_of(w, WIRE_READY, 0, 0);
    ready.sequence = info->content_hash;
    return net_send(w->o.net, PEER_COORDINATOR, &ready, NULL, 0);
}

/* The loader's next batch, sending heartbeats while it is awaited; NULL at the end. */
static status_t next_batch(worker_t *w, batch_t **out)
{
    for (;;) {
        status_t status = loader_next(w->loader, 100, out);
        if (status != ST_TIMEOUT)
            return status;
        TRY(client_poll(w->client, w->now_step));
    }
}

static void rows_of(void *context, const batch_t *batch, int set, const float **row)
{
    worker_t *w = context;
    client_rows(w->client, batch, set, row);
}

static status_t poll_between(void *context)
{
    worker_t *w = context;
    return client_poll(w->client, w->now_step);
}

static status_t send_examples(worker_t *w, wire_type_t type, int64_t step, const float *p, const uint8_t *y, const uint64_t *group,
                              int64_t n)
{
    wire_header_t header = header_of(w, type, step, n);
    wire_frame_t frames[] = {{p, n * (int64_t)sizeof *p}, {y, n}, {group, n * (int64_t)sizeof *group}};
    return net_send(w->o.net, PEER_COORDINATOR, &header, frames, 3);
}

/* Say once per run where clipping undoes what a smooth activation is for. One worker speaks for all of its group: their models
 * are alike. */
static void watch_clipping(worker_t *w, int64_t step)
{
    if (w->o.worker != w->group.first_worker)
        return;
    for (int k = w->group.first_component; k < w->group.end_component && !w->warned_of_clipping; k++) {
        const model_t *model = step_model(w->step, k);
        for (int l = 0; l < model_layers(model) && !w->warned_of_clipping; l++) {
            const double share = model_clipped_share(model, l);
            if (share <= CLIPPED_HIGH)
                continue;
            w->warned_of_clipping = true;
            log_warn("step %lld: %.0f %% of the values of %s %d (component %d) are clipped at model.clip %g, where gradients jump and "
                     "stop; raise it, or use model.layer_norm or model.weight_norm",
                     (long long)step, 100.0 * share, l ? "hidden layer" : "input layer", l, k, w->config->model.clip);
        }
    }
}

/* Keep the predictions of a batch, made before it was learned. */
static void keep_predictions(worker_t *w, const batch_t *batch)
{
    size_t n = (size_t)batch->rows;
    if (w->examples == 0)
        w->first_step = batch->step;
    MEM_GROW(w->p, w->p_cap, w->examples + n);
    MEM_GROW(w->y, w->y_cap, w->examples + n);
    MEM_GROW(w->query, w->query_cap, w->examples + n);
    memcpy(w->p + w->examples, step_predictions(w->step), n * sizeof *w->p);
    memcpy(w->y + w->examples, batch->label, n);
    memcpy(w->query + w->examples, batch->group, n * sizeof *w->query);
    w->examples += n;
}

/* Send the predictions of training examples when an interval is over. */
static status_t record(worker_t *w, const batch_t *batch, bool last)
{
    if (w->reports)
        keep_predictions(w, batch);
    const int64_t interval = lanes_interval(&w->lanes, w->config->train.report_steps);
    if (!last && (batch->step + 1) % interval)
        return ST_OK;
    watch_clipping(w, batch->step);
    if (!w->reports)
        return ST_OK;
    /* An interval may have no examples of this worker (a short last batch); it is sent all the same, to be complete. */
    int64_t first = w->examples ? w->first_step : batch->step / interval * interval;
    TRY(send_examples(w, WIRE_PROGRESS, first, w->p, w->y, w->query, (int64_t)w->examples));
    w->examples = 0;
    return ST_OK;
}

/* The dense parameters of every group to all workers: what the others know of a peer until the next exchange. The groups come
 * one after the other, in the order of their numbers; all workers are in step, so none waits for long. */
static status_t exchange(worker_t *w)
{
    TRY(cluster_group(w->o.cluster, first_rank(w), w->workers));
    for (int g = 0; g < w->group.groups; g++) {
        const group_t from = group_at(w->config, g, w->workers);
        for (int k = from.first_component; k < from.end_component; k++) {
            model_t *model = step_model(w->step, k);
            TRY(cluster_share(w->o.cluster, model_values(model), model_parameters(model), from.first_worker));
            if (g != w->group.number)
                model_refresh(model);
        }
    }
    return cluster_group(w->o.cluster, first_rank(w) + w->group.first_worker, w->group.workers);
}

static status_t train_steps(worker_t *w, int64_t *examples)
{
    const step_io_t io = {w, rows_of, poll_between};
    const int64_t steps = lanes_steps(&w->lanes);
    const bool ordered = w->config->determinism >= DETERMINISM_SYNC;
    batch_t *batch, *next;
    TRY(next_batch(w, &next));
    TRY(client_pull(w->client, next, false));
    for (int64_t t = 0; t < steps; t++) {
        w->now_step = t;
        batch = next;
        next = NULL;
        if (t + 1 < steps) {
            TRY(next_batch(w, &next));
            TRY(client_pull(w->client, next, false));
        }
        TRY(client_wait(w->client, t));
        client_push_begin(w->client, batch);
        TRY(step_train(w->step, batch, lanes_step_rows(&w->lanes, t), &io, client_push_base(w->client)));
        client_release(w->client, t);
        TRY(client_push_send(w->client, batch));
        for (int k = w->group.first_component; k < w->group.end_component && w->group.workers > 1; k++)
            TRY(cluster_tree_sum(w->o.cluster, step_dense(w->step, k), model_parameters(step_model(w->step, k))));
        if (w->config->train.noise_seed)
            step_add_noise(w->step, (uint64_t)w->config->train.noise_seed, t);
        step_apply(w->step);
        if (w->group.groups > 1 && ((t + 1) % w->config->objective.exchange_steps == 0 || t + 1 == steps))
            TRY(exchange(w));
        TRY(record(w, batch, t + 1 == steps));
        *examples += batch->rows;
        loader_recycle(w->loader, batch);
    }
    /* Empty pulls until the last push has been applied: the pull of step t + depth is answered before that of t is. */
    for (int64_t t = steps; t <= steps + (ordered ? w->config->train.pipeline_depth : 0); t++) {
        TRY(client_drain(w->client, t));
        TRY(client_wait(w->client, t));
        client_release(w->client, t);
    }
    return ST_OK;
}

static message_counters_t counters_of(const worker_t *w)
{
    return (message_counters_t){
        .cpu_seconds = clock_cpu_seconds() - w->cpu_start,
        .peak_rss_bytes = clock_peak_rss_bytes(),
        .rows_pulled = client_rows_pulled(w->client),
        .rows_pushed = client_rows_pushed(w->client),
        .bytes_sent = client_bytes_sent(w->client),
        .bytes_received = client_bytes_received(w->client),
        .parameters = step_parameters(w->step),
        .flops_per_example = step_flops(w->step),
        .bad_messages = w->o.net->bad_messages,
    };
}

static status_t send_counters(worker_t *w, wire_type_t type, const message_counters_t *counters)
{
    wire_header_t header = header_of(w, type, w->now_step, counters->examples);
    wire_frame_t frame = {counters, sizeof *counters};
    return net_send(w->o.net, PEER_COORDINATOR, &header, &frame, 1);
}

/* The first worker of a group hands the dense parameters, which all of its workers hold alike, to the coordinator: values, then
 * optimizer state. */
static status_t send_dense(worker_t *w)
{
    for (int k = w->group.first_component; k < w->group.end_component; k++) {
        model_t *model = step_model(w->step, k);
        int64_t values = model_parameters(model), state = model_state_count(model);
        float *both = MEM_ARRAY(float, values + state);
        memcpy(both, model_values(model), (size_t)values * sizeof *both);
        memcpy(both + values, model_state(model), (size_t)state * sizeof *both);
        wire_header_t header = header_of(w, WIRE_DENSE, w->now_step, values + state);
        header.table = (uint32_t)k;
        wire_frame_t frame = {both, (values + state) * (int64_t)sizeof *both};
        status_t status = net_send(w->o.net, PEER_COORDINATOR, &header, &frame, 1);
        mem_free(both);
        TRY(status);
    }
    return ST_OK;
}

/* The coordinator hands on, piece by piece, what the run's teacher predicts. */
static status_t take_teacher(worker_t *w, const net_message_t *message)
{
    const int64_t n = message->header.count;
    if (!w->teacher || message->frame[0].bytes != n * (int64_t)sizeof(float))
        return FAIL(ST_MESSAGE, "%lld predictions of a teacher in %lld bytes came for a run with%s teacher", (long long)n,
                    (long long)message->frame[0].bytes, w->teacher ? " a" : "out a");
    return teacher_put(w->teacher, message->header.step, message->frame[0].data, n);
}

/* The coordinator gives parameters of a finished run in the place of initial ones. */
static status_t take_dense(worker_t *w, const net_message_t *message)
{
    const uint32_t k = message->header.table;
    const int64_t first = message->header.step, n = message->header.count;
    model_t *model = k < (uint32_t)step_components(w->step) ? step_model(w->step, (int)k) : NULL;
    const int64_t values = model ? model_parameters(model) : 0, all = model ? values + model_state_count(model) : 0;
    if (first < 0 || first > all || n > all - first || message->frame[0].bytes != n * (int64_t)sizeof(float))
        return FAIL(ST_MESSAGE, "dense parameters %lld to %lld of component %u do not fit its %lld", (long long)first,
                    (long long)(first + n), k, (long long)all);
    const float *from = message->frame[0].data;
    for (int64_t i = 0; i < n; i++)
        *(first + i < values ? &model_values(model)[first + i] : &model_state(model)[first + i - values]) = from[i];
    model_refresh(model);
    return ST_OK;
}

/* Numeric fields as the finished run saw them. */
static status_t take_scaling(worker_t *w, const net_message_t *message)
{
    const int32_t numeric = dataset_info(w->dataset)->numeric;
    if (message->frame[0].bytes != numeric * 2 * (int64_t)sizeof(double))
        return FAIL(ST_MESSAGE, "scaling of %lld bytes for %d numeric fields", (long long)message->frame[0].bytes, numeric);
    dataset_standardise(w->dataset, message->frame[0].data);
    return ST_OK;
}

/* How much of each activated layer was clipped in training. The first worker of a group speaks for all: their models are alike. */
static status_t send_clipped(worker_t *w)
{
    for (int k = w->group.first_component; k < w->group.end_component; k++) {
        const model_t *model = step_model(w->step, k);
        const int layers = model_layers(model);
        float *share = MEM_ARRAY(float, layers);
        for (int l = 0; l < layers; l++)
            share[l] = (float)model_clipped_share(model, l);
        wire_header_t header = header_of(w, WIRE_CLIPPED, w->now_step, layers);
        header.table = (uint32_t)k;
        const wire_frame_t frame = {share, layers * (int64_t)sizeof *share};
        status_t status = net_send(w->o.net, PEER_COORDINATOR, &header, &frame, 1);
        mem_free(share);
        TRY(status);
    }
    return ST_OK;
}

static status_t train(worker_t *w)
{
    const config_t *c = w->config;
    if (w->lanes.total == 0)
        return FAIL(ST_INPUT, "dataset %s has no training examples; give its training split a larger share", w->dataset_path);
    loader_plan_t plan = {
        .split = SPLIT_TRAIN,
        .worker = w->o.worker - w->group.first_worker,
        .workers = w->group.workers,
        .lanes = w->lanes,
        .order = {c->data.order, (uint64_t)c->data.order_seed, dataset_info(w->dataset)->train_rows / w->group.groups,
                  c->data.window, w->group.number, w->group.groups},
    };
    if (w->teacher)
        TRY(teacher_all(w->teacher, &plan.teacher));
    loader_start(w->loader, &plan);
    int64_t start = clock_now_ns(), examples = 0;
    TRY(train_steps(w, &examples));
    message_counters_t counters = counters_of(w);
    counters.examples = examples;
    counters.seconds = (double)(clock_now_ns() - start) * 1e-9;
    if (w->o.worker == w->group.first_worker) {
        TRY(send_dense(w));
        TRY(send_clipped(w));
    }
    return send_counters(w, WIRE_TRAINED, &counters);
}

/* Score this worker's share of a split; EVALUATE names it by `count`. */
static status_t evaluate(worker_t *w, int64_t split)
{
    if (split < SPLIT_TRAIN || split > SPLIT_ALL)
        return FAIL(ST_MESSAGE, "told to evaluate a split that does not exist, %lld", (long long)split);
    const step_io_t io = {w, rows_of, poll_between};
    const loader_plan_t plan = {
        .split = (split_t)split, .worker = w->o.worker, .workers = w->workers, .lanes = w->lanes, .chunk = w->lane_rows};
    loader_start(w->loader, &plan);
    int64_t start = clock_now_ns(), examples = 0;
    batch_t *batch, *next;
    TRY(next_batch(w, &next));
    if (next)
        TRY(client_pull(w->client, next, true));
    while (next) {
        batch = next;
        TRY(next_batch(w, &next));
        if (next)
            TRY(client_pull(w->client, next, true));
        TRY(client_wait(w->client, batch->step));
        TRY(step_predict(w->step, batch, &io));
        client_release(w->client, batch->step);
        TRY(send_examples(w, WIRE_PREDICTIONS, batch->step, step_predictions(w->step), batch->label, batch->group, batch->rows));
        examples += batch->rows;
        loader_recycle(w->loader, batch);
    }
    message_counters_t counters = counters_of(w);
    counters.examples = examples;
    counters.seconds = (double)(clock_now_ns() - start) * 1e-9;
    return send_counters(w, WIRE_EVALUATED, &counters);
}

static status_t serve(worker_t *w)
{
    for (;;) {
        net_message_t message;
        TRY(client_control(w->client, &message));
        status_t status;
        if (message.header.type == WIRE_BEGIN)
            status = begin_run(w, &message);
        else if (!w->step)
            status = FAIL(ST_MESSAGE, "%s came before any run began", wire_type_name(message.header.type));
        else if (message.header.type == WIRE_DENSE)
            status = take_dense(w, &message);
        else if (message.header.type == WIRE_SCALING)
            status = take_scaling(w, &message);
        else if (message.header.type == WIRE_TEACHER)
            status = take_teacher(w, &message);
        else
            status = message.header.type == WIRE_TRAIN ? train(w) : evaluate(w, message.header.count);
        net_release(w->o.net, &message);
        TRY(status);
    }
}

status_t worker_run(const worker_options_t *options)
{
    const config_t *config = options->experiment->base;
    worker_t *w = MEM_NEW(worker_t);
    w->o = *options;
    member_init(&w->member, options->net, options->rank, config->cluster.heartbeat_ms, config->cluster.deadline_s);
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        w->slot_shard[slot] = (uint16_t)slots_shard(slot, options->shards);
    const client_options_t client_options = {options->net, &w->member, options->shards, options->shard_names};
    w->client = client_create(&client_options);
    cluster_set_poll(options->cluster, poll_between, w);
    status_t status = serve(w);
    cluster_set_poll(options->cluster, NULL, NULL);
    if (status == ST_STOPPED)
        status = ST_OK;
    else if (status != ST_PEER)
        member_fail(&w->member, status, "a worker failed; its own line says why");
    member_bye(&w->member, status);
    end_run(w);
    dataset_close(&w->dataset);
    client_destroy(&w->client);
    mem_free(w->dataset_path);
    mem_free(w->p);
    mem_free(w->y);
    mem_free(w->query);
    mem_free(w);
    return status;
}
