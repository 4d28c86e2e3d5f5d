/* Proves that numbers too large for a network, and an evaluation split of another time, are named before a training, and that
 * data without either are not. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>

#include "launcher/ingest/doubts.h"

#define ROWS 10
#define TRAINED 8

/* Ten rows, the last two for evaluation, with a number and a time each. */
static const char *write_dataset(bool standardise, bool has_time, const float *number, const int64_t *time)
{
    static int name;
    const char *path = test_path("d%d", name++);
    const dataset_field_t field = {.name = "price", .kind = COLUMN_NUMERIC};
    dataset_writer_t *writer = NULL;
    assert_int_equal(dataset_writer_create(path, &field, 1, &standardise, false, has_time, false, &writer), ST_OK);
    for (int i = 0; i < ROWS; i++) {
        const dataset_row_t row = {.label = i % 2, .train = i < TRAINED, .numeric = &number[i], .time = time[i]};
        assert_int_equal(dataset_writer_put(writer, &row), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_OK);
    return path;
}

static void assert_said(const char *path, const char *words)
{
    catch_start();
    assert_int_equal(doubts_say(path), ST_OK);
    catch_stop();
    if (words)
        assert_caught(words);
    else
        assert_string_equal(catch_text(), "");
}

static const int64_t in_order[ROWS] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90};
static const float small[ROWS] = {0, 1, -2, 3, 4, 5, 6, 7, 8, -99};

static void test_large_numbers(void **state)
{
    (void)state;
    test_dir();
    float large[ROWS] = {0, 1, -2e7f, 3, 4, 5, 6, 7, 8, 9};
    assert_said(write_dataset(false, true, small, in_order), NULL);
    assert_said(write_dataset(false, true, large, in_order),
                "numeric field price reaches 2e+07, and networks learn from numbers");
    assert_said(write_dataset(true, true, large, in_order), NULL); /* as the network gets it */
    for (int i = 0; i < ROWS; i++)
        large[i] = NAN; /* missing in all rows */
    assert_said(write_dataset(false, true, large, in_order), NULL);
}

static void test_many_large_numbers(void **state)
{
    (void)state;
    dataset_field_t field[5];
    for (int f = 0; f < 5; f++) {
        field[f] = (dataset_field_t){.kind = COLUMN_NUMERIC, .scale = 1, .high = f == 1 ? 1 : 1000 * (f + 1)};
        snprintf(field[f].name, sizeof field[f].name, "n%d", f);
    }
    const dataset_info_t info = {.numeric = 5, .fields = field};
    char text[200], narrow[20];
    doubts_numbers(&info, text, sizeof text);
    assert_string_equal(text, "numeric field n0 reaches 1e+03, n2 3e+03, n3 4e+03, and 1 more");
    doubts_numbers(&info, narrow, sizeof narrow);
    assert_string_equal(narrow, "numeric field n0 re");
}

static void test_times(void **state)
{
    (void)state;
    test_dir();
    const int64_t late[ROWS] = {0, 10, 20, 30, 40, 50, 60, 70, 110, 120};
    const int64_t past[ROWS] = {0, 10, 20, 30, 40, 50, 60, 70, 5, 75};
    const int64_t none[ROWS] = {DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                DATASET_NO_TIME,
                                1,
                                2};
    const int64_t same[ROWS] = {0};
    assert_said(write_dataset(false, true, small, late),
                "the evaluation split begins at 110, long after the training split ends at 70");
    assert_said(write_dataset(false, true, small, past),
                "there are evaluation examples of 5, earlier than training examples of 70");
    assert_said(write_dataset(false, true, small, none), NULL);
    assert_said(write_dataset(false, true, small, same), NULL);
    assert_said(write_dataset(false, false, small, past), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_many_large_numbers),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
