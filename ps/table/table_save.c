/* What changed is found by the marks of rows in memory (ps/table/dirty_rows.h). For rows out of memory the marks turn into the
 * number of the batch they were spilled with:
 *
 *     0                 spilled while nothing was tracked: changed, before the first freeze
 *     1 .. end - 1      changed when it left memory with that batch, before the last freeze (or, below begin, the one before)
 *     end ..            changed since the last freeze
 *     BATCH_UNCHANGED   not changed since the freeze before it left, or saved by then
 *
 * where end is the number of the first batch after the last freeze. The log of a batch names the keys of its changed rows. A
 * save goes through the log entries of its interval in order; a row counts only if it is out of memory and its own batch is
 * that of the entry, because a later entry, or its marks in memory, then tell the rest. So each row is handed over once,
 * without anything being written where it lies: a row that comes back into memory is waiting still if its batch, or its key
 * within the batch, is behind the place that the save has come to. A frozen row that is about to leave memory is handed over
 * first. */
#include "ps/table/table_impl.h"

#include "common/base/memory.h"

void table_hand_over(table_t *table, row_t *row)
{
    const table_row_t seen = table_row_seen(row);
    table->save(table->save_context, table, &seen);
    dirty_rows_saved(&table->dirty, row);
}

void table_note_change(table_t *table, int64_t id, row_t *row)
{
    if (dirty_rows_is_frozen(&table->dirty, row))
        table_hand_over(table, row);
    dirty_rows_note(&table->dirty, id, row);
}

void table_track(table_t *table)
{
    dirty_rows_start(&table->dirty, &table->arena);
}

void table_freeze(table_t *table, table_save_fn *save, void *context)
{
    const bool is_first = !table->save;
    dirty_rows_freeze(&table->dirty);
    table->save = save;
    table->save_context = context;
    if (!table->row_cache)
        return;
    save_spilled_t *spilled = &table->spilled;
    *spilled = (save_spilled_t){
        .stage = is_first ? SAVE_SCAN : SAVE_LOG,
        .begin = spilled->end,
        .end = row_cache_batch(table->row_cache) + 1,
        .batch = spilled->end,
    };
}

/* ---- rows on their way ----------------------------------------------------------------------------------------------- */

/* The row out of memory, of this batch, waits to be saved. */
static bool is_waiting(const table_t *table, uint64_t key, uint32_t batch)
{
    const save_spilled_t *s = &table->spilled;
    if (s->stage == SAVE_MEMORY || batch < s->begin || batch >= s->end)
        return false;
    const bool behind_after = !s->has_after || key_order_mixed(key, s->after) > 0;
    if (s->stage == SAVE_SCAN)
        return batch > 0 || behind_after;
    return batch > s->batch || (batch == s->batch && batch > 0 && behind_after);
}

uint32_t table_leave_batch(table_t *table, row_t *row)
{
    const dirty_rows_t *dirty = &table->dirty;
    if (dirty->mask == 0)
        return 0;
    if (dirty_rows_is_frozen(dirty, row))
        table_hand_over(table, row);
    return row->count & dirty->current ? row_cache_batch(table->row_cache) : BATCH_UNCHANGED;
}

void table_return_marks(table_t *table, int64_t id, row_t *row, uint32_t batch)
{
    if (table->dirty.mask == 0 || batch == BATCH_UNCHANGED)
        return;
    if (batch >= table->spilled.end)
        dirty_rows_note(&table->dirty, id, row);
    else if (is_waiting(table, row->key, batch))
        dirty_rows_note_frozen(&table->dirty, id, row);
}

/* ---- saving rows out of memory --------------------------------------------------------------------------------------- */

typedef struct save_some {
    table_t *table;
    int64_t left; /* rows to look at */
} save_some_t;

static void hand_over_spilled(const table_t *table, const spilled_t *row)
{
    table->save(table->save_context, table, &(table_row_t){row->key, row->version, row->count, row->payload});
}

static bool save_scanned(void *context, const spilled_t *row)
{
    save_some_t *some = context;
    save_spilled_t *s = &some->table->spilled;
    s->has_after = true;
    s->after = row->key;
    if (row->batch == 0 && table_find(some->table, row->key) == KEY_INDEX_NONE)
        hand_over_spilled(some->table, row);
    return --some->left > 0;
}

static void save_scan(table_t *table, save_some_t *some)
{
    save_spilled_t *s = &table->spilled;
    const uint64_t after = s->after;
    spill_scan(row_cache_spill(table->row_cache), table->options.id, s->has_after ? &after : NULL, save_scanned, some);
    if (some->left > 0) {
        s->stage = SAVE_LOG;
        s->has_after = false;
    }
}

static void save_logged(void *context, int64_t i, const spilled_t *row)
{
    const save_some_t *some = context;
    (void)i;
    if (row->batch == some->table->spilled.batch)
        hand_over_spilled(some->table, row);
}

static void save_log(table_t *table, save_some_t *some)
{
    save_spilled_t *s = &table->spilled;
    spill_t *spill = row_cache_spill(table->row_cache);
    const uint64_t *logged;
    int64_t n;
    spill_log_next(spill, table->options.id, &s->batch, s->end, &logged, &n);
    if (n == 0) {
        s->stage = SAVE_MEMORY;
        spill_log_drop(spill, table->options.id, s->end);
        return;
    }
    const int64_t behind = s->at + some->left < n ? s->at + some->left : n;
    placed_key_t *keys = row_cache_keys(table->row_cache, behind - s->at).keys;
    int64_t out = 0;
    for (int64_t i = s->at; i < behind; i++)
        if (table_find(table, logged[i]) == KEY_INDEX_NONE)
            keys[out++] = (placed_key_t){logged[i], i};
    spill_read(spill, table->options.id, keys, out, save_logged, some);
    some->left -= behind - s->at;
    s->at = behind;
    s->has_after = true;
    s->after = logged[behind - 1];
    if (behind == n) {
        s->batch++;
        s->at = 0;
        s->has_after = false;
    }
}

bool table_save_some(table_t *table, int64_t rows)
{
    save_some_t some = {table, rows};
    while (table->spilled.stage != SAVE_MEMORY && some.left > 0)
        if (table->spilled.stage == SAVE_SCAN)
            save_scan(table, &some);
        else
            save_log(table, &some);
    for (; some.left > 0; some.left--) {
        const int64_t id = dirty_rows_next(&table->dirty, &table->arena);
        if (id < 0)
            return true;
        table_hand_over(table, row_arena_at(&table->arena, id));
    }
    return !table->dirty.saving;
}
