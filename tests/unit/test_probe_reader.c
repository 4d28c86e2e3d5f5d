/* test_probe_reader - what workers predict for the probe set is what a reader finds (launcher/metrics/probe_merger.h,
 * sink_probe_file.c, probe_reader.h): shares merge whatever the order of workers, a start that goes on keeps the probes before
 * its checkpoint, and what was changed is not read. */
#include "launcher/metrics/probe_reader.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/probe_merger.h"
#include "tests/lib/testing.h"

/* The call fails with this status, and says this. */
#define EXPECT_FAIL(call, status, text) \
    do { \
        catch_start(); \
        assert_int_equal(call, status); \
        assert_caught(text); \
        catch_stop(); \
    } while (0)

#define EXAMPLES 10
#define WORKERS 3 /* worker w has the examples w, w + 3, .. */

typedef struct start {
    run_events_t *events;
    probe_merger_t *merger;
} start_t;

static float predicted(int64_t step, int64_t example)
{
    return (float)(step * 100 + example) / 16384.0F;
}

static status_t start_begin(start_t *s, const char *dir, int64_t step)
{
    uint64_t lines = 0;
    *s = (start_t){.events = run_events_create(NULL)};
    const probe_options_t o = {
        .events = s->events, .workers = WORKERS, .examples = EXAMPLES, .every = 10, .first = step, .end = 1000};
    s->merger = probe_merger_create(&o);
    return run_events_emit(
        s->events,
        &(run_event_t){.kind = EVENT_TRAIN, .train = {.run_dir = dir, .resumed = step > 0, .step = step, .lines = &lines}});
}

static void start_end(start_t *s)
{
    probe_merger_destroy(&s->merger);
    run_events_destroy(&s->events);
}

/* `shift` moves the numbers of the examples. */
static status_t put(start_t *s, int worker, int64_t step, int64_t shift)
{
    float p[EXAMPLES];
    int64_t number[EXAMPLES], n = 0;
    for (int64_t i = worker; i < EXAMPLES; i += WORKERS) {
        p[n] = predicted(step, i);
        number[n++] = i + shift;
    }
    const net_message_t message = {.header = {.type = WIRE_PROBED, .step = step, .count = n},
                                   .frames = 2,
                                   .frame = {{p, n * (int64_t)sizeof *p}, {number, n * (int64_t)sizeof *number}}};
    return probe_merger_put(s->merger, worker, &message);
}

static void put_all(start_t *s, int64_t step)
{
    for (int w = WORKERS - 1; w >= 0; w--)
        assert_int_equal(put(s, w, step, 0), ST_OK);
}

static void expect_steps(const char *dir, int64_t end, int n, const int64_t *steps)
{
    probe_reader_t probes;
    assert_int_equal(probe_reader_read(dir, end, &probes), ST_OK);
    assert_int_equal(probes.n, n);
    assert_int_equal(probes.n_floats, n * EXAMPLES);
    for (int i = 0; i < n; i++) {
        assert_int_equal(probes.point[i].step, steps[i]);
        assert_int_equal(probes.point[i].examples, EXAMPLES);
        for (int64_t e = 0; e < EXAMPLES; e++)
            assert_float_equal(probes.point[i].p[e], predicted(steps[i], e), 0);
        assert_ptr_equal(probe_reader_find(&probes, steps[i]), &probes.point[i]);
    }
    assert_null(probe_reader_find(&probes, 7));
    probe_reader_fini(&probes);
}

static const char *make_dir(const char *name)
{
    const char *dir = test_path("%s", name);
    assert_int_equal(dir_create(dir), ST_OK);
    return dir;
}

