/* test_ipc_folder - SECURITY: the folder of a job's sockets is of mode 0700, in a place where nobody can put another; what a
 * job that was killed has left is removed by the next one. */
#include "common/net/ipc_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

#define NOBODY 65534

static char base[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/smelter-ipc-test-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    unsetenv("XDG_RUNTIME_DIR");
    return setenv("TMPDIR", base, 1);
}

static int tear_down(void **state)
{
    (void)state;
    return dir_remove_tree(base) == ST_OK ? 0 : -1;
}

static int entries(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 2;
}

static void make_socket(const char *folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = mem_printf("%s/%s", folder, name);
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    mem_free(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void test_made_and_removed(void **state)
{
    (void)state;
    ipc_folder_t one, two;
    struct stat facts;
    assert_int_equal(ipc_folder_create(&one), ST_OK);
    assert_int_equal(ipc_folder_create(&two), ST_OK);
    assert_string_not_equal(one.path, two.path);
    assert_memory_equal(one.path, base, strlen(base));
    assert_int_equal(stat(one.path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0700);
    assert_true(ipc_folder_is_own(one.path));
    assert_int_equal(chmod(one.path, 0750), 0);
    assert_false(ipc_folder_is_own(one.path));
    assert_int_equal(chmod(one.path, 0700), 0);
    make_socket(one.path, "1-0");
    make_socket(one.path, "2-0");
    ipc_folder_remove(&one);
    ipc_folder_remove(&two);
    ipc_folder_remove(&two);
    assert_int_equal(entries(base), 0);
}

/* The name of a link to a folder of one's own is not that folder. */
static void test_links(void **state)
{
    (void)state;
    ipc_folder_t folder;
    char link[128];
    assert_int_equal(ipc_folder_create(&folder), ST_OK);
    snprintf(link, sizeof link, "%s/link", base);
    assert_int_equal(symlink(folder.path, link), 0);
    assert_false(ipc_folder_is_own(link));
    unlink(link);
    ipc_folder_remove(&folder);
    assert_false(ipc_folder_is_own(folder.path));
}

/* Of a dead job: its sockets, and no more than those; a living one's is left alone. */
static void test_sweep(void **state)
{
    (void)state;
    char dead[96], full[96], file[128], link[96];
    ipc_folder_t living, mine;
    snprintf(dead, sizeof dead, "%s/smelter-ipc-0000000000000001", base);
    snprintf(full, sizeof full, "%s/smelter-ipc-0000000000000002", base);
    snprintf(link, sizeof link, "%s/smelter-ipc-0000000000000003", base);
    snprintf(file, sizeof file, "%s/letter", full);
    assert_int_equal(ipc_folder_create(&living), ST_OK);
    make_socket(living.path, "0-0");
    assert_int_equal(mkdir(dead, 0700), 0);
    assert_int_equal(mkdir(full, 0700), 0);
    assert_int_equal(symlink(living.path, link), 0);
    make_socket(dead, "0-0");
    make_socket(full, "0-0");
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(ipc_folder_create(&mine), ST_OK);
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(entries(living.path), 1);
    ipc_folder_remove(&mine);
    ipc_folder_remove(&living);
}

static void assert_refused(const char *line)
{
    ipc_folder_t folder;
    catch_start();
    assert_int_equal(ipc_folder_create(&folder), ST_INPUT);
    catch_stop();
    assert_caught(line);
}

static void test_places_that_are_refused(void **state)
{
    (void)state;
    char place[160], line[256];
    setenv("TMPDIR", "here", 1);
    assert_refused("here: no folder for the job's sockets; set TMPDIR to a folder of your own, by its whole path");
    setenv("TMPDIR", "/nonexistent/x", 1);
    assert_refused("/nonexistent/x: no folder for the job's sockets");
    snprintf(place, sizeof place, "%s/%s", base, "a-folder-whose-name-is-so-long-that-no-socket-in-it-can-be-named");
    assert_int_equal(mkdir(place, 0700), 0);
    setenv("TMPDIR", place, 1);
    snprintf(line, sizeof line,
             "%s: a socket of the job would have a path of %zu bytes there, and may have 107; set TMPDIR to a", place,
             strlen(place) + 45);
    assert_refused(line);
    snprintf(place, sizeof place, "%s/open", base);
    assert_int_equal(mkdir(place, 0700), 0);
    assert_int_equal(chmod(place, 0777), 0);
    setenv("TMPDIR", place, 1);
    assert_refused("others may put sockets of their own in place of the job's there (it belongs to user");
    assert_int_equal(chmod(place, 01777), 0);
    ipc_folder_t folder;
    assert_int_equal(ipc_folder_create(&folder), ST_OK);
    ipc_folder_remove(&folder);
    if (geteuid() == 0) {
        assert_int_equal(chmod(place, 0755), 0);
        assert_int_equal(chown(place, NOBODY, NOBODY), 0);
        assert_refused(
            "in place of the job's there (it belongs to user 65534 and has mode 0755); set TMPDIR to a folder of your");
    }
    setenv("TMPDIR", base, 1);
}

/* $XDG_RUNTIME_DIR comes first where it is one's own, and is passed over elsewhere. */
static void test_runtime_folder(void **state)
{
    (void)state;
    ipc_folder_t folder;
    char runtime[96];
    snprintf(runtime, sizeof runtime, "%s/run", base);
    assert_int_equal(mkdir(runtime, 0700), 0);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    assert_int_equal(ipc_folder_create(&folder), ST_OK);
    assert_memory_equal(folder.path, runtime, strlen(runtime));
    ipc_folder_remove(&folder);
    assert_int_equal(chmod(runtime, 0755), 0);
    assert_int_equal(ipc_folder_create(&folder), ST_OK);
    assert_int_equal(strncmp(folder.path, runtime, strlen(runtime)) == 0, 0);
    ipc_folder_remove(&folder);
    unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_and_removed),        cmocka_unit_test(test_links),          cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_places_that_are_refused), cmocka_unit_test(test_runtime_folder),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
