/* test_push_log - "a worker keeps the buffer of a push until" a shard says "how many of this worker's pushes [it] has taken
 * without a gap, modulo 2^32" (docs/PROTOCOL.md, Exactly once): which pushes are kept after any acknowledgement, new, old or
 * false. */
#include "worker/resend_queue.h"

#include "common/base/pool.h"
#include "tests/lib/testing.h"

#define SHARDS 2

static void put(resend_queue_t *log, pool_t *pool)
{
    log->last++;
    for (int s = 0; s < SHARDS; s++) {
        const sent_push_t push = {.step = (int64_t)log->last * 10 + s, .sequence = log->last, .buffer = pool_take(pool, 8)};
        assert_int_equal(resend_queue_put(log, s, &push)->step, push.step);
    }
}

static void test_kept_until_acknowledged(void **state)
{
    (void)state;
    pool_t *pool = pool_create();
    resend_queue_t log;
    resend_queue_init(&log, SHARDS);
    for (int i = 0; i < 5; i++)
        put(&log, pool);
    assert_int_equal(resend_queue_acknowledge(&log, 0, 3), 0);
    assert_int_equal(resend_queue_acknowledge(&log, 0, 2), 0); /* an older answer */
    assert_int_equal(resend_queue_acknowledge(&log, 0, UINT32_MAX), 0);
    assert_int_equal(log.acknowledged[0], 3);
    assert_int_equal(log.acknowledged[1], 0);
    assert_int_equal(resend_queue_acknowledge(&log, 0, 7), 2); /* two more than there are */
    assert_int_equal(log.acknowledged[0], 3);
    for (uint64_t n = 1; n <= 5; n++) {
        if (n > 3)
            assert_int_equal(resend_queue_get(&log, 0, n)->step, n * 10);
        assert_int_equal(resend_queue_get(&log, 1, n)->step, n * 10 + 1);
    }
    for (int i = 0; i < 200; i++) { /* places are used again */
        put(&log, pool);
        for (int s = 0; s < SHARDS; s++)
            assert_int_equal(resend_queue_acknowledge(&log, s, (uint32_t)log.last - 1), 0);
    }
    resend_queue_clear(&log);
    assert_int_equal(log.last, 0);
    put(&log, pool);
    resend_queue_fini(&log);
    pool_destroy(&pool);
}

/* Numbers go on beyond what the field holds. */
static void test_the_field_wraps(void **state)
{
    (void)state;
    pool_t *pool = pool_create();
    resend_queue_t log;
    resend_queue_init(&log, SHARDS);
    log.last = log.acknowledged[0] = log.acknowledged[1] = UINT32_MAX - 1ull;
    for (int i = 0; i < 4; i++)
        put(&log, pool);
    assert_int_equal(resend_queue_acknowledge(&log, 0, 1), 0);
    assert_true(log.acknowledged[0] == UINT32_MAX + 2ull);
    assert_int_equal(resend_queue_acknowledge(&log, 0, UINT32_MAX), 0); /* old */
    assert_true(log.acknowledged[0] == UINT32_MAX + 2ull);
    assert_int_equal(resend_queue_acknowledge(&log, 0, 3), 1);
    resend_queue_fini(&log);
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_until_acknowledged),
        cmocka_unit_test(test_the_field_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
