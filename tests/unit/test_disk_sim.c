/* test_disk_sim - the simulated disk keeps what POSIX promises, loses what it does not, and repeats itself for a seed.
 *
 * Proves that synced bytes under synced names survive every crash, that each unsynced one is lost in some crash and kept in
 * another, that a rename is whole, that tmp-sync-rename-sync_dir leaves the old or the new file in every crash at every call
 * and that this test sees both mistakes that the disk can make, that a full disk and a dead node end calls, that calls take
 * time, that the n-th call fails and no other, and that damage is where it is said to be, and can be mended. */
#include "tests/lib/disk_sim.h"

#include <string.h>

#include "common/base/memory.h"
#include "tests/lib/testing.h"

#define SEEDS 200

static void put(disk_t *node, const char *path, const char *text, bool synced)
{
    disk_file_t *file;
    assert_int_equal(disk_create(node, path, &file), ST_OK);
    assert_int_equal(disk_append(file, text, strlen(text)), ST_OK);
    if (synced)
        assert_int_equal(disk_sync(file), ST_OK);
    disk_close(&file);
    assert_null(file);
}

/* The file's text; NULL where it is not there. **owned**. */
static char *get(disk_t *node, const char *path)
{
    char *text = NULL;
    int64_t bytes;
    if (disk_exists(node, path))
        assert_int_equal(disk_read_whole(node, path, 1000, &text, &bytes), ST_OK);
    return text;
}

static disk_t *crash(disk_sim_t *disk, disk_t *node)
{
    disk_sim_detach(&node);
    disk_sim_crash(disk);
    return disk_sim_attach(disk, NULL, NULL);
}

static void test_what_survives(void **state)
{
    (void)state;
    int names = 0, whole = 0, torn = 0, holes = 0, removed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        disk_sim_t *disk = disk_sim_create(seed, 1 << 20);
        disk_t *node = disk_sim_attach(disk, NULL, NULL);
        assert_int_equal(disk_make_dir(node, "/run/a"), ST_OK);
        put(node, "/run/a/sure", "0123456789", true);
        put(node, "/run/a/named", "0123456789", false);
        put(node, "/run/a/gone", "x", true);
        assert_int_equal(disk_sync_dir(node, "/run/a"), ST_OK);
        put(node, "/run/a/unnamed", "0123456789", true);
        assert_int_equal(disk_remove(node, "/run/a/gone"), ST_OK);
        assert_false(disk_exists(node, "/run/a/gone"));
        node = crash(disk, node);
        char *sure = get(node, "/run/a/sure"), *named = get(node, "/run/a/named"), *unnamed = get(node, "/run/a/unnamed");
        assert_string_equal(sure, "0123456789");
        assert_non_null(named);
        names += unnamed != NULL;
        if (unnamed)
            assert_string_equal(unnamed, "0123456789");
        int64_t bytes;
        disk_file_t *file;
        assert_int_equal(disk_open(node, "/run/a/named", &file, &bytes), ST_OK);
        disk_close(&file);
        whole += bytes == 10;
        torn += bytes < 10;
        holes += strlen(named) < (size_t)bytes; /* zeros */
        assert_memory_equal(named, "0123456789", strlen(named));
        removed += !disk_exists(node, "/run/a/gone");
        mem_free(sure);
        mem_free(named);
        mem_free(unnamed);
        disk_sim_detach(&node);
        disk_sim_destroy(&disk);
        assert_null(disk);
    }
    const int counts[] = {names, whole, torn, removed};
    for (size_t i = 0; i < 4; i++)
        assert_in_range(counts[i], SEEDS / 20, SEEDS - SEEDS / 20);
    assert_true(holes > 5);
}

static void visit(void *context, const char *name)
{
    strcat(context, name);
    strcat(context, " ");
}

