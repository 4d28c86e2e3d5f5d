#include "ps/table/key_index.h"

#include <string.h>

#include "common/base/pages.h"
#include "common/base/status.h"

/* A page of buckets: the unit of the index's size. */
#define UNIT_BUCKETS (PAGE_BYTES / (KEY_INDEX_WAYS * sizeof(uint32_t)))

/* How many rows ahead of the insertion a bucket is fetched while growing. */
#define GROW_AHEAD 16

static size_t slots_bytes(const key_index_t *index)
{
    return index->buckets * KEY_INDEX_WAYS * sizeof(uint32_t);
}

static void allocate(key_index_t *index, uint64_t buckets)
{
    index->buckets = (buckets + UNIT_BUCKETS - 1) / UNIT_BUCKETS * UNIT_BUCKETS;
    index->rows_limit = (int64_t)(index->buckets * KEY_INDEX_WAYS / 8 * 7);
    index->id_bits = 10;
    while (((int64_t)1 << index->id_bits) - 1 <= index->rows_limit)
        index->id_bits++;
    ASSERT(index->id_bits <= 31);
    index->slots = pages_map(slots_bytes(index), 0);
    memset(index->slots, 0xff, slots_bytes(index));
}

/* Number of buckets that hold this number of rows. */
static uint64_t buckets_for(int64_t rows)
{
    ASSERT(rows >= 0 && rows <= KEY_INDEX_ROWS_MAX);
    return (uint64_t)rows / (KEY_INDEX_WAYS / 8 * 7) + 1;
}

void key_index_init(key_index_t *index, int64_t rows)
{
    allocate(index, buckets_for(rows));
}

void key_index_fini(key_index_t *index)
{
    pages_unmap(index->slots, slots_bytes(index));
    *index = (key_index_t){0};
}

int64_t key_index_bytes(const key_index_t *index)
{
    return (int64_t)slots_bytes(index);
}

static uint64_t next_bucket(const key_index_t *index, uint64_t b)
{
    return b + 1 == index->buckets ? 0 : b + 1;
}

static void place(key_index_t *index, uint64_t hash, int64_t id)
{
    uint64_t b = key_index_bucket(index, hash);
    for (;;) {
        uint32_t *bucket = index->slots + b * KEY_INDEX_WAYS;
        uint32_t empty = key_index_match(bucket, UINT32_MAX, KEY_INDEX_EMPTY);
        if (empty) {
            bucket[__builtin_ctz(empty)] = key_index_tag(index, hash) | (uint32_t)id;
            return;
        }
        b = next_bucket(index, b);
    }
}

/* Rebuild with this number of buckets from the rows [0, rows). */
static void rebuild(key_index_t *index, const row_arena_t *arena, int64_t rows, uint64_t buckets)
{
    key_index_fini(index);
    allocate(index, buckets);
    uint64_t hash[GROW_AHEAD];
    for (int64_t i = 0; i < rows + GROW_AHEAD; i++) {
        if (i >= GROW_AHEAD)
            place(index, hash[i % GROW_AHEAD], i - GROW_AHEAD);
        if (i < rows) {
            hash[i % GROW_AHEAD] = key_index_hash(row_arena_at(arena, i)->key);
            __builtin_prefetch(index->slots + key_index_bucket(index, hash[i % GROW_AHEAD]) * KEY_INDEX_WAYS, 1);
        }
    }
}

void key_index_reserve(key_index_t *index, const row_arena_t *arena, int64_t rows)
{
    if (rows > index->rows_limit)
        rebuild(index, arena, arena->rows, buckets_for(rows));
}

void key_index_add(key_index_t *index, const row_arena_t *arena, uint64_t key, int64_t id)
{
    ASSERT(id < KEY_INDEX_ROWS_MAX);
    if (id >= index->rows_limit)
        rebuild(index, arena, id, index->buckets + index->buckets / 5 + 1);
    place(index, key_index_hash(key), id);
}

