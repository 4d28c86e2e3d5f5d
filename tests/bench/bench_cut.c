/* bench_cut - a shard's part of checkpoints (ps/checkpoint/shard_snapshot.h), without a network: 2,000,000 rows of 8 weights
 * under AdaGrad, of which 20,000 with skewed keys are stepped at a time.
 *
 *     write   a checkpoint of all rows, from the freeze to the durable file, while nothing else is done; beside it the same
 * number of
 *             bytes written in order to a plain file and synced
 *     slice   the longest call of the shard's thread for it: freeze and slices
 *     restore the same rows into an empty table, from the checkpoint's file and, after a fold, from the base
 *     fold    that checkpoint and a second one, of the rows that STEPS pushes have changed, are taken into the base
 *
 * and the bytes that the process has handed to the disk on the way, over the bytes of the rows that had to be saved: key,
 * version, count, weights and the optimizer's state.
 *
 * Prints `name value` lines: medians of several runs, taken in turns.
 *
 * usage: bench_cut SCRATCH */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/config/config.h"
#include "common/files/disk.h"
#include "common/files/file.h"
#include "ps/checkpoint/load.h"
#include "ps/checkpoint/shard_snapshot.h"
#include "tests/bench/bench.h"

#define DIM 8
#define STEPS 20 /* pushes between the two checkpoints */
#define RUNS 3

/* What a run measures: M(name, "unit and meaning"). */
#define MEASURES(M) \
    M(cut_write_bytes_per_second, "a checkpoint of all rows") \
    M(cut_plain_bytes_per_second, "the plain file") \
    M(cut_write_over_plain, "speed") \
    M(cut_slice_seconds_longest, "") \
    M(cut_restore_file_seconds_per_gb, "GB of the checkpoint's file") \
    M(cut_restore_base_seconds_per_gb, "") \
    M(cut_changed_share, "rows of the second checkpoint, of all") \
    M(cut_delta_over_changed, "bytes of its file over those of the rows") \
    M(cut_disk_over_changed, "the same of file and fold") \
    M(cut_fold_bytes_per_second, "of changed rows")

#define MEASURE_NUMBER(name, doc) MEASURE_##name,
enum { MEASURES(MEASURE_NUMBER) MEASURE_COUNT };

static const table_options_t rows_options = {
    .dim = DIM,
    .optimizer = OPTIMIZER_ADAGRAD,
    .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-10f},
    .init_std = 0.05f};

typedef struct bench {
    const char *scratch;
    char *folder; /* of the run */
    table_t *table;
    shard_snapshot_t *snapshot;
    double longest; /* of what the shard's thread has done, seconds */
} bench_t;

/* Bytes that this process has caused to be sent to the disk so far; page cache that is never written is not counted. */
static double disk_bytes(void)
{
    char *text = NULL;
    size_t bytes;
    long long written = 0;
    if (file_read("/proc/self/io", &text, &bytes) == ST_OK && strstr(text, "\nwrite_bytes: "))
        written = atoll(strstr(text, "\nwrite_bytes: ") + 14);
    mem_free(text);
    return (double)written;
}

static status_t work(bench_t *b)
{
    bool again;
    const double start = bench_seconds();
    TRY(shard_snapshot_work(b->snapshot, &again));
    const double seconds = bench_seconds() - start;
    b->longest = seconds > b->longest ? seconds : b->longest;
    if (!again)
        usleep(200);
    return ST_OK;
}

static status_t save(bench_t *b, int64_t step, message_prepared_t *out)
{
    int64_t prepared;
    const double start = bench_seconds();
    shard_snapshot_freeze(b->snapshot, step, 0, clock_now_ns());
    b->longest = bench_seconds() - start;
    while (!shard_snapshot_prepared(b->snapshot, clock_now_ns(), &prepared, out))
        TRY(work(b));
    return ST_OK;
}

static status_t fold(bench_t *b, int64_t step)
{
    int64_t folded;
    const char *reason = shard_snapshot_compact(b->snapshot, step);
    ASSERT(!reason);
    while (!shard_snapshot_compacted(b->snapshot, &folded))
        TRY(work(b));
    return ST_OK;
}

/* What a shard does that goes on from the checkpoint of step 1. */
static status_t restore(const bench_t *b, double *seconds)
{
    static const int64_t deltas[] = {1};
    table_t *table;
    TRY(table_create(&rows_options, &table));
    const restore_plan_t plan = {.disk = disk_posix(),
                                 .run_dir = b->folder,
                                 .step = 1,
                                 .folders = 1,
                                 .shards = 1,
                                 .deltas = deltas,
                                 .n_deltas = 1,
                                 .tables = &table,
                                 .n_tables = 1};
    const double start = bench_seconds();
    status_t status = restore_tables(&plan);
    *seconds = bench_seconds() - start;
    ASSERT(status != ST_OK || table_rows(table) == table_rows(b->table));
    table_destroy(&table);
    return status;
}

