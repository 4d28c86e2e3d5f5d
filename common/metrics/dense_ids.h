/* dense_ids.h - distinct 64-bit values -> 0, 1, 2, .. in the order in which they were first put.
 *
 * What groups examples by query, or by a column's value, so that the rest can use arrays. One owner, one thread. */
#ifndef SMELTER_DENSE_IDS_H
#define SMELTER_DENSE_IDS_H

#include <stdint.h>

typedef struct dense_ids dense_ids_t;

dense_ids_t *dense_ids_create(void); /* **owned** */
void dense_ids_destroy(dense_ids_t **ids);

/* dense_ids_put - the id of a value, a new one where it was not seen before. */
int64_t dense_ids_put(dense_ids_t *ids, uint64_t value);

/* dense_ids_find - the id of a value, or -1. */
int64_t dense_ids_find(const dense_ids_t *ids, uint64_t value);

int64_t dense_ids_count(const dense_ids_t *ids);

/* dense_ids_value - the value that has this id; 0 <= id < count. */
uint64_t dense_ids_value(const dense_ids_t *ids, int64_t id);

#endif
