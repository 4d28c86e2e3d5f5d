/* product_kernels.h - the micro-kernels of product.h, one file each. */
#ifndef SMELTER_PRODUCT_KERNELS_H
#define SMELTER_PRODUCT_KERNELS_H

#include "common/products/product.h"

#define PRODUCT_OWN "own, "

extern const product_kernel_t product_avx512, product_avx2, product_neon, product_plain;

#endif
