/* Proves the prediction differences of docs/MATH.md (eq. 34 to 40) against their definitions, written out once more in long
 * double: relative PD, L1, L2, standard deviation and symmetrised KL of 2 to 5 replicas; swap rates against sorted lists of
 * whole queries, with ties; the list of the most different examples against a full sort; and where nothing is defined. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/dense_ids.h"
#include "common/metrics/pd.h"
#include "common/metrics/queries.h"
#include "common/metrics/swap.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { MOST = 500, REPLICAS = 5 };

/* levels: number of distinct predictions; few of them make many ties. */
static float prediction(uint64_t seed, int r, int64_t t, int levels)
{
    return (float)((double)(rng_u64(seed, (uint64_t)r, (uint64_t)t) % (uint64_t)levels) / (levels - 1)); /* 0 and 1 included */
}

static float predictions[REPLICAS][MOST];
static const float *const all[REPLICAS] = {predictions[0], predictions[1], predictions[2], predictions[3], predictions[4]};

static void fill(uint64_t seed, int levels)
{
    for (int r = 0; r < REPLICAS; r++)
        for (int64_t t = 0; t < MOST; t++)
            predictions[r][t] = prediction(seed, r, t, levels);
}

static long double kl(long double p, long double q)
{
    return p * logl(p / q) + (1 - p) * logl((1 - p) / (1 - q));
}

/* The symmetrised KL of probabilities that are away from 0 and 1, from its two halves. */
static long double symmetrised(long double p, long double q)
{
    return (kl(p, q) + kl(q, p)) / 2;
}

/* Each measure is a loop of its own over all examples, as section 9 writes it. */
static void measures_by_definition(int replicas, int64_t n, long double out[PD_COUNT])
{
    long double pairs = 0;
    for (int m = 0; m < PD_COUNT; m++)
        out[m] = 0;
    for (int i = 0; i < replicas; i++)
        for (int j = i + 1; j < replicas; j++, pairs++)
            for (int64_t t = 0; t < n; t++) {
                long double a = all[i][t], b = all[j][t];
                out[PD_RELATIVE] += a + b > 0 ? 2 * fabsl(a - b) / (a + b) : 0;
                out[PD_SYMKL] += symmetrised(a, b);
            }
    out[PD_RELATIVE] /= pairs * n;
    out[PD_SYMKL] /= pairs * n;
    for (int64_t t = 0; t < n; t++) {
        long double mean = 0, l1 = 0, l2 = 0;
        for (int r = 0; r < replicas; r++)
            mean += (long double)all[r][t] / replicas;
        for (int r = 0; r < replicas; r++) {
            l1 += fabsl(all[r][t] - mean);
            l2 += powl(all[r][t] - mean, 2);
        }
        out[PD_L1] += l1 / replicas / mean / n;
        out[PD_L2] += sqrtl(l2 / replicas) / mean / n;
        out[PD_STD] += sqrtl(l2 / (replicas - 1)) / n;
    }
}

static void test_measures_equal_definitions(void **state)
{
    (void)state;
    static double term[MOST * PD_COUNT];
    for (int replicas = 2; replicas <= REPLICAS; replicas++) {
        fill((uint64_t)replicas, 1 << 20);
        for (int r = 0; r < REPLICAS; r++)
            for (int64_t t = 0; t < MOST; t++)
                predictions[r][t] = 0.001f + 0.998f * predictions[r][t];
        long double want[PD_COUNT];
        measures_by_definition(replicas, MOST, want);
        pd_examples(all, replicas, MOST, term);
        for (int m = 0; m < PD_COUNT; m++)
            assert_near(pd_mean(term, MOST, (pd_measure_t)m), want[m], 1e-13);
    }
}

