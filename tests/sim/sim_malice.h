/* sim_malice.h - somebody who listens to a simulated job, start after start, and speaks where he has no part.
 *
 * A stranger has no key of the job: he sends what he likes under the name of any rank, and leaves. Others speak by the
 * connection of a rank: what was overheard in an earlier start of the run; what that rank's role may not send; what no receiver
 * can take. All of it is dropped or refused, if the job is right, and changes nothing. What a rank may do, a coordinator's STOP
 * or a worker's gradients, is never among it: who holds the key of a rank is that rank. */
#ifndef SMELTER_SIM_MALICE_H
#define SMELTER_SIM_MALICE_H

#include "common/net/net_sim.h"

typedef struct malice malice_t;

typedef enum malice_kind {
    MALICE_STRANGER, /* without a key */
    MALICE_REPLAY,   /* messages of an earlier start */
    MALICE_ROLE,     /* what the sender may not send, or under another's name, or malformed */
    MALICE_WILD,     /* what the sender may send, with steps, tables and counts that cannot be, or a second time */
} malice_kind_t;

/* A node that listens. */
typedef struct malice_target {
    net_t *net;
    wire_role_t role;
    int rank;
} malice_target_t;

malice_t *malice_create(uint64_t seed); /* **owned** */
void malice_destroy(malice_t **malice);

/* malice_enter - a start of the job begins: what was overheard is of an earlier one. Ranks 1 .. shards are servers of one shard
 * each. The targets are borrowed until the next call.
 * tames: a mistake on purpose of those who receive: what is wild fits, as if they had cut it to size. */
void malice_enter(malice_t *malice, net_sim_world_t *world, const malice_target_t *targets, int n, int shards, bool tames);

/* malice_speak - n letters, within so many ns from now on. */
void malice_speak(malice_t *malice, malice_kind_t kind, int64_t n, int64_t within_ns);

#endif
