/* Proves: "a number in the file's own unit, or a date": what is read of each form, to the last digit, and what is refused. The
 * dates are those of an independent calendar (GNU date). */
#include "tests/lib/testing.h"

#include <inttypes.h>
#include <string.h>

#include "common/data/time_text.h"

static void test_what_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        time_form_t form;
        int64_t value;
    } good[] = {
        {"1650812741436", TIME_WHOLE, 1650812741436},
        {" -12\t", TIME_WHOLE, -12},
        {"+5", TIME_WHOLE, 5},
        {"1700000000123456789", TIME_WHOLE, 1700000000123456789},
        {"1700000000.0", TIME_WHOLE, 1700000000},
        {"1e3", TIME_WHOLE, 1000},
        {"1.7e9", TIME_WHOLE, 1700000000},
        {"1700000000.25", TIME_FRACTION, 1700000000250000},
        {"1700000000.123456", TIME_FRACTION, 1700000000123456},
        {"-0.5", TIME_FRACTION, -500000},
        {".5", TIME_FRACTION, 500000},
        {"1.9999996", TIME_FRACTION, 2000000},
        {"15e-1", TIME_FRACTION, 1500000},
        {"", TIME_MISSING, INT64_MIN},
        {"  ", TIME_MISSING, INT64_MIN},
        {"1970-01-01", TIME_DATE, 0},
        {"1969-12-31 23:59:59.5", TIME_DATE, -500000},
        {"2016-06-14 04:06:19.061", TIME_DATE, 1465877179061000},
        {"2016-06-14T05:00:00Z", TIME_DATE, 1465880400000000},
        {"2016-06-14T05:00:00+02:00", TIME_DATE, 1465873200000000},
        {"2016-06-14T05:00:00-0730", TIME_DATE, 1465907400000000},
        {"2016-06-14 05:00 +02", TIME_DATE, 1465873200000000},
        {"2000-02-29T00:00:00,000001", TIME_DATE, 951782400000001},
        {"2016-12-31 23:59:60Z", TIME_DATE, 1483228800000000},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        time_form_t form = TIME_MISSING;
        int64_t value = 7;
        const char *why = time_read(good[i].text, (int)strlen(good[i].text), &form, &value);
        if (why || form != good[i].form || value != good[i].value)
            fail_msg("\"%s\": %s, form %d, value %" PRId64, good[i].text, why ? why : "read", (int)form, value);
    }
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"-",
                                      ".",
                                      "soon",
                                      "1.2.3",
                                      "0x10",
                                      "nan",
                                      "1 2",
                                      "2016-13-01",
                                      "2016-02-30",
                                      "1900-02-29",
                                      "2016-6-14",
                                      "2016-06-14T",
                                      "2016-06-14 4:06",
                                      "2016-06-14 24:00",
                                      "2016-06-14 10:60",
                                      "2016-06-14 10:00:61",
                                      "2016-06-14 10:00:00.",
                                      "2016-06-14T10:00:00+2",
                                      "14/06/2016",
                                      "2016-06-14 10:00:00 CET",
                                      "2016-06-14T10:00:00+25:00",
                                      "2016-06-14x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        time_form_t form = TIME_MISSING;
        int64_t value = 7;
        const char *why = time_read(bad[i], (int)strlen(bad[i]), &form, &value);
        if (!why || value != 7)
            fail_msg("\"%s\" was read as %" PRId64, bad[i], value);
        assert_non_null(strstr(why, "2016-06-14 04:06:19.061"));
    }
    time_form_t form;
    int64_t value;
    assert_string_equal(time_read("9300000000000000000", 19, &form, &value), "out of the range of 64 bits");
    assert_string_equal(time_read("9300000000000000000000", 22, &form, &value), "out of the range of 64 bits");
    assert_string_equal(time_read("9300000000000.5", 15, &form, &value), "out of the range of 64 bits");
    assert_string_equal(time_read("1e300", 5, &form, &value), "out of the range of 64 bits");
}

/* Whole numbers are seconds, or what else is likely by their size. */
static void test_ticks_of_a_second(void **state)
{
    (void)state;
    assert_int_equal(time_ticks(1465877179, TIME_AS_GIVEN), 1);
    assert_int_equal(time_ticks(-5, TIME_AS_GIVEN), 1);
    assert_int_equal(time_ticks(1650000000123, TIME_AS_GIVEN), 1000);
    assert_int_equal(time_ticks(1650000000123456, TIME_AS_GIVEN), 1000000);
    assert_int_equal(time_ticks(1650000000123456789, TIME_AS_GIVEN), 1000000000);
    assert_int_equal(time_ticks(INT64_MAX, TIME_AS_GIVEN), 1000000000);
    assert_int_equal(time_ticks(1465877179000000, TIME_MILLIONTHS), 1000000);
    assert_int_equal(time_ticks(1650000000123000000, TIME_MILLIONTHS), 1000000000);
    assert_int_equal(time_ticks(7, TIME_ISO), 1000000);
}

static void test_what_is_shown(void **state)
{
    (void)state;
    char text[TIME_TEXT];
    assert_string_equal(time_write(1465877179, TIME_AS_GIVEN, text), "1465877179");
    assert_string_equal(time_write(INT64_MIN, TIME_AS_GIVEN, text), "(missing)");
    assert_string_equal(time_write(INT64_MIN, TIME_ISO, text), "(missing)");
    assert_string_equal(time_write(1700000000250000, TIME_MILLIONTHS, text), "1700000000.25");
    assert_string_equal(time_write(-500000, TIME_MILLIONTHS, text), "-0.5");
    assert_string_equal(time_write(1465877179061000, TIME_ISO, text), "2016-06-14 04:06:19.061 UTC");
    assert_string_equal(time_write(-500000, TIME_ISO, text), "1969-12-31 23:59:59.5 UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_ticks_of_a_second),
        cmocka_unit_test(test_what_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
