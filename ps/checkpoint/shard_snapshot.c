/* Who does what:
 *
 *     shard's thread     rows, pushes -> blocks    of a megabyte --.                        .--> PREPARED
 *                                                                  v                        |
 *     I/O thread                              open | checksum, append | ... | sync, rename -'
 *                                             or: a batch into the base | ... | remove the delta --> FOLDED
 *
 * Both go through one queue. A file that is being written is waited for by a commit; a fold by nobody: it gives way between
 * batches by going to the queue's end.
 *
 * When the disk is slower than the slices, slices stop at QUEUE_MOST blocks. Rows that must be handed over because they change
 * do not: in the worst case all frozen rows are in memory twice. */
#include "ps/checkpoint/shard_snapshot.h"

#include <stdatomic.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/pool.h"
#include "common/files/checkpoint_paths.h"
#include "common/process/failpoint.h"
#include "ps/checkpoint/compaction.h"
#include "ps/checkpoint/delta.h"
#include "ps/checkpoint/io.h"

#define SLICE_BYTES 65536 /* copied at a time: some tens of microseconds, misses included */
#define QUEUE_MOST 32     /* blocks that wait for the disk */
#define FREE_FACTOR 4     /* of the last delta's size must be free, else there is a warning */

typedef enum phase { PHASE_IDLE, PHASE_ROWS, PHASE_CLOSING } phase_t;

struct shard_snapshot {
    shard_snapshot_options_t o;
    pool_t *pool;
    io_t *io;
    delta_width_t *widths; /* [n_tables] */

    phase_t phase;
    int64_t step, previous; /* of the checkpoint under way or the last one; of the one before it, -1: none */
    int64_t freeze_ns;
    int64_t pushes_missing; /* before all pending pushes are here */
    uint32_t table;         /* whose rows are being handed over; n_tables: all are */
    delta_block_t *rows, *pending;
    int64_t pending_step; /* a block of pushes is of one sender in one step */
    int pending_sender;

    int64_t *deltas; /* [n_deltas] steps of the files there are, ascending */
    size_t n_deltas, deltas_capacity;
    bool is_folding;
    int64_t fold_step;

    /* The I/O thread's. */
    delta_writer_t *writer; /* NULL after an error: what follows is dropped */
    delta_totals_t totals;  /* of the last file; the shard's once that is durable */
    int64_t last_bytes;
    bool was_full;      /* the warning was given */
    compaction_t *fold; /* the shard's while it is not folding */
    atomic_bool is_durable, is_folded;

    atomic_bool abandoned; /* jobs have nothing more to do */
};

status_t shard_snapshot_create(const shard_snapshot_options_t *options, shard_snapshot_t **out)
{
    shard_snapshot_t *cut = MEM_NEW(shard_snapshot_t);
    cut->o = *options;
    cut->pool = pool_create();
    cut->step = cut->previous = cut->fold_step = -1;
    cut->widths = MEM_ARRAY(delta_width_t, options->n_tables);
    for (uint32_t t = 0; t < options->n_tables; t++) {
        const table_t *table = options->tables[t];
        cut->widths[t] = (delta_width_t){(uint32_t)table_options(table)->dim, (uint32_t)table_payload_floats(table)};
        table_track(options->tables[t]);
    }
    const compaction_options_t fold = {.disk = options->disk,
                                       .run_dir = options->run_dir,
                                       .identity = options->identity,
                                       .epoch = options->epoch,
                                       .shard = options->shard,
                                       .widths = cut->widths,
                                       .tables = options->n_tables};
    cut->fold = compaction_create(&fold);
    status_t status = compaction_remove_own(cut->fold);
    if (status == ST_OK)
        status = io_create(options->threaded, &cut->io);
    if (status == ST_OK)
        *out = cut;
    else
        shard_snapshot_destroy(&cut);
    return status;
}

void shard_snapshot_destroy(shard_snapshot_t **cut)
{
    shard_snapshot_t *c = *cut;
    if (!c)
        return;
    atomic_store(&c->abandoned, true);
    io_destroy(&c->io);
    delta_writer_destroy(&c->writer);
    delta_block_destroy(&c->rows);
    delta_block_destroy(&c->pending);
    compaction_destroy(&c->fold);
    pool_destroy(&c->pool);
    mem_free(c->widths);
    mem_free(c->deltas);
    mem_free(c);
    *cut = NULL;
}

bool shard_snapshot_is_saving(const shard_snapshot_t *cut)
{
    return cut->phase != PHASE_IDLE;
}

