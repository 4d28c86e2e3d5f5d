/* libcyaml reads text, so the merged tree is written as JSON with one node per line and decoded from there. When libcyaml
 * refuses a value it logs a backtrace that starts with the line of the innermost node; that line leads to the tree's node, and
 * the node to the file and line a person wrote. What is allowed there comes from the layout, not from libcyaml's own message,
 * which does not know ranges and words. libcyaml stops at the first error, so the node is replaced by its default and decoding
 * starts over.
 *
 * Two habits of libcyaml 1.3 shape the schema: its booleans are true for every word it does not know, so a boolean is an
 * enumeration here; and its integers ignore what follows the digits, so numbers are checked before. */
#include "common/config/decode.h"

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"

/* ---- libcyaml's schema from a layout ----------------------------------------------------------------------------- */

static const cyaml_strval_t bool_words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {"on", 1}, {"off", 0}};
static const cyaml_schema_value_t int_entry = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int64_t)};
static const cyaml_schema_value_t num_entry = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};

typedef struct schema_maker {
    cyaml_schema_field_t *fields; /* [fields_count + records + 1] all maps, one after another, each ended by a NULL key */
    cyaml_strval_t *words;        /* [words_count] */
    cyaml_schema_value_t *series; /* [fields] the elements of lists of words */
    cyaml_schema_value_t root;
} schema_maker_t;

static void put_words(schema_maker_t *maker, cyaml_schema_value_t *value, const field_t *field, int *used)
{
    value->enumeration.strings = maker->words + *used;
    value->enumeration.count = (uint32_t)field->words_count;
    for (int i = 0; i < field->words_count; i++) {
        int64_t v = field->words[i].value;
        maker->words[(*used)++] = (cyaml_strval_t){field->words[i].word, field->kind == VALUE_WORDS ? INT64_C(1) << v : v};
    }
}

static void put_field(schema_maker_t *maker, cyaml_schema_field_t *out, const field_t *field, size_t offset, int *used)
{
    cyaml_schema_value_t *value = &out->value;
    out->key = field->name;
    out->data_offset = (uint32_t)offset;
    switch (field->kind) {
    case VALUE_INT:
        *value = int_entry;
        break;
    case VALUE_NUM:
        *value = num_entry;
        break;
    case VALUE_AUTO: /* Not strict: a number stands for itself. */
        *value = (cyaml_schema_value_t){.type = CYAML_ENUM, .data_size = sizeof(int64_t)};
        value->enumeration.strings = maker->words + *used;
        value->enumeration.count = 1;
        maker->words[(*used)++] = (cyaml_strval_t){field->word, 0};
        break;
    case VALUE_BOOL:
        *value = (cyaml_schema_value_t){.type = CYAML_ENUM, .flags = CYAML_FLAG_STRICT, .data_size = sizeof(bool)};
        value->enumeration.strings = bool_words;
        value->enumeration.count = CYAML_ARRAY_LEN(bool_words);
        break;
    case VALUE_WORD:
    case VALUE_WORDS:
        *value = (cyaml_schema_value_t){.type = field->kind == VALUE_WORD ? CYAML_ENUM : CYAML_FLAGS,
                                        .flags = CYAML_FLAG_STRICT,
                                        .data_size = sizeof(int32_t)};
        put_words(maker, value, field, used);
        break;
    case VALUE_TEXT:
        *value = (cyaml_schema_value_t){.type = CYAML_STRING, .flags = CYAML_FLAG_POINTER, .data_size = sizeof(char)};
        value->string.max = CYAML_UNLIMITED;
        break;
    case VALUE_SERIES:
    case VALUE_INTS:
    case VALUE_NUMS:
        *value = (cyaml_schema_value_t){.type = CYAML_SEQUENCE, .flags = CYAML_FLAG_POINTER, .data_size = sizeof(int64_t)};
        value->sequence.entry = field->kind == VALUE_INTS ? &int_entry : &num_entry;
        if (field->kind == VALUE_SERIES) {
            cyaml_schema_value_t *word = &maker->series[out - maker->fields];
            *word = (cyaml_schema_value_t){.type = CYAML_ENUM, .flags = CYAML_FLAG_STRICT, .data_size = sizeof(int64_t)};
            put_words(maker, word, field, used);
            value->sequence.entry = word;
        }
        value->sequence.min = (unsigned)layout_list_least(field);
        value->sequence.max = LAYOUT_LIST_MAX;
        out->data_offset += (uint32_t)offsetof(config_ints_t, at);
        out->count_offset = (uint32_t)(offset + offsetof(config_ints_t, count));
        out->count_size = sizeof(unsigned);
        break;
    }
}

_Static_assert(offsetof(config_ints_t, count) == offsetof(config_nums_t, count) && sizeof(int64_t) == sizeof(double),
               "one schema serves lists of whole numbers and lists of numbers");

