/* Proves that the churn between two versions is what its definition says: of a pair that is small enough to be counted by hand;
 * of replicas against loops over examples and pairs, its errors against measuring it again without one replica after the other;
 * that AUC loss is resampled as if it had been counted anew in every resample; and what is not defined. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/level.h"
#include "common/metrics/metrics.h"
#include "common/metrics/pd.h"
#include "launcher/report/churn.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { MOST = 1200, REPLICAS = 4, NOBODY = -1 };

static double value_of(const churn_t *churn, churn_metric_t metric)
{
    return churn_get(churn, metric).value;
}

/* Two queries. In the first B shows another example first, and orders its only wrong pair rightly; the second keeps its
 * order. */
static void test_a_pair_by_hand(void **state)
{
    (void)state;
    const float before[] = {0.5f, 0.25f, 0.125f, 0.25f, 0.75f}, after[] = {0.25f, 0.5f, 0.125f, 0.5f, 0.75f};
    const float *a[] = {before}, *b[] = {after};
    const uint8_t y[] = {0, 1, 0, 0, 1};
    const uint64_t group[] = {7, 7, 7, 8, 8};
    churn_t churn;
    churn_measure(&(churn_input_t){1, a, b, y, group, 5, NULL}, &churn);
    assert_int_equal(churn.queries, 2);
    assert_int_equal(churn.mixed_queries, 2);
    assert_int_equal(churn.positives, 2);
    assert_near(value_of(&churn, CHURN_PD_RELATIVE), (2.0 / 3 + 2.0 / 3 + 0 + 2.0 / 3 + 0) / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_SWAP_TOP1), 0.5, 0);
    assert_true(isnan(value_of(&churn, CHURN_SWAP_TOPK))); /* no query is longer than 3 */
    assert_near(value_of(&churn, CHURN_LOGLOSS_BEFORE), -(log(0.5) + log(0.25) + log(0.875) + 2 * log(0.75)) / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_LOGLOSS_CHANGE),
                (log(0.5) + log(0.25) - log(0.75) - log(0.5) + log(0.75) - log(0.5)) / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_AUC_LOSS_BEFORE), (1 + 0.5) / 6, 1e-12); /* 0.25 is below 0.5, and as high as 0.25 */
    assert_near(value_of(&churn, CHURN_AUC_LOSS_AFTER), 0.5 / 6, 1e-12);
    assert_near(value_of(&churn, CHURN_PQAUC_LOSS_BEFORE), 1.0 / 3, 1e-12);
    assert_near(value_of(&churn, CHURN_PQAUC_LOSS_CHANGE), -1.0 / 3, 1e-12);
    assert_near(value_of(&churn, CHURN_EXAMPLES_BETTER), 2.0 / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_EXAMPLES_WORSE), 1.0 / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_LOGLOSS_WON), (log(0.5) - log(0.75) + log(0.25) - log(0.5)) / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_LOGLOSS_LOST), (log(0.75) - log(0.5)) / 5, 1e-12);
    assert_near(value_of(&churn, CHURN_QUERIES_BETTER), 0.5, 0);
    assert_near(value_of(&churn, CHURN_QUERIES_WORSE), 0, 0);
    assert_int_equal(churn.n_most_different, 3);
    assert_int_equal(churn.most_different[0], 0);
    assert_near(churn.pd_of_example[3], 2.0 / 3, 1e-12);
    assert_near(churn.change_of_example[3], log(0.75) - log(0.5), 1e-12);
    assert_true(isnan(churn.alone[CHURN_PD_RELATIVE].value) && isnan(churn.beyond[CHURN_PD_RELATIVE].value));
    assert_true(isnan(churn.error[CHURN_PD_RELATIVE]));
    churn_fini(&churn);
}

/* ---- replicas -------------------------------------------------------------------------------------------------------- */

typedef struct versions {
    int64_t n;
    float *p[2][REPLICAS];
    uint8_t y[MOST];
    uint64_t group[MOST];
} versions_t;

static void make_versions(versions_t *s, int64_t n)
{
    s->n = n;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)i;
        const double score = 3.0 * rng_uniform(1, 1, at) - 2.5;
        s->y[i] = rng_uniform(1, 2, at) < 1.0 / (1.0 + exp(-score));
        s->group[i] = rng_u64(1, 3, at) % (uint64_t)(n / 6);
        for (int v = 0; v < 2; v++)
            for (int r = 0; r < REPLICAS; r++) {
                const uint64_t own = (uint64_t)(10 * v + r);
                const double noise = rng_uniform(3, (uint64_t)v, at) + rng_uniform(4, own, at) + rng_uniform(5, own, 0);
                s->p[v][r][i] = (float)(1.0 / (1.0 + exp(-score - noise + 1.5)));
            }
    }
}

static void setup(versions_t *s, int64_t n)
{
    for (int v = 0; v < 2; v++)
        for (int r = 0; r < REPLICAS; r++)
            s->p[v][r] = MEM_ARRAY(float, MOST);
    make_versions(s, n);
}

