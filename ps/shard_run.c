#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/lanes.h"
#include "common/config/peer_group.h"
#include "common/files/file.h"
#include "common/files/file_system.h"
#include "common/files/folder_copy.h"
#include "common/files/lmdb_pages.h"
#include "common/files/run_paths.h"
#include "ps/checkpoint/load.h"
#include "ps/checkpoint/store.h"
#include "ps/shard_impl.h"
#include "ps/table/frequency_filter.h"

/* The last shard of the run on this host takes the folder with it. */
static void end_row_cache(shard_t *shard)
{
    if (!shard->row_cache)
        return;
    row_cache_destroy(&shard->row_cache);
    if (shard->scratch)
        return;
    char *path = run_path(shard->run_dir, DIR_WORK);
    rmdir(path);
    mem_free(path);
}

/* How pushes come together: those of a step over the tree of lanes, or each on its own. */
static void begin_merge(shard_t *shard)
{
    if (shard_is_ordered(shard))
        lanes_shares(shard->config, peer_group_at(shard->config, 0, shard->workers).workers, &shard->shares);
    else
        tree_shares_init(&shard->shares, 1, 1);
    const tree_shares_t *shares = &shard->shares;
    shard->cursors = MEM_ARRAY(push_cursor_t, shard->workers / shares->members * shares->first[shares->members]);
    shard->keys = MEM_ARRAY(const uint64_t *, shares->leaves);
    shard->gradients = MEM_ARRAY(const float *, shares->leaves);
    shard->counts = MEM_ARRAY(int64_t, shares->leaves);
}

static void end_merge(shard_t *shard)
{
    tree_shares_fini(&shard->shares);
    mem_free(shard->cursors);
    mem_free(shard->keys);
    mem_free(shard->gradients);
    mem_free(shard->counts);
    shard->cursors = NULL;
    shard->keys = NULL;
    shard->gradients = NULL;
    shard->counts = NULL;
}

void shard_end(shard_t *shard)
{
    shard_drop_held(shard);
    shard_snapshot_destroy(&shard->snapshot);
    pending_gradients_destroy(&shard->pending);
    for (uint32_t i = 0; i < shard->plan.tables + shard->n_companions; i++)
        table_destroy(&shard->tables[i]);
    mem_free(shard->tables);
    shard->tables = NULL;
    table_plan_fini(&shard->plan);
    shard->n_companions = 0;
    end_row_cache(shard);
    scratch_folder_destroy(&shard->scratch);
    step_batch_end(&shard->digests);
    end_merge(shard);
    config_destroy(&shard->config);
    mem_free(shard->run_dir);
    shard->run_dir = NULL;
    shard->phase = PHASE_NONE;
}

static int64_t row_bytes(const shard_t *shard)
{
    return shard->o.row_bytes ? shard->o.row_bytes : shard->config->cluster.memory_mb << 20;
}

/* Where LMDB is to write, if it will, for this run on this host. */
static status_t begin_scratch(shard_t *shard)
{
    const char *place = shard->config->cluster.scratch;
    if (shard->purpose != RUN_TRAINS && shard->purpose != RUN_DEPLOYS && row_bytes(shard) == 0)
        return ST_OK;
    TRY(file_system_check(shard->run_dir, place));
    return *place ? scratch_folder_create(place, "cluster.scratch", &shard->scratch) : ST_OK;
}

/* Memory for the run's rows, and disk for those beyond it. */
static status_t begin_row_cache(shard_t *shard)
{
    const int64_t bytes = row_bytes(shard);
    if (bytes == 0)
        return ST_OK;
    char *path = shard->scratch ? run_path(scratch_folder_path(shard->scratch), DIR_WORK)
                                : run_work_path(shard->run_dir, shard->o.shard);
    const status_t status = row_cache_create(path, bytes, &shard->row_cache);
    mem_free(path);
    return status;
}

