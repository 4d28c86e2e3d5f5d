/* table.h - one embedding table of one shard: an open-addressing index over an arena of rows.
 *
 * A row is one value {key, version, count, weight[dim], state[..]}: weight and optimizer state cannot part. A table has one
 * owner thread, takes no lock, and handles the keys of a request in one prefetching pass. Keys of one request are distinct
 * (the client de-duplicates); a repeat harms nothing and is a step of its own. Beyond its payload a row costs at most 24
 * bytes: 16 of header and the index. A table holds at most 2^30 rows in memory.
 *
 * With a row_cache (ps/table/row_cache.h) rows beyond its budget are on disk and come back when they are asked for; no value
 * depends on where a row was. Errors of the disk show in row_cache_status, which is to be looked at before results are used. */
#ifndef SMELTER_TABLE_H
#define SMELTER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/step_digest.h"
#include "common/kernels/optimizer.h"
#include "common/kernels/schedule.h"
#include "ps/table/row_cache.h"

typedef struct table table_t;

typedef struct table_options {
    uint32_t id;       /* common/config/table_plan.h; part of initial values, digests and stored keys */
    int32_t dim;       /* weights of a row */
    int32_t optimizer; /* optimizer_kind_t */
    optimizer_settings_t settings;
    schedule_t schedule; /* of settings.learning_rate */
    int32_t linear;      /* of the weights the last 0 or 1, first-order: it starts at 0 and has an optimizer of its own */
    int32_t linear_optimizer;
    optimizer_settings_t linear_settings;
    schedule_t linear_schedule;
    float init_std;
    uint64_t seed;
    int64_t expected_rows;  /* a hint for the first size of the index; 0: unknown */
    row_cache_t *row_cache; /* borrowed, must outlive the table; NULL: all rows stay in memory */
    int64_t ttl_steps;      /* a row not pushed for more steps is as if it had never been; 0: rows stay */
    int64_t
        min_count; /* pushed steps with a key before it has a row (ps/table/frequency_filter.h); 0: it has one from the first */
    table_t *counts;   /* borrowed, where min_count > 0; no pushes but by this table, as for the next */
    table_t *defaults; /* the rows that keys share until then, one per slot */
} table_options_t;

/* A row as the store and the digest see it. payload is weight[dim] then state: of the embedding,
 * then of the first-order weight. */
typedef struct table_row {
    uint64_t key;
    uint32_t version; /* step of the last update + 1; 0: never updated */
    uint32_t count;   /* updates so far; 2^28 - 1 stands for that many or more */
    const float *payload;
} table_row_t;

/* table_create - an empty table. ST_INPUT: dim out of range or more expected rows than an index can hold. */
WARN_UNUSED status_t table_create(const table_options_t *options, table_t **out);
void table_destroy(table_t **table);

/* table_pull - weights of n distinct keys, creating missing rows with their initial value (docs/MATH.md):
 *
 *   w[j] := init_std * normal j of the generator at (hash_mix(seed ^ "rows"), stream = key, first = id * 2^32)
 *
 * (a first-order weight: 0), which depends on seed, table, key and position alone; state as the optimizer initialises it. With
 * min_count or ttl_steps it creates nothing, but is as table_peek: rows begin with pushes then, and a key without one has the
 * weights of its slot's default row. out [n][dim] f32.  Cannot fail.  Cost: two cache misses per row, overlapped; a new row
 * about 25 ns per weight. */
void table_pull(table_t *table, const uint64_t *keys, int64_t n, float *out);

/* table_set_step - the step whose pushes come next: what is older than ttl_steps then has expired. Some of it is removed now,
 * the rest later, which cannot be noticed. */
void table_set_step(table_t *table, int64_t step);

/* table_expire - remove all that has expired. Until then table_rows, table_scan and table_digest count some of it. */
void table_expire(table_t *table);

/* table_remove - remove n distinct rows; keys that have none are fine. */
void table_remove(table_t *table, const uint64_t *keys, int64_t n);

/* table_peek - as table_pull, but creates nothing: a missing row yields its initial value. For evaluation. */
void table_peek(const table_t *table, const uint64_t *keys, int64_t n, float *out);

