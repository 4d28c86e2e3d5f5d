/* A shard holds back messages, never data: a pull or push that may not take effect yet stays in its transport frames, in a ring
 * of the next RING steps with one place per worker, and advance() looks which of them the rules release.
 *
 *              step   applied       applied+1     ...      applied+d
 *     pull[w]         held/answered held/answered          held/answered   <- answered while step <= applied + d
 *     push[w]         held          held                   -               <- applied when all W are held and every
 *                                                                             pull of step applied + d was answered
 *
 * Rejected: copying held pushes into a merge buffer on arrival. It would touch the gradients once more and make the sum
 * depend on arrival order. Rejected: one thread per table. Tables of a step are small; a thread per shard already fills a
 * core.
 *
 * A flagged PULL of step T announces a cut before T. Until the cut is made, pulls of steps >= T are not answered, and at bounded
 * and async pushes of steps >= T are not applied. Whatever overtakes whatever, the flag is here in time: a worker pushes step T when
 * its pull of T was answered, and sync and invariant apply the push of T - d when all pulls of T were. So the cut may wait for its
 * moment, and for the cut before it to be durable, without a word to anybody. */
#include "ps/shard.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/pool.h"
#include "common/config/group.h"
#include "common/net/message.h"
#include "common/net/step_batch.h"
#include "common/net/window.h"
#include "ps/admission.h"
#include "ps/cut.h"
#include "ps/load.h"
#include "ps/pending.h"
#include "ps/replies.h"
#include "ps/residency.h"
#include "ps/store.h"
#include "ps/table.h"

#define RING 32 /* steps that may be in flight; workers run at most pipeline_depth + 2 <= 10 ahead */
#define WORK_EVERY 4 /* messages between slices of work while messages keep coming */

typedef enum place { PLACE_EMPTY, PLACE_HELD, PLACE_DONE } place_t; /* done: a pull that was answered, a push that was applied */

typedef struct held {
    place_t place;
    net_message_t message;
} held_t;

struct shard {
    shard_options_t o;
    pool_t *pool;

    /* The run in progress; tables are NULL between runs. */
    config_t *config;
    int workers; /* W: those that take part in the run; the first ones */
    uint64_t run_id;
    uint32_t epoch;
    char run_dir[MESSAGE_DIR_BYTES];
    residency_t *residency; /* of the tables; NULL: they stay in memory */
    table_t **tables;
    uint32_t n_tables;
    uint32_t n_companions; /* behind them in `tables`: those of ps/admission.h, which no message names */
    uint32_t component_tables; /* of each component; of all, where they share theirs */

    int64_t first_step;      /* of the run: what is before came from a checkpoint */
    int64_t first_applied;   /* `applied` at the start */
    int64_t applied;         /* pushes of steps < applied are in the tables (sync, invariant) */
    int64_t latest_step;     /* whose pushes are in the tables, or some of them */
    int64_t *pushed;         /* [W] each worker's pushes of steps < pushed are applied, and perhaps some after (bounded, async) */
    window_t *windows;       /* [W] */
    held_t *pulls, *pushes;  /* [RING][W] */
    replies_t *replies;      /* to pulls of the last RING steps */
    net_message_t **ready;   /* [W] pushes of the step being applied */
    const uint64_t **keys;   /* [W] arguments of table_push_merged */
    const float **gradients; /* [W] */
    int64_t *counts;         /* [W] */
    int64_t *cursor_segment; /* [W] where apply_step is in each push */
    int64_t *cursor_key;
    int64_t *cursor_float;

    cut_t *cut;               /* NULL: nothing is saved in this run */
    pending_t *pending;       /* pushes of steps before first_step; NULL where there are none */
    int64_t cuts[RING];       /* [n_cuts] steps before which a cut was asked for and not made, ascending */
    int n_cuts;
    int64_t last_cut;
    bool is_stalled; /* the next cut waits for the last one; it was said */

    step_batch_t digests; /* of the rows that each step updates; off at async and bounded */
    step_digest_t digest; /* of the step being applied; watched by all tables where digests are on */

    message_counters_t counters;
    double cpu_start;
};

static int worker_of(const shard_t *shard, int rank)
{
    int worker = rank - shard->o.first_worker;
    return worker >= 0 && worker < shard->workers ? worker : -1;
}

static held_t *place_at(const shard_t *shard, held_t *ring, int64_t step, int worker)
{
    return &ring[(step % RING) * shard->workers + worker];
}

static bool is_ordered(const shard_t *shard)
{
    return shard->config->determinism >= DETERMINISM_SYNC;
}

static void drop_held(shard_t *shard)
{
    for (int i = 0; shard->pulls && i < RING * shard->workers; i++) {
        if (shard->pulls[i].place == PLACE_HELD)
            net_release(shard->o.net, &shard->pulls[i].message);
        if (shard->pushes[i].place == PLACE_HELD)
            net_release(shard->o.net, &shard->pushes[i].message);
        shard->pulls[i].place = shard->pushes[i].place = PLACE_EMPTY;
    }
    replies_clear(shard->replies);
}

/* The last shard of the run on this host takes the folder with it. */
static void end_residency(shard_t *shard)
{
    if (!shard->residency)
        return;
    residency_destroy(&shard->residency);
    char *path = mem_printf("%s/work", shard->run_dir);
    rmdir(path);
    mem_free(path);
}

static void end_run(shard_t *shard)
{
    drop_held(shard);
    cut_destroy(&shard->cut);
    pending_destroy(&shard->pending);
    for (uint32_t i = 0; i < shard->n_tables + shard->n_companions; i++)
        table_destroy(&shard->tables[i]);
    mem_free(shard->tables);
    shard->tables = NULL;
    shard->n_tables = shard->n_companions = 0;
    end_residency(shard);
    step_batch_end(&shard->digests);
    config_destroy(&shard->config);
}

