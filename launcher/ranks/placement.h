/* placement.h - which ranks are the servers, by the hosts that the launcher has put ranks on. */
#ifndef SMELTER_PLACEMENT_H
#define SMELTER_PLACEMENT_H

#include "common/config/config.h"

/* placement_order - the launcher's number of each rank of the job: order[0] the coordinator, then the servers, then the
 * workers.
 *
 * spread: servers go around the hosts, in the order of the hosts' first ranks, each to the first rank there that has no role
 * yet, past hosts that have none left. ranks: order[r] is r. With one host both are the same.
 * host_of in [size] a number for the host of each of the launcher's ranks. order out [size], a permutation; order[0] is 0. */
void placement_order(placement_t placement, const int *host_of, int size, int servers, int *order);

#endif
