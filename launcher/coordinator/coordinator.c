#include "launcher/coordinator/coordinator.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/process/rank_signals.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/coordinator_send.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

void predictions_fini(predictions_t *predictions)
{
    mem_free(predictions->p);
    mem_free(predictions->label);
    mem_free(predictions->group);
    *predictions = (predictions_t){0};
}

status_t coordinator_create(const coordinator_options_t *options, coordinator_t **out)
{
    coordinator_t *c = MEM_NEW(coordinator_t);
    c->o = *options;
    c->events = run_events_create(options->progress);
    failure_detector_init(&c->detector, options->net, options->roster, c->events, options->starter_reports,
                          options->experiment->base->cluster.deadline_s);
    c->run_id = rng_u64((uint64_t)getpid(), (uint64_t)clock_now_ns(), 0);
    c->stores = MEM_ARRAY(hash_digest_t, roster_shards(options->roster));
    c->scored_by = MEM_ARRAY(int64_t, options->roster->workers);
#define INIT(call) roll_call_init(&c->call, options->roster->size > shards ? options->roster->size : shards);
    const int shards = roster_shards(options->roster);
    ROLL_CALLS(INIT)
#undef INIT
    c->disk = options->disk ? options->disk : disk_posix();
    *out = c;
    return ST_OK;
}

static void drop_clipped(coordinator_t *c)
{
    for (int k = 0; k < COMPONENTS_MOST; k++)
        jsondoc_destroy(&c->clipped[k]);
    activated_layers_fini(&c->layers);
    c->n_clipped = 0;
}

void coordinator_destroy(coordinator_t **coordinator)
{
    coordinator_t *c = *coordinator;
    if (!c)
        return;
    checkpointer_destroy(&c->checkpointer);
    progressive_destroy(&c->progressive);
    step_digest_merger_destroy(&c->steps);
    probe_merger_destroy(&c->probes);
    validation_merger_destroy(&c->validations);
    mem_free(c->validation_weight);
    drop_clipped(c);
    table_plan_fini(&c->plan);
    dataset_close(&c->dataset);
    mem_free(c->dataset_path);
    mem_free(c->stores);
    mem_free(c->scored_by);
    mem_free(c->is_scored);
#define FINI(call) roll_call_fini(&c->call);
    ROLL_CALLS(FINI)
#undef FINI
    failure_detector_fini(&c->detector);
    predictions_fini(&c->predictions);
    run_events_destroy(&c->events);
    mem_free(c->asked);
    mem_free(c->answers);
    mem_free(c);
    *coordinator = NULL;
}

void coordinator_clear(coordinator_t *c)
{
    drop_clipped(c);
    table_plan_fini(&c->plan);
    c->clipped_most = 0;
    checkpointer_destroy(&c->checkpointer);
    c->told_to_stop = false;
    c->earlier = (run_totals_t){0};
    c->teacher_checksum = c->teacher_before = 0;
    c->incarnation = 0;
    c->identity = 0;
    progressive_destroy(&c->progressive);
    step_digest_merger_destroy(&c->steps);
    probe_merger_destroy(&c->probes);
    validation_merger_destroy(&c->validations);
    mem_free(c->validation_weight);
    c->validation_weight = NULL;
    c->verdict = c->stopped_at = 0;
    predictions_fini(&c->predictions);
    c->digest = (hash_digest_t){0};
    c->shards = c->trained = c->evaluated = c->loaded = (message_counters_t){0};
    c->config = NULL;
    memset(c->has_dense, 0, sizeof c->has_dense);
#define NOBODY(call) roll_call_begin(&c->call, 0);
    ROLL_CALLS(NOBODY)
#undef NOBODY
}

void coordinator_expect(coordinator_t *c, const config_t *config, int64_t train_rows, int numeric)
{
    const model_size_t size = model_size(config, embedding_shape(&c->plan, numeric));
    c->config = config;
    c->lanes = lanes_of(config, train_rows);
    c->chunk = peer_group_chunk(config, c->workers);
    c->components = (int)config->model.components;
    c->reporting = peer_group_reporting(config, c->workers);
    c->dense_floats = size.parameters + size.state;
}

