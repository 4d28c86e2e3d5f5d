/* What one rank after the other needs of all: where sockets are (a folder that all see, or addresses), the cards of all keys,
 * the coordinator's readiness, the endpoints, and that all are connected. Each is a gather of one block per rank, after which
 * all know the same. */
#include "launcher/ranks/connections.h"

#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/port_range.h"
#include "common/net/ipc_folder.h"
#include "common/net/message.h"
#include "common/net/net_zmq.h"
#include "launcher/ranks/routes.h"

/* Where the sockets of this job are. */
typedef struct meeting_place {
    bool tcp, encrypt;
    routes_t routes;     /* for tcp */
    ipc_folder_t folder; /* rank 0's; the others know its path */
} meeting_place_t;

/* What travels: plain bytes. */
typedef struct folder_word {
    int32_t status;
    char path[IPC_PATH_BYTES];
} folder_word_t;

typedef struct card_word {
    int32_t status;
    net_card_t card;
} card_word_t;

static bool one_host(const roster_t *roster)
{
    for (int r = 1; r < roster->size; r++)
        if (strcmp(roster->entries[r].host, roster->entries[0].host) != 0)
            return false;
    return true;
}

/* All ranks' status; *first is the first rank whose is not ST_OK, or -1. Collective. */
static status_t gather_status(cluster_t *cluster, status_t own, int *first, status_t *its)
{
    const int32_t mine = (int32_t)own;
    int32_t *all = MEM_ARRAY(int32_t, cluster_size(cluster));
    const status_t status = cluster_gather_all(cluster, &mine, sizeof mine, all);
    *first = -1;
    for (int r = cluster_size(cluster) - 1; status == ST_OK && r >= 0; r--)
        if (all[r] != ST_OK) {
            *first = r;
            *its = (status_t)all[r];
        }
    mem_free(all);
    return status;
}

/* ---- where ------------------------------------------------------------------------------------------------------------- */

/* Rank 0 has made a folder; *all_see: all ranks have it, too. ST_INPUT: rank 0 could not, and has said why. Collective. */
static status_t agree_on_folder(const roster_t *roster, cluster_t *cluster, meeting_place_t *place, bool *all_see, int *blind)
{
    folder_word_t mine = {.status = ST_OK}, *all = MEM_ARRAY(folder_word_t, roster->size);
    if (roster->rank == 0) {
        mine.status = (int32_t)ipc_folder_create(&place->folder);
        memcpy(mine.path, place->folder.path, sizeof mine.path);
    }
    status_t status, its;
    TRY_DONE(cluster_gather_all(cluster, &mine, sizeof mine, all));
    TRY_DONE((status_t)all[0].status);
    memcpy(place->folder.path, all[0].path, sizeof place->folder.path);
    TRY_DONE(gather_status(cluster, ipc_folder_is_own(place->folder.path) ? ST_OK : ST_INPUT, blind, &its));
    *all_see = *blind < 0;
done:
    mem_free(all);
    return status;
}

/* Containers may have one host's name and network, and no folder in common. */
static status_t choose_ipc(const roster_t *roster, cluster_t *cluster, bool wanted, meeting_place_t *place)
{
    bool all_see;
    int blind;
    char name[160];
    TRY(agree_on_folder(roster, cluster, place, &all_see, &blind));
    if (all_see)
        return ST_OK;
    if (wanted)
        return roster->rank
                   ? ST_INPUT
                   : FAIL(ST_INPUT,
                          "cluster.transport is ipc, but %s does not see the folder of the job's sockets, %s, or it is "
                          "another user's there; use auto or tcp, or give all ranks one TMPDIR",
                          roster_full_name(roster, blind, name, sizeof name), place->folder.path);
    if (roster->rank == 0)
        log_info("%s does not see %s: the job uses tcp in place of ipc", roster_full_name(roster, blind, name, sizeof name),
                 place->folder.path);
    place->tcp = true;
    return ST_OK;
}

static status_t choose_place(const roster_t *roster, cluster_t *cluster, const config_t *config, meeting_place_t *place)
{
    const bool single = one_host(roster), ipc = config->cluster.transport == TRANSPORT_IPC;
    if (ipc && !single)
        return roster->rank
                   ? ST_INPUT
                   : FAIL(ST_INPUT, "cluster.transport is ipc, but ranks run on several hosts (%s and others); use auto or tcp",
                          roster->entries[0].host);
    place->tcp = config->cluster.transport == TRANSPORT_TCP || !single;
    if (!place->tcp)
        TRY(choose_ipc(roster, cluster, ipc, place));
    if (place->tcp)
        TRY(routes_agree(roster, cluster, config, &place->routes));
    place->encrypt = config->cluster.encryption == ENCRYPTION_AUTO ? place->tcp : config->cluster.encryption == ENCRYPTION_ON;
    return ST_OK;
}

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

