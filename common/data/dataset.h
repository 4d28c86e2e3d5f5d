/* dataset.h - the dataset store: an LMDB environment of checksummed columnar blocks. Reader dataset.c, writer
 * dataset_writer.c, stored form of a block block.c, LMDB dataset_file.c.
 *
 * A dataset is written once, in order, and read by position. An example has one label, an optional group (query) and
 * time, N numeric values, C single-valued categorical fields and M multi-valued fields. A categorical value is a 64-bit
 * key (the hash of its text); the missing value is a key of its own. Every row is of one split: training, evaluation, or, in
 * datasets that have one, test, on which nothing is ever chosen. They follow each other or are any subsets: the store keeps the
 * positions of each in stored order, so that (split, i) -> example is a lookup.           */
#ifndef SMELTER_DATASET_H
#define SMELTER_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/data/census.h"
#include "common/data/day_list.h"
#include "common/data/field_rules.h"
#include "common/data/origin.h"

#define DATASET_NO_TIME INT64_MIN /* the time of a row without one */

typedef enum split { SPLIT_TRAIN, SPLIT_EVAL, SPLIT_ALL, SPLIT_TEST, SPLITS } split_t; /* SPLIT_ALL: in stored order */

typedef struct dataset_field {
    char name[64];
    column_kind_t kind;
    pooling_t pooling;   /* COLUMN_MULTI */
    double mean, scale;  /* COLUMN_NUMERIC: stored value x is used as (x - mean) * scale; 0 and 1 unless standardised */
    int64_t cardinality; /* categorical, multi: distinct values seen (exact); the missing value is one of them */
    int64_t values;      /* values seen in all; a single-valued field has one per row, the missing value included */
    int64_t missing;     /* rows without a value */
    double low, high;    /* numeric: range of stored values, before mean and scale; 0 and 0 where all are missing */
    field_rules_t rules; /* how its values came about */
} dataset_field_t;

#define DATASET_NO_LABEL 2     /* what a row holds in the place of a label that it has not */
#define DATASET_LABELS_MOST 16 /* of one dataset */

/* One of the labels that every row of a dataset has. */
typedef struct dataset_label {
    char name[64]; /* "" where the dataset has one and does not say */
    int64_t positives, train_positives, test_positives, unlabelled;
} dataset_label_t;

typedef struct dataset_info {
    int64_t rows, train_rows, eval_rows, test_rows, positives, bad_rows;
    int32_t numeric, single, multi; /* counts of fields of each kind */
    bool has_group, has_time, has_weight;
    bool may_lack_label;             /* rows of no label are among them, or could be */
    int32_t labels, label;           /* how many each row has, and the number of the chosen one, which positives are of */
    const dataset_label_t *label_of; /* [labels], borrowed */
    double weight_mean;              /* of the training rows (of all, where there are none); weights are divided by it */
    uint64_t content_hash;           /* over all blocks and the schema, independent of compression */
    const dataset_field_t *fields;   /* [numeric + single + multi], in this order of kinds, borrowed */
} dataset_info_t;

/* A decoded block. Rows are contiguous (row-major), because training visits examples in shuffled order. Borrowed. */
typedef struct dataset_block {
    int64_t first; /* position of row 0 in the dataset */
    int32_t rows;
    const uint8_t *label;     /* [rows] 0 or 1; DATASET_NO_LABEL where the dataset may lack labels and the row has none. To be
                               * encoded: of all labels, each BLOCK_ROWS after the one before */
    const float *weight;      /* [rows] divided by the mean; NULL: the dataset has none. To be encoded: as given */
    const uint64_t *group;    /* [rows]; zeros where there is no such column, QUERY_NONE where a row has none */
    const int64_t *time;      /* [rows]; zeros where there is no such column, DATASET_NO_TIME where a row has none */
    const float *numeric;     /* [rows][numeric], transformed and standardised; 0 (the mean) where missing */
    const uint64_t *single;   /* [rows][single] */
    const uint32_t *multi_at; /* [rows * multi + 1]: values of (row, m) are multi_key[multi_at[row*multi+m] .. next) */
    const uint64_t *multi_key;
    const float *multi_weight; /* same length; 1 where the input has no weights */
} dataset_block_t;

/* One example inside a decoded block. */
typedef struct dataset_example {
    const dataset_block_t *block;
    int32_t row;
} dataset_example_t;

typedef struct dataset dataset_t;

/* dataset_open - open for reading. cache_bytes bounds the decoded blocks kept in memory.
 * ST_INPUT: no such dataset, or it is empty; ST_CORRUPT: wrong magic, version or checksum.  One dataset_t per thread. */
