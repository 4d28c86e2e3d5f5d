/* cross.h - what a cross layer of DCN-v2 does beside its products (docs/MATH.md eq. 4e; Wang et al. 2021). Row-major f32,
 * matrices [rows][width] without gaps. Any thread. */
#ifndef SMELTER_CROSS_H
#define SMELTER_CROSS_H

#include <stdbool.h>

/* cross_forward - a += b, row by row;  y := x0 a + x.   2 flop and 5 floats of memory an element. */
void cross_forward(float *restrict y, float *restrict a, const float *restrict x0, const float *x, const float *restrict b,
                   int rows, int width);

/* cross_backward - da := g x0;  dx0 := or, where adds, += g a, where it is not NULL;  db [width] := sum of da over rows.   g is
 * the gradient by y. 4 flop and 6 floats of memory an element. */
void cross_backward(float *restrict da, float *restrict dx0, bool adds, float *restrict db, const float *restrict g,
                    const float *restrict x0, const float *restrict a, int rows, int width);

#endif
