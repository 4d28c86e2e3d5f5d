/* rank_signals.h - what signals ask of a rank.
 *
 * SIGUSR1 asks the coordinator to save and go on; SIGUSR2, and the first SIGTERM, SIGINT or SIGHUP, to save and stop; another
 * one ends a rank now. A rank that is not the coordinator tells it of the first (common/net/heartbeat.h) and goes on, so that
 * it can be saved, until it is told to STOP. State of the process; read by its main thread. */
#ifndef SMELTER_RANK_SIGNALS_H
#define SMELTER_RANK_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rank_signals {
    int64_t coordinator; /* its process, where that is another one on this host; else 0 */
    bool starter_ends;   /* the process that started this rank asks with SIGUSR2 to save and stop: its SIGTERM means now */
} rank_signals_t;

/* rank_signals_watch_early - from the start of a process: SIGUSR1 and SIGUSR2 are kept for later and do not end it; SIGPIPE is
 * ignored. rank_signals_watch - once the rank knows its role: SIGTERM, SIGINT and, unless it is ignored, SIGHUP, too. */
void rank_signals_watch_early(void);
void rank_signals_watch(const rank_signals_t *signals);

/* rank_signals_interrupted - this rank is to end now. Also where a signal to end came and the coordinator's process is gone
 * from this host. */
bool rank_signals_interrupted(void);

/* rank_signals_end_told - SIGTERM, SIGINT or SIGHUP came, the first of which asks for a save before the end. */
bool rank_signals_end_told(void);

/* rank_signals_launcher_ends - SIGTERM came from the process that started this rank: the other ranks have it too, and SIGKILL
 * follows. */
bool rank_signals_launcher_ends(void);

/* rank_signals_stop_asked - a signal asked this rank to save and stop. For the coordinator; stays true.
 * rank_signals_save_asked - a signal asked to save and go on since the last call. */
bool rank_signals_stop_asked(void);
bool rank_signals_save_asked(void);

/* rank_signals_forget - as if none had come, for a process that is in one job after the other (simulations). */
void rank_signals_forget(void);

#endif
