/* Three exchanges, of which the last two are only where there are several hosts: all addresses; where the first rank of
 * each host can be visited; which candidate each host has reached of every other. After each all ranks know the same, so that
 * what follows from it needs no word. */
#include "launcher/ranks/routes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/port_range.h"
#include "common/net/addresses.h"
#include "common/net/reach.h"

#define TRY_MOST_S 5.0
#define NOT_REACHED (-1)

/* The job's hosts, numbered in the order of their first ranks. */
typedef struct hosts {
    const roster_t *roster;
    int n, here;
    int64_t most_ms;  /* until a host that does not answer is given up */
    int *of, *first;  /* [ranks] the host of a rank; [n] the first rank of a host */
    addresses_t *all; /* [n] */
    candidates_t *candidates;
    status_t listed; /* of this host's addresses */
    int32_t *picked; /* [n][n] of a host, from a host: the number of the candidate */
} hosts_t;

static void hosts_fini(hosts_t *hosts)
{
    mem_free(hosts->of);
    mem_free(hosts->first);
    mem_free(hosts->all);
    mem_free(hosts->candidates);
    mem_free(hosts->picked);
}

static bool is_first(const hosts_t *hosts)
{
    return hosts->first[hosts->here] == hosts->roster->rank;
}

/* Collective. */
static status_t gather_hosts(cluster_t *cluster, hosts_t *hosts)
{
    const roster_t *roster = hosts->roster;
    addresses_t mine = {0};
    hosts->all = mem_alloc((size_t)roster->size, sizeof *hosts->all);
    hosts->of = MEM_ARRAY(int, roster->size);
    hosts->first = MEM_ARRAY(int, roster->size);
    hosts->listed = addresses_here(roster->entries[roster->rank].host, &mine);
    snprintf(mine.host, sizeof mine.host, "%s", roster->entries[roster->rank].host);
    TRY(cluster_gather_all(cluster, &mine, sizeof mine, hosts->all));
    for (int r = 0; r < roster->size; r++) {
        int h = 0;
        while (h < hosts->n && strcmp(hosts->all[h].host, roster->entries[r].host) != 0)
            h++;
        hosts->of[r] = h;
        if (h < hosts->n)
            continue;
        hosts->first[h] = r;
        memmove(&hosts->all[hosts->n++], &hosts->all[r], sizeof *hosts->all);
    }
    hosts->here = hosts->of[roster->rank];
    return ST_OK;
}

/* ---- ports ------------------------------------------------------------------------------------------------------------- */

/* How many sockets listen on one address of a host. Those of MPI are there where ranks are on several hosts. */
static int ports_needed(const hosts_t *hosts, int h)
{
    const roster_t *roster = hosts->roster;
    int n = hosts->n > 1;
    for (int r = 0; r < roster->size; r++) {
        const role_t role = roster_role(roster, r);
        if (hosts->of[r] == h)
            n += (role == ROLE_SERVER ? roster->shards_per_server : role == ROLE_COORDINATOR ? 2 : 0) + (hosts->n > 1);
    }
    return n;
}

static status_t check_ports(const hosts_t *hosts, const char *text, const port_range_t *ports)
{
    for (int h = 0; ports->first && h < hosts->n; h++) {
        const int there = ports->last - ports->first + 1, needed = ports_needed(hosts, h);
        if (there < needed)
            return hosts->roster->rank
                       ? ST_INPUT
                       : FAIL(ST_INPUT,
                              "cluster.ports %s are %d ports, but %s needs %d: one for each shard, two for the coordinator%s; "
                              "give a wider range",
                              text, there, hosts->all[h].host, needed,
                              hosts->n > 1 ? ", one for mpirun or its daemon, one for MPI in each rank" : "");
    }
    return ST_OK;
}

/* ---- trying ------------------------------------------------------------------------------------------------------------ */

/* What travels: plain bytes. */
typedef struct open_word {
    int32_t status, reserved;
    reach_places_t places;
} open_word_t;

/* Which of its candidates the first rank of this host reaches each other one by. */
static void try_hosts(const hosts_t *hosts, const open_word_t *words, int32_t *picked)
{
    for (int h = 0; h < hosts->n; h++) {
        picked[h] = 0;
        if (h == hosts->here)
            continue;
        const reach_places_t *its = &words[hosts->first[h]].places;
        const candidates_t *all = &hosts->candidates[h], sorted = addresses_sort(&hosts->all[hosts->here], &hosts->all[h], all);
        reach_places_t places = {.n = sorted.n};
        int numbers[ADDRESS_CANDIDATES] = {0};
        for (int i = 0; i < sorted.n; i++)
            for (int c = 0; c < all->n; c++)
                if (all->at[c] == sorted.at[i]) {
                    numbers[i] = c;
                    places.ip[i] = its->ip[c];
                    places.port[i] = its->port[c];
                }
        const int found = reach_try(&places, hosts->most_ms);
        picked[h] = found < 0 ? NOT_REACHED : numbers[found];
    }
}

