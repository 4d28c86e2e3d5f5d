/* test_key_order - both orders are what ps/table/key_order.h says, and both are slot by slot. */
#include "ps/table/key_order.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

static int compare_stored(const void *left, const void *right)
{
    return key_order_stored(((const placed_key_t *)left)->key, ((const placed_key_t *)right)->key);
}

static int compare_mixed(const void *left, const void *right)
{
    return key_order_mixed(((const placed_key_t *)left)->key, ((const placed_key_t *)right)->key);
}

static uint64_t key_of(int s, int64_t i, bool small)
{
    return rng_u64(1, (uint64_t)s, (uint64_t)i) >> (small ? 48 : 0);
}

static bool is_before(uint64_t a, uint64_t b, bool stored)
{
    if (!stored)
        return hash_mix(a) <= hash_mix(b);
    return hash_slot(a) < hash_slot(b) || (hash_slot(a) == hash_slot(b) && a <= b);
}

static void check_order(int s, int64_t n, bool small, bool stored)
{
    placed_key_t *keys = MEM_ARRAY(placed_key_t, n), *scratch = MEM_ARRAY(placed_key_t, n), *want = MEM_ARRAY(placed_key_t, n);
    for (int64_t i = 0; i < n; i++)
        want[i] = keys[i] = (placed_key_t){key_of(s, i, small), i};
    qsort(want, (size_t)n, sizeof *want, stored ? compare_stored : compare_mixed);
    (stored ? key_order_sort_stored : key_order_sort_mixed)(keys, scratch, n);
    for (int64_t i = 0; i < n; i++) {
        assert_true(keys[i].key == want[i].key);
        assert_true(key_of(s, keys[i].at, small) == keys[i].key);
        if (i > 0) {
            assert_true(is_before(keys[i - 1].key, keys[i].key, stored));
            assert_true(hash_slot(keys[i - 1].key) <= hash_slot(keys[i].key));
        }
    }
    mem_free(keys);
    mem_free(scratch);
    mem_free(want);
}

static void test_sorts(void **state)
{
    (void)state;
    const int64_t sizes[] = {0, 1, 2, 47, 48, 49, 1000, 30000};
    for (int s = 0; s < 8; s++)
        for (int kind = 0; kind < 4; kind++)
            check_order(s, sizes[s], kind & 1, kind & 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
