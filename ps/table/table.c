/* How a request goes through a table. Each key costs two cache misses, its bucket of the index and its row, and the only
 * way to be fast is to have many of them under way at once. Keys pass three stations, each some keys ahead of the next:
 *
 *     prepare   key i + 24: hash it, fetch its bucket
 *     locate    key i + 12: let the bucket guess the row (by tag), fetch the lines of the row that the request needs
 *     resolve   key i: check the key in the row; on a wrong guess look properly; if there is none, create it     -> the row
 *
 * A guess is only a hint: rows created meanwhile, or an index that has grown, make it stale but never wrong, because resolve
 * checks. What is then done with the row (copy, step) meets lines that have arrived, while those of the next keys are on their
 * way. Rejected: blocks of 32 keys that pass a station together (a burst of misses, more than can be outstanding, and then none
 * while the block's rows are worked on: 0.8 of the speed).
 *
 * A merged push first chains the occurrences of each key in a small hash map that lives for one request and stays in the
 * cache; so the big table is visited once per distinct key, and its rows are stepped once, however many senders name them.
 * Rejected: visiting the table per occurrence with a mark per row (more misses, and 4 bytes a row for ever), sorting the
 * union of the lists (several times the cost of hashing).                                                             */
#include "ps/table/table_impl.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/tree.h"

/* How many keys ahead buckets and rows are fetched: some more than keep as many lines on their way as a core can have
 * outstanding (16 - 48); few enough for L1. */
#define BUCKETS_AHEAD 24
#define ROWS_AHEAD 12
#define WINDOW 32 /* a power of two above both */

#define GRADIENTS_AHEAD 12 /* keys whose gradients are under way in a push */
#define LINE_FLOATS (ROW_LINE_BYTES / (int64_t)sizeof(float))
#define DIM_MAX 65536

/* Separates the numbers of rows from those drawn elsewhere from the same seed. */
#define SEED_DOMAIN 0x726f7773u /* "rows" */

/* How rows are stepped; both parts of a row have one scratch. */
static void make_steps(table_t *table)
{
    const table_options_t *o = &table->options;
    const bool plain = row_step_is_plain(&o->settings) && (!table->linear || row_step_is_plain(&o->linear_settings));
    float *scratch = table->step_scratch = plain ? NULL : MEM_ARRAY(float, table->dim);
    row_step_init(&table->row_step, table->optimizer, &o->settings, false, scratch);
    if (table->linear)
        row_step_init(&table->linear_step, table->linear, &o->linear_settings, false, scratch);
}

status_t table_create(const table_options_t *options, table_t **out)
{
    if (options->dim < 1 || options->dim > DIM_MAX)
        return FAIL(ST_INPUT, "table %u: rows of %d weights; a row has 1 to %d", options->id, options->dim, DIM_MAX);
    if (options->expected_rows < 0 || options->expected_rows > KEY_INDEX_ROWS_MAX)
        return FAIL(ST_INPUT,
                    "table %u: %" PRId64 " expected rows; a shard's table has at most %" PRId64
                    ", more need more servers or shards",
                    options->id, options->expected_rows, KEY_INDEX_ROWS_MAX);
    table_t *table = MEM_NEW(table_t);
    table->options = *options;
    if (options->min_count > ROW_COUNT_MAX) /* a row cannot count further */
        table->options.min_count = ROW_COUNT_MAX;
    table->optimizer = optimizer_get(options->optimizer);
    table->dim = options->dim;
    table->embedded = table->dim - options->linear;
    table->linear_state = table->dim + (table->embedded ? table->optimizer->state_floats(table->embedded) : 0);
    table->payload_floats = table->linear_state;
    if (options->linear) {
        table->linear = optimizer_get(options->linear_optimizer);
        table->payload_floats += table->linear->state_floats(options->linear);
    }
    table->seed = hash_mix(options->seed ^ SEED_DOMAIN);
    make_steps(table);
    row_arena_init(&table->arena, table->payload_floats, options->row_cache != NULL);
    key_index_init(&table->index, options->row_cache ? 0 : options->expected_rows);
    if (options->row_cache)
        table_join(table);
    *out = table;
    return ST_OK;
}

