/* validation.h - before which steps a training is evaluated (evaluate.every, evaluate.every_epochs): what workers, who do it,
 * and the coordinator, who awaits it, must agree on. Pure arithmetic. */
#ifndef SMELTER_VALIDATION_H
#define SMELTER_VALIDATION_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/peer_group.h"

/* validation_period - evaluations come before the multiples of this step, but for 0 and the end of the run; 0: there are none.
 * With evaluate.patience each of them is a cut for a checkpoint too, so that they are more than the pipeline's depth apart; and
 * all come where all copies of peers are fresh. An evaluation in epochs comes in whole steps. */
static inline int64_t validation_period(const config_t *config, int64_t train_rows)
{
    const double epoch = (double)(train_rows / config_groups(config)) / (double)config->train.batch;
    const int64_t depth = config->determinism >= DETERMINISM_SYNC ? config->train.pipeline_depth : 0;
    const int64_t round = peer_group_round(config), least = config->evaluate.patience ? depth + 1 : 1;
    int64_t every = config->evaluate.every;
    if (!every && config->evaluate.every_epochs > 0.0)
        every = (int64_t)fmin(ceil(config->evaluate.every_epochs * epoch), 0x1p50);
    if (!every)
        return 0;
    every = every < least ? least : every;
    return (every + round - 1) / round * round;
}

/* validation_examples - of the evaluation split's rows, those that are evaluated. */
static inline int64_t validation_examples(const config_t *config, int64_t eval_rows)
{
    const int64_t most = config->evaluate.examples;
    return most && most < eval_rows ? most : eval_rows;
}

/* validation_is_due - before the step? */
static inline bool validation_is_due(int64_t period, int64_t step, int64_t steps)
{
    return period && step > 0 && step < steps && step % period == 0;
}

/* validation_clear - the step that a checkpoint is agreed on for where `step` was meant: itself, or the evaluation, a cut too,
 * that it would be too near before. */
static inline int64_t validation_clear(int64_t period, int64_t step, int64_t depth)
{
    const int64_t next = (step + period - 1) / period * period;
    return next - step <= depth ? next : step;
}

/* validation_window_seconds - of evaluate.window; 0: there are none, -1: it is not one. */
static inline int64_t validation_window_seconds(const char *window)
{
    char *end;
    if (!window || !*window)
        return 0;
    if (strcmp(window, "day") == 0)
        return 86400;
    if (strcmp(window, "hour") == 0)
        return 3600;
    const long long seconds = strtoll(window, &end, 10);
    return *end || *window < '0' || *window > '9' || seconds < 1 || seconds > 1000000000 ? -1 : seconds;
}

#endif
