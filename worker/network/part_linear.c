/* The wide part (Cheng et al. 2016), alone a logistic regression: a bias and a weight for each number of the input
 * (docs/MATH.md, section 2a). The first-order weights of categorical values lie in their rows on the servers and are no part of
 * a network: worker/embedding.h sums them, and the step adds that to the logit. */
#include <string.h>

#include "common/base/memory.h"
#include "common/kernels/linear.h"
#include "worker/network/part.h"

typedef struct linear_part {
    part_t part;
    int numeric;
    const float *x; /* the numbers; borrowed from forward to backward */
} linear_part_t;

static void linear_plan(part_plan_t *plan, const config_t *config, input_shape_t input)
{
    part_plan_use_linear(plan, config);
    part_block_unpenalised(part_plan_add(plan, 1, 1, "linear bias"), config);
    if (input.numeric)
        part_plan_add(plan, 1, input.numeric, "linear weights")->place.of_inputs = true;
    plan->products += input.numeric + input.fields;
}

static part_t *linear_create(const part_setup_t *setup)
{
    linear_part_t *linear = MEM_NEW(linear_part_t);
    linear->part = (part_t){.inputs = setup->input.columns, .lane_rows = setup->lane_rows, .values = setup->values};
    linear->numeric = setup->input.numeric;
    return &linear->part;
}

static void linear_destroy(part_t *part)
{
    mem_free(part);
}

static void linear_part_forward(part_t *part, float *logits, const float *x, int rows)
{
    linear_part_t *linear = (linear_part_t *)part;
    linear->x = x + part->inputs - linear->numeric;
    linear_forward(logits, linear->x, part->values + 1, part->values[0], rows, linear->numeric, part->inputs);
}

static void linear_part_backward(part_t *part, float *dparameters, float *dx, const float *dlogits, const float *dhidden,
                                 int rows)
{
    const linear_part_t *linear = (linear_part_t *)part;
    (void)dhidden;
    const int others = part->inputs - linear->numeric;
    for (int r = 0; dx && !part->adds && others && r < rows; r++)
        memset(dx + (int64_t)r * part->inputs, 0, sizeof *dx * (size_t)others);
    linear_backward(dparameters + 1, dparameters, dx ? dx + others : NULL, part->adds, dlogits, linear->x, part->values + 1,
                    rows, linear->numeric, part->inputs);
}

static void linear_describe(const part_t *part, FILE *stream)
{
    (void)part;
    fputs("linear", stream);
}

const part_ops_t part_linear = {
    .name = "linear",
    .kind = PART_LINEAR,
    .can_add = true,
    .plan = linear_plan,
    .create = linear_create,
    .destroy = linear_destroy,
    .forward = linear_part_forward,
    .backward = linear_part_backward,
    .describe = linear_describe,
};
