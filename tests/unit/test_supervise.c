/* test_supervise - which failures of a job are followed by another start, how long after, and how the next one begins: "starts
 * again from the last checkpoint; backs off; stops with a clear error when the same step fails three times". The jobs are
 * scripted: each start leaves the files of a job that came so far. Expectations are written out, not worked out. */
#include "launcher/job/supervise.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/files/file.h"
#include "tests/lib/testing.h"

/* What a start does. */
typedef struct act {
    status_t status;
    const char *run; /* whose metrics.jsonl grows, below the folder; NULL: none */
    int step;        /* of its last line */
    bool checkpoint; /* it leaves one */
} act_t;

static const act_t *script;
static int starts, acts, pauses;
static bool resumed[16];
static int paused[16];
static status_t pause_status;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static status_t play(void *context, bool resume)
{
    (void)context;
    assert_true(starts < acts);
    const act_t *act = &script[starts];
    resumed[starts++] = resume;
    if (act->run) {
        assert_int_equal(dir_create(test_path("run%s", act->run)), ST_OK);
        char text[256];
        snprintf(text, sizeof text,
                 "{\"step\": %d, \"logloss\": 0.5}\n{\"step\": %d, \"logloss\": 0.4}\n{\"step\": 8%d, \"rows\": 3}\n"
                 "{\"step\": 9%d, \"logloss\": 0.",
                 act->step / 2, act->step, act->step, act->step);
        const char *path = test_path("run%s/metrics.jsonl", act->run);
        write_file(path, text);
        /* A later start's file is newer, also where the clock of the file system is coarse. */
        const struct timeval times[] = {{1000 + starts, 0}, {1000 + starts, 0}};
        assert_int_equal(utimes(path, times), 0);
    }
    if (act->checkpoint) {
        assert_int_equal(dir_create(test_path("run/checkpoint/epoch-0001/step-000000000100")), ST_OK);
        write_file(test_path("run/checkpoint/epoch-0001/step-000000000100/manifest.json"), "{}");
    }
    return act->status;
}

static status_t note_pause(void *context, int seconds)
{
    (void)context;
    assert_true(pauses < 16);
    paused[pauses++] = seconds;
    return pause_status;
}

#define RUN(restarts, ...) \
    run_script((restarts), (const act_t[]){__VA_ARGS__}, (int)(sizeof((const act_t[]){__VA_ARGS__}) / sizeof(act_t)))

static status_t run_script(int64_t restarts, const act_t *of, int n)
{
    test_dir();
    assert_int_equal(dir_create(test_path("run")), ST_OK);
    script = of;
    acts = n;
    starts = pauses = 0;
    pause_status = ST_OK;
    const supervise_options_t o = {.dir = test_path("run"), .restarts = restarts, .start = play, .pause = note_pause};
    catch_start();
    status_t status = supervise_run(&o);
    catch_stop();
    assert_int_equal(starts, n);
    return status;
}

static void test_without_restarts_nothing_changes(void **state)
{
    (void)state;
    static const status_t all[] = {ST_OK, ST_INPUT, ST_PEER, ST_TIMEOUT, ST_SYSTEM, ST_STOPPED};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(RUN(0, {all[i], "", 7, false}), all[i]);
        assert_string_equal(catch_text(), "");
    }
}

static void test_what_is_final_is_not_started_again(void **state)
{
    (void)state;
    assert_int_equal(RUN(5, {ST_OK, "", 7, false}), ST_OK);
    assert_int_equal(RUN(5, {ST_INPUT, "", 7, false}), ST_INPUT);
    assert_int_equal(RUN(5, {ST_STOPPED, "", 7, true}), ST_STOPPED);
    assert_string_equal(catch_text(), "");
    assert_int_equal(RUN(5, {ST_PEER, "", 7, false}, {ST_STOPPED, "", 9, false}), ST_STOPPED);
}

static void test_starts_again_from_the_checkpoint_that_is_there(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(9, {ST_PEER, NULL, 0, false}, {ST_PEER, "", 10, false}, {ST_TIMEOUT, "", 20, true}, {ST_OK, "", 30, false}), ST_OK);
    assert_false(resumed[0] || resumed[1] || resumed[2]);
    assert_true(resumed[3]);
    assert_caught("the job failed at the start; it starts again in 1 s (restart 1 of 9)");
    assert_caught("the job failed at step 10; it starts again in 2 s (restart 2 of 9)");
    assert_caught("the job failed at step 20; it starts again in 4 s (restart 3 of 9)");
    assert_int_equal(pauses, 3);
}

/* --again: a start that failed before it removed the run that was there must not make the next one go on with it. */
static void test_checkpoints_that_were_to_be_removed_are_not_gone_on_from(void **state)
{
    (void)state;
    static const act_t all[] = {{ST_PEER, NULL, 0, false}, {ST_PEER, "", 10, true}, {ST_OK, "", 20, false}};
    test_dir();
    assert_int_equal(dir_create(test_path("run/checkpoint/epoch-0007/step-000000000900")), ST_OK);
    write_file(test_path("run/checkpoint/epoch-0007/step-000000000900/manifest.json"), "{}");
    const struct timeval times[] = {{1000, 0}, {1000, 0}};
    assert_int_equal(utimes(test_path("run/checkpoint/epoch-0007/step-000000000900/manifest.json"), times), 0);
    script = all;
    acts = 3;
    starts = pauses = 0;
    pause_status = ST_OK;
    const supervise_options_t o = {.dir = test_path("run"), .restarts = 9, .again = true, .start = play, .pause = note_pause};
    catch_start();
    assert_int_equal(supervise_run(&o), ST_OK);
    catch_stop();
    assert_false(resumed[0] || resumed[1]);
    assert_true(resumed[2]);
}

