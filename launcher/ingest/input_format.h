/* input_format.h - the table of input formats: how the text of a file becomes rows. A format is one file, and one line of
 * TEXT_FORMATS in common/config/config.h, where its word, by which a schema asks for it, is said to have rows of columns or of
 * features. It is an input_format_t with the functions for such rows:
 *
 *     columns    a row has a text for each column; the schema says which columns are label, query, time, split and inputs
 *     features   a row has a label, perhaps a query id, and any number of ids with values, all of which are inputs
 *
 * Compression and lines are text_reader's, numbers and keys are import's; a format cuts up text. Not thread-safe. */
#ifndef SMELTER_INPUT_FORMAT_H
#define SMELTER_INPUT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/data/dataset.h"
#include "common/data/field_rules.h"
#include "launcher/ingest/label_reader.h"
#include "launcher/ingest/text_reader.h"

/* ---- columns ---- */

typedef struct text_field {
    char *text; /* NUL-terminated, as it is meant: unquoted */
    int bytes;
    bool is_list; /* of values that have a NUL behind each, whatever separator the schema says */
} text_field_t;

/* A row, borrowed until the next one. */
typedef struct text_row {
    int64_t line; /* the first of its lines */
    const text_field_t *fields;
    int count;
    const char *fault; /* NULL, or what is wrong with the row's form; then fields may end with the one at fault */
    int fault_field;   /* from 0; -1: none, but the row as a whole */
} text_row_t;

/* What is made of a column: of a boolean a number is 1 or 0, and a text true or false; only a multi column may be a list. */
typedef enum column_use { COLUMN_AS_TEXT, COLUMN_AS_NUMBER, COLUMN_AS_MANY } column_use_t;

typedef struct column_format {
    /* names: of the columns [count], borrowed until close. Without schema->header, and where the file does not name them, they
     * are c1, c2 ...  ST_INPUT where the file has no row or no proper head.  state is **owned**; close. */
    status_t (*open)(text_reader_t *reader, const schema_t *schema, void **state, char *const **names, int *count);
    /* The next row, or *end. ST_INPUT where what follows cannot be told apart. */
    status_t (*next)(void *state, text_row_t *row, bool *end);
    void (*close)(void **state);
    /* NULL, or to be called before the first row for each column whose fields are looked at; those of others are empty then.
     * ST_INPUT where it cannot be read so. */
    status_t (*want)(void *state, int column, column_use_t use);
} column_format_t;

/* ---- features ---- */

/* A row; what it points to is in the line, or kept for the next row. Empty at first; feature_row_fini. */
typedef struct feature_row {
    const label_reader_t *label_reader; /* borrowed, set before the first row */
    uint8_t label;
    bool has_group;
    uint64_t group;
    dataset_text_t group_text;
    int count;
    dataset_text_t *ids; /* [count] */
    uint64_t *keys;
    float *weights;
    int32_t *fields;    /* [count] of which field each is; NULL: the format has one */
    int32_t last_field; /* the largest of the row, -1 where there is none */
    size_t ids_capacity, keys_capacity, weights_capacity, fields_capacity;
    /* What is wrong, where parse returns false: the text is in the line, or NULL where nothing is there. */
    const char *fault, *fault_column, *fault_text;
    int fault_bytes;
} feature_row_t;

void feature_row_fini(feature_row_t *row);

typedef struct feature_format {
    bool has_fields;                                   /* of features, numbered from 0: each is a field of the dataset */
    bool (*is_row)(const char *line, size_t bytes);    /* false: blank or a comment */
    bool (*has_group)(const char *line, size_t bytes); /* of the first row, which decides for all */
    /* The line, which may be changed and stays while the row is used.  false: see fault. */
    bool (*parse)(char *line, size_t bytes, const schema_t *schema, feature_row_t *row);
    field_rules_t (*rules)(void); /* what is made of a feature */
} feature_format_t;

/* ---- the table ---- */

typedef struct input_format {
    const char *name;          /* its word */
    column_format_t columns;   /* all, or */
    feature_format_t features; /* all of these */
} input_format_t;

#define INPUT_FORMAT_EXTERN(word, constant, rows, meaning) extern const input_format_t input_format_##word;
TEXT_FORMATS(INPUT_FORMAT_EXTERN)

const input_format_t *input_format_get(text_format_t format);

/* input_format_of - the format by which an opened file is read: the schema's, but of a Parquet file, which is told by its first
 * bytes, its own. ST_INPUT: the schema wants features, and Parquet has columns. */
WARN_UNUSED status_t input_format_of(text_reader_t *reader, const schema_t *schema, const input_format_t **out);

#endif
