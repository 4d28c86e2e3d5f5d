/* The MLP of docs/MATH.md section 2. A layer's way through memory, for one lane of rows:
 *
 *     forward     pre := H_{l-1} W~^T          one product
 *                 pre += b                     \
 *                 pre := (pre - mean) rstd      | one pass over blocks of rows that stay in the first-level cache;
 *                 H_l := clip(f(gain pre + s)) /  normalisation is on hidden layers only
 *     backward    dH -> dA                     the same kind of pass, backwards, in place; db, dgain, ds on the way
 *                 dW := dA^T H_{l-1}           then through the weight normalisation, in place
 *                 dH_{l-1} := dA W~            over H_{l-1}, which is not needed any more
 *
 * Two floats per unit and example are kept for backward: what the activation saw (or its normalised form) and H, and a third,
 * the slope of the activation, where that costs more to compute again than to read (activation.h). The buffer of H becomes the
 * buffer of its gradient, so backward touches no other memory, and may run only once per forward. Where others wait for the
 * gradient of the input, all dW come last, and gradients have buffers of their own. W~ is W itself, or v w /
 * ||w||_p row by row, recomputed after every change of the parameters; where weights are projected instead, each step of the
 * optimizer ends with w := v w / ||w||_p, and W~ is W. Every pass works row by row in ascending order: which rows share a
 * block does not change any bit. */
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/kernels/dropout.h"
#include "common/kernels/gsmelu.h"
#include "common/kernels/norm.h"
#include "worker/network/layer_activation.h"
#include "worker/network/part.h"

#define BLOCK_FLOATS 2048 /* floats of one matrix in a fused pass: three of them fit a first-level cache of 32 KiB */

#define OBSERVED_ROWS 8 /* of a lane that is observed: next to nothing beside the lane's products */

#define STREAM_OF_DENSE 0x64656e7365u /* "dense": keeps these streams apart from those of embedding tables */

#define STREAM_OF_DROPOUT 0x64726f70u /* "drop": keeps its draws apart from all others */

typedef struct layer {
    int in, out;
    int64_t weights, bias, gain, shift; /* offsets into the parameters; gain and shift only where affine */
    float *used;                        /* [out][in] W~ */
    matrix_t *matrix;                   /* the same, for products */
    float *norms;                       /* [out] ||w||_p, or NULL without weight norm */
    layer_activation_t activation;      /* behind this layer; hidden layers only, as the rest */
    float *pre;                         /* [lane_rows][out] */
    float *activated;                   /* [lane_rows][out] H_l, later its gradient */
    float *gradient;                    /* [lane_rows][out] that, where dW come last */
    float *slope;                       /* [lane_rows][out] of the activation, or NULL where it is computed again */
    float *mask;                        /* [lane_rows][out] of dropout, or NULL where there is none */
    float *rstd;                        /* [lane_rows], or NULL without layer norm */
} layer_t;

/* Units of an activated layer that were looked at: what went into the activation, and what came out of it. */
typedef struct observed {
    int64_t seen, inside, clipped;
    double sum, squares; /* of the pre-activations */
} observed_t;

typedef struct mlp {
    part_t part;
    int layers;            /* counts the output layer */
    bool begins_with_bias; /* products do, so that it need not be added */
    layer_t *layer;
    gsmelu_set_t sets[GSMELU_SETS_MAX]; /* learned numbers, the first parameters */
    int n_sets;
    int64_t set_parameters; /* of these, or of found widths */

    layer_activation_t input_activation; /* where activate_inputs */
    float clip;                          /* INFINITY where clipping is off */
    observed_t *observed;                /* [layers] of layer 0, the inputs, and the hidden layers */
    bool activate_inputs;
    layer_norm_t layer_norm;
    float weight_norm, weight_norm_p; /* weight_norm is 0 where off */
    weight_norm_mode_t weight_norm_mode;

    dropout_t dropout;
    uint64_t drop_key; /* of the network, for all steps */
    bool drops;        /* in the pass that is under way */

    const float *x;         /* borrowed from forward to backward */
    float *activated_input; /* [lane_rows][inputs], or NULL */
    float *input_slope;     /* [lane_rows][inputs], or NULL, as of layers */
    float *input_gradient;  /* [lane_rows][inputs], or NULL: where numbers are learned at the input */
    float *block;           /* [rows of a block][widest layer] scratch of the affine layer norm */
} mlp_t;

