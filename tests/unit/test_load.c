/* test_load - "Resuming with another server count moves slots": rows that any number of shards have stored come back,
 * each exactly once, to any other number of shards, in the tables that the map names; what does not fit is refused with
 * its reason. */
#include "ps/checkpoint/load.h"

#include <unistd.h>

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/net/slots.h"
#include "ps/checkpoint/store.h"
#include "tests/lib/testing.h"

#define TABLES 3
#define ROWS 4000
#define DIM 4

static table_t *make_table(uint32_t id, int dim)
{
    const table_options_t options = {.id = id,
                                     .dim = dim,
                                     .optimizer = OPTIMIZER_ADAGRAD,
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f},
                                     .init_std = 0.05f,
                                     .seed = 4};
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    return table;
}

/* The slot table, said differently: shard s of S ends where (s + 1) / S of all slots do. */
static int owner(int slot, int shards)
{
    int s = 0;
    while ((int64_t)(s + 1) * HASH_SLOTS <= (int64_t)slot * shards)
        s++;
    return s;
}

static uint64_t key_of(int table, int i)
{
    return rng_u64(7, (uint64_t)table, (uint64_t)i);
}

#define RUN UINT64_C(0xabc)
#define EPOCH 2
#define SHARDS_MOST 5

/* What the shards of the run stored last have stored, as its manifest has it. */
static hash_digest_t stored[SHARDS_MOST];

/* A store is written by the shard of this number, run and start. */
static store_origin_t origin_of(int shard)
{
    return (store_origin_t){RUN, EPOCH, shard};
}

static load_plan_t plan_of(const char *dir, int folders, int shard, int shards, const int32_t *map, table_t *const *tables,
                           uint32_t n)
{
    return (load_plan_t){
        .run_dir = dir,
        .folders = folders,
        .shard = shard,
        .shards = shards,
        .map = map,
        .maps = TABLES,
        .tables = tables,
        .n_tables = n,
        .identity = RUN,
        .incarnation = EPOCH,
        .stores = stored,
    };
}

/* A run of `shards` shards whose rows were trained a little; digest of all rows. */
static void store_run(const char *dir, int shards, hash_digest_t *digest)
{
    for (int s = 0; s < shards; s++) {
        const store_origin_t origin = origin_of(s);
        stored[s] = (hash_digest_t){0};
        char *path = mem_printf("%s/store/shard-%d", dir, s);
        store_t *store = NULL;
        assert_int_equal(dir_create(path), ST_OK);
        assert_int_equal(store_open(path, true, &store), ST_OK);
        assert_int_equal(store_put_origin(store, &origin), ST_OK);
        for (int t = 0; t < TABLES; t++) {
            table_t *table = make_table((uint32_t)t, DIM);
            for (int i = 0; i < ROWS; i++) {
                const uint64_t key = key_of(t, i);
                const float g[DIM] = {(float)i, 1.0f, -2.0f, (float)t};
                if (owner((int)hash_slot(key), shards) == s)
                    table_push(table, &key, g, 1, (uint32_t)i);
            }
            table_digest(table, &stored[s]);
            assert_int_equal(store_put_table(store, table), ST_OK);
            table_destroy(&table);
        }
        store_close(&store);
        mem_free(path);
        hash_digest_merge(digest, &stored[s]);
    }
}

static void test_slots_are_shared_out(void **state)
{
    (void)state;
    for (int shards = 1; shards <= 130; shards++) {
        for (int slot = 0; slot < HASH_SLOTS; slot++)
            assert_int_equal(slots_shard(slot, shards), owner(slot, shards));
        for (int s = 0; s <= shards; s++) {
            const int first = slots_first(s, shards);
            assert_true(first == HASH_SLOTS ? s == shards : owner(first, shards) == s);
            assert_true(first == 0 ? s == 0 : owner(first - 1, shards) == s - 1);
        }
    }
}

static void test_any_number_of_shards(void **state)
{
    (void)state;
    static const int32_t map[TABLES] = {0, 1, 2};
    static const int counts[] = {1, 2, 3, 5};
    for (int a = 0; a < 4; a++) {
        const char *dir = test_dir();
        hash_digest_t whole = {0};
        store_run(dir, counts[a], &whole);
        for (int b = 0; b < 4; b++) {
            hash_digest_t loaded = {0}, reported = {0};
            int64_t rows = 0;
            for (int s = 0; s < counts[b]; s++) {
                table_t *tables[TABLES];
                for (int t = 0; t < TABLES; t++)
                    tables[t] = make_table((uint32_t)t, DIM);
                const load_plan_t plan = plan_of(dir, counts[a], s, counts[b], map, tables, TABLES);
                load_sum_t sum;
                assert_int_equal(load_tables(&plan, &sum), ST_OK);
                for (int t = 0; t < TABLES; t++) {
                    table_digest(tables[t], &loaded);
                    for (int64_t i = 0; i < table_rows(tables[t]); i++) {
                        const table_row_t row = table_row_at(tables[t], i);
                        assert_int_equal(owner((int)hash_slot(row.key), counts[b]), s);
                        assert_int_equal(row.count, 1);
                    }
                    table_destroy(&tables[t]);
                }
                hash_digest_merge(&reported, &sum.digest);
                rows += sum.rows;
            }
            assert_int_equal(rows, TABLES * ROWS);
            assert_memory_equal(&loaded, &whole, sizeof whole);
            assert_memory_equal(&reported, &whole, sizeof whole);
        }
    }
}

