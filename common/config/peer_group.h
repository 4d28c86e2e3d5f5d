/* peer_group.h - who trains which components: the arithmetic of co-distilled peers in groups (objective.form groups).
 *
 * With P groups, group g is the workers [g W/P, (g+1) W/P) of the W that take part in a run, and trains the components of peer
 * g alone: its lanes are those of batches of its own, from its own share of the data (common/config/lanes.h, order.h), and its
 * dense gradients are summed over itself. Of the other peers it has a copy, exchanged from time to time. Otherwise all workers
 * are one group that trains all components. */
#ifndef SMELTER_PEER_GROUP_H
#define SMELTER_PEER_GROUP_H

#include "common/base/status.h"
#include "common/config/config.h"

typedef struct peer_group {
    int number, groups;
    int first_worker, workers;          /* of the run's workers */
    int first_component, end_component; /* [first, end) are trained here */
} peer_group_t;

/* peer_group_at - group `number` of a run of `workers` workers, a multiple of the groups (config_check_workers). */
static inline peer_group_t peer_group_at(const config_t *config, int number, int workers)
{
    const int groups = (int)config_groups(config), each = workers / groups, members = (int)config->model.components / groups;
    ASSERT(workers % groups == 0 && number >= 0 && number < groups);
    return (peer_group_t){number, groups, number * each, each, number * members, (number + 1) * members};
}

/* peer_group_of - the group of a worker. */
static inline peer_group_t peer_group_of(const config_t *config, int worker, int workers)
{
    return peer_group_at(config, worker / (workers / (int)config_groups(config)), workers);
}

/* peer_group_chunk - examples that a worker scores at a time: those of the lanes that each worker of a group has, at least. */
static inline int64_t peer_group_chunk(const config_t *config, int workers)
{
    const int64_t each = workers / config_groups(config);
    return config->train.batch / config->train.lanes * (config->train.lanes / each);
}

/* peer_group_reporting - the group whose predictions of training examples are the run's progressive validation: that of the
 * deployed peer; the first where all peers are deployed. */
static inline peer_group_t peer_group_reporting(const config_t *config, int workers)
{
    int first, end;
    config_deploy(config, &first, &end);
    return peer_group_at(config, first / (int)(config->model.components / config_groups(config)), workers);
}

/* peer_group_round - all copies of peers are fresh before the multiples of this step, and there is nothing else to a training
 * than rows and dense parameters then. */
static inline int64_t peer_group_round(const config_t *config)
{
    return config_groups(config) > 1 ? config->objective.exchange_steps : 1;
}

#endif
