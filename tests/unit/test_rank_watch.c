/* test_rank_watch - "the starter has a watchdog": when a smelter that has started mpirun ends a job that neither goes on nor
 * ends. Real processes, which run this program as ranks run smelter; time is made up. */
#include "launcher/job/rank_watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/process/process.h"
#include "tests/lib/testing.h"

#define SECOND INT64_C(1000000000)
#define RANKS 2

typedef struct fixture {
    pid_t mpirun, rank[RANKS];
    rank_watch_t watch;
    int64_t now_ns;
    char text[160];
} fixture_t;

static void wait_forever(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        pause();
}

/* A process that has started two; it does not wait for them. */
static void setup(fixture_t *f)
{
    *f = (fixture_t){.now_ns = 100 * SECOND};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    f->mpirun = fork();
    if (f->mpirun == 0) {
        for (int r = 0; r < RANKS; r++) {
            const pid_t pid = fork();
            if (pid == 0)
                wait_forever();
            if (write(fds[1], &pid, sizeof pid) != sizeof pid)
                _exit(1);
        }
        wait_forever();
    }
    for (int r = 0; r < RANKS; r++)
        assert_int_equal(read(fds[0], &f->rank[r], sizeof f->rank[r]), sizeof f->rank[r]);
    close(fds[0]);
    close(fds[1]);
    f->watch = rank_watch_start(f->mpirun, 3);
}

static void teardown(fixture_t *f)
{
    process_signal_tree(f->mpirun, SIGKILL);
    waitpid(f->mpirun, NULL, 0);
}

/* Looks, a second apart, until it is lost; how many, or -1 after `most`. */
static int looks_until_lost(fixture_t *f, int most)
{
    for (int n = 1; n <= most; n++) {
        f->now_ns += SECOND;
        if (rank_watch_is_lost(&f->watch, f->now_ns, f->text, sizeof f->text))
            return n;
    }
    return -1;
}

static void await_state(pid_t pid, char state)
{
    process_t process;
    while (!process_read(pid, &process) || process.state != state)
        usleep(1000);
}

static void test_a_job_that_runs_is_left_alone(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    assert_int_equal(looks_until_lost(&f, 40), -1);
    teardown(&f);
}

static void test_a_rank_that_is_stopped(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    kill(f.rank[1], SIGSTOP);
    await_state(f.rank[1], 'T');
    assert_int_equal(looks_until_lost(&f, 16), -1);
    /* It goes on, and is stopped again: that begins anew. */
    kill(f.rank[1], SIGCONT);
    await_state(f.rank[1], 'S');
    assert_int_equal(looks_until_lost(&f, 2), -1);
    kill(f.rank[1], SIGSTOP);
    await_state(f.rank[1], 'T');
    /* This process was stopped with it, for a day. */
    f.now_ns += 86400 * SECOND;
    assert_int_equal(looks_until_lost(&f, 30), 18); /* the first look finds it; then twice the deadline and 10 s must pass */
    char expected[64];
    snprintf(expected, sizeof expected, "(pid %d) has been stopped for 17 s", (int)f.rank[1]);
    assert_non_null(strstr(f.text, expected));
    teardown(&f);
}

static void test_an_mpirun_that_is_stopped(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    kill(f.mpirun, SIGSTOP);
    await_state(f.mpirun, 'T');
    assert_int_equal(looks_until_lost(&f, 30), 18);
    assert_non_null(strstr(f.text, "mpirun (pid "));
    teardown(&f);
}

static void test_an_mpirun_that_outlives_its_ranks(void **state)
{
    (void)state;
    fixture_t f;
    setup(&f);
    assert_int_equal(looks_until_lost(&f, 3), -1);
    for (int r = 0; r < RANKS; r++) {
        kill(f.rank[r], SIGKILL);
        await_state(f.rank[r], 'Z');
    }
    assert_int_equal(looks_until_lost(&f, 20), 12);
    assert_string_equal(f.text, "all ranks on this host have ended, and mpirun has not for 11 s; another host may be cut off");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_that_runs_is_left_alone),
        cmocka_unit_test(test_a_rank_that_is_stopped),
        cmocka_unit_test(test_an_mpirun_that_is_stopped),
        cmocka_unit_test(test_an_mpirun_that_outlives_its_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
