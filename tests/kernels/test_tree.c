/* test_tree - "dense gradients are summed over a fixed binary tree of lanes; sparse gradients are merged per key in the same
 * tree order" (docs/MATH.md section 8): the stack gives the bits of a recursive sum over the tree, and summing the lanes of
 * each worker first gives the same bits for every number of workers. */
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/tree.h"
#include "tests/lib/testing.h"

#define LEAVES_MAX 16
#define DIM_MAX 67

static float leaves[LEAVES_MAX][DIM_MAX];

/* Values of very different size, so that another order of addition shows in the bits; some are signed zeros. */
static void fill_leaves(uint64_t seed, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < DIM_MAX; j++) {
            uint64_t bits = rng_u64(seed, (uint64_t)i, (uint64_t)j);
            leaves[i][j] = bits % 8 == 0 ? -0.0f : ldexpf((float)(int64_t)bits, (int)(bits >> 8 & 31) - 80);
        }
}

/* The definition, word for word: node := left + right, absent halves skipped. Returns whether the node has leaves. */
static bool sum_by_recursion(float *out, uint32_t present, int first, int n, int dim)
{
    if (n == 1) {
        memcpy(out, leaves[first], (size_t)dim * sizeof *out);
        return present >> first & 1;
    }
    float right[DIM_MAX];
    bool has_left = sum_by_recursion(out, present, first, n / 2, dim);
    bool has_right = sum_by_recursion(right, present, first + n / 2, n / 2, dim);
    for (int j = 0; j < dim; j++)
        out[j] = has_left && has_right ? out[j] + right[j] : has_left ? out[j] : right[j];
    return has_left || has_right;
}

static void test_stack_equals_recursion(void **state)
{
    (void)state;
    const int dims[] = {1, 3, 8, 16, 33, DIM_MAX};
    float scratch[(TREE_LEVELS_MAX + 1) * DIM_MAX], expected[DIM_MAX], got[DIM_MAX];
    for (int n = 1; n <= LEAVES_MAX; n *= 2)
        for (uint64_t round = 0; round < 2000; round++) {
            uint32_t present = (uint32_t)rng_u64(1, (uint64_t)n, round) & ((1u << n) - 1);
            if (present == 0)
                continue;
            int dim = dims[round % 6];
            fill_leaves(round, n);
            assert_true(sum_by_recursion(expected, present, 0, n, dim));

            tree_stack_t stack;
            float canary = scratch[tree_levels((uint32_t)n) * dim] = 12345.0f;
            tree_start(&stack, scratch, dim);
            for (int i = 0; i < n; i++)
                if (present >> i & 1)
                    tree_push(&stack, (uint32_t)i, leaves[i]);
            tree_finish(&stack, got);
            assert_memory_equal(got, expected, (size_t)dim * sizeof *got);
            assert_true(scratch[tree_levels((uint32_t)n) * dim] == canary); /* levels * dim floats are enough */

            tree_start(&stack, scratch, dim);
            for (int i = 0; i < n; i++)
                if (present >> i & 1)
                    memcpy(tree_place(&stack, (uint32_t)i), leaves[i], (size_t)dim * sizeof *got);
            assert_memory_equal(tree_total(&stack), expected, (size_t)dim * sizeof *got);
        }
}

static void test_any_worker_count_gives_the_same_bits(void **state)
{
    (void)state;
    const int dim = 16;
    float scratch[TREE_LEVELS_MAX * DIM_MAX], outer_scratch[TREE_LEVELS_MAX * DIM_MAX];
    float worker_sum[LEAVES_MAX][DIM_MAX], expected[DIM_MAX], got[DIM_MAX];
    for (int lanes = 1; lanes <= LEAVES_MAX; lanes *= 2)
        for (uint64_t round = 0; round < 500; round++) {
            uint32_t present = (uint32_t)rng_u64(2, (uint64_t)lanes, round) & ((1u << lanes) - 1);
            if (present == 0)
                continue;
            fill_leaves(round, lanes);
            sum_by_recursion(expected, present, 0, lanes, dim);
            for (int workers = 1; workers <= lanes; workers *= 2) {
                int each = lanes / workers;
                tree_stack_t outer, inner;
                tree_start(&outer, outer_scratch, dim);
                for (int w = 0; w < workers; w++) {
                    tree_start(&inner, scratch, dim);
                    for (int i = 0; i < each; i++)
                        if (present >> (w * each + i) & 1)
                            tree_push(&inner, (uint32_t)i, leaves[w * each + i]);
                    if (inner.entries == 0)
                        continue;
                    tree_finish(&inner, worker_sum[w]);
                    tree_push(&outer, (uint32_t)w, worker_sum[w]);
                }
                tree_finish(&outer, got);
                assert_memory_equal(got, expected, (size_t)dim * sizeof *got);

                /* Recursive doubling, which cannot skip an absent worker, agrees where absent means -0.0. */
                for (int w = 0; w < workers; w++)
                    if ((present >> (w * each) & ((1u << each) - 1)) == 0)
                        tree_clear(worker_sum[w], dim);
                for (int distance = 1; distance < workers; distance *= 2)
                    for (int w = 0; w < workers; w += 2 * distance)
                        tree_add(worker_sum[w], worker_sum[w + distance], dim);
                assert_memory_equal(worker_sum[0], expected, (size_t)dim * sizeof *got);
            }
        }
}

