/* The loop of a step, in order: the pull of the next batch goes out, the rows of this one are awaited, the lanes are computed,
 * the gradients of rows are pushed, those of the last lane's weights are computed, dense gradients are summed over the workers,
 * the dense step is applied. Network and servers work on the next pull and the last push while the worker computes: where the
 * next pull has to see this push (pipeline_depth 0), during all that comes behind it.
 *
 * A step is all that training has of state: data, noise and schedules are functions of its number, the rest is in the rows and
 * the dense parameters with their optimizer's state. So a training that begins at a checkpoint's step goes on as if it had
 * never ended. */
#include "worker/train.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/config/validation.h"
#include "common/process/failpoint.h"
#include "worker/probe.h"
#include "worker/validator.h"
#include "worker/worker_send.h"

#define STEPS_WARMING_UP 2 /* of a start: libraries, caches and buffers that grow make them longer than the others */

static void rows_of(void *context, const batch_t *batch, int set, const float **row)
{
    worker_run_t *r = context;
    client_rows(r->client, batch, set, row);
}

static status_t poll_between(void *context)
{
    worker_run_t *r = context;
    return client_poll(r->client, r->now_step);
}

step_io_t run_io(worker_run_t *r)
{
    return (step_io_t){r, rows_of, poll_between};
}

/* The dense parameters of every group to all workers: what the others know of a peer until the next exchange. The groups come
 * one after the other, in the order of their numbers; all workers are in step, so none waits for long. */
static status_t exchange(worker_run_t *r)
{
    TRY(cluster_group(r->cluster, run_first_rank(r), r->workers));
    for (int g = 0; g < r->group.groups; g++) {
        const peer_group_t from = peer_group_at(r->config, g, r->workers);
        for (int k = from.first_component; k < from.end_component; k++) {
            model_t *model = step_model(r->step, k);
            int64_t floats;
            float *average = model_average(model, &floats);
            TRY(cluster_share(r->cluster, model_values(model), model_parameters(model), from.first_worker));
            if (average)
                TRY(cluster_share(r->cluster, average, floats, from.first_worker));
            if (g != r->group.number)
                model_refresh(model);
        }
    }
    return cluster_group(r->cluster, run_first_rank(r) + r->group.first_worker, r->group.workers);
}

/* Steps whose pushes a pull does not see, where that is a fixed number. */
static int64_t depth_of(const worker_run_t *r)
{
    return r->config->determinism >= DETERMINISM_SYNC ? r->config->train.pipeline_depth : 0;
}

/* Where examples in the order of visits may be put: not /tmp, which on many systems is memory. */
static const char *scratch_of(const config_t *config)
{
    const char *tmp = getenv("TMPDIR");
    return *config->data.scratch ? config->data.scratch : tmp && *tmp ? tmp : "/var/tmp";
}

status_t train_check(const worker_run_t *r, int64_t first)
{
    const float *teacher;
    if (r->lanes.total && (first >= lanes_steps(&r->lanes) || first % peer_group_round(r->config)))
        return REFUSE("the run has %" PRId64 " steps", lanes_steps(&r->lanes));
    return r->teacher ? teacher_predictions_all(r->teacher, &teacher) : ST_OK;
}

status_t train_begin(worker_run_t *r, int64_t first)
{
    const config_t *c = r->config;
    if (r->lanes.total == 0)
        return FAIL(ST_INPUT, "dataset %s has no training examples; give its training split a larger share", c->data.path);
    const int64_t validated = c->evaluate.patience ? validation_period(c, dataset_info(r->dataset)->train_rows) : 0;
    r->cuts = checkpoint_schedule_of(first, lanes_steps(&r->lanes), validated ? validated : c->checkpoint.every_steps,
                                     peer_group_round(c), depth_of(r));
    r->cuts.whole = validated > 0;
    r->now_step = r->kept.first_step = first;
    r->kept.examples = 0;
    r->kept.about = message_about(validation_window_seconds(c->evaluate.window) > 0 && dataset_info(r->dataset)->has_time,
                                  dataset_info(r->dataset)->has_weight);
    r->times = (step_times_t){0};
    const bool digests = run_leads(r) && c->train.step_digests && c->determinism >= DETERMINISM_SYNC;
    step_batch_begin(&r->digests, digests ? r->group.end_component - r->group.first_component : 0);
    r->warned_of_clipping = false;
    r->shares_optimizer = r->group.workers > 1 && !c->train.noise_seed && step_is_elementwise(r->step);
    batch_plan_t plan = {
        .split = SPLIT_TRAIN,
        .worker = r->worker - r->group.first_worker,
        .workers = r->group.workers,
        .lanes = r->lanes,
        .order = order_of(c, dataset_info(r->dataset)->train_rows, r->group.number, r->group.groups),
        .first_step = first,
        .scratch = scratch_of(c),
        .times = r->reports && r->kept.about.time >= 0,
    };
    if (r->teacher)
        TRY(teacher_predictions_all(r->teacher, &plan.teacher));
    loader_start(r->loader, &plan);
    return ST_OK;
}

