/* test_rot - docs/FILES.md: "damage is an error that names file and page, and never another value, nor the end of the process":
 * bits that flip, pages that are exchanged, zeroed, written to another place or cut off, in stores, bases and datasets, with
 * checksums and, of older versions, without, and in the checksums themselves. Whatever is read then is what was written, or
 * refused in one line.
 *
 * ROT_FLIPS=N flips N bits of each file instead of 150. */
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "common/files/lmdb_pages.h"
#include "ps/checkpoint/base.h"
#include "ps/checkpoint/store.h"
#include "tests/lib/testing.h"

#define PAGE 4096
#define FLIPS 150

/* ---- what is damaged, and all that can be read of it ------------------------------------------------------------------- */

typedef struct victim {
    const char *name;
    void (*make)(const char *folder);
    status_t (*read)(const char *folder, uint64_t *values);
    bool older; /* without checksums */
} victim_t;

static table_t *make_table(uint32_t id, int64_t dim, int64_t rows)
{
    const table_options_t options = {.id = id,
                                     .dim = dim,
                                     .optimizer = OPTIMIZER_ADAGRAD,
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f},
                                     .init_std = 0.05f,
                                     .seed = 4};
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    float *w = MEM_ARRAY(float, dim);
    for (int64_t i = 0; i < rows; i++) {
        const uint64_t key = rng_u64(5, id, (uint64_t)i);
        table_pull(table, &key, 1, w);
    }
    mem_free(w);
    return table;
}

/* Narrow rows, and some that have pages of their own. */
static void make_store(const char *folder)
{
    store_t *store = NULL;
    table_t *narrow = make_table(0, 4, 900), *wide = make_table(1, 700, 12);
    assert_int_equal(store_open(folder, true, &store), ST_OK);
    assert_int_equal(store_put_origin(store, &(store_origin_t){77, 3, 1}), ST_OK);
    assert_int_equal(store_put_table(store, narrow), ST_OK);
    assert_int_equal(store_put_table(store, wide), ST_OK);
    assert_int_equal(store_finish(&store), ST_OK);
    table_destroy(&narrow);
    table_destroy(&wide);
}

#define ROUNDS 6
static const base_mark_t mark = {.incarnation = 3, .shard = 1, .step = ROUNDS, .compacting_to = -1, .identity = 77};

static void make_base(const char *folder)
{
    static const int64_t widths[] = {5, 1200};
    static float payload[1200];
    base_t *base = NULL;
    base_change_t changes[400];
    base_mark_t now = mark;
    now.step = 0;
    assert_int_equal(base_create(folder, widths, 2, &now, &base), ST_OK);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < 400; i++) {
            const bool goes = round > 2 && i % 5 == 0;
            changes[i] = (base_change_t){i % 40 == 0,
                                         {.key = i * 7 % 400 + 150 * (uint64_t)(round % 3),
                                          .version = (uint32_t)round,
                                          .payload = goes ? NULL : payload}};
        }
        payload[3] = (float)round;
        now.step++;
        assert_int_equal(base_change(base, changes, 400, &now), ST_OK);
    }
    base_destroy(&base);
}

static void make_dataset(const char *folder, bool compress)
{
    static const dataset_field_t fields[] = {{.name = "price", .kind = COLUMN_NUMERIC},
                                             {.name = "site", .kind = COLUMN_CATEGORICAL},
                                             {.name = "tags", .kind = COLUMN_MULTI}};
    dataset_writer_t *writer = NULL;
    const bool standardise[] = {true, false, false};
    assert_int_equal(dataset_writer_create(folder, fields, 3, standardise, true, false, compress, &writer), ST_OK);
    for (uint64_t i = 0; i < 9000; i++) {
        const float price = (float)(rng_u64(6, 1, i) % 1000);
        const uint64_t site = rng_u64(6, 2, i) % 50, tags[] = {i % 7, i % 3};
        const int32_t count = (int32_t)(i % 3);
        const float weights[] = {1.0f, 0.5f};
        const dataset_row_t row = {.label = i % 4 == 0,
                                   .train = i % 5 != 0,
                                   .group = i / 10,
                                   .time = DATASET_NO_TIME,
                                   .numeric = &price,
                                   .single = &site,
                                   .multi_count = &count,
                                   .multi_key = tags,
                                   .multi_weight = weights};
        assert_int_equal(dataset_writer_put(writer, &row), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 3), ST_OK);
}

