/* The parts of a cut are collected in a record of its own, made by whichever part comes first; records are in the order of
 * steps, and the first one is committed once it is complete.
 *
 * Progressive metrics are taken at the moment when the last reporting worker's CUT arrives: each has sent all of the steps
 * before s by then, and what some have already sent of later ones is held back (progressive_limit). */
#include "launcher/checkpoint/checkpointer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/validation.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/run_paths.h"
#include "common/net/message.h"
#include "common/process/failpoint.h"

#define CUTS 64             /* most that may be on their way */
#define CUTS_CROWDED 32     /* of more, those that are complete are passed over; shards hold back the third that is not */
#define CUTS_FEW 4          /* of more, who can wait does */
#define LATE_NS 30000000000 /* when a shard that still writes is named */
#define RUN_TEXTS(X) X(experiment) X(variant) X(determinism) X(build) X(kernels) X(config) /* all but time */

typedef struct checkpoint_parts {
    int64_t step;
    int64_t begun_ns;
    bool *from_worker; /* [workers] CUT is here */
    bool *from_shard;  /* [shards] PREPARED is here */
    int n_workers, n_reporting, n_shards, n_dense;
    run_totals_t totals; /* of this start */
    checkpoint_shard_t *shards;
    float **dense; /* [components] */
    int64_t *dense_bytes;
    void *progress;
    int64_t progress_bytes;
    bool said_late;
} checkpoint_parts_t;

/* What was asked of the checkpointer, and how far that is. A request that comes while workers are being asked joins theirs;
 * one that comes when they know the step is served after it, unless the run stops there. */
typedef enum request_state {
    REQUEST_NONE,
    REQUEST_WANTED,      /* to save; the workers are asked at the next tick */
    REQUEST_WANTED_STOP, /* to save and stop */
    REQUEST_ASKED,       /* workers were asked from which step on they can save */
    REQUEST_ASKED_STOP,
    REQUEST_TOLD,           /* they know the step */
    REQUEST_TOLD_THEN_SAVE, /* and another one is wanted after it */
    REQUEST_TOLD_THEN_STOP,
    REQUEST_TOLD_STOP, /* they know the step, and stop there */
    REQUEST_STOPPED,   /* its checkpoint is committed: the run ends here */
    REQUEST_STATES,
    REQUEST_NEVER = REQUEST_STATES,
} request_state_t;

typedef enum request_event {
    WISH_SAVE,
    WISH_STOP,
    WORKERS_ASKED,
    STEP_NAMED,
    END_IS_NEARER, /* the step would lie behind the end of the run: nothing is saved */
    STEP_COMMITTED,
    REQUEST_EVENTS
} request_event_t;

#define NEVER REQUEST_NEVER
static const request_state_t transitions[REQUEST_STATES][REQUEST_EVENTS] = {
    /* a save is wished, a stop is wished, asked, named, the end is nearer, committed */
    [REQUEST_NONE] = {REQUEST_WANTED, REQUEST_WANTED_STOP, NEVER, NEVER, NEVER, NEVER},
    [REQUEST_WANTED] = {REQUEST_WANTED, REQUEST_WANTED_STOP, REQUEST_ASKED, NEVER, NEVER, NEVER},
    [REQUEST_WANTED_STOP] = {REQUEST_WANTED_STOP, REQUEST_WANTED_STOP, REQUEST_ASKED_STOP, NEVER, NEVER, NEVER},
    [REQUEST_ASKED] = {REQUEST_ASKED, REQUEST_ASKED_STOP, NEVER, REQUEST_TOLD, REQUEST_NONE, NEVER},
    [REQUEST_ASKED_STOP] = {REQUEST_ASKED_STOP, REQUEST_ASKED_STOP, NEVER, REQUEST_TOLD_STOP, REQUEST_NONE, NEVER},
    [REQUEST_TOLD] = {REQUEST_TOLD_THEN_SAVE, REQUEST_TOLD_THEN_STOP, NEVER, NEVER, NEVER, REQUEST_NONE},
    [REQUEST_TOLD_THEN_SAVE] = {REQUEST_TOLD_THEN_SAVE, REQUEST_TOLD_THEN_STOP, NEVER, NEVER, NEVER, REQUEST_WANTED},
    [REQUEST_TOLD_THEN_STOP] = {REQUEST_TOLD_THEN_STOP, REQUEST_TOLD_THEN_STOP, NEVER, NEVER, NEVER, REQUEST_WANTED_STOP},
    [REQUEST_TOLD_STOP] = {REQUEST_TOLD_STOP, REQUEST_TOLD_STOP, NEVER, NEVER, NEVER, REQUEST_STOPPED},
    [REQUEST_STOPPED] = {REQUEST_STOPPED, REQUEST_STOPPED, NEVER, NEVER, NEVER, NEVER},
};
#undef NEVER

