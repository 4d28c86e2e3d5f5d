/* One function for each message that the coordinator receives, by its row in WIRE_TYPES. The table finds it by type and by the
 * sender's role, so that a function knows who sent what it gets: a worker, a shard, or a rank of either kind. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/metrics/metrics.h"
#include "common/net/dispatch.h"
#include "launcher/coordinator/coordinator_impl.h"

/* ---- ranks ----------------------------------------------------------------------------------------------------------- */

static status_t coordinator_on_heartbeat(coordinator_t *c, net_message_t *message)
{
    if (wire_is_told(&message->header))
        failure_detector_told(&c->detector, message->peer);
    return ST_OK;
}

static status_t coordinator_on_bye(coordinator_t *c, net_message_t *message)
{
    failure_detector_bye(&c->detector, message->peer, wire_status(&message->header), wire_is_stuck(&message->header));
    return ST_OK;
}

/* A part of what shards load is not on the host of one of them: where it is, as the end of the line; **owned**. */
static char *where_is(const coordinator_t *c, int64_t part)
{
    const places_t *from = c->loading_from;
    char *place = !part || !from        ? NULL
                  : c->loading_step > 0 ? places_checkpoint(from, c->loading_incarnation, part - 1)
                                        : places_store(from, part - 1);
    char *text = place ? mem_printf("; it was written on %s (smelter gather brings the parts of a run together)", place)
                       : mem_strdup("");
    mem_free(place);
    return text;
}

/* A rank that cannot go on says so; or one has refused what it was told in this run, and waits for what will not come. A
 * shard's name is that of its server. */
static status_t coordinator_on_error(coordinator_t *c, net_message_t *message)
{
    const wire_header_t *header = &message->header;
    message_error_t body;
    char text[ATTENDANCE_NAME_BYTES];
    if (!message_body(message, &body, sizeof body))
        return REFUSE("it has no body");
    const bool is_of_another = header->run_id && (header->run_id != c->run_id || header->incarnation != c->incarnation);
    if (!body.fatal && is_of_another)
        return REFUSE("it belongs to another run or incarnation");
    const bool is_shard = PEER_IS_SHARD(message->peer);
    const int rank = is_shard ? 1 + PEER_SHARD_OF(message->peer) / c->o.roster->shards_per_server : message->peer;
    failure_detector_name(&c->detector, rank, text);
    body.text[sizeof body.text - 1] = 0;
    run_events_trouble(c->events, text);
    char *where = where_is(c, header->count);
    const status_t status = FAIL(body.status == ST_INPUT ? ST_INPUT : ST_PEER, "%s cannot go on (%s): %s%s; the job ends", text,
                                 status_name((status_t)body.status), body.text, where);
    mem_free(where);
    return status;
}

/* The number of a worker of the job, or of a shard, whichever has sent the message. */
static int number_of(const coordinator_t *c, const net_message_t *message)
{
    return PEER_IS_SHARD(message->peer) ? PEER_SHARD_OF(message->peer) : roster_index(c->o.roster, message->peer);
}

/* Is it asked for, and has it not come before? */
static status_t check_asked(const coordinator_t *c, const roll_call_t *call, const net_message_t *message)
{
    return roll_call_awaits(call, number_of(c, message)) ? ST_OK : REFUSE("it was not asked for, or has come before");
}

static status_t coordinator_on_ready(coordinator_t *c, net_message_t *message)
{
    char text[ATTENDANCE_NAME_BYTES];
    const bool is_shard = PEER_IS_SHARD(message->peer);
    roll_call_t *call = is_shard ? &c->shards_ready : &c->workers_ready;
    TRY(check_asked(c, call, message));
    roll_call_take(call, number_of(c, message));
    if (is_shard || !c->dataset || wire_dataset_hash(&message->header) == dataset_info(c->dataset)->content_hash)
        return ST_OK;
    return FAIL(ST_INPUT, "dataset %s of %s differs from the coordinator's; copy the same dataset to every host",
                c->dataset_path, failure_detector_name(&c->detector, message->peer, text));
}

