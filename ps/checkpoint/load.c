#include "ps/checkpoint/load.h"

#include <inttypes.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/net/slots.h"
#include "ps/checkpoint/base.h"
#include "ps/checkpoint/delta.h"
#include "ps/checkpoint/row_batch.h"
#include "ps/table/frequency_filter.h"

/* Of the rows that a folder holds of its slots, those that are likely this shard's. */
static int64_t share(int64_t rows, int folder, int folders, int shard, int shards)
{
    const int first = slots_first(folder, folders), end = slots_first(folder + 1, folders);
    const int own_first = slots_first(shard, shards), own_end = slots_first(shard + 1, shards);
    const int common = (end < own_end ? end : own_end) - (first > own_first ? first : own_first);
    return common <= 0 ? 0 : (int64_t)((double)rows * common / (end - first));
}

typedef struct load {
    const load_plan_t *plan;
    const char *path; /* of the store being read */
    int folder;       /* it is that of this shard */
    row_batch_t *batch;
    load_sum_t sum;
} load_t;

/* The table here that takes the rows of a finished run's; -1: none. */
static int64_t table_for(const load_plan_t *plan, uint32_t from)
{
    const int64_t to = plan->map[from % (uint32_t)plan->maps];
    return to < 0 ? -1 : to + (int64_t)(from / (uint32_t)plan->maps) * plan->n_tables;
}

static status_t open_stored(void *context, store_t *store)
{
    const load_t *load = context;
    const load_plan_t *plan = load->plan;
    const store_origin_t wanted = {plan->identity, plan->incarnation, load->folder};
    TRY(store_check(store, &wanted, plan->stores ? &plan->stores[load->folder] : NULL));
    const uint32_t kinds = plan->n_companions > 0 ? FREQUENCY_FILTER_KINDS : 1;
    for (uint32_t from = 0; from < kinds * (uint32_t)plan->maps; from++) {
        const int64_t to = table_for(plan, from);
        if (to >= 0)
            table_expect(plan->tables[to], table_rows(plan->tables[to]) + share(store_table_rows(store, from), load->folder,
                                                                                plan->folders, plan->shard, plan->shards));
    }
    return ST_OK;
}

static status_t take_row(void *context, uint32_t from, int64_t payload_floats, const table_row_t *row)
{
    load_t *load = context;
    const load_plan_t *plan = load->plan;
    if (slots_shard((int)hash_slot(row->key), plan->shards) != plan->shard)
        return ST_OK;
    const uint32_t kind = from / (uint32_t)plan->maps; /* 0, or that of a companion */
    if (kind >= FREQUENCY_FILTER_KINDS || (kind > 0 && plan->n_companions == 0))
        return FAIL(
            ST_INPUT,
            "%s: holds table %u, and %d tables were expected: the run had other fields or components, or embedding.min_count",
            load->path, from, plan->maps);
    const int64_t to = table_for(plan, from);
    if (to < 0)
        return ST_OK;
    const int64_t wanted = table_payload_floats(plan->tables[to]);
    if (payload_floats != wanted)
        return FAIL(ST_INPUT,
                    "%s: rows of table %u have %" PRId64 " floats with optimizer state, %" PRId64
                    " are wanted: the run had another embedding.dim "
                    "or embedding.optimizer, or other model.parts",
                    load->path, from, payload_floats, wanted);
    table_row_t mine = *row;
    mine.version = 0; /* a step of that run; here it was last used before the first */
    TRY(row_batch_put(load->batch, (uint32_t)to, &mine));
    table_digest_row(from, payload_floats, row, &load->sum.digest);
    load->sum.rows++;
    return ST_OK;
}

static bool holds_slots(int folder, int folders, int shard, int shards)
{
    return slots_first(folder, folders) < slots_first(shard + 1, shards) &&
           slots_first(folder + 1, folders) > slots_first(shard, shards);
}

/* Told of a store before its rows are visited: is it the one that is wanted, and how much is in it? */
typedef status_t open_fn(void *context, store_t *store);

/* A part of a run, or of a checkpoint, that shard `folder` has written. */
static status_t not_here(const char *path, int folder, int64_t *missing)
{
    if (missing)
        *missing = folder;
    return FAIL(ST_INPUT, "%s: is not on this host; copy the run's whole folder to every host that runs a server", path);
}

static status_t read_store(const char *path, open_fn *opened, store_visit_fn *visit, void *context)
{
    store_t *store = NULL;
    status_t status;
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(opened(context, store));
    TRY_DONE(store_scan(store, visit, context));
done:
    store_close(&store);
    return status;
}

