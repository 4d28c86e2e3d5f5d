/* test_table_save - "Each is handed to `save` exactly once ... as they are now" (ps/table/table.h): what a freeze hands over,
 * in slices between pulls and pushes that go on, are the rows changed since the last freeze with the values they had at the
 * freeze.
 *
 * It must not matter that most rows are out of memory, come back while they wait to be saved, or leave again.
 *
 * The oracle is a second table that runs the same operations and tracks nothing: at each freeze its rows are copied, and a
 * plain list of the keys touched since the freeze before says which of them are wanted.                                 */
#include <inttypes.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "ps/table/table.h"
#include "tests/lib/testing.h"

enum { DIM = 5, FLOATS = 2 * DIM, RANGE = 3000, KEYS_MAX = 400 };

typedef struct saved_row {
    uint32_t version, count;
    float payload[FLOATS];
    int times;   /* handed over since the freeze */
    bool wanted; /* changed before the freeze and after the one before */
} saved_row_t;

typedef struct fixture {
    table_t *table, *shadow;
    bool touched[RANGE];       /* since the last freeze */
    saved_row_t frozen[RANGE]; /* as of the last freeze */
    int64_t wanted, handed_over;
} fixture_t;

static uint64_t key_of(int64_t i)
{
    return hash_mix((uint64_t)i);
}

static int64_t number_of(uint64_t key)
{
    for (int64_t i = 0; i < RANGE; i++)
        if (key_of(i) == key)
            return i;
    fail_msg("key %" PRIu64 " was never used", key);
    return -1;
}

static table_t *make_table(row_cache_t *row_cache)
{
    const table_options_t options = {.id = 3,
                                     .dim = DIM,
                                     .optimizer = OPTIMIZER_ADAGRAD,
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f},
                                     .init_std = 0.05f,
                                     .seed = 7,
                                     .row_cache = row_cache};
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    return table;
}

static void take(void *context, const table_t *table, const table_row_t *row)
{
    fixture_t *f = context;
    saved_row_t *frozen = &f->frozen[number_of(row->key)];
    assert_ptr_equal(table, f->table);
    assert_true(frozen->wanted);
    assert_int_equal(frozen->times++, 0);
    assert_int_equal(row->version, frozen->version);
    assert_int_equal(row->count, frozen->count);
    assert_memory_equal(row->payload, frozen->payload, sizeof frozen->payload);
    f->handed_over++;
}

static void freeze(fixture_t *f)
{
    f->wanted = f->handed_over = 0;
    for (int64_t i = 0; i < RANGE; i++) {
        f->frozen[i] = (saved_row_t){.wanted = f->touched[i]};
        f->wanted += f->touched[i];
    }
    for (int64_t i = 0; i < table_rows(f->shadow); i++) {
        const table_row_t row = table_row_at(f->shadow, i);
        saved_row_t *frozen = &f->frozen[number_of(row.key)];
        frozen->version = row.version;
        frozen->count = row.count;
        memcpy(frozen->payload, row.payload, sizeof frozen->payload);
    }
    memset(f->touched, 0, sizeof f->touched);
    table_freeze(f->table, take, f);
}

