/* Proves what a dataset knows beside its content: the file and settings it was made of, so that a change of either is seen; the
 * row of the input that each of its rows was, also where bad ones were left out; and what import says of data that is of little
 * use. */
#include "tests/lib/testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/metrics/queries.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/synth.h"

static schema_column_t columns[] = {{.name = "k", .column = "k", .kind = COLUMN_CATEGORICAL, .separator = "|"}};

static schema_t make_schema(void)
{
    return (schema_t){.format = FORMAT_CSV,
                      .header = true,
                      .label = "y",
                      .group = "g",
                      .time = "t",
                      .split_column = "",
                      .train_fraction = 0.5,
                      .max_bad_rows = 100,
                      .columns = columns,
                      .columns_count = 1};
}

static int made;

/* Import a text and keep what was said in the catcher. */
static dataset_t *import_string(const schema_t *schema, const char *text)
{
    const char *input = test_write("input.csv", text), *path = test_path("dataset-%d", made++);
    dataset_t *dataset = NULL;
    catch_start();
    assert_int_equal(import_text(input, schema, path, true, false), ST_OK);
    catch_stop();
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    return dataset;
}

static const dataset_block_t *first_block(dataset_t *dataset)
{
    dataset_example_t example;
    assert_int_equal(dataset_fetch(dataset, &(int64_t){0}, 1, &example), ST_OK);
    return example.block;
}

