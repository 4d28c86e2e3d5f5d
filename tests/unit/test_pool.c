/* test_pool - buffers are aligned, large enough, used again, owned by one at a time whatever threads take and give them, and
 * outlive their pool where a transport still holds them.                                                                */
#include "common/base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

static void test_buffers_are_used_again(void **state)
{
    (void)state;
    pool_t *pool = pool_create();
    static const size_t sizes[] = {0, 1, 100, 4096, 4097, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *buffer = pool_take(pool, sizes[i]);
        assert_int_equal((uintptr_t)buffer % MEM_ALIGN, 0);
        memset(buffer, 0x5a, sizes[i]); /* the address sanitizer sees one that is too short */
        pool_give(buffer);
        assert_ptr_equal(pool_take(pool, sizes[i]), buffer);
        pool_give(buffer);
    }
    /* A small buffer is not handed out for a large request, and two takers never share one. */
    char *small = pool_take(pool, 10), *large = pool_take(pool, 200000), *other = pool_take(pool, 10);
    assert_true(small != large && small != other && other != large);
    memset(large, 1, 200000);
    pool_give(small);
    pool_give(other);
    char *huge = pool_take(pool, 2000000);
    memset(huge, 1, 2000000);
    assert_true(huge != small && huge != large && huge != other);
    pool_give(large);
    assert_ptr_equal(pool_take(pool, 150000), large);
    pool_give(huge);
    pool_give(large);
    pool_destroy(&pool);
    assert_null(pool);
}

static void test_buffers_outlive_the_pool(void **state)
{
    (void)state;
    for (int out = 0; out < 4; out++) {
        pool_t *pool = pool_create();
        char *buffers[4];
        for (int i = 0; i < 4; i++)
            buffers[i] = pool_take(pool, 5000);
        for (int i = out; i < 4; i++)
            pool_give(buffers[i]);
        pool_destroy(&pool);
        assert_null(pool);
        for (int i = 0; i < out; i++) {
            memset(buffers[i], i, 5000);
            pool_give(buffers[i]);
        }
    }
    pool_t *none = NULL;
    pool_destroy(&none);
}

/* Threads pass buffers round a ring: each is taken by one thread, marked, handed on, checked and given back by another. */
#define THREADS 4
#define ROUNDS 3000
#define PLACES 16

typedef struct ring {
    pool_t *pool;
    _Atomic(char *) places[PLACES];
    atomic_int errors;
} ring_t;

typedef struct player {
    ring_t *ring;
    int number;
} player_t;

static size_t size_of(uint64_t draw)
{
    return 16 + draw % 20000;
}

static void *play(void *argument)
{
    const player_t *player = argument;
    ring_t *ring = player->ring;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        const uint64_t draw = rng_u64(3, (uint64_t)player->number, i);
        char *mine = pool_take(ring->pool, size_of(draw));
        memset(mine, (int)(draw & 0xff), size_of(draw));
        memcpy(mine, &draw, sizeof draw);
        char *theirs = atomic_exchange(&ring->places[draw % PLACES], mine);
        if (!theirs)
            continue;
        uint64_t mark;
        memcpy(&mark, theirs, sizeof mark);
        for (size_t at = sizeof mark; at < size_of(mark); at++)
            if ((theirs[at] & 0xff) != (int)(mark & 0xff)) {
                atomic_fetch_add(&ring->errors, 1);
                break;
            }
        pool_give(theirs);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    ring_t ring = {.pool = pool_create()};
    pthread_t threads[THREADS];
    player_t players[THREADS];
    for (int i = 0; i < THREADS; i++) {
        players[i] = (player_t){&ring, i};
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&ring.errors), 0);
    pool_destroy(&ring.pool);
    for (int i = 0; i < PLACES; i++)
        if (ring.places[i])
            pool_give(ring.places[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffers_are_used_again),
        cmocka_unit_test(test_buffers_outlive_the_pool),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
