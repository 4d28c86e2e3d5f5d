/* test_checkpoint_base - ps/checkpoint/base.h: "rows are replaced and removed, a durable transaction at a time; the tables'
 * numbers and digests follow exactly": a scan, which checks both, finds the rows of a model after every change; a base that
 * grows doubles its map; a change that the disk refuses leaves the base as it was; a base of another run, start, shard, step or
 * delta is refused by name.
 *
 * And common/files/live_sums.h: a crash between a transaction and its checksums, or while these are written, leaves the base as
 * it was before; a page that is damaged is refused before a change copies from it; a reader that is too slow is told so. */
#include "ps/checkpoint/base.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

#define TABLES 3
#define KEYS 60
#define WIDEST 700

static const int64_t widths[TABLES] = {5, 1, WIDEST};
static const base_mark_t first = {
    .incarnation = 3, .shard = 1, .step = -1, .compacting_to = -1, .identity = 77, .delta = {.low = 1, .high = 2}};

/* What the base should hold. */
typedef struct model {
    bool has[TABLES][KEYS];
    uint32_t version[TABLES][KEYS];
    float payload[TABLES][KEYS][WIDEST];
    int seen;
} model_t;

static status_t see(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    model_t *m = context;
    assert_true(table < TABLES && row->key < KEYS);
    assert_int_equal(payload_floats, widths[table]);
    assert_true(m->has[table][row->key]);
    assert_int_equal(row->version, m->version[table][row->key]);
    assert_memory_equal(row->payload, m->payload[table][row->key], (size_t)payload_floats * sizeof(float));
    m->seen++;
    return ST_OK;
}

static void check(const char *path, model_t *m, const base_mark_t *mark)
{
    store_t *store = NULL;
    base_mark_t found;
    int rows = 0;
    for (int t = 0; t < TABLES; t++)
        for (int k = 0; k < KEYS; k++)
            rows += m->has[t][k];
    m->seen = 0;
    assert_int_equal(store_open(path, false, &store), ST_OK);
    assert_int_equal(store_scan(store, see, m), ST_OK);
    assert_int_equal(m->seen, rows);
    assert_int_equal(base_mark(store, &found), ST_OK);
    assert_memory_equal(&found, mark, sizeof found);
    store_close(&store);
}

/* Some of all rows, chosen by the round: a third of them are to go, whether they are there or not. */
static int64_t change_some(model_t *m, int round, base_change_t *changes)
{
    int64_t n = 0;
    for (uint32_t t = 0; t < TABLES; t++)
        for (uint64_t k = 0; k < KEYS; k++) {
            const uint64_t draw = rng_u64(9, (uint64_t)round, t * KEYS + k) % 9;
            if (draw > 3)
                continue;
            m->has[t][k] = draw > 0;
            m->version[t][k] = (uint32_t)round + 1;
            rng_fill_uniform(m->payload[t][k], widths[t], 1.0f, (uint64_t)round, t, 4 * k);
            changes[n++] =
                (base_change_t){t, {.key = k, .version = (uint32_t)round + 1, .payload = draw > 0 ? m->payload[t][k] : NULL}};
        }
    return n;
}

/* A file's content; **owned**. */
static char *content(const char *folder, const char *name, size_t *bytes)
{
    char *path = mem_printf("%s/%s", folder, name), *data;
    assert_int_equal(file_read(path, &data, bytes), ST_OK);
    mem_free(path);
    return data;
}

static void put_content(const char *folder, const char *name, const char *data, size_t bytes)
{
    char *path = mem_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    mem_free(path);
}

/* What a crash after the transaction leaves: the base's file as it is now, and of its checksums as much as a disk may keep. */
static void check_crashes(const char *path, const char *sums, size_t bytes, model_t *m, const base_mark_t *mark)
{
    size_t now_bytes, data_bytes;
    char *now = content(path, "data.sums", &now_bytes), *data = content(path, "data.mdb", &data_bytes);
    assert_int_equal(dir_create(test_path("crash")), ST_OK);
    put_content(test_path("crash"), "data.mdb", data, data_bytes);
    assert_true(now_bytes > bytes && memcmp(now, sums, bytes) == 0);
    catch_start();
    for (int i = 0; i < 5; i++) {
        const size_t kept = i == 0 ? bytes : i == 4 ? now_bytes - 1 : bytes + (now_bytes - bytes) * (size_t)i / 4;
        put_content(test_path("crash"), "data.sums", now, kept);
        check(test_path("crash"), m, mark);
    }
    memset(now + bytes + 48, 0, now_bytes - bytes - 48); /* a hole */
    put_content(test_path("crash"), "data.sums", now, now_bytes);
    check(test_path("crash"), m, mark);
    catch_stop();
    assert_caught("crash/data.sums: its last record is not whole");
    mem_free(now);
    mem_free(data);
}

