/* test_frequency_filter - "Until a key has come in min_count pushed steps, all keys like it share their slot's default row"
 * (ps/table/frequency_filter.h) and "a row not pushed for more steps is as if it had never been" (ps/table/table.h), by a plain
 * model of both; and neither the number of senders, nor that of shards, nor memory, nor when expired rows are removed makes a
 * difference. */
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "ps/table/frequency_filter.h"
#include "ps/table/row_cache.h"
#include "ps/table/table.h"
#include "tests/lib/testing.h"

enum { DIM = 3, FLOATS = 2 * DIM, RANGE = 400, KEYS_MAX = 60, STEPS = 300, MIN_COUNT = 3, TTL = 12, SHARDS_MAX = 3 };

static const optimizer_settings_t settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f};

/* ---- the model ------------------------------------------------------------------------------------------------------- */

typedef struct model_row {
    bool exists;
    int64_t last; /* step of the last push */
    float payload[FLOATS];
} model_row_t;

typedef struct model {
    int64_t min_count, ttl, now;
    uint64_t keys[RANGE]; /* ascending by (slot, key) */
    model_row_t rows[RANGE];
    int64_t pushes[RANGE], pushed[RANGE]; /* how often, and when last */
    model_row_t defaults[HASH_SLOTS];
} model_t;

static void initial(float *payload, uint32_t table, uint64_t key)
{
    rng_fill_normal(payload, DIM, 0.05f, hash_mix(7 ^ 0x726f7773u), key, (uint64_t)table << 32);
    for (int j = 0; j < DIM; j++)
        payload[DIM + j] = settings.initial_accumulator;
}

static bool is_alive(const model_t *m, const model_row_t *row)
{
    return row->exists && (m->ttl == 0 || m->now - row->last <= m->ttl);
}

static void step(float *payload, const float *g)
{
    optimizer_get(OPTIMIZER_ADAGRAD)->apply(payload, payload + DIM, g, DIM, &settings);
}

/* What a pull sees. */
static void model_weights(const model_t *m, int64_t k, float *w)
{
    float payload[FLOATS];
    const uint32_t slot = hash_slot(m->keys[k]);
    if (is_alive(m, &m->rows[k]))
        memcpy(payload, m->rows[k].payload, sizeof payload);
    else if (m->min_count == 0)
        initial(payload, 0, m->keys[k]);
    else if (m->defaults[slot].exists)
        memcpy(payload, m->defaults[slot].payload, sizeof payload);
    else
        initial(payload, 2, frequency_filter_default_key(slot));
    memcpy(w, payload, DIM * sizeof *w);
}

/* g[k] is the gradient of key k where there[k]. */
static void model_push(model_t *m, const bool *there, float (*g)[DIM], int64_t now)
{
    float sums[HASH_SLOTS][DIM];
    bool has[HASH_SLOTS] = {false};
    m->now = now;
    for (int64_t k = 0; k < RANGE; k++) {
        model_row_t *row = &m->rows[k];
        if (!there[k])
            continue;
        if (!is_alive(m, row) && m->min_count == 0) {
            row->exists = true;
            initial(row->payload, 0, m->keys[k]);
            row->last = now;
        }
        if (is_alive(m, row)) {
            step(row->payload, g[k]);
            row->last = now;
            continue;
        }
        const uint32_t slot = hash_slot(m->keys[k]);
        for (int j = 0; j < DIM; j++)
            sums[slot][j] = has[slot] ? sums[slot][j] + g[k][j] : g[k][j];
        has[slot] = true;
        if (m->ttl > 0 && now - m->pushed[k] > m->ttl)
            m->pushes[k] = 0;
        m->pushed[k] = now;
        if (++m->pushes[k] >= m->min_count) {
            row->exists = true;
            row->last = now;
            initial(row->payload, 0, m->keys[k]);
            m->pushes[k] = 0;
        }
    }
    for (uint32_t slot = 0; slot < HASH_SLOTS; slot++)
        if (has[slot]) {
            model_row_t *row = &m->defaults[slot];
            if (!row->exists)
                initial(row->payload, 2, frequency_filter_default_key(slot));
            row->exists = true;
            step(row->payload, sums[slot]);
        }
}