struct checkpointer {
    checkpointer_options_t o;
    checkpoint_manifest_t run; /* a copy of o.run, and what that points to */
    int shards, components;
    double cpu_start;

    checkpoint_parts_t cuts[CUTS]; /* ascending */
    int n_cuts;
    int64_t *last_cut;      /* [workers] step of its newest CUT */
    int64_t *last_prepared; /* [shards] step of its newest PREPARED */
    int64_t named;          /* the last step that workers were told to save before; -1: none yet */
    bool *trained;          /* [workers] */

    request_state_t request;
    int64_t request_step; /* the latest answer so far; then the step itself */
    bool *answered;       /* [workers] */
    int64_t due_ns;       /* when every_seconds have passed */

    checkpoint_catalog_t kept; /* committed, oldest first */
    size_t kept_cap;
    int64_t *deltas; /* steps of this incarnation, ascending: the one that bases hold, if any, and all after it */
    int64_t n_deltas;
    size_t deltas_cap;
    bool said_crowded;

    int64_t fold_step; /* shards were told to fold up to here; -1: no fold is under way */
    bool *folded;      /* [shards] */
    int n_folded;
    checkpoint_id_t *dropped; /* their folders go when all have folded */
    int64_t n_dropped;
    size_t dropped_cap;

    int64_t pinned; /* the step of one that stays; -1: none */
    bool said_space;
    int64_t committed, last_step;
};

/* ---- requests, as a state --------------------------------------------------------------------------------------------- */

static bool is_asked(const checkpointer_t *c)
{
    return c->request == REQUEST_ASKED || c->request == REQUEST_ASKED_STOP;
}

static bool is_told(const checkpointer_t *c)
{
    return c->request >= REQUEST_TOLD && c->request <= REQUEST_TOLD_STOP;
}

/* What holds between any two calls: cuts are ascending and behind what is committed, as is the step that the workers were
 * told; a fold is under way exactly where shards are missing and something is to be removed; and none is where the run has
 * stopped. */
static void check_invariant(const checkpointer_t *c)
{
    const bool is_folding = c->fold_step >= 0;
    ASSERT(c->request < REQUEST_STATES);
    for (int i = 0; i < c->n_cuts; i++)
        ASSERT(c->cuts[i].step > (i > 0 ? c->cuts[i - 1].step : c->last_step));
    if (is_told(c))
        ASSERT(c->request_step > c->last_step && c->request_step < c->o.run->steps);
    ASSERT(!is_folding || (c->n_folded < c->shards && c->n_dropped > 0));
    if (c->request == REQUEST_STOPPED)
        ASSERT(!is_folding && c->committed > 0);
}

static void request_moves(checkpointer_t *c, request_event_t event)
{
    c->request = transitions[c->request][event];
    ASSERT(c->request != REQUEST_NEVER);
}

static bool catalog_has(const checkpoint_catalog_t *catalog, uint32_t incarnation)
{
    for (int64_t i = 0; i < catalog->n; i++)
        if (catalog->at[i].incarnation == incarnation)
            return true;
    return false;
}

/* A start that died before its first checkpoint left an incarnation that is not needed. */
static status_t remove_empty_incarnations(disk_t *disk, const char *run_dir, const checkpoint_catalog_t *kept, uint32_t before)
{
    status_t status = ST_OK;
    for (uint32_t incarnation = 0; incarnation < before && status == ST_OK; incarnation++) {
        char *folder = checkpoint_incarnation_path(run_dir, incarnation);
        if (!catalog_has(kept, incarnation) && disk_exists(disk, folder))
            status = checkpoint_remove_incarnation(disk, run_dir, incarnation);
        mem_free(folder);
    }
    return status;
}

/* Where no shard is on this host the incarnation would leave nothing here before its first checkpoint, and the next start would
 * take its number again, with which parts of checkpoints that came to nothing lie on other hosts. */
