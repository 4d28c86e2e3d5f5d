/* Proves that data come in as people have them: of several files, patterns, folders of part files and standard input, whose
 * rows follow each other as if they stood in one; with labels by a rule, with words that stand for nothing, as libffm; and that
 * what does not fit together is named. */
#include "tests/lib/testing.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/data/dataset_meta.h"
#include "common/texts/kept_texts.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/sources.h"

#define LEN(array) ((int)(sizeof(array) / sizeof *(array)))

static int made;

static schema_t *load(const char *text)
{
    schema_t *schema = NULL;
    assert_int_equal(schema_load(test_write("s.yaml", text), &schema), ST_OK);
    return schema;
}

/* Import specs and keep what was said; the dataset, or NULL where it was refused. */
static dataset_t *import(const char *schema_text, const char *const *specs, int n)
{
    schema_t *schema = load(schema_text);
    const char *path = test_path("dataset-%d", made++);
    dataset_t *dataset = NULL;
    catch_start();
    const status_t status = import_files(specs, n, schema, path, true, false);
    catch_stop();
    schema_destroy(&schema);
    assert_int_equal(dataset_exists(path), status == ST_OK);
    if (status == ST_OK)
        assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    else
        assert_int_equal(status, ST_INPUT);
    return dataset;
}

static void refused(const char *schema_text, const char *const *specs, int n, const char *message)
{
    assert_null(import(schema_text, specs, n));
    assert_caught(message);
}

static const dataset_block_t *first_block(dataset_t *dataset)
{
    dataset_example_t example;
    assert_int_equal(dataset_fetch(dataset, &(int64_t){0}, 1, &example), ST_OK);
    return example.block;
}

static uint64_t content(dataset_t *dataset)
{
    assert_non_null(dataset);
    const uint64_t hash = dataset_info(dataset)->content_hash;
    dataset_close(&dataset);
    return hash;
}

static uint64_t text_key(const char *text)
{
    return dataset_key(text, (int)strlen(text));
}

#define PLAIN "format: csv\nlabel: y\nsplit: {train_fraction: 0.5}\ncolumns: [k]\n"

static const char *write_in(const char *folder, const char *name, const char *text)
{
    mkdir(test_path("%s", folder), 0700);
    char *path = mem_printf("%s/%s", folder, name);
    const char *written = test_write(path, text);
    mem_free(path);
    return written;
}

/* ---- sources ---- */

