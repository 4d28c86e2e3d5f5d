/* checkpoint_schedule.h - before which steps a worker's training is cut for a checkpoint, and how far it may pull meanwhile.
 *
 * All workers must mark the same steps. Each knows those of checkpoint.every_steps. Others the coordinator agrees on
 * with all of them (docs/PROTOCOL.md, "Checkpoints"): a worker that is asked promises not to pull from a step on, and is told a
 * step that no worker has pulled yet. Two cuts are more than `depth` steps apart, so that a push is pending at one cut at
 * most, and written once. Pure arithmetic, no messages. One thread. */
#ifndef SMELTER_CHECKPOINT_SCHEDULE_H
#define SMELTER_CHECKPOINT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct checkpoint_schedule {
    int64_t first, end; /* the training covers steps [first, end); end falls when told to stop earlier */
    int64_t period;     /* cuts come before its multiples; 0: none do by themselves */
    int64_t round;      /* all cuts come before multiples of this one */
    int64_t depth;
    int64_t next;     /* the first step that is not pulled */
    int64_t last;     /* the last cut; -1: none yet */
    int64_t promised; /* no step from here on is pulled until told; INT64_MAX: not asked */
    int64_t told;     /* agreed with the coordinator; -1: none yet */
    bool whole;       /* no cut of the period is left out for one that was agreed: that gives way */
} checkpoint_schedule_t;

/* checkpoint_schedule_of - of a training of steps [first, end). The period is `every`, or depth + 1 where that is more, rounded
 * up to a multiple of `round`; every 0: none. */
checkpoint_schedule_t checkpoint_schedule_of(int64_t first, int64_t end, int64_t every, int64_t round, int64_t depth);

/* checkpoint_schedule_may_pull - does no promise keep this step from being pulled? */
bool checkpoint_schedule_may_pull(const checkpoint_schedule_t *plan, int64_t step);

/* checkpoint_schedule_pull - `step` is pulled; steps come in order. True: the training is cut before it. Never before the
 * first, which comes from a checkpoint or from nothing, and not before the end unless told to stop there. */
bool checkpoint_schedule_pull(checkpoint_schedule_t *plan, int64_t step);

/* checkpoint_schedule_ask - the promise: the first step that may be named, two after the next pull, so that the worker rarely
 * waits for the word, or later where a cut is near; `end` where less is left. */
int64_t checkpoint_schedule_ask(checkpoint_schedule_t *plan);

/* checkpoint_schedule_tell - cut before this step, and end there where `stop`. The promise is over. A step at the end or beyond
 * means that there is nothing left to cut. False, and nothing changes, for a step that was pulled, that is no multiple of
 * `round`, or that is too near to the last cut. */
bool checkpoint_schedule_tell(checkpoint_schedule_t *plan, int64_t step, bool stop);

#endif
