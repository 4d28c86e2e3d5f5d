/* test_page_pool - runs of pages are nobody else's while they are out, and used again when they are back; and "a full disk is
 * an error here and not a SIGBUS" (ps/table/page_pool.h). */
#include "ps/table/page_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

enum { RUNS = 600, RUN_MOST = 3 };

static void fill(page_pool_t *pool, uint32_t page, uint32_t run)
{
    memset(page_pool_at(pool, page), (int)(page % 251), (size_t)run * PAGE_POOL_PAGE);
}

static void check(const page_pool_t *pool, uint32_t page, uint32_t run)
{
    const char *bytes = page_pool_at(pool, page);
    for (size_t i = 0; i < (size_t)run * PAGE_POOL_PAGE; i += 511)
        assert_int_equal((unsigned char)bytes[i], page % 251);
}

static void test_runs_are_apart_and_used_again(void **state)
{
    (void)state;
    page_pool_t *pool = NULL;
    uint32_t page[RUNS] = {0}, run[RUNS] = {0};
    int64_t bytes = 0;
    assert_int_equal(page_pool_open(test_path("pool"), &pool), ST_OK);
    for (uint64_t o = 0; o < 6 * RUNS; o++) {
        const uint64_t at = o < RUNS ? o : rng_u64(1, 0, o) % RUNS;
        if (run[at]) {
            check(pool, page[at], run[at]);
            page_pool_put(pool, run[at], page[at]);
        } else {
            run[at] = 1 + (uint32_t)(rng_u64(1, 1, o) % RUN_MOST);
        }
        assert_int_equal(page_pool_get(pool, run[at], &page[at]), ST_OK);
        fill(pool, page[at], run[at]);
        if (o == RUNS)
            bytes = page_pool_bytes(pool);
    }
    for (int at = 0; at < RUNS; at++)
        check(pool, page[at], run[at]);
    assert_int_equal(page_pool_bytes(pool), bytes);
    assert_in_range(bytes, RUNS * PAGE_POOL_PAGE, RUNS * RUN_MOST * PAGE_POOL_PAGE);
    page_pool_close(&pool);
    assert_false(file_exists(test_path("pool")));
}

/* Touch pages that are on the disk alone. Returns the number of those that this thread waited for. */
static long touch_cold(page_pool_t *pool, const uint32_t *pages, int n)
{
    struct rusage before, after;
    madvise(pool->map, pool->bytes, MADV_DONTNEED);
    assert_int_equal(posix_fadvise(pool->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    if (page_pool_begin(pool))
        page_pool_want(pool, 1, pages, n);
    for (int i = 0; i < n; i++)
        check(pool, pages[i], 1);
    page_pool_end(pool, n);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    return after.ru_majflt - before.ru_majflt;
}

/* "Once some were missing he is asked to name them first." */
static void test_pages_that_are_missing_are_read_together(void **state)
{
    (void)state;
    enum { PAGES = 300 };
    page_pool_t *pool = NULL;
    uint32_t pages[PAGES];
    assert_int_equal(page_pool_open(test_path("cold"), &pool), ST_OK);
    assert_false(page_pool_begin(pool));
    for (int i = 0; i < PAGES; i++) {
        assert_int_equal(page_pool_get(pool, 1, &pages[i]), ST_OK);
        fill(pool, pages[i], 1);
    }
    page_pool_end(pool, PAGES);
    assert_false(page_pool_begin(pool)); /* new pages are not missing ones */
    page_pool_end(pool, PAGES);
    assert_int_equal(fdatasync(pool->fd), 0);
    const long waits = touch_cold(pool, pages, PAGES);
    if (waits < PAGES / 2)
        print_message("skipped: this file system keeps files in memory\n");
    else
        assert_in_range(touch_cold(pool, pages, PAGES), 0, waits / 2);
    int times = 0;
    for (; page_pool_begin(pool); times++)
        page_pool_end(pool, PAGES);
    assert_in_range(times, 0, 100); /* not for ever */
    page_pool_close(&pool);
}

static void test_what_another_run_left_is_gone(void **state)
{
    (void)state;
    page_pool_t *pool = NULL;
    assert_int_equal(dir_create(test_path("left")), ST_OK);
    test_write("left/data.mdb", "of an earlier version");
    test_write("left/rows", "of an earlier start");
    assert_int_equal(page_pool_open(test_path("left"), &pool), ST_OK);
    assert_false(file_exists(test_path("left/data.mdb")));
    page_pool_close(&pool);

    test_write("file", "");
    catch_start();
    assert_int_equal(page_pool_open(test_path("file/pool"), &pool), ST_INPUT);
    catch_stop();
    assert_null(pool);
}

/* Take pages until the disk refuses. Returns the number of those that could be had. */
static int take_too_many(const char *path)
{
    page_pool_t *pool = NULL;
    status_t status = ST_OK;
    int pages = 0;
    assert_int_equal(page_pool_open(path, &pool), ST_OK);
    catch_start();
    for (; pages < 100000 && status == ST_OK; pages++) {
        uint32_t page;
        status = page_pool_get(pool, 1, &page);
        if (status == ST_OK)
            fill(pool, page, 1);
    }
    assert_int_equal(status, ST_SYSTEM);
    assert_caught("of rows that do not fit into cluster.memory_mb");
    page_pool_close(&pool);
    return pages;
}

static void test_limit_of_file_size(void **state)
{
    (void)state;
    struct rlimit old, low = {8 << 20, 0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_in_range(take_too_many(test_path("limited")), 1800, (8 << 20) / PAGE_POOL_PAGE + 1); /* less a step of growth */
    catch_stop();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void test_limit_of_address_space(void **state)
{
    (void)state;
    struct rlimit old, low;
    page_pool_t *pool = NULL;
    uint32_t page;
    assert_int_equal(page_pool_open(test_path("mapped"), &pool), ST_OK);
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    low = (struct rlimit){1 << 20, old.rlim_max};
    catch_start();
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    const status_t status = page_pool_get(pool, 1000, &page);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_int_equal(status, ST_SYSTEM);
    assert_caught("cannot map 4096 KB of rows that do not fit into cluster.memory_mb: Cannot allocate memory");
    catch_stop();
    page_pool_close(&pool);
}

static void test_full_disk(void **state)
{
    (void)state;
    const char *disk = test_path("disk");
    assert_int_equal(dir_create(disk), ST_OK);
    if (mount("smelter-test", disk, "tmpfs", 0, "size=12m") != 0) {
        print_message("skipped: no right to mount a small file system here: %s\n", strerror(errno));
        skip();
    }
    assert_true(take_too_many(test_path("disk/pool")) > 1800);
    assert_caught("the disk is getting full"); /* well before */
    assert_caught("No space left on device");
    catch_stop();
    test_fill_disk(test_path("disk/filler"));
    page_pool_t *pool = NULL;
    catch_start();
    assert_int_equal(page_pool_open(test_path("disk/late"), &pool), ST_SYSTEM);
    assert_caught("disk/late: no room for 256 KB of rows that do not fit into cluster.memory_mb: No space left on device");
    catch_stop();
    assert_int_equal(umount(test_path("disk")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_are_apart_and_used_again), cmocka_unit_test(test_pages_that_are_missing_are_read_together),
        cmocka_unit_test(test_what_another_run_left_is_gone), cmocka_unit_test(test_limit_of_file_size),
        cmocka_unit_test(test_limit_of_address_space),        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
