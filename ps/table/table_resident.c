/* Rows that leave memory and come back.
 *
 * A row lies in memory, in the spill, or in both: one that comes back is not removed from the spill, where it will most likely
 * be put again; memory is right then. The clock cools rows as it passes and evicts the cold ones. A row's heat, 0 to 3, is 0
 * when it comes into memory and rises by one with each push; the clock lowers it by one, and evicts at 0 or 1. So a row used
 * once goes the next time the clock passes, one used twice in between stays, and one used often stays for two rounds of
 * silence. Rejected: a single bit (a row used once stays as long as one used a thousand times), lists in order of use (16 bytes
 * a row and two misses a use).
 *
 * Evicted rows leave gaps, which the last rows of the arena fill: they are the youngest, and behind the hand they have a round
 * of the clock before them. It matters, because a row that comes for a pull is pushed a moment later.                 */
#include <string.h>

#include "common/base/memory.h"
#include "ps/table/table_impl.h"

#define FETCH_AHEAD 8  /* rows */
#define HEADS_AHEAD 16 /* of rows that the hand passes */

static int64_t bytes_held(const table_t *table)
{
    return table->arena.rows * (int64_t)table->arena.row_bytes + key_index_bytes(&table->index) +
           dirty_rows_bytes(&table->dirty);
}

/* ---- coming back ----------------------------------------------------------------------------------------------------- */

void table_note_missing(const table_t *table, uint64_t key, int64_t i)
{
    /* The number of missing keys belongs to the request, not to the table, which may be const. */
    table_t *own = (table_t *)table;
    row_cache_keys(table->row_cache, own->missing + 1).keys[own->missing] = (placed_key_t){key, i};
    own->missing++;
}

static void take_spilled(void *context, int64_t i, const spilled_t *spilled)
{
    table_t *table = context;
    (void)i;
    if (table_find(table, spilled->key) != KEY_INDEX_NONE)
        return; /* a key that a broken peer names twice */
    const int64_t id = table->arena.rows;
    row_t *row = table_append(table, spilled->key);
    row->version = spilled->version;
    row->count = spilled->count;
    memcpy(row->payload, spilled->payload, (size_t)table->payload_floats * sizeof *row->payload);
    table_return_marks(table, id, row, spilled->batch);
}

static void read_missing(const table_t *table, spill_read_fn *visit, void *context)
{
    if (table_has_spilled(table) && row_cache_status(table->row_cache) == ST_OK)
        spill_read(row_cache_spill(table->row_cache), table->options.id, row_cache_keys(table->row_cache, table->missing).keys,
                   table->missing, visit, context);
}

void table_load_missing(table_t *table)
{
    const int64_t before = table->arena.rows;
    read_missing(table, take_spilled, table);
    row_cache_count_loaded(table->row_cache, table->arena.rows - before);
}

typedef struct peek {
    const table_t *table;
    float *out;
    placed_key_t *missing;
} peek_t;

static void peek_spilled(void *context, int64_t i, const spilled_t *row)
{
    const peek_t *peek = context;
    if (table_has_expired(peek->table, row->version))
        return;
    memcpy(peek->out + peek->missing[i].at * peek->table->dim, row->payload, (size_t)peek->table->dim * sizeof *row->payload);
    peek->missing[i].at = -1;
}

void table_peek_missing(const table_t *table, float *out, table_initial_fn *initial)
{
    table_t *own = (table_t *)table;
    const int64_t n = own->missing;
    peek_t peek = {table, out, row_cache_keys(table->row_cache, n).keys};
    if (n > 0)
        read_missing(table, peek_spilled, &peek);
    own->missing = 0;
    for (int64_t i = 0; i < n; i++)
        if (peek.missing[i].at >= 0)
            initial(table, peek.missing[i].key, out + peek.missing[i].at * table->dim);
}

void table_prefetch(table_t *table, const uint64_t *keys, int64_t n)
{
    if (!table->row_cache || !table_has_spilled(table))
        return;
    for (int64_t i = 0; i < n; i++)
        if (table_find(table, keys[i]) == KEY_INDEX_NONE)
            table_note_missing(table, keys[i], i);
    table_load_missing(table);
    table->missing = 0;
    table_settle(table);
}

/* ---- leaving --------------------------------------------------------------------------------------------------------- */

