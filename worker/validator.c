#include "worker/validator.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/validation.h"
#include "worker/probe.h"

#define CACHE_MB 64 /* of decoded blocks, at most: they are read in order */

struct validator {
    dataset_t *dataset; /* **owned**, as all: the run's own is its loader's */
    loader_t *loader;
    batch_plan_t plan;
    int64_t period, steps;
    bool waits;      /* for a verdict */
    int64_t awaited; /* the step of which; -1: none is */
    bool has_come, stops;

    float *p; /* of the share, [examples] */
    uint8_t *label;
    uint64_t *group;
    size_t p_cap, label_cap, group_cap, examples;
};

static void scale_alike(dataset_t *dataset, const dataset_info_t *as)
{
    double *mean_scale = MEM_ARRAY(double, 2 * as->numeric);
    for (int32_t f = 0; f < as->numeric; f++) {
        mean_scale[2 * f] = as->fields[f].mean;
        mean_scale[2 * f + 1] = as->fields[f].scale;
    }
    dataset_standardise(dataset, mean_scale);
    mem_free(mean_scale);
}

status_t validator_create(const worker_run_t *r, int shards, const uint16_t *slot_shard, validator_t **out)
{
    const config_t *c = r->config;
    const dataset_info_t *info = dataset_info(r->dataset);
    const int64_t period = validation_period(c, info->train_rows);
    *out = NULL;
    if (!period || !info->eval_rows)
        return ST_OK;
    validator_t *v = MEM_NEW(validator_t);
    v->period = period;
    v->steps = lanes_steps(&r->lanes);
    v->waits = c->evaluate.patience > 0;
    v->awaited = -1;
    v->plan = (batch_plan_t){.split = SPLIT_EVAL,
                             .worker = r->worker,
                             .workers = r->workers,
                             .lanes = r->lanes,
                             .examples = c->evaluate.examples,
                             .chunk = (int)peer_group_chunk(c, r->workers)};
    const int64_t cache_mb = c->data.cache_mb < CACHE_MB ? c->data.cache_mb : CACHE_MB;
    status_t status;
    TRY_DONE(dataset_open(c->data.path, cache_mb << 20, &v->dataset));
    scale_alike(v->dataset, info);
    TRY_DONE(loader_create(v->dataset, shards, slot_shard, &r->plan, &v->loader));
    *out = v;
    return ST_OK;
done:
    validator_destroy(&v);
    return status;
}

void validator_destroy(validator_t **validator)
{
    validator_t *v = *validator;
    if (!v)
        return;
    if (v->loader)
        loader_destroy(&v->loader);
    dataset_close(&v->dataset);
    mem_free(v->p);
    mem_free(v->label);
    mem_free(v->group);
    mem_free(v);
    *validator = NULL;
}

bool validator_is_due(const validator_t *v, int64_t step)
{
    return v && validation_is_due(v->period, step, v->steps);
}

/* The next batch of the share, hearing messages while it is awaited; NULL at the end. Its number, which answers are told apart
 * by, is beyond those of all steps. */
static status_t next_batch(worker_run_t *r, batch_t **out)
{
    for (;;) {
        const status_t status = loader_next(r->validator->loader, 100, out);
        if (status == ST_OK && *out)
            (*out)->step += PROBE_BEYOND;
        if (status != ST_TIMEOUT)
            return status;
        TRY(client_poll(r->client, r->now_step));
    }
}

static void keep(validator_t *v, const batch_t *batch, const float *p)
{
    const size_t n = (size_t)batch->rows;
    MEM_GROW(v->p, v->p_cap, v->examples + n);
    MEM_GROW(v->label, v->label_cap, v->examples + n);
    MEM_GROW(v->group, v->group_cap, v->examples + n);
    memcpy(v->p + v->examples, p, n * sizeof *p);
    memcpy(v->label + v->examples, batch->label, n);
    memcpy(v->group + v->examples, batch->group, n * sizeof *v->group);
    v->examples += n;
}

static status_t predict(worker_run_t *r)
{
    validator_t *v = r->validator;
    const step_io_t io = run_io(r);
    batch_t *batch, *next;
    v->examples = 0;
    loader_start(v->loader, &v->plan);
    TRY(next_batch(r, &next));
    if (next)
        TRY(client_pull(r->client, next, true));
    while (next) {
        batch = next;
        TRY(next_batch(r, &next));
        if (next)
            TRY(client_pull(r->client, next, true));
        TRY(client_wait(r->client, batch->step));
        TRY(step_predict(r->step, batch, &io));
        client_release(r->client, batch->step);
        keep(v, batch, step_predictions(r->step));
        loader_recycle(v->loader, batch);
    }
    return ST_OK;
}

/* Nothing goes on before the coordinator has all shares, and knows whether it should. */
static status_t await_verdict(worker_run_t *r, int64_t step)
{
    validator_t *v = r->validator;
    while (!v->has_come)
        TRY(client_poll_for(r->client, step, r->heartbeat->period_ns / 1000000));
    v->awaited = -1;
    return ST_OK;
}

status_t validator_take(worker_run_t *r, int64_t step, bool *stops)
{
    validator_t *v = r->validator;
    TRY(client_wait(r->client, step));
    const traffic_t before = probe_traffic(r->client);
    TRY(probe_settle(r));
    TRY(predict(r));
    probe_add_traffic(r, &before);
    const int64_t n = (int64_t)v->examples;
    const wire_header_t header = run_header(r, WIRE_VALIDATED, step, n);
    const wire_frame_t frames[] = {{v->p, n * (int64_t)sizeof *v->p}, {v->label, n}, {v->group, n * (int64_t)sizeof *v->group}};
    v->has_come = false;
    v->awaited = v->waits ? step : -1;
    TRY(net_send(r->net, PEER_COORDINATOR, &header, frames, 3));
    if (v->waits)
        TRY(await_verdict(r, step));
    *stops = v->waits && v->stops;
    return ST_OK;
}

status_t validator_verdict(worker_run_t *r, const wire_header_t *verdict)
{
    validator_t *v = r->validator;
    if (!v || v->awaited < 0 || v->has_come || verdict->step != v->awaited)
        return REFUSE("a verdict on the evaluation before step %" PRId64 " is not awaited", verdict->step);
    v->has_come = true;
    v->stops = wire_verdict_stops(verdict);
    return ST_OK;
}