static status_t make_incarnation(disk_t *disk, const char *run_dir, uint32_t incarnation)
{
    char *folder = checkpoint_incarnation_path(run_dir, incarnation);
    const status_t status = disk_make_dir(disk, folder);
    mem_free(folder);
    return status;
}

/* Room for the checkpoints of this start, which must be newer than all that are kept. */
static status_t begin_incarnation(const checkpointer_options_t *options, const checkpoint_catalog_t *kept)
{
    const uint32_t newest = kept->n ? kept->at[kept->n - 1].incarnation : 0;
    if (kept->n && newest >= options->run->incarnation)
        return FAIL(ST_INPUT,
                    "%s holds checkpoints of incarnation %u, this start is incarnation %" PRId64
                    "; is another job writing there?",
                    options->run_dir, newest, options->run->incarnation);
    TRY(remove_empty_incarnations(options->disk, options->run_dir, kept, (uint32_t)options->run->incarnation));
    return make_incarnation(options->disk, options->run_dir, (uint32_t)options->run->incarnation);
}

status_t checkpointer_create(const checkpointer_options_t *options, checkpointer_t **out)
{
    checkpoint_catalog_t kept = {0};
    TRY(checkpoint_catalog_read(options->disk, options->run_dir, &kept));
    ASSERT(options->boundary > 0 && options->keep > 0 && options->groups > 0 && options->dense_floats > 0);
    status_t status = begin_incarnation(options, &kept);
    if (status != ST_OK) {
        checkpoint_catalog_fini(&kept);
        return status;
    }
    checkpointer_t *c = MEM_NEW(checkpointer_t);
    c->o = *options;
    c->run = *options->run;
    c->o.run = &c->run;
#define COPY(name) c->run.name = mem_strdup(options->run->name);
    RUN_TEXTS(COPY)
#undef COPY
    c->run.inputs = input_fields_copy(&options->run->inputs);
    c->run.places = places_copy(&options->run->places);
    c->run.processors = processors_copy(&options->run->processors);
    c->shards = (int)checkpoint_manifest_shards(options->run);
    c->components = (int)options->run->components;
    c->cpu_start = clock_cpu_seconds();
    c->kept = kept;
    c->kept_cap = (size_t)kept.n;
    c->last_cut = MEM_ARRAY(int64_t, options->workers);
    for (int w = 0; w < options->workers; w++)
        c->last_cut[w] = options->first_step;
    c->last_prepared = MEM_ARRAY(int64_t, c->shards);
    for (int s = 0; s < c->shards; s++)
        c->last_prepared[s] = options->first_step;
    c->named = -1;
    c->trained = MEM_ARRAY(bool, options->workers);
    c->answered = MEM_ARRAY(bool, options->workers);
    c->folded = MEM_ARRAY(bool, c->shards);
    c->due_ns = options->start_ns + (int64_t)(options->every_seconds * 1e9);
    c->fold_step = c->last_step = c->pinned = -1;
    *out = c;
    return ST_OK;
}

static void cut_fini(checkpointer_t *c, checkpoint_parts_t *cut)
{
    for (int k = 0; k < c->components; k++)
        mem_free(cut->dense[k]);
    mem_free(cut->from_worker);
    mem_free(cut->from_shard);
    mem_free(cut->shards);
    mem_free(cut->dense);
    mem_free(cut->dense_bytes);
    mem_free(cut->progress);
    *cut = (checkpoint_parts_t){0};
}

void checkpointer_destroy(checkpointer_t **checkpointer)
{
    checkpointer_t *c = *checkpointer;
    if (!c)
        return;
    for (int i = 0; i < c->n_cuts; i++)
        cut_fini(c, &c->cuts[i]);
    checkpoint_catalog_fini(&c->kept);
#define FREE(name) mem_free(c->run.name);
    RUN_TEXTS(FREE)
#undef FREE
    input_fields_fini(&c->run.inputs);
    places_fini(&c->run.places);
    processors_fini(&c->run.processors);
    mem_free(c->last_cut);
    mem_free(c->last_prepared);
    mem_free(c->trained);
    mem_free(c->answered);
    mem_free(c->deltas);
    mem_free(c->folded);
    mem_free(c->dropped);
    mem_free(c);
    *checkpointer = NULL;
}