/* Let the hand go on until it has `rows` cold rows or comes to the end. Their keys and numbers, numbers ascending. */
static int64_t collect_cold(table_t *table, placed_key_t *cold, int64_t rows)
{
    int64_t n = 0;
    for (; n < rows && table->hand < table->arena.rows; table->hand++) {
        row_t *row = row_arena_at(&table->arena, table->hand);
        if (table->hand + HEADS_AHEAD < table->arena.rows)
            __builtin_prefetch(row_arena_at(&table->arena, table->hand + HEADS_AHEAD));
        if (row->count < 2 * ROW_HEAT_ONE)
            cold[n++] = (placed_key_t){row->key, table->hand};
        else
            row->count -= ROW_HEAT_ONE;
    }
    return n;
}

typedef struct leaving {
    table_t *table;
    const placed_key_t *cold;
    uint64_t *changed;
    int64_t n, n_changed;
    row_extent_t extent;
} leaving_t;

static spilled_t give_cold(void *context, int64_t i)
{
    leaving_t *leaving = context;
    table_t *table = leaving->table;
    if (i + FETCH_AHEAD < leaving->n)
        row_arena_fetch(&table->arena, leaving->cold[i + FETCH_AHEAD].at, leaving->extent);
    row_t *row = row_arena_at(&table->arena, leaving->cold[i].at);
    const uint32_t batch = table_leave_batch(table, row);
    if (batch != 0 && batch != BATCH_UNCHANGED)
        leaving->changed[leaving->n_changed++] = row->key;
    return (spilled_t){row->key, batch, row->version, row->count & ROW_COUNT_MAX, row->payload};
}

/* Put the rows into the spill and note in the log which of them changed. */
static status_t spill_rows(table_t *table, const placed_key_t *cold, int64_t n)
{
    spill_t *spill = row_cache_spill(table->row_cache);
    const uint32_t id = table->options.id;
    leaving_t leaving = {table, cold, MEM_ARRAY(uint64_t, n), n, 0, row_arena_extent(&table->arena, table->payload_floats)};
    status_t status = ST_OK;
    TRY_DONE(spill_put(spill, id, table->payload_floats, cold, n, give_cold, &leaving));
    if (leaving.n_changed > 0)
        status = spill_log(spill, id, row_cache_batch(table->row_cache), leaving.changed, leaving.n_changed);
done:
    mem_free(leaving.changed);
    return status;
}

void table_forget_row(table_t *table, int64_t id)
{
    const int64_t last = table->arena.rows - 1;
    key_index_remove(&table->index, &table->arena, row_arena_at(&table->arena, id)->key, id);
    if (id != last)
        key_index_renumber(&table->index, row_arena_at(&table->arena, last)->key, last, id);
    row_arena_remove(&table->arena, id);
    if (id != last)
        dirty_rows_moved(&table->dirty, id, row_arena_at(&table->arena, id));
}

static int64_t evict(void *context, int64_t rows, bool *wrapped)
{
    table_t *table = context;
    ASSERT(table->missing == 0);
    if (rows > table->arena.rows)
        rows = table->arena.rows;
    const row_cache_keys_t all =
        row_cache_keys(table->row_cache, 2 * rows); /* in the mixed order in the first half, by number in the second */
    placed_key_t *cold = all.keys, *by_number = all.keys + rows;
    const int64_t n = collect_cold(table, cold, rows);
    memcpy(by_number, cold, (size_t)n * sizeof *cold);
    key_order_sort_mixed(cold, all.scratch, n);
    if (n > 0 && !row_cache_note(table->row_cache, spill_rows(table, cold, n))) {
        *wrapped = true;
        return 0;
    }
    for (int64_t i = n - 1; i >= 0; i--) { /* from the highest number down: so the last row is never one of them */
        if (i >= FETCH_AHEAD) {
            key_index_fetch(&table->index, by_number[i - FETCH_AHEAD].key);
            key_index_fetch(&table->index, row_arena_at(&table->arena, table->arena.rows - 1 - FETCH_AHEAD)->key);
        }
        table_forget_row(table, by_number[i].at);
    }
    row_arena_trim(&table->arena);
    *wrapped = table->hand >= table->arena.rows;
    if (*wrapped)
        table->hand = 0;
    row_cache_report(table->row_cache, table->place, bytes_held(table));
    return n;
}

/* ---- the budget ------------------------------------------------------------------------------------------------------ */

void table_join(table_t *table)
{
    table->row_cache = table->options.row_cache;
    table->heat = ROW_HEAT_ONE;
    table->place =
        row_cache_join(table->row_cache, &(row_cache_member_t){table, evict, table->payload_floats, bytes_held(table)});
}

void table_leave(table_t *table)
{
    row_cache_leave(table->row_cache, table->place);
}

void table_settle(table_t *table)
{
    if (!table->row_cache)
        return;
    row_cache_report(table->row_cache, table->place, bytes_held(table));
    row_cache_settle(table->row_cache);
}
