/* table_impl.h - the inside of a table, for the files that it is made of and for no other:
 *
 *     table.c           requests: pulls, pushes
 *     table_put.c       rows as they were stored
 *     table_resident.c  rows that leave memory and come back
 *     table_expire.c    rows that were not used for long
 *     frequency_filter.c       keys that have no row yet
 *     table_save.c      what changed, frozen and handed over in slices
 *     table_scan.c      all rows, in memory or not: order, digest                                                     */
#ifndef SMELTER_TABLE_IMPL_H
#define SMELTER_TABLE_IMPL_H

#include "common/kernels/row_step.h"
#include "ps/table/dirty_rows.h"
#include "ps/table/key_index.h"
#include "ps/table/row_arena.h"
#include "ps/table/row_cache.h"
#include "ps/table/table.h"

/* One gradient for one key of a merged push. */
typedef struct occurrence {
    const float *g;
    uint32_t sender;
    int32_t next; /* the same key's next occurrence, of a higher sender; -1: none */
} occurrence_t;

/* What a merged push needs beside the table; allocated once, grows to the largest request seen. */
typedef struct merge {
    occurrence_t *occurrences;
    uint64_t *keys; /* [distinct] */
    int32_t *heads; /* [distinct] the occurrence of the lowest sender */
    int32_t *map;   /* open addressing by key: index into keys, -1 where empty */
    int64_t distinct;
    size_t occurrences_capacity, keys_capacity, heads_capacity, map_capacity;
    float *tree; /* [tree_levels][dim] */
    size_t tree_capacity;
} merge_t;

/* Pushed keys that have no row, with their merged gradients, and what the frequency filter works with. */
typedef struct deferred {
    uint64_t *keys;
    float *g; /* [n][dim] */
    int64_t n;
    size_t keys_capacity, g_capacity;
} deferred_t;

/* Rows that were out of memory at a freeze are saved first, by their kind: those that were spilled before anything was tracked,
 * found by a scan, then those that the log of batches names. The rows in memory come last. */
typedef enum save_stage { SAVE_MEMORY, SAVE_SCAN, SAVE_LOG } save_stage_t;

/* Batches [begin, end) hold rows changed before the last freeze and after the one before it; rows spilled while nothing was
 * tracked count as batch 0. `after` is the last key that was looked at, in the mixed order: of all where stage is SAVE_SCAN,
 * of `batch` where it is SAVE_LOG. */
typedef struct save_spilled {
    save_stage_t stage;
    uint32_t begin, end, batch;
    int64_t at; /* in the batch's log entry */
    bool has_after;
    uint64_t after;
} save_spilled_t;

#define BATCH_UNCHANGED UINT32_MAX /* of rows spilled as they were at the last freeze, or saved since */

struct table {
    table_options_t options;
    const optimizer_t *optimizer;
    row_step_t row_step, linear_step; /* of the push that is under way; the second where rows have a first-order weight */
    float *step_scratch;
    int64_t dim, payload_floats;
    int64_t embedded;          /* weights of the embedding: dim, or dim - 1 */
    int64_t linear_state;      /* where a payload has the state of its first-order weight */
    const optimizer_t *linear; /* of that weight; NULL: rows have none */
    uint64_t seed;             /* of initial values */
    int64_t rows;              /* in memory or not */

    row_arena_t arena; /* those in memory */
    key_index_t index;
    dirty_rows_t dirty;
    merge_t merge;
    deferred_t deferred;
    int64_t step;       /* whose pushes come next, or are coming */
    int64_t swept;      /* rows in memory that this round of the search for expired ones has not looked at: the first ones */
    int64_t sweep_rows; /* rows when the round began */
    int64_t sweep_due;  /* rows to look at, times ttl_steps */
    bool has_swept_to;  /* in the spill, up to the key swept_to */
    uint64_t swept_to;
    step_digest_t *watch;
    int watched; /* rows that this request has stepped and `watch` has not taken yet */
    uint64_t watched_keys[STEP_DIGEST_ROWS];
    const void *watched_payloads[STEP_DIGEST_ROWS];

