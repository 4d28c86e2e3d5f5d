#include "common/config/layout.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/files/run_paths.h"

/* ---- the layout of config_t -------------------------------------------------------------------------------------- */

#define WORD_ENTRY(text, constant, meaning) {#text, constant, meaning},
#define WORD_TABLE(table) static const word_t words_##table[] = {WORDS_##table(WORD_ENTRY)};
WORD_TABLE(DETERMINISM)
WORD_TABLE(KERNELS)
WORD_TABLE(TRANSPORT)
WORD_TABLE(ENCRYPTION)
WORD_TABLE(PLACEMENT)
WORD_TABLE(ORDER)
WORD_TABLE(LAST_BATCH)
WORD_TABLE(LOSS)
WORD_TABLE(ACTIVATION)
WORD_TABLE(PART)
WORD_TABLE(CROSS_FORM)
WORD_TABLE(GSMELU)
WORD_TABLE(WEIGHT_NORM)
WORD_TABLE(LAYER_NORM)
WORD_TABLE(OPTIMIZER)
WORD_TABLE(SCHEDULE)
WORD_TABLE(COMBINE)
WORD_TABLE(OBJECTIVE)
WORD_TABLE(TUNE_GOAL)
WORD_TABLE(VALIDATED)
WORD_TABLE(SCORED)
WORD_TABLE(FORM)
WORD_TABLE(DISTANCE)
WORD_TABLE(DECORRELATE)
WORD_TABLE(STATISTIC)
WORD_TABLE(COMPLEXITY)
WORD_TABLE(TEACHER_REPLICA)
WORD_TABLE(SOFT_LABELS)
WORD_TABLE(VARY)

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define KIND_INT .kind = VALUE_INT
#define KIND_AUTO .kind = VALUE_AUTO, .word = "auto"
#define KIND_PER_HOST .kind = VALUE_AUTO, .word = "per_host"
#define KIND_NUM .kind = VALUE_NUM
#define KIND_BOOL .kind = VALUE_BOOL
#define KIND_TEXT .kind = VALUE_TEXT
#define KIND_TREE .kind = VALUE_TREE
#define KIND_INTS .kind = VALUE_INTS
#define KIND_NUMS .kind = VALUE_NUMS
#define KIND_WORD(table) .kind = VALUE_WORD, .words = words_##table, .words_count = COUNT(words_##table)
#define KIND_WORDS(table) .kind = VALUE_WORDS, .words = words_##table, .words_count = COUNT(words_##table)
#define KIND_SERIES(table) .kind = VALUE_SERIES, .words = words_##table, .words_count = COUNT(words_##table)

