/* worker/loader.h without its thread: a batch is built when it is asked for, so that a simulation repeats exactly and is not
 * held up by a machine with other things to do. Programs that link this file get it instead of loader.c. */
#include "worker/loader.h"

#include "common/base/memory.h"

#define SLOTS 5

struct loader {
    dataset_t *dataset;
    batch_builder_t *builder;
    batch_plan_t plan;
    int64_t given, recycled, end;
    batch_t slots[SLOTS];
    loader_scratch_t scratch;
};

status_t loader_create(dataset_t *dataset, int shards, const uint16_t *slot_shard, const table_plan_t *table_plan,
                       loader_t **out)
{
    loader_t *l = MEM_NEW(loader_t);
    l->dataset = dataset;
    l->builder = batch_builder_create(dataset, shards, slot_shard, table_plan);
    *out = l;
    return ST_OK;
}

void loader_destroy(loader_t **loader)
{
    loader_t *l = *loader;
    if (!l)
        return;
    for (int i = 0; i < SLOTS; i++)
        batch_reset(&l->slots[i]);
    batch_builder_destroy(&l->builder);
    loader_scratch_fini(&l->scratch);
    mem_free(l);
    *loader = NULL;
}

void loader_start(loader_t *l, const batch_plan_t *plan)
{
    l->plan = *plan;
    l->given = l->recycled = 0;
    l->end = batch_plan_batches(plan, dataset_info(l->dataset));
}

status_t loader_next(loader_t *l, int64_t timeout_ms, batch_t **out)
{
    (void)timeout_ms;
    *out = NULL;
    if (l->given == l->end)
        return ST_OK;
    ASSERT(l->given - l->recycled < 3);
    batch_t *batch = &l->slots[l->given % SLOTS];
    TRY(batch_plan_build(&l->plan, l->given, l->dataset, l->builder, &l->scratch, batch));
    l->given++;
    *out = batch;
    return ST_OK;
}

void loader_recycle(loader_t *l, batch_t *batch)
{
    ASSERT(l->recycled < l->given && batch == &l->slots[l->recycled % SLOTS]);
    l->recycled++;
}