/* A folder of an attempt at a checkpoint, without a manifest, is none. */
static void test_what_is_not_committed_is_no_checkpoint(void **state)
{
    (void)state;
    test_dir();
    static const char *const names[] = {"epoch-0001/step-000000000100", "epoch-0001/shard-0", "epoch-1x/step-000000000100",
                                        "epoch-0001/step-x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(dir_create(test_path("run/checkpoint/%s", names[i])), ST_OK);
        if (i > 0)
            write_file(test_path("run/checkpoint/%s/manifest.json", names[i]), "{}");
    }
    static const act_t of[] = {{ST_PEER, "", 1, false}, {ST_OK, "", 2, false}};
    script = of;
    acts = 2;
    starts = pauses = 0;
    const supervise_options_t o = {.dir = test_path("run"), .restarts = 1, .start = play, .pause = note_pause};
    catch_start();
    assert_int_equal(supervise_run(&o), ST_OK);
    catch_stop();
    assert_false(resumed[1]);
}

static void test_three_failures_at_one_step_are_the_end(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(9, {ST_PEER, "", 40, false}, {ST_PEER, "", 50, false}, {ST_SYSTEM, "", 50, false}, {ST_SYSTEM, "", 50, false}),
        ST_SYSTEM);
    assert_caught("the job has failed 3 times in a row no further than at step 50, and is not started again");
    /* Not in a row: it got on between. */
    assert_int_equal(RUN(9, {ST_PEER, "", 50, false}, {ST_PEER, "", 50, false}, {ST_PEER, "", 60, false},
                         {ST_PEER, "", 60, false}, {ST_OK, "", 70, false}),
                     ST_OK);
    /* The line of the step that it fails at may be there or not. */
    assert_int_equal(
        RUN(9, {ST_PEER, "", 40, false}, {ST_PEER, "", 50, false}, {ST_PEER, "", 40, false}, {ST_PEER, "", 50, false}),
        ST_PEER);
    assert_caught("3 times in a row no further than at step 50");
    /* Before the first step, too. */
    assert_int_equal(RUN(9, {ST_PEER, NULL, 0, false}, {ST_PEER, NULL, 0, false}, {ST_PEER, NULL, 0, false}), ST_PEER);
    assert_caught("3 times in a row no further than at the start");
}

/* Of an experiment, a run further on is progress even where it fails at the same step. */
static void test_an_experiment_is_where_its_newest_run_is(void **state)
{
    (void)state;
    assert_int_equal(RUN(9, {ST_PEER, "/relu/r0", 50, false}, {ST_PEER, "/relu/r0", 50, false},
                         {ST_PEER, "/smelu/r0", 50, false}, {ST_PEER, "/smelu/r0", 50, false},
                         {ST_PEER, "/smelu/r0", 50, false}),
                     ST_PEER);
    assert_caught("the job failed at step 50 of relu/r0; it starts again in 1 s");
    assert_caught("the job has failed 3 times in a row no further than at step 50 of smelu/r0");
}

static void test_the_restarts_are_counted_and_the_pauses_grow(void **state)
{
    (void)state;
    assert_int_equal(RUN(8, {ST_PEER, "", 1, false}, {ST_PEER, "", 2, false}, {ST_PEER, "", 3, false}, {ST_PEER, "", 4, false},
                         {ST_PEER, "", 5, false}, {ST_PEER, "", 6, false}, {ST_PEER, "", 7, false}, {ST_PEER, "", 8, false},
                         {ST_PEER, "", 9, false}),
                     ST_PEER);
    assert_caught("the job has failed 9 times, the last time at step 9, and is not started again: --restarts is 8");
    static const int expected[] = {1, 2, 4, 8, 16, 32, 64, 64};
    assert_int_equal(pauses, 8);
    assert_memory_equal(paused, expected, sizeof expected);
}

static void test_a_signal_ends_the_pause_and_the_job(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        /* Held back until the pause wants it, so it cannot come too early. */
        sigset_t set, before;
        sigemptyset(&set);
        sigaddset(&set, signals[i]);
        sigprocmask(SIG_BLOCK, &set, &before);
        raise(signals[i]);
        catch_start();
        assert_int_equal(supervise_pause(NULL, 30), ST_STOPPED);
        assert_caught("interrupted by signal");
        catch_stop();
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    assert_int_equal(supervise_pause(NULL, 0), ST_OK);
}

static void test_the_number_of_restarts(void **state)
{
    (void)state;
    int64_t n = -1;
    assert_int_equal(supervise_parse(NULL, &n), ST_OK);
    assert_int_equal(n, 0);
    assert_int_equal(supervise_parse("12", &n), ST_OK);
    assert_int_equal(n, 12);
    static const char *const bad[] = {"", "x", "3x", "-1", "1000001", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        catch_start();
        assert_int_equal(supervise_parse(bad[i], &n), ST_INPUT);
        assert_caught("must be a number from 0 to 1,000,000");
        catch_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_restarts_nothing_changes),
        cmocka_unit_test(test_what_is_final_is_not_started_again),
        cmocka_unit_test(test_starts_again_from_the_checkpoint_that_is_there),
        cmocka_unit_test(test_checkpoints_that_were_to_be_removed_are_not_gone_on_from),
        cmocka_unit_test(test_what_is_not_committed_is_no_checkpoint),
        cmocka_unit_test(test_three_failures_at_one_step_are_the_end),
        cmocka_unit_test(test_an_experiment_is_where_its_newest_run_is),
        cmocka_unit_test(test_the_restarts_are_counted_and_the_pauses_grow),
        cmocka_unit_test(test_a_signal_ends_the_pause_and_the_job),
        cmocka_unit_test(test_the_number_of_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