status_t load_tables(const load_plan_t *plan, load_sum_t *out)
{
    ASSERT(plan->folders > 0 && plan->shard >= 0 && plan->shard < plan->shards);
    ASSERT(plan->n_companions == 0 || plan->n_companions == (FREQUENCY_FILTER_KINDS - 1) * plan->n_tables);
    load_t load = {.plan = plan, .batch = row_batch_create(plan->tables, plan->n_tables + plan->n_companions, false)};
    status_t status = ST_OK;
    for (int folder = 0; folder < plan->folders && status == ST_OK; folder++) {
        if (!holds_slots(folder, plan->folders, plan->shard, plan->shards))
            continue;
        char *path = run_store_path(plan->run_dir, folder);
        load.path = path;
        load.folder = folder;
        status = file_exists(path) ? read_store(path, open_stored, take_row, &load) : not_here(path, folder, plan->missing);
        mem_free(path);
    }
    if (status == ST_OK)
        status = row_batch_flush(load.batch);
    row_batch_destroy(&load.batch);
    if (status == ST_OK)
        *out = load.sum;
    return status;
}

/* ---- checkpoints -------------------------------------------------------------------------------------------------------- */

typedef struct restore {
    const restore_plan_t *plan;
    const char *path; /* of the file being read */
    int folder;       /* it is that of this shard */
    int64_t held;     /* the step that its files so far lead to; -1: none */
    hash128_t last;   /* checksum of the delta that led there */
    int64_t *before;  /* [n_tables] rows of other folders */
    row_batch_t *batch;
} restore_t;

/* A file comes next that holds this number of rows of a table; those that earlier files of the folder have may be the same. */
static void expect_rows(const restore_t *restore, uint32_t table, int64_t rows)
{
    const restore_plan_t *plan = restore->plan;
    table_expect(plan->tables[table],
                 restore->before[table] + share(rows, restore->folder, plan->folders, plan->shard, plan->shards));
}

/* The checksum of the delta of the checkpoint itself, or NULL where the manifest is not asked. */
static const hash128_t *end_of(const restore_t *restore)
{
    return restore->plan->ends ? &restore->plan->ends[restore->folder] : NULL;
}

static status_t open_base(void *context, store_t *store)
{
    restore_t *restore = context;
    const restore_plan_t *plan = restore->plan;
    const base_mark_t wanted = {
        .incarnation = plan->incarnation, .shard = restore->folder, .step = plan->step, .identity = plan->identity};
    base_mark_t mark;
    TRY(base_check_mark(store, &wanted, &mark));
    if (mark.step == plan->step && end_of(restore))
        TRY(base_check_delta(store, &mark, *end_of(restore)));
    for (uint32_t t = 0; t < plan->n_tables; t++)
        expect_rows(restore, t, store_table_rows(store, t));
    restore->held = mark.step;
    restore->last = mark.delta;
    return ST_OK;
}

static bool is_own(const restore_plan_t *plan, uint64_t key)
{
    return slots_shard((int)hash_slot(key), plan->shards) == plan->shard;
}

static status_t check_table(const restore_t *restore, uint32_t table, int64_t dim, int64_t payload_floats)
{
    const restore_plan_t *plan = restore->plan;
    if (table < plan->n_tables && (dim < 0 || dim == table_options(plan->tables[table])->dim) &&
        (payload_floats < 0 || payload_floats == table_payload_floats(plan->tables[table])))
        return ST_OK;
    return FAIL(
        ST_CORRUPT,
        "%s: table %u of the checkpoint is not as wide as this run's, or this run has none: it is of another experiment",
        restore->path, table);
}

static status_t restore_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    const restore_t *restore = context;
    if (!is_own(restore->plan, row->key))
        return ST_OK;
    TRY(check_table(restore, table, -1, payload_floats));
    return row_batch_put(restore->batch, table, row);
}

static status_t restore_pending(void *context, int64_t step, int sender, uint32_t table, int64_t dim, uint64_t key,
                                const float *g)
{
    const restore_t *restore = context;
    if (!is_own(restore->plan, key))
        return ST_OK;
    TRY(check_table(restore, table, dim, -1));
    pending_gradients_put(restore->plan->pending, step, sender, table, key, g);
    return ST_OK;
}

static status_t open_delta(const restore_t *restore, int64_t step, delta_reader_t **out)
{
    const restore_plan_t *plan = restore->plan;
    const delta_head_t expected = {
        .incarnation = plan->incarnation, .shard = restore->folder, .step = step, .identity = plan->identity};
    if (!disk_exists(plan->disk, restore->path))
        return not_here(restore->path, restore->folder, plan->missing);
    return delta_reader_create(plan->disk, restore->path, &expected, out);
}

