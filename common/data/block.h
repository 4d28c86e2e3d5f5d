/* block.h - the stored form of a block of rows: columns, categorical ones as codes of a dictionary. No input or output. */
#ifndef SMELTER_BLOCK_H
#define SMELTER_BLOCK_H

#include "common/data/dataset.h"
#include "common/data/record.h"

#define BLOCK_ROWS 8192 /* 1 to 3 MB decoded for usual schemas: large for the disk, small for a cache; a power of two */

typedef struct block_shape {
    int32_t numeric, single, multi;
    bool has_group, has_time, has_weight, may_lack_label;
    int32_t labels, label; /* of a row, 0 is one; and the one that is decoded */
    double weight_mean;    /* what decoded weights are divided by */
} block_shape_t;

static inline size_t block_labels(const block_shape_t *shape)
{
    return shape->labels > 1 ? (size_t)shape->labels : 1;
}

/* block_seen_fn - called once per categorical column of an encoded block with its distinct keys, how often each occurs, and
 * where in block->single or block->multi_key it occurs first; `field` counts the single fields, then the multi fields. */
typedef void block_seen_fn(void *context, int field, const uint64_t *keys, const uint32_t *counts, const uint32_t *places,
                           uint32_t distinct);

typedef struct block_encoder block_encoder_t;
block_encoder_t *block_encoder_create(void);
void block_encoder_destroy(block_encoder_t **encoder);

/* block_encode - append the stored form of `block` to `out` (empty).  Numeric values are stored as they are; NaN is the
 * missing value. Same rows, same bytes. */
void block_encode(block_encoder_t *encoder, const block_shape_t *shape, const dataset_block_t *block, record_t *out,
                  block_seen_fn *seen, void *context);

/* block_decode - rows from the stored form, row-major, in one allocation that starts with the dataset_block_t.
 *
 * raw       [bytes] 8-byte aligned, borrowed until return
 * numeric   [shape->numeric] gives mean and scale: x -> (x - mean) * scale, and 0 where x is missing
 * out       **owned**; mem_free.  decoded_bytes  size of the allocation
 * Returns false, and nothing, where raw is not a block of this shape that starts at position `first`. */
WARN_UNUSED bool block_decode(const block_shape_t *shape, const void *raw, size_t bytes, int64_t first,
                              const dataset_field_t *numeric, dataset_block_t **out, size_t *decoded_bytes);

/* block_decode_into - as block_decode, but into what room(context, bytes) gives, unless that is NULL; *values gets the
 * number of values of multi-valued fields.
 * block_view - the same block as another process sees it, with its bytes at `base`, from the number of rows and those
 * values. */
typedef void *block_room_fn(void *context, size_t bytes);
WARN_UNUSED bool block_decode_into(const block_shape_t *shape, const void *raw, size_t bytes, int64_t first,
                                   const dataset_field_t *numeric, block_room_fn *room, void *context, dataset_block_t **out,
                                   size_t *decoded_bytes, uint64_t *values);
dataset_block_t block_view(const block_shape_t *shape, int64_t first, int32_t rows, uint64_t values, void *base);

/* block_bytes - of a decoded block. */
size_t block_bytes(const block_shape_t *shape, int32_t rows, uint64_t values);

/* block_weight - the stored weights, as given;  block_numeric - the stored column of a numeric field (NaN: missing). Borrowed
 * from raw; NULL where there is none. */
const float *block_weight(const block_shape_t *shape, const void *raw, size_t bytes, int32_t *rows);
const float *block_numeric(const block_shape_t *shape, const void *raw, size_t bytes, int field, int32_t *rows);

#endif
