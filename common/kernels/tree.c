/* How a stack can know the tree. For neighbouring leaves a < b the subtrees left and right of the gap meet at the level of
 * the highest bit in which a and b differ. While leaves ascend, everything that meets below that level is complete, so
 * a push first joins those entries and then appends the new leaf:
 *
 *     leaves 0 2 3 6      gaps  0|2 level 1,  2|3 level 0,  3|6 level 2
 *
 *     push 0    [0]
 *     push 2    [0] 1 [2]
 *     push 3    [0] 1 [2] 0 [3]
 *     push 6    [0 + (2 + 3)] 2 [6]            total (0 + (2 + 3)) + 6
 *
 * Two gaps side by side never have the same level: b has a 1 in the bit where a|b meet and a 0 where b|c meet.
 * Rejected: a recursive descent over a presence mask (needs all leaves at once), padding with zeros (changes -0.0, and
 * costs a pass per absent leaf).                                                                                       */
#include "common/kernels/tree.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"

int tree_levels(uint32_t leaves)
{
    ASSERT(leaves >= 1 && leaves <= 1u << TREE_LEVELS_MAX);
    return leaves == 1 ? 0 : 32 - __builtin_clz(leaves - 1);
}

void tree_start(tree_stack_t *stack, float *scratch, int64_t dim)
{
    ASSERT(dim >= 0);
    stack->scratch = scratch;
    stack->dim = dim;
    stack->entries = 0;
}

static void add_into(float *restrict out, const float *restrict left, const float *restrict right, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = left[i] + right[i];
}

void tree_add(float *restrict left, const float *restrict right, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        left[i] += right[i];
}

void tree_clear(float *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        v[i] = -0.0f;
}

/* Replace the last two entries by their sum, which lives in the left one's row. */
static void join_last(tree_stack_t *stack)
{
    int32_t left = stack->entries - 2;
    float *row = stack->scratch + left * stack->dim;
    if (stack->sum[left] == row)
        tree_add(row, stack->sum[left + 1], stack->dim);
    else
        add_into(row, stack->sum[left], stack->sum[left + 1], stack->dim);
    stack->sum[left] = row;
    stack->entries--;
}

/* Make room for a leaf: join what is complete, note where the new entry will meet the one before. */
static int32_t open_entry(tree_stack_t *stack, uint32_t leaf)
{
    ASSERT(leaf < 1u << TREE_LEVELS_MAX);
    if (stack->entries > 0) {
        ASSERT(leaf > stack->last_leaf);
        int8_t level = (int8_t)(31 - __builtin_clz(stack->last_leaf ^ leaf));
        while (stack->entries > 1 && stack->join[stack->entries - 1] < level)
            join_last(stack);
        stack->join[stack->entries] = level;
    }
    stack->last_leaf = leaf;
    return stack->entries++;
}

void tree_push(tree_stack_t *stack, uint32_t leaf, const float *v)
{
    stack->sum[open_entry(stack, leaf)] = v;
}

float *tree_place(tree_stack_t *stack, uint32_t leaf)
{
    int32_t entry = open_entry(stack, leaf);
    float *row = stack->scratch + entry * stack->dim;
    stack->sum[entry] = row;
    return row;
}

const float *tree_total(tree_stack_t *stack)
{
    ASSERT(stack->entries > 0);
    while (stack->entries > 1)
        join_last(stack);
    return stack->sum[0];
}

void tree_finish(tree_stack_t *stack, float *out)
{
    memcpy(out, tree_total(stack), (size_t)stack->dim * sizeof *out);
}

int tree_parts(uint32_t first, uint32_t end, uint32_t part[TREE_PARTS_MAX + 1])
{
    ASSERT(first < end && end <= 1u << TREE_LEVELS_MAX);
    int n = 0;
    while (first < end) {
        uint32_t size = first ? first & -first : 1u << TREE_LEVELS_MAX; /* a subtree begins at a multiple of its size */
        while (size > end - first)
            size /= 2;
        part[n++] = first;
        first += size;
    }
    part[n] = end;
    return n;
}

void tree_shares_init(tree_shares_t *shares, int members, uint32_t leaves)
{
    ASSERT(members >= 1 && (uint32_t)members <= leaves);
    *shares = (tree_shares_t){.members = members, .first = MEM_ARRAY(int32_t, members + 1)};
    uint32_t part[TREE_PARTS_MAX + 1], bits = leaves;
    size_t capacity = 0;
    int32_t n = 0;
    for (int64_t m = 0; m < members; m++) {
        const int parts = tree_parts((uint32_t)(m * leaves / members), (uint32_t)((m + 1) * leaves / members), part);
        MEM_GROW(shares->part, capacity, (size_t)(n + parts));
        for (int i = 0; i < parts; i++) {
            bits |= part[i];
            shares->part[n++] = part[i];
        }
        shares->first[m + 1] = n;
    }
    const int lower = __builtin_ctz(bits); /* levels that no part needs */
    for (int32_t i = 0; i < n; i++)
        shares->part[i] >>= lower;
    shares->leaves = leaves >> lower;
}

void tree_shares_fini(tree_shares_t *shares)
{
    mem_free(shares->first);
    mem_free(shares->part);
    *shares = (tree_shares_t){0};
}