status_t shard_create(const shard_options_t *options, shard_t **out)
{
    shard_t *shard = MEM_NEW(shard_t);
    shard->o = *options;
    if (!shard->o.disk)
        shard->o.disk = disk_posix();
    shard->pool = pool_create();
    int w = options->workers;
    shard->pushed = MEM_ARRAY(int64_t, w);
    shard->windows = MEM_ARRAY(window_t, w);
    shard->pulls = MEM_ARRAY(held_t, RING * w);
    shard->pushes = MEM_ARRAY(held_t, RING * w);
    shard->replies = replies_create(w, RING);
    shard->ready = MEM_ARRAY(net_message_t *, w);
    shard->keys = MEM_ARRAY(const uint64_t *, w);
    shard->gradients = MEM_ARRAY(const float *, w);
    shard->counts = MEM_ARRAY(int64_t, w);
    shard->cursor_segment = MEM_ARRAY(int64_t, w);
    shard->cursor_key = MEM_ARRAY(int64_t, w);
    shard->cursor_float = MEM_ARRAY(int64_t, w);
    *out = shard;
    return ST_OK;
}

void shard_destroy(shard_t **shard)
{
    shard_t *s = *shard;
    if (!s)
        return;
    end_run(s);
    mem_free(s->pushed);
    mem_free(s->windows);
    mem_free(s->pulls);
    mem_free(s->pushes);
    replies_destroy(&s->replies);
    mem_free(s->ready);
    mem_free(s->keys);
    mem_free(s->gradients);
    mem_free(s->counts);
    mem_free(s->cursor_segment);
    mem_free(s->cursor_key);
    mem_free(s->cursor_float);
    pool_destroy(&s->pool);
    mem_free(s);
    *shard = NULL;
}

static wire_header_t header_of(const shard_t *shard, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, shard->run_id, shard->epoch, (uint32_t)shard->o.rank, step, count);
}

/* Answer a bad message with its reason; state is unchanged. */
static status_t refuse(shard_t *shard, net_message_t *message, const char *reason)
{
    shard->counters.bad_messages++;
    char text[160];
    wire_describe(&message->header, text, sizeof text);
    log_warn("shard %d refused %s: %s", shard->o.shard, text, reason);
    message_error_t body = {.status = ST_MESSAGE};
    snprintf(body.text, sizeof body.text, "shard %d refused %s: %s", shard->o.shard, text, reason);
    const wire_header_t *of = &message->header; /* whose run may be another: the sender must know whether it still is in it */
    wire_header_t header = wire_header(WIRE_ERROR, of->run_id, of->epoch, (uint32_t)shard->o.rank, of->step, 0);
    header.sequence = of->sequence;
    wire_frame_t frame = {&body, sizeof body};
    int peer = message->peer;
    net_release(shard->o.net, message);
    return net_send(shard->o.net, peer, &header, &frame, 1);
}

/* Tables that a worker's group trains: all, but for co-distilled peers in groups. */
typedef struct tables {
    uint32_t first, end;
} tables_t;

static tables_t tables_of(const shard_t *shard, int worker)
{
    const group_t group = group_of(shard->config, worker, shard->workers);
    if (group.groups == 1)
        return (tables_t){0, shard->n_tables};
    return (tables_t){(uint32_t)group.first_component * shard->component_tables,
                      (uint32_t)group.end_component * shard->component_tables};
}

static bool is_in(const tables_t *tables, uint32_t table)
{
    return table >= tables->first && table < tables->end;
}

/* Check the segments of a PULL, PEEK or PUSH: known tables, ascending, counts that add up, a push to the worker's own tables;
 * *floats gets their weights. */
static const char *check_segments(const shard_t *shard, const net_message_t *message, int worker, int64_t *floats)
{
    const tables_t own = tables_of(shard, worker);
    const wire_segment_t *segments = message->frame[0].data;
    const int64_t n = message->frame[0].bytes / (int64_t)sizeof *segments, count = message->header.count;
    int64_t keys = 0, total = 0;
    if (message->frame[1].bytes != count * (int64_t)sizeof(uint64_t))
        return "segment counts, key count and key bytes disagree";
    for (int64_t i = 0; i < n && keys <= count; i++) {
        if (segments[i].table >= shard->n_tables)
            return "a segment names a table that does not exist";
        if (message->header.type == WIRE_PUSH && !is_in(&own, segments[i].table))
            return "a segment names a table that another group of workers trains";
        if (i > 0 && segments[i].table <= segments[i - 1].table)
            return "segments are not in ascending order of tables";
        keys += segments[i].count;
        total += (int64_t)segments[i].count * table_options(shard->tables[segments[i].table])->dim;
    }
    if (keys != count)
        return "segment counts, key count and key bytes disagree";
    if (message->header.type == WIRE_PUSH && message->frame[2].bytes != total * (int64_t)sizeof(float))
        return "gradient bytes do not match keys and embedding width";
    *floats = total;
    return NULL;
}

/* Send ROWS; one of the weights' holders is the transport from now on. `table` tells the worker which pushes have arrived. */
static status_t send_rows(shard_t *shard, int peer, const reply_t *reply)
{
    wire_header_t header = header_of(shard, WIRE_ROWS, reply->step, reply->rows);
    header.sequence = reply->sequence;
    header.table = (uint32_t)window_floor(&shard->windows[worker_of(shard, peer)]);
    wire_frame_t frame = {reply->weights, reply->bytes};
    return net_send_owned(shard->o.net, peer, &header, &frame, 1, pool_give, reply->weights);
}

/* No row was lost to an error of the disk, so far. */
static bool rows_are_sound(const shard_t *shard)
{
    return !shard->residency || residency_status(shard->residency) == ST_OK;
}

/* Bring the rows of a pull that has to wait into memory, so that the wait is of use. */
static void prefetch(shard_t *shard, const net_message_t *pull)
{
    const wire_segment_t *segments = pull->frame[0].data;
    const uint64_t *keys = pull->frame[1].data;
    const int64_t n = pull->frame[0].bytes / (int64_t)sizeof *segments;
    const tables_t own = tables_of(shard, worker_of(shard, pull->peer));
    for (int64_t i = 0; i < n && shard->residency; i++) {
        if (is_in(&own, segments[i].table))
            table_prefetch(shard->tables[segments[i].table], keys, segments[i].count);
        keys += segments[i].count;
    }
}

