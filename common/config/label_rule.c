#include "common/config/label_rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones first, as a shorter one may be their beginning. */
static const struct sign {
    const char *text;
    label_compare_t compare;
} signs[] = {{">=", COMPARE_AT_LEAST}, {"<=", COMPARE_AT_MOST}, {"==", COMPARE_EQUAL}, {"!=", COMPARE_OTHER},
             {">", COMPARE_ABOVE},     {"<", COMPARE_BELOW},    {"=", COMPARE_EQUAL}};

static const char *const pairs[] = {[PAIR_TRUE_FALSE] = "true/false", [PAIR_YES_NO] = "yes/no", [PAIR_MINUS_PLUS] = "-1/1"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool parse_comparison(const char *text, label_rule_t *out)
{
    for (size_t i = 0; i < COUNT(signs); i++) {
        const size_t n = strlen(signs[i].text);
        if (strncmp(text, signs[i].text, n) != 0)
            continue;
        const char *number = text + n + strspn(text + n, " ");
        char *end;
        out->kind = LABEL_COMPARE;
        out->compare = signs[i].compare;
        out->number = strtod(number, &end);
        return *number && !number[strspn(number, "0123456789+-.eE")] && !*end && isfinite(out->number);
    }
    return false;
}

bool label_rule_parse(const char *text, label_rule_t *out)
{
    *out = (label_rule_t){.text = text ? text : ""};
    if (!*out->text)
        return true;
    if (strchr(text, '\n')) {
        out->kind = LABEL_WORDS;
        return true;
    }
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (strcmp(text, pairs[i]) == 0) {
            out->kind = LABEL_PAIR;
            out->pair = (label_pair_t)i;
            return true;
        }
    return parse_comparison(text, out);
}
