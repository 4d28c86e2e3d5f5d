/* test_progressive - "examples are put back into the order of the training data, so the numbers do not depend on the number
 * of workers" (launcher/progressive.h): the same lines, byte for byte, from 1, 2 and 4 workers with their messages in any
 * order, and messages that do not fit the run are errors. */
#include "launcher/progressive.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/metrics.h"
#include "common/net/net_sim.h"
#include "tests/lib/testing.h"

#define MOST 2000

/* The run's predictions in the order of the training data. */
typedef struct truth {
    lanes_t lanes;
    float p[MOST];
    uint8_t y[MOST];
    uint64_t group[MOST];
} truth_t;

static truth_t make_truth(int64_t batch, int64_t total, int lanes, uint64_t seed)
{
    truth_t t = {.lanes = {batch, total, lanes}};
    assert_true(total <= MOST);
    for (int i = 0; i < total; i++) {
        t.p[i] = (float)rng_uniform(seed, 1, (uint64_t)i);
        t.y[i] = rng_u64(seed, 2, (uint64_t)i) % 3 == 0;
        t.group[i] = rng_u64(seed, 3, (uint64_t)i) % 20;
    }
    return t;
}

/* A worker's part of the steps [from, to), copied; returns its length. */
static int64_t part_of(const truth_t *t, int worker, int workers, int64_t from, int64_t to, float *p, uint8_t *y,
                       uint64_t *group)
{
    int64_t n = 0;
    const int64_t size = t->lanes.batch / t->lanes.lanes;
    for (int64_t step = from; step < to; step++)
        for (int lane = lanes_first(&t->lanes, worker, workers); lane < lanes_first(&t->lanes, worker + 1, workers); lane++)
            for (int64_t i = 0; i < lanes_rows(&t->lanes, step, lane); i++, n++) {
                const int64_t at = step * t->lanes.batch + lane * size + i;
                p[n] = t->p[at];
                y[n] = t->y[at];
                group[n] = t->group[at];
            }
    return n;
}

typedef struct fixture {
    net_sim_world_t *world;
    net_t *net, *worker[8];
    int workers;
    progressive_t *progressive;
    const char *path;
} fixture_t;

static void setup(fixture_t *f, const truth_t *t, int workers, uint64_t seed)
{
    *f =
        (fixture_t){.world = net_sim_world_create(seed, 5), .workers = workers, .path = test_path("metrics-%d.jsonl", workers)};
    f->net = net_sim_attach(f->world, 0);
    for (int w = 0; w < workers; w++) {
        f->worker[w] = net_sim_attach(f->world, w + 1);
        net_sim_dial(f->worker[w], 0, f->net);
    }
    assert_int_equal(progressive_create(f->path, f->net, workers, &t->lanes, &f->progressive), ST_OK);
    assert_true(isnan(progressive_logloss(f->progressive)));
}

static void teardown(fixture_t *f)
{
    progressive_destroy(&f->progressive);
    assert_null(f->progressive);
    for (int w = 0; w < f->workers; w++)
        net_close(&f->worker[w]);
    net_close(&f->net);
    net_sim_world_destroy(&f->world);
}

static void post(fixture_t *f, int worker, int64_t count, const float *p, const uint8_t *y, const uint64_t *group,
                 int64_t groups)
{
    const wire_header_t header = wire_header(WIRE_PROGRESS, 1, 0, 0, 0, count);
    const wire_frame_t frames[] = {{p, count * 4}, {y, count}, {group, groups * 8}};
    assert_int_equal(net_send(f->worker[worker], 0, &header, frames, 3), ST_OK);
}

static void post_part(fixture_t *f, const truth_t *t, int worker, int64_t from, int64_t to)
{
    static float p[MOST];
    static uint8_t y[MOST];
    static uint64_t group[MOST];
    const int64_t n = part_of(t, worker, f->workers, from, to, p, y, group);
    post(f, worker, n, p, y, group, n);
}

/* Take every message there is; the status of the first that was not taken. */
static status_t take_all(fixture_t *f)
{
    net_message_t message;
    while (net_receive(f->net, &message, 100) == ST_OK)
        TRY(progressive_put(f->progressive, message.peer - 1, &message, 0));
    return ST_OK;
}

/* The whole run in intervals; the lines written, **owned**. */
static char *lines_of(const truth_t *t, int workers, int64_t interval, uint64_t seed)
{
    fixture_t f;
    setup(&f, t, workers, seed);
    const int64_t steps = lanes_steps(&t->lanes);
    for (int64_t from = 0; from < steps; from += interval) {
        const int64_t to = from + interval < steps ? from + interval : steps;
        for (int w = workers - 1; w >= 0; w--)
            post_part(&f, t, w, from, to);
        if (seed % 2) /* else all intervals are on their way together */
            assert_int_equal(take_all(&f), ST_OK);
    }
    assert_int_equal(take_all(&f), ST_OK);
    assert_int_equal(progressive_steps(f.progressive), steps);
    assert_int_equal(progressive_examples(f.progressive), t->lanes.total);
    assert_float_equal(progressive_logloss(f.progressive), metrics_logloss(t->p, t->y, t->lanes.total), 1e-12);
    teardown(&f);
    char *text;
    size_t bytes;
    assert_int_equal(file_read(test_path("metrics-%d.jsonl", workers), &text, &bytes), ST_OK);
    return text;
}

