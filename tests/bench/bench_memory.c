/* bench_memory - a table ten times larger than the memory it may use, against the same table all in memory: rows per second,
 * each pulled and then pushed, as training does. Keys follow a power law of exponent 1.1 over 2,000,000 rows; a request is the
 * distinct keys of a batch of 2,048 examples with 8 values each; dim 16, AdaGrad, one thread, no network.
 *
 * Both tables get the same requests in turns; the median turn counts. FOLDER takes the rows that do not fit. */
#include <stdio.h>

#include "ps/table/row_cache.h"
#include "ps/table/table.h"
#include "tests/bench/bench.h"

#define DIM 16
#define DRAWS (2048 * 8) /* of a request */
#define TURN 20          /* requests */
#define WARM 40          /* turns before the first that counts: the clock has gone round by then */
#define TURNS 9
#define SHARE 10

/* Row r is drawn with probability proportional to (r + 1)^-1.1. */
static int64_t draw(uint64_t i)
{
    const double a = -0.1;
    const double u = rng_uniform(7, 0, i);
    const int64_t rank = (int64_t)pow(1.0 + u * (pow(BENCH_ROWS + 1.0, a) - 1.0), 1.0 / a) - 1;
    return rank < BENCH_ROWS ? rank : BENCH_ROWS - 1;
}

/* The distinct keys of request number `request`; their number. */
static int64_t fill_request(uint64_t *keys, int32_t *last, int32_t request)
{
    int64_t n = 0;
    for (int i = 0; i < DRAWS; i++) {
        const int64_t rank = draw((uint64_t)request * DRAWS + (uint64_t)i);
        if (last[rank] == request + 1)
            continue;
        last[rank] = request + 1;
        keys[n++] = bench_key(rank);
    }
    return n;
}

static table_t *make_table(row_cache_t *row_cache, float *rows)
{
    const table_options_t options = {.dim = DIM,
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-10f},
                                     .init_std = 0.01f,
                                     .seed = 3,
                                     .row_cache = row_cache};
    table_t *table;
    if (table_create(&options, &table) != ST_OK)
        exit(1);
    for (int64_t rank = BENCH_ROWS - BENCH_KEYS; rank >= 0; rank -= BENCH_KEYS) {
        uint64_t some[BENCH_KEYS];
        for (int64_t i = 0; i < BENCH_KEYS; i++)
            some[i] = bench_key(rank + i);
        table_pull(table, some, BENCH_KEYS, rows);
    }
    return table;
}

static double seconds_of(table_t *table, const uint64_t *keys, const int64_t *n, float *rows, const float *g, uint32_t step)
{
    const double start = bench_seconds();
    for (int r = 0; r < TURN; r++, step++) {
        table_pull(table, keys, n[r], rows);
        table_push(table, keys, g, n[r], step);
        keys += n[r];
    }
    return bench_seconds() - start;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench_memory FOLDER\n");
        return 2;
    }
    float *rows = MEM_ARRAY(float, BENCH_KEYS *DIM), *g = MEM_ARRAY(float, BENCH_KEYS *DIM);
    rng_fill_uniform(g, BENCH_KEYS * DIM, 0.01f, 2, 0, 0);
    table_t *whole = make_table(NULL, rows);
    const int64_t payload = table_payload_floats(whole) * (int64_t)sizeof(float);
    row_cache_t *row_cache;
    if (row_cache_create(argv[1], table_memory_bytes(whole) / SHARE, &row_cache) != ST_OK)
        return 1;
    table_t *bounded = make_table(row_cache, rows);

    uint64_t *keys = MEM_ARRAY(uint64_t, TURN * DRAWS);
    int32_t *last = MEM_ARRAY(int32_t, BENCH_ROWS);
    double ratio[TURNS], rate[TURNS], whole_rate[TURNS];
    int64_t n[TURN], before = 0, requested = 0;
    for (int turn = -WARM; turn < TURNS; turn++) {
        int64_t all = 0;
        for (int r = 0; r < TURN; r++) {
            n[r] = fill_request(keys + all, last, (turn + WARM) * TURN + r);
            all += n[r];
        }
        const uint32_t step = (uint32_t)((turn + WARM) * TURN);
        const double bounded_seconds = seconds_of(bounded, keys, n, rows, g, step);
        const double whole_seconds = seconds_of(whole, keys, n, rows, g, step);
        if (turn < 0) {
            before = row_cache_counters(row_cache).loaded;
            continue;
        }
        requested += all;
        rate[turn] = (double)all / bounded_seconds;
        whole_rate[turn] = (double)all / whole_seconds;
        ratio[turn] = whole_seconds / bounded_seconds;
    }
    if (row_cache_status(row_cache) != ST_OK)
        return 1;
    hash_digest_t a = {0}, b = {0};
    table_digest(whole, &a);
    table_digest(bounded, &b);
    if (a.low != b.low || a.high != b.high) {
        fprintf(stderr, "bench_memory: the tables differ\n");
        return 1;
    }
    printf("memory_tenth_rows_per_second %.0f\n", bench_median(rate, TURNS));
    printf("memory_whole_rows_per_second %.0f\n", bench_median(whole_rate, TURNS));
    printf("memory_tenth_over_whole %.4f\n", bench_median(ratio, TURNS));
    printf("memory_tenth_miss_share %.4f\n", (double)(row_cache_counters(row_cache).loaded - before) / (double)requested);
    printf("memory_disk_bytes_per_row %.1f\n", (double)row_cache_counters(row_cache).disk_bytes / BENCH_ROWS);
    printf("memory_overhead_bytes_per_row %.2f\n", (double)table_memory_bytes(whole) / BENCH_ROWS - (double)payload);
    table_destroy(&whole);
    table_destroy(&bounded);
    row_cache_destroy(&row_cache);
    mem_free(keys);
    mem_free(last);
    mem_free(rows);
    mem_free(g);
    return 0;
}
