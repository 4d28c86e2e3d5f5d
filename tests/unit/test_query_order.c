/* Proves that pair_sort sorts as qsort does, whatever the words share, and that query_order walks the same queries in the same
 * order as queries.h has them. */
#include "tests/lib/testing.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/pair_sort.h"
#include "common/metrics/queries.h"
#include "common/metrics/query_order.h"

enum { MOST = 5000 };

typedef struct pair {
    uint64_t key, value;
} pair_t;

static int by_pair(const void *a, const void *b)
{
    const pair_t *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static void check_sort(int64_t n, uint64_t keys, uint64_t values, int shift, bool has_keys)
{
    static uint64_t key[MOST], value[MOST];
    static pair_t pair[MOST];
    for (int64_t i = 0; i < n; i++) {
        key[i] = rng_u64(n, 1, (uint64_t)i) % keys << shift;
        value[i] = rng_u64(n, 2, (uint64_t)i) % values << (56 - shift);
        pair[i] = (pair_t){has_keys ? key[i] : 0, value[i]};
    }
    qsort(pair, (size_t)n, sizeof *pair, by_pair);
    pair_sort(has_keys ? key : NULL, value, n);
    for (int64_t i = 0; i < n; i++)
        assert_true((!has_keys || key[i] == pair[i].key) && value[i] == pair[i].value);
}

static void test_sorts_as_qsort_does(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 24, 25, 300, MOST};
    static const uint64_t spread[] = {1, 2, 300, UINT64_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int k = 0; k < 4; k++)
            for (int v = 0; v < 4; v++)
                for (int shift = 0; shift <= 56; shift += 28) {
                    check_sort(sizes[s], spread[k], spread[v], shift, true);
                    check_sort(sizes[s], spread[k], spread[v], shift, false);
                }
}

/* group NULL: none. *in_order: whether places are examples. */
static void check_order(const uint64_t *group, int64_t n, bool in_order)
{
    uint64_t *taken = group ? MEM_ARRAY(uint64_t, n) : NULL;
    if (group && n > 0)
        memcpy(taken, group, (size_t)n * sizeof *group);
    queries_t *queries = queries_create(group, n);
    query_order_t *order = query_order_create(&taken, n);
    assert_null(taken);
    assert_int_equal(order->count, queries->count);
    assert_int_equal(order->is_in_order, in_order);
    int64_t place = 0;
    for (int64_t q = 0; q < queries->count; q++)
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++, place++) {
            assert_int_equal(query_order_example(order, place), queries->example[i]);
            assert_int_equal(query_order_begins(order, place), i == queries->begin[q]);
        }
    assert_int_equal(place, n);
    query_order_destroy(&order);
    queries_destroy(&queries);
}

static void test_queries_come_as_they_are_stored(void **state)
{
    (void)state;
    static uint64_t group[MOST];
    check_order(NULL, 0, true);
    check_order(NULL, 100, true);
    check_order(group, 0, true);
    for (int64_t i = 0; i < MOST; i++)
        group[i] = QUERY_NONE;
    check_order(group, MOST, true);
    for (int64_t i = 0; i < MOST; i++)
        group[i] = i % 5 ? rng_u64(3, 0, (uint64_t)(i / 9)) : QUERY_NONE;
    check_order(group, MOST, false); /* examples without a query lie in the midst of queries */
    for (int64_t i = 0; i < MOST; i++)
        group[i] = rng_u64(3, 1, (uint64_t)(i / 9));
    check_order(group, MOST, true);
    for (int64_t i = 0; i < MOST; i++)
        group[i] = rng_u64(3, 2, rng_u64(4, 0, (uint64_t)i) % 700);
    check_order(group, MOST, false);
    for (int64_t i = 0; i < MOST; i++)
        group[i] = 5;
    check_order(group, MOST, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts_as_qsort_does),
        cmocka_unit_test(test_queries_come_as_they_are_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