static wire_header_t header_of(const checkpointer_t *c, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, c->o.run_id, (uint32_t)c->o.run->incarnation, WIRE_SENDER_COORDINATOR, step, count);
}

/* ---- drop ------------------------------------------------------------------------------------------------------------ */

/* No base needs the dropped checkpoints' deltas any more. */
static status_t remove_dropped(checkpointer_t *c)
{
    const uint32_t now = (uint32_t)c->o.run->incarnation;
    for (int64_t i = 0; i < c->n_dropped; i++) {
        const checkpoint_id_t id = c->dropped[i];
        if (id.incarnation == now || catalog_has(&c->kept, id.incarnation))
            TRY(checkpoint_remove_step(c->o.disk, c->o.run_dir, id));
        else
            TRY(checkpoint_remove_incarnation(c->o.disk, c->o.run_dir, id.incarnation));
    }
    if (c->n_dropped)
        failpoint("drop.done");
    c->n_dropped = 0;
    return ST_OK;
}

static status_t send_fold(checkpointer_t *c, int64_t step)
{
    const wire_header_t header = header_of(c, WIRE_FOLD, step, 0);
    c->fold_step = step;
    c->n_folded = 0;
    memset(c->folded, 0, sizeof *c->folded * (size_t)c->shards);
    for (int s = 0; s < c->shards; s++)
        TRY(net_send(c->o.net, PEER_SHARD(s), &header, NULL, 0));
    return ST_OK;
}

/* Revoke the oldest checkpoints above `keep`, up to one that is pinned: what is newer needs its deltas no less. The files of
 * earlier incarnations are never folded: they go as they are. */
static status_t drop_old(checkpointer_t *c)
{
    bool fold = false;
    while (c->kept.n > c->o.keep && c->kept.at[0].step != c->pinned) {
        const checkpoint_id_t id = c->kept.at[0];
        TRY(checkpoint_revoke(c->o.disk, c->o.run_dir, id));
        failpoint("drop.manifest_removed");
        memmove(c->kept.at, c->kept.at + 1, (size_t)--c->kept.n * sizeof *c->kept.at);
        MEM_GROW(c->dropped, c->dropped_cap, (size_t)c->n_dropped + 1);
        c->dropped[c->n_dropped++] = id;
        fold = fold || id.incarnation == (uint32_t)c->o.run->incarnation;
    }
    return fold ? send_fold(c, c->kept.at[0].step) : remove_dropped(c);
}

static status_t take_folded(checkpointer_t *c, int shard, const net_message_t *message)
{
    if (message->header.step != c->fold_step || c->folded[shard])
        return REFUSE("shard %d says that it folded up to step %" PRId64 ", which was not asked for", shard,
                      message->header.step);
    c->folded[shard] = true;
    if (++c->n_folded < c->shards)
        return ST_OK;
    int64_t older = 0;
    while (older < c->n_deltas && c->deltas[older] < c->fold_step)
        older++;
    c->n_deltas -= older;
    memmove(c->deltas, c->deltas + older, (size_t)c->n_deltas * sizeof *c->deltas);
    c->fold_step = -1;
    return remove_dropped(c);
}

/* ---- commit ---------------------------------------------------------------------------------------------------------- */

static void warn_of_space(checkpointer_t *c, int64_t bytes)
{
    const int64_t room = disk_free_bytes(c->o.disk, c->o.run_dir);
    const bool little = room >= 0 && room < 2 * bytes;
    if (little && !c->said_space)
        log_warn("%s: %.1f MB are free, and the last checkpoint took %.1f; make room, or lower checkpoint.keep, before the "
                 "disk is full",
                 c->o.run_dir, (double)room * 1e-6, (double)bytes * 1e-6);
    c->said_space = little;
}

/* The files beside the manifest. */
static status_t write_files(checkpointer_t *c, checkpoint_parts_t *cut, const char *folder, checkpoint_manifest_t *m)
{
    TRY(disk_make_dir(c->o.disk, folder));
    for (int k = 0; k < c->components; k++) {
        char name[DENSE_NAME_BYTES];
        TRY(checkpoint_file_write(c->o.disk, folder, dense_name(k, name), cut->dense[k], cut->dense_bytes[k], &m->dense[k]));
    }
    const event_sync_t sync = {m->step, &m->steps_lines, &m->probe_lines, &m->validation_lines};
    TRY(run_events_emit(c->o.events, &(run_event_t){.kind = EVENT_SYNC, .sync = sync}));
    TRY(checkpoint_file_write(c->o.disk, folder, FILE_PROGRESS, cut->progress, cut->progress_bytes, &m->progress));
    TRY(disk_sync_dir(c->o.disk, folder));
    failpoint("commit.dense");
    return ST_OK;
}

