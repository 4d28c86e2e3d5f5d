/* Proves of compaction.h and load.h: whenever a fold ends before its time, killed at any of its crash points or between two
 * batches, base and files together are still the checkpoint; and every way in which a shard's files may be wrong is named:
 * missing, damaged, of another format, checkpoint or experiment, a gap in the chain, a base that has gone past the checkpoint.
 *
 * The model of a checkpoint is a plain array: each row's last value. */
#include "ps/checkpoint/compaction.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/net/slots.h"
#include "common/process/failpoint.h"
#include "ps/checkpoint/base.h"
#include "ps/checkpoint/load.h"
#include "tests/lib/testing.h"

#define EPOCH 3
#define SHARD 0
#define TABLES 2
#define ROWS 900 /* of the wide table: several blocks of a delta */
#define DELTAS 3
#define DEPTH 1

static const int64_t steps[DELTAS] = {10, 20, 30};
static const int dims[TABLES] = {2, 1000};

static int64_t rows_of(uint32_t table)
{
    return table == 0 ? 500 : ROWS;
}

/* Which of the deltas change a row: the first all, later ones some; the row's value tells the last one. */
static bool is_changed(uint64_t key, int delta)
{
    return delta == 0 || (key + (uint64_t)delta) % 3 == 0;
}

static float value(uint64_t key, uint32_t table, int delta)
{
    while (!is_changed(key, delta))
        delta--;
    return (float)(key * 10 + table) + (float)delta * 0.25f;
}

static table_t *make_table(uint32_t id, int dim)
{
    const table_options_t options = {.id = id,
                                     .dim = dim,
                                     .optimizer = OPTIMIZER_SGD,
                                     .settings = {.learning_rate = 1, .initial_accumulator = 0, .epsilon = 0}};
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    return table;
}

static void widths_of(delta_width_t widths[TABLES])
{
    for (int t = 0; t < TABLES; t++)
        widths[t] = (delta_width_t){(uint32_t)dims[t], (uint32_t)dims[t]}; /* SGD has no state */
}

static void put(delta_writer_t *writer, delta_block_t **block)
{
    assert_int_equal(delta_writer_put(writer, *block), ST_OK);
    delta_block_destroy(block);
}

#define RUN UINT64_C(0xa1)

/* Who writes: a run, and of two that went on from one checkpoint of it, each in a copy of its folder, which one. */
static struct writer {
    uint64_t identity;
    uint32_t copy;
    hash128_t checksums[DELTAS]; /* of its deltas */
} us = {.identity = RUN}, *writer_now = &us;

static void write_delta(int delta)
{
    delta_width_t widths[TABLES];
    widths_of(widths);
    const delta_head_t head = {
        .incarnation = EPOCH,
        .shard = SHARD,
        .step = steps[delta],
        .previous = delta > 0 ? steps[delta - 1] : -1,
        .depth = DEPTH,
        .tables = TABLES,
        .widths = widths,
        .identity = writer_now->identity,
        .follows = delta > 0 ? writer_now->checksums[delta - 1] : (hash128_t){0},
    };
    char *path = checkpoint_delta_path(test_path("run"), EPOCH, SHARD, steps[delta]);
    pool_t *pool = pool_create();
    delta_writer_t *writer = NULL;
    delta_totals_t totals;
    float floats[1000];
    assert_int_equal(delta_writer_create(disk_posix(), path, &head, &writer), ST_OK);
    delta_block_t *block = delta_block_create(pool, DELTA_ROWS, 0, 0);
    for (uint32_t t = 0; t < TABLES; t++)
        for (uint64_t key = 0; key < (uint64_t)rows_of(t); key++) {
            if (!is_changed(key, delta))
                continue;
            for (int i = 0; i < dims[t]; i++)
                floats[i] = value(key, t, delta);
            const table_row_t row = {key, (uint32_t)steps[delta], (uint32_t)delta + 1 + writer_now->copy, floats};
            if (delta_block_row(block, t, dims[t], &row))
                continue;
            put(writer, &block);
            block = delta_block_create(pool, DELTA_ROWS, 0, 0);
            assert_true(delta_block_row(block, t, dims[t], &row));
        }
    put(writer, &block);
    for (int sender = 0; sender < 2; sender++) {
        block = delta_block_create(pool, DELTA_PENDING, steps[delta] - 1, sender);
        floats[0] = floats[1] = (float)(delta + sender + 1);
        assert_true(delta_block_pending(block, 0, 2, 7, floats));
        put(writer, &block);
    }
    assert_int_equal(delta_writer_finish(writer, &totals), ST_OK);
    writer_now->checksums[delta] = (hash128_t){totals.checksum_low, totals.checksum_high};
    delta_writer_destroy(&writer);
    pool_destroy(&pool);
    mem_free(path);
}

