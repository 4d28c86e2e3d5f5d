/* Proves of progress.h: a person watching sees one live line: variant, replica, step, examples/s, time left, progressive loss;
 * on a terminal redrawn, in a file one line every few seconds. Time is made up, so every character is known. */
#include "launcher/metrics/run_events.h"
#include "tests/lib/testing.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/files/file.h"
#include "launcher/metrics/progress.h"

#define SECOND INT64_C(1000000000)

static int fd;

/* As the coordinator tells it: losses of later visits take the place of those of first ones. */
static void update(progress_t *progress, int64_t step, int64_t examples, double first, double later, int64_t now_ns)
{
    progress_number(progress, "progressive logloss", isnan(later) ? first : NAN);
    progress_number(progress, "training logloss", later);
    progress_update(progress, step, examples, now_ns);
}

static progress_t *open_progress(const char *mode)
{
    test_dir();
    fd = open(test_path("line"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    if (mode)
        setenv("SMELTER_PROGRESS", mode, 1);
    else
        unsetenv("SMELTER_PROGRESS");
    progress_t *progress = NULL;
    assert_int_equal(progress_create(fd, &progress), ST_OK);
    return progress;
}

static void assert_drawn(const char *expected)
{
    char *text;
    assert_int_equal(file_read(test_path("line"), &text, NULL), ST_OK);
    assert_string_equal(text, expected);
    mem_free(text);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
}

static void test_a_file_gets_a_line_every_few_seconds(void **state)
{
    (void)state;
    progress_t *progress = open_progress(NULL);
    assert_string_equal(progress_mode(progress), "lines");
    const progress_run_t run = {.variant = "relu", .replica = 0, .replicas = 2, .run = 0, .runs = 4, .steps = 4000};
    progress_start(progress, &run, 100 * SECOND);
    for (int64_t s = 1; s <= 4; s++)
        update(progress, 100 * s, 100000 * s, NAN, NAN, (100 + s) * SECOND);
    assert_drawn("");
    update(progress, 500, 500000, 0.61239, NAN, 105 * SECOND);
    assert_drawn(
        "relu, replica 1 of 2 (run 1 of 4): step 500 of 4,000  100,000 examples/s  0:35 left, 2:35 in all  progressive "
        "logloss 0.6124\n");
    update(progress, 600, 600000, 0.6, NAN, 106 * SECOND);
    assert_drawn("");
    update(progress, 4000, 4000000, 0.6, NAN, 120 * SECOND);
    progress_finish(progress, 120 * SECOND);
    assert_drawn(
        "relu, replica 1 of 2 (run 1 of 4): step 4,000 of 4,000  242,857 examples/s  0:00 left, 1:00 in all  progressive "
        "logloss 0.6000\n"
        "relu, replica 1 of 2 (run 1 of 4): step 4,000 of 4,000  200,000 examples/s  20 s  progressive logloss 0.6000\n");

    /* The second run is judged by the first: two more runs of 20 s after this one. */
    const progress_run_t next = {.variant = "smelu", .replica = 0, .replicas = 1, .run = 1, .runs = 4, .steps = 1000};
    progress_start(progress, &next, 200 * SECOND);
    update(progress, 500, 500000, 0.6, NAN, 205 * SECOND);
    assert_drawn(
        "smelu (run 2 of 4): step 500 of 1,000  100,000 examples/s  0:05 left, 0:45 in all  progressive logloss 0.6000\n");
    progress_destroy(&progress);
    assert_null(progress);
    close(fd);
}

/* Where examples come again the line shows the loss of these visits, and calls it what it is. */
static void test_later_epochs_are_training(void **state)
{
    (void)state;
    progress_t *progress = open_progress("lines");
    const progress_run_t run = {.variant = "relu", .replicas = 1, .runs = 1, .steps = 10};
    progress_start(progress, &run, 0);
    update(progress, 5, 5000, 0.65, NAN, 5 * SECOND);
    update(progress, 10, 10000, 0.64, 0.5, 10 * SECOND);
    progress_finish(progress, 10 * SECOND);
    assert_drawn("relu: step 5 of 10  1,000 examples/s  0:05 left  progressive logloss 0.6500\n"
                 "relu: step 10 of 10  1,000 examples/s  0:00 left  training logloss 0.5000\n"
                 "relu: step 10 of 10  1,000 examples/s  10 s  training logloss 0.5000\n");
    progress_destroy(&progress);
    close(fd);
}

static void test_a_terminal_is_redrawn(void **state)
{
    (void)state;
    progress_t *progress = open_progress("tty");
    assert_string_equal(progress_mode(progress), "tty");
    const progress_run_t run = {.variant = "relu", .replicas = 1, .runs = 1, .steps = 10};
    progress_start(progress, &run, 0);
    update(progress, 1, 1000, 0.7, NAN, SECOND / 20);
    assert_drawn(""); /* too soon */
    update(progress, 2, 2000, 0.65, NAN, SECOND / 10);
    assert_drawn("\r\033[?7lrelu: step 2 of 10  20,000 examples/s  0:00 left  progressive logloss 0.6500\033[K\033[?7h\r");
    progress_clear(progress);
    assert_drawn("\r\033[K");
    progress_clear(progress);
    assert_drawn("");
    update(progress, 10, 10000, 0.6, NAN, SECOND * 2);
    progress_finish(progress, SECOND * 2);
    assert_drawn("\r\033[?7lrelu: step 10 of 10  5,000 examples/s  0:00 left  progressive logloss 0.6000\033[K\033[?7h\r"
                 "\r\033[?7lrelu: step 10 of 10  5,000 examples/s  2 s  progressive logloss 0.6000\033[K\033[?7h\n");
    progress_destroy(&progress);
    assert_drawn(""); /* a finished line stays */
    close(fd);
}

/* "in fewer words where it is too wide", as the process that started this one has said how wide its terminal is. */
static void test_a_narrow_terminal_gets_fewer_words(void **state)
{
    (void)state;
    setenv("SMELTER_COLUMNS", "0,80", 1);
    terminal_is_behind();
    progress_t *progress = open_progress("tty");
    const progress_run_t run = {.variant = "relu", .replica = 0, .replicas = 2, .run = 0, .runs = 8, .steps = 4000};
    progress_start(progress, &run, 0);
    update(progress, 1200, 98312, 0.6123, NAN, SECOND);
    assert_drawn("\r\033[?7lrelu 1/2 (1/8): 1,200/4,000  98,312/s  0:02 left, 0:26 in all  logloss 0.6123\033[K\033[?7h\r");
    progress_destroy(&progress);
    close(fd);
    unsetenv("SMELTER_COLUMNS");
}

/* "Who knows of something says it once, and sinks take it" (launcher/metrics/run_events.h): the line shows numbers by their
 * names, and gives way before the log speaks, also where another sink cannot take the event. */
static void test_the_line_takes_events(void **state)
{
    (void)state;
    progress_t *progress = open_progress("tty");
    run_events_t *events = run_events_create(progress);
    const progress_run_t run = {.variant = "relu", .replicas = 1, .runs = 1, .steps = 10};
    uint64_t lines = 0;
    assert_int_equal(run_events_emit(events, &(run_event_t){EVENT_BEGIN, 0, .begin = {&run}}), ST_OK);
    assert_int_equal(run_events_emit(events, &(run_event_t){EVENT_NUMBER, 0, .number = {"gradient norm", 1.5}}), ST_OK);
    assert_int_equal(run_events_emit(events, &(run_event_t){EVENT_NUMBER, 0, .number = {"logloss", NAN}}), ST_OK);
    assert_int_equal(run_events_emit(events, &(run_event_t){EVENT_PROGRESS, SECOND, .progress = {5, 1000}}), ST_OK);
    assert_drawn("\r\033[?7lrelu: step 5 of 10  1,000 examples/s  0:01 left  gradient norm 1.5000\033[K\033[?7h\r");
    catch_start();
    assert_int_equal(run_events_emit(events, &(run_event_t){EVENT_STOPPED, SECOND, .stopped = {5}}), ST_OK);
    assert_caught("saved before step 5 and stopped");
    assert_drawn("\r\033[K");
    const event_train_t train = {.run_dir = "/nowhere", .lines = &lines};
    assert_int_equal(run_events_emit(events, &(run_event_t){EVENT_TRAIN, SECOND, .train = train}), ST_INPUT);
    catch_stop();
    assert_int_equal(run_events_emit(NULL, &(run_event_t){.kind = EVENT_SYNC}), ST_OK);
    run_events_destroy(&events);
    progress_destroy(&progress);
    close(fd);
}

/* After a first window the speed is that of the last seconds, so that a stall shows. */
static void test_a_stall_is_seen(void **state)
{
    (void)state;
    progress_t *progress = open_progress("lines");
    const progress_run_t run = {.variant = "v", .replicas = 1, .runs = 1, .steps = 100};
    progress_start(progress, &run, 0);
    for (int64_t s = 1; s <= 10; s++)
        update(progress, s, 1000 * s, NAN, NAN, s * SECOND);
    assert_drawn("v: step 5 of 100  1,000 examples/s  1:35 left\nv: step 10 of 100  1,000 examples/s  1:30 left\n");
    for (int64_t s = 11; s <= 20; s++)
        update(progress, 10, 10000, NAN, NAN, s * SECOND);
    assert_drawn("v: step 10 of 100  0 examples/s  2:15 left\nv: step 10 of 100  0 examples/s  3:00 left\n");
    progress_destroy(&progress);
    close(fd);
}

static void test_off_and_wrong_words(void **state)
{
    (void)state;
    progress_t *progress = open_progress("off");
    const progress_run_t run = {.variant = "v", .replicas = 1, .runs = 1, .steps = 100};
    progress_start(progress, &run, 0);
    update(progress, 50, 5000, NAN, NAN, 60 * SECOND);
    progress_finish(progress, 120 * SECOND);
    progress_destroy(&progress);
    assert_drawn("");
    close(fd);

    setenv("SMELTER_PROGRESS", "loud", 1);
    catch_start();
    assert_int_equal(progress_create(STDERR_FILENO, &progress), ST_INPUT);
    catch_stop();
    assert_caught("SMELTER_PROGRESS is \"loud\"; it must be tty, lines or off");
    unsetenv("SMELTER_PROGRESS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_gets_a_line_every_few_seconds),
        cmocka_unit_test(test_later_epochs_are_training),
        cmocka_unit_test(test_a_terminal_is_redrawn),
        cmocka_unit_test(test_a_narrow_terminal_gets_fewer_words),
        cmocka_unit_test(test_the_line_takes_events),
        cmocka_unit_test(test_a_stall_is_seen),
        cmocka_unit_test(test_off_and_wrong_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