wire_header_t coordinator_header(const coordinator_t *c, wire_type_t type, int64_t count)
{
    return wire_header(type, c->run_id, c->incarnation, WIRE_SENDER_COORDINATOR, 0, count);
}

/* ---- waiting for messages -------------------------------------------------------------------------------------------- */

/* What signals ask for: to save and go on, to save and stop, to end now. Where nothing is trained nothing can be saved. */
static status_t follow_signals(coordinator_t *c)
{
    if (rank_signals_interrupted())
        return failure_detector_interrupted(&c->detector);
    if (rank_signals_save_asked() && c->checkpointer)
        checkpointer_request(c->checkpointer, false);
    if (!failure_detector_is_stopping(&c->detector))
        return ST_OK;
    if (!c->checkpointer)
        return failure_detector_interrupted(&c->detector);
    TRY(failure_detector_check_gone(&c->detector));
    if (c->told_to_stop || !failure_detector_can_be_asked(&c->detector))
        return ST_OK;
    c->told_to_stop = true;
    checkpointer_request(c->checkpointer, true);
    return ST_OK;
}

/* Handle a message, or wait a moment for one. */
static status_t handle_one(coordinator_t *c)
{
    net_message_t message;
    TRY(follow_signals(c));
    status_t status = net_receive(c->o.net, &message, 100);
    if (status == ST_OK)
        status = coordinator_dispatch(c, &message);
    if (status != ST_OK && status != ST_TIMEOUT)
        return status;
    if (c->checkpointer)
        TRY(checkpointer_tick(c->checkpointer));
    TRY(coordinator_tell_verdict(c));
    return failure_detector_check(&c->detector);
}

/* Handle messages until *count reaches `wanted`. */
status_t coordinator_wait(coordinator_t *c, const int *count, int wanted)
{
    while (*count < wanted)
        TRY(handle_one(c));
    return ST_OK;
}

/* Handle messages until all workers have trained and what they saved meanwhile is committed; ST_STOPPED where they saved to
 * stop. */
status_t coordinator_wait_trained(coordinator_t *c)
{
    while (c->training.answered < c->workers || !checkpointer_is_idle(c->checkpointer)) {
        TRY(handle_one(c));
        if (checkpointer_is_stopped(c->checkpointer)) {
            const event_stopped_t stopped = {checkpointer_last_step(c->checkpointer)};
            TRY(run_events_emit(c->events, &(run_event_t){EVENT_STOPPED, net_now_ns(c->o.net), .stopped = stopped}));
            c->saved_to_stop = true;
            return ST_STOPPED;
        }
    }
    return ST_OK;
}

/* ---- phases ---------------------------------------------------------------------------------------------------------- */

/* The workers score a split with the parameters of the run in progress. */
status_t coordinator_score(coordinator_t *c, split_t split)
{
    wire_header_t header = coordinator_header(c, WIRE_EVALUATE, split);
    const int64_t rows = dataset_split_rows(dataset_info(c->dataset), split);
    predictions_fini(&c->predictions);
    c->predictions = (predictions_t){rows, MEM_ARRAY(float, rows), MEM_ARRAY(uint8_t, rows), MEM_ARRAY(uint64_t, rows)};
    mem_free(c->is_scored);
    c->is_scored = MEM_ARRAY(uint8_t, rows);
    c->scored = 0;
    memset(c->scored_by, 0, sizeof *c->scored_by * (size_t)c->o.roster->workers);
    roll_call_begin(&c->scoring, c->workers);
    TRY(send_workers(c, &header, NULL));
    TRY(coordinator_wait(c, &c->scoring.answered, c->workers));
    ASSERT(c->scored == rows); /* each has sent its share */
    return ST_OK;
}

bool coordinator_stop(coordinator_t *c, status_t status)
{
    const roster_t *roster = c->o.roster;
    const bool failed = status != ST_OK && !c->saved_to_stop;
    wire_header_t header = coordinator_header(c, WIRE_STOP, failed);
    for (int s = 0; s < roster_shards(roster); s++)
        if (net_send(c->o.net, PEER_SHARD(s), &header, NULL, 0) != ST_OK)
            log_debug("shard %d could not be told to stop", s);
    failure_detector_stop(&c->detector, &header, failed);
    return !failed || (failure_detector_all_left(&c->detector) && !rank_signals_interrupted());
}
