#include "common/files/jsondoc.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"

/* A jsondoc_t is a json_t under another name, so that no other file sees jansson's. */
static json_t *json_of(const jsondoc_t *doc)
{
    return (json_t *)(uintptr_t)doc;
}

/* jansson returns NULL only where memory is out or a text is not UTF-8, and both are refused before. */
static jsondoc_t *doc_of(json_t *value)
{
    ASSERT(value);
    return (jsondoc_t *)value;
}

jsondoc_t *jsondoc_object(void)
{
    return doc_of(json_object());
}

jsondoc_t *jsondoc_array(void)
{
    return doc_of(json_array());
}

void jsondoc_destroy(jsondoc_t **doc)
{
    if (!*doc)
        return;
    json_decref(json_of(*doc));
    *doc = NULL;
}

static void put(jsondoc_t *object, const char *key, json_t *value)
{
    int refused = json_object_set_new(json_of(object), key, value);
    ASSERT(refused == 0);
}

void jsondoc_put(jsondoc_t *object, const char *key, jsondoc_t **child)
{
    put(object, key, json_of(*child));
    *child = NULL;
}

static json_t *number_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void jsondoc_put_number(jsondoc_t *object, const char *key, double value)
{
    put(object, key, number_of(value));
}

void jsondoc_put_integer(jsondoc_t *object, const char *key, int64_t value)
{
    put(object, key, json_integer(value));
}

/* Names come from files in any encoding; bytes that are not UTF-8 become '?', so that the document stays valid JSON. */
static json_t *text_of(const char *value)
{
    json_t *text = json_string(value);
    if (!text) {
        char *plain = mem_strdup(value);
        for (char *c = plain; *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
        text = json_string(plain);
        mem_free(plain);
    }
    return text;
}

void jsondoc_put_text(jsondoc_t *object, const char *key, const char *value)
{
    put(object, key, text_of(value));
}

void jsondoc_append(jsondoc_t *array, jsondoc_t **child)
{
    int refused = json_array_append_new(json_of(array), json_of(*child));
    ASSERT(refused == 0);
    *child = NULL;
}

void jsondoc_append_number(jsondoc_t *array, double value)
{
    int refused = json_array_append_new(json_of(array), number_of(value));
    ASSERT(refused == 0);
}

void jsondoc_put_hash(jsondoc_t *object, const char *key, uint64_t value)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    jsondoc_put_text(object, key, text);
}

void jsondoc_append_integer(jsondoc_t *array, int64_t value)
{
    int refused = json_array_append_new(json_of(array), json_integer(value));
    ASSERT(refused == 0);
}

void jsondoc_append_text(jsondoc_t *array, const char *value)
{
    int refused = json_array_append_new(json_of(array), text_of(value));
    ASSERT(refused == 0);
}

char *jsondoc_text(const jsondoc_t *doc, bool indented)
{
    char *dumped = json_dumps(json_of(doc), JSON_REAL_PRECISION(17) | (indented ? JSON_INDENT(2) : 0));
    ASSERT(dumped);
    char *text = mem_printf("%s\n", dumped);
    free(dumped);
    return text;
}

char *jsondoc_compact(const jsondoc_t *doc, int digits)
{
    char *dumped = json_dumps(json_of(doc), JSON_REAL_PRECISION(digits) | JSON_COMPACT);
    ASSERT(dumped);
    char *text = mem_strdup(dumped);
    free(dumped);
    return text;
}

status_t jsondoc_write(const jsondoc_t *doc, const char *path)
{
    char *text = jsondoc_text(doc, true);
    status_t status = file_write_atomic(path, text, strlen(text));
    mem_free(text);
    return status;
}

status_t jsondoc_parse(const char *text, size_t bytes, const char *where, jsondoc_t **out)
{
    json_error_t error;
    json_t *doc = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!doc)
        return FAIL(ST_CORRUPT, "%s:%d:%d: not JSON: %s; it was cut short or changed, copy or write it again", where,
                    error.line, error.column, error.text);
    *out = doc_of(doc);
    return ST_OK;
}

status_t jsondoc_read(const char *path, jsondoc_t **out)
{
    char *text;
    size_t bytes;
    TRY(file_read(path, &text, &bytes));
    status_t status = jsondoc_parse(text, bytes, path, out);
    mem_free(text);
    return status;
}

