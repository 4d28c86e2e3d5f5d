#include "common/net/addresses.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"

#define LIST_BYTES 900
#define SEPARATORS ", \t"
#define WORD_BYTES 64

const char *address_text(const address_t *address, char text[ADDRESS_TEXT_BYTES])
{
    const uint32_t ip = address->ip;
    snprintf(text, ADDRESS_TEXT_BYTES, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    return text;
}

char *address_list(const address_t *addresses, int n, bool networks)
{
    char text[ADDRESS_NETWORK_BYTES], *list = mem_strdup("");
    for (int i = 0; i < n; i++) {
        char *longer = mem_printf("%s%s%s", list, i ? "," : "",
                                  networks ? address_network(&addresses[i], text) : address_text(&addresses[i], text));
        mem_free(list);
        list = longer;
    }
    return list;
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

static bool has_ip(const addresses_t *host, uint32_t ip)
{
    for (int i = 0; i < host->n; i++)
        if (host->at[i].ip == ip)
            return true;
    return false;
}

/* Whether no host but h has this address. */
static bool is_own(const addresses_t *hosts, int n, int h, const address_t *address)
{
    for (int o = 0; o < n; o++)
        if (o != h && has_ip(&hosts[o], address->ip))
            return false;
    return true;
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

static bool fits(const address_t *address, const char *word)
{
    char text[ADDRESS_TEXT_BYTES];
    uint32_t ip, mask;
    if (parse_network(word, &ip, &mask))
        return (address->ip & mask) == ip;
    return strcmp(address->interface, word) == 0 || strcmp(address_text(address, text), word) == 0;
}

/* The next of the words between commas and blanks, from *at on; false at the end. */
static bool next_word(const char **at, char word[WORD_BYTES])
{
    *at += strspn(*at, SEPARATORS);
    const size_t bytes = strcspn(*at, SEPARATORS);
    snprintf(word, WORD_BYTES, "%.*s", (int)(bytes < WORD_BYTES ? bytes : WORD_BYTES - 1), *at);
    *at += bytes;
    return bytes > 0;
}

static void add_candidate(candidates_t *candidates, int i)
{
    for (int c = 0; c < candidates->n; c++)
        if (candidates->at[c] == i)
            return;
    if (candidates->n < ADDRESS_CANDIDATES)
        candidates->at[candidates->n++] = i;
}

static status_t no_such(const addresses_t *host, int h, const char *wanted, bool speak)
{
    char list[LIST_BYTES];
    list_one(host, list, sizeof list);
    return speak ? FAIL(ST_INPUT, "no interface that is up has the name or IPv4 address \"%s\"; %s has: %s", wanted,
                        h ? host->host : "this host", list)
                 : ST_INPUT;
}

/* Two hosts that listen on the same address reach themselves. */
static status_t same_address(const addresses_t *hosts, int n, int h, const address_t *address, const char *wanted, bool speak)
{
    char list[LIST_BYTES], ip[ADDRESS_TEXT_BYTES];
    int o = 0;
    while (o == h || !has_ip(&hosts[o], address->ip))
        o++;
    list_all(hosts, n, list, sizeof list);
    return speak ? FAIL(ST_INPUT,
                        "cluster.interface \"%s\": %s and %s have the same address there, %s, and cannot reach each "
                        "other; %s",
                        wanted, hosts[o < h ? o : h].host, hosts[o < h ? h : o].host, address_text(address, ip), list)
                 : ST_INPUT;
}

/* An address of one host alone, which is a wish for one host, is told apart from one that two have. */
static status_t choose_wanted(const addresses_t *hosts, int n, const char *wanted, bool speak, candidates_t *chosen)
{
    char word[WORD_BYTES];
    for (int h = 0; h < n; h++) {
        const address_t *shared = NULL;
        chosen[h].n = 0;
        for (const char *at = wanted; next_word(&at, word);)
            for (int i = 0; i < hosts[h].n; i++) {
                const address_t *a = &hosts[h].at[i];
                if (!fits(a, word))
                    continue;
                if (is_own(hosts, n, h, a))
                    add_candidate(&chosen[h], i);
                else
                    shared = shared ? shared : a;
            }
        if (!chosen[h].n)
            return shared ? same_address(hosts, n, h, shared, wanted, speak) : no_such(&hosts[h], h, wanted, speak);
    }
    return ST_OK;
}

/* ---- without a wish ---------------------------------------------------------------------------------------------------- */

/* A cable that is not plugged in is the last resort, and no reason to give up: the kernel reports a carrier up to a second
 * late. */
static bool is_candidate(const address_t *address, bool without_carrier)
{
    return !address->loopback && (address->running || without_carrier);
}

/* Every host's address on the network of `network`, each its own, as a candidate more; none where some host has none. */
static void share_network(const addresses_t *hosts, int n, const address_t *network, bool without_carrier, candidates_t *chosen)
{
    int *found = MEM_ARRAY(int, n), h;
    for (h = 0; h < n; h++) {
        found[h] = -1;
        for (int i = 0; i < hosts[h].n && found[h] < 0; i++) {
            const address_t *a = &hosts[h].at[i];
            if (is_candidate(a, without_carrier) && a->mask == network->mask &&
                (a->ip & a->mask) == (network->ip & network->mask) && is_own(hosts, n, h, a))
                found[h] = i;
        }
        if (found[h] < 0)
            break;
    }
    for (int o = 0; h == n && o < n; o++)
        add_candidate(&chosen[o], found[o]);
    mem_free(found);
}

/* Every host's addresses of its own. */
static status_t choose_routed(const addresses_t *hosts, int n, bool speak, candidates_t *chosen)
{
    char list[LIST_BYTES], ip[ADDRESS_TEXT_BYTES], used[LIST_BYTES] = "";
    size_t length = 0;
    list_all(hosts, n, list, sizeof list);
    for (int h = 0; h < n; h++) {
        for (int i = 0; i < 2 * hosts[h].n && (i < hosts[h].n || !chosen[h].n); i++) {
            const address_t *a = &hosts[h].at[i % hosts[h].n];
            if (is_candidate(a, i >= hosts[h].n) && is_own(hosts, n, h, a))
                add_candidate(&chosen[h], i % hosts[h].n);
        }
        if (!chosen[h].n)
            return speak ? FAIL(ST_INPUT,
                                "%s has no address that other hosts could reach: %s; cluster.interface names interfaces, "
                                "addresses or networks (10.0.0.0/8) that hosts share",
                                hosts[h].host, list)
                         : ST_INPUT;
        for (int c = 0; c < chosen[h].n && length < sizeof used; c++)
            length += (size_t)snprintf(used + length, sizeof used - length, "%s%s%s%s",
                                       c   ? " or "
                                       : h ? ", "
                                           : "",
                                       address_text(&hosts[h].at[chosen[h].at[c]], ip), c + 1 < chosen[h].n ? "" : " on ",
                                       c + 1 < chosen[h].n ? "" : hosts[h].host);
    }
    if (speak)
        log_warn(
            "the hosts have no network in common; they use %s. Where these cannot reach each other, set cluster.interface: %s",
            used, list);
    return ST_OK;
}

static status_t choose_alone(const addresses_t *host, bool speak, candidates_t *chosen)
{
    int first = 0;
    while (first < host->n && host->at[first].loopback)
        first++;
    if (host->n)
        add_candidate(chosen, first < host->n ? first : 0);
    if (chosen->n)
        return ST_OK;
    return speak ? FAIL(ST_SYSTEM, "no network interface with an IPv4 address is up, not even loopback") : ST_SYSTEM;
}

status_t addresses_choose(const addresses_t *hosts, int n, const char *wanted, bool speak, candidates_t *chosen)
{
    ASSERT(n > 0);
    for (int h = 0; h < n; h++)
        chosen[h].n = 0;
    if (wanted[strspn(wanted, SEPARATORS)])
        return choose_wanted(hosts, n, wanted, speak, chosen);
    if (n == 1)
        return choose_alone(hosts, speak, chosen);
    for (int i = 0; i < 2 * hosts[0].n; i++) {
        const address_t *network = &hosts[0].at[i % hosts[0].n];
        const bool without_carrier = i >= hosts[0].n;
        if (is_candidate(network, without_carrier))
            share_network(hosts, n, network, without_carrier, chosen);
    }
    return chosen[0].n ? ST_OK : choose_routed(hosts, n, speak, chosen);
}

candidates_t addresses_sort(const addresses_t *here, const addresses_t *there, const candidates_t *candidates)
{
    candidates_t sorted = {.n = 0};
    for (int c = 0; c < candidates->n; c++) {
        const address_t *its = &there->at[candidates->at[c]];
        for (int i = 0; i < here->n; i++)
            if (!here->at[i].loopback && here->at[i].mask == its->mask && ((here->at[i].ip ^ its->ip) & its->mask) == 0)
                add_candidate(&sorted, candidates->at[c]);
    }
    for (int c = 0; c < candidates->n; c++)
        add_candidate(&sorted, candidates->at[c]);
    return sorted;
}

int addresses_find(const char *wanted, address_t out[ADDRESS_CANDIDATES])
{
    addresses_t here;
    candidates_t chosen;
    if (!wanted[strspn(wanted, SEPARATORS)] || addresses_here("", &here) != ST_OK ||
        addresses_choose(&here, 1, wanted, false, &chosen) != ST_OK)
        return 0;
    for (int c = 0; c < chosen.n; c++)
        out[c] = here.at[chosen.at[c]];
    return chosen.n;
}

/* A bridge of which all ports end inside of this host. */
static bool is_inner(const char *interface)
{
    char path[600];
    snprintf(path, sizeof path, "/sys/class/net/%s/brif", interface);
    DIR *ports = opendir(path);
    bool inner = ports != NULL;
    for (const struct dirent *port; ports && (port = readdir(ports));) {
        static const char *const kinds[] = {"veth", "vnet", "tap", "tun", "."};
        bool known = false;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            known = known || strncmp(port->d_name, kinds[k], strlen(kinds[k])) == 0;
        inner = inner && known;
    }
    if (ports)
        closedir(ports);
    return inner;
}

char *addresses_passed_over(void)
{
    addresses_t here;
    char *list = mem_strdup("");
    if (addresses_here("", &here) != ST_OK)
        return list;
    for (int i = 0; i < here.n; i++) {
        if (!is_inner(here.at[i].interface))
            continue;
        char *longer = mem_printf("%s,%s", *list ? list : "127.0.0.0/8", here.at[i].interface);
        mem_free(list);
        list = longer;
    }
    return list;
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
