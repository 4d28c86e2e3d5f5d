/* row_buckets.h - one table's rows in the pages of a spill: a place for each key that is calculated, not looked for.
 *
 * A bucket is a run of pages with as many rows as fit. Keys are spread by h = hash_mix(key): the first bits choose a region,
 * by a directory; the rest choose one of the region's buckets, and a row that finds it full lies in the next one that is not.
 *
 *     h   63 .................................. 7 ........ 0
 *         region | home bucket (a multiplication) |   tag
 *
 *     bucket   | flag | tag u8[capacity], to 8 bytes | row | row | ..
 *     row      | key u64 | batch u32 | version u32 | count u32 | payload f32[..]
 *
 * A tag of 0 is an empty place. The flag says that some row found no room here and lies further on. So a row is read or
 * written where it lies at the cost of one page, wherever in the file that is, and what has to be in memory is the numbers of
 * the buckets: 4 bytes for each, about 0.3 for a row of 100 bytes. A region that is full grows by an eighth, with which all
 * its rows find new places, and beyond REGION_BUCKETS_MOST is split into two; so buckets are between three quarters and seven
 * eighths full, whatever the number of rows, and no growth takes longer than that of a region. One that becomes empty
 * shrinks.
 *
 * One owner thread. After an error only row_buckets_destroy is left.                                                   */
#ifndef SMELTER_ROW_BUCKETS_H
#define SMELTER_ROW_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "ps/table/key_order.h"
#include "ps/table/page_pool.h"

/* A row as it lies there. */
typedef struct __attribute__((packed, aligned(4))) bucket_row {
    uint64_t key;
    uint32_t batch, version, count;
    float payload[];
} bucket_row_t;

typedef struct region {
    uint32_t *buckets; /* first pages */
    uint32_t n, depth; /* depth: bits of h that its rows have in common */
    int64_t rows;
} region_t;

typedef struct row_buckets {
    page_pool_t *pool;
    int64_t payload_floats;
    uint32_t row_bytes, head_bytes, capacity, run; /* of a bucket: rows, pages */
    uint32_t buckets_most;                         /* of a region */
    uint32_t depth;                                /* of the directory */
    uint32_t *directory;                           /* [1 << depth] numbers of regions, by the first bits of h */
    region_t *regions;
    size_t n_regions, regions_capacity;
    int64_t index_bytes; /* of the lists of buckets */
} row_buckets_t;

/* row_buckets_create - no rows, of which each will have payload_floats floats. pool: borrowed. */
row_buckets_t *row_buckets_create(page_pool_t *pool, int64_t payload_floats);
void row_buckets_destroy(row_buckets_t **buckets);

/* row_buckets_fetch - let what the key's row will be looked for in come into the cache. row_buckets_fetch_row - when that has
 * arrived: the row itself, or where it may come. */
void row_buckets_fetch(const row_buckets_t *buckets, uint64_t key);
void row_buckets_fetch_row(const row_buckets_t *buckets, uint64_t key);

/* row_buckets_home - the first page of where the key's row is looked for first; PAGE_POOL_NONE: there is none. */
uint32_t row_buckets_home(const row_buckets_t *buckets, uint64_t key);

/* row_buckets_find - the key's row, or NULL; good until the next put or remove of any table of the pool. */
bucket_row_t *row_buckets_find(const row_buckets_t *buckets, uint64_t key);

/* row_buckets_add - a place for a key that has none; its row is the caller's to fill, but for the key. Errors:
 * page_pool_get's.  Cost: that of a find; now and then that of moving the rows of a region. */
WARN_UNUSED status_t row_buckets_add(row_buckets_t *buckets, uint64_t key, bucket_row_t **row);

/* row_buckets_remove - forget the key's row, if there is one. */
WARN_UNUSED status_t row_buckets_remove(row_buckets_t *buckets, uint64_t key);

/* row_buckets_scan_mixed - every row once in the mixed order of keys, those behind `after` only unless it is NULL, until
 * visit returns false; row_buckets_scan_stored - in the stored order. Nothing may be put meanwhile. Scratch: 32 bytes a row
 * of a region or, in stored order, of a slot if that is more. */
typedef bool row_buckets_visit_fn(void *context, const bucket_row_t *row);
void row_buckets_scan_mixed(const row_buckets_t *buckets, const uint64_t *after, row_buckets_visit_fn *visit, void *context);
void row_buckets_scan_stored(const row_buckets_t *buckets, row_buckets_visit_fn *visit, void *context);

/* row_buckets_memory - bytes in memory, of the directory and the lists. */
int64_t row_buckets_memory(const row_buckets_t *buckets);

#endif
