/* coordinator.h - rank 0: begins runs on the cluster, follows their progress, gathers predictions and digests, names who is
 * missing, and ends the job.
 *
 * The logic speaks through its net_t alone (it listens to all ranks and is dialled to all shards). One thread.             */
#ifndef SMELTER_COORDINATOR_H
#define SMELTER_COORDINATOR_H

#include <stdbool.h>

#include "common/data/dataset.h"
#include "common/files/disk.h"
#include "common/net/net.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/metrics/progress.h"
#include "launcher/ranks/roster.h"
#include "launcher/run/manifest.h"

typedef struct coordinator coordinator_t;

typedef struct coordinator_options {
    net_t *net;                     /* borrowed */
    const roster_t *roster;         /* borrowed */
    const experiment_t *experiment; /* borrowed */
    progress_t *progress;           /* borrowed */
    bool starter_reports;           /* who started the ranks says itself which of them died, and how */
    disk_t *disk;                   /* borrowed; for checkpoints. NULL: the system's */
} coordinator_options_t;

WARN_UNUSED status_t coordinator_create(const coordinator_options_t *options, coordinator_t **out);
void coordinator_destroy(coordinator_t **coordinator);

typedef struct coordinator_run {
    int variant; /* index in the experiment, or -1 for the base */
    int replica;
    const char *dir; /* exists; config.yaml, metrics.jsonl, checkpoint/, dense-K.f32, store/, predictions.f32 and manifest.json
                                 * (last) are written there */
    bool resume;     /* go on from the newest checkpoint there, if there is one; else checkpoints there are removed */
    const progress_run_t *line; /* how the run is named on the live line */
} coordinator_run_t;

/* coordinator_train - one run on the whole cluster: train, write the tables, score the evaluation split.
 *
 * Checkpoints are made as the configuration says, and when a signal asks (common/process/rank_signals.h). A variant that is a
 * teacher leaves teacher.f32 in its folder too; a student's teacher must have finished and lie beside it, where the folder is
 * OUT/VARIANT/rREPLICA. out  **owned**, manifest_fini ST_STOPPED: a signal asked for the end; what could be saved was.  Any
 * error is fatal for the job: coordinator_stop follows. */
WARN_UNUSED status_t coordinator_train(coordinator_t *coordinator, const coordinator_run_t *run, manifest_t *out);

/* What the cluster predicts for the examples of a split, by their number in it. */
typedef struct predictions {
    int64_t rows;
    float *p;        /* [rows] **owned**, as all three */
    uint8_t *label;  /* [rows] */
    uint64_t *group; /* [rows]; zeros where the dataset has no groups */
} predictions_t;

void predictions_fini(predictions_t *predictions);

/* What is scored with: a finished run, or a run as a checkpoint has it, which predicts what the run would if it ended there. */
typedef struct coordinator_source {
    const char *run_dir;
    const manifest_t *run;                 /* of the finished run; or NULL and */
    const checkpoint_resume_t *checkpoint; /* one of its checkpoints */
} coordinator_source_t;

/* coordinator_predict - score a split of the base configuration's dataset with the parameters of a run of the same network.
 * Numeric fields are standardised as in the run. Where dataset and split are those of a finished run's own evaluation, the
 * result is its predictions.f32, bit for bit. ST_INPUT: the dataset's fields are not the run's (launcher/run/input_fields.h);
 * ST_CORRUPT: the run's files are not what it wrote. out **owned**, predictions_fini. */
WARN_UNUSED status_t coordinator_predict(coordinator_t *coordinator, const coordinator_source_t *source, split_t split,
                                         predictions_t *out);

/* coordinator_expected - the manifest that a finished run of this variant and replica would have, as far as it is known before
 * it runs: for manifest_check.  **owned**, manifest_fini. */
WARN_UNUSED status_t coordinator_expected(coordinator_t *coordinator, int variant, int replica, manifest_t *out);

/* coordinator_dataset - the dataset of the base configuration, all of it, open for reading; borrowed until the next
 * coordinator_train or coordinator_expected.  Errors are those of dataset_open. */
WARN_UNUSED status_t coordinator_dataset(coordinator_t *coordinator, dataset_t **out);

/* coordinator_stop - tell all ranks to stop and wait until they said goodbye (at most 2 s after a failure). True where all have
 * said it, and can leave MPI together. */
bool coordinator_stop(coordinator_t *coordinator, status_t status);

#endif
