/* test_inputs - a run remembers the fields it was trained on; a dataset with others is refused, naming the first that differs,
 * and one with the same fields is read by the run's mean and scale where it is told so. */
#include "launcher/run/input_fields.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

static const dataset_field_t fields[] = {
    {.name = "age", .kind = COLUMN_NUMERIC, .mean = 1.0 / 3, .scale = 0.7},
    {.name = "user \"id\"", .kind = COLUMN_CATEGORICAL},
    {.name = "item", .kind = COLUMN_CATEGORICAL},
    {.name = "tags", .kind = COLUMN_MULTI, .pooling = POOLING_SUM},
    {.name = "seen", .kind = COLUMN_MULTI, .pooling = POOLING_MEAN},
};
#define FIELDS 5

static dataset_info_t info_of(const dataset_field_t *list)
{
    return (dataset_info_t){.numeric = 1, .single = 2, .multi = 2, .fields = list};
}

static void test_reads_back(void **state)
{
    (void)state;
    const char *dir = test_dir();
    const dataset_info_t info = info_of(fields);
    input_fields_t own = input_fields_of(&info), back;
    own.fields[0].rules = field_rules_synth(COLUMN_NUMERIC);
    own.fields[3].rules = field_rules_libsvm();
    assert_false(input_fields_exist(dir));
    assert_int_equal(input_fields_write(dir, &own), ST_OK);
    assert_true(input_fields_exist(dir));
    assert_int_equal(input_fields_read(dir, &back), ST_OK);
    assert_int_equal(back.numeric, 1);
    assert_int_equal(back.single, 2);
    assert_int_equal(back.multi, 2);
    for (int f = 0; f < FIELDS; f++) {
        assert_string_equal(back.fields[f].name, fields[f].name);
        assert_int_equal(back.fields[f].kind, fields[f].kind);
        assert_int_equal(back.fields[f].pooling, fields[f].pooling);
    }
    assert_true(back.fields[0].mean == 1.0 / 3 && back.fields[0].scale == 0.7); /* all bits */
    for (int f = 0; f < FIELDS; f++)
        assert_memory_equal(&back.fields[f].rules, &own.fields[f].rules, sizeof back.fields[f].rules);
    assert_int_equal(input_fields_check(&back, "RUN", &own, "DATA"), ST_OK);
    input_fields_fini(&back);
    input_fields_fini(&own);
    assert_null(back.fields);
}

static void test_other_fields_are_named(void **state)
{
    (void)state;
    const input_fields_t inputs = {1, 2, 2, (dataset_field_t *)fields, {0}};
    dataset_field_t other[FIELDS + 1];
    input_fields_t info = {1, 2, 2, other, {0}};
#define REFUSED(CHANGE, MESSAGE) \
    do { \
        memcpy(other, fields, sizeof fields); \
        info = (input_fields_t){1, 2, 2, other, {0}}; \
        CHANGE; \
        catch_start(); \
        assert_int_equal(input_fields_check(&inputs, "RUN", &info, "DATA"), ST_INPUT); \
        catch_stop(); \
        assert_caught("dataset DATA does not have the fields that RUN was trained on"); \
        assert_caught(MESSAGE); \
    } while (0)
    REFUSED(strcpy(other[2].name, "video"), "field 3 is video (categorical), wanted is item (categorical)");
    REFUSED(other[3].pooling = POOLING_MEAN, "field 4 is tags (multi-valued, averaged), wanted is tags (multi-valued, summed)");
    REFUSED(info.multi = 1, "field 5 is no more, wanted is seen (multi-valued, averaged)");
    REFUSED((other[5] = other[4], info.multi = 3), "field 6 is seen (multi-valued, averaged), wanted is no more");
    REFUSED((other[0].kind = COLUMN_CATEGORICAL, info.numeric = 0, info.single = 3),
            "field 1 is age (categorical), wanted is age (numeric)");
#undef REFUSED
    memcpy(other, fields, sizeof fields);
    info = (input_fields_t){1, 2, 2, other, {0}};
    other[0].mean = 5; /* the caller's business */
    assert_int_equal(input_fields_check(&inputs, "RUN", &info, "DATA"), ST_OK);
}

/* What import made of a field's values is compared rule by rule, where both sides record it. */
static void test_other_rules_are_named(void **state)
{
    (void)state;
    dataset_field_t there[FIELDS], here[FIELDS];
    memcpy(there, fields, sizeof fields);
    for (int f = 0; f < FIELDS; f++)
        there[f].rules = field_rules_synth(there[f].kind);
    const input_fields_t model = {1, 2, 2, there, {0}}, data = {1, 2, 2, here, {0}};
    static const struct other {
        int field;
        const char *rule, *text, *message;
    } others[] = {
        {0, "transform", "log1p", "transform of field age is 'log1p', wanted is 'none'"},
        {1, "transform", "log2_bucket", "transform of field user \"id\" is 'log2_bucket', wanted is 'none'"},
        {2, "keys", "XXH3-64 of the decimal id, seed 0",
         "key of field item is 'XXH3-64 of the decimal id, seed 0', wanted is 'XXH3-64 of the text"},
        {2, "missing", "left out", "missing value of field item is 'left out', wanted is 'a category of its own'"},
        {3, "separator", ",", "separator of field tags is ',', wanted is '|'"},
        {4, "weights", "given", "weight of field seen is 'given', wanted is '1'"},
    };
    strcpy(there[3].rules.separator, "|");
    char text[INPUT_FIELDS_DIFFERENCE_BYTES];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct other *o = &others[i];
        memcpy(here, there, sizeof there);
        catch_start();
        assert_int_equal(input_fields_check(&model, "RUN", &data, "DATA"), ST_OK);
        strcpy(field_rules_text(&here[o->field].rules, field_rules_find(o->rule)), o->text);
        assert_int_equal(input_fields_check(&model, "RUN", &data, "DATA"), ST_INPUT);
        catch_stop();
        assert_caught("dataset DATA was imported in another way than the data that RUN was trained on");
        assert_caught(o->message);
        assert_true(input_fields_difference_by_name(&model, &data, text) && strstr(text, o->message));
    }
    memcpy(here, there, sizeof there);
    catch_start();
    input_fields_warn_unrecorded(&model, "RUN", &data, "DATA");
    assert_string_equal(catch_text(), "");
    here[2].rules = (field_rules_t){0};
    assert_int_equal(input_fields_check(&model, "RUN", &data, "DATA"), ST_OK);
    input_fields_warn_unrecorded(&model, "RUN", &data, "DATA");
    catch_stop();
    assert_caught("DATA does not record how import made the values of the fields");
}

