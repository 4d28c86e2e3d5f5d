/* tree.h - sums in the fixed order that makes results independent of the number of workers.
 *
 * Leaves are numbered (lanes of a batch, or senders of a push) and sit under the complete binary tree over their numbers.
 * The sum of a node is the sum of its left half plus the sum of its right half, in that operand order; a half without
 * leaves is skipped, not added as zero. Hence a worker that owns lanes [4, 8) of 16 may sum them first and hand the
 * result on as leaf 1 of 4: the bits are the same as those of one sum over all 16.
 *
 * A sum allocates nothing. A tree_stack_t is owned by its caller and used by one thread.                             */
#ifndef SMELTER_TREE_H
#define SMELTER_TREE_H

#include <stdint.h>

#define TREE_LEVELS_MAX 16 /* leaf numbers are below 2^16: lanes and workers are at most 4,096 */

#define TREE_PARTS_MAX (2 * TREE_LEVELS_MAX)

/* An entry is the sum of a finished subtree; entry 0 is the leftmost. join[i] is the level at which entries i - 1 and i meet,
 * strictly falling with i, so entries never outnumber the levels by more than one. */
typedef struct tree_stack {
    float *scratch; /* borrowed; row i holds the sum of entry i once it has more than one leaf */
    int64_t dim;
    int32_t entries;
    uint32_t last_leaf;
    const float *sum[TREE_LEVELS_MAX + 1];
    int8_t join[TREE_LEVELS_MAX + 1];
} tree_stack_t;

/* tree_levels - levels above the leaves [0, leaves): the smallest n with 2^n >= leaves. */
int tree_levels(uint32_t leaves);

/* tree_start - begin a sum of vectors of `dim` floats.
 * scratch  [tree_levels(leaves)][dim] where leaves come by tree_push only, one row more where tree_place is used;
 *          borrowed until the result is no longer needed; may be NULL where there is only leaf 0.
 * Cannot fail. Cost: none; start the same stack anew for every sum. */
void tree_start(tree_stack_t *stack, float *scratch, int64_t dim);

/* tree_push - add a leaf. v in [dim], borrowed until tree_finish or tree_total; leaf numbers must ascend. */
void tree_push(tree_stack_t *stack, uint32_t leaf, const float *v);

/* tree_place - add a leaf whose vector the caller writes into the returned row, [dim], before the next call on this stack:
 * for large vectors that would otherwise need a buffer per leaf. */
float *tree_place(tree_stack_t *stack, uint32_t leaf);

/* tree_total - the sum, borrowed: the vector of the only leaf, or a row of scratch. At least one leaf must have come. */
const float *tree_total(tree_stack_t *stack);

/* tree_finish - out := the sum; out [dim] must not overlap scratch. */
void tree_finish(tree_stack_t *stack, float *out);

/* tree_parts - the fewest whole subtrees that leaves [first, end) are made of, first < end: part i is the leaves [part[i],
 * part[i + 1]). Their sums are all that a member of a group has to tell of its leaves, so that any number of members get the
 * sum of one. Returns their number. */
int tree_parts(uint32_t first, uint32_t end, uint32_t part[TREE_PARTS_MAX + 1]);

/* tree_shares - how leaves [0, leaves) are shared out to the members of a group: member m has the leaves [m L / M, (m + 1) L /
 * M), which are its parts first[m] .. first[m + 1] - 1. A part goes by the number that its first leaf has in a tree as low as
 * all parts allow: members with one equally large part each are numbered 0, 1, 2 .. */
typedef struct tree_shares {
    int members;
    uint32_t leaves; /* in the lower tree: above all numbers of parts */
    int32_t *first;  /* [members + 1] */
    uint32_t *part;  /* [first[members]] numbers, ascending */
} tree_shares_t;

/* A vector that members of a group sum; each has [own parts][count] of it. Where the result goes; NULL: to the first
 * [count]. */
typedef struct tree_vector {
    float *values;
    int64_t count;
    float *result;
} tree_vector_t;

/* What a member does with the sums of elements [first, first + n) of a vector, in place, before all members get them. */
typedef void tree_result_fn(void *context, int vector, int64_t first, int64_t n, float *sums);

/* tree_shares_init - at least one leaf for each member. tree_shares_fini frees; a zeroed one is fine. */
void tree_shares_init(tree_shares_t *shares, int members, uint32_t leaves);
void tree_shares_fini(tree_shares_t *shares);

/* tree_add - left := left + right, one node of the tree. [n] each, not aliased. */
void tree_add(float *restrict left, const float *restrict right, int64_t n);

/* tree_clear - v := -0.0, the vector of an absent leaf where a tree cannot skip it (an all-reduce between workers, one of
 * which has no examples): x + -0.0 is x for every x, -0.0 included, whereas x + 0.0 would turn -0.0 into 0.0. */
void tree_clear(float *v, int64_t n);

#endif
