/* routes.h - on which of its addresses each host listens, and by which every other host reaches it.
 *
 * All ranks know all hosts' addresses and choose the same candidates (common/net/addresses.h). Each other host tries them
 * (common/net/reach.h), and ranks listen on those alone that somebody has picked. */
#ifndef SMELTER_ROUTES_H
#define SMELTER_ROUTES_H

#include "common/cluster/cluster.h"
#include "common/config/config.h"
#include "common/net/net_zmq.h"
#include "launcher/ranks/roster.h"

typedef struct routes {
    char listen[NET_ENDPOINT_BYTES]; /* the addresses of this host, with commas between them */
    int *number;                     /* [ranks] which of a rank's endpoints this one dials */
    char **addresses;                /* [n_addresses] all that the hosts of the job have: whichever of them they dial from */
    int n_addresses;
} routes_t;

/* routes_agree - collective. Rank 0 says what is the same on all ranks: hosts that cannot reach each other, with all addresses
 * that were tried, or too few ports. ST_INPUT then. out is to be closed by routes_fini after an error, too. */
WARN_UNUSED status_t routes_agree(const roster_t *roster, cluster_t *cluster, const config_t *config, routes_t *out);
void routes_fini(routes_t *routes);

#endif
