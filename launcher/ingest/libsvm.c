/* A line of libsvm or libfm text: LABEL [qid:GROUP] ID:VALUE ... [# comment]; and of libffm: LABEL FIELD:ID:VALUE ... Two input
 * formats. Ids up to schema->feature_limit, or where that is 0 any text; the key of an id is dataset_key of it, without zeros
 * before a decimal one. Labels 0 and 1, or -1 and +1, or what the schema's rule says. */
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/data/field_text.h"
#include "launcher/ingest/input_format.h"

#define OVERFLOW "feature id overflow (see feature_limit)"
#define FIELDS_MOST 4096 /* of libffm; as schema_t.fields */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of [*at, end), or NULL; the comment is cut off. */
static char *next_word(char **at, char *end, int *bytes)
{
    char *start = *at;
    while (start < end && is_space(*start))
        start++;
    if (start == end || *start == '#')
        return NULL;
    char *stop = start;
    while (stop < end && !is_space(*stop))
        stop++;
    *at = stop;
    *bytes = (int)(stop - start);
    return start;
}

static bool set_fault(feature_row_t *row, const char *column, const char *fault, const char *text, int bytes)
{
    row->fault = fault;
    row->fault_column = column;
    row->fault_text = text;
    row->fault_bytes = bytes;
    return false;
}

/* A non-negative integer up to limit: NULL, or what is wrong. */
static const char *parse_id(const char *text, int bytes, int64_t limit)
{
    if (bytes == 0)
        return "a feature is ID:VALUE with a decimal id";
    int64_t id = 0;
    for (int i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return "a feature is ID:VALUE with a decimal id";
        if (__builtin_mul_overflow(id, 10, &id) || __builtin_add_overflow(id, text[i] - '0', &id))
            return OVERFLOW;
    }
    return id > limit ? OVERFLOW : NULL;
}

static void add_feature(feature_row_t *row, char *id, int bytes, double value)
{
    while (*id == '0' && bytes > 1 && id[1] >= '0' && id[1] <= '9') {
        id++;
        bytes--;
    }
    const size_t n = (size_t)row->count + 1;
    MEM_GROW(row->ids, row->ids_capacity, n);
    MEM_GROW(row->keys, row->keys_capacity, n);
    MEM_GROW(row->weights, row->weights_capacity, n);
    row->ids[row->count] = (dataset_text_t){id, bytes};
    row->keys[row->count] = dataset_key(id, bytes);
    row->weights[row->count] = (float)value;
    row->count++;
}

static const char features[] = "features";

static bool parse_feature(feature_row_t *row, char *word, int bytes, int64_t limit)
{
    char *colon = limit ? memchr(word, ':', (size_t)bytes) : memrchr(word, ':', (size_t)bytes);
    if (!colon)
        return set_fault(row, features, "a feature is ID:VALUE", word, bytes);
    const char *fault = limit           ? parse_id(word, (int)(colon - word), limit)
                        : colon == word ? "a feature is ID:VALUE, and the id is empty"
                                        : NULL;
    if (fault)
        return set_fault(row, features, fault, word, bytes);
    double value;
    fault = field_number(colon + 1, bytes - (int)(colon + 1 - word), &value);
    if (!fault && !isfinite((float)value))
        fault = "out of the range of 32-bit floating point";
    if (fault)
        return set_fault(row, features, fault, word, bytes);
    add_feature(row, word, (int)(colon - word), value);
    return true;
}

/* FIELD: in front of a feature; what follows it, or NULL. */
static char *parse_field(const char *word, int bytes, int32_t *field)
{
    char *colon = memchr(word, ':', (size_t)bytes);
    int64_t number = 0;
    for (const char *at = word; colon && at < colon; at++) {
        number = number * 10 + (*at - '0');
        if (*at < '0' || *at > '9' || number >= FIELDS_MOST)
            return NULL;
    }
    if (!colon || colon == word)
        return NULL;
    *field = (int32_t)number;
    return colon + 1;
}

static bool parse_field_feature(feature_row_t *row, char *word, int bytes, int64_t limit)
{
    int32_t field;
    char *feature = parse_field(word, bytes, &field);
    if (!feature)
        return set_fault(row, features, "a feature is FIELD:ID:VALUE, and a field is a number from 0 to 4095", word, bytes);
    if (!parse_feature(row, feature, bytes - (int)(feature - word), limit))
        return set_fault(row, features, row->fault, word, bytes);
    MEM_GROW(row->fields, row->fields_capacity, (size_t)row->count);
    row->fields[row->count - 1] = field;
    row->last_field = field > row->last_field ? field : row->last_field;
    return true;
}

typedef bool parse_word_fn(feature_row_t *row, char *word, int bytes, int64_t limit);

static bool parse_line(char *line, size_t bytes, const schema_t *schema, parse_word_fn *parse_word, feature_row_t *row)
{
    char *at = line, *end = line + bytes, *word;
    int length = 0;
    row->count = 0;
    row->last_field = -1;
    row->has_group = false;
    row->group = 0;
    row->group_text = (dataset_text_t){NULL, 0};
    row->fault = NULL;
    word = next_word(&at, end, &length);
    if (!word)
        return set_fault(row, "label", "there is none", NULL, 0);
    const char *fault = label_read(row->label_reader, word, length, &row->label);
    if (fault)
        return set_fault(row, "label", fault, word, length);
    while ((word = next_word(&at, end, &length))) {
        if (length > 4 && memcmp(word, "qid:", 4) == 0 && !row->has_group && row->count == 0) {
            row->has_group = true;
            row->group = dataset_key(word + 4, length - 4);
            row->group_text = (dataset_text_t){word + 4, length - 4};
        } else if (!parse_word(row, word, length, schema->feature_limit)) {
            return false;
        }
    }
    return true;
}

static bool parse_libsvm(char *line, size_t bytes, const schema_t *schema, feature_row_t *row)
{
    return parse_line(line, bytes, schema, parse_feature, row);
}

static bool parse_libffm(char *line, size_t bytes, const schema_t *schema, feature_row_t *row)
{
    return parse_line(line, bytes, schema, parse_field_feature, row);
}

static bool has_group(const char *line, size_t bytes)
{
    const char *at = line, *end = line + bytes;
    while (at < end && is_space(*at))
        at++;
    while (at < end && !is_space(*at))
        at++;
    while (at < end && is_space(*at))
        at++;
    return end - at > 4 && memcmp(at, "qid:", 4) == 0;
}

static bool is_row(const char *line, size_t bytes)
{
    const size_t blank = strspn(line, " \t");
    return blank < bytes && line[blank] != '#';
}

const input_format_t input_format_libsvm = {
    .name = "libsvm",
    .features = {.is_row = is_row, .has_group = has_group, .parse = parse_libsvm, .rules = field_rules_libsvm}};
const input_format_t input_format_libffm = {
    .name = "libffm",
    .features = {
        .has_fields = true, .is_row = is_row, .has_group = has_group, .parse = parse_libffm, .rules = field_rules_libsvm}};
