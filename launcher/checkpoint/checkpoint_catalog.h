/* checkpoint_catalog.h - which checkpoints a run has, and their removal.
 *
 * Only a folder with a manifest is a checkpoint; what else lies in an incarnation's folder is an attempt that was cut off, or
 * belongs to the checkpoints there. */
#ifndef SMELTER_CHECKPOINT_CATALOG_H
#define SMELTER_CHECKPOINT_CATALOG_H

#include "common/files/disk.h"

typedef struct checkpoint_id {
    uint32_t incarnation;
    int64_t step;
} checkpoint_id_t;

typedef struct checkpoint_catalog {
    checkpoint_id_t *at; /* **owned**, [n], oldest first: by incarnation, then by step */
    int64_t n;
    uint32_t incarnations; /* 1 + the highest incarnation that has a folder, committed or not; 0: none */
} checkpoint_catalog_t;

/* checkpoint_catalog_read - of a run's folder; none where it has no checkpoint/.  out **owned**, checkpoint_catalog_fini. */
WARN_UNUSED status_t checkpoint_catalog_read(disk_t *disk, const char *run_dir, checkpoint_catalog_t *out);
void checkpoint_catalog_fini(checkpoint_catalog_t *catalog);

/* checkpoint_revoke - remove a checkpoint's manifest, durably: it is none any more, and its files are still there.
 * checkpoint_remove_step - remove the folder of a checkpoint that was revoked.
 * checkpoint_remove_incarnation - remove the folder of an incarnation, with all that shards on this host wrote there; none of
 * its checkpoints may be left. */
WARN_UNUSED status_t checkpoint_revoke(disk_t *disk, const char *run_dir, checkpoint_id_t id);
WARN_UNUSED status_t checkpoint_remove_step(disk_t *disk, const char *run_dir, checkpoint_id_t id);
WARN_UNUSED status_t checkpoint_remove_incarnation(disk_t *disk, const char *run_dir, uint32_t incarnation);

#endif
