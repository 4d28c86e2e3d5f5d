/* Proves the metrics of docs/MATH.md section 9 against their definitions, written out as loops over all pairs in long double:
 * logistic loss, calibration, AUC loss and PQAUC loss (pair-weighted and per-query mean), with ties, with groups without pairs
 * and where nothing is defined. */
#include "tests/lib/testing.h"

#include <math.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/metrics.h"
#include "common/metrics/queries.h"
#include "common/metrics/weighted.h"

/* cmocka compares floats only. */
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

#define MOST 600

typedef struct sample {
    int64_t n;
    float p[MOST];
    uint8_t y[MOST];
    uint64_t group[MOST];
} sample_t;

/* levels: number of distinct predictions; few of them make many ties. */
static void make_sample(sample_t *s, uint64_t seed, int64_t n, int levels, int groups)
{
    s->n = n;
    for (int64_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)i;
        s->p[i] = (float)((double)(rng_u64(seed, 1, at) % (uint64_t)levels) + 0.5) / (float)levels;
        s->y[i] = (uint8_t)(rng_u64(seed, 2, at) % 3 == 0);
        s->group[i] = rng_u64(seed, 3, rng_u64(seed, 4, at) % (uint64_t)groups); /* spread over all 64 bits */
    }
}

/* The definition, O(n^2): pairs inside `wanted` (all groups where it is NULL). */
static double auc_by_pairs(const sample_t *s, const uint64_t *wanted, double *pairs)
{
    double wrong = 0, total = 0;
    for (int64_t t = 0; t < s->n; t++)
        for (int64_t u = 0; u < s->n; u++) {
            if (s->y[t] != 1 || s->y[u] != 0)
                continue;
            if (wanted && (s->group[t] != *wanted || s->group[u] != *wanted))
                continue;
            total += 1;
            wrong += s->p[u] > s->p[t] ? 1.0 : s->p[u] == s->p[t] ? 0.5 : 0.0;
        }
    *pairs = total;
    return wrong;
}

static double pqauc_by_pairs(const sample_t *s, double *mean)
{
    double wrong = 0, total = 0, losses = 0;
    int with_pairs = 0;
    for (int64_t i = 0; i < s->n; i++) {
        bool seen = false;
        for (int64_t j = 0; j < i && !seen; j++)
            seen = s->group[j] == s->group[i];
        double pairs;
        double w = seen ? 0 : auc_by_pairs(s, &s->group[i], &pairs);
        if (seen || pairs == 0)
            continue;
        wrong += w;
        total += pairs;
        losses += w / pairs;
        with_pairs++;
    }
    *mean = with_pairs ? losses / with_pairs : NAN;
    return total > 0 ? wrong / total : NAN;
}

static void test_auc_equals_all_pairs(void **state)
{
    (void)state;
    static sample_t s;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        make_sample(&s, seed, 2 + (int64_t)(seed * 13 % MOST), seed % 2 ? 7 : 1 << 20, 3);
        double pairs, wrong = auc_by_pairs(&s, NULL, &pairs);
        double got = metrics_auc_loss(s.p, s.y, s.n);
        if (pairs == 0)
            assert_true(isnan(got));
        else
            assert_near(got, wrong / pairs, 0.0);
    }
}

static void test_auc_by_hand(void **state)
{
    (void)state;
    const float p[] = {0.1f, 0.4f, 0.35f, 0.8f};
    const uint8_t y[] = {0, 0, 1, 1};
    assert_near(metrics_auc_loss(p, y, 4), 0.25, 0.0); /* of four pairs only (0.35, 0.4) is wrong */
    const float perfect[] = {0.1f, 0.2f, 0.7f, 0.8f}, reversed[] = {0.9f, 0.8f, 0.2f, 0.1f}, flat[] = {0.5f, 0.5f, 0.5f, 0.5f};
    assert_near(metrics_auc_loss(perfect, y, 4), 0.0, 0.0);
    assert_near(metrics_auc_loss(reversed, y, 4), 1.0, 0.0);
    assert_near(metrics_auc_loss(flat, y, 4), 0.5, 0.0);
    const float ends[] = {-0.0f, 0.0f, 0.0f, 1.0f}; /* both zeros are one value */
    assert_near(metrics_auc_loss(ends, y, 4), 0.25, 0.0);
}

