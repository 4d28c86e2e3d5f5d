/* test_store - a shard's tables come back from the disk as they were, in key order; a store that is missing, cut short,
 * unfinished, damaged or of another format is refused with its reason; a full disk is one clear line.                    */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "ps/checkpoint/store.h"
#include "tests/lib/testing.h"

#define TABLES 4

/* Of several widths, one of them odd and one larger than a page; the third has no rows. */
static table_t *make_table(int t, int64_t rows)
{
    const int dims[TABLES] = {16, 3, 8, 700};
    const int optimizers[TABLES] = {OPTIMIZER_ADAGRAD, OPTIMIZER_SGD, OPTIMIZER_ADAGRAD, OPTIMIZER_ADAGRAD_ROW};
    const table_options_t options = {.id = (uint32_t)(300 - 70 * t), /* descending: later tables belong in front */
                                     .dim = dims[t],
                                     .optimizer = optimizers[t],
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f},
                                     .init_std = 0.05f,
                                     .seed = 4};
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    uint64_t *keys = MEM_ARRAY(uint64_t, rows);
    float *g = MEM_ARRAY(float, rows *options.dim);
    for (int64_t i = 0; i < rows; i++)
        keys[i] = rng_u64(5, (uint64_t)t, (uint64_t)i);
    rng_fill_uniform(g, rows * options.dim, 1.0f, 6, (uint64_t)t, 0);
    table_push(table, keys, g, rows / 2, 17);
    table_pull(table, keys, rows, g);
    mem_free(keys);
    mem_free(g);
    return table;
}

static const int64_t sizes[TABLES] = {20000, 3000, 0, 500};

static void make_tables(table_t *tables[TABLES], hash_digest_t *digest)
{
    for (int t = 0; t < TABLES; t++) {
        tables[t] = make_table(t, sizes[t]);
        table_digest(tables[t], digest);
    }
}

static void destroy_tables(table_t *tables[TABLES])
{
    for (int t = 0; t < TABLES; t++)
        table_destroy(&tables[t]);
}

/* A store of one table; its path is test_path's. */
static const char *write_store(const char *name, const table_t *table)
{
    const char *path = test_path("%s", name);
    store_t *store = NULL;
    assert_int_equal(store_open(path, true, &store), ST_OK);
    assert_int_equal(store_put_table(store, table), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);
    assert_null(store);
    return test_path("%s", name);
}

typedef struct seen {
    hash_digest_t digest;
    int64_t rows, stop_at;
    uint32_t slot, table;
    uint64_t key;
    table_t *const *tables;
} seen_t;

/* Checks the order (slot, table, key), and each row against its table where there is one to compare with. */
static status_t see(void *context, uint32_t id, int64_t payload_floats, const table_row_t *row)
{
    seen_t *seen = context;
    const uint32_t slot = hash_slot(row->key);
    if (seen->rows > 0) {
        assert_true(slot >= seen->slot);
        if (slot == seen->slot)
            assert_true(id > seen->table || (id == seen->table && row->key > seen->key));
    }
    seen->slot = slot;
    seen->table = id;
    seen->key = row->key;
    table_digest_row(id, payload_floats, row, &seen->digest);
    for (int t = 0; seen->tables && t < TABLES; t++)
        if (table_options(seen->tables[t])->id == id) {
            assert_int_equal(payload_floats, table_payload_floats(seen->tables[t]));
            assert_int_equal((uintptr_t)row->payload % sizeof(float), 0);
            float w[700];
            table_peek(seen->tables[t], &row->key, 1, w);
            assert_memory_equal(row->payload, w, (size_t)table_options(seen->tables[t])->dim * sizeof *w);
            assert_true((row->version == 18 && row->count == 1) || (row->version == 0 && row->count == 0));
        }
    return ++seen->rows == seen->stop_at ? ST_STOPPED : ST_OK;
}

static status_t scan(const char *path, seen_t *seen)
{
    store_t *store = NULL;
    TRY(store_open(path, false, &store));
    status_t status = store_scan(store, see, seen);
    store_close(&store);
    assert_null(store);
    return status;
}

