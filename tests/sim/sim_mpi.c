/* A group of ranks has two boards, used in turn; a member writes its values on one and waits until all have. Nobody can be more
 * than one call ahead, because it would have had to read the others' values of the call before. */
#include "tests/sim/sim_mpi.h"

#include <string.h>

#include "common/base/memory.h"

#define RANKS_MOST 16
#define LOOK_NS 200000 /* between two looks */

typedef struct board {
    float *values[RANKS_MOST];
    size_t capacity[RANKS_MOST];
} board_t;

typedef struct peer_group {
    int first, n;
    int64_t calls[RANKS_MOST];
    board_t boards[2];
    struct peer_group *next;
} peer_group_t;

struct sim_mpi {
    net_sim_world_t *world;
    int ranks;
    int64_t deadline_ns;
    peer_group_t *groups;
};

struct cluster {
    sim_mpi_t *mpi;
    int rank;
    peer_group_t *group;
    status_t (*poll)(void *context);
    void *poll_context;
};

sim_mpi_t *sim_mpi_create(net_sim_world_t *world, int ranks, double deadline_s)
{
    ASSERT(ranks <= RANKS_MOST);
    sim_mpi_t *mpi = MEM_NEW(sim_mpi_t);
    *mpi = (sim_mpi_t){world, ranks, (int64_t)(deadline_s * 1e9), NULL};
    return mpi;
}

void sim_mpi_destroy(sim_mpi_t **out)
{
    sim_mpi_t *mpi = *out;
    if (!mpi)
        return;
    while (mpi->groups) {
        peer_group_t *group = mpi->groups;
        mpi->groups = group->next;
        for (int r = 0; r < RANKS_MOST; r++) {
            mem_free(group->boards[0].values[r]);
            mem_free(group->boards[1].values[r]);
        }
        mem_free(group);
    }
    mem_free(mpi);
    *out = NULL;
}

cluster_t *sim_mpi_join(sim_mpi_t *mpi, int rank)
{
    cluster_t *cluster = MEM_NEW(cluster_t);
    cluster->mpi = mpi;
    cluster->rank = rank;
    return cluster;
}

void sim_mpi_leave(cluster_t **cluster)
{
    mem_free(*cluster);
    *cluster = NULL;
}

int cluster_rank(const cluster_t *cluster)
{
    return cluster->rank;
}

int cluster_size(const cluster_t *cluster)
{
    return cluster->mpi->ranks;
}

const char *cluster_host(const cluster_t *cluster)
{
    return cluster_host_of(cluster, cluster->rank);
}

const char *cluster_host_of(const cluster_t *cluster, int rank)
{
    static const char *const hosts[RANKS_MOST] = {"node0", "node1", "node2", "node3", "node4", "node5", "node6", "node7"};
    (void)cluster;
    return hosts[rank] ? hosts[rank] : "node";
}

void cluster_set_poll(cluster_t *cluster, status_t (*poll)(void *context), void *context)
{
    cluster->poll = poll;
    cluster->poll_context = context;
}

status_t cluster_group(cluster_t *cluster, int first, int n)
{
    peer_group_t *group = cluster->mpi->groups;
    while (group && (group->first != first || group->n != n))
        group = group->next;
    if (!group) {
        group = MEM_NEW(peer_group_t);
        group->first = first;
        group->n = n;
        group->next = cluster->mpi->groups;
        cluster->mpi->groups = group;
    }
    cluster->group = group;
    return ST_OK;
}

/* Put values on the board of this call and wait for those of all. */
static status_t meet(cluster_t *cluster, const float *values, int64_t count, board_t **out)
{
    peer_group_t *group = cluster->group;
    net_sim_world_t *world = cluster->mpi->world;
    const int me = cluster->rank - group->first;
    const int64_t call = ++group->calls[me], end_ns = net_sim_now_ns(world) + 2 * cluster->mpi->deadline_ns;
    board_t *board = &group->boards[call % 2];
    MEM_GROW(board->values[me], board->capacity[me], (size_t)count);
    memcpy(board->values[me], values, (size_t)count * sizeof *values);
    for (int r = 0; r < group->n;) {
        if (group->calls[r] >= call) {
            r++;
            continue;
        }
        if (net_sim_now_ns(world) >= end_ns)
            return FAIL(ST_TIMEOUT, "rank %d did not come to a sum of rank %d", group->first + r, cluster->rank);
        if (cluster->poll)
            TRY(cluster->poll(cluster->poll_context));
        net_sim_sleep(world, LOOK_NS);
    }
    *out = board;
    return ST_OK;
}

