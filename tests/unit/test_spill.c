/* test_spill - rows on disk are the rows that were put, in the order of (slot, key); the log names what a batch put; reading
 * keeps no snapshot; and "a full disk is an error code", never a signal (head of
 * ps/table/spill.c). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "ps/table/spill.h"
#include "tests/lib/testing.h"

enum { FLOATS = 3 };

static int compare_keys(const void *left, const void *right)
{
    return spill_compare(((const spill_key_t *)left)->key, ((const spill_key_t *)right)->key);
}

static void test_order(void **state)
{
    (void)state;
    const int64_t sizes[] = {0, 1, 2, 47, 48, 49, 1000, 30000};
    for (int s = 0; s < 8; s++)
        for (int small = 0; small < 2; small++) {
            const int64_t n = sizes[s];
            spill_key_t *keys = MEM_ARRAY(spill_key_t, n), *scratch = MEM_ARRAY(spill_key_t, n),
                        *want = MEM_ARRAY(spill_key_t, n);
            for (int64_t i = 0; i < n; i++)
                want[i] = keys[i] = (spill_key_t){rng_u64(1, (uint64_t)s, (uint64_t)i) >> (small ? 48 : 0), i};
            qsort(want, (size_t)n, sizeof *want, compare_keys);
            spill_sort(keys, scratch, n);
            for (int64_t i = 0; i < n; i++) {
                assert_true(keys[i].key == want[i].key);
                assert_true(rng_u64(1, (uint64_t)s, (uint64_t)keys[i].at) >> (small ? 48 : 0) == keys[i].key);
                if (i > 0) {
                    const uint32_t slot = hash_slot(keys[i].key), before = hash_slot(keys[i - 1].key);
                    assert_true(before < slot || (before == slot && keys[i - 1].key <= keys[i].key));
                }
            }
            mem_free(keys);
            mem_free(scratch);
            mem_free(want);
        }
}

/* What the row of a key holds after its last put, told by the batch. */
static void fill(float *payload, uint64_t key, uint32_t batch)
{
    rng_fill_normal(payload, FLOATS, 1.0f, key, batch, 0);
}

/* A batch of n random rows out of `range`; the log names every second. */
static void put_batch(spill_t *spill, uint32_t table, uint32_t batch, int64_t n, uint64_t range, uint32_t *latest)
{
    spill_key_t *keys = MEM_ARRAY(spill_key_t, n), *scratch = MEM_ARRAY(spill_key_t, n);
    uint64_t *logged = MEM_ARRAY(uint64_t, n);
    int64_t n_logged = 0;
    for (int64_t i = 0; i < n; i++)
        keys[i] = (spill_key_t){rng_permute(batch, range, (uint64_t)i), 0};
    spill_sort(keys, scratch, n);
    assert_int_equal(spill_begin(spill, n, FLOATS), ST_OK);
    assert_false(spill_is_idle(spill));
    for (int64_t i = 0; i < n; i++) {
        float payload[FLOATS];
        fill(payload, keys[i].key, batch);
        const spilled_t row = {keys[i].key, batch, batch + 1, batch + 2, payload};
        assert_int_equal(spill_put(spill, table, FLOATS, &row), ST_OK);
        latest[keys[i].key] = batch;
        if (i % 2 == 0)
            logged[n_logged++] = keys[i].key;
    }
    assert_int_equal(spill_log(spill, table, batch, logged, n_logged), ST_OK);
    assert_int_equal(spill_commit(spill), ST_OK);
    assert_true(spill_is_idle(spill));
    mem_free(keys);
    mem_free(scratch);
    mem_free(logged);
}

typedef struct seen {
    spill_t *spill;
    const uint32_t *latest;
    const spill_key_t *keys;
    int64_t n, stop_at;
    uint64_t last;
} seen_t;

static void check_row(const seen_t *seen, const spilled_t *row)
{
    float payload[FLOATS];
    const uint32_t batch = seen->latest[row->key];
    assert_true(batch > 0);
    fill(payload, row->key, batch);
    assert_int_equal(row->batch, batch);
    assert_int_equal(row->version, batch + 1);
    assert_int_equal(row->count, batch + 2);
    assert_memory_equal(row->payload, payload, sizeof payload);
}

static void see_read(void *context, int64_t i, const spilled_t *row)
{
    seen_t *seen = context;
    assert_true(seen->keys[i].key == row->key);
    assert_false(spill_is_idle(seen->spill)); /* the check is able to see a reader */
    check_row(seen, row);
    seen->n++;
}