/* ---- creation -------------------------------------------------------------------------------------------------------- */

/* A bias, gain or shift; returns its offset. */
static int64_t add_shifts(part_plan_t *plan, const config_t *config, int layer, int width, const char *word)
{
    part_block_t *block = part_plan_add(plan, 1, width, "layer %d %s", layer, word);
    part_block_unpenalised(block, config);
    return block->place.values;
}

/* The blocks in order; their offsets, counted from the plan's start, go into layers where that is not NULL. Normalising weights
 * adds none. */
static void lay_out(part_plan_t *plan, const config_t *config, int inputs, layer_t *layers)
{
    const int hidden = (int)config->model.hidden.count;
    gsmelu_set_t sets[GSMELU_SETS_MAX];
    const int n = layer_activation_sets(config, inputs, sets);
    for (int i = 0; i < n; i++) {
        part_block_t *block = part_plan_add(plan, GSMELU_NUMBERS, sets[i].units, "block %d", i);
        block->settings.learning_rate = (float)config->model.gsmelu_learning_rate;
        block->of_activation = true;
        part_block_unpenalised(block, config);
    }
    for (int i = 0; i <= hidden; i++) {
        const int layer = i < hidden ? i + 1 : 0;
        if (layer_activation_found(config, layer) < 0)
            continue;
        part_block_t *block = part_plan_add(plan, 1, FOUND_NUMBERS, "beta of layer %d", layer);
        block->of_activation = block->is_sum = true;
    }
    for (int l = 0, in = inputs; l <= hidden; l++) {
        layer_t layer = {.in = in, .out = l < hidden ? (int)config->model.hidden.at[l] : 1};
        part_block_t *weights = part_plan_add(plan, layer.out, layer.in, "layer %d weights", l + 1);
        weights->place.of_inputs = l == 0;
        layer.weights = weights->place.values;
        layer.bias = add_shifts(plan, config, l + 1, layer.out, "bias");
        if (l < hidden && config->model.layer_norm == LAYER_NORM_AFFINE) {
            layer.gain = add_shifts(plan, config, l + 1, layer.out, "gain");
            layer.shift = add_shifts(plan, config, l + 1, layer.out, "shift");
        }
        plan->products += (int64_t)layer.out * layer.in;
        in = layer.out;
        if (layers)
            layers[l] = layer;
    }
}

static void mlp_plan(part_plan_t *plan, const config_t *config, input_shape_t input)
{
    lay_out(plan, config, input.columns, NULL);
}

static int rows_per_block(int width)
{
    return width >= BLOCK_FLOATS ? 1 : BLOCK_FLOATS / width;
}

static bool is_reparametrised(const mlp_t *mlp)
{
    return mlp->weight_norm > 0.0f && mlp->weight_norm_mode == WEIGHT_NORM_REPARAMETRISED;
}

static bool is_projected(const mlp_t *mlp)
{
    return mlp->weight_norm > 0.0f && mlp->weight_norm_mode == WEIGHT_NORM_PROJECTED;
}

static void create_layers(mlp_t *mlp, const config_t *config, const product_kernel_t *kernel)
{
    const int64_t rows = mlp->part.lane_rows;
    int widest = 1;
    for (int l = 0; l < mlp->layers; l++) {
        layer_t *layer = &mlp->layer[l];
        layer->matrix = matrix_create(kernel, layer->in, layer->out);
        layer->used = mlp->part.values + layer->weights;
        if (is_reparametrised(mlp)) {
            layer->used = MEM_ARRAY(float, (int64_t)layer->out * layer->in);
            layer->norms = MEM_ARRAY(float, layer->out);
        }
        if (l == mlp->layers - 1)
            continue;
        layer_activation_init(&layer->activation, config, l + 1, layer->out, mlp->part.inputs);
        layer->pre = MEM_ARRAY(float, rows * layer->out);
        layer->activated = MEM_ARRAY(float, rows * layer->out);
        layer->gradient = MEM_ARRAY(float, rows * layer->out);
        if (mlp->dropout.bound)
            layer->mask = MEM_ARRAY(float, rows * layer->out);
        if (layer_activation_keeps(&layer->activation))
            layer->slope = MEM_ARRAY(float, rows * layer->out);
        if (mlp->layer_norm != LAYER_NORM_NONE)
            layer->rstd = MEM_ARRAY(float, rows);
        widest = layer->out > widest ? layer->out : widest;
    }
    mlp->block = MEM_ARRAY(float, widest > BLOCK_FLOATS ? widest : BLOCK_FLOATS);
}

