#include "launcher/ingest/parquet/parquet_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

#define DAY_SECONDS INT64_C(86400)
#define JULIAN_1970 INT64_C(2440588) /* the Julian day of 1970-01-01, which INT96 counts from */
#define BILLION INT64_C(1000000000)
#define DECIMAL_BYTES 32

void parquet_buffer_put(parquet_buffer_t *buffer, const void *text, size_t bytes)
{
    MEM_GROW(buffer->at, buffer->capacity, buffer->bytes + bytes + 1);
    memcpy(buffer->at + buffer->bytes, text, bytes);
    buffer->bytes += bytes;
}

static void put_text(parquet_buffer_t *buffer, const char *text)
{
    parquet_buffer_put(buffer, text, strlen(text));
}

/* ---- whole numbers ---- */

static void put_whole(parquet_buffer_t *buffer, uint64_t value, bool minus)
{
    char digits[24];
    int at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    if (minus)
        digits[--at] = '-';
    parquet_buffer_put(buffer, digits + at, sizeof digits - (size_t)at);
}

static void put_signed(parquet_buffer_t *buffer, int64_t value)
{
    put_whole(buffer, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

static void put_unsigned(parquet_buffer_t *buffer, const parquet_element_t *element, int64_t value)
{
    const int bits = element->type == PARQUET_INT64 ? 64 : element->bits == 8 || element->bits == 16 ? element->bits : 32;
    put_whole(buffer, (uint64_t)value & UINT64_MAX >> (64 - bits), false);
}

/* ---- floating point ---- */

/* Digits and a power of ten in the notation of Python's repr: 1e-05, 0.0001, 123.0, 1e+16. */
static void put_digits(parquet_buffer_t *buffer, const char *scientific)
{
    char digits[32], text[64];
    int n = 0;
    const char *at = scientific;
    const bool minus = *at == '-';
    for (at += minus; *at && *at != 'e'; at++)
        if (*at != '.')
            digits[n++] = *at;
    const int exponent = atoi(at + 1);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    static const char zeros[] = "0000000000000000";
    const char *sign = minus ? "-" : "";
    if (exponent < -4 || exponent >= 16)
        snprintf(text, sizeof text, "%s%c%s%se%+03d", sign, digits[0], n > 1 ? "." : "", digits + 1, exponent);
    else if (exponent < 0)
        snprintf(text, sizeof text, "%s0.%.*s%s", sign, -exponent - 1, zeros, digits);
    else if (n <= exponent + 1)
        snprintf(text, sizeof text, "%s%s%.*s.0", sign, digits, exponent + 1 - n, zeros);
    else
        snprintf(text, sizeof text, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
    put_text(buffer, text);
}

/* What most numbers in files are: few decimals. A whole number below 2^53 over an exact power of ten is correctly rounded,
 * so the fewest decimals for which it is the value are the shortest text; of a float, below 2^24, where whole
 * numbers are exact. */
static bool put_few_decimals(parquet_buffer_t *buffer, double value, bool is_float)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    const double size = fabs(value), most = is_float ? 0x1p24 : 0x1p53;
    if (size != 0.0 && size < 1e-4)
        return false;
    for (int decimals = 0; decimals <= 6; decimals++) {
        const double whole = rint(size * power[decimals]), back = whole / power[decimals];
        if (whole >= most)
            return false;
        if (is_float ? (float)back != (float)size : back != size)
            continue;
        char text[48];
        const uint64_t unit = (uint64_t)power[decimals];
        snprintf(text, sizeof text, "%s%" PRIu64 ".%0*" PRIu64, signbit(value) ? "-" : "", (uint64_t)whole / unit,
                 decimals ? decimals : 1, (uint64_t)whole % unit);
        put_text(buffer, text);
        return true;
    }
    return false;
}

static bool is_special(parquet_buffer_t *buffer, double value)
{
    if (isinf(value))
        put_text(buffer, value < 0 ? "-inf" : "inf");
    return !isfinite(value);
}

static void put_double(parquet_buffer_t *buffer, double value)
{
    char text[40];
    if (is_special(buffer, value) || put_few_decimals(buffer, value, false))
        return;
    for (int digits = 14; digits <= 16; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put_digits(buffer, text);
}

static void put_float(parquet_buffer_t *buffer, float value)
{
    char text[40];
    if (is_special(buffer, (double)value) || put_few_decimals(buffer, (double)value, true))
        return;
    for (int digits = 0; digits <= 8; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    put_digits(buffer, text);
}

static double half_of(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                   : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                  : ldexp(fraction, -24);
    return bits >> 15 ? -value : value;
}

/* A text reads back to a half where it is nearer to it than to its neighbours. */
static void put_half(parquet_buffer_t *buffer, uint16_t bits)
{
    char text[40];
    const double value = half_of(bits);
    if (is_special(buffer, value))
        return;
    const double below = bits & 0x7fff ? fabs(value - half_of((uint16_t)(bits - 1))) / 2 : 0.0;
    for (int digits = 0; digits <= 5; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, value);
        if (fabs(strtod(text, NULL) - value) < below || value == 0.0)
            break;
    }
    put_digits(buffer, text);
}

/* ---- decimals ---- */

/* A signed number of up to 32 bytes, the highest first, in decimal digits. */
static int digits_of(const uint8_t *at, int32_t bytes, char digits[DECIMAL_BYTES * 3], bool *minus)
{
    uint8_t size[DECIMAL_BYTES];
    int n = 0;
    *minus = bytes > 0 && at[0] >> 7;
    unsigned carry = *minus;
    for (int i = bytes - 1; i >= 0; i--) {
        carry += *minus ? (uint8_t)~at[i] : at[i];
        size[i] = (uint8_t)carry;
        carry >>= 8;
    }
    for (bool is_left = true; is_left;) {
        unsigned rest = 0;
        is_left = false;
        for (int i = 0; i < bytes; i++) {
            rest = rest << 8 | size[i];
            size[i] = (uint8_t)(rest / 10);
            rest %= 10;
            is_left = is_left || size[i];
        }
        digits[n++] = (char)('0' + rest); /* the lowest first */
    }
    return n;
}

static const char *put_decimal(parquet_buffer_t *buffer, int32_t scale, const uint8_t *at, int32_t bytes)
{
    char digits[DECIMAL_BYTES * 3 + 80];
    bool minus;
    if (bytes > DECIMAL_BYTES)
        return "a decimal has more than 32 bytes";
    int n = digits_of(at, bytes, digits, &minus);
    while (n <= scale)
        digits[n++] = '0';
    if (minus)
        put_text(buffer, "-");
    while (n > 0) {
        parquet_buffer_put(buffer, &digits[--n], 1);
        if (n == scale && scale > 0)
            put_text(buffer, ".");
    }
    return NULL;
}

static const char *put_decimal_number(parquet_buffer_t *buffer, int32_t scale, int64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    return put_decimal(buffer, scale, bytes, sizeof bytes);
}

/* ---- dates ---- */

/* By Howard Hinnant's civil_from_days: years begin in March. Years outside of 0 to 9999 have a sign, as ISO 8601 asks for. */
static void put_date(parquet_buffer_t *buffer, int64_t days)
{
    char text[48];
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    const int64_t of_era_years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * of_era_years + of_era_years / 4 - of_era_years / 100);
    const int64_t shifted = (5 * of_year + 2) / 153, day = of_year - (153 * shifted + 2) / 5 + 1;
    const int64_t month = shifted < 10 ? shifted + 3 : shifted - 9, year = of_era_years + era * 400 + (month <= 2);
    if (year >= 0 && year <= 9999)
        snprintf(text, sizeof text, "%04d-%02d-%02d", (int)year, (int)month, (int)day);
    else
        snprintf(text, sizeof text, "%+05" PRId64 "-%02d-%02d", year, (int)month, (int)day);
    put_text(buffer, text);
}

/* nanoseconds: of the day, or more where the value is wrong */
static void put_clock(parquet_buffer_t *buffer, int64_t nanoseconds)
{
    char text[64];
    const int64_t seconds = nanoseconds / BILLION;
    int64_t fraction = nanoseconds % BILLION;
    int digits = 9;
    snprintf(text, sizeof text, "%02" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60), (int)(seconds % 60));
    put_text(buffer, text);
    if (fraction == 0)
        return;
    for (; fraction % 10 == 0; digits--)
        fraction /= 10;
    snprintf(text, sizeof text, ".%0*" PRId64, digits, fraction);
    put_text(buffer, text);
}

static void put_moment(parquet_buffer_t *buffer, int64_t days, int64_t nanoseconds)
{
    put_date(buffer, days);
    put_text(buffer, " ");
    put_clock(buffer, nanoseconds);
}

static void put_timestamp(parquet_buffer_t *buffer, int32_t digits, int64_t value)
{
    const int64_t unit = digits == 3 ? 1000 : digits == 6 ? 1000000 : BILLION, of_day = unit * DAY_SECONDS;
    const int64_t rest = value % of_day;
    put_moment(buffer, value / of_day - (rest < 0), (rest < 0 ? rest + of_day : rest) * (BILLION / unit));
}

static const char *put_time(parquet_buffer_t *buffer, int32_t digits, int64_t value)
{
    const int64_t unit = digits == 3 ? 1000 : digits == 6 ? 1000000 : BILLION;
    if (value < 0 || value > unit * DAY_SECONDS)
        return "a time of day is outside of the day";
    put_clock(buffer, value * (BILLION / unit));
    return NULL;
}

/* Nanoseconds of the day (i64), Julian day (i32): what Spark, Hive and Impala wrote for years. */
static void put_int96(parquet_buffer_t *buffer, const uint8_t *at)
{
    int64_t nanoseconds;
    int32_t day;
    memcpy(&nanoseconds, at, sizeof nanoseconds);
    memcpy(&day, at + sizeof nanoseconds, sizeof day);
    const int64_t of_day = DAY_SECONDS * BILLION, rest = nanoseconds % of_day;
    put_moment(buffer, day - JULIAN_1970 + nanoseconds / of_day - (rest < 0), rest < 0 ? rest + of_day : rest);
}

static void put_uuid(parquet_buffer_t *buffer, const uint8_t *at)
{
    char text[37];
    snprintf(text, sizeof text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", at[0], at[1], at[2],
             at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11], at[12], at[13], at[14], at[15]);
    put_text(buffer, text);
}