static void make_packed(const char *folder)
{
    make_dataset(folder, true);
}

static void make_plain(const char *folder)
{
    make_dataset(folder, false);
}

static void mix(uint64_t *values, const void *data, size_t bytes)
{
    *values = hash64(data, bytes, *values);
}

/* Stores of older versions have digests of weights and optimizer's state; the version and count of a row are no part. */
static bool sees_older;

/* Whether pages are verified that nobody needs. */
static bool verifies;

static status_t see_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    uint64_t *values = context;
    const uint32_t uses[] = {row->version, row->count};
    if (!sees_older)
        mix(values, uses, sizeof uses);
    mix(values, &table, sizeof table);
    mix(values, &row->key, sizeof row->key);
    mix(values, row->payload, (size_t)payload_floats * sizeof(float));
    return ST_OK;
}

static status_t read_store(const char *folder, uint64_t *values)
{
    store_t *store = NULL;
    status_t status;
    TRY_DONE(store_open(folder, false, &store));
    TRY_DONE(store_check(store, &(store_origin_t){77, 3, 1}, NULL));
    TRY_DONE(store_scan(store, see_row, values));
    for (uint32_t t = 0; t < 3; t++)
        assert_true(store_table_rows(store, t) <= 900);
    if (verifies)
        TRY_DONE(store_verify(store));
done:
    store_close(&store);
    return status;
}

static status_t read_base(const char *folder, uint64_t *values)
{
    store_t *store = NULL;
    base_mark_t found;
    status_t status;
    TRY_DONE(store_open(folder, false, &store));
    TRY_DONE(base_check_mark(store, &mark, &found));
    if (found.step < mark.step) /* whose delta is gone: the checkpoint's chain breaks here */
        TRY_DONE(FAIL(ST_CORRUPT, "%s: is of step %" PRId64, folder, found.step));
    mix(values, &found, sizeof found);
    TRY_DONE(store_scan(store, see_row, values));
    if (verifies)
        TRY_DONE(store_verify(store));
done:
    store_close(&store);
    return status;
}

static void see_example(const dataset_t *dataset, const dataset_example_t *e, uint64_t *values)
{
    const dataset_info_t *info = dataset_info(dataset);
    const dataset_block_t *b = e->block;
    const uint32_t *at = &b->multi_at[e->row * info->multi];
    mix(values, &b->label[e->row], 1);
    mix(values, &b->group[e->row], sizeof *b->group);
    mix(values, &b->numeric[e->row * info->numeric], (size_t)info->numeric * sizeof *b->numeric);
    mix(values, &b->single[e->row * info->single], (size_t)info->single * sizeof *b->single);
    mix(values, &b->multi_key[at[0]], (at[1] - at[0]) * sizeof *b->multi_key);
    mix(values, &b->multi_weight[at[0]], (at[1] - at[0]) * sizeof *b->multi_weight);
}

static status_t read_dataset(const char *folder, uint64_t *values)
{
    dataset_t *dataset = NULL;
    status_t status;
    TRY_DONE(dataset_open(folder, 1 << 22, &dataset));
    const dataset_info_t *info = dataset_info(dataset);
    mix(values, &info->content_hash, sizeof info->content_hash);
    for (int split = SPLIT_TRAIN; split <= SPLIT_EVAL; split++)
        for (int64_t i = 0; i < dataset_split_rows(info, (split_t)split); i += 3) {
            const int64_t position = dataset_position(dataset, (split_t)split, i);
            dataset_example_t example;
            TRY_DONE(dataset_fetch(dataset, &position, 1, &example));
            see_example(dataset, &example, values);
        }
    if (verifies)
        TRY_DONE(dataset_verify(dataset));
done:
    dataset_close(&dataset);
    return status;
}

