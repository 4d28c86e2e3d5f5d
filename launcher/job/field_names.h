/* field_names.h - every name of a field in a job's configurations is one of its dataset, before anything is trained.
 *
 * Rank 0 looks, which has the datasets; the others hear of it. */
#ifndef SMELTER_FIELD_NAMES_H
#define SMELTER_FIELD_NAMES_H

#include "common/cluster/cluster.h"
#include "common/config/config.h"

/* field_names_agree - collective; every rank returns the same status. ST_INPUT: a name that is none, said by rank 0. */
WARN_UNUSED status_t field_names_agree(cluster_t *cluster, const experiment_t *experiment);

#endif