void table_destroy(table_t **table)
{
    table_t *t = *table;
    if (!t)
        return;
    if (t->row_cache)
        table_leave(t);
    row_arena_fini(&t->arena);
    key_index_fini(&t->index);
    dirty_rows_fini(&t->dirty);
    mem_free(t->step_scratch);
    mem_free(t->merge.occurrences);
    mem_free(t->merge.keys);
    mem_free(t->merge.heads);
    mem_free(t->merge.map);
    mem_free(t->merge.tree);
    mem_free(t->deferred.keys);
    mem_free(t->deferred.g);
    mem_free(t);
    *table = NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* A row's numbers are those of the generator at (seed, stream = key, counter from table * 2^32): no two weights of any two
 * rows of any two tables share a counter. */
static void initial_weights(const table_t *table, uint64_t key, float *w)
{
    rng_fill_normal(w, table->embedded, table->options.init_std, table->seed, key, (uint64_t)table->options.id << 32);
    for (int64_t i = table->embedded; i < table->dim; i++)
        w[i] = 0.0f;
}

row_t *table_append(table_t *table, uint64_t key)
{
    const int64_t id = table->arena.rows;
    row_t *row = row_arena_add(&table->arena);
    row->key = key;
    key_index_add(&table->index, &table->arena, key, id);
    return row;
}

void table_reset_row(table_t *table, row_t *row)
{
    initial_weights(table, row->key, row->payload);
    float *w = row->payload;
    if (table->embedded)
        table->optimizer->init(w + table->dim, w, table->embedded, &table->options.settings);
    if (table->linear)
        table->linear->init(w + table->linear_state, w + table->embedded, table->options.linear,
                            &table->options.linear_settings);
}

row_t *table_create_row(table_t *table, uint64_t key)
{
    const int64_t id = table->arena.rows;
    row_t *row = table_append(table, key);
    table->rows++;
    table_before_change(table, id, row);
    table_reset_row(table, row);
    return row;
}

/* Rows come with use, not with a look. */
static bool pull_creates(const table_t *table)
{
    return table->options.min_count == 0 && table->options.ttl_steps == 0;
}

/* What a key without a row has for weights. */
static void absent_weights(const table_t *table, uint64_t key, float *w)
{
    if (table->options.min_count > 0)
        frequency_filter_weights(table, key, w);
    else
        initial_weights(table, key, w);
}

/* ---- the stations of a request --------------------------------------------------------------------------------------- */

/* The keys under way, by the lower bits of their places in the request. */
typedef struct window {
    uint64_t hash[WINDOW];
    int64_t guess[WINDOW];
} window_t;

static inline __attribute__((always_inline)) void prepare(const table_t *table, window_t *window, const uint64_t *keys,
                                                          int64_t i)
{
    const uint64_t hash = key_index_hash(keys[i]);
    window->hash[i % WINDOW] = hash;
    __builtin_prefetch(table->index.slots + key_index_bucket(&table->index, hash) * KEY_INDEX_WAYS);
}

static inline __attribute__((always_inline)) void locate(const table_t *table, window_t *window, row_extent_t extent, int64_t i)
{
    const int64_t guess = key_index_guess(&table->index, window->hash[i % WINDOW]);
    window->guess[i % WINDOW] = guess;
    if (__builtin_expect(guess != KEY_INDEX_NONE, 1))
        row_arena_fetch(&table->arena, guess, extent);
}

/* For each of n keys in turn: visit(context, i, id, row) with the row and its number. A missing row is created in create_in or,
 * where that is NULL or the key has to pass the frequency filter first, visited as NULL. Where some rows may be out of
 * memory the keys that are not in memory come last, to be read and created together; without
 * create_in they are left to the caller. Always inlined, so that a visit is a piece of the loop and not a call. */
typedef void visit_fn(void *context, int64_t i, int64_t id, row_t *row);

static inline __attribute__((always_inline)) void for_each_row(const table_t *table, table_t *create_in, const uint64_t *keys,
                                                               int64_t n, row_extent_t extent, visit_fn *visit, void *context)
{
    window_t window;
    for (int64_t i = 0; i < BUCKETS_AHEAD && i < n; i++)
        prepare(table, &window, keys, i);
    for (int64_t i = 0; i < ROWS_AHEAD && i < n; i++)
        locate(table, &window, extent, i);
    for (int64_t i = 0; i < n; i++) {
        if (i + BUCKETS_AHEAD < n)
            prepare(table, &window, keys, i + BUCKETS_AHEAD);
        if (i + ROWS_AHEAD < n)
            locate(table, &window, extent, i + ROWS_AHEAD);
        int64_t id = table_resolve(table, keys[i], window.hash[i % WINDOW], window.guess[i % WINDOW]);
        row_t *row = NULL;
        if (__builtin_expect(id != KEY_INDEX_NONE, 1)) {
            row = row_arena_at(&table->arena, id);
        } else if (table->row_cache) {
            table_note_missing(table, keys[i], i);
            continue;
        } else if (create_in && create_in->options.min_count == 0) {
            id = create_in->arena.rows;
            row = table_create_row(create_in, keys[i]);
        }
        visit(context, i, id, row);
    }
    if (create_in && create_in->missing > 0) {
        table_load_missing(create_in);
        const placed_key_t *missing = row_cache_keys(create_in->row_cache, create_in->missing).keys;
        for (int64_t m = 0; m < create_in->missing; m++) {
            int64_t id = table_find(create_in, missing[m].key);
            row_t *row = NULL;
            if (id != KEY_INDEX_NONE) {
                row = row_arena_at(&create_in->arena, id);
            } else if (create_in->options.min_count == 0) {
                id = create_in->arena.rows;
                row = table_create_row(create_in, missing[m].key);
            }
            visit(context, missing[m].at, id, row);
        }
        create_in->missing = 0;
    }
}

/* ---- pull ------------------------------------------------------------------------------------------------------------ */

typedef struct pull {
    const table_t *table;
    const uint64_t *keys;
    float *out;
} pull_t;

/* Common sizes are copied by a few moves of known width. */
static inline void copy_weights(float *restrict out, const float *restrict w, int64_t dim)
{
    switch (dim) {
    case 8:
        memcpy(out, w, 8 * sizeof *w);
        break;
    case 16:
        memcpy(out, w, 16 * sizeof *w);
        break;
    case 32:
        memcpy(out, w, 32 * sizeof *w);
        break;
    case 48:
        memcpy(out, w, 48 * sizeof *w);
        break;
    case 64:
        memcpy(out, w, 64 * sizeof *w);
        break;
    default:
        memcpy(out, w, (size_t)dim * sizeof *w);
    }
}

static inline void visit_pull(void *context, int64_t i, int64_t id, row_t *row)
{
    (void)id;
    const pull_t *pull = context;
    copy_weights(pull->out + i * pull->table->dim, row->payload, pull->table->dim);
}

void table_pull(table_t *table, const uint64_t *keys, int64_t n, float *out)
{
    if (!pull_creates(table)) {
        table_prefetch(table, keys, n);
        table_peek(table, keys, n, out);
        return;
    }
    pull_t pull = {table, keys, out};
    for_each_row(table, table, keys, n, row_arena_extent(&table->arena, table->dim), visit_pull, &pull);
    table_settle(table);
}

static inline void visit_peek(void *context, int64_t i, int64_t id, row_t *row)
{
    (void)id;
    const pull_t *pull = context;
    float *out = pull->out + i * pull->table->dim;
    if (row && !table_has_expired(pull->table, row->version))
        copy_weights(out, row->payload, pull->table->dim);
    else
        absent_weights(pull->table, pull->keys[i], out);
}

void table_peek(const table_t *table, const uint64_t *keys, int64_t n, float *out)
{
    pull_t pull = {table, keys, out};
    for_each_row(table, NULL, keys, n, row_arena_extent(&table->arena, table->dim), visit_peek, &pull);
    if (table->row_cache)
        table_peek_missing(table, out, absent_weights);
}

/* ---- push ------------------------------------------------------------------------------------------------------------ */

typedef struct merged_push {
    table_t *table;
    const uint64_t *keys;
    const float *g; /* [n][dim]; unused in a merged push */
    uint32_t version;
} merged_push_t;

/* Keep the gradient of a key that has no row for frequency_filter_push. */
static void defer(table_t *table, uint64_t key, const float *g)
{
    deferred_t *d = &table->deferred;
    const size_t n = (size_t)d->n, dim = (size_t)table->dim;
    MEM_GROW(d->keys, d->keys_capacity, n + 1);
    MEM_GROW(d->g, d->g_capacity, (n + 1) * dim);
    d->keys[n] = key;
    memcpy(d->g + n * dim, g, dim * sizeof *g);
    d->n++;
}

/* Rows that were stepped go to the digest some at a time, at the latest at the end of the request: until then they stay as they
 * are, but for one whose key is named again, which step_row sees by its version. */
static void watch_rows(table_t *table)
{
    step_digest_rows(table->watch, table->options.id, table->watched_keys, table->watched_payloads, table->watched,
                     (size_t)table->payload_floats * sizeof(float));
    table->watched = 0;
}

static inline void watch_row(table_t *table, const row_t *row)
{
    table->watched_keys[table->watched] = row->key;
    table->watched_payloads[table->watched] = row->payload;
    if (++table->watched == STEP_DIGEST_ROWS)
        watch_rows(table);
}

static inline void step_row(table_t *table, uint64_t key, int64_t id, row_t *row, const float *g, uint32_t version)
{
    if (__builtin_expect(!row || table_has_expired(table, row->version), 0)) {
        if (table->options.min_count > 0) {
            defer(table, key, g);
            return;
        }
        ASSERT(row); /* only keys that the frequency filter holds back are not created */
        table_before_change(table, id, row);
        table_reset_row(table, row);
        row->count &= ~ROW_COUNT_MAX;
    }
    table_before_change(table, id, row);
    if (__builtin_expect(row->version == version && table->watched > 0, 0))
        watch_rows(table); /* a key that is named again */
    row->version = version;
    row->count += (row->count & ROW_COUNT_MAX) != ROW_COUNT_MAX;
    row->count += row->count < ROW_HEAT_MAX ? table->heat : 0;
    float *w = row->payload;
    if (table->embedded)
        table->row_step.apply(w, w + table->dim, g, table->embedded, &table->row_step.settings);
    if (table->linear)
        table->linear_step.apply(w + table->embedded, w + table->linear_state, g + table->embedded, table->options.linear,
                                 &table->linear_step.settings);
    if (table->watch)
        watch_row(table, row);
}

static inline void visit_push(void *context, int64_t i, int64_t id, row_t *row)
{
    const merged_push_t *push = context;
    const int64_t dim = push->table->dim;
    const float *ahead = push->g + (i + GRADIENTS_AHEAD) * dim; /* the last ones fetch what is behind the last key */
    for (int64_t j = 0; j < dim; j += LINE_FLOATS)
        __builtin_prefetch(ahead + j);
    step_row(push->table, push->keys[i], id, row, push->g + i * dim, push->version);
}

/* The learning rates of a step. */
static void begin_push(table_t *table, uint32_t step)
{
    const table_options_t *o = &table->options;
    if (!schedule_is_constant(&o->schedule))
        table->row_step.settings.learning_rate = (float)(o->settings.learning_rate * schedule_share(&o->schedule, step));
    if (!schedule_is_constant(&o->linear_schedule))
        table->linear_step.settings.learning_rate =
            (float)(o->linear_settings.learning_rate * schedule_share(&o->linear_schedule, step));
}

static void end_push(table_t *table, uint32_t step)
{
    if (table->watched > 0)
        watch_rows(table);
    if (table->deferred.n > 0)
        frequency_filter_push(table, step);
    table_settle(table);
}

typedef struct counting {
    table_t *table;
    uint32_t *counts;
    uint32_t version;
} counting_t;

void table_push(table_t *table, const uint64_t *keys, const float *g, int64_t n, uint32_t step)
{
    merged_push_t push = {table, keys, g, step + 1};
    begin_push(table, step);
    for_each_row(table, table, keys, n, row_arena_extent(&table->arena, table->payload_floats), visit_push, &push);
    end_push(table, step);
}

static inline void visit_counted(void *context, int64_t i, int64_t id, row_t *row)
{
    const counting_t *counting = context;
    static const float none;
    step_row(counting->table, row->key, id, row, &none, counting->version);
    counting->counts[i] = row->count & ROW_COUNT_MAX;
}

void table_count_pushes(table_t *table, const uint64_t *keys, int64_t n, uint32_t step, uint32_t *counts)
{
    ASSERT(table->dim == 1);
    counting_t counting = {table, counts, step + 1};
    for_each_row(table, table, keys, n, row_arena_extent(&table->arena, table->payload_floats), visit_counted, &counting);
}

/* Chain the occurrences of each key, lowest sender first: lists are entered from the last sender to the first, each new
 * occurrence at the head. A key that a sender repeats against the contract starts a chain of its own, as if it were
 * another key: two steps on the row, as in table_push. */
static void chain(merge_t *merge, const uint64_t *const *keys, const float *const *g, const int64_t *n, int workers,
                  int64_t dim)
{
    int64_t total = 0;
    for (int w = 0; w < workers; w++)
        total += n[w];
    ASSERT(total <= INT32_MAX / 2);
    MEM_GROW(merge->occurrences, merge->occurrences_capacity, (size_t)total);
    MEM_GROW(merge->keys, merge->keys_capacity, (size_t)total);
    MEM_GROW(merge->heads, merge->heads_capacity, (size_t)total);
    size_t slots = 64;
    while (slots < (size_t)total * 2)
        slots *= 2;
    MEM_GROW(merge->map, merge->map_capacity, slots);
    memset(merge->map, 0xff, slots * sizeof *merge->map);

    int32_t distinct = 0, occurrence = 0;
    for (int w = workers - 1; w >= 0; w--)
        for (int64_t i = 0; i < n[w]; i++, occurrence++) {
            const uint64_t key = keys[w][i];
            occurrence_t *entry = &merge->occurrences[occurrence];
            *entry = (occurrence_t){g[w] + i * dim, (uint32_t)w, -1};
            size_t slot = (size_t)(key_index_hash(key) >> 20) & (slots - 1); /* low bits agree within a range of slots */
            int32_t at;
            while ((at = merge->map[slot]) >= 0) {
                if (merge->keys[at] == key && merge->occurrences[merge->heads[at]].sender != (uint32_t)w)
                    break;
                slot = (slot + 1) & (slots - 1);
            }
            if (at < 0) {
                at = merge->map[slot] = distinct++;
                merge->keys[at] = key;
            } else {
                entry->next = merge->heads[at];
            }
            merge->heads[at] = occurrence;
        }
    merge->distinct = distinct;
}

/* The gradients of a key lie apart, each where its sender put it. */
static inline void fetch_gradients(const merge_t *merge, int64_t i)
{
    if (i >= merge->distinct)
        return;
    for (int32_t at = merge->heads[i]; at >= 0; at = merge->occurrences[at].next)
        __builtin_prefetch(merge->occurrences[at].g);
}

static inline void visit_merged(void *context, int64_t i, int64_t id, row_t *row)
{
    const merged_push_t *push = context;
    const merge_t *merge = &push->table->merge;
    const occurrence_t *first = &merge->occurrences[merge->heads[i]];
    const float *g = first->g;
    fetch_gradients(merge, i + GRADIENTS_AHEAD);
    tree_stack_t stack;
    if (first->next >= 0) {
        tree_start(&stack, merge->tree, push->table->dim);
        for (const occurrence_t *at = first;; at = &merge->occurrences[at->next]) {
            tree_push(&stack, at->sender, at->g);
            if (at->next < 0)
                break;
        }
        g = tree_total(&stack);
    }
    step_row(push->table, merge->keys[i], id, row, g, push->version);
}

void table_push_merged(table_t *table, const uint64_t *const *keys, const float *const *g, const int64_t *n, int workers,
                       uint32_t step)
{
    ASSERT(workers >= 1);
    if (workers == 1) {
        table_push(table, keys[0], g[0], n[0], step);
        return;
    }
    merge_t *merge = &table->merge;
    MEM_GROW(merge->tree, merge->tree_capacity, (size_t)(tree_levels((uint32_t)workers) * table->dim));
    chain(merge, keys, g, n, workers, table->dim);
    merged_push_t push = {table, merge->keys, NULL, step + 1};
    begin_push(table, step);
    for_each_row(table, table, merge->keys, merge->distinct, row_arena_extent(&table->arena, table->payload_floats),
                 visit_merged, &push);
    end_push(table, step);
}

void table_watch(table_t *table, step_digest_t *digest)
{
    ASSERT(table->watched == 0);
    table->watch = digest;
}

/* ---- what a table is and has ----------------------------------------------------------------------------------------- */

int64_t table_rows(const table_t *table)
{
    return table->rows;
}

int64_t table_memory_bytes(const table_t *table)
{
    const merge_t *m = &table->merge;
    size_t scratch = m->occurrences_capacity * sizeof *m->occurrences + m->keys_capacity * sizeof *m->keys +
                     m->heads_capacity * sizeof *m->heads + m->map_capacity * sizeof *m->map +
                     m->tree_capacity * sizeof *m->tree;
    return (int64_t)(sizeof *table + scratch) + row_arena_bytes(&table->arena) + key_index_bytes(&table->index) +
           dirty_rows_bytes(&table->dirty);
}

int64_t table_payload_floats(const table_t *table)
{
    return table->payload_floats;
}

const table_options_t *table_options(const table_t *table)
{
    return &table->options;
}

table_row_t table_row_at(const table_t *table, int64_t i)
{
    ASSERT(i >= 0 && i < table->arena.rows);
    return table_row_seen(row_arena_at(&table->arena, i));
}
