/* embedding.h - between embedding rows and the network's input: gather and pool forward, sum per key backward.
 *
 * An input row is [field 0 | field 1 | ... | numeric values], each field as wide as the table plan says: single-valued fields
 * first, then crosses of these, then multi-valued. First-order weights, the last ones of rows that have some, are no part of
 * it: their sum over the fields of an example goes into its logit as it is, so that the gradient of each is that of the logit.
 */
#ifndef SMELTER_EMBEDDING_H
#define SMELTER_EMBEDDING_H

#include "common/config/table_plan.h"
#include "worker/batch.h"
#include "worker/network/model.h"

/* embedding_inputs - width of an input row. */
int embedding_inputs(const table_plan_t *plan, int numeric);

/* embedding_shape - what it is made of. */
input_shape_t embedding_shape(const table_plan_t *plan, int numeric);

/* embedding_gather - x := the inputs of rows first .. first + rows - 1 of the batch (docs/MATH.md, gather and pooling).
 * x out [rows][inputs];  wide out [rows] sums of first-order weights, NULL where rows have none;  row in [uniques] pointers to
 * the weights of each, as many as its field is wide.  Cost: one copy per value. */
void embedding_gather(float *restrict x, float *restrict wide, const batch_t *batch, int first, int rows,
                      const float *const *row, const table_plan_t *plan);

/* embedding_reduce - gradient of every unique key of one shard, summed over its uses in one of the batch's parts: inside a lane
 * in ascending order of rows, and in a row of fields that share a table, across lanes over the fixed tree
 * (common/kernels/tree.h).
 * out out := [batch_weights of the slice], key after key;  dx in [rows][inputs] of the whole batch;  dwide in [rows] likewise,
 * by the logit, NULL where rows have no first-order weights;  lane_rows: rows of a full lane;  scratch [tree_levels(lanes) +
 * 1][plan->widest].  Cost: one addition of a row per use. */
void embedding_reduce(float *restrict out, const batch_t *batch, int shard, int part, const float *restrict dx,
                      const float *restrict dwide, const table_plan_t *plan, int lane_rows, float *scratch);

#endif
