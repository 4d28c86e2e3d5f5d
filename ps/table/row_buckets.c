/* Rejected: an index in memory of key and place, for rows appended to a log (5 bytes a row at least: at a tenth of the rows in
 * memory it takes a third of what it is to save, at a thirtieth all of it; and room that is to be used again has to be copied
 * together). Rejected: a tree on the disk, as LMDB has one (a search through cold pages for each row, a copy of a page for each
 * that is written, 426 bytes for a row of 136). Rejected: extendible hashing alone, a split for each full bucket (buckets are
 * between a half and nearly full, all at the same time: up to twice the bytes). */
#include "ps/table/row_buckets.h"

#include <string.h>

#include "common/base/memory.h"

#define CAPACITY_LEAST 16      /* a bucket has pages for so many rows */
#define REGION_BUCKETS_MOST 64 /* moving a region's rows takes some tens of microseconds */
#define REGION_PAGES_MOST 2048 /* likewise where rows are wide */
#define REGION_BUCKETS_LEAST 4
#define SPARSE_MOST 4096 /* entries of the directory for each region, if keys share more first bits than slots have */
#define LOAD_MOST(places) ((int64_t)(places)*7 / 8)
#define LOAD_LEAST(places) ((int64_t)(places)*3 / 8)

/* The first byte of a bucket. Tags are 2 to 254; 255 is also what fills up the last word of them. */
#define FLAG_NONE 255
#define FLAG_OVERFLOWED 1
#define TAG_LEAST 2
#define TAGS 253
#define TAG_EMPTY 0

#define WORD 8 /* tags that are compared at once */
#define BYTES_OF(byte) (0x0101010101010101u * (uint64_t)(byte))

#define FETCH_LINE 64
#define FETCH_LINES_MOST 8 /* of a row */

/* ---- a bucket -------------------------------------------------------------------------------------------------------- */

static uint8_t tag_of(uint64_t h)
{
    return (uint8_t)(TAG_LEAST + (h & 255) % TAGS);
}

static uint64_t word_at(const char *bucket, uint32_t at)
{
    uint64_t word;
    memcpy(&word, bucket + at, sizeof word);
    return word;
}

/* The high bit of each byte that equals `byte`, and perhaps of some above the lowest such one. */
static uint64_t matches(uint64_t word, uint8_t byte)
{
    const uint64_t x = word ^ BYTES_OF(byte);
    return (x - BYTES_OF(1)) & ~x & BYTES_OF(128);
}

static bucket_row_t *row_at(const row_buckets_t *b, char *bucket, uint32_t place)
{
    return (bucket_row_t *)(bucket + b->head_bytes + (size_t)place * b->row_bytes);
}

/* The first of a bucket's places from number *place on that may have this tag; false: none. */
static inline bool next_match(const row_buckets_t *b, const char *bucket, uint8_t tag, uint32_t *place)
{
    for (uint32_t at = *place + 1; at <= b->capacity; at = (at / WORD + 1) * WORD) {
        const uint32_t word = at / WORD * WORD;
        const uint64_t found = matches(word_at(bucket, word), tag) & ~(uint64_t)0 << at % WORD * 8;
        if (!found)
            continue;
        *place = word + (uint32_t)__builtin_ctzll(found) / 8 - 1;
        return *place < b->capacity;
    }
    return false;
}

static bool find_in(const row_buckets_t *b, char *bucket, uint8_t tag, uint64_t key, uint32_t *place)
{
    for (*place = 0; next_match(b, bucket, tag, place); ++*place)
        if (row_at(b, bucket, *place)->key == key)
            return true;
    return false;
}

/* The first empty place; false: none. */
static bool find_empty(const row_buckets_t *b, const char *bucket, uint32_t *place)
{
    for (uint32_t word = 0; word < b->head_bytes; word += WORD) {
        const uint64_t empty = matches(word_at(bucket, word), TAG_EMPTY);
        if (!empty)
            continue;
        *place = word + (uint32_t)__builtin_ctzll(empty) / 8 - 1;
        return true;
    }
    return false;
}