/* Answer a PULL or PEEK and release it. A pull looks at tables that other groups train as a peek does, so that a peer's tables
 * have the rows of its own share of the data alone. */
static status_t answer(shard_t *shard, net_message_t *message, bool peek)
{
    int64_t floats = 0;
    const int worker = worker_of(shard, message->peer);
    const tables_t own = tables_of(shard, worker);
    const char *reason = check_segments(shard, message, worker, &floats);
    ASSERT(!reason);
    const wire_segment_t *segments = message->frame[0].data;
    const uint64_t *keys = message->frame[1].data;
    int64_t n = message->frame[0].bytes / (int64_t)sizeof *segments;
    float *rows = pool_take(shard->pool, (size_t)floats * sizeof *rows), *at = rows;
    for (int64_t i = 0; i < n; i++) {
        table_t *table = shard->tables[segments[i].table];
        if (peek || !is_in(&own, segments[i].table))
            table_peek(table, keys, segments[i].count, at);
        else
            table_pull(table, keys, segments[i].count, at);
        keys += segments[i].count;
        at += (int64_t)segments[i].count * table_options(table)->dim;
    }
    if (!rows_are_sound(shard)) { /* which ends the shard */
        pool_give(rows);
        net_release(shard->o.net, message);
        return residency_status(shard->residency);
    }
    if (!peek) {
        shard->counters.rows_pulled += message->header.count;
        int64_t oldest = shard->applied;
        if (!is_ordered(shard)) {
            oldest = shard->pushed[0];
            for (int w = 1; w < shard->workers; w++)
                oldest = shard->pushed[w] < oldest ? shard->pushed[w] : oldest;
        }
        int64_t staleness = message->header.step > oldest ? message->header.step - oldest : 0;
        shard->counters.staleness_sum += staleness;
        shard->counters.staleness_count++;
        if (staleness > shard->counters.staleness_max)
            shard->counters.staleness_max = staleness;
    }
    const reply_t reply = {.step = message->header.step,
                           .rows = message->header.count,
                           .bytes = floats * (int64_t)sizeof *rows,
                           .sequence = message->header.sequence,
                           .weights = rows};
    const int peer = message->peer;
    net_release(shard->o.net, message);
    if (!peek)
        replies_put(shard->replies, worker, &reply);
    return send_rows(shard, peer, &reply);
}

/* Pushes of a step come next; rows that were not pushed for long expire then. Steps may overtake each other at L0 and L1. */
static void set_step(shard_t *shard, int64_t step)
{
    if (shard->config->embedding.ttl_steps == 0 || step < shard->latest_step)
        return;
    shard->latest_step = step;
    for (uint32_t t = 0; t < shard->n_tables; t++)
        table_set_step(shard->tables[t], step);
}

/* Apply the pushes of one step: all workers' (ordered levels) or one worker's, merged per key in tree order. */
static void apply_step(shard_t *shard, net_message_t *const *messages, int n, int64_t step)
{
    for (int w = 0; w < n; w++)
        shard->cursor_segment[w] = shard->cursor_key[w] = shard->cursor_float[w] = 0;
    for (uint32_t t = 0; t < shard->n_tables; t++) {
        int dim = table_options(shard->tables[t])->dim;
        int64_t any = 0;
        for (int w = 0; w < n; w++) {
            const net_message_t *m = messages[w];
            const wire_segment_t *segments = m->frame[0].data;
            int64_t count = 0, i = shard->cursor_segment[w];
            if (i < m->frame[0].bytes / (int64_t)sizeof *segments && segments[i].table == t) {
                count = segments[i].count;
                shard->cursor_segment[w]++;
            }
            shard->keys[w] = (const uint64_t *)m->frame[1].data + shard->cursor_key[w];
            shard->gradients[w] = (const float *)m->frame[2].data + shard->cursor_float[w];
            shard->counts[w] = count;
            shard->cursor_key[w] += count;
            shard->cursor_float[w] += count * dim;
            any |= count;
        }
        if (any)
            table_push_merged(shard->tables[t], shard->keys, shard->gradients, shard->counts, n, (uint32_t)step);
    }
    for (int w = 0; w < n; w++)
        shard->counters.rows_pushed += messages[w]->header.count;
}

/* Of how many steps before a cut the pushes are pending. */
static int64_t cut_depth(const shard_t *shard)
{
    return is_ordered(shard) ? shard->config->train.pipeline_depth : 0;
}

/* The first step whose pulls are not answered yet: before anything is applied, those of the first d + 1 are answered at once. */
static int64_t first_unanswered(const shard_t *shard)
{
    return shard->applied == shard->first_applied ? shard->first_step : shard->applied + shard->config->train.pipeline_depth;
}

/* ---- the cut ------------------------------------------------------------------------------------------------------------- */

/* Before which step no pull may see, and no push may do, anything until a cut is made. */
static int64_t cut_limit(const shard_t *shard)
{
    return shard->n_cuts > 0 ? shard->cuts[0] : INT64_MAX;
}

/* Whether all that belongs into the cut before `step` has happened. Nothing more has, by cut_limit. */
static bool is_cut_due(const shard_t *shard, int64_t step)
{
    if (!is_ordered(shard)) {
        for (int w = 0; w < shard->workers; w++)
            if (shard->pushed[w] < step)
                return false;
        return true;
    }
    const int64_t seen = step - shard->config->train.pipeline_depth;
    if (shard->applied != (seen > 0 ? seen : 0))
        return false;
    for (int64_t before = first_unanswered(shard); before < step; before++)
        for (int w = 0; w < shard->workers; w++)
            if (place_at(shard, shard->pulls, before, w)->place != PLACE_DONE)
                return false;
    return true;
}

