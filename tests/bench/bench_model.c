/* bench_model - what a training step costs beside its bare matrix products by OpenBLAS, in one run: of the paper's toy net in
 * lanes of three sizes, and, with products by OpenBLAS and with our own (kernels: own), of three networks in a lane each.
 *
 * Prints `name value` lines: per lane size the bare products in examples/s and the step's speed over theirs (1 would be a step
 * that is nothing but products), and the speeds of steps by both kernels over bare products and over one another. A round
 * measures all sides one after the other, in this process's own time on a processor; the median round counts. */
#include <stdio.h>

#include "common/kernels/loss.h"
#include "tests/bench/bench.h"
#include "worker/network/model.h"

#define ROUNDS 11
#define FLOPS 1.5e9 /* of a round, at least */

typedef struct subject {
    const char *name;
    int rows, inputs, layers;
    int64_t hidden[BENCH_LAYERS];
    int activation;
    bool activates_inputs, normalises;
} subject_t;

#define TOY 5 * 48, 6, {1024, 512, 256, 128, 64, 16}, ACTIVATION_SMELU, true, false

static const subject_t lanes[] = {{"256", 256, TOY}, {"512", 512, TOY}, {"1024", 1024, TOY}};
static const subject_t nets[] = {
    {"toy", 1024, TOY},
    {"fields26", 256, 26 * 16 + 13, 3, {256, 128, 64}, ACTIVATION_RELU, false, false},
    {"kuairand", 256, 26 * 8, 3, {128, 64, 32}, ACTIVATION_RELU, false, true},
};

static status_t create(const subject_t *s, kernels_t kernels, model_t **out)
{
    config_t config = {.name = "bench", .seed = 1, .kernels = kernels};
    config.model.hidden.at = (int64_t *)s->hidden;
    config.model.hidden.count = (unsigned)s->layers;
    config.model.activation = s->activation;
    config.model.beta = 1.0;
    config.model.clip = 6.0;
    config.model.parts = 1u << PART_MLP;
    config.model.activate_inputs = s->activates_inputs;
    config.model.layer_norm = s->normalises ? LAYER_NORM_PLAIN : LAYER_NORM_NONE;
    config.model.init_gain = 2.0;
    config.dense.optimizer = OPTIMIZER_ADAGRAD;
    config.dense.learning_rate = 1e-4;
    config.dense.initial_accumulator = 0.01;
    config.dense.epsilon = 1e-10;
    return model_create(&config, 0, input_of_numbers(s->inputs), s->rows, out);
}

/* A lane and what a step makes of it. */
typedef struct lane {
    int rows;
    float *x, *dx, *logits, *targets, *dparameters;
} lane_t;

static void step(const lane_t *l, model_t *model)
{
    model_forward(model, l->logits, l->x, l->rows);
    loss_probability(l->logits, l->logits, l->rows);
    loss_logistic.gradient(l->logits, l->logits, l->logits, l->targets, l->rows, 1.0f / (float)l->rows);
    model_backward(model, l->dparameters, l->dx, l->logits, l->rows);
    model_apply(model, l->dparameters);
}

/* Medians of a round: seconds of the bare products, and of a step by OpenBLAS and by our own. */
typedef struct times {
    double bare, blas_over_bare, own_over_bare, own_over_blas; /* speeds, but for the first */
} times_t;

static status_t measure(const subject_t *s, times_t *out)
{
    model_t *blas, *own;
    TRY(create(s, KERNELS_OPENBLAS, &blas));
    TRY(create(s, KERNELS_OWN, &own));
    const lane_t l = {s->rows,
                      bench_normal((int64_t)s->rows * s->inputs),
                      bench_normal((int64_t)s->rows * s->inputs),
                      bench_normal(s->rows),
                      MEM_ARRAY(float, s->rows),
                      bench_normal(model_parameters(blas))};
    for (int r = 0; r < s->rows; r++)
        l.targets[r] = (float)(r % 4 == 0);
    bench_products_t bare;
    int widths[BENCH_LAYERS + 1] = {s->inputs};
    for (int i = 0; i < s->layers; i++)
        widths[i + 1] = (int)s->hidden[i];
    widths[s->layers + 1] = 1;
    bench_products_init(&bare, s->rows, s->layers + 1, widths);

    double a[ROUNDS], b[ROUNDS], c[ROUNDS], d[ROUNDS];
    const int repeats = 1 + (int)(FLOPS / ((double)model_flops(blas) * s->rows));
    for (int round = -1; round < ROUNDS; round++) { /* round -1 warms up */
        const double start = clock_cpu_seconds();
        for (int i = 0; i < repeats; i++)
            bench_products_step(&bare);
        const double first = clock_cpu_seconds();
        for (int i = 0; i < repeats; i++)
            step(&l, blas);
        const double second = clock_cpu_seconds();
        for (int i = 0; i < repeats; i++)
            step(&l, own);
        const double third = clock_cpu_seconds();
        if (round < 0)
            continue;
        a[round] = (first - start) / repeats;
        b[round] = (first - start) / (second - first);
        c[round] = (first - start) / (third - second);
        d[round] = (second - first) / (third - second);
    }
    *out = (times_t){bench_median(a, ROUNDS), bench_median(b, ROUNDS), bench_median(c, ROUNDS), bench_median(d, ROUNDS)};
    bench_products_fini(&bare);
    float *const all[] = {l.x, l.dx, l.logits, l.targets, l.dparameters};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
    model_destroy(&blas);
    model_destroy(&own);
    return ST_OK;
}

static status_t run(void)
{
    times_t t;
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        TRY(measure(&lanes[i], &t));
        printf("model_bare_examples_per_second_%s %.1f\n", lanes[i].name, lanes[i].rows / t.bare);
        printf("model_step_over_sgemm_%s %.4f\n", lanes[i].name, t.blas_over_bare);
    }
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        TRY(measure(&nets[i], &t));
        printf("model_step_%s_seconds %.3g\n", nets[i].name, t.bare / t.blas_over_bare);
        printf("model_own_step_over_sgemm_%s %.4f\n", nets[i].name, t.own_over_bare);
        printf("model_own_step_over_step_%s %.4f\n", nets[i].name, t.own_over_blas);
    }
    return ST_OK;
}

int main(void)
{
    gemm_init();
    fprintf(stderr, "%s; %s\n", gemm_kernel_name(), product_kernel_text(product_kernel_here()));
    return status_exit_code(run());
}
