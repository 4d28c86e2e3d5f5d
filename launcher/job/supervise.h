/* supervise.h - start a job again when it has failed, from its last checkpoint, as long as that makes sense.
 *
 * It decides by what the job leaves behind: an exit that another start would not change (bad input, a stop on request) is
 * final; so is the third failure in a row at the same step, which is a defect and no accident. Belongs to the process that
 * starts mpirun. */
#ifndef SMELTER_SUPERVISE_H
#define SMELTER_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct supervise_options {
    const char *dir;  /* of the run, or of the experiment whose runs are below; borrowed, as all */
    int64_t restarts; /* starts after the first one; 0: none, and nothing is said about it */
    bool again;       /* the first start removes the run that is there: its checkpoints are not what a later one goes on from */
    void *context;
    /* start - run the job to its end. resume: it has a checkpoint and is to go on from it. */
    status_t (*start)(void *context, bool resume);
    /* pause - let this many seconds pass; anything but ST_OK ends it all. */
    status_t (*pause)(void *context, int seconds);
} supervise_options_t;

/* supervise_run - start the job, and start it again while it fails: 1 s later, then 2 s, 4 s and so on up to 64 s.
 * Returns the last start's status; after a failure that is final by the rules above, a line says so. */
WARN_UNUSED status_t supervise_run(const supervise_options_t *options);

/* supervise_pause - for `pause`: sleep. ST_STOPPED, logged, where SIGINT, SIGTERM, SIGHUP or SIGUSR2 comes meanwhile. */
WARN_UNUSED status_t supervise_pause(void *context, int seconds);

/* supervise_parse - the value of --restarts; NULL is 0.  ST_INPUT: not a number from 0 to 1,000,000. */
WARN_UNUSED status_t supervise_parse(const char *text, int64_t *out);

#endif
