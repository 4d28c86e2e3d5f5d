/* lanes.h - how a global batch is cut: the arithmetic that makes results independent of the number of workers.
 *
 * Step t covers the global positions [t B, (t+1) B) of the sequence epoch after epoch; only the last batch may be shorter, and
 * train.last_batch says what becomes of it. It is cut into G lanes of B / G consecutive examples, the last of which may be
 * shorter or empty. Worker w of W owns the lanes [w G / W, (w+1) G / W).
 *
 * Co-distilled peers in groups (common/config/peer_group.h) have global batches of their own, B examples each, from equally
 * long shares of the data, so that all groups make the same steps: what is left of the split, fewer examples than groups, is in
 * none. W is then the workers of a group. */
#ifndef SMELTER_LANES_H
#define SMELTER_LANES_H

#include <stdint.h>

#include "common/config/config.h"
#include "common/kernels/tree.h"

typedef struct lanes {
    int64_t batch; /* B */
    int64_t total; /* positions that are trained: all epochs, or fewer where max_steps or last_batch leaves some out */
    int lanes;     /* G */
    last_batch_t last_batch;
    bool ordered; /* sums are over the tree of lanes, whoever computes them (sync, invariant) */
} lanes_t;

/* Positions of the training, before train.last_batch drops the last few. */
static inline int64_t lanes_positions(const config_t *config, int64_t train_rows)
{
    const int64_t all = config->train.epochs * (train_rows / config_groups(config)), steps = config->train.max_steps;
    return steps && steps * config->train.batch < all ? steps * config->train.batch : all;
}

/* Examples that are left for a short last batch, dropped or not; 0 where train.last_batch decides nothing. */
static inline int64_t lanes_left_over(const config_t *config, int64_t train_rows)
{
    return lanes_positions(config, train_rows) % config->train.batch;
}

static inline lanes_t lanes_of(const config_t *config, int64_t train_rows)
{
    lanes_t l = {config->train.batch, lanes_positions(config, train_rows), (int)config->train.lanes,
                 (last_batch_t)config->train.last_batch, config->determinism >= DETERMINISM_SYNC};
    if (l.last_batch == LAST_BATCH_DROP)
        l.total -= l.total % l.batch;
    return l;
}

static inline int64_t lanes_steps(const lanes_t *l)
{
    return (l->total + l->batch - 1) / l->batch;
}

/* Examples in the global batch of a step. */
static inline int64_t lanes_step_rows(const lanes_t *l, int64_t step)
{
    int64_t left = l->total - step * l->batch;
    return left < l->batch ? left : l->batch;
}

/* What the gradients of a step's examples are divided by, B of docs/MATH.md section 4. */
static inline int64_t lanes_divisor(const lanes_t *l, int64_t step)
{
    return l->last_batch == LAST_BATCH_OWN ? lanes_step_rows(l, step) : l->batch;
}

/* Examples in one lane of a step. */
static inline int64_t lanes_rows(const lanes_t *l, int64_t step, int lane)
{
    int64_t size = l->batch / l->lanes, left = lanes_step_rows(l, step) - lane * size;
    return left < 0 ? 0 : left < size ? left : size;
}

/* Steps from one line of metrics.jsonl to the next: train.report_steps, or fewer, so that no worker keeps the predictions of
 * more than LANES_INTERVAL_EXAMPLES examples. */
#define LANES_INTERVAL_EXAMPLES (1 << 21)
static inline int64_t lanes_interval(const lanes_t *l, int64_t report_steps)
{
    const int64_t most = LANES_INTERVAL_EXAMPLES / l->batch;
    return most < 1 ? 1 : most < report_steps ? most : report_steps;
}

/* First lane of a worker; the lanes of worker w end where those of w + 1 begin. */
static inline int lanes_first(const lanes_t *l, int worker, int workers)
{
    return (int)((int64_t)worker * l->lanes / workers);
}

/* The tree over which the gradients of `workers` workers are summed; tree_shares_fini. At ordered levels a worker hands on a
 * sum for each whole subtree of its lanes, so that the result is that of one worker with all lanes; elsewhere one for all. */
static inline void lanes_shares(const config_t *config, int workers, tree_shares_t *out)
{
    tree_shares_init(out, workers, config->determinism >= DETERMINISM_SYNC ? (uint32_t)config->train.lanes : (uint32_t)workers);
}

/* Rows [row[i], row[i + 1]) of a worker's full batch are in the i-th of its parts; returns their number. */
static inline int lanes_parts(const lanes_t *l, int worker, int workers, int32_t row[TREE_PARTS_MAX + 1])
{
    const int from = lanes_first(l, worker, workers), to = lanes_first(l, worker + 1, workers);
    uint32_t part[TREE_PARTS_MAX + 1] = {(uint32_t)from, (uint32_t)to};
    const int parts = l->ordered ? tree_parts((uint32_t)from, (uint32_t)to, part) : 1;
    for (int i = 0; i <= parts; i++)
        row[i] = (int32_t)((part[i] - (uint32_t)from) * (l->batch / l->lanes));
    return parts;
}

#endif