static void write_deltas(void)
{
    char *folder = checkpoint_shard_path(test_path("run"), EPOCH, SHARD);
    assert_int_equal(disk_make_dir(disk_posix(), folder), ST_OK);
    mem_free(folder);
    for (int delta = 0; delta < DELTAS; delta++)
        write_delta(delta);
}

/* ---- restore ---------------------------------------------------------------------------------------------------------- */

typedef struct model {
    table_t *tables[TABLES];
    pending_gradients_t *pending;
} model_t;

static status_t restore(model_t *model, int delta, int shard, int shards)
{
    for (uint32_t t = 0; t < TABLES; t++)
        model->tables[t] = make_table(t, dims[t]);
    model->pending = pending_gradients_create(steps[delta] - DEPTH, steps[delta], model->tables, TABLES);
    const restore_plan_t plan = {.disk = disk_posix(),
                                 .run_dir = test_path("run"),
                                 .incarnation = EPOCH,
                                 .step = steps[delta],
                                 .depth = DEPTH,
                                 .folders = 1,
                                 .shard = shard,
                                 .shards = shards,
                                 .deltas = steps,
                                 .n_deltas = delta + 1,
                                 .tables = model->tables,
                                 .n_tables = TABLES,
                                 .pending = model->pending,
                                 .identity = RUN,
                                 .ends = &us.checksums[delta]};
    return restore_tables(&plan);
}

static void model_fini(model_t *model)
{
    for (int t = 0; t < TABLES; t++)
        table_destroy(&model->tables[t]);
    pending_gradients_destroy(&model->pending);
}

typedef struct gradients {
    int n;
    float sum;
} gradients_t;

static void add_gradient(void *context, int64_t step, int sender, uint32_t table, uint64_t key, const float *g)
{
    gradients_t *sum = context;
    (void)step;
    assert_int_equal(table, 0);
    assert_int_equal(key, 7);
    sum->n++;
    sum->sum += g[0] * (float)(sender == 0 ? 1 : 100);
}

/* Every row that belongs to the shard is there, once, as the delta or an earlier one has left it. */
static void assert_restored(int delta, int shard, int shards)
{
    model_t model;
    float *w = MEM_ARRAY(float, dims[1]);
    assert_int_equal(restore(&model, delta, shard, shards), ST_OK);
    for (uint32_t t = 0; t < TABLES; t++) {
        int64_t own = 0;
        for (uint64_t key = 0; key < (uint64_t)rows_of(t); key++) {
            if (slots_shard((int)hash_slot(key), shards) != shard)
                continue;
            own++;
            table_peek(model.tables[t], &key, 1, w);
            for (int i = 0; i < dims[t]; i++)
                if (w[i] != value(key, t, delta))
                    fail_msg("table %u, row %" PRIu64 ": %g, wanted %g", t, key, w[i], value(key, t, delta));
        }
        assert_int_equal(table_rows(model.tables[t]), own);
    }
    gradients_t sum = {0};
    pending_gradients_visit(model.pending, steps[delta] - 1, add_gradient, &sum);
    const bool is_own = slots_shard((int)hash_slot(7), shards) == shard;
    assert_int_equal(sum.n, is_own ? 2 : 0);
    assert_true(sum.sum == (is_own ? (float)(delta + 1 + 100 * (delta + 2)) : 0));
    model_fini(&model);
    mem_free(w);
}

