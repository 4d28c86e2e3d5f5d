/* test_arena - "blocks are aligned and zeroed as those of mem_alloc, never move": blocks of many sizes, small and larger than a
 * chunk, keep what was written into them until all are given back together. */
#include "common/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

#define BLOCKS 100

static void fill_and_check(arena_t *arena, uint64_t seed)
{
    unsigned char *block[BLOCKS];
    size_t bytes[BLOCKS];
    for (uint64_t i = 0; i < BLOCKS; i++) {
        const uint64_t kind = rng_u64(seed, 0, i) % 20;
        bytes[i] = rng_u64(seed, 1, i) % (kind == 0 ? 300000 : kind < 4 ? 40000 : 200);
        block[i] = ARENA_ARRAY(arena, unsigned char, bytes[i]);
        assert_int_equal((uintptr_t)block[i] % MEM_ALIGN, 0);
        for (size_t j = 0; j < bytes[i]; j++)
            assert_int_equal(block[i][j], 0);
        memset(block[i], (int)(i % 251 + 1), bytes[i]);
    }
    for (uint64_t i = 0; i < BLOCKS; i++)
        for (size_t j = 0; j < bytes[i]; j++)
            assert_int_equal(block[i][j], i % 251 + 1);
}

static void test_blocks(void **state)
{
    (void)state;
    arena_t arena = {0};
    arena_fini(&arena); /* nothing to give back */
    for (uint64_t seed = 0; seed < 5; seed++) {
        fill_and_check(&arena, seed);
        arena_fini(&arena);
        assert_null(arena.chunks);
    }
    double *numbers = ARENA_ARRAY(&arena, double, 3);
    assert_true(numbers[0] + numbers[2] == 0.0);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
