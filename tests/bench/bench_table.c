/* bench_table - what a table does in one thread, without a network: 20,000 distinct keys per request, power-law out of
 * 2,000,000 rows, dim 16, AdaGrad. Beside it a copy of the same bytes, so that the numbers can be compared between machines.
 *
 * Prints `name value` lines; the best of several rounds, because other work on the machine can only slow a round down. */
#include <stdio.h>
#include <string.h>

#include "ps/table/table.h"
#include "tests/bench/bench.h"

#define DIM 16
#define REQUESTS 50
#define ROUNDS 7
#define SENDERS 4

static void report(const char *name, double amount, int64_t best_ns)
{
    printf("%s %.0f\n", name, amount / ((double)best_ns * 1e-9));
}

int main(void)
{
    uint64_t *keys = bench_requests(REQUESTS);
    float *rows = MEM_ARRAY(float, BENCH_KEYS *DIM);
    float *source = MEM_ARRAY(float, (int64_t)REQUESTS *BENCH_KEYS *DIM);
    rng_fill_uniform(source, (int64_t)REQUESTS * BENCH_KEYS * DIM, 0.01f, 2, 0, 0);

    const table_options_t options = {.dim = DIM, .settings = {0.1f, 0.01f, 1e-10f}, .init_std = 0.01f, .seed = 3};
    table_t *table;
    if (table_create(&options, &table) != ST_OK)
        return 1;
    int64_t start = clock_now_ns();
    for (int64_t rank = 0; rank < BENCH_ROWS; rank += BENCH_KEYS) {
        uint64_t some[BENCH_KEYS];
        for (int64_t i = 0; i < BENCH_KEYS; i++)
            some[i] = bench_key(rank + i);
        table_pull(table, some, BENCH_KEYS, rows);
    }
    report("table_create_rows_per_second", BENCH_ROWS, clock_now_ns() - start);

    uint64_t words[64];
    ASSERT(step_digest_words(1) <= (int64_t)(sizeof words / sizeof *words));
    memset(words, 0, sizeof words);
    step_digest_t digest = {.words = words, .tables = 1};
    int64_t pull = INT64_MAX, push = INT64_MAX, watched = INT64_MAX, merged = INT64_MAX, copy = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t t0 = clock_now_ns();
        for (int64_t r = 0; r < REQUESTS; r++)
            table_pull(table, keys + r * BENCH_KEYS, BENCH_KEYS, rows);
        int64_t t1 = clock_now_ns();
        for (int64_t r = 0; r < REQUESTS; r++)
            table_push(table, keys + r * BENCH_KEYS, source + r * BENCH_KEYS * DIM, BENCH_KEYS, (uint32_t)r);
        int64_t t2 = clock_now_ns();
        table_watch(table, &digest);
        for (int64_t r = 0; r < REQUESTS; r++)
            table_push(table, keys + r * BENCH_KEYS, source + r * BENCH_KEYS * DIM, BENCH_KEYS, (uint32_t)r);
        table_watch(table, NULL);
        const int64_t w2 = clock_now_ns();
        for (int64_t r = 0; r + SENDERS <= REQUESTS; r += SENDERS) {
            const uint64_t *k[SENDERS];
            const float *g[SENDERS];
            int64_t n[SENDERS];
            for (int s = 0; s < SENDERS; s++) {
                k[s] = keys + (r + s) * BENCH_KEYS;
                g[s] = source + (r + s) * BENCH_KEYS * DIM;
                n[s] = BENCH_KEYS;
            }
            table_push_merged(table, k, g, n, SENDERS, (uint32_t)r);
        }
        int64_t t3 = clock_now_ns();
        for (int64_t r = 0; r < REQUESTS; r++) {
            memcpy(rows, source + r * BENCH_KEYS * DIM, BENCH_KEYS * DIM * sizeof *rows);
            __asm__ volatile("" : : "r"(rows) : "memory");
        }
        int64_t t4 = clock_now_ns();
        pull = t1 - t0 < pull ? t1 - t0 : pull;
        push = t2 - t1 < push ? t2 - t1 : push;
        watched = w2 - t2 < watched ? w2 - t2 : watched;
        merged = t3 - w2 < merged ? t3 - w2 : merged;
        copy = t4 - t3 < copy ? t4 - t3 : copy;
    }
    report("table_pull_rows_per_second", (double)REQUESTS * BENCH_KEYS, pull);
    report("table_push_rows_per_second", (double)REQUESTS * BENCH_KEYS, push);
    report("table_push_with_digests_rows_per_second", (double)REQUESTS * BENCH_KEYS, watched);
    printf("table_push_without_over_with_digests %.4f\n", (double)watched / (double)push);
    report("table_push_merged_rows_per_second", (double)(REQUESTS / SENDERS * SENDERS) * BENCH_KEYS, merged);
    report("table_copy_bytes_per_second", (double)REQUESTS * BENCH_KEYS * DIM * sizeof(float), copy);
    printf("table_overhead_bytes_per_row %.2f\n",
           (double)table_memory_bytes(table) / (double)table_rows(table) - (double)table_payload_floats(table) * 4);

    table_destroy(&table);
    mem_free(keys);
    mem_free(rows);
    mem_free(source);
    return 0;
}