/* ---- counters -------------------------------------------------------------------------------------------------------- */

static void add_counters(message_counters_t *sum, const message_counters_t *one)
{
    sum->seconds = one->seconds > sum->seconds ? one->seconds : sum->seconds;
    if (one->step_seconds_median > sum->step_seconds_median)
        sum->step_seconds_median = one->step_seconds_median;
    if (one->step_seconds_longest > sum->step_seconds_longest)
        sum->step_seconds_longest = one->step_seconds_longest;
    sum->cpu_seconds += one->cpu_seconds;
    sum->peak_rss_bytes += one->peak_rss_bytes;
    sum->examples += one->examples;
    sum->rows_pulled += one->rows_pulled;
    sum->rows_pushed += one->rows_pushed;
    sum->bytes_sent += one->bytes_sent;
    sum->bytes_received += one->bytes_received;
    sum->rows += one->rows;
    sum->parameters += one->parameters;
    sum->staleness_sum += one->staleness_sum;
    sum->staleness_count += one->staleness_count;
    sum->duplicates += one->duplicates;
    sum->bad_messages += one->bad_messages;
    if (one->flops_per_example)
        sum->flops_per_example = one->flops_per_example;
    if (one->staleness_max > sum->staleness_max)
        sum->staleness_max = one->staleness_max;
}

/* The counters of who was asked for them. */
static status_t take_counters(const coordinator_t *c, const roll_call_t *call, const net_message_t *message,
                              message_counters_t *body)
{
    TRY(check_asked(c, call, message));
    return message_body(message, body, sizeof *body) && message_counters_are_sound(body) ? ST_OK
                                                                                         : REFUSE("its counters are unsound");
}

/* Does a worker of the run speak for the group that trains the component? */
static bool leads(const coordinator_t *c, int worker, uint32_t component)
{
    if (!c->config || worker >= c->workers || component >= (uint32_t)c->components)
        return false;
    const peer_group_t group = peer_group_of(c->config, worker, c->workers);
    return worker == group.first_worker && (int)component >= group.first_component && (int)component < group.end_component;
}

static int64_t last_step(const coordinator_t *c)
{
    return (c->stopped_at ? c->stopped_at : lanes_steps(&c->lanes)) - 1;
}

static status_t coordinator_on_trained(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    const int worker = number_of(c, message);
    TRY(take_counters(c, &c->training, message, &body));
    if (message->header.step != last_step(c) || message->header.count != body.examples || body.examples > c->lanes.total)
        return REFUSE("the run ends with step %" PRId64 ", and has %" PRId64 " examples", last_step(c), c->lanes.total);
    for (int k = 0; k < c->components && !c->stopped_at; k++)
        if (leads(c, worker, (uint32_t)k) && !c->has_dense[k])
            return REFUSE("the dense parameters of component %d have not come", k);
    const int64_t dense = c->trained.parameters;
    add_counters(&c->trained, &body);
    c->trained.parameters = dense > body.parameters ? dense : body.parameters; /* replicated, not summed */
    roll_call_take(&c->training, worker);
    return c->checkpointer ? checkpointer_trained(c->checkpointer, worker) : ST_OK;
}

/* How many examples of the split a worker scores: chunks go round (worker/batch_plan.h). */
static int64_t share_of(const coordinator_t *c, int worker)
{
    const int64_t rows = c->predictions.rows, chunks = (rows + c->chunk - 1) / c->chunk;
    const int64_t own = (chunks - worker + c->workers - 1) / c->workers, last = worker + (own - 1) * c->workers;
    return own * c->chunk - (own && last == chunks - 1 ? chunks * c->chunk - rows : 0);
}