/* w := v w / ||w||_p for the weights into every unit. */
static void project_weights(mlp_t *mlp)
{
    for (int l = 0; l < mlp->layers; l++) {
        const layer_t *layer = &mlp->layer[l];
        for (int64_t j = 0; j < layer->out; j++)
            norm_weight_project(mlp->part.values + layer->weights + j * layer->in, layer->in, mlp->weight_norm,
                                mlp->weight_norm_p);
    }
}

static void set_initial_values(mlp_t *mlp, const part_setup_t *setup)
{
    float *values = mlp->part.values;
    for (int l = 0; l < mlp->layers; l++) {
        const layer_t *layer = &mlp->layer[l];
        const float scale = (float)sqrt(setup->config->model.init_gain / layer->in);
        part_fill(setup, values + layer->weights, (int64_t)layer->out * layer->in, scale, STREAM_OF_DENSE, l);
        for (int j = 0; layer->gain && j < layer->out; j++)
            values[layer->gain + j] = 1.0f;
        layer_activation_start(&layer->activation, values);
    }
    layer_activation_start(&mlp->input_activation, values);
    if (is_projected(mlp))
        project_weights(mlp);
}

static part_t *mlp_create(const part_setup_t *setup)
{
    const config_t *config = setup->config;
    const int inputs = setup->input.columns;
    mlp_t *mlp = MEM_NEW(mlp_t);
    mlp->part = (part_t){.inputs = inputs, .lane_rows = setup->lane_rows, .values = setup->values};
    mlp->layers = (int)config->model.hidden.count + 1;
    mlp->begins_with_bias = setup->kernel != NULL;
    mlp->clip = config->model.clip > 0.0 ? (float)config->model.clip : INFINITY;
    mlp->activate_inputs = config->model.activate_inputs;
    mlp->layer_norm = (layer_norm_t)config->model.layer_norm;
    mlp->dropout = dropout_of(config->model.dropout);
    mlp->drop_key = hash_mix(hash_mix((uint64_t)config->seed ^ STREAM_OF_DROPOUT) + (uint64_t)setup->component);
    mlp->weight_norm = (float)config->model.weight_norm;
    mlp->weight_norm_p = (float)config->model.weight_norm_p;
    mlp->weight_norm_mode = (weight_norm_mode_t)config->model.weight_norm_mode;

    mlp->layer = MEM_ARRAY(layer_t, mlp->layers);
    mlp->observed = MEM_ARRAY(observed_t, mlp->layers);
    part_plan_t plan;
    part_plan_init(&plan);
    lay_out(&plan, config, inputs, mlp->layer);
    part_plan_fini(&plan);
    mlp->n_sets = layer_activation_sets(config, inputs, mlp->sets);
    mlp->set_parameters = mlp->layer[0].weights;
    if (mlp->activate_inputs) {
        layer_activation_init(&mlp->input_activation, config, 0, inputs, inputs);
        mlp->activated_input = MEM_ARRAY(float, (int64_t)setup->lane_rows *inputs);
        if (layer_activation_keeps(&mlp->input_activation))
            mlp->input_slope = MEM_ARRAY(float, (int64_t)setup->lane_rows *inputs);
        if (mlp->input_activation.numbers)
            mlp->input_gradient = MEM_ARRAY(float, (int64_t)setup->lane_rows *inputs);
    }
    create_layers(mlp, config, setup->kernel);
    set_initial_values(mlp, setup);
    return &mlp->part;
}

