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
#include "common/files/folder_copy.h"
#include "common/files/lmdb_pages.h"
#include "common/files/run_paths.h"
#include "common/process/failpoint.h"
#include "ps/checkpoint/base.h"

#define BATCH_BYTES ((size_t)16 << 20) /* of a transaction, whose pages are held in memory: enough for one wait for the disk */
#define PASSES_MOST 16                 /* over a delta; a batch is as large as that needs */

struct compaction {
    compaction_options_t o;

    base_t *base; /* NULL before the first delta */
    base_mark_t mark;
    int64_t kept;   /* the step of the base that checkpoints rely on; -1: none */
    int64_t *steps; /* [n] still to be taken in; steps[at] is under way when there is a reader */
    size_t steps_capacity;
    int n, at, removed; /* steps[removed] .. steps[at] have their deltas still */
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
    compaction_t *c = MEM_NEW(compaction_t);
    c->o = *options;
    if (c->o.batch_bytes == 0)
        c->o.batch_bytes = BATCH_BYTES;
    c->mark = (base_mark_t){.incarnation = options->incarnation,
                            .shard = options->shard,
                            .step = -1,
                            .compacting_to = -1,
                            .identity = options->identity};
    c->kept = -1;
    c->pool = pool_create();
    return c;
}

void compaction_destroy(compaction_t **compaction)
{
    compaction_t *c = *compaction;
    if (!c)
        return;
    base_destroy(&c->base);
    delta_reader_destroy(&c->reader);
    delta_writer_destroy(&c->pending);
    delta_block_destroy(&c->block);
    pool_destroy(&c->pool);
    mem_free(c->steps);
    mem_free(c->changes);
    mem_free(c->floats);
    mem_free(c);
    *compaction = NULL;
}

void compaction_begin(compaction_t *c, const int64_t *steps, int n)
{
    ASSERT(c->at == c->n);
    MEM_GROW(c->steps, c->steps_capacity, (size_t)n);
    memcpy(c->steps, steps, (size_t)n * sizeof *steps);
    c->n = n;
    c->at = c->removed = 0;
}

/* ---- one delta ---------------------------------------------------------------------------------------------------------- */

static char *base_path(const compaction_t *c)
{
    return c->o.scratch ? run_path(c->o.scratch, DIR_BASE) : checkpoint_base_path(c->o.run_dir, c->o.incarnation, c->o.shard);
}

static status_t open_base(compaction_t *c)
{
    int64_t *floats = MEM_ARRAY(int64_t, c->o.tables);
    for (uint32_t t = 0; t < c->o.tables; t++)
        floats[t] = c->o.widths[t].payload_floats;
    char *path = base_path(c);
    char *folder = checkpoint_shard_path(c->o.run_dir, c->o.incarnation, c->o.shard);
    status_t status;
    TRY_DONE(base_create(path, floats, c->o.tables, &c->mark, &c->base));
    if (c->o.scratch)
        goto done;
    /* LMDB syncs what is in its file; that there is a file is the folders' affair. */
    TRY_DONE(disk_sync_dir(disk_posix(), path));
    TRY_DONE(disk_sync_dir(disk_posix(), folder));
done:
    mem_free(path);
    mem_free(folder);
    mem_free(floats);
    return status;
}

static status_t weigh_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    compaction_t *c = context;
    (void)table;
    c->slot_bytes[hash_slot(row->key)] += payload_floats * (int64_t)sizeof(float);
    return ST_OK;
}

/* Find the slots of the next pass, whose rows fit into a batch, and begin it. */
static void begin_pass(compaction_t *c)
{
    int64_t bytes = 0;
    c->slot = c->end_slot;
    do
        bytes += c->slot_bytes[c->end_slot++];
    while (c->end_slot < HASH_SLOTS && (size_t)(bytes + c->slot_bytes[c->end_slot]) <= c->batch_bytes);
    delta_reader_rewind(c->reader);
}

/* Cut the delta's rows into passes. */
static status_t plan_passes(compaction_t *c)
{
    const delta_visitor_t rows = {.row = weigh_row, .context = c};
    memset(c->slot_bytes, 0, sizeof c->slot_bytes);
    TRY(delta_reader_visit(c->reader, &rows));
    int64_t bytes = 0;
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        bytes += c->slot_bytes[slot];
    const size_t share = (size_t)bytes / PASSES_MOST;
    c->batch_bytes = share > c->o.batch_bytes ? share : c->o.batch_bytes;
    c->end_slot = 0;
    begin_pass(c);
    return ST_OK;
}

static bool is_in_pass(const compaction_t *c, uint64_t key)
{
    const uint32_t slot = hash_slot(key);
    return slot >= c->slot && slot < c->end_slot;
}

static hash128_t checksum_of(const delta_reader_t *reader)
{
    const delta_totals_t *totals = delta_reader_totals(reader);
    return (hash128_t){totals->checksum_low, totals->checksum_high};
}

