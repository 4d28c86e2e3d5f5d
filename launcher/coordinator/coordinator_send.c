#include "launcher/coordinator/coordinator_send.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/coordinator/coordinator_impl.h"

status_t send_workers(coordinator_t *c, const wire_header_t *header, const wire_frame_t *frame)
{
    for (int w = 0; w < c->workers; w++)
        TRY(net_send(c->o.net, roster_first_worker(c->o.roster) + w, header, frame, frame != NULL));
    return ST_OK;
}

status_t send_shards(coordinator_t *c, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    for (int s = 0; s < roster_shards(c->o.roster); s++)
        TRY(net_send(c->o.net, PEER_SHARD(s), header, frames, n));
    return ST_OK;
}

/* What shards cannot plan by themselves: names of fields are known where the dataset is. */
static status_t send_tables(coordinator_t *c)
{
    const table_plan_t *plan = &c->plan;
    if (plan->is_plain)
        return ST_OK;
    int32_t *width = MEM_ARRAY(int32_t, plan->set_tables);
    for (int t = 0; t < plan->set_tables; t++)
        width[t] = plan->table[t].width;
    const wire_header_t header = coordinator_header(c, WIRE_TABLES, plan->set_tables);
    const wire_frame_t frame = {width, plan->set_tables * (int64_t)sizeof *width};
    const status_t status = send_shards(c, &header, &frame, 1);
    mem_free(width);
    return status;
}

/* BEGIN to all; shards first, so that no worker pulls from one that has no tables. */
status_t send_begin(coordinator_t *c, run_number_t run, int64_t first_step)
{
    const message_begin_t begin = {
        .purpose = run.purpose,
        .variant = run.variant,
        .replica = run.replica,
        .fields = c->plan.fields - c->plan.crosses,
        .first_step = first_step,
        .steps = run.purpose == RUN_TRAINS ? lanes_steps(&c->lanes) : 0,
        .saves = run.purpose == RUN_TRAINS,
        .identity = c->identity,
    };
    wire_header_t header = coordinator_header(c, WIRE_BEGIN, 0);
    wire_frame_t frame = {&begin, sizeof begin};
    const roster_t *roster = c->o.roster;
    TRY(coordinator_wait(c, &c->detector.n_heard, roster->size - 1));
    roll_call_begin(&c->shards_ready, roster_shards(roster));
    TRY(send_tables(c));
    TRY(send_shards(c, &header, &frame, 1));
    TRY(coordinator_wait(c, &c->shards_ready.answered, roster_shards(roster)));
    roll_call_begin(&c->workers_ready, c->workers);
    return send_workers(c, &header, &frame);
}

/* Rows of a finished run into the shards' empty tables: map[t] takes the rows of the run's table t. */
static status_t load_shards(coordinator_t *c, message_donor_t donor, const manifest_t *run, const int32_t *map, int32_t tables)
{
    const roster_t *roster = c->o.roster;
    const message_load_t load = {
        .donor = donor,
        .folders = (int32_t)manifest_shards(run),
        .tables = tables,
        .incarnation = (int32_t)run->incarnation,
        .identity = run->run_id,
    };
    wire_header_t header = coordinator_header(c, WIRE_LOAD, tables);
    const wire_frame_t frames[] = {{&load, sizeof load},
                                   {map, tables * (int64_t)sizeof *map},
                                   {run->stores, run->stores ? load.folders * (int64_t)sizeof *run->stores : 0}};
    c->loading_step = 0;
    c->loading_from = &run->places;
    roll_call_begin(&c->loading, roster_shards(roster));
    TRY(send_shards(c, &header, frames, 3));
    TRY(coordinator_wait(c, &c->loading.answered, roster_shards(roster)));
    c->loading_from = NULL;
    return ST_OK;
}

/* Rows of a checkpoint, and the pushes they have not seen, into the shards' empty tables. */
static status_t restore_shards(coordinator_t *c, const checkpoint_resume_t *resume)
{
    const checkpoint_manifest_t *from = &resume->from;
    const message_restore_t restore = {
        .step = from->step,
        .depth = from->depth,
        .incarnation = (int32_t)from->incarnation,
        .folders = (int32_t)checkpoint_manifest_shards(from),
        .tables = (int32_t)from->tables,
        .identity = from->run_id,
    };
    wire_header_t header = coordinator_header(c, WIRE_RESTORE, from->n_deltas);
    header.step = from->step;
    hash128_t *ends = MEM_ARRAY(hash128_t, restore.folders);
    for (int s = 0; s < restore.folders; s++)
        ends[s] = (hash128_t){from->shards[s].checksum_low, from->shards[s].checksum_high};
    const wire_frame_t frames[] = {{&restore, sizeof restore},
                                   {from->deltas, from->n_deltas * (int64_t)sizeof *from->deltas},
                                   {ends, restore.folders * (int64_t)sizeof *ends}};
    c->loading_step = from->step;
    c->loading_from = &from->places;
    c->loading_incarnation = (uint32_t)from->incarnation;
    roll_call_begin(&c->loading, roster_shards(c->o.roster));
    status_t status = send_shards(c, &header, frames, 3);
    mem_free(ends);
    TRY(status);
    TRY(coordinator_wait(c, &c->loading.answered, roster_shards(c->o.roster)));
    c->loading_from = NULL;
    return ST_OK;
}

