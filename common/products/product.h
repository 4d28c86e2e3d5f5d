/* product.h - matrix products of our own: one definition of every element, and micro-kernels for several instruction sets that
 * agree on it to the bit.
 *
 *     c_ij := fma(a_i,n-1, b_n-1,j, ... fma(a_i1, b_1j, fma(a_i0, b_0j, start_ij)) ... )          (docs/MATH.md eq. 25a)
 *
 * A fused multiply-add rounds once, so the result depends on the operands and on n alone: not on how rows, columns or depth are
 * cut into blocks (a sum goes on through c), nor on the width of vectors, the number of rows of a call or the processor. What
 * bits a NaN has is not defined. matrix.h makes the products of a layer of it. Stateless, any thread. */
#ifndef SMELTER_PRODUCT_H
#define SMELTER_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define PRODUCT_ENVIRONMENT "SMELTER_KERNELS"

/* Rows [rows][columns] of c from a panel of b, over the whole depth. Row k of b starts at b + k * b_step, and the panel's width
 * is read of it, whatever the columns. Element (i, k) of a is a[i * a_row + k] where by_rows, and then b_step is the panel's
 * width; else it is a[i + k * a_step], or, where a_step is 0, a is what pack_left has made of that. start, at
 * i * start_row + j, is where sums begin: c itself to add to it, a row of biases with start_row 0; NULL: at 0. c is not aliased
 * but by start. */
typedef struct product_panel {
    float *c;
    const float *start, *a, *b;
    int64_t c_row, start_row, a_row, a_step, b_step;
    int rows, columns, depth;
    bool by_rows;
    bool is_narrow; /* the panel is half as wide */
} product_panel_t;

/* A micro-kernel. */
typedef struct product_kernel {
    const char *name, *text;
    int width; /* columns of a panel; half of them where it is narrow */
    int rows;  /* of a tile, which stays in registers */
    bool (*is_here)(void);
    void (*panel)(const product_panel_t *panel);
    /* out [rows][depth] := a of the panel, which is not by rows, tile after tile; becomes the panel's a. */
    void (*pack_left)(float *out, product_panel_t *panel);
    /* out [depth][width] := a panel of `columns` columns of b, whose rows are b_row apart; 0 behind them.
     * pack_transposed - likewise of the transpose of b [columns][depth]. */
    void (*pack_right)(float *out, const float *b, int64_t b_row, int columns, bool is_narrow, int depth);
    void (*pack_transposed)(float *out, const float *b, int columns, bool is_narrow, int depth);
} product_kernel_t;

/* product_kernel_at - kernel i of those in the program, the fastest first, whether or not this processor can run it; NULL:
 * there are no more. */
const product_kernel_t *product_kernel_at(int i);

/* product_kernel_here - the fastest that this processor can run, or the one that SMELTER_KERNELS names. */
const product_kernel_t *product_kernel_here(void);

/* product_kernel_text - its name for people and manifests, "own, avx512"; NULL: gemm_kernel_name. For ever.
 * product_texts_agree - may what has these names give the same bits? The same names do, and any two kernels of our own. */
const char *product_kernel_text(const product_kernel_t *kernel);
bool product_texts_agree(const char *a, const char *b);

/* product_is_slow - OpenBLAS makes the products, and has chosen for this processor, which it may be too old to know, kernels
 * that do without its fused multiply-add: ours are about four times as fast. */
bool product_is_slow(const product_kernel_t *kernel);

/* product_kernel_check - ST_INPUT where SMELTER_KERNELS names what is not a kernel, or none for this processor. */
WARN_UNUSED status_t product_kernel_check(void);

#endif
