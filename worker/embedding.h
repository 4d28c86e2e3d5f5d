/* embedding.h - between embedding rows and the network's input: gather and pool forward, sum per key backward.
 *
 * An input row is [field 0 | field 1 | ... | numeric values], each field D wide: single-valued fields first, then
 * multi-valued. */
#ifndef SMELTER_EMBEDDING_H
#define SMELTER_EMBEDDING_H

#include "worker/batch.h"

/* embedding_inputs - width of an input row. */
int embedding_inputs(const dataset_info_t *info, int dim);

/* embedding_gather - x := the inputs of rows first .. first + rows - 1 of the batch (docs/MATH.md, gather and pooling).
 * x out [rows][inputs];  row in [uniques] pointers to [dim] weights.  Cost: one copy per value. */
void embedding_gather(float *restrict x, const batch_t *batch, int first, int rows, const float *const *row, int dim);

/* embedding_reduce - gradient of every unique key of one shard, summed over its uses: inside a lane in ascending order of rows,
 * across lanes over the fixed tree (common/kernels/tree.h).
 * out out [keys of the shard][dim] := ;  dx in [rows][inputs] of the whole batch;  lane_rows: rows of a full lane
 * scratch [tree_levels(lanes) + 1][dim].  Cost: one addition of dim floats per use. */
void embedding_reduce(float *restrict out, const batch_t *batch, int shard, const float *restrict dx, int dim, int lane_rows,
                      float *scratch);

#endif
