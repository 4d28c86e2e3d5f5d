#include "launcher/ranks/placement.h"

#include "common/base/memory.h"

/* The first rank of the host that is free, or -1. */
static int take_rank(const int *host_of, int size, int host, bool *taken)
{
    for (int r = 0; r < size; r++)
        if (host_of[r] == host && !taken[r]) {
            taken[r] = true;
            return r;
        }
    return -1;
}

void placement_order(placement_t placement, const int *host_of, int size, int servers, int *order)
{
    ASSERT(servers < size);
    bool *taken = MEM_ARRAY(bool, size);
    int *hosts = MEM_ARRAY(int, size), n_hosts = 0, n = 0;
    for (int r = 0; r < size; r++) {
        int h = 0;
        while (h < n_hosts && hosts[h] != host_of[r])
            h++;
        if (h == n_hosts)
            hosts[n_hosts++] = host_of[r];
    }
    taken[0] = true;
    order[n++] = 0;
    for (int turn = 0; placement == PLACEMENT_SPREAD && n <= servers; turn++) {
        const int rank = take_rank(host_of, size, hosts[turn % n_hosts], taken);
        if (rank >= 0)
            order[n++] = rank;
    }
    for (int r = 0; r < size; r++)
        if (!taken[r])
            order[n++] = r;
    ASSERT(n == size);
    mem_free(hosts);
    mem_free(taken);
}
