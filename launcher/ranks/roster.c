#include "launcher/ranks/roster.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/net/addresses.h"
#include "common/net/message.h"
#include "common/net/net_zmq.h"
#include "common/process/descriptors.h"
#include "launcher/ranks/provenance.h"

int roster_ranks(const config_t *config)
{
    return (int)(1 + config->cluster.servers + (config->cluster.workers ? config->cluster.workers : 1));
}

/* The configuration as all ranks must have it, cluster sizes included. Where a host keeps its files is its own affair: the
 * three paths are left out, and the dataset's content is compared when a run begins. */
static status_t config_hash_everywhere(const config_t *config, uint64_t *hash)
{
    config_t common = *config;
    char *text, nowhere[] = "";
    common.data.path = common.data.input = common.data.schema = nowhere;
    TRY(config_text(&common, &text));
    *hash = hash64(text, strlen(text), *hash);
    mem_free(text);
    return ST_OK;
}

/* Of the base and all variants, in their order. */
static status_t experiment_hash(const experiment_t *experiment, uint64_t *hash)
{
    *hash = 0;
    TRY(config_hash_everywhere(experiment->base, hash));
    for (int v = 0; v < experiment->variants; v++) {
        *hash = hash64(experiment->names[v], strlen(experiment->names[v]), *hash);
        TRY(config_hash_everywhere(experiment->configs[v], hash));
    }
    return ST_OK;
}

static uint64_t build_hash(void)
{
    char *program;
    size_t bytes;
    if (file_read("/proc/self/exe", &program, &bytes) != ST_OK)
        return 0;
    provenance_blank_commit(program, bytes); /* a commit that changes no code makes no other build */
    uint64_t hash = hash64(program, bytes, 0);
    mem_free(program);
    return hash;
}

static status_t check_sizes(roster_t *roster, const config_t *config, bool speak)
{
    char advice[96];
    int64_t workers = roster->size - 1 - config->cluster.servers;
    if (config->cluster.workers)
        snprintf(advice, sizeof advice, "start it with -np %d", roster_ranks(config));
    else
        snprintf(advice, sizeof advice, "start it with -np %d or more", roster_ranks(config));
    if (workers < 1 || (config->cluster.workers && workers != config->cluster.workers)) {
        char text[64] = "any number of workers";
        if (config->cluster.workers)
            snprintf(text, sizeof text, "%" PRId64 " worker%s", config->cluster.workers,
                     config->cluster.workers == 1 ? "" : "s");
        return speak ? FAIL(ST_INPUT,
                            "-np %d does not fit: the configuration wants 1 coordinator, %" PRId64 " server%s and %s; %s",
                            roster->size, config->cluster.servers, config->cluster.servers == 1 ? "" : "s", text, advice)
                     : ST_INPUT;
    }
    roster->servers = (int)config->cluster.servers;
    roster->shards_per_server = (int)config->cluster.shards_per_server;
    roster->workers = (int)workers;
    return ST_OK;
}

/* Files that a rank may have open: those of MPI and the C library (26 measured, and a connection to each rank over tcp), and of
 * ZeroMQ, for which a socket is one and each of its connections another; a shard has its LMDB environments and deltas, too. */
static int64_t files_needed(const roster_t *roster, int rank)
{
    const int64_t base = 32 + roster->size, shards = roster_shards(roster);
    switch (roster_role(roster, rank)) {
    case ROLE_COORDINATOR:
        return base + roster->size + 2 * shards;
    case ROLE_SERVER:
        return base + roster->shards_per_server * (roster->workers + 12);
    default:
        return base + 2 * shards;
    }
}

/* Who has too few would hang where a connection is refused. */
static status_t check_files(const roster_t *roster, bool speak)
{
    char name[160];
    for (int r = 0; r < roster->size; r++) {
        const int64_t limit = roster->entries[r].open_files, needed = files_needed(roster, r);
        if (limit < needed)
            return speak ? descriptors_check(limit, needed, roster_full_name(roster, r, name, sizeof name)) : ST_INPUT;
    }
    return ST_OK;
}

/* The first rank whose configuration or program is not that of rank 0. */
static status_t check_identities(const roster_t *roster, bool speak)
{
    const roster_entry_t *zero = &roster->entries[0];
    for (int r = 0; r < roster->size; r++) {
        const roster_entry_t *e = &roster->entries[r];
        status_t status = e->status != ST_OK                                     ? (status_t)e->status
                          : e->build != zero->build || e->config != zero->config ? ST_INPUT
                                                                                 : ST_OK;
        if (status == ST_OK)
            continue;
        if (!speak || (e->status != ST_OK && r == 0))
            return status; /* rank 0 said itself what is wrong with its configuration */
        if (e->status != ST_OK)
            return FAIL(
                status,
                "rank %d on %s could not load the configuration that rank 0 on %s loaded; put the same files on every host", r,
                e->host, zero->host);
        if (e->build != zero->build)
            return FAIL(status,
                        "rank 0 on %s and rank %d on %s run different builds of smelter (%016" PRIx64 " and %016" PRIx64
                        "); install the same "
                        "binary on every host",
                        zero->host, r, e->host, zero->build, e->build);
        return FAIL(status,
                    "rank 0 on %s and rank %d on %s have different configurations (%016" PRIx64 " and %016" PRIx64
                    "); put the same file "
                    "on every host and give all ranks the same --set",
                    zero->host, r, e->host, zero->config, e->config);
    }
    return ST_OK;
}

