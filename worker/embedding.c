#include "worker/embedding.h"

#include <string.h>

#include "common/kernels/tree.h"

int embedding_inputs(const table_plan_t *plan, int numeric)
{
    return plan->columns + numeric;
}

input_shape_t embedding_shape(const table_plan_t *plan, int numeric)
{
    return (input_shape_t){.columns = embedding_inputs(plan, numeric),
                           .fields = plan->fields,
                           .dim = plan->width ? plan->width - plan->linear : 0,
                           .numeric = numeric};
}

/* The constant widths let the compiler turn a copy into a few register moves. */
static inline void copy_row(float *restrict to, const float *restrict from, int dim)
{
    switch (dim) {
    case 4:
        memcpy(to, from, 4 * sizeof *to);
        break;
    case 8:
        memcpy(to, from, 8 * sizeof *to);
        break;
    case 16:
        memcpy(to, from, 16 * sizeof *to);
        break;
    default:
        memcpy(to, from, (size_t)dim * sizeof *to);
    }
}

static inline void add_row(float *restrict to, const float *restrict from, int dim)
{
    for (int i = 0; i < dim; i++)
        to[i] += from[i];
}

static inline void add_scaled(float *restrict to, const float *restrict from, float scale, int dim)
{
    for (int i = 0; i < dim; i++)
        to[i] += scale * from[i];
}

/* dim: what every field has in an input row; 0: each has its own. */
static inline __attribute__((always_inline)) void gather(float *restrict x, float *restrict wide, const batch_t *batch,
                                                         int first, int rows, const float *const *row, const table_plan_t *plan,
                                                         int dim)
{
    const int64_t inputs = embedding_inputs(plan, batch->numeric);
    for (int r = 0; r < rows; r++) {
        float *to = x + r * inputs, sum = 0.0f;
        const uint32_t *unique = batch->single_unique + (int64_t)(first + r) * batch->single;
        for (int f = 0; f < batch->single; f++) {
            const int width = dim ? dim : table_plan_dim(plan, f);
            copy_row(to, row[unique[f]], width);
            sum += wide ? row[unique[f]][width] : 0.0f;
            to += width;
        }
        for (int m = 0; m < batch->multi; m++) {
            const int width = dim ? dim : table_plan_dim(plan, batch->single + m);
            const uint32_t *at = batch->multi_at + (int64_t)m * batch->rows + first + r;
            float pooled = 0.0f;
            memset(to, 0, (size_t)width * sizeof *to);
            for (uint32_t i = at[0]; i < at[1]; i++) {
                add_scaled(to, row[batch->multi_unique[i]], batch->multi_scale[i], width);
                pooled += wide ? batch->multi_scale[i] * row[batch->multi_unique[i]][width] : 0.0f;
            }
            sum += pooled;
            to += width;
        }
        if (batch->numeric)
            memcpy(to, batch->values + (int64_t)(first + r) * batch->numeric, (size_t)batch->numeric * sizeof *to);
        if (wide)
            wide[r] = sum;
    }
}

void embedding_gather(float *restrict x, float *restrict wide, const batch_t *batch, int first, int rows,
                      const float *const *row, const table_plan_t *plan)
{
    const int dim = plan->width ? plan->width - plan->linear : 0;
    ASSERT(!plan->linear == !wide);
    if (wide && dim == 8)
        gather(x, wide, batch, first, rows, row, plan, 8);
    else if (wide && dim == 16)
        gather(x, wide, batch, first, rows, row, plan, 16);
    else if (wide)
        gather(x, wide, batch, first, rows, row, plan, dim);
    else if (dim == 8)
        gather(x, NULL, batch, first, rows, row, plan, 8);
    else if (dim == 16)
        gather(x, NULL, batch, first, rows, row, plan, 16);
    else
        gather(x, NULL, batch, first, rows, row, plan, dim);
}

/* Gradients of the part of all input rows that a table's rows go to: column [rows of inputs], and those of the logits, or
 * NULL. */
