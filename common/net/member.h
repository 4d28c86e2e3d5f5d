/* member.h - the control side of a rank: what signals ask of it; and of one that is not the coordinator: heartbeats out, STOP
 * in, errors told, goodbyes said; and the coordinator's silence noticed.
 *
 * SIGUSR1 asks the coordinator to save and go on; SIGUSR2, and the first SIGTERM, SIGINT or SIGHUP, to save and stop; another
 * one ends a rank now. A rank that is not the coordinator tells it of the first and goes on, so that it can be saved, until it
 * is told to STOP.
 *
 * A member_t wraps the net_t that dialled the coordinator; it belongs to the rank's main thread. Shared by servers and
 * workers. */
#ifndef SMELTER_MEMBER_H
#define SMELTER_MEMBER_H

#include <stdbool.h>

#include "common/base/patience.h"
#include "common/net/message.h"

#define MEMBER_NAME_BYTES 160

typedef struct member {
    net_t *net; /* borrowed */
    int rank;
    int64_t heartbeat_ns, deadline_ns;
    int64_t last_heartbeat_ns;
    bool stuck; /* it has left a meeting of ranks over MPI that others wait in, and cannot leave MPI with them */
    bool told;  /* the coordinator knows that this rank was told to end by a signal */
    uint64_t run_id;
    uint32_t epoch;
    bool expects_pulse;
    char coordinator[MEMBER_NAME_BYTES];
    bool speaks;        /* of the coordinator's silence, which all notice */
    patience_t silence; /* of the coordinator */
} member_t;

void member_init(member_t *member, net_t *net, int rank, int64_t heartbeat_ms, double deadline_s);

/* member_beat - send a heartbeat with the current step where the last one is old enough, or a signal to end came. Cheap; call
 * it often. */
WARN_UNUSED status_t member_beat(member_t *member, int64_t step);

/* member_expect_pulse - from now on ask at PEER_PULSE, with each heartbeat, whether the coordinator is there, and end where it
 * has been silent for the deadline. name: "coordinator (rank 0 on node1, pid 4711)", copied; speaks: it is this rank that logs
 * it. */
void member_expect_pulse(member_t *member, const char *name, bool speaks);

/* member_receive - a beat, then the next message, as net_receive. ST_PEER where nothing is there and the coordinator was silent
 * for longer than the deadline, in time in which this rank listened: its own pauses are not the other's silence. */
WARN_UNUSED status_t member_receive(member_t *member, int64_t step, int64_t timeout_ms, net_message_t *message);

typedef struct member_signals {
    int64_t coordinator; /* its process, where that is another one on this host; else 0 */
    bool starter_ends;   /* who started this rank asks with SIGUSR2 to save and stop: its SIGTERM means now */
} member_signals_t;

/* member_watch_early - from the start of a process: SIGUSR1 and SIGUSR2 are kept for later and do not end it; SIGPIPE is
 * ignored.
 * member_watch_signals - once the rank knows its role: SIGTERM, SIGINT and, unless it is ignored, SIGHUP, too. */
void member_watch_early(void);
void member_watch_signals(const member_signals_t *signals);

/* member_interrupted - this rank is to end now. Also where a signal to end came and the coordinator's process is gone from this
 * host. */
bool member_interrupted(void);

/* member_launcher_ends - SIGTERM came from the process that started this rank: the other ranks have it too, and SIGKILL
 * follows. */
bool member_launcher_ends(void);

/* member_stop_asked - a signal asked this rank to save and stop. For the coordinator; stays true.
 * member_save_asked - a signal asked to save and go on since the last call. */
bool member_stop_asked(void);
bool member_save_asked(void);

/* member_forget_signals - as if none had come, for a process that is in one job after the other (simulations). */
void member_forget_signals(void);

/* member_is_orphan - this rank ends because the coordinator was silent: it is gone, stopped, or cut off from here. */
bool member_is_orphan(void);

/* member_fail - tell the coordinator that this rank cannot go on, with the reason, which was logged here: the coordinator's
 * line is the last that a person sees. Then take messages, and drop them, until the coordinator ends the job, for 5 s at most:
 * who sends to this rank meanwhile is not kept waiting. Never fails. */
void member_fail(member_t *member, status_t status, const char *reason);

/* member_bye - leave in good order; tells the status, or ST_STOPPED where a signal asked for the end. Never fails. */
void member_bye(member_t *member, status_t status);

#endif
