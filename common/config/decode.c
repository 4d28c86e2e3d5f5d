/* A walk over the fields of the layout. All values are texts: what a text means depends on the key that it stands at and not
 * on how YAML would type it, so `name: 010` is a name and `batch: 010` an error. */
#include "common/config/decode.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/config/config.h"

static const word_t bool_words[] = {{"true", 1, ""}, {"false", 0, ""}, {"yes", 1, ""},
                                    {"no", 0, ""},   {"on", 1, ""},    {"off", 0, ""}};

static bool is_whole(const field_t *field)
{
    return field->kind == VALUE_INT || field->kind == VALUE_AUTO || field->kind == VALUE_INTS;
}

static bool is_number(const field_t *field)
{
    return is_whole(field) || field->kind == VALUE_NUM || field->kind == VALUE_NUMS;
}

/* read_number - a number and nothing else: no 1k, and no 010, which is 8 to some and 10 to others. */
static bool read_number(const field_t *field, const char *text, double *out)
{
    char *end;
    if (is_whole(field)) {
        const char *digits = text + (*text == '-' || *text == '+');
        if (!*digits || digits[strspn(digits, "0123456789")] || (digits[0] == '0' && digits[1]))
            return false;
        *out = strtod(text, &end);
        return true;
    }
    if (!*text || text[strspn(text, "0123456789+-.eE")])
        return false;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

/* ---- what is wrong ----------------------------------------------------------------------------------------------- */

/* fail_word - the line for a text that is none of the field's words, with the one that is likely meant. */
static status_t fail_word(const yaml_t *at, const field_t *field, const char *allowed)
{
    const char **words = MEM_ARRAY(const char *, field->words_count);
    for (int i = 0; i < field->words_count; i++)
        words[i] = field->words[i].word;
    const char *near = text_nearest(at->text, words, field->words_count);
    mem_free(words);
    return yaml_fail(at, "'%s' is not known here%s%s%s; allowed: %s", at->text, near ? " (did you mean " : "", near ? near : "",
                     near ? "?)" : "", allowed);
}

/* fail_value - the line for a value that a field does not take: what is seen and what is allowed. */
static status_t fail_value(const yaml_t *at, const field_t *field)
{
    char *allowed = layout_allowed(field);
    const bool element = !at->key;
    double number;
    status_t status;
    if (at->kind != YAML_SCALAR && (element || !layout_is_list(field) || at->kind == YAML_MAP))
        status = yaml_fail(at, "a %s is given; allowed: %s", at->kind == YAML_MAP ? "map of keys to values" : "list", allowed);
    else if (at->kind == YAML_LIST)
        status = yaml_fail(at, "the list has %d elements; allowed: %s", at->count, allowed);
    else if (layout_is_list(field) && !element)
        status = yaml_fail(at, "'%s' is not a list; allowed: %s", at->text, allowed);
    else if (is_number(field) && read_number(field, at->text, &number))
        status = yaml_fail(at, "%s is out of range; allowed: %s", at->text, allowed);
    else if (is_number(field))
        status = yaml_fail(at, "'%s' is not a %snumber; allowed: %s", at->text, is_whole(field) ? "whole " : "", allowed);
    else if (field->words_count)
        status = fail_word(at, field, allowed);
    else
        status = yaml_fail(at, "'%s' is given; allowed: %s", at->text, allowed);
    mem_free(allowed);
    return status;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool read_word(const word_t *words, int n, const char *text, int *out)
{
    for (int i = 0; i < n; i++)
        if (strcmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    return false;
}

/* read_scalar - a single value, or an element of a list, at its place; false where the field does not take it. */
static bool read_scalar(const field_t *field, const yaml_t *node, void *at)
{
    double number = 0;
    int word = 0;
    if (field->kind == VALUE_TREE) {
        *(char **)at = yaml_flow(node);
        return true;
    }
    if (node->kind != YAML_SCALAR)
        return false;
    if (field->kind == VALUE_TEXT) {
        *(char **)at = mem_strdup(node->text);
        return true;
    }
    if (field->kind == VALUE_AUTO && strcmp(node->text, field->word) == 0) {
        *(int64_t *)at = 0;
        return true;
    }
    if (is_number(field)) {
        const double least = field->kind == VALUE_AUTO && field->least < 1 ? 1 : field->least;
        if (!read_number(field, node->text, &number) || number < least || number > field->most)
            return false;
        if (is_whole(field))
            *(int64_t *)at = strtoll(node->text, NULL, 10);
        else
            *(double *)at = number;
        return true;
    }
    const bool is_bool = field->kind == VALUE_BOOL;
    if (!read_word(is_bool ? bool_words : field->words,
                   is_bool ? (int)(sizeof bool_words / sizeof *bool_words) : field->words_count, node->text, &word))
        return false;
    if (is_bool)
        *(bool *)at = word;
    else if (field->kind == VALUE_WORD)
        *(int32_t *)at = word;
    else if (field->kind == VALUE_WORDS)
        *(uint32_t *)at |= UINT32_C(1) << word;
    else
        *(int64_t *)at = word;
    return true;
}

_Static_assert(offsetof(config_ints_t, count) == offsetof(config_nums_t, count) && sizeof(int64_t) == sizeof(double),
               "lists of whole numbers and lists of numbers are filled alike");

/* read_list - number of errors. A set of words is bits of one number, which all its elements go to. */
static int read_list(const field_t *field, const yaml_t *node, void *at)
{
    const bool is_set = field->kind == VALUE_WORDS;
    if (node->kind != YAML_LIST || (!is_set && (node->count < layout_list_least(field) || node->count > LAYOUT_LIST_MAX))) {
        fail_value(node, field);
        return 1;
    }
    config_ints_t *list = at;
    if (!is_set) {
        list->at = MEM_ARRAY(int64_t, node->count);
        list->count = (unsigned)node->count;
    }
    int errors = 0, i = 0;
    for (const yaml_t *element = node->first; element; element = element->next, i++)
        if (!read_scalar(field, element, is_set ? at : &list->at[i])) {
            fail_value(element, field);
            errors++;
        }
    return errors;
}

status_t decode_tree(const layout_t *layout, const yaml_t *tree, void **out)
{
    char *value = mem_alloc(layout->bytes, 1);
    int errors = 0;
    for (int r = 0; r < layout->count; r++) {
        const config_record_t *record = &layout->records[r];
        for (int f = 0; f < record->count; f++) {
            const field_t *field = &record->fields[f];
            const yaml_t *node = layout_node(tree, record, field);
            void *at = value + record->offset + field->offset;
            if (layout_is_list(field)) {
                errors += read_list(field, node, at);
            } else if (!read_scalar(field, node, at)) {
                fail_value(node, field);
                errors++;
            }
        }
    }
    if (errors) {
        layout_destroy(layout, value);
        return ST_INPUT;
    }
    *out = value;
    return ST_OK;
}
