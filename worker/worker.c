/* A worker does what the coordinator says, one thing after the other: begin a run, take parameters, train, score. */
#include "worker/worker.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/field_plan.h"
#include "common/net/dispatch.h"
#include "common/net/slots.h"
#include "worker/probe.h"
#include "worker/train.h"
#include "worker/validator.h"
#include "worker/worker_send.h"

typedef struct worker {
    worker_options_t o;
    heartbeat_t heartbeat;
    uint16_t slot_shard[HASH_SLOTS];
    char *dataset_path;
    config_t *told; /* what CONFIG brought, for the next BEGIN; **owned**, or NULL */
    worker_run_t run;
} worker_t;

static void end_run(worker_run_t *r)
{
    loader_destroy(&r->loader);
    step_destroy(&r->step);
    teacher_predictions_destroy(&r->teacher);
    probe_destroy(&r->probe);
    validator_destroy(&r->validator);
    r->probed = (traffic_t){0};
    step_batch_end(&r->digests);
    r->phase = WORKER_IDLE;
    tree_shares_fini(&r->shares);
    table_plan_fini(&r->plan);
    config_destroy(&r->config);
}

/* What is trained on; who scores does so with all there is. */
static status_t choose_examples(const worker_run_t *r)
{
    TRY(dataset_train_since(r->dataset, r->purpose == RUN_SCORES ? "" : r->config->data.since));
    return dataset_choose_label(r->dataset, r->config->data.label);
}

/* Open the run's dataset unless it is open already. */
static status_t open_dataset(worker_t *w)
{
    const char *path = w->run.config->data.path;
    if (w->run.dataset && strcmp(path, w->dataset_path) == 0)
        return choose_examples(&w->run);
    dataset_close(&w->run.dataset);
    mem_free(w->dataset_path);
    w->dataset_path = mem_strdup(path);
    TRY(dataset_open(path, w->run.config->data.cache_mb << 20, &w->run.dataset));
    int readers;
    const int file = cluster_host_file(w->run.cluster, run_first_rank(&w->run), w->o.workers, &readers);
    if (file >= 0) /* not alone here */
        dataset_share(w->run.dataset, file, readers);
    return choose_examples(&w->run);
}

static status_t worker_on_config(worker_t *w, const net_message_t *message)
{
    const wire_frame_t text = message->frame[0];
    config_t *told = NULL;
    if (config_from_text(text.data, (size_t)text.bytes, "the coordinator's CONFIG", &told) != ST_OK)
        return REFUSE("it is no configuration");
    config_destroy(&w->told);
    w->told = told;
    return ST_OK;
}

/* The configuration of the run that begins; **owned**. REFUSEs a run that the job does not have. */
static status_t config_of(worker_t *w, const message_begin_t *begin, config_t **out)
{
    const run_number_t run = {begin->purpose, begin->variant, begin->replica};
    char *folder = run_folder_of(w->o.folders, w->o.experiment, run);
    if (!folder)
        return REFUSE("the job has no variant %d, replica %d", begin->variant, begin->replica);
    mem_free(folder);
    if (run.purpose == RUN_TEACHES && !w->told)
        return REFUSE("its configuration has not come");
    TRY(config_for_replica(run_config(w->o.experiment, run), run.replica, out));
    if (run.purpose != RUN_TEACHES)
        return ST_OK;
    config_t *scoring = config_to_score(w->told, *out);
    config_destroy(out);
    config_destroy(&w->told);
    *out = scoring;
    return ST_OK;
}

