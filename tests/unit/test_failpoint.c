/* test_crash - a process dies of SIGKILL at the named point, the wanted time, in the wanted role, and nowhere else; a wish that
 * could never come true is refused at the start ("a malformed value is a clear error"). */
#include "common/process/failpoint.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/testing.h"

/* Pass two points five times each in a process of its own, as server 1; which pass killed it, 0: none did. */
static int pass_that_kills(const char *wish)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    const pid_t child = fork();
    if (child == 0) {
        setenv("SMELTER_CRASH", wish, 1);
        log_set_level(LOG_NONE);
        failpoint_arm("server 1");
        for (int pass = 0; pass < 5; pass++) {
            if (write(fds[1], ".", 1) != 1)
                _exit(1);
            failpoint("delta.written");
            failpoint("compaction.batch");
        }
        _exit(0);
    }
    assert_true(child > 0);
    close(fds[1]);
    char dots[8];
    int passes = 0, result = 0;
    for (ssize_t n; (n = read(fds[0], dots, sizeof dots)) > 0;)
        passes += (int)n;
    close(fds[0]);
    assert_int_equal(waitpid(child, &result, 0), child);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return 0;
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    return passes;
}

static void test_kills_at_the_wanted_pass(void **state)
{
    (void)state;
    assert_int_equal(pass_that_kills("server:delta.written"), 1);
    assert_int_equal(pass_that_kills("server:compaction.batch:3"), 3);
    assert_int_equal(pass_that_kills("server-1:compaction.batch:5"), 5);
    assert_int_equal(pass_that_kills("server:compaction.batch:6"), 0);
    assert_int_equal(pass_that_kills("server:delta.synced"), 0);
    assert_int_equal(pass_that_kills("server-0:compaction.batch"), 0);
    assert_int_equal(pass_that_kills("worker-1:compaction.batch"), 0);
    assert_int_equal(pass_that_kills("coordinator:compaction.batch"), 0);
}

static void refused(const char *wish, const char *why)
{
    setenv("SMELTER_CRASH", wish, 1);
    catch_start();
    assert_int_equal(failpoint_check_environment(), ST_INPUT);
    assert_caught(wish);
    assert_caught(why);
    catch_stop();
}

static void test_refuses_what_cannot_come_true(void **state)
{
    (void)state;
    unsetenv("SMELTER_CRASH");
    assert_int_equal(failpoint_check_environment(), ST_OK);
    static const char *const good[] = {"coordinator:commit.renamed", "worker:worker.cut:12", "server-3:compaction.begun:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        setenv("SMELTER_CRASH", good[i], 1);
        assert_int_equal(failpoint_check_environment(), ST_OK);
    }
    static const char *const form[] = {"",
                                       "server",
                                       "delta.written",
                                       "servers:compaction.done",
                                       "server-:compaction.done",
                                       "server-x:compaction.done",
                                       "server--1:compaction.done",
                                       "coordinator-0:compaction.done",
                                       ":compaction.done",
                                       "Server:compaction.done"};
    for (size_t i = 0; i < sizeof form / sizeof *form; i++)
        refused(form[i], "expected ROLE:NAME[:NTH] with ROLE coordinator, server[-N] or worker[-N]");
    refused("server:", "there is no such point");
    refused("server:fold", "there is no such point");
    refused("server:fold.done2", "there is no such point");
    refused("server:compaction.done:", "must be a number from 1 on");
    refused("server:compaction.done:0", "must be a number from 1 on");
    refused("server:compaction.done:-1", "must be a number from 1 on");
    refused("server:compaction.done:2x", "must be a number from 1 on");
    unsetenv("SMELTER_CRASH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills_at_the_wanted_pass),
        cmocka_unit_test(test_refuses_what_cannot_come_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
