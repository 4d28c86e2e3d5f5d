/* bucket_file.h - rows of decoded blocks, spread over buckets on a disk and read back bucket by bucket: what makes a shuffled
 * order out of a stored one that does not fit into memory (worker/visit_store.h).
 *
 * A scratch file without a name: it is gone with the process, however that ends. Rows are put in any order of buckets, all
 * before the first bucket is taken; each bucket is taken once, and its room on the disk is given back. One thread.
 *
 * Memory: buckets * buffer_bytes until the flush; of a bucket that is taken, its rows. */
#ifndef SMELTER_BUCKET_FILE_H
#define SMELTER_BUCKET_FILE_H

#include "common/data/block.h"

typedef struct bucket_file bucket_file_t;

/* bucket_file_row_bytes - a row as it is stored, with `values` values of multi-valued fields. */
size_t bucket_file_row_bytes(const block_shape_t *shape, size_t values);

/* bucket_file_create - in the existing folder `folder`.  ST_INPUT where no file can be made there. */
WARN_UNUSED status_t bucket_file_create(const char *folder, const block_shape_t *shape, int64_t buckets, size_t buffer_bytes,
                                        bucket_file_t **out);
void bucket_file_destroy(bucket_file_t **file);

/* bucket_file_put - row `row` of a block into slot `slot` of a bucket; its time is left out.  ST_SYSTEM: the disk. */
WARN_UNUSED status_t bucket_file_put(bucket_file_t *file, int64_t bucket, uint32_t slot, const dataset_block_t *block,
                                     int32_t row);

/* bucket_file_flush - all has been put.  ST_SYSTEM: the disk. */
WARN_UNUSED status_t bucket_file_flush(bucket_file_t *file);

/* The rows of a bucket, in the order in which they were put; times are not there. Empty at first, and used again. */
typedef struct bucket {
    dataset_block_t block;
    uint32_t *row_of; /* [slots] where in the block the row of a slot is */
    uint8_t *label;
    uint64_t *group, *single, *multi_key;
    float *numeric, *multi_weight, *weight;
    int64_t *time;
    uint32_t *multi_at;
    size_t row_of_capacity, label_capacity, group_capacity, single_capacity, multi_key_capacity, numeric_capacity,
        multi_weight_capacity, multi_at_capacity, weight_capacity, time_capacity;
} bucket_t;

void bucket_fini(bucket_t *bucket);

/* bucket_file_take - read a bucket in which each of `slots` slots was put once.  ST_CORRUPT: it is not what was written;
 * ST_SYSTEM: the disk. */
WARN_UNUSED status_t bucket_file_take(bucket_file_t *file, int64_t bucket, int64_t slots, bucket_t *out);

#endif
