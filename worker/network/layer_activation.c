/* The kernel for learned sets wants a set per unit, so shared ones are spread over the units after every step and their
 * gradients summed over them after every lane. That costs a pass over five rows per layer and step; the kernel itself reads
 * numbers that stay in the first-level cache for a block of rows. */
#include "worker/network/layer_activation.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/kernels/gsmelu.h"
#include "common/kernels/reduce.h"

#define LEAST_FOUND_WIDTH 1e-6 /* the least model.beta */

static activation_kind_t kind_of(const config_t *config, int layer)
{
    const config_ints_t *list = &config->model.layer_activation;
    return (activation_kind_t)(layer > 0 && list->count ? list->at[layer - 1] : config->model.activation);
}

static double beta_of(const config_t *config, int layer)
{
    const config_nums_t *list = &config->model.layer_beta;
    return layer > 0 && list->count ? list->at[layer - 1] : config->model.beta;
}

int layer_activation_sets(const config_t *config, int inputs, gsmelu_set_t sets[GSMELU_SETS_MAX])
{
    const int hidden = (int)config->model.hidden.count;
    const gsmelu_learning_t learning = (gsmelu_learning_t)config->model.gsmelu;
    int n = 0;
    int64_t offset = 0;
    for (int i = 0; i <= hidden && learning != GSMELU_FIXED; i++) {
        const int layer = i < hidden ? i + 1 : 0;
        const int width = layer ? (int)config->model.hidden.at[layer - 1] : inputs;
        if (kind_of(config, layer) != ACTIVATION_GSMELU || (layer == 0 && !config->model.activate_inputs))
            continue;
        if (learning == GSMELU_NETWORK) {
            sets[0] = (gsmelu_set_t){-1, 1, 0};
            return 1;
        }
        const int units = learning == GSMELU_UNIT ? width : 1;
        if (units == 0)
            continue;
        sets[n++] = (gsmelu_set_t){layer, units, offset};
        offset += (int64_t)GSMELU_NUMBERS * units;
    }
    return n;
}

int64_t layer_activation_found(const config_t *config, int layer)
{
    const int hidden = (int)config->model.hidden.count;
    int64_t offset = 0;
    for (int i = 0; i <= hidden && config->model.beta_spread > 0.0; i++) {
        const int l = i < hidden ? i + 1 : 0;
        if ((l == 0 && !config->model.activate_inputs) || activation_get(kind_of(config, l))->beta == BETA_NONE)
            continue;
        if (l == layer)
            return offset;
        offset += FOUND_NUMBERS;
    }
    return -1;
}

static double *copy_of(const config_nums_t *list)
{
    double *copy = MEM_ARRAY(double, list->count);
    for (unsigned i = 0; i < list->count; i++)
        copy[i] = list->at[i];
    return copy;
}

void layer_activation_init(layer_activation_t *a, const config_t *config, int layer, int width, int inputs)
{
    const struct config_model *m = &config->model;
    const double beta = (float)beta_of(config, layer);
    *a = (layer_activation_t){
        .function = activation_get(kind_of(config, layer)),
        .shape = {.beta = beta,
                  .clip = m->clip > 0.0 ? m->clip : INFINITY,
                  .leak = m->leak,
                  .alpha = m->gsmelu_alpha > 0.0 ? m->gsmelu_alpha : beta,
                  .left = m->gsmelu_left,
                  .right = m->gsmelu_right,
                  .level = m->gsmelu_level,
                  .knots = (int)m->rescu_knots.count,
                  .rise = m->rescu_rise},
        .knots = copy_of(&m->rescu_knots),
        .slopes = copy_of(&m->rescu_slopes),
        .width = width,
        .set = -1,
        .found = layer_activation_found(config, layer),
        .spreads = m->beta_spread,
        .warmup = layer_activation_found(config, layer) >= 0 ? m->beta_warmup : 0,
    };
    a->shape.knot = a->knots;
    a->shape.slope = a->slopes;
    if (kind_of(config, layer) != ACTIVATION_GSMELU)
        return;
    gsmelu_set_t sets[GSMELU_SETS_MAX];
    const int n = layer_activation_sets(config, inputs, sets);
    for (int i = 0; i < n; i++) {
        if (sets[i].layer != layer && sets[i].layer != -1)
            continue;
        a->set = sets[i].offset;
        a->set_units = sets[i].units;
        a->numbers = MEM_ARRAY(float, (int64_t)GSMELU_NUMBERS *width);
        a->dnumbers = MEM_ARRAY(float, (int64_t)GSMELU_NUMBERS *width);
    }
}

void layer_activation_fini(layer_activation_t *a)
{
    mem_free(a->knots);
    mem_free(a->slopes);
    mem_free(a->numbers);
    mem_free(a->dnumbers);
    *a = (layer_activation_t){0};
}

