/* step_times.h - how long the steps of a training take: their median and the longest, in a few kilobytes however many there
 * are. */
#ifndef SMELTER_STEP_TIMES_H
#define SMELTER_STEP_TIMES_H

#include <stdint.h>

#define STEP_TIMES_PARTS 16   /* of an octave: a time is known to one part in 16 */
#define STEP_TIMES_OCTAVES 44 /* 2^47 ns are 39 hours */

/* Zeros are the times of no steps. */
typedef struct step_times {
    int64_t count[STEP_TIMES_OCTAVES * STEP_TIMES_PARTS];
    int64_t steps;
    int64_t longest_ns;
} step_times_t;

/* step_times_add - a step took so long, ns >= 0. Cost: some nanoseconds. */
void step_times_add(step_times_t *times, int64_t ns);

/* step_times_median - in seconds, to 1 / (2 STEP_TIMES_PARTS) of it; 0 without steps. */
double step_times_median(const step_times_t *times);

#endif