status_t jsondoc_read_lines(const char *path, const char *with, jsondoc_t **out)
{
    char *text;
    size_t bytes;
    TRY(file_read(path, &text, &bytes));
    json_t *array = json_of(jsondoc_array());
    status_t status = ST_OK;
    size_t begin = 0, length;
    for (int line = 1; begin < bytes && status == ST_OK; begin += length + 1, line++) {
        const char *end = memchr(text + begin, '\n', bytes - begin);
        length = end ? (size_t)(end - (text + begin)) : bytes - begin;
        if (length == 0 || (with && !memmem(text + begin, length, with, strlen(with))))
            continue;
        json_error_t error;
        json_t *doc = json_loadb(text + begin, length, JSON_REJECT_DUPLICATES, &error);
        if (!doc || json_array_append_new(array, doc) != 0)
            status = FAIL(ST_CORRUPT, "%s:%d:%d: not JSON: %s", path, line, error.column, error.text);
    }
    mem_free(text);
    if (status == ST_OK)
        *out = doc_of(array);
    else
        json_decref(array);
    return status;
}

static status_t get(const jsondoc_t *object, const char *where, const char *key, json_t **out)
{
    *out = json_object_get(json_of(object), key);
    if (!*out)
        return FAIL(ST_CORRUPT, "%s: \"%s\" is missing", where, key);
    return ST_OK;
}

status_t jsondoc_get_object(const jsondoc_t *object, const char *where, const char *key, const jsondoc_t **out)
{
    json_t *value;
    TRY(get(object, where, key, &value));
    if (!json_is_object(value))
        return FAIL(ST_CORRUPT, "%s: \"%s\" is not an object", where, key);
    *out = (const jsondoc_t *)value;
    return ST_OK;
}

status_t jsondoc_get_array(const jsondoc_t *object, const char *where, const char *key, const jsondoc_t **out)
{
    json_t *value;
    TRY(get(object, where, key, &value));
    if (!json_is_array(value))
        return FAIL(ST_CORRUPT, "%s: \"%s\" is not an array", where, key);
    *out = (const jsondoc_t *)value;
    return ST_OK;
}

status_t jsondoc_get_number(const jsondoc_t *object, const char *where, const char *key, double *out)
{
    json_t *value;
    TRY(get(object, where, key, &value));
    if (!json_is_number(value) && !json_is_null(value))
        return FAIL(ST_CORRUPT, "%s: \"%s\" is not a number", where, key);
    *out = json_is_null(value) ? NAN : json_number_value(value);
    return ST_OK;
}

status_t jsondoc_get_integer(const jsondoc_t *object, const char *where, const char *key, int64_t least, int64_t most,
                             int64_t *out)
{
    json_t *value;
    TRY(get(object, where, key, &value));
    if (!json_is_integer(value))
        return FAIL(ST_CORRUPT, "%s: \"%s\" is not a whole number", where, key);
    int64_t number = json_integer_value(value);
    if (number < least || number > most)
        return FAIL(ST_CORRUPT, "%s: \"%s\" is %" PRId64 "; it must be from %" PRId64 " to %" PRId64, where, key, number, least,
                    most);
    *out = number;
    return ST_OK;
}

status_t jsondoc_get_text(const jsondoc_t *object, const char *where, const char *key, const char **out)
{
    json_t *value;
    TRY(get(object, where, key, &value));
    if (!json_is_string(value))
        return FAIL(ST_CORRUPT, "%s: \"%s\" is not a text", where, key);
    *out = json_string_value(value);
    return ST_OK;
}

status_t jsondoc_get_hash(const jsondoc_t *object, const char *where, const char *key, uint64_t *out)
{
    const char *text = NULL;
    TRY(jsondoc_get_text(object, where, key, &text));
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return FAIL(ST_CORRUPT, "%s: \"%s\" is \"%s\"; it must be 16 hex digits", where, key, text);
    *out = strtoull(text, NULL, 16);
    return ST_OK;
}

bool jsondoc_has(const jsondoc_t *object, const char *key)
{
    return json_object_get(json_of(object), key) != NULL;
}

status_t jsondoc_get_integers(const jsondoc_t *object, const char *where, const char *key, int64_t least, int64_t most,
                              int64_t **out, int64_t *n)
{
    const jsondoc_t *array = NULL;
    TRY(jsondoc_get_array(object, where, key, &array));
    const int64_t length = jsondoc_length(array);
    int64_t *integers = MEM_ARRAY(int64_t, length ? length : 1);
    for (int64_t i = 0; i < length; i++) {
        const json_t *value = json_of(jsondoc_at(array, i));
        integers[i] = json_integer_value(value);
        if (!json_is_integer(value) || integers[i] < least || integers[i] > most) {
            mem_free(integers);
            return FAIL(ST_CORRUPT, "%s: element %" PRId64 " of \"%s\" is not an integer from %" PRId64 " to %" PRId64, where,
                        i, key, least, most);
        }
    }
    *out = integers;
    *n = length;
    return ST_OK;
}

int64_t jsondoc_length(const jsondoc_t *array)
{
    return (int64_t)json_array_size(json_of(array));
}

const jsondoc_t *jsondoc_at(const jsondoc_t *array, int64_t i)
{
    json_t *element = json_array_get(json_of(array), (size_t)i);
    ASSERT(element);
    return (const jsondoc_t *)element;
}
