/* heartbeat.h - the control side of a rank that is not the coordinator: heartbeats out, STOP in, errors told, goodbyes said,
 * and the coordinator's silence noticed. A signal that asks the rank to end (common/process/rank_signals.h) goes out with the
 * next heartbeat.
 *
 * A heartbeat_t wraps the net_t that dialled the coordinator; it belongs to the rank's main thread. Shared by servers and
 * workers. */
#ifndef SMELTER_HEARTBEAT_H
#define SMELTER_HEARTBEAT_H

#include <stdbool.h>

#include "common/base/patience.h"
#include "common/net/message.h"

#define HEARTBEAT_NAME_BYTES 160

typedef struct heartbeat {
    net_t *net; /* borrowed */
    int rank;
    int64_t period_ns, deadline_ns;
    int64_t sent_ns; /* the last one; 0: none yet */
    bool stuck;      /* it has left a meeting of ranks over MPI that others wait in, and cannot leave MPI with them */
    bool told;       /* the coordinator knows that this rank was told to end by a signal */
    uint64_t run_id;
    uint32_t incarnation;
    bool expects_pulse;
    char coordinator[HEARTBEAT_NAME_BYTES];
    bool speaks;        /* of the coordinator's silence, which all notice */
    patience_t silence; /* of the coordinator */
} heartbeat_t;

void heartbeat_init(heartbeat_t *heartbeat, net_t *net, int rank, int64_t heartbeat_ms, double deadline_s);

/* heartbeat_send - send a heartbeat with the current step where the last one is old enough, or a signal to end came. Cheap;
 * call it often. */
WARN_UNUSED status_t heartbeat_send(heartbeat_t *heartbeat, int64_t step);

/* heartbeat_expect_pulse - from now on ask at PEER_PULSE, with each heartbeat, whether the coordinator is there, and end where
 * it has been silent for the deadline. name: "coordinator (rank 0 on node1, pid 4711)", copied; speaks: it is this rank that
 * logs it. */
void heartbeat_expect_pulse(heartbeat_t *heartbeat, const char *name, bool speaks);

/* heartbeat_receive - a beat, then the next message, as net_receive. ST_PEER where nothing is there and the coordinator was
 * silent for longer than the deadline, in time in which this rank listened: its own pauses are not the other's silence. */
WARN_UNUSED status_t heartbeat_receive(heartbeat_t *heartbeat, int64_t step, int64_t timeout_ms, net_message_t *message);

/* heartbeat_is_orphan - this rank ends because the coordinator was silent: it is gone, stopped, or cut off from here. */
bool heartbeat_is_orphan(void);

/* heartbeat_fail - tell the coordinator that this rank cannot go on, with the reason, which was logged here: the coordinator's
 * line is the last that a person sees. Then take messages, and drop them, until the coordinator ends the job, for 5 s at most:
 * who sends to this rank meanwhile is not kept waiting. Never fails. */
void heartbeat_fail(heartbeat_t *heartbeat, status_t status, const char *reason);

/* heartbeat_bye - leave in good order; tells the status, or ST_STOPPED where a signal asked for the end. Never fails. */
void heartbeat_bye(heartbeat_t *heartbeat, status_t status);

#endif
