/* Proves: an import schema decodes to what its YAML says, with every short form; presets describe the published files;
 * every kind of wrong schema is one line that names file, line, key or column, and what is allowed. */
#include "tests/lib/testing.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"

#define LEN(array) ((int)(sizeof(array) / sizeof *(array)))

static void assert_column(const schema_t *schema, unsigned i, const char *name, const char *column, column_kind_t kind,
                          column_transform_t transform)
{
    assert_true(i < schema->columns_count);
    assert_string_equal(schema->columns[i].name, name);
    assert_string_equal(schema->columns[i].column, column);
    assert_int_equal(schema->columns[i].kind, kind);
    assert_int_equal(schema->columns[i].transform, transform);
}

static void test_full_form(void **state)
{
    (void)state;
    const char *yaml = "format: tsv\nheader: yes\nlabel: clicked\ngroup: q\ntime: t\nmax_bad_rows: 7\nfeature_limit: 99\n"
                       "split: {column: day, train_max: -2.5}\n"
                       "columns:\n"
                       "  - user\n"
                       "  - {name: tags, kind: multi, separator: ';', pooling: mean}\n"
                       "  - {name: length, column: ms, transform: log2_bucket}\n"
                       "  - {kind: numeric, transform: log1p, names: [a, b], columns: [x, y]}\n"
                       "  - {kind: numeric, transform: standardise, names: [c]}\n"
                       "  - {kind: numeric, name: q}\n"; /* the group may be an input, too */
    schema_t *s = NULL;
    assert_int_equal(schema_load(test_write("s.yaml", yaml), &s), ST_OK);
    assert_int_equal(s->format, FORMAT_TSV);
    assert_true(s->header);
    assert_string_equal(s->label, "clicked");
    assert_string_equal(s->group, "q");
    assert_string_equal(s->time, "t");
    assert_string_equal(s->split_column, "day");
    assert_true(s->split_train_max == -2.5);
    assert_int_equal(s->max_bad_rows, 7);
    assert_int_equal(s->feature_limit, 99);
    assert_int_equal(s->columns_count, 7);
    assert_column(s, 0, "user", "user", COLUMN_CATEGORICAL, TRANSFORM_NONE);
    assert_column(s, 1, "tags", "tags", COLUMN_MULTI, TRANSFORM_NONE);
    assert_string_equal(s->columns[1].separator, ";");
    assert_int_equal(s->columns[1].pooling, POOLING_MEAN);
    assert_column(s, 2, "length", "ms", COLUMN_CATEGORICAL, TRANSFORM_LOG2_BUCKET);
    assert_string_equal(s->columns[2].separator, "|");
    assert_int_equal(s->columns[2].pooling, POOLING_SUM);
    assert_column(s, 3, "a", "x", COLUMN_NUMERIC, TRANSFORM_LOG1P);
    assert_column(s, 4, "b", "y", COLUMN_NUMERIC, TRANSFORM_LOG1P);
    assert_column(s, 5, "c", "c", COLUMN_NUMERIC, TRANSFORM_STANDARDISE);
    assert_column(s, 6, "q", "q", COLUMN_NUMERIC, TRANSFORM_NONE);
    schema_destroy(&s);
    assert_null(s);
}

static void test_defaults(void **state)
{
    (void)state;
    schema_t *s = NULL;
    assert_int_equal(schema_load(test_write("s.yaml", "columns: [a]\n"), &s), ST_OK);
    assert_int_equal(s->format, FORMAT_CSV);
    assert_true(s->header);
    assert_string_equal(s->label, "label");
    assert_string_equal(s->group, "");
    assert_string_equal(s->time, "");
    assert_string_equal(s->split_column, "");
    assert_true(s->train_fraction == 1);
    assert_int_equal(s->max_bad_rows, 0);
    assert_int_equal(s->feature_limit, INT64_C(1) << 48);
    schema_destroy(&s);
}

