#include "tests/lib/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "ps/shard.h"

#define INCARNATION 3
#define RUN 77
#define WORK_NS 1000000
#define PROBE_EXAMPLES 6

/* ---- what both have --------------------------------------------------------------------------------------------------- */

static void note_sent(void *context, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    stage_t *stage = context;
    stage->sent[header->type]++;
    if (header->type == WIRE_ERROR) {
        const message_error_t *body = frames[0].data;
        memcpy(stage->reason, body->text, sizeof stage->reason);
        return;
    }
    if (header->type == WIRE_FLUSHED || header->type == WIRE_LOADED)
        memcpy(&stage->counters, frames[0].data, sizeof stage->counters);
    const int64_t what[] = {peer, header->type, header->step, (int64_t)header->sequence, header->table, header->count};
    stage->digest = hash64(what, sizeof what, stage->digest);
    for (int i = 0; i < n && header->type == WIRE_ROWS; i++)
        stage->digest = hash64(frames[i].data, (size_t)frames[i].bytes, stage->digest);
}

experiment_t *stage_experiment(const stage_options_t *o)
{
    experiment_t *experiment = NULL;
    char *path = mem_printf("%s/stage.yaml", o->dir);
    char *text = mem_printf("determinism: %s\ndefaults: 1\ndata: {path: none}\ncheckpoint: {every_steps: 10}\n"
                            "train: {batch: %d, lanes: %d, pipeline_depth: %d, staleness: %d, report_steps: 5}\n"
                            "evaluate: {probe_every: 8, probe_examples: %d}\nmodel: {hidden: [4]}\n"
                            "embedding: {dim: %d, init_std: 0, optimizer: sgd, learning_rate: 1}\n%s",
                            o->level, STAGE_BATCH, STAGE_BATCH, o->depth, o->staleness, PROBE_EXAMPLES, STAGE_DIM,
                            o->more ? o->more : "");
    ASSERT(dir_create(o->dir) == ST_OK && file_write_atomic(path, text, strlen(text)) == ST_OK);
    ASSERT(experiment_load(path, NULL, 0, &experiment) == ST_OK);
    mem_free(text);
    mem_free(path);
    return experiment;
}

static stage_t *create(const stage_options_t *options, int rank)
{
    stage_t *stage = MEM_NEW(stage_t);
    stage->o = *options;
    stage->experiment = options->experiment ? options->experiment : stage_experiment(options);
    stage->net = net_fake_create(rank, note_sent, stage);
    stage->run_id = RUN;
    stage->incarnation = INCARNATION;
    return stage;
}

wire_header_t stage_header(const stage_t *stage, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, stage->run_id, stage->incarnation, 0, step, count);
}

status_t stage_deliver_raw(stage_t *stage, int peer, const wire_frame_t *frames, int n)
{
    const char *reason;
    net_message_t message;
    if (!net_fake_message(stage->net, peer, frames, n, &message, &reason)) {
        stage->refused++;
        return ST_OK;
    }
    return stage->shard ? shard_handle(stage->shard, &message) : coordinator_dispatch(stage->coordinator, &message);
}

status_t stage_deliver(stage_t *stage, int peer, const wire_header_t *header, const wire_frame_t *frames, int n)
{
    uint8_t head[64];
    wire_header_t full = *header;
    wire_frame_t all[1 + WIRE_FRAMES] = {{head, sizeof head}};
    full.sender = (uint32_t)(PEER_IS_SHARD(peer) ? STAGE_SERVER : peer);
    full.payload_bytes = 0;
    for (int i = 0; i < n; i++) {
        all[1 + i] = frames[i];
        full.payload_bytes += frames[i].bytes;
    }
    wire_encode(&full, head);
    return stage_deliver_raw(stage, peer, all, 1 + n);
}

status_t stage_work(stage_t *stage)
{
    bool again;
    net_fake_advance(stage->net, WORK_NS);
    if (stage->shard)
        return shard_work(stage->shard, &again);
    return stage->coordinator->checkpointer ? checkpointer_tick(stage->coordinator->checkpointer) : ST_OK;
}

/* ---- a shard ---------------------------------------------------------------------------------------------------------- */

stage_t *stage_shard(const stage_options_t *options)
{
    stage_t *stage = create(options, STAGE_SERVER);
    stage->folders = (run_folders_t){.job = options->dir};
    const shard_options_t o = {.shard = 0,
                               .shards = options->shards,
                               .folders = &stage->folders,
                               .rank = STAGE_SERVER,
                               .first_worker = STAGE_FIRST_WORKER,
                               .workers = options->workers,
                               .experiment = stage->experiment,
                               .net = stage->net,
                               .disk = options->disk,
                               .single_threaded = true,
                               .slice_bytes = 64};
    ASSERT(shard_create(&o, &stage->shard) == ST_OK);
    return stage;
}

status_t stage_begin(stage_t *stage, uint64_t run_id, bool trains)
{
    const message_begin_t body = {.purpose = trains ? RUN_TRAINS : RUN_SCORES,
                                  .variant = -1,
                                  .fields = STAGE_FIELDS,
                                  .steps = trains ? STAGE_STEPS : 0,
                                  .saves = trains,
                                  .identity = run_id};
    stage->run_id = run_id;
    stage->folders.scored = trains ? NULL : stage->o.dir;
    const wire_header_t header = wire_header(WIRE_BEGIN, run_id, stage->incarnation, 0, 0, 0);
    return stage_deliver(stage, PEER_COORDINATOR, &header, &(wire_frame_t){&body, sizeof body}, 1);
}