/* A delta may say any number of a worker; memory is taken for those that have pushed. */
static void test_a_sender_of_a_high_number(void **state)
{
    (void)state;
    enum { SENDER = 65535, AT = 400 };
    static const float g[4096] = {0.5f};
    gradients_t sum = {0};
    model_t model;
    for (uint32_t t = 0; t < TABLES; t++)
        model.tables[t] = make_table(t, dims[t]);
    model.pending = pending_gradients_create(0, 1000, model.tables, TABLES);
    pending_gradients_put(model.pending, AT, SENDER, 0, 7, g);
    pending_gradients_put(model.pending, AT, 3, 0, 7, g);
    pending_gradients_visit(model.pending, AT, add_gradient, &sum);
    assert_int_equal(sum.n, 2);
    pending_gradients_apply(model.pending, AT);
    assert_int_equal(table_rows(model.tables[0]), 1);
    model_fini(&model);
}

/* ---- fold ------------------------------------------------------------------------------------------------------------- */

/* A block of a delta is a batch. */
static compaction_t *open_fold(const char *run, uint32_t incarnation, int shard)
{
    static delta_width_t widths[TABLES];
    widths_of(widths);
    const compaction_options_t options = {.disk = disk_posix(),
                                          .run_dir = run,
                                          .identity = writer_now->identity,
                                          .incarnation = incarnation,
                                          .shard = shard,
                                          .widths = widths,
                                          .tables = TABLES,
                                          .batch_bytes = 1};
    return compaction_create(&options);
}

/* Fold this many deltas, but at most `most` pieces of it; how many pieces it took. */
static int fold_deltas(int deltas, int most)
{
    char *run = mem_strdup(test_path("run"));
    compaction_t *fold = open_fold(run, EPOCH, SHARD);
    bool more = true;
    int pieces = 0;
    compaction_begin(fold, steps, deltas);
    for (; more && pieces < most; pieces++)
        assert_int_equal(compaction_some(fold, &more), ST_OK);
    compaction_destroy(&fold);
    mem_free(run);
    return pieces;
}

static void test_a_fold_may_end_anywhere(void **state)
{
    (void)state;
    test_dir();
    write_deltas();
    const int pieces = fold_deltas(2, 1000);
    assert_true(pieces >= 4); /* more than one batch a delta */
    assert_restored(1, 0, 1);
    assert_restored(2, 0, 1);
    for (int most = 0; most < pieces; most++) {
        test_dir();
        write_deltas();
        assert_int_equal(fold_deltas(2, most), most);
        assert_restored(1, most % 2, 2); /* the oldest that is kept */
        assert_restored(2, 0, 1);
    }
}

/* As a process dies: at each crash point, every time that it comes to it. */
static void test_a_fold_may_be_killed_anywhere(void **state)
{
    (void)state;
    static const char *const points[] = {"compaction.begun", "compaction.batch", "compaction.done", "delta.synced",
                                         "delta.renamed"};
    for (size_t p = 0; p < sizeof points / sizeof *points; p++)
        for (int nth = 1, killed = 1; killed; nth++) {
            assert_true(nth < 60); /* two deltas of sixteen passes */
            test_dir();
            write_deltas();
            const pid_t child = fork();
            if (child == 0) {
                char *wish = mem_printf("server:%s:%d", points[p], nth);
                catch_start(); /* it says that it will */
                setenv("SMELTER_CRASH", wish, 1);
                if (failpoint_check_environment() != ST_OK)
                    _exit(2);
                failpoint_arm("server 0");
                fold_deltas(2, 1000);
                _exit(0);
            }
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
            assert_true(killed || nth > 1); /* the point is on the way */
            assert_restored(1, 0, 1);
            assert_restored(2, nth % 3, 3);
        }
}

