#include "ps/residency.h"

#include "common/base/log.h"
#include "common/base/memory.h"

#define EVICT_SHARE 16     /* of the budget: a batch large enough that rows meet on the pages they are written to ... */
#define EVICT_ROWS_MAX 65536 /* ... but not a pause of more than a tenth of a second */
#define ROUNDS_MAX 5       /* of the clock: it takes four to cool the hottest row and evict it */
#define SMALL_SHARE 16     /* tables that together hold less than this share of the budget are left alone */

struct residency {
    spill_t *spill;
    int64_t budget, used;
    residency_member_t *members;
    int n_members;
    size_t members_capacity;
    int hand; /* the table that the clock is in */
    uint32_t batch;
    status_t status;
    bool warned;
    int64_t evicted, loaded;
    residency_keys_t keys;
    size_t keys_capacity, scratch_capacity;
};

status_t residency_create(const char *path, int64_t budget_bytes, residency_t **out)
{
    ASSERT(budget_bytes > 0);
    spill_t *spill;
    TRY(spill_open(path, &spill));
    residency_t *residency = MEM_NEW(residency_t);
    residency->spill = spill;
    residency->budget = budget_bytes;
    *out = residency;
    return ST_OK;
}

void residency_destroy(residency_t **residency)
{
    residency_t *r = *residency;
    if (!r)
        return;
    for (int i = 0; i < r->n_members; i++)
        ASSERT(!r->members[i].table);
    spill_close(&r->spill);
    mem_free(r->members);
    mem_free(r->keys.keys);
    mem_free(r->keys.scratch);
    mem_free(r);
    *residency = NULL;
}

status_t residency_status(const residency_t *residency)
{
    return residency->status;
}

residency_counters_t residency_counters(const residency_t *residency)
{
    return (residency_counters_t){residency->evicted, residency->loaded, residency->used, spill_bytes(residency->spill)};
}

int residency_join(residency_t *residency, const residency_member_t *member)
{
    int place = 0;
    while (place < residency->n_members && residency->members[place].table)
        place++;
    if (place == residency->n_members) {
        MEM_GROW(residency->members, residency->members_capacity, (size_t)place + 1);
        residency->n_members++;
    }
    residency->members[place] = *member;
    residency->used += member->bytes;
    return place;
}

void residency_leave(residency_t *residency, int place)
{
    residency->used -= residency->members[place].bytes;
    residency->members[place] = (residency_member_t){0};
}

uint32_t residency_batch(const residency_t *residency)
{
    return residency->batch;
}

spill_t *residency_spill(residency_t *residency)
{
    return residency->spill;
}

bool residency_note(residency_t *residency, status_t status)
{
    if (residency->status == ST_OK)
        residency->status = status;
    return residency->status == ST_OK;
}

void residency_count_loaded(residency_t *residency, int64_t rows)
{
    residency->loaded += rows;
}

residency_keys_t residency_keys(residency_t *residency, int64_t n)
{
    MEM_GROW(residency->keys.keys, residency->keys_capacity, (size_t)n);
    MEM_GROW(residency->keys.scratch, residency->scratch_capacity, (size_t)n);
    return residency->keys;
}

/* ---- the clock ------------------------------------------------------------------------------------------------------- */

void residency_report(residency_t *residency, int place, int64_t bytes)
{
    residency_member_t *member = &residency->members[place];
    residency->used += bytes - member->bytes;
    member->bytes = bytes;
}

/* Rows of a table that have to go for the tables to hold `wanted` bytes. */
static int64_t rows_over(const residency_t *residency, int64_t wanted, int64_t payload_floats)
{
    const int64_t row_bytes = payload_floats * (int64_t)sizeof(float) + 16;
    return residency->used > wanted ? (residency->used - wanted) / row_bytes + 1 : 0;
}

/* Let the clock go on until the tables hold `wanted` bytes, `rows` rows are evicted, or it has gone round so often that there is
 * nothing to evict. One batch. */
static status_t evict_batch(residency_t *residency, int64_t wanted, int64_t rows, int64_t payload_floats)
{
    TRY(spill_begin(residency->spill, rows, payload_floats));
    residency->batch++;
    const int64_t small = residency->budget / SMALL_SHARE / residency->n_members, before = residency->evicted;
    for (int tables = 0; rows > 0 && tables < ROUNDS_MAX * residency->n_members;) {
        const residency_member_t *member = &residency->members[residency->hand];
        int64_t some = rows_over(residency, wanted, member->payload_floats);
        if (some == 0)
            break;
        bool wrapped = true;
        if (member->table && member->bytes > small) {
            some = member->evict(member->table, some < rows ? some : rows, &wrapped);
            residency->evicted += some;
            rows -= some;
        }
        if (wrapped) {
            residency->hand = (residency->hand + 1) % residency->n_members;
            tables++;
        }
    }
    TRY(spill_commit(residency->spill));
    ASSERT(spill_is_idle(residency->spill)); /* else each batch would leave the pages behind that it replaced */
    if (residency->evicted == before && !residency->warned) {
        log_warn("cluster.memory_mb: %lld MB are too little for %d tables, which hold %lld MB without large ones; going on with those",
                 (long long)(residency->budget >> 20), residency->n_members, (long long)(residency->used >> 20));
        residency->warned = true;
    }
    return ST_OK;
}

void residency_settle(residency_t *residency)
{
    if (residency->used <= residency->budget)
        return;
    const int64_t wanted = residency->budget - residency->budget / EVICT_SHARE;
    int64_t widest = 1, narrowest = INT64_MAX / 8;
    for (int i = 0; i < residency->n_members; i++) {
        const int64_t floats = residency->members[i].payload_floats;
        if (!residency->members[i].table)
            continue;
        widest = floats > widest ? floats : widest;
        narrowest = floats < narrowest ? floats : narrowest;
    }
    for (int64_t before = -1; before != residency->evicted && residency->used > wanted && residency->status == ST_OK;) {
        const int64_t rows = rows_over(residency, wanted, narrowest);
        before = residency->evicted;
        residency_note(residency, evict_batch(residency, wanted, rows < EVICT_ROWS_MAX ? rows : EVICT_ROWS_MAX, widest));
    }
}
