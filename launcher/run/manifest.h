/* manifest.h - what a finished run leaves in its folder, so that an interrupted experiment goes on where it stopped.
 *
 *     FOLDER/predictions.f32   little-endian f32 by index in the evaluation split
 *     FOLDER/manifest.json     identity, numbers and digest of the run; size and checksum of every file beside it, and its own
 * checksum
 *
 * The manifest is written last and in one step: where it is, the run is finished and its files are whole. Whoever reads one of
 * them asks manifest_check_files first: what was changed since then is refused, not used. Manifests from before format 6 have
 * no checksums, and theirs pass. */
#ifndef SMELTER_MANIFEST_H
#define SMELTER_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/config/config.h"
#include "launcher/ranks/processors.h"
#include "launcher/ranks/provenance.h"
#include "launcher/run/continued.h"
#include "launcher/run/input_fields.h"
#include "launcher/run/places.h"
#include "launcher/run/run_files.h"
#include "launcher/run/run_result.h"
#include "ps/checkpoint/store.h"

typedef struct manifest {
    char *experiment; /* the five texts are **owned**, manifest_fini */
    char *variant;
    char *determinism; /* the word of the level */
    char *build;       /* identification of the program */
    char *kernels;     /* name of the matrix kernels in use */
    uint64_t config_hash;
    uint64_t dataset_hash;
    uint64_t teacher_hash; /* of the configurations of its teacher and of the teacher's teachers; 0 without one */
    uint64_t run_id;       /* common/base/identity.h; 0: not recorded */
    int64_t workers, servers, shards_per_server;
    hash_digest_t *stores; /* **owned**, [servers * shards_per_server]: the rows that each shard stored; NULL: not recorded */
    places_t places;       /* **owned**; of the stores */
    continued_t continued; /* **owned**; the run that it went on from, with appended rows alone */
    int64_t steps;
    int64_t stopped_at;   /* its training ended before this step, after which it did not get better; 0: after all steps */
    int64_t best_step;    /* its parameters are those before this step; 0: those after the last */
    int64_t incarnation;  /* of its last start */
    int64_t resumed;      /* so often it went on from a checkpoint */
    int64_t checkpoints;  /* committed on the way */
    double begin_seconds; /* from the start to the first step; of the last start, as the next two */
    double step_seconds_median,
        step_seconds_longest; /* but for the first two steps, which warm up; 0 where there are no others */
    split_t scored;           /* the split that they are of */
    int64_t predictions;      /* how many there are */
    processors_t processors;  /* **owned**; what computed it, in all of its starts */
    provenance_t provenance;  /* **owned** */
    run_files_t files;        /* **owned**; by manifest_write and manifest_read */
    replica_result_t result;
    config_t *config;      /* **owned**; of a run that is wanted; NULL in a manifest that was read */
    bool left_over;        /* of a run that is wanted: train.last_batch has something to decide (lanes_left_over) */
    input_fields_t inputs; /* **owned**; likewise */
} manifest_t;

/* manifest_write - predictions, then the manifest with the checksums of all files that are in the folder by now; they are in
 * manifest->files then, and the manifest's own in manifest->result. ST_INPUT, ST_SYSTEM: not writable; there is no manifest
 * then unless an older one was there. */
WARN_UNUSED status_t manifest_write(const char *folder, manifest_t *manifest);

/* manifest_read - *found is false, and out untouched, where the folder has no manifest. Else out is **owned**, but for
 * predictions, which stay where they are; manifest_fini. ST_CORRUPT: the manifest or the predictions were changed after
 * training, as their checksums show; or, of older formats, it is not JSON, a member is missing, or the predictions do not have
 * the stated length. */
WARN_UNUSED status_t manifest_read(const char *folder, manifest_t *out, bool *found);

/* manifest_open_predictions - those of the finished run in `folder`, as manifest->result.predictions_file, which float_file.h
 * keeps an eye on.  ST_CORRUPT: they are not those that the run wrote. */
WARN_UNUSED status_t manifest_open_predictions(manifest_t *manifest, const char *folder);

/* manifest_shards - how many shards stored the run's tables. */
static inline int64_t manifest_shards(const manifest_t *manifest)
{
    return manifest->servers * manifest->shards_per_server;
}

/* manifest_check_store - is it the store of shard `shard` that the run ended with? As store_check (ps/checkpoint/store.h). */
WARN_UNUSED status_t manifest_check_store(const manifest_t *manifest, int64_t shard, store_t *store);

/* manifest_has_config - is it the run's configuration? A run whose batches were all whole has the hash that it would have
 * without train.last_batch. */
bool manifest_has_config(const manifest_t *manifest, const config_t *config);

/* manifest_check_files - before files of these kinds (run_files.h) are used: are they what the run wrote? Errors of
 * run_files_check. Of a manifest without checksums only this is known: a curve in metrics.jsonl reaches the run's last step. */
WARN_UNUSED status_t manifest_check_files(const manifest_t *manifest, const char *folder, uint32_t kinds);

/* manifest_check - may the run found in `folder` stand for the run wanted? Compares variant, replica, seeds, determinism,
 * configuration and dataset, and workers and servers at every level but invariant. ST_INPUT names the first thing that differs,
 * and both values. Build and kernels that differ are warned about. */
WARN_UNUSED status_t manifest_check(const manifest_t *found, const manifest_t *wanted, const char *folder);

/* manifest_check_replicas - may the prediction difference of two replicas of a variant be taken? They may differ in the sources
 * that are said to vary and in nothing else: dataset, build, level, steps, seeds, cluster (any at invariant). ST_INPUT names
 * the first other difference, and both values. */
WARN_UNUSED status_t manifest_check_replicas(const manifest_t *a, const manifest_t *b, bool vary_init, bool vary_order,
                                             bool vary_workers);

/* manifest_check_processors - two replicas of a variant were computed alike, as far as it is recorded, where their determinism
 * promises bits.  ST_INPUT names both. */
WARN_UNUSED status_t manifest_check_processors(const manifest_t *a, const manifest_t *b);

void manifest_fini(manifest_t *manifest);

#endif
