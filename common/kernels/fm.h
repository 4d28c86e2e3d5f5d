/* fm.h - the second order of a factorisation machine: inner products of all pairs of vectors (docs/MATH.md eq. 4c; Rendle
 * 2010).
 *
 * An input row is [fields vectors of dim | numeric numbers]; the vector of number i is x_i v_i. Row-major f32. The products
 * of a vector with the sum of those before it add up to those of all pairs, at the cost of one; nothing cancels, as it does in
 * the difference of a squared sum and the sum of squares. Any thread. */
#ifndef SMELTER_FM_H
#define SMELTER_FM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/products/matrix.h"

typedef struct fm_shape {
    int fields, dim, numeric;
} fm_shape_t;

/* fm_forward - z [rows] := sum over pairs of <u_i, u_j>;  s [rows][dim] := sum of all u.   x [rows][fields dim + numeric], v
 * [numeric][dim], scratch [dim].  4 rows (fields + 2 numeric) dim flop; reads x once. */
void fm_forward(float *restrict z, float *restrict s, const float *restrict x, const float *restrict v, int rows,
                fm_shape_t shape, float *restrict scratch);

/* fm_backward - dv [numeric][dim] := ;  dx := or, where adds, += , where it is not NULL;  s is forward's, dz [rows],
 * vectors is a matrix of v (NULL where there are no numbers), scratch [fm_scratch].  About twice the cost of forward, and dx
 * is read and written. */
int64_t fm_scratch(int rows, fm_shape_t shape);
void fm_backward(float *restrict dv, float *restrict dx, bool adds, const float *restrict dz, const float *restrict s,
                 const float *restrict x, const float *restrict v, int rows, fm_shape_t shape, matrix_t *vectors,
                 float *restrict scratch);

#endif
