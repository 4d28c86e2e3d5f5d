#include "common/net/addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

#define LIST_BYTES 900

const char *address_text(const address_t *address, char text[ADDRESS_TEXT_BYTES])
{
    const uint32_t ip = address->ip;
    snprintf(text, ADDRESS_TEXT_BYTES, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    return text;
}

static uint32_t number_of(const struct sockaddr *address)
{
    return address ? ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) : 0;
}

status_t addresses_here(const char *host, addresses_t *out)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0)
        return FAIL(ST_SYSTEM, "the network interfaces cannot be listed: %s", strerror(errno));
    *out = (addresses_t){0};
    snprintf(out->host, sizeof out->host, "%s", host);
    for (const struct ifaddrs *entry = list; entry && out->n < ADDRESSES_MOST; entry = entry->ifa_next) {
        if (!(entry->ifa_flags & IFF_UP) || !entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET)
            continue;
        address_t *address = &out->at[out->n++];
        address->ip = number_of(entry->ifa_addr);
        address->mask = number_of(entry->ifa_netmask);
        address->loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
        address->running = (entry->ifa_flags & IFF_RUNNING) != 0;
        snprintf(address->interface, sizeof address->interface, "%s", entry->ifa_name);
    }
    freeifaddrs(list);
    return ST_OK;
}

/* "lo (127.0.0.1), eth0 (10.0.0.1)" */
static void list_one(const addresses_t *host, char *text, size_t size)
{
    char ip[ADDRESS_TEXT_BYTES];
    size_t used = 0;
    snprintf(text, size, "none");
    for (int i = 0; i < host->n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s (%s)", i ? ", " : "", host->at[i].interface,
                                 address_text(&host->at[i], ip));
}

/* "node1 has eth0 (10.0.0.1); node2 has eth0 (10.0.0.2)", of a few hosts. */
static void list_all(const addresses_t *hosts, int n, char *text, size_t size)
{
    char one[LIST_BYTES / 2];
    size_t used = 0;
    text[0] = 0;
    for (int h = 0; h < n && used < size; h++) {
        list_one(&hosts[h], one, sizeof one);
        used += (size_t)snprintf(text + used, size - used, "%s%s has %s", h ? "; " : "", hosts[h].host, one);
    }
}

/* ---- a wish ------------------------------------------------------------------------------------------------------------ */

/* "10.0.0.0/8" */
static bool parse_network(const char *text, uint32_t *ip, uint32_t *mask)
{
    char address[ADDRESS_TEXT_BYTES] = "";
    struct in_addr parsed;
    const char *slash = strchr(text, '/');
    char *end;
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    const long bits = strtol(slash + 1, &end, 10);
    if (end == slash + 1 || *end || bits < 0 || bits > 32 || inet_pton(AF_INET, address, &parsed) != 1)
        return false;
    *mask = bits ? UINT32_MAX << (32 - bits) : 0;
    *ip = ntohl(parsed.s_addr) & *mask;
    return true;
}

static bool fits(const address_t *address, const char *wanted)
{
    char text[ADDRESS_TEXT_BYTES];
    uint32_t ip, mask;
    if (parse_network(wanted, &ip, &mask))
        return (address->ip & mask) == ip;
    return strcmp(address->interface, wanted) == 0 || strcmp(address_text(address, text), wanted) == 0;
}

static status_t no_such(const addresses_t *host, int h, const char *wanted, bool speak)
{
    char list[LIST_BYTES];
    list_one(host, list, sizeof list);
    return speak ? FAIL(ST_INPUT, "no interface that is up has the name or IPv4 address \"%s\"; %s has: %s", wanted,
                        h ? host->host : "this host", list)
                 : ST_INPUT;
}

/* Two hosts that listen on the same address reach themselves. An address of one host alone, which is a wish for one host, is
 * told apart. */
static status_t check_distinct(const addresses_t *hosts, int n, const int *chosen, const char *wanted, bool speak)
{
    char list[LIST_BYTES], ip[ADDRESS_TEXT_BYTES];
    for (int b = 1; b < n; b++)
        for (int a = 0; a < b; a++) {
            const address_t *one = &hosts[a].at[chosen[a]];
            if (one->ip != hosts[b].at[chosen[b]].ip)
                continue;
            list_all(hosts, n, list, sizeof list);
            return speak ? FAIL(ST_INPUT,
                                "cluster.interface \"%s\": %s and %s have the same address there, %s, and cannot reach each "
                                "other; %s",
                                wanted, hosts[a].host, hosts[b].host, address_text(one, ip), list)
                         : ST_INPUT;
        }
    return ST_OK;
}

static status_t choose_wanted(const addresses_t *hosts, int n, const char *wanted, bool speak, int *chosen)
{
    for (int h = 0; h < n; h++) {
        chosen[h] = -1;
        for (int i = 0; i < hosts[h].n && chosen[h] < 0; i++)
            chosen[h] = fits(&hosts[h].at[i], wanted) ? i : -1;
        if (chosen[h] < 0)
            return no_such(&hosts[h], h, wanted, speak);
    }
    return check_distinct(hosts, n, chosen, wanted, speak);
}

