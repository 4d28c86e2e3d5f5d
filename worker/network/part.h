/* part.h - what a network is put together from: a part takes the network's input matrix and gives logits, which are added to
 * those of the other parts, or a matrix, which is the input of the parts behind it (stacking).
 *
 * A kind of part is one file, part_NAME.c, with one part_ops_t, and one line in PARTS below. The network (model.c) owns
 * parameters, optimizer state, gradients and the matrices between parts; a part owns what it keeps from forward to backward
 * and what it derives from its parameters. Whatever asks for sizes, names or floating-point operations of a network (warm
 * start, complexity.match, checkpoints, reports) gets them from the plans of its parts. One thread per network.         */
#ifndef SMELTER_PART_H
#define SMELTER_PART_H

#include <stdio.h>

#include "common/kernels/optimizer.h"
#include "common/products/matrix.h"
#include "worker/network/model.h"

/* A block of a part's parameters, of which each row is one to the optimizer. */
typedef struct part_block {
    model_block_t place; /* offsets are the network's */
    const optimizer_t *optimizer;
    optimizer_settings_t settings; /* of its optimizer */
    bool of_activation;            /* numbers of an activation, which model_size leaves out of the weights */
    bool is_linear;                /* its optimizer is that of the section linear */
    bool is_sum;                   /* a step adds the gradient's place to it, as it is; no optimizer */
} part_block_t;

/* What a part would be like, and those before it. */
typedef struct part_plan {
    part_block_t *block;
    size_t block_cap;
    int blocks;
    int64_t parameters, state; /* floats of all blocks */
    int64_t products;          /* multiplications of a forward pass per example */
    int outputs;               /* width of the matrix that the part hands on; 0: it ends in logits */
    int optimizer;             /* of the blocks that are added next; that of the section dense, unless a part sets another */
    optimizer_settings_t settings; /* of it */
    bool is_linear;                /* as of the blocks */
} part_plan_t;

void part_plan_init(part_plan_t *plan);
void part_plan_fini(part_plan_t *plan);

/* part_plan_add - the next block of parameters. Names are unique in a network: a part begins them with a word of its own.
 * Returns the block, until the next one is added. */
part_block_t *PRINTF_LIKE(4, 5) part_plan_add(part_plan_t *plan, int64_t rows, int64_t width, const char *format, ...);

/* part_plan_use_dense, part_plan_use_linear - blocks that are added next have the optimizer of this section. A part's plan
 * begins with the first. */
void part_plan_use_dense(part_plan_t *plan, const config_t *config);
void part_plan_use_linear(part_plan_t *plan, const config_t *config);

/* part_block_unpenalised - a block of biases, gains or shifts, or of numbers of an activation: nothing pulls it to 0, unless
 * dense.penalise_biases says so of the former. */
void part_block_unpenalised(part_block_t *block, const config_t *config);

/* What a part is made of. values: its parameters, inside the network's; all 0 before create. kernel: of its products
 * (matrix_create). */
typedef struct part_setup {
    const config_t *config;
    const product_kernel_t *kernel;
    int component, lane_rows;
    input_shape_t input;
    float *values;
} part_setup_t;

/* The head of every part; its first member. */
typedef struct part {
    int inputs, lane_rows;
    float *values;        /* borrowed; they change between two calls of refresh only */
    bool is_forward_only; /* no backward follows: what only it wants need not be kept */
    int64_t step, first;  /* as model_drop says */
    bool is_inputs_first; /* backward leaves to `weights` what that can do as well */
    bool adds;            /* dx has a gradient already: backward adds to it (can_add) */
} part_t;

/* Functions that a part does without are NULL. x, dx are [rows][inputs]; out, dout [rows][outputs], or [rows] of logits. */
typedef struct part_ops {
    const char *name;
    network_part_kind_t kind; /* its word in model.parts */
    /* Its backward can add to dx, for parts that do so at no cost; others get a matrix of their own, which is added. */
    bool can_add;
    /* Why it cannot be made with this input, a line; NULL: it can. */
    const char *(*refuse)(const config_t *config, input_shape_t input);
    /* Add its blocks and products to the plan, and say what it hands on. Cheap: complexity.match asks for thousands. */
    void (*plan)(part_plan_t *plan, const config_t *config, input_shape_t input);
    /* Make it and write the initial values, a pure function of seed, component and position (part_fill). **owned** */
    part_t *(*create)(const part_setup_t *setup);
    void (*destroy)(part_t *part);
    /* out := ; x is borrowed until backward. As model_forward. */
    void (*forward)(part_t *part, float *out, const float *x, int rows);
    /* dparameters := [of the part]; dx := (+= where part->adds), may be NULL; dhidden as in model_backward_hidden, NULL for a
     * part without. */
    void (*backward)(part_t *part, float *dparameters, float *dx, const float *dout, const float *dhidden, int rows);
    /* What backward has left where is_inputs_first: those of dparameters that no other gradient waits for. */
    void (*weights)(part_t *part, float *dparameters, const float *dout, int rows);
    /* As model_observe. */
    void (*observe)(part_t *part, int rows);
    /* Recompute what is derived from the parameters, which changed. */
    void (*refresh)(part_t *part);
    /* Project the parameters back to where they may be, after a step of the optimizer and before refresh. */
    void (*project)(part_t *part);
    /* As model_hidden. The network's is that of the first part that has one. */
    const float *(*hidden)(const part_t *part, int *width);
    /* As model_activated, of its own layers. */
    bool (*activated)(const part_t *part, int i, model_activated_t *out);
    /* Write into its parameters `values`, a copy, those that differ in a network for serving (model_fold). */
    void (*fold)(const part_t *part, float *values);
    /* What it is in a few words, for model_describe. */
    void (*describe)(const part_t *part, FILE *stream);
} part_ops_t;

/* The table of parts, in the order in which they are evaluated and in which their parameters lie; each is `part_NAME`. */
#define PARTS(P) P(linear) P(fm) P(cross) P(mlp)

#define PART_EXTERN(name) extern const part_ops_t part_##name;
PARTS(PART_EXTERN)

/* part_get - part i of the table; NULL where there are no more. */
const part_ops_t *part_get(int i);

/* part_list - the parts that a configuration asks for, in order, with a NULL behind the last. */
#define PARTS_MOST 15
void part_list(const config_t *config, const part_ops_t *list[PARTS_MOST + 1]);

/* model_create_of - as model_create, of the parts of a list, whatever the configuration asks for. The last of them ends in
 * logits. */
WARN_UNUSED status_t model_create_of(const part_ops_t *const *list, const config_t *config, int component, input_shape_t input,
                                     int lane_rows, model_t **out);

/* part_fill - initial values from N(0, scale^2); stream and index keep them apart from other parts' and other blocks'. */
void part_fill(const part_setup_t *setup, float *values, int64_t n, float scale, uint64_t stream, int index);

#endif
