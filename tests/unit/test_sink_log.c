/* Proves that a training whose loss is above that of its base rate after the first pass is named, once, and no other. */
#include "tests/lib/testing.h"

#include <math.h>

#include "launcher/metrics/run_events.h"

static void *sink;

static void begin(double base_rate)
{
    assert_int_equal(sink_log.take(sink, &(run_event_t){EVENT_TRAIN, 0, .train = {.base_rate = base_rate}}), ST_OK);
}

static void metrics(int64_t first_visits, double logloss, double progressive, const char *words)
{
    const event_metrics_t m = {.step = 7, .first_visits = first_visits, .logloss = logloss, .progressive_logloss = progressive};
    catch_start();
    assert_int_equal(sink_log.take(sink, &(run_event_t){EVENT_METRICS, 0, .metrics = m}), ST_OK);
    catch_stop();
    if (words)
        assert_caught(words);
    else
        assert_string_equal(catch_text(), "");
}

static void test_a_loss_above_the_base_rates(void **state)
{
    (void)state;
    sink = sink_log.create(NULL);
    begin(0.5); /* 0.69315 */
    metrics(100, 0.8, 0.8, NULL);
    metrics(200, 0.7, 0.75, NULL); /* the first pass goes on */
    metrics(200, 0.7, 0.75,
            "step 7: after a pass over the training split the loss is above what its base rate of 0.500 has without a model: "
            "progressive logloss 0.75000, at last 0.70000, base rate 0.69315");
    metrics(200, 0.7, 0.75, NULL); /* once */
    begin(0.5);
    metrics(200, 0.7, 0.75, NULL);
    metrics(200, 0.69, 0.75, NULL); /* it has learned by now */
    metrics(200, 0.7, 0.69, NULL);
    begin(0.1); /* 0.32508 */
    metrics(200, 0.4, 0.4, NULL);
    metrics(200, 0.4, 0.4, "base rate of 0.100");
    begin(NAN); /* not recorded */
    metrics(200, 9, 9, NULL);
    metrics(200, 9, 9, NULL);
    begin(0.5);
    metrics(200, 0.8, NAN, NULL); /* first visits that nobody knows */
    metrics(200, 0.8, NAN, NULL);
    sink_log.destroy(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_loss_above_the_base_rates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