/* A row of config_keys.h does not name its section: here_t is the section's struct where the row is expanded. */
#define FIELD(kind_, name_, initial_, least_, most_, class_, doc_) \
    {KIND_##kind_,    .name = #name_,           .initial = (initial_), .least = (least_), \
     .most = (most_), .change = CLASS_##class_, .doc = (doc_),         .offset = offsetof(here_t, name_)},
#define SECTION(section_, KEYS, doc_) \
    { \
        typedef struct config_##section_ here_t; \
        static const field_t fields[] = {KEYS(FIELD)}; \
        records[layout.count++] = \
            (config_record_t){#section_, doc_, fields, COUNT(fields), offsetof(config_t, section_), sizeof(here_t)}; \
    }
#define COUNT_SECTION(section_, KEYS, doc_) +1

static config_record_t records[1 CONFIG_SECTIONS(COUNT_SECTION)];
static layout_t layout = {.records = records, .bytes = sizeof(config_t)};

static void make_layout(void)
{
    {
        typedef config_t here_t;
        static const field_t fields[] = {CONFIG_TOP(FIELD)};
        records[layout.count++] = (config_record_t){"", "the run as a whole", fields, COUNT(fields), 0, sizeof(here_t)};
    }
    CONFIG_SECTIONS(SECTION)
    ASSERT(layout.count == COUNT(records));
}

const layout_t *layout_config(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_layout);
    return &layout;
}

/* ---- trees ------------------------------------------------------------------------------------------------------- */

static yaml_t *default_node(const field_t *field)
{
    yaml_t *node;
    status_t status = yaml_parse(field->initial, strlen(field->initial), "(default)", 0, LAYER_DEFAULT, &node);
    ASSERT(status == ST_OK);
    node->is_open = field->kind == VALUE_TREE && node->kind == YAML_MAP;
    return node;
}

yaml_t *layout_defaults(const layout_t *of, const char *origin)
{
    yaml_t *root = yaml_create(YAML_MAP, NULL, LAYER_DEFAULT, origin, 0);
    for (int r = 0; r < of->count; r++) {
        const config_record_t *record = &of->records[r];
        yaml_t *map = root;
        if (*record->name) {
            yaml_t *section = yaml_create(YAML_MAP, NULL, LAYER_DEFAULT, "(default)", 0);
            yaml_append(root, record->name, &section);
            map = root->last;
        }
        for (int f = 0; f < record->count; f++) {
            yaml_t *node = default_node(&record->fields[f]);
            yaml_append(map, record->fields[f].name, &node);
        }
    }
    return root;
}

typedef struct key_default {
    const char *key, *value;
} key_default_t;

#define KEY_DEFAULT(key, value) {key, value},
static const key_default_t formers[] = {CONFIG_FORMER(KEY_DEFAULT)};
static const key_default_t first_defaults[] = {CONFIG_DEFAULTS_1(KEY_DEFAULT)};

/* put_defaults - in place of those that nobody has given another value. */
static void put_defaults(yaml_t *tree, const key_default_t *defaults, int n)
{
    for (int i = 0; i < n; i++) {
        yaml_t *node = yaml_find(tree, defaults[i].key), *value;
        ASSERT(node);
        if (node->layer != LAYER_DEFAULT)
            continue;
        status_t status = yaml_parse(defaults[i].value, strlen(defaults[i].value), "(default)", 0, LAYER_DEFAULT, &value);
        ASSERT(status == ST_OK);
        yaml_replace(node, &value);
    }
}

void layout_first_defaults(yaml_t *tree)
{
    put_defaults(tree, first_defaults, COUNT(first_defaults));
}

const char *layout_first_default(const char *key)
{
    for (int i = 0; i < COUNT(first_defaults); i++)
        if (strcmp(first_defaults[i].key, key) == 0)
            return first_defaults[i].value;
    return NULL;
}

yaml_t *layout_former(const layout_t *of, const char *origin)
{
    yaml_t *root = layout_defaults(of, origin);
    if (of == layout_config()) {
        put_defaults(root, formers, COUNT(formers));
        layout_first_defaults(root);
    }
    return root;
}

void layout_add_list(yaml_t *tree, const char *key)
{
    yaml_t *list = yaml_create(YAML_LIST, NULL, LAYER_DEFAULT, "(default)", 0);
    yaml_append(tree, key, &list);
}

yaml_t *layout_take_list(yaml_t *tree, const char *key)
{
    yaml_t *list = yaml_take(tree, key);
    ASSERT(list);
    yaml_set_scope(list, key); /* Cut off from the root, its path gets its name back. */
    return list;
}

yaml_t *layout_node(const yaml_t *tree, const config_record_t *record, const field_t *field)
{
    const yaml_t *map = *record->name ? yaml_child(tree, record->name) : tree;
    yaml_t *node = map ? yaml_child(map, field->name) : NULL;
    ASSERT(node);
    return node;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

void layout_number(double value, char text[32])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* %g turns large whole numbers into 1e+06; a person reads 1000000 more easily. */
    if (value == floor(value) && fabs(value) < 1e16)
        snprintf(text, 32, "%.0f", value);
}

static char *word_list(const field_t *field)
{
    char *list = mem_strdup("");
    for (int i = 0; i < field->words_count; i++) {
        char *longer = mem_printf("%s%s%s", list, i ? ", " : "", field->words[i].word);
        mem_free(list);
        list = longer;
    }
    return list;
}

char *layout_allowed(const field_t *field)
{
    char least[32], most[32], *words, *text;
    layout_number(field->least, least);
    layout_number(field->most, most);
    switch (field->kind) {
    case VALUE_INT:
        return mem_printf("a whole number from %s to %s", least, most);
    case VALUE_AUTO:
        return mem_printf("%s or a whole number from 1 to %s", field->word, most);
    case VALUE_NUM:
        return mem_printf("a number from %s to %s", least, most);
    case VALUE_BOOL:
        return mem_strdup("true or false");
    case VALUE_TEXT:
        return mem_strdup("text");
    case VALUE_TREE:
        return mem_strdup(*field->initial == '{' ? "a map of names to values" : "a list");
    case VALUE_INTS:
        return mem_printf("a list of %d to %d whole numbers from %s to %s", layout_list_least(field), LAYOUT_LIST_MAX, least,
                          most);
    case VALUE_NUMS:
        return mem_printf("a list of %d to %d numbers from %s to %s", layout_list_least(field), LAYOUT_LIST_MAX, least, most);
    case VALUE_SERIES:
        words = word_list(field);
        text = mem_printf("a list of %d to %d of %s", layout_list_least(field), LAYOUT_LIST_MAX, words);
        mem_free(words);
        return text;
    case VALUE_WORD:
    case VALUE_WORDS:
        words = word_list(field);
        text = mem_printf("%s%s",
                          field->kind == VALUE_WORDS ? "a list of any of "
                          : field->words_count > 1   ? "one of "
                                                     : "",
                          words);
        mem_free(words);
        return text;
    }
    ASSERT(!"a kind of value");
}

bool layout_is_list(const field_t *field)
{
    return field->kind == VALUE_INTS || field->kind == VALUE_NUMS || field->kind == VALUE_WORDS || field->kind == VALUE_SERIES;
}

int layout_list_least(const field_t *field)
{
    return strcmp(field->initial, "[]") == 0 ? 0 : 1;
}

/* ---- structs ----------------------------------------------------------------------------------------------------- */

static const char *word_text(const field_t *field, int value)
{
    for (int i = 0; i < field->words_count; i++)
        if (field->words[i].value == value)
            return field->words[i].word;
    ASSERT(!"a word of the field");
}

static void write_value(FILE *stream, const field_t *field, const void *at)
{
    char text[32];
    const char *comma = "";
    switch (field->kind) {
    case VALUE_INT:
        fprintf(stream, "%" PRId64, *(const int64_t *)at);
        break;
    case VALUE_AUTO:
        if (*(const int64_t *)at)
            fprintf(stream, "%" PRId64, *(const int64_t *)at);
        else
            fputs(field->word, stream);
        break;
    case VALUE_NUM:
        layout_number(*(const double *)at, text);
        fputs(text, stream);
        break;
    case VALUE_BOOL:
        fputs(*(const bool *)at ? "true" : "false", stream);
        break;
    case VALUE_TEXT:
        yaml_write_string(stream, *(char *const *)at);
        break;
    case VALUE_TREE:
        fputs(*(char *const *)at, stream);
        break;
    case VALUE_WORD:
        fputs(word_text(field, *(const int32_t *)at), stream);
        break;
    case VALUE_INTS:
        fputc('[', stream);
        for (unsigned i = 0; i < ((const config_ints_t *)at)->count; i++, comma = ", ")
            fprintf(stream, "%s%" PRId64, comma, ((const config_ints_t *)at)->at[i]);
        fputc(']', stream);
        break;
    case VALUE_NUMS:
        fputc('[', stream);
        for (unsigned i = 0; i < ((const config_nums_t *)at)->count; i++, comma = ", ") {
            layout_number(((const config_nums_t *)at)->at[i], text);
            fprintf(stream, "%s%s", comma, text);
        }
        fputc(']', stream);
        break;
    case VALUE_SERIES:
        fputc('[', stream);
        for (unsigned i = 0; i < ((const config_ints_t *)at)->count; i++, comma = ", ")
            fprintf(stream, "%s%s", comma, word_text(field, (int)((const config_ints_t *)at)->at[i]));
        fputc(']', stream);
        break;
    case VALUE_WORDS:
        fputc('[', stream);
        for (int i = 0; i < field->words_count; i++) {
            if (*(const uint32_t *)at & 1u << field->words[i].value) {
                fprintf(stream, "%s%s", comma, field->words[i].word);
                comma = ", ";
            }
        }
        fputc(']', stream);
        break;
    }
}

char *layout_value(const field_t *field, const void *at)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    ASSERT(stream);
    write_value(stream, field, at);
    ASSERT(fclose(stream) == 0);
    return text;
}

