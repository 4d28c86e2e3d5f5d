/* batch.h - the examples of one worker in one step, ready for the network: keys de-duplicated and sorted by shard, every
 * occurrence mapped to its unique key, and the way back for gradients.
 *
 * Unique keys are numbered 0 .. uniques-1, shard after shard and table after table inside a shard, so that the keys of a pull
 * are a slice of `keys` and its segments a slice of `segments`. Fields are the single-valued ones, crosses of these, then the
 * multi-valued; mostly each has a table of its own, and a key that several fields of one table use is one unique.
 *
 * Gradients go back by the worker's parts of the tree of lanes, of which it usually has one: then the slices of a push
 * are those of the pull. With several a key is pushed once for each part that uses it. */
#ifndef SMELTER_BATCH_H
#define SMELTER_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/table_plan.h"
#include "common/data/dataset.h"
#include "common/kernels/tree.h"
#include "common/net/wire.h"

typedef struct batch {
    int64_t step;  /* global step; for evaluation the number of the first example */
    int64_t first; /* place of the first row in the global batch; for evaluation 0 */
    int32_t rows;
    int32_t single, multi, numeric; /* single: crosses too */
    uint8_t *label;                 /* [rows] */
    uint64_t *group;                /* [rows] */
    float *values;                  /* [rows][numeric] */
    bool weighted;                  /* the dataset has weights: */
    float *weight;                  /* [rows] */
    bool timed;                     /* the plan wants times: */
    int64_t *time;                  /* [rows] */
    bool taught;                    /* the plan has a teacher */
    float *teacher;                 /* [rows] its probabilities (NaN: none), where taught; filled by the loader */

    int32_t uniques;
    uint64_t *keys;           /* [uniques] */
    int32_t *shard_first;     /* [shards + 1] first unique of a shard */
    wire_segment_t *segments; /* per shard, tables of a set that have keys there, ascending */
    int32_t *segment_first;   /* [shards + 1] first segment of a shard */

    uint32_t *single_unique; /* [rows][single] unique of each value */
    uint32_t *multi_at;      /* [multi * rows + 1] values of (field m, row r) are multi_at[m * rows + r] .. next */
    uint32_t *multi_unique;  /* [multi_at[multi * rows]] */
    float *multi_scale;      /* the same length: weight, divided by the number of values for mean pooling */

    uint32_t *use_first; /* [uniques + 1] first use of a unique in use_row */
    uint32_t *use_row;   /* rows that use it, ascending; of a row, fields ascending */
    uint32_t *use_field; /* the field of each use; NULL where no table is shared */
    float *use_scale;    /* scale of each use; 1 for single-valued fields */

    int32_t parts;                        /* P; set by batch_split */
    int32_t part_row[TREE_PARTS_MAX + 1]; /* rows [part_row[p], part_row[p + 1]) of a full batch are of part p */
    uint32_t *push_unique, *push_use;     /* where P > 1: the uniques that are pushed, and the first use of each in its part */
    int32_t *push_first;                  /* [shards * P + 1] first of a shard's and part's, as the next */
    wire_segment_t *push_segments;        /* as segments */
    int32_t *push_segment_first;

    /* capacities of the arrays above */
    size_t weight_cap, time_cap, teacher_cap, rows_cap, values_cap, keys_cap, segments_cap, single_cap, at_cap, multi_cap,
        uses_cap, use_field_cap, firsts_cap;
    size_t push_unique_cap, push_use_cap, push_first_cap, push_segments_cap, push_segment_first_cap;
} batch_t;

typedef struct batch_builder batch_builder_t;

/* batch_builder_create - builds batches from a dataset for a cluster of `shards` shards. slot_shard [HASH_SLOTS] says which
 * shard owns a slot; copied. plan: of the run; it and the dataset are borrowed. NULL: each field has a table of its own.  One
 * thread. */
batch_builder_t *batch_builder_create(dataset_t *dataset, int shards, const uint16_t *slot_shard, const table_plan_t *plan);
void batch_builder_destroy(batch_builder_t **builder);

/* batch_build - fill `batch` with the examples at `positions` [rows] of the dataset. The batch's buffers grow and are kept for
 * the next use; batch_reset frees them. */
WARN_UNUSED status_t batch_build(batch_builder_t *builder, const int64_t *positions, int rows, int64_t step, batch_t *batch);
/* batch_build_examples - the same of examples that have been fetched, or come from elsewhere. */
void batch_build_examples(batch_builder_t *builder, const dataset_example_t *examples, int rows, int64_t step, batch_t *batch);
void batch_reset(batch_t *batch);

/* batch_split - gradients are pushed by these parts, row [parts + 1] as lanes_parts (common/config/lanes.h) gives them; until
 * it is called, or built anew, a batch has one part. Cost: nothing for one part. */
void batch_split(batch_builder_t *builder, batch_t *batch, const int32_t *row, int parts);

/* Keys of one shard that are pulled, or pushed for one part: `keys` uniques, the i-th of which is unique[i], or first + i where
 * that is NULL, by `segments`, whose tables are those of a set. Borrowed from the batch. */
typedef struct batch_slice {
    const wire_segment_t *segments;
    int32_t n_segments, first, keys;
    const uint32_t *unique, *use; /* first use of each, or NULL as unique */
} batch_slice_t;

batch_slice_t batch_pulled(const batch_t *batch, int shard);
batch_slice_t batch_pushed(const batch_t *batch, int shard, int part);

/* batch_weights - weights of a slice's rows in one set of tables. */
int64_t batch_weights(const batch_slice_t *slice, const table_plan_t *plan);

#endif
