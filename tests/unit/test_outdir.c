/* test_outdir - an output folder belongs to one run or experiment and to one job at a time, and is never mixed with other
 * files. */
#include "launcher/run/outdir.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/files/file.h"
#include "tests/lib/testing.h"

/* Opening must fail with ST_INPUT and a line that has this text, and leave no folder locked. */
static void check_refused(const char *path, const char *kind, const char *name, const char *text)
{
    outdir_t *outdir = NULL;
    catch_start();
    const status_t status = outdir_open(path, kind, name, &outdir);
    catch_stop();
    assert_int_equal(status, ST_INPUT);
    assert_null(outdir);
    assert_caught(text);
    assert_caught(path);
}

static void test_a_folder_is_made_and_used_again(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("a/b/c");
    for (int i = 0; i < 3; i++) { /* an interrupted job comes back */
        outdir_t *outdir;
        assert_int_equal(outdir_open(path, "train", "one", &outdir), ST_OK);
        assert_true(file_exists(test_path("a/b/c/smelter.json")));
        outdir_close(&outdir);
        assert_null(outdir);
        outdir_close(&outdir);
    }
    check_refused(path, "train", "two", "holds another run (train \"one\", this is train \"two\"); choose another --out");
    check_refused(path, "compare", "one", "holds another run (train \"one\", this is compare \"one\")");
    outdir_t *outdir;
    assert_int_equal(outdir_open(path, "train", "one", &outdir), ST_OK); /* refusing did no harm */
    outdir_close(&outdir);
    assert_int_equal(outdir_open(test_path("x"), "compare", "one", &outdir), ST_OK);
    outdir_close(&outdir);
    check_refused(test_path("x"), "compare", "other", "holds another experiment (compare \"one\"");
}

static void test_one_job_at_a_time(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("busy");
    outdir_t *outdir, *again;
    assert_int_equal(outdir_open(path, "train", "one", &outdir), ST_OK);
    check_refused(path, "train", "one", "is in use by another smelter job; wait for it or choose another --out");
    outdir_close(&outdir);
    /* A job that is killed leaves no lock behind. */
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const bool good = outdir_open(path, "train", "one", &again) == ST_OK;
        const char mark = good ? 'y' : 'n';
        if (write(ready[1], &mark, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char mark = 0;
    assert_int_equal(read(ready[0], &mark, 1), 1);
    assert_int_equal(mark, 'y');
    check_refused(path, "train", "one", "is in use by another smelter job");
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(outdir_open(path, "train", "one", &again), ST_OK);
    outdir_close(&again);
    close(ready[0]);
    close(ready[1]);
}

static void test_other_files_are_left_alone(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("mine");
    assert_int_equal(mkdir(path, 0755), 0);
    test_write("mine/thesis.tex", "years of work");
    check_refused(path, "train", "one", "is not empty and was not made by smelter; choose another --out");
    assert_false(file_exists(test_path("mine/smelter.json")));
    assert_false(file_exists(test_path("mine/.lock")));
    check_refused(test_write("file", "x"), "train", "one", "file");
    /* A marker that is no marker. */
    assert_int_equal(mkdir(test_path("odd"), 0755), 0);
    test_write("odd/smelter.json", "[1, 2");
    outdir_t *outdir = NULL;
    catch_start();
    assert_int_not_equal(outdir_open(test_path("odd"), "train", "one", &outdir), ST_OK);
    catch_stop();
    assert_caught("smelter.json");
    assert_null(outdir);
    /* A job that died between lock and marker left a folder that is still ours. */
    assert_int_equal(mkdir(test_path("half"), 0755), 0);
    test_write("half/.lock", "");
    assert_int_equal(outdir_open(test_path("half"), "train", "one", &outdir), ST_OK);
    outdir_close(&outdir);
}

/* Before hours of other work: the same refusals, and nothing is made. */
static void test_a_look_ahead_makes_nothing(void **state)
{
    (void)state;
    test_dir();
    outdir_t *outdir = NULL;
    assert_int_equal(outdir_check(test_path("not/yet/there"), "train", "one"), ST_OK);
    assert_false(file_exists(test_path("not")));
    assert_int_equal(outdir_open(test_path("run"), "train", "one", &outdir), ST_OK);
    assert_int_equal(outdir_check(test_path("run"), "train", "one"), ST_OK); /* even while it is locked */
    outdir_close(&outdir);
    assert_int_equal(mkdir(test_path("mine"), 0755), 0);
    test_write("mine/thesis.tex", "years of work");
    test_write("file", "x");
    catch_start();
    assert_int_equal(outdir_check(test_path("run"), "compare", "one"), ST_INPUT);
    assert_caught("holds another run");
    assert_int_equal(outdir_check(test_path("mine"), "train", "one"), ST_INPUT);
    assert_caught("is not empty and was not made by smelter; choose another --out");
    assert_int_equal(outdir_check(test_path("file/run"), "train", "one"), ST_INPUT);
    assert_caught("file: not writable: Not a directory");
    catch_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folder_is_made_and_used_again),
        cmocka_unit_test(test_one_job_at_a_time),
        cmocka_unit_test(test_other_files_are_left_alone),
        cmocka_unit_test(test_a_look_ahead_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
