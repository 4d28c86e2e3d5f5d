/* Proves: rows put through a batch are in their tables as if each had been put by itself, the last one of a key counting, for
 * tables of several widths, in memory and beyond it, with and without room made before; without replacing, a second row of a
 * key is refused, whether it comes in the same batch or a later one; what was not flushed is not there. */
#include "ps/checkpoint/row_batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "tests/lib/testing.h"

#define TABLES 3
#define KEYS 5000
#define PUTS 20000
#define BUDGET 150000 /* bytes: a part of the rows */

static const int dims[TABLES] = {1, 8, 37};

static void make_tables(row_cache_t *row_cache, table_t *tables[TABLES])
{
    for (int t = 0; t < TABLES; t++) {
        const table_options_t options = {.id = (uint32_t)t,
                                         .dim = dims[t],
                                         .optimizer = OPTIMIZER_ADAGRAD,
                                         .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.1f, .epsilon = 1e-8f},
                                         .row_cache = row_cache};
        assert_int_equal(table_create(&options, &tables[t]), ST_OK);
    }
}

static void destroy_tables(table_t *tables[TABLES])
{
    for (int t = 0; t < TABLES; t++)
        table_destroy(&tables[t]);
}

/* The i-th row that is put: any of KEYS keys of any table, its numbers telling i. */
static table_row_t draw(int64_t i, uint32_t *table, float payload[2 * 37])
{
    *table = (uint32_t)(rng_uniform(1, 0, (uint64_t)i) * TABLES);
    for (int k = 0; k < 2 * 37; k++)
        payload[k] = (float)i + (float)k / 128.0f;
    return (table_row_t){(uint64_t)(rng_uniform(2, 0, (uint64_t)i) * KEYS), (uint32_t)i, (uint32_t)i % 7, payload};
}

/* Number of the last put of each key, and -1 where there is none. */
typedef struct model {
    int64_t last[TABLES][KEYS];
    int64_t rows[TABLES];
    uint32_t table; /* compared now */
} model_t;

static status_t compare(void *context, const table_row_t *row)
{
    model_t *m = context;
    const int64_t i = m->last[m->table][row->key];
    uint32_t table;
    float payload[2 * 37];
    assert_true(i >= 0);
    const table_row_t wanted = draw(i, &table, payload);
    assert_int_equal(row->version, wanted.version);
    assert_int_equal(row->count, wanted.count);
    assert_memory_equal(row->payload, payload, 2 * (size_t)dims[m->table] * sizeof(float));
    m->rows[m->table]++;
    return ST_OK;
}

static void put_and_compare(row_cache_t *row_cache, bool expects)
{
    table_t *tables[TABLES];
    model_t *m = MEM_NEW(model_t);
    make_tables(row_cache, tables);
    memset(m->last, 0xff, sizeof m->last);
    row_batch_t *batch = row_batch_create(tables, TABLES, true);
    for (int64_t i = 0; i < PUTS; i++) {
        uint32_t table;
        float payload[2 * 37];
        const table_row_t row = draw(i, &table, payload);
        if (expects && i % (PUTS / 4) == 5) /* in the middle of it, too */
            table_expect(tables[table], KEYS);
        assert_int_equal(row_batch_put(batch, table, &row), ST_OK);
        m->last[table][row.key] = i;
    }
    assert_int_equal(row_batch_flush(batch), ST_OK);
    row_batch_destroy(&batch);
    assert_null(batch);
    for (m->table = 0; m->table < TABLES; m->table++) {
        int64_t rows = 0;
        for (int64_t key = 0; key < KEYS; key++)
            rows += m->last[m->table][key] >= 0;
        assert_int_equal(table_scan(tables[m->table], compare, m), ST_OK);
        assert_int_equal(m->rows[m->table], rows);
        assert_int_equal(table_rows(tables[m->table]), rows);
    }
    destroy_tables(tables);
    mem_free(m);
}

static void test_in_memory(void **state)
{
    (void)state;
    put_and_compare(NULL, false);
    put_and_compare(NULL, true);
}

static void test_beyond_memory(void **state)
{
    (void)state;
    row_cache_t *row_cache = NULL;
    assert_int_equal(row_cache_create(test_path("spill"), BUDGET, &row_cache), ST_OK);
    put_and_compare(row_cache, true);
    const row_cache_counters_t counters = row_cache_counters(row_cache);
    assert_true(counters.evicted > KEYS && counters.loaded > KEYS);
    row_cache_destroy(&row_cache);
}

static void test_refuses_a_second_row(void **state)
{
    (void)state;
    for (int apart = 1; apart <= 2 * ROW_BATCH_MOST; apart += ROW_BATCH_MOST) {
        table_t *tables[TABLES];
        float payload[2 * 37] = {0};
        make_tables(NULL, tables);
        row_batch_t *batch = row_batch_create(tables, TABLES, false);
        status_t status = ST_OK;
        catch_start();
        for (int i = 0; i <= apart && status == ST_OK; i++)
            status = row_batch_put(batch, 1, &(table_row_t){(uint64_t)(1000 + i % apart), 1, 1, payload});
        if (status == ST_OK)
            status = row_batch_flush(batch);
        assert_int_equal(status, ST_CORRUPT);
        assert_caught("table 1: row 1000 is there twice");
        catch_stop();
        assert_int_equal(table_rows(tables[1]), apart);
        row_batch_destroy(&batch);
        destroy_tables(tables);
    }
}

static void test_drops_what_was_not_flushed(void **state)
{
    (void)state;
    table_t *tables[TABLES];
    float payload[2 * 37] = {0};
    make_tables(NULL, tables);
    row_batch_t *batch = row_batch_create(tables, TABLES, true);
    assert_int_equal(row_batch_put(batch, 0, &(table_row_t){1, 1, 1, payload}), ST_OK);
    assert_int_equal(table_rows(tables[0]), 0);
    row_batch_destroy(&batch);
    row_batch_destroy(&batch);
    assert_int_equal(table_rows(tables[0]), 0);
    destroy_tables(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_beyond_memory),
        cmocka_unit_test(test_refuses_a_second_row),
        cmocka_unit_test(test_drops_what_was_not_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
