/* Two sorts in place: by query, which tells the first example of each, and by that example. */
#include "common/metrics/query_order.h"

#include "common/base/memory.h"
#include "common/metrics/pair_sort.h"
#include "common/metrics/queries.h"

/* group[i], sorted: instead of its query, the first example of it. An example whose query is not known is its own. */
static void name_by_first(uint64_t *group, const uint64_t *example, int64_t n)
{
    for (int64_t begin = 0, end; begin < n; begin = end) {
        const uint64_t query = group[begin];
        for (end = begin; end < n && group[end] == query; end++)
            group[end] = example[query == QUERY_NONE ? end : begin];
    }
}

query_order_t *query_order_create(uint64_t **group, int64_t n)
{
    query_order_t *order = MEM_NEW(query_order_t);
    uint64_t *query = *group;
    *order = (query_order_t){.n = n, .count = n, .is_in_order = true};
    *group = NULL;
    if (queries_without(query, n) == n || !query) {
        mem_free(query);
        return order;
    }
    order->entry = MEM_ARRAY(uint64_t, n);
    for (int64_t i = 0; i < n; i++)
        order->entry[i] = (uint64_t)i;
    pair_sort(query, order->entry, n);
    name_by_first(query, order->entry, n);
    pair_sort(query, order->entry, n);
    order->count = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool begins = i == 0 || query[i] != query[i - 1];
        order->is_in_order = order->is_in_order && order->entry[i] == (uint64_t)i;
        order->entry[i] |= begins ? QUERY_ORDER_BEGINS : 0;
        order->count += begins;
    }
    mem_free(query);
    return order;
}

void query_order_destroy(query_order_t **order)
{
    if (!*order)
        return;
    mem_free((*order)->entry);
    mem_free(*order);
    *order = NULL;
}
