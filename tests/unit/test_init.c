/* Proves of launcher/init: what columns are for is guessed by their names and by what they hold; what is written loads and
 * imports at once, is the same for the same file, and whatever a file is that nothing can be made of is named. And of smelter
 * check: "all that would go wrong", in one go. */
#include "tests/lib/testing.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/ingest/import.h"
#include "launcher/init/init_files.h"
#include "launcher/init/name_words.h"

/* pick - a number from 0 to n - 1, of row and column alone. */
static int pick(int row, int column, int n)
{
    return (int)(rng_u64(7, (uint64_t)column, (uint64_t)row) % (uint64_t)n);
}

typedef void put_row_fn(FILE *out, int row);

static const char *write_rows(const char *name, const char *head, int rows, put_row_fn *put)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    fputs(head, out);
    for (int row = 0; row < rows; row++)
        put(out, row);
    fclose(out);
    const char *path = test_write(name, text);
    free(text);
    return path;
}

/* schema_of - the text of the schema that is guessed for a file, **owned**; it loads, and the file imports by it. */
static char *schema_of(const char *path, const char *label)
{
    sample_t sample;
    guess_t guess;
    schema_t *schema = NULL;
    assert_int_equal(sample_read(path, &sample), ST_OK);
    assert_int_equal(guess_make(&sample, path, label, &guess), ST_OK);
    char *text = init_schema_text(&sample, &guess, path), *again = init_schema_text(&sample, &guess, path);
    char *experiment = init_experiment_text(&sample, &guess, path);
    assert_string_equal(text, again);
    assert_non_null(strstr(experiment, "variants:"));
    assert_int_equal(schema_load(test_write("guessed.yaml", text), &schema), ST_OK);
    char *dataset = mem_printf("%s.dataset", path);
    catch_start();
    const status_t status = import_text(path, schema, dataset, false, false);
    catch_stop();
    if (status != ST_OK)
        fail_msg("%s\n%s", text, catch_text());
    assert_int_equal(dir_remove_tree(dataset), ST_OK);
    schema_destroy(&schema);
    guess_free(&sample, &guess);
    sample_free(&sample);
    mem_free(dataset);
    mem_free(experiment);
    mem_free(again);
    return text;
}

static void assert_lines(char *text, const char *const *lines)
{
    for (; *lines; lines++)
        if (!strstr(text, *lines))
            fail_msg("\"%s\" is not in:\n%s", *lines, text);
    mem_free(text);
}
#define SCHEMA_HAS(path, ...) assert_lines(schema_of(path, NULL), (const char *const[]){__VA_ARGS__, NULL})

static void put_clicks(FILE *out, int row)
{
    static const char *const ages[] = {"18.5", "4", "50", "99"};
    const int click = pick(row, 0, 3) == 0;
    fprintf(out, "%d,u%d,%d,%d,%s%s%s,%d.5,%s,r%d,same,%d,%s,%d\n", 1700000000 + 60 * row, pick(row, 1, 40), click,
            pick(row, 2, 90), pick(row, 3, 2) ? "Drama" : "Comedy", pick(row, 4, 2) ? "|War" : "",
            pick(row, 5, 3) ? "|Love" : "", pick(row, 6, 100000), pick(row, 7, 9) ? "x" : "", row, click ? pick(row, 8, 50) : 0,
            pick(row, 9, 9) ? ages[pick(row, 11, 4)] : "NA", pick(row, 10, 5));
}

static void test_roles(void **state)
{
    (void)state;
    test_dir();
    const char *path =
        write_rows("clicks.csv", "time,user_id,is_click,item_id,genres,price,colour,row_id,site,seconds_watched,age,stars\n",
                   600, put_clicks);
    SCHEMA_HAS(path, "format: csv\nheader: true\n", "\nlabel: is_click # 0 and 1; 3",
               "\ngroup: user_id # 40 of them, with 15.0 rows each\n", "\ntime: time # seconds since 1970\n",
               "# rows ascend by time, so the last rows are the newest\nsplit: {train_fraction: 0.8}\n",
               "  - {name: user_id, kind: categorical} # 40 values\n", "  - {name: item_id, kind: categorical} # 90 values\n",
               "  - {name: genres, kind: multi, separator: \"|\", pooling: mean} # 4 values",
               "  - {name: price, kind: numeric, transform: log1p} # ", "  - {name: colour, kind: categorical} # 1 values\n",
               "  - {name: age, kind: numeric, transform: standardise, missing: [\"NA\"]} # 4 to 99, mean ",
               "  - {name: stars, kind: categorical} # 5 values\n", "#   time: is the time\n",
               "#   row_id: has another value in nearly every row\n", "#   site: has the same value in all rows\n",
               "#   seconds_watched: tells ", " of is_click by itself, as what is known only afterwards does\n");
}

