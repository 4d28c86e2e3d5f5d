/* test_schedule - the shares of docs/MATH.md (21a) by hand, the cosine to 1e-15 of the C library's, and that a share is a
 * number from 0 to 1 that never rises again once it has begun to fall. */
#include <math.h>

#include "common/kernels/schedule.h"
#include "tests/lib/testing.h"

static void assert_near(double found, double wanted)
{
    assert_true(fabs(found - wanted) < 1e-15);
}

static void test_by_hand(void **state)
{
    (void)state;
    const schedule_t constant = {0}, rise = {.warmup = 4};
    assert_true(schedule_is_constant(&constant) && !schedule_is_constant(&rise));
    assert_near(schedule_share(&constant, 1000), 1.0);
    for (int t = 0; t < 8; t++)
        assert_near(schedule_share(&rise, t), t < 4 ? (t + 1) / 4.0 : 1.0);

    const schedule_t step = {.kind = SCHEDULE_STEP, .warmup = 2, .from = 10, .every = 5, .factor = 0.5};
    static const double steps[] = {0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25};
    for (int t = 0; t < (int)(sizeof steps / sizeof *steps); t++)
        assert_near(schedule_share(&step, t), steps[t]);
    assert_near(schedule_share(&step, INT64_C(1) << 40), 0.0);

    const schedule_t root = {.kind = SCHEDULE_INVERSE_SQRT, .warmup = 100, .from = 100, .every = 100};
    assert_near(schedule_share(&root, 100), 1.0);
    assert_near(schedule_share(&root, 400), 0.5); /* sqrt(w / t), as with the rise of 100 steps */
}

static void test_cosine(void **state)
{
    (void)state;
    const schedule_t s = {.kind = SCHEDULE_COSINE, .warmup = 3, .from = 10, .until = 20010, .factor = 0.1};
    double last = 1.0;
    for (int64_t t = 10; t < 20100; t++) {
        const double x = t < 20010 ? (double)(t - 10) / 20000.0 : 1.0, share = schedule_share(&s, t);
        assert_near(share, 0.1 + 0.9 * (1.0 + cos(3.14159265358979323846 * x)) / 2.0);
        assert_true(share < last + 1e-15 && share > 0.1 - 1e-15);
        last = share;
    }
}

static void test_knows_its_keys(void **state)
{
    (void)state;
    assert_false(schedule_knows(SCHEDULE_CONSTANT, "decay_from"));
    assert_true(schedule_knows(SCHEDULE_CONSTANT, "warmup_steps"));
    assert_true(schedule_knows(SCHEDULE_COSINE, "decay_until") && !schedule_knows(SCHEDULE_STEP, "decay_until"));
    assert_true(schedule_knows(SCHEDULE_STEP, "decay_steps") && !schedule_knows(SCHEDULE_COSINE, "decay_steps"));
    assert_true(schedule_knows(SCHEDULE_COSINE, "decay_factor") && !schedule_knows(SCHEDULE_INVERSE_SQRT, "decay_factor"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_knows_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