static void test_what_a_fold_leaves(void **state)
{
    (void)state;
    test_dir();
    write_deltas();
    fold_deltas(2, 1000);
    store_t *base = NULL;
    base_mark_t mark;
    assert_int_equal(store_open(test_path("run/checkpoint/epoch-0003/shard-0/base"), false, &base), ST_OK);
    assert_int_equal(base_mark(base, &mark), ST_OK);
    assert_int_equal(mark.step, 20);
    assert_int_equal(mark.compacting_to, -1);
    assert_int_equal(mark.incarnation, EPOCH);
    assert_int_equal(store_rows(base), rows_of(0) + rows_of(1));
    assert_int_equal(store_table_rows(base, 0), rows_of(0));
    assert_int_equal(store_table_rows(base, 1), rows_of(1));
    assert_int_equal(store_table_rows(base, 2), 0);
    store_close(&base);
    static const struct {
        const char *name;
        bool is_there;
    } files[] = {{"step-000000000010.delta", false},
                 {"step-000000000010.pending", false},
                 {"step-000000000020.delta", false},
                 {"step-000000000020.pending", true},
                 {"step-000000000030.delta", true}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(file_exists(test_path("run/checkpoint/epoch-0003/shard-0/%s", files[i].name)), files[i].is_there);

    /* A later incarnation sweeps it away; another shard's run of the same incarnation does not. */
    char *run = mem_strdup(test_path("run"));
    compaction_t *fold = open_fold(run, EPOCH, SHARD + 1);
    assert_int_equal(compaction_remove_older(fold), ST_OK);
    assert_int_equal(compaction_remove_own(fold), ST_OK);
    compaction_destroy(&fold);
    assert_restored(2, 0, 1);
    fold = open_fold(run, EPOCH + 1, SHARD);
    assert_int_equal(compaction_remove_own(fold), ST_OK);
    assert_int_equal(compaction_remove_older(fold), ST_OK);
    compaction_destroy(&fold);
    assert_false(file_exists(test_path("run/checkpoint/epoch-0003/shard-0")));
    assert_true(file_exists(test_path("run/checkpoint/epoch-0004/shard-0")));
    mem_free(run);
}

/* ---- damage ----------------------------------------------------------------------------------------------------------- */

static void expect_refusal(int delta, status_t wanted, const char *text)
{
    model_t model;
    catch_start();
    assert_int_equal(restore(&model, delta, 0, 1), wanted);
    catch_stop();
    assert_caught(text);
    model_fini(&model);
}

static void change_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    const int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 4, file);
    fclose(file);
}

/* Add `by` to the last weight of row 5 of the wide table, wherever it is in the file. */
static void change_row(const char *path, int by)
{
    char *data;
    size_t bytes;
    float row[1000];
    for (int i = 0; i < 1000; i++)
        row[i] = value(5, 1, 1) + (float)(i == 999 && by < 0);
    assert_int_equal(file_read(path, &data, &bytes), ST_OK);
    int found = 0;
    for (char *at = data; (at = memmem(at, bytes - (size_t)(at - data), row, sizeof row)); found++) {
        row[999] += (float)by;
        memcpy(at, row, sizeof row);
        row[999] -= (float)by;
    }
    assert_true(found > 0);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
    mem_free(data);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    const char *const shard = "run/checkpoint/epoch-0003/shard-0";
    test_dir();
    expect_refusal(2, ST_INPUT, "step-000000000010.delta: is not on this host; copy the run's whole folder to every host");
    write_deltas();
    assert_int_equal(unlink(test_path("%s/step-000000000020.delta", shard)), 0);
    expect_refusal(2, ST_INPUT, "step-000000000020.delta: is not on this host");
    write_delta(1);
    change_byte(test_path("%s/step-000000000020.delta", shard), 100000);
    expect_refusal(2, ST_CORRUPT, "differs from its checksum: the file is damaged");
    change_byte(test_path("%s/step-000000000020.delta", shard), 100000);
    assert_restored(2, 0, 1);
    assert_int_equal(truncate(test_path("%s/step-000000000030.delta", shard), 200000), 0);
    expect_refusal(2, ST_CORRUPT, "step-000000000030.delta: ends at byte 200000, ");
    assert_restored(1, 0, 1); /* another checkpoint does not need it */
    write_delta(2);
    change_byte(test_path("%s/step-000000000030.delta", shard), 8);
    expect_refusal(2, ST_CORRUPT, "this build reads formats 1 to 2: use the build that wrote it");
    write_delta(2);

    /* A file under another's name. */
    char *from = mem_strdup(test_path("%s/step-000000000010.delta", shard));
    assert_int_equal(rename(from, test_path("%s/step-000000000020.delta", shard)), 0);
    write_delta(0);
    expect_refusal(2, ST_CORRUPT,
                   "is of incarnation 3, shard 0, step 10; incarnation 3, shard 0, step 20 is wanted: files were mixed up");
    mem_free(from);
}