static status_t worker_on_begin(worker_t *w, const net_message_t *message)
{
    worker_run_t *r = &w->run;
    config_t *config = NULL;
    message_begin_t b;
    if (!message_body(message, &b, sizeof b))
        return REFUSE("its body is malformed");
    TRY(config_of(w, &b, &config));
    if (r->worker >= config_active_workers(config, w->o.workers)) {
        config_destroy(&config);
        return REFUSE("this worker takes no part in the run");
    }
    end_run(r);
    r->config = config;
    r->workers = config_active_workers(r->config, w->o.workers);
    r->phase = WORKER_BEGUN;
    r->purpose = (run_purpose_t)b.purpose;
    r->group = peer_group_of(r->config, r->worker, r->workers);
    r->reports = peer_group_reporting(r->config, r->workers).number == r->group.number;
    TRY(cluster_group(r->cluster, run_first_rank(r) + r->group.first_worker, r->group.workers));
    TRY(open_dataset(w));
    dataset_standardise(r->dataset, NULL);
    const dataset_info_t *info = dataset_info(r->dataset);
    if (info->single + info->multi != b.fields)
        return FAIL(ST_INPUT,
                    "dataset %s has %d categorical fields here and %d at the coordinator; copy the same dataset to every host",
                    w->dataset_path, info->single + info->multi, b.fields);
    r->lanes = lanes_of(r->config, info->train_rows);
    lanes_shares(r->config, r->group.workers, &r->shares);
    r->lane_rows = (int)(r->lanes.batch / r->lanes.lanes);
    const int64_t steps = lanes_steps(&r->lanes);
    r->cuts = checkpoint_schedule_of(steps, steps, 0, 1, 0); /* nothing to save until TRAIN */
    const int at = r->worker - r->group.first_worker;
    int lanes = lanes_first(&r->lanes, at + 1, r->group.workers) - lanes_first(&r->lanes, at, r->group.workers);
    TRY(field_plan_of(&r->plan, r->config, info, w->dataset_path));
    TRY(step_create(r->config, &r->plan, info, lanes, r->lane_rows, w->o.shards, &r->step));
    TRY(loader_create(r->dataset, w->o.shards, w->slot_shard, &r->plan, &r->loader));
    if (config_is_taught(r->config))
        r->teacher = teacher_predictions_create(info->train_rows, r->config->teacher.predictions == SOFT_LABELS_PROGRESSIVE);
    client_begin(r->client, message->header.run_id, message->header.incarnation, &r->plan);
    if (r->group.groups > 1) {
        step_train_only(r->step, r->group.first_component, r->group.end_component);
        client_push_only(r->client, r->group.first_component, r->group.end_component);
    }
    r->dense_before = cluster_bytes_received(r->cluster);
    r->cpu_start = clock_cpu_seconds();
    clock_reset_peak_rss();
    wire_header_t ready = run_header(r, WIRE_READY, 0, 0);
    wire_set_dataset_hash(&ready, info->content_hash);
    return net_send(r->net, PEER_COORDINATOR, &ready, NULL, 0);
}

/* Messages are heard while the worker waits for others over MPI. */
static status_t poll_in_cluster(void *context)
{
    worker_run_t *r = context;
    return client_poll(r->client, r->now_step);
}

/* SAVE and VERDICT are heard whatever the worker does. */
static status_t on_word(void *context, const wire_header_t *word)
{
    return word->type == WIRE_VERDICT ? validator_verdict(context, word) : train_save(context, word);
}

/* The coordinator hands on, piece by piece, what the run's teacher predicts. */
static status_t worker_on_teacher(worker_t *w, const net_message_t *message)
{
    const worker_run_t *r = &w->run;
    const int64_t n = message->header.count;
    if (!r->teacher || r->phase != WORKER_BEGUN)
        return REFUSE("%" PRId64 " predictions of a teacher came %s", n, r->teacher ? "too late" : "for a run without one");
    return teacher_predictions_put(r->teacher, wire_first_example(&message->header), message->frame[0].data, n);
}

/* The coordinator gives parameters of a finished run in place of initial ones. */
static status_t worker_on_dense(worker_t *w, const net_message_t *message)
{
    const worker_run_t *r = &w->run;
    const uint32_t k = wire_component(&message->header);
    const int64_t first = wire_first_element(&message->header), n = message->header.count;
    model_t *model = k < (uint32_t)step_components(r->step) ? step_model(r->step, (int)k) : NULL;
    const int64_t values = model ? model_parameters(model) : 0, all = model ? values + model_state_count(model) : 0;
    if (r->phase != WORKER_BEGUN || !model || first > all || n > all - first)
        return REFUSE("%" PRId64 " dense parameters from %" PRId64 " on of component %u do not fit its %" PRId64
                      ", or come too late",
                      n, first, k, all);
    const float *from = message->frame[0].data;
    for (int64_t i = 0; i < n; i++)
        *(first + i < values ? &model_values(model)[first + i] : &model_state(model)[first + i - values]) = from[i];
    model_refresh(model);
    return ST_OK;
}

/* Numeric fields as the finished run saw them. */
static status_t worker_on_scaling(worker_t *w, const net_message_t *message)
{
    const worker_run_t *r = &w->run;
    const int32_t numeric = dataset_info(r->dataset)->numeric;
    const double *scaling = message->frame[0].data;
    if (r->phase != WORKER_BEGUN || message->frame[0].bytes != numeric * 2 * (int64_t)sizeof(double))
        return REFUSE("scaling of %" PRId64 " bytes for %d numeric fields, or too late", message->frame[0].bytes, numeric);
    for (int32_t i = 0; i < 2 * numeric; i++)
        if (!isfinite(scaling[i]))
            return REFUSE("scaling of numeric field %d is not finite", i / 2);
    dataset_standardise(r->dataset, message->frame[0].data);
    return ST_OK;
}

