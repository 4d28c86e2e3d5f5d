/* All rows of a table, those in memory and those in the spill, each once. A row that is in both counts as it is in memory.
 *
 * The order of rows is that of stores: by slot, then by key. Rows in memory are brought into it by a counting sort by slot and
 * a small sort inside each slot, 4 bytes a row of scratch (pairs of key and row would need 16); the spill has it, and the two
 * are merged.                                                                                                              */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "ps/table/table_impl.h"

typedef struct keyed_row {
    uint64_t key;
    uint32_t row;
} keyed_row_t;

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = ((const keyed_row_t *)left)->key, b = ((const keyed_row_t *)right)->key;
    return (a > b) - (a < b);
}

static uint64_t key_at(const table_t *table, int64_t id)
{
    return row_arena_at(&table->arena, id)->key;
}

/* The numbers of the rows in memory in the order of (slot, key); **owned** by the caller. */
static uint32_t *sorted_rows(const table_t *table)
{
    const int64_t rows = table->arena.rows;
    uint32_t *sorted = MEM_ARRAY(uint32_t, rows);
    int64_t end[HASH_SLOTS] = {0}, begin = 0, longest = 0;
    for (int64_t i = 0; i < rows; i++)
        end[hash_slot(key_at(table, i))]++;
    for (int s = 0; s < HASH_SLOTS; s++) {
        int64_t n = end[s];
        longest = n > longest ? n : longest;
        end[s] = begin; /* advances to the slot's end while its rows are placed */
        begin += n;
    }
    for (int64_t i = 0; i < rows; i++)
        sorted[end[hash_slot(key_at(table, i))]++] = (uint32_t)i;

    keyed_row_t *slot = MEM_ARRAY(keyed_row_t, longest);
    begin = 0;
    for (int s = 0; s < HASH_SLOTS; s++) {
        int64_t n = end[s] - begin;
        for (int64_t i = 0; i < n; i++)
            slot[i] = (keyed_row_t){key_at(table, sorted[begin + i]), sorted[begin + i]};
        qsort(slot, (size_t)n, sizeof *slot, compare_keys);
        for (int64_t i = 0; i < n; i++)
            sorted[begin + i] = slot[i].row;
        begin = end[s];
    }
    mem_free(slot);
    return sorted;
}

typedef struct scan {
    const table_t *table;
    const uint32_t *sorted;
    int64_t next; /* of sorted */
    table_scan_fn *visit;
    void *context;
    status_t status;
} scan_t;

/* Visit the rows in memory up to a key, that one left out; all, where it is NULL. */
static void scan_memory(scan_t *scan, const uint64_t *key)
{
    for (; scan->next < scan->table->arena.rows && scan->status == ST_OK; scan->next++) {
        const row_t *row = row_arena_at(&scan->table->arena, scan->sorted[scan->next]);
        if (key && key_order_stored(row->key, *key) >= 0)
            return;
        const table_row_t seen = table_row_seen(row);
        scan->status = scan->visit(scan->context, &seen);
    }
}

static bool scan_spilled(void *context, const spilled_t *row)
{
    scan_t *scan = context;
    scan_memory(scan, &row->key);
    const bool is_in_memory = scan->next < scan->table->arena.rows && key_at(scan->table, scan->sorted[scan->next]) == row->key;
    if (scan->status == ST_OK && !is_in_memory)
        scan->status = scan->visit(scan->context, &(table_row_t){row->key, row->version, row->count, row->payload});
    return scan->status == ST_OK;
}

status_t table_scan(const table_t *table, table_scan_fn *visit, void *context)
{
    uint32_t *sorted = sorted_rows(table);
    scan_t scan = {.table = table, .sorted = sorted, .visit = visit, .context = context};
    if (table_has_spilled(table))
        spill_scan_stored(row_cache_spill(table->row_cache), table->options.id, scan_spilled, &scan);
    scan_memory(&scan, NULL);
    mem_free(sorted);
    return scan.status;
}

/* ---- digest ---------------------------------------------------------------------------------------------------------- */

typedef struct digested {
    const table_t *table;
    hash_digest_t *digest;
} digested_t;

static bool digest_spilled(void *context, const spilled_t *spilled)
{
    const digested_t *d = context;
    const table_row_t row = {spilled->key, spilled->version, spilled->count, spilled->payload};
    if (table_find(d->table, spilled->key) == KEY_INDEX_NONE)
        table_digest_row(d->table->options.id, d->table->payload_floats, &row, d->digest);
    return true;
}

void table_digest(const table_t *table, hash_digest_t *digest)
{
    for (int64_t i = 0; i < table->arena.rows; i++) {
        table_row_t row = table_row_at(table, i);
        table_digest_row(table->options.id, table->payload_floats, &row, digest);
    }
    if (table_has_spilled(table))
        spill_scan(row_cache_spill(table->row_cache), table->options.id, NULL, digest_spilled, &(digested_t){table, digest});
}

void table_digest_row(uint32_t table_id, int64_t payload_floats, const table_row_t *row, hash_digest_t *digest)
{
    /* A row of no padding: the two numbers as 12 bytes. */
    unsigned char head[sizeof table_id + sizeof row->key];
    memcpy(head, &table_id, sizeof table_id);
    memcpy(head + sizeof table_id, &row->key, sizeof row->key);
    hash_digest_add(digest, head, sizeof head, row->payload, (size_t)payload_floats * sizeof *row->payload);
}
