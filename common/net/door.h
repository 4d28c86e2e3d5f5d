/* door.h - who may connect to a listening socket of this process: ranks of this start of this job, and nobody else.
 *
 * Every connection shows a certificate (CURVE) or a token (PLAIN) before it can send anything. One thread per process looks
 * it up in the keys that the socket was given and tells ZeroMQ which rank it is (ZAP, RFC 27); what comes by the connection
 * from then on carries that rank as its User-Id. Who has none is disconnected without an answer; it gets no queue and no
 * buffer, and no thread of the job waits for it. Refusals are counted, and logged as powers of two. */
#ifndef SMELTER_DOOR_H
#define SMELTER_DOOR_H

#include "common/net/net_keys.h"

/* door_keep - before it is bound: make the socket a server of CURVE or PLAIN, by `keys`, which are borrowed until door_leave,
 * and watch who comes. ST_SYSTEM: no thread, or no socket. */
WARN_UNUSED status_t door_keep(void *socket, const net_keys_t *keys);

/* door_leave - nobody is let in by these keys any more. */
void door_leave(const net_keys_t *keys);

/* door_knock - before it is connected: the socket shows what `keys` have to a socket of the process of rank `rank`, and with
 * CURVE takes no other's answer. */
WARN_UNUSED status_t door_knock(void *socket, const net_keys_t *keys, int rank);

/* door_refusals - connections of this process that were refused so far. Any thread. */
int64_t door_refusals(void);

/* door_close - end the thread. No socket is kept any more by then. */
void door_close(void);

#endif
