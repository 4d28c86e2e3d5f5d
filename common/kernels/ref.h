/* ref.h - naive double-precision twins of all kernels and of the whole network: the oracles of the tests.
 *
 * Written for being obviously right: loops as in docs/MATH.md, nothing shared with the fast versions except the exact
 * activations. The twins of activations, losses and optimizers stand beside their kernels (`exact`). Matrices are row-major
 * double. Any thread. */
#ifndef SMELTER_REF_H
#define SMELTER_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/kernels/activation.h"

/* ref_gemm_* - as in gemm.h. */
void ref_gemm_forward(double *a, const double *x, const double *w, int rows, int in, int out);
void ref_gemm_input_gradient(double *dx, const double *da, const double *w, int rows, int in, int out);
void ref_gemm_weight_gradient(double *dw, const double *da, const double *x, int rows, int in, int out);

/* ref_linear_* - as in linear.h, of rows without a gap; dx := . */
void ref_linear_forward(double *z, const double *x, const double *w, double bias, int rows, int columns);
void ref_linear_backward(double *dw, double *dbias, double *dx, const double *dz, const double *x, const double *w, int rows,
                         int columns);

/* ref_fm_forward - as in fm.h, pair by pair; ref_fm_backward - dv and dx := . */
void ref_fm_forward(double *z, const double *x, const double *v, int rows, int fields, int dim, int numeric);
void ref_fm_backward(double *dv, double *dx, const double *dz, const double *x, const double *v, int rows, int fields, int dim,
                     int numeric);

/* ref_cross_forward - y := x0 (x W^T + b) + x of one layer, W [width][width]; ref_cross_backward - all gradients := , dx0 by
 * the first factor alone. */
void ref_cross_forward(double *y, const double *x0, const double *x, const double *w, const double *b, int rows, int width);
void ref_cross_backward(double *dx0, double *dx, double *dw, double *db, const double *dy, const double *x0, const double *x,
                        const double *w, const double *b, int rows, int width);

/* ref_activate - y := clip(f(x));  slope := dy/dx, 0 where |f(x)| >= clip. */
void ref_activate(double *y, double *slope, double x, const activation_t *function, const activation_shape_t *shape);

/* ref_gsmelu_gradient - d[k] := derivative of gSmeLU at x by its number k (gsmelu_number_t), without clipping. */
void ref_gsmelu_gradient(double d[5], double x, const activation_shape_t *shape);

/* ref_norm_layer_* - y := gain (x - mean) rstd + shift and its gradients (d* := ); gain and shift NULL: plain. dx, dgain and
 * dshift are computed from x, not from saved values. */
void ref_norm_layer_forward(double *y, const double *x, const double *gain, const double *shift, int n);
void ref_norm_layer_backward(double *dx, double *dgain, double *dshift, const double *dy, const double *x, const double *gain,
                             int n);

/* ref_norm_weight_* - used := v w / ||w||_p and dw from dused. */
void ref_norm_weight_forward(double *used, const double *w, int n, double v, double p);
void ref_norm_weight_backward(double *dw, const double *dused, const double *w, int n, double v, double p);

/* ref_probability - sigma(z). */
double ref_probability(double z);

/* An MLP of `layers` layers; widths[0] is the number of inputs, widths[layers] is 1. Parameters as in
 * worker/network/model.h. */
typedef struct ref_network {
    int layers;
    const int *widths; /* [layers + 1] */
    /* [layers] of layer 0, the input, to layer layers - 1. Where set_units is 1 or the layer's width, the five numbers of
     * gSmeLU are parameters: number k of unit j is parameter set[l] + k set_units[l] + j. 0: they are those of the shape. */
    const activation_t *const *functions;
    const activation_shape_t *shapes;
    const int64_t *set;
    const int *set_units;
    int64_t set_parameters; /* at the start of the parameters */
    bool activate_inputs, layer_norm, affine;
    double weight_norm, weight_norm_p; /* weight_norm is 0 where off */
} ref_network_t;

int64_t ref_network_parameters(const ref_network_t *net);

/* ref_network_run - logits [rows] of x [rows][inputs]; then, where dlogits [rows] is not NULL, dparameters := and dx := (may
 * be NULL). Allocates. */
void ref_network_run(const ref_network_t *net, const double *parameters, const double *x, int rows, double *logits,
                     const double *dlogits, double *dparameters, double *dx);

#endif