status_t roster_exchange(cluster_t *cluster, const experiment_t *experiment, status_t loaded, roster_t *out)
{
    *out = (roster_t){.rank = cluster_rank(cluster), .size = cluster_size(cluster)};
    out->entries = MEM_ARRAY(roster_entry_t, out->size);
    roster_entry_t mine = {
        .pid = getpid(), .build = build_hash(), .open_files = descriptors_limit(), .processor = *processor_here()};
    snprintf(mine.host, sizeof mine.host, "%s", cluster_host(cluster));
    if (loaded == ST_OK)
        loaded = experiment_hash(experiment, &mine.config);
    mine.status = (int32_t)loaded;
    status_t status;
    TRY_DONE(cluster_gather_all(cluster, &mine, sizeof mine, out->entries));
    TRY_DONE(check_identities(out, out->rank == 0));
    TRY_DONE(check_sizes(out, experiment->base, out->rank == 0));
    TRY_DONE(check_files(out, out->rank == 0));
    for (int v = -1; status == ST_OK && v < experiment->variants; v++) {
        log_level_t level = log_level();
        if (out->rank)
            log_set_level(LOG_NONE); /* rank 0 speaks for all */
        status = config_check_workers(v < 0 ? experiment->base : experiment->configs[v], out->workers);
        log_set_level(level);
    }
done:
    if (status != ST_OK)
        roster_fini(out);
    return status;
}

void roster_fini(roster_t *roster)
{
    mem_free(roster->entries);
    roster->entries = NULL;
}

role_t roster_role(const roster_t *roster, int rank)
{
    return rank == 0 ? ROLE_COORDINATOR : rank <= roster->servers ? ROLE_SERVER : ROLE_WORKER;
}

int roster_index(const roster_t *roster, int rank)
{
    return rank == 0 ? 0 : rank <= roster->servers ? rank - 1 : rank - 1 - roster->servers;
}

int roster_first_worker(const roster_t *roster)
{
    return 1 + roster->servers;
}

int roster_shards(const roster_t *roster)
{
    return roster->servers * roster->shards_per_server;
}

const char *roster_name(int rank, int servers, char *text, int size)
{
    if (rank == 0)
        snprintf(text, (size_t)size, "coordinator");
    else
        snprintf(text, (size_t)size, "%s %d", rank <= servers ? "server" : "worker",
                 rank <= servers ? rank - 1 : rank - 1 - servers);
    return text;
}

char *roster_hosts(const roster_t *roster)
{
    char *hosts = mem_strdup("");
    for (int r = 0; r < roster->size; r++) {
        int first = 0;
        while (strcmp(roster->entries[first].host, roster->entries[r].host) != 0)
            first++;
        if (first < r)
            continue;
        char *longer = mem_printf("%s%s%s", hosts, r ? ", " : "", roster->entries[r].host);
        mem_free(hosts);
        hosts = longer;
    }
    return hosts;
}

const char *roster_full_name(const roster_t *roster, int rank, char *text, int size)
{
    char name[32];
    snprintf(text, (size_t)size, "%s (rank %d on %s, pid %" PRId64 ")", roster_name(rank, roster->servers, name, sizeof name),
             rank, roster->entries[rank].host, roster->entries[rank].pid);
    return text;
}

bool roster_is_gone(const roster_t *roster, int rank)
{
    const roster_entry_t *own = &roster->entries[roster->rank], *its = &roster->entries[rank];
    return strcmp(own->host, its->host) == 0 && kill((pid_t)its->pid, 0) != 0 && errno == ESRCH;
}

static bool one_host(const roster_t *roster)
{
    for (int r = 1; r < roster->size; r++)
        if (strcmp(roster->entries[r].host, roster->entries[0].host) != 0)
            return false;
    return true;
}

static status_t dial_shards(const roster_t *roster, net_t *net, const char *all, int64_t block)
{
    for (int s = 0; s < roster_shards(roster); s++) {
        int rank = 1 + s / roster->shards_per_server;
        TRY(net_zmq_dial(net, PEER_SHARD(s),
                         all + rank * block + (int64_t)(s % roster->shards_per_server) * NET_ENDPOINT_BYTES));
    }
    return ST_OK;
}

/* The hosts of the job, and the addresses that they listen on; *own is this host's. The same on all ranks, so that rank 0 says
 * what is wrong for all. Collective. */
