/* zeromq.h - ZeroMQ for the files that speak it: the process's context, and options that must be taken.
 *
 * The only file that includes zmq.h: transport (net_zmq.c), door and keys share one context, and nobody else has business
 * with it. */
#ifndef SMELTER_ZEROMQ_H
#define SMELTER_ZEROMQ_H

#include <zmq.h>

#include "common/base/status.h"

/* zeromq_context - the process's; made by the first call. Any thread. */
void *zeromq_context(void);

/* zeromq_end - destroy the context after every socket was closed. Waits for messages still on their way, as long as their
 * sockets linger. */
void zeromq_end(void);

/* zeromq_socket - ST_SYSTEM: no more sockets. */
WARN_UNUSED status_t zeromq_socket(int type, void **out);

/* zeromq_set, zeromq_set_text - ST_SYSTEM: ZeroMQ refuses the option; name is its name. */
WARN_UNUSED status_t zeromq_set(void *socket, int option, int value, const char *name);
WARN_UNUSED status_t zeromq_set_text(void *socket, int option, const char *value, const char *name);
#define ZEROMQ_SET(socket, option, value) TRY(zeromq_set((socket), (option), (value), #option))
#define ZEROMQ_SET_TEXT(socket, option, value) TRY(zeromq_set_text((socket), (option), (value), #option))

#endif
