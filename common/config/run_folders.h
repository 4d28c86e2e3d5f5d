/* run_folders.h - the runs that a job may have, and where each of them is: what every rank knows from its command line and its
 * configuration, which are the same on all ranks (launcher/ranks/roster.h). No message names a folder.
 *
 * Rejected: paths in messages. Who can send one message could have a server read and write where he likes. */
#ifndef SMELTER_RUN_FOLDERS_H
#define SMELTER_RUN_FOLDERS_H

#include <stdbool.h>

#include "common/config/config.h"

typedef struct run_folders {
    const char *job;    /* --out: of the one run; or of an experiment, */
    bool in_variants;   /* which has its runs in VARIANT/rREPLICA below */
    const char *scored; /* the run whose parameters are scored with, of a job that trains none; NULL: it trains */
} run_folders_t;

/* What ranks are told to begin. */
typedef enum run_purpose {
    RUN_TRAINS,  /* a run of the job */
    RUN_SCORES,  /* the run that the job scores with, or a checkpoint of it */
    RUN_DEPLOYS, /* a run of the job that is trained: it ends with the parameters of one of its checkpoints */
    RUN_TEACHES, /* the finished run that teacher.run of a run of the job names, which scores that run's examples */
    RUN_PURPOSES
} run_purpose_t;

/* A run of the experiment: the variant, -1 where it has none, and the replica. */
typedef struct run_number {
    int purpose, variant, replica; /* run_purpose_t; any numbers */
} run_number_t;

/* run_folder_of - the folder of this run; **owned**, mem_free. NULL: the job has no such run. */
char *run_folder_of(const run_folders_t *folders, const experiment_t *experiment, run_number_t run);

/* run_config - the configuration of the variant, borrowed, for a run that the job has. */
const config_t *run_config(const experiment_t *experiment, run_number_t run);

#endif