static void make_schema(const layout_t *layout, schema_maker_t *maker)
{
    int fields = layout->count + 1, words = 0, used = 0;
    for (int r = 0; r < layout->count; r++) {
        fields += layout->records[r].count + 1;
        for (int f = 0; f < layout->records[r].count; f++)
            words += layout->records[r].fields[f].words_count + (layout->records[r].fields[f].kind == VALUE_AUTO);
    }
    maker->fields = MEM_ARRAY(cyaml_schema_field_t, fields);
    maker->words = MEM_ARRAY(cyaml_strval_t, words + 1);
    maker->series = MEM_ARRAY(cyaml_schema_value_t, fields);

    /* The root's map first, then a map per named record; arrays are zeroed, so each ends with a NULL key. */
    int root_fields = 1;
    for (int r = 0; r < layout->count; r++)
        root_fields += *layout->records[r].name ? 1 : layout->records[r].count;
    cyaml_schema_field_t *root = maker->fields, *next = maker->fields + root_fields;
    for (int r = 0; r < layout->count; r++) {
        const config_record_t *record = &layout->records[r];
        bool named = *record->name;
        if (named) {
            *root = (cyaml_schema_field_t){.key = record->name, .data_offset = (uint32_t)record->offset};
            root->value = (cyaml_schema_value_t){.type = CYAML_MAPPING, .data_size = (uint32_t)record->bytes};
            root->value.mapping.fields = next;
            root++;
        }
        for (int f = 0; f < record->count; f++) {
            const field_t *field = &record->fields[f];
            put_field(maker, named ? next++ : root++, field, field->offset + (named ? 0 : record->offset), &used);
        }
        next += named;
    }
    maker->root =
        (cyaml_schema_value_t){.type = CYAML_MAPPING, .flags = CYAML_FLAG_POINTER, .data_size = (uint32_t)layout->bytes};
    maker->root.mapping.fields = maker->fields;
}

/* ---- one attempt ------------------------------------------------------------------------------------------------- */

typedef struct refusal {
    int line;        /* of the innermost node in the backtrace, from 1; 0: none seen yet */
    char first[256]; /* libcyaml's own first words */
} refusal_t;

static void listen(cyaml_log_t level, void *context, const char *format, va_list args)
{
    refusal_t *refusal = context;
    char text[256];
    (void)level;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    if (!refusal->first[0])
        memcpy(refusal->first, text, sizeof text);
    const char *line = strstr(text, "(line: ");
    if (line && !refusal->line)
        refusal->line = atoi(line + strlen("(line: "));
}

/* cyaml_memory - blocks that mem_free releases, so that a decoded struct is like any other. */
static void *cyaml_memory(void *context, void *block, size_t bytes)
{
    (void)context;
    if (bytes)
        return realloc(block, bytes);
    mem_free(block);
    return NULL;
}

/* find_field - the field whose value is this node or holds it as an element; *owner becomes the node of the whole value. */
static const field_t *find_field(const layout_t *layout, const yaml_t *tree, yaml_t *node, yaml_t **owner)
{
    for (; node; node = node->parent) {
        for (int r = 0; r < layout->count; r++) {
            for (int f = 0; f < layout->records[r].count; f++) {
                const field_t *field = &layout->records[r].fields[f];
                if (layout_node(tree, &layout->records[r], field) == node) {
                    *owner = node;
                    return field;
                }
            }
        }
    }
    return NULL;
}

/* blame - turn a refusal into an error line and put the default in place of the value, so that the next attempt gets
 * further. */
static status_t blame(const layout_t *layout, const yaml_t *tree, const refusal_t *refusal, yaml_t *const *nodes, int lines)
{
    yaml_t *node = refusal->line >= 1 && refusal->line <= lines ? nodes[refusal->line - 1] : NULL, *owner = NULL;
    const field_t *field = find_field(layout, tree, node, &owner);
    if (!field || owner->layer == LAYER_DEFAULT)
        return FAIL(ST_INPUT, "%s: refused by libcyaml: %s (line %d of the merged text)", tree->origin, refusal->first,
                    refusal->line);
    /* Of a list that may be one, the element is to blame; of anything else, the whole value. */
    bool in_list = layout_is_list(field) && owner->kind == YAML_LIST;
    while (in_list && node != owner && node->parent != owner)
        node = node->parent;
    if (in_list && node == owner && field->kind == VALUE_WORDS) /* libcyaml's line for a set of words is that of the set */
        for (node = owner->first; node && layout_has_word(field, node); node = node->next)
            ;
    layout_fail_value(in_list && node ? node : owner, field);
    layout_reset(owner, field);
    return ST_OK;
}

status_t decode_tree(const layout_t *layout, yaml_t *tree, void **out)
{
    int errors = layout_check_numbers(layout, tree);
    schema_maker_t maker;
    make_schema(layout, &maker);
    status_t status = ST_OK;
    void *value = NULL;
    while (status == ST_OK && !value) {
        char *text;
        yaml_t **nodes;
        int lines;
        refusal_t refusal = {0};
        cyaml_config_t cyaml = {.log_fn = listen,
                                .log_ctx = &refusal,
                                .mem_fn = cyaml_memory,
                                .log_level = CYAML_LOG_ERROR,
                                .flags = CYAML_CFG_NO_ALIAS};
        yaml_json(tree, &text, &nodes, &lines);
        cyaml_err_t error = cyaml_load_data((const uint8_t *)text, strlen(text), &cyaml, &maker.root, &value, NULL);
        if (error == CYAML_ERR_OOM) {
            status = FAIL(ST_SYSTEM, "out of memory while decoding %s", tree->origin);
        } else if (error != CYAML_OK) {
            errors++;
            status = blame(layout, tree, &refusal, nodes, lines);
        }
        mem_free(text);
        mem_free(nodes);
    }
    mem_free(maker.fields);
    mem_free(maker.words);
    mem_free(maker.series);
    if (status == ST_OK && errors)
        status = ST_INPUT;
    if (status == ST_OK)
        *out = value;
    else
        layout_destroy(layout, value);
    return status;
}