typedef struct table_gradient {
    const float *column, *wide;
    int64_t inputs;
    const planned_field_t
        *field;  /* [fields] where several fields share the table: column is that of no field then; else NULL */
    bool scaled; /* its field is multi-valued */
} table_gradient_t;

/* Sum of uses [from, to) of a single-valued field. */
static inline __attribute__((always_inline)) void sum_uses(float *restrict out, const batch_t *batch, uint32_t from,
                                                           uint32_t to, table_gradient_t d, int dim)
{
    copy_row(out, d.column + batch->use_row[from] * d.inputs, dim);
    for (uint32_t i = from + 1; i < to; i++)
        add_row(out, d.column + batch->use_row[i] * d.inputs, dim);
    if (!d.wide)
        return;
    out[dim] = d.wide[batch->use_row[from]];
    for (uint32_t i = from + 1; i < to; i++)
        out[dim] += d.wide[batch->use_row[i]];
}

/* The same for a multi-valued field, whose uses have scales. */
static inline __attribute__((always_inline)) void sum_scaled(float *restrict out, const batch_t *batch, uint32_t from,
                                                             uint32_t to, table_gradient_t d, int dim)
{
    const float *first = d.column + batch->use_row[from] * d.inputs;
    for (int i = 0; i < dim; i++)
        out[i] = batch->use_scale[from] * first[i];
    for (uint32_t i = from + 1; i < to; i++)
        add_scaled(out, d.column + batch->use_row[i] * d.inputs, batch->use_scale[i], dim);
    if (!d.wide)
        return;
    out[dim] = batch->use_scale[from] * d.wide[batch->use_row[from]];
    for (uint32_t i = from + 1; i < to; i++)
        out[dim] += batch->use_scale[i] * d.wide[batch->use_row[i]];
}

/* The same where each use is of a field of its own. */
static void sum_shared(float *restrict out, const batch_t *batch, uint32_t from, uint32_t to, table_gradient_t d, int dim)
{
    for (uint32_t i = from; i < to; i++) {
        const float *column = d.column + batch->use_row[i] * d.inputs + d.field[batch->use_field[i]].column;
        const float scale = batch->use_scale[i];
        for (int n = 0; i == from && n < dim; n++)
            out[n] = scale * column[n];
        if (i > from)
            add_scaled(out, column, scale, dim);
        if (!d.wide)
            continue;
        const float first_order = scale * d.wide[batch->use_row[i]];
        out[dim] = i > from ? out[dim] + first_order : first_order;
    }
}

/* Uses [from, to) of one key, all in one lane. */
static inline __attribute__((always_inline)) void sum_lane(float *restrict out, const batch_t *batch, uint32_t from,
                                                           uint32_t to, table_gradient_t d, int dim)
{
    if (d.field)
        sum_shared(out, batch, from, to, d, dim);
    else if (d.scaled)
        sum_scaled(out, batch, from, to, d, dim);
    else
        sum_uses(out, batch, from, to, d, dim);
}

/* One key's uses [from, end); lanes are counted from row `first_row`. Most keys have all their
 * uses in one lane and need no tree. */
static inline __attribute__((always_inline)) void sum_key(float *restrict out, const batch_t *batch, uint32_t from,
                                                          uint32_t end, uint32_t first_row, table_gradient_t d, int dim,
                                                          uint32_t lane_rows, float *scratch)
{
    uint32_t lane = (batch->use_row[from] - first_row) / lane_rows, lane_end = first_row + (lane + 1) * lane_rows;
    if (batch->use_row[end - 1] < lane_end) {
        sum_lane(out, batch, from, end, d, dim);
        return;
    }
    tree_stack_t tree;
    tree_start(&tree, scratch, dim + !!d.wide);
    for (;;) {
        uint32_t to = from + 1;
        while (to < end && batch->use_row[to] < lane_end)
            to++;
        sum_lane(tree_place(&tree, lane), batch, from, to, d, dim);
        if (to == end)
            break;
        from = to;
        lane = (batch->use_row[from] - first_row) / lane_rows;
        lane_end = first_row + (lane + 1) * lane_rows;
    }
    tree_finish(&tree, out);
}

