/* test_row_buckets - against a list of what was put and removed, for rows of all widths: every row is found, in both orders,
 * and no other; and buckets are "between three quarters and seven eighths full, whatever the number of rows", with "about 0.3
 * bytes" of memory for a row (ps/table/row_buckets.h). */
#include "ps/table/row_buckets.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "ps/table/frequency_filter.h"
#include "tests/lib/testing.h"

enum { KEYS = 30000 };

typedef struct model {
    page_pool_t *pool;
    row_buckets_t *buckets;
    uint64_t keys[KEYS];
    uint32_t version[KEYS]; /* of the last put; 0: it is not there */
    int64_t rows;
} model_t;

static model_t *begin(int64_t floats, uint64_t slots)
{
    model_t *m = MEM_NEW(model_t);
    assert_int_equal(page_pool_open(test_path("pool"), &m->pool), ST_OK);
    m->buckets = row_buckets_create(m->pool, floats);
    int64_t n = 0;
    for (uint64_t key = 0; n < KEYS; key++) /* a shard has some of the slots */
        if (hash_slot(key * 977) % (HASH_SLOTS / slots) == 5 % (HASH_SLOTS / slots))
            m->keys[n++] = key * 977;
    return m;
}

static void end(model_t *m)
{
    row_buckets_destroy(&m->buckets);
    page_pool_close(&m->pool);
    mem_free(m);
}

static float float_of(uint64_t key, uint32_t version, int64_t j)
{
    return (float)(hash_mix(key + version) % 1000000 + (uint64_t)j % 7);
}

static void put(model_t *m, int64_t k, uint32_t version)
{
    bucket_row_t *row = row_buckets_find(m->buckets, m->keys[k]);
    assert_true((row != NULL) == (m->version[k] > 0));
    if (!row)
        assert_int_equal(row_buckets_add(m->buckets, m->keys[k], &row), ST_OK);
    row->version = version;
    row->batch = version + 1;
    row->count = version + 2;
    for (int64_t j = 0; j < m->buckets->payload_floats; j++)
        row->payload[j] = float_of(m->keys[k], version, j);
    m->rows += m->version[k] == 0;
    m->version[k] = version;
}

static void drop(model_t *m, int64_t k)
{
    assert_int_equal(row_buckets_remove(m->buckets, m->keys[k]), ST_OK);
    m->rows -= m->version[k] > 0;
    m->version[k] = 0;
}

static void check_row(const model_t *m, int64_t k, const bucket_row_t *row)
{
    assert_non_null(row);
    assert_true(row->key == m->keys[k]);
    assert_int_equal(row->version, m->version[k]);
    assert_int_equal(row->batch, row->version + 1);
    assert_int_equal(row->count, row->version + 2);
    for (int64_t j = 0; j < m->buckets->payload_floats; j++)
        assert_true(row->payload[j] == float_of(row->key, row->version, j));
}

typedef struct seen_rows {
    int (*order)(uint64_t a, uint64_t b);
    int64_t n, stop_at;
    uint64_t last;
} seen_rows_t;

static bool see(void *context, const bucket_row_t *row)
{
    seen_rows_t *seen = context;
    if (seen->n > 0)
        assert_true(seen->order(seen->last, row->key) < 0);
    seen->last = row->key;
    return ++seen->n != seen->stop_at;
}

static void check_all(const model_t *m)
{
    for (int64_t k = 0; k < KEYS; k++) {
        const bucket_row_t *row = row_buckets_find(m->buckets, m->keys[k]);
        if (m->version[k] > 0)
            check_row(m, k, row);
        else
            assert_null(row);
    }
    seen_rows_t seen = {.order = key_order_stored};
    row_buckets_scan_stored(m->buckets, see, &seen);
    assert_int_equal(seen.n, m->rows);
    seen = (seen_rows_t){.order = key_order_mixed, .stop_at = m->rows / 3};
    row_buckets_scan_mixed(m->buckets, NULL, see, &seen);
    if (m->rows > 3) {
        assert_int_equal(seen.n, m->rows / 3);
        const uint64_t after = seen.last;
        seen.stop_at = -1;
        row_buckets_scan_mixed(m->buckets, &after, see, &seen);
    }
    assert_int_equal(seen.n, m->rows); /* each once, none left out */
}