WARN_UNUSED status_t dataset_open(const char *path, int64_t cache_bytes, dataset_t **out);
void dataset_close(dataset_t **dataset);
bool dataset_exists(const char *path);
const dataset_info_t *dataset_info(const dataset_t *dataset);
const char *dataset_path(const dataset_t *dataset); /* as it was opened, borrowed */

/* dataset_verify - check every page of its file, also those that hold no record, and decode every block. ST_CORRUPT names the
 * first one that is damaged. */
WARN_UNUSED status_t dataset_verify(dataset_t *dataset);

/* dataset_standardise - use numeric field f as (x - mean_scale[2 f]) * mean_scale[2 f + 1] from now on; NULL: by the dataset's
 * own numbers again. Decoded blocks are forgotten where that changes anything. */
void dataset_standardise(dataset_t *dataset, const double *mean_scale);

/* dataset_choose_label - examples have the label of this name from now on; "" is the first. Decoded blocks are forgotten where
 * that changes anything.  ST_INPUT where the dataset has no label of the name. */
WARN_UNUSED status_t dataset_choose_label(dataset_t *dataset, const char *name);

/* dataset_train_since - the training split is from now on what was appended after the dataset had this content (16 hex digits,
 * as inspect shows it); "" all of it. Examples are counted from the first of them.
 * ST_INPUT where the dataset never was that, or no training row was appended since. */
WARN_UNUSED status_t dataset_train_since(dataset_t *dataset, const char *content);

/* dataset_limit_cache - keep at most so many bytes of decoded blocks from now on.  dataset_cache_bytes - the bound. */
void dataset_limit_cache(dataset_t *dataset, int64_t cache_bytes);
int64_t dataset_cache_bytes(const dataset_t *dataset);

/* dataset_share - share decoded blocks with the other readers of this host, `readers` of them in all, in the file `descriptor`
 * (shared_blocks.h), which is **taken over**. From then on the bound of the cache is one for all of them. Before the first
 * fetch. Where it cannot be, the reader goes on alone.
 * dataset_readers - how many share one bound. */
void dataset_share(dataset_t *dataset, int descriptor, int readers);
int dataset_readers(const dataset_t *dataset);

/* dataset_origin, dataset_census - what the dataset was made of and what was counted; borrowed. Of kind ORIGIN_UNKNOWN, and not
 * is_recorded, for a dataset that was made before they were kept. */
const origin_t *dataset_origin(const dataset_t *dataset);
const census_t *dataset_census(const dataset_t *dataset);

/* dataset_days - what was appended to it; borrowed. */
const day_list_t *dataset_days(const dataset_t *dataset);

/* dataset_train_positives - of the training split as it is now; where the census is recorded. */
int64_t dataset_train_positives(const dataset_t *dataset);

/* dataset_schema - the schema that it was imported by, as schema_yaml has it, with edges where the file said how many bins;
 * **owned**. NULL: it is older, or was generated. */
WARN_UNUSED status_t dataset_schema(dataset_t *dataset, char **yaml);

/* dataset_split_rows - number of examples of a split.
 * dataset_split_word - train, eval, all or test.  dataset_split_name - "training", "evaluation" .. before "split".
 * dataset_split_of - the split of a word; false where there is none. */
int64_t dataset_split_rows(const dataset_info_t *info, split_t split);
const char *dataset_split_word(split_t split);
const char *dataset_split_name(split_t split);
WARN_UNUSED bool dataset_split_of(const char *word, split_t *out);

/* dataset_position - stored position of the i-th example of a split. */
int64_t dataset_position(const dataset_t *dataset, split_t split, int64_t i);

/* dataset_fetch - the examples at n positions, decoding blocks that are not cached.  The result is valid until the next
 * dataset_fetch; all n are valid together even where the cache is smaller than the blocks they touch. */
WARN_UNUSED status_t dataset_fetch(dataset_t *dataset, const int64_t *positions, int n, dataset_example_t *out);

/* ---- writing ---- */

typedef struct dataset_text {
    const char *at; /* NULL: not known */
    int bytes;
} dataset_text_t;

