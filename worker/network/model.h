/* model.h - one network (a component): the sum of its parts (part.h), of which the MLP of docs/MATH.md section 2 is one;
 * forward and backward on one lane. First-order weights of categorical values are not a network's: the caller adds them to its
 * logits.
 *
 * Not here: embeddings (they live on the servers; the caller gathers them into the input matrix), the optimizer's step over the
 * cluster, threads. A model_t holds parameters, optimizer state and gradients in one arena each, so that the all-reduce, the
 * checkpoint and the digest see flat arrays. */
#ifndef SMELTER_MODEL_H
#define SMELTER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/products/product.h"
#include "worker/network/layer_activation.h"

typedef struct model model_t;

/* What an input row is made of: [field 0 | field 1 | ... | numbers]. */
typedef struct input_shape {
    int columns; /* its width */
    int fields;  /* embeddings */
    int dim;     /* columns of each; 0 where they differ, or have none */
    int numeric; /* numbers */
} input_shape_t;

/* input_of_numbers - a row that has no embeddings. */
static inline input_shape_t input_of_numbers(int columns)
{
    return (input_shape_t){.columns = columns, .numeric = columns};
}

/* model_create - the network that config asks for, for inputs of that shape; lane_rows is the most rows that one call may
 * pass. Initial values are a pure function of (config->seed, component).  **owned**; model_destroy. */
WARN_UNUSED status_t model_create(const config_t *config, int component, input_shape_t input, int lane_rows, model_t **out);
void model_destroy(model_t **model);

/* model_check - ST_INPUT where there is no such network: as model_create, without one. */
WARN_UNUSED status_t model_check(const config_t *config, input_shape_t input);

/* model_kernel - what makes the products of networks of that configuration; NULL: OpenBLAS. */
const product_kernel_t *model_kernel(const config_t *config);

/* model_forward - logits of a lane. logits out [rows] f32; x in [rows][inputs] f32, borrowed until the backward pass of the
 * same lane is over (kept by reference). rows is 1 .. lane_rows; the last batch of an epoch may have fewer, a lane without
 * examples is not passed at all. Activations stay inside the model for the next model_backward. Cannot fail. Cost: a third of
 * model_flops a row.
 * model_forward_only - the same bits where no model_backward or model_observe follows; keeps less. */
void model_forward(model_t *model, float *logits, const float *x, int rows);
void model_forward_only(model_t *model, float *logits, const float *x, int rows);

/* model_drop - the rows of the next forward are the examples of global step `step` from place `first` of its batch on, which
 * decides what model.dropout leaves out of them; model_forward_only leaves out nothing. */
void model_drop(model_t *model, int64_t step, int64_t first);

/* model_backward - gradients of the lane passed to the last model_forward. dparameters out [model_parameters] f32, := (not +=);
 * dx out [rows][inputs] f32, := ;  dlogits in [rows] f32 dx may be NULL where it is not wanted. Once per forward. */
void model_backward(model_t *model, float *dparameters, float *dx, const float *dlogits, int rows);

/* model_observe - look at the first few rows of the lane in flight, for model_activated; before its backward.
 * rows: as passed to forward.  Cost: next to nothing. */
void model_observe(model_t *model, int rows);

/* model_hidden - the last hidden layer's outputs of the lane in flight, [rows][*width], borrowed until model_backward; NULL
 * and width 0 where the network has none. */
const float *model_hidden(const model_t *model, int *width);

/* model_backward_hidden - as model_backward, for an objective that also depends on the last hidden outputs: dhidden in
 * [rows][width] is its gradient by them, added to what comes from the logits; NULL: none. */
void model_backward_hidden(model_t *model, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows);

/* model_backward_inputs, model_backward_weights - the same in two halves: first dx and what is on the way to it, which others
 * wait for; then the products that give the gradients of weights, a third of model_flops. What went into the first is borrowed
 * until the second returns, and there is no forward between them. */
void model_backward_inputs(model_t *model, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows);
void model_backward_weights(model_t *model, float *dparameters, const float *dlogits, int rows);

/* model_scale_rates - the learning rates of the next steps are those of the configuration times these shares: of the sections
 * dense and linear. */
void model_scale_rates(model_t *model, double dense, double linear);

/* model_apply - one optimizer step on all parameters from a gradient of the whole global batch, then refresh what is derived
 * from the parameters (normalised weights). The weights into one unit are a row of the optimizer; so is each bias, gain and
 * shift as a whole, and each number of a learned gSmeLU. Projections (weight norm in that mode, the bounds of learned numbers)
 * are part of the step. What lanes have seen for a width that is found (layer_activation.h) is added as it is. */