static void test_measures_by_hand(void **state)
{
    (void)state;
    const float a[] = {0.25f, 0.0f, 1.0f, 0.5f}, b[] = {0.75f, 0.0f, 0.0f, 0.5f};
    const float *const two[] = {a, b};
    double term[4 * PD_COUNT];
    pd_examples(two, 2, 4, term);
    assert_near(term[PD_RELATIVE], 1.0, 1e-15);
    assert_near(term[PD_L1], 0.5, 1e-15);
    assert_near(term[PD_L2], 0.5, 1e-15);
    assert_near(term[PD_STD], sqrt(0.125), 1e-15);
    assert_near(term[PD_SYMKL], 0.5 * log(3.0), 1e-15);
    for (int m = 0; m < PD_COUNT; m++) {
        assert_true(term[1 * PD_COUNT + m] == 0.0); /* two zeros agree */
        assert_true(term[3 * PD_COUNT + m] == 0.0);
    }
    assert_near(term[2 * PD_COUNT + PD_RELATIVE], 2.0, 0.0);
    assert_near(term[2 * PD_COUNT + PD_SYMKL], log((1 - 1e-7) / 1e-7), 1e-9); /* finite: likelihoods are kept from 0 */
}

static void test_undefined_is_nan(void **state)
{
    (void)state;
    const float good[] = {0.5f, 0.5f}, bad[][2] = {{NAN, 0.5f}, {1.5f, 0.5f}, {-0.5f, 0.5f}, {INFINITY, 0.5f}};
    double term[2 * PD_COUNT], share[2];
    queries_t *alone = queries_create(NULL, 2), *together = queries_create((const uint64_t[]){3, 3}, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const float *const p[] = {good, bad[i]};
        pd_examples(p, 2, 2, term);
        swap_queries(together, p, 2, 1, share);
        assert_true(isnan(share[0]));
        for (int m = 0; m < PD_COUNT; m++) {
            assert_true(isnan(term[m]) && term[PD_COUNT + m] == 0.0);
            assert_true(isnan(pd_mean(term, 2, (pd_measure_t)m)));
            assert_true(isnan(pd_mean(term, 0, (pd_measure_t)m)));
        }
    }
    const float *const one[] = {good};
    pd_examples(one, 1, 2, term);
    swap_queries(together, one, 1, 1, share);
    assert_true(isnan(term[PD_RELATIVE]) && isnan(term[PD_STD]) && isnan(share[0]));
    swap_queries(alone, one, 1, 1, share);
    assert_true(share[0] == 0.0 && share[1] == 0.0);
    queries_destroy(&alone);
    queries_destroy(&together);
}

static double *sorted_by; /* relative terms, for the oracle's sort */

static int by_term(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    if (sorted_by[x] != sorted_by[y])
        return sorted_by[x] < sorted_by[y] ? 1 : -1;
    return (x > y) - (x < y);
}

static void test_most_different_equals_a_sort(void **state)
{
    (void)state;
    static double term[MOST * PD_COUNT], relative[MOST];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        fill(seed, seed % 2 ? 6 : 1 << 20); /* 6 levels: mostly ties */
        pd_examples(all, 2, MOST, term);
        term[17 * PD_COUNT + PD_RELATIVE] = NAN;
        int64_t order[MOST], got[40];
        int defined = 0;
        for (int64_t t = 0; t < MOST; t++) {
            relative[t] = term[t * PD_COUNT + PD_RELATIVE];
            if (relative[t] > 0.0)
                order[defined++] = t;
        }
        sorted_by = relative;
        qsort(order, (size_t)defined, sizeof *order, by_term);
        assert_int_equal(pd_most_different(term, MOST, got, 40), 40);
        assert_memory_equal(got, order, sizeof got);
        assert_int_equal(pd_most_different(term, 0, got, 40), 0);
    }
}

/* The k highest of a query, by marking the highest unmarked example k times; false where it has no more than k. */
static bool marks_by_definition(const uint64_t *group, uint64_t query, const float *p, int k, bool mark[MOST])
{
    int size = 0;
    memset(mark, 0, MOST * sizeof *mark);
    for (int64_t t = 0; t < MOST; t++)
        size += group[t] == query;
    for (int i = 0; i < k && size > k; i++) {
        int64_t best = -1;
        for (int64_t t = 0; t < MOST; t++)
            if (group[t] == query && !mark[t] && (best < 0 || p[t] > p[best]))
                best = t;
        mark[best] = true;
    }
    return size > k;
}

