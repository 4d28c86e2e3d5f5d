#include "worker/checkpoint_schedule.h"

#include "common/base/status.h"
#include "common/config/validation.h"

/* A pull goes out one step ahead of the one that is computed, and the coordinator's word takes less than two steps, mostly. */
#define STEPS_AHEAD 2

checkpoint_schedule_t checkpoint_schedule_of(int64_t first, int64_t end, int64_t every, int64_t round, int64_t depth)
{
    ASSERT(first >= 0 && every >= 0 && round >= 1 && depth >= 0);
    const int64_t apart = every > depth ? every : depth + 1;
    return (checkpoint_schedule_t){.first = first,
                                   .end = end,
                                   .period = every ? (apart + round - 1) / round * round : 0,
                                   .round = round,
                                   .depth = depth,
                                   .next = first,
                                   .last = -1,
                                   .promised = INT64_MAX,
                                   .told = -1};
}

bool checkpoint_schedule_may_pull(const checkpoint_schedule_t *plan, int64_t step)
{
    return step < plan->promised;
}

static bool is_apart(int64_t last, int64_t step, int64_t depth)
{
    return last < 0 || step - last > depth;
}

/* Does checkpoint.every_steps cut before the step? `last` is the cut before. */
static bool is_periodic(const checkpoint_schedule_t *plan, int64_t step, int64_t last)
{
    return plan->period && step > plan->first && step < plan->end && step % plan->period == 0 &&
           is_apart(last, step, plan->depth);
}

bool checkpoint_schedule_pull(checkpoint_schedule_t *plan, int64_t step)
{
    ASSERT(step == plan->next && step < plan->end && checkpoint_schedule_may_pull(plan, step));
    plan->next = step + 1;
    if (step != plan->told && !is_periodic(plan, step, plan->last))
        return false;
    plan->last = step;
    return true;
}

/* What is pulled until the word comes is less than the promise, so no cut of checkpoint.every_steps comes between `last` below
 * and the step told. */
int64_t checkpoint_schedule_ask(checkpoint_schedule_t *plan)
{
    int64_t last = plan->last, step = plan->next + STEPS_AHEAD;
    for (int64_t t = plan->next; t < step && t < plan->end; t++)
        if (t == plan->told || is_periodic(plan, t, last)) {
            last = t;
            step = step > t + plan->depth ? step : t + plan->depth + 1;
        }
    if (!is_apart(last, step, plan->depth))
        step = last + plan->depth + 1;
    if (plan->whole)
        step = validation_clear(plan->period, step, plan->depth);
    plan->promised = step < plan->end ? step : plan->end;
    return plan->promised;
}

bool checkpoint_schedule_tell(checkpoint_schedule_t *plan, int64_t step, bool stop)
{
    if (step < plan->next || (step < plan->end && (step % plan->round || !is_apart(plan->last, step, plan->depth))))
        return false;
    plan->promised = INT64_MAX;
    if (step >= plan->end)
        return true;
    plan->told = step;
    if (stop)
        plan->end = step;
    return true;
}