static void test_crashes(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("base");
    model_t *m = MEM_NEW(model_t), *before = MEM_NEW(model_t);
    base_change_t changes[TABLES * KEYS];
    base_t *base = NULL;
    base_mark_t mark = first;
    assert_int_equal(base_create(path, widths, TABLES, &mark, &base), ST_OK);
    for (int round = 0; round < 8; round++) {
        size_t bytes;
        const base_mark_t mark_before = mark;
        char *sums = content(test_path("base"), "data.sums", &bytes);
        *before = *m;
        const int64_t n = round == 5 ? 0 : change_some(m, round, changes);
        mark.step = round;
        assert_int_equal(base_change(base, changes, n, &mark), ST_OK);
        check(test_path("base"), m, &mark);
        check_crashes(test_path("base"), sums, bytes, before, &mark_before);
        mem_free(sums);
    }
    base_destroy(&base);
    mem_free(m);
    mem_free(before);
}

/* A reader that sleeps through many changes. */
static void test_slow_reader(void **state)
{
    (void)state;
    test_dir();
    model_t *m = MEM_NEW(model_t);
    base_change_t changes[TABLES * KEYS];
    base_t *base = NULL;
    store_t *store = NULL;
    assert_int_equal(base_create(test_path("base"), widths, TABLES, &first, &base), ST_OK);
    assert_int_equal(base_change(base, changes, change_some(m, 0, changes), &first), ST_OK);
    assert_int_equal(store_open(test_path("base"), false, &store), ST_OK);
    model_t *seen = MEM_NEW(model_t);
    *seen = *m;
    assert_int_equal(base_change(base, changes, change_some(m, 1, changes), &first), ST_OK);
    assert_int_equal(store_scan(store, see, seen), ST_OK); /* of the state that was opened */
    for (int round = 2; round < 9; round++)
        assert_int_equal(base_change(base, changes, change_some(m, round, changes), &first), ST_OK);
    catch_start();
    assert_int_equal(store_verify(store), ST_TIMEOUT);
    catch_stop();
    assert_caught("a running job has changed data.mdb while it was read");
    store_close(&store);
    base_destroy(&base);
    mem_free(seen);
    mem_free(m);
}

/* Turn a byte of the base's file round, and back. */
static void turn(size_t at)
{
    FILE *file = fopen(test_path("base/data.mdb"), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    const int byte = fgetc(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 255, file), byte ^ 255);
    assert_int_equal(fclose(file), 0);
}

static status_t try_read(model_t *m)
{
    store_t *store = NULL;
    catch_start();
    status_t status = store_open(test_path("base"), false, &store);
    if (status == ST_OK)
        status = store_scan(store, see, m);
    store_close(&store);
    catch_stop();
    return status;
}

/* Of a damaged page nothing is copied: a change that needs it is refused and leaves the base as it was. */
static void test_damaged_pages(void **state)
{
    (void)state;
    test_dir();
    model_t *m = MEM_NEW(model_t), *before = MEM_NEW(model_t);
    base_change_t changes[TABLES * KEYS];
    base_t *base = NULL;
    int refused = 0;
    assert_int_equal(base_create(test_path("base"), widths, TABLES, &first, &base), ST_OK);
    for (int round = 0; round < 90; round++) {
        size_t bytes;
        mem_free(content(test_path("base"), "data.mdb", &bytes));
        const size_t at = rng_u64(12, 1, (uint64_t)round) % bytes;
        *before = *m;
        const int64_t n = change_some(m, round, changes);
        turn(at);
        catch_start();
        const status_t status = base_change(base, changes, n, &first);
        catch_stop();
        assert_true(status == ST_OK || (status == ST_CORRUPT && catch_has("page ")));
        if (status != ST_OK) {
            refused++;
            turn(at);
            *m = *before;
        } else if (try_read(m) != ST_OK) { /* the page is still there, and was not needed */
            turn(at);
        }
        check(test_path("base"), m, &first);
    }
    assert_true(refused > 20);
    base_destroy(&base);
    mem_free(m);
    mem_free(before);
}

static void test_changes(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("base");
    model_t *m = MEM_NEW(model_t);
    base_change_t changes[TABLES * KEYS];
    base_t *base = NULL;
    base_mark_t mark = first;
    assert_int_equal(base_create(path, widths, TABLES, &mark, &base), ST_OK);
    check(path, m, &mark);
    for (int round = 0; round < 12; round++) {
        const int64_t n = round == 5 ? 0 : change_some(m, round, changes);
        mark.step = round;
        mark.delta.low++;
        assert_int_equal(base_change(base, changes, n, &mark), ST_OK);
        check(path, m, &mark);
    }
    base_destroy(&base);
    assert_null(base);
    assert_int_equal(base_create(path, widths, TABLES, &first, &base), ST_OK); /* whatever was there before */
    memset(m, 0, sizeof *m);
    check(path, m, &first);
    base_destroy(&base);
    mem_free(m);
}

