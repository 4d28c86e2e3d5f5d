/* Proves: "is the dataset at data.path still what the configuration asks for?": a changed input, schema or setting is an error
 * that names both sides before anything is trained, --reimport makes the dataset again in place of the old one, and what
 * cannot be compared is no error. */
#include "tests/lib/testing.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/stale.h"

#define SCHEMA "format: csv\nlabel: y\nsplit: {train_fraction: 0.5}\ncolumns: [k]\n"
#define INPUT "y,k\n1,a\n0,b\n1,c\n0,d\n"

static const char *config_path;

/* prepare_data of a configuration, with what it said in the catcher. */
static status_t prepare(const char *text, bool reimport)
{
    experiment_t *experiment = NULL;
    const options_t options = {.argument = config_path, .reimport = reimport};
    config_path = test_write("c.yaml", text);
    catch_start();
    status_t status = experiment_load(config_path, NULL, 0, &experiment);
    if (status == ST_OK)
        status = prepare_data(experiment, &options);
    catch_stop();
    experiment_destroy(&experiment);
    return status;
}

static int64_t rows_of(const char *path)
{
    dataset_t *dataset = NULL;
    assert_int_equal(dataset_open(path, 0, &dataset), ST_OK);
    const int64_t rows = dataset_info(dataset)->rows;
    dataset_close(&dataset);
    return rows;
}

static const char imported[] = "data: {path: d, input: in.csv, schema: s.yaml}\n";

static void test_a_changed_input(void **state)
{
    (void)state;
    test_write("in.csv", INPUT);
    test_write("s.yaml", SCHEMA);
    assert_int_equal(prepare(imported, false), ST_OK);
    assert_int_equal(prepare(imported, false), ST_OK);
    assert_string_equal(catch_text(), "");
    test_write("in.csv", INPUT "1,e\n");
    assert_int_equal(prepare(imported, false), ST_INPUT);
    assert_caught("/d is not what the configuration asks for: it was imported from ");
    assert_caught("in.csv (20 bytes of ");
    assert_caught("and that file now has other content (24 bytes of ");
    assert_caught("--reimport");
    assert_int_equal(rows_of(test_path("d")), 4);
    assert_int_equal(prepare(imported, true), ST_OK);
    assert_int_equal(rows_of(test_path("d")), 5);
    assert_int_equal(prepare(imported, true), ST_OK); /* there is nothing to do any more */
    assert_string_equal(catch_text(), "");

    /* Another file of the same content is the same input; one that is gone is not missed. */
    test_write("copy.csv", INPUT "1,e\n");
    assert_int_equal(prepare("data: {path: d, input: copy.csv, schema: s.yaml}\n", false), ST_OK);
    test_write("copy.csv", INPUT "1,f\n");
    assert_int_equal(prepare("data: {path: d, input: copy.csv, schema: s.yaml}\n", false), ST_INPUT);
    assert_caught("copy.csv has other content");
    assert_int_equal(unlink(test_path("in.csv")), 0);
    assert_int_equal(prepare(imported, false), ST_OK);
    assert_caught("is not there to be compared with it");
}

/* A failed import leaves the old dataset, and nothing beside it. */
static void test_a_failed_reimport_keeps_the_old(void **state)
{
    (void)state;
    test_write("in.csv", INPUT "7,e\n");
    assert_int_equal(prepare(imported, true), ST_INPUT);
    assert_caught("a label is 0 or 1");
    assert_int_equal(rows_of(test_path("d")), 5);
    char *fresh = mem_printf("%s.again.%ld", test_path("d"), (long)getpid());
    assert_false(file_exists(fresh));
    mem_free(fresh);
}

static void test_a_changed_schema(void **state)
{
    (void)state;
    test_write("in.csv", INPUT "1,e\n");
    test_write("s.yaml", "# the same in other words\n" SCHEMA "max_bad_rows: 3\n");
    assert_int_equal(prepare(imported, false), ST_OK);
    test_write("s.yaml", "format: csv\nlabel: y\nsplit: {train_fraction: 0.25}\ncolumns: [k]\n");
    assert_int_equal(prepare(imported, false), ST_INPUT);
    assert_caught("in which there was 'split.train_fraction: 0.5', and here it is 'split.train_fraction: 0.25'");
    test_write("s.yaml", "format: csv\nlabel: y\nsplit: {train_fraction: 0.5}\ncolumns: [k, {name: k2, column: k}]\n");
    assert_int_equal(prepare(imported, false), ST_INPUT);
    assert_caught("in which there was 'nothing', and here it is 'column 2: name: \"k2\", column: \"k\"");
    assert_int_equal(unlink(test_path("s.yaml")), 0);
    assert_int_equal(prepare(imported, false), ST_OK);
    assert_caught("s.yaml is not there to be compared with it");
}