/* A push that no row has seen, for the cut under way. */
static void save_push(shard_t *shard, const net_message_t *push, int worker)
{
    const int64_t step = push->header.step;
    if (!shard->cut || !cut_takes_push(shard->cut, step))
        return;
    const wire_segment_t *segments = push->frame[0].data;
    const uint64_t *keys = push->frame[1].data;
    const float *g = push->frame[2].data;
    for (int64_t i = 0; i < push->frame[0].bytes / (int64_t)sizeof *segments; i++) {
        const int dim = table_options(shard->tables[segments[i].table])->dim;
        for (uint32_t k = 0; k < segments[i].count; k++, keys++, g += dim)
            cut_push(shard->cut, step, worker, segments[i].table, *keys, g);
    }
    cut_pushed(shard->cut);
}

static void save_restored_push(void *context, int64_t step, int sender, uint32_t table, uint64_t key, const float *g)
{
    cut_push(context, step, sender, table, key, g);
}

/* The moment of the cut. At ordered levels the pushes of the last d steps before it are pending: some are here, held or from the
 * checkpoint that the run began with, and handle_push sees the others. Saving them as they come, not as they are applied, lets
 * the next cut be made before they are. */
static void freeze(shard_t *shard, int64_t step)
{
    const int64_t end = is_ordered(shard) ? step : 0;
    const int64_t own = shard->applied > shard->first_step ? shard->applied : shard->first_step; /* first push of this run */
    const int64_t restored = end > shard->applied && shard->first_step > shard->applied ? shard->first_step - shard->applied : 0;
    cut_freeze(shard->cut, step, restored + (end > own ? (end - own) * shard->workers : 0), net_now_ns(shard->o.net));
    for (int64_t t = shard->applied; t < end; t++)
        if (t < shard->first_step) {
            if (shard->pending)
                pending_visit(shard->pending, t, save_restored_push, shard->cut);
            cut_pushed(shard->cut);
        } else {
            for (int w = 0; w < shard->workers; w++) {
                const held_t *push = place_at(shard, shard->pushes, t, w);
                if (push->place == PLACE_HELD)
                    save_push(shard, &push->message, w);
            }
        }
}

/* Make the next cut if it is time. True: it was made, and messages may be released. */
static bool make_cut(shard_t *shard)
{
    if (shard->n_cuts == 0 || !is_cut_due(shard, shard->cuts[0]))
        return false;
    if (cut_is_saving(shard->cut)) {
        if (!shard->is_stalled)
            log_info("shard %d waits before step %lld: the checkpoint before is not on disk yet; checkpoints are asked for faster "
                     "than this disk takes them",
                     shard->o.shard, (long long)shard->cuts[0]);
        shard->is_stalled = true;
        return false;
    }
    shard->last_cut = shard->cuts[0];
    shard->n_cuts--;
    memmove(shard->cuts, shard->cuts + 1, (size_t)shard->n_cuts * sizeof *shard->cuts);
    freeze(shard, shard->last_cut);
    return true;
}

/* Note the flag of a pull. NULL, or why there can be no cut. */
static const char *ask_cut(shard_t *shard, int64_t step)
{
    int at = shard->n_cuts;
    if (!shard->cut || step <= shard->first_step)
        return "there can be no cut before its step";
    if (step <= shard->last_cut)
        return NULL; /* made when another worker's came */
    while (at > 0 && shard->cuts[at - 1] > step)
        at--;
    if (at > 0 && shard->cuts[at - 1] == step)
        return NULL;
    if (shard->n_cuts == RING)
        return "too many cuts were asked for";
    memmove(shard->cuts + at + 1, shard->cuts + at, (size_t)(shard->n_cuts - at) * sizeof *shard->cuts);
    shard->cuts[at] = step;
    shard->n_cuts++;
    return NULL;
}

/* ---- release of held messages -------------------------------------------------------------------------------------------- */

/* May the pushes of step `applied` be applied: all are here, and all pulls that must not see them were answered? */
static bool step_complete(const shard_t *shard)
{
    const int64_t last = shard->applied + shard->config->train.pipeline_depth;
    for (int w = 0; w < shard->workers; w++) {
        if (shard->applied >= shard->first_step && place_at(shard, shard->pushes, shard->applied, w)->place != PLACE_HELD)
            return false;
        for (int64_t step = first_unanswered(shard); step <= last; step++)
            if (place_at(shard, shard->pulls, step, w)->place != PLACE_DONE)
                return false;
    }
    return true;
}

/* Answer a worker's held pulls of steps first .. end - 1. */
static status_t answer_held(shard_t *shard, int worker, int64_t first, int64_t end)
{
    for (int64_t step = first; step < end && step < first + RING; step++) {
        held_t *pull = place_at(shard, shard->pulls, step, worker);
        if (pull->place == PLACE_HELD) {
            pull->place = is_ordered(shard) ? PLACE_DONE : PLACE_EMPTY;
            TRY(answer(shard, &pull->message, false));
        }
    }
    return ST_OK;
}

/* Apply the pushes of step `applied`, which are all here, or came with the checkpoint. */
static void apply_ordered(shard_t *shard)
{
    set_step(shard, shard->applied);
    if (shard->applied < shard->first_step) {
        if (shard->pending)
            pending_apply(shard->pending, shard->applied);
        if (shard->applied + 1 == shard->first_step)
            pending_destroy(&shard->pending);
        return;
    }
    for (int w = 0; w < shard->workers; w++)
        shard->ready[w] = &place_at(shard, shard->pushes, shard->applied, w)->message;
    apply_step(shard, shard->ready, shard->workers, shard->applied);
    for (int w = 0; w < shard->workers; w++) {
        held_t *push = place_at(shard, shard->pushes, shard->applied, w);
        net_release(shard->o.net, &push->message);
        push->place = PLACE_EMPTY;
    }
}

/* ---- digests of steps ---------------------------------------------------------------------------------------------------- */

static void begin_digests(shard_t *shard)
{
    const bool on = is_ordered(shard) && shard->config->train.step_digests;
    step_batch_begin(&shard->digests, on ? step_digest_words(shard->n_tables) : 0);
    for (uint32_t t = 0; t < shard->n_tables && on; t++)
        table_watch(shard->tables[t], &shard->digest);
}

