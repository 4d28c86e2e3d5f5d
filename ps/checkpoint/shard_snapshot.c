/* Who does what:
 *
 *     shard's thread     rows, pushes -> blocks    of a megabyte --.                        .--> PREPARED
 *                                                                  v                        |
 *     I/O thread                              open | checksum, append | ... | sync, rename -'
 *                                             or: a batch into the base | ... | remove the delta --> FOLDED
 *
 * Both go through one queue. A file that is being written is waited for by a commit; nothing waits for a compaction: it gives
 * way between batches by going to the queue's end.
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
    bool is_compacting;
    int64_t compaction_step;

    /* The I/O thread's. */
    delta_writer_t *writer; /* NULL after an error: what follows is dropped */
    delta_totals_t totals;  /* of the last file; the shard's once that is durable */
    int64_t last_bytes;
    bool was_full;            /* the warning was given */
    compaction_t *compaction; /* the shard's while it is not at work */
    atomic_bool is_durable, is_compacted;

    atomic_bool abandoned; /* jobs have nothing more to do */
};

status_t shard_snapshot_create(const shard_snapshot_options_t *options, shard_snapshot_t **out)
{
    shard_snapshot_t *snapshot = MEM_NEW(shard_snapshot_t);
    snapshot->o = *options;
    snapshot->pool = pool_create();
    snapshot->step = snapshot->previous = snapshot->compaction_step = -1;
    snapshot->widths = MEM_ARRAY(delta_width_t, options->n_tables);
    for (uint32_t t = 0; t < options->n_tables; t++) {
        const table_t *table = options->tables[t];
        snapshot->widths[t] = (delta_width_t){(uint32_t)table_options(table)->dim, (uint32_t)table_payload_floats(table)};
        table_track(options->tables[t]);
    }
    const compaction_options_t compaction = {.disk = options->disk,
                                             .run_dir = options->run_dir,
                                             .identity = options->identity,
                                             .incarnation = options->incarnation,
                                             .shard = options->shard,
                                             .scratch = options->scratch,
                                             .widths = snapshot->widths,
                                             .tables = options->n_tables};
    snapshot->compaction = compaction_create(&compaction);
    status_t status = compaction_remove_own(snapshot->compaction);
    if (status == ST_OK)
        status = io_create(options->threaded, &snapshot->io);
    if (status == ST_OK)
        *out = snapshot;
    else
        shard_snapshot_destroy(&snapshot);
    return status;
}

void shard_snapshot_destroy(shard_snapshot_t **snapshot)
{
    shard_snapshot_t *c = *snapshot;
    if (!c)
        return;
    atomic_store(&c->abandoned, true);
    io_destroy(&c->io);
    delta_writer_destroy(&c->writer);
    delta_block_destroy(&c->rows);
    delta_block_destroy(&c->pending);
    compaction_destroy(&c->compaction);
    pool_destroy(&c->pool);
    mem_free(c->widths);
    mem_free(c->deltas);
    mem_free(c);
    *snapshot = NULL;
}

bool shard_snapshot_is_saving(const shard_snapshot_t *snapshot)
{
    return snapshot->phase != PHASE_IDLE;
}

bool shard_snapshot_has_work(const shard_snapshot_t *snapshot)
{
    return snapshot->phase != PHASE_IDLE || snapshot->is_compacting;
}

/* ---- jobs of the I/O thread --------------------------------------------------------------------------------------------- */

static void warn_of_little_room(shard_snapshot_t *snapshot, const char *path)
{
    const int64_t left = disk_free_bytes(snapshot->o.disk, path);
    if (snapshot->was_full || left < 0 || left >= FREE_FACTOR * snapshot->last_bytes)
        return;
    snapshot->was_full = true;
    log_warn("shard %d: %s has room for %.1f MB more, and the last checkpoint took %.1f MB: make room before it is full",
             snapshot->o.shard, path, (double)left * 1e-6, (double)snapshot->last_bytes * 1e-6);
}