/* ---- all ---- */

static const char *put_number(parquet_buffer_t *buffer, const parquet_element_t *element, int64_t value)
{
    switch (element->meaning) {
    case MEANS_DECIMAL:
        return put_decimal_number(buffer, element->scale, value);
    case MEANS_DATE:
        put_date(buffer, value);
        return NULL;
    case MEANS_TIME:
        return put_time(buffer, element->digits, value);
    case MEANS_TIMESTAMP:
        put_timestamp(buffer, element->digits, value);
        return NULL;
    case MEANS_UNSIGNED:
        put_unsigned(buffer, element, value);
        return NULL;
    default:
        put_signed(buffer, value);
        return NULL;
    }
}

static const char *put_bytes(parquet_buffer_t *buffer, const parquet_element_t *element, const parquet_value_t *value)
{
    if (element->meaning == MEANS_DECIMAL)
        return put_decimal(buffer, element->scale, value->at, value->bytes);
    if (element->meaning == MEANS_UUID)
        put_uuid(buffer, value->at);
    else if (element->meaning == MEANS_FLOAT16)
        put_half(buffer, (uint16_t)(value->at[0] | value->at[1] << 8));
    else
        parquet_buffer_put(buffer, value->at, (size_t)value->bytes);
    return NULL;
}

const char *parquet_text_put(parquet_buffer_t *buffer, const parquet_element_t *element, bool as_number,
                             const parquet_value_t *value)
{
    float small;
    double large;
    const int32_t bits = (int32_t)value->number;
    switch (element->type) {
    case PARQUET_BOOLEAN:
        put_text(buffer, as_number ? (value->number ? "1" : "0") : value->number ? "true" : "false");
        return NULL;
    case PARQUET_INT32:
    case PARQUET_INT64:
        return put_number(buffer, element, value->number);
    case PARQUET_INT96:
        put_int96(buffer, value->at);
        return NULL;
    case PARQUET_FLOAT:
        memcpy(&small, &bits, sizeof small);
        put_float(buffer, small);
        return NULL;
    case PARQUET_DOUBLE:
        memcpy(&large, &value->number, sizeof large);
        put_double(buffer, large);
        return NULL;
    default:
        return put_bytes(buffer, element, value);
    }
}