static void fini(versions_t *s)
{
    for (int v = 0; v < 2; v++)
        for (int r = 0; r < REPLICAS; r++)
            mem_free(s->p[v][r]);
}

/* Without replica `out`, or with all. */
static churn_t measured(const versions_t *s, int out)
{
    const float *p[2][REPLICAS];
    int n = 0;
    for (int r = 0; r < REPLICAS; r++)
        if (r != out) {
            p[0][n] = s->p[0][r];
            p[1][n++] = s->p[1][r];
        }
    churn_t churn;
    churn_measure(&(churn_input_t){n, p[0], p[1], s->y, s->group, s->n, NULL}, &churn);
    return churn;
}

static double levelled_pd(const float *a, const float *b, int64_t n)
{
    const float *const pair[] = {a, b};
    float *level = MEM_ARRAY(float, 2 * n);
    level_predictions(pair, 2, NULL, n, level);
    const double pd = pd_of_pair(level, level + n, n);
    mem_free(level);
    return pd;
}

static void test_replicas_of_versions(void **state)
{
    (void)state;
    static versions_t s;
    setup(&s, MOST);
    churn_t churn = measured(&s, NOBODY);
    double pd = 0, levelled = 0, alone = 0, alone_levelled = 0, logloss[2] = {0, 0}, auc[2] = {0, 0}, pqauc[2] = {0, 0};
    const int pairs = pd_pairs(REPLICAS);
    for (int r = 0; r < REPLICAS; r++) {
        pd += pd_of_pair(s.p[0][r], s.p[1][r], s.n) / REPLICAS;
        levelled += levelled_pd(s.p[0][r], s.p[1][r], s.n) / REPLICAS;
        for (int v = 0; v < 2; v++) {
            logloss[v] += metrics_logloss(s.p[v][r], s.y, s.n) / REPLICAS;
            auc[v] += metrics_auc_loss(s.p[v][r], s.y, s.n) / REPLICAS;
            pqauc[v] += metrics_pqauc_loss(s.p[v][r], s.y, s.group, s.n, NULL) / REPLICAS;
            for (int other = 0; other < r; other++) {
                alone += pd_of_pair(s.p[v][r], s.p[v][other], s.n) / (2 * pairs);
                alone_levelled += levelled_pd(s.p[v][r], s.p[v][other], s.n) / (2 * pairs);
            }
        }
    }
    assert_near(value_of(&churn, CHURN_PD_RELATIVE), pd, 1e-12);
    assert_near(value_of(&churn, CHURN_PD_LEVELLED), levelled, 1e-12);
    assert_near(churn.alone[CHURN_PD_RELATIVE].value, alone, 1e-12);
    assert_near(churn.alone[CHURN_PD_LEVELLED].value, alone_levelled, 1e-12);
    assert_near(churn.beyond[CHURN_PD_RELATIVE].value, pd - alone, 1e-12);
    assert_near(value_of(&churn, CHURN_LOGLOSS_BEFORE), logloss[0], 1e-12);
    assert_near(value_of(&churn, CHURN_LOGLOSS_CHANGE), logloss[1] - logloss[0], 1e-12);
    assert_near(value_of(&churn, CHURN_AUC_LOSS_AFTER), auc[1], 1e-12);
    assert_near(value_of(&churn, CHURN_AUC_LOSS_CHANGE), auc[1] - auc[0], 1e-12);
    assert_near(value_of(&churn, CHURN_PQAUC_LOSS_BEFORE), pqauc[0], 1e-12);
    assert_near(value_of(&churn, CHURN_PQAUC_LOSS_CHANGE), pqauc[1] - pqauc[0], 1e-12);
    assert_near(value_of(&churn, CHURN_LOGLOSS_LOST) + value_of(&churn, CHURN_LOGLOSS_WON), logloss[1] - logloss[0], 1e-12);
    for (int m = 0; m < CHURN_COUNT; m++) {
        const estimate_t e = churn_get(&churn, m);
        assert_true(e.low < e.value && e.value < e.high);
    }
    churn_fini(&churn);
    fini(&s);
}