static void test_swaps_equal_definition(void **state)
{
    (void)state;
    uint64_t group[MOST], seen = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        fill(seed, seed % 2 ? 4 : 1 << 20);
        for (int64_t t = 0; t < MOST; t++)
            group[t] =
                rng_u64(seed, 99, rng_u64(seed, 98, (uint64_t)t) % 90); /* about 5 examples each, spread over the split */
        queries_t *queries = queries_create(group, MOST);
        double *share = MEM_ARRAY(double, queries->count);
        for (int k = 1; k <= 5; k += 2) {
            swap_queries(queries, all, 3, k, share);
            for (int64_t q = 0; q < queries->count; q++) {
                static bool mark[3][MOST];
                const uint64_t id = group[queries->example[queries->begin[q]]];
                bool counts = false;
                for (int r = 0; r < 3; r++)
                    counts = marks_by_definition(group, id, all[r], k, mark[r]);
                int swapped = 0;
                for (int i = 0; i < 3; i++)
                    for (int j = i + 1; j < 3; j++)
                        swapped += memcmp(mark[i], mark[j], sizeof mark[i]) != 0;
                assert_true(share[q] == (counts ? (double)swapped / 3 : 0.0));
                seen += counts && swapped > 0 && swapped < 3;
            }
        }
        mem_free(share);
        queries_destroy(&queries);
    }
    assert_true(seen > 20);
}

static void test_queries_partition_examples(void **state)
{
    (void)state;
    const uint64_t group[] = {7, ~0ull, 7, 0, ~0ull, 7};
    queries_t *queries = queries_create(group, 6);
    const int64_t begin[] = {0, 3, 5, 6}, example[] = {0, 2, 5, 1, 4, 3};
    assert_int_equal(queries->count, 3);
    assert_memory_equal(queries->begin, begin, sizeof begin);
    assert_memory_equal(queries->example, example, sizeof example);
    queries_destroy(&queries);
    assert_null(queries);
    const uint64_t some[] = {7, QUERY_NONE, 7, QUERY_NONE}; /* whose query is not known is one of its own */
    const int64_t begin_of_some[] = {0, 2, 3, 4}, example_of_some[] = {0, 2, 1, 3};
    queries = queries_create(some, 4);
    assert_int_equal(queries->count, 3);
    assert_memory_equal(queries->begin, begin_of_some, sizeof begin_of_some);
    assert_memory_equal(queries->example, example_of_some, sizeof example_of_some);
    queries_destroy(&queries);
    queries = queries_create(group, 0);
    assert_int_equal(queries->count, 0);
    queries_destroy(&queries);
}

/* Ids against a search through all earlier values, over many growths of the table. */
static void test_dense_ids(void **state)
{
    (void)state;
    enum { VALUES = 3000 };
    static uint64_t first[VALUES];
    int64_t distinct = 0;
    dense_ids_t *ids = dense_ids_create();
    for (uint64_t i = 0; i < 2 * VALUES; i++) {
        uint64_t value = rng_u64(5, 1, i % 3 ? i % VALUES : i);
        value = value % 5 == 0 ? value % 7 : value; /* 0 and other small ones too */
        int64_t want = 0;
        while (want < distinct && first[want] != value)
            want++;
        assert_int_equal(dense_ids_find(ids, value), want < distinct ? want : -1);
        if (want == distinct && distinct == VALUES)
            continue;
        if (want == distinct)
            first[distinct++] = value;
        assert_int_equal(dense_ids_put(ids, value), want);
        assert_true(dense_ids_value(ids, want) == value);
    }
    assert_int_equal(dense_ids_count(ids), distinct);
    assert_true(distinct > VALUES / 2);
    dense_ids_destroy(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measures_equal_definitions),
        cmocka_unit_test(test_measures_by_hand),
        cmocka_unit_test(test_undefined_is_nan),
        cmocka_unit_test(test_most_different_equals_a_sort),
        cmocka_unit_test(test_swaps_equal_definition),
        cmocka_unit_test(test_queries_partition_examples),
        cmocka_unit_test(test_dense_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