/* A gap: the manifest does not name the step between. */
static void test_a_gap_is_named(void **state)
{
    (void)state;
    test_dir();
    write_deltas();
    model_t model;
    for (uint32_t t = 0; t < TABLES; t++)
        model.tables[t] = make_table(t, dims[t] + (t == 1));
    model.pending = pending_gradients_create(29, 30, model.tables, TABLES);
    int64_t chain[] = {10, 30};
    restore_plan_t plan = {.disk = disk_posix(),
                           .run_dir = test_path("run"),
                           .incarnation = EPOCH,
                           .step = 30,
                           .depth = DEPTH,
                           .folders = 1,
                           .shards = 1,
                           .deltas = chain,
                           .n_deltas = 2,
                           .tables = model.tables,
                           .n_tables = TABLES,
                           .pending = model.pending,
                           .identity = RUN};
    catch_start();
    assert_int_equal(restore_tables(&plan), ST_CORRUPT);
    assert_caught("table 1 of the checkpoint is not as wide as this run's, or this run has none: it is of another experiment");
    plan.n_tables = 1;
    assert_int_equal(restore_tables(&plan), ST_CORRUPT);
    catch_stop();
    assert_caught("it is of another experiment");
    model_fini(&model);
    for (uint32_t t = 0; t < TABLES; t++)
        model.tables[t] = make_table(t, dims[t]);
    model.pending = plan.pending = pending_gradients_create(29, 30, model.tables, TABLES);
    plan.n_tables = TABLES;
    catch_start();
    assert_int_equal(restore_tables(&plan), ST_CORRUPT);
    catch_stop();
    assert_caught("leads from step 20, and the files before it lead to step 10: one is missing between");
    model_fini(&model);
}

static void test_what_is_wrong_with_a_base_is_named(void **state)
{
    (void)state;
    test_dir();
    write_deltas();
    fold_deltas(2, 1000);
    const char *const shard = "run/checkpoint/epoch-0003/shard-0";
    expect_refusal(0, ST_CORRUPT,
                   "has rows of the checkpoint before step 20, and that before step 10 is wanted: it was dropped");
    char *pending = mem_strdup(test_path("%s/step-000000000020.pending", shard)), *away = mem_printf("%s.away", pending);
    assert_int_equal(rename(pending, away), 0);
    expect_refusal(1, ST_INPUT, "step-000000000020.pending: is not on this host");
    assert_restored(2, 0, 1); /* has its own */
    assert_int_equal(rename(away, pending), 0);
    mem_free(pending);
    mem_free(away);

    /* A bit of a row, wherever LMDB has a copy of it. */
    char *data = mem_strdup(test_path("%s/base/data.mdb", shard));
    change_row(data, 1);
    expect_refusal(1, ST_CORRUPT, " of data.mdb has checksum ");
    change_row(data, -1);
    assert_restored(1, 0, 1);
    assert_int_equal(truncate(data, 4096L * 500), 0);
    expect_refusal(1, ST_CORRUPT, "data.mdb was cut short");
    assert_int_equal(unlink(data), 0);
    expect_refusal(1, ST_INPUT, "base: no stored rows there");
    mem_free(data);
}

