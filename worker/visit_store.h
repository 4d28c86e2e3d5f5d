/* visit_store.h - the examples of a training in the order of visits, where the dataset is larger than data.cache_mb.
 *
 * A shuffled step of B examples touches up to B blocks of 8,192, so that without a cache for all of them nearly every
 * example costs a block decoded. Instead the dataset is passed over once per epoch as it is stored, and the worker's
 * examples are written to a scratch file in buckets of consecutive steps (common/data/bucket_file.h); training reads these
 * one after the other. The pass of an epoch goes on while the one before is trained. Which examples a step has does not
 * change.
 *
 * Memory: half of data.cache_mb over the workers that share it, the other half is left to decoded blocks. Disk: the
 * worker's examples of an epoch as they are decoded; those of the next one take the place of what has been read. Belongs to
 * the thread of the loader. */
#ifndef SMELTER_VISIT_STORE_H
#define SMELTER_VISIT_STORE_H

#include "worker/batch_plan.h"

/* visit_store_create - *out is NULL where the plan does not need one: it scores, its order does not leave the cache, or it
 * would be over before a pass is. Says what the pass costs, and what spares it; and where the disk has no room for it, warns
 * of that, and there is no store either.
 *
 * plan, dataset  borrowed until destroy; the dataset's cache is halved until then
 * ST_INPUT: no file can be made in plan->scratch. */
WARN_UNUSED status_t visit_store_create(const batch_plan_t *plan, dataset_t *dataset, visit_store_t **out);
void visit_store_destroy(visit_store_t **store);

/* visit_store_has_work - before batch `index` is fetched: its examples are not written yet, or the next epoch's are behind.
 * visit_store_work - a piece of that, some milliseconds.  Errors of dataset_fetch and bucket_file_put. */
bool visit_store_has_work(const visit_store_t *store, int64_t index);
WARN_UNUSED status_t visit_store_work(visit_store_t *store);

/* visit_store_fetch - the examples of batch `index`, `rows` of them, valid until the next one; indices ascend.  Errors of
 * bucket_file_take. */
WARN_UNUSED status_t visit_store_fetch(visit_store_t *store, int64_t index, int rows, dataset_example_t *out);

#endif