static void test_other_settings_of_the_generator(void **state)
{
    (void)state;
    assert_int_equal(prepare("data: {path: g}\nsynth: {rows: 100, values: 50}\n", false), ST_OK);
    assert_int_equal(prepare("data: {path: g}\nsynth: {rows: 100, values: 50}\n", false), ST_OK);
    assert_int_equal(prepare("data: {path: g}\n", false), ST_OK); /* says nothing about it */
    assert_int_equal(prepare("data: {path: g}\nsynth: {rows: 100, values: 50, seed: 2}\n", false), ST_INPUT);
    assert_caught("it was generated with 'synth.seed: 1', and here it is 'synth.seed: 2'");
    assert_int_equal(prepare("data: {path: g, input: in.csv, schema: criteo}\n", false), ST_INPUT);
    assert_caught("it was generated, and data.input is ");
    assert_int_equal(prepare("data: {path: d}\nsynth: {rows: 100}\n", false), ST_INPUT);
    assert_caught("in.csv, and the configuration asks for generated data (synth.rows 100)");
    assert_int_equal(prepare("data: {path: g}\nsynth: {rows: 60, values: 50, seed: 2}\n", true), ST_OK);
    assert_int_equal(rows_of(test_path("g")), 60);
    /* A variant may ask for what the base does not. */
    assert_int_equal(
        prepare("data: {path: g}\nsynth: {rows: 60, values: 50, seed: 2}\nvariants: [{name: a, synth: {seed: 3}}]\n", false),
        ST_INPUT);
    assert_caught("'synth.seed: 3'");
}

static void test_what_was_not_recorded(void **state)
{
    (void)state;
    const dataset_field_t field = {.name = "k", .kind = COLUMN_CATEGORICAL};
    const uint64_t key = 5;
    dataset_writer_t *writer = NULL;
    assert_int_equal(dataset_writer_create(test_path("old"), &field, 1, NULL, false, false, true, &writer), ST_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(dataset_writer_put(writer, &(dataset_row_t){.train = i < 3, .label = i % 2 == 0, .single = &key}),
                         ST_OK);
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_OK);
    assert_int_equal(prepare("data: {path: old, input: in.csv, schema: criteo}\n", false), ST_OK);
    assert_caught("did not record of what");
    /* Generated ones had their settings beside them. */
    test_write("old/synth.settings", "synth.rows: 4\n");
    assert_int_equal(prepare("data: {path: old}\nsynth: {rows: 5}\n", false), ST_INPUT);
    assert_caught("it was generated with 'synth.rows: 4', and here it is 'synth.rows: 5'");
}

static void test_the_input_of_a_dataset_to_score(void **state)
{
    (void)state;
    char *difference = NULL;
    assert_int_equal(stale_input(test_path("d"), &difference), ST_OK);
    assert_null(difference);
    test_write("in.csv", "y,k\n");
    assert_int_equal(stale_input(test_path("d"), &difference), ST_OK);
    assert_non_null(strstr(difference, "and that file now has other content"));
    mem_free(difference);
    /* To train on a dataset that is named alone is no mistake, but the change is said. */
    assert_int_equal(prepare("data: {path: d}\n", false), ST_OK);
    assert_caught("in.csv (24 bytes of ");
    assert_caught("and that file now has other content (4 bytes of ");
    assert_caught("it is used as it was imported");
    assert_int_equal(prepare("data: {path: d}\n", true), ST_INPUT);
    assert_caught("neither data.input nor synth.rows says of what");
}

static void test_a_path_of_something_else(void **state)
{
    (void)state;
    assert_int_equal(prepare("data: {path: none}\n", false), ST_INPUT);
    assert_caught("none does not exist; make it with");
    test_write("text.csv", INPUT);
    assert_int_equal(prepare("data: {path: text.csv}\n", false), ST_INPUT);
    assert_caught("text.csv is no dataset; make it with");
    assert_int_equal(prepare(INPUT "1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", false), ST_INPUT);
    assert_caught("aaaa..' is given; a map of keys to values (key: value) is wanted");
}

