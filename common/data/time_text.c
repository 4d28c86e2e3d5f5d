#include "common/data/time_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/data/field_text.h"

#define MILLION INT64_C(1000000)
#define DAY_SECONDS INT64_C(86400)

static const char no_time[] =
    "neither a number nor a date such as 2016-06-14, 2016-06-14 04:06:19.061 or 2016-06-14T05:00:00+02:00";
static const char out_of_range[] = "out of the range of 64 bits";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Up to six digits behind a point as millionths, rounded by the seventh; *at moves behind all digits. */
static int64_t read_millionths(const char **at, const char *end)
{
    int64_t value = 0;
    int digits = 0;
    for (; *at < end && is_digit(**at); (*at)++, digits++)
        value = digits < 6 ? value * 10 + (**at - '0') : value + (digits == 6 && **at >= '5');
    for (; digits < 6; digits++)
        value *= 10;
    return value;
}

/* ---- numbers ---- */

/* Digits and at most one point, exactly; false leaves everything else to field_number. */
static bool read_decimal(const char *text, const char *end, time_form_t *form, int64_t *value, bool *is_in_range)
{
    const bool minus = *text == '-';
    const char *at = text + (*text == '-' || *text == '+');
    const char *first = at;
    int64_t whole = 0, millionths = 0;
    *is_in_range = true;
    for (; at < end && is_digit(*at); at++)
        *is_in_range =
            *is_in_range && !__builtin_mul_overflow(whole, 10, &whole) && !__builtin_add_overflow(whole, *at - '0', &whole);
    if (at < end && *at == '.') {
        at++;
        millionths = read_millionths(&at, end);
    }
    if (at < end || !(is_digit(*first) || is_digit(end[-1])))
        return false;
    *form = millionths ? TIME_FRACTION : TIME_WHOLE;
    if (millionths)
        *is_in_range = *is_in_range && !__builtin_mul_overflow(whole, MILLION, &whole) &&
                       !__builtin_add_overflow(whole, millionths, &whole);
    *value = minus ? -whole : whole;
    return true;
}

static const char *read_number(const char *text, const char *end, time_form_t *form, int64_t *value)
{
    bool is_in_range;
    if (read_decimal(text, end, form, value, &is_in_range))
        return is_in_range ? NULL : out_of_range;
    double number;
    const char *why = field_number(text, (int)(end - text), &number);
    if (why)
        return why;
    const bool is_whole = number == rint(number);
    const double stored = is_whole ? number : rint(number * (double)MILLION);
    if (fabs(stored) >= 9.2e18)
        return out_of_range;
    *form = is_whole ? TIME_WHOLE : TIME_FRACTION;
    *value = (int64_t)stored;
    return NULL;
}

/* ---- dates ---- */

/* Exactly n digits; false, and *at where it was, where there are fewer. */
static bool read_digits(const char **at, const char *end, int n, int *out)
{
    if (end - *at < n)
        return false;
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit((*at)[i]))
            return false;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += n;
    *out = value;
    return true;
}

static bool read_mark(const char **at, const char *end, char mark)
{
    if (*at == end || **at != mark)
        return false;
    (*at)++;
    return true;
}

