/* norm.h - layer normalisation of pre-activations and normalisation of weights, one row at a time, so that a caller can fuse
 * them with other passes while the row is in cache. Stateless, vectorised, sums in a fixed order (reduce.h), any thread. */
#ifndef SMELTER_NORM_H
#define SMELTER_NORM_H

#include <stdint.h>

#define NORM_LAYER_EPSILON 1e-5f /* added to the variance, as is usual; a constant row becomes zeros */

/* norm_layer_forward - xhat := (x - mean) rstd,  rstd := 1 / sqrt(var + 1e-5)      (Ba et al. 2016)
 * xhat out [n], may be x;  x in [n].  Returns rstd, which backward needs; the mean it does not. */
float norm_layer_forward(float *xhat, const float *x, int64_t n);

/* norm_layer_backward - dx := rstd (d - mean(d) - xhat mean(d xhat))   with d = dxhat
 * dx out [n], may be dxhat;  dxhat, xhat in [n];  rstd as forward returned it. */
void norm_layer_backward(float *dx, const float *dxhat, const float *xhat, float rstd, int64_t n);

/* norm_affine_forward - y := gain xhat + bias.  All [n]; y may be xhat. */
void norm_affine_forward(float *y, const float *xhat, const float *gain, const float *bias, int64_t n);

/* norm_affine_backward - dxhat := gain dy;  dgain += dy xhat;  dbias += dy.  All [n]; dxhat may be dy. */
void norm_affine_backward(float *dxhat, float *restrict dgain, float *restrict dbias, const float *dy,
                          const float *restrict xhat, const float *restrict gain, int64_t n);

/* norm_weight_forward - used := v w / ||w||_p, the weights into one unit, p >= 1. used out [n];  w in [n].  Returns ||w||_p. A
 * row of zeros stays zero. */
float norm_weight_forward(float *restrict used, const float *restrict w, int64_t n, float v, float p);

/* norm_weight_project - w := v w / ||w||_p in place, the same bits as norm_weight_forward. A row of zeros stays zero. */
void norm_weight_project(float *w, int64_t n, float v, float p);

/* norm_weight_backward - the gradient by w from the gradient by used, in place:
 *   dw := v/a (d - u (d . w) / a),   u_i = sign(w_i) (|w_i| / a)^(p-1),  a = ||w||_p
 * dw in/out [n];  w in [n];  norm as forward returned it. Where norm is 0, dw := 0. */
void norm_weight_backward(float *restrict dw, const float *restrict w, float norm, int64_t n, float v, float p);

#endif
