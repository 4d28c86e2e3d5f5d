/* Proves what rows that wait are told: they come back whole, any number of times, as they were put or sorted by time with equal
 * times in the order in which they came, in memory and out of it; and quantiles are those of the sorted numbers. */
#include "tests/lib/testing.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "launcher/ingest/rows/quantiles.h"
#include "launcher/ingest/rows/row_store.h"

#define LEN(array) ((int)(sizeof(array) / sizeof *(array)))

#define ROWS 5000

static const row_shape_t shape = {.numeric = 2, .single = 1, .multi = 2, .labels = 2, .numbers = 1};

/* The i-th row that is put, and what it points to. */
typedef struct made_row {
    dataset_row_t row;
    double number;
    uint8_t more_label;
    float numeric[2], weights[8];
    uint64_t key, keys[8];
    int32_t counts[2];
    dataset_text_t text, texts[8];
    char name[32];
} made_row_t;

static void make_row(made_row_t *m, int64_t i)
{
    memset(m, 0, sizeof *m);
    m->number = i % 7 ? (double)i / 3 : NAN;
    m->more_label = (uint8_t)(i % 2);
    m->numeric[0] = (float)i;
    m->numeric[1] = i % 5 ? -1.0f : NAN;
    m->key = (uint64_t)i * 77;
    m->counts[0] = (int32_t)(i % 4);
    m->counts[1] = (int32_t)(i % 3);
    const int bytes = snprintf(m->name, sizeof m->name, "row %" PRId64, i);
    m->text = i % 6 ? (dataset_text_t){m->name, bytes} : (dataset_text_t){NULL, 0};
    for (int v = 0; v < m->counts[0] + m->counts[1]; v++) {
        m->keys[v] = (uint64_t)(i + v);
        m->weights[v] = (float)v;
        m->texts[v] = (dataset_text_t){m->name, v % 2 ? bytes : 0};
    }
    m->row = (dataset_row_t){.label = (uint8_t)(i % 3 == 0),
                             .more_labels = &m->more_label,
                             .weight = 2.0f,
                             .train = i % 2,
                             .test = i % 4 == 0,
                             .group = (uint64_t)i,
                             .time = i % 50 ? (int64_t)(rng_u64(1, (uint64_t)i, 0) % 100) - 50 : DATASET_NO_TIME,
                             .numeric = m->numeric,
                             .single = &m->key,
                             .multi_count = m->counts,
                             .multi_key = m->keys,
                             .multi_weight = m->weights,
                             .input_row = i + 1,
                             .single_text = &m->text,
                             .multi_text = m->texts,
                             .group_text = {i % 3 ? m->name : NULL, i % 3 ? bytes : 0}};
}

static void assert_row(const dataset_row_t *row, double number, int64_t i)
{
    made_row_t m;
    make_row(&m, i);
    const int values = m.counts[0] + m.counts[1];
    assert_int_equal(row->input_row, i + 1);
    assert_int_equal(row->time, m.row.time);
    assert_true(row->label == m.row.label && row->more_labels[0] == m.more_label && row->train == m.row.train);
    assert_true(row->test == m.row.test && row->group == m.row.group && row->weight == 2.0f);
    assert_true(isnan(m.number) ? isnan(number) : number == m.number);
    assert_memory_equal(row->numeric, m.numeric, sizeof m.numeric);
    assert_int_equal(row->single[0], m.key);
    assert_memory_equal(row->multi_count, m.counts, sizeof m.counts);
    assert_memory_equal(row->multi_key, m.keys, (size_t)values * sizeof *m.keys);
    assert_memory_equal(row->multi_weight, m.weights, (size_t)values * sizeof *m.weights);
    assert_true(!row->single_text[0].at == !m.text.at && row->single_text[0].bytes == m.text.bytes);
    assert_true(!row->group_text.at == !m.row.group_text.at && row->group_text.bytes == m.row.group_text.bytes);
    if (row->group_text.at)
        assert_memory_equal(row->group_text.at, m.name, (size_t)row->group_text.bytes);
    for (int v = 0; v < values; v++)
        assert_memory_equal(row->multi_text[v].at, m.texts[v].at, (size_t)m.texts[v].bytes);
}

static void come_back(bool is_sorted, size_t memory)
{
    row_shape_t own = shape;
    own.is_sorted = is_sorted;
    row_store_t *store = row_store_create(&own, memory);
    made_row_t m;
    for (int64_t i = 0; i < ROWS; i++) {
        make_row(&m, i);
        assert_int_equal(row_store_put(store, &m.row, &m.number), ST_OK);
    }
    for (int pass = 0; pass < 2; pass++) {
        dataset_row_t row = {0};
        const double *number;
        bool end;
        int64_t before = INT64_MIN, last = -1, rows = 0;
        assert_int_equal(row_store_begin(store), ST_OK);
        for (;; rows++) {
            assert_int_equal(row_store_next(store, &row, &number, &end), ST_OK);
            if (end)
                break;
            assert_row(&row, *number, row.input_row - 1);
            if (!is_sorted)
                assert_int_equal(row.input_row, rows + 1);
            else
                assert_true(row.time > before || (row.time == before && row.input_row > last));
            before = row.time;
            last = row.input_row;
        }
        assert_int_equal(rows, ROWS);
    }
    row_store_destroy(&store);
}