static status_t make_companions(shard_t *shard, table_options_t *options)
{
    const uint32_t t = options->id, n = shard->plan.tables;
    const table_options_t counts = frequency_filter_counts(options, n), defaults = frequency_filter_defaults(options, n);
    TRY(table_create(&counts, &shard->tables[counts.id]));
    TRY(table_create(&defaults, &shard->tables[defaults.id]));
    options->counts = shard->tables[n + t];
    options->defaults = shard->tables[2 * n + t];
    return ST_OK;
}

/* Empty tables, one for each field and component, and with each its companions where keys pass a frequency filter. */
static status_t make_tables(shard_t *shard, int fields, int64_t steps)
{
    const config_t *c = shard->config;
    if (shard->told_widths)
        table_plan_init_rows(&shard->plan, c, shard->n_told_widths, shard->told_widths);
    else
        table_plan_init(&shard->plan, c, fields);
    shard->n_companions = c->embedding.min_count > 0 ? (FREQUENCY_FILTER_KINDS - 1) * shard->plan.tables : 0;
    shard->tables = MEM_ARRAY(table_t *, shard->plan.tables + shard->n_companions);
    for (uint32_t t = 0; t < shard->plan.tables; t++) {
        const planned_table_t planned = table_plan_at(&shard->plan, t);
        table_options_t options = {
            .id = t,
            .dim = planned.width,
            .optimizer = planned.optimizer,
            .settings = config_embedding_optimizer(c),
            .schedule = config_embedding_schedule(c, steps),
            .linear = planned.linear,
            .linear_optimizer = planned.linear_optimizer,
            .linear_settings = config_linear_optimizer(c),
            .linear_schedule = config_linear_schedule(c, steps),
            .init_std = (float)c->embedding.init_std,
            .seed = (uint64_t)c->seed,
            .row_cache = shard->row_cache,
            .ttl_steps = c->embedding.ttl_steps,
            .min_count = c->embedding.min_count,
        };
        if (shard->n_companions > 0)
            TRY(make_companions(shard, &options));
        TRY(table_create(&options, &shard->tables[t]));
    }
    return ST_OK;
}

static status_t begin_snapshots(shard_t *shard)
{
    const shard_snapshot_options_t options = {
        .disk = shard->o.disk,
        .threaded = !shard->o.single_threaded,
        .slice_bytes = shard->o.slice_bytes,
        .sweeps = shard->o.first_of_process,
        .run_dir = shard->run_dir,
        .scratch = shard->scratch ? scratch_folder_path(shard->scratch) : NULL,
        .identity = shard->identity,
        .incarnation = shard->incarnation,
        .shard = shard->o.shard,
        .depth = shard_cut_depth(shard),
        .tables = shard->tables,
        .n_tables = shard->plan.tables + shard->n_companions,
    };
    return shard_snapshot_create(&options, &shard->snapshot);
}

/* What the last FAIL said, to whom it concerns. */
static status_t refuse_for_last_failure(shard_t *shard, net_message_t *message)
{
    char reason[STATUS_REASON_BYTES];
    status_reason(reason);
    return shard_refuse(shard, message, reason);
}

/* CONFIG: kept for the BEGIN that follows. */
status_t shard_on_config(shard_t *shard, net_message_t *message)
{
    config_t *told = NULL;
    const wire_frame_t text = message->frame[0];
    if (config_from_text(text.data, (size_t)text.bytes, "the coordinator's CONFIG", &told) != ST_OK)
        return refuse_for_last_failure(shard, message);
    config_destroy(&shard->told);
    shard->told = told;
    net_release(shard->o.net, message);
    return ST_OK;
}

static void forget_widths(shard_t *shard)
{
    mem_free(shard->told_widths);
    shard->told_widths = NULL;
    shard->n_told_widths = 0;
}

/* TABLES: likewise. */
status_t shard_on_tables(shard_t *shard, net_message_t *message)
{
    const int n = (int)message->header.count;
    const int32_t *width = message->frame[0].data;
    for (int t = 0; t < n; t++)
        if (width[t] < 1 || width[t] > WIRE_WIDTH_MOST)
            return shard_refuse(shard, message, "no table is so wide");
    forget_widths(shard);
    shard->told_widths = MEM_ARRAY(int32_t, n);
    if (n > 0)
        memcpy(shard->told_widths, width, (size_t)n * sizeof *width);
    shard->n_told_widths = n;
    net_release(shard->o.net, message);
    return ST_OK;
}