/* Collective. Which candidate each host has picked of every other: hosts->picked. */
static status_t pick(cluster_t *cluster, const port_range_t *ports, hosts_t *hosts)
{
    const int size = hosts->roster->size;
    const candidates_t *own = &hosts->candidates[hosts->here];
    open_word_t mine = {.status = ST_OK, .places.n = own->n}, *words = mem_alloc((size_t)size, sizeof *words);
    int32_t *picked = MEM_ARRAY(int32_t, hosts->n), *all = MEM_ARRAY(int32_t, (int64_t)size * hosts->n);
    reach_t reach = {.n = 0};
    status_t status;
    for (int c = 0; c < own->n; c++)
        mine.places.ip[c] = hosts->all[hosts->here].at[own->at[c]].ip;
    if (is_first(hosts))
        mine.status = (int32_t)reach_open(&mine.places, ports->first, ports->last, &reach);
    TRY_DONE(cluster_gather_all(cluster, &mine, sizeof mine, words));
    for (int r = 0; r < size; r++)
        TRY_DONE((status_t)words[r].status);
    if (is_first(hosts))
        try_hosts(hosts, words, picked);
    TRY_DONE(cluster_gather_all(cluster, picked, (int64_t)sizeof *picked * hosts->n, all));
    hosts->picked = MEM_ARRAY(int32_t, (int64_t)hosts->n * hosts->n);
    for (int h = 0; h < hosts->n; h++)
        for (int from = 0; from < hosts->n; from++)
            hosts->picked[h * hosts->n + from] = all[(int64_t)hosts->first[from] * hosts->n + h];
done:
    reach_close(&reach);
    mem_free(words);
    mem_free(picked);
    mem_free(all);
    return status;
}

static char *candidates_text(const hosts_t *hosts, int h)
{
    address_t list[ADDRESS_CANDIDATES];
    for (int c = 0; c < hosts->candidates[h].n; c++)
        list[c] = hosts->all[h].at[hosts->candidates[h].at[c]];
    return address_list(list, hosts->candidates[h].n, false);
}

static status_t check_reached(const hosts_t *hosts)
{
    for (int h = 0; h < hosts->n; h++)
        for (int from = 0; from < hosts->n; from++) {
            if (hosts->picked[h * hosts->n + from] != NOT_REACHED)
                continue;
            if (hosts->roster->rank)
                return ST_INPUT;
            char *tried = candidates_text(hosts, h);
            const status_t status =
                FAIL(ST_INPUT,
                     "%s cannot connect to %s: it has tried %s for %g s; is something between them that lets no connections "
                     "through? cluster.interface names other networks, cluster.ports the ports that are open",
                     hosts->all[from].host, hosts->all[h].host, tried, 1e-3 * (double)hosts->most_ms);
            mem_free(tried);
            return status;
        }
    return ST_OK;
}

/* Whether somebody dials this candidate of a host; its own ranks dial the first of those. */
static bool is_used(const hosts_t *hosts, int h, int c)
{
    bool alone = true;
    for (int from = 0; from < hosts->n; from++) {
        if (from != h && hosts->picked[h * hosts->n + from] == c)
            return true;
        alone = alone && from == h;
    }
    return alone && c == 0;
}

/* Which of the endpoints of a host's ranks is that of this candidate. */
static int place_of(const hosts_t *hosts, int h, int candidate)
{
    int place = 0;
    for (int c = 0; c < candidate; c++)
        place += is_used(hosts, h, c);
    return place;
}

/* ---- what comes of it -------------------------------------------------------------------------------------------------- */

static void set_routes(const hosts_t *hosts, routes_t *out)
{
    const int here = hosts->here;
    size_t used = 0;
    for (int c = 0; c < hosts->candidates[here].n; c++) {
        char text[ADDRESS_TEXT_BYTES];
        if (hosts->picked ? is_used(hosts, here, c) : c == 0)
            used += (size_t)snprintf(out->listen + used, sizeof out->listen - used, "%s%s", used ? "," : "",
                                     address_text(&hosts->all[here].at[hosts->candidates[here].at[c]], text));
    }
    out->number = MEM_ARRAY(int, hosts->roster->size);
    for (int r = 0; r < hosts->roster->size; r++) {
        const int h = hosts->of[r];
        if (hosts->picked && h != here)
            out->number[r] = place_of(hosts, h, hosts->picked[h * hosts->n + here]);
    }
    out->addresses = MEM_ARRAY(char *, (int64_t)hosts->n *ADDRESSES_MOST);
    for (int h = 0; h < hosts->n; h++)
        for (int i = 0; i < hosts->all[h].n; i++) {
            char text[ADDRESS_TEXT_BYTES];
            out->addresses[out->n_addresses++] = mem_strdup(address_text(&hosts->all[h].at[i], text));
        }
}

status_t routes_agree(const roster_t *roster, cluster_t *cluster, const config_t *config, routes_t *out)
{
    hosts_t hosts = {.roster = roster, .most_ms = (int64_t)(1000 * fmin(TRY_MOST_S, 0.5 * config->cluster.deadline_s))};
    port_range_t ports;
    status_t status;
    *out = (routes_t){.n_addresses = 0};
    const char *wrong = port_range_parse(config->cluster.ports, &ports);
    ASSERT(!wrong); /* config_complaints has looked */
    TRY_DONE(gather_hosts(cluster, &hosts));
    hosts.candidates = MEM_ARRAY(candidates_t, hosts.n);
    TRY_DONE(addresses_choose(hosts.all, hosts.n, config->cluster.interface, roster->rank == 0, hosts.candidates));
    TRY_DONE(hosts.listed);
    TRY_DONE(check_ports(&hosts, config->cluster.ports, &ports));
    if (hosts.n > 1) {
        TRY_DONE(pick(cluster, &ports, &hosts));
        TRY_DONE(check_reached(&hosts));
    }
    set_routes(&hosts, out);
done:
    hosts_fini(&hosts);
    return status;
}

void routes_fini(routes_t *routes)
{
    for (int i = 0; i < routes->n_addresses; i++)
        mem_free(routes->addresses[i]);
    mem_free(routes->addresses);
    mem_free(routes->number);
    *routes = (routes_t){.n_addresses = 0};
}