static void empty_bucket(const row_buckets_t *b, char *bucket)
{
    memset(bucket, TAG_EMPTY, b->head_bytes);
    memset(bucket + 1 + b->capacity, FLAG_NONE, b->head_bytes - 1 - b->capacity);
    bucket[0] = (char)FLAG_NONE;
}

/* ---- regions --------------------------------------------------------------------------------------------------------- */

static uint64_t first_bits(uint64_t h, uint32_t bits)
{
    return bits ? h >> (64 - bits) : 0;
}

static region_t *region_of(const row_buckets_t *b, uint64_t h)
{
    return &b->regions[b->directory[first_bits(h, b->depth)]];
}

/* The bucket of a region that a row lies in, if that has room. */
static uint32_t home_of(const region_t *region, uint64_t h)
{
    return (uint32_t)((unsigned __int128)(h << region->depth) * region->n >> 64);
}

static char *bucket_at(const row_buckets_t *b, const region_t *region, uint32_t i)
{
    return page_pool_at(b->pool, region->buckets[i]);
}

static uint32_t next_bucket(const region_t *region, uint32_t i)
{
    return i + 1 < region->n ? i + 1 : 0;
}

/* A place for a key that is not there, in a region with room. */
static bucket_row_t *place_row(const row_buckets_t *b, region_t *region, uint64_t key, uint64_t h)
{
    uint32_t i = home_of(region, h), place;
    char *bucket = bucket_at(b, region, i);
    while (!find_empty(b, bucket, &place)) {
        bucket[0] = FLAG_OVERFLOWED;
        i = next_bucket(region, i);
        bucket = bucket_at(b, region, i);
    }
    bucket[1 + place] = (char)tag_of(h);
    region->rows++;
    bucket_row_t *row = row_at(b, bucket, place);
    row->key = key;
    return row;
}

/* Visit the rows of some buckets. */
typedef void each_row_fn(void *context, bucket_row_t *row, uint32_t page, uint32_t place);

static void for_each_row(const row_buckets_t *b, const uint32_t *list, uint32_t n, each_row_fn *visit, void *context)
{
    for (uint32_t i = 0; i < n; i++) {
        char *bucket = page_pool_at(b->pool, list[i]);
        for (uint32_t place = 0; place < b->capacity; place++)
            if (bucket[1 + place] != TAG_EMPTY)
                visit(context, row_at(b, bucket, place), list[i], place);
    }
}

static void release_list(row_buckets_t *b, uint32_t **list, uint32_t n)
{
    if (*list)
        b->index_bytes -= (int64_t)n * (int64_t)sizeof **list;
    mem_free(*list);
    *list = NULL;
}

/* Empty buckets. */
static status_t take_list(row_buckets_t *b, uint32_t n, uint32_t **out)
{
    uint32_t *list = n > 0 ? MEM_ARRAY(uint32_t, n) : NULL;
    status_t status = ST_OK;
    for (uint32_t i = 0; i < n; i++) {
        TRY_DONE(page_pool_get(b->pool, b->run, &list[i]));
        empty_bucket(b, page_pool_at(b->pool, list[i]));
    }
    b->index_bytes += (int64_t)n * (int64_t)sizeof *list;
    *out = list;
    list = NULL;
done:
    mem_free(list);
    return status;
}

static void move_row(void *context, bucket_row_t *row, uint32_t page, uint32_t place)
{
    const row_buckets_t *b = context;
    const uint64_t h = hash_mix(row->key);
    (void)page;
    (void)place;
    memcpy(place_row(b, region_of(b, h), row->key, h), row, b->row_bytes);
}

/* Move the rows of a region's old buckets, which are given back, to where they belong now. */
static void move_rows(row_buckets_t *b, uint32_t *old, uint32_t n)
{
    for_each_row(b, old, n, move_row, b);
    for (uint32_t i = 0; i < n; i++)
        page_pool_put(b->pool, b->run, old[i]);
    release_list(b, &old, n);
}

/* Buckets that this number of rows fills to three quarters or a little more. */
static uint32_t buckets_for(const row_buckets_t *b, int64_t rows)
{
    const int64_t wanted = (rows * 9 / 7 + b->capacity - 1) / b->capacity;
    return (uint32_t)wanted;
}