static void test_shares_merge(void **state)
{
    (void)state;
    const char *dir = make_dir("merge");
    start_t s;
    assert_int_equal(start_begin(&s, dir, 0), ST_OK);
    expect_steps(dir, INT64_MAX, 0, NULL);
    for (int w = 0; w < WORKERS; w++) /* one after the other, each far ahead of the next */
        for (int64_t step = 10; step <= 40; step += 10)
            assert_int_equal(put(&s, w, step, 0), ST_OK);
    expect_steps(dir, INT64_MAX, 4, (const int64_t[]){10, 20, 30, 40});
    expect_steps(dir, 30, 2, (const int64_t[]){10, 20});
    start_end(&s);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    start_t s;
    assert_int_equal(start_begin(&s, make_dir("refuse"), 0), ST_OK);
    assert_refusal(put(&s, 0, 10, 1 + EXAMPLES), "of a probe set of 10 was predicted before step 10");
    assert_refusal(put(&s, 0, 20, 0), "a probe before step 20 came; worker 0's next one is before step 10");
    assert_refusal(put(&s, 0, 5, 0), "worker 0's next one is before step 10");
    assert_int_equal(put(&s, 0, 10, 0), ST_OK);
    assert_refusal(put(&s, 0, 10, 0), "worker 0's next one is before step 20");
    assert_int_equal(put(&s, 1, 10, 0), ST_OK);
    assert_refusal(put(&s, 2, 10, -1), "was predicted before step 10, as it was already");
    const net_message_t empty = {.header = {.type = WIRE_PROBED, .step = 10}, .frames = 2};
    assert_refusal(probe_merger_put(s.merger, 2, &empty), "7 of 10 examples of the probe set were predicted before step 10");
    assert_int_equal(put(&s, 2, 10, 0), ST_OK); /* nothing of it did harm */
    start_end(&s);
}

static void test_a_start_goes_on(void **state)
{
    (void)state;
    const char *dir = make_dir("resume");
    start_t s;
    assert_int_equal(start_begin(&s, dir, 0), ST_OK);
    for (int64_t step = 10; step <= 40; step += 10)
        put_all(&s, step);
    start_end(&s);
    char *floats = run_path(dir, FILE_PROBES), *lines = run_path(dir, FILE_PROBE_STEPS), *text;
    size_t bytes;
    assert_int_equal(file_read(lines, &text, &bytes), ST_OK); /* a line and some predictions that a crash has cut off */
    assert_int_equal(file_write_atomic(lines, text, bytes - 5), ST_OK);
    mem_free(text);
    assert_int_equal(truncate(floats, 3 * EXAMPLES * 4 + 5), 0);
    expect_steps(dir, INT64_MAX, 3, (const int64_t[]){10, 20, 30});
    assert_int_equal(start_begin(&s, dir, 20), ST_OK); /* the checkpoint is before step 20, and so is the probe */
    expect_steps(dir, INT64_MAX, 1, (const int64_t[]){10});
    put_all(&s, 20);
    start_end(&s);
    expect_steps(dir, INT64_MAX, 2, (const int64_t[]){10, 20});
    assert_int_equal(start_begin(&s, dir, 0), ST_OK); /* another run takes the place */
    start_end(&s);
    assert_false(file_exists(floats) || file_exists(lines));
    mem_free(floats);
    mem_free(lines);
}

static void test_what_was_changed_is_not_read(void **state)
{
    (void)state;
    const char *dir = make_dir("changed");
    probe_reader_t probes;
    start_t s;
    assert_int_equal(start_begin(&s, dir, 0), ST_OK);
    put_all(&s, 10);
    put_all(&s, 20);
    start_end(&s);
    char *floats = run_path(dir, FILE_PROBES), *lines = run_path(dir, FILE_PROBE_STEPS), *text;
    size_t bytes;
    assert_int_equal(file_read(floats, &text, &bytes), ST_OK);
    text[EXAMPLES * 4] ^= 1;
    assert_int_equal(file_write_atomic(floats, text, bytes), ST_OK);
    EXPECT_FAIL(probe_reader_read(dir, INT64_MAX, &probes), ST_CORRUPT, "the predictions before step 20 are not those");
    expect_steps(dir, 20, 1, (const int64_t[]){10});
    assert_int_equal(file_write_atomic(floats, text, EXAMPLES * 4 - 1), ST_OK);
    EXPECT_FAIL(probe_reader_read(dir, 20, &probes), ST_CORRUPT, "the predictions before step 10 are not those");
    mem_free(text);
    assert_int_equal(file_read(lines, &text, &bytes), ST_OK);
    *strchr(text, '1') = '2';
    assert_int_equal(file_write_atomic(lines, text, bytes), ST_OK);
    EXPECT_FAIL(probe_reader_read(dir, INT64_MAX, &probes), ST_CORRUPT, "line 1 was changed");
    mem_free(text);
    mem_free(floats);
    mem_free(lines);
}

int main(void)
{
    test_dir();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_merge),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_start_goes_on),
        cmocka_unit_test(test_what_was_changed_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