static void test_the_schema_of_a_dataset_to_score(void **state)
{
    (void)state;
    test_write("own.csv", INPUT);
    test_write("own.yaml", SCHEMA);
    assert_int_equal(prepare("data: {path: own, input: own.csv, schema: own.yaml}\n", false), ST_OK);
    assert_int_equal(prepare("data: {path: own}\n", false), ST_OK);
    assert_string_equal(catch_text(), "");
    test_write("own.yaml", "format: csv\nlabel: y\nsplit: {train_fraction: 0.25}\ncolumns: [k]\n");
    assert_int_equal(prepare("data: {path: own}\n", false), ST_OK);
    assert_caught("in which there was 'split.train_fraction: 0.5', and here it is 'split.train_fraction: 0.25'");
    test_write("own.yaml", "colums: [k]\n");
    assert_int_equal(prepare("data: {path: own}\n", false), ST_OK);
    assert_caught("own.yaml, which is no longer there");
    assert_int_equal(unlink(test_path("own.yaml")), 0);
    assert_int_equal(mkfifo(test_path("own.yaml"), 0600), 0); /* it has no writer */
    assert_int_equal(prepare("data: {path: own}\n", false), ST_OK);
    assert_string_equal(catch_text(), "");
    assert_int_equal(unlink(test_path("own.yaml")), 0);
    assert_int_equal(prepare("data: {path: own}\n", false), ST_OK);
    assert_string_equal(catch_text(), "");
}

/* data.input may name what was appended, or not; and --reimport does not lose it. */
static void test_a_day_more(void **state)
{
    (void)state;
    schema_t *none = NULL;
    test_write("mon.csv", INPUT);
    const char *tuesday = test_write("tue.csv", "y,k\n1,b\n0,a\n");
    test_write("days.yaml", SCHEMA);
    assert_int_equal(prepare("data: {path: days, input: mon.csv, schema: days.yaml}\n", false), ST_OK);
    catch_start();
    assert_int_equal(import_append(&tuesday, 1, none, -1, test_path("days"), true, false), ST_OK);
    catch_stop();
    assert_int_equal(prepare("data: {path: days, input: mon.csv, schema: days.yaml}\n", false), ST_OK);
    assert_int_equal(prepare("data: {path: days, input: [mon.csv, tue.csv], schema: days.yaml}\n", false), ST_OK);
    assert_int_equal(prepare("data: {path: days, input: tue.csv, schema: days.yaml}\n", false), ST_INPUT);
    assert_caught("mon.csv");
    assert_int_equal(prepare("data: {path: days, input: tue.csv, schema: days.yaml}\n", true), ST_INPUT);
    assert_caught("--reimport would lose the 2 rows that were appended to it, as data.input names 1 of its 2 files");
    test_write("tue.csv", "y,k\n1,b\n0,c\n1,c\n");
    assert_int_equal(prepare("data: {path: days}\n", false), ST_OK);
    assert_caught("tue.csv");
    assert_int_equal(prepare("data: {path: days, input: [mon.csv, tue.csv], schema: days.yaml}\n", true), ST_OK);
}

static void test_times_that_go_back(void **state)
{
    (void)state;
    test_write("t.csv", "y,k,t\n1,a,5\n0,b,4\n1,c,6\n0,d,7\n");
    test_write("t.yaml", "format: csv\nlabel: y\ntime: t\nsplit: {train_fraction: 0.5}\ncolumns: [k]\n");
    assert_int_equal(prepare("data: {path: t, input: t.csv, schema: t.yaml, order: full}\n", false), ST_OK);
    assert_int_equal(prepare("data: {path: t, input: t.csv, schema: t.yaml, order: full}\n", false), ST_OK);
    assert_false(catch_has("chronological"));
    assert_int_equal(prepare("data: {path: t, input: t.csv, schema: t.yaml, order: chronological}\n", false), ST_OK);
    assert_caught("data.order is chronological, but 1 row is earlier than the row before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_changed_input),
        cmocka_unit_test(test_a_failed_reimport_keeps_the_old),
        cmocka_unit_test(test_a_changed_schema),
        cmocka_unit_test(test_other_settings_of_the_generator),
        cmocka_unit_test(test_the_input_of_a_dataset_to_score),
        cmocka_unit_test(test_the_schema_of_a_dataset_to_score),
        cmocka_unit_test(test_a_path_of_something_else),
        cmocka_unit_test(test_what_was_not_recorded),
        cmocka_unit_test(test_a_day_more),
        cmocka_unit_test(test_times_that_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
