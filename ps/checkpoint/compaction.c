/* The rows of a delta lie in no order, and a batch of them would touch nearly every page of the base. So a delta that is larger
 * than a batch is read several times, each time for the rows of a range of slots, by which the base is sorted first: a page is
 * then changed in one batch, or two, and written as often. A batch is a share of the delta at least, so that the passes are
 * few, however large it is.
 *
 * Rejected: sorting the whole delta first, which needs memory in proportion to it, beside the rows of training; batches of the
 * delta's own order, which write the base once for each. */
#include "ps/checkpoint/compaction.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/process/failpoint.h"
#include "ps/checkpoint/base.h"

#define BATCH_BYTES ((size_t)16 << 20) /* of a transaction, whose pages are held in memory: enough for one wait for the disk */
#define PASSES_MOST 16                 /* over a delta; a batch is as large as that needs */

struct fold {
    compaction_options_t o;

    base_t *base; /* NULL before the first fold */
    base_mark_t mark;
    int64_t *steps; /* [n] still to be taken in; steps[at] is under way when there is a reader */
    size_t steps_capacity;
    int n, at;
    delta_reader_t *reader;
    int64_t slot_bytes[HASH_SLOTS]; /* of the delta */
    size_t batch_bytes;             /* for the delta */
    uint32_t slot, end_slot;        /* the rows of slots slot .. end_slot - 1 are being taken in */
    delta_writer_t *pending;        /* of the last one, where there may be pending pushes; else NULL */
    delta_block_t *block;
    int64_t block_step;
    int block_sender;
    pool_t *pool;

    /* The batch: rows are copied, because the reader's are gone with its next block. */
    base_change_t *changes;
    size_t n_changes, changes_capacity;
    float *floats;
    size_t n_floats, floats_capacity;
};

compaction_t *compaction_create(const compaction_options_t *options)
{
    compaction_t *fold = MEM_NEW(compaction_t);
    fold->o = *options;
    if (fold->o.batch_bytes == 0)
        fold->o.batch_bytes = BATCH_BYTES;
    fold->mark = (base_mark_t){
        .epoch = options->epoch, .shard = options->shard, .step = -1, .folding_to = -1, .identity = options->identity};
    fold->pool = pool_create();
    return fold;
}

void compaction_destroy(compaction_t **fold)
{
    compaction_t *f = *fold;
    if (!f)
        return;
    base_destroy(&f->base);
    delta_reader_destroy(&f->reader);
    delta_writer_destroy(&f->pending);
    delta_block_destroy(&f->block);
    pool_destroy(&f->pool);
    mem_free(f->steps);
    mem_free(f->changes);
    mem_free(f->floats);
    mem_free(f);
    *fold = NULL;
}

void compaction_begin(compaction_t *fold, const int64_t *steps, int n)
{
    ASSERT(fold->at == fold->n);
    MEM_GROW(fold->steps, fold->steps_capacity, (size_t)n);
    memcpy(fold->steps, steps, (size_t)n * sizeof *steps);
    fold->n = n;
    fold->at = 0;
}

/* ---- one delta ---------------------------------------------------------------------------------------------------------- */

static status_t open_base(compaction_t *fold)
{
    int64_t *floats = MEM_ARRAY(int64_t, fold->o.tables);
    for (uint32_t t = 0; t < fold->o.tables; t++)
        floats[t] = fold->o.widths[t].payload_floats;
    char *path = checkpoint_base_path(fold->o.run_dir, fold->o.epoch, fold->o.shard);
    char *folder = checkpoint_shard_path(fold->o.run_dir, fold->o.epoch, fold->o.shard);
    status_t status = base_create(path, floats, fold->o.tables, &fold->mark, &fold->base);
    /* LMDB syncs what is in its file; that there is a file is the folders' affair. */
    if (status == ST_OK)
        status = disk_sync_dir(disk_posix(), path);
    if (status == ST_OK)
        status = disk_sync_dir(disk_posix(), folder);
    mem_free(path);
    mem_free(folder);
    mem_free(floats);
    return status;
}

static status_t weigh_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    compaction_t *fold = context;
    (void)table;
    fold->slot_bytes[hash_slot(row->key)] += payload_floats * (int64_t)sizeof(float);
    return ST_OK;
}

/* Find the slots of the next pass, whose rows fit into a batch, and begin it. */
static void begin_pass(compaction_t *fold)
{
    int64_t bytes = 0;
    fold->slot = fold->end_slot;
    do
        bytes += fold->slot_bytes[fold->end_slot++];
    while (fold->end_slot < HASH_SLOTS && (size_t)(bytes + fold->slot_bytes[fold->end_slot]) <= fold->batch_bytes);
    delta_reader_rewind(fold->reader);
}

