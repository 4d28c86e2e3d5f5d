/* checkpoint_manifest.h - the file that makes a checkpoint one: what it consists of, of which run it is, and how to tell that
 * it is whole.
 *
 *     RUN/checkpoint/epoch-EEEE/step-S/dense-K.f32     dense parameters of component K, then optimizer state
 *     RUN/checkpoint/epoch-EEEE/step-S/progress.bin    progressive metrics before the step (progressive.h)
 *     RUN/checkpoint/epoch-EEEE/step-S/manifest.json   this
 *
 * It is written last, under a temporary name, synced and renamed: where it is, the checkpoint is committed and all that it
 * names is durable. Its last member is a checksum of the text
 * before. */
#ifndef SMELTER_CHECKPOINT_MANIFEST_H
#define SMELTER_CHECKPOINT_MANIFEST_H

#include "common/files/disk.h"
#include "launcher/metrics/line_sums.h"
#include "launcher/ranks/processors.h"
#include "launcher/run/input_fields.h"
#include "launcher/run/places.h"
#include "launcher/run/run_totals.h"

#define CHECKPOINT_FORMAT 1

/* A shard's part: the delta of this step, in its own folder. */
typedef struct checkpoint_shard {
    int64_t rows;    /* in the delta */
    int64_t pending; /* rows with pushes that are yet to be applied */
    int64_t bytes;   /* of the delta file, as its checksum */
    uint64_t checksum_low, checksum_high;
} checkpoint_shard_t;

typedef struct checkpoint_file {
    int64_t bytes;
    uint64_t checksum; /* hash64 */
} checkpoint_file_t;

/* Members that are plain texts, hashes and counts (and their names in the file); the order is that of the file. */
#define CHECKPOINT_TEXTS(X) X(experiment) X(variant) X(determinism) X(build) X(kernels) X(time)
#define CHECKPOINT_HASHES(X) X(config_hash) X(dataset_hash) X(teacher_hash)
#define CHECKPOINT_COUNTS(X) \
    X(replica, "replica") \
    X(incarnation, "epoch") \
    X(step, "step") \
    X(steps, "steps") \
    X(depth, "depth") \
    X(resumed, "resumed") \
    X(workers, "workers") \
    X(servers, "servers") \
    X(shards_per_server, "shards_per_server") \
    X(tables, "tables")

typedef struct checkpoint_manifest {
#define CHECKPOINT_TEXT(name) char *name;
#define CHECKPOINT_HASH(name) uint64_t name;
#define CHECKPOINT_COUNT(name, member) int64_t name;
    CHECKPOINT_TEXTS(CHECKPOINT_TEXT)  /* **owned**; time: when it was committed, UTC */
    CHECKPOINT_HASHES(CHECKPOINT_HASH) /* of the run, as in its manifest.h */
    CHECKPOINT_COUNTS(
        CHECKPOINT_COUNT)      /* step comes next; steps: of the whole run; depth: train.pipeline_depth; resumed: so often */
    uint64_t run_id;           /* common/base/identity.h; 0: not recorded */
    uint64_t teacher_checksum; /* hash64 of what its teacher predicts for the training split; 0: none, or not recorded */
    int64_t *deltas;           /* **owned**, [n_deltas], ascending: steps of all cuts of this incarnation; the last is step */
    int64_t n_deltas;
    checkpoint_shard_t *shards; /* **owned**, [servers * shards_per_server] */
    checkpoint_file_t *dense;   /* **owned**, [components] */
    int64_t components;
    checkpoint_file_t progress;
    line_sum_t steps_lines, probe_lines, validation_lines; /* of the files of lines beside the checkpoints */
    places_t places;                                       /* **owned**; of its shards' parts */
    processors_t processors; /* **owned**; what computed the run up to the step, in all of its starts */
    run_totals_t totals;     /* of the run up to the step */
    char *config;            /* **owned**: the resolved configuration, YAML */
    input_fields_t inputs;   /* **owned**: of the run; no fields where they are not recorded */
} checkpoint_manifest_t;

void checkpoint_manifest_fini(checkpoint_manifest_t *manifest);

/* checkpoint_manifest_shards - how many shards wrote it. */
static inline int64_t checkpoint_manifest_shards(const checkpoint_manifest_t *m)
{
    return m->servers * m->shards_per_server;
}

/* checkpoint_manifest_bytes - of all of its files that were written anew. */
int64_t checkpoint_manifest_bytes(const checkpoint_manifest_t *manifest);

/* checkpoint_manifest_rows - changed rows that it holds, of all shards. */
int64_t checkpoint_manifest_rows(const checkpoint_manifest_t *manifest);

/* checkpoint_manifest_commit - write it into the checkpoint's folder, durably and in one step. ST_INPUT, ST_SYSTEM: the disk
 * refused; the checkpoint is not committed then, or the error came from the last sync and it may be. */
WARN_UNUSED status_t checkpoint_manifest_commit(disk_t *disk, const char *folder, const checkpoint_manifest_t *manifest);

/* checkpoint_manifest_read - out **owned**, checkpoint_manifest_fini.
 * ST_INPUT: there is none, or it is of a newer format;  ST_CORRUPT: it is not what commit wrote: names the file and the
 * member. */
WARN_UNUSED status_t checkpoint_manifest_read(disk_t *disk, const char *folder, checkpoint_manifest_t *out);

/* checkpoint_file_write - a file of a checkpoint's folder, synced; its name is durable once the folder is.
 * checkpoint_file_read - **owned** (mem_free); ST_INPUT: missing;  ST_CORRUPT: not what was written. Both name the path. */
WARN_UNUSED status_t checkpoint_file_write(disk_t *disk, const char *folder, const char *name, const void *data, int64_t bytes,
                                           checkpoint_file_t *out);
WARN_UNUSED status_t checkpoint_file_read(disk_t *disk, const char *folder, const char *name, const checkpoint_file_t *written,
                                          char **out);

/* checkpoint_manifest_json - what `smelter checkpoint show` prints of it, but for the configuration; **owned**,
 * jsondoc_destroy. */
jsondoc_t *checkpoint_manifest_json(const checkpoint_manifest_t *manifest);

#endif
