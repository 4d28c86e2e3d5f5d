/* Proves of disk.h with the system's own disk: what is appended reads back, a rename replaces, names are listed in order, and
 * every refusal names the path and the reason; of checkpoint_paths.h: names and numbers are each other's inverse. */
#include "tests/lib/testing.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/disk.h"
#include "common/files/file.h"

static void write_file(const char *path, const char *text)
{
    disk_file_t *file = NULL;
    assert_int_equal(disk_create(disk_posix(), path, &file), ST_OK);
    assert_int_equal(disk_append(file, text, strlen(text)), ST_OK);
    assert_int_equal(disk_sync(file), ST_OK);
    disk_close(&file);
    assert_null(file);
}

static void assert_content(const char *path, const char *text)
{
    char *data;
    int64_t bytes;
    assert_int_equal(disk_read_whole(disk_posix(), path, 100, &data, &bytes), ST_OK);
    assert_int_equal(bytes, strlen(text));
    assert_string_equal(data, text);
    mem_free(data);
}

static void test_write_rename_read(void **state)
{
    (void)state;
    disk_t *disk = disk_posix();
    char *folder = mem_printf("%s/a/b/c", test_dir());
    assert_int_equal(disk_make_dir(disk, folder), ST_OK);
    assert_int_equal(disk_make_dir(disk, folder), ST_OK);
    write_file(test_path("a/b/c/x.tmp"), "first");
    assert_int_equal(disk_rename(disk, test_path("a/b/c/x.tmp"), test_path("a/b/c/x")), ST_OK);
    write_file(test_path("a/b/c/x.tmp"), "");
    write_file(test_path("a/b/c/x.tmp"), "second");
    assert_content(test_path("a/b/c/x"), "first");
    assert_int_equal(disk_rename(disk, test_path("a/b/c/x.tmp"), test_path("a/b/c/x")), ST_OK);
    assert_int_equal(disk_sync_dir(disk, folder), ST_OK);
    assert_content(test_path("a/b/c/x"), "second");
    assert_false(disk_exists(disk, test_path("a/b/c/x.tmp")));

    disk_file_t *file = NULL;
    int64_t bytes;
    char part[4] = "";
    assert_int_equal(disk_open(disk, test_path("a/b/c/x"), &file, &bytes), ST_OK);
    assert_int_equal(bytes, 6);
    assert_int_equal(disk_read(file, 2, part, 3), ST_OK);
    assert_string_equal(part, "con");
    catch_start();
    assert_int_equal(disk_read(file, 4, part, 3), ST_CORRUPT);
    catch_stop();
    assert_caught("a/b/c/x: ends at byte 6, 1 bytes before it should; it was cut short");
    disk_close(&file);
    assert_true(disk_free_bytes(disk, folder) > 0);
    mem_free(folder);
}

static void join(void *context, const char *name)
{
    strcat(strcat(context, name), " ");
    unlink(test_path("%s", name)); /* the folder may change meanwhile */
}

static void test_list_and_remove(void **state)
{
    (void)state;
    disk_t *disk = disk_posix();
    char names[100] = "";
    const char *folder = test_dir();
    write_file(test_path("b"), "");
    write_file(test_path("a"), "");
    write_file(test_path("c"), "");
    assert_int_equal(disk_list(disk, folder, join, names), ST_OK);
    assert_string_equal(names, "a b c ");
    assert_int_equal(disk_list(disk, folder, join, names), ST_OK);
    assert_int_equal(disk_list(disk, test_path("none"), join, names), ST_OK);
    assert_string_equal(names, "a b c ");

    assert_int_equal(disk_make_dir(disk, test_path("full")), ST_OK);
    write_file(test_path("full/x"), "");
    catch_start();
    assert_int_equal(disk_remove(disk, test_path("full")), ST_SYSTEM);
    catch_stop();
    assert_caught("full: cannot remove: Directory not empty");
    assert_int_equal(disk_remove(disk, test_path("full/x")), ST_OK);
    assert_int_equal(disk_remove(disk, test_path("full")), ST_OK);
    assert_int_equal(disk_remove(disk, test_path("full")), ST_OK);
}

static void test_refusals(void **state)
{
    (void)state;
    disk_t *disk = disk_posix();
    disk_file_t *file = NULL;
    int64_t bytes;
    char *data = NULL;
    test_dir();
    write_file(test_path("file"), "x");
    catch_start();
    assert_int_equal(disk_create(disk, test_path("none/x"), &file), ST_INPUT);
    assert_int_equal(disk_open(disk, test_path("none"), &file, &bytes), ST_INPUT);
    assert_int_equal(disk_make_dir(disk, test_path("file/x")), ST_INPUT);
    assert_int_equal(disk_make_dir(disk, test_path("file")), ST_INPUT);
    assert_int_equal(disk_rename(disk, test_path("none"), test_path("x")), ST_INPUT);
    assert_int_equal(disk_sync_dir(disk, test_path("none")), ST_INPUT);
    assert_int_equal(disk_list(disk, test_path("file"), NULL, NULL), ST_INPUT);
    assert_int_equal(disk_read_whole(disk, test_path("file"), 0, &data, &bytes), ST_CORRUPT);
    catch_stop();
    assert_caught("none/x: cannot create: No such file or directory");
    assert_caught("none: cannot open: No such file or directory");
    assert_caught("a file is in the way");
    assert_caught("none: cannot rename to ");
    assert_caught("none: cannot sync the folder: No such file or directory");
    assert_caught("file: cannot list the folder: Not a directory");
    assert_caught("file: 1 bytes, at most 0 were expected");
    assert_null(file);
    assert_null(data);
    assert_int_equal(disk_free_bytes(disk, test_path("none")), -1);
    assert_int_equal(disk_create(disk, "/dev/full", &file), ST_OK);
    catch_start();
    assert_int_equal(disk_append(file, "x", 1), ST_SYSTEM);
    catch_stop();
    assert_caught("/dev/full: cannot write: No space left on device");
    disk_close(&file);
}

static void test_names(void **state)
{
    (void)state;
    char *path = checkpoint_step_path("run", 7, 120), *delta = checkpoint_delta_path("run", 7, 3, 120);
    assert_string_equal(path, "run/checkpoint/epoch-0007/step-000000000120");
    assert_string_equal(delta, "run/checkpoint/epoch-0007/shard-3/step-000000000120.delta");
    uint32_t incarnation = 0;
    int64_t step = 0;
    assert_true(checkpoint_incarnation_of("epoch-0007", &incarnation));
    assert_int_equal(incarnation, 7);
    assert_true(checkpoint_step_of("step-000000000120", &step));
    assert_int_equal(step, 120);
    assert_false(checkpoint_step_of("step-000000000120.delta", &step));
    assert_false(checkpoint_step_of("step--12", &step));
    assert_false(checkpoint_incarnation_of("epoch-7x", &incarnation));
    assert_false(checkpoint_incarnation_of("shard-1", &incarnation));
    mem_free(path);
    mem_free(delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_rename_read),
        cmocka_unit_test(test_list_and_remove),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
