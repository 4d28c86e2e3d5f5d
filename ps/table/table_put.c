/* Rows as they were stored, into a table. They come by the thousand, from a file in the order of keys, and cost what the keys
 * of a pull cost; so they pass the same stations (ps/table/table.c), but in blocks: where rows may be out of memory, those of a
 * block are brought in together. */
#include <inttypes.h>
#include <string.h>

#include "ps/table/table_impl.h"

#define BLOCK 32 /* rows under way: more than the misses a core can have outstanding (16 - 48), few enough for L1 */

typedef struct block {
    int n;
    uint64_t keys[BLOCK], hash[BLOCK];
    int64_t guess[BLOCK];
} block_t;

static inline int block_size(int64_t left)
{
    return left < BLOCK ? (int)left : BLOCK;
}

/* Hash the keys and fetch their buckets. Most are new, so that a place for each is looked for, in the next bucket where its own
 * is full. */
static void prepare(const table_t *table, block_t *block, const table_row_t *rows, int n)
{
    block->n = n;
    for (int i = 0; i < n; i++) {
        block->keys[i] = rows[i].key;
        block->hash[i] = key_index_hash(rows[i].key);
        const uint32_t *bucket = table->index.slots + key_index_bucket(&table->index, block->hash[i]) * KEY_INDEX_WAYS;
        __builtin_prefetch(bucket);
        __builtin_prefetch(bucket + KEY_INDEX_WAYS);
    }
}

static void locate(const table_t *table, block_t *block, row_extent_t extent)
{
    for (int i = 0; i < block->n; i++) {
        block->guess[i] = key_index_guess(&table->index, block->hash[i]);
        if (block->guess[i] != KEY_INDEX_NONE)
            row_arena_fetch(&table->arena, block->guess[i], extent);
    }
}

static int64_t resolve(const table_t *table, const block_t *block, int i)
{
    return table_resolve(table, block->keys[i], block->hash[i], block->guess[i]);
}

/* row := what was stored, whose count is 2^28 - 1 at most where we wrote it, and is cut down to that where we did not. */
static void fill_row(table_t *table, int64_t id, row_t *row, const table_row_t *stored)
{
    table_before_change(table, id, row);
    row->version = stored->version;
    row->count &= ~ROW_COUNT_MAX;
    row->count |= stored->count < ROW_COUNT_MAX ? stored->count : ROW_COUNT_MAX;
    memcpy(row->payload, stored->payload, (size_t)table->payload_floats * sizeof *row->payload);
}

/* The keys of a block that lie out of memory, into memory. Rows may move and come: what was guessed before is stale, not
 * wrong. */
static void load_block(table_t *table, const block_t *block)
{
    if (!table->row_cache || !table_has_spilled(table))
        return;
    for (int i = 0; i < block->n; i++)
        if (resolve(table, block, i) == KEY_INDEX_NONE)
            table_note_missing(table, block->keys[i], i);
    table_load_missing(table);
    table->missing = 0;
}

static status_t put_row(table_t *table, int64_t id, const table_row_t *row, bool replaces)
{
    row_t *place;
    if (id == KEY_INDEX_NONE) {
        id = table->arena.rows;
        place = table_append(table, row->key);
        table->rows++;
    } else if (replaces) {
        place = row_arena_at(&table->arena, id);
    } else {
        return FAIL(ST_CORRUPT, "table %u: row %" PRIu64 " is there twice; the stored rows are damaged or belong to two models",
                    table->options.id, row->key);
    }
    fill_row(table, id, place, row);
    return ST_OK;
}

/* The next block's first station comes before the current one's last. */
static status_t put_rows(table_t *table, const table_row_t *rows, int64_t n, bool replaces)
{
    const row_extent_t extent = row_arena_extent(&table->arena, table->payload_floats);
    block_t blocks[2];
    status_t status = ST_OK;
    if (n > 0)
        prepare(table, &blocks[0], rows, block_size(n));
    for (int64_t done = 0, b = 0; done < n && status == ST_OK; done += BLOCK, b ^= 1) {
        block_t *block = &blocks[b];
        locate(table, block, extent);
        if (done + BLOCK < n)
            prepare(table, &blocks[b ^ 1], rows + done + BLOCK, block_size(n - done - BLOCK));
        load_block(table, block);
        for (int i = 0; i < block->n && status == ST_OK; i++)
            status = put_row(table, resolve(table, block, i), &rows[done + i], replaces);
        table_settle(table);
    }
    return status == ST_OK && table->row_cache ? row_cache_status(table->row_cache) : status;
}

void table_expect(table_t *table, int64_t rows)
{
    if (!table->row_cache) /* else their number in memory is the budget's matter */
        key_index_reserve(&table->index, &table->arena, rows < KEY_INDEX_ROWS_MAX ? rows : KEY_INDEX_ROWS_MAX);
}

status_t table_put(table_t *table, const table_row_t *rows, int64_t n)
{
    return put_rows(table, rows, n, false);
}

status_t table_put_latest(table_t *table, const table_row_t *rows, int64_t n)
{
    return put_rows(table, rows, n, true);
}
