/* The second order of a factorisation machine (Rendle 2010), as in DeepFM (Guo et al. 2017): inner products of all pairs of
 * fields, of which each has its embedding and each number a learned vector (docs/MATH.md, section 2a). Its first order is the
 * part `linear`. */
#include "common/base/memory.h"
#include "common/kernels/fm.h"
#include "worker/network/part.h"

#define STREAM_OF_FM 0x666du /* "fm": keeps initial values apart from those of other parts */

typedef struct fm_part {
    part_t part;
    fm_shape_t shape;
    float *sums;       /* [lane_rows][dim] of all vectors of an example, from forward to backward */
    float *products;   /* [dim] of forward */
    float *scratch;    /* of backward */
    matrix_t *numbers; /* their vectors, as backward wants them; NULL without numbers */
    const float *x;    /* borrowed from forward to backward */
} fm_part_t;

static fm_shape_t shape_of(const config_t *config, input_shape_t input)
{
    const int dim = input.fields ? input.dim : (int)config->embedding.dim;
    return (fm_shape_t){.fields = input.fields, .dim = dim, .numeric = input.numeric};
}

static const char *fm_refuse(const config_t *config, input_shape_t input)
{
    if (shape_of(config, input).dim == 0)
        return "model.parts fm multiplies the embeddings of fields with one another, and they have different widths; give all "
               "the same width, or leave out fm";
    if (input.fields + input.numeric < 2)
        return "model.parts fm multiplies fields with one another, and the dataset has one alone; leave out fm";
    return NULL;
}

static void fm_plan(part_plan_t *plan, const config_t *config, input_shape_t input)
{
    const fm_shape_t shape = shape_of(config, input);
    if (shape.numeric)
        part_plan_add(plan, shape.numeric, shape.dim, "fm vectors")->place.of_inputs = true;
    plan->products += ((int64_t)shape.fields + 2 * shape.numeric) * shape.dim;
}

static part_t *fm_create(const part_setup_t *setup)
{
    fm_part_t *fm = MEM_NEW(fm_part_t);
    fm->part = (part_t){.inputs = setup->input.columns, .lane_rows = setup->lane_rows, .values = setup->values};
    fm->shape = shape_of(setup->config, setup->input);
    fm->sums = MEM_ARRAY(float, (int64_t)setup->lane_rows * fm->shape.dim);
    fm->products = MEM_ARRAY(float, fm->shape.dim);
    fm->scratch = MEM_ARRAY(float, fm_scratch(setup->lane_rows, fm->shape));
    if (fm->shape.numeric)
        fm->numbers = matrix_create(setup->kernel, fm->shape.dim, fm->shape.numeric);
    part_fill(setup, setup->values, (int64_t)fm->shape.numeric * fm->shape.dim, (float)setup->config->embedding.init_std,
              STREAM_OF_FM, 0);
    return &fm->part;
}

static void fm_destroy(part_t *part)
{
    fm_part_t *fm = (fm_part_t *)part;
    mem_free(fm->sums);
    mem_free(fm->products);
    matrix_destroy(&fm->numbers);
    mem_free(fm->scratch);
    mem_free(fm);
}

static void fm_part_forward(part_t *part, float *logits, const float *x, int rows)
{
    fm_part_t *fm = (fm_part_t *)part;
    fm->x = x;
    fm_forward(logits, fm->sums, x, part->values, rows, fm->shape, fm->products);
}

static void fm_part_backward(part_t *part, float *dparameters, float *dx, const float *dlogits, const float *dhidden, int rows)
{
    const fm_part_t *fm = (fm_part_t *)part;
    (void)dhidden;
    fm_backward(dparameters, dx, part->adds, dlogits, fm->sums, fm->x, part->values, rows, fm->shape, fm->numbers, fm->scratch);
}

static void fm_refresh(part_t *part)
{
    const fm_part_t *fm = (fm_part_t *)part;
    if (fm->numbers)
        matrix_set(fm->numbers, part->values);
}

static void fm_describe(const part_t *part, FILE *stream)
{
    const fm_part_t *fm = (const fm_part_t *)part;
    fprintf(stream, "fm of %d x %d", fm->shape.fields + fm->shape.numeric, fm->shape.dim);
}

const part_ops_t part_fm = {
    .name = "fm",
    .kind = PART_FM,
    .can_add = true,
    .refuse = fm_refuse,
    .plan = fm_plan,
    .create = fm_create,
    .destroy = fm_destroy,
    .forward = fm_part_forward,
    .backward = fm_part_backward,
    .refresh = fm_refresh,
    .describe = fm_describe,
};
