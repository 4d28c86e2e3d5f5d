#include "common/net/dispatch.h"

#include <stdio.h>

#include "common/base/log.h"

status_t dispatch_refuse(net_t *net, net_message_t *message, const char *who, const char *reason)
{
    char text[160];
    net->bad_messages++;
    wire_describe(&message->header, text, sizeof text);
    log_warn("%s refused %s: %s", who, text, reason);
    message_error_t body = {.status = ST_MESSAGE};
    snprintf(body.text, sizeof body.text, "%s refused %s: %s", who, text, reason);
    const wire_header_t of = message->header;
    const int peer = message->peer;
    net_release(net, message);
    if (of.type == WIRE_ERROR)
        return ST_OK;
    wire_header_t header = wire_header(WIRE_ERROR, of.run_id, of.incarnation, 0, of.step, 0);
    header.sequence = of.sequence;
    wire_frame_t frame = {&body, sizeof body};
    return net_send(net, peer, &header, &frame, 1);
}