static const victim_t victims[] = {
    {"store", make_store, read_store, false},
    {"store of an older version", make_store, read_store, true},
    {"base", make_base, read_base, false},
    {"base of an older version", make_base, read_base, true},
    {"compressed dataset", make_packed, read_dataset, false},
    {"dataset", make_plain, read_dataset, false},
    {"dataset of an older version", make_plain, read_dataset, true},
};
#define VICTIMS (sizeof victims / sizeof *victims)

/* ---- damage ---------------------------------------------------------------------------------------------------------- */

/* A victim on the disk, and what it was. */
typedef struct wound {
    const victim_t *victim;
    char folder[256], file[300];
    char *good;
    size_t bytes;
    uint64_t values;
    int64_t refused, tried;
} wound_t;

/* Older versions had neither the file of checksums nor a record that says that there is one. */
static void make_older(const char *folder, bool is_store)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char *sums = mem_printf("%s/" LMDB_SUMS, folder), key[12] = "sums";
    MDB_val k = {is_store ? sizeof key : 4, key};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
    assert_int_equal(mdb_env_open(env, folder, MDB_NOLOCK, 0644), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, is_store ? "meta" : NULL, 0, &dbi), 0);
    assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(unlink(sums), 0);
    mem_free(sums);
}

static void open_wound(wound_t *w, size_t number, const char *file)
{
    *w = (wound_t){.victim = &victims[number]};
    snprintf(w->folder, sizeof w->folder, "%s", test_path("victim-%zu", number));
    snprintf(w->file, sizeof w->file, "%s/%s", w->folder, file);
    if (!file_exists(w->folder)) {
        w->victim->make(w->folder);
        if (w->victim->older)
            make_older(w->folder, w->victim->read != read_dataset);
    }
    sees_older = w->victim->older;
    assert_int_equal(w->victim->read(w->folder, &w->values), ST_OK);
    assert_int_equal(file_read(w->file, &w->good, &w->bytes), ST_OK);
}

static void close_wound(wound_t *w)
{
    print_message("%s: %" PRId64 " of %" PRId64 " damages to %s were refused, the others changed nothing\n", w->victim->name,
                  w->refused, w->tried, strrchr(w->file, '/') + 1);
    mem_free(w->good);
}

static void put(const wound_t *w, size_t at, const void *data, size_t bytes)
{
    const int fd = open(w->file, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, bytes, (off_t)at), bytes);
    close(fd);
}

/* Read what is there now: as it was, or refused in one line that names the file, and where it can the page. */
static void look(wound_t *w, const char *what, size_t at)
{
    uint64_t values = 0;
    verifies = w->tried % 2;
    catch_start();
    const status_t status = w->victim->read(w->folder, &values);
    catch_stop();
    const char *text = catch_text(), *line_end = strchr(text, '\n');
    if (line_end && strstr(text, "its last record is not whole")) /* a warning before it */
        line_end = strchr(line_end + 1, '\n');
    const bool one_line = line_end && !line_end[1], named = strstr(text, w->folder) != NULL;
    const bool same = status == ST_OK && values == w->values;
    const bool refused = status == ST_CORRUPT && one_line && named;
    if (!same && !refused)
        print_error("%s, %s at %zu: status %d, values %s: %s\n", w->victim->name, what, at, (int)status,
                    values == w->values ? "same" : "other", text);
    assert_true(same || refused);
    if (!w->victim->older && refused && !strstr(text, "page ") && !strstr(text, LMDB_SUMS) && !strstr(text, "cut short")) {
        print_error("%s, %s at %zu: %s\n", w->victim->name, what, at, text);
        fail();
    }
    w->refused += refused;
    w->tried++;
}

static void flip(wound_t *w, size_t bit)
{
    const char bad = (char)(w->good[bit / 8] ^ (1 << bit % 8));
    put(w, bit / 8, &bad, 1);
    look(w, "a bit", bit);
    put(w, bit / 8, &w->good[bit / 8], 1);
}