static status_t open_delta(void *context, void *argument)
{
    shard_snapshot_t *snapshot = context;
    (void)argument;
    if (atomic_load(&snapshot->abandoned))
        return ST_OK;
    const delta_head_t head = {.incarnation = snapshot->o.incarnation,
                               .shard = snapshot->o.shard,
                               .step = snapshot->step,
                               .previous = snapshot->previous,
                               .depth = snapshot->o.depth,
                               .tables = snapshot->o.n_tables,
                               .widths = snapshot->widths,
                               .identity = snapshot->o.identity,
                               .follows = {snapshot->totals.checksum_low, snapshot->totals.checksum_high}};
    char *folder = checkpoint_shard_path(snapshot->o.run_dir, snapshot->o.incarnation, snapshot->o.shard);
    char *path = checkpoint_delta_path(snapshot->o.run_dir, snapshot->o.incarnation, snapshot->o.shard, snapshot->step);
    warn_of_little_room(snapshot, folder);
    status_t status = delta_writer_create(snapshot->o.disk, path, &head, &snapshot->writer);
    mem_free(path);
    mem_free(folder);
    return status;
}

static status_t write_block(void *context, void *argument)
{
    shard_snapshot_t *snapshot = context;
    delta_block_t *block = argument;
    status_t status = ST_OK;
    if (snapshot->writer && !atomic_load(&snapshot->abandoned))
        status = delta_writer_put(snapshot->writer, block);
    if (status != ST_OK)
        delta_writer_destroy(&snapshot->writer);
    delta_block_destroy(&block);
    return status;
}

static status_t finish_delta(void *context, void *argument)
{
    shard_snapshot_t *snapshot = context;
    (void)argument;
    status_t status = ST_OK;
    if (snapshot->writer && !atomic_load(&snapshot->abandoned))
        status = delta_writer_finish(snapshot->writer, &snapshot->totals);
    delta_writer_destroy(&snapshot->writer);
    snapshot->last_bytes = snapshot->totals.bytes;
    if (status == ST_OK)
        failpoint("shard.prepared");
    atomic_store(&snapshot->is_durable, status == ST_OK);
    return status;
}

static status_t sweep_older(void *context, void *argument)
{
    const shard_snapshot_t *snapshot = context;
    (void)argument;
    return atomic_load(&snapshot->abandoned) ? ST_OK : compaction_remove_older(snapshot->compaction);
}

static status_t compaction_piece(void *context, void *argument)
{
    shard_snapshot_t *snapshot = context;
    bool more = false;
    (void)argument;
    if (atomic_load(&snapshot->abandoned))
        return ST_OK;
    TRY(compaction_some(snapshot->compaction, &more));
    if (more)
        io_put(snapshot->io, compaction_piece, snapshot, NULL);
    else
        atomic_store(&snapshot->is_compacted, true);
    return ST_OK;
}

/* ---- the shard's thread ------------------------------------------------------------------------------------------------- */

/* Hand a block over to be written. */
static void send_block(shard_snapshot_t *snapshot, delta_block_t **block)
{
    if (*block)
        io_put(snapshot->io, write_block, snapshot, *block);
    *block = NULL;
}

static void save_row(void *context, const table_t *table, const table_row_t *row)
{
    shard_snapshot_t *snapshot = context;
    const uint32_t id = table_options(table)->id;
    const int64_t floats = table_payload_floats(table);
    if (snapshot->rows && delta_block_row(snapshot->rows, id, floats, row))
        return;
    send_block(snapshot, &snapshot->rows);
    snapshot->rows = delta_block_create(snapshot->pool, DELTA_ROWS, 0, 0);
    ASSERT(delta_block_row(snapshot->rows, id, floats, row));
}

void shard_snapshot_freeze(shard_snapshot_t *snapshot, int64_t step, int64_t pushes, int64_t now_ns)
{
    ASSERT(snapshot->phase == PHASE_IDLE && step > snapshot->step);
    snapshot->previous = snapshot->step;
    snapshot->step = step;
    snapshot->freeze_ns = now_ns;
    snapshot->phase = PHASE_ROWS;
    snapshot->table = 0;
    snapshot->pushes_missing = pushes;
    for (uint32_t t = 0; t < snapshot->o.n_tables; t++)
        table_freeze(snapshot->o.tables[t], save_row, snapshot);
    io_put(snapshot->io, open_delta, snapshot, NULL);
    failpoint("shard.freeze");
}

bool shard_snapshot_takes_push(const shard_snapshot_t *snapshot, int64_t step)
{
    return snapshot->phase == PHASE_ROWS && step < snapshot->step && step >= snapshot->step - snapshot->o.depth;
}

