#include "launcher/ranks/roster.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/launch.h"
#include "common/files/file.h"
#include "common/process/descriptors.h"
#include "launcher/ranks/placement.h"
#include "launcher/ranks/provenance.h"

int roster_ranks(const config_t *config, int hosts)
{
    const int64_t servers = config->cluster.servers ? config->cluster.servers : hosts;
    return (int)(1 + servers + (config->cluster.workers ? config->cluster.workers : 1));
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

/* Which file the program is, without reading it. */
static uint64_t program_file(void)
{
    struct stat file;
    if (stat("/proc/self/exe", &file) != 0)
        return 0;
    const uint64_t words[] = {file.st_dev, file.st_ino, (uint64_t)file.st_size, (uint64_t)file.st_mtim.tv_sec,
                              (uint64_t)file.st_mtim.tv_nsec};
    return hash64(words, sizeof words, 0);
}

/* Ranks without a build have that of a rank of their host that runs the same file. Returns whether all have one now. */
static bool share_builds(roster_t *roster)
{
    bool whole = true;
    for (int r = 0; r < roster->size; r++) {
        roster_entry_t *e = &roster->entries[r];
        for (int o = 0; o < roster->size && e->build == 0; o++) {
            const roster_entry_t *other = &roster->entries[o];
            if (other->build && other->program == e->program && strcmp(other->host, e->host) == 0)
                e->build = other->build;
        }
        whole = whole && e->build;
    }
    return whole;
}

/* All ranks' entries. To read and hash the program takes longer than all else that a rank says of itself, so one rank of a host
 * does it for those that run the same file. Collective. */
static status_t gather_entries(roster_t *roster, cluster_t *cluster, roster_entry_t *mine)
{
    mine->program = program_file();
    mine->build = launch_local_rank() > 0 ? 0 : build_hash();
    TRY(cluster_gather_all(cluster, mine, sizeof *mine, roster->entries));
    if (share_builds(roster))
        return ST_OK;
    if (mine->build == 0)
        mine->build = build_hash();
    return cluster_gather_all(cluster, mine, sizeof *mine, roster->entries);
}

static status_t check_sizes(roster_t *roster, const config_t *config, int hosts, bool speak)
{
    char advice[96];
    const int64_t servers = config->cluster.servers ? config->cluster.servers : hosts, workers = roster->size - 1 - servers;
    snprintf(advice, sizeof advice, "start it with -np %d%s", roster_ranks(config, hosts),
             config->cluster.workers ? "" : " or more");
    if (workers < 1 || (config->cluster.workers && workers != config->cluster.workers)) {
        char text[64] = "any number of workers";
        if (config->cluster.workers)
            snprintf(text, sizeof text, "%" PRId64 " worker%s", config->cluster.workers,
                     config->cluster.workers == 1 ? "" : "s");
        return speak ? FAIL(ST_INPUT,
                            "-np %d does not fit: the configuration wants 1 coordinator, %" PRId64 " server%s and %s; %s",
                            roster->size, servers, servers == 1 ? "" : "s", text, advice)
                     : ST_INPUT;
    }
    roster->servers = (int)servers;
    roster->shards_per_server = (int)config->cluster.shards_per_server;
    roster->workers = (int)workers;
    return ST_OK;
}

/* For each rank the first one of its host; returns how many hosts there are. */
static int number_hosts(const roster_t *roster, int *host_of)
{
    int hosts = 0;
    for (int r = 0; r < roster->size; r++) {
        int first = 0;
        while (strcmp(roster->entries[first].host, roster->entries[r].host) != 0)
            first++;
        host_of[r] = first;
        hosts += first == r;
    }
    return hosts;
}

/* From the launcher's numbers of ranks to the job's own. */
static void place(roster_t *roster, cluster_t *cluster, placement_t placement, const int *host_of)
{
    int *order = MEM_ARRAY(int, roster->size);
    roster_entry_t *entries = MEM_ARRAY(roster_entry_t, roster->size);
    placement_order(placement, host_of, roster->size, roster->servers, order);
    for (int r = 0; r < roster->size; r++)
        entries[r] = roster->entries[order[r]];
    mem_free(roster->entries);
    roster->entries = entries;
    bool moved = false;
    for (int r = 0; r < roster->size; r++)
        moved = moved || order[r] != r;
    if (moved && roster->rank == 0)
        launch_tell_servers(order + 1, roster->servers);
    cluster_renumber(cluster, order);
    roster->rank = cluster_rank(cluster);
    roster->numbers = order;
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

static bool is_other(const roster_entry_t *a, const roster_entry_t *b)
{
    return a->build != b->build || a->config != b->config || a->command != b->command;
}

/* The first rank whose configuration, program or command line is not that of rank 0. */
static status_t check_identities(const roster_t *roster, bool speak)
{
    const roster_entry_t *zero = &roster->entries[0];
    for (int r = 0; r < roster->size; r++) {
        const roster_entry_t *e = &roster->entries[r];
        status_t status = e->status != ST_OK ? (status_t)e->status : is_other(e, zero) ? ST_INPUT : ST_OK;
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
        if (e->config == zero->config)
            return FAIL(status,
                        "rank 0 on %s and rank %d on %s were given different folders (--out, or the run to score); give all "
                        "ranks the same command line",
                        zero->host, r, e->host);
        return FAIL(status,
                    "rank 0 on %s and rank %d on %s have different configurations (%016" PRIx64 " and %016" PRIx64
                    "); put the same file "
                    "on every host and give all ranks the same --set",
                    zero->host, r, e->host, zero->config, e->config);
    }
    return ST_OK;
}

status_t roster_exchange(cluster_t *cluster, const experiment_t *experiment, uint64_t command, status_t loaded, roster_t *out)
{
    *out = (roster_t){.rank = cluster_rank(cluster), .size = cluster_size(cluster)};
    out->entries = MEM_ARRAY(roster_entry_t, out->size);
    roster_entry_t mine = {
        .pid = getpid(), .command = command, .open_files = descriptors_limit(), .processor = *processor_here()};
    snprintf(mine.host, sizeof mine.host, "%s", cluster_host(cluster));
    if (loaded == ST_OK)
        loaded = experiment_hash(experiment, &mine.config);
    mine.status = (int32_t)loaded;
    int *host_of = MEM_ARRAY(int, out->size);
    status_t status;
    TRY_DONE(gather_entries(out, cluster, &mine));
    TRY_DONE(check_identities(out, out->rank == 0));
    TRY_DONE(check_sizes(out, experiment->base, number_hosts(out, host_of), out->rank == 0));
    place(out, cluster, (placement_t)experiment->base->cluster.placement, host_of);
    TRY_DONE(check_files(out, out->rank == 0));
    for (int v = -1; status == ST_OK && v < experiment->variants; v++) {
        log_level_t level = log_level();
        if (out->rank)
            log_set_level(LOG_NONE); /* rank 0 speaks for all */
        status = config_check_workers(v < 0 ? experiment->base : experiment->configs[v], out->workers);
        log_set_level(level);
    }
done:
    mem_free(host_of);
    if (status != ST_OK)
        roster_fini(out);
    return status;
}

void roster_fini(roster_t *roster)
{
    mem_free(roster->entries);
    mem_free(roster->numbers);
    roster->entries = NULL;
    roster->numbers = NULL;
}

int roster_number(const roster_t *roster, int rank)
{
    return roster->numbers ? roster->numbers[rank] : rank;
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
             roster_number(roster, rank), roster->entries[rank].host, roster->entries[rank].pid);
    return text;
}

bool roster_is_gone(const roster_t *roster, int rank)
{
    const roster_entry_t *own = &roster->entries[roster->rank], *its = &roster->entries[rank];
    return strcmp(own->host, its->host) == 0 && kill((pid_t)its->pid, 0) != 0 && errno == ESRCH;
}