static void mlp_destroy(part_t *part)
{
    mlp_t *mlp = (mlp_t *)part;
    for (int l = 0; l < mlp->layers; l++) {
        layer_t *layer = &mlp->layer[l];
        if (layer->norms)
            mem_free(layer->used);
        mem_free(layer->norms);
        matrix_destroy(&layer->matrix);
        layer_activation_fini(&layer->activation);
        mem_free(layer->pre);
        mem_free(layer->activated);
        mem_free(layer->gradient);
        mem_free(layer->mask);
        mem_free(layer->slope);
        mem_free(layer->rstd);
    }
    layer_activation_fini(&mlp->input_activation);
    mem_free(mlp->layer);
    mem_free(mlp->observed);
    mem_free(mlp->activated_input);
    mem_free(mlp->input_slope);
    mem_free(mlp->input_gradient);
    mem_free(mlp->block);
    mem_free(mlp);
}

/* ---- one lane -------------------------------------------------------------------------------------------------------- */

static void add_row(float *restrict sum, const float *restrict row, int n)
{
    for (int j = 0; j < n; j++)
        sum[j] += row[j];
}

/* The input of layer l. */
static const float *activated_below(const mlp_t *mlp, int l)
{
    return l > 0 ? mlp->layer[l - 1].activated : mlp->activated_input;
}

/* The slopes that forward keeps from element `at` on, or NULL. */
static float *kept(const mlp_t *mlp, float *slope, int64_t at)
{
    return slope && !mlp->part.is_forward_only ? slope + at : NULL;
}

/* Leave units of hidden layer l, from 0, out. A key for each example, whichever lane has it. */
static void drop(const mlp_t *mlp, int l, int rows)
{
    const layer_t *layer = &mlp->layer[l];
    const uint64_t of_step = hash_mix(mlp->drop_key + (uint64_t)mlp->part.step);
    for (int r = 0; r < rows; r++) {
        const int64_t at = (int64_t)r * layer->out;
        const uint64_t of_example = hash_mix(of_step + (uint64_t)(mlp->part.first + r));
        dropout_mask(layer->mask + at, layer->out, hash_mix(of_example + (uint64_t)l), mlp->dropout);
        for (int j = 0; j < layer->out; j++)
            layer->activated[at + j] *= layer->mask[at + j];
    }
}

/* From the bare product to the activated output. */
static void finish_forward(const mlp_t *mlp, const layer_t *layer, int rows)
{
    const float *bias = mlp->part.values + layer->bias;
    const bool affine = mlp->layer_norm == LAYER_NORM_AFFINE;
    const int step = rows_per_block(layer->out);
    for (int first = 0; first < rows; first += step) {
        const int n = rows - first < step ? rows - first : step;
        float *pre = layer->pre + (int64_t)first * layer->out;
        float *activated = layer->activated + (int64_t)first * layer->out;
        for (int r = 0; r < n; r++) {
            float *row = pre + (int64_t)r * layer->out;
            if (!mlp->begins_with_bias)
                add_row(row, bias, layer->out);
            if (layer->rstd)
                layer->rstd[first + r] = norm_layer_forward(row, row, layer->out);
            if (affine)
                norm_affine_forward(activated + (int64_t)r * layer->out, row, mlp->part.values + layer->gain,
                                    mlp->part.values + layer->shift, layer->out);
        }
        layer_activation_forward(&layer->activation, activated, kept(mlp, layer->slope, (int64_t)first * layer->out),
                                 affine ? activated : pre, n);
    }
}

static void mlp_forward(part_t *part, float *logits, const float *x, int rows)
{
    mlp_t *mlp = (mlp_t *)part;
    mlp->x = x;
    mlp->drops = mlp->dropout.bound && !part->is_forward_only;
    if (mlp->activate_inputs)
        layer_activation_forward(&mlp->input_activation, mlp->activated_input, kept(mlp, mlp->input_slope, 0), x, rows);

    for (int l = 0; l < mlp->layers; l++) {
        const layer_t *layer = &mlp->layer[l];
        const float *below = activated_below(mlp, l);
        const bool hidden = l < mlp->layers - 1;
        matrix_forward(layer->matrix, hidden ? layer->pre : logits, below ? below : x,
                       mlp->begins_with_bias ? part->values + layer->bias : NULL, rows);
        if (hidden)
            finish_forward(mlp, layer, rows);
        if (hidden && mlp->drops)
            drop(mlp, l, rows);
    }
    const float bias = mlp->part.values[mlp->layer[mlp->layers - 1].bias];
    for (int r = 0; !mlp->begins_with_bias && r < rows; r++)
        logits[r] += bias;
}