/* table_prefetch - bring those of n rows that are out of memory into it, for a pull that is held back. Creates nothing. */
void table_prefetch(table_t *table, const uint64_t *keys, int64_t n);

/* table_push - one optimizer step on n distinct rows, g [n][dim]; missing rows are created first. Their version becomes step +
 * 1. */
void table_push(table_t *table, const uint64_t *keys, const float *g, int64_t n, uint32_t step);

/* table_count_pushes - a push without gradients to a table of one weight: counts[i] becomes the number of pushes of keys[i]
 * so far, in the life of its row. No row leaves memory for it. */
void table_count_pushes(table_t *table, const uint64_t *keys, int64_t n, uint32_t step, uint32_t *counts);

/* table_push_merged - one optimizer step per distinct key from the gradients of `workers` senders, merged in the tree order of
 * lanes (common/kernels/tree.h): the binary tree over sender numbers, lower sender always the left operand, absent senders
 * skipped. keys[w], g[w], n[w]: the distinct keys and gradients of sender w, borrowed until return. */
void table_push_merged(table_t *table, const uint64_t *const *keys, const float *const *g, const int64_t *n, int workers,
                       uint32_t step);

/* table_watch - add every row that a push updates to `digest`, with its new values, until it is NULL again; borrowed. */
void table_watch(table_t *table, step_digest_t *digest);

/* ---- saving what changed while pulls and pushes go on (ps/table/dirty_rows.h) ---- */

/* Takes a row as it was at the freeze, borrowed until return. Must not touch the table. */
typedef void table_save_fn(void *context, const table_t *table, const table_row_t *row);

/* table_track - note from now on which rows change; creation is a change, and so is what is there already. Once per table. */
void table_track(table_t *table);

/* table_freeze - the rows changed since the last freeze are to be saved as they are now: each is handed to `save` exactly once,
 * by table_save_some, or earlier by whatever is about to change it or to send it out of memory. What the freeze before this one
 * froze must have been handed over. Cost: none. */
void table_freeze(table_t *table, table_save_fn *save, void *context);

/* table_save_some - hand over up to `rows` more frozen rows. True when none is left, so that the next freeze may come. Cost:
 * that of the rows in groups of 64 with a change, whatever the table's size. */
WARN_UNUSED bool table_save_some(table_t *table, int64_t rows);

int64_t table_rows(const table_t *table);
int64_t table_memory_bytes(const table_t *table);   /* rows in memory, index and scratch, whole pages counted */
int64_t table_payload_floats(const table_t *table); /* dim + state floats of a row */
const table_options_t *table_options(const table_t *table);

/* table_row_at - the i-th row in memory, in no order that means anything; i < table_rows where there is no row_cache; borrowed
 * until the next call that is not const. */
table_row_t table_row_at(const table_t *table, int64_t i);

/* table_scan - every row once, in memory or not, in the order of (hash_slot(key), key); borrowed until visit returns. Anything
 * but ST_OK from visit ends the scan and is returned. Scratch: 4 bytes a row in memory. */
typedef status_t table_scan_fn(void *context, const table_row_t *row);
WARN_UNUSED status_t table_scan(const table_t *table, table_scan_fn *visit, void *context);

/* table_expect - the table is about to have this number of rows in all: room for their keys at once, not step by step. A
 * hint. */
void table_expect(table_t *table, int64_t rows);

/* table_put - insert n rows as stored (load from disk), payload_floats of this table each. ST_CORRUPT where a key is already
 * there; the rows before it are in the table then. Other errors: the row_cache's. Cost: that of a pull; a call of 32 rows or
 * more waits for memory a few times, where that number of calls wait for each row. */
WARN_UNUSED status_t table_put(table_t *table, const table_row_t *rows, int64_t n);

/* table_put_latest - as table_put, but a row that is already there is replaced: where several states of a row are loaded one
 * after the other, the last one counts. */
WARN_UNUSED status_t table_put_latest(table_t *table, const table_row_t *rows, int64_t n);

/* table_digest - add every row, in memory or not, to a digest: table id, key, weights and optimizer state. */
void table_digest(const table_t *table, hash_digest_t *digest);
/* table_digest_row - the same for one row, for readers that have no table. */
void table_digest_row(uint32_t table_id, int64_t payload_floats, const table_row_t *row, hash_digest_t *digest);

#endif