/* ---- other runs --------------------------------------------------------------------------------------------------------- */

#define AT "run/checkpoint/epoch-0003/shard-0/"

static void copy_file(const char *from, const char *to)
{
    char *data;
    size_t bytes;
    assert_int_equal(file_read(from, &data, &bytes), ST_OK);
    assert_int_equal(file_write_atomic(to, data, bytes), ST_OK);
    mem_free(data);
}

/* A delta under the right name, of the right incarnation, shard and step, and whole: refused where another run wrote it, or the
 * same run in another copy of its folder, whichever of the chain it is. */
static void test_deltas_of_other_runs(void **state)
{
    (void)state;
    struct writer other_run = {.identity = 0xb2}, other_copy = {.identity = RUN, .copy = 1}, older = {0};
    test_dir();
    write_deltas();
    for (int delta = 0; delta < DELTAS; delta++) {
        char *named = mem_printf("step-%012d.delta: its run id is 00000000000000b2, that of the run is 00000000000000a1",
                                 (int)steps[delta]);
        writer_now = &other_run;
        write_delta(delta);
        writer_now = &us;
        expect_refusal(2, ST_CORRUPT, named);
        write_delta(delta);
        mem_free(named);
    }
    writer_now = &older;
    write_delta(1);
    expect_refusal(2, ST_CORRUPT, "step-000000000020.delta: its run id is not recorded, that of the run is 00000000000000a1");
    writer_now = &other_copy;
    write_deltas();
    expect_refusal(2, ST_CORRUPT, "step-000000000030.delta: its checksum is ");
    expect_refusal(0, ST_CORRUPT, "step-000000000010.delta: its checksum is ");
    writer_now = &us;
    write_delta(0);
    write_delta(2);
    expect_refusal(2, ST_CORRUPT, "step-000000000020.delta: follows a file with checksum ");
    write_delta(1);
    assert_restored(2, 0, 1);
}

/* The same of a base and of its pending pushes. */
static void test_bases_of_other_runs(void **state)
{
    (void)state;
    struct writer other_run = {.identity = 0xb2}, other_copy = {.identity = RUN, .copy = 1};
    test_dir();
    char *pending = mem_strdup(test_path(AT "step-000000000020.pending")), *ours = mem_strdup(test_path("ours"));
    write_deltas();
    fold_deltas(2, 1000);
    copy_file(pending, ours);
    assert_restored(1, 0, 1);

    writer_now = &other_run;
    write_deltas();
    fold_deltas(2, 1000);
    writer_now = &us;
    expect_refusal(1, ST_CORRUPT, "base: its run id is 00000000000000b2, that of the run is 00000000000000a1");

    writer_now = &other_copy;
    write_deltas();
    fold_deltas(2, 1000);
    writer_now = &us;
    write_delta(2);
    expect_refusal(1, ST_CORRUPT, "base: took in a delta of step 20 with checksum ");
    expect_refusal(2, ST_CORRUPT, "step-000000000030.delta: follows a file with checksum ");

    char *theirs = mem_strdup(test_path("theirs"));
    copy_file(pending, theirs);
    write_deltas();
    fold_deltas(2, 1000);
    assert_restored(1, 0, 1);
    copy_file(theirs, pending);
    expect_refusal(1, ST_CORRUPT, "step-000000000020.pending: follows a file with checksum ");
    copy_file(ours, pending);
    assert_restored(1, 0, 1);
    mem_free(pending);
    mem_free(ours);
    mem_free(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fold_may_end_anywhere),
        cmocka_unit_test(test_a_fold_may_be_killed_anywhere),
        cmocka_unit_test(test_what_a_fold_leaves),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_a_gap_is_named),
        cmocka_unit_test(test_what_is_wrong_with_a_base_is_named),
        cmocka_unit_test(test_deltas_of_other_runs),
        cmocka_unit_test(test_bases_of_other_runs),
        cmocka_unit_test(test_a_sender_of_a_high_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
