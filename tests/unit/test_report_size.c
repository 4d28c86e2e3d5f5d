/* Proves that an experiment whose predictions are files, read in blocks, is measured as if all of it were in memory: the
 * numbers are those of the whole table of queries, bit for bit; a file that is cut meanwhile is an error; and no more than 24
 * bytes an example are held, however many runs there are. */
#include "tests/lib/testing.h"

#include <malloc.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/metrics/bootstrap.h"
#include "common/metrics/level.h"
#include "common/metrics/pd.h"
#include "common/metrics/swap.h"
#include "launcher/report/result.h"

enum { VARIANTS = 2, REPLICAS = 3, FEW = 40000, MANY = 400000 };

/* Queries of all sizes, the examples of most of which lie far apart; some are not known. */
static uint64_t query_of(int64_t i)
{
    const uint64_t draw = rng_u64(5, 0, (uint64_t)i) % 1000;
    return draw < 50 ? QUERY_NONE : draw < 300 ? 17 : draw * draw % 997;
}

static float prediction(int v, int r, int64_t i)
{
    const double score = rng_uniform(6, 0, (uint64_t)i), noise = rng_uniform(6, 1 + (uint64_t)(v * REPLICAS + r), (uint64_t)i);
    return (float)(0.1 * r + 0.6 * score + 0.2 * (v + 1) / VARIANTS * noise);
}

static float *predict(int v, int r, int64_t n)
{
    float *p = MEM_ARRAY(float, n);
    for (int64_t i = 0; i < n; i++)
        p[i] = prediction(v, r, i);
    return p;
}

/* Predictions in files, but for a variant that has them in memory. */
static experiment_result_t make_result(int64_t n, bool has_queries, int in_memory)
{
    experiment_result_t e = {
        .name = "toy", .eval_examples = n, .variants = VARIANTS, .variant = MEM_ARRAY(variant_result_t, VARIANTS)};
    for (int v = 0; v < VARIANTS; v++) {
        e.variant[v] = (variant_result_t){.name = "v", .replicas = REPLICAS, .replica = MEM_ARRAY(replica_result_t, REPLICAS)};
        for (int r = 0; r < REPLICAS; r++) {
            replica_result_t *replica = &e.variant[v].replica[r];
            float *p = predict(v, r, n);
            int64_t floats;
            if (v == in_memory) {
                replica->predictions = p;
                continue;
            }
            const char *path = test_path("%d-%d.f32", v, r);
            assert_int_equal(file_write_atomic(path, p, (size_t)n * sizeof *p), ST_OK);
            mem_free(p);
            assert_int_equal(float_file_open(disk_posix(), path, &replica->predictions_file, &floats), ST_OK);
        }
    }
    e.group = has_queries ? MEM_ARRAY(uint64_t, n) : NULL;
    for (int64_t i = 0; i < n && has_queries; i++)
        e.group[i] = query_of(i);
    return e;
}

/* Sums over queries of a number of every example, times their examples: eq. 35 and 42, and their intervals. */
static estimate_t of_examples(const queries_t *queries, const double *number, int stride)
{
    double *sums = MEM_ARRAY(double, 2 * queries->count);
    for (int64_t q = 0; q < queries->count; q++) {
        sums[2 * q] = (double)queries_size(queries, q);
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++)
            sums[2 * q + 1] += number[queries->example[i] * stride];
    }
    bootstrap_t *bootstrap = bootstrap_create(sums, queries->count, 2, 1, RESULT_RESAMPLES);
    const estimate_t estimate = bootstrap_ratio(bootstrap, 1, 0);
    bootstrap_destroy(&bootstrap);
    mem_free(sums);
    return estimate;
}

static estimate_t of_queries(const queries_t *queries, const float *const *p, int k)
{
    double *share = MEM_ARRAY(double, queries->count), *sums = MEM_ARRAY(double, 2 * queries->count);
    swap_queries(queries, p, REPLICAS, k, share);
    for (int64_t q = 0; q < queries->count; q++) {
        sums[2 * q] = queries_size(queries, q) > k;
        sums[2 * q + 1] = share[q];
    }
    bootstrap_t *bootstrap = bootstrap_create(sums, queries->count, 2, 1, RESULT_RESAMPLES);
    const estimate_t estimate = bootstrap_ratio(bootstrap, 1, 0);
    bootstrap_destroy(&bootstrap);
    mem_free(sums);
    mem_free(share);
    return estimate;
}

static void assert_same(estimate_t a, estimate_t b)
{
    assert_true(a.value == b.value && a.low == b.low && a.high == b.high);
}

