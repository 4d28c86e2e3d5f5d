/* A line of libsvm or libfm text: LABEL [qid:GROUP] ID:VALUE ... [# comment]. Ids up to schema->feature_limit; the key of an
 * id is dataset_key of its decimal text. Labels 0 and 1, or -1 and +1. */
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/data/field_text.h"
#include "launcher/ingest/input_format.h"

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
            return "feature id overflow (see feature_limit)";
    }
    return id > limit ? "feature id overflow (see feature_limit)" : NULL;
}

static bool parse_feature(feature_row_t *row, char *word, int bytes, int64_t limit)
{
    static const char column[] = "features";
    char *colon = memchr(word, ':', (size_t)bytes);
    if (!colon)
        return set_fault(row, column, "a feature is ID:VALUE", word, bytes);
    const char *fault = parse_id(word, (int)(colon - word), limit);
    if (fault)
        return set_fault(row, column, fault, word, bytes);
    double value;
    fault = field_number(colon + 1, bytes - (int)(colon + 1 - word), &value);
    if (!fault && !isfinite((float)value))
        fault = "out of the range of 32-bit floating point";
    if (fault)
        return set_fault(row, column, fault, word, bytes);

    char *id = word;
    while (*id == '0' && id + 1 < colon)
        id++;
    const size_t n = (size_t)row->count + 1;
    MEM_GROW(row->ids, row->ids_capacity, n);
    MEM_GROW(row->keys, row->keys_capacity, n);
    MEM_GROW(row->weights, row->weights_capacity, n);
    row->ids[row->count] = (dataset_text_t){id, (int)(colon - id)};
    row->keys[row->count] = dataset_key(id, (int)(colon - id));
    row->weights[row->count] = (float)value;
    row->count++;
    return true;
}

static bool parse(char *line, size_t bytes, const schema_t *schema, feature_row_t *row)
{
    char *at = line, *end = line + bytes, *word;
    int length = 0;
    row->count = 0;
    row->has_group = false;
    row->group = 0;
    row->fault = NULL;
    word = next_word(&at, end, &length);
    if (!word)
        return set_fault(row, "label", "there is none", NULL, 0);
    const char *fault = field_label(word, length, 1, &row->label);
    if (fault)
        return set_fault(row, "label", fault, word, length);
    while ((word = next_word(&at, end, &length))) {
        if (length > 4 && memcmp(word, "qid:", 4) == 0 && !row->has_group && row->count == 0) {
            row->has_group = true;
            row->group = dataset_key(word + 4, length - 4);
        } else if (!parse_feature(row, word, length, schema->feature_limit)) {
            return false;
        }
    }
    return true;
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

const input_format_t input_format_libsvm = {.name = "libsvm", .features = {is_row, has_group, parse, field_rules_libsvm}};
