/* test_lanes - "Step t covers the global positions [t B, (t+1) B) of the sequence epoch after epoch; only the last batch may be
 * shorter, and train.last_batch says what becomes of it" (common/config/lanes.h). */
#include "common/config/lanes.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/testing.h"

static lanes_t lanes_for(const char *train, int64_t rows, int64_t *left_over)
{
    char text[256];
    config_t *config;
    snprintf(text, sizeof text, "train: {batch: 256, lanes: 4, %s", train);
    assert_int_equal(config_from_text(text, strlen(text), "test", &config), ST_OK);
    const lanes_t l = lanes_of(config, rows);
    *left_over = lanes_left_over(config, rows);
    config_destroy(&config);
    return l;
}

static const char *const groups = "}\nmodel: {components: 2}\nobjective: {kind: codistill, form: groups}";

/* total, steps, examples and divisor of the last step. */
static void test_last_batch(void **state)
{
    (void)state;
    char in_groups[128];
    snprintf(in_groups, sizeof in_groups, "last_batch: scaled%s", groups);
    const struct {
        const char *train;
        int64_t rows, left_over, total, steps, last_rows, divisor;
    } cases[] = {
        {"last_batch: scaled}", 51201, 1, 51201, 201, 1, 256},
        {"last_batch: own}", 51201, 1, 51201, 201, 1, 1},
        {"last_batch: drop}", 51201, 1, 51200, 200, 256, 256},
        {"last_batch: scaled}", 51200, 0, 51200, 200, 256, 256},
        {"last_batch: drop}", 51200, 0, 51200, 200, 256, 256},
        /* batches go on over the end of an epoch, so that two halves make a whole */
        {"last_batch: drop, epochs: 2}", 128, 0, 256, 1, 256, 256},
        {"last_batch: scaled, epochs: 3}", 130, 134, 390, 2, 134, 256},
        {"last_batch: drop, epochs: 3}", 130, 134, 256, 1, 256, 256},
        /* a number of steps ends the training on a whole batch, unless the data ends before */
        {"last_batch: scaled, max_steps: 200}", 51201, 0, 51200, 200, 256, 256},
        {"last_batch: scaled, max_steps: 201}", 51201, 1, 51201, 201, 1, 256},
        {"last_batch: drop}", 255, 255, 0, 0, 0, 256},
        {"last_batch: scaled}", 255, 255, 255, 1, 255, 256},
        {"last_batch: scaled}", 0, 0, 0, 0, 0, 256},
        /* a peer's share is half of the examples, its batch is not */
        {in_groups, 515, 1, 257, 2, 1, 256},
        {in_groups, 513, 0, 256, 1, 256, 256},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t left_over;
        const lanes_t l = lanes_for(cases[i].train, cases[i].rows, &left_over);
        assert_int_equal(left_over, cases[i].left_over);
        assert_int_equal(l.total, cases[i].total);
        assert_int_equal(lanes_steps(&l), cases[i].steps);
        if (!cases[i].steps)
            continue;
        assert_int_equal(lanes_step_rows(&l, cases[i].steps - 1), cases[i].last_rows);
        assert_int_equal(lanes_divisor(&l, cases[i].steps - 1), cases[i].divisor);
        assert_int_equal(lanes_divisor(&l, 0), cases[i].steps > 1 ? 256 : cases[i].divisor);
    }
}

/* The lanes of a short batch fill from the first on. */
static void test_short_lanes(void **state)
{
    (void)state;
    int64_t left_over;
    const lanes_t l = lanes_for("last_batch: scaled}", 256 + 129, &left_over);
    const int64_t rows[] = {64, 64, 1, 0};
    for (int lane = 0; lane < 4; lane++) {
        assert_int_equal(lanes_rows(&l, 0, lane), 64);
        assert_int_equal(lanes_rows(&l, 1, lane), rows[lane]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_batch),
        cmocka_unit_test(test_short_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