static void check_variant(const variant_result_t *variant, int v, const queries_t *queries, bool has_queries)
{
    const reproducibility_t *found = &variant->reproducibility;
    const estimate_t *estimate = (const estimate_t *)found;
    double *term = MEM_ARRAY(double, FEW *PD_COUNT);
    float *levelled = MEM_ARRAY(float, REPLICAS *FEW), *own[REPLICAS];
    const float *p[REPLICAS], *level[REPLICAS];
    for (int r = 0; r < REPLICAS; r++) {
        p[r] = own[r] = predict(v, r, FEW);
        level[r] = levelled + (int64_t)r * FEW;
    }
    pd_examples(p, REPLICAS, FEW, term);
    for (int m = 0; m < PD_COUNT; m++)
        assert_same(estimate[m], of_examples(queries, term + m, PD_COUNT));
    int64_t most[RESULT_MOST_DIFFERENT];
    assert_int_equal(pd_most_different(term, FEW, most, RESULT_MOST_DIFFERENT), variant->n_most_different);
    for (int i = 0; i < RESULT_MOST_DIFFERENT; i++) {
        assert_int_equal(variant->most_different[i], most[i]);
        assert_true(variant->most_different_pd[i] == term[most[i] * PD_COUNT + PD_RELATIVE]);
        for (int r = 0; r < REPLICAS; r++)
            assert_true(variant->most_different_p[i * REPLICAS + r] == p[r][most[i]]);
    }
    level_predictions(p, REPLICAS, NULL, FEW, levelled);
    pd_examples(level, REPLICAS, FEW, term);
    assert_same(found->pd_levelled, of_examples(queries, term + PD_RELATIVE, PD_COUNT));
    if (has_queries) {
        assert_same(found->swap_top1, of_queries(queries, p, 1));
        assert_same(found->swap_topk, of_queries(queries, p, RESULT_TOP_K));
    }
    assert_true(variant->without.pd_relative[1] == pd_of_pair(p[0], p[2], FEW));
    level_predictions((const float *const[]){p[0], p[2]}, 2, NULL, FEW, levelled);
    assert_true(variant->without.pd_levelled[1] == pd_of_pair(levelled, levelled + FEW, FEW));
    for (int r = 0; r < REPLICAS; r++)
        mem_free(own[r]);
    mem_free(levelled);
    mem_free(term);
}

static void test_measures_as_if_all_were_in_memory(void **state)
{
    (void)state;
    test_dir();
    for (int has_queries = 0; has_queries < 2; has_queries++) {
        experiment_result_t e = make_result(FEW, has_queries, has_queries ? 1 : -1);
        queries_t *queries = queries_create(e.group, FEW);
        const int64_t without = queries_without(e.group, FEW);
        assert_int_equal(result_summarise(&e), ST_OK);
        assert_int_equal(e.queries, has_queries ? queries->count - without : 0);
        assert_int_equal(e.without_query, without);
        for (int v = 0; v < VARIANTS; v++)
            check_variant(&e.variant[v], v, queries, has_queries);
        queries_destroy(&queries);
        result_fini(&e);
    }
}

static void test_a_file_that_is_cut_is_an_error(void **state)
{
    (void)state;
    test_dir();
    experiment_result_t e = make_result(FEW, true, -1);
    assert_int_equal(truncate(test_path("1-2.f32"), 70000), 0);
    catch_start();
    assert_int_equal(result_summarise(&e), ST_CORRUPT);
    catch_stop();
    assert_caught("1-2.f32: ends at byte 70000, ");
    result_fini(&e);
}

/* What a run's end and a report take. */
static int64_t peak_bytes(int64_t n)
{
    float *p = predict(0, 0, n);
    uint8_t *label = MEM_ARRAY(uint8_t, n);
    uint64_t *group = MEM_ARRAY(uint64_t, n);
    quality_t quality = {0};
    for (int64_t i = 0; i < n; i++) {
        label[i] = (uint8_t)(i % 3 == 0);
        group[i] = query_of(i);
    }
    run_result_evaluate(&quality, p, label, NULL, group, n);
    assert_true(quality.auc_loss > 0.4 && quality.pqauc_loss > 0.4);
    mem_free(p);
    mem_free(group);
    experiment_result_t e = make_result(n, true, -1);
    e.label = label;
    assert_int_equal(result_summarise(&e), ST_OK);
    result_fini(&e);
    return clock_peak_rss_bytes();
}

static void test_memory_of_an_example(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* they multiply it */
#endif
    test_dir();
    mallopt(M_MMAP_THRESHOLD, 1 << 16); /* an array that was released is no more counted */
    const double small = (double)peak_bytes(FEW), large = (double)peak_bytes(MANY), bytes = (large - small) / (MANY - FEW);
    if (bytes > 24.0)
        print_error("%.1f bytes an example\n", bytes);
    assert_true(bytes <= 24.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_of_an_example), /* first: a peak does not fall */
        cmocka_unit_test(test_measures_as_if_all_were_in_memory),
        cmocka_unit_test(test_a_file_that_is_cut_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