    table_save_fn *save; /* of the last freeze */
    void *save_context;
    save_spilled_t spilled;

    row_cache_t *row_cache; /* NULL: all rows stay in memory; then so do those below */
    int place;              /* in the row_cache */
    uint32_t heat;          /* what a push adds to a row's count: ROW_HEAT_ONE or, where it is not asked for, 0 */
    int64_t hand;           /* of the clock: the next row to look at */
    int64_t missing;        /* keys of the request in progress that are not in memory: in the row_cache's keys */
};

/* ---- table.c ---- */

static inline table_row_t table_row_seen(const row_t *row)
{
    return (table_row_t){row->key, row->version, row->count & ROW_COUNT_MAX, row->payload};
}

/* Append a row and enter it into the index; the payload is the caller's to fill, and table->rows to count. */
row_t *table_append(table_t *table, uint64_t key);

static inline int64_t table_find(const table_t *table, uint64_t key)
{
    return key_index_find(&table->index, &table->arena, key, key_index_hash(key));
}

/* The number of a key's row, or KEY_INDEX_NONE; `guess` is what the index said of it before, which rows that have come or gone
 * since make stale, not wrong. */
static inline int64_t table_resolve(const table_t *table, uint64_t key, uint64_t hash, int64_t guess)
{
    if (__builtin_expect(guess != KEY_INDEX_NONE && row_arena_at(&table->arena, guess)->key == key, 1))
        return guess;
    return key_index_find(&table->index, &table->arena, key, hash);
}

/* Weights and state of a row as if it had never been used. */
void table_reset_row(table_t *table, row_t *row);
/* Make a row that is not there, anywhere. */
row_t *table_create_row(table_t *table, uint64_t key);

/* ---- table_expire.c ---- */

/* A row last pushed in step version - 1, or, where that is -1, put before the first. */
static inline bool table_has_expired(const table_t *table, uint32_t version)
{
    return table->options.ttl_steps > 0 && table->step - ((int64_t)version - 1) > table->options.ttl_steps;
}

/* ---- frequency_filter.c ---- */

void frequency_filter_push(table_t *table, uint32_t step);
void frequency_filter_weights(const table_t *table, uint64_t key, float *w);

/* ---- table_save.c ---- */

/* The first change of row number `id` since the last freeze: save the row first where it is waiting for that. */
void table_note_change(table_t *table, int64_t id, row_t *row);

/* To be called before row number `id` changes. */
static inline void table_before_change(table_t *table, int64_t id, row_t *row)
{
    if (__builtin_expect(!dirty_rows_has(&table->dirty, row), 0))
        table_note_change(table, id, row);
}

/* Hand a frozen row to `save`. */
void table_hand_over(table_t *table, row_t *row);

/* The batch under which a row that leaves memory is spilled; one that is frozen is handed over first. */
uint32_t table_leave_batch(table_t *table, row_t *row);
/* Give row number `id`, back from the spill, the marks that belong to its batch. */
void table_return_marks(table_t *table, int64_t id, row_t *row, uint32_t batch);

/* ---- table_resident.c ---- */

/* Some rows may be out of memory. */
static inline bool table_has_spilled(const table_t *table)
{
    return table->rows > table->arena.rows;
}

void table_join(table_t *table);
void table_leave(table_t *table);

/* Note that the i-th key of the request is not in memory. */
void table_note_missing(const table_t *table, uint64_t key, int64_t i);

/* Bring those of the missing keys that are in the spill into memory. */
void table_load_missing(table_t *table);

/* The missing keys of a peek: rows of the spill stay there, and the rest have their initial values. */
typedef void table_initial_fn(const table_t *table, uint64_t key, float *w);
void table_peek_missing(const table_t *table, float *out, table_initial_fn *initial);

/* Row number `id` leaves memory; it has been put or is to be gone. */
void table_forget_row(table_t *table, int64_t id);

/* Tell the row_cache how much the table holds; rows may leave. */
void table_settle(table_t *table);

#endif
