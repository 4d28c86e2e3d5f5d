/* rank_watch.h - what a smelter that has started mpirun sees of the ranks on its host: whether a job that neither goes on nor
 * ends is to be ended by it.
 *
 * Ranks notice each other's silence themselves (common/net/heartbeat.h, failure_detector.h). What is left is a job of which all
 * ranks are stopped, and an mpirun that waits for ranks on a host that is cut off, or is stopped itself. Belongs to the main
 * thread. */
#ifndef SMELTER_RANK_WATCH_H
#define SMELTER_RANK_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/patience.h"

typedef struct rank_watch {
    pid_t mpirun;
    int64_t stopped_most_ns, looked_ns;
    bool seen, is_stopped, is_alone; /* ranks were there; a process is stopped; mpirun is there without them */
    patience_t stopped, alone;
} rank_watch_t;

/* rank_watch_start - of the ranks that this mpirun starts, which name each other after deadline_s. */
rank_watch_t rank_watch_start(pid_t mpirun, double deadline_s);

/* rank_watch_is_lost - call it often; it looks once a second. True, with why in text, where the job is to be ended. Time in
 * which this process itself is stopped does not count. */
bool rank_watch_is_lost(rank_watch_t *watch, int64_t now_ns, char *text, size_t size);

#endif
