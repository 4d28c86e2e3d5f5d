/* bench_model - what a training step of the paper's toy net costs beside its bare matrix products, in one run.
 *
 * Prints `name value` lines: per lane size the bare products in examples/s and the step's speed over theirs (1 would be a step
 * that is nothing but products). A round measures both sides one after the other; the median round counts, so that a busy
 * machine disturbs
 * little. */
#include <stdio.h>

#include "common/kernels/loss.h"
#include "tests/bench/bench.h"
#include "worker/network/model.h"

#define ROUNDS 11

static status_t measure_step(int rows)
{
    config_t config = {.name = "bench", .seed = 1};
    int64_t hidden[BENCH_LAYERS - 1];
    for (int l = 0; l < BENCH_LAYERS - 1; l++)
        hidden[l] = bench_widths[l + 1];
    config.model.hidden.at = hidden;
    config.model.hidden.count = BENCH_LAYERS - 1;
    config.model.activation = ACTIVATION_SMELU;
    config.model.beta = 1.0;
    config.model.clip = 6.0;
    config.model.parts = 1u << PART_MLP;
    config.model.activate_inputs = true;
    config.model.init_gain = 2.0;
    config.dense.optimizer = OPTIMIZER_ADAGRAD;
    config.dense.learning_rate = 1e-4;
    config.dense.initial_accumulator = 0.01;
    config.dense.epsilon = 1e-10;
    model_t *model;
    TRY(model_create(&config, 0, input_of_numbers(bench_widths[0]), rows, &model));

    float *x = bench_normal((int64_t)rows * bench_widths[0]), *dx = bench_normal((int64_t)rows * bench_widths[0]);
    float *logits = bench_normal(rows), *targets = MEM_ARRAY(float, rows), *dparameters = bench_normal(model_parameters(model));
    for (int r = 0; r < rows; r++)
        targets[r] = (float)(r % 4 == 0);
    bench_products_t bare;
    bench_products_init(&bare, rows);

    double bare_seconds[ROUNDS], ratio[ROUNDS];
    const int repeats = 3072 / rows;
    for (int round = -1; round < ROUNDS; round++) { /* round -1 warms up */
        double start = bench_seconds();
        for (int i = 0; i < repeats; i++)
            bench_products_step(&bare);
        double middle = bench_seconds();
        for (int i = 0; i < repeats; i++) {
            model_forward(model, logits, x, rows);
            loss_probability(logits, logits, rows);
            loss_logistic.gradient(logits, logits, logits, targets, rows, 1.0f / (float)rows);
            model_backward(model, dparameters, dx, logits, rows);
            model_apply(model, dparameters);
        }
        double end = bench_seconds();
        if (round >= 0) {
            bare_seconds[round] = (middle - start) / repeats;
            ratio[round] = (middle - start) / (end - middle);
        }
    }
    printf("model_bare_examples_per_second_%d %.1f\n", rows, rows / bench_median(bare_seconds, ROUNDS));
    printf("model_step_over_sgemm_%d %.4f\n", rows, bench_median(ratio, ROUNDS));

    bench_products_fini(&bare);
    mem_free(x);
    mem_free(dx);
    mem_free(logits);
    mem_free(targets);
    mem_free(dparameters);
    model_destroy(&model);
    return ST_OK;
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
    return 0;
}