typedef struct dataset_row {
    uint8_t label;              /* the first, or the only one */
    const uint8_t *more_labels; /* [labels - 1] the others */
    float weight;               /* where the dataset has weights */
    bool train;                 /* of the training split; else */
    bool test;                  /* of the test split, or the evaluation split */
    uint64_t group;             /* dataset_key("", 0) is the missing one */
    int64_t time;               /* or DATASET_NO_TIME */
    const float *numeric;       /* [numeric], transformed but not standardised; NaN is the missing value */
    const uint64_t *single;     /* [single]; dataset_key("", 0) is the missing value */
    const int32_t *multi_count; /* [multi] */
    const uint64_t *multi_key;  /* all values, field after field */
    const float *multi_weight;
    int64_t input_row; /* census_input_row; 0: as many rows were put before, plus one; -1: none is recorded */
    /* What the values read as, for people, or NULL; [single], and as multi_key. */
    const dataset_text_t *single_text, *multi_text;
    dataset_text_t group_text; /* likewise, where a field has not the same texts */
    const char *line;          /* NULL, or where most of these texts lie, which are copied faster for it */
    size_t line_bytes;
} dataset_row_t;

typedef struct dataset_writer dataset_writer_t;

/* What the rows of most datasets do not have. */
typedef struct dataset_extras {
    bool has_weight, may_lack_label;
    bool may_weigh_nothing;                       /* rows are to be scored, so that all their weights may be 0 */
    int64_t keep_bytes, keep_field_bytes;         /* of texts of values beside the dataset, in all and of a field; 0: none */
    int labels;                                   /* 0: one without a name */
    const char *label_names[DATASET_LABELS_MOST]; /* [labels], shorter than dataset_label_t.name */
} dataset_extras_t;

/* dataset_writer_create - start a new dataset in a temporary directory beside `path`; commit renames it into place.
 * fields  [n] names, kinds, poolings and rules (numeric, then single, then multi); `standardise` [n] asks for mean and scale
 * over the training split.  compress  zstd (level 3) per block, or none.  ST_INPUT where path exists or is not writable. */
WARN_UNUSED status_t dataset_writer_create(const char *path, const dataset_field_t *fields, int n, const bool *standardise,
                                           bool has_group, bool has_time, bool compress, dataset_writer_t **out);
/* dataset_writer_create_with - the same, and rows have extras. */
WARN_UNUSED status_t dataset_writer_create_with(const char *path, const dataset_field_t *fields, int n, const bool *standardise,
                                                bool has_group, bool has_time, const dataset_extras_t *extras, bool compress,
                                                dataset_writer_t **out);
/* dataset_writer_put - add a row, which is copied. Rows are encoded and compressed by other threads while more are put; what
 * cannot be stored is said by a later put, or by commit. */
WARN_UNUSED status_t dataset_writer_put(dataset_writer_t *writer, const dataset_row_t *row);
/* dataset_writer_split - the first train_rows rows are the training split and the last test_rows the test split, whatever the
 * rows said; for splits that are known only after the last row.  0 <= train_rows, test_rows; together at most the rows put so
 * far. */
void dataset_writer_split(dataset_writer_t *writer, int64_t train_rows, int64_t test_rows);
/* dataset_writer_split_from - the same of the rows from position `first` on; those before are what they said. */
void dataset_writer_split_from(dataset_writer_t *writer, int64_t first, int64_t train_rows, int64_t test_rows);
/* dataset_writer_like - before the first row: numbers and weights are scaled as in another dataset of the same fields, and
 * times count what they count there. */
void dataset_writer_like(dataset_writer_t *writer, const dataset_t *other);
/* dataset_writer_days - remember the days so far and their files; copied. The last is that of the rows that are written now, of
 * which date and files alone are given. */
void dataset_writer_days(dataset_writer_t *writer, const day_list_t *days);
/* dataset_writer_origin - remember what the dataset is made of; copied. */
void dataset_writer_origin(dataset_writer_t *writer, const origin_t *origin);
/* dataset_writer_schema - remember by what schema it was imported (dataset_schema); copied. */
void dataset_writer_schema(dataset_writer_t *writer, const char *yaml);
/* dataset_writer_time_unit - what the times count, TIME_AS_GIVEN until it is said. A change from whole numbers to millionths
 * scales the times that were put so far; false, and nothing done, once there are too many of them, or one is too large. */
WARN_UNUSED bool dataset_writer_time_unit(dataset_writer_t *writer, time_unit_t unit);
/* dataset_writer_rules - of field f, where they are known only after the last row. */
void dataset_writer_rules(dataset_writer_t *writer, int f, const field_rules_t *rules);
/* dataset_writer_commit - finish, fsync and rename.  ST_INPUT where no row was written.  Destroys the writer. */
WARN_UNUSED status_t dataset_writer_commit(dataset_writer_t **writer, int64_t bad_rows);
void dataset_writer_abort(dataset_writer_t **writer);

/* dataset_key - the key of a categorical value's text; the empty text is the missing value. */
uint64_t dataset_key(const char *text, int bytes);

#endif