/* A pull or push of random keys, in both tables. */
static void operate(fixture_t *f, uint64_t o)
{
    static uint64_t keys[2][KEYS_MAX];
    static float g[2][KEYS_MAX * DIM], out[KEYS_MAX * DIM], again[KEYS_MAX * DIM];
    const uint64_t kind = rng_u64(1, 0, o) % 4, range = rng_u64(1, 1, o) % 3 ? 200 : RANGE; /* some rows are hot */
    int64_t n[2];
    for (int w = 0; w < 2; w++) {
        n[w] = (int64_t)(rng_u64(1, 2, 2 * o + (uint64_t)w) % (range < KEYS_MAX ? range : KEYS_MAX));
        for (int64_t i = 0; i < n[w]; i++)
            keys[w][i] = key_of((int64_t)rng_permute(2 * o + (uint64_t)w, range, (uint64_t)i));
        rng_fill_normal(g[w], n[w] * DIM, 1.0f, 3, 2 * o + (uint64_t)w, 0);
    }
    const uint64_t *lists[] = {keys[0], keys[1]};
    const float *gradients[] = {g[0], g[1]};
    if (kind == 0) {
        for (int64_t i = 0; i < n[0]; i++) { /* a pull changes what it creates */
            const int64_t rows = table_rows(f->shadow);
            table_pull(f->shadow, keys[0] + i, 1, again + i * DIM);
            f->touched[number_of(keys[0][i])] |= table_rows(f->shadow) > rows;
        }
        table_pull(f->table, keys[0], n[0], out);
        assert_memory_equal(out, again, (size_t)(n[0] * DIM) * sizeof *out);
        return;
    }
    const int senders = kind == 1 ? 2 : 1;
    table_push_merged(f->table, lists, gradients, n, senders, (uint32_t)o);
    table_push_merged(f->shadow, lists, gradients, n, senders, (uint32_t)o);
    for (int w = 0; w < senders; w++)
        for (int64_t i = 0; i < n[w]; i++)
            f->touched[number_of(keys[w][i])] = true;
}

/* Operations with freezes and saves among them, tracked after `before` operations; rows beyond the budget are on disk. */
static void run(int64_t budget, uint64_t before)
{
    static fixture_t f;
    row_cache_t *row_cache = NULL;
    if (budget > 0)
        assert_int_equal(row_cache_create(test_path("spill"), budget, &row_cache), ST_OK);
    f = (fixture_t){.table = make_table(row_cache), .shadow = make_table(NULL)};
    uint64_t o = 0;
    for (; o < before; o++)
        operate(&f, o);
    table_track(f.table); /* with rows already there: all of them are wanted */
    int64_t saves = 0, early = 0;
    for (; o < 600; o++) {
        if (rng_u64(1, 3, o) % 6 == 0) {
            freeze(&f);
            bool done = false;
            for (uint64_t slice = 0; !done; slice++, o++) {
                const int64_t handed = f.handed_over, rows = (int64_t)(rng_u64(1, 4, o) % 90);
                done = table_save_some(f.table, rows);
                assert_in_range(f.handed_over - handed, 0, rows);
                if (!done) {
                    const int64_t now = f.handed_over;
                    operate(&f, o);
                    early += f.handed_over - now;
                }
            }
            assert_int_equal(f.handed_over, f.wanted);
            assert_true(table_save_some(f.table, 1000));
            saves += f.handed_over;
        }
        operate(&f, o);
    }
    assert_true(saves > 5000); /* the test did what it is for */
    assert_true(early > 500);
    hash_digest_t want = {0}, got = {0};
    table_digest(f.shadow, &want);
    table_digest(f.table, &got);
    assert_memory_equal(&want, &got, sizeof got);
    table_destroy(&f.table);
    table_destroy(&f.shadow);
    if (row_cache) {
        assert_int_equal(row_cache_status(row_cache), ST_OK);
        const row_cache_counters_t counters = row_cache_counters(row_cache);
        assert_true(counters.evicted > 20000 && counters.loaded > 10000);
    }
    row_cache_destroy(&row_cache);
}

static void test_a_save_is_exactly_what_changed_as_it_was(void **state)
{
    (void)state;
    run(0, 10);
}

enum { BUDGET = RANGE * (16 + FLOATS * 4) / 20 };

static void test_rows_out_of_memory_are_saved_too(void **state)
{
    (void)state;
    run(BUDGET, 0);
}

static void test_rows_spilled_before_anything_was_tracked(void **state)
{
    (void)state;
    run(BUDGET, 40);
}

/* The clock has to go round more than once for enough cold rows: what leaves in the first round is saved as what leaves in the
 * last. */
