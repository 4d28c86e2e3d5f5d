/* linear.h - first-order terms of a logit (docs/MATH.md, section 2a): a weight for each of some columns of the input.
 *
 * Row-major f32; x [rows][columns] may be a part of wider rows, which are `stride` apart, and so may dx. Sums over columns are
 * in the order of reduce.h, sums over rows ascend. Any thread. */
#ifndef SMELTER_LINEAR_H
#define SMELTER_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

/* linear_forward - z [rows] := bias + x w.   w [columns].  2 rows columns flop. */
void linear_forward(float *restrict z, const float *restrict x, const float *restrict w, float bias, int rows, int columns,
                    int64_t stride);

/* linear_backward - dw [columns] := x^T dz;  dbias := sum of dz;  dx := or, where adds, += dz w^T, where it is not
 * NULL.   dz [rows].  4 rows columns flop. */
void linear_backward(float *restrict dw, float *restrict dbias, float *restrict dx, bool adds, const float *restrict dz,
                     const float *restrict x, const float *restrict w, int rows, int columns, int64_t stride);

#endif