/* Score this worker's share of a split. */
static status_t worker_on_evaluate(worker_t *w, const net_message_t *message)
{
    worker_run_t *r = &w->run;
    const int64_t split = wire_split(&message->header);
    if (r->purpose == RUN_TRAINS && r->phase != WORKER_TRAINED)
        return REFUSE("the run is not trained to its end");
    const step_io_t io = run_io(r);
    const batch_plan_t plan = {.split = (split_t)split,
                               .worker = r->worker,
                               .workers = r->workers,
                               .lanes = r->lanes,
                               .chunk = (int)peer_group_chunk(r->config, r->workers)};
    loader_start(r->loader, &plan);
    const int64_t start = clock_now_ns();
    int64_t examples = 0;
    batch_t *batch, *next;
    TRY(run_batch(r, &next));
    if (next)
        TRY(client_pull(r->client, next, true));
    while (next) {
        batch = next;
        TRY(run_batch(r, &next));
        if (next)
            TRY(client_pull(r->client, next, true));
        TRY(client_wait(r->client, batch->step));
        TRY(step_predict(r->step, batch, &io));
        client_release(r->client, batch->step);
        TRY(worker_send_batch(r, batch));
        examples += batch->rows;
        loader_recycle(r->loader, batch);
    }
    return worker_send_counters(r, WIRE_EVALUATED, r->now_step, examples, start);
}

static status_t worker_on_train(worker_t *w, const net_message_t *message)
{
    if (w->run.purpose != RUN_TRAINS || w->run.phase != WORKER_BEGUN)
        return REFUSE("the run is not to be trained, or was already");
    TRY(train_check(&w->run, message->header.step));
    w->run.phase = WORKER_TRAINED; /* when this returns; what comes meanwhile waits for its turn */
    probe_destroy(&w->run.probe);
    TRY(probe_create(&w->run, w->o.shards, w->slot_shard, &w->run.probe));
    validator_destroy(&w->run.validator);
    TRY(validator_create(&w->run, w->o.shards, w->slot_shard, &w->run.validator));
    TRY(train_begin(&w->run, message->header.step));
    return train_all(&w->run);
}

/* The functions for the messages that a worker takes in turn (WIRE_TYPES); the message stays the caller's. */
typedef status_t handler_t(worker_t *w, const net_message_t *message);
static handler_t *const handlers[WIRE_TYPE_END][WIRE_ROLE_END] = {DISPATCH_WORKER};

static status_t serve(worker_t *w)
{
    const heartbeat_t *now = &w->heartbeat;
    for (;;) {
        net_message_t message;
        TRY(client_control(w->run.client, &message));
        const wire_header_t *header = &message.header;
        const bool is_of_run = wire_is_of_run(header->type);
        if (is_of_run && (!w->run.step || header->run_id != now->run_id || header->incarnation != now->incarnation)) {
            TRY(client_refuse(w->run.client, &message,
                              w->run.step ? "it belongs to another run or incarnation" : "no run has begun"));
            continue;
        }
        handler_t *handler = handlers[header->type][WIRE_ROLE_COORDINATOR];
        ASSERT(handler); /* the client keeps no other */
        const status_t status = handler(w, &message);
        if (status == ST_MESSAGE && !client_has_failed(w->run.client)) {
            TRY(client_refuse(w->run.client, &message, status_refusal()));
            continue;
        }
        net_release(w->o.net, &message);
        TRY(status);
    }
}

static void destroy(worker_t *w)
{
    worker_run_t *r = &w->run;
    end_run(r);
    dataset_close(&r->dataset);
    client_destroy(&r->client);
    mem_free(w->dataset_path);
    config_destroy(&w->told);
    mem_free(r->kept.p);
    mem_free(r->kept.y);
    mem_free(r->kept.words);
    mem_free(w);
}

status_t worker_run(const worker_options_t *options)
{
    mem_keep_messages();
    const config_t *config = options->experiment->base;
    worker_t *w = MEM_NEW(worker_t);
    w->o = *options;
    heartbeat_init(&w->heartbeat, options->net, options->rank, config->cluster.heartbeat_ms, config->cluster.deadline_s);
    if (options->coordinator)
        heartbeat_expect_pulse(&w->heartbeat, options->coordinator, false);
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        w->slot_shard[slot] = (uint16_t)slots_shard(slot, options->shards);
    const client_options_t client_options = {options->net, &w->heartbeat, options->shards, options->shard_names,
                                             config->cluster.retry_ms};
    w->run = (worker_run_t){.rank = options->rank,
                            .worker = options->worker,
                            .net = options->net,
                            .heartbeat = &w->heartbeat,
                            .client = client_create(&client_options),
                            .cluster = options->cluster};
    client_set_save(w->run.client, on_word, &w->run);
    cluster_set_poll(options->cluster, poll_in_cluster, &w->run);
    status_t status = serve(w);
    cluster_set_poll(options->cluster, NULL, NULL);
    if (status == ST_STOPPED)
        status = ST_OK;
    else if (status != ST_PEER) {
        char reason[STATUS_REASON_BYTES];
        status_reason(reason);
        heartbeat_fail(&w->heartbeat, status, reason);
    }
    w->heartbeat.stuck = !cluster_is_whole(options->cluster);
    heartbeat_bye(&w->heartbeat, status);
    destroy(w);
    return status;
}