static status_t commit(checkpointer_t *c, checkpoint_parts_t *cut)
{
    const checkpoint_id_t id = {(uint32_t)c->o.run->incarnation, cut->step};
    char *folder = checkpoint_step_path(c->o.run_dir, id.incarnation, id.step), when[CLOCK_UTC_BYTES];
    checkpoint_manifest_t m = *c->o.run; /* its texts stay the run's */
    clock_utc(when);
    MEM_GROW(c->deltas, c->deltas_cap, (size_t)c->n_deltas + 1);
    c->deltas[c->n_deltas++] = cut->step;
    m.time = when;
    m.step = cut->step;
    m.deltas = c->deltas;
    m.n_deltas = c->n_deltas;
    m.shards = cut->shards;
    m.dense = MEM_ARRAY(checkpoint_file_t, c->components);
    m.totals = cut->totals;
    m.totals.checkpoints = c->committed + 1;
    m.totals.wall_seconds += (double)(net_now_ns(c->o.net) - c->o.start_ns) * 1e-9;
    m.totals.cpu_seconds += clock_cpu_seconds() - c->cpu_start;
    run_totals_add_start(&m.totals, &c->o.earlier);
    status_t status;
    TRY_DONE(write_files(c, cut, folder, &m));
    TRY_DONE(checkpoint_manifest_commit(c->o.disk, folder, &m));
    MEM_GROW(c->kept.at, c->kept_cap, (size_t)c->kept.n + 1);
    c->kept.at[c->kept.n++] = id;
    c->committed++;
    c->last_step = cut->step;
    const int64_t now = net_now_ns(c->o.net);
    const event_checkpoint_t made = {cut->step, checkpoint_manifest_rows(&m), checkpoint_manifest_bytes(&m),
                                     (double)(now - cut->begun_ns) * 1e-9};
    TRY_DONE(run_events_emit(c->o.events, &(run_event_t){EVENT_CHECKPOINT, now, .checkpoint = made}));
    warn_of_space(c, checkpoint_manifest_bytes(&m));
done:
    mem_free(m.dense);
    mem_free(folder);
    return status;
}

static bool is_complete(const checkpointer_t *c, const checkpoint_parts_t *cut)
{
    return cut->n_workers == c->o.workers && cut->n_shards == c->shards && cut->n_dense == c->components;
}

/* Cuts come faster than they are committed, or shards fold for long: the next checkpoint takes over what the first one was for.
 * Its deltas stay a part of those that follow. */
static void pass_over(checkpointer_t *c)
{
    checkpoint_parts_t *cut = &c->cuts[0];
    if (!c->said_crowded)
        log_info("checkpoints are made faster than they are committed; that of step %" PRId64
                 " is the first that is passed over",
                 cut->step);
    c->said_crowded = true;
    MEM_GROW(c->deltas, c->deltas_cap, (size_t)c->n_deltas + 1);
    c->deltas[c->n_deltas++] = cut->step;
    if (is_told(c) && c->request_step == cut->step)
        c->request_step = c->cuts[1].step;
    cut_fini(c, cut);
    memmove(c->cuts, c->cuts + 1, (size_t)--c->n_cuts * sizeof *c->cuts);
}

/* Commit what is complete, in order, unless shards are folding. */
static status_t commit_complete(checkpointer_t *c)
{
    while (c->n_cuts > CUTS_CROWDED && is_complete(c, &c->cuts[0]) && is_complete(c, &c->cuts[1]))
        pass_over(c);
    while (c->n_cuts && c->fold_step < 0 && c->request != REQUEST_STOPPED && is_complete(c, &c->cuts[0])) {
        TRY(commit(c, &c->cuts[0]));
        if (is_told(c) && c->cuts[0].step == c->request_step)
            request_moves(c, STEP_COMMITTED);
        cut_fini(c, &c->cuts[0]);
        memmove(c->cuts, c->cuts + 1, (size_t)--c->n_cuts * sizeof *c->cuts);
        if (c->request != REQUEST_STOPPED) /* else what is too many waits for the next start: no shard is there to fold */
            TRY(drop_old(c));
    }
    return ST_OK;
}

