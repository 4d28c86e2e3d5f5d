#include "common/data/field_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/printable.h"

#define NOT_A_NUMBER "not a number"
#define NOT_FINITE "not a finite number"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Up to 15 digits and a power of ten up to 22 are exact in doubles, so one division is correctly rounded (Clinger 1990);
 * false leaves all other numbers to strtod. */
static bool quick_number(const char *text, const char *end, double *out)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const bool minus = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    int64_t digits = 0;
    int count = 0, fraction = 0;
    bool point = false;
    for (; text < end; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(*text) || ++count > 15)
            return false;
        digits = digits * 10 + (*text - '0');
        fraction += point;
    }
    if (count == 0)
        return false;
    const double value = (double)digits / power[fraction];
    *out = minus ? -value : value;
    return true;
}

static void trim(const char **text, const char **end)
{
    while (*text < *end && (**text == ' ' || **text == '\t'))
        (*text)++;
    while (*end > *text && ((*end)[-1] == ' ' || (*end)[-1] == '\t'))
        (*end)--;
}

const char *field_number(const char *text, int bytes, double *out)
{
    const char *end = text + bytes;
    trim(&text, &end);
    if (text == end)
        return NOT_A_NUMBER;
    if (quick_number(text, end, out))
        return NULL;
    /* strtod also knows words and hexadecimal; only digits, one sign, a point and an exponent may reach it. */
    char copy[400];
    const size_t n = (size_t)(end - text);
    if (n >= sizeof copy)
        return NOT_A_NUMBER;
    memcpy(copy, text, n);
    copy[n] = 0;
    const char *bare = copy + (copy[0] == '-' || copy[0] == '+');
    if (strcasecmp(bare, "nan") == 0 || strcasecmp(bare, "inf") == 0 || strcasecmp(bare, "infinity") == 0)
        return NOT_FINITE;
    if (strspn(copy, "0123456789+-.eE") != n)
        return NOT_A_NUMBER;
    char *stop;
    const double value = strtod(copy, &stop);
    if (stop != copy + n)
        return NOT_A_NUMBER;
    if (!isfinite(value))
        return NOT_FINITE;
    *out = value;
    return NULL;
}

const char *field_label(const char *text, int bytes, int minus, uint8_t *out)
{
    double value;
    if (field_number(text, bytes, &value) == NULL) {
        if (value == 0.0 || value == 1.0) {
            *out = value == 1.0;
            return NULL;
        }
        if (minus && value == -1.0) {
            *out = 0;
            return NULL;
        }
    }
    return minus ? "a label is 0 or 1, or -1 or +1" : "a label is 0 or 1";
}

const char *field_quote(char out[FIELD_QUOTE_BYTES], const char *text, int bytes)
{
    enum { SHOWN = 40 };
    int shown = bytes < SHOWN ? bytes : SHOWN;
    while (shown < bytes && shown > SHOWN - 4 && (text[shown] & 0xc0) == 0x80)
        shown--; /* not inside a character */
    out[0] = '"';
    const size_t at = 1 + printable_put(out + 1, FIELD_QUOTE_BYTES - 1, text, (size_t)shown);
    snprintf(out + at, FIELD_QUOTE_BYTES - at, bytes > shown ? "...\"" : "\"");
    return out;
}