/* Where the gradient of the output of layer l goes, and becomes that of the bare product. */
static float *gradient_of(const mlp_t *mlp, int l)
{
    return mlp->part.is_inputs_first ? mlp->layer[l].gradient : mlp->layer[l].activated;
}

/* From the gradient of the activated output to that of the bare product, in place; bias, gain and shift on the way. */
static void start_backward(const mlp_t *mlp, int l, float *dparameters, int rows)
{
    layer_t *layer = &mlp->layer[l];
    float *dbias = dparameters + layer->bias;
    float *dgain = dparameters + layer->gain, *dshift = dparameters + layer->shift;
    const float *gain = mlp->part.values + layer->gain, *shift = mlp->part.values + layer->shift;
    const bool affine = mlp->layer_norm == LAYER_NORM_AFFINE;
    const size_t bytes = (size_t)layer->out * sizeof(float);
    memset(dbias, 0, bytes);
    if (affine) {
        memset(dgain, 0, bytes);
        memset(dshift, 0, bytes);
    }
    layer_activation_clear(&layer->activation);

    const int step = rows_per_block(layer->out);
    for (int first = 0; first < rows; first += step) {
        const int n = rows - first < step ? rows - first : step;
        const float *pre = layer->pre + (int64_t)first * layer->out;
        const float *slope = kept(mlp, layer->slope, (int64_t)first * layer->out);
        float *d = gradient_of(mlp, l) + (int64_t)first * layer->out;
        for (int64_t j = 0; mlp->drops && j < (int64_t)n * layer->out; j++)
            d[j] *= layer->mask[(int64_t)first * layer->out + j];
        for (int r = 0; affine && !slope && r < n; r++)
            norm_affine_forward(mlp->block + (int64_t)r * layer->out, pre + (int64_t)r * layer->out, gain, shift, layer->out);
        layer_activation_backward(&layer->activation, d, d, affine ? mlp->block : pre, slope, n);
        for (int r = 0; r < n; r++) {
            const float *xhat = pre + (int64_t)r * layer->out;
            float *row = d + (int64_t)r * layer->out;
            if (affine)
                norm_affine_backward(row, dgain, dshift, row, xhat, gain, layer->out);
            if (layer->rstd)
                norm_layer_backward(row, row, xhat, layer->rstd[first + r], layer->out);
            add_row(dbias, row, layer->out);
        }
    }
    layer_activation_add(&layer->activation, dparameters);
}

static void observe_row(observed_t *o, const layer_activation_t *a, const float *pre, const float *activated, float clip)
{
    for (int j = 0; j < a->width; j++) {
        const double x = pre[j];
        o->sum += x;
        o->squares += x * x;
        o->clipped += fabsf(activated[j]) >= clip;
    }
    o->inside += layer_activation_inside(a, pre);
    o->seen += a->width;
}

/* What the activation of a hidden layer saw of a row; behind an affine normalisation it is computed again. */
static const float *seen_row(const mlp_t *mlp, const layer_t *layer, int row)
{
    const float *pre = layer->pre + (int64_t)row * layer->out;
    if (mlp->layer_norm != LAYER_NORM_AFFINE)
        return pre;
    norm_affine_forward(mlp->block, pre, mlp->part.values + layer->gain, mlp->part.values + layer->shift, layer->out);
    return mlp->block;
}

static void mlp_observe(part_t *part, int rows)
{
    mlp_t *mlp = (mlp_t *)part;
    for (int r = 0; r < rows && r < OBSERVED_ROWS; r++) {
        const int64_t inputs = part->inputs;
        if (mlp->activate_inputs)
            observe_row(&mlp->observed[0], &mlp->input_activation, mlp->x + r * inputs, mlp->activated_input + r * inputs,
                        mlp->clip);
        for (int l = 1; l < mlp->layers; l++) { /* what dropout leaves out counts as not clipped */
            const layer_t *layer = &mlp->layer[l - 1];
            observe_row(&mlp->observed[l], &layer->activation, seen_row(mlp, layer, r),
                        layer->activated + (int64_t)r * layer->out, mlp->drops ? mlp->clip * mlp->dropout.scale : mlp->clip);
        }
    }
}

static const float *mlp_hidden(const part_t *part, int *width)
{
    const mlp_t *mlp = (const mlp_t *)part;
    const layer_t *last = mlp->layers > 1 ? &mlp->layer[mlp->layers - 2] : NULL;
    *width = last ? last->out : 0;
    return last ? last->activated : NULL;
}