static void put_plain(FILE *out, int row)
{
    fprintf(out, "%d\t%d\t%.3f\n", pick(row, 0, 2), pick(row, 1, 9), pick(row, 2, 1000) / 1000.0 - 0.5);
}

static void put_quoted(FILE *out, int row)
{
    fprintf(out, "%d,\"it\"\"em\nno, %d\",%d\r\n", pick(row, 0, 2), pick(row, 1, 9), pick(row, 2, 40) - 20);
}

static void put_unsorted(FILE *out, int row)
{
    fprintf(out, "%d,%d,%d,2024-01-%02d\n", 1700000000 + pick(row, 0, 100000), pick(row, 1, 2), pick(row, 2, 9),
            1 + pick(row, 3, 28));
}

static void put_gaps(FILE *out, int row)
{
    if (row % 50 == 7)
        fputs("1,2,3\n", out);
    else
        fprintf(out, "%s,%d\n", row % 50 == 9 ? "" : pick(row, 0, 2) ? "1" : "0", pick(row, 1, 9));
}

static void put_features(FILE *out, int row)
{
    fprintf(out, "%d qid:%d %d:1 %d:0.5\n", pick(row, 0, 2), row / 5, 1 + pick(row, 1, 50), 60 + pick(row, 2, 50));
}

static void put_any_ids(FILE *out, int row)
{
    fprintf(out, "%d 0:%d:1 1:w%d:0.5\n", pick(row, 0, 2), pick(row, 1, 50), pick(row, 2, 50));
}

static void put_large_ids(FILE *out, int row)
{
    fprintf(out, "%d %" PRId64 ":1\n", pick(row, 0, 2), (INT64_C(1) << 50) + pick(row, 1, 50));
}

static void put_many(FILE *out, int row)
{
    fprintf(out, "%d", pick(row, 0, 2));
    for (int c = 1; c < 1000; c++)
        fprintf(out, ",%d", pick(row, c, 5));
    fputc('\n', out);
}

static void put_dates(FILE *out, int row)
{
    fprintf(out, "2024-%02d-%02dT10:%02d:00+02:00,%d,%d\n", 1 + pick(row, 0, 12), 1 + pick(row, 1, 28), row % 60,
            pick(row, 2, 2), pick(row, 3, 9));
}

static void test_odd_files(void **state)
{
    (void)state;
    test_dir();
    SCHEMA_HAS(write_rows("bare.tsv", "", 100, put_plain), "format: tsv\nheader: false\n",
               "# ? Is c1 what is to be predicted? No other column could be.\nlabel: c1 #",
               "  - {name: c3, kind: numeric, transform: none} # ", "# ? Are later rows of the file newer?",
               "# ? Is there a column that says which rows one user saw?");
    SCHEMA_HAS(write_rows("quoted.csv", "\xef\xbb\xbfy,\"the\n\xc3\xa4 # name\",n\r\n", 100, put_quoted), "\nlabel: y #",
               "  - {name: \"the\\x0a\xc3\xa4 # name\", kind: categorical} # 9 values\n",
               "  - {name: n, kind: numeric, transform: standardise} # -20 to ");
    SCHEMA_HAS(write_rows("unsorted.csv", "at,clicked,item,day\n", 200, put_unsorted),
               "# rows do not ascend by at; those after this time evaluate\n", "split: {column: at, train_max: 1700",
               "  - {name: day, kind: categorical} # 28 values\n");
    SCHEMA_HAS(write_rows("dates.csv", "at,clicked,item\n", 200, put_dates), "\ntime: at # dates\norder: sort\n",
               "# rows do not ascend by at, and import sorts them, so that the last ones are the newest\n"
               "split: {train_fraction: 0.8}\n");
    SCHEMA_HAS(write_rows("gaps.csv", "y,item\n", 200, put_gaps),
               "# 4 of the rows have no proper form, the first in line 9: another number of columns than the first "
               "row\nmax_bad_rows: 8\n");
    SCHEMA_HAS(write_rows("f.libsvm", "", 100, put_features), "format: libsvm\nsplit: {train_fraction: 0.8}\n");
    SCHEMA_HAS(write_rows("any.ffm", "", 100, put_any_ids), "format: libffm\nfeature_limit: 0 # ids are texts");
    SCHEMA_HAS(write_rows("large.svm", "", 100, put_large_ids), "format: libsvm\nfeature_limit: 0 # ids are texts");

    char *head = mem_strdup("y");
    for (int c = 1; c < 1000; c++) {
        char *longer = mem_printf("%s,n%d", head, c);
        mem_free(head);
        head = longer;
    }
    char *whole = mem_printf("%s\n", head);
    SCHEMA_HAS(write_rows("many.csv", whole, 60, put_many), "  - {name: n999, kind: categorical} # 5 values\n");
    mem_free(whole);
    mem_free(head);
}

