/* cut_plan.h - before which steps a worker's training is cut for a checkpoint, and how far it may pull meanwhile.
 *
 * All workers must mark the same steps. Those of checkpoint.every_steps each knows by itself. Others the coordinator agrees on
 * with all of them (docs/PROTOCOL.md, "Checkpoints"): a worker that is asked promises not to pull from a step on, and is told a step that
 * is none of anybody's before. Pure arithmetic, no messages. One thread. */
#ifndef SMELTER_CUT_PLAN_H
#define SMELTER_CUT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cut_plan {
    int64_t first, end;   /* the training covers steps [first, end); end falls when told to stop earlier */
    int64_t every, round; /* checkpoint.every_steps, 0: none; cuts come before multiples of `round` alone */
    int64_t next;         /* the first step that is not pulled */
    int64_t promised;     /* no step from here on is pulled until told; INT64_MAX: none was asked for */
    int64_t told;         /* agreed with the coordinator; -1: none yet */
} cut_plan_t;

/* cut_plan_of - of a training of steps [first, end). */
cut_plan_t cut_plan_of(int64_t first, int64_t end, int64_t every, int64_t round);

/* cut_plan_has - is the training cut before this step? Never before the first, which comes from a checkpoint or from nothing, nor
 * after the last. */
bool cut_plan_has(const cut_plan_t *plan, int64_t step);

/* cut_plan_may_pull - does no promise keep this step from being pulled? */
bool cut_plan_may_pull(const cut_plan_t *plan, int64_t step);
/* cut_plan_pulled - `step` was pulled; steps come in order. */
void cut_plan_pulled(cut_plan_t *plan, int64_t step);

/* cut_plan_ask - the promise: the first step that may be named, two after the next pull, so that the worker rarely waits for the
 * word; `end` where less is left. */
int64_t cut_plan_ask(cut_plan_t *plan);

/* cut_plan_tell - cut before this step, and end there where `stop`. The promise is over. A step at the end or beyond means that
 * there is nothing left to cut. False, and nothing changes, for a step that was pulled or that is no multiple of `round`. */
bool cut_plan_tell(cut_plan_t *plan, int64_t step, bool stop);

#endif
