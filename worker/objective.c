#include "worker/objective.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/kernels/loss.h"
#include "worker/network/model.h"

/* In the order of objective_kind_t. */
static const objective_kind_entry_t *const table[] = {
    &objective_independent,
    &objective_codistill,
    &objective_antidistill,
};

struct objective {
    const config_t *config; /* borrowed */
    const objective_kind_entry_t *kind;
    const loss_t *loss; /* to the label */
    int64_t steps;
    int components, hidden_width, lane_rows;
    bool uses_hidden;
    float *losses;  /* [lane_rows] */
    float *scratch; /* of the kind, as is the next */
    matrix_t *matrix;
};

static const objective_kind_entry_t *kind_of(const config_t *config)
{
    const int kind = config->objective.kind;
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return table[kind];
}

int objective_least_rows(const config_t *config)
{
    const objective_kind_entry_t *kind = kind_of(config);
    return kind->least_rows ? kind->least_rows(config) : 1;
}

objective_t *objective_create(const config_t *config, int64_t steps, int lane_rows, int hidden_width)
{
    objective_t *o = MEM_NEW(objective_t);
    o->config = config;
    o->kind = kind_of(config);
    o->loss = loss_get(config->train.loss);
    o->steps = steps;
    o->components = (int)config->model.components;
    o->hidden_width = hidden_width;
    o->lane_rows = lane_rows;
    o->uses_hidden = o->kind->uses_hidden && o->kind->uses_hidden(config);
    o->losses = MEM_ARRAY(float, lane_rows);
    if (o->kind->scratch_floats)
        o->scratch = MEM_ARRAY(float, o->kind->scratch_floats(config, lane_rows, hidden_width));
    if (o->kind->matrix_width) {
        const int width = o->kind->matrix_width(config, hidden_width);
        o->matrix = matrix_create(model_kernel(config), width, width);
    }
    return o;
}

void objective_destroy(objective_t **objective)
{
    objective_t *o = *objective;
    if (!o)
        return;
    mem_free(o->losses);
    mem_free(o->scratch);
    matrix_destroy(&o->matrix);
    mem_free(o);
    *objective = NULL;
}

bool objective_uses_hidden(const objective_t *objective)
{
    return objective->uses_hidden;
}

double objective_share(double burn_in, double ramp, double until, int64_t step, int64_t steps)
{
    const double at = (double)step / (double)steps;
    if (at < burn_in || (until < 1.0 && at >= until))
        return 0.0;
    return at < burn_in + ramp ? (at - burn_in) / ramp : 1.0;
}

/* The loss to the label, and the cross-entropy to the teacher where it has a weight now:
 * dz := scale (l dloss/dz + t (p - q)), and as without a teacher where it has predicted nothing. */
static status_t own_loss(objective_t *o, const objective_lane_t *lane, int k)
{
    const int n = lane->rows;
    float *dz = lane->dz[k], *p = lane->p[k];
    o->loss->value(o->losses, lane->z[k], lane->y, n);
    double sum = 0.0;
    for (int i = 0; i < n; i++)
        sum += o->losses[i];
    if (!isfinite(sum))
        return FAIL(ST_INPUT,
                    "step %" PRId64 ": the loss of component %d is %f: the training diverged; lower the learning rates or add "
                    "clipping and normalisation",
                    lane->step, k, fabs(sum)); /* a NaN has a sign that says nothing */
    loss_probability(p, lane->z[k], n);
    const struct config_teacher *t = &o->config->teacher;
    const double share = lane->teacher ? objective_share(t->burn_in, t->ramp, t->until, lane->step, o->steps) : 0.0;
    if (share == 0.0) {
        o->loss->gradient(dz, lane->z[k], p, lane->y, n, lane->scale);
        return ST_OK;
    }
    const float label = (float)(1.0 + share * (t->label_weight - 1.0)), teacher = (float)(share * t->weight);
    o->loss->gradient(dz, lane->z[k], p, lane->y, n, label);
    for (int i = 0; i < n; i++)
        if (isnan(lane->teacher[i]))
            o->loss->gradient(dz + i, lane->z[k] + i, p + i, lane->y + i, 1, lane->scale);
        else
            dz[i] = (dz[i] + teacher * (p[i] - lane->teacher[i])) * lane->scale;
    return ST_OK;
}

/* Is this the lane at the end of a short last batch, with too few examples for the statistic? */
static bool is_too_short(const objective_t *o, const objective_lane_t *lane)
{
    const bool is_short = lane->rows < o->lane_rows && lane->rows < objective_least_rows(o->config);
    return is_short && o->config->train.last_batch != LAST_BATCH_OWN;
}

/* Each example's gradient times its weight. */
static void weigh(const objective_t *o, const objective_lane_t *lane)
{
    for (int k = 0; k < o->components && lane->weight; k++)
        for (int i = 0; i < lane->rows; i++)
            lane->dz[k][i] *= lane->weight[i];
}

static status_t add_kind(objective_t *o, const objective_lane_t *lane);

status_t objective_apply(objective_t *o, const objective_lane_t *lane)
{
    for (int k = 0; k < o->components; k++)
        TRY(own_loss(o, lane, k));
    if (!o->kind->is_of_examples)
        weigh(o, lane);
    TRY(add_kind(o, lane));
    if (o->kind->is_of_examples)
        weigh(o, lane);
    return ST_OK;
}

static status_t add_kind(objective_t *o, const objective_lane_t *lane)
{
    if (!o->kind->add)
        return ST_OK;
    const struct config_objective *c = &o->config->objective;
    const double share = objective_share(c->burn_in, c->ramp, c->until, lane->step, o->steps);
    if (share * c->weight > 0.0 && !is_too_short(o, lane)) {
        o->kind->add(o->config, lane, o->hidden_width, (float)(lane->scale * share * c->weight), o->scratch, o->matrix);
        return ST_OK;
    }
    for (int k = 0; k < o->components && o->uses_hidden; k++)
        memset(lane->dhidden[k], 0, (size_t)lane->rows * (size_t)o->hidden_width * sizeof(float));
    return ST_OK;
}