static status_t send_digests(shard_t *shard)
{
    const wire_header_t header = header_of(shard, WIRE_DIGESTS, 0, 0);
    return step_batch_send(&shard->digests, shard->o.net, PEER_COORDINATOR, &header);
}

/* The rows that are updated from here on belong to this step. */
static status_t digest_step(shard_t *shard, int64_t step)
{
    if (!step_batch_is_on(&shard->digests))
        return ST_OK;
    if (step_batch_is_full(&shard->digests))
        TRY(send_digests(shard));
    shard->digest = (step_digest_t){.words = step_batch_add(&shard->digests, step), .tables = shard->n_tables};
    return ST_OK;
}

/* Apply the pushes of step `applied`, and record what they do. */
static status_t take_step(shard_t *shard)
{
    TRY(digest_step(shard, shard->applied));
    apply_ordered(shard);
    if (step_batch_is_on(&shard->digests))
        step_digest_end(&shard->digest);
    return ST_OK;
}

/* Release whatever the rules of sync and invariant allow now. */
static status_t advance_ordered(shard_t *shard)
{
    const int64_t depth = shard->config->train.pipeline_depth;
    for (;;) {
        const int64_t first = first_unanswered(shard), end = shard->applied + depth + 1, limit = cut_limit(shard);
        for (int w = 0; w < shard->workers; w++)
            TRY(answer_held(shard, w, first, end < limit ? end : limit));
        if (make_cut(shard))
            continue;
        if (!step_complete(shard))
            return ST_OK;
        TRY(take_step(shard));
        for (int64_t step = first; step < end; step++)
            for (int w = 0; w < shard->workers; w++)
                place_at(shard, shard->pulls, step, w)->place = PLACE_EMPTY;
        shard->applied++;
    }
}

/* Apply a push as it comes; those of one worker may have overtaken each other. */
static void apply_unordered(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    set_step(shard, step);
    apply_step(shard, &message, 1, step);
    net_release(shard->o.net, message);
    place_at(shard, shard->pushes, step, worker)->place = PLACE_DONE;
    for (;; shard->pushed[worker]++) {
        held_t *first = place_at(shard, shard->pushes, shard->pushed[worker], worker);
        if (first->place != PLACE_DONE)
            break;
        first->place = PLACE_EMPTY;
    }
}

/* Apply the pushes that waited for the cut. */
static void apply_held(shard_t *shard)
{
    for (int w = 0; w < shard->workers; w++) {
        const int64_t first = shard->pushed[w], end = first + RING < cut_limit(shard) ? first + RING : cut_limit(shard);
        for (int64_t step = first; step < end; step++) {
            held_t *push = place_at(shard, shard->pushes, step, w);
            if (push->place == PLACE_HELD)
                apply_unordered(shard, &push->message, w);
        }
    }
}

/* Make the cut if it is time, and answer the held pulls that it and the staleness bound allow now. */
static status_t advance_unordered(shard_t *shard)
{
    const bool is_async = shard->config->determinism == DETERMINISM_ASYNC;
    while (make_cut(shard))
        apply_held(shard);
    int64_t slowest = shard->pushed[0];
    for (int w = 1; w < shard->workers; w++)
        slowest = shard->pushed[w] < slowest ? shard->pushed[w] : slowest;
    const int64_t limit = cut_limit(shard), bound = is_async ? INT64_MAX : slowest + shard->config->train.staleness + 1;
    for (int w = 0; w < shard->workers; w++)
        TRY(answer_held(shard, w, shard->pushed[w], limit < bound ? limit : bound));
    return ST_OK;
}

static status_t drop_duplicate(shard_t *shard, net_message_t *message)
{
    shard->counters.duplicates++;
    net_release(shard->o.net, message);
    return ST_OK;
}

/* Did this worker's pull of the step, which is none of the future, come before? */
static bool was_pulled(const shard_t *shard, int64_t step, int worker)
{
    if (step < (is_ordered(shard) ? first_unanswered(shard) : shard->pushed[worker]) || replies_get(shard->replies, worker, step))
        return true;
    if (place_at(shard, shard->pulls, step, worker)->place != PLACE_EMPTY)
        return true;
    return !is_ordered(shard) && place_at(shard, shard->pushes, step, worker)->place != PLACE_EMPTY; /* who pushes has pulled */
}

/* A pull that came before: the same answer again if the first may have been lost; none where the pull is held, or where a push shows that
 * the worker has its rows. */
static status_t handle_pull_again(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    const held_t *pull = place_at(shard, shard->pulls, step, worker);
    const reply_t *reply = replies_get(shard->replies, worker, step);
    const bool is_held = pull->place == PLACE_HELD && pull->message.header.step == step;
    const uint64_t sequence = message->header.sequence;
    if ((reply && reply->sequence != sequence) || (is_held && pull->message.header.sequence != sequence))
        return refuse(shard, message, "this step was pulled before");
    const int peer = message->peer;
    TRY(drop_duplicate(shard, message));
    if (!reply)
        return ST_OK;
    pool_keep(reply->weights);
    return send_rows(shard, peer, reply);
}

static status_t handle_pull(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    const bool is_cut = message->header.table == WIRE_PULL_CUT;
    if (step >= (is_ordered(shard) ? shard->applied : shard->pushed[worker]) + RING)
        return refuse(shard, message, "its step is not among those in flight");
    if (was_pulled(shard, step, worker))
        return handle_pull_again(shard, message, worker);
    const char *reason = is_cut ? ask_cut(shard, step) : NULL;
    if (reason)
        return refuse(shard, message, reason);
    if (shard->config->determinism == DETERMINISM_ASYNC && shard->n_cuts == 0)
        return answer(shard, message, false);
    held_t *pull = place_at(shard, shard->pulls, step, worker);
    pull->place = PLACE_HELD;
    pull->message = *message;
    TRY(is_ordered(shard) ? advance_ordered(shard) : advance_unordered(shard));
    if (pull->place == PLACE_HELD)
        prefetch(shard, &pull->message);
    return ST_OK;
}

