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

#define ADDRESS_CANDIDATES 4
/* Of one host: the numbers of the addresses by which others may reach it, the best first. */
typedef struct candidates {
    int n, at[ADDRESS_CANDIDATES];
} candidates_t;

/* addresses_choose - the candidates of each of n hosts, in chosen[n]; each has one at least. wanted is cluster.interface: names
 * of interfaces, addresses and networks ("10.0.0.0/8") between commas or blanks, the best first, or "".
 *
 * Without a wish: one host takes its first address that is not loopback, or loopback. Several take the networks on which all
 * have addresses, all different, in the order of the first host; where there is none, because networks may be joined by
 * routers, each all addresses that no other host has, with a warning. Loopback joins no hosts; an interface without a carrier
 * is the last choice. ST_INPUT: nothing fits what is wanted on some host, or only what another host has, too; with all
 * addresses. Only where `speak` is anything logged. */
WARN_UNUSED status_t addresses_choose(const addresses_t *hosts, int n, const char *wanted, bool speak, candidates_t *chosen);

/* addresses_sort - of the candidates of the host `there`, first those of networks that `here` is on. */
candidates_t addresses_sort(const addresses_t *here, const addresses_t *there, const candidates_t *candidates);

/* addresses_find - the addresses on this host of what cluster.interface names; returns how many, 0 where there is none or
 * nothing is named. Logs nothing. */
int addresses_find(const char *wanted, address_t out[ADDRESS_CANDIDATES]);

/* addresses_passed_over - "127.0.0.0/8,docker0,virbr0", for Open MPI: bridges of this host to which no network card belongs,
 * for containers and virtual machines, and loopback, which it passes over only as long as it is told of nothing else;
 * **owned**, "" where there are no such bridges. */
char *addresses_passed_over(void);

#define ADDRESS_NETWORK_BYTES 20
/* address_network - "10.0.0.1/24", or the name of the interface where it is no part of a network. Returns text. */
const char *address_network(const address_t *address, char text[ADDRESS_NETWORK_BYTES]);

/* address_list - "10.0.0.1,10.1.0.1", or by address_network where `networks`; **owned**. */
char *address_list(const address_t *addresses, int n, bool networks);

/* address_text - "10.0.0.1"; returns text. */
const char *address_text(const address_t *address, char text[ADDRESS_TEXT_BYTES]);

#endif