void layer_activation_start(const layer_activation_t *a, float *parameters)
{
    if (a->warmup)
        parameters[a->found + FOUND_BETA] = (float)a->shape.beta;
    if (!a->numbers)
        return;
    const double start[GSMELU_NUMBERS] = {
        [GSMELU_ALPHA] = a->shape.alpha, [GSMELU_BETA] = a->shape.beta,   [GSMELU_LEFT] = a->shape.left,
        [GSMELU_RIGHT] = a->shape.right, [GSMELU_LEVEL] = a->shape.level,
    };
    for (int k = 0; k < GSMELU_NUMBERS; k++)
        for (int j = 0; j < a->set_units; j++)
            parameters[a->set + (int64_t)k * a->set_units + j] = (float)start[k];
}

void layer_activation_refresh(layer_activation_t *a, const float *parameters)
{
    if (a->warmup) {
        a->shape.beta = (double)parameters[a->found + FOUND_BETA];
        a->is_searching = parameters[a->found + FOUND_STEPS] < (float)a->warmup;
    }
    for (int k = 0; a->numbers && k < GSMELU_NUMBERS; k++) {
        const float *number = parameters + a->set + (int64_t)k * a->set_units;
        for (int j = 0; j < a->width; j++)
            a->numbers[(int64_t)k * a->width + j] = number[a->set_units > 1 ? j : 0];
    }
}

bool layer_activation_keeps(const layer_activation_t *a)
{
    return a->function->forward_keeping != NULL;
}

void layer_activation_forward(const layer_activation_t *a, float *y, float *slope, const float *x, int rows)
{
    if (slope) {
        a->function->forward_keeping(y, slope, x, (int64_t)rows * a->width, &a->shape);
        return;
    }
    if (!a->numbers) {
        a->function->forward(y, x, (int64_t)rows * a->width, &a->shape);
        return;
    }
    for (int r = 0; r < rows; r++) {
        const int64_t at = (int64_t)r * a->width;
        gsmelu_forward(y + at, x + at, a->numbers, a->width, (float)a->shape.clip);
    }
}

int layer_activation_inside(const layer_activation_t *a, const float *x)
{
    const activation_shape_t *shape = &a->shape;
    const bool is_sharp = a->function->beta == BETA_SHARPNESS;
    float right = (float)(is_sharp ? 1.0 / shape->beta : shape->beta);
    float left = a->function == &activation_gsmelu ? (float)shape->alpha : right;
    int inside = 0;
    for (int j = 0; j < a->width && a->function->beta != BETA_NONE; j++) {
        if (a->numbers) {
            left = a->numbers[GSMELU_ALPHA * a->width + j];
            right = a->numbers[GSMELU_BETA * a->width + j];
        }
        inside += x[j] >= -left && x[j] <= right;
    }
    return inside;
}

void layer_activation_see(const layer_activation_t *a, float *dparameters, const float *x, int rows)
{
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < (int64_t)rows * a->width; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    dparameters[a->found + FOUND_SEEN] += (float)(rows * a->width);
    dparameters[a->found + FOUND_SUM] += (float)sum;
    dparameters[a->found + FOUND_SQUARES] += (float)squares;
}

/* Numbers that are no numbers, or a layer of one value, leave the width as it was. */
void layer_activation_find(const layer_activation_t *a, float *parameters)
{
    float *number = parameters + a->found;
    number[FOUND_STEPS] += 1.0f;
    if (number[FOUND_STEPS] < (float)a->warmup)
        return;
    const double n = (double)number[FOUND_SEEN], mean = (double)number[FOUND_SUM] / n;
    const double spread = sqrt((double)number[FOUND_SQUARES] / n - mean * mean), width = a->spreads * spread;
    number[FOUND_MEAN] = (float)mean;
    number[FOUND_SPREAD] = (float)spread;
    if (isfinite(width) && width > LEAST_FOUND_WIDTH)
        number[FOUND_BETA] = (float)(a->function->beta == BETA_SHARPNESS ? 1.0 / width : width);
}

void layer_activation_clear(layer_activation_t *a)
{
    if (a->dnumbers)
        memset(a->dnumbers, 0, (size_t)GSMELU_NUMBERS * (size_t)a->width * sizeof *a->dnumbers);
}

void layer_activation_backward(layer_activation_t *a, float *dx, const float *dy, const float *x, const float *slope, int rows)
{
    if (slope) {
        activation_backward_kept(dx, dy, slope, (int64_t)rows * a->width);
        return;
    }
    if (!a->numbers) {
        a->function->backward(dx, dy, x, (int64_t)rows * a->width, &a->shape);
        return;
    }
    for (int r = 0; r < rows; r++) {
        const int64_t at = (int64_t)r * a->width;
        gsmelu_backward(dx + at, a->dnumbers, dy + at, x + at, a->numbers, a->width, (float)a->shape.clip);
    }
}

void layer_activation_add(const layer_activation_t *a, float *dparameters)
{
    for (int k = 0; a->numbers && k < GSMELU_NUMBERS; k++) {
        const float *all = a->dnumbers + (int64_t)k * a->width;
        float *number = dparameters + a->set + (int64_t)k * a->set_units;
        if (a->set_units > 1) {
            for (int j = 0; j < a->width; j++)
                number[j] += all[j];
        } else {
            float sum;
#define NUMBER(AT) (AT(all))
            REDUCE_SUM(sum, a->width, NUMBER);
            number[0] += sum;
        }
    }
}
