/* "Each rank has a segment of its own, which it alone writes": sums in memory that ranks share, here threads of one
 * process, each with a segment of its own that the others open as they open those of other processes. */
#include "common/cluster/host_memory.h"

#include <pthread.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

#define RANKS 5
#define LEAVES 16
#define VECTORS 3
#define COUNT_MOST 5000

static host_memory_t *memory[RANKS];
static host_card_t cards[RANKS];

static float value_of(int leaf, int64_t i)
{
    return (float)(rng_normal(3, (uint64_t)leaf, (uint64_t)i) * 100.0);
}

/* The sum of leaves [low, high), a whole subtree. */
static float subtree(int low, int high, int64_t i)
{
    const int middle = (low + high) / 2;
    return high - low == 1 ? value_of(low, i) : subtree(low, middle, i) + subtree(middle, high, i);
}

/* One rank's part of some sums in a group of the last n ranks. */
typedef struct member {
    pthread_t thread;
    host_group_t group;
    int64_t counts[VECTORS];
    int rounds;
    bool ok;
} member_t;

static void wait_for_all(host_memory_t *own, host_group_t group)
{
    while (!host_memory_met(own, group, 1000, 1000000))
        ;
}

static bool sum_once(host_memory_t *own, const member_t *member, const tree_shares_t *shares, int64_t seed)
{
    const host_group_t group = member->group;
    uint32_t part[TREE_PARTS_MAX + 1];
    const int parts = tree_parts((uint32_t)(group.me * LEAVES / group.n), (uint32_t)((group.me + 1) * LEAVES / group.n), part);
    tree_vector_t vectors[VECTORS];
    bool ok = true;
    for (int v = 0; v < VECTORS; v++) {
        const int64_t n = member->counts[v];
        vectors[v] = (tree_vector_t){MEM_ARRAY(float, parts *n), n, NULL};
        for (int p = 0; p < parts; p++)
            for (int64_t i = 0; i < n; i++)
                vectors[v].values[p * n + i] = subtree((int)part[p], (int)part[p + 1], seed + v + i);
    }
    ok = host_memory_publish(own, group, parts, vectors, VECTORS) == ST_OK;
    wait_for_all(own, group);
    ok = host_memory_reduce(own, group, shares, vectors, VECTORS, NULL, NULL) == ST_OK && ok;
    wait_for_all(own, group);
    host_memory_gather(own, group, vectors, VECTORS);
    for (int v = 0; v < VECTORS; v++) {
        for (int64_t i = 0; i < member->counts[v]; i++)
            ok = ok && vectors[v].values[i] == subtree(0, LEAVES, seed + v + i);
        mem_free(vectors[v].values);
    }
    return ok;
}

static void *run_member(void *context)
{
    member_t *member = context;
    const host_group_t group = member->group;
    host_memory_t *own = memory[group.first + group.me];
    tree_shares_t shares;
    tree_shares_init(&shares, group.n, LEAVES);
    member->ok = host_memory_reach(own, group, cards + group.first);
    for (int i = 0; i < member->rounds && member->ok; i++)
        member->ok = sum_once(own, member, &shares, 10 * i);
    tree_shares_fini(&shares);
    return NULL;
}

static void check_group(int n, const int64_t counts[VECTORS], int rounds)
{
    member_t members[RANKS];
    for (int m = 0; m < n; m++) {
        members[m] = (member_t){.group = {RANKS - n, n, m}, .rounds = rounds};
        memcpy(members[m].counts, counts, sizeof members[m].counts);
        assert_int_equal(pthread_create(&members[m].thread, NULL, run_member, &members[m]), 0);
    }
    for (int m = 0; m < n; m++) {
        pthread_join(members[m].thread, NULL);
        assert_true(members[m].ok);
    }
}

static int setup(void **state)
{
    (void)state;
    for (int r = 0; r < RANKS; r++) {
        memory[r] = host_memory_create(RANKS);
        assert_non_null(memory[r]);
        cards[r] = host_memory_card(memory[r]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int r = 0; r < RANKS; r++) {
        host_memory_destroy(&memory[r]);
        assert_null(memory[r]);
    }
    return 0;
}

/* "sum this member's slice in the order of the tree"; many sums one after the other, and longer ones when shorter ones were
 * made: what a slow member still reads stays where it is. */
static void test_sums(void **state)
{
    (void)state;
    static const int64_t counts[][VECTORS] = {{1, 0, 0}, {3, 40, 7}, {0, 100, 2100}, {COUNT_MOST, 1, 17}, {5, 5, 5}};
    for (int n = RANKS; n >= 2; n--) /* ranks come to one group after the other */
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            check_group(n, counts[i], i == 1 ? 50 : 3);
}

static void test_slices(void **state)
{
    (void)state;
    for (int64_t count = 0; count < 200; count++)
        for (int members = 1; members <= 7; members++) {
            assert_int_equal(host_memory_slice(count, 0, members), 0);
            assert_int_equal(host_memory_slice(count, members, members), count);
            for (int m = 0; m < members; m++)
                assert_true(host_memory_slice(count, m, members) <= host_memory_slice(count, m + 1, members));
        }
}

/* "true where all ranks of the group can be read" */
static void test_reach(void **state)
{
    (void)state;
    const host_group_t group = {0, 2, 0};
    host_card_t wrong[2] = {cards[0], cards[1]};
    wrong[1].mark++;
    assert_false(host_memory_reach(memory[0], group, wrong));
    wrong[1] = cards[1];
    wrong[1].descriptor = 1 << 20;
    assert_false(host_memory_reach(memory[0], group, wrong));
    wrong[1] = (host_card_t){0};
    assert_false(host_memory_reach(memory[0], group, wrong));
    assert_true(host_memory_reach(memory[0], group, cards));
    assert_false(host_memory_reach(NULL, group, cards));
    assert_int_equal(host_memory_card(NULL).pid, 0);
}

/* A wait ends when its time is over, and tells who has not come. */
static void test_a_member_is_missing(void **state)
{
    (void)state;
    const host_group_t group = {0, 3, 0}, third = {0, 3, 2}, second = {0, 3, 1};
    for (int r = 0; r < 3; r++)
        assert_true(host_memory_reach(memory[r], group, cards));
    host_memory_arrive(memory[0], group);
    host_memory_arrive(memory[2], third);
    const int64_t start_ns = clock_now_ns();
    assert_false(host_memory_met(memory[0], group, 0, 20000000));
    assert_true(clock_now_ns() - start_ns >= 15000000);
    assert_false(host_memory_met(memory[0], group, 20000000, 0));
    assert_true(host_memory_has_come(memory[0], group, 0));
    assert_false(host_memory_has_come(memory[0], group, 1));
    assert_true(host_memory_has_come(memory[0], group, 2));
    host_memory_arrive(memory[1], second);
    assert_true(host_memory_met(memory[0], group, 0, 0));
    assert_true(host_memory_met(memory[2], third, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
        cmocka_unit_test(test_slices),
        cmocka_unit_test_setup_teardown(test_reach, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_member_is_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