/* The configuration of the run that begins; **owned**. */
static status_t config_of(shard_t *shard, run_number_t run, config_t **out)
{
    TRY(config_for_replica(run_config(shard->o.experiment, run), run.replica, out));
    if (run.purpose != RUN_TEACHES)
        return ST_OK;
    config_t *scoring = config_to_score(shard->told, *out);
    config_destroy(out);
    config_destroy(&shard->told);
    *out = scoring;
    return ST_OK;
}

/* Why a run cannot begin now; NULL: it can. */
static const char *wrong_with_begin(const shard_t *shard, const message_begin_t *begin)
{
    const bool trains = begin->purpose == RUN_TRAINS;
    if (shard->phase == PHASE_TRAINS && begin->purpose != RUN_DEPLOYS)
        return "a run is being trained";
    if (begin->purpose == RUN_DEPLOYS && shard->phase != PHASE_TRAINS)
        return "no run is being trained";
    if (begin->fields < 0 || begin->fields > WIRE_FIELDS_MOST)
        return "no dataset has so many fields";
    if (begin->first_step < 0 || begin->steps < 0 || begin->steps > WIRE_STEP_MOST || (begin->steps == 0) == trains ||
        begin->first_step >= (trains ? begin->steps : WIRE_STEP_MOST))
        return "its steps are none of a run";
    if ((begin->saves != 0 && begin->saves != 1) || (begin->saves == 1 && !trains))
        return "only a run that trains saves";
    return begin->purpose == RUN_TEACHES && !shard->told ? "its configuration has not come" : NULL;
}

/* The state of a run before its first step. */
static void begin_steps(shard_t *shard, const message_begin_t *begin)
{
    const int64_t depth = shard_cut_depth(shard);
    shard->steps = begin->steps;
    shard->first_step = begin->first_step;
    shard->first_applied = shard->applied = begin->first_step > depth ? begin->first_step - depth : 0;
    shard->latest_step = INT64_MIN;
    shard_set_step(shard, shard->applied - 1);
    for (int w = 0; w < shard->workers; w++)
        shard->pushed[w] = begin->first_step;
    shard->n_cuts = 0;
    shard->last_cut = begin->first_step;
    shard->is_stalled = false;
    memset(shard->windows, 0, sizeof *shard->windows * (size_t)shard->workers);
}

static void begin_counters(shard_t *shard)
{
    shard->counters = (message_counters_t){0};
    shard->cpu_start = clock_cpu_seconds();
    shard->o.net->bytes_sent = shard->o.net->bytes_received = 0;
    if (shard->o.first_of_process)
        clock_reset_peak_rss();
}

/* BEGIN: drop the run before, make empty tables for the next. */
status_t shard_on_begin(shard_t *shard, net_message_t *message)
{
    message_begin_t begin;
    config_t *config = NULL;
    if (!message_body(message, &begin, sizeof begin))
        return shard_refuse(shard, message, "its body is malformed");
    const run_number_t run = {begin.purpose, begin.variant, begin.replica};
    char *folder = run_folder_of(shard->o.folders, shard->o.experiment, run);
    const char *reason = folder ? wrong_with_begin(shard, &begin) : "the job has no such run";
    if (reason || config_of(shard, run, &config) != ST_OK) {
        mem_free(folder);
        forget_widths(shard);
        return reason ? shard_refuse(shard, message, reason) : refuse_for_last_failure(shard, message);
    }
    if (begin.purpose == RUN_DEPLOYS)
        TRY(shard_send_digests(shard));
    shard_end(shard);
    shard->run_id = message->header.run_id;
    shard->incarnation = message->header.incarnation;
    shard->identity = begin.identity;
    shard->purpose = (run_purpose_t)begin.purpose;
    shard->run_dir = folder;
    shard->config = config;
    shard->phase = PHASE_BEGUN;
    const int peer = message->peer;
    net_release(shard->o.net, message);
    shard->workers = config_active_workers(shard->config, shard->o.workers);
    begin_merge(shard);
    TRY(begin_scratch(shard));
    TRY(begin_row_cache(shard));
    TRY(make_tables(shard, begin.fields, begin.steps));
    forget_widths(shard);
    shard_begin_digests(shard);
    begin_steps(shard, &begin);
    if (begin.saves)
        TRY(begin_snapshots(shard));
    if (begin.purpose != RUN_DEPLOYS) /* whose cost is that of its training */
        begin_counters(shard);
    wire_header_t header = shard_header(shard, WIRE_READY, 0, 0);
    return net_send(shard->o.net, peer, &header, NULL, 0);
}

