/* bench_activation - forward and backward of every activation, per element and over ReLU's, in one run.
 *
 * Prints `name value` lines: activation_NAME_ns, nanoseconds per element of forward plus backward, and activation_NAME_over_relu.
 * The arrays are a block of the network's fused passes (worker/model.c), which stays in the first-level cache. A round measures
 * ReLU and then the other, one right after the other; the median round counts, so that a busy machine disturbs little.    */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/activation.h"

#define N 2048
#define REPEATS 2000
#define ROUNDS 41

static float x[N], y[N], dy[N], dx[N];

/* As they are by default; four knots, so that RESCU is more than SmeLU. */
static const double knots[] = {-1.0, -0.5, 0.5, 1.0}, slopes[] = {0.0, 0.1, 0.9, 1.0};
static const activation_shape_t shape = {.beta = 1.0,
                                         .clip = 6.0,
                                         .leak = 0.01,
                                         .alpha = 1.0,
                                         .right = 1.0,
                                         .knots = 4,
                                         .knot = knots,
                                         .slope = slopes};

static double nanoseconds_per_element(const activation_t *activation)
{
    int64_t start = clock_now_ns();
    for (int i = 0; i < REPEATS; i++) {
        activation->forward(y, x, N, &shape);
        activation->backward(dx, dy, x, N, &shape);
    }
    return (double)(clock_now_ns() - start) / REPEATS / N;
}

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare_doubles);
    return values[ROUNDS / 2];
}

int main(void)
{
    rng_fill_normal(x, N, 2.0f, 1, 1, 0);
    rng_fill_normal(dy, N, 0.1f, 1, 2, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        const activation_t *activation = activation_get(kind);
        double nanoseconds[ROUNDS], ratio[ROUNDS];
        for (int round = -1; round < ROUNDS; round++) { /* round -1 warms up */
            const double relu = nanoseconds_per_element(&activation_relu), other = nanoseconds_per_element(activation);
            if (round >= 0) {
                nanoseconds[round] = other;
                ratio[round] = other / relu;
            }
        }
        printf("activation_%s_ns %.4f\nactivation_%s_over_relu %.3f\n", activation->name, median(nanoseconds), activation->name,
               median(ratio));
    }
    return 0;
}