static void test_names(void **state)
{
    (void)state;
    disk_sim_t *disk = disk_sim_create(1, 100);
    disk_t *node = disk_sim_attach(disk, NULL, NULL);
    assert_int_equal(disk_make_dir(node, "/r/b/c"), ST_OK);
    assert_int_equal(disk_make_dir(node, "/r/b/c"), ST_OK);
    put(node, "/r/b/two", "2", true);
    put(node, "/r/b/one", "11", true);
    char text[64] = "";
    assert_int_equal(disk_list(node, "/r/b", visit, text), ST_OK);
    assert_string_equal(text, "c one two ");
    assert_int_equal(disk_list(node, "/none", visit, text), ST_OK);
    assert_int_equal(disk_rename(node, "/r/b/one", "/r/b/two"), ST_OK);
    char *two = get(node, "/r/b/two");
    assert_string_equal(two, "11");
    mem_free(two);
    assert_false(disk_exists(node, "/r/b/one"));
    assert_int_equal(disk_remove(node, "/r/b/c"), ST_OK);
    assert_int_equal(disk_remove(node, "/r/b/c"), ST_OK);
    assert_int_equal(disk_free_bytes(node, "/r"), 97); /* a crash could bring the other one back */
    assert_int_equal(disk_sync_dir(node, "/r/b"), ST_OK);
    assert_int_equal(disk_free_bytes(node, "/r"), 98);
    catch_start();
    disk_file_t *file;
    int64_t bytes;
    assert_int_equal(disk_remove(node, "/r/b"), ST_SYSTEM);
    assert_caught("/r/b: cannot remove: Directory not empty");
    assert_int_equal(disk_open(node, "/r/none", &file, &bytes), ST_INPUT);
    assert_caught("/r/none: cannot open: No such file or directory");
    assert_int_equal(disk_create(node, "/q/none", &file), ST_INPUT);
    assert_caught("/q/none: cannot create: No such file or directory");
    assert_int_equal(disk_open(node, "/r/b/two", &file, &bytes), ST_OK);
    assert_int_equal(bytes, 2);
    assert_int_equal(disk_read(file, 1, text, 2), ST_CORRUPT);
    assert_caught("/r/b/two: ends at byte 2, before byte 3; it was cut short");
    disk_close(&file);
    catch_stop();
    assert_true(disk_sim_damage(disk, "/r/b/two"));
    assert_false(disk_sim_damage(disk, "/r/b/none"));
    two = get(node, "/r/b/two");
    assert_string_not_equal(two, "11");
    mem_free(two);
    disk_sim_detach(&node);
    disk_sim_destroy(&disk);
}

/* Replace a file the careful way, until the node dies at its n-th call; false once it lives to the end. */
typedef struct bomb {
    disk_t *node;
    int left;
} bomb_t;

static void tick(void *context, const char *call, int64_t ns)
{
    (void)call, (void)ns;
    bomb_t *bomb = context;
    if (bomb->left-- == 0)
        disk_sim_kill(bomb->node);
}

static status_t replace(disk_t *node)
{
    disk_file_t *file;
    TRY(disk_create(node, "/run/m.tmp", &file));
    status_t status = disk_append(file, "new", 3);
    if (status == ST_OK)
        status = disk_sync(file);
    disk_close(&file);
    TRY(status);
    TRY(disk_rename(node, "/run/m.tmp", "/run/m"));
    return disk_sync_dir(node, "/run");
}

/* How often a crash during or after the replacement leaves neither the old nor the new, or not the new after its end. */
static int violations(disk_sim_mistake_t mistake, int *old, int *new)
{
    int bad = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int call = 0; call < 7; call++) {
            disk_sim_t *disk = disk_sim_create(seed, 1 << 20);
            bomb_t bomb = {.left = call};
            disk_t *first = disk_sim_attach(disk, NULL, NULL);
            assert_int_equal(disk_make_dir(first, "/run"), ST_OK);
            put(first, "/run/m", "old", true);
            assert_int_equal(disk_sync_dir(first, "/run"), ST_OK);
            disk_sim_detach(&first);
            disk_sim_set_mistake(disk, mistake);
            disk_sim_set_speed(disk, 1, 1);
            disk_t *node = bomb.node = disk_sim_attach(disk, tick, &bomb);
            const status_t status = replace(node);
            assert_int_equal(status, call < 5 ? ST_PEER : ST_OK);
            node = crash(disk, node);
            char *text = get(node, "/run/m");
            const bool is_old = text && strcmp(text, "old") == 0, is_new = text && strcmp(text, "new") == 0;
            *old += is_old;
            *new += is_new;
            bad += status == ST_OK ? !is_new : !is_old && !is_new;
            mem_free(text);
            disk_sim_detach(&node);
            disk_sim_destroy(&disk);
        }
    return bad;
}