static void test_round_trip(void **state)
{
    (void)state;
    table_t *tables[TABLES];
    hash_digest_t digest = {0};
    make_tables(tables, &digest);
    const char *path = test_path("parent/round");
    store_t *store = NULL;
    assert_int_equal(store_open(path, true, &store), ST_OK);
    for (int t = 0; t < TABLES; t++)
        assert_int_equal(store_put_table(store, tables[t]), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);

    path = test_path("parent/round");
    seen_t seen = {.tables = tables};
    assert_int_equal(scan(path, &seen), ST_OK);
    assert_int_equal(seen.rows, digest.elements);
    assert_memory_equal(&seen.digest, &digest, sizeof digest);

    seen_t stopped = {.stop_at = 10};
    assert_int_equal(scan(path, &stopped), ST_STOPPED);
    assert_int_equal(stopped.rows, 10);

    struct stat st;
    assert_int_equal(stat(test_path("parent/round/data.mdb"), &st), 0);
    assert_int_equal(store_open(test_path("parent/round"), false, &store), ST_OK);
    assert_int_equal(store_bytes(store), st.st_size);
    assert_int_equal(store_rows(store), digest.elements);
    assert_int_equal(store_verify(store), ST_OK);
    store_close(&store);
    destroy_tables(tables);
}

/* More rows than a transaction and a scan's stretch take, and many times the first size of the map. */
static void test_large_table_and_growing_map(void **state)
{
    (void)state;
    table_t *table = make_table(0, 250000), *back = NULL;
    hash_digest_t digest = {0};
    table_digest(table, &digest);
    seen_t seen = {0};
    const char *path = write_store("large", table);
    assert_int_equal(scan(path, &seen), ST_OK);
    assert_memory_equal(&seen.digest, &digest, sizeof digest);
    store_t *store = NULL;
    assert_int_equal(store_open(path, false, &store), ST_OK);
    const int64_t value_bytes = 8 + table_payload_floats(table) * 4, least = table_rows(table) * (14 + value_bytes);
    assert_true(store_bytes(store) > 2 * (16 << 20));
    assert_true(store_bytes(store) < least + least / 5); /* pages are packed */
    store_close(&store);
    table_destroy(&table);
    table_destroy(&back);
}

static void test_put_again_replaces(void **state)
{
    (void)state;
    table_t *table = make_table(1, 2000);
    const char *path = test_path("again");
    store_t *store = NULL;
    assert_int_equal(store_open(path, true, &store), ST_OK);
    assert_int_equal(store_put_table(store, table), ST_OK);
    const uint64_t keys[] = {table_row_at(table, 0).key, 123456};
    const float g[6] = {1, 2, 3, 4, 5, 6};
    table_push(table, keys, g, 2, 99);
    assert_int_equal(store_put_table(store, table), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);
    hash_digest_t digest = {0};
    table_digest(table, &digest);
    seen_t seen = {0};
    assert_int_equal(scan(test_path("again"), &seen), ST_OK);
    assert_int_equal(seen.rows, 2001);
    assert_memory_equal(&seen.digest, &digest, sizeof digest);
    table_destroy(&table);
}

