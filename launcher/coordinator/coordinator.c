#include "launcher/coordinator/coordinator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/net/member.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/coordinator_send.h"

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
    failure_detector_init(&c->detector, options->net, options->roster, options->progress, options->starter_reports,
                          options->experiment->base->cluster.deadline_s);
    c->run_id = rng_u64((uint64_t)getpid(), (uint64_t)clock_now_ns(), 0);
    c->stores = MEM_ARRAY(hash_digest_t, roster_shards(options->roster));
    c->disk = options->disk ? options->disk : disk_posix();
    *out = c;
    return ST_OK;
}

static void drop_clipped(coordinator_t *c)
{
    for (int k = 0; k < COMPONENTS_MOST; k++)
        jsondoc_destroy(&c->clipped[k]);
    c->n_clipped = 0;
}

void coordinator_destroy(coordinator_t **coordinator)
{
    coordinator_t *c = *coordinator;
    if (!c)
        return;
    checkpointer_destroy(&c->checkpointer);
    progressive_destroy(&c->progressive);
    step_digest_writer_destroy(&c->steps);
    drop_clipped(c);
    dataset_close(&c->dataset);
    mem_free(c->dataset_path);
    mem_free(c->stores);
    failure_detector_fini(&c->detector);
    predictions_fini(&c->predictions);
    mem_free(c);
    *coordinator = NULL;
}

void coordinator_clear(coordinator_t *c)
{
    drop_clipped(c);
    c->clipped_most = 0;
    checkpointer_destroy(&c->checkpointer);
    c->told_to_stop = false;
    c->earlier = (run_totals_t){0};
    c->teacher_checksum = c->teacher_before = 0;
    c->epoch = 0;
    c->identity = 0;
    progressive_destroy(&c->progressive);
    step_digest_writer_destroy(&c->steps);
    predictions_fini(&c->predictions);
    c->digest = (hash_digest_t){0};
    c->shards = c->trained = c->evaluated = c->loaded = (message_counters_t){0};
    c->n_trained = c->n_evaluated = c->n_flushed = c->n_loaded = 0;
}

