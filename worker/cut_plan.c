#include "worker/cut_plan.h"

#include "common/base/status.h"

/* A pull goes out one step ahead of the one that is computed, and the coordinator's word takes less than two steps, mostly. */
#define STEPS_AHEAD 2

cut_plan_t cut_plan_of(int64_t first, int64_t end, int64_t every, int64_t round)
{
    ASSERT(first >= 0 && every >= 0 && round >= 1);
    return (cut_plan_t){
        .first = first, .end = end, .every = every, .round = round, .next = first, .promised = INT64_MAX, .told = -1};
}

/* Is the step a multiple of `every`, rounded up to one of `round`? Then such a multiple is less than `round` before it. */
static bool is_periodic(const cut_plan_t *plan, int64_t step)
{
    return plan->every && step >= plan->every && step % plan->round == 0 && step % plan->every < plan->round;
}

bool cut_plan_has(const cut_plan_t *plan, int64_t step)
{
    return step == plan->told || (step > plan->first && step < plan->end && is_periodic(plan, step));
}

bool cut_plan_may_pull(const cut_plan_t *plan, int64_t step)
{
    return step < plan->promised;
}

void cut_plan_pulled(cut_plan_t *plan, int64_t step)
{
    ASSERT(step == plan->next && step < plan->end && cut_plan_may_pull(plan, step));
    plan->next = step + 1;
}

int64_t cut_plan_ask(cut_plan_t *plan)
{
    const int64_t left = plan->end - plan->next;
    plan->promised = plan->next + (left < STEPS_AHEAD ? left : STEPS_AHEAD);
    return plan->promised;
}

bool cut_plan_tell(cut_plan_t *plan, int64_t step, bool stop)
{
    if (step < plan->next || (step < plan->end && step % plan->round))
        return false;
    plan->promised = INT64_MAX;
    if (step >= plan->end)
        return true;
    plan->told = step;
    if (stop)
        plan->end = step;
    return true;
}
