/* test_mpirun_guard - when mpirun starts ranks on this host alone, and what is in its environment while it starts. What the
 * guard does inside of mpirun, tests/cluster/test_sockets.sh shows. */
#include "launcher/job/mpirun_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/job/guard/guard_names.h"
#include "tests/lib/testing.h"

/* Whether it is local with one variable more, which is taken away again. */
static bool is_local_with(const char *name, const char *value)
{
    setenv(name, value, 1);
    const bool is_local = mpirun_is_local();
    unsetenv(name);
    return is_local;
}

static void test_who_is_local(void **state)
{
    (void)state;
    static const char *const names[] = {"SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "SLURM_NNODES", "PBS_NODEFILE"};
    test_dir();
    for (size_t i = 0; i < 4; i++)
        unsetenv(names[i]);
    setenv("HOME", test_path("%s", ""), 1);
    assert_true(mpirun_is_local());
    assert_false(is_local_with("PBS_NODEFILE", "/var/spool/nodes"));
    assert_false(is_local_with("OMPI_MCA_orte_default_hostfile", "hosts"));
    assert_false(is_local_with("SLURM_JOB_ID", "17")); /* it does not say how many nodes */
    setenv("SLURM_JOB_ID", "17", 1);
    assert_true(is_local_with("SLURM_JOB_NUM_NODES", "1"));
    assert_false(is_local_with("SLURM_JOB_NUM_NODES", "2"));
    assert_true(is_local_with("SLURM_NNODES", "1"));
    unsetenv("SLURM_JOB_ID");
    assert_int_equal(dir_create(test_path(".openmpi")), ST_OK);
    test_write(".openmpi/mca-params.conf", "# orte_default_hostfile = x\nbtl = self,vader\n");
    assert_true(mpirun_is_local());
    test_write(".openmpi/mca-params.conf", "btl = self,vader\n orte_default_hostfile = /etc/hosts.mpi\n");
    assert_false(mpirun_is_local());
}

static void expect_environment(const char *name, const char *value)
{
    const char *is = getenv(name);
    if (value)
        assert_string_equal(is, value);
    else
        assert_null(is);
}

static void test_the_environment(void **state)
{
    (void)state;
    char file[64], both[96];
    struct stat st;
    unsetenv("LD_PRELOAD");
    mpirun_guard_t guard = mpirun_guard_arm("127.0.0.1", "");
    assert_true(guard.fd >= 0);
    snprintf(file, sizeof file, "/proc/self/fd/%d", guard.fd);
    expect_environment("LD_PRELOAD", file);
    expect_environment(GUARD_ADDRESS, "127.0.0.1");
    expect_environment(GUARD_PRELOAD_BEFORE, NULL);
    assert_true(stat(file, &st) == 0 && st.st_size > 1000);
    mpirun_guard_disarm(&guard);
    assert_int_equal(guard.fd, -1);
    expect_environment("LD_PRELOAD", NULL);
    expect_environment(GUARD_ADDRESS, NULL);

    setenv("LD_PRELOAD", "libtheirs.so", 1);
    guard = mpirun_guard_arm("10.0.0.1", "20000-20100");
    snprintf(both, sizeof both, "/proc/self/fd/%d:libtheirs.so", guard.fd);
    expect_environment("LD_PRELOAD", both);
    expect_environment(GUARD_PRELOAD_BEFORE, "libtheirs.so");
    expect_environment(GUARD_PORTS, "20000-20100");
    mpirun_guard_disarm(&guard);
    expect_environment("LD_PRELOAD", "libtheirs.so");
    expect_environment(GUARD_PRELOAD_BEFORE, NULL);
    unsetenv("LD_PRELOAD");

    setenv(GUARD_ADDRESS, "off", 1);
    guard = mpirun_guard_arm("127.0.0.1", "");
    assert_int_equal(guard.fd, -1);
    mpirun_guard_disarm(&guard);
    expect_environment("LD_PRELOAD", NULL);
    unsetenv(GUARD_ADDRESS);
}

/* mpirun_guard_settings where interfaces and ports are named so: the guard is told `listens`. */
static void settings(char *interface, char *ports, const char *listens)
{
    const struct config_cluster cluster = {.interface = interface, .ports = ports};
    char *listen = mpirun_guard_settings(&cluster);
    assert_string_equal(listen, listens);
    mem_free(listen);
}

static void test_several_hosts(void **state)
{
    (void)state;
    char none[] = "", lo[] = "lo", address[] = "127.0.0.1", several[] = "eth77, 127.0.0.0/8", ports[] = "20000-20100";
    unsetenv("OMPI_MCA_oob_tcp_if_include");
    unsetenv("OMPI_MCA_oob_tcp_if_exclude");
    unsetenv("OMPI_MCA_orte_launch_agent");
    settings(none, none, MPIRUN_GUARD_ALL);
    expect_environment("OMPI_MCA_oob_tcp_if_include", NULL);
    unsetenv("OMPI_MCA_oob_tcp_if_exclude"); /* bridges of this machine */
    settings(lo, ports, "127.0.0.1");
    expect_environment("OMPI_MCA_oob_tcp_if_include", "lo");
    assert_non_null(strstr(getenv("OMPI_MCA_orte_launch_agent"), "/test_mpirun_guard mpi-daemon lo@20000-20100 orted"));
    settings(address, none, "127.0.0.1"); /* what is there stays */
    expect_environment("OMPI_MCA_oob_tcp_if_include", "lo");
    unsetenv("OMPI_MCA_oob_tcp_if_include");
    settings(address, none, "127.0.0.1");
    expect_environment("OMPI_MCA_oob_tcp_if_include", "127.0.0.1/8");
    unsetenv("OMPI_MCA_oob_tcp_if_include");
    unsetenv("OMPI_MCA_orte_launch_agent");
    settings(several, none, "127.0.0.1");
    expect_environment("OMPI_MCA_oob_tcp_if_include", "eth77,127.0.0.0/8");
    assert_non_null(strstr(getenv("OMPI_MCA_orte_launch_agent"), " mpi-daemon eth77,127.0.0.0/8@ orted"));
    unsetenv("OMPI_MCA_oob_tcp_if_include");
    setenv("OMPI_MCA_oob_tcp_if_exclude", "docker0", 1);
    settings(lo, none, "127.0.0.1");
    expect_environment("OMPI_MCA_oob_tcp_if_include", NULL);
    unsetenv("OMPI_MCA_oob_tcp_if_exclude");
}

static void test_a_daemon_that_is_not_there(void **state)
{
    (void)state;
    char lo[] = "lo@", *words[] = {(char *)(uintptr_t) "mpi-daemon", lo, (char *)(uintptr_t) "no-such-daemon", NULL};
    catch_start();
    assert_int_equal(mpirun_guard_daemon(words), 127);
    catch_stop();
    assert_caught(
        "no-such-daemon cannot be executed: No such file or directory; is Open MPI installed on this host, and in PATH?");
    lo[2] = '@';
    words[2] = NULL;
    assert_int_equal(mpirun_guard_daemon(words), 2);
}

/* cluster.servers per_host: "on how many hosts it may start ranks, as the batch system or a file tells". */
static void test_how_many_hosts(void **state)
{
    (void)state;
    static const char hosts[] = "# mine\nnode1 slots=4\n\nnode2:2\nnode1\nnode10\n";
    char path[] = "/tmp/smelter-hosts.XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, hosts, sizeof hosts - 1) == sizeof hosts - 1);
    close(fd);
    setenv("OMPI_MCA_orte_default_hostfile", path, 1);
    assert_int_equal(mpirun_hosts(), 3);
    setenv("SLURM_JOB_ID", "1", 1);
    setenv("SLURM_JOB_NUM_NODES", "5", 1);
    assert_int_equal(mpirun_hosts(), 5);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_JOB_NUM_NODES");
    unsetenv("OMPI_MCA_orte_default_hostfile");
    setenv("FLUX_JOB_ID", "f", 1);
    assert_int_equal(mpirun_hosts(), 0);
    unsetenv("FLUX_JOB_ID");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_local),
        cmocka_unit_test(test_the_environment),
        cmocka_unit_test(test_how_many_hosts),
        cmocka_unit_test(test_several_hosts),
        cmocka_unit_test(test_a_daemon_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
