/* visitors.h - which ranks are connected to a ROUTER, and by which connection. Belongs to the ROUTER's thread. */
#ifndef SMELTER_VISITORS_H
#define SMELTER_VISITORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/zeromq.h"

#define VISITOR_BYTES 5 /* what a ROUTER puts before a message: a zero, and the number that it gave the connection */

typedef struct visitor {
    int rank;
    uint32_t number; /* of its latest connection */
} visitor_t;

/* Zeroed is empty. Searched from the front: a few hundred at most, once per message. */
typedef struct visitors {
    visitor_t *list; /* [n] */
    size_t capacity;
    int n;
} visitors_t;

/* visitors_rank - whose message this is, which came by `connection`; the first of a connection says so by its User-Id
 * (door.h). -1: nobody's; its sender brought a routing id of its own. */
int visitors_rank(visitors_t *visitors, zmq_msg_t *connection, zmq_msg_t *message);

bool visitors_has(const visitors_t *visitors, int rank);

/* visitors_connection - what to put before a message to a rank; false: it has never been connected. */
bool visitors_connection(const visitors_t *visitors, int rank, uint8_t bytes[VISITOR_BYTES]);

void visitors_fini(visitors_t *visitors);

#endif