static status_t begin_delta(compaction_t *c)
{
    const int64_t step = c->steps[c->at];
    const delta_head_t expected = {
        .incarnation = c->o.incarnation, .shard = c->o.shard, .step = step, .identity = c->o.identity};
    if (!c->base)
        TRY(open_base(c));
    char *path = checkpoint_delta_path(c->o.run_dir, c->o.incarnation, c->o.shard, step);
    status_t status = delta_reader_create(c->o.disk, path, &expected, &c->reader);
    mem_free(path);
    TRY(status);
    delta_head_t head = *delta_reader_head(c->reader);
    head.follows = checksum_of(c->reader);
    if (head.depth > 0 && c->at + 1 == c->n) {
        path = checkpoint_pending_path(c->o.run_dir, c->o.incarnation, c->o.shard, step);
        status = delta_writer_create(c->o.disk, path, &head, &c->pending);
        mem_free(path);
        TRY(status);
    }
    TRY(plan_passes(c));
    c->mark.compacting_to = step;
    TRY(base_change(c->base, NULL, 0, &c->mark));
    failpoint("compaction.begun");
    return ST_OK;
}

static status_t remove_file(compaction_t *c, char *path)
{
    status_t status = disk_remove(c->o.disk, path);
    mem_free(path);
    return status;
}

static status_t put_block(compaction_t *c)
{
    status_t status = c->block ? delta_writer_put(c->pending, c->block) : ST_OK;
    delta_block_destroy(&c->block);
    return status;
}

/* Bases but for the one of this path. */
typedef struct compaction_copies {
    const char *folder, *kept;
    status_t status;
} compaction_copies_t;

static void remove_copy(void *context, const char *name)
{
    compaction_copies_t *copies = context;
    char *path = run_path(copies->folder, name);
    if (copies->status == ST_OK && checkpoint_is_base(name) && strcmp(path, copies->kept) != 0)
        copies->status = dir_remove_tree(path);
    mem_free(path);
}

/* The base as it is now, to the run's folder, in the place of the copy before. */
static status_t publish_base(const compaction_t *c, const char *folder)
{
    static const char *const names[] = {LMDB_DATA, LMDB_SUMS};
    char *from = base_path(c), *to = checkpoint_copy_path(c->o.run_dir, c->o.incarnation, c->o.shard, c->mark.step);
    compaction_copies_t copies = {folder, to, ST_OK};
    status_t status;
    TRY_DONE(folder_copy(from, to, names, sizeof names / sizeof *names));
    failpoint("compaction.published");
    TRY_DONE(disk_list(c->o.disk, folder, remove_copy, &copies));
    status = copies.status;
done:
    mem_free(from);
    mem_free(to);
    return status;
}

/* What the base has taken in: durably, so that files are gone in their order: where the first of an incarnation is, all are
 * (ps/checkpoint/load.c). */
static status_t remove_taken(compaction_t *c, const char *folder)
{
    for (; c->removed <= c->at; c->removed++)
        TRY(remove_file(c, checkpoint_delta_path(c->o.run_dir, c->o.incarnation, c->o.shard, c->steps[c->removed])));
    if (c->kept >= 0)
        TRY(remove_file(c, checkpoint_pending_path(c->o.run_dir, c->o.incarnation, c->o.shard, c->kept)));
    c->kept = c->mark.step;
    return disk_sync_dir(c->o.disk, folder);
}

static status_t end_delta(compaction_t *c)
{
    c->mark.delta = checksum_of(c->reader);
    delta_reader_destroy(&c->reader);
    if (c->pending) {
        delta_totals_t totals;
        TRY(put_block(c));
        TRY(delta_writer_finish(c->pending, &totals));
        delta_writer_destroy(&c->pending);
    }
    c->mark.step = c->steps[c->at];
    c->mark.compacting_to = -1;
    TRY(base_change(c->base, NULL, 0, &c->mark));
    failpoint("compaction.done");
    char *folder = checkpoint_shard_path(c->o.run_dir, c->o.incarnation, c->o.shard);
    const bool is_last = c->at + 1 == c->n;
    status_t status = ST_OK;
    if (c->o.scratch && is_last)
        TRY_DONE(publish_base(c, folder));
    if (!c->o.scratch || is_last)
        TRY_DONE(remove_taken(c, folder));
done:
    mem_free(folder);
    TRY(status);
    c->at++;
    return ST_OK;
}

static status_t take_pending(void *context, int64_t step, int sender, uint32_t table, int64_t dim, uint64_t key, const float *g)
{
    compaction_t *c = context;
    if (c->block && c->block_step == step && c->block_sender == sender && delta_block_pending(c->block, table, dim, key, g))
        return ST_OK;
    TRY(put_block(c));
    c->block = delta_block_create(c->pool, DELTA_PENDING, step, sender);
    c->block_step = step;
    c->block_sender = sender;
    ASSERT(delta_block_pending(c->block, table, dim, key, g));
    return ST_OK;
}

