/* test_replies - answers are kept, each for its worker and step, until they are dropped, and their buffers go back to the pool
 * then and not before: "the same pull is answered with the same bytes meanwhile" (docs/PROTOCOL.md, Exactly once). */
#include "ps/reply_cache.h"

#include <string.h>

#include "common/base/pool.h"
#include "tests/lib/testing.h"

#define WORKERS 3
#define STEPS 4

static reply_t reply_of(pool_t *pool, int64_t step, uint64_t sequence)
{
    reply_t reply = {.step = step, .sequence = sequence, .weights = pool_take(pool, 100)};
    memset(reply.weights, (int)sequence, 100);
    return reply;
}

static void put(reply_cache_t *replies, pool_t *pool, int worker, int64_t step, uint64_t sequence)
{
    const reply_t reply = reply_of(pool, step, sequence);
    reply_cache_put(replies, worker, &reply);
    pool_give(reply.weights); /* the transport has sent it */
}

static void test_replies_are_kept_until_dropped(void **state)
{
    (void)state;
    pool_t *pool = pool_create();
    reply_cache_t *replies = reply_cache_create(WORKERS, STEPS);
    for (int w = 0; w < WORKERS; w++)
        for (int64_t step = 5; step < 5 + STEPS; step++) {
            assert_null(reply_cache_get(replies, w, step));
            put(replies, pool, w, step, (uint64_t)(10 * w + step));
        }
    for (int w = 0; w < WORKERS; w++)
        for (int64_t step = 5; step < 5 + STEPS; step++) {
            const reply_t *reply = reply_cache_get(replies, w, step);
            assert_non_null(reply);
            assert_int_equal(reply->step, step);
            assert_int_equal(reply->sequence, 10 * w + step);
            for (int i = 0; i < 100; i++)
                assert_int_equal(((const char *)reply->weights)[i], 10 * w + step);
            assert_null(reply_cache_get(replies, w, step + STEPS)); /* another one at the same place */
        }
    reply_cache_drop(replies, 1, 6 + STEPS); /* is not there: that of step 6 stays */
    assert_non_null(reply_cache_get(replies, 1, 6));
    void *weights = reply_cache_get(replies, 1, 6)->weights;
    reply_cache_drop(replies, 1, 6);
    reply_cache_drop(replies, 1, 6);
    assert_null(reply_cache_get(replies, 1, 6));
    assert_non_null(reply_cache_get(replies, 0, 6));
    assert_ptr_equal(pool_take(pool, 100), weights); /* it is not held any more */
    put(replies, pool, 1, 6 + STEPS, 77);
    assert_int_equal(reply_cache_get(replies, 1, 6 + STEPS)->sequence, 77);
    reply_cache_clear(replies);
    assert_null(reply_cache_get(replies, 2, 7));
    put(replies, pool, 2, 7, 78);
    reply_cache_destroy(&replies);
    assert_null(replies);
    pool_give(weights);
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replies_are_kept_until_dropped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