static void test_pqauc_equals_all_pairs(void **state)
{
    (void)state;
    static sample_t s;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        make_sample(&s, seed, 2 + (int64_t)(seed * 7 % 200), seed % 3 ? 5 : 1 << 20, 1 + (int)(seed * 5 % 60));
        double mean, got_mean, want = pqauc_by_pairs(&s, &mean);
        double got = metrics_pqauc_loss(s.p, s.y, s.group, s.n, &got_mean);
        if (isnan(want)) {
            assert_true(isnan(got) && isnan(got_mean));
            continue;
        }
        assert_near(got, want, 0.0);
        assert_near(got_mean, mean, 1e-14);
        assert_near(metrics_pqauc_loss(s.p, s.y, s.group, s.n, NULL), want, 0.0);
    }
}

static void test_pqauc_ignores_pairs_across_groups(void **state)
{
    (void)state;
    const float p[] = {0.9f, 0.1f, 0.2f, 0.8f, 0.3f};
    const uint8_t y[] = {0, 1, 0, 1, 1};
    const uint64_t g[] = {7, 7, ~0ull, ~0ull, 5}; /* one wrong pair, one right pair, a group without a pair */
    double mean;
    assert_near(metrics_pqauc_loss(p, y, g, 5, &mean), 0.5, 0.0);
    assert_near(mean, 0.5, 0.0);
    const uint64_t alone[] = {1, 2, 3, 4, 5};
    assert_true(isnan(metrics_pqauc_loss(p, y, alone, 5, &mean)));
    assert_true(isnan(mean));
}

/* A missing query id is not a query: such examples pair with none, not with one another either. */
static void test_pqauc_leaves_out_examples_without_query(void **state)
{
    (void)state;
    const float p[] = {0.9f, 0.1f, 0.2f, 0.8f, 0.3f};
    const uint8_t y[] = {0, 1, 0, 1, 1};
    const uint64_t g[] = {QUERY_NONE, QUERY_NONE, 7, 7, QUERY_NONE};
    double mean;
    assert_near(metrics_pqauc_loss(p, y, g, 5, &mean), 0.0, 0.0);
    assert_near(mean, 0.0, 0.0);
    const uint64_t none[] = {QUERY_NONE, QUERY_NONE, QUERY_NONE, QUERY_NONE, QUERY_NONE};
    assert_true(isnan(metrics_pqauc_loss(p, y, none, 5, &mean)));
    assert_int_equal(queries_without(g, 5), 3);
    assert_int_equal(queries_without(NULL, 5), 0);
}

/* What the two losses are put together from: an example's share of wrong pairs, over the other label; a query's pairs. */
static void test_parts_of_examples_and_queries(void **state)
{
    (void)state;
    static sample_t s;
    static double wrong[MOST], pairs[MOST];
    for (uint64_t seed = 1; seed <= 30; seed++) {
        make_sample(&s, seed, 2 + (int64_t)(seed * 13 % 300), seed % 2 ? 7 : 1 << 20, 1 + (int)(seed * 5 % 60));
        if (seed % 4 == 0)
            s.group[s.n / 2] = s.group[0] = QUERY_NONE;
        const double loss = metrics_auc_loss(s.p, s.y, s.n);
        metrics_auc_examples(s.p, s.y, s.n, wrong);
        for (int64_t i = 0; i < s.n; i++) {
            double own = 0, others = 0;
            for (int64_t j = 0; j < s.n; j++)
                if (s.y[j] != s.y[i]) {
                    const float positive = s.y[i] ? s.p[i] : s.p[j], negative = s.y[i] ? s.p[j] : s.p[i];
                    own += negative > positive ? 1.0 : negative == positive ? 0.5 : 0.0;
                    others += 1;
                }
            if (isnan(loss))
                assert_true(isnan(wrong[i]));
            else
                assert_near(wrong[i], own / others, 1e-15);
        }
        queries_t *queries = queries_create(s.group, s.n);
        metrics_pqauc_queries(s.p, s.y, queries, wrong, pairs);
        double sum = 0, total = 0;
        for (int64_t q = 0; q < queries->count; q++) {
            sum += wrong[q];
            total += pairs[q];
        }
        const double whole = metrics_pqauc_loss(s.p, s.y, s.group, s.n, NULL);
        assert_true(isnan(whole) ? total == 0 : whole == sum / total);
        s.p[0] = 2.0f;
        metrics_pqauc_queries(s.p, s.y, queries, wrong, pairs);
        assert_true(isnan(wrong[0]));
        queries_destroy(&queries);
    }
}