static void weigh(const mlp_t *mlp, int l, float *dparameters, const float *da, int rows)
{
    const layer_t *layer = &mlp->layer[l];
    const float *below = activated_below(mlp, l);
    float *dweights = dparameters + layer->weights;
    matrix_weight_gradient(layer->matrix, dweights, da, below ? below : mlp->x, rows);
    for (int j = 0; layer->norms && j < layer->out; j++)
        norm_weight_backward(dweights + (int64_t)j * layer->in, mlp->part.values + layer->weights + (int64_t)j * layer->in,
                             layer->norms[j], layer->in, mlp->weight_norm, mlp->weight_norm_p);
}

static void mlp_weights(part_t *part, float *dparameters, const float *dlogits, int rows)
{
    const mlp_t *mlp = (const mlp_t *)part;
    for (int l = mlp->layers - 1; l >= 0; l--)
        weigh(mlp, l, dparameters, l < mlp->layers - 1 ? gradient_of(mlp, l) : dlogits, rows);
}

static void mlp_backward(part_t *part, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows)
{
    mlp_t *mlp = (mlp_t *)part;
    memset(dparameters, 0, (size_t)mlp->set_parameters * sizeof *dparameters);
    if (mlp->input_activation.is_searching)
        layer_activation_see(&mlp->input_activation, dparameters, mlp->x, rows);
    /* Numbers learned at the input want its gradient even where the caller does not. */
    float *dinput = dx ? dx : mlp->input_gradient;
    const float *da = dlogits;
    for (int l = mlp->layers - 1; l >= 0; l--) {
        layer_t *layer = &mlp->layer[l];
        if (l < mlp->layers - 1) {
            for (int r = 0; layer->activation.is_searching && r < rows; r++)
                layer_activation_see(&layer->activation, dparameters, seen_row(mlp, layer, r), 1);
            start_backward(mlp, l, dparameters, rows);
            da = gradient_of(mlp, l);
        } else {
            float sum = 0.0f;
            for (int r = 0; r < rows; r++)
                sum += dlogits[r];
            dparameters[layer->bias] = sum;
        }
        if (!part->is_inputs_first)
            weigh(mlp, l, dparameters, da, rows);
        float *dbelow = l > 0 ? gradient_of(mlp, l - 1) : dinput;
        if (dbelow)
            matrix_input_gradient(layer->matrix, dbelow, da, rows);
        if (dhidden && l > 0 && l == mlp->layers - 1)
            add_row(dbelow, dhidden, rows * layer->in);
    }
    if (dinput && mlp->activate_inputs) {
        layer_activation_clear(&mlp->input_activation);
        layer_activation_backward(&mlp->input_activation, dinput, dinput, mlp->x, mlp->input_slope, rows);
        layer_activation_add(&mlp->input_activation, dparameters);
    }
}

/* ---- parameters ------------------------------------------------------------------------------------------------------ */

static void mlp_project(part_t *part)
{
    mlp_t *mlp = (mlp_t *)part;
    for (int i = 0; i < mlp->n_sets; i++)
        gsmelu_project(mlp->part.values + mlp->sets[i].offset, mlp->sets[i].units);
    if (mlp->input_activation.is_searching)
        layer_activation_find(&mlp->input_activation, part->values);
    for (int l = 0; l < mlp->layers; l++)
        if (mlp->layer[l].activation.is_searching)
            layer_activation_find(&mlp->layer[l].activation, part->values);
    if (is_projected(mlp))
        project_weights(mlp);
}

static void mlp_refresh(part_t *part)
{
    mlp_t *mlp = (mlp_t *)part;
    layer_activation_refresh(&mlp->input_activation, mlp->part.values);
    for (int l = 0; l < mlp->layers; l++) {
        layer_t *layer = &mlp->layer[l];
        layer_activation_refresh(&layer->activation, mlp->part.values);
        for (int j = 0; layer->norms && j < layer->out; j++)
            layer->norms[j] = norm_weight_forward(layer->used + (int64_t)j * layer->in,
                                                  mlp->part.values + layer->weights + (int64_t)j * layer->in, layer->in,
                                                  mlp->weight_norm, mlp->weight_norm_p);
        matrix_set(layer->matrix, layer->used);
    }
}

