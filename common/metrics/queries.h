/* queries.h - the examples of a split by query: what a person is shown together, and what a bootstrap draws together.
 *
 * Examples of one query are not independent, so where a dataset has queries (groups), they and not examples are
 * resampled; where it has none, every example is a query of its own, and so is one whose query is not known. Read only after
 * its making, any thread. */
#ifndef SMELTER_QUERIES_H
#define SMELTER_QUERIES_H

#include <stdint.h>

/* The group of an example whose query is not known: the key of an empty text (dataset_key). Such examples are not one query. */
#define QUERY_NONE UINT64_C(0x2d06800538d394c2)

typedef struct queries {
    int64_t count;
    int64_t *begin;   /* **owned**, [count + 1]; query q holds example[begin[q] .. begin[q + 1]) */
    int64_t *example; /* **owned**, [n]; ascending inside a query. Queries are in the order of their first examples. */
} queries_t;

/* queries_without - the examples whose query is not known; 0 where group is NULL. */
int64_t queries_without(const uint64_t *group, int64_t n);

/* queries_create - group [n] is the query of each example, QUERY_NONE where it is not known; NULL: there are none.  **owned**,
 * queries_destroy. */
queries_t *queries_create(const uint64_t *group, int64_t n);
void queries_destroy(queries_t **queries);

static inline int64_t queries_size(const queries_t *queries, int64_t q)
{
    return queries->begin[q + 1] - queries->begin[q];
}

#endif