bool shard_snapshot_has_work(const shard_snapshot_t *cut)
{
    return cut->phase != PHASE_IDLE || cut->is_folding;
}

/* ---- jobs of the I/O thread --------------------------------------------------------------------------------------------- */

static void warn_of_little_room(shard_snapshot_t *cut, const char *path)
{
    const int64_t left = disk_free_bytes(cut->o.disk, path);
    if (cut->was_full || left < 0 || left >= FREE_FACTOR * cut->last_bytes)
        return;
    cut->was_full = true;
    log_warn("shard %d: %s has room for %.1f MB more, and the last checkpoint took %.1f MB: make room before it is full",
             cut->o.shard, path, (double)left * 1e-6, (double)cut->last_bytes * 1e-6);
}

static status_t open_delta(void *context, void *argument)
{
    shard_snapshot_t *cut = context;
    (void)argument;
    if (atomic_load(&cut->abandoned))
        return ST_OK;
    const delta_head_t head = {.epoch = cut->o.epoch,
                               .shard = cut->o.shard,
                               .step = cut->step,
                               .previous = cut->previous,
                               .depth = cut->o.depth,
                               .tables = cut->o.n_tables,
                               .widths = cut->widths,
                               .identity = cut->o.identity,
                               .follows = {cut->totals.checksum_low, cut->totals.checksum_high}};
    char *folder = checkpoint_shard_path(cut->o.run_dir, cut->o.epoch, cut->o.shard);
    char *path = checkpoint_delta_path(cut->o.run_dir, cut->o.epoch, cut->o.shard, cut->step);
    warn_of_little_room(cut, folder);
    status_t status = delta_writer_create(cut->o.disk, path, &head, &cut->writer);
    mem_free(path);
    mem_free(folder);
    return status;
}

static status_t write_block(void *context, void *argument)
{
    shard_snapshot_t *cut = context;
    delta_block_t *block = argument;
    status_t status = ST_OK;
    if (cut->writer && !atomic_load(&cut->abandoned))
        status = delta_writer_put(cut->writer, block);
    if (status != ST_OK)
        delta_writer_destroy(&cut->writer);
    delta_block_destroy(&block);
    return status;
}

static status_t finish_delta(void *context, void *argument)
{
    shard_snapshot_t *cut = context;
    (void)argument;
    status_t status = ST_OK;
    if (cut->writer && !atomic_load(&cut->abandoned))
        status = delta_writer_finish(cut->writer, &cut->totals);
    delta_writer_destroy(&cut->writer);
    cut->last_bytes = cut->totals.bytes;
    if (status == ST_OK)
        failpoint("shard.prepared");
    atomic_store(&cut->is_durable, status == ST_OK);
    return status;
}

static status_t sweep_older(void *context, void *argument)
{
    const shard_snapshot_t *cut = context;
    (void)argument;
    return atomic_load(&cut->abandoned) ? ST_OK : compaction_remove_older(cut->fold);
}

static status_t compaction_piece(void *context, void *argument)
{
    shard_snapshot_t *cut = context;
    bool more = false;
    (void)argument;
    if (atomic_load(&cut->abandoned))
        return ST_OK;
    TRY(compaction_some(cut->fold, &more));
    if (more)
        io_put(cut->io, compaction_piece, cut, NULL);
    else
        atomic_store(&cut->is_folded, true);
    return ST_OK;
}

/* ---- the shard's thread ------------------------------------------------------------------------------------------------- */

/* Hand a block over to be written. */
static void send_block(shard_snapshot_t *cut, delta_block_t **block)
{
    if (*block)
        io_put(cut->io, write_block, cut, *block);
    *block = NULL;
}

static void save_row(void *context, const table_t *table, const table_row_t *row)
{
    shard_snapshot_t *cut = context;
    const uint32_t id = table_options(table)->id;
    const int64_t floats = table_payload_floats(table);
    if (cut->rows && delta_block_row(cut->rows, id, floats, row))
        return;
    send_block(cut, &cut->rows);
    cut->rows = delta_block_create(cut->pool, DELTA_ROWS, 0, 0);
    ASSERT(delta_block_row(cut->rows, id, floats, row));
}

void shard_snapshot_freeze(shard_snapshot_t *cut, int64_t step, int64_t pushes, int64_t now_ns)
{
    ASSERT(cut->phase == PHASE_IDLE && step > cut->step);
    cut->previous = cut->step;
    cut->step = step;
    cut->freeze_ns = now_ns;
    cut->phase = PHASE_ROWS;
    cut->table = 0;
    cut->pushes_missing = pushes;
    for (uint32_t t = 0; t < cut->o.n_tables; t++)
        table_freeze(cut->o.tables[t], save_row, cut);
    io_put(cut->io, open_delta, cut, NULL);
    failpoint("shard.freeze");
}