static status_t handle_push(shard_t *shard, net_message_t *message, int worker)
{
    const int64_t step = message->header.step;
    int64_t oldest = is_ordered(shard) ? shard->applied : shard->pushed[worker];
    oldest = oldest < shard->first_step ? shard->first_step : oldest;
    const uint64_t sequence = message->header.sequence;
    window_t *window = &shard->windows[worker];
    if (!window_reaches(window, sequence))
        return refuse(shard, message, "its sequence number does not follow those before");
    if (window_has(window, sequence))
        return drop_duplicate(shard, message);
    if (step < oldest || step >= oldest + RING)
        return refuse(shard, message, "its step is not among those in flight");
    held_t *push = place_at(shard, shard->pushes, step, worker);
    if (push->place != PLACE_EMPTY)
        return refuse(shard, message, "this step was pushed before");
    ASSERT(window_accept(window, sequence));
    replies_drop(shard->replies, worker, step);
    if (is_ordered(shard) || step >= cut_limit(shard)) {
        push->place = PLACE_HELD;
        push->message = *message;
        if (!is_ordered(shard))
            return ST_OK;
        save_push(shard, &push->message, worker);
        return advance_ordered(shard);
    }
    apply_unordered(shard, message, worker);
    if (shard->config->determinism == DETERMINISM_ASYNC && shard->n_cuts == 0)
        return ST_OK;
    return advance_unordered(shard);
}

/* Memory for the run's rows, and disk for those beyond it. */
static status_t begin_residency(shard_t *shard)
{
    const int64_t bytes = shard->config->cluster.memory_mb << 20;
    if (bytes == 0)
        return ST_OK;
    char *path = mem_printf("%s/work/shard-%d", shard->run_dir, shard->o.shard);
    const status_t status = residency_create(path, bytes, &shard->residency);
    mem_free(path);
    return status;
}

static status_t make_companions(shard_t *shard, table_options_t *options)
{
    const uint32_t t = options->id, n = shard->n_tables;
    const table_options_t sightings = admission_sightings(options, n), defaults = admission_defaults(options, n);
    TRY(table_create(&sightings, &shard->tables[sightings.id]));
    TRY(table_create(&defaults, &shard->tables[defaults.id]));
    options->sightings = shard->tables[n + t];
    options->defaults = shard->tables[2 * n + t];
    return ST_OK;
}

/* BEGIN: drop the run before, make empty tables for the next. */
static status_t handle_begin(shard_t *shard, net_message_t *message)
{
    message_begin_t begin;
    const experiment_t *experiment = shard->o.experiment;
    if (!message_body(message, &begin, sizeof begin) || begin.variant < -1 || begin.variant >= experiment->variants ||
        begin.replica < 0 || begin.fields < 0 || begin.fields > 65536 || begin.first_step < 0 || !memchr(begin.run_dir, 0, sizeof begin.run_dir))
        return refuse(shard, message, "its body is malformed");
    end_run(shard);
    shard->run_id = message->header.run_id;
    shard->epoch = message->header.epoch;
    const int peer = message->peer;
    net_release(shard->o.net, message);
    memcpy(shard->run_dir, begin.run_dir, sizeof shard->run_dir);
    TRY(config_for_replica(begin.variant < 0 ? experiment->base : experiment->configs[begin.variant], begin.replica,
                           &shard->config));
    shard->workers = config_active_workers(shard->config, shard->o.workers);
    const config_t *c = shard->config;
    TRY(begin_residency(shard));
    shard->n_tables = (uint32_t)(config_tables(c) * begin.fields);
    shard->component_tables = (uint32_t)begin.fields;
    shard->n_companions = c->embedding.min_count > 0 ? (ADMISSION_KINDS - 1) * shard->n_tables : 0;
    shard->tables = MEM_ARRAY(table_t *, shard->n_tables + shard->n_companions);
    for (uint32_t t = 0; t < shard->n_tables; t++) {
        table_options_t options = {
            .id = t,
            .dim = (int32_t)c->embedding.dim,
            .optimizer = c->embedding.optimizer,
            .settings = {(float)c->embedding.learning_rate, (float)c->embedding.initial_accumulator,
                         (float)c->embedding.epsilon},
            .init_std = (float)c->embedding.init_std,
            .seed = (uint64_t)c->seed,
            .residency = shard->residency,
            .ttl_steps = c->embedding.ttl_steps,
            .min_count = c->embedding.min_count,
        };
        if (shard->n_companions > 0)
            TRY(make_companions(shard, &options));
        TRY(table_create(&options, &shard->tables[t]));
    }
    begin_digests(shard);
    const int64_t depth = cut_depth(shard);
    shard->first_step = begin.first_step;
    shard->first_applied = shard->applied = begin.first_step > depth ? begin.first_step - depth : 0;
    shard->latest_step = INT64_MIN;
    set_step(shard, shard->applied - 1);
    for (int w = 0; w < shard->workers; w++)
        shard->pushed[w] = begin.first_step;
    shard->n_cuts = 0;
    shard->last_cut = begin.first_step;
    shard->is_stalled = false;
    if (begin.saves) {
        const cut_options_t options = {
            .disk = shard->o.disk,
            .threaded = !shard->o.single_threaded,
            .slice_bytes = shard->o.slice_bytes,
            .sweeps = shard->o.first_of_process,
            .run_dir = shard->run_dir,
            .epoch = shard->epoch,
            .shard = shard->o.shard,
            .depth = depth,
            .tables = shard->tables,
            .n_tables = shard->n_tables + shard->n_companions,
        };
        TRY(cut_create(&options, &shard->cut));
    }
    memset(shard->windows, 0, sizeof *shard->windows * (size_t)shard->workers);
    shard->counters = (message_counters_t){0};
    shard->cpu_start = clock_cpu_seconds();
    shard->o.net->bytes_sent = shard->o.net->bytes_received = 0;
    if (shard->o.first_of_process)
        clock_reset_peak_rss();
    wire_header_t header = header_of(shard, WIRE_READY, 0, 0);
    return net_send(shard->o.net, peer, &header, NULL, 0);
}

