/* scores.h - what models predict for the examples of a split, block by block: from memory, or from files that are too large
 * for it. Sums over the blocks are those over all examples in their order, bit for bit. One owner, one thread. */
#ifndef SMELTER_SCORES_H
#define SMELTER_SCORES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define SCORES_BLOCK 16384 /* examples: 64 KiB, which a read is worth, and of which hundreds of models fit into memory */

/* scores_t - of one model. */
typedef struct scores {
    int64_t n;
    const float *p; /* borrowed, [n]; NULL: they are read */
    /* Examples first .. first + count - 1, a whole block, into out. */
    status_t (*read)(void *file, int64_t first, int64_t count, float *out);
    void *file; /* borrowed */
} scores_t;

/* scores_in_memory - p: borrowed, [n]. */
static inline scores_t scores_in_memory(const float *p, int64_t n)
{
    return (scores_t){.n = n, .p = p};
}

/* scores_load - all of them, into out [n].  Errors of read. */
WARN_UNUSED status_t scores_load(const scores_t *scores, float *out);

/* The blocks of several models over the same examples, side by side:
 *
 *     score_blocks_t blocks = score_blocks_open(scores, models);
 *     while (score_blocks_next(&blocks, &status))
 *         .. blocks.p[m][i], i < blocks.count, is what model m predicts for example blocks.first + i
 *     score_blocks_close(&blocks);                                                                                           */
typedef struct score_blocks {
    const scores_t *scores; /* borrowed, [models] */
    int32_t models;
    int64_t first, count;
    float *buffer;   /* **owned**, [models][SCORES_BLOCK] */
    const float **p; /* **owned**, [models] */
} score_blocks_t;

score_blocks_t score_blocks_open(const scores_t *scores, int32_t models);
void score_blocks_close(score_blocks_t *blocks);

/* score_blocks_at - the block that holds an example, whichever came before.  score_blocks_next - the one after this one; false
 * after the last, and where *status is no more ST_OK, which it was before. */
WARN_UNUSED status_t score_blocks_at(score_blocks_t *blocks, int64_t example);
bool score_blocks_next(score_blocks_t *blocks, status_t *status);

#endif
