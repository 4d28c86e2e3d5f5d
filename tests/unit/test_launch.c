/* test_launch - who started this rank, as environments of launchers tell; what ranks tell the starter; and that a process sees
 * to its descriptors. */
#include "common/cluster/launch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/process/descriptors.h"
#include "common/process/time_limit.h"
#include "tests/lib/testing.h"

/* What an environment with nothing in it but these words says. cmocka looks at its own before each test, so it is put back. */
static launch_t read_with(const char *const *words)
{
    char **before = environ, *now[16];
    int n = 0;
    for (; *words; words++)
        now[n++] = (char *)(uintptr_t)*words;
    assert_true(n < 16);
    now[n] = NULL;
    environ = now;
    const launch_t launch = launch_read();
    environ = before;
    return launch;
}
#define READ(...) read_with((const char *const[]){__VA_ARGS__, NULL})

static void test_who_started_us(void **state)
{
    (void)state;
    launch_t l = READ("HOME=/");
    assert_int_equal(l.kind, LAUNCH_NONE);
    l = READ("OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=2", "PMIX_RANK=2");
    assert_true(l.kind == LAUNCH_MPI && l.rank == 2 && l.size == 4);
    l = READ("PMIX_RANK=3", "SLURM_PROCID=3", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=5");
    assert_true(l.kind == LAUNCH_MPI && l.rank == 3 && l.size == 5);
    l = READ("SLURM_PROCID=1", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4");
    assert_true(l.kind == LAUNCH_BARE && l.rank == 1 && l.size == 4);
    l = READ("SLURM_PROCID=1", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4", "PMI_RANK=1", "PMI_SIZE=4", "PMI_FD=7");
    assert_true(l.kind == LAUNCH_PMI && l.rank == 1 && l.size == 4);
    l = READ("PMI_RANK=0", "PMI_SIZE=3", "HYDI_CONTROL_FD=9");
    assert_true(l.kind == LAUNCH_OTHER && l.rank == 0 && l.size == 3);
    l = READ("MV2_COMM_WORLD_RANK=1", "MV2_COMM_WORLD_SIZE=2");
    assert_true(l.kind == LAUNCH_OTHER && l.rank == 1 && l.size == 2);
    l = READ("SLURM_PROCID=0", "SLURM_NTASKS=8"); /* a batch script */
    assert_int_equal(l.kind, LAUNCH_NONE);
    l = READ("SLURM_PROCID=0", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=1"); /* a shell of salloc */
    assert_int_equal(l.kind, LAUNCH_NONE);
    l = READ("SLURM_PROCID=0", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4", "OMPI_COMM_WORLD_SIZE=3",
             "OMPI_COMM_WORLD_RANK=0"); /* mpirun in a step */
    assert_true(l.kind == LAUNCH_MPI && l.size == 3);
}

static void test_whether_all_are_here(void **state)
{
    (void)state;
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_STEP_NUM_NODES"};
    static const struct {
        const char *value[3];
        bool local;
    } cases[] = {{{NULL, NULL, NULL}, false}, {{"4", "4", NULL}, true},   {{"4", "3", NULL}, false}, {{"4", NULL, NULL}, false},
                 {{NULL, NULL, "1"}, true},   {{NULL, NULL, "2"}, false}, {{"4", "2", "1"}, false}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int i = 0; i < 3; i++)
            if (cases[c].value[i])
                setenv(names[i], cases[c].value[i], 1);
            else
                unsetenv(names[i]);
        assert_int_equal(launch_is_local(), cases[c].local);
    }
    for (int i = 0; i < 3; i++)
        unsetenv(names[i]);
}

static void test_ranks_that_cannot_find_each_other(void **state)
{
    (void)state;
    catch_start();
    launch_t l = READ("SLURM_PROCID=0", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4");
    assert_int_equal(launch_check(&l), ST_INPUT);
    assert_caught("srun has started 4 tasks without PMIx");
    assert_caught("srun --mpi=pmix");
    l = READ("PMI_RANK=0", "PMI_SIZE=3", "HYDI_CONTROL_FD=9");
    assert_int_equal(launch_check(&l), ST_INPUT);
    assert_caught("another MPI's launcher");
    l = READ("OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=0");
    assert_int_equal(launch_check(&l), ST_OK);
    assert_int_equal(launch_check_world(&l, 4), ST_OK);
    assert_int_equal(launch_check_world(&l, 1), ST_INPUT);
    assert_caught("the launcher has started 4 ranks, but MPI sees 1");
    l = READ("PMIX_RANK=0"); /* it does not say how many */
    assert_int_equal(launch_check_world(&l, 7), ST_OK);
    catch_stop();
}

static void test_what_the_starter_hears(void **state)
{
    (void)state;
    static const char here[] = "smelter-rank: here\n", named[] = "[1,2]<stderr>:smelter-rank: together\n",
                      other[] = "smelter-rank: here I am\n";
    assert_int_equal(launch_heard(here, sizeof here - 1), LAUNCH_NEWS_HERE);
    assert_int_equal(launch_heard(here, sizeof here - 2), LAUNCH_NEWS_NONE);
    assert_int_equal(launch_heard(named, sizeof named - 1), LAUNCH_NEWS_TOGETHER);
    assert_int_equal(launch_heard(other, sizeof other - 1), LAUNCH_NEWS_NONE);
    assert_int_equal(launch_heard("", 0), LAUNCH_NEWS_NONE);
    static const char servers[] = "[1,0]<stderr>:smelter-rank: servers 1,4\n";
    char list[LAUNCH_SERVERS_BYTES];
    assert_true(launch_heard_servers(servers, sizeof servers - 1, list));
    assert_string_equal(list, "1,4");
    assert_false(launch_heard_servers(servers, sizeof servers - 2, list) || launch_heard_servers(here, sizeof here - 1, list));
}

/* Runs `act` in a child; its exit code. */
static int in_child(int (*act)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(act());
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

static int with_closed_descriptors(void)
{
    const struct rlimit low = {32, 40};
    if (setrlimit(RLIMIT_NOFILE, &low) != 0)
        return 1;
    close(0);
    close(2);
    descriptors_prepare();
    if (descriptors_limit() != 40)
        return 2;
    const int fd = open("/dev/null", O_RDONLY);
    return fcntl(0, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0 ? 3 : fd <= 2 ? 4 : 0;
}

static void test_descriptors(void **state)
{
    (void)state;
    assert_int_equal(in_child(with_closed_descriptors), 0);
    catch_start();
    assert_int_equal(descriptors_check(40, 40, "mpirun"), ST_OK);
    assert_int_equal(descriptors_check(40, 47, "mpirun"), ST_INPUT);
    assert_caught("mpirun may need 47 open files, and the limit is 40; raise it (ulimit -n 1024");
    catch_stop();
}

static int past_its_time(void)
{
    close(2);
    time_limit_t *limit = time_limit_start(0.05, "too late");
    sleep(5);
    time_limit_stop(&limit);
    return 7;
}

static int within_its_time(void)
{
    const int64_t start = clock_now_ns();
    time_limit_t *limit = time_limit_start(60, "too late");
    time_limit_stop(&limit);
    return !limit && clock_now_ns() - start < INT64_C(5000000000) ? 0 : 7;
}

static void test_time_limit(void **state)
{
    (void)state;
    assert_int_equal(in_child(past_its_time), 1);
    assert_int_equal(in_child(within_its_time), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_what_the_starter_hears),
        cmocka_unit_test(test_who_started_us),
        cmocka_unit_test(test_whether_all_are_here),
        cmocka_unit_test(test_ranks_that_cannot_find_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
