/* test_page_sums - common/files/page_sums.h: what was saved and committed is what is read, whatever the order of commits and
 * whenever all of it was saved anew; a file of sums grows to a multiple of its table, and no further; what is damaged is
 * named. */
#include "common/files/page_sums.h"

#include <sys/stat.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

#define PAGES 40000

static void assert_same(const char *path, const uint64_t *wanted, const page_sums_state_t *state)
{
    page_sums_t *sums = NULL;
    assert_int_equal(page_sums_open(disk_posix(), path, "advice", &sums), ST_OK);
    const page_sums_state_t *found_state = page_sums_state(sums);
    assert_true(found_state->txn == state->txn && found_state->pages == state->pages);
    assert_true(found_state->page_bytes == state->page_bytes && found_state->has_all == state->has_all);
    for (uint64_t p = state->pages; p-- > 0;) {
        uint64_t found = 0;
        assert_int_equal(page_sums_get(sums, p, &found), ST_OK);
        assert_true(found == wanted[p]);
    }
    page_sums_close(&sums);
    assert_null(sums);
}

static void test_saved(void **state)
{
    (void)state;
    const char *path = test_path("saved");
    static const uint64_t sizes[] = {0, 1, 511, 512, 513, PAGES};
    uint64_t *wanted = MEM_ARRAY(uint64_t, PAGES);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        page_sums_t *sums = page_sums_create(disk_posix(), path);
        const page_sums_state_t whole = {7 + s, sizes[s], 4096, true};
        for (uint64_t p = 0; p < sizes[s]; p++)
            page_sums_set(sums, p, wanted[p] = rng_u64(1, s, p));
        assert_int_equal(page_sums_save(sums, &whole), ST_OK);
        page_sums_close(&sums);
        assert_same(path, wanted, &whole);
    }
    mem_free(wanted);
}

/* Random pages, more of them from time to time, until the changes have been put into the table several times. */
static void test_committed(void **state)
{
    (void)state;
    const char *path = test_path("committed");
    page_sums_t *sums = page_sums_create(disk_posix(), path);
    uint64_t *wanted = MEM_ARRAY(uint64_t, PAGES), *changed = MEM_ARRAY(uint64_t, PAGES);
    page_sums_state_t now = {.page_bytes = 4096};
    int64_t largest = 0, last = 0;
    int saved = 0;
    for (uint64_t round = 0; round < 60; round++) {
        const uint64_t n = round % 7 == 0 ? 0 : 9000;
        now.txn += 1 + round % 2;
        now.pages = 1000 + round * (PAGES - 1000) / 60;
        for (uint64_t i = 0; i < n; i++) {
            changed[i] = rng_u64(2, round, i) % now.pages;
            page_sums_set(sums, changed[i], wanted[changed[i]] = rng_u64(3, round, i));
        }
        assert_int_equal(page_sums_commit(sums, &now, changed, (int64_t)n), ST_OK);
        if (round % 9 == 0)
            assert_same(path, wanted, &now);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        saved += st.st_size < last;
        last = st.st_size;
        largest = st.st_size > largest ? st.st_size : largest;
    }
    assert_same(path, wanted, &now);
    assert_true(saved > 2);
    assert_true(largest < 2 << 20);
    page_sums_close(&sums);
    mem_free(wanted);
    mem_free(changed);
}

static void assert_refused(const char *path, const char *text)
{
    page_sums_t *sums = NULL;
    catch_start();
    assert_int_equal(page_sums_open(disk_posix(), path, "copy it again", &sums), ST_CORRUPT);
    catch_stop();
    assert_caught(path);
    assert_caught(text);
}

static void test_damaged(void **state)
{
    (void)state;
    const char *path = test_path("damaged");
    page_sums_t *sums = page_sums_create(disk_posix(), path);
    const page_sums_state_t whole = {7, 3, 4096, true};
    char *good;
    size_t bytes;
    assert_int_equal(page_sums_save(sums, &whole), ST_OK);
    page_sums_close(&sums);
    assert_int_equal(file_read(path, &good, &bytes), ST_OK);
    assert_int_equal(file_write_atomic(path, good, 20), ST_OK);
    assert_refused(path, "it is shorter than its head; copy it again");
    assert_int_equal(file_write_atomic(path, good, bytes - 1), ST_OK);
    assert_refused(path, "its table is not what was written, or was cut short; copy it again");
    good[9] ^= 2;
    assert_int_equal(file_write_atomic(path, good, bytes), ST_OK);
    assert_refused(path, "its head is not what was written; copy it again");
    mem_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_committed),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