static void test_map(void **state)
{
    (void)state;
    static const int32_t map[TABLES] = {1, -1, 0};
    const char *dir = test_dir();
    hash_digest_t digest = {0};
    store_run(dir, 2, &digest);
    table_t *tables[2] = {make_table(0, DIM), make_table(1, DIM)};
    const load_plan_t plan = plan_of(dir, 2, 0, 1, map, tables, 2);
    load_sum_t sum;
    assert_int_equal(load_tables(&plan, &sum), ST_OK);
    assert_int_equal(sum.rows, 2 * ROWS);
    static const int source[2] = {2, 0};
    for (int t = 0; t < 2; t++) {
        assert_int_equal(table_rows(tables[t]), ROWS);
        for (int i = 0; i < ROWS; i += 97) {
            const uint64_t key = key_of(source[t], i);
            const float g[DIM] = {(float)i, 1.0f, -2.0f, (float)source[t]};
            float wanted[DIM], got[DIM];
            table_t *again = make_table((uint32_t)source[t], DIM);
            table_push(again, &key, g, 1, (uint32_t)i);
            table_peek(again, &key, 1, wanted);
            table_peek(tables[t], &key, 1, got);
            assert_memory_equal(got, wanted, sizeof wanted);
            table_destroy(&again);
        }
        table_destroy(&tables[t]);
    }
}

static void assert_refused(const load_plan_t *plan, status_t wanted, const char *message)
{
    load_sum_t sum;
    catch_start();
    status_t status = load_tables(plan, &sum);
    catch_stop();
    assert_int_equal(status, wanted);
    assert_caught(message);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    static const int32_t map[TABLES] = {0, 0, 0};
    const char *dir = test_dir();
    hash_digest_t digest = {0};
    store_run(dir, 2, &digest);
    table_t *narrow = make_table(0, DIM), *wide = make_table(0, DIM + 1);
    load_plan_t plan = plan_of(dir, 2, 0, 1, map, &wide, 1);
    assert_refused(&plan, ST_INPUT, "rows of table 0 have 8 floats with optimizer state, 10 are wanted");
    plan.tables = &narrow;
    plan.maps = 1;
    assert_refused(&plan, ST_INPUT, "and 1 tables were expected: the run had other fields or components");
    table_destroy(&narrow);
    narrow = make_table(0, DIM);
    plan.folders = 3;
    plan.maps = TABLES;
    assert_refused(&plan, ST_INPUT, "store/shard-2: is not on this host; copy the run's whole folder");
    table_destroy(&narrow);
    narrow = make_table(0, DIM);
    /* A key that is there already. */
    assert_int_equal(table_put(narrow, &(table_row_t){key_of(0, 0), 1, 1, (float[2 * DIM]){0}}, 1), ST_OK);
    plan.folders = 2;
    assert_refused(&plan, ST_CORRUPT, "is there twice");
    table_destroy(&narrow);
    table_destroy(&wide);
}

/* A store under the right name is refused before a row of it is taken, where it is of another run, start or shard, or holds
 * other rows than the manifest says. */
static void test_stores_are_not_mixed_up(void **state)
{
    (void)state;
    static const int32_t map[TABLES] = {0, -1, -1};
    const char *dir = test_dir();
    hash_digest_t digest = {0};
    store_run(dir, 2, &digest);
    table_t *table = make_table(0, DIM);
    load_plan_t plan = plan_of(dir, 2, 0, 1, map, &table, 1);
    plan.identity = RUN + 1;
    assert_refused(&plan, ST_CORRUPT,
                   "store/shard-0: its run id is 0000000000000abc, that of the run is 0000000000000abd: another run wrote it");
    plan.identity = 0; /* a run from before there were ids has none of these */
    assert_refused(&plan, ST_CORRUPT, "store/shard-0: its run id is 0000000000000abc, that of the run is not recorded");
    plan.identity = RUN;
    plan.incarnation = EPOCH + 1;
    assert_refused(&plan, ST_CORRUPT,
                   "store/shard-0: is of shard 0, written by start 2 of the run; shard 0 of start 3 is wanted");
    plan.incarnation = EPOCH;
    stored[0].low++;
    assert_refused(&plan, ST_CORRUPT, "store/shard-0: holds ");
    stored[0].low--;
    stored[0].elements++;
    assert_refused(&plan, ST_CORRUPT, ": it is not what the run ended with");
    stored[0].elements--;
    assert_int_equal(table_rows(table), 0);
    char *first = mem_printf("%s/store/shard-0/data.mdb", dir), *second = mem_printf("%s/store/shard-1/data.mdb", dir);
    assert_int_equal(unlink(second), 0);
    assert_int_equal(link(first, second), 0);
    assert_refused(&plan, ST_CORRUPT,
                   "store/shard-1: is of shard 0, written by start 2 of the run; shard 1 of start 2 is wanted");
    mem_free(first);
    mem_free(second);
    table_destroy(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_shared_out), cmocka_unit_test(test_any_number_of_shards),    cmocka_unit_test(test_map),
        cmocka_unit_test(test_what_does_not_fit),    cmocka_unit_test(test_stores_are_not_mixed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
