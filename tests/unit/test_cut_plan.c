/* test_cut_plan - before which steps a training is cut: "checkpoint.every_steps, rounded up to multiples of objective.exchange_steps, not
 * before the first step and not after the last", against brute force; and the promise: whatever a worker pulls between asking and
 * telling, the step that is told was not pulled by anybody. */
#include "worker/cut_plan.h"

#include "common/base/rng.h"
#include "tests/lib/testing.h"

static void test_periods_are_rounded_up(void **state)
{
    (void)state;
    for (int64_t first = 0; first < 30; first += 7)
        for (int64_t end = first; end < 60; end += 13)
            for (int64_t every = 0; every <= 12; every++)
                for (int64_t round = 1; round <= 7; round++) {
                    bool due[100] = {false};
                    for (int64_t n = every; every && n < 90; n += every)
                        due[(n + round - 1) / round * round] = true;
                    const cut_plan_t plan = cut_plan_of(first, end, every, round);
                    for (int64_t step = 0; step < 90; step++)
                        assert_int_equal(cut_plan_has(&plan, step), step > first && step < end && due[step]);
                }
}

/* As the coordinator does: the greatest promise, rounded up. */
static int64_t agree(const int64_t *promises, int workers, int64_t round)
{
    int64_t step = 0;
    for (int w = 0; w < workers; w++)
        step = promises[w] > step ? promises[w] : step;
    return (step + round - 1) / round * round;
}

static void test_workers_agree_on_a_step_that_none_has_pulled(void **state)
{
    (void)state;
    enum { WORKERS = 3, END = 40 };
    int saves = 0, stops = 0, waits = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        const int64_t round = 1 + (int64_t)(rng_u64(seed, 1, 0) % 5), first = round * (int64_t)(rng_u64(seed, 1, 1) % 3);
        const bool stop = rng_u64(seed, 1, 2) & 1;
        cut_plan_t plan[WORKERS];
        int64_t promise[WORKERS] = {0};
        for (int w = 0; w < WORKERS; w++)
            plan[w] = cut_plan_of(first, END, 0, round);
        uint64_t draw = 0;
        int asked = 0, told = 0;
        int64_t step = -1;
        while (told < WORKERS) { /* pulls of each worker, asking and telling in any order */
            const int w = (int)(rng_u64(seed, 2, draw++) % WORKERS);
            if (rng_u64(seed, 3, draw++) % 4 == 0 && asked < WORKERS) {
                promise[asked] = cut_plan_ask(&plan[asked]);
                assert_true(promise[asked] <= plan[asked].next + 2);
                asked++;
            } else if (rng_u64(seed, 4, draw++) % 4 == 0 && asked == WORKERS) {
                step = agree(promise, WORKERS, round);
                assert_true(cut_plan_tell(&plan[told++], step, stop));
            } else if (plan[w].next < plan[w].end) {
                if (cut_plan_may_pull(&plan[w], plan[w].next))
                    cut_plan_pulled(&plan[w], plan[w].next);
                else
                    waits++;
            }
        }
        for (int w = 0; w < WORKERS; w++) {
            assert_true(cut_plan_may_pull(&plan[w], END - 1));
            if (step >= END) { /* nothing is left to save */
                assert_int_equal(plan[w].end, END);
                for (int64_t t = 0; t < END + 20; t++)
                    assert_false(cut_plan_has(&plan[w], t));
                continue;
            }
            for (int64_t t = 0; t < END; t++)
                assert_int_equal(cut_plan_has(&plan[w], t), t == step);
            assert_true(plan[w].next <= step || !stop);
            assert_int_equal(plan[w].end, stop ? step : END);
            saves++;
            stops += stop;
        }
    }
    assert_true(saves > 1000 && stops > 300 && waits > 100);
}

static void test_a_wrong_word_changes_nothing(void **state)
{
    (void)state;
    cut_plan_t plan = cut_plan_of(0, 20, 0, 4);
    for (int64_t t = 0; t < 6; t++)
        cut_plan_pulled(&plan, t);
    assert_int_equal(cut_plan_ask(&plan), 8);
    assert_false(cut_plan_tell(&plan, 4, true)); /* pulled before */
    assert_false(cut_plan_tell(&plan, 9, true)); /* copies are stale there */
    assert_int_equal(plan.end, 20);
    assert_false(cut_plan_may_pull(&plan, 8));
    assert_true(cut_plan_may_pull(&plan, 7));
    assert_true(cut_plan_tell(&plan, 12, true));
    assert_true(cut_plan_has(&plan, 12));
    assert_int_equal(plan.end, 12);
    /* The end is near: there may be nothing to promise. */
    plan = cut_plan_of(0, 5, 0, 1);
    for (int64_t t = 0; t < 4; t++)
        cut_plan_pulled(&plan, t);
    assert_int_equal(cut_plan_ask(&plan), 5);
    assert_true(cut_plan_tell(&plan, 5, true));
    assert_int_equal(plan.end, 5);
    assert_false(cut_plan_has(&plan, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods_are_rounded_up),
        cmocka_unit_test(test_workers_agree_on_a_step_that_none_has_pulled),
        cmocka_unit_test(test_a_wrong_word_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
