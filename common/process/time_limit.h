/* time_limit.h - end this process where a call that cannot be told to give up does not return in time. */
#ifndef SMELTER_TIME_LIMIT_H
#define SMELTER_TIME_LIMIT_H

typedef struct time_limit time_limit_t;

/* time_limit_start - from now on: unless time_limit_stop comes within this many seconds, log `text` as an error and end the
 * process with exit code 1. Text is borrowed. A thread of its own, which takes no signals; NULL, and no limit, where there can
 * be none.
 * time_limit_stop - the call has returned. Destroys; takes NULL. */
time_limit_t *time_limit_start(double seconds, const char *text);
void time_limit_stop(time_limit_t **limit);

#endif
