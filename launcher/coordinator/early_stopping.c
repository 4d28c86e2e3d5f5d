#include "launcher/coordinator/early_stopping.h"

#include <math.h>

bool early_stopping_put(early_stopping_t *state, int64_t step, double value)
{
    const bool improves =
        !isnan(value) && (!state->best_step || (value < state->best && state->best - value >= state->min_delta));
    state->since = improves ? 0 : state->since + 1;
    if (improves) {
        state->best_step = step;
        state->best = value;
    }
    return improves;
}

bool early_stopping_is_over(const early_stopping_t *state)
{
    return state->patience && state->best_step && state->since >= state->patience;
}
