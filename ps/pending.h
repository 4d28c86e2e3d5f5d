/* pending.h - pushes of a checkpoint that its rows have not seen: for each of the last steps before it, one merged gradient per key.
 * A restored shard applies them as one sender's pushes of those steps. */
#ifndef SMELTER_PENDING_H
#define SMELTER_PENDING_H

#include "ps/table.h"

typedef struct pending pending_t;

/* pending_create - none yet, of steps first .. end - 1, for tables of these. **owned**: pending_destroy. */
pending_t *pending_create(int64_t first, int64_t end, table_t *const *tables, uint32_t n_tables);
void pending_destroy(pending_t **pending);

/* pending_put - a gradient [dim of the table], copied. */
void pending_put(pending_t *pending, int64_t step, uint32_t table, uint64_t key, const float *g);

/* pending_apply - apply those of a step, and forget them. */
void pending_apply(pending_t *pending, int64_t step);

int64_t pending_count(const pending_t *pending);

#endif
