/* scratch_folder.h - a folder on a disk of this host, of one owner, for what is gone with it: rows out of memory, and LMDB
 * files in the making.
 *
 * Its name is random, so that any number of jobs may share the place it is in. Who has one holds a lock on it, which ends with
 * the process; what a process that was killed has left behind is removed by the next one that makes a folder there. */
#ifndef SMELTER_SCRATCH_FOLDER_H
#define SMELTER_SCRATCH_FOLDER_H

#include "common/base/status.h"

typedef struct scratch_folder scratch_folder_t;

/* scratch_folder_create - in `place`, which is made where it is missing; `setting` is what chooses another. ST_INPUT, ST_SYSTEM
 * after a line that names both: it cannot be made or written there. **owned**: scratch_folder_destroy, which removes it with
 * all that is in it. Any thread. */
WARN_UNUSED status_t scratch_folder_create(const char *place, const char *setting, scratch_folder_t **out);
void scratch_folder_destroy(scratch_folder_t **folder);

/* scratch_folder_path - borrowed, as long as the folder. */
const char *scratch_folder_path(const scratch_folder_t *folder);

#endif
