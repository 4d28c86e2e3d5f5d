/* bench_products - matrix products of our own beside those of OpenBLAS, at the shapes of three networks: the paper's toy net
 * (lanes of 1,024), 26 fields of width 16 and 13 numbers (lanes of 256), and configs/kuairand.yaml (lanes of 256).
 *
 * Both sides make the same product one after the other in a round; the median round's ratio counts. Time is this process's own
 * time on a processor. Weights are packed once in a round, as in a step of one lane, and that is part of ours. Prints `name
 * value` lines: the speed of our kernel over that of OpenBLAS, per product and of all products of a step. The arguments, if
 * any, are names of kernels instead of the fastest here. */
#include <stdio.h>
#include <string.h>

#include "common/products/matrix.h"
#include "tests/bench/bench.h"

#define ROUNDS 9
#define FLOPS 4e7 /* of a product in a round, at least */
#define MOST 8

typedef struct net {
    const char *name;
    int rows, layers, width[MOST + 1];
} net_t;

static const net_t nets[] = {
    {"toy", 1024, 7, {5 * 48, 1024, 512, 256, 128, 64, 16, 1}},
    {"fields26", 256, 4, {26 * 16 + 13, 256, 128, 64, 1}},
    {"kuairand", 256, 4, {26 * 8, 128, 64, 32, 1}},
};

typedef enum product { FORWARD, INPUT, WEIGHT, PRODUCTS } product_t;

static const char *const product_names[PRODUCTS] = {"forward", "input_gradient", "weight_gradient"};

typedef struct operands {
    float *w, *dw, *x, *dx, *a, *da;
    matrix_t *own, *blas;
} operands_t;

static void run(const operands_t *o, matrix_t *m, product_t product, int rows)
{
    matrix_set(m, o->w); /* as once a step */
    switch (product) {
    case FORWARD:
        matrix_forward(m, o->a, o->x, NULL, rows);
        break;
    case INPUT:
        matrix_input_gradient(m, o->dx, o->da, rows);
        break;
    default:
        matrix_weight_gradient(m, o->dw, o->da, o->x, rows);
    }
}

static double seconds_of(const operands_t *o, matrix_t *m, product_t product, int rows, int repeats)
{
    const double start = clock_cpu_seconds();
    for (int i = 0; i < repeats; i++)
        run(o, m, product, rows);
    return (clock_cpu_seconds() - start) / repeats;
}

/* Adds the median seconds of both sides to own and blas. */
static void measure(const net_t *net, const product_kernel_t *kernel, const char *name, int l, double *own, double *blas)
{
    const int rows = net->rows, in = net->width[l], out = net->width[l + 1];
    operands_t o = {bench_normal((int64_t)in * out),  bench_normal((int64_t)in * out),   bench_normal((int64_t)rows * in),
                    bench_normal((int64_t)rows * in), bench_normal((int64_t)rows * out), bench_normal((int64_t)rows * out),
                    matrix_create(kernel, in, out),   matrix_create(NULL, in, out)};
    const int repeats = 1 + (int)(FLOPS / (2.0 * rows * in * out));
    for (product_t p = 0; p < PRODUCTS; p++) {
        double a[ROUNDS], b[ROUNDS], ratio[ROUNDS];
        for (int round = -1; round < ROUNDS; round++) {
            const double x = seconds_of(&o, o.own, p, rows, repeats), y = seconds_of(&o, o.blas, p, rows, repeats);
            if (round < 0)
                continue;
            a[round] = x;
            b[round] = y;
            ratio[round] = y / x;
        }
        *own += bench_median(a, ROUNDS);
        *blas += bench_median(b, ROUNDS);
        printf("%s_layer%d_%s %.3f\n", name, l + 1, product_names[p], bench_median(ratio, ROUNDS));
        fprintf(stderr, "%8s %4d x %4d -> %4d %16s own %6.1f GF/s, OpenBLAS %6.1f, %.3f\n", net->name, rows, in, out,
                product_names[p], 2e-9 * rows * in * out / bench_median(a, ROUNDS),
                2e-9 * rows * in * out / bench_median(b, ROUNDS), bench_median(ratio, ROUNDS));
    }
    float *const all[] = {o.w, o.dw, o.x, o.dx, o.a, o.da};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
    matrix_destroy(&o.own);
    matrix_destroy(&o.blas);
}

static void measure_net(const net_t *net, const product_kernel_t *kernel, const char *name)
{
    double own = 0.0, blas = 0.0;
    for (int l = 0; l < net->layers; l++)
        measure(net, kernel, name, l, &own, &blas);
    printf("%s %.3f\n", name, blas / own);
}

int main(int argc, char **argv)
{
    gemm_init();
    fprintf(stderr, "%s\n", gemm_kernel_name());
    const product_kernel_t *here = product_kernel_here(), *kernel;
    for (int i = 0; (kernel = product_kernel_at(i)); i++) {
        bool wanted = argc == 1 && kernel == here;
        for (int a = 1; a < argc; a++)
            wanted |= strcmp(argv[a], kernel->name) == 0;
        for (size_t n = 0; wanted && n < sizeof nets / sizeof *nets; n++) {
            char name[64];
            snprintf(name, sizeof name, argc == 1 ? "products_%s" : "products_%s_%s", nets[n].name, kernel->name);
            measure_net(&nets[n], kernel, name);
        }
    }
    return 0;
}