static void flip_bits(size_t number, const char *file)
{
    wound_t w;
    open_wound(&w, number, file);
    const char *wanted = getenv("ROT_FLIPS");
    const int64_t flips = wanted ? atoll(wanted) : FLIPS;
    for (int64_t i = 0; i < flips; i++)
        flip(&w, rng_u64(8, number, (uint64_t)i) % (8 * w.bytes));
    close_wound(&w);
}

static void test_bits_of_files(void **state)
{
    (void)state;
    for (size_t v = 0; v < VICTIMS; v++)
        flip_bits(v, LMDB_DATA);
}

static void test_bits_of_checksums(void **state)
{
    (void)state;
    for (size_t v = 0; v < VICTIMS; v++)
        if (!victims[v].older)
            flip_bits(v, LMDB_SUMS);
}

/* The bits that say where something is: the heads of all pages, and both metas wholly. */
static void test_bits_of_structure(void **state)
{
    (void)state;
    for (size_t v = 0; v < VICTIMS; v++) {
        wound_t w;
        open_wound(&w, v, LMDB_DATA);
        for (size_t page = 0; page < w.bytes / PAGE; page++) {
            const size_t bits = page < 2 ? 8 * 152 : 8 * 24, step = page < 2 ? 7 : 23;
            for (size_t bit = rng_u64(9, v, page) % step; bit < bits; bit += step)
                flip(&w, 8 * page * PAGE + bit);
        }
        close_wound(&w);
    }
}

/* Every page zeroed, replaced by its neighbour's bytes, exchanged with another one, and the last one. */
static void test_pages(void **state)
{
    (void)state;
    static const char zeros[PAGE];
    for (size_t v = 0; v < VICTIMS; v++) {
        wound_t w;
        open_wound(&w, v, LMDB_DATA);
        const size_t pages = w.bytes / PAGE;
        for (size_t page = 0; page < pages; page++) {
            const size_t other = rng_u64(10, v, page) % pages, next = (page + 1) % pages;
            put(&w, page * PAGE, zeros, PAGE);
            look(&w, "a page of zeros", page);
            put(&w, page * PAGE, w.good + next * PAGE, PAGE);
            look(&w, "a page written to another place", page);
            put(&w, page * PAGE, w.good + other * PAGE, PAGE);
            put(&w, other * PAGE, w.good + page * PAGE, PAGE);
            look(&w, "two pages exchanged", page);
            put(&w, page * PAGE, w.good + page * PAGE, PAGE);
            put(&w, other * PAGE, w.good + other * PAGE, PAGE);
        }
        close_wound(&w);
    }
}

static void test_cut_off(void **state)
{
    (void)state;
    for (size_t v = 0; v < VICTIMS; v++)
        for (int sums = 0; sums < (victims[v].older ? 1 : 2); sums++) {
            wound_t w;
            open_wound(&w, v, sums ? LMDB_SUMS : LMDB_DATA);
            for (size_t i = 0; i < 40; i++) {
                assert_int_equal(truncate(w.file, (off_t)(rng_u64(11, v, i) % w.bytes)), 0);
                look(&w, "the end cut off", i);
                put(&w, 0, w.good, w.bytes);
            }
            close_wound(&w);
        }
}

/* "a finished file says that it has checksums": without them it is not taken for one of an older version. */
static void test_checksums_are_missed(void **state)
{
    (void)state;
    for (size_t v = 0; v < VICTIMS; v++) {
        if (victims[v].older)
            continue;
        wound_t w;
        uint64_t values = 0;
        open_wound(&w, v, LMDB_SUMS);
        assert_int_equal(unlink(w.file), 0);
        catch_start();
        assert_int_equal(w.victim->read(w.folder, &values), ST_CORRUPT);
        catch_stop();
        assert_caught(w.folder);
        assert_caught(": data.sums is missing, the checksums of the pages of data.mdb");
        assert_int_equal(file_write_atomic(w.file, w.good, w.bytes), ST_OK);
        close_wound(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_of_files),     cmocka_unit_test(test_bits_of_checksums),
        cmocka_unit_test(test_bits_of_structure), cmocka_unit_test(test_pages),
        cmocka_unit_test(test_cut_off),           cmocka_unit_test(test_checksums_are_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
