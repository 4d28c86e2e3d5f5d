/* early_stopping.h - when a training has gone on long enough without getting better (evaluate.patience). Pure: it follows from
 * the numbers that it was told of alone, in their order, so a run that goes on from a checkpoint tells it those of before. */
#ifndef SMELTER_EARLY_STOPPING_H
#define SMELTER_EARLY_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct early_stopping {
    int64_t patience;  /* evaluations without an improvement, after which it is over; 0: never */
    double min_delta;  /* by which a value must be lower than the best so far, at least */
    int64_t since;     /* evaluations since the best one, or since the first */
    int64_t best_step; /* 0: none yet */
    double best;
} early_stopping_t;

/* early_stopping_put - an evaluation, the lower the better; NaN is no improvement. True: it is the best so far. */
bool early_stopping_put(early_stopping_t *state, int64_t step, double value);

bool early_stopping_is_over(const early_stopping_t *state);

#endif