/* Is the file the next one: a delta that leads on from the checkpoint before, or, where the base is that of the checkpoint
 * itself, its pending pushes? */
static status_t check_delta(const restore_t *restore, const delta_reader_t *reader)
{
    const restore_plan_t *plan = restore->plan;
    const delta_head_t *head = delta_reader_head(reader);
    const bool is_pending = restore->held == plan->step, is_last = head->step == plan->step;
    if (!is_pending && head->previous != restore->held)
        return FAIL(ST_CORRUPT,
                    "%s: leads from step %" PRId64 ", and the files before it lead to step %" PRId64 ": one is missing between",
                    restore->path, head->previous, restore->held);
    if (is_last && head->depth != plan->depth)
        return FAIL(ST_CORRUPT,
                    "%s: was written with pipeline_depth %" PRId64 ", and the checkpoint's is %" PRId64 ": files were mixed up",
                    restore->path, head->depth, plan->depth);
    return delta_reader_check(reader, &restore->last, is_last && !is_pending ? end_of(restore) : NULL);
}

/* The file restore->path. */
static status_t restore_delta(restore_t *restore, int64_t step)
{
    const restore_plan_t *plan = restore->plan;
    const delta_visitor_t visitor = {
        .row = restore_row, .pending = step == plan->step ? restore_pending : NULL, .context = restore};
    delta_reader_t *reader = NULL;
    TRY(open_delta(restore, step, &reader));
    for (uint32_t t = 0; t < plan->n_tables; t++)
        expect_rows(restore, t, delta_reader_rows(reader, t));
    status_t status = check_delta(restore, reader);
    if (status == ST_OK)
        status = delta_reader_visit(reader, &visitor);
    const delta_totals_t *totals = delta_reader_totals(reader);
    restore->held = step;
    restore->last = (hash128_t){totals->checksum_low, totals->checksum_high};
    delta_reader_destroy(&reader);
    return status;
}

/* Deltas are deleted oldest first, when they are in the base. So where the incarnation's first one is, all are, and the base,
 * which may be only half made, adds nothing. */
static status_t restore_base(restore_t *restore)
{
    const restore_plan_t *plan = restore->plan;
    char *first = checkpoint_delta_path(plan->run_dir, plan->incarnation, restore->folder, plan->deltas[0]);
    char *base = base_find(plan->run_dir, plan->incarnation, restore->folder);
    status_t status = ST_OK;
    restore->held = -1;
    restore->last = (hash128_t){0};
    if (!disk_exists(plan->disk, first)) {
        restore->path = file_exists(base) ? base : first;
        status = file_exists(restore->path) ? read_store(restore->path, open_base, restore_row, restore)
                                            : not_here(restore->path, restore->folder, plan->missing);
    }
    mem_free(first);
    mem_free(base);
    return status;
}

static status_t restore_folder(restore_t *restore)
{
    const restore_plan_t *plan = restore->plan;
    for (uint32_t t = 0; t < plan->n_tables; t++)
        restore->before[t] = table_rows(plan->tables[t]);
    TRY(restore_base(restore));
    if (restore->held == plan->step && plan->depth > 0) {
        char *path = checkpoint_pending_path(plan->run_dir, plan->incarnation, restore->folder, plan->step);
        restore->path = path;
        status_t status = restore_delta(restore, plan->step);
        mem_free(path);
        return status;
    }
    for (int i = 0; i < plan->n_deltas; i++) {
        if (plan->deltas[i] <= restore->held)
            continue;
        char *path = checkpoint_delta_path(plan->run_dir, plan->incarnation, restore->folder, plan->deltas[i]);
        restore->path = path;
        status_t status = restore_delta(restore, plan->deltas[i]);
        mem_free(path);
        TRY(status);
    }
    return ST_OK;
}

status_t restore_tables(const restore_plan_t *plan)
{
    ASSERT(plan->folders > 0 && plan->n_deltas > 0 && plan->deltas[plan->n_deltas - 1] == plan->step);
    restore_t restore = {
        .plan = plan,
        .before = MEM_ARRAY(int64_t, plan->n_tables),
        .batch = row_batch_create(plan->tables, plan->n_tables, true),
    };
    status_t status = ST_OK;
    for (; restore.folder < plan->folders && status == ST_OK; restore.folder++)
        if (holds_slots(restore.folder, plan->folders, plan->shard, plan->shards))
            status = restore_folder(&restore);
    if (status == ST_OK)
        status = row_batch_flush(restore.batch);
    row_batch_destroy(&restore.batch);
    mem_free(restore.before);
    return status;
}