static void test_rows_of_several_rounds_of_the_clock(void **state)
{
    (void)state;
    enum { HOT = 2200, COLD = 150, LARGE = (HOT + COLD / 2) * (16 + FLOATS * 4 + 6) };
    static fixture_t f;
    static uint64_t keys[HOT + COLD];
    static float g[(HOT + COLD) * DIM];
    row_cache_t *row_cache = NULL;
    assert_int_equal(row_cache_create(test_path("rounds"), LARGE, &row_cache), ST_OK);
    f = (fixture_t){.table = make_table(row_cache), .shadow = make_table(NULL)};
    table_track(f.table);
    for (int64_t i = 0; i < HOT + COLD; i++) {
        keys[i] = key_of(i);
        f.touched[i] = true;
    }
    for (uint32_t step = 0; step < 5; step++) {
        const int64_t at = step < 4 ? 0 : HOT, n = step < 4 ? HOT : COLD;
        assert_int_equal(row_cache_counters(row_cache).evicted, 0);
        table_push(f.table, keys + at, g, n, step);
        table_push(f.shadow, keys + at, g, n, step);
    }
    const int64_t evicted = row_cache_counters(row_cache).evicted;
    assert_in_range(evicted, COLD + 1, HOT);
    freeze(&f);
    assert_true(table_save_some(f.table, INT64_MAX));
    assert_int_equal(f.handed_over, HOT + COLD);
    table_destroy(&f.table);
    table_destroy(&f.shadow);
    row_cache_destroy(&row_cache);
}

static void count_rows(void *context, const table_t *table, const table_row_t *row)
{
    (void)table;
    (void)row;
    ++*(int64_t *)context;
}

/* Rows far apart in a large table, and rows put by a restore. */
static void test_only_changed_rows_are_visited(void **state)
{
    (void)state;
    enum { ROWS = 300000 };
    table_t *table = make_table(NULL);
    uint64_t *keys = MEM_ARRAY(uint64_t, ROWS);
    float *out = MEM_ARRAY(float, (int64_t)ROWS *DIM);
    for (int64_t i = 0; i < ROWS; i++)
        keys[i] = key_of(i);
    table_pull(table, keys, ROWS, out);
    int64_t saved = 0;
    table_track(table);
    table_freeze(table, count_rows, &saved);
    assert_true(table_save_some(table, INT64_MAX));
    assert_int_equal(saved, ROWS);
    assert_in_range(table_memory_bytes(table), 0,
                    (int64_t)ROWS * (FLOATS * (int64_t)sizeof(float) + 24) + (2 << 20)); /* a huge page of slack */

    for (int64_t at = 0; at < ROWS; at += 71993)
        table_push(table, keys + at, out, 1, 5);
    float payload[FLOATS] = {0};
    assert_int_equal(table_put_latest(table, &(table_row_t){keys[1], 9, 4, payload}, 1), ST_OK);
    saved = 0;
    table_freeze(table, count_rows, &saved);
    assert_false(table_save_some(table, 3));
    assert_true(table_save_some(table, 100));
    assert_int_equal(saved, 6);
    table_freeze(table, count_rows, &saved);
    assert_true(table_save_some(table, 100));
    assert_int_equal(saved, 6);
    mem_free(keys);
    mem_free(out);
    table_destroy(&table);
}

static void test_the_latest_put_counts(void **state)
{
    (void)state;
    float first[FLOATS] = {1}, second[FLOATS] = {2};
    table_t *table = make_table(NULL);
    assert_int_equal(table_put_latest(table, &(table_row_t){77, 1, 1, first}, 1), ST_OK);
    assert_int_equal(table_put_latest(table, &(table_row_t){77, 9, UINT32_MAX, second}, 1), ST_OK);
    assert_int_equal(table_rows(table), 1);
    const table_row_t row = table_row_at(table, 0);
    assert_int_equal(row.version, 9);
    assert_int_equal(row.count, (1 << 28) - 1); /* as many as a row can tell */
    assert_memory_equal(row.payload, second, sizeof second);
    const uint64_t key = 77;
    table_push(table, &key, first, 1, 20);
    assert_int_equal(table_row_at(table, 0).count, (1 << 28) - 1);
    table_destroy(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_out_of_memory_are_saved_too),
        cmocka_unit_test(test_rows_spilled_before_anything_was_tracked),
        cmocka_unit_test(test_rows_of_several_rounds_of_the_clock),
        cmocka_unit_test(test_a_save_is_exactly_what_changed_as_it_was),
        cmocka_unit_test(test_only_changed_rows_are_visited),
        cmocka_unit_test(test_the_latest_put_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
