/* test_scratch_folder - folders on a disk of the host, and what is copied from them: "any number of jobs may share the place";
 * "what a process that was killed has left behind is removed by the next one"; "the place has all of them or nothing". */
#include "common/files/scratch_folder.h"

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/file_system.h"
#include "common/files/folder_copy.h"
#include "tests/lib/testing.h"

static void test_a_folder_of_one_owner(void **state)
{
    (void)state;
    test_dir();
    const char *place = test_path("scratch/deep");
    scratch_folder_t *one = NULL, *two = NULL, *three = NULL;
    assert_int_equal(scratch_folder_create(place, "KEY", &one), ST_OK);
    assert_int_equal(scratch_folder_create(place, "KEY", &two), ST_OK);
    assert_string_not_equal(scratch_folder_path(one), scratch_folder_path(two));
    assert_true(file_exists(scratch_folder_path(one))); /* it has an owner, so the second has left it alone */

    char *left = mem_strdup(test_path("scratch/deep/smelter-abcdef")), *inner = mem_printf("%s/store", left),
         *other = mem_strdup(test_path("scratch/deep/smelter-of-somebody"));
    assert_int_equal(dir_create(inner), ST_OK);
    assert_int_equal(dir_create(other), ST_OK);
    assert_int_equal(scratch_folder_create(place, "KEY", &three), ST_OK);
    assert_false(file_exists(left));
    assert_true(file_exists(other)); /* no name that we give */

    char *path = mem_strdup(scratch_folder_path(one));
    scratch_folder_destroy(&one);
    assert_null(one);
    assert_false(file_exists(path));
    scratch_folder_destroy(&two);
    scratch_folder_destroy(&three);
    mem_free(path);
    mem_free(left);
    mem_free(inner);
    mem_free(other);
}

static void test_a_place_that_cannot_be(void **state)
{
    (void)state;
    test_dir();
    test_write("file", "");
    scratch_folder_t *folder = NULL;
    catch_start();
    assert_int_equal(scratch_folder_create(test_path("file/x"), "KEY", &folder), ST_INPUT);
    catch_stop();
    assert_caught("a file is in the way");
}

static void test_a_copy_is_whole_or_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b"};
    char *text, *from, *to;
    test_dir();
    from = mem_strdup(test_path("from"));
    to = mem_strdup(test_path("to"));
    assert_int_equal(dir_create(from), ST_OK);
    assert_int_equal(dir_create(to), ST_OK);
    test_write("from/a", "new a");
    test_write("to/a", "old a");
    test_write("to/c", "old c");
    catch_start();
    assert_int_equal(folder_copy(from, to, names, 2), ST_INPUT);
    catch_stop();
    assert_caught("/from/b: cannot open");
    assert_true(file_exists(test_path("to/c")));
    assert_false(file_exists(test_path("to.part")));

    test_write("from/b", "");
    assert_int_equal(folder_copy(from, to, names, 2), ST_OK);
    assert_false(file_exists(test_path("to/c")));
    assert_true(file_exists(test_path("to/b")));
    assert_int_equal(file_read(test_path("to/a"), &text, NULL), ST_OK);
    assert_string_equal(text, "new a");
    mem_free(text);
    mem_free(from);
    mem_free(to);
}

static void test_a_disk_of_this_host(void **state)
{
    (void)state;
    test_dir();
    assert_null(file_system_network(test_path("not/there/yet")));
    assert_null(file_system_network(""));
    assert_null(file_system_network("x"));
    assert_int_equal(file_system_check(test_path("out"), ""), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folder_of_one_owner),
        cmocka_unit_test(test_a_place_that_cannot_be),
        cmocka_unit_test(test_a_copy_is_whole_or_nothing),
        cmocka_unit_test(test_a_disk_of_this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
