/* bench_model - what a training step of the paper's toy net costs beside its bare matrix products, in one run.
 *
 * Prints `name value` lines: per lane size the bare products in examples/s and the step's speed over theirs (1 would be a step
 * that is nothing but products), then SmeLU's time over ReLU's. A round measures both sides one after the other; the median
 * round counts, so that a busy machine disturbs little.                                                                    */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/activation.h"
#include "common/kernels/gemm.h"
#include "common/kernels/loss.h"
#include "worker/model.h"

#define ROUNDS 11
#define LAYERS 7

static int64_t hidden[LAYERS - 1] = {1024, 512, 256, 128, 64, 16};
static const int widths[LAYERS + 1] = {240, 1024, 512, 256, 128, 64, 16, 1};

static double seconds_now(void)
{
    return (double)clock_now_ns() * 1e-9;
}

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

static float *random_array(int64_t n)
{
    float *values = MEM_ARRAY(float, n);
    rng_fill_normal(values, n, 0.1f, 1, 1, 0);
    return values;
}

typedef struct bare {
    float *h[LAYERS + 1], *d[LAYERS + 1], *w[LAYERS], *dw[LAYERS];
} bare_t;

static void bare_step(bare_t *bare, int rows)
{
    for (int l = 0; l < LAYERS; l++)
        gemm_forward(bare->h[l + 1], bare->h[l], bare->w[l], rows, widths[l], widths[l + 1]);
    for (int l = LAYERS - 1; l >= 0; l--) {
        gemm_weight_gradient(bare->dw[l], bare->d[l + 1], bare->h[l], rows, widths[l], widths[l + 1]);
        gemm_input_gradient(bare->d[l], bare->d[l + 1], bare->w[l], rows, widths[l], widths[l + 1]);
    }
}

static status_t measure_step(int rows)
{
    config_t config = {.name = "bench", .seed = 1};
    config.model.hidden.at = hidden;
    config.model.hidden.count = LAYERS - 1;
    config.model.activation = ACTIVATION_SMELU;
    config.model.beta = 1.0;
    config.model.clip = 6.0;
    config.model.activate_inputs = true;
    config.model.init_gain = 2.0;
    config.dense.optimizer = OPTIMIZER_ADAGRAD;
    config.dense.learning_rate = 1e-4;
    config.dense.initial_accumulator = 0.01;
    config.dense.epsilon = 1e-10;
    model_t *model;
    TRY(model_create(&config, 0, widths[0], rows, &model));

    float *x = random_array((int64_t)rows * widths[0]), *dx = random_array((int64_t)rows * widths[0]);
    float *logits = random_array(rows), *targets = MEM_ARRAY(float, rows), *dparameters = random_array(model_parameters(model));
    for (int r = 0; r < rows; r++)
        targets[r] = (float)(r % 4 == 0);
    bare_t bare;
    for (int l = 0; l <= LAYERS; l++) {
        bare.h[l] = random_array((int64_t)rows * widths[l]);
        bare.d[l] = random_array((int64_t)rows * widths[l]);
        if (l < LAYERS) {
            bare.w[l] = random_array((int64_t)widths[l] * widths[l + 1]);
            bare.dw[l] = random_array((int64_t)widths[l] * widths[l + 1]);
        }
    }

    double bare_seconds[ROUNDS], ratio[ROUNDS];
    const int repeats = 3072 / rows;
    for (int round = -1; round < ROUNDS; round++) { /* round -1 warms up */
        double start = seconds_now();
        for (int i = 0; i < repeats; i++)
            bare_step(&bare, rows);
        double middle = seconds_now();
        for (int i = 0; i < repeats; i++) {
            model_forward(model, logits, x, rows);
            loss_probability(logits, logits, rows);
            loss_gradient(logits, logits, targets, rows, 1.0f / (float)rows);
            model_backward(model, dparameters, dx, logits, rows);
            model_apply(model, dparameters);
        }
        double end = seconds_now();
        if (round >= 0) {
            bare_seconds[round] = (middle - start) / repeats;
            ratio[round] = (middle - start) / (end - middle);
        }
    }
    printf("model_bare_examples_per_second_%d %.1f\n", rows, rows / median(bare_seconds, ROUNDS));
    printf("model_step_over_sgemm_%d %.4f\n", rows, median(ratio, ROUNDS));

    for (int l = 0; l <= LAYERS; l++) {
        mem_free(bare.h[l]);
        mem_free(bare.d[l]);
        if (l < LAYERS) {
            mem_free(bare.w[l]);
            mem_free(bare.dw[l]);
        }
    }
    mem_free(x);
    mem_free(dx);
    mem_free(logits);
    mem_free(targets);
    mem_free(dparameters);
    model_destroy(&model);
    return ST_OK;
}

/* Forward and backward over a matrix that does not fit the first-level cache but the second. */
static void measure_activations(void)
{
    enum { N = 64 * 1024, REPEATS = 200 };
    float *x = random_array(N), *y = random_array(N), *d = random_array(N);
    double ratio[ROUNDS], seconds[2];
    for (int round = -1; round < ROUNDS; round++) {
        for (int kind = 0; kind < 2; kind++) {
            const activation_t *activation = activation_get(kind == 0 ? ACTIVATION_RELU : ACTIVATION_SMELU);
            double start = seconds_now();
            for (int i = 0; i < REPEATS; i++) {
                activation->forward(y, x, N, 0.1f, 6.0f);
                activation->backward(d, y, x, N, 0.1f, 6.0f);
            }
            seconds[kind] = seconds_now() - start;
        }
        if (round >= 0)
            ratio[round] = seconds[1] / seconds[0];
    }
    printf("model_smelu_over_relu_time %.3f\n", median(ratio, ROUNDS));
    mem_free(x);
    mem_free(y);
    mem_free(d);
}

int main(void)
{
    const int lanes[] = {256, 512, 1024};
    gemm_init();
    fprintf(stderr, "%s\n", gemm_kernel_name());
    for (int i = 0; i < 3; i++) {
        status_t status = measure_step(lanes[i]);
        if (status != ST_OK)
            return status_exit_code(status);
    }
    measure_activations();
    return 0;
}