static status_t coordinator_on_evaluated(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    const int worker = number_of(c, message);
    TRY(take_counters(c, &c->scoring, message, &body));
    if (c->scored_by[worker] != share_of(c, worker) || message->header.count != c->scored_by[worker])
        return REFUSE("%" PRId64 " of its predictions of %" PRId64 " examples have come", c->scored_by[worker],
                      share_of(c, worker));
    add_counters(&c->evaluated, &body);
    roll_call_take(&c->scoring, worker);
    return ST_OK;
}

static status_t coordinator_on_loaded(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    TRY(take_counters(c, &c->loading, message, &body));
    if (message->header.step != c->loading_step || message->header.count != body.rows)
        return REFUSE("what was asked for comes before step %" PRId64, c->loading_step);
    add_counters(&c->loaded, &body);
    hash_digest_merge(&c->digest, &(hash_digest_t){body.digest_low, body.digest_high, body.digest_elements});
    roll_call_take(&c->loading, number_of(c, message));
    return ST_OK;
}

static status_t coordinator_on_flushed(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    TRY(take_counters(c, &c->flushed, message, &body));
    add_counters(&c->shards, &body);
    const hash_digest_t digest = {body.digest_low, body.digest_high, body.digest_elements};
    hash_digest_merge(&c->digest, &digest);
    c->stores[number_of(c, message)] = digest;
    roll_call_take(&c->flushed, number_of(c, message));
    return ST_OK;
}

/* ---- what a run learns and predicts ---------------------------------------------------------------------------------- */

static status_t emit_number(coordinator_t *c, const char *name, double value)
{
    return run_events_emit(c->events, &(run_event_t){EVENT_NUMBER, net_now_ns(c->o.net), .number = {name, value}});
}

/* All groups have made as many steps of as many examples as the one that reports. Losses are those of first visits; once there
 * are later ones, of these. */
static status_t coordinator_on_progress(coordinator_t *c, net_message_t *message)
{
    const int worker = number_of(c, message), at = worker - c->reporting.first_worker;
    TRY(check_asked(c, &c->training, message));
    if (!c->progressive || at < 0 || at >= c->reporting.workers)
        return REFUSE("progressive predictions are those of %d workers from %d on", c->reporting.workers,
                      c->reporting.first_worker);
    TRY(progressive_put(c->progressive, at, message, net_now_ns(c->o.net)));
    const double later = progressive_training_logloss(c->progressive);
    TRY(emit_number(c, "progressive logloss", isfinite(later) ? NAN : progressive_logloss(c->progressive)));
    TRY(emit_number(c, "training logloss", later));
    const event_progress_t progress = {progressive_steps(c->progressive),
                                       progressive_examples(c->progressive) * c->reporting.groups - c->earlier.examples};
    return run_events_emit(c->events, &(run_event_t){EVENT_PROGRESS, net_now_ns(c->o.net), .progress = progress});
}

/* Where rows may lack a label, it is a value of its own. */
static bool are_labels(const coordinator_t *c, const uint8_t *y, int64_t n)
{
    if (!c->dataset || !dataset_info(c->dataset)->may_lack_label)
        return metrics_are_labels(y, n);
    bool good = true;
    for (int64_t i = 0; i < n; i++)
        good &= y[i] <= DATASET_NO_LABEL;
    return good;
}

static status_t coordinator_on_predictions(coordinator_t *c, net_message_t *message)
{
    const int64_t first = wire_first_example(&message->header), n = message->header.count;
    predictions_t *p = &c->predictions;
    TRY(check_asked(c, &c->scoring, message));
    if (first > p->rows || n > p->rows - first || message->frame[0].bytes != n * 4 || message->frame[2].bytes != n * 8)
        return REFUSE("predictions of %" PRId64 " examples from %" PRId64 " on do not fit the split of %" PRId64, n, first,
                      p->rows);
    if (n && memchr(c->is_scored + first, 1, (size_t)n))
        return REFUSE("examples from %" PRId64 " on are scored already", first);
    if (!are_labels(c, message->frame[1].data, n))
        return REFUSE("a label is neither 0 nor 1");
    memset(c->is_scored + first, 1, (size_t)n);
    memcpy(p->p + first, message->frame[0].data, (size_t)n * sizeof *p->p);
    memcpy(p->label + first, message->frame[1].data, (size_t)n);
    memcpy(p->group + first, message->frame[2].data, (size_t)n * sizeof *p->group);
    c->scored += n;
    c->scored_by[number_of(c, message)] += n;
    return ST_OK;
}

