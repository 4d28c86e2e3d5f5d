#include "worker/batch_plan.h"

#include "common/base/memory.h"
#include "worker/visit_store.h"

/* Examples that are scored. */
static int64_t scored(const batch_plan_t *plan, const dataset_info_t *info)
{
    const int64_t all = dataset_split_rows(info, plan->split);
    return plan->examples && plan->examples < all ? plan->examples : all;
}

/* Positions of batch number `index` of the plan; returns their count. What a teacher says of them goes into the batch. */
static int positions_of(const batch_plan_t *plan, int64_t index, const dataset_t *dataset, loader_scratch_t *l, int64_t *step,
                        batch_t *batch)
{
    int64_t first, rows = 0;
    batch->first = 0;
    if (plan->chunk == 0) {
        *step = plan->first_step + index;
        int from = lanes_first(&plan->lanes, plan->worker, plan->workers);
        int to = lanes_first(&plan->lanes, plan->worker + 1, plan->workers);
        for (int lane = from; lane < to; lane++)
            rows += lanes_rows(&plan->lanes, *step, lane);
        batch->first = from * (plan->lanes.batch / plan->lanes.lanes);
        first = *step * plan->lanes.batch + batch->first;
        MEM_GROW(l->positions, l->capacity, (size_t)rows);
        order_indices(&plan->order, first, (int)rows, l->positions);
    } else {
        const int64_t all = scored(plan, dataset_info(dataset));
        first = (plan->worker + index * plan->workers) * plan->chunk;
        *step = first;
        rows = all - first < plan->chunk ? all - first : plan->chunk;
        MEM_GROW(l->positions, l->capacity, (size_t)rows);
        for (int64_t i = 0; i < rows; i++)
            l->positions[i] = first + i;
    }
    batch->timed = plan->times;
    batch->taught = plan->teacher != NULL;
    if (batch->taught)
        MEM_GROW(batch->teacher, batch->teacher_cap, (size_t)rows);
    for (int64_t i = 0; batch->taught && i < rows; i++)
        batch->teacher[i] = plan->teacher[l->positions[i]];
    for (int64_t i = 0; i < rows; i++)
        l->positions[i] = dataset_position(dataset, plan->split, l->positions[i]);
    return (int)rows;
}

/* Which parts of the tree of lanes the batch's gradients are pushed by. */
static void split(const batch_plan_t *plan, batch_builder_t *builder, batch_t *batch)
{
    int32_t row[TREE_PARTS_MAX + 1];
    if (plan->chunk == 0) {
        const int parts = lanes_parts(&plan->lanes, plan->worker, plan->workers, row);
        batch_split(builder, batch, row, parts);
    }
}

status_t batch_plan_build(const batch_plan_t *plan, int64_t index, dataset_t *dataset, batch_builder_t *builder,
                          loader_scratch_t *scratch, batch_t *out)
{
    int64_t step;
    const int rows = positions_of(plan, index, dataset, scratch, &step, out);
    if (scratch->visits) {
        MEM_GROW(scratch->examples, scratch->examples_capacity, (size_t)rows);
        TRY(visit_store_fetch(scratch->visits, index, rows, scratch->examples));
        batch_build_examples(builder, scratch->examples, rows, step, out);
    } else {
        TRY(batch_build(builder, scratch->positions, rows, step, out));
    }
    split(plan, builder, out);
    return ST_OK;
}

void loader_scratch_fini(loader_scratch_t *scratch)
{
    mem_free(scratch->positions);
    mem_free(scratch->examples);
    *scratch = (loader_scratch_t){0};
}

int64_t batch_plan_batches(const batch_plan_t *plan, const dataset_info_t *info)
{
    if (plan->chunk == 0)
        return lanes_steps(&plan->lanes) - plan->first_step;
    const int64_t chunks = (scored(plan, info) + plan->chunk - 1) / plan->chunk;
    return (chunks - plan->worker + plan->workers - 1) / plan->workers;
}
