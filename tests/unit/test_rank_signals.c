/* Proves what signals ask of a rank: "SIGUSR1 asks to save and go on; SIGUSR2, and the first SIGTERM, SIGINT or SIGHUP, to save
 * and stop; another one ends a rank now", an echo of the first aside. Signals are sent to this process. */
#include "common/process/rank_signals.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/testing.h"

static void wait_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static int begin(void **state)
{
    (void)state;
    rank_signals_watch(&(rank_signals_t){0});
    rank_signals_forget();
    return 0;
}

static void test_a_wish_to_save(void **state)
{
    (void)state;
    assert_false(rank_signals_save_asked());
    raise(SIGUSR1);
    assert_true(rank_signals_save_asked());
    assert_false(rank_signals_save_asked());
    assert_false(rank_signals_stop_asked() || rank_signals_end_told() || rank_signals_interrupted());
}

static void test_a_wish_to_save_and_stop(void **state)
{
    (void)state;
    raise(SIGUSR2);
    assert_true(rank_signals_stop_asked());
    assert_false(rank_signals_end_told() || rank_signals_interrupted());
    raise(SIGTERM); /* what a person does who does not want to wait */
    assert_true(rank_signals_interrupted());
}

static void test_a_second_signal_ends_and_an_echo_does_not(void **state)
{
    (void)state;
    raise(SIGTERM);
    raise(SIGHUP);
    assert_true(rank_signals_stop_asked() && rank_signals_end_told());
    assert_false(rank_signals_interrupted() || rank_signals_launcher_ends());
    wait_ms(1050);
    raise(SIGINT);
    assert_true(rank_signals_interrupted());
}

static void test_the_end_comes_when_the_coordinator_is_gone(void **state)
{
    (void)state;
    const pid_t coordinator = fork();
    if (coordinator == 0) {
        pause();
        _exit(0);
    }
    rank_signals_watch(&(rank_signals_t){.coordinator = coordinator});
    raise(SIGTERM);
    assert_false(rank_signals_interrupted());
    kill(coordinator, SIGKILL);
    waitpid(coordinator, NULL, 0);
    assert_true(rank_signals_interrupted());
}

/* A child process stands for a rank; the parent, which is its launcher, has asked with SIGUSR2 before. */
static void test_the_launchers_own_signal_ends(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t rank = fork();
    if (rank == 0) {
        rank_signals_watch(&(rank_signals_t){.starter_ends = true});
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (int i = 0; i < 500 && !rank_signals_interrupted(); i++)
            wait_ms(10);
        _exit(rank_signals_interrupted() && !rank_signals_end_told() ? 7 : 1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(rank, SIGTERM);
    int how;
    assert_int_equal(waitpid(rank, &how, 0), rank);
    assert_int_equal(WEXITSTATUS(how), 7);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_wish_to_save, begin),
        cmocka_unit_test_setup(test_a_wish_to_save_and_stop, begin),
        cmocka_unit_test_setup(test_a_second_signal_ends_and_an_echo_does_not, begin),
        cmocka_unit_test_setup(test_the_end_comes_when_the_coordinator_is_gone, begin),
        cmocka_unit_test_setup(test_the_launchers_own_signal_ends, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
