#include "common/net/visitors.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/net/net_keys.h"

static visitor_t *find(const visitors_t *visitors, int rank)
{
    for (int i = 0; i < visitors->n; i++)
        if (visitors->list[i].rank == rank)
            return &visitors->list[i];
    return NULL;
}

/* A connection that is not known yet. Numbers are given in ascending order, so that what still comes by a connection that was
 * cut does not bring it back. */
static int welcome(visitors_t *visitors, uint32_t number, zmq_msg_t *message)
{
    const char *name = zmq_msg_gets(message, "User-Id");
    const int rank = name ? net_keys_rank(name, strlen(name)) : -1;
    if (rank < 0)
        return -1;
    visitor_t *known = find(visitors, rank);
    if (!known) {
        MEM_GROW(visitors->list, visitors->capacity, (size_t)visitors->n + 1);
        visitors->list[visitors->n++] = (visitor_t){rank, number};
    } else if ((int32_t)(number - known->number) > 0) {
        known->number = number;
    }
    return rank;
}

int visitors_rank(visitors_t *visitors, zmq_msg_t *connection, zmq_msg_t *message)
{
    const uint8_t *bytes = zmq_msg_data(connection);
    uint32_t number = 0;
    if (zmq_msg_size(connection) != VISITOR_BYTES || bytes[0] != 0)
        return -1;
    for (int i = 1; i < VISITOR_BYTES; i++)
        number = number << 8 | bytes[i];
    for (int i = 0; i < visitors->n; i++)
        if (visitors->list[i].number == number)
            return visitors->list[i].rank;
    return welcome(visitors, number, message);
}

bool visitors_has(const visitors_t *visitors, int rank)
{
    return find(visitors, rank) != NULL;
}

bool visitors_connection(const visitors_t *visitors, int rank, uint8_t bytes[VISITOR_BYTES])
{
    const visitor_t *visitor = find(visitors, rank);
    if (!visitor)
        return false;
    const uint32_t number = visitor->number;
    bytes[0] = 0;
    for (int i = 1; i < VISITOR_BYTES; i++)
        bytes[i] = (uint8_t)(number >> (8 * (VISITOR_BYTES - 1 - i)));
    return true;
}

void visitors_fini(visitors_t *visitors)
{
    mem_free(visitors->list);
    *visitors = (visitors_t){.n = 0};
}