/* All tables but those that count sightings, which matter for further training alone. */
static bool is_part_of_model(const shard_t *shard, uint32_t table)
{
    return table < shard->n_tables || table >= 2 * shard->n_tables;
}

/* LOAD: rows of a finished run into the empty tables. */
static status_t handle_load(shard_t *shard, net_message_t *message)
{
    message_load_t load;
    const int32_t *map = message->frame[1].data;
    if (message->frame[0].bytes != sizeof load)
        return refuse(shard, message, "its body is malformed");
    memcpy(&load, message->frame[0].data, sizeof load);
    if (load.folders < 1 || load.folders > HASH_SLOTS || load.shards > HASH_SLOTS || shard->o.shard >= load.shards ||
        load.tables != message->frame[1].bytes / (int64_t)sizeof *map || !memchr(load.run_dir, 0, sizeof load.run_dir))
        return refuse(shard, message, "its body is malformed");
    for (int32_t t = 0; t < load.tables; t++)
        if (map[t] < -1 || map[t] >= (int64_t)shard->n_tables)
            return refuse(shard, message, "its map names a table that does not exist");
    const load_plan_t plan = {load.run_dir, load.folders, shard->o.shard, load.shards,
                              map,          load.tables,  shard->tables,  shard->n_tables, shard->n_companions};
    load_sum_t sum;
    status_t status = load_tables(&plan, &sum);
    const int peer = message->peer;
    net_release(shard->o.net, message);
    TRY(status);
    const message_counters_t body = {
        .rows = sum.rows, .digest_low = sum.digest.low, .digest_high = sum.digest.high, .digest_elements = sum.digest.elements};
    wire_header_t header = header_of(shard, WIRE_LOADED, 0, sum.rows);
    wire_frame_t frame = {&body, sizeof body};
    return net_send(shard->o.net, peer, &header, &frame, 1);
}

/* RESTORE: rows of a checkpoint into the empty tables, and pushes that they have not seen. */
static status_t handle_restore(shard_t *shard, net_message_t *message)
{
    message_restore_t r;
    const int64_t *deltas = message->frame[1].data, n = message->frame[1].bytes / (int64_t)sizeof *deltas;
    if (message->frame[0].bytes != sizeof r)
        return refuse(shard, message, "its body is malformed");
    memcpy(&r, message->frame[0].data, sizeof r);
    if (r.folders < 1 || r.folders > HASH_SLOTS || r.shards > HASH_SLOTS || shard->o.shard >= r.shards || r.epoch < 0 || n < 1 ||
        n > INT32_MAX || deltas[n - 1] != r.step || !memchr(r.run_dir, 0, sizeof r.run_dir))
        return refuse(shard, message, "its body is malformed");
    for (int64_t i = 0; i < n; i++)
        if (deltas[i] <= (i > 0 ? deltas[i - 1] : 0))
            return refuse(shard, message, "its deltas are not in ascending order");
    const int64_t depth = cut_depth(shard);
    if (r.step != shard->first_step || r.tables != (int64_t)shard->n_tables || (is_ordered(shard) && r.depth != depth))
        return refuse(shard, message, "its checkpoint is not the one that this run begins with");
    pending_destroy(&shard->pending);
    shard->pending = pending_create(shard->first_applied, shard->first_step, shard->tables, shard->n_tables);
    const restore_plan_t plan = {
        .disk = shard->o.disk,
        .run_dir = r.run_dir,
        .epoch = (uint32_t)r.epoch,
        .step = r.step,
        .depth = depth,
        .folders = r.folders,
        .shard = shard->o.shard,
        .shards = r.shards,
        .deltas = deltas,
        .n_deltas = (int)n,
        .tables = shard->tables,
        .n_tables = shard->n_tables + shard->n_companions,
        .pending = shard->pending,
    };
    status_t status = restore_tables(&plan);
    const int peer = message->peer;
    net_release(shard->o.net, message);
    TRY(status);
    /* A run that saves nothing only scores: no pulls will come that must not see the pending pushes. */
    for (; !shard->cut && shard->applied < shard->first_step; shard->applied++)
        TRY(take_step(shard));
    message_counters_t body = {0};
    hash_digest_t digest = {0};
    for (uint32_t t = 0; t < shard->n_tables + shard->n_companions; t++) {
        table_expire(shard->tables[t]);
        if (!is_part_of_model(shard, t))
            continue;
        table_digest(shard->tables[t], &digest);
        body.rows += table_rows(shard->tables[t]);
    }
    body.digest_low = digest.low;
    body.digest_high = digest.high;
    body.digest_elements = digest.elements;
    wire_header_t header = header_of(shard, WIRE_LOADED, r.step, body.rows);
    wire_frame_t frame = {&body, sizeof body};
    return net_send(shard->o.net, peer, &header, &frame, 1);
}

/* FOLD: what is older than the oldest checkpoint kept goes into the base, in the background. */
static status_t handle_fold(shard_t *shard, net_message_t *message)
{
    const char *reason = shard->cut ? cut_fold(shard->cut, message->header.step) : "nothing is saved in this run";
    if (reason)
        return refuse(shard, message, reason);
    net_release(shard->o.net, message);
    return ST_OK;
}

static void tell_residency(const shard_t *shard)
{
    if (!shard->residency)
        return;
    const residency_counters_t c = residency_counters(shard->residency);
    log_info("shard %d: %lld rows left memory for disk and %lld came back; %lld MB there", shard->o.shard, (long long)c.evicted,
             (long long)c.loaded, (long long)(c.disk_bytes >> 20));
}

