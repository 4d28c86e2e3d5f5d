/* test_leftovers - "Session folders and shared-memory files of killed jobs of ours are removed by the next start": those of
 * dead processes of this host that ranks have marked, and no others. The folders are made by hand, as Open MPI 4.1 makes
 * them. */
#include "launcher/job/leftovers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

#define JOB 1615069185 /* 60440001 */

/* A session folder and two shared-memory files of a job, marked by a process that lives, or by one that does not any more. */
static void make_job(const char *name, unsigned job, bool marked, bool lives)
{
    char number[16];
    const char *folder = test_path("tmp/ompi.vm.%u/%s", (unsigned)geteuid(), name);
    snprintf(number, sizeof number, "%u", job);
    assert_int_equal(dir_create(folder), ST_OK);
    test_write("shm/other", "x");
    for (int r = 0; r < 2; r++) {
        char *file = mem_printf("shm/vader_segment.vm.%u.%08x.%d", (unsigned)geteuid(), job, r);
        test_write(file, "x");
        mem_free(file);
    }
    if (!marked)
        return;
    setenv("OMPI_MCA_orte_jobfam_session_dir", folder, 1);
    setenv("OMPI_MCA_ess_base_jobid", number, 1);
    if (lives) {
        leftovers_mark();
    } else {
        /* The parent of a rank is its mpirun: that has ended, too. */
        const pid_t mpirun = fork();
        if (mpirun == 0) {
            const pid_t rank = fork();
            if (rank == 0) {
                leftovers_mark();
                _exit(0);
            }
            waitpid(rank, NULL, 0);
            _exit(0);
        }
        assert_int_equal(waitpid(mpirun, NULL, 0), mpirun);
    }
    assert_true(file_exists(test_path("tmp/ompi.vm.%u/%s/smelter-job", (unsigned)geteuid(), name)));
}

static bool is_there(const char *name, unsigned job)
{
    const bool folder = file_exists(test_path("tmp/ompi.vm.%u/%s", (unsigned)geteuid(), name));
    const bool first = file_exists(test_path("shm/vader_segment.vm.%u.%08x.0", (unsigned)geteuid(), job));
    const bool second = file_exists(test_path("shm/vader_segment.vm.%u.%08x.1", (unsigned)geteuid(), job));
    assert_true(folder == first && first == second);
    return folder;
}

static void setup(void)
{
    test_dir();
    assert_int_equal(dir_create(test_path("shm")), ST_OK);
}

static void clean(void)
{
    char *base = mem_strdup(test_path("tmp")), *shared = mem_strdup(test_path("shm"));
    catch_start();
    leftovers_remove_below(base, shared);
    catch_stop();
    mem_free(base);
    mem_free(shared);
}

static void test_what_a_killed_job_left_is_removed(void **state)
{
    (void)state;
    setup();
    make_job("pid.11", JOB, true, false);
    make_job("pid.12", JOB + 65536, true, true);
    make_job("pid.13", JOB + 2 * 65536, false, false);
    clean();
    assert_false(is_there("pid.11", JOB));
    assert_caught("pid.11, and 2 files of it in ");
    assert_true(is_there("pid.12", JOB + 65536));     /* it runs */
    assert_true(is_there("pid.13", JOB + 2 * 65536)); /* no rank of ours has marked it */
    assert_true(file_exists(test_path("shm/other")));
}

/* One rank that is left uses all of it. */
static void test_one_living_process_keeps_it(void **state)
{
    (void)state;
    setup();
    make_job("pid.11", JOB, true, false);
    leftovers_mark();
    clean();
    assert_true(is_there("pid.11", JOB));
}

/* Process numbers of another host or namespace mean nothing here; those of another boot of this one are all dead. */
static void mark_by_hand(const char *host, const char *boot, const char *space)
{
    setup();
    make_job("pid.11", JOB, false, false);
    const char *path = test_path("tmp/ompi.vm.%u/pid.11/smelter-job", (unsigned)geteuid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s %s %s 999999999 5 999999998 4 %08x\n", host, boot, space, (unsigned)JOB);
    assert_int_equal(fclose(file), 0);
    clean();
}

static void test_what_is_not_known_is_left_alone(void **state)
{
    (void)state;
    struct utsname here;
    char boot[64] = "", space[64] = "";
    assert_int_equal(uname(&here), 0);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s", boot), 1);
    assert_int_equal(fclose(file), 0);
    assert_true(readlink("/proc/self/ns/pid", space, sizeof space - 1) > 0);
    mark_by_hand(here.nodename, boot, space);
    assert_false(is_there("pid.11", JOB));
    mark_by_hand(here.nodename, "another-boot", "pid:[1]");
    assert_false(is_there("pid.11", JOB));
    mark_by_hand("elsewhere", boot, space);
    assert_true(is_there("pid.11", JOB));
    mark_by_hand("elsewhere", "another-boot", space);
    assert_true(is_there("pid.11", JOB));
    mark_by_hand(here.nodename, boot, "pid:[1]");
    assert_true(is_there("pid.11", JOB));
    mark_by_hand("garbage", "", "");
    assert_true(is_there("pid.11", JOB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_killed_job_left_is_removed),
        cmocka_unit_test(test_one_living_process_keeps_it),
        cmocka_unit_test(test_what_is_not_known_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
