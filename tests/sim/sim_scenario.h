/* sim_scenario.h - what may happen to a training, drawn from one seed, and whether the training stood it.
 *
 * A scenario is a configuration, a cluster and, for each start of the job, faults of the network and of disks, ranks that die,
 * stand still or are cut off, letters of somebody who has no part in the job (sim_malice.h), and rot. When a job has ended
 * without a result, power is lost, and it is started again from what is durable, at the level `invariant` on another cluster.
 * Where a start ends with an error that names a damaged file, the file is brought back, as from a copy, before the next one.
 * What must hold whatever happens:
 *
 * - the digest of the model, its losses and its lines of progress are those of a run that nothing disturbed and that saved
 * nothing;
 * - a checkpoint that was announced is found again after every loss of power, unless a newer one took its place;
 * - a damaged file changes nothing, or is named by an error, and then nothing was lost by it;
 * - no rank waits past the deadlines, and who is named as missing is who was disturbed;
 * - a job that is left alone ends well.                                                                                     */
#ifndef SMELTER_SIM_SCENARIO_H
#define SMELTER_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/net_sim.h"

typedef enum sim_mistake {
    SIM_NO_MISTAKE,
    SIM_MERGES_BY_ARRIVAL,
    SIM_RENAMES_BEFORE_SYNC,
    SIM_ACKNOWLEDGES_EARLY,
    SIM_BELIEVES_STRANGERS, /* whoever speaks is the rank that he says he is */
    SIM_BELIEVES_HEADERS,   /* so is a rank of the job */
    SIM_FORGETS_STARTS,     /* messages of an earlier start are taken for ones of this start */
    SIM_TAKES_WILD,         /* what cannot be is cut to size, and taken */
    SIM_HIDES_ERRORS,       /* a call of a disk that fails is taken for one that did what it should */
    SIM_LOSES_REFUSED,      /* where memory is refused, what was to be written is left out */
    SIM_OVERLOOKS_ROT,      /* nobody looks at the checksums of checkpoints; bits flip, */
    SIM_OVERLOOKS_PLACES,   /* or what was written is elsewhere */
    SIM_OVERLOOKS_PAGES,    /* nobody looks at those of LMDB's pages */
    SIM_FOLDS_UNSYNCED,     /* the base does not wait for the disk */
    SIM_MISTAKE_COUNT
} sim_mistake_t;

typedef struct sim_verdict {
    bool good;
    char violation[512];                              /* what did not hold */
    char summary[256];                                /* what the scenario was */
    int starts, kills, resumes, checkpoints, damaged; /* damaged: starts that ended because of it */
    net_sim_counts_t counts;                          /* sums over starts */
} sim_verdict_t;

/* sim_verdict_add - what one verdict counted, to a sum. */
void sim_verdict_add(sim_verdict_t *sum, const sim_verdict_t *one);

/* sim_begin - data and folders for scenarios, once per process; they go at exit. Ends the test where that fails. */
void sim_begin(void);
void sim_end(void);

/* sim_scenario_run - play the scenario of a seed. */
sim_verdict_t sim_scenario_run(uint64_t seed, sim_mistake_t mistake);

#endif