static void test_careful_replacement(void **state)
{
    (void)state;
    int old = 0, new = 0;
    assert_int_equal(violations(DISK_SIM_CORRECT, &old, &new), 0);
    assert_true(old > 3 * SEEDS && new > 2 * SEEDS);
    assert_true(violations(DISK_SIM_SYNCS_AFTER_RENAME, &old, &new) > 5);
    assert_true(violations(DISK_SIM_SAYS_DONE_BEFORE, &old, &new) > 5);
}

static void test_full_and_dead(void **state)
{
    (void)state;
    disk_sim_t *disk = disk_sim_create(1, 5);
    disk_t *a = disk_sim_attach(disk, NULL, NULL), *b = disk_sim_attach(disk, NULL, NULL);
    disk_file_t *file;
    assert_int_equal(disk_make_dir(a, "/r"), ST_OK);
    assert_int_equal(disk_create(a, "/r/f", &file), ST_OK);
    catch_start();
    assert_int_equal(disk_append(file, "1234567", 7), ST_SYSTEM);
    catch_stop();
    assert_caught("/r/f: cannot write: No space left on device");
    assert_int_equal(disk_free_bytes(a, "/r"), 0);
    disk_sim_set_room(disk, 20);
    assert_int_equal(disk_append(file, "89", 2), ST_OK);
    catch_start();
    disk_sim_kill(a);
    assert_int_equal(disk_append(file, "z", 1), ST_PEER);
    assert_int_equal(disk_sync(file), ST_PEER);
    assert_int_equal(disk_remove(a, "/r/f"), ST_PEER);
    catch_stop();
    assert_string_equal(catch_text(), "");
    disk_close(&file);
    char *text = get(b, "/r/f");
    assert_string_equal(text, "1234589");
    mem_free(text);
    disk_sim_detach(&a);
    disk_sim_detach(&b);
    disk_sim_destroy(&disk);
}

/* The n-th call of the careful replacement fails, for every n, and then it is done again. */
static void test_nth_call_fails(void **state)
{
    (void)state;
    for (int hides = 0; hides < 2; hides++)
        for (int64_t n = 1; n <= 6; n++) {
            disk_sim_t *disk = disk_sim_create((uint64_t)n, 1 << 20);
            disk_t *node = disk_sim_attach(disk, NULL, NULL);
            assert_int_equal(disk_make_dir(node, "/run"), ST_OK);
            put(node, "/run/m", "old", true);
            assert_int_equal(disk_sync_dir(node, "/run"), ST_OK);
            disk_sim_set_mistake(disk, hides ? DISK_SIM_HIDES_ERRORS : DISK_SIM_CORRECT);
            disk_sim_fail(node, n, 1);
            catch_start();
            const status_t status = replace(node);
            disk_sim_fail(node, 0, 0); /* the sixth call does not come */
            catch_stop();
            assert_int_equal(status, n == 6 || (hides && n > 1) ? ST_OK : ST_SYSTEM);
            if (status != ST_OK)
                assert_caught("Input/output error");
            char *text = get(node, "/run/m");
            assert_string_equal(text, n > 4 || (hides && n > 4) ? "new"
                                      : hides && n == 2         ? ""
                                      : hides && n == 3         ? "new"
                                                                : "old");
            mem_free(text);
            disk_sim_fail(node, 2, 2);
            disk_sim_set_mistake(disk, DISK_SIM_CORRECT);
            catch_start();
            assert_int_equal(replace(node), ST_SYSTEM);
            assert_int_equal(disk_remove(node, "/run/m"), ST_SYSTEM);
            catch_stop();
            assert_int_equal(replace(node), ST_OK);
            disk_sim_lose(node);
            put(node, "/run/lost", "0", true);
            text = get(node, "/run/lost");
            assert_string_equal(text, "");
            mem_free(text);
            disk_sim_detach(&node);
            disk_sim_destroy(&disk);
        }
}

