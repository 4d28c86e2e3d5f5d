/* Proves the parts under the import one by one: numbers are strtod's to the last bit and nothing else is a number; lines of any
 * length and ending; records against a naive splitter; every input format has the functions for the rows it is said to have. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/field_text.h"
#include "launcher/ingest/csv.h"
#include "launcher/ingest/text_reader.h"

static void test_numbers_are_those_of_strtod(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        char text[80];
        const uint64_t r = rng_u64(1, 1, i);
        const double value = rng_normal(1, 2, i) * pow(10.0, (double)(r % 60) - 30.0);
        static const char *const formats[] = {"%.0f", "%.3f", "%.15g", "%.17g", "%e", " %+.6g\t", "%.12f"};
        snprintf(text, sizeof text, formats[(r >> 8) % 7], value);
        double got = -1.0;
        assert_null(field_number(text, (int)strlen(text), &got));
        const double want = strtod(text, NULL);
        assert_memory_equal(&got, &want, sizeof got);
    }
}

static void test_what_is_no_number(void **state)
{
    (void)state;
    static const char *const not_numbers[] = {"",    " ",  "-",   "+",    ".",   "-.",  "e5", "1e", "1e+", "1 2",  "1,5",
                                              "0x1", "1f", "1..", "1.2.", "--1", "+-1", "1-", "٣",  "1_0", "1e5.", "one"};
    static const char *const not_finite[] = {"nan", "NaN", "-nan", "inf", "+Inf", "-INFINITY", "1e309", "-1e400"};
    double value = 7.0;
    for (size_t i = 0; i < sizeof not_numbers / sizeof *not_numbers; i++)
        assert_string_equal(field_number(not_numbers[i], (int)strlen(not_numbers[i]), &value), "not a number");
    for (size_t i = 0; i < sizeof not_finite / sizeof *not_finite; i++)
        assert_string_equal(field_number(not_finite[i], (int)strlen(not_finite[i]), &value), "not a finite number");
    assert_non_null(field_number("1\0002", 3, &value));
    assert_true(value == 7.0);                     /* written on success only */
    assert_null(field_number("12345", 3, &value)); /* no NUL is needed */
    assert_true(value == 123.0);
}

static void test_quotes_of_values(void **state)
{
    (void)state;
    char out[FIELD_QUOTE_BYTES];
    assert_string_equal(field_quote(out, "abc", 3), "\"abc\"");
    assert_string_equal(field_quote(out, "a\tb\n", 4), "\"a\\x09b\\x0a\"");
    char nasty[200];
    memset(nasty, 1, sizeof nasty); /* the longest there is */
    assert_int_equal(strlen(field_quote(out, nasty, sizeof nasty)), 1 + 40 * 4 + 4);
}

/* Lines of lengths around every buffer's size, with both endings. */
static void test_long_lines(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 255, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3 << 20, 0, 7, 1 << 20};
    enum { LINES = sizeof lengths / sizeof *lengths };
    const char *path = test_path("long.txt");
    FILE *f = fopen(path, "wb");
    for (int i = 0; i < LINES; i++) {
        for (size_t j = 0; j < lengths[i]; j++)
            fputc('a' + (int)((j * 7 + (size_t)i) % 26), f);
        fputs(i == LINES - 1 ? "" : i % 2 ? "\r\n" : "\n", f);
    }
    fclose(f);
    text_reader_t *reader = NULL;
    assert_int_equal(text_reader_open(path, false, &reader), ST_OK);
    char *line;
    size_t bytes;
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(text_reader_line(reader, &line, &bytes), ST_OK);
        assert_non_null(line);
        assert_int_equal(bytes, lengths[i]);
        assert_int_equal(text_reader_number(reader), i + 1);
        for (size_t j = 0; j < bytes; j++)
            if (line[j] != 'a' + (int)((j * 7 + (size_t)i) % 26))
                fail();
        assert_int_equal(line[bytes], 0);
    }
    assert_true(text_reader_share(reader) == 1.0);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(text_reader_line(reader, &line, &bytes), ST_OK);
        assert_null(line);
    }
    text_reader_close(&reader);
    assert_null(reader);
}

static void test_records(void **state)
{
    (void)state;
    text_reader_t *reader = NULL;
    const char *path = test_write("records.csv", "a,b\n\n\"x\n\n,y\"\"\",z\"q\"\n,\n\"\"\r\n\"a\" ,b\n");
    assert_int_equal(text_reader_open(path, false, &reader), ST_OK);
    csv_t csv;
    csv_init(&csv, reader, ',', true);
    static const struct {
        int64_t line;
        int count;
        const char *fields[2];
    } expected[] = {{1, 2, {"a", "b"}}, {3, 2, {"x\n\n,y\"", "z\"q\""}}, {6, 2, {"", ""}}, {7, 1, {""}}};
    bool end;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(csv_next(&csv, &end), ST_OK);
        assert_false(end);
        assert_null(csv.fault);
        assert_int_equal(csv.line, expected[i].line);
        assert_int_equal(csv.count, expected[i].count);
        for (int c = 0; c < csv.count; c++) {
            assert_string_equal(csv.fields[c].text, expected[i].fields[c]);
            assert_int_equal(csv.fields[c].bytes, strlen(expected[i].fields[c]));
        }
    }
    assert_int_equal(csv_next(&csv, &end), ST_OK);
    assert_string_equal(csv.fault, "text after a closing quote");
    assert_int_equal(csv_next(&csv, &end), ST_OK);
    assert_true(end);
    csv_fini(&csv);
    text_reader_close(&reader);
}

static void test_formats_are_what_the_schema_says(void **state)
{
    (void)state;
    static const char *const words[] = {
#define FORMAT_WORD(word, constant, rows, meaning) #word,
        TEXT_FORMATS(FORMAT_WORD)};
    for (int i = 0; i < TEXT_FORMAT_COUNT; i++) {
        const input_format_t *format = input_format_get((text_format_t)i);
        const bool columns = schema_rows((text_format_t)i) == ROWS_OF_COLUMNS;
        assert_string_equal(format->name, words[i]);
        assert_true(columns == (format->columns.open && format->columns.next && format->columns.close));
        assert_true(columns != (format->features.is_row && format->features.has_group && format->features.parse &&
                                format->features.rules));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_those_of_strtod),
        cmocka_unit_test(test_what_is_no_number),
        cmocka_unit_test(test_quotes_of_values),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_formats_are_what_the_schema_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
