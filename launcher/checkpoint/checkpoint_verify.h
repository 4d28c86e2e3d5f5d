/* checkpoint_verify.h - is a checkpoint whole? Every checksum there is, computed again, without a cluster.
 *
 * What is on other hosts cannot be looked at: a shard's folder that is not here is an error, which says where it was written.
 * Of a run that is not training now: shards of one that is may fold a delta away meanwhile. */
#ifndef SMELTER_CHECKPOINT_VERIFY_H
#define SMELTER_CHECKPOINT_VERIFY_H

#include "launcher/checkpoint/checkpoint_resume.h"

typedef struct checkpoint_verified {
    int64_t files; /* that are whole; a base counts as one */
    int64_t bytes; /* of them */
    int64_t rows;  /* read in bases and deltas; a row that changed several times counts as often */
} checkpoint_verified_t;

/* checkpoint_verify - dense files and progress against the manifest; of each shard the base by its own records and digests, the
 * chain of deltas by their checksums, the last of them against the manifest. All files are looked at, and each error names one.
 * Returns the first error: ST_INPUT: a file is missing;  ST_CORRUPT: one is damaged, or of another checkpoint. */
WARN_UNUSED status_t checkpoint_verify(disk_t *disk, const checkpoint_resume_t *checkpoint, checkpoint_verified_t *out);

/* checkpoint_verify_shard - the part of one shard; added to *sum. */
WARN_UNUSED status_t checkpoint_verify_shard(disk_t *disk, const checkpoint_resume_t *checkpoint, int shard,
                                             checkpoint_verified_t *sum);

#endif
