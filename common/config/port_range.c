#include "common/config/port_range.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MOST 65535

/* Digits alone: no sign, no blanks before them. Returns what follows, or NULL. */
static const char *take_number(const char *text, long *out)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return NULL;
    *out = strtol(text, &end, 10);
    return end;
}

const char *port_range_parse(const char *text, port_range_t *out)
{
    long first, last;
    *out = (port_range_t){0, 0};
    if (!*text)
        return NULL;
    const char *at = take_number(text, &first);
    at = at && *at == '-' ? take_number(at + 1, &last) : NULL;
    if (!at || *at)
        return "is not two numbers with a hyphen between them";
    if (first < 1 || last < 1 || first > PORT_MOST || last > PORT_MOST)
        return "has a number that is no port, which is 1 to 65535";
    if (first > last)
        return "ends before it begins";
    *out = (port_range_t){(int)first, (int)last};
    return NULL;
}