static void test_rows_come_back(void **state)
{
    (void)state;
    for (int is_sorted = 0; is_sorted < 2; is_sorted++) {
        come_back(is_sorted, 1 << 30);
        come_back(is_sorted, 100000);
        come_back(is_sorted, 1); /* a run of one row each */
    }
}

static void test_times_are_scaled(void **state)
{
    (void)state;
    for (int is_out = 0; is_out < 2; is_out++) {
        row_store_t *store = row_store_create(&shape, is_out ? 1 : 1 << 20);
        made_row_t m;
        dataset_row_t row = {0};
        const double *number;
        bool end;
        for (int64_t i = 1; i < 3; i++) {
            make_row(&m, i);
            assert_int_equal(row_store_put(store, &m.row, &m.number), ST_OK);
        }
        assert_int_equal(row_store_scale_times(store, 1000), !is_out);
        assert_int_equal(row_store_begin(store), ST_OK);
        for (int64_t i = 1; i < 3; i++) {
            make_row(&m, i);
            assert_int_equal(row_store_next(store, &row, &number, &end), ST_OK);
            assert_int_equal(row.time, m.row.time * (is_out ? 1 : 1000));
        }
        row_store_destroy(&store);
    }
}

static void test_no_disk(void **state)
{
    (void)state;
    char *before = getenv("TMPDIR") ? mem_strdup(getenv("TMPDIR")) : NULL;
    made_row_t m;
    row_store_t *store = row_store_create(&shape, 1);
    make_row(&m, 1);
    assert_int_equal(row_store_put(store, &m.row, &m.number), ST_OK);
    setenv("TMPDIR", "/nowhere/at/all", 1);
    catch_start();
    assert_int_equal(row_store_put(store, &m.row, &m.number), ST_INPUT);
    catch_stop();
    assert_caught("rows that do not fit into memory cannot be put into a file in /nowhere/at/all: No such file or directory; "
                  "make room there, or set TMPDIR");
    if (before)
        setenv("TMPDIR", before, 1);
    else
        unsetenv("TMPDIR");
    mem_free(before);
    row_store_destroy(&store);
}

/* ---- quantiles ----------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double drawn(int kind, uint64_t i)
{
    const double u = rng_uniform(3, (uint64_t)kind, i);
    const double of[] = {u - 0.5, floor(20 * u) - 3, u < 0.7 ? 0.0 : u, -0.0, ldexp(u - 0.5, (int)(i % 400) - 200), 1e300 * u};
    return of[kind];
}

static void test_quantiles(void **state)
{
    (void)state;
    enum { N = 20000, KINDS = 6 };
    double *sorted = MEM_ARRAY(double, N);
    for (int kind = 0; kind < KINDS; kind++)
        for (int count = 2; count <= BINS_MOST; count *= 8) {
            quantiles_t *q = quantiles_create(kind % 2 ? 1 : 1 << 20);
            bins_t bins = {0};
            for (uint64_t i = 0; i < N; i++) {
                sorted[i] = drawn(kind, i);
                assert_int_equal(quantiles_put(q, sorted[i]), ST_OK);
            }
            qsort(sorted, N, sizeof *sorted, by_size);
            assert_int_equal(quantiles_bins(q, count, &bins), ST_OK);
            int edges = 0;
            double last = sorted[0];
            for (int64_t b = 1; b < count; b++) {
                const double edge = sorted[b * N / count];
                if (!(edge > last))
                    continue;
                assert_true(bins.edge[edges++] == edge);
                last = edge;
            }
            assert_int_equal(bins.count, edges + 1);
            bins_fini(&bins);
            quantiles_destroy(&q);
        }
    mem_free(sorted);
    quantiles_t *none = quantiles_create(1);
    bins_t bins;
    assert_int_equal(quantiles_bins(none, 5, &bins), ST_OK);
    assert_int_equal(bins.count, 1);
    bins_fini(&bins);
    quantiles_destroy(&none);
}

static void test_bins_of(void **state)
{
    (void)state;
    bins_t bins;
    char name[BIN_TEXT_BYTES];
    assert_null(bins_parse("[-1.5, 0, 1e9]", &bins));
    static const double numbers[] = {-2, -1.5, -0.1, -0.0, 5, 1e9, 1e300};
    static const int wanted[] = {0, 1, 1, 2, 2, 3, 3};
    for (int i = 0; i < LEN(numbers); i++)
        assert_int_equal(bins_of(&bins, numbers[i]), wanted[i]);
    bins_name(&bins, 3, name);
    assert_string_equal(name, "[1000000000, inf)");
    char *text = bins_text(&bins);
    assert_string_equal(text, "[-1.5, 0, 1000000000]");
    mem_free(text);
    bins_fini(&bins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_come_back), cmocka_unit_test(test_times_are_scaled), cmocka_unit_test(test_no_disk),
        cmocka_unit_test(test_quantiles),      cmocka_unit_test(test_bins_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