/* Sum of the parts with numbers in [low, high), as tree.h prescribes; NULL: there are none. */
static float *sum_of(const tree_shares_t *shares, float *const *leaf, int64_t count, uint32_t low, uint32_t high)
{
    const int32_t parts = shares->first[shares->members];
    int32_t first = 0, n = 0;
    while (first < parts && shares->part[first] < low)
        first++;
    while (first + n < parts && shares->part[first + n] < high)
        n++;
    if (n <= 1)
        return n ? leaf[first] : NULL;
    const uint32_t middle = low + (high - low) / 2;
    float *left = sum_of(shares, leaf, count, low, middle), *right = sum_of(shares, leaf, count, middle, high);
    for (int64_t i = 0; left && right && i < count; i++)
        left[i] = left[i] + right[i];
    return left ? left : right;
}

static int64_t slice(int64_t count, int member, int members)
{
    return count * member / members;
}

/* Where each member has made something of its slice, all take that. */
static status_t take_results(cluster_t *cluster, float *values, int64_t count)
{
    board_t *board;
    TRY(meet(cluster, values, count, &board));
    for (int m = 0, n = cluster->group->n; m < n; m++) {
        const int64_t first = slice(count, m, n);
        memcpy(values + first, board->values[m] + first, (size_t)(slice(count, m + 1, n) - first) * sizeof *values);
    }
    return ST_OK;
}

static status_t sum(cluster_t *cluster, const tree_shares_t *shares, float *values, int64_t count)
{
    const int me = cluster->rank - cluster->group->first, n = cluster->group->n;
    board_t *board;
    ASSERT(shares->members == n);
    TRY(meet(cluster, values, count * (shares->first[me + 1] - shares->first[me]), &board));
    float **leaf = MEM_ARRAY(float *, shares->first[n]);
    for (int r = 0; r < n; r++)
        for (int32_t p = shares->first[r]; p < shares->first[r + 1]; p++) {
            leaf[p] = MEM_ARRAY(float, count);
            memcpy(leaf[p], board->values[r] + (p - shares->first[r]) * count, (size_t)count * sizeof *values);
        }
    memcpy(values, sum_of(shares, leaf, count, 0, 1u << tree_levels(shares->leaves)), (size_t)count * sizeof *values);
    for (int32_t p = 0; p < shares->first[n]; p++)
        mem_free(leaf[p]);
    mem_free(leaf);
    return ST_OK;
}

status_t cluster_tree_sum(cluster_t *cluster, const tree_shares_t *shares, const tree_vector_t *vectors, int n,
                          tree_result_fn *result, void *context)
{
    const int me = cluster->rank - cluster->group->first, members = cluster->group->n;
    for (int i = 0; i < n && members > 1; i++) {
        const tree_vector_t *v = &vectors[i];
        const int64_t first = slice(v->count, me, members);
        TRY(sum(cluster, shares, v->values, v->count));
        if (result) {
            result(context, i, first, slice(v->count, me + 1, members) - first, v->values + first);
            TRY(take_results(cluster, v->values, v->count));
        }
        if (v->result)
            memcpy(v->result, v->values, (size_t)v->count * sizeof *v->values);
    }
    return ST_OK;
}

int64_t cluster_bytes_received(const cluster_t *cluster)
{
    (void)cluster;
    return 0; /* no run of a simulation tells its costs */
}

status_t cluster_meet(cluster_t *cluster)
{
    board_t *board;
    const float nothing = 0.0f;
    return meet(cluster, &nothing, 1, &board);
}

status_t cluster_share(cluster_t *cluster, float *values, int64_t count, int owner)
{
    board_t *board;
    TRY(meet(cluster, values, count, &board));
    memcpy(values, board->values[owner], (size_t)count * sizeof *values);
    return ST_OK;
}

int cluster_host_file(cluster_t *cluster, int first, int n, int *ranks)
{
    (void)cluster, (void)first, (void)n;
    *ranks = 1; /* each of them has its own memory */
    return -1;
}

bool cluster_is_whole(const cluster_t *cluster)
{
    (void)cluster;
    return true; /* simulated ranks do not leave MPI */
}

status_t cluster_gather_all(cluster_t *cluster, const void *mine, int64_t bytes, void *all)
{
    (void)mine, (void)bytes, (void)all;
    return FAIL(ST_SYSTEM, "rank %d gathers, and the ranks of a simulation know each other", cluster->rank);
}

void cluster_renumber(cluster_t *cluster, const int *order)
{
    (void)cluster, (void)order;
    ASSERT(!"ranks of a simulation have their places");
}
