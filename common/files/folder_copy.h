/* folder_copy.h - files of a folder to another place, often on another file system, such that the place has all of them or
 * nothing. */
#ifndef SMELTER_FOLDER_COPY_H
#define SMELTER_FOLDER_COPY_H

#include "common/base/status.h"

/* folder_copy - the plain files of these names, in `from`, as the folder `to`.
 *
 * They are written to TO.part, synced, the folder is synced and then renamed to `to`, in the place of what was there; the
 * folder above is synced: on return all is durable. After a crash there is a TO.part that nobody reads, and perhaps no `to`,
 * where one had been; so an owner that cannot be without gives each copy a name of its own. The folder above must be there.
 * ST_INPUT, ST_SYSTEM: names the file that cannot be read or written; TO.part is gone then.  Cost: each byte read and written
 * once. */
WARN_UNUSED status_t folder_copy(const char *from, const char *to, const char *const *names, int n);

/* folder_copy_all - likewise of everything in `from`, folders in it, too: as deep as a shard's part of a checkpoint is. */
WARN_UNUSED status_t folder_copy_all(const char *from, const char *to);

#endif