static void test_by_name(void **state)
{
    (void)state;
    dataset_field_t here[] = {
        {.name = "width", .kind = COLUMN_NUMERIC, .mean = 7, .scale = 8},
        {.name = "age", .kind = COLUMN_NUMERIC, .mean = 5, .scale = 2},
        {.name = "item", .kind = COLUMN_CATEGORICAL},
    };
    const input_fields_t model = {1, 2, 2, (dataset_field_t *)fields, {0}};
    input_fields_t data = {2, 1, 0, here, {0}};
    char text[INPUT_FIELDS_DIFFERENCE_BYTES];
    assert_false(input_fields_difference_by_name(&model, &data, text)); /* other places, and fields that one side has */
    assert_false(input_fields_is_scaled_as(&data, &model));
    input_fields_scale_as(&data, &model);
    assert_true(here[1].mean == 1.0 / 3 && here[1].scale == 0.7 && here[0].mean == 7 && here[0].scale == 8);
    assert_true(input_fields_is_scaled_as(&data, &model));
    here[2].kind = COLUMN_MULTI;
    assert_true(input_fields_difference_by_name(&model, &data, text));
    assert_string_equal(text, "field item is multi-valued, summed, wanted is categorical");
}

static void assert_unreadable(const char *text, status_t wanted, const char *message)
{
    const char *dir = test_dir();
    input_fields_t inputs;
    char *path = mem_printf("%s/inputs.json", dir);
    if (text)
        assert_int_equal(file_write_atomic(path, text, strlen(text)), ST_OK);
    catch_start();
    assert_int_equal(input_fields_read(dir, &inputs), wanted);
    catch_stop();
    assert_caught(message);
    mem_free(path);
}

static void test_damage_is_named(void **state)
{
    (void)state;
    assert_unreadable(NULL, ST_INPUT, "inputs.json");
    assert_unreadable("{", ST_CORRUPT, "not JSON");
    assert_unreadable("{}", ST_CORRUPT, "\"fields\" is missing");
    assert_unreadable("{\"fields\": [{\"kind\": \"numeric\"}]}", ST_CORRUPT, "\"name\" is missing");
    assert_unreadable("{\"fields\": [{\"name\": \"a\", \"kind\": \"odd\"}]}", ST_CORRUPT, "field \"a\" of kind \"odd\"");
    assert_unreadable("{\"fields\": [{\"name\": \"a\", \"kind\": \"numeric\"}]}", ST_CORRUPT, "\"mean\" is missing");
    assert_unreadable("{\"fields\": [{\"name\": \"a\", \"kind\": \"categorical\"}, {\"name\": \"b\", \"kind\": \"numeric\", "
                      "\"mean\": 0, \"scale\": 1}]}",
                      ST_CORRUPT, "field \"b\" is out of order");
}

/* ---- reading a dataset by other numbers ---- */

static dataset_t *make_dataset(void)
{
    static const dataset_field_t columns[] = {{.name = "x", .kind = COLUMN_NUMERIC}, {.name = "y", .kind = COLUMN_NUMERIC}};
    static const bool standardise[] = {true, false};
    const char *path = test_path("data");
    dataset_writer_t *writer;
    dataset_t *dataset;
    assert_int_equal(dataset_writer_create(path, columns, 2, standardise, false, false, false, &writer), ST_OK);
    for (int i = 0; i < 4; i++) {
        const float values[] = {(float)i, i == 3 ? NAN : 10.0f * (float)i};
        const dataset_row_t row = {.train = true, .numeric = values};
        assert_int_equal(dataset_writer_put(writer, &row), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_OK);
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    return dataset;
}

static void assert_values(dataset_t *dataset, int row, double x, double y)
{
    dataset_example_t example;
    const int64_t position = row;
    assert_int_equal(dataset_fetch(dataset, &position, 1, &example), ST_OK);
    const float *values = example.block->numeric + 2 * example.row;
    assert_true(fabs(values[0] - x) < 1e-6 && fabs(values[1] - y) < 1e-6);
}

static void test_standardised_by_other_numbers(void **state)
{
    (void)state;
    test_dir();
    dataset_t *dataset = make_dataset();
    const double deviation = sqrt(1.25), other[] = {1, 2, 20, 0.5};
    assert_values(dataset, 0, -1.5 / deviation, 0);
    assert_values(dataset, 2, 0.5 / deviation, 20);
    dataset_standardise(dataset, other);
    assert_values(dataset, 0, -2, -10);
    assert_values(dataset, 2, 2, 0);
    assert_values(dataset, 3, 4, 0); /* missing stays the mean */
    dataset_standardise(dataset, NULL);
    assert_values(dataset, 0, -1.5 / deviation, 0);
    dataset_close(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_other_fields_are_named),
        cmocka_unit_test(test_other_rules_are_named),
        cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_damage_is_named),
        cmocka_unit_test(test_standardised_by_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
