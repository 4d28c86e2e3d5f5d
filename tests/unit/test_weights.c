/* Proves that every evaluation counts an example by its weight (docs/MATH.md section 9): with whole weights each number, its
 * interval and its errors are those of the same rows written so many times, and those that sums over all pairs, taken in the
 * plainest way, give; with no weights, or with weights that are all 1, they are what they are without. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/level.h"
#include "common/metrics/metrics.h"
#include "common/metrics/pd.h"
#include "common/metrics/slices.h"
#include "common/metrics/spread.h"
#include "common/metrics/weighted.h"
#include "launcher/report/churn.h"
#include "launcher/report/evaluation.h"

enum { N = 120, TIMES = 3, REPLICAS = 4, QUERY = 6 };

typedef struct rows {
    int64_t n;
    float p[REPLICAS][N * TIMES], w[N * TIMES];
    uint8_t y[N * TIMES];
    uint64_t group[N * TIMES];
} rows_t;

/* Rows with weights from `least` to TIMES, and the same with each row as often as its weight says, inside its query. */
static void draw(int least, rows_t *once, rows_t *repeated)
{
    *once = *repeated = (rows_t){0};
    for (uint64_t i = 0; i < N; i++) {
        const int weight = least + (int)(rng_u64(1, 1, i) % (uint64_t)(TIMES + 1 - least));
        for (int r = 0; r < REPLICAS; r++)
            once->p[r][i] = (float)(rng_u64(2, (uint64_t)r, i) % 19 + 1) / 20.0f; /* with ties */
        once->y[i] = rng_uniform(3, 0, i) < 0.2 + 0.5 * (double)once->p[0][i];
        once->group[i] = i / QUERY == 3 ? QUERY_NONE : 1 + i / QUERY;
        once->w[i] = (float)weight;
        for (int times = 0; times < weight; times++, repeated->n++) {
            for (int r = 0; r < REPLICAS; r++)
                repeated->p[r][repeated->n] = once->p[r][i];
            repeated->y[repeated->n] = once->y[i];
            repeated->group[repeated->n] = once->group[i];
        }
    }
    once->n = N;
}

/* A number that is not known is not known in both. */
static void assert_same(double a, double b)
{
    assert_true(isnan(a) == isnan(b));
    if (!isnan(a))
        assert_float_equal(a, b, 1e-12);
}

static void assert_same_estimate(estimate_t a, estimate_t b)
{
    assert_same(a.value, b.value);
    assert_same(a.low, b.low);
    assert_same(a.high, b.high);
}

/* ---- metrics --------------------------------------------------------------------------------------------------------- */

/* The share of pairs in the wrong order, over all pairs, or those of a query; wrong and pairs of it in *sums. */
static double all_pairs(const rows_t *s, bool in_queries, uint64_t only, double *sums)
{
    double wrong = 0.0, pairs = 0.0;
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->n; j++) {
            const bool counts =
                !in_queries || (s->group[i] == s->group[j] && s->group[i] != QUERY_NONE && (only == 0 || s->group[i] == only));
            if (!s->y[i] || s->y[j] || !counts)
                continue;
            const double weight = (double)s->w[i] * (double)s->w[j];
            wrong += weight * (s->p[0][j] > s->p[0][i] ? 1.0 : s->p[0][j] == s->p[0][i] ? 0.5 : 0.0);
            pairs += weight;
        }
    if (sums) {
        sums[0] = wrong;
        sums[1] = pairs;
    }
    return wrong / pairs;
}

static void test_pairs_are_products(void **state)
{
    (void)state;
    static rows_t s, repeated;
    double query_mean, repeated_mean, sum = 0.0;
    int counted = 0;
    draw(0, &s, &repeated);
    for (int i = 0; i < s.n; i++)
        s.w[i] *= 0.7f; /* no whole numbers */
    assert_same(weighted_auc_loss(s.p[0], s.y, s.w, s.n), all_pairs(&s, false, 0, NULL));
    assert_same(weighted_pqauc_loss(s.p[0], s.y, s.w, s.group, s.n, &query_mean), all_pairs(&s, true, 0, NULL));
    queries_t *queries = queries_create(s.group, s.n);
    double *wrong = MEM_ARRAY(double, queries->count), *pairs = MEM_ARRAY(double, queries->count);
    weighted_pqauc_queries(s.p[0], s.y, s.w, queries, wrong, pairs);
    for (int64_t q = 0; q < queries->count; q++) {
        double sums[2];
        const uint64_t group = s.group[queries->example[queries->begin[q]]];
        all_pairs(&s, true, group, sums);
        if (group != QUERY_NONE) {
            assert_same(wrong[q], sums[0]);
            assert_same(pairs[q], sums[1]);
        }
        sum += sums[1] > 0.0 ? sums[0] / sums[1] : 0.0;
        counted += sums[1] > 0.0;
    }
    assert_same(query_mean, sum / counted);
    const double exact = metrics_pqauc_loss(repeated.p[0], repeated.y, repeated.group, repeated.n, &repeated_mean);
    assert_same(weighted_pqauc_loss(s.p[0], s.y, s.w, s.group, s.n, NULL), exact);
    assert_same(query_mean, repeated_mean);
    mem_free(wrong);
    mem_free(pairs);
    queries_destroy(&queries);
}

