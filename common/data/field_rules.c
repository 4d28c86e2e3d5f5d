#include "common/data/field_rules.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"

/* Texts are compared with those of datasets and runs of any age: another wording is another rule. */
#define KEYS_TEXT "XXH3-64 of the text, seed 0"
#define KEYS_ID "XXH3-64 of the decimal id, seed 0"
#define WEIGHTS_ONE "1"
#define WEIGHTS_GIVEN "as given beside the value"
#define MISSING_NUMBER "0 after scaling"
#define MISSING_CATEGORY "a category of its own"
#define MISSING_MULTI "no value"

static const struct rule {
    const char *name, *noun;
    size_t offset;
} rules_table[] = {
#define FIELD_RULE(name, noun) {#name, noun, offsetof(field_rules_t, name)},
    FIELD_RULES(FIELD_RULE)
#undef FIELD_RULE
};

static void set(char rule[FIELD_RULE_BYTES], const char *text)
{
    snprintf(rule, FIELD_RULE_BYTES, "%s", text);
}

static void set_number(char rule[FIELD_RULE_BYTES], const char *before, double number)
{
    snprintf(rule, FIELD_RULE_BYTES, "%s%.9g", before, number);
}

/* A separator as a person can read it, whatever byte it is. */
static void set_separator(char rule[FIELD_RULE_BYTES], char separator)
{
    const unsigned char c = (unsigned char)separator;
    snprintf(rule, FIELD_RULE_BYTES, c <= 0x20 || c >= 0x7f ? "\\x%02x" : "%c", c);
}

static const char *missing_of(column_kind_t kind)
{
    return kind == COLUMN_NUMERIC ? MISSING_NUMBER : kind == COLUMN_CATEGORICAL ? MISSING_CATEGORY : MISSING_MULTI;
}

field_rules_t field_rules_synth(column_kind_t kind)
{
    field_rules_t rules = {0};
    set(rules.missing, missing_of(kind));
    if (kind != COLUMN_MULTI)
        set(rules.transform, schema_transform_word(TRANSFORM_NONE));
    else
        set(rules.weights, WEIGHTS_ONE);
    if (kind != COLUMN_NUMERIC)
        set(rules.keys, KEYS_TEXT);
    return rules;
}

field_rules_t field_rules_of(const schema_column_t *column)
{
    field_rules_t rules = field_rules_synth(column->kind);
    if (column->kind == COLUMN_MULTI)
        set_separator(rules.separator, column->separator && *column->separator ? *column->separator : '|');
    else
        set(rules.transform, schema_transform_word(column->transform));
    if (column->kind == COLUMN_NUMERIC && column->fill && *column->fill)
        set_number(rules.missing, "as ", strtod(column->fill, NULL));
    return rules;
}

field_rules_t field_rules_libsvm(void)
{
    field_rules_t rules = {0};
    set_separator(rules.separator, ' ');
    set(rules.keys, KEYS_ID);
    set(rules.weights, WEIGHTS_GIVEN);
    set(rules.missing, MISSING_MULTI);
    return rules;
}

field_rules_t field_rules_indicator(void)
{
    field_rules_t rules = field_rules_synth(COLUMN_NUMERIC);
    set(rules.transform, "1 where missing, else 0");
    set(rules.missing, "");
    return rules;
}

/* Where the words are too many for a rule's text, their hash stands for them. */
void field_rules_missing(field_rules_t *rules, const char *const *words, int n)
{
    char *all = mem_strdup("");
    for (int i = 0; i < n; i++) {
        char *longer = mem_printf("%s%s%s", all, i ? " " : "", words[i]);
        mem_free(all);
        all = longer;
    }
    if (strlen(all) < FIELD_RULE_BYTES)
        set(rules->missing_words, all);
    else
        snprintf(rules->missing_words, FIELD_RULE_BYTES, "%d words, XXH3-64 %016" PRIx64, n, hash64(all, strlen(all), 0));
    mem_free(all);
}

/* Likewise of edges. */
void field_rules_bins(field_rules_t *rules, const bins_t *bins)
{
    char *edges = bins_text(bins);
    if (strlen("bins ") + strlen(edges) < FIELD_RULE_BYTES)
        snprintf(rules->transform, FIELD_RULE_BYTES, "bins %s", edges);
    else
        snprintf(rules->transform, FIELD_RULE_BYTES, "%d bins, XXH3-64 %016" PRIx64, bins->count,
                 hash64(edges, strlen(edges), 0));
    mem_free(edges);
}

bool field_rules_recorded(const field_rules_t *rules)
{
    for (int i = 0; i < field_rules_count(); i++)
        if (*field_rules_get(rules, i))
            return true;
    return false;
}

int field_rules_count(void)
{
    return (int)(sizeof rules_table / sizeof *rules_table);
}

const char *field_rules_name(int i)
{
    return rules_table[i].name;
}

const char *field_rules_noun(int i)
{
    return rules_table[i].noun;
}

int field_rules_find(const char *name)
{
    for (int i = 0; i < field_rules_count(); i++)
        if (strcmp(rules_table[i].name, name) == 0)
            return i;
    return -1;
}

const char *field_rules_get(const field_rules_t *rules, int i)
{
    return (const char *)rules + rules_table[i].offset;
}

char *field_rules_text(field_rules_t *rules, int i)
{
    return (char *)rules + rules_table[i].offset;
}

/* The transform that the stored number went through. */
static const char *stored_as(const char *transform)
{
    return strcmp(transform, schema_transform_word(TRANSFORM_STANDARDISE)) == 0 ? schema_transform_word(TRANSFORM_NONE)
                                                                                : transform;
}

int field_rules_difference(const field_rules_t *a, const field_rules_t *b)
{
    for (int i = 0; i < field_rules_count(); i++) {
        const char *x = field_rules_get(a, i), *y = field_rules_get(b, i);
        const bool is_recorded = (*x && *y) || rules_table[i].offset == offsetof(field_rules_t, missing_words);
        if (is_recorded && strcmp(stored_as(x), stored_as(y)) != 0)
            return i;
    }
    return -1;
}