static bool see_scanned(void *context, const spilled_t *row)
{
    seen_t *seen = context;
    if (seen->n > 0)
        assert_true(spill_compare(seen->last, row->key) < 0);
    check_row(seen, row);
    seen->last = row->key;
    return ++seen->n != seen->stop_at;
}

static void test_rows_come_back(void **state)
{
    (void)state;
    enum { RANGE = 40000, BATCHES = 12 };
    spill_t *spill = NULL;
    assert_int_equal(spill_open(test_path("spill"), &spill), ST_OK);
    static uint32_t latest[2][RANGE];
    for (uint32_t batch = 1; batch <= BATCHES; batch++)
        put_batch(spill, 256 * (batch % 2), batch, batch == 5 ? 20000 : 700, RANGE, latest[batch % 2]);

    for (uint32_t t = 0; t < 2; t++) {
        static spill_key_t keys[RANGE], scratch[RANGE];
        int64_t there = 0;
        for (uint64_t key = 0; key < RANGE; key++) {
            keys[key] = (spill_key_t){key, 0};
            there += latest[t][key] > 0;
        }
        spill_sort(keys, scratch, RANGE);
        seen_t seen = {.spill = spill, .latest = latest[t], .keys = keys};
        assert_int_equal(spill_read(spill, 256 * t, FLOATS, keys, RANGE, see_read, &seen), ST_OK);
        assert_int_equal(seen.n, there);
        assert_true(spill_is_idle(spill));

        seen = (seen_t){.latest = latest[t], .stop_at = 100};
        assert_int_equal(spill_scan(spill, 256 * t, FLOATS, NULL, see_scanned, &seen), ST_OK);
        assert_int_equal(seen.n, 100);
        const uint64_t after = seen.last;
        seen.stop_at = -1;
        assert_int_equal(spill_scan(spill, 256 * t, FLOATS, &after, see_scanned, &seen), ST_OK);
        assert_int_equal(seen.n, there); /* each once, none left out */
        assert_true(spill_is_idle(spill));
    }

    const uint64_t *logged;
    int64_t n;
    uint32_t batch = 0;
    for (uint32_t want = 2; want <= BATCHES; want += 2, batch++) {
        assert_int_equal(spill_log_next(spill, 0, &batch, BATCHES + 1, &logged, &n), ST_OK);
        assert_int_equal(batch, want);
        assert_int_equal(n, 350);
    }
    assert_int_equal(spill_log_next(spill, 0, &batch, UINT32_MAX, &logged, &n), ST_OK);
    assert_int_equal(n, 0);
    assert_int_equal(spill_log_drop(spill, 0, 7), ST_OK);
    batch = 0;
    assert_int_equal(spill_log_next(spill, 0, &batch, 8, &logged, &n), ST_OK);
    assert_int_equal(n, 0);
    assert_int_equal(spill_log_next(spill, 0, &batch, 9, &logged, &n), ST_OK);
    assert_int_equal(batch, 8);
    batch = 0;
    assert_int_equal(spill_log_next(spill, 256, &batch, 9, &logged, &n), ST_OK);
    assert_int_equal(batch, 1); /* another table's log stays */
    spill_close(&spill);
    assert_false(file_exists(test_path("spill")));
}

/* Pages that a batch replaced are used again: rewriting the same rows many times does not make the file grow for ever. */
static void test_the_file_does_not_grow_without_rows(void **state)
{
    (void)state;
    enum { RANGE = 5000 };
    static uint32_t latest[RANGE];
    spill_t *spill = NULL;
    assert_int_equal(spill_open(test_path("again"), &spill), ST_OK);
    uint32_t batch = 1;
    for (; batch <= 10; batch++)
        put_batch(spill, 1, batch, RANGE, RANGE, latest);
    const int64_t bytes = spill_bytes(spill);
    for (; batch <= 100; batch++) {
        put_batch(spill, 1, batch, RANGE, RANGE, latest);
        assert_int_equal(spill_log_drop(spill, 1, batch), ST_OK);
    }
    assert_true(spill_bytes(spill) <= 3 * bytes);
    spill_close(&spill);
}

