/* bench.h - what the benchmarks share: time, medians, the skewed keys of row benchmarks and the bare matrix products of the
 * paper's toy net.
 *
 * A benchmark prints `name value` lines on standard output; run.sh gathers them. What is compared is measured in turns within
 * one run, and the median of the turns counts, because other work on the machine comes and goes. */
#ifndef SMELTER_BENCH_H
#define SMELTER_BENCH_H

#include <math.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/products/gemm.h"

static inline double bench_seconds(void)
{
    return (double)clock_now_ns() * 1e-9;
}

static inline int bench_compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* bench_median - of values [n], which are sorted in place. */
static inline double bench_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, bench_compare);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

static inline float *bench_normal(int64_t n)
{
    float *values = MEM_ARRAY(float, n);
    rng_fill_normal(values, n, 0.1f, 1, 1, 0);
    return values;
}

/* ---- skewed keys ----------------------------------------------------------------------------------------------------- */

#define BENCH_ROWS 2000000 /* rows of the table */
#define BENCH_KEYS 20000   /* distinct keys of a request */

static inline uint64_t bench_key(int64_t rank)
{
    return hash_mix((uint64_t)rank);
}

/* Row r is drawn with probability proportional to (r + 1)^-1.05, by inverting the continuous distribution. */
static inline int64_t bench_draw(uint64_t i)
{
    const double a = -0.05;
    double u = rng_uniform(1, 0, i);
    double x = pow(1.0 + u * (pow(BENCH_ROWS + 1.0, a) - 1.0), 1.0 / a);
    int64_t rank = (int64_t)x - 1;
    return rank < BENCH_ROWS ? rank : BENCH_ROWS - 1;
}

/* bench_requests - n lists of BENCH_KEYS distinct keys each, one after the other; **owned**. */
static inline uint64_t *bench_requests(int n)
{
    uint64_t *keys = MEM_ARRAY(uint64_t, (int64_t)n * BENCH_KEYS);
    int32_t *last = MEM_ARRAY(int32_t, BENCH_ROWS);
    uint64_t draws = 0;
    for (int request = 0; request < n; request++)
        for (int i = 0; i < BENCH_KEYS;) {
            int64_t rank = bench_draw(draws++);
            if (last[rank] == request + 1)
                continue;
            last[rank] = request + 1;
            keys[(int64_t)request * BENCH_KEYS + i++] = bench_key(rank);
        }
    mem_free(last);
    return keys;
}

/* ---- the matrix products of networks, and the paper's toy net --------------------------------------------------------- */

#define BENCH_LAYERS 7
static const int bench_widths[BENCH_LAYERS + 1] = {5 * 48, 1024, 512, 256, 128, 64, 16, 1};

typedef struct bench_products {
    int rows, layers;
    int widths[BENCH_LAYERS + 1]; /* [layers + 1] */
    float *h[BENCH_LAYERS + 1], *d[BENCH_LAYERS + 1], *w[BENCH_LAYERS], *dw[BENCH_LAYERS];
} bench_products_t;

static inline void bench_products_init(bench_products_t *products, int rows, int layers, const int *widths)
{
    products->rows = rows;
    products->layers = layers;
    for (int l = 0; l <= layers; l++) {
        products->widths[l] = widths[l];
        products->h[l] = bench_normal((int64_t)rows * widths[l]);
        products->d[l] = bench_normal((int64_t)rows * widths[l]);
        if (l < layers) {
            products->w[l] = bench_normal((int64_t)widths[l] * widths[l + 1]);
            products->dw[l] = bench_normal((int64_t)widths[l] * widths[l + 1]);
        }
    }
}

static inline void bench_products_fini(bench_products_t *products)
{
    for (int l = 0; l <= products->layers; l++) {
        mem_free(products->h[l]);
        mem_free(products->d[l]);
        if (l < products->layers) {
            mem_free(products->w[l]);
            mem_free(products->dw[l]);
        }
    }
}

/* bench_products_step - the products of one training step by OpenBLAS, forward and backward, and nothing else. */
static inline void bench_products_step(bench_products_t *p)
{
    for (int l = 0; l < p->layers; l++)
        gemm_forward(p->h[l + 1], p->h[l], p->w[l], p->rows, p->widths[l], p->widths[l + 1]);
    for (int l = p->layers - 1; l >= 0; l--) {
        gemm_weight_gradient(p->dw[l], p->d[l + 1], p->h[l], p->rows, p->widths[l], p->widths[l + 1]);
        gemm_input_gradient(p->d[l], p->d[l + 1], p->w[l], p->rows, p->widths[l], p->widths[l + 1]);
    }
}

#endif