static char word[] = "stage";

/* ---- the coordinator -------------------------------------------------------------------------------------------------- */

static roster_t *roster_of(const stage_options_t *o)
{
    roster_t *roster = MEM_NEW(roster_t);
    *roster = (roster_t){
        .size = STAGE_FIRST_WORKER + o->workers, .servers = 1, .shards_per_server = o->shards, .workers = o->workers};
    roster->entries = MEM_ARRAY(roster_entry_t, roster->size);
    for (int r = 0; r < roster->size; r++)
        snprintf(roster->entries[r].host, sizeof roster->entries[r].host, "node%d", r);
    return roster;
}

static void open_checkpoints(coordinator_t *c, const stage_options_t *o)
{
    const config_t *config = c->o.experiment->base;
    const checkpoint_manifest_t all = {.experiment = word,
                                       .variant = word,
                                       .determinism = word,
                                       .build = word,
                                       .kernels = word,
                                       .config = word,
                                       .incarnation = c->incarnation,
                                       .steps = STAGE_STEPS,
                                       .depth = config->train.pipeline_depth,
                                       .workers = c->workers,
                                       .servers = 1,
                                       .shards_per_server = o->shards,
                                       .tables = c->plan.tables,
                                       .components = c->components};
    const checkpointer_options_t checkpoints = {.net = c->o.net,
                                                .disk = c->disk,
                                                .run_dir = o->dir,
                                                .run = &all,
                                                .progressive = c->progressive,
                                                .events = c->events,
                                                .run_id = c->run_id,
                                                .first_worker = STAGE_FIRST_WORKER,
                                                .workers = c->workers,
                                                .reporting = c->reporting,
                                                .groups = (int)config_groups(config),
                                                .dense_floats = c->dense_floats,
                                                .period = config->checkpoint.every_steps,
                                                .boundary = 1,
                                                .keep = config->checkpoint.keep};
    ASSERT(checkpointer_create(&checkpoints, &c->checkpointer) == ST_OK);
}

/* As coordinator_train has it when it waits for the workers. */
static void begin_training(coordinator_t *c, const stage_options_t *o)
{
    const config_t *config = c->o.experiment->base;
    c->incarnation = INCARNATION;
    c->run_dir = o->dir;
    c->workers = o->workers;
    table_plan_init(&c->plan, config, STAGE_FIELDS);
    coordinator_expect(c, config, STAGE_STEPS * STAGE_BATCH, 0);
    const lanes_t lanes = c->lanes;
    const progressive_options_t progressive = {.events = c->events,
                                               .net = c->o.net,
                                               .workers = c->reporting.workers,
                                               .lanes = lanes,
                                               .interval = config->train.report_steps,
                                               .first_visits = lanes.total};
    c->progressive = progressive_create(&progressive);
    const step_digest_options_t digests = {.events = c->events,
                                           .shards = o->shards,
                                           .tables = c->plan.tables,
                                           .groups = (int)config_groups(config),
                                           .components = c->components,
                                           .end = STAGE_STEPS};
    const probe_options_t probes = {.events = c->events,
                                    .workers = c->workers,
                                    .examples = PROBE_EXAMPLES,
                                    .every = config->evaluate.probe_every,
                                    .end = STAGE_STEPS};
    c->steps = step_digest_merger_create(&digests);
    c->probes = probe_merger_create(&probes);
    roll_call_begin(&c->training, c->workers);
    const progress_run_t line = {.variant = word, .replicas = 1, .runs = 1, .steps = STAGE_STEPS};
    ASSERT(run_events_emit(c->events, &(run_event_t){.kind = EVENT_BEGIN, .begin = {&line}}) == ST_OK);
    uint64_t lines = 0;
    const event_train_t train = {.run_dir = o->dir, .where = "", .lines = &lines, .lines_known = true};
    ASSERT(run_events_emit(c->events, &(run_event_t){.kind = EVENT_TRAIN, .train = train}) == ST_OK);
    open_checkpoints(c, o);
}

stage_t *stage_coordinator(const stage_options_t *options)
{
    stage_t *stage = create(options, 0);
    stage->progress_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ASSERT(progress_create(stage->progress_fd, &stage->progress) == ST_OK);
    stage->roster = roster_of(options);
    const coordinator_options_t o = {.net = stage->net,
                                     .roster = stage->roster,
                                     .experiment = stage->experiment,
                                     .progress = stage->progress,
                                     .disk = options->disk};
    ASSERT(coordinator_create(&o, &stage->coordinator) == ST_OK);
    stage->coordinator->run_id = RUN;
    begin_training(stage->coordinator, options);
    return stage;
}

void stage_destroy(stage_t **stage)
{
    stage_t *s = *stage;
    if (!s)
        return;
    shard_destroy(&s->shard);
    coordinator_destroy(&s->coordinator);
    progress_destroy(&s->progress);
    if (s->progress_fd > 0)
        close(s->progress_fd);
    if (s->roster)
        roster_fini(s->roster);
    mem_free(s->roster);
    ASSERT(net_fake_held(s->net) == 0); /* whoever took a message has released it */
    net_close(&s->net);
    if (!s->o.experiment)
        experiment_destroy(&s->experiment);
    mem_free(s);
    *stage = NULL;
}
