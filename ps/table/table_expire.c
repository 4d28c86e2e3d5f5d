/* A row that was not pushed for more than ttl_steps steps is as if it had never been: any code that meets it (a pull, a push)
 * treats it so, by its version. When it is removed is therefore of no consequence but for memory and disk, and the search for
 * such rows takes its time: in half of ttl_steps it has looked at every row once.                                     */
#include "common/base/memory.h"
#include "ps/table/table_impl.h"

#define SWEEP_MOST 4096 /* rows that are looked at, and removed, together */
#define SWEEP_LEAST 256 /* rows that are worth a transaction */

void table_remove(table_t *table, const uint64_t *keys, int64_t n)
{
    if (n == 0)
        return;
    if (table->row_cache && table_has_spilled(table)) { /* rows waiting to be saved show it by their marks only */
        for (int64_t i = 0; i < n; i++)
            if (table_find(table, keys[i]) == KEY_INDEX_NONE)
                table_note_missing(table, keys[i], i);
        table_load_missing(table);
        table->missing = 0;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t id = table_find(table, keys[i]);
        if (id == KEY_INDEX_NONE)
            continue;
        row_t *row = row_arena_at(&table->arena, id);
        if (dirty_rows_is_frozen(&table->dirty, row))
            table_hand_over(table, row);
        table_forget_row(table, id);
        table->rows--;
    }
    if (table->row_cache && row_cache_batch(table->row_cache) > 0 && row_cache_status(table->row_cache) == ST_OK)
        row_cache_note(table->row_cache, spill_remove(row_cache_spill(table->row_cache), table->options.id, keys, n));
    table_settle(table);
}

typedef struct expiry_sweep {
    table_t *table;
    uint64_t keys[SWEEP_MOST];
    int64_t n, left;
} expiry_sweep_t;

static bool sweep_spilled(void *context, const spilled_t *row)
{
    expiry_sweep_t *sweep = context;
    table_t *table = sweep->table;
    table->has_swept_to = true;
    table->swept_to = row->key;
    if (table_has_expired(table, row->version) && table_find(table, row->key) == KEY_INDEX_NONE)
        sweep->keys[sweep->n++] = row->key;
    return --sweep->left > 0;
}

/* Look at up to SWEEP_MOST rows of the spill. False when the search has come to the end. */
static bool sweep_spill(table_t *table, int64_t rows)
{
    if (!table->row_cache || !table_has_spilled(table) || row_cache_status(table->row_cache) != ST_OK)
        return false;
    expiry_sweep_t sweep = {.table = table, .left = rows < SWEEP_MOST ? rows : SWEEP_MOST};
    const uint64_t after = table->swept_to;
    spill_scan(row_cache_spill(table->row_cache), table->options.id, table->has_swept_to ? &after : NULL, sweep_spilled,
               &sweep);
    if (sweep.left > 0)
        table->has_swept_to = false;
    table_remove(table, sweep.keys, sweep.n);
    return sweep.left == 0;
}

/* Look at up to SWEEP_MOST rows in memory, from the last one down: the row that takes the place of a removed one was looked at.
 * False when the search has come to the end. */
static bool sweep_memory(table_t *table, int64_t rows)
{
    expiry_sweep_t sweep = {.table = table, .left = rows < SWEEP_MOST ? rows : SWEEP_MOST};
    if (table->swept > table->arena.rows)
        table->swept = table->arena.rows;
    for (; sweep.left > 0 && table->swept > 0; sweep.left--) {
        const row_t *row = row_arena_at(&table->arena, --table->swept);
        if (table_has_expired(table, row->version))
            sweep.keys[sweep.n++] = row->key;
    }
    table_remove(table, sweep.keys, sweep.n);
    return table->swept > 0;
}

void table_set_step(table_t *table, int64_t step)
{
    table->step = step;
    if (table->options.counts) {
        table_set_step(table->options.counts, step);
        table_set_step(table->options.defaults, step);
    }
    if (table->options.ttl_steps == 0)
        return;
    if (table->swept == 0) { /* a round begins */
        table->swept = table->arena.rows;
        table->sweep_rows = table->rows;
    }
    table->sweep_due += 2 * table->sweep_rows;
    const int64_t rows = table->sweep_due / table->options.ttl_steps;
    if (rows < (table->rows > SWEEP_LEAST ? SWEEP_LEAST : 1))
        return;
    table->sweep_due = 0;
    sweep_memory(table, rows);
    sweep_spill(table, rows);
}

void table_expire(table_t *table)
{
    if (table->options.ttl_steps == 0)
        return;
    for (int64_t before = -1; before != table->rows;) { /* until a round finds nothing: rows may have left memory in between */
        before = table->rows;
        table->swept = table->arena.rows;
        table->has_swept_to = false;
        while (sweep_memory(table, SWEEP_MOST))
            ;
        while (sweep_spill(table, SWEEP_MOST))
            ;
    }
}
