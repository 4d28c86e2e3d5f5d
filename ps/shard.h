/* shard.h - one shard: a set of tables, the order in which pulls and pushes take effect, and the answers.
 *
 * One thread owns a shard and its net_t; nothing is shared with other shards. The logic is pure: messages and time come from the
 * net_t, so that tests run shards in a simulated network. Levels (docs/PROTOCOL.md): at sync and invariant a pull of step t is
 * answered when exactly the pushes of steps < t - d are applied, and those of step t - d wait until every pull of step t was
 * answered; at bounded a pull of step t waits for all pushes of steps < t - staleness; at async nothing waits.               */
#ifndef SMELTER_SHARD_H
#define SMELTER_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/config/config.h"
#include "common/net/net.h"

typedef struct shard shard_t;

typedef struct shard_options {
    int shard;                      /* number in the cluster */
    bool first_of_process;          /* reports the process's CPU time and memory */
    int rank;                       /* of the server */
    int first_worker, workers;      /* ranks of the workers */
    const experiment_t *experiment; /* borrowed; must outlive the shard */
    net_t *net;                     /* borrowed; listening; used by this shard's thread alone */
} shard_options_t;

WARN_UNUSED status_t shard_create(const shard_options_t *options, shard_t **out);
void shard_destroy(shard_t **shard);

/* shard_handle - take one message; may answer several. Takes over the message (releases it now or later).
 * Bad messages are answered with ERROR, counted, and change nothing. Anything but ST_OK ends the shard: ST_STOPPED after
 * STOP, else a fatal error that was logged. */
WARN_UNUSED status_t shard_handle(shard_t *shard, net_message_t *message);

/* shard_run - receive and handle until STOP or a fatal error, or until *stop becomes true. ST_OK after STOP. */
WARN_UNUSED status_t shard_run(shard_t *shard, const atomic_bool *stop);

#endif