void model_apply(model_t *model, const float *dparameters);

/* model_is_elementwise - the optimizers treat each parameter on its own and give each a number of state, or none does, and no
 * norm of all gradients counts (dense.clip_norm); so that a step can be shared out: each of several equal networks makes a
 * piece of it by model_apply_some, which puts the new parameters [first, first + n) in place of their gradients [n]; when
 * model_values has all of them, model_end_step does the rest. The state of a parameter has its number in model_state, where
 * there is one, and is up to date where the piece was made alone. */
bool model_is_elementwise(const model_t *model);
void model_apply_some(model_t *model, int64_t first, int64_t n, float *dparameters);
void model_end_step(model_t *model);

/* With dense.average_steps, each step also adds the new parameters to their mean over the last ones, in full on every worker,
 * which lies in model_state behind the optimizer's.
 *
 * model_swap_average - the mean in place of the parameters, for forwards that deploy, and back by a second call; nothing
 * before the first step. No forward's backward may be left to do, and no step comes before the second call.
 * model_average - the mean and the number of steps in it, [*floats], or NULL and 0. */
void model_swap_average(model_t *model);
float *model_average(model_t *model, int64_t *floats);

/* Flat views, part after part, each block row-major. Of an MLP: [learned gSmeLU or found widths, see
 * layer_activation.h] W_1 b_1 [gain_1 shift_1] W_2 ...; state has the accumulators in the same order, and
 * behind them the mean of parameters where one is kept: model_optimizer_state_count is without it. */
int64_t model_parameters(const model_t *model);
float *model_values(model_t *model);
float *model_state(model_t *model); /* [model_state_count] */
int64_t model_state_count(const model_t *model);
int64_t model_optimizer_state_count(const model_t *model);

/* A block of a network's parameters by name, for a network that starts from another's: "layer 1 weights", "layer 2 bias",
 * ... */
typedef struct model_block {
    char name[32];
    int64_t values, rows, width; /* [rows][width] from this offset of model_values on */
    int64_t state, state_floats; /* its optimizer state, from this offset of model_state on */
    int optimizer;               /* optimizer_kind_t */
    bool of_inputs;              /* its columns belong to the inputs, so that it means something else for other ones */
} model_block_t;

/* model_block - block i of the network, in order of offsets; false where there are no more. */
bool model_block(const model_t *model, int i, model_block_t *out);

/* model_refresh - recompute derived values after the caller changed model_values. */
void model_refresh(model_t *model);

/* model_fold - the parameters of the same function without weight norm, for serving: W~ in place of W. values out
 * [model_parameters]. A network with model.weight_norm 0 and these values gives the same logits, bit for bit. */
void model_fold(const model_t *model, float *values);

/* An activated layer, for reports: what was seen of it in all observed lanes so far. */
typedef struct model_activated {
    char name[32];        /* "hidden layer 1" */
    double clipped_share; /* of its values; 0 where it is not clipped or nothing was seen */
    double beta;          /* now; NaN where there is none, or units have learned their own */
    double spread;        /* standard deviation of what went into the activation; NaN where nothing was seen */
    double inside_share;  /* of that, in the bend (layer_activation_inside); NaN where there is none, too */
} model_activated_t;

/* model_activated - activated layer i of the network, "input layer 0" of the MLP first; false where there are no more. */
bool model_activated(const model_t *model, int i, model_activated_t *out);

/* model_flops - floating point operations of forward and backward per example (matrix products only). */
int64_t model_flops(const model_t *model);

/* What a network has, without making it. */
typedef struct model_size {
    int64_t parameters, state; /* floats, as model_parameters and model_state_count */
    int64_t weights;           /* parameters without the learned numbers of activations, which do not make a network larger */
    int64_t flops;             /* as model_flops */
} model_size_t;

model_size_t model_size(const config_t *config, input_shape_t input);

/* model_gsmelu_sets - layer_activation_sets of the network's MLP, with offsets into model_values. */
int model_gsmelu_sets(const config_t *config, input_shape_t input, gsmelu_set_t sets[GSMELU_SETS_MAX]);

/* model_describe - "208 -> 128 -> 64 -> 32 -> 1, smelu(1), layer norm" for logs; **owned**. */
char *model_describe(const model_t *model);

#endif
