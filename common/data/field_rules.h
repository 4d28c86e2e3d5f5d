/* field_rules.h - what import made of a field's text, in words: part of what a dataset stores about each of its fields.
 *
 * Kind and pooling say how a field enters a network. These say how its values came about, so that a model is not given values
 * that were made in another way than those it was trained on. They are compared as words; a new rule is a line here. An empty
 * text says that the rule does not apply to the field (a number has no separator), or that the dataset is older than it. */
#ifndef SMELTER_FIELD_RULES_H
#define SMELTER_FIELD_RULES_H

#include <stdbool.h>

#include "common/config/bins.h"
#include "common/config/config.h"

#define FIELD_RULE_BYTES 48

/* name, as a noun for people */
#define FIELD_RULES(X) \
    X(transform, "transform")             /* none, log1p, log2_bucket ..: what is made of the value */ \
    X(separator, "separator")             /* the character between the values of a multi field */ \
    X(keys, "key")                        /* how a value becomes a 64-bit key */ \
    X(weights, "weight")                  /* what a value of a multi field is multiplied by */ \
    X(missing, "missing value")           /* what stands for a value that is not there */ \
    X(missing_words, "words for nothing") /* texts that are read as nothing; empty where there are none, in all versions */

typedef struct field_rules {
#define FIELD_RULE(name, noun) char name[FIELD_RULE_BYTES];
    FIELD_RULES(FIELD_RULE)
#undef FIELD_RULE
} field_rules_t;

/* field_rules_of - those of a column of a CSV or TSV file.
 * field_rules_libsvm - those of the features of a libsvm file.
 * field_rules_synth - those of a generated field, whose values are keyed as the text of their numbers would be. */
field_rules_t field_rules_of(const schema_column_t *column);
field_rules_t field_rules_libsvm(void);
field_rules_t field_rules_synth(column_kind_t kind);

/* field_rules_indicator - those of the number that says whether another one is missing.
 * field_rules_missing - words [n] are read as nothing; none: nothing changes. */
field_rules_t field_rules_indicator(void);
void field_rules_missing(field_rules_t *rules, const char *const *words, int n);

/* field_rules_bins - the value is the bin of a number. */
void field_rules_bins(field_rules_t *rules, const bins_t *bins);

/* field_rules_recorded - false for a field of a dataset that was written before rules were stored. */
bool field_rules_recorded(const field_rules_t *rules);

/* The rules by number, 0 <= i < count, for those who store or compare them all: names are for files, nouns for people.
 * field_rules_find - the number of a name, or -1.  field_rules_get - a rule's text;  field_rules_text - the same to write to,
 * FIELD_RULE_BYTES long. */
int field_rules_count(void);
const char *field_rules_name(int i);
const char *field_rules_noun(int i);
int field_rules_find(const char *name);
const char *field_rules_get(const field_rules_t *rules, int i);
char *field_rules_text(field_rules_t *rules, int i);

/* field_rules_difference - the number of the first rule that both record and that is not the same, or -1. An empty text of
 * words for nothing is a record of none: no version before has had any.
 *
 * A number that is standardised is stored as it is, and mean and scale are those of the model wherever it is used
 * (dataset_standardise), so transform standardise is no other rule than none. */
int field_rules_difference(const field_rules_t *a, const field_rules_t *b);

#endif