/* Cut the delta's rows into passes. */
static status_t plan_passes(compaction_t *fold)
{
    const delta_visitor_t rows = {.row = weigh_row, .context = fold};
    memset(fold->slot_bytes, 0, sizeof fold->slot_bytes);
    TRY(delta_reader_visit(fold->reader, &rows));
    int64_t bytes = 0;
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        bytes += fold->slot_bytes[slot];
    const size_t share = (size_t)bytes / PASSES_MOST;
    fold->batch_bytes = share > fold->o.batch_bytes ? share : fold->o.batch_bytes;
    fold->end_slot = 0;
    begin_pass(fold);
    return ST_OK;
}

static bool is_in_pass(const compaction_t *fold, uint64_t key)
{
    const uint32_t slot = hash_slot(key);
    return slot >= fold->slot && slot < fold->end_slot;
}

static hash128_t checksum_of(const delta_reader_t *reader)
{
    const delta_totals_t *totals = delta_reader_totals(reader);
    return (hash128_t){totals->checksum_low, totals->checksum_high};
}

static status_t begin_delta(compaction_t *fold)
{
    const int64_t step = fold->steps[fold->at];
    const delta_head_t expected = {.epoch = fold->o.epoch, .shard = fold->o.shard, .step = step, .identity = fold->o.identity};
    if (!fold->base)
        TRY(open_base(fold));
    char *path = checkpoint_delta_path(fold->o.run_dir, fold->o.epoch, fold->o.shard, step);
    status_t status = delta_reader_create(fold->o.disk, path, &expected, &fold->reader);
    mem_free(path);
    TRY(status);
    delta_head_t head = *delta_reader_head(fold->reader);
    head.follows = checksum_of(fold->reader);
    if (head.depth > 0 && fold->at + 1 == fold->n) {
        path = checkpoint_pending_path(fold->o.run_dir, fold->o.epoch, fold->o.shard, step);
        status = delta_writer_create(fold->o.disk, path, &head, &fold->pending);
        mem_free(path);
        TRY(status);
    }
    TRY(plan_passes(fold));
    fold->mark.folding_to = step;
    TRY(base_change(fold->base, NULL, 0, &fold->mark));
    failpoint("fold.begun");
    return ST_OK;
}

static status_t remove_file(compaction_t *fold, char *path)
{
    status_t status = disk_remove(fold->o.disk, path);
    mem_free(path);
    return status;
}

static status_t put_block(compaction_t *fold)
{
    status_t status = fold->block ? delta_writer_put(fold->pending, fold->block) : ST_OK;
    delta_block_destroy(&fold->block);
    return status;
}

static status_t end_delta(compaction_t *fold)
{
    const int64_t step = fold->steps[fold->at], before = fold->mark.step;
    fold->mark.delta = checksum_of(fold->reader);
    delta_reader_destroy(&fold->reader);
    if (fold->pending) {
        delta_totals_t totals;
        TRY(put_block(fold));
        TRY(delta_writer_finish(fold->pending, &totals));
        delta_writer_destroy(&fold->pending);
    }
    fold->mark.step = step;
    fold->mark.folding_to = -1;
    TRY(base_change(fold->base, NULL, 0, &fold->mark));
    failpoint("fold.done");
    /* Durably, so that files are gone in their order: where the first of an epoch is, all are (ps/checkpoint/load.c). */
    char *folder = checkpoint_shard_path(fold->o.run_dir, fold->o.epoch, fold->o.shard);
    status_t status = remove_file(fold, checkpoint_delta_path(fold->o.run_dir, fold->o.epoch, fold->o.shard, step));
    if (status == ST_OK && before >= 0)
        status = remove_file(fold, checkpoint_pending_path(fold->o.run_dir, fold->o.epoch, fold->o.shard, before));
    if (status == ST_OK)
        status = disk_sync_dir(fold->o.disk, folder);
    mem_free(folder);
    TRY(status);
    fold->at++;
    return ST_OK;
}

static status_t take_pending(void *context, int64_t step, int sender, uint32_t table, int64_t dim, uint64_t key, const float *g)
{
    compaction_t *fold = context;
    if (fold->block && fold->block_step == step && fold->block_sender == sender &&
        delta_block_pending(fold->block, table, dim, key, g))
        return ST_OK;
    TRY(put_block(fold));
    fold->block = delta_block_create(fold->pool, DELTA_PENDING, step, sender);
    fold->block_step = step;
    fold->block_sender = sender;
    ASSERT(delta_block_pending(fold->block, table, dim, key, g));
    return ST_OK;
}

static status_t take_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    compaction_t *fold = context;
    if (!is_in_pass(fold, row->key))
        return ST_OK;
    MEM_GROW(fold->changes, fold->changes_capacity, fold->n_changes + 1);
    MEM_GROW(fold->floats, fold->floats_capacity, fold->n_floats + (size_t)payload_floats);
    memcpy(fold->floats + fold->n_floats, row->payload, (size_t)payload_floats * sizeof(float));
    fold->changes[fold->n_changes++] = (base_change_t){table, *row};
    fold->n_floats += (size_t)payload_floats;
    return ST_OK;
}