char *layout_text(const layout_t *of, const void *value)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    ASSERT(stream);
    for (int r = 0; r < of->count; r++) {
        const config_record_t *record = &of->records[r];
        if (*record->name)
            fprintf(stream, "%s:\n", record->name);
        for (int f = 0; f < record->count; f++) {
            const field_t *field = &record->fields[f];
            fprintf(stream, "%s%s: ", *record->name ? "  " : "", field->name);
            write_value(stream, field, (const char *)value + record->offset + field->offset);
            fputc('\n', stream);
        }
    }
    ASSERT(fclose(stream) == 0);
    return text;
}

/* for_owned - call with the place of every pointer that a struct owns, and the bytes behind it. */
static void for_owned(const layout_t *of, void *value, void (*call)(void **pointer, size_t bytes))
{
    for (int r = 0; r < of->count; r++) {
        for (int f = 0; f < of->records[r].count; f++) {
            const field_t *field = &of->records[r].fields[f];
            void *at = (char *)value + of->records[r].offset + field->offset;
            if (field->kind == VALUE_TEXT || field->kind == VALUE_TREE)
                call((void **)at, *(char **)at ? strlen(*(char **)at) + 1 : 0);
            else if (field->kind == VALUE_INTS || field->kind == VALUE_SERIES)
                call((void **)&((config_ints_t *)at)->at, ((config_ints_t *)at)->count * sizeof(int64_t));
            else if (field->kind == VALUE_NUMS)
                call((void **)&((config_nums_t *)at)->at, ((config_nums_t *)at)->count * sizeof(double));
        }
    }
}

static void copy_owned(void **pointer, size_t bytes)
{
    void *copy = mem_alloc(bytes, 1);
    if (bytes) /* an empty list has no elements to point to */
        memcpy(copy, *pointer, bytes);
    *pointer = copy;
}

static void free_owned(void **pointer, size_t bytes)
{
    (void)bytes;
    mem_free(*pointer);
    *pointer = NULL;
}

void *layout_copy(const layout_t *of, const void *value)
{
    void *copy = mem_alloc(of->bytes, 1);
    memcpy(copy, value, of->bytes);
    for_owned(of, copy, copy_owned);
    return copy;
}

void layout_destroy(const layout_t *of, void *value)
{
    if (!value)
        return;
    for_owned(of, value, free_owned);
    mem_free(value);
}