/* All tables but those that count the pushes of keys without a row, which matter for further training alone. */
static bool is_part_of_model(const shard_t *shard, uint32_t table)
{
    return table < shard->plan.tables || table >= 2 * shard->plan.tables;
}

/* Rows could not be taken from where the coordinator said: the run is over, and it is told why. The shard is not; another run
 * may begin. */
static status_t drop_run(shard_t *shard, int peer, status_t status, int64_t missing)
{
    message_error_t body = {.status = (int32_t)status};
    status_reason(body.text);
    const wire_header_t header = shard_header(shard, WIRE_ERROR, 0, missing + 1);
    shard_end(shard);
    return net_send(shard->o.net, peer, &header, &(wire_frame_t){&body, sizeof body}, 1);
}

/* LOADED, with what was taken. */
static status_t answer_loaded(shard_t *shard, int peer, int64_t step, const message_counters_t *body)
{
    const wire_header_t header = shard_header(shard, WIRE_LOADED, step, body->rows);
    shard->phase = PHASE_LOADED;
    return net_send(shard->o.net, peer, &header, &(wire_frame_t){body, sizeof *body}, 1);
}

/* Why a LOAD cannot be taken; NULL: it can. */
static const char *wrong_with_load(const shard_t *shard, const message_load_t *load, const int32_t *map, int64_t stored_bytes)
{
    if (load->folders < 1 || load->folders > HASH_SLOTS || load->incarnation < 0 ||
        (stored_bytes && stored_bytes != load->folders * (int64_t)sizeof(hash_digest_t)))
        return "its body is malformed";
    if (shard->phase != PHASE_BEGUN || shard->first_step > 0)
        return "rows are taken once, into empty tables";
    if (load->donor != (shard->purpose == RUN_TRAINS ? MESSAGE_DONOR_WARM_START : MESSAGE_DONOR_SELF) ||
        (load->donor == MESSAGE_DONOR_WARM_START && !*shard->config->warm_start))
        return "the run takes no rows from there";
    for (int32_t t = 0; t < load->tables; t++)
        if (map[t] < -1 || map[t] >= (int64_t)shard->plan.tables)
            return "its map names a table that does not exist";
    return NULL;
}

/* LOAD: rows of a finished run into the empty tables. */
status_t shard_on_load(shard_t *shard, net_message_t *message)
{
    message_load_t load;
    const int32_t *map = message->frame[1].data;
    memcpy(&load, message->frame[0].data, sizeof load);
    const char *reason = load.tables != message->header.count ? "its body is malformed"
                                                              : wrong_with_load(shard, &load, map, message->frame[2].bytes);
    if (reason)
        return shard_refuse(shard, message, reason);
    int64_t missing = -1;
    const load_plan_t plan = {
        .run_dir = load.donor == MESSAGE_DONOR_WARM_START ? shard->config->warm_start : shard->run_dir,
        .folders = load.folders,
        .shard = shard->o.shard,
        .shards = shard->o.shards,
        .map = map,
        .maps = load.tables,
        .tables = shard->tables,
        .n_tables = shard->plan.tables,
        .n_companions = shard->n_companions,
        .identity = load.identity,
        .incarnation = (uint32_t)load.incarnation,
        .missing = &missing,
        .stores = message->frame[2].bytes ? message->frame[2].data : NULL,
    };
    load_sum_t sum;
    status_t status = load_tables(&plan, &sum);
    const int peer = message->peer;
    net_release(shard->o.net, message);
    if (status != ST_OK && shard_rows_are_sound(shard))
        return drop_run(shard, peer, status, missing);
    TRY(status);
    const message_counters_t body = {
        .rows = sum.rows, .digest_low = sum.digest.low, .digest_high = sum.digest.high, .digest_elements = sum.digest.elements};
    return answer_loaded(shard, peer, 0, &body);
}