/* The calls of others on the node's disk are its calls. */
static void test_calls_of_others(void **state)
{
    (void)state;
    disk_sim_t *disk = disk_sim_create(1, 100);
    bomb_t bomb = {.left = 3};
    disk_t *node = bomb.node = disk_sim_attach(disk, tick, &bomb);
    disk_sim_fail(node, 2, 1);
    assert_int_equal(disk_sim_call(node, "commit", "/lmdb", true), ST_OK);
    catch_start();
    assert_int_equal(disk_sim_call(node, "commit", "/lmdb", true), ST_SYSTEM);
    catch_stop();
    assert_caught("/lmdb: cannot commit: Input/output error");
    assert_int_equal(disk_sim_call(node, "begin", "/lmdb", false), ST_OK);
    assert_int_equal(disk_sim_call(node, "begin", "/lmdb", false), ST_PEER);
    disk_sim_detach(&node);
    disk_sim_destroy(&disk);
}

static void test_damage_and_healing(void **state)
{
    (void)state;
    int rotten = 0, elsewhere = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        disk_sim_t *disk = disk_sim_create(seed, 1 << 20);
        disk_t *node = disk_sim_attach(disk, NULL, NULL);
        disk_sim_rot(disk);
        assert_false(disk_sim_is_damaged(disk)); /* there is nothing */
        assert_int_equal(disk_make_dir(node, "/run"), ST_OK);
        put(node, "/run/a.tmp", "0123456789", true);
        put(node, "/run/b", "0123456789", true);
        assert_int_equal(disk_rename(node, "/run/a.tmp", "/run/a"), ST_OK);
        if (seed % 2)
            disk_sim_rot(disk);
        else
            disk_sim_misdirect(node, 2);
        put(node, "/run/c.tmp", "abc", true);
        put(node, "/run/d.tmp", "xyz", true);
        assert_true(disk_sim_is_damaged(disk));
        assert_int_equal(disk_rename(node, "/run/d.tmp", "/run/d"), ST_OK);
        const char *const names[] = {"/run/a", "/run/b", "/run/d"}, *const good[] = {"0123456789", "0123456789", "xyz"};
        for (int i = 0; i < 3; i++) {
            char *text = MEM_ARRAY(char, 20), *line = mem_printf("so %s: is damaged", names[i]);
            int64_t bytes;
            disk_file_t *file;
            assert_int_equal(disk_open(node, names[i], &file, &bytes), ST_OK);
            assert_int_equal(bytes, strlen(good[i]));
            assert_int_equal(disk_read(file, 0, text, (size_t)bytes), ST_OK);
            disk_close(&file);
            const bool differs = memcmp(text, good[i], (size_t)bytes) != 0;
            if (differs)
                assert_true(disk_sim_is_named(disk, line));
            rotten += differs && seed % 2;
            elsewhere += differs && seed % 2 == 0;
            mem_free(text);
            mem_free(line);
        }
        assert_false(disk_sim_is_named(disk, "so /run/none: is damaged"));
        disk_sim_heal(disk);
        assert_false(disk_sim_is_damaged(disk));
        for (int i = 0; i < 3; i++) {
            char *text = get(node, names[i]);
            assert_string_equal(text, good[i]);
            mem_free(text);
        }
        disk_sim_detach(&node);
        disk_sim_destroy(&disk);
    }
    assert_int_equal(rotten, 25);
    assert_in_range(elsewhere, 26, 50); /* where it should be, and mostly where it went */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_survives),       cmocka_unit_test(test_names),
        cmocka_unit_test(test_careful_replacement), cmocka_unit_test(test_full_and_dead),
        cmocka_unit_test(test_nth_call_fails),      cmocka_unit_test(test_calls_of_others),
        cmocka_unit_test(test_damage_and_healing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
