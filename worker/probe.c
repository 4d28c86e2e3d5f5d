/* A probe needs no pause of the cluster: the worker itself holds what it looks at. It has the rows of step s and has neither
 * pushed s nor pulled s + 1, without which no shard applies the push of s (d = 0) or of s - d + 1 (d > 0). So nothing more is
 * applied until it goes on; and with d = 0 nothing is missing, because rows of step s are answered when all before is applied.
 * With d > 0 the last push may still be on its way to a shard, or wait for another worker's pull of s: so each worker waits
 * until every shard has taken all of its pushes, and then for the others.
 *
 * A batch has as many examples as a training step's, in the same lanes, so that there are few round trips; lanes are the same
 * pieces of the probe set whatever the number of workers. Batches are built once, before the training, whose loader reads the
 * dataset from then on. Their numbers, which answers are told apart by, are beyond those of all steps. */
#include "worker/probe.h"

#include <string.h>

#include "common/base/memory.h"

struct probe {
    int64_t every;
    batch_t *batch; /* [batches] */
    int64_t batches, examples;
    float *p;        /* [examples] of the last probe */
    int64_t *number; /* [examples] in the evaluation split */
};

static status_t build(probe_t *probe, const batch_plan_t *plan, dataset_t *dataset, batch_builder_t *builder)
{
    loader_scratch_t scratch = {0};
    status_t status = ST_OK;
    for (int64_t i = 0; i < probe->batches && status == ST_OK; i++) {
        batch_t *batch = &probe->batch[i];
        status = batch_plan_build(plan, i, dataset, builder, &scratch, batch);
        for (int32_t k = 0; k < batch->rows && status == ST_OK; k++)
            probe->number[probe->examples++] = batch->step + k;
        batch->step += PROBE_BEYOND;
    }
    loader_scratch_fini(&scratch);
    return status;
}

status_t probe_create(const worker_run_t *r, int shards, const uint16_t *slot_shard, probe_t **out)
{
    const config_t *c = r->config;
    const int64_t every = c->evaluate.probe_every, round = peer_group_round(c);
    *out = NULL;
    if (!every || !dataset_info(r->dataset)->eval_rows)
        return ST_OK;
    const batch_plan_t plan = {.split = SPLIT_EVAL,
                               .worker = r->worker,
                               .workers = r->workers,
                               .lanes = r->lanes,
                               .examples = c->evaluate.probe_examples,
                               .chunk = r->lane_rows * run_lanes(r)};
    probe_t *probe = MEM_NEW(probe_t);
    probe->every = (every + round - 1) / round * round;
    probe->batches = batch_plan_batches(&plan, dataset_info(r->dataset));
    probe->batch = MEM_ARRAY(batch_t, probe->batches);
    probe->number = MEM_ARRAY(int64_t, probe->batches * plan.chunk);
    probe->p = MEM_ARRAY(float, probe->batches *plan.chunk);
    batch_builder_t *builder = batch_builder_create(r->dataset, shards, slot_shard, &r->plan);
    const status_t status = build(probe, &plan, r->dataset, builder);
    batch_builder_destroy(&builder);
    if (status == ST_OK)
        *out = probe;
    else
        probe_destroy(&probe);
    return status;
}

void probe_destroy(probe_t **probe)
{
    probe_t *p = *probe;
    if (!p)
        return;
    for (int64_t i = 0; i < p->batches; i++)
        batch_reset(&p->batch[i]);
    mem_free(p->batch);
    mem_free(p->p);
    mem_free(p->number);
    mem_free(p);
    *probe = NULL;
}

bool probe_is_due(const probe_t *probe, int64_t step)
{
    return probe && step > 0 && step % probe->every == 0;
}

/* Until the rows are those that the probe is to see; those of the step are here. */
status_t probe_settle(worker_run_t *r)
{
    if (r->config->determinism < DETERMINISM_SYNC || r->config->train.pipeline_depth == 0)
        return ST_OK;
    TRY(client_fence(r->client, PROBE_BEYOND - 1));
    TRY(client_wait(r->client, PROBE_BEYOND - 1));
    client_release(r->client, PROBE_BEYOND - 1);
    if (r->workers == 1)
        return ST_OK;
    TRY(cluster_group(r->cluster, run_first_rank(r), r->workers));
    TRY(cluster_meet(r->cluster));
    return cluster_group(r->cluster, run_first_rank(r) + r->group.first_worker, r->group.workers);
}

static status_t predict(worker_run_t *r, probe_t *probe)
{
    const step_io_t io = run_io(r);
    int64_t done = 0;
    if (probe->batches)
        TRY(client_pull(r->client, &probe->batch[0], true));
    for (int64_t i = 0; i < probe->batches; i++) {
        const batch_t *batch = &probe->batch[i];
        if (i + 1 < probe->batches)
            TRY(client_pull(r->client, &probe->batch[i + 1], true));
        TRY(client_wait(r->client, batch->step));
        TRY(step_predict(r->step, batch, &io));
        client_release(r->client, batch->step);
        memcpy(probe->p + done, step_predictions(r->step), (size_t)batch->rows * sizeof *probe->p);
        done += batch->rows;
    }
    return ST_OK;
}

traffic_t probe_traffic(const client_t *client)
{
    return (traffic_t){client_rows_pulled(client), client_bytes_sent(client), client_bytes_received(client)};
}

void probe_add_traffic(worker_run_t *r, const traffic_t *before)
{
    const traffic_t after = probe_traffic(r->client);
    r->probed.rows_pulled += after.rows_pulled - before->rows_pulled;
    r->probed.bytes_sent += after.bytes_sent - before->bytes_sent;
    r->probed.bytes_received += after.bytes_received - before->bytes_received;
}

status_t probe_take(worker_run_t *r, int64_t step)
{
    probe_t *probe = r->probe;
    TRY(client_wait(r->client, step));
    const traffic_t before = probe_traffic(r->client);
    TRY(probe_settle(r));
    TRY(predict(r, probe));
    probe_add_traffic(r, &before);
    const wire_header_t header = run_header(r, WIRE_PROBED, step, probe->examples);
    const wire_frame_t frames[] = {{probe->p, probe->examples * (int64_t)sizeof *probe->p},
                                   {probe->number, probe->examples * (int64_t)sizeof *probe->number}};
    return net_send(r->net, PEER_COORDINATOR, &header, frames, 2);
}