static void put_two(FILE *out, int row)
{
    fprintf(out, "%d,%d,%d\n", pick(row, 0, 2), pick(row, 1, 2), pick(row, 2, 9));
}

static void test_the_label_is_named(void **state)
{
    (void)state;
    test_dir();
    const char *path = write_rows("two.csv", "a,b,item\n", 100, put_two);
    SCHEMA_HAS(path, "# ? Is a what is to be predicted? These could be, too: b.\nlabel: a #");
    static const char *const lines[] = {"\nlabel: b # 0 and 1", "  - {name: a, kind: categorical}", NULL};
    assert_lines(schema_of(path, "b"), lines);
}

static void put_rating(FILE *out, int row)
{
    fprintf(out, "%d,%d,%s,%d\n", pick(row, 0, 5) + 1, pick(row, 1, 9), pick(row, 2, 2) ? "x" : "y", pick(row, 3, 2) ? 1 : -1);
}

static void put_answer(FILE *out, int row)
{
    fprintf(out, "%s,%d\n", pick(row, 0, 2) ? "Yes" : "No", pick(row, 1, 9));
}

/* Rules make labels of what does not hold 0 and 1. */
static void test_rules(void **state)
{
    (void)state;
    test_dir();
    const char *path = write_rows("stars.csv", "stars,item,shop,liked_it\n", 200, put_rating);
    SCHEMA_HAS(path, "# ? From which stars on is a row a positive?", "\nlabel: {column: stars, rule: \">= 4\"} # 40.0 % are 1");
    static const char *const lines[] = {"\nlabel: {column: liked_it, rule: -1/1} # ", NULL};
    assert_lines(schema_of(path, "liked_it"), lines);
    SCHEMA_HAS(write_rows("answer.csv", "answer,item\n", 200, put_answer), "\nlabel: {column: answer, rule: yes/no} # ");
}

static void put_words(FILE *out, int row)
{
    fprintf(out, "%s,%s\n", pick(row, 0, 2) ? "red" : "blue", pick(row, 1, 2) ? "round" : "flat");
}

static void put_label(FILE *out, int row)
{
    fprintf(out, "%d\n", pick(row, 0, 2));
}

static void put_sorted(FILE *out, int row)
{
    fprintf(out, "%d,%d\n", row >= 50, pick(row, 0, 9));
}

static void put_semicolons(FILE *out, int row)
{
    fprintf(out, "%d;%d\n", pick(row, 0, 2), pick(row, 1, 9));
}

static void assert_named(const char *path, const char *label, const char *what)
{
    sample_t sample;
    guess_t guess;
    catch_start();
    status_t status = sample_read(path, &sample);
    if (status == ST_OK) {
        status = guess_make(&sample, path, label, &guess);
        sample_free(&sample);
    }
    catch_stop();
    assert_int_equal(status, ST_INPUT);
    assert_caught(what);
}