/* Each example's part in the AUC loss; so its mean over either label, by weights, is the loss. */
static void test_parts_of_examples(void **state)
{
    (void)state;
    static rows_t s, repeated;
    double part[N], repeated_part[N * TIMES], sum[2] = {0, 0}, weight[2] = {0, 0};
    draw(1, &s, &repeated);
    weighted_auc_examples(s.p[0], s.y, s.w, s.n, part);
    metrics_auc_examples(repeated.p[0], repeated.y, repeated.n, repeated_part);
    for (int64_t i = 0, at = 0; i < s.n; at += (int64_t)s.w[i++]) {
        assert_same(part[i], repeated_part[at]);
        sum[s.y[i]] += (double)s.w[i] * part[i];
        weight[s.y[i]] += (double)s.w[i];
    }
    assert_float_equal(sum[0] / weight[0], weighted_auc_loss(s.p[0], s.y, s.w, s.n), 1e-12);
    assert_float_equal(sum[1] / weight[1], weighted_auc_loss(s.p[0], s.y, s.w, s.n), 1e-12);
}

static void test_run_and_evaluate(void **state)
{
    (void)state;
    static rows_t s, repeated;
    quality_t a = {0}, b = {0};
    evaluation_t x, y;
    draw(1, &s, &repeated);
    evaluation_measure(&(evaluated_examples_t){s.n, s.p[0], s.y, s.w, s.group}, &x);
    evaluation_measure(&(evaluated_examples_t){repeated.n, repeated.p[0], repeated.y, NULL, repeated.group}, &y);
    for (int i = 0; i < EVALUATION_COUNT; i++)
        assert_same(x.number[i].estimate.value, y.number[i].estimate.value);
    for (int64_t i = 0; i < s.n; i++)
        s.group[i] = s.group[i] == QUERY_NONE ? 1000 : s.group[i]; /* an example without one is resampled alone */
    for (int64_t i = 0; i < repeated.n; i++)
        repeated.group[i] = repeated.group[i] == QUERY_NONE ? 1000 : repeated.group[i];
    evaluation_measure(&(evaluated_examples_t){s.n, s.p[0], s.y, s.w, s.group}, &x);
    evaluation_measure(&(evaluated_examples_t){repeated.n, repeated.p[0], repeated.y, NULL, repeated.group}, &y);
    assert_true(x.examples == s.n && x.has_weights && !y.has_weights && x.queries == y.queries);
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        assert_same_estimate(x.number[i].estimate, y.number[i].estimate);
        assert_same(x.number[i].error, y.number[i].error);
    }
    run_result_evaluate(&a, s.p[0], s.y, s.w, s.group, s.n);
    run_result_evaluate(&b, repeated.p[0], repeated.y, NULL, repeated.group, repeated.n);
    for (int i = 0; i < quality_rows.n; i++)
        assert_same(metric_value(&quality_rows, i, &a), metric_value(&quality_rows, i, &b));
    for (int64_t i = 0; i < s.n; i++)
        s.w[i] = 1.0f;
    draw(1, &repeated, &s); /* groups were sorted */
    run_result_evaluate(&a, repeated.p[0], repeated.y, NULL, NULL, repeated.n);
    for (int64_t i = 0; i < repeated.n; i++)
        repeated.w[i] = 1.0f;
    run_result_evaluate(&b, repeated.p[0], repeated.y, repeated.w, NULL, repeated.n);
    for (int i = 0; i < quality_rows.n; i++)
        assert_same(metric_value(&quality_rows, i, &a), metric_value(&quality_rows, i, &b));
}

/* ---- replicas -------------------------------------------------------------------------------------------------------- */

static experiment_result_t summarised(const rows_t *s, const float *weight)
{
    experiment_result_t e = {.variants = 2, .eval_examples = s->n, .variant = MEM_ARRAY(variant_result_t, 2)};
    for (int v = 0; v < 2; v++) {
        e.variant[v] = (variant_result_t){
            .name = v ? "b" : "a", .replicas = REPLICAS - v, .replica = MEM_ARRAY(replica_result_t, REPLICAS)};
        for (int r = 0; r < REPLICAS - v; r++) {
            e.variant[v].replica[r].predictions = MEM_ARRAY(float, s->n);
            memcpy(e.variant[v].replica[r].predictions, s->p[r + v], (size_t)s->n * sizeof(float));
        }
    }
    e.group = MEM_ARRAY(uint64_t, s->n);
    e.label = MEM_ARRAY(uint8_t, s->n);
    memcpy(e.group, s->group, (size_t)s->n * sizeof *e.group);
    memcpy(e.label, s->y, (size_t)s->n);
    if (weight) {
        e.weight = MEM_ARRAY(float, s->n);
        memcpy(e.weight, weight, (size_t)s->n * sizeof *e.weight);
    }
    assert_int_equal(result_summarise(&e), ST_OK);
    return e;
}