status_t train_save(worker_run_t *r, const wire_header_t *save)
{
    if (r->phase == WORKER_IDLE)
        return REFUSE("no run has begun");
    if (wire_save_asks(save)) {
        wire_header_t answer = run_header(r, WIRE_SAVE, checkpoint_schedule_ask(&r->cuts), 0);
        return net_send(r->net, PEER_COORDINATOR, &answer, NULL, 0);
    }
    if (r->cuts.promised == INT64_MAX)
        return REFUSE("nobody has asked from which step on");
    if (!checkpoint_schedule_tell(&r->cuts, save->step, wire_save_stops(save)))
        return REFUSE("told to save before step %" PRId64 " when step %" PRId64 " was to be pulled next", save->step,
                      r->cuts.next);
    return ST_OK;
}

/* Send the pull of a step, unless the training ends before it; *out is its batch, or NULL. */
static status_t pull(worker_run_t *r, int64_t step, batch_t **out)
{
    *out = NULL;
    if (step >= r->cuts.end)
        return ST_OK;
    TRY(run_batch(r, out));
    if (checkpoint_schedule_pull(&r->cuts, step))
        client_cut(r->client, step);
    return client_pull(r->client, *out, false);
}

static void apply_some(void *context, int vector, int64_t first, int64_t n, float *sums)
{
    const worker_run_t *r = context;
    model_apply_some(step_model(r->step, r->group.first_component + vector), first, n, sums);
}

static void put_own_state(void *context, int vector, int64_t first, int64_t n, float *sums)
{
    const worker_run_t *r = context;
    memcpy(sums, model_state(step_model(r->step, r->group.first_component + vector)) + first, (size_t)n * sizeof *sums);
}

/* What each worker knows of the optimizer's state, to all of them: that of the parameters whose steps it makes. */
static status_t gather_state(worker_run_t *r)
{
    if (!r->shares_optimizer || model_optimizer_state_count(step_model(r->step, 0)) == 0)
        return ST_OK;
    const int parts =
        r->shares.first[r->worker - r->group.first_worker + 1] - r->shares.first[r->worker - r->group.first_worker];
    tree_vector_t vectors[WIRE_COMPONENTS_MOST];
    int n = 0;
    for (int k = r->group.first_component; k < r->group.end_component; k++) {
        model_t *model = step_model(r->step, k);
        const int64_t count = model_optimizer_state_count(model);
        vectors[n++] = (tree_vector_t){MEM_ARRAY(float, parts *count), count, model_state(model)};
    }
    TRY(cluster_tree_sum(r->cluster, &r->shares, vectors, n, put_own_state, r)); /* MPI may hold them when it fails */
    while (n > 0)
        mem_free(vectors[--n].values);
    return ST_OK;
}

/* Dense parameters and their state, of all components, by one worker of the group. */
static status_t send_dense(worker_run_t *r, wire_type_t type, int64_t step)
{
    TRY(gather_state(r));
    return worker_send_dense(r, type, step);
}

/* Everything of the steps before is told: what a checkpoint before `step` has of this worker. */
static status_t cut(worker_run_t *r, int64_t step, int64_t examples, int64_t start_ns)
{
    failpoint("worker.cut");
    TRY(worker_send_progress(r, step));
    TRY(send_dense(r, WIRE_CUT_DENSE, step));
    return worker_send_counters(r, WIRE_CUT, step, examples, start_ns);
}

/* Dense parameters of all components that are trained: the sums of their gradients over the workers of the group, and a step of
 * the optimizer. Where that treats each parameter on its own, each worker makes the step of those that it has summed, and what
 * the others get are new parameters instead of sums. */
static status_t step_dense_parameters(worker_run_t *r, int64_t t)
{
    tree_vector_t vectors[WIRE_COMPONENTS_MOST];
    int n = 0;
    for (int k = r->group.first_component; k < r->group.end_component; k++) {
        model_t *model = step_model(r->step, k);
        vectors[n++] =
            (tree_vector_t){step_dense(r->step, k), model_parameters(model), r->shares_optimizer ? model_values(model) : NULL};
    }
    TRY(cluster_tree_sum(r->cluster, &r->shares, vectors, n, r->shares_optimizer ? apply_some : NULL, r));
    if (r->shares_optimizer) {
        step_end(r->step);
        return ST_OK;
    }
    if (r->config->train.noise_seed)
        step_add_noise(r->step, (uint64_t)r->config->train.noise_seed, t);
    step_apply(r->step);
    return ST_OK;
}

