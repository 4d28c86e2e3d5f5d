/* test_faults - "No dropped, duplicated or reordered message may change an L2/L3 result"; "a crash at any point leaves the
 * previous or the new checkpoint, whole"; "every wait has a deadline and says who is missing": hundreds of scenarios of
 * tests/sim/sim_scenario.h, and that these scenarios can tell: each mistake that is built in on purpose is caught by some seed,
 * and not without it. A seed that fails is played again by `make sim
 * SEED=N`. */
#include "tests/lib/testing.h"

#include "tests/sim/sim_scenario.h"
#include <inttypes.h>

#define SEEDS 200

static void test_seeds(void **state)
{
    (void)state;
    sim_verdict_t sum = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const sim_verdict_t v = sim_scenario_run(seed, SIM_NO_MISTAKE);
        if (!v.good)
            fail_msg("seed %" PRIu64 ": %s; %s; again: make sim SEED=%" PRIu64, seed, v.violation, v.summary, seed);
        sim_verdict_add(&sum, &v);
    }
    assert_true(sum.starts > SEEDS && sum.kills > SEEDS / 10 && sum.resumes > SEEDS / 10); /* something happened */
    assert_true(sum.checkpoints > SEEDS && sum.counts.dropped > SEEDS && sum.counts.late > SEEDS);
    assert_true(sum.counts.strangers > SEEDS && sum.counts.misshapen > SEEDS / 2 && sum.counts.refused > SEEDS);
    assert_true(sum.damaged > SEEDS / 20);
}

/* Mistakes that few seeds catch: where the search for one begins, so that those before it are not played each time. */
static const uint64_t from_seed[SIM_MISTAKE_COUNT] = {[SIM_BELIEVES_HEADERS] = 347, [SIM_OVERLOOKS_PLACES] = 174};

/* Some seed catches the mistake, and passes without it. */
static bool caught(sim_mistake_t mistake)
{
    for (uint64_t seed = from_seed[mistake] ? from_seed[mistake] : 1; seed <= 10 * SEEDS; seed++)
        if (!sim_scenario_run(seed, mistake).good)
            return sim_scenario_run(seed, SIM_NO_MISTAKE).good;
    return false;
}

static void test_every_mistake_is_caught(void **state)
{
    (void)state;
    for (int mistake = SIM_NO_MISTAKE + 1; mistake < SIM_MISTAKE_COUNT; mistake++)
        if (!caught((sim_mistake_t)mistake))
            fail_msg("no seed catches mistake %d (sim_scenario.h)", mistake);
}

static int begin(void **state)
{
    (void)state;
    sim_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    sim_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_every_mistake_is_caught),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
