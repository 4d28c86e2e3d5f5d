/* layout.h - a description of a C struct and of the YAML that fills it.
 *
 * A layout is a list of records (the sections of a configuration), each a list of fields. Defaults, decoding, checks, text and
 * documentation of the configuration and of the import schema are made from their layouts, so they cannot disagree. */
#ifndef SMELTER_LAYOUT_H
#define SMELTER_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config_keys.h"
#include "common/config/yaml_tree.h"

#define CLASS_CONSTANT(word, constant, doc) constant,
/* What another value of a key means for a run that has begun; the words of config_keys.h. */
typedef enum key_class { WORDS_CLASS(CLASS_CONSTANT) CLASS_COUNT } key_class_t;

/* What a field holds in C; the kinds of config_keys.h. */
typedef enum value_kind {
    VALUE_INT,    /* int64_t */
    VALUE_AUTO,   /* int64_t; a word (auto, per_host) is 0 */
    VALUE_NUM,    /* double */
    VALUE_BOOL,   /* bool */
    VALUE_TEXT,   /* char *, owned, never NULL */
    VALUE_TREE,   /* likewise: a map or a list of its own making, as yaml_flow writes it; what it may hold its reader checks */
    VALUE_INTS,   /* config_ints_t, at owned */
    VALUE_NUMS,   /* config_nums_t, at owned */
    VALUE_WORD,   /* int32_t or an enum: the value of one of the words */
    VALUE_WORDS,  /* uint32_t: bit 1 << value of each word of the list */
    VALUE_SERIES, /* config_ints_t, at owned: the values of the words of the list, in order */
} value_kind_t;

#define LAYOUT_LIST_MAX 64 /* elements of a list; no network has more hidden layers */

typedef struct word {
    const char *word;
    int value;
    const char *doc;
} word_t;

typedef struct field {
    value_kind_t kind;
    const char *name;
    const char *initial; /* YAML text */
    double least, most;  /* of numbers and of the elements of lists */
    const char *doc;
    size_t offset; /* in the record */
    const word_t *words;
    int words_count;
    const char *word;   /* of VALUE_AUTO */
    key_class_t change; /* what another value means for a run that has begun; of configuration keys only */
} field_t;

typedef struct config_record {
    const char *name; /* "" where its fields are keys at the top level */
    const char *doc;
    const field_t *fields;
    int count;
    size_t offset; /* in the struct; 0 for the top level */
    size_t bytes;
} config_record_t;

typedef struct layout {
    const config_record_t *records;
    int count;
    size_t bytes; /* of the struct */
} layout_t;

/* layout_config - of config_t, made from config_keys.h.  Static.  Any thread. */
const layout_t *layout_config(void);

/* layout_defaults - a tree with every key at its default; **owned**. origin names the whole in messages: the file laid over
 * it. */
yaml_t *layout_defaults(const layout_t *layout, const char *origin);

/* layout_former - the same, but that keys of CONFIG_FORMER have the value that says what was done before they came: what a
 * configuration means that an earlier version resolved: with the defaults of version 1. */
yaml_t *layout_former(const layout_t *layout, const char *origin);

/* layout_first_defaults - give the keys of a merged tree of a configuration that nobody has set the defaults of version 1
 * (CONFIG_DEFAULTS_1).  layout_first_default - that of a key, "model.hidden"; NULL where it is today's. */
void layout_first_defaults(yaml_t *tree);
const char *layout_first_default(const char *key);

/* layout_add_list - make a list known that is not part of the struct (the variants, the columns), before trees are merged;
 * layout_take_list - cut it out again, before the tree is decoded; **owned**. */
void layout_add_list(yaml_t *tree, const char *key);
yaml_t *layout_take_list(yaml_t *tree, const char *key);

/* layout_node - where a merged tree holds a field. */
yaml_t *layout_node(const yaml_t *tree, const config_record_t *record, const field_t *field);

/* layout_is_list - the field takes a list. */
bool layout_is_list(const field_t *field);

/* layout_list_least - elements that a list of this field must have: 0 where its default is empty, else 1. */
int layout_list_least(const field_t *field);

/* layout_allowed - "a whole number from 1 to 64", "one of relu, smelu, identity"; **owned**, mem_free. */
char *layout_allowed(const field_t *field);

/* layout_value - the value of a field as YAML on one line, from the struct's place of it; **owned**, mem_free. */
char *layout_value(const field_t *field, const void *at);

/* layout_text - a filled struct as YAML that decodes to the same struct; **owned**, mem_free. */
char *layout_text(const layout_t *layout, const void *value);

/* layout_copy - a deep copy;  layout_destroy - release a struct that decode_tree or layout_copy made; NULL is
 * nothing. */
void *layout_copy(const layout_t *layout, const void *value);
void layout_destroy(const layout_t *layout, void *value);

/* layout_number - the shortest decimal text that reads back as exactly this double. */
void layout_number(double value, char text[32]);

#endif