/* ---- the parts of a cut ---------------------------------------------------------------------------------------------- */

/* The cut that comes after the one before step `last`, which is first_step where there was none yet: at a step that was named
 * or one of the period, as the workers' schedules have it; INT64_MAX: none. */
static int64_t next_cut(const checkpointer_t *c, int64_t last)
{
    const int64_t period = c->o.period, apart = last > c->o.first_step ? c->o.run->depth + 1 : 1;
    int64_t next = period ? (last + apart + period - 1) / period * period : INT64_MAX;
    if (c->named > last && c->named < next)
        next = c->named;
    return next < c->o.run->steps ? next : INT64_MAX;
}

/* The record of the cut before a step, made where it is the first part that comes; NULL where there can be no such cut. */
static checkpoint_parts_t *cut_at(checkpointer_t *c, int64_t step)
{
    int at = 0;
    while (at < c->n_cuts && c->cuts[at].step < step)
        at++;
    if (at < c->n_cuts && c->cuts[at].step == step)
        return &c->cuts[at];
    if (c->n_cuts == CUTS || step <= c->last_step)
        return NULL;
    memmove(c->cuts + at + 1, c->cuts + at, (size_t)(c->n_cuts - at) * sizeof *c->cuts);
    c->n_cuts++;
    c->cuts[at] = (checkpoint_parts_t){
        .step = step,
        .begun_ns = net_now_ns(c->o.net),
        .from_worker = MEM_ARRAY(bool, c->o.workers),
        .from_shard = MEM_ARRAY(bool, c->shards),
        .shards = MEM_ARRAY(checkpoint_shard_t, c->shards),
        .dense = MEM_ARRAY(float *, c->components),
        .dense_bytes = MEM_ARRAY(int64_t, c->components),
    };
    return &c->cuts[at];
}

/* Hold back the examples of steps that a cut comes before, while some of its workers have not come to it. */
static status_t limit_progress(checkpointer_t *c)
{
    int64_t limit = INT64_MAX;
    for (int i = c->n_cuts - 1; i >= 0; i--)
        if (c->cuts[i].n_reporting && !c->cuts[i].progress)
            limit = c->cuts[i].step;
    return progressive_limit(c->o.progressive, limit, net_now_ns(c->o.net));
}

static status_t take_progress(checkpointer_t *c, checkpoint_parts_t *cut)
{
    if (++cut->n_reporting == c->o.reporting.workers) {
        ASSERT(progressive_steps(c->o.progressive) ==
               cut->step); /* each has sent what is before it, and nothing after it is taken */
        cut->progress = progressive_save(c->o.progressive, net_now_ns(c->o.net), &cut->progress_bytes);
    }
    return limit_progress(c);
}

/* The worker that sends the dense parameters of a component. */
static int leader_of(const checkpointer_t *c, int component)
{
    return component / (c->components / c->o.groups) * (c->o.workers / c->o.groups);
}

/* Have the dense parameters come that a worker sends before its CUT, if it leads a group? */
static bool has_dense(const checkpointer_t *c, const checkpoint_parts_t *cut, int worker)
{
    for (int k = 0; k < c->components; k++)
        if (leader_of(c, k) == worker && !cut->dense[k])
            return false;
    return true;
}

static status_t take_cut(checkpointer_t *c, int worker, const net_message_t *message)
{
    const int64_t step = message->header.step;
    const int at = worker - c->o.reporting.first_worker;
    const bool reports = c->o.progressive && at >= 0 && at < c->o.reporting.workers;
    message_counters_t counters;
    if (!message_body(message, &counters, sizeof counters) || !message_counters_are_sound(&counters))
        return REFUSE("CUT without sound counters");
    if (reports && !progressive_has(c->o.progressive, at, step))
        return REFUSE("worker %d is cut before step %" PRId64 ", and has not sent all that it predicted before", worker, step);
    checkpoint_parts_t *cut = step == next_cut(c, c->last_cut[worker]) ? cut_at(c, step) : NULL;
    if (!cut || !has_dense(c, cut, worker))
        return REFUSE("worker %d is cut before step %" PRId64 ", after step %" PRId64 ": %s", worker, step, c->last_cut[worker],
                      cut ? "its dense parameters have not come" : "there can be no such cut");
    c->last_cut[worker] = step;
    cut->from_worker[worker] = true;
    cut->n_workers++;
    run_totals_add_worker(&cut->totals, &counters);
    return reports ? take_progress(c, cut) : ST_OK;
}