/* The second row is bad, and so are the fourth and fifth; lines that are blank are no rows. */
static void test_rows_of_the_input(void **state)
{
    (void)state;
    const schema_t schema = make_schema();
    dataset_t *dataset = import_string(&schema, "y,g,t,k\n1,a,1,x\nno,a,1,x\n\n0,b,2,x\n7,b,2,x\n8,b,2,x\n1,b,3,x\n0,b,3,x\n");
    static const int64_t rows[] = {1, 3, 6, 7};
    const census_t *census = dataset_census(dataset);
    assert_int_equal(dataset_info(dataset)->rows, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(census_input_row(census, i), rows[i]);
    assert_int_equal(census->train_positives, 1);
    dataset_close(&dataset);
}

/* More rows than a block, so that none of this hangs on one. */
static void test_rows_of_many_blocks(void **state)
{
    (void)state;
    const schema_t schema = make_schema();
    char *text = mem_alloc(1 << 20, 1);
    int at = sprintf(text, "y,g,t,k\n");
    for (int row = 1; row <= 20000; row++)
        at += sprintf(text + at, "%d,q%d,%d,x\n", row % 1000 == 7 ? 9 : row % 2, row / 10, row);
    dataset_t *dataset = import_string(&schema, text);
    for (int64_t position = 0, row = 1; row <= 20000; row++)
        if (row % 1000 != 7)
            assert_int_equal(census_input_row(dataset_census(dataset), position++), row);
    assert_int_equal(dataset_census(dataset)->descents, 0);
    dataset_close(&dataset);
    mem_free(text);
}

static void test_missing_groups_and_times(void **state)
{
    (void)state;
    const schema_t schema = make_schema();
    assert_true(dataset_key("", 0) == QUERY_NONE);
    dataset_t *dataset = import_string(&schema, "y,g,t,k\n1,,7,x\n0,a,,x\n1, ,9.5,x\n0,b,8,x\n");
    const dataset_block_t *b = first_block(dataset);
    assert_true(b->group[0] == QUERY_NONE && b->group[1] != QUERY_NONE && b->group[2] == QUERY_NONE);
    static const int64_t times[] = {7000000, DATASET_NO_TIME, 9500000, 8000000};
    assert_memory_equal(b->time, times, sizeof times);
    const census_t *census = dataset_census(dataset);
    assert_int_equal(census->without_group, 2);
    assert_int_equal(census->without_time, 1);
    assert_int_equal(census->descents, 1);
    assert_int_equal(census->first_descent, 3);
    assert_int_equal(census->unit, TIME_MILLIONTHS);
    assert_caught("2 of 4 rows have no group id");
    assert_caught("1 of 4 rows have no time");
    assert_caught("times are not in order: 1 row is earlier than the row before, the first of them row 4 of the input");
    dataset_close(&dataset);
}

static void test_times_are_of_one_kind(void **state)
{
    (void)state;
    const schema_t schema = make_schema();
    dataset_t *dataset =
        import_string(&schema, "y,g,t,k\n1,a,2016-06-14 04:06:19.061,x\n0,a,2016-06-14T05:00:00Z,x\n1,a,7,x\n1,a,,x\n");
    const dataset_block_t *b = first_block(dataset);
    assert_int_equal(b->rows, 3);
    assert_true(b->time[0] == 1465877179061000 && b->time[1] == 1465880400000000 && b->time[2] == DATASET_NO_TIME);
    assert_int_equal(dataset_census(dataset)->unit, TIME_ISO);
    assert_caught("column t: a number, but the times before it are dates, value seen \"7\"");
    dataset_close(&dataset);

    dataset = import_string(&schema, "y,g,t,k\n1,a,7,x\n0,a,2016-06-14,x\n1,a,tomorrow,x\n0,a,8,x\n");
    b = first_block(dataset);
    assert_true(b->rows == 2 && b->time[0] == 7 && b->time[1] == 8);
    assert_caught("a date, but the times before it are numbers");
    assert_caught("neither a number nor a date such as 2016-06-14");
    dataset_close(&dataset);
}

static void test_data_of_little_use(void **state)
{
    (void)state;
    schema_t schema = make_schema();
    dataset_t *dataset = import_string(&schema, "y,g,t,k\n1,,7,x\n1,,8,x\n0,,9,x\n0,,9,x\n");
    assert_caught("only one class in the training split: all 2 rows are labelled 1");
    assert_caught("only one class in the evaluation split: all 2 rows are labelled 0");
    assert_caught("no group ids: the group column is empty in all rows");
    dataset_close(&dataset);
    schema.train_fraction = 1.0;
    schema.group = "";
    dataset = import_string(&schema, "y,g,t,k\n0,a,7,x\n0,a,8,x\n");
    assert_caught("no evaluation rows: all 2 rows are training rows");
    assert_caught("only one class: all 2 rows are labelled 0");
    assert_caught("no group ids: there is no group column");
    dataset_close(&dataset);
    catch_start();
    assert_int_equal(import_text(test_write("none.csv", "y,g,t,k\n"), &schema, test_path("none"), true, false), ST_INPUT);
    catch_stop();
    assert_caught("none.csv: there is no row in it");
}

static void test_what_it_was_made_of(void **state)
{
    (void)state;
    const schema_t schema = make_schema();
    const char *input = test_path("input.csv");
    fingerprint_state_t found;
    fingerprint_t now;
    dataset_t *dataset = import_string(&schema, "y,g,t,k\n1,a,7,x\n0,a,8,x\n");
    const origin_t *origin = dataset_origin(dataset);
    assert_int_equal(origin->kind, ORIGIN_IMPORT);
    assert_true(origin->is_file);
    assert_string_equal(origin->input, input);
    char *settings = schema_text(&schema);
    assert_string_equal(origin->settings, settings);
    assert_non_null(strstr(settings, "label: "));
    assert_non_null(strstr(settings, "column 1: name: "));
    mem_free(settings);
    assert_int_equal(fingerprint_check(input, &origin->file, false, &found, &now), ST_OK);
    assert_int_equal(found, FINGERPRINT_SAME);

    /* Touched, and written again with the same bytes: the hash decides. */
    static const struct timespec then[2] = {{1000, 5}, {1000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, input, then, 0), 0);
    assert_int_equal(fingerprint_check(input, &origin->file, false, &found, &now), ST_OK);
    assert_int_equal(found, FINGERPRINT_SAME);
    assert_true(now.modified_ns == 1000000000005);
    const char *copy = test_write("copy.csv", "y,g,t,k\n1,a,7,x\n0,a,8,x\n");
    assert_int_equal(fingerprint_check(copy, &origin->file, true, &found, &now), ST_OK);
    assert_int_equal(found, FINGERPRINT_SAME);

    /* One other byte of as many, one byte more, and nothing at all. */
    test_write("input.csv", "y,g,t,k\n1,a,7,x\n0,a,9,x\n");
    assert_int_equal(utimensat(AT_FDCWD, input, then, 0), 0);
    assert_int_equal(fingerprint_check(input, &origin->file, false, &found, &now), ST_OK);
    assert_int_equal(found, FINGERPRINT_CHANGED);
    test_write("input.csv", "y,g,t,k\n1,a,7,x\n0,a,8,x\n\n");
    assert_int_equal(fingerprint_check(input, &origin->file, false, &found, &now), ST_OK);
    assert_int_equal(found, FINGERPRINT_CHANGED);
    assert_int_equal(unlink(input), 0);
    assert_int_equal(fingerprint_check(input, &origin->file, false, &found, &now), ST_OK);
    assert_int_equal(found, FINGERPRINT_MISSING);
    dataset_close(&dataset);
}

static void test_generated(void **state)
{
    (void)state;
    const struct config_synth settings = {.rows = 100,
                                          .fields = 1,
                                          .values = 10,
                                          .factors = 1,
                                          .group_size = 5,
                                          .exponent = 1.0,
                                          .positive_rate = 0.25,
                                          .train_fraction = 0.8,
                                          .seed = 1};
    const char *path = test_path("generated");
    dataset_t *dataset = NULL;
    assert_int_equal(synth_dataset(&settings, path, false), ST_OK);
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    char *text = synth_settings(&settings);
    assert_int_equal(dataset_origin(dataset)->kind, ORIGIN_SYNTH);
    assert_string_equal(dataset_origin(dataset)->settings, text);
    assert_int_equal(census_input_row(dataset_census(dataset), 99), 100);
    mem_free(text);
    dataset_close(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_the_input),
        cmocka_unit_test(test_rows_of_many_blocks),
        cmocka_unit_test(test_missing_groups_and_times),
        cmocka_unit_test(test_times_are_of_one_kind),
        cmocka_unit_test(test_data_of_little_use),
        cmocka_unit_test(test_what_it_was_made_of),
        cmocka_unit_test(test_generated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
