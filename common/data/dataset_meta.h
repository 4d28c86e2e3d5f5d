/* dataset_meta.h - what the store knows about a dataset besides its rows; shared by writer, reader and dataset_print. */
#ifndef SMELTER_DATASET_META_H
#define SMELTER_DATASET_META_H

#include "common/data/block.h"
#include "common/data/dataset.h"
#include "common/data/value_count.h"

#define DATASET_TOP 32       /* most frequent values kept per field: all of a small one, such as the hours of a day */
#define DATASET_KEY_BYTES 32 /* room for a record's key */
#define DATASET_META "meta"
#define DATASET_ORIGIN "origin" /* optional, as the next */
#define DATASET_CENSUS "census"
#define DATASET_SCHEMA "schema"
#define DATASET_DAYS "days"
#define DATASET_SPLIT \
    "split" /* bit per row, 1 = training, whole bytes; where there is a test split, as many again, 1 = test;
                               * only where the splits do not follow each other */

typedef struct dataset_meta {
    dataset_info_t info;
    dataset_field_t *fields;         /* **owned**, [fields]; info.fields points here */
    value_top_t (*top)[DATASET_TOP]; /* **owned**, [fields] */
    int *top_count;                  /* **owned**, [fields] */
    int count;                       /* of fields */
    dataset_label_t *label_of;       /* **owned**, [info.labels]; info.label_of points here */
    bool has_extras;                 /* weights, labels by name, rows without one */
    bool compressed;
    bool prefix_split;    /* the first train_rows rows are the training split, the last test_rows the test split */
    uint64_t blocks_hash; /* over blocks and split, in order */
} dataset_meta_t;

/* dataset_meta_init - fields are copied; NULL leaves room for n. */
void dataset_meta_init(dataset_meta_t *meta, const dataset_field_t *fields, int n);
void dataset_meta_fini(dataset_meta_t *meta);
/* dataset_meta_labels - rows have n labels, of which nothing is known yet; at first it is one. */
void dataset_meta_labels(dataset_meta_t *meta, int n);
block_shape_t dataset_meta_shape(const dataset_meta_t *meta);
int64_t dataset_meta_blocks(const dataset_meta_t *meta);

/* dataset_meta_chain - blocks_hash with the hash of one record more. */
uint64_t dataset_meta_chain(uint64_t blocks_hash, uint64_t next);

/* dataset_meta_hash - the content hash: blocks_hash and everything of the schema that changes what a reader gets. */
uint64_t dataset_meta_hash(const dataset_meta_t *meta);

/* dataset_meta_encode / decode - the stored form; false where it is not one.
 *
 * Behind what every version knows come sections: a tag, a length in bytes, and that number of bytes. A reader passes over those
 * that it does not know, and what it knows and does not find is not recorded. None is part of the content hash: a dataset keeps
 * its identity when a later version stores more about it. */
void dataset_meta_encode(const dataset_meta_t *meta, record_t *out);
WARN_UNUSED bool dataset_meta_decode(const record_t *raw, dataset_meta_t *meta);

/* origin_encode / decode, census_encode / decode - the stored forms of the optional records; false where it is none, and *out
 * is empty then.  origin_files_encode / take - of a part of one; *files is **owned**, also where the reader is bad then. */
void origin_encode(const origin_t *origin, record_t *out);
WARN_UNUSED bool origin_decode(const record_t *raw, origin_t *out);
void origin_files_encode(const origin_file_t *files, int count, record_t *out);
void origin_files_take(record_reader_t *in, origin_file_t **files, int *n);
void census_encode(const census_t *census, record_t *out);
WARN_UNUSED bool census_decode(const record_t *raw, census_t *out);

/* dataset_block_key - "block 000000000000", so that text order is block order. */
void dataset_block_key(char out[DATASET_KEY_BYTES], int64_t block);

/* dataset_meta_value_text - a categorical value of field f as a person reads it: its text where it is among the most
 * frequent ones, "(missing)", or else #KEY in hex; as printable.h has it. */
void dataset_meta_value_text(const dataset_meta_t *meta, int f, uint64_t key, char *text, size_t bytes);

/* dataset_meta_number - the number of the text of which a number that networks see was made. */
double dataset_meta_number(const dataset_field_t *field, float number);

/* dataset_meta - of an open dataset, borrowed. */
const dataset_meta_t *dataset_meta(const dataset_t *dataset);

#endif