static status_t take_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    compaction_t *c = context;
    if (!is_in_pass(c, row->key))
        return ST_OK;
    MEM_GROW(c->changes, c->changes_capacity, c->n_changes + 1);
    MEM_GROW(c->floats, c->floats_capacity, c->n_floats + (size_t)payload_floats);
    memcpy(c->floats + c->n_floats, row->payload, (size_t)payload_floats * sizeof(float));
    c->changes[c->n_changes++] = (base_change_t){table, *row};
    c->n_floats += (size_t)payload_floats;
    return ST_OK;
}

static status_t take_removed(void *context, uint32_t table, uint64_t key)
{
    compaction_t *c = context;
    if (!is_in_pass(c, key))
        return ST_OK;
    MEM_GROW(c->changes, c->changes_capacity, c->n_changes + 1);
    c->changes[c->n_changes++] = (base_change_t){table, {.key = key}};
    return ST_OK;
}

/* The copies have come to rest: let the changes point at them. */
static void place_rows(compaction_t *c)
{
    const float *at = c->floats;
    for (size_t i = 0; i < c->n_changes; i++)
        if (c->changes[i].row.payload) {
            c->changes[i].row.payload = at;
            at += c->o.widths[c->changes[i].table].payload_floats;
        }
}

/* The removed keys of a delta come before its rows, and a key may be among both: they are never of one batch. The first pass
 * sees the pending pushes. */
static status_t take_batch(compaction_t *c, bool *more)
{
    const bool copies_pending = c->pending && c->slot == 0;
    const delta_visitor_t rows = {
        .row = take_row, .pending = copies_pending ? take_pending : NULL, .removed = take_removed, .context = c};
    c->n_changes = c->n_floats = 0;
    do
        TRY(delta_reader_next(c->reader, &rows, more));
    while (*more && c->n_floats > 0 && c->n_floats * sizeof(float) < c->batch_bytes);
    if (c->n_changes > 0) {
        place_rows(c);
        TRY(base_change(c->base, c->changes, (int64_t)c->n_changes, &c->mark));
        failpoint("compaction.batch");
    }
    return ST_OK;
}

status_t compaction_some(compaction_t *c, bool *more)
{
    bool goes_on = true;
    if (c->at < c->n) {
        if (!c->reader)
            TRY(begin_delta(c));
        TRY(take_batch(c, &goes_on));
        if (!goes_on && c->end_slot < HASH_SLOTS)
            begin_pass(c);
        else if (!goes_on)
            TRY(end_delta(c));
    }
    *more = c->at < c->n;
    return ST_OK;
}

/* ---- removal ------------------------------------------------------------------------------------------------------------ */

typedef struct compaction_sweep {
    compaction_t *c;
    const char *folder;
    status_t status;
} compaction_sweep_t;

static void remove_entry(void *context, const char *name)
{
    compaction_sweep_t *sweep = context;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    if (sweep->status == ST_OK)
        sweep->status = checkpoint_is_base(name) ? dir_remove_tree(path) : disk_remove(sweep->c->o.disk, path);
    mem_free(path);
}

/* A shard's folder: the base, which LMDB keeps on the system's own disk, and plain files. */
static status_t remove_shard(compaction_t *c, const char *folder)
{
    compaction_sweep_t sweep = {c, folder, ST_OK};
    char *base = run_path(folder, DIR_BASE);
    status_t status = dir_remove_tree(base);
    mem_free(base);
    TRY(status);
    TRY(disk_list(c->o.disk, folder, remove_entry, &sweep));
    return sweep.status;
}

static void remove_shard_of_incarnation(void *context, const char *name)
{
    compaction_sweep_t *sweep = context;
    if (sweep->status != ST_OK || strncmp(name, DIR_SHARD, strlen(DIR_SHARD)) != 0)
        return;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    sweep->status = remove_shard(sweep->c, path);
    if (sweep->status == ST_OK)
        sweep->status = disk_remove(sweep->c->o.disk, path);
    mem_free(path);
}

static void remove_incarnation(void *context, const char *name)
{
    compaction_sweep_t *sweep = context;
    uint32_t incarnation;
    if (sweep->status != ST_OK || !checkpoint_incarnation_of(name, &incarnation) || incarnation >= sweep->c->o.incarnation)
        return;
    char *path = mem_printf("%s/%s", sweep->folder, name);
    compaction_sweep_t inside = {sweep->c, path, ST_OK};
    sweep->status = disk_list(sweep->c->o.disk, path, remove_shard_of_incarnation, &inside);
    if (sweep->status == ST_OK)
        sweep->status = inside.status;
    mem_free(path);
}

status_t compaction_remove_older(compaction_t *c)
{
    char *folder = checkpoint_path(c->o.run_dir);
    compaction_sweep_t sweep = {c, folder, ST_OK};
    status_t status = disk_list(c->o.disk, folder, remove_incarnation, &sweep);
    mem_free(folder);
    TRY(status);
    return sweep.status;
}

status_t compaction_remove_own(compaction_t *c)
{
    char *folder = checkpoint_shard_path(c->o.run_dir, c->o.incarnation, c->o.shard);
    status_t status = remove_shard(c, folder);
    if (status == ST_OK)
        status = disk_make_dir(c->o.disk, folder);
    mem_free(folder);
    return status;
}
