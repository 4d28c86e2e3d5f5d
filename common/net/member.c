#include "common/net/member.h"

#include <signal.h>
#include <stdio.h>

#include "common/base/log.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    interrupted = signal_number;
}

void member_watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool member_interrupted(void)
{
    return interrupted != 0;
}

void member_init(member_t *member, net_t *net, int rank, int64_t heartbeat_ms, double deadline_s)
{
    *member = (member_t){.net = net,
                         .rank = rank,
                         .heartbeat_ns = heartbeat_ms * 1000000,
                         .deadline_ns = (int64_t)(deadline_s * 1e9)};
}

status_t member_beat(member_t *member, int64_t step)
{
    int64_t now = net_now_ns(member->net);
    if (member->last_heartbeat_ns && now - member->last_heartbeat_ns < member->heartbeat_ns)
        return ST_OK;
    member->last_heartbeat_ns = now;
    wire_header_t header = wire_header(WIRE_HEARTBEAT, member->run_id, member->epoch, (uint32_t)member->rank, step, 0);
    return net_send(member->net, PEER_COORDINATOR, &header, NULL, 0);
}

void member_fail(member_t *member, status_t status, const char *text)
{
    message_error_t body = {.status = (int32_t)status, .fatal = 1};
    snprintf(body.text, sizeof body.text, "%s", text);
    wire_header_t header = wire_header(WIRE_ERROR, member->run_id, member->epoch, (uint32_t)member->rank, 0, 0);
    wire_frame_t frame = {&body, sizeof body};
    if (net_send(member->net, PEER_COORDINATOR, &header, &frame, 1) != ST_OK)
        log_debug("the coordinator could not be told of the failure");
}

void member_bye(member_t *member, status_t status)
{
    if (member_interrupted())
        status = ST_STOPPED;
    wire_header_t header = wire_header(WIRE_BYE, member->run_id, member->epoch, (uint32_t)member->rank, 0, (int64_t)status);
    if (net_send(member->net, PEER_COORDINATOR, &header, NULL, 0) != ST_OK)
        log_debug("the coordinator could not be told goodbye");
}
