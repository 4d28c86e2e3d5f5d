#include "common/net/dispatch.h"

#include <stdio.h>

#include "common/base/log.h"

#define REFUSALS_SAID 100 /* by a net_t, one by one; more is no mistake but malice */

void dispatch_refuse(net_t *net, net_message_t *message, const char *who, const char *reason)
{
    char text[160];
    const int64_t bad = ++net->bad_messages;
    wire_describe(&message->header, text, sizeof text);
    if (bad <= REFUSALS_SAID || (bad & (bad - 1)) == 0)
        log_warn("%s refused %s: %s", who, text, reason);
    message_error_t body = {.status = ST_MESSAGE};
    snprintf(body.text, sizeof body.text, "%s refused %s: %s", who, text, reason);
    const wire_header_t of = message->header;
    const int peer = message->peer;
    net_release(net, message);
    if (of.type == WIRE_ERROR)
        return;
    wire_header_t header = wire_header(WIRE_ERROR, of.run_id, of.incarnation, 0, of.step, 0);
    header.sequence = of.sequence;
    net_offer(net, peer, &header, &(wire_frame_t){&body, sizeof body}, 1);
}

void dispatch_drop(net_t *net, net_message_t *message)
{
    net->bad_messages++;
    net_release(net, message);
}
