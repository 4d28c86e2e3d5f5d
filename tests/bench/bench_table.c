/* bench_table - what a table does in one thread, without a network: 20,000 distinct keys per request, power-law out of
 * 2,000,000 rows, dim 16, AdaGrad. Beside it a copy of the same bytes, so that the numbers can be compared between machines.
 *
 * Prints `name value` lines; the best of several rounds, because other work on the machine can only slow a round down. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "ps/table.h"

#define ROWS 2000000
#define KEYS 20000
#define DIM 16
#define REQUESTS 50
#define ROUNDS 7
#define SENDERS 4

/* Row r is drawn with probability proportional to (r + 1)^-1.05, by inverting the continuous distribution. */
static int64_t draw_rank(uint64_t seed, uint64_t i)
{
    const double a = -0.05;
    double u = rng_uniform(seed, 0, i);
    double x = pow(1.0 + u * (pow(ROWS + 1.0, a) - 1.0), 1.0 / a);
    int64_t rank = (int64_t)x - 1;
    return rank < ROWS ? rank : ROWS - 1;
}

static uint64_t key_of(int64_t rank)
{
    return hash_mix((uint64_t)rank);
}

/* REQUESTS lists of KEYS distinct keys each. */
static uint64_t *make_requests(void)
{
    uint64_t *keys = MEM_ARRAY(uint64_t, (int64_t)REQUESTS * KEYS);
    int32_t *last = MEM_ARRAY(int32_t, ROWS);
    uint64_t draws = 0;
    for (int request = 0; request < REQUESTS; request++)
        for (int n = 0; n < KEYS;) {
            int64_t rank = draw_rank(1, draws++);
            if (last[rank] == request + 1)
                continue;
            last[rank] = request + 1;
            keys[(int64_t)request * KEYS + n++] = key_of(rank);
        }
    mem_free(last);
    return keys;
}

static void report(const char *name, double amount, int64_t best_ns)
{
    printf("%s %.0f\n", name, amount / ((double)best_ns * 1e-9));
}

int main(void)
{
    uint64_t *keys = make_requests();
    float *rows = MEM_ARRAY(float, KEYS *DIM);
    float *source = MEM_ARRAY(float, (int64_t)REQUESTS *KEYS *DIM);
    rng_fill_uniform(source, (int64_t)REQUESTS * KEYS * DIM, 0.01f, 2, 0, 0);

    const table_options_t options = {.dim = DIM, .settings = {0.1f, 0.01f, 1e-10f}, .init_std = 0.01f, .seed = 3};
    table_t *table;
    if (table_create(&options, &table) != ST_OK)
        return 1;
    int64_t start = clock_now_ns();
    for (int64_t rank = 0; rank < ROWS; rank += KEYS) {
        uint64_t some[KEYS];
        for (int64_t i = 0; i < KEYS; i++)
            some[i] = key_of(rank + i);
        table_pull(table, some, KEYS, rows);
    }
    report("table_create_rows_per_second", ROWS, clock_now_ns() - start);

    int64_t pull = INT64_MAX, push = INT64_MAX, merged = INT64_MAX, copy = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t t0 = clock_now_ns();
        for (int64_t r = 0; r < REQUESTS; r++)
            table_pull(table, keys + r * KEYS, KEYS, rows);
        int64_t t1 = clock_now_ns();
        for (int64_t r = 0; r < REQUESTS; r++)
            table_push(table, keys + r * KEYS, source + r * KEYS * DIM, KEYS, (uint32_t)r);
        int64_t t2 = clock_now_ns();
        for (int64_t r = 0; r + SENDERS <= REQUESTS; r += SENDERS) {
            const uint64_t *k[SENDERS];
            const float *g[SENDERS];
            int64_t n[SENDERS];
            for (int s = 0; s < SENDERS; s++) {
                k[s] = keys + (r + s) * KEYS;
                g[s] = source + (r + s) * KEYS * DIM;
                n[s] = KEYS;
            }
            table_push_merged(table, k, g, n, SENDERS, (uint32_t)r);
        }
        int64_t t3 = clock_now_ns();
        for (int64_t r = 0; r < REQUESTS; r++) {
            memcpy(rows, source + r * KEYS * DIM, KEYS * DIM * sizeof *rows);
            __asm__ volatile("" : : "r"(rows) : "memory");
        }
        int64_t t4 = clock_now_ns();
        pull = t1 - t0 < pull ? t1 - t0 : pull;
        push = t2 - t1 < push ? t2 - t1 : push;
        merged = t3 - t2 < merged ? t3 - t2 : merged;
        copy = t4 - t3 < copy ? t4 - t3 : copy;
    }
    report("table_pull_rows_per_second", (double)REQUESTS * KEYS, pull);
    report("table_push_rows_per_second", (double)REQUESTS * KEYS, push);
    report("table_push_merged_rows_per_second", (double)(REQUESTS / SENDERS * SENDERS) * KEYS, merged);
    report("table_copy_bytes_per_second", (double)REQUESTS * KEYS * DIM * sizeof(float), copy);
    printf("table_overhead_bytes_per_row %.2f\n",
           (double)table_memory_bytes(table) / (double)table_rows(table) - (double)table_payload_floats(table) * 4);

    table_destroy(&table);
    mem_free(keys);
    mem_free(rows);
    mem_free(source);
    return 0;
}