static status_t resize(row_buckets_t *b, region_t *region, uint32_t n)
{
    uint32_t *list;
    TRY(take_list(b, n, &list));
    uint32_t *old = region->buckets;
    const uint32_t n_old = region->n;
    region->buckets = list;
    region->n = n;
    region->rows = 0;
    move_rows(b, old, n_old);
    return ST_OK;
}

/* ---- splitting ------------------------------------------------------------------------------------------------------- */

typedef struct halves {
    uint32_t shift; /* of the bit that tells them apart */
    int64_t rows[2];
} halves_t;

static void count_half(void *context, bucket_row_t *row, uint32_t page, uint32_t place)
{
    halves_t *halves = context;
    (void)page;
    (void)place;
    halves->rows[hash_mix(row->key) >> halves->shift & 1]++;
}

static void double_directory(row_buckets_t *b)
{
    const size_t entries = (size_t)1 << b->depth;
    uint32_t *directory = MEM_ARRAY(uint32_t, 2 * entries);
    for (size_t i = 0; i < 2 * entries; i++)
        directory[i] = b->directory[i / 2];
    mem_free(b->directory);
    b->directory = directory;
    b->depth++;
}

/* Room for one more. Most tables of a small model have a single one. */
static void grow_regions(row_buckets_t *b)
{
    if (b->n_regions < b->regions_capacity)
        return;
    region_t *regions = MEM_ARRAY(region_t, 2 * b->regions_capacity);
    memcpy(regions, b->regions, b->n_regions * sizeof *regions);
    mem_free(b->regions);
    b->regions = regions;
    b->regions_capacity *= 2;
}

/* The region of h becomes two, by the next bit. */
static status_t split(row_buckets_t *b, uint64_t h)
{
    const uint32_t lower = b->directory[first_bits(h, b->depth)], upper = (uint32_t)b->n_regions;
    region_t *region = &b->regions[lower];
    const uint32_t depth = region->depth, n_old = region->n;
    halves_t halves = {.shift = 63 - depth};
    uint32_t *old = region->buckets, *lists[2];
    for_each_row(b, old, n_old, count_half, &halves);
    const uint32_t n[2] = {buckets_for(b, halves.rows[0]), buckets_for(b, halves.rows[1])};
    TRY(take_list(b, n[0], &lists[0]));
    const status_t status = take_list(b, n[1], &lists[1]);
    if (status != ST_OK) {
        release_list(b, &lists[0], n[0]);
        return status;
    }
    if (depth == b->depth)
        double_directory(b);
    grow_regions(b);
    b->regions[lower] = (region_t){lists[0], n[0], depth + 1, 0};
    b->regions[upper] = (region_t){lists[1], n[1], depth + 1, 0};
    b->n_regions++;
    const uint64_t prefix = first_bits(h, depth) << 1 | 1;
    const uint32_t shift = b->depth - depth - 1;
    for (size_t i = prefix << shift; i < (prefix + 1) << shift; i++)
        b->directory[i] = upper;
    move_rows(b, old, n_old);
    return ST_OK;
}

/* Keys that somebody has chosen so that they share their first bits must not make the directory grow without end. */
static bool may_split(const row_buckets_t *b, const region_t *region)
{
    return region->n >= b->buckets_most && (region->depth < b->depth || (size_t)1 << b->depth < SPARSE_MOST * b->n_regions);
}

/* ---- create ---------------------------------------------------------------------------------------------------------- */

/* The most rows that fit into a bucket of this size, with their tags in whole words. */
static uint32_t capacity_of(size_t bytes, size_t row_bytes)
{
    size_t capacity = bytes / (row_bytes + 1);
    while ((capacity + WORD) / WORD * WORD + capacity * row_bytes > bytes)
        capacity--;
    return (uint32_t)capacity;
}