/* Criteo's readme: "tab separated: <label> <integer feature 1> ... <integer feature 13> <categorical feature 1> ... 26". */
static void test_preset_criteo(void **state)
{
    (void)state;
    schema_t *s = NULL;
    assert_int_equal(schema_load("criteo", &s), ST_OK);
    assert_int_equal(s->format, FORMAT_TSV);
    assert_false(s->header);
    assert_string_equal(s->label, "c1");
    assert_int_equal(s->columns_count, 39);
    for (unsigned i = 0; i < 39; i++) {
        char name[8], column[8];
        snprintf(name, sizeof name, "%c%u", i < 13 ? 'I' : 'C', i < 13 ? i + 1 : i - 12);
        snprintf(column, sizeof column, "c%u", i + 2);
        assert_column(s, i, name, column, i < 13 ? COLUMN_NUMERIC : COLUMN_CATEGORICAL,
                      i < 13 ? TRANSFORM_LOG1P : TRANSFORM_NONE);
    }
    schema_destroy(&s);
}

/* Avazu's header: id,click,hour,C1,banner_pos,site_id,...,device_conn_type,C14,...,C21, where hour is YYMMDDHH. */
static void test_preset_avazu(void **state)
{
    (void)state;
    static const char *const names[] = {"C1",
                                        "banner_pos",
                                        "site_id",
                                        "site_domain",
                                        "site_category",
                                        "app_id",
                                        "app_domain",
                                        "app_category",
                                        "device_id",
                                        "device_ip",
                                        "device_model",
                                        "device_type",
                                        "device_conn_type",
                                        "C14",
                                        "C15",
                                        "C16",
                                        "C17",
                                        "C18",
                                        "C19",
                                        "C20",
                                        "C21"};
    schema_t *s = NULL;
    assert_int_equal(schema_load("avazu", &s), ST_OK);
    assert_int_equal(s->format, FORMAT_CSV);
    assert_true(s->header);
    assert_string_equal(s->label, "click");
    assert_string_equal(s->split_column, "hour");
    assert_true(s->split_train_max == 14102923);
    assert_int_equal(s->columns_count, LEN(names));
    for (unsigned i = 0; i < s->columns_count; i++)
        assert_column(s, i, names[i], names[i], COLUMN_CATEGORICAL, TRANSFORM_NONE);
    schema_destroy(&s);
}

static void test_preset_libsvm(void **state)
{
    (void)state;
    schema_t *s = NULL;
    assert_int_equal(schema_load("libsvm", &s), ST_OK);
    assert_int_equal(s->format, FORMAT_LIBSVM);
    assert_int_equal(s->columns_count, 0);
    schema_destroy(&s);
}

/* "26 categorical fields; train date <= 20220504; group user_id": the real-data comparison. */
static void test_kuairand(void **state)
{
    (void)state;
    schema_t *s = NULL;
    assert_int_equal(schema_load("configs/kuairand_schema.yaml", &s), ST_OK);
    assert_int_equal(s->columns_count, 26);
    for (unsigned i = 0; i < 26; i++)
        assert_int_equal(s->columns[i].kind, COLUMN_CATEGORICAL);
    assert_column(s, 7, "duration", "duration_ms", COLUMN_CATEGORICAL, TRANSFORM_LOG2_BUCKET);
    assert_column(s, 25, "onehot_feat11", "onehot_feat11", COLUMN_CATEGORICAL, TRANSFORM_NONE);
    assert_string_equal(s->group, "user_id");
    assert_string_equal(s->label, "is_click");
    assert_string_equal(s->split_column, "date");
    assert_true(s->split_train_max == 20220504);
    schema_destroy(&s);
}

