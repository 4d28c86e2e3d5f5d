/* Proves that labels, queries and slices of a result are those of the dataset's evaluation split: against the rows that
 * were written, with every kind of column, a split in the middle of the dataset, values that training never saw, values
 * that an example holds twice and numeric columns that are stored standardised. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/dataset.h"
#include "launcher/report/slices_report.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

enum { ROWS = 20000, VARIANTS = 2, REPLICAS = 2 };

/* Evaluation rows use tags 0 .. 59. Training rows use 24 six times, 25 twenty times and 26 .. 79 some hundreds of times. */
static bool is_train(int64_t i)
{
    return i % 4 != 1;
}

static int tag_of(int64_t i)
{
    if (!is_train(i))
        return (int)(rng_u64(1, 1, (uint64_t)i) % 60);
    return i < 8 ? 24 : i < 34 ? 25 : 26 + (int)(rng_u64(1, 2, (uint64_t)i) % 54);
}

static double price_of(int64_t i)
{
    return 100.0 + 7.0 * rng_normal(1, 3, (uint64_t)i);
}

static uint64_t key_of(const char *kind, int number)
{
    char text[32];
    int bytes = snprintf(text, sizeof text, "%s%d", kind, number);
    return dataset_key(text, bytes);
}

/* Prices are stored as they are and standardised, or as their logarithms. */
static void write_dataset(const char *path, bool is_log)
{
    const dataset_field_t fields[] = {
        {.name = "price",
         .kind = COLUMN_NUMERIC,
         .rules = field_rules_of(
             &(schema_column_t){.kind = COLUMN_NUMERIC, .transform = is_log ? TRANSFORM_LOG1P : TRANSFORM_STANDARDISE})},
        {.name = "tag", .kind = COLUMN_CATEGORICAL},
        {.name = "tag_again", .kind = COLUMN_CATEGORICAL},
        {.name = "words", .kind = COLUMN_MULTI, .pooling = POOLING_SUM}};
    const bool standardise[] = {!is_log, false, false, false};
    dataset_writer_t *writer = NULL;
    const dataset_extras_t extras = {.keep_bytes = 1 << 20, .keep_field_bytes = 1 << 20};
    assert_int_equal(dataset_writer_create_with(path, fields, 4, standardise, true, false, &extras, true, &writer), ST_OK);
    for (int64_t i = 0; i < ROWS; i++) {
        const float price = (float)(is_log ? log1p(price_of(i)) : price_of(i));
        const uint64_t tag = key_of("t", tag_of(i)), tags[] = {tag, tag};
        const uint64_t words[] = {key_of("w", (int)(i % 3)), key_of("w", (int)(i % 3))}; /* the same one twice */
        const int32_t count = i % 2 ? 2 : 0;
        const float weights[] = {1.0f, 1.0f};
        char text[32], query[32];
        const dataset_text_t texts[] = {{text, snprintf(text, sizeof text, "t%d", tag_of(i))}, {NULL, 0}};
        dataset_row_t row = {.label = i % 5 == 0,
                             .train = is_train(i),
                             .group = (uint64_t)(i / 8),
                             .numeric = &price,
                             .single = tags,
                             .multi_count = &count,
                             .multi_key = words,
                             .multi_weight = weights,
                             .single_text = texts,
                             .group_text = {query, snprintf(query, sizeof query, "query %d", (int)(i / 8))}};
        assert_int_equal(dataset_writer_put(writer, &row), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_OK);
}

/* Replica r of variant v on row i. Variant 1 differs more; both most of all for tag 7, and more for low prices. */
static float prediction(int v, int r, int64_t i)
{
    const double score = 0.2 + 0.6 * rng_uniform(2, 1, (uint64_t)i), apart = (v + 1) * (tag_of(i) == 7       ? 0.15
                                                                                        : price_of(i) < 90.0 ? 0.1
                                                                                                             : 0.05);
    return (float)(score + apart * (r - 0.5) * rng_uniform(2, 2, (uint64_t)i));
}

static experiment_result_t make_result(void)
{
    experiment_result_t e = {.name = "toy", .variants = VARIANTS, .variant = MEM_ARRAY(variant_result_t, VARIANTS)};
    for (int64_t i = 0; i < ROWS; i++)
        e.eval_examples += !is_train(i);
    for (int v = 0; v < VARIANTS; v++) {
        e.variant[v] = (variant_result_t){.name = v ? "b" : "a",
                                          .determinism = "sync",
                                          .replicas = REPLICAS,
                                          .replica = MEM_ARRAY(replica_result_t, REPLICAS)};
        for (int r = 0; r < REPLICAS; r++) {
            float *p = e.variant[v].replica[r].predictions = MEM_ARRAY(float, e.eval_examples);
            for (int64_t i = 0; i < ROWS; i++)
                if (!is_train(i))
                    *p++ = prediction(v, r, i);
        }
    }
    return e;
}

/* PD of variant v over the evaluation rows for which the predicate holds. */
typedef bool predicate_t(int64_t i, double argument);

static double pd_over(int v, predicate_t *holds, double argument, int64_t *examples)
{
    long double sum = 0;
    *examples = 0;
    for (int64_t i = 0; i < ROWS; i++)
        if (!is_train(i) && holds(i, argument)) {
            const long double a = prediction(v, 0, i), b = prediction(v, 1, i);
            sum += 2 * fabsl(a - b) / (a + b);
            ++*examples;
        }
    return (double)(sum / *examples);
}

static bool has_label(int64_t i, double label)
{
    return (i % 5 == 0) == (label > 0);
}

static bool has_tag(int64_t i, double tag)
{
    return tag_of(i) == (int)tag;
}

static int trained[100]; /* how often training rows use a tag */

/* Words are frequent, so the rarest value is the tag. */
static bool is_in_decade(int64_t i, double least)
{
    const int seen = trained[tag_of(i)];
    return least > 0 ? seen >= least && seen < 10 * least : seen == 0;
}

static const pd_slice_t *find_slice(const pd_slice_t *slice, int32_t n, const char *column, const char *value)
{
    for (int32_t i = 0; i < n; i++)
        if (strcmp(slice[i].column, column) == 0 && strcmp(slice[i].value, value) == 0)
            return &slice[i];
    return NULL;
}

static void assert_slice(const pd_slice_t *slice, int v, predicate_t *holds, double argument)
{
    int64_t examples;
    assert_non_null(slice);
    assert_near(slice->pd_relative, pd_over(v, holds, argument, &examples), 1e-12);
    assert_int_equal(slice->examples, examples);
    assert_true(examples > 0);
}

static void assert_all_slices(const experiment_result_t *e, int v)
{
    const variant_result_t *variant = &e->variant[v];
    const pd_slice_t *s = variant->slice;
    const int32_t n = variant->slices;
    assert_int_equal(n, 2 + 10 + 4);
    assert_slice(find_slice(s, n, "label", "0"), v, has_label, 0);
    assert_slice(find_slice(s, n, "label", "1"), v, has_label, 1);
    assert_slice(find_slice(s, n, "rarest feature", "not in training"), v, is_in_decade, 0);
    assert_slice(find_slice(s, n, "rarest feature", "1 to 9 in training"), v, is_in_decade, 1);
    assert_slice(find_slice(s, n, "rarest feature", "10 to 99 in training"), v, is_in_decade, 10);
    assert_slice(find_slice(s, n, "rarest feature", "100 to 999 in training"), v, is_in_decade, 100);

    /* Score deciles cover the split in ten equal parts, and weighted by size they are the whole. */
    int64_t examples = 0;
    double sum = 0;
    for (int32_t i = 0; i < n; i++)
        if (strcmp(s[i].column, "score") == 0) {
            assert_int_equal(s[i].examples, e->eval_examples / 10);
            examples += s[i].examples;
            sum += s[i].pd_relative * (double)s[i].examples;
        }
    assert_int_equal(examples, e->eval_examples);
    assert_near(sum / (double)examples, variant->reproducibility.pd_relative.value, 1e-12);
}

static void assert_worst_slices(const experiment_result_t *e, int v)
{
    const variant_result_t *variant = &e->variant[v];
    const pd_slice_t *worst = variant->worst;

    /* Tag 7 is the worst, and the ranking falls. */
    assert_int_equal(variant->worst_slices, RESULT_WORST_SLICES);
    assert_string_equal(worst[0].column, "tag");
    for (int32_t i = 1; i < variant->worst_slices; i++) {
        assert_string_not_equal(worst[i].column, "tag_again"); /* the same slices as tag's */
        assert_true(worst[i].pd_relative <= worst[i - 1].pd_relative);
        assert_true(worst[i].examples >= e->eval_examples / EVALUATION_LEAST_PART);
    }
    assert_slice(&worst[0], v, has_tag, 7);

    /* The lowest tenth of prices, in the unit of the input: 100 - 1.2816 * 7 is the edge in the limit. */
    const pd_slice_t *cheap = NULL;
    for (int32_t i = 0; i < variant->worst_slices; i++)
        if (strcmp(worst[i].column, "price") == 0)
            cheap = &worst[i];
    assert_non_null(cheap);
    assert_int_equal(strncmp(cheap->value, "up to ", 6), 0);
    assert_near(strtod(cheap->value + 6, NULL), 91.03, 0.5);
    assert_int_equal(cheap->examples, e->eval_examples / 10);
}

/* The examples in which replicas differ most, with what their rows held. */
static void assert_examples(const experiment_result_t *e, const variant_result_t *variant)
{
    static const char *const names[] = {"price", "tag", "tag_again", "words"};
    char text[32];
    assert_int_equal(e->fields, 4);
    for (int f = 0; f < 4; f++)
        assert_string_equal(e->field[f], names[f]);
    assert_int_equal(variant->n_most_different, RESULT_MOST_DIFFERENT);
    for (int32_t k = 0; k < variant->n_most_different; k++) {
        const shown_example_t *shown = &variant->most_different_shown[k];
        const int64_t i = shown->row - 1;
        assert_int_equal(i, 4 * variant->most_different[k] + 1);
        assert_near(strtod(shown->value[0], NULL), price_of(i), 1e-3);
        snprintf(text, sizeof text, "t%d", tag_of(i));
        assert_string_equal(shown->value[1], text);
        assert_string_equal(shown->value[2], text);
        snprintf(text, sizeof text, "query %d", (int)(i / 8));
        assert_string_equal(shown->group, text);
    }
}

static void test_evaluation_of_a_dataset(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("data");
    write_dataset(path, false);
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    experiment_result_t e = make_result();
    assert_int_equal(slices_report_read(dataset, &e), ST_OK);
    int64_t at = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        trained[tag_of(i)] += is_train(i);
        if (is_train(i))
            continue;
        assert_int_equal(e.label[at], i % 5 == 0);
        assert_int_equal(e.group[at], i / 8);
        at++;
    }
    assert_int_equal(result_summarise(&e), ST_OK);
    assert_int_equal(e.queries, ROWS / 8);
    assert_int_equal(slices_report_make(dataset, &e), ST_OK);

    for (int v = 0; v < VARIANTS; v++) {
        assert_all_slices(&e, v);
        assert_worst_slices(&e, v);
        assert_examples(&e, &e.variant[v]);
    }
    result_fini(&e);
    dataset_close(&dataset);
}

