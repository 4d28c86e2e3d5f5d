#include "launcher/ingest/label_reader.h"

#include <stdio.h>
#include <strings.h>

#include "common/base/status.h"
#include "common/data/field_text.h"

void label_reader_init(label_reader_t *reader, const char *rule, bool minus)
{
    *reader = (label_reader_t){.minus = minus};
    const bool is_rule = label_rule_parse(rule, &reader->rule);
    ASSERT(is_rule);
    missing_words_init(&reader->words, reader->rule.kind == LABEL_WORDS ? rule : NULL);
    if (reader->rule.kind == LABEL_COMPARE)
        snprintf(reader->fault, sizeof reader->fault, "the label's rule '%.40s' compares numbers, and this is none", rule);
    else
        snprintf(reader->fault, sizeof reader->fault, "neither of the two that the label's rule '%.40s' knows",
                 reader->rule.kind == LABEL_PAIR ? rule : "");
}

void label_reader_fini(label_reader_t *reader)
{
    missing_words_fini(&reader->words);
}

static bool compares(const label_rule_t *rule, double value)
{
    switch (rule->compare) {
    case COMPARE_AT_LEAST:
        return value >= rule->number;
    case COMPARE_AT_MOST:
        return value <= rule->number;
    case COMPARE_EQUAL:
        return value == rule->number;
    case COMPARE_OTHER:
        return value != rule->number;
    case COMPARE_ABOVE:
        return value > rule->number;
    case COMPARE_BELOW:
        return value < rule->number;
    }
    ASSERT(!"a comparison");
}

static bool is_text(const char *text, int bytes, const char *word)
{
    return (size_t)bytes == strlen(word) && strncasecmp(text, word, (size_t)bytes) == 0;
}

static bool read_pair(label_pair_t pair, const char *text, int bytes, uint8_t *out)
{
    static const char *const one[][2] = {[PAIR_TRUE_FALSE] = {"true", "t"}, [PAIR_YES_NO] = {"yes", "y"}};
    static const char *const zero[][2] = {[PAIR_TRUE_FALSE] = {"false", "f"}, [PAIR_YES_NO] = {"no", "n"}};
    double value;
    if (pair == PAIR_MINUS_PLUS) {
        const bool is_one = !field_number(text, bytes, &value) && (value == 1.0 || value == -1.0);
        *out = is_one && value == 1.0;
        return is_one;
    }
    *out = is_text(text, bytes, one[pair][0]) || is_text(text, bytes, one[pair][1]);
    return *out || is_text(text, bytes, zero[pair][0]) || is_text(text, bytes, zero[pair][1]);
}

const char *label_read(const label_reader_t *reader, const char *text, int bytes, uint8_t *out)
{
    double value;
    if (reader->rule.kind == LABEL_PLAIN)
        return field_label(text, bytes, reader->minus, out);
    if (bytes == 0)
        return "there is no label";
    if (reader->rule.kind == LABEL_WORDS) {
        *out = missing_words_has(&reader->words, text, (size_t)bytes);
        return NULL;
    }
    if (reader->rule.kind == LABEL_PAIR)
        return read_pair(reader->rule.pair, text, bytes, out) ? NULL : reader->fault;
    if (field_number(text, bytes, &value))
        return reader->fault;
    *out = compares(&reader->rule, value);
    return NULL;
}