static const struct {
    const char *yaml, *expected; /* without the file's name */
} refused[] = {
    {"", ": no columns are given; list the inputs under columns:"},
    {"columns: []\n", ": no columns are given; list the inputs under columns:"},
    {"columns: a\n", ":1: columns: a list of columns is wanted, for example [user_id, {name: age, kind: numeric}]"},
    {"colums: [a]\n", ":1: colums: unknown key; did you mean columns?"},
    {"format: xml\ncolumns: [a]\n", ":1: format: 'xml' is not known here; allowed: one of csv, tsv, libsvm, libffm, parquet"},
    {"header: perhaps\ncolumns: [a]\n", ":1: header: 'perhaps' is given; allowed: true or false"},
    {"label: ''\ncolumns: [a]\n", ":1: label: empty; name the column that holds 0 or 1"},
    {"max_bad_rows: -1\ncolumns: [a]\n",
     ":1: max_bad_rows: -1 is out of range; allowed: a whole number from 0 to 1099511627776"},
    {"columns: [a]\nsplit: {train_fraction: 2}\n",
     ":2: split.train_fraction: 2 is out of range; allowed: a number from 0 to 1"},
    {"columns: [a]\nsplit:\n  column: d\n  train_max: 3\n  train_fraction: 0.5\n",
     ":5: split.train_fraction: split.column and split.train_fraction both say which rows train; remove one"},
    {"columns: [a]\nsplit: {column: d}\n", ":2: split.column: 'd' needs split.train_max, the largest value of a training row; "
                                           "or words: true, where it holds the words train, eval and test"},
    {"columns: [a]\nsplit: {column: d, train_max: 3, test_fraction: 0.1}\n",
     ":2: split.test_fraction: split.column and split.test_fraction both say which rows are the test split; remove one"},
    {"columns: [a]\nsplit: {column: d, words: true, eval_max: 3}\n",
     ":2: split.eval_max: is for a column of numbers, and split.words says that 'd' holds words; remove one"},
    {"columns: [a]\nsplit: {column: d, train_max: 3, eval_max: 3}\n",
     ":2: split.eval_max: 3 is not above split.train_max 3; rows between the two are the evaluation split"},
    {"columns: [a]\nsplit: {words: true}\n", ":2: split.words: split.words needs split.column, the column that holds them"},
    {"columns: [a]\nsplit: {train_fraction: 0.95, test_fraction: 0.1}\n",
     ":2: split.test_fraction: split.train_fraction 0.95 and split.test_fraction 0.1 are more than all rows together"},
    {"columns: [a]\nsplit: {train_max: 3}\n",
     ":2: split.train_max: split.train_max needs split.column, the column it is compared with"},
    {"format: libsvm\ncolumns: [a]\n", ":2: columns: every feature id of a libsvm file is an input; remove columns:"},
    {"header: false\ncolumns: [c2]\n",
     ":1: header: label 'label' names no column: with header: false columns are called c1, c2 ... "
     "by position"},
    {"header: false\nlabel: c1\ntime: t\ncolumns: [c2]\n",
     ":3: time: time 't' names no column: with header: false columns are called c1, c2 ... by position"},
    {"header: false\nlabel: c1\ncolumns:\n  - c2\n  - age\n",
     ":5: columns[2]: 'age' names no column: with header: false columns are called c1, c2 ... by position"},
    {"label: y\ncolumns: [a, y]\n", ":2: columns[2]: column 'y' is the label, so it cannot be an input"},
    {"columns:\n  - a\n  - b\n  - a\n", ":4: columns[3]: column 'a' is given twice; each needs its own name"},
    {"columns:\n  - {kind: numeric}\n", ":2: columns[1]: the column has no name; add name: NAME"},
    {"columns:\n  - [a]\n",
     ":2: columns[1]: a list is given; a column's name or a map such as {name: age, kind: numeric} is wanted"},
    {"columns:\n  - name: a\n    kid: numeric\n", ":3: columns[1].kid: unknown key; did you mean kind?"},
    {"columns:\n  - name: a\n    kind: numerc\n", ":3: columns[1].kind: 'numerc' is not known here (did you mean "
                                                  "numeric?); allowed: one of categorical, numeric, multi"},
    {"columns: [{name: a, kind: numeric, transform: log2_bucket}]\n",
     ":1: columns[1]: column 'a': transform log2_bucket makes a category; use kind: categorical, or transform none, log1p "
     "or "
     "standardise"},
    {"columns: [{name: a, transform: log1p}]\n",
     ":1: columns[1]: column 'a': transforms log1p and standardise are for numbers; use "
     "kind: numeric, or transform none or log2_bucket"},
    {"columns: [{name: a, kind: multi, transform: log1p}]\n",
     ":1: columns[1]: column 'a': a multi column has no transform; use transform: none"},
    {"columns: [{name: a, kind: multi, separator: ', '}]\n",
     ":1: columns[1]: column 'a': separator ', ' has 2 bytes; allowed: one character"},
    {"columns: [{names: a}]\n", ":1: columns[1].names: a list of column names is wanted"},
    {"columns: [{name: a, columns: [b]}]\n", ":1: columns[1].columns: goes with names: only; use column: for a single column"},
    {"columns: [{name: a, names: [b]}]\n",
     ":1: columns[1]: names: describes several columns, so name: and column: cannot stand beside it; use columns:"},
    {"columns: [{names: [a, b], columns: [c]}]\n",
     ":1: columns[1].columns: one column of the text file is needed for each of the 2 names"},
    {"label: {column: y, rule: about 4}\ncolumns: [a]\n", ":1: label_rule: 'about 4' is no rule; allowed: a comparison with a "
                                                          "number such as \">= 4\", true/false, yes/no, -1/1, or a "
                                                          "list of the words that are 1"},
    {"label: {column: y, rul: 3}\ncolumns: [a]\n",
     ":1: label.rul: not known here; a label is a column's name, or {column: NAME, rule: RULE}"},
    {"label: {rule: yes/no}\ncolumns: [a]\n", ":1: label: a label needs column: NAME"},
    {"missing: [NA, '']\ncolumns: [a]\n",
     ":1: missing[2]: a list of words is wanted; none of them is empty, as an empty cell always "
     "counts as missing"},
    {"columns: [{name: a, fill: 3}]\n",
     ":1: columns[1]: column 'a': fill and indicator are for numbers; use kind: numeric, or remove them"},
    {"columns: [{name: a, kind: numeric, fill: few}]\n", ":1: columns[1]: column 'a': fill 'few' is not a number"},
    {"columns: [{name: a, kind: numeric, indicator: true}, a_missing]\n",
     ":1: columns[2]: column 'a_missing' is given twice; each needs its own name"},
    {"columns: [{name: a, bins: [1, 3, 2]}]\n",
     ":1: columns[1]: column 'a': bins [1, 3, 2] has edges that do not rise; each must be above the one before it"},
    {"columns: [{name: a, bins: [1, 1]}]\n",
     ":1: columns[1]: column 'a': bins [1, 1] has edges that do not rise; each must be above the one before it"},
    {"columns: [{name: a, bins: 1}]\n",
     ":1: columns[1]: column 'a': bins 1 is no number of bins: two are the fewest that tell numbers apart"},
    {"columns: [{name: a, bins: 2000}]\n",
     ":1: columns[1]: column 'a': bins 2000 is no number of bins; allowed: a whole number from 2 to 1024, or a list of edges"},
    {"columns: [{name: a, bins: some}]\n",
     ":1: columns[1]: column 'a': bins some is no number of bins; allowed: a whole number from 2 to 1024, or a list of edges"},
    {"columns: [{name: a, bins: [1, old]}]\n", ":1: columns[1]: column 'a': bins [1, old] has an edge that is not a number"},
    {"columns: [{name: a, kind: multi, bins: 10}]\n",
     ":1: columns[1]: column 'a': bins make a category of a number; use kind: categorical, or remove them"},
    {"columns: [{name: a, transform: log2_bucket, bins: 10}]\n",
     ":1: columns[1]: column 'a': bins and transform log2_bucket both make a category of the number; remove one"},
    {"order: sort\ncolumns: [a]\n", ":1: order: sort needs time, the column that is looked at"},
    {"format: csv\nfields: 3\ncolumns: [a]\n", ":2: fields: the number of fields is libffm's; a csv file has none"},
    {"format: libsvm\nmissing: NA\n", ":2: missing: words for nothing are for columns, and a libsvm file has none; remove it"},
    {"columns: [a\n",
     ":2: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence that begins in line 1"},
};

