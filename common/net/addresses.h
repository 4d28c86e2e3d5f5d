/* addresses.h - which of its IPv4 addresses each host of a job listens on.
 *
 * A host has many: bridges of containers and virtual machines, a network for management, one for storage, one that is fast.
 * What is wanted is a network that all hosts have, with an address of its own on each: a bridge that has 172.17.0.1 everywhere
 * is none. So the choice is made once, by a function of all hosts' lists that gives the same result on all of them. */
#ifndef SMELTER_ADDRESSES_H
#define SMELTER_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define ADDRESSES_MOST 24
#define ADDRESS_TEXT_BYTES 16

typedef struct address {
    uint32_t ip, mask; /* in the machine's order of bytes */
    char interface[16];
    uint8_t loopback, running; /* running: it has a carrier */
    uint8_t reserved[6];
} address_t;

/* Of one host; plain bytes, to be sent as they are. */
typedef struct addresses {
    char host[64];
    int32_t n, reserved;
    address_t at[ADDRESSES_MOST];
} addresses_t;

/* addresses_here - those of all interfaces of this host that are up, in the system's order. */
WARN_UNUSED status_t addresses_here(const char *host, addresses_t *out);

/* addresses_choose - for each of n hosts, the number of its address, in chosen[n]. wanted is cluster.interface: an interface's
 * name, an address, a network ("10.0.0.0/8"), or "".
 *
 * Without a wish: one host takes its first address that is not loopback, or loopback. Several take the first network of the
 * first host on which all have addresses, all different; else, because networks may be joined by routers, each its first
 * address that no other host has, with a warning. Loopback joins no hosts; an interface without a carrier is the last choice.
 * ST_INPUT: nothing fits what is wanted on some host, or two hosts have the same address there, or none of its own; with all
 * addresses. Only where `speak` is anything logged. */
WARN_UNUSED status_t addresses_choose(const addresses_t *hosts, int n, const char *wanted, bool speak, int *chosen);

/* addresses_find - the address on this host of an interface, address or network that was named; false where there is none. Logs
 * nothing. */
bool addresses_find(const char *wanted, address_t *out);

#define ADDRESS_NETWORK_BYTES 20
/* address_network - "10.0.0.1/24", or the name of the interface where it is no part of a network. Returns text. */
const char *address_network(const address_t *address, char text[ADDRESS_NETWORK_BYTES]);

/* address_text - "10.0.0.1"; returns text. */
const char *address_text(const address_t *address, char text[ADDRESS_TEXT_BYTES]);

#endif
