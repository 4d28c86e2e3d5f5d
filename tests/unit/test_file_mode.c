/* test_file_mode - folders 0700 and files 0600 unless the command line says otherwise; one line for what is no mode. */
#include "common/files/file_mode.h"

#include <stdio.h>
#include <sys/stat.h>

#include "common/files/file.h"
#include "tests/lib/testing.h"

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* What is made now has these modes. */
static void check(const char *name, unsigned folder, unsigned file)
{
    char dir[256], path[512];
    snprintf(dir, sizeof dir, "%s", test_path("%s", name));
    assert_int_equal(dir_create(dir), ST_OK);
    snprintf(path, sizeof path, "%s/file", dir);
    assert_int_equal(file_write_atomic(path, "x", 1), ST_OK);
    assert_int_equal(mode_of(dir), folder);
    assert_int_equal(mode_of(path), file);
    snprintf(path, sizeof path, "%s/reserved", dir);
    assert_int_equal(file_reserve(path, 10), 0);
    assert_int_equal(mode_of(path), file);
}

static void test_modes(void **state)
{
    (void)state;
    test_dir();
    umask(0);
    file_mode_restrict();
    check("own", 0700, 0600);
    assert_int_equal(file_mode_apply(NULL), ST_OK);
    check("own-still", 0700, 0600);
    assert_int_equal(file_mode_apply("0750"), ST_OK);
    check("group", 0750, 0640);
    assert_int_equal(file_mode_apply("775"), ST_OK);
    check("all", 0775, 0664);
}

static void check_error(const char *mode, const char *text)
{
    const mode_t before = umask(0123);
    umask(before);
    catch_start();
    assert_int_equal(file_mode_apply(mode), ST_INPUT);
    catch_stop();
    assert_caught(text);
    assert_int_equal(umask(before), before);
}

static void test_what_is_no_mode(void **state)
{
    (void)state;
    check_error("0999", "--mode 0999: must be the mode of folders in octal digits, such as 0750");
    check_error("", "--mode : must be");
    check_error("75", "--mode 75: must be");
    check_error("00750", "--mode 00750: must be");
    check_error("1750", "--mode 1750: must be");
    check_error("u=rwx", "--mode u=rwx: must be");
    check_error("0750 ", "--mode 0750 : must be");
    check_error("0640", "--mode 0640: the job itself must read and write what it makes; begin with 07");
    check_error("0777", "--mode 0777: everybody on this machine could change the results; end with 5, 4, 1 or 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_what_is_no_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