static void test_create_empties_whatever_is_there(void **state)
{
    (void)state;
    table_t *table = make_table(1, 1000);
    const char *path = write_store("emptied", table);
    store_t *store = NULL;
    assert_int_equal(store_open(path, true, &store), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);
    seen_t seen = {0};
    assert_int_equal(scan(test_path("emptied"), &seen), ST_OK);
    assert_int_equal(seen.rows, 0);
    test_write("emptied/data.mdb", "a damaged store is emptied like any other");
    assert_int_equal(store_open(test_path("emptied"), true, &store), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);
    assert_int_equal(scan(test_path("emptied"), &seen), ST_OK);
    assert_int_equal(seen.rows, 0);
    table_destroy(&table);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------- */

static void assert_refused(const char *path, status_t status, const char *text)
{
    seen_t seen = {0};
    catch_start();
    assert_int_equal(scan(path, &seen), status);
    assert_caught(path);
    assert_caught(text);
    catch_stop();
}

static void test_missing_store(void **state)
{
    (void)state;
    assert_refused(test_path("nowhere"), ST_INPUT, "no stored rows there: No such file or directory");
}

static void test_no_folder_can_be_made(void **state)
{
    (void)state;
    test_write("a-file", "x");
    store_t *store = NULL;
    catch_start();
    assert_int_equal(store_open(test_path("a-file/store"), true, &store), ST_INPUT);
    assert_caught("a-file");
    catch_stop();
    assert_null(store);
}

static void test_not_a_store(void **state)
{
    (void)state;
    assert_int_equal(dir_create(test_path("text")), ST_OK);
    char *text = MEM_ARRAY(char, 20001);
    memset(text, 'x', 20000);
    test_write("text/data.mdb", text);
    mem_free(text);
    assert_refused(test_path("text"), ST_CORRUPT, "page 0 of data.mdb is no head of an LMDB file: magic 78787878");
    test_write("text/data.mdb", "short");
    assert_refused(test_path("text"), ST_CORRUPT, "has 5 bytes, too few for the head of an LMDB file");
    test_write("text/data.mdb", "");
    assert_refused(test_path("text"), ST_CORRUPT, "data.mdb is empty");
}

static void test_cut_short(void **state)
{
    (void)state;
    table_t *table = make_table(0, 5000);
    const char *path = write_store("cut", table);
    struct stat st;
    assert_int_equal(stat(test_path("cut/data.mdb"), &st), 0);
    assert_int_equal(truncate(test_path("cut/data.mdb"), st.st_size / 2), 0);
    path = test_path("cut");
    assert_refused(path, ST_CORRUPT, "data.mdb was cut short");
    table_destroy(&table);
}

/* Change a store behind its back, which then is one of before there were checksums of pages. */
typedef void edit_fn(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta);

static void edit(const char *path, edit_fn *change)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi rows, meta;
    char *sums = mem_printf("%s/data.sums", path), key[12] = "sums";
    MDB_val k = {sizeof key, key};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
    assert_int_equal(mdb_env_open(env, path, 0, 0644), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "rows", 0, &rows), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_del(txn, meta, &k, NULL), 0);
    if (change)
        change(txn, rows, meta);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(unlink(sums), 0);
    mem_free(sums);
}

/* One bit of one weight: its page differs from its checksum, or without these its table's rows from their digest. */
static void test_damaged_weight(void **state)
{
    (void)state;
    table_t *table = make_table(0, 5000);
    for (int older = 0; older < 2; older++) {
        const char *path = write_store("bit", table);
        if (older)
            edit(path, NULL);
        table_row_t row = table_row_at(table, 2500);
        char *bytes;
        size_t n;
        assert_int_equal(file_read(test_path("bit/data.mdb"), &bytes, &n), ST_OK);
        int64_t found = 0;
        for (char *at = bytes; (at = memmem(at, n - (size_t)(at - bytes), row.payload, 64)); at++, found++)
            at[17] ^= 4;
        assert_true(found >= 1);
        assert_int_equal(file_write_atomic(test_path("bit/data.mdb"), bytes, n), ST_OK);
        mem_free(bytes);
        assert_refused(test_path("bit"), ST_CORRUPT,
                       older ? "table 300: 5000 rows that differ from the 5000 rows written"
                             : ": the disk or a copy changed one of them; copy it from where it is whole");
    }
    table_destroy(&table);
}

static void remove_last_row(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta)
{
    (void)meta;
    MDB_cursor *cursor;
    MDB_val k, v;
    assert_int_equal(mdb_cursor_open(txn, rows, &cursor), 0);
    assert_int_equal(mdb_cursor_get(cursor, &k, &v, MDB_LAST), 0);
    assert_int_equal(mdb_cursor_del(cursor, 0), 0);
    mdb_cursor_close(cursor);
}

/* The record of the only table: payload floats, complete or not, ... */
static void edit_table_record(MDB_txn *txn, MDB_dbi meta, int word, uint32_t value)
{
    char key[12] = "table\0\0\0\0\0\1\54"; /* 300, big-endian */
    MDB_val k = {sizeof key, key}, v;
    assert_int_equal(mdb_get(txn, meta, &k, &v), 0);
    uint32_t record[8];
    assert_int_equal(v.mv_size, sizeof record);
    memcpy(record, v.mv_data, sizeof record);
    record[word] = value;
    v.mv_data = record;
    assert_int_equal(mdb_put(txn, meta, &k, &v, 0), 0);
}

