/* Proves that what predictions are worth comes with the errors that it has: the numbers are those of metrics.h, and over many
 * samples of known truth a number lies as far from the truth as its error says. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/metrics/metrics.h"
#include "launcher/report/replica_evaluation.h"
#include "launcher/report/window_series.h"

enum { N = 400, SAMPLES = 60 };

/* Labels are 1 with the probability that is predicted, in queries of four. */
static void draw(uint64_t sample, float *p, uint8_t *y, uint64_t *group)
{
    for (uint64_t i = 0; i < N; i++) {
        p[i] = (float)(0.1 + 0.6 * rng_uniform(sample, 1, i));
        y[i] = rng_uniform(sample, 2, i) < (double)p[i];
        group[i] = i / 4;
    }
}

static void test_numbers_are_the_metrics(void **state)
{
    (void)state;
    float p[N];
    uint8_t y[N];
    uint64_t group[N];
    double query_mean;
    evaluation_t e;
    draw(1, p, y, group);
    evaluation_measure(&(evaluated_examples_t){N, p, y, NULL, group}, &e);
    assert_int_equal(e.examples, N);
    assert_int_equal(e.queries, N / 4);
    assert_true(e.number[EVALUATION_logloss].estimate.value == metrics_logloss(p, y, N));
    assert_true(e.number[EVALUATION_auc_loss].estimate.value == metrics_auc_loss(p, y, N));
    assert_true(e.number[EVALUATION_pqauc_loss].estimate.value == metrics_pqauc_loss(p, y, group, N, &query_mean));
    assert_true(e.number[EVALUATION_pqauc_query_mean].estimate.value == query_mean);
    assert_true(e.number[EVALUATION_normalised_entropy].estimate.value == metrics_normalised_entropy(p, y, N));
    assert_float_equal(e.number[EVALUATION_base_rate_logloss].estimate.value, metrics_base_rate_logloss(y, N), 1e-12);
    for (int i = 0; i < EVALUATION_COUNT; i++) {
        const evaluated_number_t *number = &e.number[i];
        assert_true(number->error > 0.0 && number->estimate.low < number->estimate.value &&
                    number->estimate.value < number->estimate.high);
        assert_float_equal(number->estimate.high - number->estimate.low, 4.0 * number->error, 0.5 * number->error);
    }
}

/* What is not defined has no number and no error: queries where there are none, AUC of one label. */
static void test_what_is_not_defined(void **state)
{
    (void)state;
    float p[N];
    uint8_t y[N];
    uint64_t group[N];
    evaluation_t e;
    draw(2, p, y, group);
    evaluation_measure(&(evaluated_examples_t){N, p, y, NULL, NULL}, &e);
    assert_int_equal(e.queries, 0);
    assert_true(isnan(e.number[EVALUATION_pqauc_loss].estimate.value) && isnan(e.number[EVALUATION_pqauc_loss].error));
    assert_true(e.number[EVALUATION_auc].error > 0.0);
    memset(y, 0, sizeof y);
    evaluation_measure(&(evaluated_examples_t){N, p, y, NULL, group}, &e);
    assert_true(isnan(e.number[EVALUATION_auc].estimate.value) && isnan(e.number[EVALUATION_auc].estimate.low));
    assert_true(isnan(e.number[EVALUATION_normalised_entropy].error));
    assert_true(e.number[EVALUATION_logloss].error > 0.0);
}

/* The spread of a number over samples, against the mean of its errors: within three standard errors of such a spread. */
static void test_errors_are_those_of_samples(void **state)
{
    (void)state;
    static const int checked[] = {EVALUATION_logloss, EVALUATION_auc, EVALUATION_pqauc_loss, EVALUATION_calibration,
                                  EVALUATION_normalised_entropy};
    double sum[EVALUATION_COUNT] = {0}, squares[EVALUATION_COUNT] = {0}, error[EVALUATION_COUNT] = {0};
    for (uint64_t s = 0; s < SAMPLES; s++) {
        float p[N];
        uint8_t y[N];
        uint64_t group[N];
        evaluation_t e;
        draw(10 + s, p, y, group);
        evaluation_measure(&(evaluated_examples_t){N, p, y, NULL, group}, &e);
        for (int i = 0; i < EVALUATION_COUNT; i++) {
            sum[i] += e.number[i].estimate.value / SAMPLES;
            squares[i] += e.number[i].estimate.value * e.number[i].estimate.value / SAMPLES;
            error[i] += e.number[i].error / SAMPLES;
        }
    }
    for (size_t k = 0; k < sizeof checked / sizeof *checked; k++) {
        const int i = checked[k];
        assert_float_equal(sqrt(squares[i] - sum[i] * sum[i]) / error[i], 1.0, 3.0 / sqrt(2.0 * SAMPLES));
    }
}