/* JSON has no NaN: a number that an interval does not have is null. */
static void check_number(const char *line, const char *key, double expected)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    double value;
    assert_non_null(at);
    at += strlen(quoted);
    at += strspn(at, " ");
    if (isnan(expected))
        assert_int_equal(strncmp(at, "null", 4), 0);
    else
        assert_true(sscanf(at, "%lf", &value) == 1 && fabs(value - expected) < 1e-12);
}

/* One worker's lines, against the metrics of each interval. */
static void check_lines(const truth_t *t, int64_t interval, const char *text)
{
    const int64_t steps = lanes_steps(&t->lanes);
    for (int64_t from = 0; from < steps; from += interval) {
        const int64_t first = from * t->lanes.batch, to = from + interval < steps ? from + interval : steps;
        const int64_t end = to * t->lanes.batch < t->lanes.total ? to * t->lanes.batch : t->lanes.total, n = end - first;
        check_number(text, "step", (double)to);
        check_number(text, "examples", (double)end);
        check_number(text, "logloss", metrics_logloss(t->p + first, t->y + first, n));
        check_number(text, "auc_loss", metrics_auc_loss(t->p + first, t->y + first, n));
        check_number(text, "calibration", metrics_calibration(t->p + first, t->y + first, n));
        check_number(text, "progressive_logloss", metrics_logloss(t->p, t->y, end));
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    assert_string_equal(text, "");
}

static void test_lines_do_not_depend_on_the_workers(void **state)
{
    (void)state;
    static const int64_t shapes[][4] = {{32, 1000, 4, 5}, {32, 960, 8, 7}, {8, 101, 8, 1}, {64, 70, 4, 50}, {16, 1, 4, 3}};
    test_dir();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) { /* batch, total, lanes, interval */
        const truth_t t = make_truth(shapes[i][0], shapes[i][1], (int)shapes[i][2], i);
        char *one = lines_of(&t, 1, shapes[i][3], 0);
        check_lines(&t, shapes[i][3], one);
        for (int workers = 2; workers <= 4; workers++)
            for (uint64_t seed = 0; seed < 6; seed++) {
                char *more = lines_of(&t, workers, shapes[i][3], seed);
                assert_string_equal(more, one);
                mem_free(more);
            }
        mem_free(one);
    }
}

static void test_messages_that_do_not_fit(void **state)
{
    (void)state;
    test_dir();
    const truth_t t = make_truth(32, 320, 4, 9);
    fixture_t f;
    catch_start();

    setup(&f, &t, 2, 1); /* workers that cut the run differently */
    post_part(&f, &t, 0, 0, 3);
    post_part(&f, &t, 1, 0, 4);
    assert_int_equal(take_all(&f), ST_MESSAGE);
    assert_caught("the workers' progressive predictions after step 0 do not cover the same examples");
    assert_int_equal(progressive_steps(f.progressive), 0);
    teardown(&f);

    setup(&f, &t, 2, 1); /* half a step; and the interval before it stands */
    for (int w = 0; w < 2; w++)
        post_part(&f, &t, w, 0, 2);
    for (int w = 0; w < 2; w++)
        post(&f, w, 8, t.p, t.y, t.group, 8);
    assert_int_equal(take_all(&f), ST_MESSAGE);
    assert_caught("the workers' progressive predictions after step 2 do not cover the same examples");
    assert_int_equal(progressive_steps(f.progressive), 2);
    teardown(&f);

    setup(&f, &t, 1, 1); /* more than the run has */
    for (int i = 0; i < 2; i++)
        post_part(&f, &t, 0, 0, 10);
    assert_int_equal(take_all(&f), ST_MESSAGE);
    assert_caught("after step 10 do not cover");
    teardown(&f);

    setup(&f, &t, 1, 1); /* no groups */
    post(&f, 0, 32, t.p, t.y, t.group, 0);
    assert_int_equal(take_all(&f), ST_MESSAGE);
    assert_caught("worker 0 sent progressive predictions that are malformed or too far ahead");
    teardown(&f);

    setup(&f, &t, 2, 1); /* one worker talks and the other never does */
    for (int i = 0; i < 65; i++)
        post_part(&f, &t, 1, 0, 1);
    assert_int_equal(take_all(&f), ST_MESSAGE);
    assert_caught("worker 1 sent progressive predictions that are malformed or too far ahead");
    teardown(&f);

    progressive_t *none = NULL;
    assert_int_equal(progressive_create("/nowhere/metrics.jsonl", NULL, 1, &t.lanes, &none), ST_INPUT);
    catch_stop();
    assert_caught("/nowhere/metrics.jsonl: cannot be written");
    assert_null(none);
    progressive_destroy(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_do_not_depend_on_the_workers),
        cmocka_unit_test(test_messages_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
