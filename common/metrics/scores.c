#include "common/metrics/scores.h"

#include <string.h>

#include "common/base/memory.h"

static int64_t block_size(int64_t n, int64_t first)
{
    return n - first < SCORES_BLOCK ? n - first : SCORES_BLOCK;
}

status_t scores_load(const scores_t *scores, float *out)
{
    if (scores->p && scores->n > 0)
        memcpy(out, scores->p, (size_t)scores->n * sizeof *out);
    for (int64_t first = 0; first < scores->n && !scores->p; first += SCORES_BLOCK)
        TRY(scores->read(scores->file, first, block_size(scores->n, first), out + first));
    return ST_OK;
}

score_blocks_t score_blocks_open(const scores_t *scores, int32_t models)
{
    score_blocks_t blocks = {.scores = scores, .models = models, .p = MEM_ARRAY(const float *, models)};
    bool any = false;
    for (int32_t m = 0; m < models; m++) {
        ASSERT(scores[m].n == scores[0].n);
        any = any || !scores[m].p;
    }
    if (any)
        blocks.buffer = MEM_ARRAY(float, (int64_t)models *SCORES_BLOCK);
    return blocks;
}

void score_blocks_close(score_blocks_t *blocks)
{
    mem_free(blocks->buffer);
    mem_free(blocks->p);
    *blocks = (score_blocks_t){0};
}

status_t score_blocks_at(score_blocks_t *blocks, int64_t example)
{
    const int64_t n = blocks->scores[0].n, first = example / SCORES_BLOCK * SCORES_BLOCK, count = block_size(n, first);
    ASSERT(example >= 0 && example < n);
    blocks->count = 0; /* unless all can be read */
    for (int32_t m = 0; m < blocks->models; m++) {
        const scores_t *scores = &blocks->scores[m];
        float *own = blocks->buffer ? blocks->buffer + (int64_t)m * SCORES_BLOCK : NULL;
        if (!scores->p)
            TRY(scores->read(scores->file, first, count, own));
        blocks->p[m] = scores->p ? scores->p + first : own;
    }
    blocks->first = first;
    blocks->count = count;
    return ST_OK;
}

bool score_blocks_next(score_blocks_t *blocks, status_t *status)
{
    const int64_t example = blocks->first + blocks->count;
    if (*status == ST_OK && blocks->models > 0 && example < blocks->scores[0].n)
        *status = score_blocks_at(blocks, example);
    else
        blocks->count = 0;
    return *status == ST_OK && blocks->count > 0;
}
