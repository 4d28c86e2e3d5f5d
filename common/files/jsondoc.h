/* jsondoc.h - JSON documents (the only user of jansson): build and write, read and check.
 *
 * A document is a tree of objects, arrays and values; members keep the order in which they were put. A jsondoc_t of its own
 * is **owned** (jsondoc_destroy); one got out of another is borrowed. Numbers are written with 17 digits, so a double reads
 * back to the same bits. NaN and infinity, which JSON does not have, are written as null; null reads back as
 * NaN. */
#ifndef SMELTER_JSONDOC_H
#define SMELTER_JSONDOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct jsondoc jsondoc_t;

jsondoc_t *jsondoc_object(void); /* **owned** */
jsondoc_t *jsondoc_array(void);  /* **owned** */
void jsondoc_destroy(jsondoc_t **doc);

/* Members of an object. jsondoc_put takes ownership of the child. */
void jsondoc_put(jsondoc_t *object, const char *key, jsondoc_t **child);
void jsondoc_put_number(jsondoc_t *object, const char *key, double value);
void jsondoc_put_integer(jsondoc_t *object, const char *key, int64_t value);
void jsondoc_put_text(jsondoc_t *object, const char *key, const char *value);
/* jsondoc_put_hash - as a text of 16 hex digits: JSON's numbers do not hold 64 bits everywhere. */
void jsondoc_put_hash(jsondoc_t *object, const char *key, uint64_t value);
/* jsondoc_append - a child at the end of an array; takes ownership. */
void jsondoc_append(jsondoc_t *array, jsondoc_t **child);
void jsondoc_append_number(jsondoc_t *array, double value);
void jsondoc_append_integer(jsondoc_t *array, int64_t value);
void jsondoc_append_text(jsondoc_t *array, const char *value);

/* jsondoc_text - **owned** text (mem_free) with a newline at the end; on one line, or indented by two. */
char *jsondoc_text(const jsondoc_t *doc, bool indented);
/* jsondoc_compact - **owned** text (mem_free) without any white space, numbers with the given number of significant digits, 1
 * to 17: for a reader that shows them. */
char *jsondoc_compact(const jsondoc_t *doc, int digits);
/* jsondoc_write - the indented text into a file, in one step. */
WARN_UNUSED status_t jsondoc_write(const jsondoc_t *doc, const char *path);

/* jsondoc_parse - the document in a text of the given length in bytes; `where` names it in errors. ST_CORRUPT: not JSON (with
 * line and column). */
WARN_UNUSED status_t jsondoc_parse(const char *text, size_t bytes, const char *where, jsondoc_t **out);
/* jsondoc_read - the document in a file. ST_INPUT: no such file; ST_CORRUPT: not JSON (with line and column). */
WARN_UNUSED status_t jsondoc_read(const char *path, jsondoc_t **out);
/* jsondoc_read_lines - an array of the documents in a file of one per line; empty lines are left out, and those that do not
 * contain the text `with`, unless it is NULL. Errors as above. */
WARN_UNUSED status_t jsondoc_read_lines(const char *path, const char *with, jsondoc_t **out);

/* Members of an object, checked: ST_CORRUPT names `where` (the file) and the key that is missing or of another type, or the
 * integer that is outside of [least, most]. Children and texts are borrowed. */
WARN_UNUSED status_t jsondoc_get_object(const jsondoc_t *object, const char *where, const char *key, const jsondoc_t **out);
WARN_UNUSED status_t jsondoc_get_array(const jsondoc_t *object, const char *where, const char *key, const jsondoc_t **out);
WARN_UNUSED status_t jsondoc_get_number(const jsondoc_t *object, const char *where, const char *key, double *out);
WARN_UNUSED status_t jsondoc_get_integer(const jsondoc_t *object, const char *where, const char *key, int64_t least,
                                         int64_t most, int64_t *out);
WARN_UNUSED status_t jsondoc_get_text(const jsondoc_t *object, const char *where, const char *key, const char **out);
WARN_UNUSED status_t jsondoc_get_hash(const jsondoc_t *object, const char *where, const char *key, uint64_t *out);

/* jsondoc_has - is there such a member? For those that older files do not have. */
bool jsondoc_has(const jsondoc_t *object, const char *key);

/* jsondoc_length / jsondoc_at - the elements of an array; an element is borrowed. 0 <= i < length. */
int64_t jsondoc_length(const jsondoc_t *array);
const jsondoc_t *jsondoc_at(const jsondoc_t *array, int64_t i);
/* jsondoc_get_integers - an array of integers of [least, most], checked: *out **owned**, [*n]. */
WARN_UNUSED status_t jsondoc_get_integers(const jsondoc_t *object, const char *where, const char *key, int64_t least,
                                          int64_t most, int64_t **out, int64_t *n);

#endif