bool shard_snapshot_takes_push(const shard_snapshot_t *cut, int64_t step)
{
    return cut->phase == PHASE_ROWS && step < cut->step && step >= cut->step - cut->o.depth;
}

void shard_snapshot_push(shard_snapshot_t *cut, int64_t step, int sender, uint32_t table, uint64_t key, const float *g)
{
    const int64_t dim = cut->widths[table].dim;
    ASSERT(shard_snapshot_takes_push(cut, step));
    const bool goes_on = cut->pending && cut->pending_step == step && cut->pending_sender == sender;
    if (goes_on && delta_block_pending(cut->pending, table, dim, key, g))
        return;
    send_block(cut, &cut->pending);
    cut->pending_step = step;
    cut->pending_sender = sender;
    cut->pending = delta_block_create(cut->pool, DELTA_PENDING, step, sender);
    ASSERT(delta_block_pending(cut->pending, table, dim, key, g));
}

void shard_snapshot_pushed(shard_snapshot_t *cut)
{
    ASSERT(cut->pushes_missing > 0);
    send_block(cut, &cut->pending);
    cut->pushes_missing--;
}

static void save_slice(shard_snapshot_t *cut)
{
    table_t *table = cut->o.tables[cut->table];
    const int64_t bytes = cut->o.slice_bytes ? cut->o.slice_bytes : SLICE_BYTES;
    const int64_t rows = bytes / ((int64_t)sizeof(float) * table_payload_floats(table)) + 1;
    if (table_save_some(table, rows))
        cut->table++;
    failpoint("shard.slice");
}

status_t shard_snapshot_work(shard_snapshot_t *cut, bool *again)
{
    *again = false;
    if (!shard_snapshot_has_work(cut))
        return ST_OK;
    io_step(cut->io);
    TRY(io_status(cut->io));
    if (cut->phase == PHASE_ROWS && cut->table < cut->o.n_tables && io_waiting(cut->io) < QUEUE_MOST) {
        save_slice(cut);
        *again = true;
    }
    if (cut->phase == PHASE_ROWS && cut->table == cut->o.n_tables && cut->pushes_missing == 0) {
        send_block(cut, &cut->rows);
        io_put(cut->io, finish_delta, cut, NULL);
        cut->phase = PHASE_CLOSING;
    }
    if (!cut->o.threaded && io_waiting(cut->io) > 0)
        *again = true;
    return ST_OK;
}

bool shard_snapshot_prepared(shard_snapshot_t *cut, int64_t now_ns, int64_t *step, message_prepared_t *out)
{
    if (cut->phase != PHASE_CLOSING || !atomic_exchange(&cut->is_durable, false))
        return false;
    cut->phase = PHASE_IDLE;
    MEM_GROW(cut->deltas, cut->deltas_capacity, cut->n_deltas + 1);
    cut->deltas[cut->n_deltas++] = cut->step;
    *step = cut->step;
    *out = (message_prepared_t){
        .rows = cut->totals.rows,
        .pending = cut->totals.pending,
        .bytes = cut->totals.bytes,
        .checksum_low = cut->totals.checksum_low,
        .checksum_high = cut->totals.checksum_high,
        .seconds = (double)(now_ns - cut->freeze_ns) * 1e-9,
    };
    return true;
}

const char *shard_snapshot_fold(shard_snapshot_t *cut, int64_t step)
{
    size_t n = 0;
    while (n < cut->n_deltas && cut->deltas[n] <= step)
        n++;
    if (cut->is_folding)
        return "the fold before is not done";
    if (cut->fold_step != step && (n == 0 || cut->deltas[n - 1] != step))
        return "there is no checkpoint of this step to fold";
    cut->is_folding = true;
    cut->fold_step = step;
    if (cut->o.sweeps)
        io_put(cut->io, sweep_older, cut, NULL);
    compaction_begin(cut->fold, cut->deltas, (int)n);
    cut->n_deltas -= n;
    memmove(cut->deltas, cut->deltas + n, cut->n_deltas * sizeof *cut->deltas);
    io_put(cut->io, compaction_piece, cut, NULL);
    return NULL;
}

bool shard_snapshot_folded(shard_snapshot_t *cut, int64_t *step)
{
    if (!cut->is_folding || !atomic_exchange(&cut->is_folded, false))
        return false;
    cut->is_folding = false;
    *step = cut->fold_step;
    return true;
}