/* FLUSH: tables to the store, digest and counters to the coordinator. */
static status_t handle_flush(shard_t *shard, net_message_t *message)
{
    message_counters_t *c = &shard->counters;
    const int peer = message->peer;
    net_release(shard->o.net, message);
    TRY(send_digests(shard));
    hash_digest_t digest = {0};
    char path[MESSAGE_DIR_BYTES + 64];
    snprintf(path, sizeof path, "%s/store", shard->run_dir);
    TRY(dir_create(path));
    snprintf(path, sizeof path, "%s/store/shard-%d", shard->run_dir, shard->o.shard);
    store_t *store = NULL;
    status_t status = store_open(path, true, &store);
    c->rows = c->parameters = 0;
    for (uint32_t t = 0; t < shard->n_tables + shard->n_companions && status == ST_OK; t++) {
        if (!is_part_of_model(shard, t))
            continue;
        table_expire(shard->tables[t]);
        status = store_put_table(store, shard->tables[t]);
        table_digest(shard->tables[t], &digest);
        c->rows += table_rows(shard->tables[t]);
        c->parameters += table_rows(shard->tables[t]) * table_options(shard->tables[t])->dim;
    }
    if (status == ST_OK)
        status = store_sync(store);
    store_close(&store);
    TRY(status);
    c->digest_low = digest.low;
    c->digest_high = digest.high;
    c->digest_elements = digest.elements;
    c->bytes_sent = shard->o.net->bytes_sent;
    c->bytes_received = shard->o.net->bytes_received;
    if (shard->o.first_of_process) {
        c->cpu_seconds = clock_cpu_seconds() - shard->cpu_start;
        c->peak_rss_bytes = clock_peak_rss_bytes();
    }
    tell_residency(shard);
    wire_header_t header = header_of(shard, WIRE_FLUSHED, shard->applied, c->rows);
    wire_frame_t frame = {c, sizeof *c};
    return net_send(shard->o.net, peer, &header, &frame, 1);
}

static status_t handle(shard_t *shard, net_message_t *message)
{
    const wire_header_t *header = &message->header;
    switch (header->type) {
    case WIRE_STOP:
        if (message->peer != PEER_COORDINATOR)
            return refuse(shard, message, "only the coordinator stops a shard");
        net_release(shard->o.net, message);
        return ST_STOPPED;
    case WIRE_BEGIN:
        if (message->peer != PEER_COORDINATOR)
            return refuse(shard, message, "only the coordinator begins a run");
        return handle_begin(shard, message);
    case WIRE_ERROR:
        net_release(shard->o.net, message);
        return ST_OK;
    default:
        break;
    }
    if (!shard->tables)
        return refuse(shard, message, "no run has begun");
    if (header->run_id != shard->run_id || header->epoch != shard->epoch)
        return refuse(shard, message, "it belongs to another run or epoch");
    if (header->type == WIRE_FLUSH && message->peer == PEER_COORDINATOR)
        return handle_flush(shard, message);
    if (header->type == WIRE_LOAD && message->peer == PEER_COORDINATOR)
        return handle_load(shard, message);
    if (header->type == WIRE_RESTORE && message->peer == PEER_COORDINATOR)
        return handle_restore(shard, message);
    if (header->type == WIRE_FOLD && message->peer == PEER_COORDINATOR)
        return handle_fold(shard, message);
    if (header->type != WIRE_PULL && header->type != WIRE_PEEK && header->type != WIRE_PUSH)
        return refuse(shard, message, "a shard does not take this type from this sender");
    int worker = worker_of(shard, message->peer);
    if (worker < 0)
        return refuse(shard, message, "its sender is not a worker");
    int64_t floats;
    const char *reason = header->step < 0 ? "its step is negative" : check_segments(shard, message, worker, &floats);
    if (reason)
        return refuse(shard, message, reason);
    if (header->type == WIRE_PEEK)
        return answer(shard, message, true);
    return header->type == WIRE_PULL ? handle_pull(shard, message, worker) : handle_push(shard, message, worker);
}

status_t shard_handle(shard_t *shard, net_message_t *message)
{
    TRY(handle(shard, message));
    return rows_are_sound(shard) ? ST_OK : residency_status(shard->residency);
}

bool shard_has_work(const shard_t *shard)
{
    return shard->cut && cut_has_work(shard->cut);
}

status_t shard_work(shard_t *shard, bool *again)
{
    message_prepared_t body;
    int64_t step;
    *again = false;
    if (!shard_has_work(shard))
        return ST_OK;
    TRY(cut_work(shard->cut, again));
    if (!rows_are_sound(shard))
        return residency_status(shard->residency);
    if (cut_prepared(shard->cut, net_now_ns(shard->o.net), &step, &body)) {
        TRY(send_digests(shard));
        wire_header_t header = header_of(shard, WIRE_PREPARED, step, 0);
        wire_frame_t frame = {&body, sizeof body};
        TRY(net_send(shard->o.net, PEER_COORDINATOR, &header, &frame, 1));
        TRY(is_ordered(shard) ? advance_ordered(shard) : advance_unordered(shard)); /* the next cut may have waited */
    }
    if (cut_folded(shard->cut, &step)) {
        wire_header_t header = header_of(shard, WIRE_FOLDED, step, 0);
        TRY(net_send(shard->o.net, PEER_COORDINATOR, &header, NULL, 0));
    }
    return ST_OK;
}

/* How long to wait for a message: not at all while there are rows to save, shortly while the disk is busy. */
static int64_t patience_ms(const shard_t *shard, bool again)
{
    return !shard_has_work(shard) ? 200 : again ? 0 : 2;
}

status_t shard_run(shard_t *shard, const atomic_bool *stop)
{
    bool again = false;
    int since = 0; /* messages since the last slice of work */
    while (!atomic_load(stop)) {
        net_message_t message;
        status_t status = net_receive(shard->o.net, &message, patience_ms(shard, again));
        const bool is_idle = status == ST_TIMEOUT;
        if (!is_idle) {
            TRY(status);
            status = shard_handle(shard, &message);
            if (status == ST_STOPPED)
                return ST_OK;
            TRY(status);
        }
        if (shard_has_work(shard) && (is_idle || ++since >= WORK_EVERY)) {
            since = 0;
            TRY(shard_work(shard, &again));
        }
    }
    return ST_OK;
}