/* sqrt((R-1)/R sum (without - mean)^2), of what remains when everything is measured again. */
static void test_errors_are_those_of_leaving_replicas_out(void **state)
{
    (void)state;
    static versions_t s;
    setup(&s, 300);
    churn_t churn = measured(&s, NOBODY);
    enum { NUMBERS = CHURN_COUNT + 2 * CHURN_DISTANCES };
    double without[NUMBERS][REPLICAS];
    for (int out = 0; out < REPLICAS; out++) {
        churn_t left = measured(&s, out);
        for (int m = 0; m < CHURN_COUNT; m++)
            without[m][out] = churn_get(&left, m).value;
        for (int m = 0; m < CHURN_DISTANCES; m++) {
            without[CHURN_COUNT + m][out] = left.alone[m].value;
            without[CHURN_COUNT + CHURN_DISTANCES + m][out] = left.beyond[m].value;
        }
        churn_fini(&left);
    }
    for (int k = 0; k < NUMBERS; k++) {
        double mean = 0, squares = 0;
        for (int r = 0; r < REPLICAS; r++)
            mean += without[k][r] / REPLICAS;
        for (int r = 0; r < REPLICAS; r++)
            squares += (without[k][r] - mean) * (without[k][r] - mean);
        const int m = (k - CHURN_COUNT) % CHURN_DISTANCES;
        const double found = k < CHURN_COUNT                     ? churn.error[k]
                             : k < CHURN_COUNT + CHURN_DISTANCES ? churn.alone[m].error
                                                                 : churn.beyond[m].error;
        assert_near(found, sqrt(squares * (REPLICAS - 1) / REPLICAS), 1e-10);
    }
    churn_fini(&churn);
    fini(&s);
}

/* ---- AUC loss of resamples ------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Every resample counted: query u, in the order of first examples, is there c(b, u) times. */
static void test_auc_of_resamples(void **state)
{
    (void)state;
    static versions_t s;
    setup(&s, 900);
    const float *a[] = {s.p[0][0]}, *b[] = {s.p[1][0]};
    churn_t churn;
    churn_measure(&(churn_input_t){1, a, b, s.y, s.group, s.n, NULL}, &churn);
    queries_t *queries = queries_create(s.group, s.n);
    float *p[2] = {MEM_ARRAY(float, 4 * MOST), MEM_ARRAY(float, 4 * MOST)};
    uint8_t *y = MEM_ARRAY(uint8_t, 4 * MOST);
    static double difference[RESULT_RESAMPLES];
    for (int resample = 0; resample < RESULT_RESAMPLES; resample++) {
        int64_t n = 0;
        for (int64_t q = 0; q < queries->count; q++)
            for (int32_t times = bootstrap_count(1, resample, q); times > 0; times--)
                for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++) {
                    p[0][n] = a[0][queries->example[i]];
                    p[1][n] = b[0][queries->example[i]];
                    y[n++] = s.y[queries->example[i]];
                }
        difference[resample] = metrics_auc_loss(p[1], y, n) - metrics_auc_loss(p[0], y, n);
    }
    qsort(difference, RESULT_RESAMPLES, sizeof *difference, by_value);
    const estimate_t found = churn_get(&churn, CHURN_AUC_LOSS_CHANGE);
    const double low = difference[25], high = difference[974], width = high - low;
    assert_near(found.low, low, 0.05 * width);
    assert_near(found.high, high, 0.05 * width);
    mem_free(p[0]);
    mem_free(p[1]);
    mem_free(y);
    queries_destroy(&queries);
    churn_fini(&churn);
    fini(&s);
}

/* ---- what is not defined --------------------------------------------------------------------------------------------- */

static void test_undefined(void **state)
{
    (void)state;
    const float good[] = {0.5f, 0.25f, 0.125f}, bad[] = {0.5f, NAN, 0.125f};
    const float *a[] = {good}, *b[] = {bad}, *same[] = {good};
    const uint8_t y[] = {0, 1, 0};
    churn_t churn;
    churn_measure(&(churn_input_t){1, a, b, y, NULL, 3, NULL}, &churn);
    assert_int_equal(churn.queries, 0);
    assert_true(isnan(value_of(&churn, CHURN_PD_RELATIVE)) && isnan(value_of(&churn, CHURN_EXAMPLES_BETTER)));
    assert_true(isnan(value_of(&churn, CHURN_SWAP_TOP1)) && isnan(value_of(&churn, CHURN_PQAUC_LOSS_CHANGE)));
    assert_true(isfinite(value_of(&churn, CHURN_LOGLOSS_BEFORE)) && isnan(value_of(&churn, CHURN_LOGLOSS_AFTER)));
    churn_fini(&churn);
    const uint64_t group[] = {1, 1, 1};
    churn_measure(&(churn_input_t){1, a, b, y, group, 3, NULL}, &churn);
    assert_true(isfinite(value_of(&churn, CHURN_PQAUC_LOSS_BEFORE)) && isnan(value_of(&churn, CHURN_PQAUC_LOSS_AFTER)));
    churn_fini(&churn);
    churn_measure(&(churn_input_t){1, a, same, y, group, 3, NULL}, &churn);
    assert_near(value_of(&churn, CHURN_PD_RELATIVE), 0, 0);
    assert_near(value_of(&churn, CHURN_EXAMPLES_BETTER) + value_of(&churn, CHURN_EXAMPLES_WORSE), 0, 0);
    assert_int_equal(churn.n_most_different, 0);
    churn_fini(&churn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pair_by_hand),
        cmocka_unit_test(test_replicas_of_versions),
        cmocka_unit_test(test_errors_are_those_of_leaving_replicas_out),
        cmocka_unit_test(test_auc_of_resamples),
        cmocka_unit_test(test_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
