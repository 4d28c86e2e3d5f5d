/* bench_parts - what forward and backward of a network of parts cost beside its bare matrix products and the bytes that it has
 * to read and write, in one run: 26 fields of width 16 and 13 numbers, lanes of 256, hidden layers [256, 128, 64].
 *
 * The bare side makes the same three products of each matrix, and goes over the input as often as a part without products must:
 * once forward, and backward once more together with its gradient, which is read and written. Prints `name value` lines, time
 * over bare time; both are this process's own time on a processor, one after the other in a round, and the median round
 * counts. */
#include <stdio.h>
#include <string.h>

#include "common/kernels/reduce.h"
#include "common/kernels/tree.h"
#include "tests/bench/bench.h"
#include "worker/network/model.h"

#define ROUNDS 9
#define ROWS 256
#define REPEATS 10

static int64_t hidden[] = {256, 128, 64};

typedef struct subject {
    const char *name;
    uint32_t parts;
    input_shape_t input;
    int cross_rank, cross_form;
} subject_t;

#define FIELDS \
    { \
        429, 26, 16, 13 \
    }
#define PART(part) (1u << PART_##part)

static const subject_t subjects[] = {
    {"linear", PART(LINEAR), {429, 0, 0, 429}, 0, CROSS_FORM_PARALLEL},
    {"fm", PART(FM), FIELDS, 0, CROSS_FORM_PARALLEL},
    {"cross", PART(CROSS), FIELDS, 0, CROSS_FORM_PARALLEL},
    {"cross_of_rank_64", PART(CROSS), FIELDS, 64, CROSS_FORM_PARALLEL},
    {"mlp", PART(MLP), FIELDS, 0, CROSS_FORM_PARALLEL},
    {"wide_and_deep", PART(LINEAR) | PART(MLP), FIELDS, 0, CROSS_FORM_PARALLEL},
    {"deepfm", PART(LINEAR) | PART(FM) | PART(MLP), FIELDS, 0, CROSS_FORM_PARALLEL},
    {"dcn", PART(CROSS) | PART(MLP), FIELDS, 0, CROSS_FORM_PARALLEL},
    {"dcn_stacked", PART(CROSS) | PART(MLP), FIELDS, 0, CROSS_FORM_STACKED},
};

/* All that the bare side works on; matrices are as large as any of the subjects needs them. */
typedef struct bare {
    float *x, *dx, *w, *dw, *a, *da;
} bare_t;

static void products(const bare_t *b, int in, int out)
{
    gemm_forward(b->a, b->x, b->w, ROWS, in, out);
    gemm_weight_gradient(b->dw, b->da, b->x, ROWS, in, out);
    gemm_input_gradient(b->dx, b->da, b->w, ROWS, in, out);
}

/* What a part without products reads and writes. */
static void bytes(const bare_t *b, int64_t n)
{
    float sum;
#define ELEMENT(AT) (AT(b->x))
    REDUCE_SUM(sum, n, ELEMENT);
    tree_add(b->dx, b->x, n);
    b->a[0] = sum;
}

static void run_bare(const bare_t *b, const subject_t *s)
{
    const int width = s->input.columns;
    for (int l = 0; l < 2 && s->parts & PART(CROSS); l++) {
        if (s->cross_rank) {
            products(b, width, s->cross_rank);
            products(b, s->cross_rank, width);
        } else {
            products(b, width, width);
        }
    }
    if (s->parts & PART(MLP)) {
        products(b, width, 256);
        products(b, 256, 128);
        products(b, 128, 64);
        products(b, 64, 1);
    }
    if (s->parts & PART(FM) || s->parts == PART(LINEAR))
        bytes(b, (int64_t)ROWS * width);
}

static config_t config_of(const subject_t *s)
{
    config_t config = {.name = "bench", .seed = 1};
    config.model.parts = s->parts;
    config.model.hidden.at = hidden;
    config.model.hidden.count = 3;
    config.model.cross_layers = 2;
    config.model.cross_rank = s->cross_rank;
    config.model.cross_form = s->cross_form;
    config.model.activation = ACTIVATION_RELU;
    config.model.init_gain = 2.0;
    config.embedding.init_std = 0.1;
    return config;
}

static status_t measure(const bare_t *b, const subject_t *s)
{
    const config_t config = config_of(s);
    model_t *model;
    TRY(model_create(&config, 0, s->input, ROWS, &model));
    float *x = bench_normal((int64_t)ROWS * s->input.columns), *dx = bench_normal((int64_t)ROWS * s->input.columns);
    float *logits = bench_normal(ROWS), *dparameters = bench_normal(model_parameters(model));
    double ratio[ROUNDS], seconds[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) { /* round -1 warms up */
        const double start = clock_cpu_seconds();
        for (int i = 0; i < REPEATS; i++)
            run_bare(b, s);
        const double middle = clock_cpu_seconds();
        for (int i = 0; i < REPEATS; i++) {
            model_forward(model, logits, x, ROWS);
            model_backward(model, dparameters, dx, logits, ROWS);
        }
        const double end = clock_cpu_seconds();
        if (round >= 0) {
            ratio[round] = (end - middle) / (middle - start);
            seconds[round] = (end - middle) / REPEATS;
        }
    }
    printf("parts_%s_over_bare %.4f\n", s->name, bench_median(ratio, ROUNDS));
    printf("parts_%s_examples_per_second %.0f\n", s->name, ROWS / bench_median(seconds, ROUNDS));
    mem_free(x);
    mem_free(dx);
    mem_free(logits);
    mem_free(dparameters);
    model_destroy(&model);
    return ST_OK;
}

int main(void)
{
    const int64_t matrix = 429 * 429, lane = ROWS * 429;
    const bare_t b = {bench_normal(lane),   bench_normal(lane), bench_normal(matrix),
                      bench_normal(matrix), bench_normal(lane), bench_normal(lane)};
    gemm_init();
    fprintf(stderr, "%s\n", gemm_kernel_name());
    status_t status = ST_OK;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects && status == ST_OK; i++)
        status = measure(&b, &subjects[i]);
    float *const all[] = {b.x, b.dx, b.w, b.dw, b.a, b.da};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
    return status_exit_code(status);
}