static status_t take_dense(checkpointer_t *c, int worker, const net_message_t *message)
{
    const uint32_t k = wire_component(&message->header);
    const int64_t bytes = message->frame[0].bytes;
    const bool is_its_own = k < (uint32_t)c->components && leader_of(c, (int)k) == worker;
    checkpoint_parts_t *cut = is_its_own && bytes == c->o.dense_floats * (int64_t)sizeof(float) &&
                                      message->header.step == next_cut(c, c->last_cut[worker])
                                  ? cut_at(c, message->header.step)
                                  : NULL;
    if (!cut || cut->dense[k])
        return REFUSE("worker %d sent %" PRId64 " bytes of dense parameters of component %u before step %" PRId64 ": %s",
                      worker, bytes, k, message->header.step, cut ? "they came twice" : "there can be no such cut");
    cut->dense[k] = MEM_ARRAY(float, bytes / (int64_t)sizeof(float));
    memcpy(cut->dense[k], message->frame[0].data, (size_t)bytes);
    cut->dense_bytes[k] = bytes;
    cut->n_dense++;
    return ST_OK;
}

static status_t take_prepared(checkpointer_t *c, int shard, const net_message_t *message)
{
    message_prepared_t body;
    if (!message_body(message, &body, sizeof body) || !message_prepared_is_sound(&body))
        return REFUSE("PREPARED without sound numbers");
    const int64_t step = message->header.step;
    checkpoint_parts_t *cut = step == next_cut(c, c->last_prepared[shard]) ? cut_at(c, step) : NULL;
    if (!cut)
        return REFUSE("shard %d has prepared the checkpoint before step %" PRId64 ", after step %" PRId64
                      ": there can be no such cut",
                      shard, step, c->last_prepared[shard]);
    c->last_prepared[shard] = step;
    cut->from_shard[shard] = true;
    cut->n_shards++;
    cut->shards[shard] = (checkpoint_shard_t){body.rows, body.pending, body.bytes, body.checksum_low, body.checksum_high};
    cut->totals.cpu_seconds += body.cpu_seconds;
    return ST_OK;
}

/* ---- requests -------------------------------------------------------------------------------------------------------- */

static status_t send_workers(checkpointer_t *c, int64_t step, bool stop)
{
    const wire_header_t header = header_of(c, WIRE_SAVE, step, stop);
    for (int w = 0; w < c->o.workers; w++)
        TRY(net_send(c->o.net, c->o.first_worker + w, &header, NULL, 0));
    return ST_OK;
}

static status_t ask(checkpointer_t *c)
{
    request_moves(c, WORKERS_ASKED);
    c->request_step = -1;
    memset(c->answered, 0, sizeof *c->answered * (size_t)c->o.workers);
    return send_workers(c, -1, false);
}

/* When all have answered, or are at the end of the run: name the step. Workers hold back their pulls until they know it, so
 * they are told even where it lies behind the last one. */
static status_t name_step(checkpointer_t *c)
{
    int64_t step = c->request_step;
    for (int w = 0; w < c->o.workers; w++) {
        if (!c->answered[w] && !c->trained[w])
            return ST_OK;
        if (c->trained[w])
            step = c->o.run->steps;
    }
    step = (step + c->o.boundary - 1) / c->o.boundary * c->o.boundary;
    if (c->o.whole)
        step = validation_clear(c->o.period, step, c->o.run->depth);
    const bool behind = step >= c->o.run->steps;
    if (!behind)
        c->named = step;
    request_moves(c, behind ? END_IS_NEARER : STEP_NAMED);
    c->request_step = step;
    if (behind)
        log_info("nothing is saved: the run ends before step %" PRId64, step);
    return send_workers(c, step, c->request == REQUEST_TOLD_STOP);
}

