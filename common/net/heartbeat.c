#include "common/net/heartbeat.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/process/rank_signals.h"

#define AFTER_FAILURE_NS 5000000000 /* for the coordinator to end the job */
#define LISTEN_MS 500               /* the longest wait for a message; shorter than what counts of the time between two looks */

static bool is_orphan; /* of the process: it has one coordinator */

void heartbeat_init(heartbeat_t *heartbeat, net_t *net, int rank, int64_t heartbeat_ms, double deadline_s)
{
    *heartbeat = (heartbeat_t){
        .net = net, .rank = rank, .period_ns = heartbeat_ms * 1000000, .deadline_ns = (int64_t)(deadline_s * 1e9)};
}

bool heartbeat_is_orphan(void)
{
    return is_orphan;
}

status_t heartbeat_send(heartbeat_t *heartbeat, int64_t step)
{
    int64_t now = net_now_ns(heartbeat->net);
    const bool tell = rank_signals_end_told() && !heartbeat->told;
    if (!tell && heartbeat->sent_ns && now - heartbeat->sent_ns < heartbeat->period_ns)
        return ST_OK;
    heartbeat->sent_ns = now;
    heartbeat->told = rank_signals_end_told();
    wire_header_t header = wire_header(WIRE_HEARTBEAT, heartbeat->run_id, heartbeat->incarnation, (uint32_t)heartbeat->rank,
                                       step, heartbeat->told);
    TRY(net_send(heartbeat->net, PEER_COORDINATOR, &header, NULL, 0));
    return heartbeat->expects_pulse ? net_send(heartbeat->net, PEER_PULSE, &header, NULL, 0) : ST_OK;
}

void heartbeat_expect_pulse(heartbeat_t *heartbeat, const char *name, bool speaks)
{
    heartbeat->expects_pulse = true;
    heartbeat->speaks = speaks;
    heartbeat->silence = patience_start(net_now_ns(heartbeat->net));
    snprintf(heartbeat->coordinator, sizeof heartbeat->coordinator, "%s", name);
}

/* Nothing is waiting to be read. */
static status_t check_silence(heartbeat_t *heartbeat)
{
    if (!heartbeat->expects_pulse || patience_spend(&heartbeat->silence, net_now_ns(heartbeat->net)) <= heartbeat->deadline_ns)
        return ST_TIMEOUT;
    const double seconds = (double)heartbeat->deadline_ns * 1e-9;
    is_orphan = true;
    if (heartbeat->speaks)
        return FAIL(ST_PEER, "nothing was heard of the %s for %g s; this rank ends, and the job with it",
                    heartbeat->coordinator, seconds);
    log_debug("nothing was heard of the %s for %g s; this rank ends", heartbeat->coordinator, seconds);
    return ST_PEER;
}

status_t heartbeat_receive(heartbeat_t *heartbeat, int64_t step, int64_t timeout_ms, net_message_t *message)
{
    TRY(heartbeat_send(heartbeat, step));
    const status_t status = net_receive(heartbeat->net, message, timeout_ms < LISTEN_MS ? timeout_ms : LISTEN_MS);
    if (status == ST_TIMEOUT)
        return check_silence(heartbeat);
    if (status == ST_OK && (message->peer == PEER_COORDINATOR || message->peer == PEER_PULSE))
        heartbeat->silence = patience_start(net_now_ns(heartbeat->net));
    return status;
}

/* Others may be sending to this rank. Were it gone, each of them would wait until its deadline, and then report that instead of
 * the reason, which lies unread before them. */
static void await_stop(heartbeat_t *heartbeat)
{
    const int64_t longest = heartbeat->deadline_ns < AFTER_FAILURE_NS ? heartbeat->deadline_ns : AFTER_FAILURE_NS;
    const int64_t until = net_now_ns(heartbeat->net) + longest;
    for (bool stopped = false; !stopped && net_now_ns(heartbeat->net) < until && !rank_signals_interrupted();) {
        net_message_t message;
        if (net_receive(heartbeat->net, &message, LISTEN_MS) != ST_OK)
            continue;
        stopped = message.peer == PEER_COORDINATOR && message.header.type == WIRE_STOP;
        net_release(heartbeat->net, &message);
    }
}

void heartbeat_fail(heartbeat_t *heartbeat, status_t status, const char *reason)
{
    message_error_t body = {.status = (int32_t)status, .fatal = 1};
    snprintf(body.text, sizeof body.text, "%s", reason);
    wire_header_t header = wire_header(WIRE_ERROR, heartbeat->run_id, heartbeat->incarnation, (uint32_t)heartbeat->rank, 0, 0);
    wire_frame_t frame = {&body, sizeof body};
    if (net_send(heartbeat->net, PEER_COORDINATOR, &header, &frame, 1) != ST_OK)
        log_debug("the coordinator could not be told of the failure");
    else
        await_stop(heartbeat);
}

void heartbeat_bye(heartbeat_t *heartbeat, status_t status)
{
    if (rank_signals_interrupted())
        status = ST_STOPPED;
    wire_header_t header = wire_header(WIRE_BYE, heartbeat->run_id, heartbeat->incarnation, (uint32_t)heartbeat->rank,
                                       heartbeat->stuck, (int64_t)status);
    if (net_send(heartbeat->net, PEER_COORDINATOR, &header, NULL, 0) != ST_OK)
        log_debug("the coordinator could not be told goodbye");
}