static status_t train_batch(worker_run_t *r, batch_t *batch)
{
    const step_io_t io = run_io(r);
    const int64_t t = batch->step;
    TRY(client_wait(r->client, t));
    client_push_begin(r->client, batch);
    TRY(step_train(r->step, batch, lanes_divisor(&r->lanes, t), &io, client_push_base(r->client)));
    client_release(r->client, t);
    TRY(client_push_send(r->client, batch));
    step_train_weights(r->step);
    TRY(step_dense_parameters(r, t));
    TRY(worker_send_step(r, t));
    if (r->group.groups > 1 && ((t + 1) % r->config->objective.exchange_steps == 0 || t + 1 == lanes_steps(&r->lanes)))
        TRY(exchange(r));
    return worker_send_trained(r, batch);
}

/* Empty pulls, the first one of step `first`, until the last push has been applied: the pull of step t + depth is answered
 * before that of t is. */
static status_t drain(worker_run_t *r, int64_t first, int64_t end)
{
    for (int64_t t = first; t <= end + depth_of(r); t++) {
        TRY(client_drain(r->client, t));
        TRY(client_wait(r->client, t));
        client_release(r->client, t);
    }
    return ST_OK;
}

/* What is predicted between two steps; *stops: the training ends before the step. */
static status_t look(worker_run_t *r, int64_t step, bool *stops)
{
    *stops = false;
    if (probe_is_due(r->probe, step))
        TRY(probe_take(r, step));
    return validator_is_due(r->validator, step) ? validator_take(r, step, stops) : ST_OK;
}

/* The training ends before the step, whose rows are here: what becomes of the run was saved before. All that was pushed is in
 * the tables when this returns, and no push comes late. */
static status_t end_before(worker_run_t *r, int64_t step, int64_t examples, int64_t start_ns)
{
    client_release(r->client, step);
    TRY(drain(r, step + 1, step));
    TRY(client_fence(r->client, PROBE_BEYOND - 1));
    TRY(client_wait(r->client, PROBE_BEYOND - 1));
    client_release(r->client, PROBE_BEYOND - 1);
    r->now_step = step - 1;
    TRY(worker_send_progress(r, step));
    TRY(worker_send_clipped(r));
    return worker_send_counters(r, WIRE_TRAINED, r->now_step, examples, start_ns);
}

status_t train_all(worker_run_t *r)
{
    const int64_t start_ns = clock_now_ns();
    int64_t examples = 0, last_ns = 0, steps_taken = 0;
    batch_t *next;
    TRY(pull(r, r->cuts.first, &next));
    while (next) {
        batch_t *batch = next;
        const int64_t t = batch->step;
        r->now_step = t;
        if (t == r->cuts.last)
            TRY(cut(r, t, examples, start_ns));
        const int64_t begun_ns = clock_now_ns();
        bool stops;
        TRY(look(r, t, &stops));
        if (stops)
            return end_before(r, t, examples, start_ns);
        last_ns += clock_now_ns() - begun_ns; /* no part of any step */
        const bool ahead = checkpoint_schedule_may_pull(&r->cuts, t + 1);
        if (ahead)
            TRY(pull(r, t + 1, &next));
        TRY(train_batch(r, batch));
        examples += batch->rows;
        loader_recycle(r->loader, batch);
        while (!ahead && !checkpoint_schedule_may_pull(&r->cuts, t + 1))
            TRY(client_poll_for(r->client, t, r->heartbeat->period_ns / 1000000));
        if (!ahead)
            TRY(pull(r, t + 1, &next));
        const int64_t now_ns = clock_now_ns();
        if (steps_taken++ >= STEPS_WARMING_UP)
            step_times_add(&r->times, now_ns - last_ns);
        last_ns = now_ns;
    }
    const int64_t end = r->cuts.end;
    const bool early = end < lanes_steps(&r->lanes);
    if (early) {
        TRY(cut(r, end, examples, start_ns));
        client_cut(r->client, end);
    }
    TRY(drain(r, end, end));
    if (early)
        return ST_OK;
    TRY(send_dense(r, WIRE_DENSE, r->now_step));
    TRY(worker_send_clipped(r));
    return worker_send_counters(r, WIRE_TRAINED, r->now_step, examples, start_ns);
}