static status_t take_answer(checkpointer_t *c, int worker, const net_message_t *message)
{
    const int64_t step = message->header.step;
    if (c->trained[worker])
        return ST_OK; /* it had its answer on the way to the end */
    if (!is_asked(c) || c->answered[worker] || step < 0)
        return REFUSE("worker %d can save from step %" PRId64 " on, but was not asked", worker, step);
    if (step <= c->last_cut[worker] || step > c->o.run->steps)
        return REFUSE("worker %d can save from step %" PRId64 " on, is past step %" PRId64 ", and the run has %" PRId64, worker,
                      step, c->last_cut[worker], c->o.run->steps);
    c->answered[worker] = true;
    if (step > c->request_step)
        c->request_step = step;
    return name_step(c);
}

void checkpointer_request(checkpointer_t *c, bool stop)
{
    request_moves(c, stop ? WISH_STOP : WISH_SAVE);
}

static status_t name_late(checkpointer_t *c, checkpoint_parts_t *cut)
{
    if (cut->said_late || cut->n_workers < c->o.workers || cut->n_shards == c->shards ||
        net_now_ns(c->o.net) - cut->begun_ns < LATE_NS)
        return ST_OK;
    int first = 0;
    while (cut->from_shard[first])
        first++;
    cut->said_late = true;
    const event_stall_t stall = {cut->step, c->shards - cut->n_shards, c->shards, first};
    return run_events_emit(c->o.events, &(run_event_t){EVENT_STALL, net_now_ns(c->o.net), .stall = stall});
}

status_t checkpointer_tick(checkpointer_t *c)
{
    const int64_t now = net_now_ns(c->o.net);
    bool is_running = c->request != REQUEST_STOPPED;
    for (int w = 0; w < c->o.workers; w++)
        is_running = is_running && !c->trained[w];
    if (c->n_cuts)
        TRY(name_late(c, &c->cuts[0]));
    check_invariant(c);
    if (!is_running || is_asked(c) || is_told(c))
        return ST_OK;
    if (c->o.every_seconds > 0 && now >= c->due_ns && c->n_cuts == 0 && c->fold_step < 0) {
        c->due_ns = now + (int64_t)(c->o.every_seconds * 1e9);
        request_moves(c, WISH_SAVE);
    }
    return c->request == REQUEST_NONE ? ST_OK : ask(c);
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

status_t checkpointer_put_worker(checkpointer_t *c, int worker, const net_message_t *message)
{
    if (worker < 0 || worker >= c->o.workers)
        return REFUSE("worker %d takes no part in the run", worker);
    switch (message->header.type) {
    case WIRE_SAVE:
        return take_answer(c, worker, message);
    case WIRE_CUT:
        TRY(take_cut(c, worker, message));
        break;
    case WIRE_CUT_DENSE:
        TRY(take_dense(c, worker, message));
        break;
    default:
        return REFUSE("%s of a worker does not belong to a checkpoint", wire_type_name(message->header.type));
    }
    TRY(commit_complete(c));
    check_invariant(c);
    return ST_OK;
}

status_t checkpointer_put_shard(checkpointer_t *c, int shard, const net_message_t *message)
{
    ASSERT(shard >= 0 && shard < c->shards);
    switch (message->header.type) {
    case WIRE_PREPARED:
        TRY(take_prepared(c, shard, message));
        break;
    case WIRE_FOLDED:
        TRY(take_folded(c, shard, message));
        break;
    default:
        return REFUSE("%s of a shard does not belong to a checkpoint", wire_type_name(message->header.type));
    }
    TRY(commit_complete(c));
    check_invariant(c);
    return ST_OK;
}

status_t checkpointer_trained(checkpointer_t *c, int worker)
{
    ASSERT(worker >= 0 && worker < c->o.workers);
    c->trained[worker] = true;
    return is_asked(c) ? name_step(c) : ST_OK;
}

void checkpointer_pin(checkpointer_t *c, int64_t step)
{
    c->pinned = step;
}

bool checkpointer_is_crowded(const checkpointer_t *c)
{
    return c->n_cuts > CUTS_FEW;
}

bool checkpointer_is_stopped(const checkpointer_t *c)
{
    return c->request == REQUEST_STOPPED;
}

bool checkpointer_is_idle(const checkpointer_t *c)
{
    return c->n_cuts == 0 && c->fold_step < 0;
}

int64_t checkpointer_committed(const checkpointer_t *c)
{
    return c->committed;
}

int64_t checkpointer_last_step(const checkpointer_t *c)
{
    return c->last_step;
}
