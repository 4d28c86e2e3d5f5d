/* bench_activation - forward and backward of every activation, per element and over ReLU's, in one run.
 *
 * Prints `name value` lines: activation_NAME_ns, nanoseconds per element of forward plus backward, and
 * activation_NAME_over_relu, both for a lane of 256 x 256 values, which comes through the second-level cache as in training;
 * then activation_NAME_over_relu_l1, for 2,048 values that stay in the first, where arithmetic is all that counts. Those that
 * keep slopes do so, as in training; activation_NAME_kept is that time over the one with slopes computed twice. A round
 * measures ReLU and then the other for a tenth of a millisecond; the best of each counts: what others take away from so short
 * a time is all or nothing.                                                                                            */
#include <math.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/activation.h"
#include "tests/bench/bench.h"

#define N (256 * 256)
#define N_L1 2048
#define ELEMENTS (1 << 18) /* per measurement */
#define ROUNDS 301

static float x[N], y[N], dy[N], dx[N], slope[N];

/* As they are by default; four knots, so that RESCU is more than SmeLU. */
static const double knots[] = {-1.0, -0.5, 0.5, 1.0}, slopes[] = {0.0, 0.1, 0.9, 1.0};
static const activation_shape_t shape = {
    .beta = 1.0, .clip = 6.0, .leak = 0.01, .alpha = 1.0, .right = 1.0, .knots = 4, .knot = knots, .slope = slopes};

static double nanoseconds_per_element(const activation_t *activation, int64_t n, bool keeps)
{
    int64_t start = clock_now_ns();
    for (int64_t done = 0; done < ELEMENTS; done += n) {
        if (keeps) {
            activation->forward_keeping(y, slope, x, n, &shape);
            activation_backward_kept(dx, dy, slope, n);
        } else {
            activation->forward(y, x, n, &shape);
            activation->backward(dx, dy, x, n, &shape);
        }
    }
    return (double)(clock_now_ns() - start) / ELEMENTS;
}

/* The first's best time as in training, and its ratio to the best of the other with slopes computed twice. */
static void measure(const activation_t *activation, const activation_t *other, int64_t n, double *nanoseconds, double *ratio)
{
    double best = INFINITY, best_other = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        best_other = fmin(best_other, nanoseconds_per_element(other, n, false));
        best = fmin(best, nanoseconds_per_element(activation, n, activation->forward_keeping != NULL));
    }
    *nanoseconds = best;
    *ratio = best / best_other;
}

int main(void)
{
    rng_fill_normal(x, N, 2.0f, 1, 1, 0);
    rng_fill_normal(dy, N, 0.1f, 1, 2, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        const activation_t *activation = activation_get(kind);
        double nanoseconds, ratio, unused, ratio_l1;
        measure(activation, &activation_relu, N, &nanoseconds, &ratio);
        measure(activation, &activation_relu, N_L1, &unused, &ratio_l1);
        printf("activation_%s_ns %.4f\n", activation->name, nanoseconds);
        printf("activation_%s_over_relu %.3f\n", activation->name, ratio);
        printf("activation_%s_over_relu_l1 %.3f\n", activation->name, ratio_l1);
        if (!activation->forward_keeping)
            continue;
        measure(activation, activation, N, &unused, &ratio);
        printf("activation_%s_kept %.3f\n", activation->name, ratio);
    }
    return 0;
}
