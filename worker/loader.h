/* loader.h - a thread that prepares the next batches while the network computes.
 *
 * The owner opens the dataset and lends it; between loader_start and the end of the plan only the loader's thread touches
 * it. */
#ifndef SMELTER_LOADER_H
#define SMELTER_LOADER_H

#include "worker/batch_plan.h"

typedef struct loader loader_t;

/* loader_create - a sleeping loader; **owned**. shards, slot_shard and table_plan as for batch_builder_create. */
WARN_UNUSED status_t loader_create(dataset_t *dataset, int shards, const uint16_t *slot_shard, const table_plan_t *table_plan,
                                   loader_t **out);
/* loader_destroy - stops and joins the thread. */
void loader_destroy(loader_t **loader);

/* loader_start - begin a plan; the one before must be used up or is dropped, and its batches with it: none may be in use. */
void loader_start(loader_t *loader, const batch_plan_t *plan);

/* loader_next - the next batch, borrowed until loader_recycle; *out is NULL at the end of the plan. Batches are recycled in
 * the order they were given, at most 3 are out. ST_TIMEOUT after timeout_ms; the error of the dataset where reading failed. */
WARN_UNUSED status_t loader_next(loader_t *loader, int64_t timeout_ms, batch_t **out);
void loader_recycle(loader_t *loader, batch_t *batch);

#endif