static void test_order_of_examples_does_not_matter(void **state)
{
    (void)state;
    static sample_t s, shuffled;
    make_sample(&s, 77, MOST, 50, 40);
    shuffled.n = s.n;
    for (int64_t i = 0; i < s.n; i++) {
        int64_t j = (int64_t)rng_permute(5, MOST, (uint64_t)i);
        shuffled.p[j] = s.p[i];
        shuffled.y[j] = s.y[i];
        shuffled.group[j] = s.group[i];
    }
    double mean, shuffled_mean;
    assert_near(metrics_pqauc_loss(s.p, s.y, s.group, s.n, &mean),
                metrics_pqauc_loss(shuffled.p, shuffled.y, shuffled.group, s.n, &shuffled_mean), 0.0);
    assert_near(mean, shuffled_mean, 0.0);
}

static void test_logloss_and_calibration(void **state)
{
    (void)state;
    static sample_t s;
    make_sample(&s, 3, MOST, 1 << 20, 3);
    long double loss = 0, sum_p = 0, sum_y = 0;
    for (int64_t i = 0; i < s.n; i++) {
        loss += s.y[i] ? -logl((long double)s.p[i]) : -log1pl(-(long double)s.p[i]);
        sum_p += (long double)s.p[i];
        sum_y += s.y[i];
    }
    assert_near(metrics_logloss(s.p, s.y, s.n), (double)(loss / s.n), 1e-12);
    assert_near(metrics_calibration(s.p, s.y, s.n), (double)(sum_p / sum_y), 1e-12);
    const long double q = sum_y / s.n, constant = -q * logl(q) - (1 - q) * logl(1 - q);
    assert_near(metrics_base_rate_logloss(s.y, s.n), (double)constant, 1e-12);
    assert_near(metrics_normalised_entropy(s.p, s.y, s.n), (double)(loss / s.n / constant), 1e-12);

    const float sure[] = {0.0f, 1.0f};
    const uint8_t right[] = {0, 1}, wrong[] = {1, 0};
    assert_near(metrics_logloss(sure, right, 2), -log(1 - 1e-7), 1e-15);
    assert_near(metrics_logloss(sure, wrong, 2), -log(1e-7), 1e-12);
    const uint8_t no_positive[] = {0, 0};
    assert_true(isnan(metrics_calibration(sure, no_positive, 2)));
    assert_true(metrics_base_rate_logloss(no_positive, 2) == 0.0 && isnan(metrics_normalised_entropy(sure, no_positive, 2)));
}

static void test_undefined_is_nan(void **state)
{
    (void)state;
    const float none[1] = {0.5f};
    const uint8_t y[2] = {1, 0};
    const uint64_t g[2] = {1, 1};
    double mean = 0;
    assert_true(isnan(metrics_logloss(none, y, 0)));
    assert_true(isnan(metrics_calibration(none, y, 0)));
    assert_true(isnan(metrics_auc_loss(none, y, 0)));
    assert_true(isnan(metrics_auc_loss(none, y, 1)));
    assert_true(isnan(metrics_base_rate_logloss(y, 0)) && isnan(metrics_normalised_entropy(none, y, 0)));

    const float bad[][2] = {{NAN, 0.5f}, {0.5f, 1.5f}, {-0.5f, 0.5f}, {0.5f, INFINITY}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(isnan(metrics_logloss(bad[i], y, 2)));
        assert_true(isnan(metrics_calibration(bad[i], y, 2)));
        assert_true(isnan(metrics_auc_loss(bad[i], y, 2)));
        assert_true(isnan(metrics_normalised_entropy(bad[i], y, 2)));
        assert_true(isnan(metrics_pqauc_loss(bad[i], y, g, 2, &mean)));
    }
}