static void model_digest(const model_t *m, hash_digest_t *digest)
{
    for (int64_t k = 0; k < RANGE; k++)
        if (is_alive(m, &m->rows[k]))
            table_digest_row(0, FLOATS, &(table_row_t){m->keys[k], 1, 1, m->rows[k].payload}, digest);
    for (uint32_t slot = 0; slot < HASH_SLOTS; slot++)
        if (m->defaults[slot].exists)
            table_digest_row(2, FLOATS, &(table_row_t){frequency_filter_default_key(slot), 1, 1, m->defaults[slot].payload},
                             digest);
}

/* ---- the tables ------------------------------------------------------------------------------------------------------ */

typedef struct shards {
    int n;
    row_cache_t *row_cache;
    table_t *tables[SHARDS_MAX][FREQUENCY_FILTER_KINDS]; /* rows, counts, defaults */
} shards_t;

static void shards_init(shards_t *s, int n, int64_t min_count, int64_t ttl, int64_t budget)
{
    *s = (shards_t){.n = n};
    if (budget > 0)
        assert_int_equal(row_cache_create(test_path("spill"), budget, &s->row_cache), ST_OK);
    for (int i = 0; i < n; i++) {
        table_options_t options = {.dim = DIM,
                                   .optimizer = OPTIMIZER_ADAGRAD,
                                   .settings = settings,
                                   .init_std = 0.05f,
                                   .seed = 7,
                                   .row_cache = s->row_cache,
                                   .ttl_steps = ttl,
                                   .min_count = min_count};
        if (min_count > 0) {
            const table_options_t counts = frequency_filter_counts(&options, 1),
                                  defaults = frequency_filter_defaults(&options, 1);
            assert_int_equal(table_create(&counts, &s->tables[i][1]), ST_OK);
            assert_int_equal(table_create(&defaults, &s->tables[i][2]), ST_OK);
            options.counts = s->tables[i][1];
            options.defaults = s->tables[i][2];
        }
        assert_int_equal(table_create(&options, &s->tables[i][0]), ST_OK);
        table_set_step(s->tables[i][0], -1);
    }
}

static void shards_fini(shards_t *s)
{
    for (int i = 0; i < s->n; i++)
        for (int kind = 0; kind < FREQUENCY_FILTER_KINDS; kind++)
            table_destroy(&s->tables[i][kind]);
    row_cache_destroy(&s->row_cache);
}

static int shard_of(const shards_t *s, uint64_t key)
{
    return (int)(hash_slot(key) % (uint32_t)s->n);
}

static void shards_pull(shards_t *s, uint64_t key, float *w, bool peek)
{
    table_t *table = s->tables[shard_of(s, key)][0];
    if (peek)
        table_peek(table, &key, 1, w);
    else
        table_pull(table, &key, 1, w);
}

/* Keys go to senders at random; some to two of them, each with half of the gradient, which adds up exactly. */
static void shards_push(shards_t *s, const model_t *m, const bool *there, float (*g)[DIM], int senders, int64_t now)
{
    for (int i = 0; i < s->n; i++) {
        static uint64_t keys[2][RANGE];
        static float own[2][RANGE * DIM];
        int64_t n[2] = {0, 0};
        for (int64_t r = 0; r < RANGE; r++) {
            const int64_t k = (int64_t)rng_permute((uint64_t)now, RANGE, (uint64_t)r); /* no order */
            if (!there[k] || shard_of(s, m->keys[k]) != i)
                continue;
            const uint64_t choice = senders == 1 ? 0 : rng_u64(8, (uint64_t)now, (uint64_t)k) % 3;
            for (int w = 0; w < 2; w++)
                if (choice == (uint64_t)w || choice == 2) {
                    for (int j = 0; j < DIM; j++)
                        own[w][n[w] * DIM + j] = choice == 2 ? 0.5f * g[k][j] : g[k][j];
                    keys[w][n[w]++] = m->keys[k];
                }
        }
        const uint64_t *lists[] = {keys[0], keys[1]};
        const float *gradients[] = {own[0], own[1]};
        table_set_step(s->tables[i][0], now);
        if (n[0] + n[1] > 0)
            table_push_merged(s->tables[i][0], lists, gradients, n, senders, (uint32_t)now);
    }
}

static void shards_digest(shards_t *s, hash_digest_t *digest)
{
    for (int i = 0; i < s->n; i++) {
        table_expire(s->tables[i][0]);
        table_digest(s->tables[i][0], digest);
        if (s->tables[i][2])
            table_digest(s->tables[i][2], digest);
    }
}

