/* bench_table - what a table does in one thread, without a network: 20,000 distinct keys per request, power-law out of
 * 2,000,000 rows, dim 16, AdaGrad. Beside it a copy of the same bytes, so that the numbers can be compared between machines.
 *
 * Prints `name value` lines. Each request is timed by itself, and its best time of several rounds counts, because other work on
 * the machine can only slow it down: half a millisecond is often undisturbed where a whole round is not. */
#include <stdio.h>
#include <string.h>

#include "ps/table/table.h"
#include "tests/bench/bench.h"

#define DIM 16
#define REQUESTS 50
#define ROUNDS 9
#define SENDERS 4

static void report(const char *name, double amount, int64_t ns)
{
    printf("%s %.0f\n", name, amount / ((double)ns * 1e-9));
}

/* The requests of a round, and a table that has all of their rows. */
typedef struct workload {
    table_t *table;
    uint64_t *keys;       /* [REQUESTS][BENCH_KEYS] */
    float *rows, *source; /* [BENCH_KEYS][DIM], [REQUESTS][BENCH_KEYS][DIM] */
} workload_t;

/* The best times of a request in all rounds, in ns. */
typedef struct best {
    int64_t pull, push, watched, merged, copy;
} best_t;

static const uint64_t *keys_of(const workload_t *w, int64_t request)
{
    return w->keys + request * BENCH_KEYS;
}

static float *source_of(const workload_t *w, int64_t request)
{
    return w->source + request * BENCH_KEYS * DIM;
}

static void create_rows(const workload_t *w)
{
    int64_t start = clock_now_ns();
    for (int64_t rank = 0; rank < BENCH_ROWS; rank += BENCH_KEYS) {
        uint64_t some[BENCH_KEYS];
        for (int64_t i = 0; i < BENCH_KEYS; i++)
            some[i] = bench_key(rank + i);
        table_pull(w->table, some, BENCH_KEYS, w->rows);
    }
    report("table_create_rows_per_second", BENCH_ROWS, clock_now_ns() - start);
}

static void pull(const workload_t *w, int64_t r)
{
    table_pull(w->table, keys_of(w, r), BENCH_KEYS, w->rows);
}

static void push(const workload_t *w, int64_t r)
{
    table_push(w->table, keys_of(w, r), source_of(w, r), BENCH_KEYS, (uint32_t)r);
}

static void push_watched(const workload_t *w, int64_t r)
{
    uint64_t words[64];
    ASSERT(step_digest_words(1) <= (int64_t)(sizeof words / sizeof *words));
    memset(words, 0, sizeof words);
    step_digest_t digest = {.words = words, .tables = 1};
    table_watch(w->table, &digest);
    push(w, r);
    step_digest_end(&digest);
    table_watch(w->table, NULL);
}

/* A request of each of the senders from the r-th on. */
static void push_merged(const workload_t *w, int64_t r)
{
    const uint64_t *k[SENDERS];
    const float *g[SENDERS];
    int64_t n[SENDERS];
    for (int s = 0; s < SENDERS; s++) {
        k[s] = keys_of(w, (r + s) % REQUESTS);
        g[s] = source_of(w, (r + s) % REQUESTS);
        n[s] = BENCH_KEYS;
    }
    table_push_merged(w->table, k, g, n, SENDERS, (uint32_t)r);
}

static void copy(const workload_t *w, int64_t r)
{
    memcpy(w->rows, source_of(w, r), BENCH_KEYS * DIM * sizeof *w->rows);
    __asm__ volatile("" : : "r"(w->rows) : "memory");
}

static void time_of(void (*what)(const workload_t *w, int64_t r), const workload_t *w, int64_t r, int64_t *best)
{
    const int64_t start = clock_now_ns();
    what(w, r);
    const int64_t ns = clock_now_ns() - start;
    *best = *best == 0 || ns < *best ? ns : *best;
}

/* All requests of a kind in a row, so that each finds the cache as those before it leave it. */
static void play_rounds(const workload_t *w, best_t best[REQUESTS])
{
    for (int round = 0; round < ROUNDS; round++) {
        for (int64_t r = 0; r < REQUESTS; r++)
            time_of(pull, w, r, &best[r].pull);
        for (int64_t r = 0; r < REQUESTS; r++)
            time_of(push, w, r, &best[r].push);
        for (int64_t r = 0; r < REQUESTS; r++)
            time_of(push_watched, w, r, &best[r].watched);
        for (int64_t r = 0; r < REQUESTS; r += SENDERS)
            time_of(push_merged, w, r, &best[r].merged);
        for (int64_t r = 0; r < REQUESTS; r++)
            time_of(copy, w, r, &best[r].copy);
    }
}

int main(void)
{
    workload_t w = {.keys = bench_requests(REQUESTS),
                    .rows = MEM_ARRAY(float, BENCH_KEYS *DIM),
                    .source = MEM_ARRAY(float, (int64_t)REQUESTS *BENCH_KEYS *DIM)};
    rng_fill_uniform(w.source, (int64_t)REQUESTS * BENCH_KEYS * DIM, 0.01f, 2, 0, 0);
    const table_options_t options = {.dim = DIM,
                                     .settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-10f},
                                     .init_std = 0.01f,
                                     .seed = 3};
    if (table_create(&options, &w.table) != ST_OK)
        return 1;
    create_rows(&w);
    best_t best[REQUESTS] = {0}, sum = {0};
    play_rounds(&w, best);
    for (int64_t r = 0; r < REQUESTS; r++) {
        sum.pull += best[r].pull;
        sum.push += best[r].push;
        sum.watched += best[r].watched;
        sum.merged += best[r].merged;
        sum.copy += best[r].copy;
    }
    const double rows = (double)REQUESTS * BENCH_KEYS,
                 merged = (double)((REQUESTS + SENDERS - 1) / SENDERS * SENDERS) * BENCH_KEYS;
    report("table_pull_rows_per_second", rows, sum.pull);
    report("table_push_rows_per_second", rows, sum.push);
    report("table_push_with_digests_rows_per_second", rows, sum.watched);
    printf("table_push_without_over_with_digests %.4f\n", (double)sum.watched / (double)sum.push);
    report("table_push_merged_rows_per_second", merged, sum.merged);
    report("table_copy_bytes_per_second", rows * DIM * sizeof(float), sum.copy);
    printf("table_overhead_bytes_per_row %.2f\n",
           (double)table_memory_bytes(w.table) / (double)table_rows(w.table) - (double)table_payload_floats(w.table) * 4);

    table_destroy(&w.table);
    mem_free(w.keys);
    mem_free(w.rows);
    mem_free(w.source);
    return 0;
}
