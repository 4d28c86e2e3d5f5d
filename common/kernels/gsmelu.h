/* gsmelu.h - gSmeLU with parameters that are learned: one set {alpha, beta, g-, g+, t} per unit, and the gradient by them.
 *
 * The function is that of activation_gsmelu (docs/MATH.md eq. 7a). Here each column of a matrix has its own set; sets
 * that several units share are simply repeated. Stateless, vectorised over the units, any thread.                      */
#ifndef SMELTER_GSMELU_H
#define SMELTER_GSMELU_H

#include <stdint.h>

/* A set's numbers in the order in which they are stored. */
typedef enum gsmelu_number {
    GSMELU_ALPHA, /* minus the left joint */
    GSMELU_BETA,  /* the right joint */
    GSMELU_LEFT,  /* slope left of the joints */
    GSMELU_RIGHT, /* slope right of them */
    GSMELU_LEVEL, /* value at the left joint */
    GSMELU_NUMBERS
} gsmelu_number_t;

/* What a step of the optimizer is brought back into: alpha, beta >= LEAST_WIDTH; |slopes| <= MOST_SLOPE; right - left >=
 * LEAST_RISE; level <= 0. The bounds are those of the configuration keys. */
#define GSMELU_LEAST_WIDTH 1e-6
#define GSMELU_MOST_SLOPE 100.0
#define GSMELU_LEAST_RISE 1e-3

/* gsmelu_project - the nearest allowed set, number by number (the two slopes together).
 * set  in/out: n sets, number k of set j at set[k n + j] */
void gsmelu_project(float *set, int64_t n);

/* gsmelu_forward - y := clip(f_j(x_j), -c, c), one row.
 * y out [n], may be x;  x in [n];  set as above, n sets */
void gsmelu_forward(float *y, const float *x, const float *restrict set, int64_t n, float clip);

/* gsmelu_backward - dx := d f'_j(x_j);  dset += d df_j/dset,  d = dy where |f_j(x_j)| < c, else 0; one row.
 * dx out [n], may be dy;  dset in/out [5][n];  dy, x in [n] */
void gsmelu_backward(float *dx, float *restrict dset, const float *dy, const float *restrict x, const float *restrict set,
                     int64_t n, float clip);

#endif
