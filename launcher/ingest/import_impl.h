/* import_impl.h - what an import knows while it runs; of import.c, import_columns.c and import_features.c. */
#ifndef SMELTER_IMPORT_IMPL_H
#define SMELTER_IMPORT_IMPL_H

#include <math.h>

#include "common/data/dataset.h"
#include "launcher/ingest/input_format.h"
#include "launcher/ingest/label_reader.h"
#include "launcher/ingest/missing_words.h"
#include "launcher/ingest/rows/waiting_rows.h"
#include "launcher/ingest/sources.h"

#define LOGS 1024       /* whole numbers whose logarithms are kept: 8 KB */
#define BUCKET_BYTES 16 /* of the text of a bucket */

/* A field of the dataset and where its values come from. */
typedef struct slot {
    const schema_column_t *column;
    int at;                         /* column of the text, from 0 */
    bool is_indicator;              /* 1 where the column's number is missing */
    float fill;                     /* what is stored where a number is missing; NaN: the dataset's missing value */
    column_bins_t *bins;            /* borrowed, NULL: none; */
    int number;                     /* its place among the numbers that wait for their bins; -1: it has none */
    const missing_words_t *missing; /* borrowed, NULL: none */
} slot_t;

/* A row of features whose fields are not known yet. */
typedef struct held_line {
    size_t at, bytes; /* in held_text */
    int64_t number;
    int file;
} held_line_t;

typedef struct import {
    const schema_t *schema;
    const input_format_t *format;
    bool has_format;         /* the files so far are all of `format` */
    const char *path;        /* of the dataset */
    const dataset_t *former; /* to which rows are appended, in the place of a new one; NULL: none */
    const char *former_path;
    int64_t former_rows, former_input_rows; /* of it, and of all that it was made of */
    bool compress, progress;
    int64_t most; /* rows of columns that are read of a file; 0: all */
    dataset_writer_t *writer;
    label_reader_t label_reader[DATASET_LABELS_MOST]; /* [labels] */
    int labels;
    missing_words_t missing; /* of the whole file */

    /* The file that is being read. */
    const sources_t *sources;
    int file;
    const char *input; /* its path, for messages */
    text_reader_t *reader;
    origin_file_t *files; /* [sources->count] of those that were read; **owned** */

    /* Columns of the text; -1: not used. */
    int label[DATASET_LABELS_MOST], group, time, split, weight;
    char *const *names; /* the format's */
    int columns;
    char **first_names; /* [first_columns] of the first file that has any; **owned** */
    int first_columns, first_file;
    slot_t *slots; /* [numeric + single + multi] */
    int numeric, single, multi;
    missing_words_t *column_missing; /* [schema->columns_count] */
    schema_column_t *indicators;     /* [schema->columns_count] their names are **owned** */
    bool has_missing;
    column_bins_t *bins;     /* [schema->columns_count] */
    double *numbers;         /* [schema->columns_count] of columns of bins whose edges are not known yet; NaN: missing */
    waiting_rows_t *waiting; /* NULL: rows are written as they come */
    bool has_group_texts;    /* the query id is no field, so its texts are to be kept for its own sake */

    /* The row that is being read. */
    dataset_row_t row;
    uint8_t label_values[DATASET_LABELS_MOST];
    float *numeric_values;
    double logs[LOGS]; /* of the first counts */
    uint64_t *single_keys;
    dataset_text_t *single_text;
    char (*bucket)[BUCKET_BYTES]; /* [single] texts that are in no line */
    int32_t *multi_count;
    uint64_t *multi_key;
    float *multi_weight;
    dataset_text_t *multi_text;
    size_t multi_key_capacity, multi_weight_capacity, multi_text_capacity;

    /* Rows of features. */
    bool is_begun;
    int32_t *field_at; /* [multi] */
    held_line_t *held;
    char *held_text;
    size_t held_count, held_capacity, held_bytes, held_text_capacity;

    time_unit_t unit;  /* what the times so far count, */
    bool has_unit;     /* once there is one */
    int64_t last_time; /* where order is to be checked: of the last row with a time, in */
    time_unit_t last_unit;
    bool has_last;

    int64_t rows, train_rows, bad_rows;
    int64_t word_groups;    /* rows whose query id is a word for nothing, */
    const char *word_group; /* the last of which was this */
    int64_t started_ns, shown_ns;
} import_t;

/* import_bad - count a bad row; ST_INPUT where it is one too many. column NULL: the row as a whole. */
WARN_UNUSED status_t import_bad(import_t *im, int64_t line, const char *column, const char *what, const char *text, int bytes);

/* import_create_writer - once the slots are known. */
WARN_UNUSED status_t import_create_writer(import_t *im);

/* import_time_unit - as dataset_writer_time_unit, also of rows that wait. */
WARN_UNUSED bool import_time_unit(import_t *im, time_unit_t unit);

/* import_put - im->row is a good one. */
WARN_UNUSED status_t import_put(import_t *im);

/* import_set_file - the one of sources that rows are of, for messages and counts. */
void import_set_file(import_t *im, int file);

/* import_columns, import_features - the rows of the file that was opened.  import_features_finish - after the last file.
 * *_fini - also after an error. */
WARN_UNUSED status_t import_columns(import_t *im);
void import_columns_fini(import_t *im);
WARN_UNUSED status_t import_features(import_t *im, feature_row_t *row);
WARN_UNUSED status_t import_features_finish(import_t *im, feature_row_t *row);
void import_features_fini(import_t *im);

#endif