/* What a program would do that has the bytes already: write them in pieces of a megabyte, and wait for the disk. */
static status_t write_plainly(const bench_t *b, int64_t bytes, double *seconds)
{
    const int64_t piece = (int64_t)1 << 20;
    char *path = mem_printf("%s/plain", b->scratch), *data = MEM_ARRAY(char, piece);
    memset(data, 1, (size_t)piece);
    disk_file_t *file = NULL;
    const double start = bench_seconds();
    status_t status = disk_create(disk_posix(), path, &file);
    for (int64_t left = bytes; left > 0 && status == ST_OK; left -= piece)
        status = disk_append(file, data, (size_t)(left < piece ? left : piece));
    if (status == ST_OK)
        status = disk_sync(file);
    disk_close(&file);
    *seconds = bench_seconds() - start;
    if (status == ST_OK)
        status = disk_remove(disk_posix(), path);
    mem_free(path);
    mem_free(data);
    return status;
}

static status_t measure(bench_t *b, const uint64_t *keys, const float *g, double *m)
{
    message_prepared_t full, partial;
    double plain, from_file, from_base;
    double start = bench_seconds();
    TRY(save(b, 1, &full));
    const double write = bench_seconds() - start;
    m[MEASURE_cut_slice_seconds_longest] = b->longest;
    TRY(write_plainly(b, full.bytes, &plain));
    TRY(restore(b, &from_file));
    TRY(fold(b, 1));
    TRY(restore(b, &from_base));

    for (int i = 0; i < STEPS; i++)
        table_push(b->table, keys + (int64_t)i * BENCH_KEYS, g, BENCH_KEYS, (uint32_t)i);
    const double before = disk_bytes();
    TRY(save(b, 2, &partial));
    const double between = disk_bytes();
    start = bench_seconds();
    TRY(fold(b, 2));
    const double folding = bench_seconds() - start, after = disk_bytes();
    const double row_bytes = sizeof(uint64_t) + 2 * sizeof(uint32_t) + (double)table_payload_floats(b->table) * sizeof(float);
    const double changed = (double)partial.rows * row_bytes;
    m[MEASURE_cut_write_bytes_per_second] = (double)full.bytes / write;
    m[MEASURE_cut_plain_bytes_per_second] = (double)full.bytes / plain;
    m[MEASURE_cut_write_over_plain] = plain / write;
    m[MEASURE_cut_restore_file_seconds_per_gb] = from_file / (double)full.bytes * 1e9;
    m[MEASURE_cut_restore_base_seconds_per_gb] = from_base / (double)full.bytes * 1e9;
    m[MEASURE_cut_changed_share] = (double)partial.rows / (double)full.rows;
    m[MEASURE_cut_delta_over_changed] = (between - before) / changed;
    m[MEASURE_cut_disk_over_changed] = (after - before) / changed;
    m[MEASURE_cut_fold_bytes_per_second] = changed / folding;
    return ST_OK;
}

static void create_rows(const bench_t *b)
{
    uint64_t *keys = MEM_ARRAY(uint64_t, BENCH_KEYS);
    float *rows = MEM_ARRAY(float, BENCH_KEYS *DIM);
    for (int64_t rank = 0; rank < BENCH_ROWS; rank += BENCH_KEYS) {
        for (int64_t i = 0; i < BENCH_KEYS; i++)
            keys[i] = bench_key(rank + i);
        table_pull(b->table, keys, BENCH_KEYS, rows);
    }
    mem_free(keys);
    mem_free(rows);
}

static status_t run(bench_t *b, const uint64_t *keys, const float *g, double *m)
{
    status_t status;
    b->folder = mem_printf("%s/cut", b->scratch);
    TRY_DONE(table_create(&rows_options, &b->table));
    create_rows(b);
    const shard_snapshot_options_t options = {
        .disk = disk_posix(), .threaded = true, .run_dir = b->folder, .tables = &b->table, .n_tables = 1};
    TRY_DONE(shard_snapshot_create(&options, &b->snapshot));
    status = measure(b, keys, g, m);
done:
    shard_snapshot_destroy(&b->snapshot);
    table_destroy(&b->table);
    if (status == ST_OK)
        status = dir_remove_tree(b->folder);
    mem_free(b->folder);
    return status;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {
#define MEASURE_NAME(name, doc) #name,
        MEASURES(MEASURE_NAME)};
    if (argc != 2) {
        fprintf(stderr, "usage: bench_cut SCRATCH\n");
        return 2;
    }
    bench_t b = {.scratch = argv[1]};
    uint64_t *keys = bench_requests(STEPS);
    float *g = MEM_ARRAY(float, BENCH_KEYS *DIM);
    rng_fill_uniform(g, BENCH_KEYS * DIM, 0.01f, 2, 0, 0);
    double measured[MEASURE_COUNT][RUNS];
    status_t status = ST_OK;
    for (int i = 0; i < RUNS && status == ST_OK; i++) {
        double m[MEASURE_COUNT] = {0};
        status = run(&b, keys, g, m);
        for (int k = 0; k < MEASURE_COUNT; k++)
            measured[k][i] = m[k];
    }
    for (int k = 0; k < MEASURE_COUNT && status == ST_OK; k++)
        printf("%s %.6g\n", names[k], bench_median(measured[k], RUNS));
    mem_free(keys);
    mem_free(g);
    return status_exit_code(status);
}