/* Prediction differences, over all that a report has of them; swaps are of queries, which count once. */
static void test_report(void **state)
{
    (void)state;
    static rows_t s, repeated;
    draw(1, &s, &repeated);
    for (int64_t i = 0; i < s.n; i++)
        s.group[i] = s.group[i] == QUERY_NONE ? 1000 : s.group[i];
    for (int64_t i = 0; i < repeated.n; i++)
        repeated.group[i] = repeated.group[i] == QUERY_NONE ? 1000 : repeated.group[i];
    experiment_result_t a = summarised(&s, s.w), b = summarised(&repeated, NULL), without = summarised(&s, NULL);
    assert_same(result_base_rate_logloss(&a), result_base_rate_logloss(&b));
    for (int v = 0; v < 2; v++) {
        const variant_result_t *x = &a.variant[v], *y = &b.variant[v], *z = &without.variant[v];
        const estimate_t *in_x = (const estimate_t *)&x->reproducibility, *in_y = (const estimate_t *)&y->reproducibility;
        for (int measure = 0; measure <= PD_COUNT; measure++) /* and levelled */
            assert_same_estimate(in_x[measure], in_y[measure]);
        assert_same_estimate(x->reproducibility.swap_top1, z->reproducibility.swap_top1);
        assert_same_estimate(x->reproducibility.swap_topk, z->reproducibility.swap_topk);
        assert_same_estimate(x->pd_difference, y->pd_difference);
        assert_same(x->error.pd_relative, y->error.pd_relative);
        assert_same(x->error.pd_levelled, y->error.pd_levelled);
        assert_true(fabs(x->reproducibility.pd_relative.value - z->reproducibility.pd_relative.value) > 1e-4);
    }
    result_fini(&a);
    result_fini(&b);
    result_fini(&without);
}

static void test_probes_and_levels(void **state)
{
    (void)state;
    static rows_t s, repeated;
    const float *p[REPLICAS], *q[REPLICAS];
    spread_t a, b;
    draw(0, &s, &repeated);
    for (int r = 0; r < REPLICAS; r++) {
        p[r] = s.p[r];
        q[r] = repeated.p[r];
    }
    spread_measure(p, REPLICAS, s.w, s.n, NULL, &a);
    spread_measure(q, REPLICAS, NULL, repeated.n, NULL, &b);
    assert_same(a.pd_relative.value, b.pd_relative.value);
    assert_same(a.pd_relative.error, b.pd_relative.error);
    assert_same(a.pd_levelled.value, b.pd_levelled.value);
    assert_same(a.pd_levelled.error, b.pd_levelled.error);
    memset(s.w, 0, sizeof s.w);
    spread_measure(p, REPLICAS, s.w, s.n, NULL, &a);
    assert_true(isnan(a.pd_relative.value) && isnan(a.pd_levelled.value));
}

static void test_churn(void **state)
{
    (void)state;
    static rows_t s, repeated;
    churn_t a, b;
    draw(1, &s, &repeated);
    const float *before[] = {s.p[0], s.p[1]}, *after[] = {s.p[2], s.p[3]};
    const float *before_repeated[] = {repeated.p[0], repeated.p[1]}, *after_repeated[] = {repeated.p[2], repeated.p[3]};
    for (int64_t i = 0; i < s.n; i++)
        s.group[i] = s.group[i] == QUERY_NONE ? 1000 : s.group[i];
    for (int64_t i = 0; i < repeated.n; i++)
        repeated.group[i] = repeated.group[i] == QUERY_NONE ? 1000 : repeated.group[i];
    churn_measure(&(churn_input_t){2, before, after, s.y, s.group, s.n, s.w}, &a);
    churn_measure(&(churn_input_t){2, before_repeated, after_repeated, repeated.y, repeated.group, repeated.n, NULL}, &b);
    for (int m = 0; m < CHURN_COUNT; m++)
        if (m != CHURN_SWAP_TOP1 && m != CHURN_SWAP_TOPK) {
            assert_same_estimate(churn_get(&a, m), churn_get(&b, m));
            if (m < CHURN_DISTANCES)
                assert_same(a.alone[m].value, b.alone[m].value);
        }
    churn_fini(&a);
    churn_fini(&b);
}

static void test_slices(void **state)
{
    (void)state;
    slices_t *slices = slices_create(1);
    slices_put(slices, 7, 2.0, (const double[]){0.5});
    slices_put(slices, 7, 1.0, (const double[]){0.2});
    slices_put(slices, 8, 0.0, (const double[]){0.9});
    slice_t out[2];
    assert_int_equal(slices_worst(slices, 0, 1, out, 2), 1); /* what counts nothing is no slice */
    assert_true(out[0].examples == 2 && fabs(out[0].mean - 0.4) < 1e-15);
    slices_destroy(&slices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_are_products),
        cmocka_unit_test(test_parts_of_examples),
        cmocka_unit_test(test_run_and_evaluate),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_probes_and_levels),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