/* Days since 1970-01-01 of the Gregorian calendar, by Howard Hinnant's days_from_civil: years begin in March. */
static int64_t days_of(int year, int month, int day)
{
    const int64_t y = year - (month <= 2), era = y / 400, of_era = y % 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_date(int year, int month, int day)
{
    static const int most[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= most[month - 1] - (month == 2 && !is_leap);
}

/* Z, +HH, +HHMM or +HH:MM, or nothing at all, as the seconds that the zone is ahead of UTC. */
static bool read_zone(const char **at, const char *end, int64_t *ahead)
{
    *ahead = 0;
    if (*at == end || read_mark(at, end, 'Z') || read_mark(at, end, 'z'))
        return true;
    const bool minus = **at == '-';
    int hours, minutes = 0;
    if (!(read_mark(at, end, '+') || read_mark(at, end, '-')) || !read_digits(at, end, 2, &hours))
        return false;
    const bool has_mark = read_mark(at, end, ':');
    if ((*at < end || has_mark) && !read_digits(at, end, 2, &minutes))
        return false;
    *ahead = (minus ? -1 : 1) * (hours * INT64_C(3600) + minutes * INT64_C(60));
    return hours <= 23 && minutes <= 59;
}

/* What follows the day: nothing, or a time of day with its zone, in microseconds since the day began in UTC. */
static bool read_clock(const char **at, const char *end, int64_t *out)
{
    int hour, minute, second = 0;
    int64_t millionths = 0, ahead;
    *out = 0;
    if (*at == end)
        return true;
    if (!read_mark(at, end, 'T') && !read_mark(at, end, 't') && !read_mark(at, end, ' '))
        return false;
    if (!read_digits(at, end, 2, &hour) || !read_mark(at, end, ':') || !read_digits(at, end, 2, &minute))
        return false;
    if (read_mark(at, end, ':')) {
        if (!read_digits(at, end, 2, &second))
            return false;
        if (read_mark(at, end, '.') || read_mark(at, end, ',')) {
            const char *first = *at;
            millionths = read_millionths(at, end);
            if (*at == first)
                return false;
        }
    }
    if (read_mark(at, end, ' ') && *at == end)
        return false;
    if (!read_zone(at, end, &ahead) || hour > 23 || minute > 59 || second > 60) /* 60: a leap second */
        return false;
    *out = (hour * INT64_C(3600) + minute * INT64_C(60) + second - ahead) * MILLION + millionths;
    return true;
}

static bool read_date(const char *at, const char *end, int64_t *value)
{
    int year, month, day;
    int64_t clock;
    if (!read_digits(&at, end, 4, &year) || !read_mark(&at, end, '-') || !read_digits(&at, end, 2, &month) ||
        !read_mark(&at, end, '-') || !read_digits(&at, end, 2, &day) || !is_date(year, month, day))
        return false;
    if (!read_clock(&at, end, &clock) || at < end)
        return false;
    *value = days_of(year, month, day) * DAY_SECONDS * MILLION + clock;
    return true;
}

/* ---- interface ---- */

const char *time_read(const char *text, int bytes, time_form_t *form, int64_t *value)
{
    const char *end = text + bytes;
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (text == end) {
        *form = TIME_MISSING;
        *value = INT64_MIN;
        return NULL;
    }
    time_form_t read = TIME_DATE;
    int64_t stored;
    if (!read_date(text, end, &stored)) {
        const char *why = read_number(text, end, &read, &stored);
        if (why)
            return why == out_of_range ? why : no_time;
    }
    *form = read;
    *value = stored;
    return NULL;
}

int64_t time_ticks(int64_t sample, time_unit_t unit)
{
    const int64_t million = unit == TIME_MILLIONTHS ? MILLION : 1;
    int64_t ticks = 1;
    if (unit == TIME_ISO)
        return MILLION;
    for (int64_t size = llabs(sample / million); ticks < 1000000000 && size >= 100000000000; size /= 1000)
        ticks *= 1000;
    return ticks * million;
}

/* ".061" behind the seconds, without the zeros at its end; nothing where it is 0. */
static void put_millionths(char *text, size_t bytes, int64_t millionths)
{
    text[0] = 0;
    if (millionths == 0)
        return;
    int digits = 6;
    for (; millionths % 10 == 0; digits--)
        millionths /= 10;
    snprintf(text, bytes, ".%0*" PRId64, digits, millionths);
}

const char *time_write(int64_t value, time_unit_t unit, char text[TIME_TEXT])
{
    char fraction[16];
    if (value == INT64_MIN || unit == TIME_AS_GIVEN) {
        snprintf(text, TIME_TEXT, value == INT64_MIN ? "(missing)" : "%" PRId64, value);
        return text;
    }
    if (unit == TIME_MILLIONTHS) {
        put_millionths(fraction, sizeof fraction, llabs(value % MILLION));
        snprintf(text, TIME_TEXT, "%s%" PRId64 "%s", value < 0 ? "-" : "", value < 0 ? -(value / MILLION) : value / MILLION,
                 fraction);
        return text;
    }
    const int64_t seconds = value / MILLION - (value % MILLION < 0),
                  of_day = ((seconds % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS;
    const time_t clock = (time_t)seconds;
    struct tm utc;
    char day[40] = "?";
    if (gmtime_r(&clock, &utc))
        snprintf(day, sizeof day, "%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
    put_millionths(fraction, sizeof fraction, value - seconds * MILLION);
    snprintf(text, TIME_TEXT, "%s %02d:%02d:%02d%s UTC", day, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60),
             fraction);
    return text;
}
