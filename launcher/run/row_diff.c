#include "launcher/run/row_diff.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "common/net/slots.h"
#include "ps/checkpoint/store.h"

typedef struct kept_row {
    uint64_t key;
    uint64_t hash; /* of weights and optimizer state */
    stored_row_t row;
} kept_row_t;

/* The rows of one run inside the range, by slot and key: stores hold them in this order, and shards follow each other. */
typedef struct kept_rows {
    const key_range_t *range;
    kept_row_t *rows;
    size_t capacity;
    int64_t n;
} kept_rows_t;

static status_t keep(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    kept_rows_t *kept = context;
    const int slot = (int)hash_slot(row->key);
    if (table != kept->range->table || slot < kept->range->first_slot || slot > kept->range->last_slot)
        return ST_OK;
    double squares = 0;
    for (int64_t i = 0; i < payload_floats; i++)
        squares += (double)row->payload[i] * row->payload[i];
    MEM_GROW(kept->rows, kept->capacity, (size_t)kept->n + 1);
    kept->rows[kept->n++] = (kept_row_t){
        .key = row->key,
        .hash = hash64(row->payload, (size_t)payload_floats * sizeof *row->payload, 0),
        .row = {true, row->version, row->count, sqrt(squares)},
    };
    return ST_OK;
}

static status_t read_shard(const char *dir, const manifest_t *run, int shard, kept_rows_t *kept)
{
    char *path = run_store_path(dir, shard);
    store_t *store = NULL;
    status_t status;
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(manifest_check_store(run, shard, store));
    TRY_DONE(store_scan(store, keep, kept));
done:
    store_close(&store);
    mem_free(path);
    return status;
}

static status_t read_rows(const char *dir, const manifest_t *run, kept_rows_t *kept)
{
    const int shards = (int)manifest_shards(run);
    for (int s = 0; s < shards; s++)
        if (slots_first(s, shards) <= kept->range->last_slot && slots_first(s + 1, shards) > kept->range->first_slot)
            TRY(read_shard(dir, run, s, kept));
    return ST_OK;
}

static int compare_keys(uint64_t a, uint64_t b)
{
    const uint32_t slot_a = hash_slot(a), slot_b = hash_slot(b);
    if (slot_a != slot_b)
        return slot_a < slot_b ? -1 : 1;
    return (a > b) - (a < b);
}

static void compare(const kept_rows_t *a, const kept_rows_t *b, row_diff_t *out)
{
    for (int64_t i = 0, j = 0; i < a->n || j < b->n; out->rows++) {
        const kept_row_t *left = i < a->n ? &a->rows[i] : NULL, *right = j < b->n ? &b->rows[j] : NULL;
        const int order = !left ? 1 : !right ? -1 : compare_keys(left->key, right->key);
        i += order <= 0;
        j += order >= 0;
        if (order == 0 && left->hash == right->hash)
            continue;
        if (out->different++)
            continue;
        out->key = order <= 0 ? left->key : right->key;
        if (order <= 0)
            out->a = left->row;
        if (order >= 0)
            out->b = right->row;
    }
}

status_t row_diff_find(const char *dir_a, const manifest_t *a, const char *dir_b, const manifest_t *b, const key_range_t *range,
                       row_diff_t *out)
{
    kept_rows_t of_a = {.range = range}, of_b = {.range = range};
    *out = (row_diff_t){0};
    status_t status = read_rows(dir_a, a, &of_a);
    if (status == ST_OK)
        status = read_rows(dir_b, b, &of_b);
    if (status == ST_OK)
        compare(&of_a, &of_b, out);
    mem_free(of_a.rows);
    mem_free(of_b.rows);
    return status;
}
