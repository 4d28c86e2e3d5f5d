/* Proves: what is not defined is never shown as a number: without a query column, with labels of one kind or with predictions
 * that are no numbers, the words say so. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/metrics/metrics.h"
#include "launcher/report/result.h"

static void assert_words(quality_t quality, int64_t examples, const char *wanted)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    run_result_print_quality(out, &quality, examples);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_words(void **state)
{
    (void)state;
    quality_t quality = {.logloss = 0.5, .auc_loss = 0.25, .pqauc_loss = 0.125, .calibration = 1.5};
    assert_words(quality, 9, "logloss 0.50000, AUC loss 0.25000, PQAUC loss 0.12500, calibration 1.5000 over 9 examples");
    quality.pqauc_loss = NAN;
    assert_words(quality, 9,
                 "logloss 0.50000, AUC loss 0.25000, no PQAUC loss (no query column, or no query with both labels), "
                 "calibration 1.5000 over 9 examples");
    quality.auc_loss = quality.calibration = NAN;
    assert_words(quality, 1,
                 "logloss 0.50000, no AUC loss (all labels are equal), no PQAUC loss (all labels are equal), no calibration "
                 "(no label is 1) over 1 example");
    quality.not_recorded = 1u << metric_find(&quality_rows, "calibration");
    assert_words(quality, 1,
                 "logloss 0.50000, no AUC loss (all labels are equal), no PQAUC loss (all labels are equal), no calibration "
                 "(not recorded) over 1 example");
    quality.logloss = NAN;
    assert_words(quality, 9, "no metrics (not all predictions are numbers) over 9 examples");
    assert_words(quality, 0, "no evaluation examples (the evaluation split is empty)");
}

/* What has a measure is measured; AUC follows from AUC loss, also in a manifest that does not hold it. */
static void test_evaluation(void **state)
{
    (void)state;
    const float p[] = {0.25f, 0.5f, 0.75f, 0.125f};
    const uint8_t y[] = {0, 1, 0, 0};
    uint64_t group[] = {1, 1, 2, 2};
    quality_t quality = {.progressive_logloss = 0.75};
    run_result_evaluate(&quality, p, y, NULL, group, 4);
    assert_true(quality.logloss == metrics_logloss(p, y, 4) && quality.calibration == 1.625);
    assert_true(quality.auc_loss == 1.0 / 3 && quality.auc == 1.0 - 1.0 / 3);
    assert_true(quality.pqauc_loss == 0.0 && quality.pqauc_query_mean == 0.0);
    assert_true(quality.normalised_entropy == metrics_normalised_entropy(p, y, 4));
    assert_true(quality.progressive_logloss == 0.75);
    run_result_evaluate(&quality, p, y, NULL, NULL, 4);
    assert_true(isnan(quality.pqauc_loss) && isnan(quality.pqauc_query_mean));

    static const char older[] = "{\"logloss\": 0.5, \"auc_loss\": 0.25, \"pqauc_loss\": null, \"calibration\": 1, "
                                "\"pqauc_query_mean\": null, \"progressive_logloss\": 1, \"clipped_share\": 0}";
    jsondoc_t *doc;
    quality_t read = {0};
    assert_int_equal(jsondoc_parse(older, sizeof older - 1, "FILE", &doc), ST_OK);
    assert_int_equal(metric_get_all(doc, "FILE", &quality_rows, &read), ST_OK);
    jsondoc_destroy(&doc);
    const int entropy = metric_find(&quality_rows, "normalised_entropy");
    assert_true(read.auc == 0.75 && !metric_is_recorded(&quality_rows, entropy, &read));
    const scores_t scores = scores_in_memory(p, 4);
    assert_int_equal(run_result_complete(&read, &scores, y, NULL), ST_OK);
    assert_true(read.normalised_entropy == quality.normalised_entropy && metric_is_recorded(&quality_rows, entropy, &read));
    assert_true(read.logloss == 0.5); /* what is recorded stays */
    assert_false(metric_is_recorded(&quality_rows, metric_find(&quality_rows, "training_logloss"), &read));
}

/* A chart shows the wider interval, and says whose it is. */
static void test_bar(void **state)
{
    (void)state;
    const char *of;
    experiment_result_t e = {.queries = 5};
    variant_result_t v = {.replicas = 3, .reproducibility.pd_relative = {0.5, 0.375, 0.75}, .error.pd_relative = 0.03125};
    estimate_t bar = result_bar(&e, &v, &of);
    assert_string_equal(of, "queries");
    assert_true(bar.low == 0.375 && bar.high == 0.75);
    v.error.pd_relative = 0.0625; /* times 4.303 */
    bar = result_bar(&e, &v, &of);
    assert_string_equal(of, "replicas");
    assert_true(fabs(bar.low - 0.23108) < 1e-4 && fabs(bar.high - 0.76892) < 1e-4 && bar.value == 0.5);
    v.error.pd_relative = 0.25;
    assert_true(result_bar(&e, &v, &of).low == 0.0); /* no PD is below it */
    v.error.pd_relative = NAN;
    e.queries = 0;
    assert_true(result_bar(&e, &v, &of).low == 0.375);
    assert_string_equal(of, "examples");
    v.reproducibility.pd_relative.low = NAN;
    result_bar(&e, &v, &of);
    assert_null(of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_bar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
