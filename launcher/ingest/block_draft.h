/* block_draft.h - a block of a dataset while its rows are collected, in the layout that readers get; and its values' texts.
 *
 * Owned by one thread at a time. */
#ifndef SMELTER_BLOCK_DRAFT_H
#define SMELTER_BLOCK_DRAFT_H

#include "common/data/block.h"
#include "common/data/value_count.h"

typedef struct block_draft {
    block_shape_t shape;
    int64_t first; /* position of the first row */
    int32_t rows;
    uint8_t *label; /* of each label, BLOCK_ROWS apart */
    float *weight;  /* NULL: none */
    uint64_t *group;
    value_text_t *group_text; /* NULL: there are no groups */
    int64_t *time;
    float *numeric;
    uint64_t *single;
    value_text_t *single_text; /* of each in `single`, in `text` */
    uint32_t *multi_at;
    uint64_t *multi_key;
    float *multi_weight;
    value_text_t *multi_text;
    char *text;
    size_t multi_key_capacity, multi_weight_capacity, multi_text_capacity, text_bytes, text_capacity;
} block_draft_t;

/* block_draft_create - **owned**; cannot fail. */
block_draft_t *block_draft_create(const block_shape_t *shape);
void block_draft_destroy(block_draft_t **draft);

/* block_draft_reset - no rows yet, and the first will stand at position `first`. Memory of very wide rows is given back. */
void block_draft_reset(block_draft_t *draft, int64_t first);

/* block_draft_put - add a row; what it points to is copied.  There are fewer than BLOCK_ROWS.
 * false, and nothing added, where the block would have more than 2^32 values of multi fields; *field is the one at which. */
WARN_UNUSED bool block_draft_put(block_draft_t *draft, const dataset_row_t *row, int32_t *field);

/* block_draft_block - the rows, borrowed.  block_draft_bytes - of memory that the draft takes. */
dataset_block_t block_draft_block(const block_draft_t *draft);
size_t block_draft_bytes(const block_draft_t *draft);

#endif