/* Deciles of a column that is stored as logarithms are those of the text. */
static void test_logarithms_are_shown_as_the_text_has_them(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("data");
    write_dataset(path, true);
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    experiment_result_t e = make_result();
    assert_int_equal(slices_report_read(dataset, &e), ST_OK);
    assert_int_equal(result_summarise(&e), ST_OK);
    assert_int_equal(slices_report_make(dataset, &e), ST_OK);
    const pd_slice_t *cheap = NULL;
    for (int32_t i = 0; i < e.variant[0].worst_slices; i++)
        if (strcmp(e.variant[0].worst[i].column, "price") == 0)
            cheap = &e.variant[0].worst[i];
    assert_non_null(cheap);
    assert_int_equal(strncmp(cheap->value, "up to ", 6), 0);
    assert_near(strtod(cheap->value + 6, NULL), 91.03, 0.5);
    result_fini(&e);
    dataset_close(&dataset);
}

static void test_other_split_is_refused(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("data");
    write_dataset(path, false);
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    experiment_result_t e = {.eval_examples = 4999};
    catch_start();
    assert_int_equal(slices_report_read(dataset, &e), ST_INPUT);
    catch_stop();
    assert_caught("the dataset has 5000 evaluation examples, and the runs predicted 4999; train them again with another --out");
    assert_null(e.label);
    dataset_close(&dataset);
}