/* "the fewest whole subtrees that leaves [first, end) are made of"; members that share out the leaves, whatever their number,
 * together make the sum of one. */
static void test_shares_of_any_number_of_members(void **state)
{
    (void)state;
    static float part_sum[LEAVES_MAX][DIM_MAX], outer_scratch[TREE_LEVELS_MAX * DIM_MAX], scratch[TREE_LEVELS_MAX * DIM_MAX];
    float expected[DIM_MAX], got[DIM_MAX];
    for (int lanes = 1; lanes <= LEAVES_MAX; lanes *= 2)
        for (int members = 1; members <= lanes; members++) {
            fill_leaves((uint64_t)(100 * lanes + members), lanes);
            sum_by_recursion(expected, (uint32_t)((UINT64_C(1) << lanes) - 1), 0, lanes, DIM_MAX);
            tree_shares_t shares;
            tree_shares_init(&shares, members, (uint32_t)lanes);
            tree_stack_t outer, inner;
            tree_start(&outer, outer_scratch, DIM_MAX);
            int n = 0;
            for (int m = 0; m < members; m++) {
                uint32_t part[TREE_PARTS_MAX + 1];
                const int parts = tree_parts((uint32_t)(m * lanes / members), (uint32_t)((m + 1) * lanes / members), part);
                assert_int_equal(shares.first[m], n);
                for (int i = 0; i < parts; i++, n++) {
                    const uint32_t size = part[i + 1] - part[i];
                    assert_true((size & (size - 1)) == 0 && part[i] % size == 0);
                    tree_start(&inner, scratch, DIM_MAX);
                    for (uint32_t leaf = 0; leaf < size; leaf++)
                        tree_push(&inner, leaf, leaves[part[i] + leaf]);
                    tree_finish(&inner, part_sum[n]);
                    tree_push(&outer, shares.part[n], part_sum[n]);
                    assert_true(shares.part[n] < shares.leaves);
                    if (lanes % members == 0) /* as if there were no more leaves than members */
                        assert_int_equal(shares.part[n], m);
                }
            }
            assert_int_equal(shares.first[members], n);
            tree_finish(&outer, got);
            assert_memory_equal(got, expected, sizeof got);
            tree_shares_fini(&shares);
        }
    uint32_t part[TREE_PARTS_MAX + 1];
    assert_int_equal(tree_parts(1, (1u << TREE_LEVELS_MAX) - 1, part), TREE_PARTS_MAX - 2); /* none has more */
}

static void test_order_matters_for_these_values(void **state)
{
    (void)state;
    int different = 0;
    float tree[DIM_MAX];
    fill_leaves(3, 8);
    sum_by_recursion(tree, 0xff, 0, 8, DIM_MAX);
    for (int j = 0; j < DIM_MAX; j++) {
        float line = leaves[0][j];
        for (int i = 1; i < 8; i++)
            line += leaves[i][j];
        different += line != tree[j];
    }
    assert_true(different > 5); /* otherwise the tests above would prove nothing */
}

static void test_large_leaf_numbers(void **state)
{
    (void)state;
    const uint32_t numbers[] = {0, 1, 4095, 4096, 65534, 65535};
    float v = 1.0f, scratch[TREE_LEVELS_MAX], sum;
    tree_stack_t stack;
    tree_start(&stack, scratch, 1);
    for (int i = 0; i < 6; i++)
        tree_push(&stack, numbers[i], &v);
    tree_finish(&stack, &sum);
    assert_true(sum == 6.0f);
    assert_int_equal(tree_levels(1), 0);
    assert_int_equal(tree_levels(2), 1);
    assert_int_equal(tree_levels(3), 2);
    assert_int_equal(tree_levels(4096), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stack_equals_recursion),
        cmocka_unit_test(test_any_worker_count_gives_the_same_bits),
        cmocka_unit_test(test_shares_of_any_number_of_members),
        cmocka_unit_test(test_order_matters_for_these_values),
        cmocka_unit_test(test_large_leaf_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