int64_t key_index_find(const key_index_t *index, const row_arena_t *arena, uint64_t key, uint64_t hash)
{
    const uint32_t id_mask = (1u << index->id_bits) - 1, tag = key_index_tag(index, hash);
    uint64_t b = key_index_bucket(index, hash);
    for (;;) {
        const uint32_t *bucket = index->slots + b * KEY_INDEX_WAYS;
        for (uint32_t match = key_index_match(bucket, ~id_mask, tag); match; match &= match - 1) {
            int64_t id = bucket[__builtin_ctz(match)] & id_mask;
            if (row_arena_at(arena, id)->key == key)
                return id;
        }
        if (key_index_match(bucket, UINT32_MAX, KEY_INDEX_EMPTY))
            return KEY_INDEX_NONE;
        b = next_bucket(index, b);
    }
}

/* The slot that holds row number `id` of a key that is there; *bucket gets the slot's bucket. */
static uint32_t *slot_of(key_index_t *index, uint64_t key, int64_t id, uint64_t *bucket)
{
    const uint64_t hash = key_index_hash(key);
    const uint32_t wanted = key_index_tag(index, hash) | (uint32_t)id;
    for (uint64_t b = key_index_bucket(index, hash);; b = next_bucket(index, b)) {
        uint32_t *slots = index->slots + b * KEY_INDEX_WAYS;
        const uint32_t match = key_index_match(slots, UINT32_MAX, wanted);
        if (match) {
            *bucket = b;
            return &slots[__builtin_ctz(match)];
        }
        ASSERT(!key_index_match(slots, UINT32_MAX, KEY_INDEX_EMPTY)); /* the key is not there */
    }
}

/* A slot of bucket b whose key belongs into `hole` or before it, having passed over it while it was full; NULL: none. */
static uint32_t *passed_over(const key_index_t *index, const row_arena_t *arena, uint64_t hole, uint64_t b)
{
    const uint32_t id_mask = (1u << index->id_bits) - 1;
    const uint64_t distance = b >= hole ? b - hole : b + index->buckets - hole;
    uint32_t *slots = index->slots + b * KEY_INDEX_WAYS;
    for (int i = 0; i < KEY_INDEX_WAYS; i++) {
        if (slots[i] == KEY_INDEX_EMPTY)
            continue;
        const uint64_t home = key_index_bucket(index, key_index_hash(row_arena_at(arena, slots[i] & id_mask)->key));
        if ((b >= home ? b - home : b + index->buckets - home) >= distance)
            return &slots[i];
    }
    return NULL;
}

void key_index_remove(key_index_t *index, const row_arena_t *arena, uint64_t key, int64_t id)
{
    uint64_t hole;
    uint32_t *slot = slot_of(index, key, id, &hole);
    bool full = !key_index_match(index->slots + hole * KEY_INDEX_WAYS, UINT32_MAX, KEY_INDEX_EMPTY);
    *slot = KEY_INDEX_EMPTY;
    /* A lookup ends at a bucket that is not full. This one was full, so keys may lie behind it: as long as full buckets follow,
     * one of theirs fills the hole and leaves the next. */
    for (uint64_t b = next_bucket(index, hole); full && b != hole; b = next_bucket(index, b)) {
        full = !key_index_match(index->slots + b * KEY_INDEX_WAYS, UINT32_MAX, KEY_INDEX_EMPTY);
        uint32_t *moved = passed_over(index, arena, hole, b);
        if (!moved)
            continue;
        *slot = *moved;
        *moved = KEY_INDEX_EMPTY;
        slot = moved;
        hole = b;
    }
}

void key_index_renumber(key_index_t *index, uint64_t key, int64_t from, int64_t to)
{
    uint64_t bucket;
    uint32_t *slot = slot_of(index, key, from, &bucket);
    *slot = key_index_tag(index, key_index_hash(key)) | (uint32_t)to;
}