/* Rank 0 says what keeps itself from having keys, and that another rank has none; what that one says is likely the same. */
static status_t exchange_cards(const roster_t *roster, cluster_t *cluster, bool encrypt, net_keys_t **keys)
{
    const log_level_t level = log_level();
    card_word_t mine = {.status = ST_OK}, *words = MEM_ARRAY(card_word_t, roster->size);
    net_card_t *cards = MEM_ARRAY(net_card_t, roster->size);
    char name[160];
    status_t status;
    if (roster->rank)
        log_set_level(LOG_NONE);
    mine.status = (int32_t)net_keys_create(roster->rank, encrypt, keys);
    log_set_level(level);
    if (mine.status == ST_OK)
        mine.card = *net_keys_card(*keys);
    TRY_DONE(cluster_gather_all(cluster, &mine, sizeof mine, words));
    for (int r = 0; r < roster->size && status == ST_OK; r++) {
        status = (status_t)words[r].status;
        cards[r] = words[r].card;
        if (status != ST_OK && r && roster->rank == 0)
            log_error("%s cannot make its keys%s", roster_full_name(roster, r, name, sizeof name),
                      encrypt ? ": its libzmq has no CURVE; install Debian's libzmq5 on every host" : "");
    }
    if (status == ST_OK)
        net_keys_meet(*keys, cards, roster->size);
done:
    explicit_bzero(&mine, sizeof mine);
    explicit_bzero(words, (size_t)roster->size * sizeof *words);
    explicit_bzero(cards, (size_t)roster->size * sizeof *cards);
    mem_free(words);
    mem_free(cards);
    return status;
}

/* ---- endpoints --------------------------------------------------------------------------------------------------------- */

/* Of one rank: of a server's shards; of the coordinator itself and of its pulse. */
static int64_t endpoints_bytes(const roster_t *roster)
{
    return (int64_t)NET_ENDPOINT_BYTES * (roster->shards_per_server > 2 ? roster->shards_per_server : 2);
}

/* One net and one endpoint for each shard of this server; two for the coordinator. */
static status_t listen_here(const roster_t *roster, const net_zmq_options_t *options, const char *where, connections_t *c,
                            char *endpoints)
{
    const role_t role = roster_role(roster, roster->rank);
    if (role == ROLE_COORDINATOR) {
        net_zmq_options_t of_pulse = *options;
        of_pulse.deadline_s = 0;
        TRY(net_zmq_listen(c->control, where, endpoints));
        TRY(net_zmq_create(&of_pulse, &c->pulse));
        return net_zmq_listen(c->pulse, where, endpoints + NET_ENDPOINT_BYTES);
    }
    for (int i = 0; role == ROLE_SERVER && i < c->n_shards; i++) {
        TRY(net_zmq_create(options, &c->shards[i]));
        TRY(net_zmq_listen(c->shards[i], where, endpoints + (int64_t)i * NET_ENDPOINT_BYTES));
    }
    return ST_OK;
}

/* All ranks' endpoints. */
typedef struct directory {
    const char *all; /* [ranks][block] */
    int64_t block;
    const int *number; /* [ranks] which one of a listener's is dialled; NULL: it has one */
} directory_t;

/* peer is the i-th listener of the rank. */
static status_t dial(net_t *net, const directory_t *directory, int peer, int rank, int i)
{
    char endpoint[NET_ENDPOINT_BYTES];
    const char *its = directory->all + rank * directory->block + (int64_t)i * NET_ENDPOINT_BYTES;
    return net_zmq_dial(net, peer, rank, net_zmq_endpoint(its, directory->number ? directory->number[rank] : 0, endpoint));
}

static status_t dial_others(const roster_t *roster, net_t *control, const directory_t *directory)
{
    const role_t role = roster_role(roster, roster->rank);
    if (role != ROLE_COORDINATOR) {
        TRY(dial(control, directory, PEER_COORDINATOR, 0, 0));
        TRY(dial(control, directory, PEER_PULSE, 0, 1));
    }
    for (int s = 0; role != ROLE_SERVER && s < roster_shards(roster); s++)
        TRY(dial(control, directory, PEER_SHARD(s), 1 + s / roster->shards_per_server, s % roster->shards_per_server));
    return ST_OK;
}

/* Every rank's endpoints to every rank. ST_PEER where the coordinator's or a server's are empty: that rank has logged why.
 * Collective. */
static status_t exchange_endpoints(const roster_t *roster, cluster_t *cluster, const char *mine, int64_t block, char *all)
{
    TRY(cluster_gather_all(cluster, mine, block, all));
    for (int r = 0; r <= roster->servers; r++)
        if (!all[r * block])
            return ST_PEER;
    return ST_OK;
}

/* The coordinator listens before the servers do, because what keeps it from listening is mostly wrong everywhere, and is to
 * be said once. Its status is that of all then. Collective. */
static status_t listen_in_turn(const roster_t *roster, cluster_t *cluster, const net_zmq_options_t *options, const char *where,
                               connections_t *c, char *endpoints, status_t *own)
{
    int first;
    status_t its = ST_OK;
    if (roster->rank == 0 && *own == ST_OK)
        *own = listen_here(roster, options, where, c, endpoints);
    TRY(gather_status(cluster, roster->rank ? ST_OK : *own, &first, &its));
    TRY(its);
    if (roster->rank && *own == ST_OK)
        *own = listen_here(roster, options, where, c, endpoints);
    return ST_OK;
}