/* Why a RESTORE cannot be taken; NULL: it can. */
static const char *wrong_with_restore(const shard_t *shard, const message_restore_t *r, const int64_t *deltas, int64_t n,
                                      int64_t ends_bytes)
{
    if (r->folders < 1 || r->folders > HASH_SLOTS || r->incarnation < 0 || deltas[n - 1] != r->step ||
        (ends_bytes && ends_bytes != r->folders * (int64_t)sizeof(hash128_t)))
        return "its body is malformed";
    for (int64_t i = 0; i < n; i++)
        if (deltas[i] <= (i > 0 ? deltas[i - 1] : 0))
            return "its deltas are not in ascending order";
    if (shard->phase != PHASE_BEGUN)
        return "rows are taken once, into empty tables";
    if (r->step != shard->first_step || r->tables != (int64_t)shard->plan.tables ||
        (shard_is_ordered(shard) && r->depth != shard_cut_depth(shard)))
        return "its checkpoint is not the one that this run begins with";
    return NULL;
}

/* RESTORE: rows of a checkpoint into the empty tables, and pushes that they have not seen. */
status_t shard_on_restore(shard_t *shard, net_message_t *message)
{
    message_restore_t r;
    const int64_t *deltas = message->frame[1].data, n = message->header.count;
    memcpy(&r, message->frame[0].data, sizeof r);
    const char *reason = wrong_with_restore(shard, &r, deltas, n, message->frame[2].bytes);
    if (reason)
        return shard_refuse(shard, message, reason);
    pending_gradients_destroy(&shard->pending);
    shard->pending = pending_gradients_create(shard->first_applied, shard->first_step, shard->tables, shard->plan.tables);
    int64_t missing = -1;
    const restore_plan_t plan = {
        .disk = shard->o.disk,
        .run_dir = shard->run_dir,
        .incarnation = (uint32_t)r.incarnation,
        .step = r.step,
        .depth = shard_cut_depth(shard),
        .folders = r.folders,
        .shard = shard->o.shard,
        .shards = shard->o.shards,
        .deltas = deltas,
        .n_deltas = (int)n,
        .tables = shard->tables,
        .n_tables = shard->plan.tables + shard->n_companions,
        .pending = shard->pending,
        .identity = r.identity,
        .missing = &missing,
        .ends = message->frame[2].bytes ? message->frame[2].data : NULL,
    };
    status_t status = restore_tables(&plan);
    const int peer = message->peer;
    net_release(shard->o.net, message);
    if (status != ST_OK && shard_rows_are_sound(shard))
        return drop_run(shard, peer, status, missing);
    TRY(status);
    /* A run that only scores: no pulls will come that must not see the pending pushes. */
    for (; shard->purpose != RUN_TRAINS && shard->applied < shard->first_step; shard->applied++)
        TRY(shard_take_step(shard));
    message_counters_t body = {0};
    for (uint32_t t = 0; t < shard->plan.tables + shard->n_companions; t++) {
        table_expire(shard->tables[t]);
        if (is_part_of_model(shard, t))
            body.rows += table_rows(shard->tables[t]);
    }
    return answer_loaded(shard, peer, r.step, &body);
}

/* FOLD: what is older than the oldest checkpoint kept goes into the base, in the background. */
status_t shard_on_fold(shard_t *shard, net_message_t *message)
{
    const char *reason = shard->phase == PHASE_TRAINS && shard->snapshot
                             ? shard_snapshot_compact(shard->snapshot, message->header.step)
                             : "nothing is saved now";
    if (reason)
        return shard_refuse(shard, message, reason);
    net_release(shard->o.net, message);
    return ST_OK;
}