wire_header_t coordinator_header(const coordinator_t *c, wire_type_t type, int64_t count)
{
    return wire_header(type, c->run_id, c->epoch, WIRE_SENDER_COORDINATOR, 0, count);
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

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

static status_t take_counters(coordinator_t *c, const net_message_t *message)
{
    message_counters_t body;
    if (!message_body(message, &body, sizeof body))
        return FAIL(ST_MESSAGE, "%s without its counters", wire_type_name(message->header.type));
    if (message->header.type == WIRE_TRAINED) {
        int64_t dense = c->trained.parameters;
        add_counters(&c->trained, &body);
        c->trained.parameters = dense > body.parameters ? dense : body.parameters; /* replicated, not summed */
        c->n_trained++;
        if (c->checkpointer)
            TRY(checkpointer_trained(c->checkpointer, roster_index(c->o.roster, message->peer)));
    } else if (message->header.type == WIRE_EVALUATED) {
        add_counters(&c->evaluated, &body);
        c->n_evaluated++;
    } else {
        const bool flushed = message->header.type == WIRE_FLUSHED;
        add_counters(flushed ? &c->shards : &c->loaded, &body);
        const hash_digest_t digest = {body.digest_low, body.digest_high, body.digest_elements};
        hash_digest_merge(&c->digest, &digest);
        if (flushed && PEER_IS_SHARD(message->peer))
            c->stores[PEER_SHARD_OF(message->peer)] = digest;
        *(flushed ? &c->n_flushed : &c->n_loaded) += 1;
    }
    return ST_OK;
}

static status_t take_predictions(coordinator_t *c, const net_message_t *message)
{
    const int64_t first = message->header.step, n = message->header.count;
    predictions_t *p = &c->predictions;
    if (first < 0 || n < 0 || first > p->rows || n > p->rows - first || message->frame[0].bytes != n * 4 ||
        message->frame[1].bytes != n || message->frame[2].bytes != n * 8)
        return FAIL(ST_MESSAGE, "predictions of examples %lld to %lld do not fit the split of %lld", (long long)first,
                    (long long)(first + n), (long long)p->rows);
    memcpy(p->p + first, message->frame[0].data, (size_t)n * sizeof *p->p);
    memcpy(p->label + first, message->frame[1].data, (size_t)n);
    memcpy(p->group + first, message->frame[2].data, (size_t)n * sizeof *p->group);
    c->scored += n;
    return ST_OK;
}

static status_t take_dense(coordinator_t *c, const net_message_t *message)
{
    uint32_t component = message->header.table;
    char path[MESSAGE_DIR_BYTES + 64];
    snprintf(path, sizeof path, "%s/dense-%u.f32", c->run_dir, component);
    hash_digest_add(&c->digest, &component, sizeof component, message->frame[0].data, (size_t)message->frame[0].bytes);
    return file_write_atomic(path, message->frame[0].data, (size_t)message->frame[0].bytes);
}

/* Takes over the message. All groups have made as many steps of as many examples as the one that reports. */
static status_t take_progress(coordinator_t *c, int worker, net_message_t *message)
{
    const int at = worker - c->reporting.first_worker;
    if (at < 0 || at >= c->reporting.workers) {
        net_release(c->o.net, message);
        return FAIL(ST_MESSAGE, "worker %d sent progressive predictions, which are those of %d workers from %d on", worker,
                    c->reporting.workers, c->reporting.first_worker);
    }
    status_t status = progressive_put(c->progressive, at, message, net_now_ns(c->o.net));
    const progress_loss_t loss = {progressive_logloss(c->progressive), progressive_training_logloss(c->progressive)};
    progress_update(c->o.progress, progressive_steps(c->progressive),
                    progressive_examples(c->progressive) * c->reporting.groups - c->earlier.examples, loss,
                    net_now_ns(c->o.net));
    return status;
}

/* Shares of clipped values: the most into the run's numbers, all of them, once they are here, into clipped.json. */
static status_t take_clipped(coordinator_t *c, const net_message_t *message)
{
    const float *share = message->frame[0].data;
    const int64_t layers = message->frame[0].bytes / (int64_t)sizeof *share;
    const uint32_t component = message->header.table;
    if (c->n_clipped == c->components || component >= (uint32_t)c->components || c->clipped[component])
        return FAIL(ST_MESSAGE, "shares of clipped values of component %u came twice, or to a run of %d components", component,
                    c->components);
    jsondoc_t *of_component = c->clipped[component] = jsondoc_array();
    for (int64_t l = 0; l < layers; l++) {
        jsondoc_append_number(of_component, (double)share[l]);
        c->clipped_most = fmax(c->clipped_most, (double)share[l]);
    }
    if (++c->n_clipped < c->components)
        return ST_OK;
    jsondoc_t *all = jsondoc_array();
    for (int k = 0; k < c->components; k++)
        jsondoc_append(all, &c->clipped[k]);
    char path[MESSAGE_DIR_BYTES + 64];
    snprintf(path, sizeof path, "%s/clipped.json", c->run_dir);
    status_t status = jsondoc_write(all, path);
    jsondoc_destroy(&all);
    return status;
}

static status_t take_error(coordinator_t *c, const net_message_t *message)
{
    message_error_t body;
    char text[ATTENDANCE_NAME_BYTES] = "";
    if (!message_body(message, &body, sizeof body))
        return FAIL(ST_MESSAGE, "an ERROR message is malformed");
    if (!PEER_IS_SHARD(message->peer) && body.fatal)
        failure_detector_failed(&c->detector, message->peer);
    if (!PEER_IS_SHARD(message->peer))
        failure_detector_name(&c->detector, message->peer, text);
    progress_clear(c->o.progress);
    return FAIL(body.status == ST_INPUT ? ST_INPUT : ST_PEER, "%s cannot go on (%s): %.*s; the job ends",
                text[0] ? text : "a shard", status_name((status_t)body.status), (int)sizeof body.text, body.text);
}

static status_t dispatch(coordinator_t *c, net_message_t *message)
{
    const int type = message->header.type, peer = message->peer;
    status_t status = ST_OK;
    if (PEER_IS_SHARD(peer) ? type != WIRE_READY && type != WIRE_LOADED && type != WIRE_FLUSHED && type != WIRE_DIGESTS &&
                                  type != WIRE_PREPARED && type != WIRE_FOLDED && type != WIRE_ERROR
                            : peer < 1 || peer >= c->o.roster->size) {
        net_release(c->o.net, message);
        return ST_OK;
    }
    if (!PEER_IS_SHARD(peer)) {
        failure_detector_put(&c->detector, peer);
    }
    const bool worker = !PEER_IS_SHARD(peer) && roster_role(c->o.roster, peer) == ROLE_WORKER;
    const bool current = message->header.run_id == c->run_id && message->header.epoch == c->epoch;
    switch (type) {
    case WIRE_HEARTBEAT:
        if (message->header.count && !PEER_IS_SHARD(peer))
            failure_detector_told(&c->detector, peer);
        break;
    case WIRE_BYE:
        failure_detector_bye(&c->detector, peer, (status_t)message->header.count, message->header.step != 0);
        break;
    case WIRE_ERROR:
        status = take_error(c, message);
        break;
    case WIRE_READY:
        c->ready++;
        if (worker && c->dataset && message->header.sequence != dataset_info(c->dataset)->content_hash) {
            char text[ATTENDANCE_NAME_BYTES];
            status = FAIL(ST_INPUT, "dataset %s of %s differs from the coordinator's; copy the same dataset to every host",
                          c->dataset_path, failure_detector_name(&c->detector, peer, text));
        }
        break;
    case WIRE_PROGRESS:
        if (worker && current && c->progressive)
            return take_progress(c, roster_index(c->o.roster, peer), message);
        break;
    case WIRE_SAVE:
    case WIRE_CUT:
    case WIRE_CUT_DENSE:
        if (worker && current && c->checkpointer)
            status = checkpointer_put_worker(c->checkpointer, roster_index(c->o.roster, peer), message);
        break;
    case WIRE_PREPARED:
    case WIRE_FOLDED:
        if (PEER_IS_SHARD(peer) && current && c->checkpointer)
            status = checkpointer_put_shard(c->checkpointer, PEER_SHARD_OF(peer), message);
        break;
    case WIRE_DENSE:
        if (worker && current)
            status = take_dense(c, message);
        break;
    case WIRE_CLIPPED:
        if (worker && current)
            status = take_clipped(c, message);
        break;
    case WIRE_DIGESTS:
        if (current && c->steps)
            status = PEER_IS_SHARD(peer) ? step_digest_writer_put_rows(c->steps, PEER_SHARD_OF(peer), message)
                                         : step_digest_writer_put_dense(c->steps, message);
        break;
    case WIRE_PREDICTIONS:
        if (worker && current)
            status = take_predictions(c, message);
        break;
    case WIRE_TRAINED:
    case WIRE_EVALUATED:
    case WIRE_LOADED:
    case WIRE_FLUSHED:
        if (current)
            status = take_counters(c, message);
        break;
    default:
        break;
    }
    net_release(c->o.net, message);
    return status;
}

/* What signals ask for: to save and go on, to save and stop, to end now. Where nothing is trained nothing can be saved. */
static status_t follow_signals(coordinator_t *c)
{
    if (member_interrupted())
        return failure_detector_interrupted(&c->detector);
    if (member_save_asked() && c->checkpointer)
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
        status = dispatch(c, &message);
    if (status != ST_OK && status != ST_TIMEOUT)
        return status;
    if (c->checkpointer)
        TRY(checkpointer_tick(c->checkpointer));
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
    while (c->n_trained < c->workers || !checkpointer_is_idle(c->checkpointer)) {
        TRY(handle_one(c));
        if (checkpointer_is_stopped(c->checkpointer)) {
            progress_clear(c->o.progress);
            log_info("saved before step %lld and stopped, as a signal asked; --resume goes on from there",
                     (long long)checkpointer_last_step(c->checkpointer));
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
    c->scored = 0;
    c->n_evaluated = 0;
    TRY(send_workers(c, &header, NULL));
    TRY(coordinator_wait(c, &c->n_evaluated, c->workers));
    if (c->scored != rows)
        return FAIL(ST_MESSAGE, "%lld of %lld examples of the split were scored", (long long)c->scored, (long long)rows);
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
    return !failed || (failure_detector_all_left(&c->detector) && !member_interrupted());
}
