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

static status_t coordinator_on_error(coordinator_t *c, net_message_t *message)
{
    message_error_t body;
    char text[ATTENDANCE_NAME_BYTES] = "";
    if (!message_body(message, &body, sizeof body))
        return FAIL(ST_MESSAGE, "an ERROR message is malformed");
    if (!PEER_IS_SHARD(message->peer))
        failure_detector_name(&c->detector, message->peer, text);
    run_events_trouble(c->events, text);
    return FAIL(body.status == ST_INPUT ? ST_INPUT : ST_PEER, "%s cannot go on (%s): %.*s; the job ends",
                text[0] ? text : "a shard", status_name((status_t)body.status), (int)sizeof body.text, body.text);
}

static status_t coordinator_on_ready(coordinator_t *c, net_message_t *message)
{
    char text[ATTENDANCE_NAME_BYTES];
    c->ready++;
    if (PEER_IS_SHARD(message->peer) || !c->dataset ||
        wire_dataset_hash(&message->header) == dataset_info(c->dataset)->content_hash)
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

static status_t take_counters(const net_message_t *message, message_counters_t *body)
{
    if (message_body(message, body, sizeof *body))
        return ST_OK;
    return FAIL(ST_MESSAGE, "%s without its counters", wire_type_name(message->header.type));
}

static status_t coordinator_on_trained(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    TRY(take_counters(message, &body));
    const int64_t dense = c->trained.parameters;
    add_counters(&c->trained, &body);
    c->trained.parameters = dense > body.parameters ? dense : body.parameters; /* replicated, not summed */
    c->n_trained++;
    return c->checkpointer ? checkpointer_trained(c->checkpointer, roster_index(c->o.roster, message->peer)) : ST_OK;
}

static status_t coordinator_on_evaluated(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    TRY(take_counters(message, &body));
    add_counters(&c->evaluated, &body);
    c->n_evaluated++;
    return ST_OK;
}

static status_t coordinator_on_loaded(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    TRY(take_counters(message, &body));
    add_counters(&c->loaded, &body);
    hash_digest_merge(&c->digest, &(hash_digest_t){body.digest_low, body.digest_high, body.digest_elements});
    c->n_loaded++;
    return ST_OK;
}

static status_t coordinator_on_flushed(coordinator_t *c, net_message_t *message)
{
    message_counters_t body;
    TRY(take_counters(message, &body));
    add_counters(&c->shards, &body);
    const hash_digest_t digest = {body.digest_low, body.digest_high, body.digest_elements};
    hash_digest_merge(&c->digest, &digest);
    c->stores[PEER_SHARD_OF(message->peer)] = digest;
    c->n_flushed++;
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
    const int worker = roster_index(c->o.roster, message->peer), at = worker - c->reporting.first_worker;
    if (!c->progressive)
        return ST_OK;
    if (at < 0 || at >= c->reporting.workers)
        return FAIL(ST_MESSAGE, "worker %d sent progressive predictions, which are those of %d workers from %d on", worker,
                    c->reporting.workers, c->reporting.first_worker);
    net_message_t taken = *message;
    message->own = NULL;
    TRY(progressive_put(c->progressive, at, &taken, net_now_ns(c->o.net)));
    const double later = progressive_training_logloss(c->progressive);
    TRY(emit_number(c, "progressive logloss", isfinite(later) ? NAN : progressive_logloss(c->progressive)));
    TRY(emit_number(c, "training logloss", later));
    const event_progress_t progress = {progressive_steps(c->progressive),
                                       progressive_examples(c->progressive) * c->reporting.groups - c->earlier.examples};
    return run_events_emit(c->events, &(run_event_t){EVENT_PROGRESS, net_now_ns(c->o.net), .progress = progress});
}

static status_t coordinator_on_predictions(coordinator_t *c, net_message_t *message)
{
    const int64_t first = wire_first_example(&message->header), n = message->header.count;
    predictions_t *p = &c->predictions;
    if (first < 0 || n < 0 || first > p->rows || n > p->rows - first || message->frame[0].bytes != n * 4 ||
        message->frame[1].bytes != n || message->frame[2].bytes != n * 8)
        return FAIL(ST_MESSAGE, "predictions of examples %" PRId64 " to %" PRId64 " do not fit the split of %" PRId64, first,
                    (first + n), p->rows);
    if (!metrics_are_labels(message->frame[1].data, n))
        return FAIL(ST_MESSAGE, "predictions of examples %" PRId64 " to %" PRId64 " have labels other than 0 and 1", first,
                    (first + n));
    memcpy(p->p + first, message->frame[0].data, (size_t)n * sizeof *p->p);
    memcpy(p->label + first, message->frame[1].data, (size_t)n);
    memcpy(p->group + first, message->frame[2].data, (size_t)n * sizeof *p->group);
    c->scored += n;
    return ST_OK;
}

static status_t coordinator_on_dense(coordinator_t *c, net_message_t *message)
{
    uint32_t component = wire_component(&message->header);
    char *path = run_dense_path(c->run_dir, (int)component);
    hash_digest_add(&c->digest, &component, sizeof component, message->frame[0].data, (size_t)message->frame[0].bytes);
    const status_t status = file_write_atomic(path, message->frame[0].data, (size_t)message->frame[0].bytes);
    mem_free(path);
    return status;
}

/* Shares of clipped values: the most into the run's numbers, all of them, once they are here, into clipped.json. With them come
 * the other numbers of activated layers, which the manifest takes. */
static status_t coordinator_on_clipped(coordinator_t *c, net_message_t *message)
{
    const float *share = message->frame[0].data;
    const int64_t layers = message->frame[0].bytes / (int64_t)sizeof *share;
    const uint32_t component = wire_component(&message->header);
    if (c->n_clipped == c->components || component >= (uint32_t)c->components || c->clipped[component])
        return FAIL(ST_MESSAGE, "shares of clipped values of component %u came twice, or to a run of %d components", component,
                    c->components);
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

static status_t coordinator_on_digests(coordinator_t *c, net_message_t *message)
{
    if (!c->steps)
        return ST_OK;
    return PEER_IS_SHARD(message->peer) ? step_digest_merger_put_rows(c->steps, PEER_SHARD_OF(message->peer), message)
                                        : step_digest_merger_put_dense(c->steps, message);
}

static status_t coordinator_on_probed(coordinator_t *c, net_message_t *message)
{
    const int worker = roster_index(c->o.roster, message->peer);
    if (!c->probes || worker >= c->workers)
        return FAIL(ST_MESSAGE, "worker %d sent a probe, and %s", worker,
                    c->probes ? "takes no part in the run" : "none is wanted");
    return probe_merger_put(c->probes, worker, message);
}

/* ---- checkpoints ----------------------------------------------------------------------------------------------------- */

static status_t put_worker(coordinator_t *c, const net_message_t *message)
{
    return c->checkpointer ? checkpointer_put_worker(c->checkpointer, roster_index(c->o.roster, message->peer), message)
                           : ST_OK;
}

static status_t put_shard(coordinator_t *c, const net_message_t *message)
{
    return c->checkpointer ? checkpointer_put_shard(c->checkpointer, PEER_SHARD_OF(message->peer), message) : ST_OK;
}

static status_t coordinator_on_save(coordinator_t *c, net_message_t *message)
{
    return put_worker(c, message);
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

/* The message stays the caller's, unless the function that takes it over clears `own`. */
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
    return dispatch_refuse(c->o.net, message, "the coordinator", reason);
}

status_t coordinator_dispatch(coordinator_t *c, net_message_t *message)
{
    const wire_header_t *header = &message->header;
    const wire_role_t role = role_of(c, message->peer);
    handler_t *handler = handlers[header->type][role];
    if (role == WIRE_ROLE_STRANGER) { /* it cannot be answered */
        c->o.net->bad_messages++;
        net_release(c->o.net, message);
        return ST_OK;
    }
    if (role != WIRE_ROLE_SHARD)
        failure_detector_put(&c->detector, message->peer);
    if (!handler)
        return refuse(c, message, "the coordinator does not take this type from this sender");
    if (wire_is_of_run(header->type) && (header->run_id != c->run_id || header->incarnation != c->incarnation))
        return refuse(c, message, "it belongs to another run or incarnation");
    const status_t status = handler(c, message);
    net_release(c->o.net, message);
    return status;
}
