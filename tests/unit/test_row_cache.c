/* test_residency - "No value depends on where a row was" (ps/table/table.h): tables with memory for a twentieth of their rows
 * give what tables without a bound give, bit for bit, in pulls, peeks, digests, scans and stores; and memory keeps to its
 * budget. */
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "ps/checkpoint/store.h"
#include "ps/table/row_cache.h"
#include "ps/table/table.h"
#include "tests/lib/testing.h"

enum { TABLES = 4, KEYS_MAX = 500, DIM_MAX = 16 };

/* Two large tables, one of them wide; one that grows late; one so small that it stays. */
static const struct {
    int dim, optimizer;
    uint64_t range, first_operation;
} shapes[TABLES] = {
    {8, OPTIMIZER_ADAGRAD, 6000, 0},
    {16, OPTIMIZER_ADAGRAD_ROW, 4000, 0},
    {3, OPTIMIZER_SGD, 12, 0},
    {8, OPTIMIZER_ADAGRAD, 3000, 400},
};

enum { BYTES_OF_ALL = 6000 * 80 + 4000 * 84 + 3000 * 80, BUDGET = BYTES_OF_ALL / 20 };

static table_t *make_table(int t, row_cache_t *row_cache)
{
    const table_options_t options = {.id = (uint32_t)t * 5,
                                     .dim = shapes[t].dim,
                                     .optimizer = shapes[t].optimizer,
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f},
                                     .init_std = 0.05f,
                                     .seed = 7,
                                     .row_cache = row_cache};
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    return table;
}

/* n distinct keys of a table, often from its hot tenth; the raw ones are small, so that key and slot order differ. */
static int64_t draw_keys(uint64_t *keys, int t, uint64_t o)
{
    const uint64_t range = rng_u64(1, 3, o) % 3 ? shapes[t].range / 10 + 1 : shapes[t].range;
    const int64_t n = (int64_t)(rng_u64(1, 4, o) % ((range < KEYS_MAX ? range : KEYS_MAX) + 1));
    for (int64_t i = 0; i < n; i++)
        keys[i] = rng_permute(o, range, (uint64_t)i) * 977;
    return n;
}

static void assert_same_digest(const table_t *a, const table_t *b)
{
    hash_digest_t da = {0}, db = {0};
    table_digest(a, &da);
    table_digest(b, &db);
    assert_int_equal(table_rows(a), table_rows(b));
    assert_int_equal(da.elements, table_rows(a));
    assert_memory_equal(&da, &db, sizeof da);
}

static void operate(table_t *bounded, table_t *free_one, int t, uint64_t o)
{
    static uint64_t keys[2][KEYS_MAX];
    static float a[KEYS_MAX * DIM_MAX], b[KEYS_MAX * DIM_MAX], g[2][KEYS_MAX * DIM_MAX];
    const int64_t dim = shapes[t].dim, n[] = {draw_keys(keys[0], t, 2 * o), draw_keys(keys[1], t, 2 * o + 1)};
    const uint64_t *lists[] = {keys[0], keys[1]};
    const float *gradients[] = {g[0], g[1]};
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    switch (rng_u64(1, 1, o) % 5) {
    case 0:
        table_pull(bounded, keys[0], n[0], a);
        table_pull(free_one, keys[0], n[0], b);
        break;
    case 1:
        table_peek(bounded, keys[0], n[0], a);
        table_peek(free_one, keys[0], n[0], b);
        break;
    case 2:
        table_prefetch(bounded, keys[0], n[0]);
        table_pull(bounded, keys[0], n[0], a);
        table_pull(free_one, keys[0], n[0], b);
        break;
    default:
        for (int w = 0; w < 2; w++)
            rng_fill_normal(g[w], n[w] * dim, 1.0f, 3, 2 * o + (uint64_t)w, 0);
        const int senders = 1 + (int)(rng_u64(1, 2, o) % 2);
        table_push_merged(bounded, lists, gradients, n, senders, (uint32_t)o);
        table_push_merged(free_one, lists, gradients, n, senders, (uint32_t)o);
    }
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(table_rows(bounded), table_rows(free_one));
}