/* What the leader of a component's group sends between its last step and its TRAINED. */
static status_t check_of_component(const coordinator_t *c, const net_message_t *message)
{
    TRY(check_asked(c, &c->training, message));
    if (!leads(c, number_of(c, message), wire_component(&message->header)))
        return REFUSE("component %u is none that its sender speaks for", wire_component(&message->header));
    return message->header.step == last_step(c) ? ST_OK : REFUSE("the run ends with step %" PRId64, last_step(c));
}

static status_t coordinator_on_dense(coordinator_t *c, net_message_t *message)
{
    const uint32_t component = wire_component(&message->header);
    TRY(check_of_component(c, message));
    if (message->header.count != c->dense_floats || c->has_dense[component] || c->stopped_at)
        return REFUSE("the dense parameters of a component are %" PRId64 ", and come once", c->dense_floats);
    c->has_dense[component] = true;
    char *path = run_dense_path(c->run_dir, (int)component);
    hash_digest_add(&c->digest, &component, sizeof component, message->frame[0].data, (size_t)message->frame[0].bytes);
    const status_t status = file_write_atomic(path, message->frame[0].data, (size_t)message->frame[0].bytes);
    mem_free(path);
    return status;
}

static bool are_shares(const float *share, int64_t n)
{
    bool sound = true;
    for (int64_t i = 0; i < n; i++)
        sound = sound && share[i] >= 0.0f && share[i] <= 1.0f;
    return sound;
}

/* Shares of clipped values: the most into the run's numbers, all of them, once they are here, into clipped.json. With them come
 * the other numbers of activated layers, which the manifest takes. */
static status_t coordinator_on_clipped(coordinator_t *c, net_message_t *message)
{
    const float *share = message->frame[0].data;
    const int64_t layers = message->header.count;
    const uint32_t component = wire_component(&message->header);
    TRY(check_of_component(c, message));
    const bool came = c->n_clipped == c->components || c->clipped[component];
    if (came || layers > (int64_t)c->config->model.hidden.count + 1 || !are_shares(share, layers))
        return REFUSE("shares of clipped values are those of a component's layers, from 0 to 1, and come once");
    jsondoc_t *of_component = c->clipped[component] = jsondoc_array();
    for (int64_t l = 0; l < layers; l++) {
        jsondoc_append_number(of_component, (double)share[l]);
        c->clipped_most = fmax(c->clipped_most, (double)share[l]);
    }
    activated_layers_add(&c->layers, (int)component, message->frame[1].data, share, (int)layers);
    if (++c->n_clipped < c->components)
        return ST_OK;
    jsondoc_t *all = jsondoc_array();
    for (int k = 0; k < c->components; k++)
        jsondoc_append(all, &c->clipped[k]);
    char *path = run_path(c->run_dir, FILE_CLIPPED);
    status_t status = jsondoc_write(all, path);
    mem_free(path);
    jsondoc_destroy(&all);
    return status;
}

/* Shards tell of the last steps when they are flushed. */
static status_t coordinator_on_digests(coordinator_t *c, net_message_t *message)
{
    const int number = number_of(c, message);
    const bool is_shard = PEER_IS_SHARD(message->peer);
    if (!c->steps || !c->config)
        return REFUSE("no digests of steps are wanted");
    if (is_shard)
        return step_digest_merger_put_rows(c->steps, number, message);
    TRY(check_asked(c, &c->training, message));
    const peer_group_t group = peer_group_of(c->config, number, c->workers);
    return number == group.first_worker ? step_digest_merger_put_dense(c->steps, group.number, message)
                                        : REFUSE("its sender does not speak for its group");
}

