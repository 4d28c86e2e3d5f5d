#include "common/metrics/swap.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/metrics/pd.h"

/* Keep the k highest of `size` examples in `top`, sorted by score and then by example; examples come ascending, so a later
 * one of the same score goes behind. False where a score is not a probability. */
static bool highest(const int64_t *example, int64_t size, const float *p, int32_t k, int64_t *top)
{
    int32_t count = 0;
    for (int64_t i = 0; i < size; i++) {
        const float score = p[example[i]];
        if (!(score >= 0.0f && score <= 1.0f))
            return false;
        if (count == k && p[top[k - 1]] >= score)
            continue;
        int32_t at = count < k ? count++ : k - 1;
        for (; at > 0 && p[top[at - 1]] < score; at--)
            top[at] = top[at - 1];
        top[at] = example[i];
    }
    return true;
}

/* Sets compare as sorted arrays. k is small. */
static void sort_ascending(int64_t *index, int32_t k)
{
    for (int32_t i = 1; i < k; i++) {
        const int64_t value = index[i];
        int32_t at = i;
        for (; at > 0 && index[at - 1] > value; at--)
            index[at] = index[at - 1];
        index[at] = value;
    }
}

static double share_of(const int64_t *example, int64_t size, const float *const *p, int32_t replicas, int32_t k, int64_t *top)
{
    if (replicas < 2)
        return NAN;
    int32_t swapped = 0;
    for (int32_t r = 0; r < replicas; r++) {
        int64_t *own = top + (size_t)r * (size_t)k;
        if (!highest(example, size, p[r], k, own))
            return NAN;
        sort_ascending(own, k);
        for (int32_t other = 0; other < r; other++)
            swapped += memcmp(own, top + (size_t)other * (size_t)k, (size_t)k * sizeof *top) != 0;
    }
    return (double)swapped / pd_pairs(replicas);
}

void swap_queries(const queries_t *queries, const float *const *p, int32_t replicas, int32_t k, double *share)
{
    ASSERT(k >= 1 && replicas >= 1);
    int64_t *top = MEM_ARRAY(int64_t, (size_t)replicas * (size_t)k);
    for (int64_t q = 0; q < queries->count; q++) {
        const int64_t size = queries_size(queries, q);
        share[q] = size > k ? share_of(queries->example + queries->begin[q], size, p, replicas, k, top) : 0.0;
    }
    mem_free(top);
}