/* ---- everybody there --------------------------------------------------------------------------------------------------- */

/* Who dials a listening net of this rank: all others the coordinator, the coordinator and all workers a shard. */
static status_t await_on(const roster_t *roster, net_t *net, const char *endpoints, double most_s)
{
    const bool leads = roster->rank == 0;
    int *ranks = MEM_ARRAY(int, roster->size), n = 0, missing = -1;
    for (int r = 0; r < roster->size; r++)
        if (r != roster->rank && (leads || roster_role(roster, r) != ROLE_SERVER))
            ranks[n++] = r;
    status_t status = net_zmq_await(net, ranks, n, most_s, &missing);
    char name[160];
    if (status != ST_OK)
        log_error("%s has not connected within %g s to %s; is something between the hosts that lets no connections through? "
                  "cluster.interface names another network, cluster.ports the ports that are open",
                  roster_full_name(roster, missing, name, sizeof name), most_s, endpoints);
    mem_free(ranks);
    return status;
}

static status_t await_others(const roster_t *roster, double deadline_s, const connections_t *c, const char *endpoints)
{
    const double most_s = 0.5 * deadline_s; /* the others wait for the deadline, over MPI */
    if (c->pulse) {
        TRY(await_on(roster, c->control, endpoints, most_s));
        TRY(await_on(roster, c->pulse, endpoints + NET_ENDPOINT_BYTES, most_s));
    }
    for (int i = 0; i < c->n_shards; i++)
        if (c->shards[i])
            TRY(await_on(roster, c->shards[i], endpoints + (int64_t)i * NET_ENDPOINT_BYTES, most_s));
    return ST_OK;
}

/* Collective; ST_PEER: another rank has said why not. */
static status_t all_connected(const roster_t *roster, cluster_t *cluster, double deadline_s, const connections_t *c,
                              const char *endpoints)
{
    int first;
    status_t its;
    const status_t own = await_others(roster, deadline_s, c, endpoints);
    TRY(gather_status(cluster, own, &first, &its));
    TRY(own);
    return first < 0 ? ST_OK : ST_PEER;
}

static status_t connect_all(const roster_t *roster, cluster_t *cluster, const config_t *config, const meeting_place_t *place,
                            connections_t *c)
{
    port_range_t ports;
    const char *wrong = port_range_parse(config->cluster.ports, &ports);
    ASSERT(!wrong); /* config_complaints has looked */
    const net_zmq_options_t options = {.keys = c->keys,
                                       .deadline_s = config->cluster.deadline_s,
                                       .in_pieces = place->tcp || place->encrypt,
                                       .hosts = (const char *const *)place->routes.addresses,
                                       .n_hosts = place->routes.n_addresses,
                                       .first_port = ports.first,
                                       .last_port = ports.last};
    const int64_t block = endpoints_bytes(roster);
    const char *where = place->tcp ? place->routes.listen : place->folder.path;
    char *mine = MEM_ARRAY(char, block), *all = MEM_ARRAY(char, block * roster->size);
    status_t own = net_zmq_create(&options, &c->control), status;
    TRY_DONE(listen_in_turn(roster, cluster, &options, where, c, mine, &own));
    if (own != ST_OK)
        memset(mine, 0, (size_t)block); /* an empty endpoint tells the others that this rank failed */
    const status_t heard = exchange_endpoints(roster, cluster, mine, block, all);
    TRY_DONE(own);
    TRY_DONE(heard);
    const directory_t directory = {all, block, place->tcp ? place->routes.number : NULL};
    TRY_DONE(dial_others(roster, c->control, &directory));
    status = all_connected(roster, cluster, config->cluster.deadline_s, c, mine);
done:
    mem_free(mine);
    mem_free(all);
    return status;
}

status_t connections_open(const roster_t *roster, cluster_t *cluster, const config_t *config, connections_t *out)
{
    meeting_place_t place = {.folder.fd = -1};
    *out = (connections_t){.shards = MEM_ARRAY(net_t *, roster->shards_per_server), .n_shards = roster->shards_per_server};
    status_t status;
    TRY_DONE(choose_place(roster, cluster, config, &place));
    TRY_DONE(exchange_cards(roster, cluster, place.encrypt, &out->keys));
    status = connect_all(roster, cluster, config, &place, out);
done:
    if (roster->rank == 0)
        ipc_folder_remove(&place.folder);
    routes_fini(&place.routes);
    return status;
}

void connections_close(connections_t *connections)
{
    for (int i = 0; i < connections->n_shards; i++)
        net_close(&connections->shards[i]);
    net_close(&connections->control);
    net_close(&connections->pulse);
    net_zmq_shutdown();
    mem_free(connections->shards);
    net_keys_destroy(&connections->keys);
    *connections = (connections_t){.n_shards = 0};
}