void shard_snapshot_push(shard_snapshot_t *snapshot, int64_t step, int sender, uint32_t table, uint64_t key, const float *g)
{
    const int64_t dim = snapshot->widths[table].dim;
    ASSERT(shard_snapshot_takes_push(snapshot, step));
    const bool goes_on = snapshot->pending && snapshot->pending_step == step && snapshot->pending_sender == sender;
    if (goes_on && delta_block_pending(snapshot->pending, table, dim, key, g))
        return;
    send_block(snapshot, &snapshot->pending);
    snapshot->pending_step = step;
    snapshot->pending_sender = sender;
    snapshot->pending = delta_block_create(snapshot->pool, DELTA_PENDING, step, sender);
    ASSERT(delta_block_pending(snapshot->pending, table, dim, key, g));
}

void shard_snapshot_pushed(shard_snapshot_t *snapshot)
{
    ASSERT(snapshot->pushes_missing > 0);
    send_block(snapshot, &snapshot->pending);
    snapshot->pushes_missing--;
}

static void save_slice(shard_snapshot_t *snapshot)
{
    table_t *table = snapshot->o.tables[snapshot->table];
    const int64_t bytes = snapshot->o.slice_bytes ? snapshot->o.slice_bytes : SLICE_BYTES;
    const int64_t rows = bytes / ((int64_t)sizeof(float) * table_payload_floats(table)) + 1;
    if (table_save_some(table, rows))
        snapshot->table++;
    failpoint("shard.slice");
}

status_t shard_snapshot_work(shard_snapshot_t *snapshot, bool *again)
{
    *again = false;
    if (!shard_snapshot_has_work(snapshot))
        return ST_OK;
    io_step(snapshot->io);
    TRY(io_status(snapshot->io));
    if (snapshot->phase == PHASE_ROWS && snapshot->table < snapshot->o.n_tables && io_waiting(snapshot->io) < QUEUE_MOST) {
        save_slice(snapshot);
        *again = true;
    }
    if (snapshot->phase == PHASE_ROWS && snapshot->table == snapshot->o.n_tables && snapshot->pushes_missing == 0) {
        send_block(snapshot, &snapshot->rows);
        io_put(snapshot->io, finish_delta, snapshot, NULL);
        snapshot->phase = PHASE_CLOSING;
    }
    if (!snapshot->o.threaded && io_waiting(snapshot->io) > 0)
        *again = true;
    return ST_OK;
}

bool shard_snapshot_prepared(shard_snapshot_t *snapshot, int64_t now_ns, int64_t *step, message_prepared_t *out)
{
    if (snapshot->phase != PHASE_CLOSING || !atomic_exchange(&snapshot->is_durable, false))
        return false;
    snapshot->phase = PHASE_IDLE;
    MEM_GROW(snapshot->deltas, snapshot->deltas_capacity, snapshot->n_deltas + 1);
    snapshot->deltas[snapshot->n_deltas++] = snapshot->step;
    *step = snapshot->step;
    *out = (message_prepared_t){
        .rows = snapshot->totals.rows,
        .pending = snapshot->totals.pending,
        .bytes = snapshot->totals.bytes,
        .checksum_low = snapshot->totals.checksum_low,
        .checksum_high = snapshot->totals.checksum_high,
        .seconds = (double)(now_ns - snapshot->freeze_ns) * 1e-9,
    };
    return true;
}

const char *shard_snapshot_compact(shard_snapshot_t *snapshot, int64_t step)
{
    size_t n = 0;
    while (n < snapshot->n_deltas && snapshot->deltas[n] <= step)
        n++;
    if (snapshot->is_compacting)
        return "the fold before is not done";
    if (snapshot->compaction_step != step && (n == 0 || snapshot->deltas[n - 1] != step))
        return "there is no checkpoint of this step to fold";
    snapshot->is_compacting = true;
    snapshot->compaction_step = step;
    if (snapshot->o.sweeps)
        io_put(snapshot->io, sweep_older, snapshot, NULL);
    compaction_begin(snapshot->compaction, snapshot->deltas, (int)n);
    snapshot->n_deltas -= n;
    memmove(snapshot->deltas, snapshot->deltas + n, snapshot->n_deltas * sizeof *snapshot->deltas);
    io_put(snapshot->io, compaction_piece, snapshot, NULL);
    return NULL;
}

bool shard_snapshot_compacted(shard_snapshot_t *snapshot, int64_t *step)
{
    if (!snapshot->is_compacting || !atomic_exchange(&snapshot->is_compacted, false))
        return false;
    snapshot->is_compacting = false;
    *step = snapshot->compaction_step;
    return true;
}