/* ---- without a wish ---------------------------------------------------------------------------------------------------- */

/* A cable that is not plugged in is the last resort, and no reason to give up: the kernel reports a carrier up to a second
 * late. */
static bool is_candidate(const address_t *address, bool without_carrier)
{
    return !address->loopback && (address->running || without_carrier);
}

/* Whether no host but h has this address. */
static bool is_own(const addresses_t *hosts, int n, int h, const address_t *address)
{
    for (int o = 0; o < n; o++)
        for (int i = 0; o != h && i < hosts[o].n; i++)
            if (hosts[o].at[i].ip == address->ip)
                return false;
    return true;
}

/* Every host's address on the network of `network`, each its own. */
static bool share_network(const addresses_t *hosts, int n, const address_t *network, bool without_carrier, int *chosen)
{
    for (int h = 0; h < n; h++) {
        chosen[h] = -1;
        for (int i = 0; i < hosts[h].n && chosen[h] < 0; i++) {
            const address_t *a = &hosts[h].at[i];
            if (is_candidate(a, without_carrier) && a->mask == network->mask &&
                (a->ip & a->mask) == (network->ip & network->mask) && is_own(hosts, n, h, a))
                chosen[h] = i;
        }
        if (chosen[h] < 0)
            return false;
    }
    return true;
}

/* Every host's first address of its own. */
static status_t choose_routed(const addresses_t *hosts, int n, bool speak, int *chosen)
{
    char list[LIST_BYTES], ip[ADDRESS_TEXT_BYTES], used[LIST_BYTES] = "";
    size_t length = 0;
    list_all(hosts, n, list, sizeof list);
    for (int h = 0; h < n; h++) {
        chosen[h] = -1;
        for (int i = 0; i < 2 * hosts[h].n && chosen[h] < 0; i++) {
            const address_t *a = &hosts[h].at[i % hosts[h].n];
            chosen[h] = is_candidate(a, i >= hosts[h].n) && is_own(hosts, n, h, a) ? i % hosts[h].n : -1;
        }
        if (chosen[h] < 0)
            return speak ? FAIL(ST_INPUT,
                                "%s has no address that other hosts could reach: %s; cluster.interface names an interface, an "
                                "address or a "
                                "network (10.0.0.0/8) that all hosts share",
                                hosts[h].host, list)
                         : ST_INPUT;
        if (length < sizeof used)
            length += (size_t)snprintf(used + length, sizeof used - length, "%s%s on %s", h ? ", " : "",
                                       address_text(&hosts[h].at[chosen[h]], ip), hosts[h].host);
    }
    if (speak)
        log_warn(
            "the hosts have no network in common; they use %s. Where these cannot reach each other, set cluster.interface: %s",
            used, list);
    return ST_OK;
}

static status_t choose_alone(const addresses_t *host, bool speak, int *chosen)
{
    *chosen = -1;
    for (int i = 0; i < host->n && *chosen < 0; i++)
        *chosen = host->at[i].loopback ? -1 : i;
    for (int i = 0; i < host->n && *chosen < 0; i++)
        *chosen = i;
    if (*chosen >= 0)
        return ST_OK;
    return speak ? FAIL(ST_SYSTEM, "no network interface with an IPv4 address is up, not even loopback") : ST_SYSTEM;
}

status_t addresses_choose(const addresses_t *hosts, int n, const char *wanted, bool speak, int *chosen)
{
    ASSERT(n > 0);
    if (wanted[0])
        return choose_wanted(hosts, n, wanted, speak, chosen);
    if (n == 1)
        return choose_alone(hosts, speak, chosen);
    for (int i = 0; i < 2 * hosts[0].n; i++) {
        const address_t *network = &hosts[0].at[i % hosts[0].n];
        const bool without_carrier = i >= hosts[0].n;
        if (is_candidate(network, without_carrier) && share_network(hosts, n, network, without_carrier, chosen))
            return ST_OK;
    }
    return choose_routed(hosts, n, speak, chosen);
}

bool addresses_find(const char *wanted, address_t *out)
{
    addresses_t here;
    int chosen;
    if (!*wanted || addresses_here("", &here) != ST_OK || addresses_choose(&here, 1, wanted, false, &chosen) != ST_OK)
        return false;
    *out = here.at[chosen];
    return true;
}

const char *address_network(const address_t *address, char text[ADDRESS_NETWORK_BYTES])
{
    char ip[ADDRESS_TEXT_BYTES];
    if (address->mask == UINT32_MAX || address->mask == 0)
        snprintf(text, ADDRESS_NETWORK_BYTES, "%s", address->interface);
    else
        snprintf(text, ADDRESS_NETWORK_BYTES, "%s/%d", address_text(address, ip), __builtin_popcount(address->mask));
    return text;
}
