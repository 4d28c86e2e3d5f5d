/* progress.h - the one live line for a person who watches a run.
 *
 *     relu, replica 1 of 2 (run 1 of 8): step 1,200 of 4,000  98,312 examples/s  0:28 left, 5:30 in all  progressive logloss
 * 0.6123
 *
 * Progressive is the loss of the first pass; where examples come again the line says "training logloss", that of the later
 * visits.
 *
 * On a terminal the line is redrawn in place, ten times a second at most, and in fewer words where it is too wide; elsewhere
 * (a file, a pipe) it is one line every few seconds. SMELTER_PROGRESS=tty|lines|off overrides what the descriptor says: under
 * mpirun standard error is a pipe, and the process that started mpirun passes on what it sees. Time comes from the caller.
 * One thread. */
#ifndef SMELTER_PROGRESS_H
#define SMELTER_PROGRESS_H

#include <stdint.h>

#include "common/base/status.h"

typedef struct progress progress_t;

/* A run as the line names it. Runs are counted over the whole experiment, those that were finished earlier left out. */
typedef struct progress_run {
    const char *variant;   /* copied */
    int replica, replicas; /* replica from 0 */
    int run, runs;         /* run from 0 */
    int64_t steps;
    int64_t first_step; /* steps that were made in earlier starts of the run */
} progress_run_t;

/* progress_create - a line on descriptor `fd`, usually STDERR_FILENO.  **owned**; progress_destroy.
 * ST_INPUT: SMELTER_PROGRESS has a value that is not one of its words. */
WARN_UNUSED status_t progress_create(int fd, progress_t **out);
void progress_destroy(progress_t **progress);

/* progress_mode - the word to pass to a child whose descriptors are pipes: "tty", "lines" or "off". */
const char *progress_mode(const progress_t *progress);

/* progress_start - a run begins.
 * progress_number - a number of the training, shown behind its name from the next drawing on; of a name that it had before, the
 * new value. NaN: it is not shown. At most PROGRESS_NUMBERS names of a run, each a constant, in the order in which they came.
 * progress_update - where it stands: steps, examples since this start. Draws where it is time to. Nothing where no run goes on:
 * a worker may speak late.
 * progress_finish - it is done: draws the final state once. */
#define PROGRESS_NUMBERS 6
void progress_start(progress_t *progress, const progress_run_t *run, int64_t now_ns);
void progress_number(progress_t *progress, const char *name, double value);
void progress_update(progress_t *progress, int64_t step, int64_t examples, int64_t now_ns);
void progress_finish(progress_t *progress, int64_t now_ns);

/* progress_clear - wipe the live line before something else is printed; nothing to do outside of a terminal. */
void progress_clear(progress_t *progress);

#endif