static status_t coordinator_on_probed(coordinator_t *c, net_message_t *message)
{
    TRY(check_asked(c, &c->training, message));
    return c->probes ? probe_merger_put(c->probes, number_of(c, message), message) : REFUSE("no probe is wanted");
}

static status_t coordinator_on_validated(coordinator_t *c, net_message_t *message)
{
    TRY(check_asked(c, &c->training, message));
    return c->validations ? coordinator_validated(c, number_of(c, message), message) : REFUSE("no evaluation is wanted");
}

/* ---- checkpoints ----------------------------------------------------------------------------------------------------- */

static status_t put_worker(coordinator_t *c, const net_message_t *message)
{
    return c->checkpointer ? checkpointer_put_worker(c->checkpointer, number_of(c, message), message)
                           : REFUSE("nothing is saved now");
}

static status_t put_shard(coordinator_t *c, const net_message_t *message)
{
    return c->checkpointer ? checkpointer_put_shard(c->checkpointer, number_of(c, message), message)
                           : REFUSE("nothing is saved now");
}

/* The answer of a worker that was asked on its way to the end may come when nothing is saved any more. */
static status_t coordinator_on_save(coordinator_t *c, net_message_t *message)
{
    return c->checkpointer ? put_worker(c, message) : ST_OK;
}

static status_t coordinator_on_cut(coordinator_t *c, net_message_t *message)
{
    return put_worker(c, message);
}

static status_t coordinator_on_cut_dense(coordinator_t *c, net_message_t *message)
{
    return put_worker(c, message);
}

static status_t coordinator_on_prepared(coordinator_t *c, net_message_t *message)
{
    return put_shard(c, message);
}

static status_t coordinator_on_folded(coordinator_t *c, net_message_t *message)
{
    return put_shard(c, message);
}

/* ---- dispatch -------------------------------------------------------------------------------------------------------- */

/* The message stays the caller's, unless the function that takes it over clears `own`. ST_MESSAGE, by REFUSE: it does not fit,
 * and has changed nothing. */
typedef status_t handler_t(coordinator_t *c, net_message_t *message);
static handler_t *const handlers[WIRE_TYPE_END][WIRE_ROLE_END] = {DISPATCH_COORDINATOR};

static wire_role_t role_of(const coordinator_t *c, int peer)
{
    if (PEER_IS_SHARD(peer))
        return PEER_SHARD_OF(peer) < roster_shards(c->o.roster) ? WIRE_ROLE_SHARD : WIRE_ROLE_STRANGER;
    if (peer < 1 || peer >= c->o.roster->size)
        return WIRE_ROLE_STRANGER;
    return roster_role(c->o.roster, peer) == ROLE_WORKER ? WIRE_ROLE_WORKER : WIRE_ROLE_SERVER;
}

static status_t refuse(coordinator_t *c, net_message_t *message, const char *reason)
{
    run_events_trouble(c->events, reason);
    dispatch_refuse(c->o.net, message, "the coordinator", reason);
    return ST_OK;
}

status_t coordinator_dispatch(coordinator_t *c, net_message_t *message)
{
    const wire_header_t *header = &message->header;
    const wire_role_t role = role_of(c, message->peer);
    handler_t *handler = handlers[header->type][role];
    if (role == WIRE_ROLE_STRANGER) {
        dispatch_drop(c->o.net, message);
        return ST_OK;
    }
    if (role != WIRE_ROLE_SHARD)
        failure_detector_put(&c->detector, message->peer);
    if (!handler)
        return refuse(c, message, "the coordinator does not take this type from this sender");
    if (wire_is_of_run(header->type) && (header->run_id != c->run_id || header->incarnation != c->incarnation))
        return refuse(c, message, "it belongs to another run or incarnation");
    const status_t status = handler(c, message);
    if (status == ST_MESSAGE)
        return refuse(c, message, status_refusal());
    net_release(c->o.net, message);
    return status;
}
