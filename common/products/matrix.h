/* matrix.h - a layer's matrix of weights as products want it, by kernels of our own (product.h) or by OpenBLAS (gemm.h).
 *
 * Kernels of our own read weights from panels, which are packed once when the weights have changed and serve the forward and
 * backward products of all lanes until they change again. Shapes are those of gemm.h: w [out][in], x [rows][in],
 * a [rows][out], row-major without padding. The thread of its owner. */
#ifndef SMELTER_MATRIX_H
#define SMELTER_MATRIX_H

#include "common/products/product.h"

typedef struct matrix matrix_t;

/* matrix_create - for weights [out][in]; kernel NULL: OpenBLAS.  **owned**; matrix_destroy. */
matrix_t *matrix_create(const product_kernel_t *kernel, int in, int out);
void matrix_destroy(matrix_t **matrix);

/* matrix_set - the weights are w [out][in], borrowed until the next call; to be called whenever any of them changes. */
void matrix_set(matrix_t *matrix, const float *w);

/* matrix_forward - a := x w^T + bias.  bias [out]: what our own sums begin with; or NULL, as it is for OpenBLAS.
 * matrix_input_gradient - dx := da w.      matrix_add_input_gradient - dx += da w.
 * matrix_weight_gradient - dw := da^T x; does not look at the weights.  Nothing is aliased.  2 rows in out flop each. */
void matrix_forward(matrix_t *matrix, float *a, const float *x, const float *bias, int rows);
void matrix_input_gradient(matrix_t *matrix, float *dx, const float *da, int rows);
void matrix_add_input_gradient(matrix_t *matrix, float *dx, const float *da, int rows);
void matrix_weight_gradient(matrix_t *matrix, float *dw, const float *da, const float *x, int rows);

#endif