row_buckets_t *row_buckets_create(page_pool_t *pool, int64_t payload_floats)
{
    row_buckets_t *b = MEM_NEW(row_buckets_t);
    b->pool = pool;
    b->payload_floats = payload_floats;
    b->row_bytes = (uint32_t)(sizeof(bucket_row_t) + (size_t)payload_floats * sizeof(float));
    b->run = 1;
    while (b->run * (size_t)PAGE_POOL_PAGE < (b->row_bytes + 2) * (size_t)CAPACITY_LEAST)
        b->run++;
    b->capacity = capacity_of(b->run * (size_t)PAGE_POOL_PAGE, b->row_bytes);
    b->head_bytes = (b->capacity + WORD) / WORD * WORD;
    b->buckets_most = REGION_PAGES_MOST / b->run;
    b->buckets_most = b->buckets_most < REGION_BUCKETS_MOST ? b->buckets_most : REGION_BUCKETS_MOST;
    b->buckets_most = b->buckets_most > REGION_BUCKETS_LEAST ? b->buckets_most : REGION_BUCKETS_LEAST;
    b->directory = MEM_ARRAY(uint32_t, 1);
    b->regions = MEM_NEW(region_t);
    b->n_regions = b->regions_capacity = 1;
    return b;
}

void row_buckets_destroy(row_buckets_t **buckets)
{
    row_buckets_t *b = *buckets;
    if (!b)
        return;
    for (size_t i = 0; i < b->n_regions; i++)
        mem_free(b->regions[i].buckets);
    mem_free(b->regions);
    mem_free(b->directory);
    mem_free(b);
    *buckets = NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

uint32_t row_buckets_home(const row_buckets_t *buckets, uint64_t key)
{
    const uint64_t h = hash_mix(key);
    const region_t *region = region_of(buckets, h);
    return region->n > 0 ? region->buckets[home_of(region, h)] : PAGE_POOL_NONE;
}

void row_buckets_fetch(const row_buckets_t *buckets, uint64_t key)
{
    const uint64_t h = hash_mix(key);
    const region_t *region = region_of(buckets, h);
    if (region->n == 0)
        return;
    const char *bucket = bucket_at(buckets, region, home_of(region, h));
    for (uint32_t at = 0; at < buckets->head_bytes; at += FETCH_LINE)
        __builtin_prefetch(bucket + at, 1);
}

void row_buckets_fetch_row(const row_buckets_t *buckets, uint64_t key)
{
    const uint64_t h = hash_mix(key);
    const region_t *region = region_of(buckets, h);
    if (region->n == 0)
        return;
    char *bucket = bucket_at(buckets, region, home_of(region, h));
    uint32_t place = 0;
    if (!next_match(buckets, bucket, tag_of(h), &place) && !find_empty(buckets, bucket, &place))
        return;
    const char *row = (const char *)row_at(buckets, bucket, place);
    for (uint32_t at = 0; at < buckets->row_bytes && at < FETCH_LINES_MOST * FETCH_LINE; at += FETCH_LINE)
        __builtin_prefetch(row + at, 1);
    __builtin_prefetch(row + buckets->row_bytes - 1, 1);
}

/* The bucket that the key's row is in, and its place there; NULL: it is not there. */
static char *find_bucket(const row_buckets_t *b, uint64_t key, uint64_t h, uint32_t *place)
{
    const region_t *region = region_of(b, h);
    uint32_t i = region->n > 0 ? home_of(region, h) : 0;
    for (uint32_t looked = 0; looked < region->n; looked++, i = next_bucket(region, i)) {
        char *bucket = bucket_at(b, region, i);
        if (find_in(b, bucket, tag_of(h), key, place))
            return bucket;
        if ((uint8_t)bucket[0] != FLAG_OVERFLOWED)
            return NULL;
    }
    return NULL;
}

bucket_row_t *row_buckets_find(const row_buckets_t *buckets, uint64_t key)
{
    uint32_t place;
    char *bucket = find_bucket(buckets, key, hash_mix(key), &place);
    return bucket ? row_at(buckets, bucket, place) : NULL;
}

status_t row_buckets_add(row_buckets_t *buckets, uint64_t key, bucket_row_t **row)
{
    const uint64_t h = hash_mix(key);
    for (;;) {
        region_t *region = region_of(buckets, h);
        if (region->rows < LOAD_MOST((int64_t)region->n * buckets->capacity)) {
            *row = place_row(buckets, region, key, h);
            return ST_OK;
        }
        if (may_split(buckets, region))
            TRY(split(buckets, h));
        else
            TRY(resize(buckets, region, region->n + (region->n > 8 ? region->n / 8 : 1)));
    }
}

status_t row_buckets_remove(row_buckets_t *buckets, uint64_t key)
{
    const uint64_t h = hash_mix(key);
    uint32_t place;
    char *bucket = find_bucket(buckets, key, h, &place);
    if (!bucket)
        return ST_OK;
    bucket[1 + place] = TAG_EMPTY;
    region_t *region = region_of(buckets, h);
    region->rows--;
    const uint32_t n = buckets_for(buckets, region->rows);
    if (n < region->n && region->rows < LOAD_LEAST((int64_t)region->n * buckets->capacity))
        TRY(resize(buckets, region, n));
    return ST_OK;
}

/* ---- scans ----------------------------------------------------------------------------------------------------------- */

/* Rows of one or more regions: where they are, to be visited in order. */
typedef struct gathered {
    placed_key_t *keys, *scratch;
    size_t keys_capacity, scratch_capacity;
    int64_t n;
    uint64_t from; /* h; rows before it are left out */
} gathered_t;

static void gather_row(void *context, bucket_row_t *row, uint32_t page, uint32_t place)
{
    gathered_t *g = context;
    if (hash_mix(row->key) < g->from)
        return;
    MEM_GROW(g->keys, g->keys_capacity, (size_t)g->n + 1);
    g->keys[g->n++] = (placed_key_t){row->key, (int64_t)((uint64_t)page << 32 | place)};
}

/* Gather the region of `from`. Returns where the next one begins; 0: there is none. */
static uint64_t gather_region(const row_buckets_t *b, gathered_t *g, uint64_t from)
{
    const region_t *region = region_of(b, from);
    if (page_pool_begin(b->pool))
        page_pool_want(b->pool, b->run, region->buckets, region->n);
    for_each_row(b, region->buckets, region->n, gather_row, g);
    page_pool_end(b->pool, region->n);
    return region->depth ? (first_bits(from, region->depth) + 1) << (64 - region->depth) : 0;
}

static bool visit_gathered(const row_buckets_t *b, const gathered_t *g, row_buckets_visit_fn *visit, void *context)
{
    for (int64_t i = 0; i < g->n; i++) {
        const uint64_t at = (uint64_t)g->keys[i].at;
        if (!visit(context, row_at(b, page_pool_at(b->pool, (uint32_t)(at >> 32)), (uint32_t)at)))
            return false;
    }
    return true;
}

typedef void sort_fn(placed_key_t *keys, placed_key_t *scratch, int64_t n);

/* Gather, sort and visit some regions at a time, to the next border of h that is a multiple of `whole`. */
static void scan(const row_buckets_t *b, uint64_t from, uint64_t whole, sort_fn *sort, row_buckets_visit_fn *visit,
                 void *context)
{
    gathered_t g = {.from = from};
    uint64_t next = from;
    do {
        g.n = 0;
        do
            next = gather_region(b, &g, next);
        while (next % whole != 0);
        MEM_GROW(g.scratch, g.scratch_capacity, (size_t)g.n);
        sort(g.keys, g.scratch, g.n);
    } while (visit_gathered(b, &g, visit, context) && next != 0);
    mem_free(g.keys);
    mem_free(g.scratch);
}

void row_buckets_scan_mixed(const row_buckets_t *buckets, const uint64_t *after, row_buckets_visit_fn *visit, void *context)
{
    const uint64_t h = after ? hash_mix(*after) : 0;
    if (h != UINT64_MAX)
        scan(buckets, after ? h + 1 : 0, 1, key_order_sort_mixed, visit, context);
}

void row_buckets_scan_stored(const row_buckets_t *buckets, row_buckets_visit_fn *visit, void *context)
{
    scan(buckets, 0, UINT64_MAX / HASH_SLOTS + 1, key_order_sort_stored, visit, context);
}

int64_t row_buckets_memory(const row_buckets_t *buckets)
{
    return buckets->index_bytes + (int64_t)(sizeof *buckets + (sizeof(uint32_t) << buckets->depth) +
                                            buckets->regions_capacity * sizeof *buckets->regions);
}
