#include "common/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define LONGEST_SECONDS 1e12

const char *text_count(int64_t value, char text[TEXT_BYTES])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value), at = 0;
    for (int i = 0; i < length; i++) {
        text[at++] = digits[i];
        int left = length - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            text[at++] = ',';
    }
    text[at] = 0;
    return text;
}

const char *text_duration(double seconds, char text[TEXT_BYTES])
{
    if (!(seconds >= 0.0 && seconds < LONGEST_SECONDS)) {
        snprintf(text, TEXT_BYTES, "?");
        return text;
    }
    int64_t whole = (int64_t)llrint(seconds);
    int minutes = (int)(whole / 60 % 60), rest = (int)(whole % 60);
    if (whole >= 3600)
        snprintf(text, TEXT_BYTES, "%" PRId64 ":%02d:%02d", whole / 3600, minutes, rest);
    else
        snprintf(text, TEXT_BYTES, "%d:%02d", minutes, rest);
    return text;
}