/* Floats from number `first` on, of all values and then all optimizer state of a component, to every worker. */
static status_t send_dense(coordinator_t *c, int component, int64_t first, const float *floats, int64_t n)
{
    wire_header_t header = coordinator_header(c, WIRE_DENSE, n);
    wire_set_component(&header, component);
    header.step = first;
    const wire_frame_t frame = {floats, n * (int64_t)sizeof *floats};
    return send_workers(c, &header, &frame);
}

/* Parameters of a finished run, where there is a plan for them, in the place of initial ones. */
status_t send_warm_start(coordinator_t *c, const warm_start_t *plan)
{
    if (!plan->dir)
        return ST_OK;
    if (plan->tables_taken)
        TRY(load_shards(c, MESSAGE_DONOR_WARM_START, &plan->run, plan->map, plan->tables));
    c->digest = (hash_digest_t){0}; /* that of the rows taken; this run's is made from what it ends with */
    for (int i = 0; i < plan->n_pieces; i++)
        TRY(send_dense(c, plan->pieces[i].component, plan->pieces[i].first, plan->pieces[i].floats, plan->pieces[i].n));
    log_info("warm start: %" PRId64 " rows were taken", c->loaded.rows);
    return ST_OK;
}

/* Dense parameters of a checkpoint to every worker. */
static status_t restore_workers(coordinator_t *c, const checkpoint_resume_t *resume)
{
    status_t status = ST_OK;
    for (int k = 0; k < c->components && status == ST_OK; k++) {
        float *floats = NULL;
        int64_t n;
        status = checkpoint_resume_dense(c->disk, resume, k, &floats, &n);
        if (status == ST_OK)
            status = send_dense(c, k, 0, floats, n);
        mem_free(floats);
    }
    return status;
}

status_t send_checkpoint(coordinator_t *c, const checkpoint_resume_t *checkpoint)
{
    TRY(restore_shards(c, checkpoint));
    return restore_workers(c, checkpoint);
}

status_t send_train(coordinator_t *c, int64_t first_step)
{
    wire_header_t header = coordinator_header(c, WIRE_TRAIN, 0);
    header.step = first_step;
    roll_call_begin(&c->training, c->workers);
    return send_workers(c, &header, NULL);
}

/* The dense files of a finished run, as they are, to every worker. */
static status_t load_dense(coordinator_t *c, const char *run_dir, int components)
{
    for (int k = 0; k < components; k++) {
        char *path = run_dense_path(run_dir, k), *data = NULL;
        size_t bytes = 0;
        const uint32_t component = (uint32_t)k;
        status_t status = file_read(path, &data, &bytes);
        mem_free(path);
        if (status == ST_OK) {
            hash_digest_add(&c->digest, &component, sizeof component, data, bytes);
            status = send_dense(c, k, 0, (const float *)(const void *)data, (int64_t)(bytes / sizeof(float)));
        }
        mem_free(data);
        TRY(status);
    }
    return ST_OK;
}

/* The run's mean and scale of every numeric field. */
status_t send_scaling(coordinator_t *c, const input_fields_t *inputs)
{
    double *mean_scale = MEM_ARRAY(double, 2 * inputs->numeric);
    for (int32_t f = 0; f < inputs->numeric; f++) {
        mean_scale[2 * f] = inputs->fields[f].mean;
        mean_scale[2 * f + 1] = inputs->fields[f].scale;
    }
    wire_header_t header = coordinator_header(c, WIRE_SCALING, 0);
    const wire_frame_t frame = {mean_scale, 2 * inputs->numeric * (int64_t)sizeof *mean_scale};
    status_t status = send_workers(c, &header, &frame);
    mem_free(mean_scale);
    return status;
}

/* Are the parameters that were loaded those that the run ended with? */
static status_t check_digest(const coordinator_t *c, const char *run_dir, const manifest_t *run)
{
    char text[33];
    hash_digest_text(&c->digest, text);
    if (strcmp(text, run->result.digest) == 0)
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: the files give digest %s, the manifest holds %s; the files changed after training", run_dir,
                text, run->result.digest);
}

/* Parameters of a finished run into shards and workers, checked by its digest. */
status_t send_finished_run(coordinator_t *c, const char *run_dir, const manifest_t *run, int32_t tables)
{
    int32_t *map = MEM_ARRAY(int32_t, tables);
    for (int32_t t = 0; t < tables; t++)
        map[t] = t;
    status_t status = load_shards(c, MESSAGE_DONOR_SELF, run, map, tables);
    if (status == ST_OK)
        status = load_dense(c, run_dir, c->components);
    mem_free(map);
    return status == ST_OK ? check_digest(c, run_dir, run) : status;
}