/* Bytes of buckets that are in use. */
static int64_t bytes_used(const row_buckets_t *b)
{
    int64_t buckets = 0;
    for (size_t i = 0; i < b->n_regions; i++)
        buckets += b->regions[i].n;
    return buckets * b->run * PAGE_POOL_PAGE;
}

static void put_and_remove(int64_t floats, uint64_t slots, int64_t keys)
{
    model_t *m = begin(floats, slots);
    check_all(m);
    for (int64_t k = 0; k < keys; k++)
        put(m, k, 1);
    check_all(m);
    for (uint64_t o = 0; o < (uint64_t)keys * 2; o++) {
        const int64_t k = (int64_t)(rng_u64(1, 0, o) % (uint64_t)keys);
        if (rng_u64(1, 1, o) % 3 == 0)
            drop(m, k);
        else
            put(m, k, (uint32_t)o + 2);
    }
    check_all(m);
    const int64_t file = page_pool_bytes(m->pool);
    for (int64_t k = 0; k < keys; k++)
        drop(m, k);
    check_all(m);
    assert_int_equal(bytes_used(m->buckets), 0);
    for (int64_t k = 0; k < keys; k++)
        put(m, k, 9);
    check_all(m);
    assert_true(page_pool_bytes(m->pool) <= file + file / 4); /* what was taken back serves again */
    end(m);
}

static void test_rows_of_all_widths(void **state)
{
    (void)state;
    put_and_remove(1, HASH_SLOTS, 20000);
    put_and_remove(16, HASH_SLOTS, 20000);
    put_and_remove(32, 1, 20000); /* a shard of many: all keys share their first bits */
    put_and_remove(64, 16, 5000);
    put_and_remove(1000, HASH_SLOTS, 2000);
    put_and_remove(20000, HASH_SLOTS, 60);
}

static void test_bytes_of_a_row(void **state)
{
    (void)state;
    const int64_t widths[] = {16, 32, 64};
    for (int w = 0; w < 3; w++) {
        model_t *m = begin(widths[w], HASH_SLOTS);
        const int64_t payload = widths[w] * (int64_t)sizeof(float);
        for (int64_t k = 0; k < KEYS; k++) {
            put(m, k, 1);
            if (k > 2000 && k % 100 == 0)
                assert_in_range(bytes_used(m->buckets), (k + 1) * payload, (k + 1) * payload * 17 / 10 + payload * 400);
        }
        assert_in_range(page_pool_bytes(m->pool), KEYS * payload, KEYS * payload * 2);
        assert_in_range(row_buckets_memory(m->buckets), KEYS / 20, KEYS / 2);
        end(m);
    }
}

/* Keys of which somebody who knows hash_mix has seen to it that they differ in their last bits alone. */
static void test_keys_that_share_their_first_bits(void **state)
{
    (void)state;
    model_t *m = begin(4, HASH_SLOTS);
    const uint64_t first = frequency_filter_default_key(3); /* hash_mix gives 3 << 54 */
    assert_true(hash_mix(first) == (uint64_t)3 << 54);
    int64_t n = 0;
    for (uint64_t i = 0; n < KEYS; i++) { /* the steps of hash_mix undone for 3 << 54 | i */
        uint64_t h = (uint64_t)3 << 54 | i;
        h = h ^ h >> 31 ^ h >> 62;
        h *= 0x319642b2d24d8ec3u;
        h = h ^ h >> 27 ^ h >> 54;
        h *= 0x96de1b173f119089u;
        h = h ^ h >> 30 ^ h >> 60;
        m->keys[n++] = h - 0x9e3779b97f4a7c15u;
    }
    for (int64_t k = 0; k < KEYS; k++)
        put(m, k, 1);
    check_all(m);
    assert_in_range(row_buckets_memory(m->buckets), 0, 1 << 20);
    end(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_all_widths),
        cmocka_unit_test(test_bytes_of_a_row),
        cmocka_unit_test(test_keys_that_share_their_first_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