static void mark_unfinished(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta)
{
    (void)rows;
    edit_table_record(txn, meta, 1, 0);
}

static void narrow_payload(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta)
{
    (void)rows;
    edit_table_record(txn, meta, 0, 31);
}

static void change_format(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta)
{
    (void)rows;
    char key[12] = "format";
    uint32_t record[2] = {7, 1024};
    MDB_val k = {sizeof key, key}, v = {sizeof record, record};
    assert_int_equal(mdb_put(txn, meta, &k, &v, 0), 0);
}

static void add_strange_row(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta)
{
    (void)meta;
    char key[14] = {0, 0, 0, 0, 0, 9}; /* slot 0, table 9, key 0 */
    MDB_val k = {sizeof key, key}, v = {sizeof key, key};
    assert_int_equal(mdb_put(txn, rows, &k, &v, 0), 0);
}

static void add_row_of_wrong_slot(MDB_txn *txn, MDB_dbi rows, MDB_dbi meta)
{
    (void)meta;
    char key[14] = {0, 0, 0, 0, 1, 44, 0, 0, 0, 0, 0, 0, 0, 1}; /* slot 0, table 300, key 1 */
    static char value[8 + 32 * 4];
    assert_int_not_equal(hash_slot(1), 0);
    MDB_val k = {sizeof key, key}, v = {sizeof value, value};
    assert_int_equal(mdb_put(txn, rows, &k, &v, 0), 0);
}

static void test_inconsistent_stores(void **state)
{
    (void)state;
    const struct {
        edit_fn *change;
        const char *text;
    } cases[] = {
        {remove_last_row, "table 300: 999 rows that differ from the 1000 rows written"},
        {mark_unfinished, "table 300 was not written to its end"},
        {narrow_payload, "136 bytes; wanted slot"},
        {change_format, "rows of format 7 with 1024 slots; this build reads format 1 with 1024"},
        {add_strange_row, "row 0 is of table 9, which the store does not have"},
        {add_row_of_wrong_slot, "table 300: row 1 has slot 0, 136 bytes; wanted slot"},
    };
    table_t *table = make_table(0, 1000);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        edit(write_store("edited", table), cases[c].change);
        assert_refused(test_path("edited"), ST_CORRUPT, cases[c].text);
    }
    table_destroy(&table);
}

/* ---- a full disk ----------------------------------------------------------------------------------------------------- */

/* The table counts as unfinished afterwards, and the store can be opened and says so. */
static void put_too_much(const char *path)
{
    table_t *table = make_table(0, 100000);
    store_t *store = NULL;
    assert_int_equal(store_open(path, true, &store), ST_OK);
    catch_start();
    assert_int_equal(store_put_table(store, table), ST_SYSTEM);
    assert_caught(path);
    assert_caught("cannot write rows: ");
    assert_caught(" MB are free there, less a quota or a limit of file size: make room, or choose another place with --out");
    assert_ptr_equal(strchr(catch_text(), '\n'), catch_text() + strlen(catch_text()) - 1); /* one line */
    catch_stop();
    store_close(&store);
    table_destroy(&table);
}

static void test_limit_of_file_size(void **state)
{
    (void)state;
    struct rlimit old, low = {6 << 20, 6 << 20};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    put_too_much(test_path("limited"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
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
    put_too_much(test_path("disk/store"));
    assert_refused(test_path("disk/store"), ST_CORRUPT, "table 300 was not written to its end");
    test_fill_disk(test_path("disk/filler"));
    store_t *store = NULL;
    catch_start();
    assert_int_equal(store_open(test_path("disk/late"), true, &store), ST_SYSTEM); /* without a page for LMDB's lock file */
    assert_caught("disk/late: cannot create the store: No space left on device");
    catch_stop();
    assert_int_equal(umount(test_path("disk")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_large_table_and_growing_map),
        cmocka_unit_test(test_put_again_replaces), cmocka_unit_test(test_create_empties_whatever_is_there),
        cmocka_unit_test(test_missing_store),      cmocka_unit_test(test_no_folder_can_be_made),
        cmocka_unit_test(test_not_a_store),        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_damaged_weight),     cmocka_unit_test(test_inconsistent_stores),
        cmocka_unit_test(test_limit_of_file_size), cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