static void log_row_cache(const shard_t *shard)
{
    if (!shard->row_cache)
        return;
    const row_cache_counters_t c = row_cache_counters(shard->row_cache);
    log_info("shard %d: %" PRId64 " rows left memory for disk and %" PRId64 " came back; %" PRId64 " MB there", shard->o.shard,
             c.evicted, c.loaded, (c.disk_bytes >> 20));
}

/* Where the store of this shard is made; **owned**. */
static char *store_path(const shard_t *shard)
{
    return shard->scratch ? run_path(scratch_folder_path(shard->scratch), DIR_STORE)
                          : run_store_path(shard->run_dir, shard->o.shard);
}

/* The store of this shard below the run's folder, which is another on every host. */
static status_t create_store(const shard_t *shard, store_t **store)
{
    char *folder = run_path(shard->run_dir, DIR_STORE), *path = store_path(shard);
    status_t status = dir_create(folder);
    if (status == ST_OK)
        status = store_open(path, true, store);
    mem_free(folder);
    mem_free(path);
    return status;
}

/* What was made elsewhere goes where it belongs. */
static status_t publish_store(const shard_t *shard)
{
    static const char *const names[] = {LMDB_DATA, LMDB_SUMS};
    if (!shard->scratch)
        return ST_OK;
    char *from = store_path(shard), *to = run_store_path(shard->run_dir, shard->o.shard);
    status_t status;
    TRY_DONE(folder_copy(from, to, names, sizeof names / sizeof *names));
    status = dir_remove_tree(from);
done:
    mem_free(from);
    mem_free(to);
    return status;
}

/* FLUSH: tables to the store, digest and counters to the coordinator. */
status_t shard_on_flush(shard_t *shard, net_message_t *message)
{
    message_counters_t *c = &shard->counters;
    const int peer = message->peer;
    const bool is_deployed = shard->purpose == RUN_DEPLOYS && shard->phase == PHASE_LOADED;
    if (!is_deployed && (shard->phase != PHASE_TRAINS || !shard_is_trained(shard)))
        return shard_refuse(shard, message, "the run is not trained to its end");
    net_release(shard->o.net, message);
    shard->phase = PHASE_FLUSHED;
    TRY(shard_send_digests(shard));
    hash_digest_t digest = {0};
    store_t *store = NULL;
    status_t status = create_store(shard, &store);
    if (status == ST_OK)
        status = store_put_origin(store, &(store_origin_t){shard->identity, shard->incarnation, shard->o.shard});
    c->rows = c->parameters = 0;
    for (uint32_t t = 0; t < shard->plan.tables + shard->n_companions && status == ST_OK; t++) {
        if (!is_part_of_model(shard, t))
            continue;
        table_expire(shard->tables[t]);
        status = store_put_table(store, shard->tables[t]);
        table_digest(shard->tables[t], &digest);
        c->rows += table_rows(shard->tables[t]);
        c->parameters += table_rows(shard->tables[t]) * table_options(shard->tables[t])->dim;
    }
    if (status == ST_OK)
        status = store_finish(&store);
    store_close(&store);
    TRY(status);
    TRY(publish_store(shard));
    c->digest_low = digest.low;
    c->digest_high = digest.high;
    c->digest_elements = digest.elements;
    c->bytes_sent = shard->o.net->bytes_sent;
    c->bytes_received = shard->o.net->bytes_received;
    if (shard->o.first_of_process) {
        c->cpu_seconds = clock_cpu_seconds() - shard->cpu_start;
        c->peak_rss_bytes = clock_peak_rss_bytes();
    }
    log_row_cache(shard);
    wire_header_t header = shard_header(shard, WIRE_FLUSHED, shard->applied, c->rows);
    wire_frame_t frame = {c, sizeof *c};
    return net_send(shard->o.net, peer, &header, &frame, 1);
}