/* Ten times as many examples must not cost much more than ten times the time (O(n^2) would cost a hundred times). */
static void test_cost_grows_with_n(void **state)
{
    (void)state;
    const int64_t most = 1000000;
    float *p = MEM_ARRAY(float, most);
    uint8_t *y = MEM_ARRAY(uint8_t, most);
    uint64_t *g = MEM_ARRAY(uint64_t, most);
    for (int64_t i = 0; i < most; i++) {
        p[i] = (float)rng_uniform(1, 1, (uint64_t)i);
        y[i] = (uint8_t)(rng_uniform(1, 2, (uint64_t)i) < (double)p[i]);
        g[i] = rng_u64(1, 3, (uint64_t)i / 10);
    }
    double seconds[2];
    for (int round = 0; round < 2; round++) {
        double start = clock_cpu_seconds();
        double loss = metrics_pqauc_loss(p, y, g, round ? most : most / 10, NULL);
        seconds[round] = clock_cpu_seconds() - start;
        assert_true(loss > 0.1 && loss < 0.3); /* p is the true rate: 1/6 in the limit */
    }
    assert_true(seconds[1] < 40 * seconds[0] + 0.05);
    mem_free(p);
    mem_free(y);
    mem_free(g);
}

/* Whole weights are repetitions: so many examples of weight 1. */
static void test_weights_are_repetitions(void **state)
{
    (void)state;
    enum { N = 60, TIMES = 4 };
    float p[N], w[N], repeated[N * TIMES];
    uint8_t y[N], labels[N * TIMES];
    int64_t n = 0;
    for (int i = 0; i < N; i++) {
        p[i] = (float)(rng_u64(8, 1, (uint64_t)i) % 20) / 20.0f; /* with ties */
        y[i] = (uint8_t)(rng_u64(8, 2, (uint64_t)i) & 1);
        w[i] = (float)(rng_u64(8, 3, (uint64_t)i) % TIMES);
        for (int times = 0; times < (int)w[i]; times++, n++) {
            repeated[n] = p[i];
            labels[n] = y[i];
        }
    }
    assert_float_equal(weighted_logloss(p, y, w, N), metrics_logloss(repeated, labels, n), 1e-12);
    assert_float_equal(weighted_auc_loss(p, y, w, N), metrics_auc_loss(repeated, labels, n), 1e-12);
    assert_float_equal(weighted_calibration(p, y, w, N), metrics_calibration(repeated, labels, n), 1e-12);
    assert_float_equal(weighted_base_rate_logloss(y, w, N), metrics_base_rate_logloss(labels, n), 1e-12);
    w[3] = 0.0f;
    p[3] = NAN;
    assert_true(isnan(weighted_logloss(p, y, w, N)) && isnan(weighted_auc_loss(p, y, w, N)) &&
                isnan(weighted_calibration(p, y, w, N)));
    for (int i = 0; i < N; i++)
        w[i] = 0.0f;
    assert_true(isnan(weighted_logloss(p, y, w, N)) && isnan(weighted_base_rate_logloss(y, w, N)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_repetitions),
        cmocka_unit_test(test_auc_equals_all_pairs),
        cmocka_unit_test(test_auc_by_hand),
        cmocka_unit_test(test_pqauc_equals_all_pairs),
        cmocka_unit_test(test_pqauc_ignores_pairs_across_groups),
        cmocka_unit_test(test_pqauc_leaves_out_examples_without_query),
        cmocka_unit_test(test_parts_of_examples_and_queries),
        cmocka_unit_test(test_order_of_examples_does_not_matter),
        cmocka_unit_test(test_logloss_and_calibration),
        cmocka_unit_test(test_undefined_is_nan),
        cmocka_unit_test(test_cost_grows_with_n),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