static status_t agree_on_address(const roster_t *roster, cluster_t *cluster, const char *interface,
                                 char own[ADDRESS_TEXT_BYTES])
{
    addresses_t mine = {0}, *all = mem_alloc((size_t)roster->size, sizeof *all);
    int *chosen = MEM_ARRAY(int, roster->size), hosts = 0;
    status_t listed = addresses_here(roster->entries[roster->rank].host, &mine), status;
    TRY_DONE(cluster_gather_all(cluster, &mine, sizeof mine, all));
    for (int r = 0; r < roster->size; r++) {
        int h = 0;
        while (h < hosts && strcmp(all[h].host, roster->entries[r].host) != 0)
            h++;
        if (h == hosts)
            memmove(&all[hosts++], &all[r], sizeof *all);
    }
    TRY_DONE(addresses_choose(all, hosts, interface, roster->rank == 0, chosen));
    TRY_DONE(listed);
    for (int h = 0; h < hosts; h++)
        if (strcmp(all[h].host, mine.host) == 0)
            address_text(&all[h].at[chosen[h]], own);
done:
    mem_free(all);
    mem_free(chosen);
    return status;
}

/* The coordinator listens before the servers do, because what keeps it from listening is mostly wrong everywhere, and is to be
 * said once. False: it does not, has said why, and *status is its own on all ranks. Collective. */
static bool coordinator_listens(cluster_t *cluster, status_t *status)
{
    const int32_t mine = (int32_t)*status;
    int32_t *all = MEM_ARRAY(int32_t, cluster_size(cluster));
    status_t heard = cluster_gather_all(cluster, &mine, sizeof mine, all);
    const bool listens = heard == ST_OK && all[0] == ST_OK;
    if (!listens)
        *status = heard == ST_OK ? (status_t)all[0] : heard;
    mem_free(all);
    return listens;
}

/* Endpoints of one rank: of a server's shards; of the coordinator itself and of its pulse. */
static int64_t endpoints_bytes(const roster_t *roster)
{
    return (int64_t)NET_ENDPOINT_BYTES * (roster->shards_per_server > 2 ? roster->shards_per_server : 2);
}

/* address: for tcp; NULL: within this host. */
static status_t listen_as_coordinator(net_t *control, const char *address, net_t **pulse, char *endpoints)
{
    TRY(net_zmq_listen(control, address, endpoints));
    TRY(net_zmq_create(0, 0, pulse));
    return net_zmq_listen(*pulse, address, endpoints + NET_ENDPOINT_BYTES);
}

/* One net and one endpoint for each shard of this server. */
static status_t listen_as_server(const roster_t *roster, double deadline_s, const char *address, net_t **shard_nets,
                                 char *endpoints)
{
    for (int i = 0; i < roster->shards_per_server; i++) {
        TRY(net_zmq_create(roster->rank, deadline_s, &shard_nets[i]));
        TRY(net_zmq_listen(shard_nets[i], address, endpoints + (int64_t)i * NET_ENDPOINT_BYTES));
    }
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

static status_t dial_others(const roster_t *roster, net_t *control, const char *all, int64_t block)
{
    const role_t role = roster_role(roster, roster->rank);
    if (role != ROLE_COORDINATOR) {
        TRY(net_zmq_dial(control, PEER_COORDINATOR, all));
        TRY(net_zmq_dial(control, PEER_PULSE, all + NET_ENDPOINT_BYTES));
    }
    return role == ROLE_SERVER ? ST_OK : dial_shards(roster, control, all, block);
}

status_t roster_connect(const roster_t *roster, cluster_t *cluster, const config_t *config, net_t **shard_nets, net_t **control,
                        net_t **pulse)
{
    const bool single = one_host(roster);
    const role_t role = roster_role(roster, roster->rank);
    if (config->cluster.transport == TRANSPORT_IPC && !single)
        return roster->rank
                   ? ST_INPUT
                   : FAIL(ST_INPUT, "cluster.transport is ipc, but ranks run on several hosts (%s and others); use auto or tcp",
                          roster->entries[0].host);
    const bool tcp = config->cluster.transport == TRANSPORT_TCP || !single;
    char own[ADDRESS_TEXT_BYTES] = "";
    const char *address = tcp ? own : NULL;
    if (tcp)
        TRY(agree_on_address(roster, cluster, config->cluster.interface, own));
    const int64_t block = endpoints_bytes(roster);
    char *mine = MEM_ARRAY(char, block), *all = MEM_ARRAY(char, block * roster->size);
    status_t status = net_zmq_create(roster->rank, config->cluster.deadline_s, control), heard;
    if (status == ST_OK && role == ROLE_COORDINATOR)
        status = listen_as_coordinator(*control, address, pulse, mine);
    if (!coordinator_listens(cluster, &status))
        goto done;
    if (status == ST_OK && role == ROLE_SERVER)
        status = listen_as_server(roster, config->cluster.deadline_s, address, shard_nets, mine);
    if (status != ST_OK)
        memset(mine, 0, (size_t)block); /* an empty endpoint tells the others that this rank failed */
    heard = exchange_endpoints(roster, cluster, mine, block, all);
    TRY_DONE(status);
    TRY_DONE(heard);
    status = dial_others(roster, *control, all, block);
done:
    mem_free(mine);
    mem_free(all);
    return status;
}
