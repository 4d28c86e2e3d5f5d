/* reach.h - which addresses of another host let connections through, tried before any rank depends on it.
 *
 * A host with several addresses opens a socket on each, on which nobody is ever answered: that the other side's connection
 * comes about is all that is asked. These are not the sockets of ranks, whose door (door.h) would take such a visit for a
 * stranger's. */
#ifndef SMELTER_REACH_H
#define SMELTER_REACH_H

#include <stdint.h>

#include "common/base/status.h"

#define REACH_MOST 4

/* Plain bytes, to be sent as they are. ips in the machine's order of bytes. */
typedef struct reach_places {
    uint32_t ip[REACH_MOST];
    int32_t port[REACH_MOST];
    int32_t n, reserved;
} reach_places_t;

typedef struct reach {
    int n, fd[REACH_MOST];
} reach_t;

/* reach_open - listen on the n addresses of places, on ports first .. last, or with 0, 0 on any; their numbers go to
 * places->port.  reach_close - and no more; what reach_open has failed with, too. ST_SYSTEM: no such port is free, said. */
WARN_UNUSED status_t reach_open(reach_places_t *places, int first, int last, reach_t *out);
void reach_close(reach_t *reach);

/* reach_try - the number of the first place that a connection can be made to. A later one is preferred where all before it have
 * refused, or have not answered moments after it did. -1: none has within most_ms. */
int reach_try(const reach_places_t *places, int64_t most_ms);

#endif
