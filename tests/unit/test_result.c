/* Proves: what is not defined is never shown as a number: without a query column, with labels of one kind or with predictions
 * that are no numbers, the words say so. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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
    quality.logloss = NAN;
    assert_words(quality, 9, "no metrics (not all predictions are numbers) over 9 examples");
    assert_words(quality, 0, "no evaluation examples (the evaluation split is empty)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