static void test_refused(void **state)
{
    (void)state;
    for (int i = 0; i < LEN(refused); i++) {
        const char *path = test_write("s.yaml", refused[i].yaml);
        schema_t *s = NULL;
        catch_start();
        status_t status = schema_load(path, &s);
        catch_stop();
        char *expected = mem_printf("%s%s\n", path, refused[i].expected);
        assert_string_equal(catch_text(), expected);
        assert_int_equal(status, ST_INPUT);
        assert_null(s);
        mem_free(expected);
    }
}

/* What a dataset keeps of a schema says the same as the file. */
static void test_kept_form(void **state)
{
    (void)state;
    static const char *const files[] = {
        "label: y\ncolumns: [a]\n",
        "format: tsv\nheader: false\nlabel: c1\norder: sort\ntime: c9\nmax_bad_rows: 7\nmissing: [NA, \\N]\n"
        "split: {column: c3, train_max: 0, eval_max: 5}\ncolumns:\n  - {name: c, column: c2, bins: [-3, 1.5, 1e9]}\n"
        "  - {name: d, column: c4, bins: 10, missing: []}\n  - {name: e, column: c5, kind: numeric, fill: -1, indicator: "
        "true}\n",
        "labels: [click, {name: liked, column: rating, rule: [4, '5']}]\nsplit: {train_fraction: 0.5, test_fraction: 0.25}\n"
        "columns: [{name: tags, kind: multi, separator: ',', pooling: mean}]\n",
        "label: {column: y, rule: '>= 4'}\nsplit: {column: part, words: true}\ncolumns: [{name: 'a: b', column: '#'}]\n",
        "format: libffm\nfields: 4\nfeature_limit: 0\nkeep_values: {mb: 3, field_mb: 2}\n",
    };
    for (int i = 0; i < LEN(files); i++) {
        schema_t *s = NULL, *kept = NULL;
        assert_int_equal(schema_load(test_write("s.yaml", files[i]), &s), ST_OK);
        char *yaml = schema_yaml(s), *before = schema_text(s);
        assert_int_equal(schema_parse(yaml, strlen(yaml), "kept", &kept), ST_OK);
        char *after = schema_text(kept);
        assert_string_equal(after, before);
        assert_int_equal(kept->max_bad_rows, s->max_bad_rows);
        assert_int_equal(kept->keep_mb, i + 1 < LEN(files) ? 256 : 3);
        assert_int_equal(kept->keep_field_mb, i + 1 < LEN(files) ? 64 : 2);
        assert_null(strstr(after, "keep"));
        mem_free(yaml);
        mem_free(before);
        mem_free(after);
        schema_destroy(&s);
        schema_destroy(&kept);
    }
}

static void test_neither_file_nor_preset(void **state)
{
    (void)state;
    schema_t *s = NULL;
    catch_start();
    assert_int_equal(schema_load("crieto", &s), ST_INPUT);
    catch_stop();
    assert_null(s);
    assert_string_equal(catch_text(),
                        "import schema 'crieto' is neither a file nor a preset; presets: criteo, avazu, libsvm, libffm\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_form),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_preset_criteo),
        cmocka_unit_test(test_preset_avazu),
        cmocka_unit_test(test_preset_libsvm),
        cmocka_unit_test(test_kuairand),
        cmocka_unit_test(test_kept_form),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_neither_file_nor_preset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