/* The keys of one segment, from unique u on. */
static inline __attribute__((always_inline)) void reduce(float *restrict out, const batch_t *batch, int32_t u,
                                                         wire_segment_t segment, table_gradient_t d, int dim, int lane_rows,
                                                         float *scratch)
{
    for (uint32_t n = segment.count; n > 0; n--, u++, out += dim + !!d.wide)
        sum_key(out, batch, batch->use_first[u], batch->use_first[u + 1], 0, d, dim, (uint32_t)lane_rows, scratch);
}

/* The same for the widths that most have; without first-order weights as if there were none in the world. */
static void reduce_some(float *restrict out, const batch_t *batch, int32_t u, wire_segment_t segment, table_gradient_t d,
                        int dim, int lane_rows, float *scratch)
{
    const table_gradient_t own = {d.column, NULL, d.inputs, NULL, d.scaled};
    if (dim == 8)
        reduce(out, batch, u, segment, own, 8, lane_rows, scratch);
    else if (dim == 16)
        reduce(out, batch, u, segment, own, 16, lane_rows, scratch);
    else if (dim == 48)
        reduce(out, batch, u, segment, own, 48, lane_rows, scratch);
    else
        reduce(out, batch, u, segment, own, dim, lane_rows, scratch);
}

static void reduce_wide(float *restrict out, const batch_t *batch, int32_t u, wire_segment_t segment, table_gradient_t d,
                        int dim, int lane_rows, float *scratch)
{
    const table_gradient_t own = {d.column, d.wide, d.inputs, NULL, d.scaled};
    if (dim == 8)
        reduce(out, batch, u, segment, own, 8, lane_rows, scratch);
    else if (dim == 16)
        reduce(out, batch, u, segment, own, 16, lane_rows, scratch);
    else
        reduce(out, batch, u, segment, own, dim, lane_rows, scratch);
}

/* The same of one of several parts, from the slice's key i on. */
static void reduce_part(float *restrict out, const batch_t *batch, const batch_slice_t *slice, int32_t i,
                        wire_segment_t segment, int part, table_gradient_t d, int dim, int lane_rows, float *scratch)
{
    const uint32_t first_row = (uint32_t)batch->part_row[part], end_row = (uint32_t)batch->part_row[part + 1];
    for (uint32_t n = segment.count; n > 0; n--, i++, out += dim + !!d.wide) {
        const uint32_t from = slice->use[i], uses = batch->use_first[slice->unique[i] + 1];
        uint32_t end = from + 1;
        while (end < uses && batch->use_row[end] < end_row)
            end++;
        sum_key(out, batch, from, end, first_row, d, dim, (uint32_t)lane_rows, scratch);
    }
}

void embedding_reduce(float *restrict out, const batch_t *batch, int shard, int part, const float *restrict dx,
                      const float *restrict dwide, const table_plan_t *plan, int lane_rows, float *scratch)
{
    const int64_t inputs = embedding_inputs(plan, batch->numeric);
    const batch_slice_t slice = batch_pushed(batch, shard, part);
    int32_t u = slice.first;
    ASSERT(!plan->linear == !dwide);
    for (int32_t s = 0; s < slice.n_segments; s++) {
        const wire_segment_t segment = slice.segments[s];
        const set_table_t *table = &plan->table[segment.table];
        const bool is_shared = table->fields > 1;
        const table_gradient_t d = {dx + (is_shared ? 0 : plan->field[table->field].column), dwide, inputs,
                                    is_shared ? plan->field : NULL, table->field >= batch->single};
        const int dim = table->width - plan->linear;
        if (slice.unique)
            reduce_part(out, batch, &slice, u, segment, part, d, dim, lane_rows, scratch);
        else if (is_shared)
            reduce(out, batch, u, segment, d, dim, lane_rows, scratch);
        else
            (dwide ? reduce_wide : reduce_some)(out, batch, u, segment, d, dim, lane_rows, scratch);
        u += (int32_t)segment.count;
        out += (int64_t)segment.count * table->width;
    }
}