static void mlp_fold(const part_t *part, float *values)
{
    const mlp_t *mlp = (const mlp_t *)part;
    for (int l = 0; l < mlp->layers; l++) {
        const layer_t *layer = &mlp->layer[l];
        memcpy(values + layer->weights, layer->used, (size_t)layer->out * (size_t)layer->in * sizeof *values);
    }
}

static bool mlp_activated(const part_t *part, int i, model_activated_t *out)
{
    const mlp_t *mlp = (const mlp_t *)part;
    if (i >= mlp->layers)
        return false;
    const observed_t *o = &mlp->observed[i];
    const layer_activation_t *a = i ? &mlp->layer[i - 1].activation : &mlp->input_activation;
    const bool has_beta = a->function && a->function->beta != BETA_NONE;
    const double n = (double)o->seen, mean = o->sum / n;
    out->clipped_share = o->seen ? (double)o->clipped / n : 0.0;
    out->spread = o->seen ? sqrt(fmax(o->squares / n - mean * mean, 0.0)) : NAN;
    out->beta = has_beta && !a->numbers ? a->shape.beta : NAN;
    out->inside_share = o->seen && has_beta ? (double)o->inside / n : NAN;
    snprintf(out->name, sizeof out->name, "%s layer %d", i ? "hidden" : "input", i);
    return true;
}

/* ---- words ----------------------------------------------------------------------------------------------------------- */

static void describe_activation(FILE *stream, const layer_activation_t *a)
{
    fputs(a->function->name, stream);
    if (a->numbers)
        fputs("(learned)", stream);
    else if (a->warmup)
        fprintf(stream, "(%g spreads)", a->spreads);
    else if (a->function->beta != BETA_NONE)
        fprintf(stream, "(%g)", a->shape.beta);
}

static bool is_same(const layer_activation_t *a, const layer_activation_t *b)
{
    return a->function == b->function && (a->shape.beta == b->shape.beta || a->function->beta == BETA_NONE);
}

/* One activation where all activated layers have the same, else one for each, from the input on. */
static void describe_activations(FILE *stream, const mlp_t *mlp)
{
    const layer_activation_t *all[GSMELU_SETS_MAX];
    int n = 0;
    if (mlp->activate_inputs)
        all[n++] = &mlp->input_activation;
    for (int l = 0; l < mlp->layers - 1; l++)
        all[n++] = &mlp->layer[l].activation;
    bool same = true;
    for (int i = 1; i < n; i++)
        same &= is_same(all[0], all[i]);
    for (int i = 0; i < (same && n ? 1 : n); i++) {
        fputs(i ? " " : ", ", stream);
        describe_activation(stream, all[i]);
    }
}

static void mlp_describe(const part_t *part, FILE *stream)
{
    const mlp_t *mlp = (const mlp_t *)part;
    fprintf(stream, "%d", part->inputs);
    for (int l = 0; l < mlp->layers; l++)
        fprintf(stream, " -> %d", mlp->layer[l].out);
    describe_activations(stream, mlp);
    if (mlp->layer_norm != LAYER_NORM_NONE)
        fprintf(stream, ", layer norm%s", mlp->layer_norm == LAYER_NORM_AFFINE ? " with gain" : "");
    if (mlp->weight_norm > 0.0f)
        fprintf(stream, ", weight norm %g%s", (double)mlp->weight_norm, is_projected(mlp) ? " by projection" : "");
    if (isfinite(mlp->clip))
        fprintf(stream, ", clip %g", (double)mlp->clip);
    if (mlp->dropout.bound)
        fprintf(stream, ", dropout %g", mlp->dropout.bound / 65536.0);
}

const part_ops_t part_mlp = {
    .name = "mlp",
    .kind = PART_MLP,
    .plan = mlp_plan,
    .create = mlp_create,
    .destroy = mlp_destroy,
    .forward = mlp_forward,
    .backward = mlp_backward,
    .weights = mlp_weights,
    .observe = mlp_observe,
    .refresh = mlp_refresh,
    .project = mlp_project,
    .hidden = mlp_hidden,
    .activated = mlp_activated,
    .fold = mlp_fold,
    .describe = mlp_describe,
};
