/* test_lease - a folder belongs to one job at a time where locks cannot say so: "if it changes, or its holder is a process that
 * runs on this host, the folder is in use; if nothing of it changes .., or its holder has ended on this host, it is taken
 * over". */
#include "launcher/run/lease.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/files/file.h"
#include "tests/lib/testing.h"

#define QUICK ((lease_times_t){.renew_ms = 20, .expire_ms = 200})
#define PATIENT ((lease_times_t){.renew_ms = 20, .expire_ms = 20000})

static void check_in_use(const char *folder, const char *by)
{
    lease_t *lease = NULL;
    catch_start();
    const status_t status = lease_take(folder, PATIENT, &lease);
    catch_stop();
    assert_int_equal(status, ST_INPUT);
    assert_caught("is in use by another smelter job, of process ");
    assert_caught(by);
}

/* Take it and give it up again. */
static void check_free(const char *folder)
{
    lease_t *lease = NULL;
    catch_start();
    assert_int_equal(lease_take(folder, QUICK, &lease), ST_OK);
    catch_stop();
    lease_give_up(&lease);
    assert_null(lease);
}

static void test_one_holder_at_a_time(void **state)
{
    (void)state;
    const char *folder = test_dir();
    lease_t *lease = NULL;
    assert_int_equal(lease_take(folder, QUICK, &lease), ST_OK);
    assert_true(file_exists(test_path(".lease")));
    check_in_use(folder, "wait for it or choose another --out");
    lease_give_up(&lease);
    assert_false(file_exists(test_path(".lease")));
    check_free(folder);
}

/* Of a process of this host it is seen at once that it has ended. */
static void test_a_killed_holder(void **state)
{
    (void)state;
    const char *folder = test_dir();
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        lease_t *lease = NULL;
        const status_t status = lease_take(folder, QUICK, &lease);
        if (write(ready[1], &status, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, ST_OK);
    check_in_use(folder, "is in use by another smelter job");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(file_exists(test_path(".lease")));
    check_free(folder);
    close(ready[0]);
    close(ready[1]);
}

/* Of another host only its silence. */
static void test_a_holder_elsewhere(void **state)
{
    (void)state;
    const char *folder = test_dir();
    test_write(".lease", "node7 4711 00000000000000aa 1 00000000000000bb 1\n");
    check_free(folder);
    test_write(".lease", "no lease at all");
    check_free(folder);

    test_write(".lease", "node7 4711 00000000000000aa 1 00000000000000bb 0000\n");
    const int fd = open(test_path(".lease"), O_WRONLY | O_CLOEXEC);
    const pid_t child = fork();
    for (int beat = 0; child == 0; beat++) { /* in place, as holders do */
        char text[64];
        const int n = snprintf(text, sizeof text, "node7 4711 00000000000000aa 1 00000000000000bb %04d\n", beat % 10000);
        if (pwrite(fd, text, (size_t)n, 0) != n)
            _exit(1);
        usleep(10000);
    }
    close(fd);
    check_in_use(folder, "of process 4711 on node7");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* A holder whose lease is another's ends at once. */
static void test_a_lease_that_was_lost(void **state)
{
    (void)state;
    const char *folder = test_dir();
    int how;
    const pid_t child = fork();
    if (child == 0) {
        lease_t *lease = NULL;
        catch_start();
        if (lease_take(folder, QUICK, &lease) == ST_OK) {
            test_write(".lease", "node7 4711 00000000000000aa 1 00000000000000bb 1\n");
            usleep(20000000);
        }
        _exit(1);
    }
    waitpid(child, &how, 0);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_holder_at_a_time),
        cmocka_unit_test(test_a_killed_holder),
        cmocka_unit_test(test_a_holder_elsewhere),
        cmocka_unit_test(test_a_lease_that_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