static void test_parts_are_one(void **state)
{
    (void)state;
    const char *whole = test_write("whole.csv", "y,k\n1,a\n0,b\n1,c\n0,d\n1,e\n");
    const uint64_t expected = content(import(PLAIN, &whole, 1));
    const char *second = write_in("parts", "part-10.csv", "k,y\nc,1\n"); /* in another order */
    const char *first = write_in("parts", "part-1.csv", "y,k\n1,a\n0,b\n");
    const char *third = write_in("parts", "part-2.csv", "y,k\n0,d\n1,e\n");
    write_in("parts", "part-3.csv", "");
    write_in("parts", "_SUCCESS", "");
    write_in("parts", ".part-1.csv.crc", "x");
    const char *folder = test_path("parts");
    dataset_t *dataset = import(PLAIN, &folder, 1);
    assert_caught("left out, as names that begin with . or _ are: ");
    assert_caught("part-3.csv: the file is empty, and adds no row");
    const origin_t *origin = dataset_origin(dataset);
    assert_int_equal(origin->files_count, 4);
    static const int64_t rows[] = {2, 1, 2, 0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(origin->files[i].rows, rows[i]);
    assert_true(content(dataset) == expected);
    const char *pattern = test_path("parts/part-*.csv"), *all[] = {first, second, third};
    assert_true(content(import(PLAIN, &pattern, 1)) == expected);
    assert_true(content(import(PLAIN, all, 3)) == expected);

    const int saved = dup(STDIN_FILENO), file = open(whole, O_RDONLY);
    assert_int_equal(dup2(file, STDIN_FILENO), STDIN_FILENO);
    const char *standard = "-";
    assert_true(content(import(PLAIN, &standard, 1)) == expected);
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
    close(file);
}

static void test_files_that_do_not_fit(void **state)
{
    (void)state;
    const char *nothing = test_path("nothing-*.csv"), *a = test_write("a.csv", "y,k\n1,a\n");
    refused(PLAIN, &nothing, 1, "nothing-*.csv: no file matches this pattern");
    const char *more[] = {a, test_write("b.csv", "y,k,z\n1,a,2\n")}, *other[] = {a, test_write("c.csv", "y,K\n1,a\n")};
    refused(PLAIN, more, 2, "b.csv: its header has a column z, which the header of ");
    refused(PLAIN, other, 2, "c.csv: its header has no column k, which the header of ");
    const char *formats[] = {a, test_write("d.tsv.gz", "y\tk\n")}, *twins[] = {a, test_path("./a.csv")};
    refused(PLAIN, formats, 2, "d.tsv.gz are files of two formats, and an import reads one; give those of one, '*.csv'");
    refused(PLAIN, twins, 2, "are one file, given twice; remove one");
    const char *inputs[] = {"-", "-"};
    refused(PLAIN, inputs, 2, "- is given twice");
    write_in("marks", "_SUCCESS", "");
    const char *marks = test_path("marks"), *pattern = test_path("marks/*");
    refused(PLAIN, &marks, 1, "marks: there is no file in the folder to import; left out: ");
    refused(PLAIN, &pattern, 1, "no file matches this pattern but what is left out: ");
    mkdir(test_path("deep"), 0700);
    write_in("deep/day=1", "a.csv", "y,k\n1,a\n");
    const char *deep = test_path("deep");
    refused(PLAIN, &deep, 1, "deep: there is a folder in it, day=1");
    const char *bad[] = {a, test_write("e.csv", "y,k\n1,a\nx,b\n")};
    refused(PLAIN, bad, 2, "e.csv:3: column y: a label is 0 or 1");
}

/* ---- labels and words for nothing ---- */

static void expect_labels(const char *rule, const char *cells, const char *labels)
{
    char *schema = mem_printf("format: csv\nlabel: {column: y, rule: %s}\ncolumns: [k]\n", rule);
    char *text = mem_strdup("k,y\n");
    for (const char *at = cells; *at;) {
        const size_t bytes = strcspn(at, " ");
        char *longer = mem_printf("%sx,%.*s\n", text, (int)bytes, at);
        mem_free(text);
        text = longer;
        at += bytes + (at[bytes] != 0);
    }
    const char *input = test_write("labels.csv", text);
    dataset_t *dataset = import(schema, &input, 1);
    if (!dataset)
        fail_msg("%s: %s", rule, catch_text());
    for (int r = 0; labels[r]; r++)
        assert_int_equal(first_block(dataset)->label[r], labels[r] - '0');
    dataset_close(&dataset);
    mem_free(schema);
    mem_free(text);
}

static void test_label_rules(void **state)
{
    (void)state;
    expect_labels("'>= 4'", "4 3.5 5 -1", "1010");
    expect_labels("'> 4'", "4 3.5 5", "001");
    expect_labels("'< -1e2'", "-100 -101", "01");
    expect_labels("'<= 3'", "3 4", "10");
    expect_labels("'== 2'", "2 2.0 3", "110");
    expect_labels("'!= 0'", "0 7", "01");
    expect_labels("true/false", "true False t TRUE f", "10110");
    expect_labels("yes/no", "Yes no Y N", "1010");
    expect_labels("-1/1", "-1 1 +1", "011");
    expect_labels("[buy, cart]", "buy look cart Buy", "1010");
    const char *input = test_write("text.csv", "k,y\nx,good\n"), *empty = test_write("empty.csv", "k,y\nx,\n");
    refused("label: {column: y, rule: '>= 4'}\ncolumns: [k]\n", &input, 1,
            "text.csv:2: column y: the label's rule '>= 4' compares numbers, and this is none, value seen \"good\"");
    refused("label: {column: y, rule: yes/no}\ncolumns: [k]\n", &input, 1,
            "neither of the two that the label's rule 'yes/no' knows");
    refused("label: {column: y, rule: [buy]}\ncolumns: [k]\n", &empty, 1, "empty.csv:2: column y: there is no label");
}

static void test_words_for_nothing(void **state)
{
    (void)state;
    const char *input = test_write("w.csv", "y,q,t,n,l,k,m\n1,NA,NA,NA,2,NA,NA|a\n0,g,5,3,-,\\N,\\N\n0,g,6,1,NULL,b,b|c\n");
    const char *schema = "format: csv\nlabel: y\ngroup: q\ntime: t\nmissing: [NA, '\\N', NULL]\ncolumns:\n"
                         "  - {name: n, kind: numeric, indicator: true, transform: log1p, fill: 7}\n"
                         "  - {name: l, kind: numeric, missing: ['-'], transform: standardise}\n"
                         "  - k\n  - {name: m, kind: multi}\n";
    refused(schema, &input, 1, "w.csv:4: column l: not a number, value seen \"NULL\"");
    dataset_t *dataset = import("format: csv\nlabel: y\ngroup: q\ntime: t\nmissing: [NA, '\\N', NULL]\ncolumns:\n"
                                "  - {name: n, kind: numeric, indicator: true, transform: log1p, fill: 7}\n"
                                "  - {name: l, kind: numeric, missing: ['-', NULL]}\n"
                                "  - k\n  - {name: m, kind: multi}\n",
                                &input, 1);
    assert_non_null(dataset);
    const dataset_info_t *info = dataset_info(dataset);
    const dataset_block_t *b = first_block(dataset);
    static const char *const names[] = {"n", "n_missing", "l", "k", "m"};
    for (int f = 0; f < 5; f++)
        assert_string_equal(info->fields[f].name, names[f]);
    const float numbers[] = {(float)log1p(7), 1, 2, (float)log1p(3), 0, 0, (float)log1p(1), 0, 0};
    for (int i = 0; i < 9; i++)
        assert_float_equal(b->numeric[i], numbers[i], 1e-6f);
    assert_true(b->single[0] == text_key("") && b->single[1] == text_key("") && b->single[2] == text_key("b"));
    static const uint32_t at[] = {0, 1, 1, 3};
    assert_memory_equal(b->multi_at, at, sizeof at);
    assert_true(b->group[0] == text_key("") && b->time[0] == DATASET_NO_TIME && b->time[1] == 5);
    assert_string_equal(info->fields[0].rules.missing, "as 7");
    assert_string_equal(info->fields[2].rules.missing_words, "- NULL");
    assert_string_equal(info->fields[3].rules.missing_words, "NA NULL \\N");
    /* A model of the one is not given the other. */
    field_rules_t without = info->fields[3].rules;
    *without.missing_words = 0;
    assert_true(field_rules_difference(&info->fields[3].rules, &without) >= 0);
    dataset_close(&dataset);
}

/* ---- libffm ---- */

static void test_libffm(void **state)
{
    (void)state;
    const char *input = test_write("f.ffm", "1 0:12:1 2:7:0.5 0:013:2\n-1 qid:3\n");
    refused("format: libffm\n", &input, 1, "f.ffm:2: column qid: there is one, but the first row has none");
    input = test_write("g.ffm", "1 0:12:1 2:7:0.5 0:013:2\n-1 1:user=4:1 2:18446744073709551615:1\n");
    dataset_t *dataset = import("format: libffm\nfeature_limit: 0\n", &input, 1);
    const dataset_info_t *info = dataset_info(dataset);
    const dataset_block_t *b = first_block(dataset);
    assert_int_equal(info->multi, 3);
    assert_string_equal(info->fields[2].name, "f2");
    static const uint32_t at[] = {0, 2, 2, 3, 3, 4, 5};
    assert_memory_equal(b->multi_at, at, sizeof at);
    const uint64_t keys[] = {text_key("12"), text_key("13"), text_key("7"), text_key("user=4"),
                             text_key("18446744073709551615")};
    assert_memory_equal(b->multi_key, keys, sizeof keys);
    static const float weights[] = {1, 2, 0.5f, 1, 1};
    assert_memory_equal(b->multi_weight, weights, sizeof weights);
    dataset_close(&dataset);
    refused("format: libffm\n", &input, 1,
            "g.ffm:2: column features: a feature is ID:VALUE with a decimal id, value seen "
            "\"1:user=4:1\"");
    refused("format: libffm\nfields: 2\nfeature_limit: 0\n", &input, 1,
            "g.ffm:1: column features: a feature of field 2, and the fields are 0 to 1 (see fields in the schema)");
    input = test_write("h.ffm", "1 12:1\n");
    refused("format: libffm\n", &input, 1, "h.ffm:1: column features: a feature is ID:VALUE, value seen \"12:1\"");
    input = test_write("i.ffm", "1 x:12:1\n");
    refused("format: libffm\n", &input, 1, "a feature is FIELD:ID:VALUE, and a field is a number from 0 to 4095");
}

/* More rows than are held back: fields are those of the first 8,192 rows, and a new one later is named. */
static void test_libffm_of_many_rows(void **state)
{
    (void)state;
    char *text = mem_alloc(1 << 20, 1);
    int at = 0;
    for (int r = 0; r < 9000; r++)
        at += sprintf(text + at, "%d 0:%d:1 %d:1:1\n", r % 2, r, r % 5);
    const char *input = test_write("many.ffm", text);
    dataset_t *dataset = import("format: libffm\n", &input, 1);
    assert_int_equal(dataset_info(dataset)->rows, 9000);
    assert_int_equal(dataset_info(dataset)->multi, 5);
    assert_int_equal(dataset_info(dataset)->fields[0].values, 9000 + 1800);
    dataset_close(&dataset);
    strcpy(text + at, "1 5:1:1\n");
    input = test_write("late.ffm", text);
    refused("format: libffm\n", &input, 1, "late.ffm:9001: column features: a feature of field 5, and the fields are 0 to 4");
    mem_free(text);
}

/* ---- weights, labels, rows without one ---- */

static void test_weights(void **state)
{
    (void)state;
    const char *schema = "label: y\nweight: w\nsplit: {train_fraction: 0.5}\ncolumns: [k]\n";
    const char *input = test_write("weights.csv", "y,w,k\n1,1,a\n0,3,b\n1,0,a\n0,8,b\n");
    dataset_t *dataset = import(schema, &input, 1);
    assert_non_null(dataset);
    assert_true(dataset_info(dataset)->has_weight && dataset_info(dataset)->weight_mean == 2.0);
    static const float weights[] = {0.5f, 1.5f, 0, 4};
    assert_memory_equal(first_block(dataset)->weight, weights, sizeof weights);
    dataset_close(&dataset);
    input = test_write("minus.csv", "y,w,k\n1,1,a\n0,-3,b\n");
    refused(schema, &input, 1, "minus.csv:3: column w: a weight is 0 or more, value seen \"-3\"");
    input = test_write("nan.csv", "y,w,k\n1,nan,a\n0,3,b\n");
    refused(schema, &input, 1, "nan.csv:2: column w: not a finite number, value seen \"nan\"");
    input = test_write("zero.csv", "y,w,k\n1,0,a\n0,0,b\n1,5,a\n0,5,b\n");
    refused(schema, &input, 1, "all weights of the training rows are 0, so that no example would count");
    input = test_write("zeros.csv", "y,w,k\n1,5,a\n0,5,b\n1,0,a\n0,0,b\n");
    refused(schema, &input, 1, "all weights of the evaluation rows are 0, so that no example would count");
}

static void test_several_labels(void **state)
{
    (void)state;
    const char *input = test_write("labels2.csv", "c,r,k\n1,5,a\n0,4,b\n0,1,a\n1,2,b\n");
    dataset_t *dataset =
        import("labels: [c, {name: like, column: r, rule: '>= 4'}]\nsplit: {train_fraction: 0.5}\ncolumns: [k]\n", &input, 1);
    assert_non_null(dataset);
    static const uint8_t first[] = {1, 0, 0, 1}, second[] = {1, 1, 0, 0};
    assert_memory_equal(first_block(dataset)->label, first, 4);
    assert_int_equal(dataset_census(dataset)->train_positives, 1);
    assert_int_equal(dataset_choose_label(dataset, "like"), ST_OK);
    assert_memory_equal(first_block(dataset)->label, second, 4);
    assert_int_equal(dataset_info(dataset)->positives, 2);
    assert_int_equal(dataset_census(dataset)->train_positives, 2);
    catch_start();
    assert_int_equal(dataset_choose_label(dataset, "buy"), ST_INPUT);
    catch_stop();
    assert_caught("there is no label buy; it has c, like");
    assert_int_equal(dataset_choose_label(dataset, ""), ST_OK);
    assert_memory_equal(first_block(dataset)->label, first, 4);
    dataset_close(&dataset);
}

static void test_rows_to_score(void **state)
{
    (void)state;
    const char *schema = "label: y\nmissing: NA\nunlabelled: allow\nsplit: {train_fraction: 0}\ncolumns: [k]\n";
    const char *input = test_write("some.csv", "y,k\n1,a\n,b\nNA,c\n0,d\n");
    dataset_t *dataset = import(schema, &input, 1);
    assert_non_null(dataset);
    static const uint8_t labels[] = {1, DATASET_NO_LABEL, DATASET_NO_LABEL, 0};
    assert_memory_equal(first_block(dataset)->label, labels, 4);
    assert_int_equal(dataset_info(dataset)->label_of[0].unlabelled, 2);
    assert_int_equal(dataset_info(dataset)->positives, 1);
    assert_int_equal(dataset_info(dataset)->train_rows, 0);
    dataset_close(&dataset);
    input = test_write("none.csv", "k\na\nb\n");
    dataset = import(schema, &input, 1);
    assert_non_null(dataset);
    assert_int_equal(dataset_info(dataset)->label_of[0].unlabelled, 2);
    dataset_close(&dataset);
    refused("label: y\ncolumns: [k]\n", &input, 1, "none.csv: no column y, which the schema wants as label");
}

static void test_order_is_checked(void **state)
{
    (void)state;
    const char *schema = "label: y\ntime: t\norder: check\ncolumns: [k]\n";
    const char *input = test_write("order.csv", "y,t,k\n1,2016-06-14T04:00:00+02:00,a\n0,2016-06-14 01:00:00Z,b\n");
    refused(schema, &input, 1,
            "order.csv:3: column t: the time 2016-06-14 01:00:00 UTC is before that of the row before it, "
            "2016-06-14 02:00:00 UTC, and order is check");
    input = test_write("sorted.csv", "y,t,k\n1,1,a\n0,1.5,b\n1,,a\n0,1.5,b\n");
    dataset_t *dataset = import(schema, &input, 1);
    assert_non_null(dataset);
    dataset_close(&dataset);
}

/* ---- rows that wait ------------------------------------------------------------------------------------------------------ */

static uint64_t key_at(dataset_t *dataset, int64_t position, int field)
{
    dataset_example_t example;
    assert_int_equal(dataset_fetch(dataset, &position, 1, &example), ST_OK);
    return example.block->single[example.row * dataset_info(dataset)->single + field];
}

static void test_bins(void **state)
{
    (void)state;
    const char *input = test_write("bins.csv", "y,a\n1,17.9\n0,18\n1,\n0,34.99\n1,35\n0,-2\n");
    dataset_t *dataset = import("label: y\ncolumns: [{name: a, bins: [18, 35]}]\n", &input, 1);
    static const char *const wanted[] = {"(-inf, 18)", "[18, 35)", "", "[18, 35)", "[35, inf)", "(-inf, 18)"};
    assert_non_null(dataset);
    for (int i = 0; i < LEN(wanted); i++)
        assert_int_equal(key_at(dataset, i, 0), text_key(wanted[i]));
    assert_string_equal(dataset_info(dataset)->fields[0].rules.transform, "bins [18, 35]");
    assert_int_equal(dataset_info(dataset)->fields[0].missing, 1);
    dataset_close(&dataset);
    input = test_write("words.csv", "y,a\n1,17\n0,old\n");
    refused("label: y\ncolumns: [{name: a, bins: [18, 35]}]\n", &input, 1, "words.csv:3: column a: not a number");
    refused("label: y\ncolumns: [{name: a, bins: 3}]\n", &input, 1, "words.csv:3: column a: not a number");
}

/* Edges are quantiles of the training rows alone, and the dataset keeps a schema with them. */
static void test_bins_of_quantiles(void **state)
{
    (void)state;
    const char *schema = "label: y\nsplit: {column: d, train_max: 1}\ncolumns: [k, {name: a, bins: 4}, {name: b, bins: 3}]\n";
    const char *input = test_write("q.csv", "y,d,k,a,b\n1,1,u,8,5\n0,1,v,1,5\n1,2,u,100,7\n0,1,v,2,5\n1,1,u,3,\n0,1,v,4,5\n"
                                            "1,1,u,5,5\n0,1,v,6,5\n0,1,v,7,5\n0,2,v,,-1\n");
    dataset_t *dataset = import(schema, &input, 1);
    assert_non_null(dataset);
    static const char *const wanted[] = {"[7, inf)", "(-inf, 3)", "[7, inf)", "(-inf, 3)", "[3, 5)",
                                         "[3, 5)",   "[5, 7)",    "[5, 7)",   "[7, inf)",  ""};
    for (int i = 0; i < LEN(wanted); i++) {
        assert_int_equal(key_at(dataset, i, 1), text_key(wanted[i]));
        assert_int_equal(key_at(dataset, i, 2), text_key(i == 4 ? "" : "(-inf, inf)"));
    }
    assert_string_equal(dataset_info(dataset)->fields[1].rules.transform, "bins [3, 5, 7]");
    assert_string_equal(dataset_origin(dataset)->schema, test_path("s.yaml"));
    char *yaml;
    assert_int_equal(dataset_schema(dataset, &yaml), ST_OK);
    assert_non_null(strstr(yaml, "bins: \"[3, 5, 7]\""));
    assert_non_null(strstr(yaml, "bins: \"[]\""));
    /* The same data by that schema are the same dataset. */
    dataset_t *again = import(yaml, &input, 1);
    assert_int_equal(content(again), content(dataset));
    mem_free(yaml);
}

static void test_order_is_made(void **state)
{
    (void)state;
    const char *schema = "label: y\ntime: t\norder: sort\nsplit: {train_fraction: 0.5}\ncolumns: [k, {name: n, kind: multi}]\n";
    const char *inputs[] = {
        test_write("late.csv", "y,t,k,n\n1,2016-06-14T04:00:00+02:00,c,x|y\n0,2016-06-14 01:00:00Z,a,\n"),
        test_write("early.csv", "y,t,k,n\n1,2016-06-14 02:00:00,d,z\n0,2016-06-14T02:30:00+01:00,b,w\n0,,e,\n")};
    dataset_t *dataset = import(schema, inputs, 2);
    assert_non_null(dataset);
    static const char *const wanted[] = {"e", "a", "b", "c", "d"};
    static const int64_t rows[] = {5, 2, 4, 1, 3};
    for (int i = 0; i < LEN(wanted); i++) {
        assert_int_equal(key_at(dataset, i, 0), text_key(wanted[i]));
        assert_int_equal(census_input_row(dataset_census(dataset), i), rows[i]);
    }
    assert_int_equal(dataset_census(dataset)->descents, 0);
    assert_int_equal(dataset_info(dataset)->train_rows, 2);
    dataset_close(&dataset);
    const char *mixed = test_write("mixed.csv", "y,t,k,n\n1,3,c,\n0,1.5,b,\n1,1,a,\n");
    dataset = import(schema, &mixed, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(key_at(dataset, i, 0), text_key(wanted[i + 1]));
    dataset_close(&dataset);
}

/* ---- appending ----------------------------------------------------------------------------------------------------------- */

#define DAYS_SCHEMA \
    "group: q\ntime: t\nweight: w\nlabels: [y, {name: z, column: z}]\nmissing: [NA]\nsplit: {column: part, words: true}\n" \
    "columns: [k, {name: n, kind: numeric, fill: 3, indicator: true}, {name: b, column: n, bins: [2, 4]},\n" \
    "          {name: tags, kind: multi}, {name: m, kind: numeric, column: n, transform: log1p}]\n"

/* A day of rows: what is in it is a function of its number. */
static const char *write_day(const char *name, int day, int rows)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    fputs("q,t,w,y,z,part,k,n,tags\n", out);
    for (int i = day * 10000; i < day * 10000 + rows; i++)
        fprintf(out, "%d,%d,%d,%d,%d,%s,v%d,%s,%s\n", i / 4, i, 1 + i % 3, i % 5 == 0, i % 2,
                i % 7 == 3   ? "test"
                : i % 3 == 1 ? "eval"
                             : "train",
                i % 40,
                i % 11 == 0 ? "NA"
                : i % 2     ? "1.5"
                            : "4",
                i % 4 == 0   ? ""
                : i % 4 == 1 ? "a"
                             : "a|b");
    fclose(out);
    const char *path = test_write(name, text);
    free(text);
    return path;
}

static char *place_of(dataset_t *dataset)
{
    dataset_close(&dataset);
    return mem_strdup(test_path("dataset-%d", made - 1));
}

static status_t append(const char *path, const char *schema_text, const char *const *specs, int n)
{
    schema_t *schema = schema_text ? load(schema_text) : NULL;
    catch_start();
    const status_t status = import_append(specs, n, schema, -1, path, true, false);
    catch_stop();
    schema_destroy(&schema);
    return status;
}

static dataset_t *reopened(const char *path)
{
    dataset_t *dataset = NULL;
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    return dataset;
}

/* Days that are appended one by one are the dataset that they are together, but that weights and numbers are scaled as on the
 * first; and it says what it was after each. */
static void test_days_are_appended(void **state)
{
    (void)state;
    const char *days[] = {write_day("day0.csv", 0, 9000), write_day("day1.csv", 1, 300), write_day("day2.csv", 2, 8000)};
    dataset_t *one = import(DAYS_SCHEMA, days, 1);
    const uint64_t first_hash = dataset_info(one)->content_hash;
    const double mean = dataset_info(one)->weight_mean;
    char *path = place_of(one);
    assert_int_equal(append(path, NULL, &days[1], 1), ST_OK);
    one = reopened(path);
    const uint64_t second_hash = dataset_info(one)->content_hash;
    dataset_close(&one);
    assert_int_equal(append(path, DAYS_SCHEMA, &days[2], 1), ST_OK);
    one = reopened(path);
    dataset_t *all = import(DAYS_SCHEMA, days, 3);
    const dataset_info_t *a = dataset_info(one), *b = dataset_info(all);
    assert_true(a->rows == b->rows && a->train_rows == b->train_rows && a->test_rows == b->test_rows);
    assert_true(a->weight_mean == mean && a->labels == 2);
    for (int l = 0; l < 2; l++) {
        assert_int_equal(a->label_of[l].positives, b->label_of[l].positives);
        assert_int_equal(a->label_of[l].train_positives, b->label_of[l].train_positives);
    }
    assert_int_equal(dataset_meta(one)->blocks_hash, dataset_meta(all)->blocks_hash);
    for (int f = 0; f < dataset_meta(one)->count; f++) {
        assert_int_equal(a->fields[f].cardinality, b->fields[f].cardinality);
        assert_int_equal(a->fields[f].missing, b->fields[f].missing);
        assert_int_equal(dataset_meta(one)->top_count[f], dataset_meta(all)->top_count[f]);
        for (int i = 0; i < dataset_meta(one)->top_count[f]; i++)
            assert_string_equal(dataset_meta(one)->top[f][i].text, dataset_meta(all)->top[f][i].text);
    }
    for (int64_t p = 0; p < a->rows; p += 97)
        assert_int_equal(census_input_row(dataset_census(one), p), p + 1);
    char fault[KEPT_TEXTS_FAULT];
    kept_texts_t *texts = kept_texts_open(path, a->content_hash, fault);
    kept_text_t text;
    assert_non_null(texts);
    assert_true(kept_texts_find(texts, text_key("v39"), &text, fault) && text.bytes == 3 && memcmp(text.at, "v39", 3) == 0);
    assert_true(kept_texts_find(texts, text_key("25"), &text, fault)); /* a query id of the first day, and of the last */
    assert_true(kept_texts_find(texts, text_key("6999"), &text, fault));
    kept_texts_close(&texts);
    const day_list_t *list = dataset_days(one);
    assert_int_equal(list->n, 3);
    assert_true(list->day[0].rows == 9000 && list->day[0].content_hash == first_hash && list->day[0].files_count == 0);
    assert_true(list->day[1].rows == 9300 && list->day[1].content_hash == second_hash);
    assert_true(list->day[2].rows == 17300 && list->day[2].content_hash == a->content_hash);
    assert_int_equal(day_list_find(list, second_hash), 1);
    assert_string_equal(list->day[1].files[0].path, days[1]);
    assert_int_equal(list->day[2].train_rows, a->train_rows);
    dataset_close(&one);
    dataset_close(&all);
    mem_free(path);
}

/* Each day is split by itself; edges and scaling are those of the first. */
static void test_days_of_a_share(void **state)
{
    (void)state;
    const char *schema = "label: y\ntime: t\norder: sort\nsplit: {train_fraction: 0.5, test_fraction: 0.25}\n"
                         "columns: [{name: k, column: n, bins: 2}, {name: n, kind: numeric, transform: standardise}]\n";
    const char *first = test_write("first.csv", "y,t,n\n1,3,9\n0,2,1\n0,4,8\n1,1,5\n");
    const char *second = test_write("second.csv", "y,t,n\n1,7,100\n0,6,200\n1,5,\n0,8,4\n");
    dataset_t *dataset = import(schema, &first, 1);
    const double mean = dataset_info(dataset)->fields[0].mean, scale = dataset_info(dataset)->fields[0].scale;
    assert_true(mean == 3.0); /* of 5 and 1 */
    char *path = place_of(dataset);
    assert_int_equal(append(path, NULL, &second, 1), ST_OK);
    dataset = reopened(path);
    const dataset_info_t *info = dataset_info(dataset);
    assert_true(info->fields[0].mean == mean && info->fields[0].scale == scale);
    assert_true(info->rows == 8 && info->train_rows == 4 && info->test_rows == 2);
    static const int64_t train[] = {0, 1, 4, 5};
    for (int i = 0; i < 4; i++)
        assert_int_equal(dataset_position(dataset, SPLIT_TRAIN, i), train[i]);
    assert_int_equal(dataset_position(dataset, SPLIT_TEST, 1), 7);
    static const char *const keys[] = {"[5, inf)", "(-inf, 5)", "[5, inf)", "[5, inf)",
                                       "",         "[5, inf)",  "[5, inf)", "(-inf, 5)"};
    for (int i = 0; i < 8; i++)
        assert_int_equal(key_at(dataset, i, 0), text_key(keys[i]));
    dataset_close(&dataset);
    const char *early = test_write("early2.csv", "y,t,n\n1,9,1\n0,7.5,1\n");
    assert_int_equal(append(path, NULL, &early, 1), ST_INPUT);
    assert_caught("early2.csv:3: column t: the time 7.5 is before the last of dataset");
    assert_caught("8, and order is sort; append what comes after it, or import all rows together");
    mem_free(path);
}

/* A day of libffm may have fewer fields than the first. */
static void test_days_of_features(void **state)
{
    (void)state;
    const char *first = test_write("a.ffm", "1 0:1:1 2:7:0.5\n0 1:2:1\n"), *second = test_write("b.ffm", "0 0:9:1\n");
    char *path = place_of(import("format: libffm\n", &first, 1));
    assert_int_equal(append(path, NULL, &second, 1), ST_OK);
    dataset_t *dataset = reopened(path);
    assert_true(dataset_info(dataset)->multi == 3 && dataset_info(dataset)->rows == 3);
    dataset_close(&dataset);
    const char *wide = test_write("c.ffm", "0 3:9:1\n");
    assert_int_equal(append(path, NULL, &wide, 1), ST_INPUT);
    assert_caught("c.ffm:1: column features: a feature of field 3, and the fields are 0 to 2");
    mem_free(path);
}

static void test_days_that_do_not_fit(void **state)
{
    (void)state;
    const char *day = write_day("fits.csv", 0, 50), *other = test_write("other.csv", "y,x\n1,2\n");
    char *path = place_of(import(DAYS_SCHEMA, &day, 1));
    dataset_t *dataset = reopened(path);
    const uint64_t hash = content(dataset);
    assert_int_equal(append(path, NULL, &other, 1), ST_INPUT);
    assert_caught("other.csv: no column z, which the schema wants as label");
    assert_int_equal(append(path, "label: y\ncolumns: [k]\n", &day, 1), ST_INPUT);
    assert_caught("in which there was ");
    assert_caught("rows are appended by the schema of those that are there");
    assert_int_equal(append(test_path("nothing"), NULL, &day, 1), ST_INPUT);
    assert_caught("no dataset at ");
    const int fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(append(path, NULL, &day, 1), ST_INPUT);
    assert_caught("another import appends to it now; wait for its end");
    close(fd);
    assert_int_equal(content(reopened(path)), hash);
    mem_free(path);
}

/* Killed in the middle: the dataset is what it was, and the next import clears up. */
static void test_append_is_killed(void **state)
{
    (void)state;
    const char *days[] = {write_day("before.csv", 0, 500), "-"};
    char *path = place_of(import(DAYS_SCHEMA, days, 1));
    const uint64_t hash = content(reopened(path));
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[0], STDIN_FILENO);
        close(pipes[1]);
        const status_t status = import_append(&days[1], 1, NULL, -1, path, true, false);
        _exit(status == ST_OK ? 0 : 1);
    }
    close(pipes[0]);
    char *half = mem_printf("%s.appending.%ld.partial.%ld/data.mdb", path, (long)child, (long)child);
    assert_int_equal(fcntl(pipes[1], F_SETFL, O_NONBLOCK), 0);
    const char *rows = "q,t,w,y,z,part,k,n,tags\n";
    for (int i = 0; i < 100000 && access(half, F_OK) != 0; i++, rows = "1,1,1,1,1,train,a,1,a\n")
        if (write(pipes[1], rows, strlen(rows)) < 0)
            usleep(1000);
    assert_int_equal(access(half, F_OK), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(pipes[1]);
    assert_int_equal(content(reopened(path)), hash);
    const char *day = write_day("after.csv", 1, 100);
    assert_int_equal(append(path, NULL, &day, 1), ST_OK);
    assert_int_equal(access(half, F_OK), -1);
    dataset_t *dataset = reopened(path);
    assert_int_equal(dataset_info(dataset)->rows, 600);
    dataset_close(&dataset);
    mem_free(half);
    mem_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_one),
        cmocka_unit_test(test_files_that_do_not_fit),
        cmocka_unit_test(test_label_rules),
        cmocka_unit_test(test_words_for_nothing),
        cmocka_unit_test(test_libffm),
        cmocka_unit_test(test_libffm_of_many_rows),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_several_labels),
        cmocka_unit_test(test_rows_to_score),
        cmocka_unit_test(test_order_is_checked),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_bins_of_quantiles),
        cmocka_unit_test(test_order_is_made),
        cmocka_unit_test(test_days_are_appended),
        cmocka_unit_test(test_days_of_a_share),
        cmocka_unit_test(test_days_of_features),
        cmocka_unit_test(test_days_that_do_not_fit),
        cmocka_unit_test(test_append_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
