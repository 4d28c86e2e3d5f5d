/* query_order.h - the examples of a split, query after query: queries.h for splits that are too large for its arrays. It is to
 * be walked, and not looked up in. Read only after its making, any thread. */
#ifndef SMELTER_QUERY_ORDER_H
#define SMELTER_QUERY_ORDER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct query_order {
    int64_t n, count; /* examples, queries */
    uint64_t *entry;  /* **owned**, [n]; NULL: each example is a query of its own */
    bool is_in_order; /* queries lie one behind the other in the split: place i is example i */
} query_order_t;

#define QUERY_ORDER_BEGINS (UINT64_C(1) << 63) /* of an entry: its example is the first of its query; the rest is its number */

/* query_order_create - of the same queries in the same order as those of queries_create.
 *
 * group  in [n] **taken**, and NULL afterwards: the query of each example, QUERY_NONE where it is not known; NULL: there are
 *        none
 * **owned**, query_order_destroy.  Memory: 16 bytes an example on the way, with those of group, and 8 afterwards. */
query_order_t *query_order_create(uint64_t **group, int64_t n);
void query_order_destroy(query_order_t **order);

/* The example at a place, and whether it is the first of its query. */
static inline int64_t query_order_example(const query_order_t *order, int64_t place)
{
    return order->entry ? (int64_t)(order->entry[place] & ~QUERY_ORDER_BEGINS) : place;
}

static inline bool query_order_begins(const query_order_t *order, int64_t place)
{
    return !order->entry || order->entry[place] & QUERY_ORDER_BEGINS;
}

#endif
