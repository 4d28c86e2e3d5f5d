#include "common/metrics/queries.h"

#include <stdbool.h>

#include "common/base/memory.h"
#include "common/metrics/dense_ids.h"

int64_t queries_without(const uint64_t *group, int64_t n)
{
    int64_t without = 0;
    for (int64_t i = 0; group && i < n; i++)
        without += group[i] == QUERY_NONE;
    return without;
}

/* A counting sort by the queries' ids, which keeps the order of examples. */
queries_t *queries_create(const uint64_t *group, int64_t n)
{
    queries_t *queries = MEM_NEW(queries_t);
    dense_ids_t *ids = dense_ids_create();
    int64_t *of_example = MEM_ARRAY(int64_t, n), *number = MEM_ARRAY(int64_t, n); /* number [ids], of the query with this id */
    for (int64_t i = 0; i < n; i++) {
        const bool is_known = group && group[i] != QUERY_NONE;
        const int64_t known = dense_ids_count(ids), id = is_known ? dense_ids_put(ids, group[i]) : known;
        if (is_known && id < known) {
            of_example[i] = number[id];
            continue;
        }
        of_example[i] = queries->count++;
        if (is_known)
            number[id] = of_example[i];
    }
    queries->begin = MEM_ARRAY(int64_t, queries->count + 2);
    queries->example = MEM_ARRAY(int64_t, n);
    int64_t *end = queries->begin + 1; /* begin of the query while it is filled, its end afterwards */
    for (int64_t i = 0; i < n; i++)
        end[of_example[i] + 1]++;
    for (int64_t q = 0; q < queries->count; q++)
        end[q + 1] += end[q];
    for (int64_t i = 0; i < n; i++)
        queries->example[end[of_example[i]]++] = i;
    mem_free(of_example);
    mem_free(number);
    dense_ids_destroy(&ids);
    return queries;
}

void queries_destroy(queries_t **queries)
{
    if (!*queries)
        return;
    mem_free((*queries)->begin);
    mem_free((*queries)->example);
    mem_free(*queries);
    *queries = NULL;
}
