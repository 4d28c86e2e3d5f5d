/* test_spill - rows on disk are the rows that were put last, in both orders of keys; the log names what a batch put; and the
 * memory that rows are found by is known to the byte. */
#include "ps/table/spill.h"

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

enum { FLOATS = 3 };

/* What the row of a key holds after its last put, told by the batch. */
static void fill(float *payload, uint64_t key, uint32_t batch)
{
    rng_fill_normal(payload, FLOATS, 1.0f, key, batch, 0);
}

typedef struct given {
    const placed_key_t *keys;
    uint32_t batch;
    float payload[FLOATS];
} given_t;

static spilled_t give(void *context, int64_t i)
{
    given_t *given = context;
    fill(given->payload, given->keys[i].key, given->batch);
    return (spilled_t){given->keys[i].key, given->batch, given->batch + 1, given->batch + 2, given->payload};
}

/* A batch of n random rows out of `range`; the log names every second. */
static void put_batch(spill_t *spill, uint32_t table, uint32_t batch, int64_t n, uint64_t range, uint32_t *latest)
{
    placed_key_t *keys = MEM_ARRAY(placed_key_t, n), *scratch = MEM_ARRAY(placed_key_t, n);
    uint64_t *logged = MEM_ARRAY(uint64_t, n);
    int64_t n_logged = 0;
    for (int64_t i = 0; i < n; i++)
        keys[i] = (placed_key_t){rng_permute(batch, range, (uint64_t)i), 0};
    key_order_sort_mixed(keys, scratch, n);
    assert_int_equal(spill_put(spill, table, FLOATS, keys, n, give, &(given_t){.keys = keys, .batch = batch}), ST_OK);
    for (int64_t i = 0; i < n; i++) {
        latest[keys[i].key] = batch;
        if (i % 2 == 0)
            logged[n_logged++] = keys[i].key;
    }
    assert_int_equal(spill_log(spill, table, batch, logged, n_logged), ST_OK);
    mem_free(keys);
    mem_free(scratch);
    mem_free(logged);
}

typedef struct seen {
    int (*order)(uint64_t a, uint64_t b);
    const uint32_t *latest;
    const placed_key_t *keys;
    int64_t n, stop_at;
    uint64_t last;
} seen_t;

static void check_row(const seen_t *seen, const spilled_t *row)
{
    float payload[FLOATS];
    const uint32_t batch = seen->latest[row->key];
    assert_true(batch > 0);
    fill(payload, row->key, batch);
    assert_int_equal(row->batch, batch);
    assert_int_equal(row->version, batch + 1);
    assert_int_equal(row->count, batch + 2);
    assert_memory_equal(row->payload, payload, sizeof payload);
}

static void see_read(void *context, int64_t i, const spilled_t *row)
{
    seen_t *seen = context;
    assert_true(seen->keys[i].key == row->key);
    check_row(seen, row);
    seen->n++;
}

static bool see_scanned(void *context, const spilled_t *row)
{
    seen_t *seen = context;
    if (seen->n > 0)
        assert_true(seen->order(seen->last, row->key) < 0);
    check_row(seen, row);
    seen->last = row->key;
    return ++seen->n != seen->stop_at;
}

static void test_rows_come_back(void **state)
{
    (void)state;
    enum { RANGE = 40000, BATCHES = 12 };
    spill_t *spill = NULL;
    assert_int_equal(spill_open(test_path("spill"), &spill), ST_OK);
    static uint32_t latest[2][RANGE];
    for (uint32_t batch = 1; batch <= BATCHES; batch++)
        put_batch(spill, 256 * (batch % 2), batch, batch == 5 ? 20000 : 700, RANGE, latest[batch % 2]);

    for (uint32_t t = 0; t < 2; t++) {
        static placed_key_t keys[RANGE];
        int64_t there = 0;
        for (uint64_t key = 0; key < RANGE; key++) {
            keys[key] = (placed_key_t){key, 0};
            there += latest[t][key] > 0;
        }
        seen_t seen = {.latest = latest[t], .keys = keys};
        spill_read(spill, 256 * t, keys, RANGE, see_read, &seen);
        assert_int_equal(seen.n, there);

        seen = (seen_t){.order = key_order_mixed, .latest = latest[t], .stop_at = 100};
        spill_scan(spill, 256 * t, NULL, see_scanned, &seen);
        assert_int_equal(seen.n, 100);
        const uint64_t after = seen.last;
        seen.stop_at = -1;
        spill_scan(spill, 256 * t, &after, see_scanned, &seen);
        assert_int_equal(seen.n, there); /* each once, none left out */
        seen = (seen_t){.order = key_order_stored, .latest = latest[t], .stop_at = -1};
        spill_scan_stored(spill, 256 * t, see_scanned, &seen);
        assert_int_equal(seen.n, there);
    }

    const uint64_t *logged;
    int64_t n;
    uint32_t batch = 0;
    for (uint32_t want = 2; want <= BATCHES; want += 2, batch++) {
        spill_log_next(spill, 0, &batch, BATCHES + 1, &logged, &n);
        assert_int_equal(batch, want);
        assert_int_equal(n, 350);
    }
    spill_log_next(spill, 0, &batch, UINT32_MAX, &logged, &n);
    assert_int_equal(n, 0);
    spill_log_drop(spill, 0, 7);
    batch = 0;
    spill_log_next(spill, 0, &batch, 8, &logged, &n);
    assert_int_equal(n, 0);
    spill_log_next(spill, 0, &batch, 9, &logged, &n);
    assert_int_equal(batch, 8);
    batch = 0;
    spill_log_next(spill, 256, &batch, 9, &logged, &n);
    assert_int_equal(batch, 1); /* another table's log stays */
    spill_close(&spill);
    assert_false(file_exists(test_path("spill")));
}

/* Rewriting the same rows many times does not make the file grow, nor do logs that are dropped; removed rows and dropped logs
 * leave nothing behind in memory. */
static void test_nothing_grows_without_rows(void **state)
{
    (void)state;
    enum { RANGE = 5000 };
    static uint32_t latest[RANGE];
    static uint64_t keys[RANGE];
    spill_t *spill = NULL;
    assert_int_equal(spill_open(test_path("again"), &spill), ST_OK);
    assert_int_equal(spill_memory(spill), 0);
    uint32_t batch = 1;
    for (; batch <= 10; batch++)
        put_batch(spill, 1, batch, RANGE, RANGE, latest);
    const int64_t bytes = spill_bytes(spill), memory = spill_memory(spill);
    for (; batch <= 100; batch++) {
        put_batch(spill, 1, batch, RANGE, RANGE, latest);
        spill_log_drop(spill, 1, batch);
    }
    assert_int_equal(spill_bytes(spill), bytes);
    assert_in_range(spill_memory(spill), 1, memory);
    spill_log_drop(spill, 1, batch);
    for (uint64_t key = 0; key < RANGE; key++)
        keys[key] = key;
    const int64_t full = spill_memory(spill);
    assert_int_equal(spill_remove(spill, 1, keys, RANGE), ST_OK);
    assert_int_equal(spill_remove(spill, 77, keys, RANGE), ST_OK); /* of a table that has none */
    seen_t seen = {.latest = latest, .stop_at = -1};
    spill_scan(spill, 1, NULL, see_scanned, &seen);
    assert_int_equal(seen.n, 0);
    assert_in_range(spill_memory(spill), 1, full - (RANGE * (FLOATS * 4 + 20) / 4096) * (int64_t)sizeof(uint32_t));
    spill_close(&spill);
    assert_false(file_exists(test_path("again")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_come_back),
        cmocka_unit_test(test_nothing_grows_without_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
