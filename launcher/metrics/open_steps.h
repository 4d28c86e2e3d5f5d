/* open_steps.h - the steps that some workers of a run have told of, and others have not yet: what probes and evaluations are
 * put together in. Workers tell of the same steps, every `period`-th, each in their order, and may be any number of them apart.
 * One thread. */
#ifndef SMELTER_OPEN_STEPS_H
#define SMELTER_OPEN_STEPS_H

#include "common/base/status.h"

typedef struct open_steps open_steps_t;

typedef struct open_steps_options {
    const char *what; /* workers tell, as in "a probe before step 5 came"; borrowed */
    int workers;
    int64_t period;     /* they tell of its multiples but 0 */
    int64_t first, end; /* among the steps [first, end) */
    /* What is gathered of a step: **owned** by open_steps, which gives it back. context: borrowed. */
    void *(*create)(const void *context);
    void (*destroy)(void *gathered);
    const void *context;
} open_steps_options_t;

/* One of them. */
typedef struct open_step {
    int64_t step;
    int heard; /* workers that have told of it */
    void *gathered;
} open_step_t;

/* open_steps_create - **owned**, open_steps_destroy. */
open_steps_t *open_steps_create(const open_steps_options_t *options);
void open_steps_destroy(open_steps_t **steps);

/* open_steps_expect - REFUSEs what a worker tells of another step than its next one.
 * open_steps_at - the place of a step that was expected, made where this worker is the first to tell of it; borrowed until the
 * next call.  open_steps_put - the worker has told of it. */
WARN_UNUSED status_t open_steps_expect(const open_steps_t *steps, int worker, int64_t step);
open_step_t *open_steps_at(open_steps_t *steps, int64_t step);
void open_steps_put(open_steps_t *steps, int worker, open_step_t *at);

/* open_steps_whole - the first open step, if all workers have told of it; else NULL.  open_steps_close - it is done with. */
const open_step_t *open_steps_whole(const open_steps_t *steps);
void open_steps_close(open_steps_t *steps);

#endif