static status_t take_removed(void *context, uint32_t table, uint64_t key)
{
    compaction_t *fold = context;
    if (!is_in_pass(fold, key))
        return ST_OK;
    MEM_GROW(fold->changes, fold->changes_capacity, fold->n_changes + 1);
    fold->changes[fold->n_changes++] = (base_change_t){table, {.key = key}};
    return ST_OK;
}

/* The copies have come to rest: let the changes point at them. */
static void place_rows(compaction_t *fold)
{
    const float *at = fold->floats;
    for (size_t i = 0; i < fold->n_changes; i++)
        if (fold->changes[i].row.payload) {
            fold->changes[i].row.payload = at;
            at += fold->o.widths[fold->changes[i].table].payload_floats;
        }
}

/* The removed keys of a delta come before its rows, and a key may be among both: they are never of one batch. The first pass
 * sees the pending pushes. */
static status_t take_batch(compaction_t *fold, bool *more)
{
    const bool copies_pending = fold->pending && fold->slot == 0;
    const delta_visitor_t rows = {
        .row = take_row, .pending = copies_pending ? take_pending : NULL, .removed = take_removed, .context = fold};
    fold->n_changes = fold->n_floats = 0;
    do
        TRY(delta_reader_next(fold->reader, &rows, more));
    while (*more && fold->n_floats > 0 && fold->n_floats * sizeof(float) < fold->batch_bytes);
    if (fold->n_changes > 0) {
        place_rows(fold);
        TRY(base_change(fold->base, fold->changes, (int64_t)fold->n_changes, &fold->mark));
        failpoint("fold.batch");
    }
    return ST_OK;
}

status_t compaction_some(compaction_t *fold, bool *more)
{
    bool goes_on = true;
    if (fold->at < fold->n) {
        if (!fold->reader)
            TRY(begin_delta(fold));
        TRY(take_batch(fold, &goes_on));
        if (!goes_on && fold->end_slot < HASH_SLOTS)
            begin_pass(fold);
        else if (!goes_on)
            TRY(end_delta(fold));
    }
    *more = fold->at < fold->n;
    return ST_OK;
}

/* ---- removal ------------------------------------------------------------------------------------------------------------ */

typedef struct compaction_sweep {
    compaction_t *fold;
    const char *folder;
    status_t status;
} compaction_sweep_t;

static void remove_entry(void *context, const char *name)
{
    compaction_sweep_t *sweep = context;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    if (sweep->status == ST_OK)
        sweep->status = strcmp(name, DIR_BASE) == 0 ? dir_remove_tree(path) : disk_remove(sweep->fold->o.disk, path);
    mem_free(path);
}

/* A shard's folder: the base, which LMDB keeps on the system's own disk, and plain files. */
static status_t remove_shard(compaction_t *fold, const char *folder)
{
    compaction_sweep_t sweep = {fold, folder, ST_OK};
    char *base = run_path(folder, DIR_BASE);
    status_t status = dir_remove_tree(base);
    mem_free(base);
    TRY(status);
    TRY(disk_list(fold->o.disk, folder, remove_entry, &sweep));
    return sweep.status;
}

static void remove_shard_of_epoch(void *context, const char *name)
{
    compaction_sweep_t *sweep = context;
    if (sweep->status != ST_OK || strncmp(name, DIR_SHARD, strlen(DIR_SHARD)) != 0)
        return;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    sweep->status = remove_shard(sweep->fold, path);
    if (sweep->status == ST_OK)
        sweep->status = disk_remove(sweep->fold->o.disk, path);
    mem_free(path);
}

static void remove_epoch(void *context, const char *name)
{
    compaction_sweep_t *sweep = context;
    uint32_t epoch;
    if (sweep->status != ST_OK || !checkpoint_epoch_of(name, &epoch) || epoch >= sweep->fold->o.epoch)
        return;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    compaction_sweep_t inside = {sweep->fold, path, ST_OK};
    sweep->status = disk_list(sweep->fold->o.disk, path, remove_shard_of_epoch, &inside);
    if (sweep->status == ST_OK)
        sweep->status = inside.status;
    mem_free(path);
}

status_t compaction_remove_older(compaction_t *fold)
{
    char *folder = checkpoint_path(fold->o.run_dir);
    compaction_sweep_t sweep = {fold, folder, ST_OK};
    status_t status = disk_list(fold->o.disk, folder, remove_epoch, &sweep);
    mem_free(folder);
    TRY(status);
    return sweep.status;
}

status_t compaction_remove_own(compaction_t *fold)
{
    char *folder = checkpoint_shard_path(fold->o.run_dir, fold->o.epoch, fold->o.shard);
    status_t status = remove_shard(fold, folder);
    if (status == ST_OK)
        status = disk_make_dir(fold->o.disk, folder);
    mem_free(folder);
    return status;
}
