/* pending_gradients.h - pushes of a checkpoint that its rows have not seen: those of the last steps before it, by step and
 * sender. A restored shard applies them as if the original workers were sending them now. */
#ifndef SMELTER_PENDING_GRADIENTS_H
#define SMELTER_PENDING_GRADIENTS_H

#include "ps/table/table.h"

typedef struct pending_gradients pending_gradients_t;

/* pending_gradients_create - none yet, of steps first .. end - 1, for these tables (borrowed). **owned**:
 * pending_gradients_destroy. */
pending_gradients_t *pending_gradients_create(int64_t first, int64_t end, table_t *const *tables, uint32_t n_tables);
void pending_gradients_destroy(pending_gradients_t **pending);

/* pending_gradients_put - a gradient [dim of the table], copied. */
void pending_gradients_put(pending_gradients_t *pending, int64_t step, int sender, uint32_t table, uint64_t key,
                           const float *g);

/* pending_gradients_visit - all of a step, by sender, table, and order of putting. */
typedef void pending_gradients_visit_fn(void *context, int64_t step, int sender, uint32_t table, uint64_t key, const float *g);
void pending_gradients_visit(const pending_gradients_t *pending, int64_t step, pending_gradients_visit_fn *visit,
                             void *context);

/* pending_gradients_apply - the pushes of a step, merged over senders as in table_push_merged. */
void pending_gradients_apply(const pending_gradients_t *pending, int64_t step);

#endif