typedef struct listed {
    uint64_t *keys;
    float *payload;
    int64_t n, floats;
    uint32_t versions, counts; /* sums */
} listed_t;

static status_t list_row(void *context, const table_row_t *row)
{
    listed_t *list = context;
    list->keys[list->n] = row->key;
    memcpy(list->payload + list->n * list->floats, row->payload, (size_t)list->floats * sizeof *row->payload);
    list->versions += row->version;
    list->counts += row->count;
    list->n++;
    return ST_OK;
}

static void assert_same_scan(const table_t *a, const table_t *b)
{
    const table_t *const tables[] = {a, b};
    listed_t lists[2];
    for (int i = 0; i < 2; i++) {
        lists[i] = (listed_t){.floats = table_payload_floats(a)};
        lists[i].keys = MEM_ARRAY(uint64_t, table_rows(a));
        lists[i].payload = MEM_ARRAY(float, table_rows(a) * lists[i].floats);
        assert_int_equal(table_scan(tables[i], list_row, &lists[i]), ST_OK);
        assert_int_equal(lists[i].n, table_rows(a));
        for (int64_t r = 1; r < lists[i].n; r++) {
            const uint64_t before = lists[i].keys[r - 1], key = lists[i].keys[r];
            assert_true(hash_slot(before) < hash_slot(key) || (hash_slot(before) == hash_slot(key) && before < key));
        }
    }
    assert_memory_equal(lists[0].keys, lists[1].keys, (size_t)lists[0].n * sizeof *lists[0].keys);
    assert_memory_equal(lists[0].payload, lists[1].payload, (size_t)(lists[0].n * lists[0].floats) * sizeof(float));
    assert_int_equal(lists[0].versions, lists[1].versions);
    assert_int_equal(lists[0].counts, lists[1].counts);
    for (int i = 0; i < 2; i++) {
        mem_free(lists[i].keys);
        mem_free(lists[i].payload);
    }
}

static status_t take_stored(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    table_digest_row(table, payload_floats, row, context);
    return ST_OK;
}

static void test_values_do_not_depend_on_residency(void **state)
{
    (void)state;
    enum { OPERATIONS = 1500 };
    row_cache_t *row_cache = NULL;
    char path[256];
    snprintf(path, sizeof path, "%s", test_path("spill"));
    assert_int_equal(row_cache_create(path, BUDGET, &row_cache), ST_OK);
    table_t *bounded[TABLES], *free_ones[TABLES];
    for (int t = 0; t < TABLES; t++) {
        bounded[t] = make_table(t, row_cache);
        free_ones[t] = make_table(t, NULL);
    }
    int64_t most = 0;
    for (uint64_t o = 0; o < OPERATIONS; o++) {
        const int t = (int)(rng_u64(1, 0, o) % TABLES);
        if (o < shapes[t].first_operation)
            continue;
        operate(bounded[t], free_ones[t], t, o);
        assert_int_equal(row_cache_status(row_cache), ST_OK);
        const int64_t bytes = row_cache_counters(row_cache).memory_bytes;
        most = bytes > most ? bytes : most;
        assert_true(bytes <= BUDGET);
    }
    assert_true(most > BUDGET * 9 / 10); /* and uses what it may */
    const row_cache_counters_t counters = row_cache_counters(row_cache);
    assert_true(counters.evicted > 50000 && counters.loaded > 30000);

    store_t *store = NULL;
    hash_digest_t want = {0}, got = {0};
    assert_int_equal(store_open(test_path("store"), true, &store), ST_OK);
    for (int t = 0; t < TABLES; t++) {
        assert_true(table_rows(free_ones[t]) > (int64_t)shapes[t].range * 9 / 10);
        assert_same_digest(bounded[t], free_ones[t]);
        assert_same_scan(bounded[t], free_ones[t]);
        assert_int_equal(store_put_table(store, bounded[t]), ST_OK);
        table_digest(free_ones[t], &want);
    }
    assert_true(row_cache_counters(row_cache).memory_bytes <= BUDGET); /* nothing was loaded for it */
    assert_int_equal(store_finish(&store), ST_OK);
    assert_int_equal(store_open(test_path("store"), false, &store), ST_OK);
    assert_int_equal(store_scan(store, take_stored, &got), ST_OK);
    assert_memory_equal(&want, &got, sizeof got);
    store_close(&store);
    for (int t = 0; t < TABLES; t++) {
        table_destroy(&bounded[t]);
        table_destroy(&free_ones[t]);
    }
    row_cache_destroy(&row_cache);
    assert_false(file_exists(path));
}