static void test_what_nothing_can_be_made_of(void **state)
{
    (void)state;
    test_dir();
    assert_named(write_rows("words.csv", "colour,shape\n", 60, put_words), NULL,
                 "words.csv: no column can be the label: none of the 2 columns holds 0 and 1, true and false");
    const char *two = write_rows("two.csv", "a,b,item\n", 60, put_two);
    assert_named(two, "item", "two.csv: column item cannot be the label: it holds no 0 and 1, true");
    assert_named(two, "c", "two.csv: there is no column c; the first is called a");
    assert_named(write_rows("one.csv", "y\n", 60, put_label), NULL,
                 "one.csv: no column is left to learn y from: it is the only one");
    assert_named(write_rows("dup.csv", "y,a,a\n", 60, put_two), NULL,
                 "dup.csv: no column is left to learn y from; the first, a, has the name of another column");
    assert_named(write_rows("latin.csv", "y,caf\xe9\n", 60, put_sorted), NULL, "caf\\xe9, has a name that is not UTF-8");
    assert_named(write_rows("few.csv", "y,item\n", 3, put_sorted), NULL,
                 "few.csv: it has 3 rows below its header; at least 20 are wanted");
    assert_named(write_rows("head.csv", "y,item\n", 0, put_sorted), NULL, "head.csv: it has 0 rows below its header");
    assert_named(write_rows("semi.csv", "y;item\n", 60, put_semicolons), NULL,
                 "semi.csv: the first line has ';' between its columns, and neither commas nor tabs");
    assert_named(test_dir(), NULL, "is no file; it is looked at here and imported later");
    SCHEMA_HAS(write_rows("sorted.csv", "y,item\n", 100, put_sorted),
               "# ? All rows that evaluate have one label: is the file sorted by it?");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(name_words_of("userId").text, " user id ");
    assert_string_equal(name_words_of("User-ID 2").text, " user id 2 ");
    assert_string_equal(name_words_of("").text, " ");
    const name_words_t name = name_words_of("is_click");
    assert_true(name_words_is(&name, "is click") && name_words_has(&name, "y click") && !name_words_has(&name, "clicks y"));
    assert_true(name_is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") && name_is_utf8(""));
    static const char *const broken[] = {"\xe9", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82x"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_false(name_is_utf8(broken[i]));
}

/* The command: files, and that it writes over none. */
static void test_command(void **state)
{
    (void)state;
    test_dir();
    const char *path =
        write_rows("my data.csv", "time,user_id,is_click,item_id,genres,price,colour,row_id,site,seconds_watched,age,stars\n",
                   200, put_clicks);
    char *out = mem_printf("%s", test_path("out"));
    options_t options = {.argument = path, .out = out};
    char *words[] = {(char *)(uintptr_t) "smelter", NULL};
    options.argv = words;
    fflush(stdout);
    const int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(test_path("said"), "w", stdout));
    assert_int_equal(command_init(&options), ST_OK);
    char *experiment = mem_printf("%s/experiment.yaml", out), *said;
    options_t check = {.argument = experiment, .argv = words};
    catch_start();
    assert_int_equal(command_check(&check), ST_OK);
    catch_stop();
    assert_caught("my_data_dataset: is not there; it will be imported from ");
    fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    close(saved);
    assert_int_equal(file_read(test_path("said"), &said, NULL), ST_OK);
    assert_non_null(strstr(said, "  left out   site: has the same value in all rows\n"));
    assert_non_null(strstr(said, "experiment.yaml: nothing would go wrong; 12 runs to train\n"));
    mem_free(said);
    catch_start();
    assert_int_equal(command_init(&options), ST_INPUT);
    catch_stop();
    assert_caught("out/schema.yaml is there already, and may have been edited; remove it, or choose another --out");
    mem_free(experiment);
    mem_free(out);
}

static void test_check_says_all(void **state)
{
    (void)state;
    static const char unlabelled[] = "label: label\nunlabelled: allow\nsplit: {train_fraction: 0.8}\ncolumns: [b]\n";
    test_dir();
    write_rows("two.csv", "label,b,item\n", 60, put_two);
    test_write("schema.yaml", "label: label\nsplit: {train_fraction: 0.8}\ncolumns: [b, {name: item, kind: numeric}]\n");
    write_rows("broken.csv", "label,b,item\n0,1,x\n", 60, put_two);
    schema_t *schema;
    assert_int_equal(schema_parse(unlabelled, strlen(unlabelled), "schema", &schema), ST_OK);
    assert_int_equal(
        import_text(write_rows("some.csv", "label,b,item\n,1,2\n", 60, put_two), schema, test_path("some"), false, false),
        ST_OK);
    schema_destroy(&schema);
    const char *path = test_write(
        "c.yaml",
        "name: all\ndata: {path: gone}\n"
        "cluster: {workers: 3}\ntrain: {lanes: 4}\n"
        "experiment: {replicas: 1}\nmodel: {hidden: [2]}\n"
        "variants:\n"
        "  - {name: a}\n"
        "  - {name: b, data: {input: broken.csv, schema: schema.yaml}, teacher: {run: nowhere}}\n"
        "  - {name: c, data: {input: two.csv, schema: schema.yaml, label: other}, warm_start: nothing}\n"
        "  - {name: d, data: {input: two.csv, schema: schema.yaml}, complexity: {match: c},\n"
        "     model: {components: 64}}\n"
        "  - {name: e, data: {path: some}, model: {parts: [fm]}, evaluate: {every: 2, patience: 2, metric: pqauc_loss}}\n");
    char *words[] = {(char *)(uintptr_t) "smelter", NULL};
    options_t options = {.argument = path, .argv = words, .out = test_path("runs")};
    catch_start();
    assert_int_equal(command_check(&options), ST_INPUT);
    catch_stop();
    assert_caught("experiment.replicas is 1, but the prediction difference");
    assert_caught("gone does not exist; make it with smelter import");
    assert_caught("broken.csv:2: column item: not a number, value seen \"x\"");
    assert_caught("variant b: teacher.run: ");
    assert_caught("nothing holds no finished run");
    assert_caught("variant d: complexity.match cannot be met");
    assert_caught("1 of 61 rows have no label, and can be scored by smelter predict alone");
    assert_caught("variants a and c have different labels (data.label '' and 'other')");
    assert_caught("evaluate.metric pqauc_loss is no number: the dataset has no group column");
    assert_caught("multiplies fields with one another, and the dataset has one alone");
    assert_caught("c.yaml: 10 things would go wrong, as said above");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_odd_files),
        cmocka_unit_test(test_the_label_is_named),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_what_nothing_can_be_made_of),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_check_says_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
