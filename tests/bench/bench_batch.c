/* bench_batch - what stands between a dataset and the network's input, in one thread and without a cluster: building a batch
 * (fetch, de-duplication, list of uses), gathering its rows into a matrix, summing gradients per key.
 *
 * Prints `name value` lines in nanoseconds per value (a value is one categorical entry of one example) and, beside them, a copy
 * of the bytes that a gather moves; medians over batches of one epoch in full shuffle.
 *
 * usage: bench_batch DATASET DIM BATCH LANES */
#include <stdio.h>
#include <string.h>

#include "common/data/order.h"
#include "common/kernels/tree.h"
#include "tests/bench/bench.h"
#include "worker/embedding.h"

#define BATCHES_MAX 2000

typedef struct bench {
    dataset_t *dataset;
    const dataset_info_t *info;
    batch_builder_t *builder;
    batch_t batch;
    table_plan_t plan;
    int dim, rows, lanes;
    int64_t inputs;
    int64_t *positions;
    float *table, *x, *dx, *sums, *scratch;
    const float **row;
} bench_t;

/* One batch through the stations; seconds [4] out: build, gather, reduce, copy. */
static status_t pass(bench_t *b, int64_t step, double seconds[4])
{
    const order_t order = {.kind = ORDER_FULL, .seed = 1, .rows = b->info->train_rows};
    order_indices(&order, step * b->rows, b->rows, b->positions);
    for (int i = 0; i < b->rows; i++)
        b->positions[i] = dataset_position(b->dataset, SPLIT_TRAIN, b->positions[i]);
    double t0 = bench_seconds();
    TRY(batch_build(b->builder, b->positions, b->rows, step, &b->batch));
    double t1 = bench_seconds();
    for (int32_t u = 0; u < b->batch.uniques; u++)
        b->row[u] = b->table + (int64_t)u * b->dim;
    embedding_gather(b->x, NULL, &b->batch, 0, b->rows, b->row, &b->plan);
    double t2 = bench_seconds();
    embedding_reduce(b->sums, &b->batch, 0, 0, b->dx, NULL, &b->plan, b->rows / b->lanes, b->scratch);
    double t3 = bench_seconds();
    memcpy(b->x, b->dx, sizeof *b->x * (size_t)(b->rows * b->inputs));
    __asm__ volatile("" : : "r"(b->x) : "memory");
    double t4 = bench_seconds();
    const double values = b->batch.use_first[b->batch.uniques];
    seconds[0] = (t1 - t0) / values;
    seconds[1] = (t2 - t1) / values;
    seconds[2] = (t3 - t2) / values;
    seconds[3] = (t4 - t3) / values;
    return ST_OK;
}

static status_t measure(bench_t *b)
{
    static double build[BATCHES_MAX], gather[BATCHES_MAX], reduce[BATCHES_MAX], copy[BATCHES_MAX];
    int64_t batches = b->info->train_rows / b->rows;
    int n = batches < BATCHES_MAX ? (int)batches : BATCHES_MAX;
    double seconds[4];
    for (int warm = 0; warm < n; warm++) /* decodes the blocks */
        TRY(pass(b, warm, seconds));
    for (int i = 0; i < n; i++) {
        TRY(pass(b, i, seconds));
        build[i] = seconds[0];
        gather[i] = seconds[1];
        reduce[i] = seconds[2];
        copy[i] = seconds[3];
    }
    printf("batch_build_ns %.2f\n", 1e9 * bench_median(build, n));
    printf("embedding_gather_ns %.2f\n", 1e9 * bench_median(gather, n));
    printf("embedding_reduce_ns %.2f\n", 1e9 * bench_median(reduce, n));
    printf("embedding_copy_ns %.2f\n", 1e9 * bench_median(copy, n));
    return ST_OK;
}

int main(int argc, char **argv)
{
    static const uint16_t slot_shard[HASH_SLOTS]; /* all slots belong to shard 0 */
    bench_t b = {0};
    if (argc == 5) {
        b.dim = atoi(argv[2]);
        b.rows = atoi(argv[3]);
        b.lanes = atoi(argv[4]);
    }
    if (b.dim < 1 || b.rows < 1 || b.lanes < 1 || b.rows % b.lanes || dataset_open(argv[1], 1 << 30, &b.dataset) != ST_OK) {
        fprintf(stderr, "usage: bench_batch DATASET DIM BATCH LANES\n");
        return 2;
    }
    b.info = dataset_info(b.dataset);
    b.builder = batch_builder_create(b.dataset, 1, slot_shard, NULL);
    const int fields = b.info->single + b.info->multi;
    int32_t *width = MEM_ARRAY(int32_t, fields);
    for (int f = 0; f < fields; f++)
        width[f] = b.dim;
    table_plan_init_widths(&b.plan, 1, fields, width, OPTIMIZER_ADAGRAD);
    b.inputs = embedding_inputs(&b.plan, b.info->numeric);
    const int64_t uniques_max = (int64_t)b.rows * (b.info->single + 16 * b.info->multi);
    b.positions = MEM_ARRAY(int64_t, b.rows);
    b.table = bench_normal(uniques_max * b.dim);
    b.row = MEM_ARRAY(const float *, uniques_max);
    b.sums = MEM_ARRAY(float, uniques_max *b.dim);
    b.x = MEM_ARRAY(float, b.rows *b.inputs);
    b.dx = bench_normal(b.rows * b.inputs);
    b.scratch = MEM_ARRAY(float, (int64_t)b.dim *(tree_levels((uint32_t)b.lanes) + 1));
    status_t status = measure(&b);
    batch_reset(&b.batch);
    batch_builder_destroy(&b.builder);
    dataset_close(&b.dataset);
    table_plan_fini(&b.plan);
    mem_free(width);
    mem_free(b.positions);
    mem_free(b.table);
    mem_free(b.row);
    mem_free(b.sums);
    mem_free(b.x);
    mem_free(b.dx);
    mem_free(b.scratch);
    return status_exit_code(status);
}