/* Rows are put one by one, some of them again. */
static void test_put_into_tables_beyond_memory(void **state)
{
    (void)state;
    enum { ROWS = 6000, FLOATS = 16 };
    row_cache_t *row_cache = NULL;
    assert_int_equal(row_cache_create(test_path("spill-put"), BUDGET, &row_cache), ST_OK);
    table_t *bounded = make_table(0, row_cache), *free_one = make_table(0, NULL);
    float payload[FLOATS];
    for (uint64_t o = 0; o < 2 * ROWS; o++) {
        rng_fill_normal(payload, FLOATS, 1.0f, 5, o, 0);
        const table_row_t row = {o < ROWS ? o : rng_u64(6, 0, o) % (ROWS + 500), (uint32_t)o, 3, payload};
        assert_int_equal(table_put_latest(bounded, &row, 1), ST_OK);
        assert_int_equal(table_put_latest(free_one, &row, 1), ST_OK);
    }
    assert_true(row_cache_counters(row_cache).evicted > 5000);
    assert_same_digest(bounded, free_one);
    catch_start();
    for (uint64_t key = 0; key < ROWS; key += 1499) /* there, wherever it is */
        assert_int_equal(table_put(bounded, &(table_row_t){key, 1, 1, payload}, 1), ST_CORRUPT);
    assert_caught("is there twice");
    catch_stop();
    assert_same_digest(bounded, free_one);
    table_destroy(&bounded);
    table_destroy(&free_one);
    row_cache_destroy(&row_cache);
}

/* Hot rows stay: a working set that fits is read from disk once, whatever passes by it. */
static void test_rows_in_use_stay(void **state)
{
    (void)state;
    enum { HOT = 300, COLD = 100, ROUNDS = 60 };
    static uint64_t hot[HOT], cold[COLD];
    static float g[HOT * 8];
    row_cache_t *row_cache = NULL;
    assert_int_equal(row_cache_create(test_path("spill-hot"), BUDGET, &row_cache), ST_OK);
    table_t *table = make_table(0, row_cache);
    for (uint64_t i = 0; i < HOT; i++)
        hot[i] = hash_mix(i);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < COLD; i++)
            cold[i] = hash_mix(HOT + round * COLD + i);
        table_push(table, hot, g, HOT, (uint32_t)round);
        table_push(table, cold, g, COLD, (uint32_t)round);
    }
    assert_true(row_cache_counters(row_cache).evicted > ROUNDS * COLD * 8 / 10);
    assert_in_range(row_cache_counters(row_cache).loaded, 0, HOT);
    table_destroy(&table);
    row_cache_destroy(&row_cache);
}

/* Tables that cannot fit are a warning, not an endless search. */
static void test_a_budget_below_the_least(void **state)
{
    (void)state;
    uint64_t keys[KEYS_MAX];
    float out[KEYS_MAX * DIM_MAX];
    row_cache_t *row_cache = NULL;
    assert_int_equal(row_cache_create(test_path("spill-tiny"), 100, &row_cache), ST_OK);
    table_t *table = make_table(0, row_cache);
    catch_start();
    const int64_t n = draw_keys(keys, 0, 7);
    table_pull(table, keys, n, out);
    table_pull(table, keys, n, out);
    assert_caught("cluster.memory_mb: 0 MB are too little for 1 tables");
    catch_stop();
    assert_int_equal(table_rows(table), n);
    assert_int_equal(row_cache_status(row_cache), ST_OK);
    table_destroy(&table);
    row_cache_destroy(&row_cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_do_not_depend_on_residency),
        cmocka_unit_test(test_put_into_tables_beyond_memory),
        cmocka_unit_test(test_rows_in_use_stay),
        cmocka_unit_test(test_a_budget_below_the_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
