#include "tests/lib/expect.h"

#include "tests/lib/testing.h"

net_message_t expect_message(net_t *net, wire_type_t type)
{
    net_message_t message;
    assert_int_equal(net_receive(net, &message, 1000), ST_OK);
    if (message.header.type != type) {
        message_error_t body = {.text = ""};
        (void)message_body(&message, &body, sizeof body);
        fail_msg("%s came, %s was expected: %s", wire_type_name(message.header.type), wire_type_name((int)type), body.text);
    }
    return message;
}
