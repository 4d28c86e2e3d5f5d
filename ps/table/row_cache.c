#include "ps/table/row_cache.h"

#include <inttypes.h>

#include "common/base/log.h"
#include "common/base/memory.h"

#define EVICT_SHARE 16       /* of the budget: a batch large enough that rows meet on the pages they are written to ... */
#define EVICT_ROWS_MAX 65536 /* ... but not a pause of more than a tenth of a second */
#define ROUNDS_MAX 5         /* of the clock: it takes four to cool the hottest row and evict it */
#define SMALL_SHARE 16       /* tables that together hold less than this share of the budget are left alone */

struct row_cache {
    spill_t *spill;
    int64_t budget, used;
    row_cache_member_t *members;
    int n_members;
    size_t members_capacity;
    int hand; /* the table that the clock is in */
    uint32_t batch;
    status_t status;
    bool warned;
    int64_t evicted, loaded;
    row_cache_keys_t keys;
    size_t keys_capacity, scratch_capacity;
};

status_t row_cache_create(const char *path, int64_t budget_bytes, row_cache_t **out)
{
    ASSERT(budget_bytes > 0);
    spill_t *spill;
    TRY(spill_open(path, &spill));
    row_cache_t *row_cache = MEM_NEW(row_cache_t);
    row_cache->spill = spill;
    row_cache->budget = budget_bytes;
    *out = row_cache;
    return ST_OK;
}

void row_cache_destroy(row_cache_t **row_cache)
{
    row_cache_t *r = *row_cache;
    if (!r)
        return;
    for (int i = 0; i < r->n_members; i++)
        ASSERT(!r->members[i].table);
    spill_close(&r->spill);
    mem_free(r->members);
    mem_free(r->keys.keys);
    mem_free(r->keys.scratch);
    mem_free(r);
    *row_cache = NULL;
}

status_t row_cache_status(const row_cache_t *row_cache)
{
    return row_cache->status;
}

static int64_t bytes_held(const row_cache_t *row_cache)
{
    return row_cache->used + spill_memory(row_cache->spill);
}

row_cache_counters_t row_cache_counters(const row_cache_t *row_cache)
{
    return (row_cache_counters_t){row_cache->evicted, row_cache->loaded, bytes_held(row_cache), spill_bytes(row_cache->spill)};
}

int row_cache_join(row_cache_t *row_cache, const row_cache_member_t *member)
{
    int place = 0;
    while (place < row_cache->n_members && row_cache->members[place].table)
        place++;
    if (place == row_cache->n_members) {
        MEM_GROW(row_cache->members, row_cache->members_capacity, (size_t)place + 1);
        row_cache->n_members++;
    }
    row_cache->members[place] = *member;
    row_cache->used += member->bytes;
    return place;
}

void row_cache_leave(row_cache_t *row_cache, int place)
{
    row_cache->used -= row_cache->members[place].bytes;
    row_cache->members[place] = (row_cache_member_t){0};
}

uint32_t row_cache_batch(const row_cache_t *row_cache)
{
    return row_cache->batch;
}

spill_t *row_cache_spill(row_cache_t *row_cache)
{
    return row_cache->spill;
}

bool row_cache_note(row_cache_t *row_cache, status_t status)
{
    if (row_cache->status == ST_OK)
        row_cache->status = status;
    return row_cache->status == ST_OK;
}

void row_cache_count_loaded(row_cache_t *row_cache, int64_t rows)
{
    row_cache->loaded += rows;
}

row_cache_keys_t row_cache_keys(row_cache_t *row_cache, int64_t n)
{
    MEM_GROW(row_cache->keys.keys, row_cache->keys_capacity, (size_t)n);
    MEM_GROW(row_cache->keys.scratch, row_cache->scratch_capacity, (size_t)n);
    return row_cache->keys;
}

/* ---- the clock ------------------------------------------------------------------------------------------------------- */

void row_cache_report(row_cache_t *row_cache, int place, int64_t bytes)
{
    row_cache_member_t *member = &row_cache->members[place];
    row_cache->used += bytes - member->bytes;
    member->bytes = bytes;
}

/* Rows of a table that have to go for all to hold `wanted` bytes. */
static int64_t rows_over(const row_cache_t *row_cache, int64_t wanted, int64_t payload_floats)
{
    const int64_t row_bytes = payload_floats * (int64_t)sizeof(float) + 16, held = bytes_held(row_cache);
    return held > wanted ? (held - wanted) / row_bytes + 1 : 0;
}

/* Let the clock go on until `wanted` bytes are held, `rows` rows are evicted, or it has gone round so often that there is
 * nothing to evict. Each table's part is a batch of its own, however often the clock comes to it. */
static void evict_some(row_cache_t *row_cache, int64_t wanted, int64_t rows)
{
    const int64_t small = row_cache->budget / SMALL_SHARE / row_cache->n_members, before = row_cache->evicted;
    for (int tables = 0; rows > 0 && tables < ROUNDS_MAX * row_cache->n_members && row_cache->status == ST_OK;) {
        const row_cache_member_t *member = &row_cache->members[row_cache->hand];
        int64_t some = rows_over(row_cache, wanted, member->payload_floats);
        if (some == 0)
            break;
        bool wrapped = true;
        if (member->table && member->bytes > small) {
            row_cache->batch++;
            some = member->evict(member->table, some < rows ? some : rows, &wrapped);
            row_cache->evicted += some;
            rows -= some;
        }
        if (wrapped) {
            row_cache->hand = (row_cache->hand + 1) % row_cache->n_members;
            tables++;
        }
    }
    if (row_cache->evicted == before && row_cache->status == ST_OK && !row_cache->warned) {
        log_warn("cluster.memory_mb: %" PRId64 " MB are too little for %d tables, which hold %" PRId64
                 " MB without large ones; going on "
                 "with those",
                 (row_cache->budget >> 20), row_cache->n_members, (bytes_held(row_cache) >> 20));
        row_cache->warned = true;
    }
}

void row_cache_settle(row_cache_t *row_cache)
{
    if (bytes_held(row_cache) <= row_cache->budget)
        return;
    const int64_t wanted = row_cache->budget - row_cache->budget / EVICT_SHARE;
    int64_t narrowest = INT64_MAX / 8;
    for (int i = 0; i < row_cache->n_members; i++) {
        const int64_t floats = row_cache->members[i].payload_floats;
        if (row_cache->members[i].table)
            narrowest = floats < narrowest ? floats : narrowest;
    }
    for (int64_t before = -1; before != row_cache->evicted && bytes_held(row_cache) > wanted && row_cache->status == ST_OK;) {
        const int64_t rows = rows_over(row_cache, wanted, narrowest);
        before = row_cache->evicted;
        evict_some(row_cache, wanted, rows < EVICT_ROWS_MAX ? rows : EVICT_ROWS_MAX);
    }
}