static void test_what_another_run_left_is_gone(void **state)
{
    (void)state;
    assert_int_equal(dir_create(test_path("left")), ST_OK);
    test_write("left/data.mdb", "not a database");
    spill_t *spill = NULL;
    static uint32_t latest[100];
    assert_int_equal(spill_open(test_path("left"), &spill), ST_OK);
    seen_t seen = {.latest = latest, .stop_at = -1};
    assert_int_equal(spill_scan(spill, 1, FLOATS, NULL, see_scanned, &seen), ST_OK);
    assert_int_equal(seen.n, 0);
    spill_close(&spill);

    test_write("file", "");
    catch_start();
    assert_int_equal(spill_open(test_path("file/spill"), &spill), ST_INPUT);
    catch_stop();
    assert_null(spill);
}

/* Put rows until the disk refuses. Returns the number of batches that went well. */
static int put_too_much(const char *path)
{
    enum { WIDE = 200, ROWS = 1000 };
    static float payload[WIDE];
    spill_t *spill = NULL;
    status_t status = ST_OK;
    int batches = 0;
    assert_int_equal(spill_open(path, &spill), ST_OK);
    catch_start();
    for (; batches < 1000 && status == ST_OK; batches++) {
        status = spill_begin(spill, ROWS, WIDE);
        for (uint64_t i = 0; i < ROWS && status == ST_OK; i++) {
            const spilled_t row = {(uint64_t)batches * ROWS + i, 1, 1, 1, payload};
            status = spill_put(spill, 1, WIDE, &row);
        }
        if (status == ST_OK)
            status = spill_commit(spill);
    }
    assert_int_equal(status, ST_SYSTEM);
    assert_caught("of rows that do not fit into cluster.memory_mb");
    spill_close(&spill);
    return batches;
}

static void test_limit_of_file_size(void **state)
{
    (void)state;
    struct rlimit old, low = {24 << 20, 0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_true(put_too_much(test_path("limited")) > 2);
    catch_stop();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void test_full_disk(void **state)
{
    (void)state;
    const char *disk = test_path("disk");
    assert_int_equal(dir_create(disk), ST_OK);
    if (mount("smelter-test", disk, "tmpfs", 0, "size=32m") != 0) {
        print_message("skipped: no right to mount a small file system here: %s\n", strerror(errno));
        skip();
    }
    assert_true(put_too_much(test_path("disk/spill")) > 2);
    assert_caught("the disk is getting full"); /* well before */
    assert_caught("No space left on device");
    catch_stop();
    test_fill_disk(test_path("disk/filler"));
    spill_t *spill = NULL;
    catch_start();
    assert_int_equal(spill_open(test_path("disk/late"), &spill), ST_SYSTEM); /* without a page for LMDB's lock file */
    assert_caught("disk/late: cannot open a file of rows: No space left on device");
    catch_stop();
    assert_int_equal(umount(test_path("disk")), 0);
}

static bool ftruncate_fails;

/* In the place of the C library's, for LMDB. */
int ftruncate(int fd, off_t bytes)
{
    if (ftruncate_fails) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, bytes);
}

/* LMDB gives its map back before it sets the file's length. What others map there meanwhile is not to be taken from them. */
static void test_a_length_that_cannot_be_set(void **state)
{
    (void)state;
    enum { PIECES = 400, PIECE = 1 << 20 };
    test_dir();
    spill_t *spill;
    char *piece[PIECES];
    uint32_t latest[100] = {0};
    assert_int_equal(spill_open(test_path("spill"), &spill), ST_OK);
    put_batch(spill, 0, 1, 50, 100, latest);
    ftruncate_fails = true;
    catch_start();
    assert_int_equal(spill_begin(spill, 1 << 20, FLOATS), ST_SYSTEM);
    catch_stop();
    ftruncate_fails = false;
    assert_caught("cannot enlarge the map: No space left on device");
    for (int i = 0; i < PIECES; i++) {
        piece[i] = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(piece[i] != MAP_FAILED);
    }
    spill_close(&spill);
    for (int i = 0; i < PIECES; i++) {
        unsigned char resident;
        assert_int_equal(mincore(piece[i], 1, &resident), 0);
        munmap(piece[i], PIECE);
    }
    assert_false(file_exists(test_path("spill")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_rows_come_back),
        cmocka_unit_test(test_the_file_does_not_grow_without_rows),
        cmocka_unit_test(test_what_another_run_left_is_gone),
        cmocka_unit_test(test_limit_of_file_size),
        cmocka_unit_test(test_a_length_that_cannot_be_set),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
