/* expect.h - messages that a test waits for. */
#ifndef SMELTER_EXPECT_H
#define SMELTER_EXPECT_H

#include "common/net/message.h"

/* expect_message - the next message for `net`, whatever has to happen before, within a second; the test fails unless it is of
 * this type, with the text of an ERROR that came instead. The caller releases it. */
net_message_t expect_message(net_t *net, wire_type_t type);

#endif
