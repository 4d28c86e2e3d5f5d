/* gemm.h - the matrix products of a dense layer; the only user of cblas.h.
 *
 * Row-major f32 without padding. Shapes: rows = examples of a lane, in = inputs of the layer, out = its units.
 * Every product runs on the calling thread: parallelism is between ranks, and one thread keeps the order of additions
 * fixed. On one machine and library the bits of a product depend on its shape and operands only, not on addresses.    */
#ifndef SMELTER_GEMM_H
#define SMELTER_GEMM_H

#include <stdint.h>

/* gemm_init - bind the library to one thread. Called once per process before the first product; calling again is harmless. */
void gemm_init(void);

/* gemm_kernel_name - library, version and the kernel that it chose for this processor, for manifests: two machines with
 * different names may round differently. Borrowed for ever; the first call must not race with another. */
const char *gemm_kernel_name(void);

/* gemm_forward - a := x w^T.   a [rows][out], x [rows][in], w [out][in]; not aliased.  2 rows in out flop. */
void gemm_forward(float *restrict a, const float *restrict x, const float *restrict w, int rows, int in, int out);

/* gemm_input_gradient - dx := da w.   dx [rows][in], da [rows][out], w [out][in]; not aliased.  2 rows in out flop. */
void gemm_input_gradient(float *restrict dx, const float *restrict da, const float *restrict w, int rows, int in, int out);

/* gemm_add_input_gradient - the same, dx += . */
void gemm_add_input_gradient(float *restrict dx, const float *restrict da, const float *restrict w, int rows, int in, int out);

/* gemm_weight_gradient - dw := da^T x.   dw [out][in], da [rows][out], x [rows][in]; not aliased.  2 rows in out flop. */
void gemm_weight_gradient(float *restrict dw, const float *restrict da, const float *restrict x, int rows, int in, int out);

#endif