/* Of replicas: means, and the spread of a mean by its definition; below three no error. */
static void test_replicas(void **state)
{
    (void)state;
    enum { REPLICAS = 4 };
    static float p[REPLICAS][N];
    const float *all[REPLICAS];
    double value[REPLICAS][EVALUATION_COUNT];
    uint8_t y[N];
    uint64_t group[N];
    replica_evaluation_t e;
    draw(3, p[0], y, group);
    for (int r = 0; r < REPLICAS; r++) {
        for (uint64_t i = 0; i < N; i++)
            p[r][i] = p[0][i] + (r ? (float)(0.02 * rng_uniform(4, (uint64_t)r, i)) : 0.0f);
        all[r] = p[r];
        const evaluated_examples_t of = {N, p[r], y, NULL, group};
        evaluation_t alone;
        evaluation_values(&of, value[r]);
        evaluation_measure(&of, &alone);
        for (int i = 0; i < EVALUATION_COUNT; i++)
            assert_float_equal(value[r][i], alone.number[i].estimate.value, 1e-12);
    }
    for (int replicas = 2; replicas <= REPLICAS; replicas++) {
        spread_t spread;
        queries_t *queries = queries_create(group, N);
        replica_evaluation_measure(&(evaluated_examples_t){N, NULL, y, NULL, group}, all, replicas, &e);
        spread_measure(all, replicas, NULL, N, queries, &spread);
        queries_destroy(&queries);
        assert_true(e.replicas == replicas && e.examples == N && e.queries == N / 4);
        assert_true(e.spread.pd_relative.value == spread.pd_relative.value &&
                    e.spread.swap_top1.value == spread.swap_top1.value);
        for (int i = 0; i < EVALUATION_COUNT; i++) {
            double mean = 0.0, squares = 0.0;
            for (int r = 0; r < replicas; r++)
                mean += value[r][i] / replicas;
            for (int r = 0; r < replicas; r++)
                squares += (value[r][i] - mean) * (value[r][i] - mean);
            assert_float_equal(e.number[i].mean, mean, 1e-15);
            assert_true(e.number[i].low <= mean && mean <= e.number[i].high);
            if (replicas < 3)
                assert_true(isnan(e.number[i].error));
            else
                assert_float_equal(e.number[i].error, sqrt(squares / (replicas - 1) / replicas), 1e-12);
        }
    }
}

static void test_windows_of_replicas(void **state)
{
    (void)state;
    const time_window_t one[] = {{.start = 0, .examples = 5, .logloss = 0.5, .auc = NAN},
                                 {.start = 20, .examples = 7, .logloss = 0.2}};
    const time_window_t two[] = {{.start = 20, .examples = 7, .logloss = 0.4, .auc = 0.5}};
    const time_window_t three[] = {{.start = 10, .examples = 1}, {.start = 20, .examples = 7, .logloss = 0.6, .auc = 1.0}};
    window_sum_t sum = {.series = {.seconds = 5}};
    char text[WINDOW_TEXT];
    window_sum_put(&sum, one, 2, 2);
    window_sum_put(&sum, two, 1, 2);
    window_sum_put(&sum, three, 2, 2);
    window_series_t series = window_sum_end(&sum);
    assert_true(series.n == 1 && series.seconds == 5); /* the window that all have */
    assert_true(series.row[0].start == 10 && series.row[0].examples == 7);
    assert_float_equal(series.row[0].value[WINDOW_logloss], 0.4, 1e-15);
    assert_float_equal(series.row[0].error[WINDOW_logloss], 0.2 / sqrt(3.0), 1e-12);
    assert_float_equal(series.row[0].value[WINDOW_auc], 0.5, 1e-15);
    window_series_fini(&series);
    assert_string_equal(window_series_text(1465877159, 1, text), "2016-06-14 04:05:59");
    assert_string_equal(window_series_text(1465876800, 3600, text), "2016-06-14 04:00");
    assert_string_equal(window_series_text(1465862400, 86400, text), "2016-06-14");
    assert_string_equal(window_series_text(300, 100, text), "300");
    assert_string_equal(window_series_text(TIME_WINDOWS_NO_TIME, 100, text), "(no time)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_the_metrics),     cmocka_unit_test(test_what_is_not_defined),
        cmocka_unit_test(test_errors_are_those_of_samples), cmocka_unit_test(test_replicas),
        cmocka_unit_test(test_windows_of_replicas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
