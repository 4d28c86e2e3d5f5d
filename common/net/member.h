/* member.h - the control side of a rank that is not the coordinator: heartbeats out, STOP in, errors told, goodbyes said.
 *
 * A member_t wraps the net_t that dialled the coordinator; it belongs to the rank's main thread. Shared by servers and workers. */
#ifndef SMELTER_MEMBER_H
#define SMELTER_MEMBER_H

#include <stdbool.h>

#include "common/net/message.h"

typedef struct member {
    net_t *net; /* borrowed */
    int rank;
    int64_t heartbeat_ns, deadline_ns;
    int64_t last_heartbeat_ns;
    uint64_t run_id;
    uint32_t epoch;
} member_t;

void member_init(member_t *member, net_t *net, int rank, int64_t heartbeat_ms, double deadline_s);

/* member_beat - send a heartbeat with the current step where the last one is old enough. Cheap; call it often. */
WARN_UNUSED status_t member_beat(member_t *member, int64_t step);

/* member_interrupted - true once SIGTERM or SIGINT arrived (member_watch_signals installs the handlers). */
void member_watch_signals(void);
bool member_interrupted(void);

/* member_fail - tell the coordinator that this rank cannot go on; text is what was logged. Never fails. */
void member_fail(member_t *member, status_t status, const char *text);

/* member_bye - leave in good order; tells the status, or ST_STOPPED where a signal asked for the end. Never fails. */
void member_bye(member_t *member, status_t status);

#endif
