/* coordinator.h - rank 0: begins runs on the cluster, follows their progress, gathers predictions and digests, names who is
 * missing, and ends the job.
 *
 * The logic speaks through its net_t alone (it listens to all ranks and is dialled to all shards). One thread.             */
#ifndef SMELTER_COORDINATOR_H
#define SMELTER_COORDINATOR_H

#include <stdbool.h>

#include "common/net/net.h"
#include "launcher/manifest.h"
#include "launcher/progress.h"
#include "launcher/roster.h"

typedef struct coordinator coordinator_t;

typedef struct coordinator_options {
    net_t *net;                     /* borrowed */
    const roster_t *roster;         /* borrowed */
    const experiment_t *experiment; /* borrowed */
    progress_t *progress;           /* borrowed */
    bool starter_reports;           /* who started the ranks says itself which of them died, and how */
} coordinator_options_t;

WARN_UNUSED status_t coordinator_create(const coordinator_options_t *options, coordinator_t **out);
void coordinator_destroy(coordinator_t **coordinator);

/* coordinator_train - one run on the whole cluster: train, write the tables, score the evaluation split.
 * variant    index in the experiment, or -1 for the base;  run_dir must exist; config.yaml, metrics.jsonl, dense-K.f32, store/,
 *            predictions.f32 and manifest.json (last) are written there
 * line       how the run is named on the live line
 * out        **owned**, manifest_fini
 * Any error is fatal for the job: coordinator_stop follows. */
WARN_UNUSED status_t coordinator_train(coordinator_t *coordinator, int variant, int replica, const char *run_dir,
                                       const progress_run_t *line, manifest_t *out);

/* coordinator_wanted - the manifest that a finished run of this variant and replica would have, as far as it is known before it
 * runs: for manifest_check.  **owned**, manifest_fini. */
WARN_UNUSED status_t coordinator_wanted(coordinator_t *coordinator, int variant, int replica, manifest_t *out);

/* coordinator_stop - tell everybody to stop and wait until they said goodbye (at most 2 s after a failure). */
void coordinator_stop(coordinator_t *coordinator, status_t status);

#endif
