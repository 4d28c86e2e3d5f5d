/* Proves that what the splits of a dataset lack is known and said before anything is trained: an empty split, one label, no
 * query, no query of both labels, wherever in the split the first example stands that is not lacking. */
#include "tests/lib/testing.h"

#include "common/metrics/queries.h"
#include "launcher/ingest/splits.h"

/* Row i is described by text[i]: t or e (training, evaluation), its label, its query or 0 for none. */
static const char *write_dataset(bool has_group, const char *const *text, int n)
{
    static int number;
    const char *path = test_path("d%d", number++);
    const dataset_field_t field = {.name = "x", .kind = COLUMN_CATEGORICAL};
    const bool standardise = false;
    dataset_writer_t *writer = NULL;
    assert_int_equal(dataset_writer_create(path, &field, 1, &standardise, has_group, false, false, &writer), ST_OK);
    for (int i = 0; i < n; i++) {
        const uint64_t key = 7;
        const dataset_row_t row = {.label = text[i][1] == '1',
                                   .train = text[i][0] == 't',
                                   .group = text[i][2] == '0' ? QUERY_NONE : (uint64_t)(text[i][2] - '0'),
                                   .single = &key};
        assert_int_equal(dataset_writer_put(writer, &row), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_OK);
    return path;
}

static void assert_warned(const splits_t *splits, const char *words)
{
    catch_start();
    splits_warn(splits, "d");
    catch_stop();
    if (words)
        assert_caught(words);
    else
        assert_string_equal(catch_text(), "");
}

static void test_what_is_missing_is_said(void **state)
{
    (void)state;
    test_dir();
    static const struct {
        bool has_group;
        const char *row[6];
        const char *words;
    } cases[] = {
        {true, {"t11", "t02", "e11", "e01"}, NULL},
        {false, {"t10", "t00", "e10", "e00"}, NULL}, /* no query column: its metrics are not expected */
        {true, {"t11", "t02", "e11", "e02", "e13", "e03"}, NULL},
        {true,
         {"t11", "t02"},
         "dataset d: the evaluation split is empty: there will be no evaluation metrics; set split.train_fraction"},
        {true,
         {"t11", "t11", "e11", "e01"},
         "dataset d: all 2 training examples have label 1; there is nothing to learn but that"},
        {true,
         {"t11", "t02", "e01", "e01"},
         "dataset d: all 2 evaluation examples have label 0: there will be no AUC loss and no PQAUC"},
        {true, {"t11", "t02", "e11"}, "dataset d: the only evaluation example has label 1"},
        {true, {"t11", "t02", "e10", "e00"}, "dataset d: no evaluation example says its query"},
        {true, {"t11", "t01", "e11", "e02", "e10", "e00"}, "dataset d: no query of the evaluation split has both labels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = 0;
        while (n < 6 && cases[i].row[n])
            n++;
        splits_t splits;
        assert_int_equal(splits_read(write_dataset(cases[i].has_group, cases[i].row, n), "", &splits), ST_OK);
        assert_warned(&splits, cases[i].words);
    }
}

static void test_what_cannot_be_done_is_refused(void **state)
{
    (void)state;
    const splits_t whole = {.train_rows = 1, .eval_rows = 1}, no_eval = {.train_rows = 1}, no_train = {.eval_rows = 1};
    const splits_t one = {.eval_rows = 9, .eval_label = {true, false}};
    assert_int_equal(splits_check_training(&whole, "d"), ST_OK);
    assert_int_equal(splits_check_evaluation(&whole, "d", "compare"), ST_OK);
    catch_start();
    assert_int_equal(splits_check_training(&no_train, "d"), ST_INPUT);
    assert_int_equal(splits_check_evaluation(&no_eval, "d", "compare"), ST_INPUT);
    assert_int_equal(splits_check_labels(&one, "d"), ST_INPUT);
    catch_stop();
    assert_caught("dataset d: all 9 evaluation examples have label 0; no model is better than saying so");
    assert_caught("dataset d: the training split is empty; give it a share of the rows");
    assert_caught("dataset d: the evaluation split is empty, and compare needs evaluation examples; set split.train_fraction "
                  "in the schema");
}

/* The only example of label 1, and the only query of both labels, at the end of a split of several blocks and chunks. */
static void test_the_last_example_counts(void **state)
{
    (void)state;
    enum { N = 20001 };
    test_dir();
    static const char *row[N];
    for (int i = 0; i < N; i++)
        row[i] = i == 0 ? "t01" : i == 1 ? "t11" : "e01";
    splits_t splits;
    assert_int_equal(splits_read(write_dataset(true, row, N), "", &splits), ST_OK);
    assert_true(splits.eval_label[0] && !splits.eval_label[1] && splits.has_query && !splits.has_mixed_query);
    row[N - 1] = "e11";
    assert_int_equal(splits_read(write_dataset(true, row, N), "", &splits), ST_OK);
    assert_int_equal(splits.eval_rows, N - 2);
    assert_true(splits.eval_label[1] && splits.has_mixed_query && splits.train_label[0] && splits.train_label[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missing_is_said),
        cmocka_unit_test(test_what_cannot_be_done_is_refused),
        cmocka_unit_test(test_the_last_example_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