/* One replica has no difference to slice, and a diverged baseline has no score. */
static void test_slices_of_what_has_none(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("data");
    write_dataset(path, false);
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    experiment_result_t e = make_result();
    e.variant[0].replica[1].predictions[3] = NAN;
    assert_int_equal(slices_report_read(dataset, &e), ST_OK);
    assert_int_equal(result_summarise(&e), ST_OK);
    assert_int_equal(slices_report_make(dataset, &e), ST_OK);
    assert_int_equal(e.variant[1].slices, 2 + 4);
    assert_true(isnan(e.variant[0].reproducibility.pd_relative.value));
    assert_true(e.variant[0].worst_slices > 0); /* slices without the NaN */
    result_fini(&e);

    e = make_result();
    for (int v = 0; v < VARIANTS; v++) {
        e.variant[v].replicas = 1;
        mem_free(e.variant[v].replica[1].predictions);
    }
    assert_int_equal(slices_report_read(dataset, &e), ST_OK);
    assert_int_equal(result_summarise(&e), ST_OK);
    assert_int_equal(slices_report_make(dataset, &e), ST_OK);
    assert_int_equal(e.variant[0].slices, 0);
    assert_int_equal(e.variant[0].worst_slices, 0);
    result_fini(&e);
    dataset_close(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluation_of_a_dataset),
        cmocka_unit_test(test_logarithms_are_shown_as_the_text_has_them),
        cmocka_unit_test(test_other_split_is_refused),
        cmocka_unit_test(test_slices_of_what_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