/* Rows [from, to) of the widest table, 2.8 KB each. */
static status_t put_rows(base_t *base, uint64_t from, uint64_t to)
{
    static const float payload[WIDEST] = {1.0f};
    base_change_t *changes = MEM_ARRAY(base_change_t, to - from);
    for (uint64_t k = from; k < to; k++)
        changes[k - from] = (base_change_t){2, {.key = k, .payload = payload}};
    const status_t status = base_change(base, changes, (int64_t)(to - from), &first);
    mem_free(changes);
    return status;
}

static status_t count(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    (void)table;
    (void)payload_floats;
    (void)row;
    ++*(int64_t *)context;
    return ST_OK;
}

static int64_t rows_of(const char *path)
{
    store_t *store = NULL;
    int64_t rows = 0;
    assert_int_equal(store_open(path, false, &store), ST_OK);
    assert_int_equal(store_scan(store, count, &rows), ST_OK);
    store_close(&store);
    return rows;
}

static void test_growing_map(void **state)
{
    (void)state;
    test_dir();
    base_t *base = NULL;
    assert_int_equal(base_create(test_path("base"), widths, TABLES, &first, &base), ST_OK);
    assert_int_equal(put_rows(base, 0, 2000), ST_OK);
    assert_int_equal(put_rows(base, 1000, 14000), ST_OK); /* 57 MB of pages; the map began with 16 */
    assert_int_equal(rows_of(test_path("base")), 14000);
    base_destroy(&base);
}

/* "the base is as it was before then", and goes on once there is room. */
static void test_limit_of_file_size(void **state)
{
    (void)state;
    test_dir();
    base_t *base = NULL;
    struct rlimit old, low = {6 << 20, 6 << 20};
    assert_int_equal(base_create(test_path("base"), widths, TABLES, &first, &base), ST_OK);
    assert_int_equal(put_rows(base, 0, 500), ST_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    catch_start();
    assert_int_equal(put_rows(base, 500, 4000), ST_SYSTEM);
    catch_stop();
    assert_caught("cannot take in rows: ");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rows_of(test_path("base")), 500);
    assert_int_equal(put_rows(base, 250, 750), ST_OK);
    assert_int_equal(rows_of(test_path("base")), 750);
    base_destroy(&base);
}

static void test_marks(void **state)
{
    (void)state;
    static const struct {
        base_mark_t wanted;
        const char *text; /* NULL: it is the one */
    } cases[] = {
        {{.incarnation = 3, .shard = 1, .step = 20, .identity = 77}, NULL},
        {{.incarnation = 3, .shard = 1, .step = 20, .identity = 78}, "its run id is "},
        {{.incarnation = 4, .shard = 1, .step = 20, .identity = 77},
         "is of incarnation 3, shard 1, not of incarnation 4, shard 1"},
        {{.incarnation = 3, .shard = 0, .step = 20, .identity = 77},
         "is of incarnation 3, shard 1, not of incarnation 3, shard 0"},
        {{.incarnation = 3, .shard = 1, .step = 19, .identity = 77},
         "has rows of the checkpoint before step 20, and that before step 19"},
    };
    test_dir();
    base_t *base = NULL;
    base_mark_t mark = first;
    mark.step = 10;
    mark.compacting_to = 20; /* rows of that checkpoint may be there already */
    assert_int_equal(base_create(test_path("base"), widths, TABLES, &mark, &base), ST_OK);
    base_destroy(&base);
    store_t *store = NULL;
    assert_int_equal(store_open(test_path("base"), false, &store), ST_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        base_mark_t found;
        catch_start();
        assert_int_equal(base_check_mark(store, &cases[i].wanted, &found), cases[i].text ? ST_CORRUPT : ST_OK);
        catch_stop();
        if (cases[i].text)
            assert_caught(cases[i].text);
    }
    assert_int_equal(base_check_delta(store, &mark, mark.delta), ST_OK);
    catch_start();
    assert_int_equal(base_check_delta(store, &mark, (hash128_t){.low = 2, .high = 2}), ST_CORRUPT);
    catch_stop();
    assert_caught("took in a delta of step 10 with checksum 00000000000000020000000000000001, the manifest says "
                  "00000000000000020000000000000002");
    store_close(&store);
    assert_int_equal(store_open(test_path("store"), true, &store), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);
    assert_int_equal(store_open(test_path("store"), false, &store), ST_OK);
    catch_start();
    assert_int_equal(base_mark(store, &mark), ST_CORRUPT); /* a store of a run's end has none */
    catch_stop();
    assert_caught("does not say which checkpoint it holds");
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),       cmocka_unit_test(test_crashes),     cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_damaged_pages), cmocka_unit_test(test_growing_map), cmocka_unit_test(test_limit_of_file_size),
        cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