static int compare_keys(const void *left, const void *right)
{
    return key_order_stored(*(const uint64_t *)left, *(const uint64_t *)right);
}

/* A run of the model beside one of the tables. */
static void run(int64_t min_count, int64_t ttl, int shards, int senders, int64_t budget)
{
    static model_t m;
    shards_t s;
    m = (model_t){.min_count = min_count, .ttl = ttl, .now = -1};
    for (int64_t i = 0, key = 0; i < RANGE; key++)
        if (hash_slot((uint64_t)key) % 40 == 0) /* few slots, so that keys share rows */
            m.keys[i++] = (uint64_t)key;
    qsort(m.keys, RANGE, sizeof *m.keys, compare_keys);
    shards_init(&s, shards, min_count, ttl, budget);
    int64_t most = 0, shared = 0;
    for (int64_t now = 0; now < STEPS; now++) {
        bool there[RANGE] = {false};
        static float g[RANGE][DIM];
        const uint64_t range = now % 2 ? RANGE : 40;
        for (uint64_t i = 0; i < rng_u64(1, 0, (uint64_t)now) % KEYS_MAX; i++) {
            const int64_t k = (int64_t)((rng_u64(2, (uint64_t)now, i) % range * 7 + (uint64_t)now / 50 * 31) % RANGE);
            float pulled[DIM], want[DIM];
            there[k] = true;
            model_weights(&m, k, want);
            shards_pull(&s, m.keys[k], pulled, i % 3 == 0);
            assert_memory_equal(pulled, want, sizeof want);
            rng_fill_normal(g[k], DIM, 1.0f, 3, (uint64_t)(now * RANGE + k), 0);
            shared += !is_alive(&m, &m.rows[k]);
        }
        model_push(&m, there, g, now);
        shards_push(&s, &m, there, g, senders, now);
        if (now % 37 == 0 || now == STEPS - 1) {
            hash_digest_t want = {0}, got = {0};
            model_digest(&m, &want);
            shards_digest(&s, &got);
            assert_int_equal(got.elements, want.elements);
            assert_memory_equal(&want, &got, sizeof got);
            most = want.elements > most ? want.elements : most;
        }
    }
    assert_true(most > 60 && shared > 200);
    if (s.row_cache)
        assert_int_equal(row_cache_status(s.row_cache), ST_OK);
    if (budget > 0)
        assert_true(row_cache_counters(s.row_cache).evicted > 1000);
    shards_fini(&s);
}

static void test_frequency_filter(void **state)
{
    (void)state;
    run(MIN_COUNT, 0, 1, 1, 0);
    run(1, 0, 1, 2, 0);
}

static void test_expiry(void **state)
{
    (void)state;
    run(0, TTL, 1, 1, 0);
    run(0, TTL, 2, 2, 0);
}

static void test_both_on_any_cluster(void **state)
{
    (void)state;
    for (int shards = 1; shards <= SHARDS_MAX; shards++)
        for (int senders = 1; senders <= 2; senders++)
            run(MIN_COUNT, TTL, shards, senders, 0);
}

static void test_both_beyond_memory(void **state)
{
    (void)state;
    run(MIN_COUNT, TTL, 1, 2, 12000);
    run(0, TTL, 1, 2, 6000);
    run(MIN_COUNT, 0, 1, 1, 12000);
}

static void test_default_keys_lie_in_their_slots(void **state)
{
    (void)state;
    for (uint32_t slot = 0; slot < HASH_SLOTS; slot++)
        assert_int_equal(hash_slot(frequency_filter_default_key(slot)), slot);
}

/* Rows that are not asked for any more are removed while others are pushed. */
static void test_expired_rows_do_not_stay(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    shards_t s;
    shards_init(&s, 1, 0, 100, 0);
    const float g[DIM] = {0};
    for (uint64_t key = 0; key < ROWS; key++)
        table_push(s.tables[0][0], &key, g, 1, 0);
    for (uint32_t now = 1; now < 220; now++) {
        const uint64_t key = 5;
        table_set_step(s.tables[0][0], now);
        table_push(s.tables[0][0], &key, g, 1, now);
    }
    assert_int_equal(table_rows(s.tables[0][0]), 1);
    shards_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequency_filter),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_both_on_any_cluster),
        cmocka_unit_test(test_both_beyond_memory),
        cmocka_unit_test(test_default_keys_lie_in_their_slots),
        cmocka_unit_test(test_expired_rows_do_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
