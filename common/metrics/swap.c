#include "common/metrics/swap.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/metrics/pd.h"

swap_t *swap_create(int32_t replicas, int32_t most)
{
    ASSERT(most >= 1 && replicas >= 1);
    const int64_t places = (int64_t)replicas * most;
    swap_t *swap = MEM_NEW(swap_t);
    *swap = (swap_t){.replicas = replicas,
                     .most = most,
                     .top = MEM_ARRAY(int64_t, places),
                     .score = MEM_ARRAY(float, places),
                     .sets = MEM_ARRAY(int64_t, places)};
    return swap;
}

void swap_destroy(swap_t **swap)
{
    if (!*swap)
        return;
    mem_free((*swap)->top);
    mem_free((*swap)->score);
    mem_free((*swap)->sets);
    mem_free(*swap);
    *swap = NULL;
}

void swap_begin(swap_t *swap)
{
    swap->size = 0;
    swap->is_bad = false;
}

/* Examples come ascending, so a later one of the same score goes behind. */
void swap_put(swap_t *swap, const float *const *p, int64_t at, int64_t number)
{
    for (int32_t r = 0; r < swap->replicas; r++) {
        const float own = p[r][at];
        float *score = swap->score + (int64_t)r * swap->most;
        int64_t *top = swap->top + (int64_t)r * swap->most;
        const bool is_full = swap->size >= swap->most;
        swap->is_bad = swap->is_bad || !(own >= 0.0f && own <= 1.0f);
        if (is_full && score[swap->most - 1] >= own)
            continue;
        int64_t place = is_full ? swap->most - 1 : swap->size;
        for (; place > 0 && score[place - 1] < own; place--) {
            score[place] = score[place - 1];
            top[place] = top[place - 1];
        }
        score[place] = own;
        top[place] = number;
    }
    swap->size++;
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

double swap_share(const swap_t *swap, int32_t k)
{
    ASSERT(k >= 1 && k <= swap->most);
    if (swap->size <= k)
        return 0.0;
    if (swap->replicas < 2 || swap->is_bad)
        return NAN;
    const size_t bytes = (size_t)k * sizeof *swap->sets;
    int32_t swapped = 0;
    for (int32_t r = 0; r < swap->replicas; r++) {
        int64_t *own = swap->sets + (int64_t)r * swap->most;
        memcpy(own, swap->top + (int64_t)r * swap->most, bytes);
        sort_ascending(own, k);
        for (int32_t other = 0; other < r; other++)
            swapped += memcmp(own, swap->sets + (int64_t)other * swap->most, bytes) != 0;
    }
    return (double)swapped / pd_pairs(swap->replicas);
}

void swap_queries(const queries_t *queries, const float *const *p, int32_t replicas, int32_t k, double *share)
{
    swap_t *swap = swap_create(replicas, k);
    for (int64_t q = 0; q < queries->count; q++) {
        swap_begin(swap);
        for (int64_t i = queries->begin[q]; i < queries->begin[q + 1]; i++)
            swap_put(swap, p, queries->example[i], queries->example[i]);
        share[q] = swap_share(swap, k);
    }
    swap_destroy(&swap);
}
